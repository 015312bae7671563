#include "config/schema.h"
#include "config/config.h"
#include "config/connection_keys.h"
#include "config/entry_checks.h"
#include "config/entry_keys.h"
#include "core/array.h"
#include "core/duration.h"
#include "core/ref.h"
#include "core/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INCLUDE_DIR_MAX = 1024 };

#define HOUR_MS (3600 * INT64_C(1000))

static void clear_listen(void *field)
{
    struct ip_ports *list = field;

    free(list->items);
    *list = (struct ip_ports){0};
}

static int parse_listen(void *field, const char *text)
{
    struct ip_ports *list = field;
    struct ip_port address;
    int r = ip_port_parse(text, &address);

    if (r < 0)
        return r;
    if (address.port == 0)
        return -EINVAL;
    if (list->count == CONFIG_LISTEN_MAX)
        return -E2BIG;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].port == address.port &&
            ip_addr_compare(&list->items[i].address, &address.address) == 0)
            return -EEXIST;
    return ip_ports_add(list, &address);
}

static void print_listen(const void *field, struct buf *out)
{
    const struct ip_ports *list = field;
    char text[ENDPOINT_TEXT_MAX];

    buf_str(out, "[ ");
    for (size_t i = 0; i < list->count; i++) {
        ip_port_format(&list->items[i], text);
        buf_fmt(out, "%s\"%s\"", i > 0 ? ", " : "", text);
    }
    buf_str(out, list->count > 0 ? " ]" : "]");
}

static int parse_include_dir(void *field, const char *text)
{
    const char **directory = field;

    if (!*text || strlen(text) >= INCLUDE_DIR_MAX || !text_is_utf8(text))
        return -EINVAL;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return -EINVAL; /* messages are one line */
    free(ref_unseal(*directory));
    *directory = strdup(text);
    return *directory ? 0 : -ENOMEM;
}

static void print_include_dir(const void *field, struct buf *out)
{
    schema_quote(out, *(const char *const *)field);
}

/* What is shown has the entries of its files already (config/show.c). */
static bool is_never_shown(const void *field)
{
    (void)field;
    return false;
}

static const struct schema_key poll_keys[] = {
    {.name = "listeners",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct config, poll_listeners_ms),
     .min = 20,
     .max = HOUR_MS,
     .initial = "1s",
     .expected = "a duration " SCHEMA_RANGE " such as \"1s\""},
    {.name = "connections",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct config, poll_connections_ms),
     .min = 100,
     .max = HOUR_MS,
     .initial = "10s",
     .expected = "a duration " SCHEMA_RANGE " such as \"10s\""},
    {0},
};

static const struct schema_key web_keys[] = {
    {.name = "listen",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct config, listen),
     .expected = "ADDRESS:PORT such as \"127.0.0.1:10066\" or \"[::]:10066\", each once",
     .initial = "[ \"127.0.0.1:10066\", \"[::1]:10066\" ]", /* which config_new() makes */
     .clear = clear_listen,
     .parse = parse_listen,
     .print = print_listen},
    {0},
};

#define LIMIT(key, field, least, most, usual)                                                               \
    {                                                                                                       \
        .name = (key), .type = SCHEMA_INT, .offset = offsetof(struct config, limits.field), .min = (least), \
        .max = (most), .initial = (usual), .expected = "a number " SCHEMA_RANGE                             \
    }

static const struct schema_key limits_keys[] = {
    LIMIT("listeners", listeners, 1, 65536, "4096"),
    LIMIT("listeners_per_port", port_listeners, 1, 65536, "256"),
    LIMIT("members", members, 1, 4096, "64"),
    LIMIT("holders", holders, 1, 1024, "16"),
    LIMIT("history", history, 0, 65536, "4096"),
    LIMIT("alerts", alerts, 1, 65536, "1000"),
    LIMIT("page_rows", page_rows, 1, 65536, "500"),
    LIMIT("log_lines", log_lines, 1, 100000, "60"),
    LIMIT("series", series, 0, 1000000, "20000"),
    {0},
};

static const struct schema_key root_keys[] = {
    {.name = "poll", .type = SCHEMA_GROUP, .children = poll_keys},
    {.name = "connections", .type = SCHEMA_GROUP, .children = connection_keys},
    {.name = "web", .type = SCHEMA_GROUP, .children = web_keys},
    {.name = "expect",
     .type = SCHEMA_LIST,
     .offset = offsetof(struct config, policy.expects),
     .children = entry_keys_expect,
     .list = {.size = sizeof(struct expect),
              .count = offsetof(struct config, policy.expect_count),
              .capacity = offsetof(struct config, policy.expect_capacity)},
     .check = entry_checks_expects,
     .in_drop_ins = true},
    {.name = "allow",
     .type = SCHEMA_LIST,
     .offset = offsetof(struct config, policy.allows),
     .children = entry_keys_allow,
     .list = {.size = sizeof(struct allow),
              .count = offsetof(struct config, policy.allow_count),
              .capacity = offsetof(struct config, policy.allow_capacity)},
     .check = entry_checks_allows,
     .in_drop_ins = true},
    {.name = "deny",
     .type = SCHEMA_LIST,
     .offset = offsetof(struct config, policy.denies),
     .children = entry_keys_deny,
     .list = {.size = sizeof(struct deny),
              .count = offsetof(struct config, policy.deny_count),
              .capacity = offsetof(struct config, policy.deny_capacity)},
     .check = entry_checks_denies,
     .in_drop_ins = true},
    {.name = "unexpected",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct config, policy.unexpected),
     .children = entry_keys_unexpected,
     .enabled_offset = offsetof(struct config, policy.unexpected.enabled)},
    {.name = "ephemeral",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct config, policy.ephemeral),
     .children = entry_keys_ephemeral,
     .enabled_offset = offsetof(struct config, policy.ephemeral.enabled)},
    {.name = "include_dir",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct config, include_dir),
     .expected = "a directory such as \"conf.d\", relative to that of the file",
     .parse = parse_include_dir,
     .print = print_include_dir,
     .is_set = is_never_shown},
    {.name = "limits", .type = SCHEMA_GROUP, .children = limits_keys},
    {0},
};

