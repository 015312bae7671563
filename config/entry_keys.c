#include "config/entry_keys.h"
#include "core/policy.h"
#include "core/ref.h"
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MIN = 1, PORT_MAX = UINT16_MAX };

enum { FLAPPING_MAX = 1000, DROPS_MAX = 1000000000 };

/* Of the labels of an entry, and of each in bytes. */
enum { LABELS_MAX = 16, LABEL_NAME_MAX = 64, LABEL_VALUE_MAX = 255 };

#define DAY_MS            (INT64_C(24) * 3600 * 1000)
#define FOR_MAX_MS        (30 * DAY_MS)
#define WINDOW_MIN_MS     1000
#define WINDOW_MAX_MS     (30 * DAY_MS)
#define EXPECTED_FOR      "a duration " SCHEMA_RANGE " such as \"10s\""
#define EXPECTED_SEVERITY "\"info\", \"warning\" or \"critical\""

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

static bool has_ports(const void *field)
{
    return ((const struct matcher *)field)->port_count > 0;
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

static void clear_protocols(void *field)
{
    *(unsigned *)field = 0;
}

static int parse_protocol(void *field, const char *text)
{
    unsigned *mask = field;
    enum protocol protocol;
    int r = protocol_parse(text, &protocol);

    if (r < 0)
        return r;
    if (*mask >> protocol & 1)
        return -EEXIST;
    *mask |= 1u << protocol;
    return 0;
}

/* One is written without brackets. */
static void print_protocols(const void *field, struct buf *out)
{
    const struct matcher match = {.protocols = *(const unsigned *)field};
    bool several = __builtin_popcount(match.protocols) > 1;
    const char *between = several ? "[ " : "";

    for (int p = -1; (p = matcher_next_protocol(&match, p)) < PROTOCOL_COUNT; between = ", ") {
        buf_str(out, between);
        schema_quote(out, protocol_name((enum protocol)p));
    }
    buf_str(out, several ? " ]" : "");
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

static void clear_addresses(void *field)
{
    struct matcher *match = field;

    free(match->addresses);
    match->addresses = NULL;
    match->address_count = 0;
}

static int parse_address(void *field, const char *text)
{
    struct matcher *match = field;
    struct ip_addr address, *all;
    size_t at = match->address_count;
    int r = ip_addr_parse(text, &address);

    if (r < 0)
        return r;
    if (ip_addr_is_any(address))
        return -ERANGE;
    address = ip_addr_unmap(address);
    if (matcher_asks_for(match, &address))
        return -EEXIST;
    if (match->address_count == MATCHER_ADDRESSES_MAX)
        return -E2BIG;
    all = reallocarray(match->addresses, match->address_count + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (; at > 0 && ip_addr_compare(&all[at - 1], &address) > 0; at--)
        all[at] = all[at - 1];
    all[at] = address;
    match->addresses = all;
    match->address_count++;
    return 0;
}

static void print_addresses(const void *field, struct buf *out)
{
    const struct matcher *match = field;
    bool several = match->address_count > 1;
    char text[IP_ADDR_TEXT_MAX];

    for (size_t i = 0; i < match->address_count; i++) {
        ip_addr_format(&match->addresses[i], text);
        buf_str(out, i > 0 ? ", " : several ? "[ " : "");
        schema_quote(out, text);
    }
    buf_str(out, several ? " ]" : "");
}

static bool addresses_are_set(const void *field)
{
    return ((const struct matcher *)field)->address_count > 0;
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

static void store_accept_queue(void *field, double value)
{
    struct expect *e = field;

    e->accept_queue = value;
    e->accept_queue_given = true;
}

static void print_accept_queue(const void *field, struct buf *out)
{
    const struct expect *e = field;

    schema_print_real(e->accept_queue_given ? e->accept_queue : ACCEPT_QUEUE_DEFAULT, out);
}

static bool is_true(const void *field)
{
    return *(const bool *)field;
}

static bool accept_queue_is_set(const void *field)
{
    const struct expect *e = field;

    return e->accept_queue_given || matcher_has_protocol(&e->match, PROTOCOL_TCP);
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

/* Labels: names as Prometheus wants them, but those that alerts have anyway. */

static bool is_label_name(const char *name)
{
    static const char *const taken[] = {"address",   "alertname", "family", "instance",
                                        "interface", "job",       "name",   "netns",
                                        "port",      "protocol",  "rule",   "severity"};

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return false;
    for (const char *p = name; *p; p++)
        if (!isascii(*p) || (!isalnum(*p) && *p != '_'))
            return false;
    return strlen(name) <= LABEL_NAME_MAX && strncmp(name, "__", 2) != 0 && !isdigit(*name);
}

/* In the order of their names. */
static int insert_label(struct expect *e, const struct entry_label *label)
{
    struct entry_label *all = reallocarray(e->labels, e->label_count + 1, sizeof *all);
    size_t at = e->label_count;

    if (!all)
        return -ENOMEM;
    for (; at > 0 && strcmp(all[at - 1].name, label->name) > 0; at--)
        all[at] = all[at - 1];
    all[at] = *label;
    e->labels = all;
    e->label_count++;
    return 0;
}

static int put_label(void *field, const char *name, const char *text)
{
    char bounded[LABEL_VALUE_MAX + 1];
    struct entry_label label;
    struct expect *e = field;
    int r = parse_text(bounded, sizeof bounded, text);

    if (!is_label_name(name))
        return -ENOENT;
    if (r < 0)
        return r;
    if (e->label_count == LABELS_MAX)
        return -E2BIG;
    label = (struct entry_label){strdup(name), strdup(text)};
    r = label.name && label.value ? insert_label(e, &label) : -ENOMEM;
    if (r < 0) {
        free(ref_unseal(label.name));
        free(ref_unseal(label.value));
    }
    return r;
}

static void print_labels(const void *field, struct buf *out)
{
    const struct expect *e = field;

    buf_str(out, "{ ");
    for (size_t i = 0; i < e->label_count; i++) {
        buf_fmt(out, "%s = ", e->labels[i].name);
        schema_quote(out, e->labels[i].value);
        buf_str(out, "; ");
    }
    buf_char(out, '}');
}

static bool labels_are_set(const void *field)
{
    return ((const struct expect *)field)->label_count > 0;
}

/* Of the same struct matcher in entries of all kinds. */
static const struct schema_key matcher_keys[] = {
    {.name = "port",
     .type = SCHEMA_INT,
     .min = PORT_MIN,
     .max = PORT_MAX,
     .expected = "a port " SCHEMA_RANGE,
     .store = store_port,
     .print = print_port,
     .is_set = is_one_port,
     .required = "ports",
     .unless = "kernel_chosen"},
    {.name = "ports",
     .type = SCHEMA_TEXT,
     .min = PORT_MIN,
     .max = PORT_MAX,
     .expected = "ports " SCHEMA_RANGE " such as \"22\", \"8000-8100\" or \"80,443\"",
     .parse = parse_ports,
     .print = print_ports,
     .is_set = has_ports},
    {.name = "protocol",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct matcher, protocols),
     .initial = "tcp",
     .expected = "\"tcp\", \"udp\", \"udplite\", \"sctp\" or \"raw\", or a list such as [ \"tcp\", \"udp\" ]",
     .one_will_do = true,
     .clear = clear_protocols,
     .parse = parse_protocol,
     .print = print_protocols},
    {.name = "scope",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct matcher, scope),
     .initial = "any",
     .expected = "\"public\", \"loopback\" or \"any\"",
     .parse = parse_scope,
     .print = print_scope},
    {.name = "address",
     .type = SCHEMA_TEXTS,
     .expected = "an address such as \"192.0.2.10\" or \"2001:db8::1\", or a list of up to 64, each once; "
                 "leave the key out for any",
     .one_will_do = true,
     .clear = clear_addresses,
     .parse = parse_address,
     .print = print_addresses,
     .is_set = addresses_are_set},
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

#define EXPECTED_WINDOW "a duration " SCHEMA_RANGE " such as \"10m\""

static const struct schema_key flapping_keys[] = {
    {.name = "max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_rate, max),
     .max = FLAPPING_MAX,
     .initial = "3",
     .expected = "a number of interruptions " SCHEMA_RANGE "; 0 for any"},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct allowed_rate, window_ms),
     .min = WINDOW_MIN_MS,
     .max = WINDOW_MAX_MS,
     .initial = "10m",
     .expected = EXPECTED_WINDOW},
    {0},
};

static const struct schema_key drops_keys[] = {
    {.name = "max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_rate, max),
     .max = DROPS_MAX,
     .required = "",
     .expected = "a number of drops " SCHEMA_RANGE},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct allowed_rate, window_ms),
     .min = WINDOW_MIN_MS,
     .max = WINDOW_MAX_MS,
     .initial = "1m",
     .expected = EXPECTED_WINDOW},
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
     .max = 1000,
     .initial = "0.8", /* which ACCEPT_QUEUE_DEFAULT is */
     .expected = "a ratio " SCHEMA_RANGE " such as 0.8; 0 for any",
     .store_real = store_accept_queue,
     .print = print_accept_queue,
     .is_set = accept_queue_is_set},
    {.name = "flapping",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct expect, flapping),
     .children = flapping_keys},
    {.name = "drops",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct expect, drops),
     .children = drops_keys,
     .enabled_offset = offsetof(struct expect, drops_limited)},
    {.name = "labels",
     .type = SCHEMA_PAIRS,
     .expected = "up to 16 labels such as { team = \"db\"; }, named as Prometheus names labels but none "
                 "that alerts have anyway, their texts of up to 255 bytes in one line",
     .put = put_label,
     .print = print_labels,
     .is_set = labels_are_set},
    {0},
};

const struct schema_key entry_keys_allow[] = {
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct allow, match),
     .children = matcher_keys},
    {.name = "kernel_chosen",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct allow, kernel_chosen),
     .initial = "false",
     .expected = "true or false",
     .is_set = is_true},
    {0},
};

const struct schema_key entry_keys_deny[] = {
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct deny, match),
     .children = matcher_keys},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct deny, severity),
     .initial = "critical",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
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
    {.name = "ignore_kernel_chosen",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct unexpected, ignore_kernel_chosen),
     .initial = "false",
     .expected = "true or false"},
    {0},
};
