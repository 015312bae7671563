#include "collectors/collectors.h"
#include "collectors/local_address.h"
#include "collectors/owners.h"
#include "collectors/proc_net.h"
#include "collectors/sock_diag.h"
#include "core/err.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

#define MASK(state)          (1u << (state))
#define UNSUPPORTED_RETRY_MS INT64_C(300000)
#define MASK_TCP_CONNECTIONS                                                                          \
    (MASK(STATE_ESTABLISHED) | MASK(STATE_SYN_SENT) | MASK(STATE_SYN_RECV) | MASK(STATE_FIN_WAIT_1) | \
     MASK(STATE_FIN_WAIT_2) | MASK(STATE_TIME_WAIT) | MASK(STATE_CLOSE_WAIT) | MASK(STATE_LAST_ACK) | \
     MASK(STATE_LISTEN) | MASK(STATE_CLOSING))
#define MASK_DATAGRAM_CONNECTIONS (MASK(STATE_ESTABLISHED) | MASK(STATE_CLOSE))

/* How the kernel knows each class of sockets. */
static const struct class_source {
    uint8_t ip_protocol;
    uint32_t listener_states;
    bool is_datagram; /* a port chosen by the kernel is a client's, mostly */
    bool has_accept_queue;
    uint32_t connection_states; /* 0: not counted */
    const char *proc_name;      /* in /proc/net/protocols */
    const char *proc_name_v6;   /* likewise */
} sources[PROTOCOL_COUNT] = {
    [PROTOCOL_TCP] = {IPPROTO_TCP, MASK(STATE_LISTEN), false, true, MASK_TCP_CONNECTIONS, "TCP", "TCPv6"},
    [PROTOCOL_UDP] = {IPPROTO_UDP, MASK(STATE_CLOSE), true, false, MASK_DATAGRAM_CONNECTIONS, "UDP", "UDPv6"},
    [PROTOCOL_UDPLITE] = {IPPROTO_UDPLITE, MASK(STATE_CLOSE), true, false, MASK_DATAGRAM_CONNECTIONS,
                          "UDP-Lite", "UDPLITEv6"},
    /* The states of SCTP associations are SCTP's own, so they are not counted. */
    [PROTOCOL_SCTP] = {IPPROTO_SCTP, MASK(STATE_LISTEN), false, true, 0, "SCTP", "SCTPv6"},
    [PROTOCOL_RAW] = {IPPROTO_RAW, MASK(STATE_CLOSE), false, false, MASK_DATAGRAM_CONNECTIONS, "RAW",
                      "RAWv6"},
};

struct poll;

struct collector {
    const char *name;
    enum poll_kind poll;
    enum protocol first, last; /* the classes it reads */
    int (*collect)(struct poll *p, enum protocol protocol);
};

struct collectors {
    struct sock_diag *diag;
    struct local_addresses *local;
    struct owners *owners;
    struct conn_counter *counter;
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    uint64_t malformed[COLLECTOR_RUNS_MAX];
    int64_t unsupported_until_ms[PROTOCOL_COUNT]; /* 0: not known to be unsupported */
    enum visibility unsupported_as[PROTOCOL_COUNT];
    int64_t no_ipv6_until_ms[PROTOCOL_COUNT]; /* likewise, for IPv6 alone */
    int64_t raw_diag_missing_until_ms;        /* /proc answers for raw sockets */
};

