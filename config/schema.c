#include "config/schema.h"
#include "config/config.h"
#include "core/array.h"
#include "core/duration.h"
#include "core/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_PER_EXPECT_MAX = 1024 };

#define SECOND_MS INT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)

/* web.listen */

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

/* Keys of expect and allow entries */

static int parse_name(void *field, const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length >= EXPECT_NAME_MAX || !text_is_utf8(text))
        return -EINVAL;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return -EINVAL;
    memcpy(field, text, length + 1);
    return 0;
}

static void print_name(const void *field, struct buf *out)
{
    schema_quote(out, field);
}

static int add_ranges(struct matcher *match, const struct port_range *ranges, size_t count)
{
    struct port_range *all =
        array_grow(match->ports, &match->port_capacity, match->port_count + count, sizeof *all);

    if (!all)
        return -ENOMEM;
    memcpy(all + match->port_count, ranges, count * sizeof *ranges);
    match->ports = all;
    match->port_count += count;
    return 0;
}

static int store_port(void *field, int64_t value)
{
    struct port_range range = {(uint16_t)value, (uint16_t)value};

    return add_ranges(field, &range, 1);
}

static int parse_ports(void *field, const char *text)
{
    struct port_range *ranges;
    size_t count;
    int r = port_ranges_parse(text, &ranges, &count);

    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++)
        if (ranges[i].first == 0)
            r = -ERANGE;
    if (r == 0)
        r = add_ranges(field, ranges, count);
    free(ranges);
    return r;
}

static void print_ports(const void *field, struct buf *out)
{
    const struct matcher *match = field;

    buf_char(out, '"');
    for (size_t i = 0; i < match->port_count; i++) {
        const struct port_range *range = &match->ports[i];

        buf_fmt(out, "%s%u", i > 0 ? "," : "", range->first);
        if (range->last != range->first)
            buf_fmt(out, "-%u", range->last);
    }
    buf_char(out, '"');
}

static int parse_protocol(void *field, const char *text)
{
    return protocol_parse(text, field);
}

static void print_protocol(const void *field, struct buf *out)
{
    schema_quote(out, protocol_name(*(const enum protocol *)field));
}

static int parse_scope(void *field, const char *text)
{
    for (int scope = WANT_ANY; scope <= WANT_LOOPBACK; scope++) {
        if (strcmp(text, want_scope_name((enum want_scope)scope)) == 0) {
            *(enum want_scope *)field = (enum want_scope)scope;
            return 0;
        }
    }
    return -EINVAL;
}

static void print_scope(const void *field, struct buf *out)
{
    schema_quote(out, want_scope_name(*(const enum want_scope *)field));
}

static int parse_severity(void *field, const char *text)
{
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        if (strcmp(text, severity_name((enum severity)severity)) == 0) {
            *(enum severity *)field = (enum severity)severity;
            return 0;
        }
    }
    return -EINVAL;
}

static void print_severity(const void *field, struct buf *out)
{
    schema_quote(out, severity_name(*(const enum severity *)field));
}

static int parse_address(void *field, const char *text)
{
    struct matcher *match = field;
    struct ip_addr address;
    int r = ip_addr_parse(text, &address);

    if (r < 0)
        return r;
    if (ip_addr_is_any(address))
        return -ERANGE;
    match->address = ip_addr_unmap(address);
    match->has_address = true;
    return 0;
}

static void print_address(const void *field, struct buf *out)
{
    const struct matcher *match = field;
    char text[IP_ADDR_TEXT_MAX];

    ip_addr_format(&match->address, text);
    schema_quote(out, text);
}

static bool address_is_set(const void *field)
{
    return ((const struct matcher *)field)->has_address;
}

/* Owner patterns. What is wanted of a pattern is checked as far as it can be,
 * since one that never matches would only be noticed by its alert. */

static int parse_pattern(char *field, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length >= size || !text_is_utf8(text))
        return -EINVAL;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return -EINVAL;
    memcpy(field, text, length + 1);
    return 0;
}

static int parse_process(void *field, const char *text)
{
    return *text == '/' ? -EINVAL : parse_pattern(field, PROCESS_TEXT_MAX, text);
}

static int parse_user(void *field, const char *text)
{
    return parse_pattern(field, USER_TEXT_MAX, text);
}

static int parse_unit(void *field, const char *text)
{
    return strpbrk(text, ".*") ? parse_pattern(field, UNIT_TEXT_MAX, text) : -EINVAL;
}

