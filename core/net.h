/* The vocabulary of sockets: protocols, address families, states, IP
 * addresses, port ranges and bind scopes, with the names that users see. Pure;
 * any thread. Nothing here asks the kernel. */
#ifndef SOCKWATCH_CORE_NET_H
#define SOCKWATCH_CORE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protocol {
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    PROTOCOL_UDPLITE,
    PROTOCOL_SCTP,
    PROTOCOL_RAW,    /* its "port" is the IP protocol number */
    PROTOCOL_UNIX,   /* a path stands for address and port: core/unix_path.h */
    PROTOCOL_PACKET, /* sees what passes an interface, or all: its "port" is the Ethernet protocol number */
    PROTOCOL_COUNT
};

/* How many there are in a mask of 1 << protocol. */
unsigned protocols_count(unsigned mask);

/* The IP versions a listener serves. */
enum family { FAMILY_IPV4, FAMILY_IPV6, FAMILY_DUAL };

/* TCP states with the kernel's numbers (linux include/net/tcp_states.h); the
 * other protocols use ESTABLISHED and CLOSE ("unconn") of them. */
enum sock_state {
    STATE_ESTABLISHED = 1,
    STATE_SYN_SENT = 2,
    STATE_SYN_RECV = 3,
    STATE_FIN_WAIT_1 = 4,
    STATE_FIN_WAIT_2 = 5,
    STATE_TIME_WAIT = 6,
    STATE_CLOSE = 7,
    STATE_CLOSE_WAIT = 8,
    STATE_LAST_ACK = 9,
    STATE_LISTEN = 10,
    STATE_CLOSING = 11,
    STATE_COUNT
};

enum scope {
    SCOPE_ANY,        /* all addresses */
    SCOPE_ADDRESS,    /* one address beyond loopback, local or not, unicast or not */
    SCOPE_LINK_LOCAL, /* one link-local address */
    SCOPE_LOOPBACK,   /* only the machine itself reaches it */
    SCOPE_COUNT
};

enum port_class { PORT_WELL_KNOWN, PORT_REGISTERED, PORT_DYNAMIC };

/* An IPv4 or IPv6 address in network byte order. */
struct ip_addr {
    uint8_t version;   /* 4 or 6 */
    uint8_t bytes[16]; /* the first 4 for IPv4, the rest 0 */
};

#define IP_ADDR_TEXT_MAX   46 /* INET6_ADDRSTRLEN */
#define INTERFACE_NAME_MAX 16 /* IFNAMSIZ, with its NUL */
#define ENDPOINT_TEXT_MAX  (IP_ADDR_TEXT_MAX + INTERFACE_NAME_MAX + 10)

/* An address to listen on. */
struct ip_port {
    struct ip_addr address;
    uint16_t port; /* 0: the kernel chooses */
};

struct ip_ports {
    struct ip_port *items; /* owned */
    size_t count, capacity;
};

struct port_range {
    uint16_t first;
    uint16_t last;
};

/* Names as in the contract: "tcp", "dual", "time-wait", "link-local",
 * "well-known", "sctp". Static. */
const char *protocol_name(enum protocol protocol);

/* Whether its sockets are bound to an IP address and a port, or what stands for one
 * there. */
bool protocol_is_ip(enum protocol protocol);

/* "all" for what sees every frame, "0x0806". */
#define ETHERTYPE_TEXT_MAX sizeof "0xffff"
void ethertype_format(uint16_t ethertype, char ret_text[static ETHERTYPE_TEXT_MAX]);

/* Those whose listeners are unexpected unless something else is asked for, as a mask. */
unsigned protocols_of_ip(void);

/* Whether whoever only sends has a socket that looks like one that waits. */
bool protocol_is_datagram(enum protocol protocol);

/* Whether a connection that comes waits until a program accepts it. */
bool protocol_accepts(enum protocol protocol);
const char *family_name(enum family family);
const char *state_name(enum sock_state state, enum protocol protocol);
const char *scope_name(enum scope scope);
const char *port_class_name(enum port_class port_class);

/* Whether a name from outside is printable ASCII without spaces, so that it can
 * go into labels, tables and log lines as it is. */
bool name_is_plain(const char *name);

/* Returns 0 and fills *ret, or -EINVAL. */
int protocol_parse(const char *name, enum protocol *ret);

/* Whether a family serves the given IP version (4 or 6). */
bool family_serves(enum family family, uint8_t version);

enum port_class port_class_of(uint16_t port);

/* Returns 0 and fills *ret, or -EINVAL. Takes no brackets, no zone. */
int ip_addr_parse(const char *text, struct ip_addr *ret);
void ip_addr_format(const struct ip_addr *address, char ret_text[static IP_ADDR_TEXT_MAX]);
int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b);

/* ::ffff:a.b.c.d as a.b.c.d; any other address as it is. */
struct ip_addr ip_addr_unmap(struct ip_addr address);

/* These three unmap first, so that ::ffff:0.0.0.0 is the IPv4 wildcard. */
bool ip_addr_is_any(struct ip_addr address);
bool ip_addr_is_loopback(struct ip_addr address);
bool ip_addr_is_link_local(struct ip_addr address);

/* The bind scope of a socket.
 *
 * ifindex   the interface it is bound to, 0 for none; 1 is the loopback device
 *           in every network namespace
 *
 * Loopback means: bound to the loopback device, or to an address of 127/8 or
 * ::1. That an address is configured on lo says nothing: 10.1.1.1/32 on lo is
 * reachable from outside. */
enum scope scope_of(struct ip_addr address, uint32_t ifindex);

/* "192.0.2.1:80", "[::1]:80", "*:80" for both families, "%eth0" appended to
 * the address where the socket is bound to an interface (NULL or "": none). */
void endpoint_format(const struct ip_addr *address, enum family family, uint16_t port, const char *interface,
                     char ret_text[static ENDPOINT_TEXT_MAX]);

/* Parses "192.0.2.1:80" or "[::1]:80". Returns 0 and fills *ret, or -EINVAL. */
int ip_port_parse(const char *text, struct ip_port *ret);
void ip_port_format(const struct ip_port *address, char ret_text[static ENDPOINT_TEXT_MAX]);

/* Appends an address. Returns 0 or -ENOMEM. */
int ip_ports_add(struct ip_ports *list, const struct ip_port *address);

/* Parses "22", "8000-8100" or "22,80,8000-8100".
 *
 * ret_ranges   returns owned, for free(); *ret_count of them; filled on success only
 *
 * Returns 0, -EINVAL for a text that is none of these, -ERANGE for a port over
 * 65535 or a range that ends before it begins, -ENOMEM. */
int port_ranges_parse(const char *text, struct port_range **ret_ranges, size_t *ret_count);
bool port_ranges_contain(const struct port_range *ranges, size_t count, uint16_t port);

/* How many ports the ranges name; one that is named twice counts twice. */
size_t port_ranges_total(const struct port_range *ranges, size_t count);

/* Where a walk over all ports of some ranges is; begins as {0}. */
struct port_cursor {
    size_t range;
    uint32_t offset;
};

/* Steps to the next port. Returns false, without filling *ret, at the end. */
bool port_ranges_next(const struct port_range *ranges, size_t count, struct port_cursor *cursor,
                      uint16_t *ret);

#endif
