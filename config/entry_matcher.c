#include "config/entry_matcher.h"
#include "core/policy.h"
#include "core/ref.h"
#include "core/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MIN = 1, PORT_MAX = UINT16_MAX };

int entry_text_parse(char *field, size_t size, const char *text)
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

void entry_text_print(const void *field, struct buf *out)
{
    schema_quote(out, field);
}

/* Likewise, in memory of its own: most entries have none of these. */
static int parse_own_text(void *field, size_t size, const char *text)
{
    char bounded[UNIT_TEXT_MAX];
    const char **own = field;
    int r = entry_text_parse(bounded, size, text);

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

/* An entry has three keys for ports at most: no room is made for more to come. */
int entry_ports_add(struct matcher *match, const struct port_range *ranges, size_t count)
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

    return entry_ports_add(field, &range, 1);
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
        r = entry_ports_add(field, ranges, count);
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
    const struct matcher *match = field;

    return match->port_count > 0 && !match->path;
}

/* Whether "port" says as much as "ports". */
static bool is_one_port(const void *field)
{
    const struct matcher *match = field;

    return has_ports(match) && match->port_count == 1 && match->ports[0].first == match->ports[0].last;
}

static void print_port(const void *field, struct buf *out)
{
    buf_fmt(out, "%u", ((const struct matcher *)field)->ports[0].first);
}

static void clear_protocols(void *field)
{
    *(unsigned *)field = 0;
}

int entry_protocol_parse(void *field, const char *text)
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

void entry_protocols_print(const void *field, struct buf *out)
{
    const struct matcher match = {.protocols = *(const unsigned *)field};
    bool several = protocols_count(match.protocols) > 1;
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

void entry_addresses_print(const void *field, struct buf *out)
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

const struct schema_key entry_keys_matcher[] = {
    {.name = "port",
     .type = SCHEMA_INT,
     .min = PORT_MIN,
     .max = PORT_MAX,
     .expected = "a port " SCHEMA_RANGE,
     .store = store_port,
     .print = print_port,
     .is_set = is_one_port,
     .required = "ports",
     .unless = {"kernel_chosen", "path", "protocol=packet"}},
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
     .expected =
         "\"tcp\", \"udp\", \"udplite\", \"sctp\" or \"raw\", or a list such as [ \"tcp\", \"udp\" ]; "
         "or \"unix\" with path",
     .one_will_do = true,
     .clear = clear_protocols,
     .parse = entry_protocol_parse,
     .print = entry_protocols_print},
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
     .print = entry_addresses_print,
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