static void print_pattern(const void *field, struct buf *out)
{
    schema_quote(out, field);
}

static bool pattern_is_set(const void *field)
{
    return *(const char *)field;
}

static bool accept_queue_is_set(const void *field)
{
    return *(const double *)field > 0;
}

static void clear_families(void *field)
{
    bool *families = field;

    families[0] = families[1] = false;
}

static int parse_family(void *field, const char *text)
{
    bool *families = field;

    if (strcmp(text, "ipv4") == 0)
        families[0] = true;
    else if (strcmp(text, "ipv6") == 0)
        families[1] = true;
    else
        return -EINVAL;
    return 0;
}

static void print_families(const void *field, struct buf *out)
{
    const bool *families = field;

    buf_fmt(out, "[ %s%s%s ]", families[0] ? "\"ipv4\"" : "", families[0] && families[1] ? ", " : "",
            families[1] ? "\"ipv6\"" : "");
}

static bool families_are_set(const void *field)
{
    const bool *families = field;

    return families[0] || families[1];
}

static void check_matcher(const struct matcher *match, schema_report_fn *report, void *arg)
{
    for (size_t i = 0; match->protocol == PROTOCOL_RAW && i < match->port_count; i++) {
        if (match->ports[i].last > UINT8_MAX) {
            report(arg, "port",
                   "is out of range, expected an IP protocol number 1-255 with protocol \"raw\"");
            break;
        }
    }
    if (match->has_address && match->scope != WANT_ANY &&
        (match->scope == WANT_LOOPBACK) != ip_addr_is_loopback(match->address))
        report(arg, "scope", "contradicts address, expected a scope that the address belongs to, or none");
}

static void *append_expect(void *base)
{
    struct policy *policy = &((struct config *)base)->policy;
    struct expect *expects =
        array_grow(policy->expects, &policy->expect_capacity, policy->expect_count + 1, sizeof *expects);

    if (!expects)
        return NULL;
    policy->expects = expects;
    expects[policy->expect_count] = (struct expect){0};
    return &expects[policy->expect_count++];
}

static const void *expect_at(const void *base, size_t index)
{
    const struct policy *policy = &((const struct config *)base)->policy;

    return index < policy->expect_count ? &policy->expects[index] : NULL;
}

static bool ports_overlap(const struct matcher *a, const struct matcher *b)
{
    if (a->protocol != b->protocol)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        for (size_t k = 0; k < b->port_count; k++)
            if (a->ports[i].first <= b->ports[k].last && b->ports[k].first <= a->ports[i].last)
                return true;
    return false;
}

/* The same port in one entry twice would give one series twice. */
static bool ports_repeat(const struct matcher *match)
{
    for (size_t i = 0; i < match->port_count; i++)
        for (size_t k = i + 1; k < match->port_count; k++)
            if (match->ports[i].first <= match->ports[k].last &&
                match->ports[k].first <= match->ports[i].last)
                return true;
    return false;
}

static void check_against_earlier(const struct expect *earlier, const struct expect *e,
                                  schema_report_fn *report, void *arg)
{
    char what[EXPECT_NAME_MAX + 160];

    if (!ports_overlap(&earlier->match, &e->match))
        return;
    if (strcmp(earlier->name, e->name) == 0)
        (void)snprintf(what, sizeof what, "\"%s\" is used before for the same port, expected another name",
                       e->name);
    else if (earlier->match.has_address == e->match.has_address &&
             ip_addr_compare(&earlier->match.address, &e->match.address) == 0)
        (void)snprintf(what, sizeof what,
                       "the port is expected before as \"%s\", expected an address that tells the two apart",
                       earlier->name);
    else
        return;
    report(arg, "name", what);
}

static void check_expect(const void *base, const void *element, schema_report_fn *report, void *arg)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    const struct expect *e = element;

    check_matcher(&e->match, report, arg);
    if (port_ranges_total(e->match.ports, e->match.port_count) > PORTS_PER_EXPECT_MAX)
        report(arg, "ports", "name more than 1024 ports, expected fewer: every one of them must listen");
    if (ports_repeat(&e->match))
        report(arg, "ports", "name a port twice, expected each port once");
    if (e->accept_queue > 0 && e->match.protocol != PROTOCOL_TCP && e->match.protocol != PROTOCOL_SCTP)
        report(arg, "accept_queue", "contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none");
    if (e->match.has_address && e->families[e->match.address.version == 4 ? 1 : 0])
        report(arg, "families", "contradict address, expected the family of the address, or none");
    for (const struct expect *earlier = policy->expects; *e->name && earlier < e; earlier++)
        check_against_earlier(earlier, e, report, arg);
}