/* One poll under way. */
struct poll {
    struct collectors *c;
    struct listener_builder *builder; /* when polling listeners */
    const struct listener_poll *how;  /* likewise */
    uint64_t *malformed;
    enum protocol protocol; /* being read */
    enum port_choice ports; /* likewise */
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static double now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Asking for what the kernel lacks makes it look for a module each time, so a
 * no is believed for a while. */
static bool is_known_missing(int64_t until_ms)
{
    return until_ms != 0 && now_ms() < until_ms;
}

static int dump_family(struct poll *p, uint8_t family, uint32_t states, inet_diag_message_fn *on_message)
{
    const struct inet_diag_query query = {
        .family = family,
        .protocol = sources[p->protocol].ip_protocol,
        .states = states,
        .ports = p->ports,
        .with_memory = p->builder,
    };
    int64_t *no_ipv6_until_ms = &p->c->no_ipv6_until_ms[p->protocol];
    int r;

    if (family == AF_INET6 && is_known_missing(*no_ipv6_until_ms))
        return 0;
    r = sock_diag_dump(p->c->diag, &query, on_message, p, p->malformed);
    /* A kernel without IPv6 has no such sockets to hide. */
    if (r == ERR_UNSUPPORTED && family == AF_INET6 &&
        proc_has_protocol(sources[p->protocol].proc_name_v6) == 0) {
        *no_ipv6_until_ms = now_ms() + UNSUPPORTED_RETRY_MS;
        return 0;
    }
    return r;
}

/* Dumps both families of a class; IPv4 first, which tells whether the kernel
 * has the protocol. */
static int dump_class(struct poll *p, uint32_t states, inet_diag_message_fn *on_message)
{
    int r = dump_family(p, AF_INET, states, on_message);

    return r < 0 ? r : dump_family(p, AF_INET6, states, on_message);
}

/* A row that is complete but for what only its address and interface tell. */
static int add_row(struct poll *p, struct listener_row *row)
{
    enum scope scope;

    row->address = ip_addr_unmap(row->address);
    scope = scope_of(row->address, row->ifindex);
    if (scope == SCOPE_ADDRESS || scope == SCOPE_LINK_LOCAL)
        row->presence = local_addresses_look(p->c->local, &row->address, row->ifindex);
    if (row->ifindex != 0)
        proc_interface_name(row->ifindex, row->interface);
    return listener_builder_add(p->builder, row);
}

static int add_listener(void *arg, const struct nlmsghdr *msg)
{
    struct poll *p = arg;
    struct listener_row row = {.protocol = p->protocol};
    struct inet_diag_row diag;
    int r = inet_diag_parse(msg, &diag);

    if (r < 0)
        return r;
    row.address = diag.address;
    row.port = diag.port;
    row.ifindex = diag.ifindex;
    row.v6only = diag.v6only;
    row.cookie = diag.cookie;
    row.uid = diag.uid;
    row.inode = diag.inode;
    row.cgroup_id = diag.cgroup_id;
    row.auto_port = p->ports == PORTS_AUTO;
    row.queue.known = sources[p->protocol].has_accept_queue;
    row.queue.length = row.queue.known ? diag.rqueue : 0;
    row.queue.limit = row.queue.known ? diag.wqueue : 0;
    row.receive_queue.known = sources[p->protocol].is_datagram;
    row.receive_queue.bytes = row.receive_queue.known ? diag.rqueue : 0;
    row.drops.known = diag.drops.known;
    row.drops.count = diag.drops.count;
    return add_row(p, &row);
}

static void forget_rows(struct poll *p)
{
    if (p->builder)
        listener_builder_drop(p->builder, p->protocol);
    else
        conn_counter_reset(p->c->counter, p->protocol);
}

static int add_raw_listener(void *arg, const struct proc_raw_row *raw)
{
    struct poll *p = arg;
    struct listener_row row = {
        .protocol = PROTOCOL_RAW,
        .address = raw->address,
        .port = raw->protocol,
        .v6only = true,
        .cookie = raw->inode, /* as good as a cookie for the time between two polls */
        .uid = raw->uid,
        .inode = (uint32_t)raw->inode, /* the kernel has no larger ones for sockets */
        .drops.known = raw->drops.known,
        .drops.count = raw->drops.count,
    };

    return raw->state == STATE_CLOSE ? add_row(p, &row) : 0;
}

/* Reads a class over netlink, or raw sockets in /proc where netlink does not
 * list them. */
static int read_class(struct poll *p, uint32_t states, inet_diag_message_fn *on_message,
                      proc_raw_row_fn *on_raw)
{
    int64_t *missing_until_ms = &p->c->raw_diag_missing_until_ms;
    int r = ERR_UNSUPPORTED;

    if (p->protocol != PROTOCOL_RAW)
        return dump_class(p, states, on_message);
    if (!is_known_missing(*missing_until_ms))
        r = dump_class(p, states, on_message);
    if (r != ERR_UNSUPPORTED)
        return r;
    if (!is_known_missing(*missing_until_ms)) {
        *missing_until_ms = now_ms() + UNSUPPORTED_RETRY_MS;
        forget_rows(p); /* those of one family, which /proc gives again */
    }
    return proc_raw_read(on_raw, p, p->malformed);
}

static int look_at_listeners(struct poll *p)
{
    const struct class_source *source = &sources[p->protocol];
    int r;

    p->ports = source->is_datagram ? PORTS_BOUND : PORTS_ALL;
    r = read_class(p, source->listener_states, add_listener, add_raw_listener);
    if (r < 0 || !p->how->auto_ports || !source->is_datagram)
        return r;
    p->ports = PORTS_AUTO;
    return read_class(p, source->listener_states, add_listener, add_raw_listener);
}

/* A dump that the kernel resumes between two messages may pass over sockets
 * that live, silently. So nothing is gone before a second look missed it, too;
 * and without an earlier table the second look comes at once. */
static int look_twice(struct poll *p)
{
    const struct listener_table *previous = p->how->previous;
    const struct class_view *before = previous ? listener_table_class(previous, p->protocol) : NULL;
    int64_t missing = 1;
    int r = look_at_listeners(p);

    if (r < 0)
        return r;
    if (before && before->visibility == VISIBILITY_OK)
        missing = listener_builder_missing(p->builder, previous, p->protocol);
    if (missing <= 0)
        return (int)missing;
    r = listener_builder_look_again(p->builder, p->protocol);
    return r < 0 ? r : look_at_listeners(p);
}

/* A protocol that the kernel does not have hides nothing; one that it has but
 * cannot list does. */
static enum visibility unsupported_visibility(enum protocol protocol)
{
    return proc_has_protocol(sources[protocol].proc_name) == 0 ? VISIBILITY_ABSENT : VISIBILITY_UNSUPPORTED;
}

static int collect_listeners(struct poll *p, enum protocol protocol)
{
    struct collectors *c = p->c;
    int r = ERR_UNSUPPORTED;

    p->protocol = protocol;
    if (!is_known_missing(c->unsupported_until_ms[protocol]))
        r = look_twice(p);
    if (r < 0 && r != ERR_UNSUPPORTED) {
        listener_builder_drop(p->builder, protocol);
        r = look_twice(p); /* once more, on a fresh socket */
    }
    if (r == 0) {
        listener_builder_set_class(p->builder, protocol, VISIBILITY_OK, 0);
        return 0;
    }
    listener_builder_drop(p->builder, protocol);
    if (r != ERR_UNSUPPORTED) {
        listener_builder_set_class(p->builder, protocol, VISIBILITY_FAILED, r);
        return r;
    }
    if (!is_known_missing(c->unsupported_until_ms[protocol])) {
        c->unsupported_until_ms[protocol] = now_ms() + UNSUPPORTED_RETRY_MS;
        c->unsupported_as[protocol] = unsupported_visibility(protocol);
    }
    listener_builder_set_class(p->builder, protocol, c->unsupported_as[protocol], 0);
    return r;
}

/* Comes after the collectors of listeners, over all of whose rows it goes. */
static int collect_owners(struct poll *p, enum protocol protocol)
{
    struct listener_row *rows;
    size_t count;

    (void)protocol;
    rows = listener_builder_rows(p->builder, &count);
    return owners_attach(p->c->owners, rows, count);
}

static int count_message(void *arg, const struct nlmsghdr *msg)
{
    struct poll *p = arg;
    uint16_t port;
    uint8_t state;
    int r = inet_diag_parse_state(msg, &port, &state);

    if (r == 0)
        r = conn_counter_add(p->c->counter, p->protocol, port, state);
    return r == -EINVAL ? -EBADMSG : r;
}

static int count_raw(void *arg, const struct proc_raw_row *raw)
{
    struct poll *p = arg;
    int r = conn_counter_add(p->c->counter, PROTOCOL_RAW, raw->protocol, raw->state);

    return r == -EINVAL ? -EBADMSG : r;
}

static int collect_connections(struct poll *p, enum protocol protocol)
{
    const struct class_source *source = &sources[protocol];
    int r;

    p->protocol = protocol;
    if (source->connection_states == 0 || is_known_missing(p->c->unsupported_until_ms[protocol]))
        return ERR_UNSUPPORTED;
    p->ports = PORTS_ALL;
    r = read_class(p, source->connection_states, count_message, count_raw);
    if (r == 0)
        conn_counter_complete(p->c->counter, protocol);
    else
        conn_counter_reset(p->c->counter, protocol);
    return r;
}

static const struct collector registry[] = {
    {"tcp", POLL_LISTENERS, PROTOCOL_TCP, PROTOCOL_TCP, collect_listeners},
    {"udp", POLL_LISTENERS, PROTOCOL_UDP, PROTOCOL_UDP, collect_listeners},
    {"udplite", POLL_LISTENERS, PROTOCOL_UDPLITE, PROTOCOL_UDPLITE, collect_listeners},
    {"sctp", POLL_LISTENERS, PROTOCOL_SCTP, PROTOCOL_SCTP, collect_listeners},
    {"raw", POLL_LISTENERS, PROTOCOL_RAW, PROTOCOL_RAW, collect_listeners},
    {"owners", POLL_LISTENERS, PROTOCOL_TCP, PROTOCOL_TCP, collect_owners},
    {"connections", POLL_CONNECTIONS, PROTOCOL_TCP, PROTOCOL_RAW, collect_connections},
};

#define COLLECTOR_COUNT (sizeof registry / sizeof registry[0])

_Static_assert(COLLECTOR_COUNT <= COLLECTOR_RUNS_MAX, "a snapshot must have room for every collector");

/* Runs one collector over its classes. Unsupported classes are no failure; a
 * collector all of whose classes are unsupported has not run. */
static void run_collector(struct poll *p, size_t index)
{
    const struct collector *collector = &registry[index];
    struct collector_run *run = &p->c->runs[index];
    double started = now_seconds();

    *run = (struct collector_run){.name = collector->name, .poll = collector->poll, .up = true};
    p->malformed = &p->c->malformed[index];
    for (int protocol = (int)collector->first; protocol <= (int)collector->last; protocol++) {
        int r = collector->collect(p, (enum protocol)protocol);

        run->ran |= r != ERR_UNSUPPORTED;
        if (r < 0 && r != ERR_UNSUPPORTED) {
            run->up = false;
            run->error = r;
        }
    }
    run->duration_seconds = now_seconds() - started;
}

static void run_collectors(struct poll *p, enum poll_kind kind)
{
    for (size_t i = 0; i < COLLECTOR_COUNT; i++)
        if (registry[i].poll == kind)
            run_collector(p, i);
}

int collectors_open(struct collectors **ret)
{
    struct collectors *c = calloc(1, sizeof *c);
    int r = -ENOMEM;

    if (!c)
        return r;
    for (size_t i = 0; i < COLLECTOR_COUNT; i++)
        c->runs[i] = (struct collector_run){.name = registry[i].name, .poll = registry[i].poll};
    c->counter = conn_counter_new();
    c->local = local_addresses_new();
    c->owners = owners_new();
    if (c->counter && c->local && c->owners)
        r = sock_diag_open(&c->diag);
    if (r < 0)
        collectors_close(c);
    else
        *ret = c;
    return r;
}

void collectors_close(struct collectors *c)
{
    if (!c)
        return;
    sock_diag_close(c->diag);
    owners_free(c->owners);
    local_addresses_free(c->local);
    conn_counter_free(c->counter);
    free(c);
}

int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              struct listener_table **ret)
{
    struct poll p = {.c = c, .how = how};
    struct listener_table *table;

    p.builder = listener_builder_new(how->limit, how->policy);
    if (!p.builder)
        return -ENOMEM;
    local_addresses_refresh(c->local);
    run_collectors(&p, POLL_LISTENERS);
    table = listener_table_seal(p.builder, how->services, how->previous);
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 0;
}

int collectors_poll_connections(struct collectors *c, struct conn_table **ret)
{
    struct poll p = {.c = c};
    struct conn_table *table;

    run_collectors(&p, POLL_CONNECTIONS);
    table = conn_counter_seal(c->counter);
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 0;
}

size_t collectors_runs(const struct collectors *c, struct collector_run *ret_runs)
{
    memcpy(ret_runs, c->runs, sizeof c->runs[0] * COLLECTOR_COUNT);
    return COLLECTOR_COUNT;
}

uint64_t collectors_malformed(const struct collectors *c, size_t run_index)
{
    return c->malformed[run_index];
}

void collectors_refresh(struct collectors *c)
{
    memset(c->unsupported_until_ms, 0, sizeof c->unsupported_until_ms);
    memset(c->no_ipv6_until_ms, 0, sizeof c->no_ipv6_until_ms);
    c->raw_diag_missing_until_ms = 0;
    owners_refresh(c->owners);
}
