#include "core/net.h"
#include "core/array.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(IP_ADDR_TEXT_MAX >= INET6_ADDRSTRLEN, "an address must fit");
_Static_assert(INTERFACE_NAME_MAX == IF_NAMESIZE, "an interface name must fit");

static const char *const protocol_names[PROTOCOL_COUNT] = {
    [PROTOCOL_TCP] = "tcp",       [PROTOCOL_UDP] = "udp", [PROTOCOL_UDPLITE] = "udplite",
    [PROTOCOL_SCTP] = "sctp",     [PROTOCOL_RAW] = "raw", [PROTOCOL_UNIX] = "unix",
    [PROTOCOL_PACKET] = "packet",
};

const char *protocol_name(enum protocol protocol)
{
    return protocol_names[protocol];
}

unsigned protocols_count(unsigned mask)
{
    unsigned count = 0;

    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        count += mask >> protocol & 1;
    return count;
}

bool name_is_plain(const char *name)
{
    for (const char *p = name; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

bool protocol_is_ip(enum protocol protocol)
{
    return protocol != PROTOCOL_UNIX && protocol != PROTOCOL_PACKET;
}

unsigned protocols_of_ip(void)
{
    unsigned mask = 0;

    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        mask |= (unsigned)protocol_is_ip((enum protocol)protocol) << protocol;
    return mask;
}

/* linux/if_ether.h: ETH_P_ALL */
enum { ETHERTYPE_ALL = 3 };

void ethertype_format(uint16_t ethertype, char ret_text[static ETHERTYPE_TEXT_MAX])
{
    if (ethertype == ETHERTYPE_ALL)
        memcpy(ret_text, "all", sizeof "all");
    else
        (void)snprintf(ret_text, ETHERTYPE_TEXT_MAX, "0x%04x", ethertype);
}

bool protocol_is_datagram(enum protocol protocol)
{
    return protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE;
}

bool protocol_accepts(enum protocol protocol)
{
    return protocol == PROTOCOL_TCP || protocol == PROTOCOL_SCTP || protocol == PROTOCOL_UNIX;
}

int protocol_parse(const char *name, enum protocol *ret)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (strcmp(name, protocol_names[i]) == 0) {
            *ret = (enum protocol)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *family_name(enum family family)
{
    switch (family) {
    case FAMILY_IPV4: return "ipv4";
    case FAMILY_IPV6: return "ipv6";
    case FAMILY_DUAL: return "dual";
    }
    return "unknown";
}

bool family_serves(enum family family, uint8_t version)
{
    return family == FAMILY_DUAL || family == (version == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
}

const char *state_name(enum sock_state state, enum protocol protocol)
{
    switch (state) {
    case STATE_ESTABLISHED: return "established";
    case STATE_SYN_SENT: return "syn-sent";
    case STATE_SYN_RECV: return "syn-recv";
    case STATE_FIN_WAIT_1: return "fin-wait-1";
    case STATE_FIN_WAIT_2: return "fin-wait-2";
    case STATE_TIME_WAIT: return "time-wait";
    case STATE_CLOSE: return protocol == PROTOCOL_TCP ? "close" : "unconn";
    case STATE_CLOSE_WAIT: return "close-wait";
    case STATE_LAST_ACK: return "last-ack";
    case STATE_LISTEN: return "listen";
    case STATE_CLOSING: return "closing";
    case STATE_COUNT: break;
    }
    return "unknown";
}

const char *scope_name(enum scope scope)
{
    switch (scope) {
    case SCOPE_ANY: return "any";
    case SCOPE_ADDRESS: return "address";
    case SCOPE_LINK_LOCAL: return "link-local";
    case SCOPE_LOOPBACK: return "loopback";
    case SCOPE_COUNT: break;
    }
    return "unknown";
}

const char *port_class_name(enum port_class port_class)
{
    switch (port_class) {
    case PORT_WELL_KNOWN: return "well-known";
    case PORT_REGISTERED: return "registered";
    case PORT_DYNAMIC: return "dynamic";
    }
    return "unknown";
}

enum port_class port_class_of(uint16_t port)
{
    if (port <= 1023)
        return PORT_WELL_KNOWN;
    return port <= 49151 ? PORT_REGISTERED : PORT_DYNAMIC;
}

int ip_addr_parse(const char *text, struct ip_addr *ret)
{
    struct ip_addr address = {0};

    if (inet_pton(AF_INET, text, address.bytes) == 1)
        address.version = 4;
    else if (inet_pton(AF_INET6, text, address.bytes) == 1)
        address.version = 6;
    else
        return -EINVAL;
    *ret = address;
    return 0;
}

/* Writes a number and returns where it ends; printf would take ten times as long. */
static char *put_number(char *out, unsigned number)
{
    char digits[sizeof "4294967295"], *first = digits + sizeof digits;
    size_t length;

    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    length = (size_t)(digits + sizeof digits - first);
    memcpy(out, first, length);
    return out + length;
}

/* inet_ntop() prints an IPv4 address with sprintf(). */
static void format_ipv4(const uint8_t *bytes, char *out)
{
    for (size_t i = 0; i < 4; i++) {
        out = put_number(out, bytes[i]);
        *out++ = i < 3 ? '.' : '\0';
    }
}

void ip_addr_format(const struct ip_addr *address, char ret_text[static IP_ADDR_TEXT_MAX])
{
    if (address->version == 4)
        format_ipv4(address->bytes, ret_text);
    else /* cannot fail: the room is enough */
        (void)inet_ntop(AF_INET6, address->bytes, ret_text, IP_ADDR_TEXT_MAX);
}

int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b)
{
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

struct ip_addr ip_addr_unmap(struct ip_addr address)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct ip_addr plain = {.version = 4};

    if (address.version != 6 || memcmp(address.bytes, prefix, sizeof prefix) != 0)
        return address;
    memcpy(plain.bytes, address.bytes + sizeof prefix, 4);
    return plain;
}

bool ip_addr_is_any(struct ip_addr address)
{
    static const uint8_t zero[16];

    return memcmp(ip_addr_unmap(address).bytes, zero, sizeof zero) == 0;
}

bool ip_addr_is_loopback(struct ip_addr address)
{
    static const uint8_t one[16] = {[15] = 1};

    address = ip_addr_unmap(address);
    return address.version == 4 ? address.bytes[0] == 127 : memcmp(address.bytes, one, sizeof one) == 0;
}

bool ip_addr_is_link_local(struct ip_addr address)
{
    address = ip_addr_unmap(address);
    if (address.version == 4)
        return address.bytes[0] == 169 && address.bytes[1] == 254;
    return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

enum scope scope_of(struct ip_addr address, uint32_t ifindex)
{
    const uint32_t loopback_ifindex = 1;

    if (ifindex == loopback_ifindex || ip_addr_is_loopback(address))
        return SCOPE_LOOPBACK;
    if (ip_addr_is_any(address))
        return SCOPE_ANY;
    return ip_addr_is_link_local(address) ? SCOPE_LINK_LOCAL : SCOPE_ADDRESS;
}

void endpoint_format(const struct ip_addr *address, enum family family, uint16_t port, const char *interface,
                     char ret_text[static ENDPOINT_TEXT_MAX])
{
    bool brackets = address->version == 6 && family != FAMILY_DUAL;
    size_t zone = interface ? strnlen(interface, INTERFACE_NAME_MAX - 1) : 0;
    char *out = ret_text;

    if (brackets)
        *out++ = '[';
    if (family == FAMILY_DUAL)
        memcpy(out, "*", sizeof "*");
    else
        ip_addr_format(address, out);
    out += strlen(out);
    if (zone > 0) {
        *out++ = '%';
        memcpy(out, interface, zone);
        out += zone;
    }
    if (brackets)
        *out++ = ']';
    *out++ = ':';
    *put_number(out, port) = '\0';
}

/* Reads a port at *p and moves past it. */
static int parse_port(const char **p, uint16_t *ret)
{
    unsigned long number;
    char *end;

    if (**p < '0' || **p > '9')
        return -EINVAL;
    errno = 0;
    number = strtoul(*p, &end, 10);
    if (errno || number > UINT16_MAX)
        return -ERANGE;
    *ret = (uint16_t)number;
    *p = end;
    return 0;
}

static int parse_range(const char **p, struct port_range *ret)
{
    struct port_range range;
    int r;

    r = parse_port(p, &range.first);
    if (r < 0)
        return r;
    range.last = range.first;
    if (**p == '-') {
        (*p)++;
        r = parse_port(p, &range.last);
        if (r < 0)
            return r;
    }
    if (range.last < range.first)
        return -ERANGE;
    *ret = range;
    return 0;
}

int port_ranges_parse(const char *text, struct port_range **ret_ranges, size_t *ret_count)
{
    struct port_range *ranges = NULL;
    size_t count = 0, capacity = 1;
    const char *p = text;
    int r;

    for (const char *q = text; *q; q++)
        capacity += *q == ',';
    ranges = calloc(capacity, sizeof *ranges);
    if (!ranges)
        return -ENOMEM;
    for (;;) {
        p += strspn(p, " ");
        r = parse_range(&p, &ranges[count]);
        if (r < 0)
            break;
        count++;
        p += strspn(p, " ");
        if (!*p) {
            *ret_ranges = ranges;
            *ret_count = count;
            return 0;
        }
        if (*p++ != ',') {
            r = -EINVAL;
            break;
        }
    }
    free(ranges);
    return r;
}

bool port_ranges_contain(const struct port_range *ranges, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (port >= ranges[i].first && port <= ranges[i].last)
            return true;
    return false;
}

size_t port_ranges_total(const struct port_range *ranges, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += (size_t)(ranges[i].last - ranges[i].first) + 1;
    return total;
}

bool port_ranges_next(const struct port_range *ranges, size_t count, struct port_cursor *cursor,
                      uint16_t *ret)
{
    const struct port_range *range;

    if (cursor->range == count)
        return false;
    range = &ranges[cursor->range];
    *ret = (uint16_t)(range->first + cursor->offset++);
    if (*ret == range->last)
        *cursor = (struct port_cursor){.range = cursor->range + 1};
    return true;
}

int ip_port_parse(const char *text, struct ip_port *ret)
{
    struct ip_port parsed;
    char host[IP_ADDR_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t length;
    char *end;
    unsigned long port;
    bool bracketed;

    if (!colon || colon[1] < '0' || colon[1] > '9')
        return -EINVAL;
    errno = 0;
    port = strtoul(colon + 1, &end, 10);
    if (errno || *end || port > UINT16_MAX)
        return -EINVAL;
    length = (size_t)(colon - text);
    bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length >= sizeof host)
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    /* An IPv6 address without brackets would be ambiguous. */
    if (ip_addr_parse(host, &parsed.address) < 0 || bracketed != (parsed.address.version == 6))
        return -EINVAL;
    parsed.port = (uint16_t)port;
    *ret = parsed;
    return 0;
}

void ip_port_format(const struct ip_port *address, char ret_text[static ENDPOINT_TEXT_MAX])
{
    endpoint_format(&address->address, address->address.version == 4 ? FAMILY_IPV4 : FAMILY_IPV6,
                    address->port, NULL, ret_text);
}

int ip_ports_add(struct ip_ports *list, const struct ip_port *address)
{
    struct ip_port *items = array_grow(list->items, &list->capacity, list->count + 1, sizeof *items);

    if (!items)
        return -ENOMEM;
    list->items = items;
    list->items[list->count++] = *address;
    return 0;
}