static void *append_allow(void *base)
{
    struct policy *policy = &((struct config *)base)->policy;
    struct allow *allows =
        array_grow(policy->allows, &policy->allow_capacity, policy->allow_count + 1, sizeof *allows);

    if (!allows)
        return NULL;
    policy->allows = allows;
    allows[policy->allow_count] = (struct allow){0};
    return &allows[policy->allow_count++];
}

static const void *allow_at(const void *base, size_t index)
{
    const struct policy *policy = &((const struct config *)base)->policy;

    return index < policy->allow_count ? &policy->allows[index] : NULL;
}

static void check_allow(const void *base, const void *element, schema_report_fn *report, void *arg)
{
    (void)base; /* allow entries may repeat each other */
    check_matcher(&((const struct allow *)element)->match, report, arg);
}

#define EXPECTED_PROTOCOL "\"tcp\", \"udp\", \"udplite\", \"sctp\" or \"raw\""

/* The keys that expect and allow entries share. */
#define MATCHER_KEYS(element)                                                                               \
    {                                                                                                       \
        .name = "port",                                                                                     \
        .type = SCHEMA_INT,                                                                                 \
        .offset = offsetof(struct element, match),                                                          \
        .min = 1,                                                                                           \
        .max = 65535,                                                                                       \
        .expected = "a port 1-65535",                                                                       \
        .store = store_port,                                                                                \
        .required = "ports",                                                                                \
    },                                                                                                      \
        {                                                                                                   \
            .name = "ports",                                                                                \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match),                                                      \
            .expected = "ports 1-65535 such as \"22\", \"8000-8100\" or \"80,443\"",                        \
            .parse = parse_ports,                                                                           \
            .print = print_ports,                                                                           \
        },                                                                                                  \
        {                                                                                                   \
            .name = "protocol",                                                                             \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match.protocol),                                             \
            .initial = "tcp",                                                                               \
            .expected = EXPECTED_PROTOCOL,                                                                  \
            .parse = parse_protocol,                                                                        \
            .print = print_protocol,                                                                        \
        },                                                                                                  \
        {                                                                                                   \
            .name = "scope",                                                                                \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match.scope),                                                \
            .initial = "any",                                                                               \
            .expected = "\"public\", \"loopback\" or \"any\"",                                              \
            .parse = parse_scope,                                                                           \
            .print = print_scope,                                                                           \
        },                                                                                                  \
        {                                                                                                   \
            .name = "address",                                                                              \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match),                                                      \
            .expected = "one address such as \"192.0.2.10\" or \"2001:db8::1\"; leave the key out for any", \
            .parse = parse_address,                                                                         \
            .print = print_address,                                                                         \
            .is_set = address_is_set,                                                                       \
        },                                                                                                  \
        {                                                                                                   \
            .name = "process",                                                                              \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match.owner.process),                                        \
            .expected = "the name of a process, not its path, such as \"mariadbd\" or \"python*\"",         \
            .parse = parse_process,                                                                         \
            .print = print_pattern,                                                                         \
            .is_set = pattern_is_set,                                                                       \
        },                                                                                                  \
        {                                                                                                   \
            .name = "user",                                                                                 \
            .type = SCHEMA_TEXT,                                                                            \
            .offset = offsetof(struct element, match.owner.user),                                           \
            .expected = "the name of a user such as \"mysql\" or \"www-*\"",                                \
            .parse = parse_user,                                                                            \
            .print = print_pattern,                                                                         \
            .is_set = pattern_is_set,                                                                       \
        },                                                                                                  \
    {                                                                                                       \
        .name = "unit", .type = SCHEMA_TEXT, .offset = offsetof(struct element, match.owner.unit),          \
        .expected = "a systemd unit with its suffix such as \"mariadb.service\" or \"php*\"",               \
        .parse = parse_unit, .print = print_pattern, .is_set = pattern_is_set,                              \
    }

static const struct schema_key poll_keys[] = {
    {.name = "listeners",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct config, poll_listeners_ms),
     .min = 20,
     .max = HOUR_MS,
     .initial = "1s",
     .expected = "a duration 20ms-1h such as \"1s\""},
    {.name = "connections",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct config, poll_connections_ms),
     .min = 100,
     .max = HOUR_MS,
     .initial = "10s",
     .expected = "a duration 100ms-1h such as \"10s\""},
    {0},
};