const struct schema_key *schema_root(void)
{
    return root_keys;
}

static void *at_offset(void *base, size_t offset)
{
    return (char *)base + offset;
}

void *schema_field(const struct schema_key *key, void *base)
{
    return at_offset(base, key->offset);
}

void *schema_append(const struct schema_key *list, void *base)
{
    size_t *count = at_offset(base, list->list.count), *capacity = at_offset(base, list->list.capacity);
    void *items;

    memcpy(&items, schema_field(list, base), sizeof items); /* which is of another pointer type */
    items = array_grow(items, capacity, *count + 1, list->list.size);
    if (!items)
        return NULL;
    memcpy(schema_field(list, base), &items, sizeof items);
    return memset((char *)items + (*count)++ * list->list.size, 0, list->list.size);
}

const void *schema_at(const struct schema_key *list, const void *base, size_t index)
{
    size_t count;
    const char *items;

    memcpy(&count, (const char *)base + list->list.count, sizeof count);
    memcpy(&items, (const char *)base + list->offset, sizeof items);
    return index < count ? items + index * list->list.size : NULL;
}

static void set_default(const struct schema_key *key, void *field)
{
    int r = 0;

    switch (key->type) {
    case SCHEMA_BOOL: *(bool *)field = strcmp(key->initial, "true") == 0; break;
    case SCHEMA_INT: *(int64_t *)field = strtoll(key->initial, NULL, 10); break;
    case SCHEMA_DURATION: r = duration_parse(key->initial, field); break;
    case SCHEMA_TEXT: r = key->parse(field, key->initial); break;
    case SCHEMA_REAL: *(double *)field = strtod(key->initial, NULL); break;
    case SCHEMA_TEXTS:
        if (key->one_will_do)
            r = key->parse(field, key->initial);
        break;
    case SCHEMA_INTS:
    case SCHEMA_PAIRS:
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_INCLUDE: break;
    }
    assert(r == 0); /* the table is ours */
    (void)r;
}

void schema_set_defaults(const struct schema_key *keys, void *base)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        if (key->type == SCHEMA_GROUP || key->type == SCHEMA_INCLUDE)
            schema_set_defaults(key->children, schema_field(key, base));
        else if (key->initial)
            set_default(key, schema_field(key, base));
    }
}

const struct schema_key *schema_find(const struct schema_key *keys, const char *name, void **base)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        if (key->type == SCHEMA_INCLUDE) {
            void *inner = schema_field(key, *base);
            const struct schema_key *found = schema_find(key->children, name, &inner);

            if (!found)
                continue;
            *base = inner;
            return found;
        }
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

static void format_bound(const struct schema_key *key, int64_t bound, char ret_text[static DURATION_TEXT_MAX])
{
    if (key->type == SCHEMA_DURATION)
        duration_format(bound, ret_text);
    else if (key->type == SCHEMA_REAL)
        (void)snprintf(ret_text, DURATION_TEXT_MAX, "%g", (double)bound / 1000);
    else
        (void)snprintf(ret_text, DURATION_TEXT_MAX, "%lld", (long long)bound);
}

void schema_expected(const struct schema_key *key, char ret_text[static SCHEMA_EXPECTED_MAX])
{
    const char *text = key->type == SCHEMA_GROUP  ? "a group {...}"
                       : key->type == SCHEMA_LIST ? "a list of groups ( {...}, ... )"
                                                  : key->expected;
    const char *range = strstr(text, SCHEMA_RANGE);
    char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
    int length;

    if (range) {
        format_bound(key, key->min, min);
        format_bound(key, key->max, max);
        length = snprintf(ret_text, SCHEMA_EXPECTED_MAX, "%.*s%s-%s%s", (int)(range - text), text, min, max,
                          range + strlen(SCHEMA_RANGE));
    } else {
        length = snprintf(ret_text, SCHEMA_EXPECTED_MAX, "%s", text);
    }
    assert(length >= 0 && length < SCHEMA_EXPECTED_MAX); /* the table is ours */
    (void)length;
}

void schema_print_real(double value, struct buf *out)
{
    char text[32];
    int digits = 1;

    do
        (void)snprintf(text, sizeof text, "%.*f", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    buf_str(out, text);
}

void schema_quote(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_char(out, '\\');
        buf_char(out, *p);
    }
    buf_char(out, '"');
}

static void print_names(const struct schema_key *keys, bool in_drop_ins, struct buf *out)
{
    const char *separator = "";

    for (const struct schema_key *key = keys; key->name; key++) {
        if (in_drop_ins && !key->in_drop_ins)
            continue;
        buf_str(out, separator);
        separator = ", ";
        if (key->type == SCHEMA_INCLUDE)
            print_names(key->children, in_drop_ins, out);
        else
            buf_str(out, key->name);
    }
}

void schema_names(const struct schema_key *keys, struct buf *out)
{
    print_names(keys, false, out);
}

void schema_drop_in_names(struct buf *out)
{
    print_names(schema_root(), true, out);
}
