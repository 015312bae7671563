#include "config/config.h"
#include "config/schema.h"
#include "core/duration.h"

#include <stdio.h>
#include <stdlib.h>

static void print_keys(const struct schema_key *keys, const void *base, const char *indent, struct buf *out);

/* With a point in it, without which libconfig would take it for an integer;
 * the shortest text that is read back as the same number. */
static void print_real(double value, struct buf *out)
{
    char text[32];
    int digits = 1;

    do
        (void)snprintf(text, sizeof text, "%.*f", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    buf_str(out, text);
}

static void print_value(const struct schema_key *key, const void *field, struct buf *out)
{
    char text[DURATION_TEXT_MAX];

    switch (key->type) {
    case SCHEMA_BOOL: buf_str(out, *(const bool *)field ? "true" : "false"); break;
    case SCHEMA_INT: buf_fmt(out, "%lld", (long long)*(const int64_t *)field); break;
    case SCHEMA_REAL: print_real(*(const double *)field, out); break;
    case SCHEMA_DURATION:
        duration_format(*(const int64_t *)field, text);
        buf_fmt(out, "\"%s\"", text);
        break;
    case SCHEMA_TEXT:
    case SCHEMA_TEXTS: key->print(field, out); break;
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_INCLUDE: break;
    }
}

static void print_list(const struct schema_key *key, const void *base, struct buf *out)
{
    const void *element;

    buf_fmt(out, "%s = (", key->name);
    for (size_t i = 0; (element = schema_at(key, base, i)); i++) {
        buf_str(out, i > 0 ? ",\n  {\n" : "\n  {\n");
        print_keys(key->children, element, "    ", out);
        buf_str(out, "  }");
    }
    buf_str(out, "\n);\n");
}

static void print_group(const struct schema_key *key, const void *base, struct buf *out)
{
    if (key->enabled_offset != 0 && !*(const bool *)((const char *)base + key->enabled_offset))
        return;
    buf_fmt(out, "%s: {\n", key->name);
    print_keys(key->children, (const char *)base + key->offset, "  ", out);
    buf_str(out, "};\n");
}

static void print_keys(const struct schema_key *keys, const void *base, const char *indent, struct buf *out)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        const void *field = (const char *)base + key->offset;
        bool is_alias = key->type == SCHEMA_INT && key->store; /* shown under its general name */

        if (is_alias || (key->is_set && !key->is_set(field)))
            continue;
        if (key->type == SCHEMA_GROUP) {
            print_group(key, base, out);
        } else if (key->type == SCHEMA_LIST) {
            print_list(key, base, out);
        } else if (key->type == SCHEMA_INCLUDE) {
            print_keys(key->children, field, indent, out);
        } else {
            buf_fmt(out, "%s%s = ", indent, key->name);
            print_value(key, field, out);
            buf_str(out, ";\n");
        }
    }
}

void config_show_settings(const struct config *config, struct buf *out)
{
    for (const struct schema_key *key = schema_root(); key->name; key++)
        if (key->type == SCHEMA_GROUP)
            print_group(key, config, out);
}

void config_show(const struct config *config, struct buf *out)
{
    print_keys(schema_root(), config, "", out);
}