static const struct schema_key web_keys[] = {
    {.name = "listen",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct config, listen),
     .expected = "ADDRESS:PORT such as \"127.0.0.1:10066\" or \"[::]:10066\", each once",
     .clear = clear_listen,
     .parse = parse_listen,
     .print = print_listen},
    {0},
};

static const struct schema_key expect_keys[] = {
    {.name = "name",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, name),
     .required = "",
     .expected = "a name of 1-64 bytes of UTF-8 without control characters",
     .parse = parse_name,
     .print = print_name},
    MATCHER_KEYS(expect),
    {.name = "families",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct expect, families),
     .expected = "\"ipv4\" or \"ipv6\"",
     .clear = clear_families,
     .parse = parse_family,
     .print = print_families,
     .is_set = families_are_set},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct expect, for_ms),
     .max = 30 * DAY_MS,
     .initial = "0s",
     .expected = "a duration 0s-30d such as \"10s\""},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, severity),
     .initial = "critical",
     .expected = "\"warning\" or \"critical\"",
     .parse = parse_severity,
     .print = print_severity},
    {.name = "accept_queue",
     .type = SCHEMA_REAL,
     .offset = offsetof(struct expect, accept_queue),
     .min = 1,
     .max = 1000,
     .expected = "a ratio 0.001-1 such as 0.8",
     .is_set = accept_queue_is_set},
    {0},
};

static const struct schema_key allow_keys[] = {
    MATCHER_KEYS(allow),
    {0},
};

static const struct schema_key unexpected_keys[] = {
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct config, policy.unexpected.severity),
     .initial = "warning",
     .expected = "\"warning\" or \"critical\"",
     .parse = parse_severity,
     .print = print_severity},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct config, policy.unexpected.for_ms),
     .max = 30 * DAY_MS,
     .initial = "0s",
     .expected = "a duration 0s-30d such as \"10s\""},
    {.name = "ignore_loopback",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct config, policy.unexpected.ignore_loopback),
     .initial = "false",
     .expected = "true or false"},
    {0},
};

static const struct schema_key limits_keys[] = {
    {.name = "listeners",
     .type = SCHEMA_INT,
     .offset = offsetof(struct config, limit_listeners),
     .min = 1,
     .max = 65536,
     .initial = "4096",
     .expected = "a number 1-65536"},
    {.name = "series",
     .type = SCHEMA_INT,
     .offset = offsetof(struct config, limit_series),
     .min = 0,
     .max = 1000000,
     .initial = "20000",
     .expected = "a number 0-1000000"},
    {0},
};

static const struct schema_key root_keys[] = {
    {.name = "poll", .type = SCHEMA_GROUP, .children = poll_keys},
    {.name = "web", .type = SCHEMA_GROUP, .children = web_keys},
    {.name = "expect",
     .type = SCHEMA_LIST,
     .children = expect_keys,
     .append = append_expect,
     .at = expect_at,
     .check = check_expect},
    {.name = "allow",
     .type = SCHEMA_LIST,
     .children = allow_keys,
     .append = append_allow,
     .at = allow_at,
     .check = check_allow},
    {.name = "unexpected",
     .type = SCHEMA_GROUP,
     .children = unexpected_keys,
     .enabled_offset = offsetof(struct config, policy.unexpected.enabled)},
    {.name = "limits", .type = SCHEMA_GROUP, .children = limits_keys},
    {0},
};

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

const struct schema_key *schema_root(void)
{
    return root_keys;
}

void *schema_field(const struct schema_key *key, void *base)
{
    return (char *)base + key->offset;
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
    case SCHEMA_GROUP:
    case SCHEMA_LIST: break;
    }
    assert(r == 0); /* the table is ours */
    (void)r;
}

void schema_set_defaults(const struct schema_key *keys, void *base)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        if (key->type == SCHEMA_GROUP)
            schema_set_defaults(key->children, base);
        else if (key->initial)
            set_default(key, schema_field(key, base));
    }
}

const struct schema_key *schema_find(const struct schema_key *keys, const char *name)
{
    for (const struct schema_key *key = keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

void schema_names(const struct schema_key *keys, struct buf *out)
{
    for (const struct schema_key *key = keys; key->name; key++)
        buf_fmt(out, "%s%s", key == keys ? "" : ", ", key->name);
}
