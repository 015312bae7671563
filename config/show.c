#include "config/config.h"
#include "config/read_file.h"
#include "config/schema.h"
#include "core/duration.h"

#include <stdlib.h>
#include <string.h>

static void print_value(const struct schema_key *key, const void *field, struct buf *out)
{
    char text[DURATION_TEXT_MAX];

    if (key->print) {
        key->print(field, out);
        return;
    }
    switch (key->type) {
    case SCHEMA_BOOL: buf_str(out, *(const bool *)field ? "true" : "false"); break;
    case SCHEMA_INT: buf_fmt(out, "%lld", (long long)*(const int64_t *)field); break;
    case SCHEMA_REAL: schema_print_real(*(const double *)field, out); break;
    case SCHEMA_DURATION:
        duration_format(*(const int64_t *)field, text);
        buf_fmt(out, "\"%s\"", text);
        break;
    case SCHEMA_TEXT:
    case SCHEMA_TEXTS:
    case SCHEMA_INTS:
    case SCHEMA_PAIRS:
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_INCLUDE: break;
    }
}

/* Whether a group that need not be there is not. */
static bool is_absent(const struct schema_key *key, const void *base)
{
    return key->enabled_offset != 0 && !*(const bool *)((const char *)base + key->enabled_offset);
}

/* As people read it: all that is in force, a line each. */

static void print_keys(const struct schema_key *keys, const void *base, const char *indent, struct buf *out);

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

/* A group stands at the top or in an element of a list. */
static void print_group(const struct schema_key *key, const void *base, const char *indent, struct buf *out)
{
    if (is_absent(key, base))
        return;
    buf_fmt(out, "%s%s: {\n", indent, key->name);
    print_keys(key->children, (const char *)base + key->offset, *indent ? "      " : "  ", out);
    buf_fmt(out, "%s};\n", indent);
}

static void print_keys(const struct schema_key *keys, const void *base, const char *indent, struct buf *out)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        const void *field = (const char *)base + key->offset;
        bool is_alias = key->type == SCHEMA_INT && key->store; /* shown under its general name */

        if (is_alias || (key->is_set && !key->is_set(field)))
            continue;
        if (key->type == SCHEMA_GROUP) {
            print_group(key, base, indent, out);
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

/* Briefly: without defaults, and, unless spaced for people, with no more bytes than
 * the shortest file that says the same. */

struct brief {
    struct buf *out;
    bool spaced;
    struct buf value; /* of the key at hand */
    const char *told; /* a key whose alias was printed; NULL for none */
    bool begun;       /* in the group at hand */
};

static void brief_keys(const struct schema_key *keys, const void *base, struct brief *b);

static void brief_group(const struct schema_key *keys, const void *base, struct brief *b)
{
    b->begun = false;
    b->told = NULL;
    buf_str(b->out, b->spaced ? "{ " : "{");
    brief_keys(keys, base, b);
    buf_str(b->out, !b->spaced ? "}" : b->begun ? "; }" : "}");
}

/* What stands between a key and the one before it in its group. */
static const char *brief_gap(const struct brief *b)
{
    return !b->begun ? "" : b->spaced ? "; " : ";";
}

/* A group without anything is left out, unless that it is there says something. */
static void brief_named_group(const struct schema_key *key, const void *base, struct brief *b)
{
    size_t before = b->out->len;
    bool begun = b->begun;

    if (is_absent(key, base))
        return;
    buf_fmt(b->out, "%s%s:%s", brief_gap(b), key->name, b->spaced ? " " : "");
    brief_group(key->children, (const char *)base + key->offset, b);
    if (!b->begun && key->enabled_offset == 0) {
        buf_truncate(b->out, before);
        b->begun = begun;
    } else {
        b->begun = b->spaced; /* nothing need stand between its end and another key */
    }
}

static void brief_list(const struct schema_key *key, const void *base, struct brief *b)
{
    const void *element;

    if (!schema_at(key, base, 0))
        return;
    buf_fmt(b->out, "%s=(", key->name);
    for (size_t i = 0; (element = schema_at(key, base, i)); i++) {
        if (i > 0)
            buf_char(b->out, ',');
        brief_group(key->children, element, b);
    }
    buf_char(b->out, ')');
}

static bool is_default(const struct schema_key *key, const char *value)
{
    size_t length = key->initial ? strlen(key->initial) : 0;

    value += *value == '"';
    return key->initial && strncmp(value, key->initial, length) == 0 &&
           (value[length] == '\0' || strcmp(value + length, "\"") == 0);
}

/* Appends a value without the blanks between its parts. */
static void brief_value(const char *value, struct buf *out)
{
    bool quoted = false;

    for (const char *p = value; *p; p++) {
        if (*p == '\\' && quoted)
            buf_char(out, *p++);
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == ' ' && !quoted)
            continue;
        buf_char(out, *p);
    }
}

static void brief_key(const struct schema_key *key, const void *field, struct brief *b)
{
    bool is_told = b->told && strcmp(key->name, b->told) == 0;

    if (is_told || (key->is_set && !key->is_set(field)))
        return;
    buf_truncate(&b->value, 0);
    print_value(key, field, &b->value);
    if (is_default(key, buf_text(&b->value)))
        return;
    if (key->store)
        b->told = key->required; /* the general name of an alias */
    buf_fmt(b->out, "%s%s%s", brief_gap(b), key->name, b->spaced ? " = " : "=");
    if (b->spaced)
        buf_str(b->out, buf_text(&b->value));
    else
        brief_value(buf_text(&b->value), b->out);
    b->begun = true;
}

static void brief_keys(const struct schema_key *keys, const void *base, struct brief *b)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        const void *field = (const char *)base + key->offset;

        if (key->type == SCHEMA_INCLUDE) {
            brief_keys(key->children, field, b);
        } else if (key->type == SCHEMA_LIST) {
            brief_list(key, base, b);
        } else if (key->type != SCHEMA_GROUP) {
            brief_key(key, field, b);
        } else {
            brief_named_group(key, base, b);
        }
    }
}

static void show_briefly(const struct config *config, struct buf *out)
{
    static const char note[] = "\n# Defaults are left out: with them it would be too large for one file.\n";
    struct brief b = {.out = out};
    size_t before = out->len;

    buf_init(&b.value);
    brief_keys(schema_root(), config, &b);
    if (b.value.failed)
        out->failed = true;
    buf_done(&b.value);
    if (out->len - before + strlen(note) <= FILE_BYTES_MAX)
        buf_str(out, note);
}

size_t config_show_entries(const struct config *config, const char *list, struct buf *out)
{
    void *base = NULL; /* lists stand at the top */
    const struct schema_key *key = schema_find(schema_root(), list, &base);
    struct brief b = {.out = out, .spaced = true};
    const void *element;
    size_t count = 0;

    buf_init(&b.value);
    for (; (element = schema_at(key, config, count)); count++) {
        buf_str(out, count > 0 ? ",\n  " : "\n  ");
        brief_group(key->children, element, &b);
    }
    if (b.value.failed)
        out->failed = true;
    buf_done(&b.value);
    return count;
}

void config_show_settings(const struct config *config, struct buf *out)
{
    for (const struct schema_key *key = schema_root(); key->name; key++)
        if (key->type == SCHEMA_GROUP)
            print_group(key, config, "", out);
}

void config_show(const struct config *config, struct buf *out)
{
    size_t before = out->len;

    print_keys(schema_root(), config, "", out);
    if (out->failed || out->len - before <= FILE_BYTES_MAX)
        return;
    buf_truncate(out, before);
    show_briefly(config, out);
}
