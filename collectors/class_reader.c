#include "collectors/class_reader.h"
#include "core/err.h"

#include <errno.h>
#include <sys/socket.h>

void class_reader_end(struct class_reader *r)
{
    proc_raw_end(&r->raw);
    r->is_dumping = false; /* the next dump gives the socket's answer up */
}

void class_reader_begin(struct class_reader *r, const struct class_query *query)
{
    class_reader_end(r);
    r->query = *query;
    r->part = 0;
    r->one_walk = query->in_one_walk && socket_class_of(query->protocol)->in_one_walk;
    r->is_split = query->split_ports;
}

/* Asks for nothing, from the first part on, that the kernel was found not to know. */
static void avoid_lacks(struct class_reader *r, int64_t now_ms)
{
    if (r->part > 0 || r->is_dumping)
        return;
    if (kernel_lacks_until(r->lacks->no_one_walk_until_ms, now_ms))
        r->one_walk = false;
    if (r->query.unsplit_will_do && kernel_lacks_until(r->lacks->no_choice_until_ms, now_ms))
        r->is_split = false;
}

/* Which family and which ports a part is about. IPv4 comes first, which tells
 * whether the kernel has the protocol. Ports that the kernel chose come before
 * those that programs chose: a socket may go from the former to the latter, never
 * back, so none is passed over by both. Returns false after the last. */
static bool part_of(const struct class_reader *r, uint8_t *ret_family, enum port_choice *ret_ports)
{
    uint8_t only = socket_class_of(r->query.protocol)->family;
    size_t families = r->one_walk || only ? 1 : 2, choices = r->is_split && r->query.auto_ports ? 2 : 1;
    bool is_last_choice = r->part / families + 1 == choices;

    if (r->part >= families * choices)
        return false;
    *ret_family = only ? only : r->one_walk ? AF_UNSPEC : r->part % families == 0 ? AF_INET : AF_INET6;
    *ret_ports = !r->is_split ? PORTS_ALL : is_last_choice ? PORTS_BOUND : PORTS_AUTO;
    return true;
}

/* Begins anew without what the kernel does not know. Returns 1. */
static int ask_otherwise(struct class_reader *r, int64_t *lack_until_ms, int64_t now_ms)
{
    *lack_until_ms = kernel_lacks_from(now_ms);
    r->part = 0;
    r->handlers->forget(r->arg);
    return 1;
}

/* What an answer that ends a dump without success means. Returns 0 where there
 * is nothing to be had, 1 where it is asked for in another way, or the error. */
static int judge_failure(struct class_reader *r, uint8_t family, int error, int64_t now_ms)
{
    const struct socket_class *class = socket_class_of(r->query.protocol);
    bool refused = error == -EINVAL || error == -EOPNOTSUPP;

    if (family == AF_UNSPEC && (error == ERR_UNSUPPORTED || refused))
        return ask_otherwise(r, &r->lacks->no_one_walk_until_ms, now_ms);
    if (r->is_split && r->query.unsplit_will_do && refused)
        return ask_otherwise(r, &r->lacks->no_choice_until_ms, now_ms);
    /* A kernel without IPv6 has no such sockets to hide. */
    if (error == ERR_UNSUPPORTED && family == AF_INET6 && proc_has_protocol(class->proc_name_v6) == 0) {
        r->lacks->classes[r->query.protocol].no_ipv6_until_ms = kernel_lacks_from(now_ms);
        return 0;
    }
    return error;
}

static int begin_inet_dump(struct class_reader *r, uint8_t family)
{
    const struct inet_diag_query query = {
        .family = family,
        .protocol = socket_class_of(r->query.protocol)->ip_protocol,
        .states = r->query.states,
        .ports = r->ports,
        .with_memory = r->query.with_memory,
        .ranges = r->query.ranges,
        .range_count = r->query.range_count,
    };

    return sock_diag_begin(r->diag, &query);
}

static int begin_dump(struct class_reader *r, uint8_t family)
{
    int result = family == AF_UNIX     ? sock_diag_begin_unix(r->diag, r->query.states)
                 : family == AF_PACKET ? sock_diag_begin_packet(r->diag)
                                       : begin_inet_dump(r, family);

    r->is_dumping = result == 0;
    return result;
}

/* One part of a class over netlink. Returns 1 when there is more, also of the
 * parts after it. */
static int step_dump(struct class_reader *r, const struct budget *budget)
{
    int64_t now_ms = budget_now_ms(budget);
    uint8_t family;
    int result = 0;

    avoid_lacks(r, now_ms);
    if (!part_of(r, &family, &r->ports))
        return 0;
    if (family != AF_INET6 ||
        !kernel_lacks_until(r->lacks->classes[r->query.protocol].no_ipv6_until_ms, now_ms)) {
        if (!r->is_dumping)
            result = begin_dump(r, family);
        if (result == 0)
            result = sock_diag_step(r->diag, budget, r->handlers->on_message, r->arg, r->malformed);
        if (result > 0)
            return 1;
    }
    r->is_dumping = false;
    if (result < 0) {
        result = judge_failure(r, family, result, now_ms);
        if (result != 0)
            return result;
    }
    r->part++;
    return 1;
}

/* Begins to read raw sockets in /proc. */
static int turn_to_proc(struct class_reader *r, int64_t now_ms)
{
    if (!kernel_lacks_until(r->lacks->no_raw_diag_until_ms, now_ms)) {
        r->lacks->no_raw_diag_until_ms = kernel_lacks_from(now_ms);
        r->handlers->forget(r->arg); /* those of one family, which /proc gives again */
    }
    r->ports = PORTS_ALL;
    return proc_raw_begin(&r->raw);
}

static int step_raw(struct class_reader *r, const struct budget *budget)
{
    int64_t now_ms = budget_now_ms(budget);
    int result = ERR_UNSUPPORTED;

    if (r->raw.fd < 0) {
        if (!kernel_lacks_until(r->lacks->no_raw_diag_until_ms, now_ms))
            result = step_dump(r, budget);
        if (result != ERR_UNSUPPORTED)
            return result;
        result = turn_to_proc(r, now_ms);
        if (result < 0)
            return result;
    }
    return proc_raw_step(&r->raw, budget, r->handlers->on_raw, r->arg, r->malformed);
}

int class_reader_step(struct class_reader *r, const struct budget *budget)
{
    int result;

    do
        result = r->query.protocol == PROTOCOL_RAW ? step_raw(r, budget) : step_dump(r, budget);
    while (result > 0 && !budget_is_spent(budget));
    return result;
}
