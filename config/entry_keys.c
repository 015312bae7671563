#include "config/entry_keys.h"
#include "core/policy.h"
#include "core/ref.h"
#include "core/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MIN = 1, PORT_MAX = UINT16_MAX };

#define FOR_MAX_MS        (INT64_C(30) * 24 * 3600 * 1000)
#define EXPECTED_FOR      "a duration " SCHEMA_RANGE " such as \"10s\""
#define EXPECTED_SEVERITY "\"warning\" or \"critical\""

/* A text that stands in one line of every output. */
static int parse_text(char *field, size_t size, const char *text)
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

static void print_text(const void *field, struct buf *out)
{
    schema_quote(out, field);
}

/* Likewise, in memory of its own: most entries have none of these. */
static int parse_own_text(void *field, size_t size, const char *text)
{
    char bounded[UNIT_TEXT_MAX];
    const char **own = field;
    int r = parse_text(bounded, size, text);

    if (r < 0)
        return r;
    free(ref_unseal(*own));
    *own = strdup(bounded);
    return *own ? 0 : -ENOMEM;
}

static void print_own_text(const void *field, struct buf *out)
{
    schema_quote(out, *(const char *const *)field);
}

static bool own_text_is_set(const void *field)
{
    return *(const char *const *)field;
}

static int parse_name(void *field, const char *text)
{
    return parse_text(field, EXPECT_NAME_MAX, text);
}

/* An entry has two keys for ports at most: no room is made for more to come. */
static int add_ranges(struct matcher *match, const struct port_range *ranges, size_t count)
{
    struct port_range *all = reallocarray(match->ports, match->port_count + count, sizeof *all);

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
        if (ranges[i].first < PORT_MIN)
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

/* Whether "port" says as much as "ports". */
static bool is_one_port(const void *field)
{
    const struct matcher *match = field;

    return match->port_count == 1 && match->ports[0].first == match->ports[0].last;
}

static void print_port(const void *field, struct buf *out)
{
    buf_fmt(out, "%u", ((const struct matcher *)field)->ports[0].first);
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

static int parse_process(void *field, const char *text)
{
    return *text == '/' ? -EINVAL : parse_own_text(field, PROCESS_TEXT_MAX, text);
}

static int parse_exe(void *field, const char *text)
{
    return strchr("/*?[", *text) ? parse_own_text(field, UNIT_TEXT_MAX, text) : -EINVAL;
}

static int parse_user(void *field, const char *text)
{
    return parse_own_text(field, USER_TEXT_MAX, text);
}

static int parse_unit(void *field, const char *text)
{
    return strpbrk(text, ".*") ? parse_own_text(field, UNIT_TEXT_MAX, text) : -EINVAL;
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

/* Of the same struct matcher in entries of both kinds. */
static const struct schema_key matcher_keys[] = {
    {.name = "port",
     .type = SCHEMA_INT,
     .min = PORT_MIN,
     .max = PORT_MAX,
     .expected = "a port " SCHEMA_RANGE,
     .store = store_port,
     .print = print_port,
     .is_set = is_one_port,
     .required = "ports"},
    {.name = "ports",
     .type = SCHEMA_TEXT,
     .min = PORT_MIN,
     .max = PORT_MAX,
     .expected = "ports " SCHEMA_RANGE " such as \"22\", \"8000-8100\" or \"80,443\"",
     .parse = parse_ports,
     .print = print_ports},
    {.name = "protocol",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, protocol),
     .initial = "tcp",
     .expected = "\"tcp\", \"udp\", \"udplite\", \"sctp\" or \"raw\"",
     .parse = parse_protocol,
     .print = print_protocol},
    {.name = "scope",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, scope),
     .initial = "any",
     .expected = "\"public\", \"loopback\" or \"any\"",
     .parse = parse_scope,
     .print = print_scope},
    {.name = "address",
     .type = SCHEMA_TEXT,
     .expected = "one address such as \"192.0.2.10\" or \"2001:db8::1\"; leave the key out for any",
     .parse = parse_address,
     .print = print_address,
     .is_set = address_is_set},
    {.name = "unit",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, owner.unit),
     .expected = "a systemd unit with its suffix such as \"mariadb.service\" or \"php*\"",
     .parse = parse_unit,
     .print = print_own_text,
     .is_set = own_text_is_set},
    {.name = "user",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, owner.user),
     .expected = "the name of a user such as \"mysql\" or \"www-*\"",
     .parse = parse_user,
     .print = print_own_text,
     .is_set = own_text_is_set},
    {.name = "exe",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, owner.exe),
     .expected = "the path of a program's file such as \"/usr/sbin/mariadbd\" or \"/opt/*/bin/web\"",
     .parse = parse_exe,
     .print = print_own_text,
     .is_set = own_text_is_set},
    {.name = "process",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, owner.process),
     .expected = "the name of a process such as \"mariadbd\" or \"python*\", not its path: that is exe",
     .parse = parse_process,
     .print = print_own_text,
     .is_set = own_text_is_set},
    {0},
};

const struct schema_key entry_keys_expect[] = {
    {.name = "name",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, name),
     .min = 1,
     .max = EXPECT_NAME_MAX - 1,
     .required = "",
     .expected = "a name of " SCHEMA_RANGE " bytes of UTF-8 without control characters",
     .parse = parse_name,
     .print = print_text},
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct expect, match),
     .children = matcher_keys},
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
     .max = FOR_MAX_MS,
     .initial = "0s",
     .expected = EXPECTED_FOR},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, severity),
     .initial = "critical",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {.name = "accept_queue",
     .type = SCHEMA_REAL,
     .offset = offsetof(struct expect, accept_queue),
     .min = 1,
     .max = 1000,
     .expected = "a ratio " SCHEMA_RANGE " such as 0.8",
     .is_set = accept_queue_is_set},
    {0},
};

const struct schema_key entry_keys_allow[] = {
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct allow, match),
     .children = matcher_keys},
    {0},
};

const struct schema_key entry_keys_unexpected[] = {
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct unexpected, severity),
     .initial = "warning",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct unexpected, for_ms),
     .max = FOR_MAX_MS,
     .initial = "0s",
     .expected = EXPECTED_FOR},
    {.name = "ignore_loopback",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct unexpected, ignore_loopback),
     .initial = "false",
     .expected = "true or false"},
    {0},
};
