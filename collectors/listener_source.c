/* The sources of listeners, one a class of sockets. */
#include "collectors/source.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>

/* The looks of one attempt, and how many attempts there are. */
enum { LOOK_FIRST, LOOK_SECOND };
enum { ATTEMPTS = 2 };

struct listeners {
    struct class_reader reader;
    int look;
    int attempt;
};

/* A row that is complete but for what only its address and interface tell. */
static int add_row(struct source_shared *shared, struct listener_row *row)
{
    enum scope scope;

    row->address = ip_addr_unmap(row->address);
    scope = scope_of(row->address, row->ifindex);
    if (scope == SCOPE_ADDRESS || scope == SCOPE_LINK_LOCAL)
        row->presence = local_addresses_look(shared->local, &row->address, row->ifindex);
    if (row->ifindex != 0)
        interfaces_name(&shared->interfaces, row->ifindex, row->interface);
    return listener_builder_add(shared->builder, row);
}

static int on_message(void *arg, const struct nlmsghdr *msg)
{
    const struct source *s = arg;
    const struct listeners *l = s->state;
    const struct socket_class *class = socket_class_of(s->type->protocol);
    struct listener_row row = {.protocol = s->type->protocol};
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
    row.auto_port = l->reader.ports == PORTS_AUTO;
    row.queue.known = class->has_accept_queue;
    row.queue.length = row.queue.known ? diag.rqueue : 0;
    row.queue.limit = row.queue.known ? diag.wqueue : 0;
    row.receive_queue.known = class->is_datagram;
    row.receive_queue.bytes = row.receive_queue.known ? diag.rqueue : 0;
    row.drops.known = diag.drops.known;
    row.drops.count = diag.drops.count;
    return add_row(s->shared, &row);
}

static int on_raw(void *arg, const struct proc_raw_row *raw)
{
    const struct source *s = arg;
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

    return raw->state == STATE_CLOSE ? add_row(s->shared, &row) : 0;
}

static void forget(void *arg)
{
    const struct source *s = arg;

    listener_builder_drop(s->shared->builder, s->type->protocol);
}

static int open_listeners(struct source *s)
{
    static const struct class_handlers handlers = {on_message, on_raw, forget};
    struct listeners *l = calloc(1, sizeof *l);

    s->state = l;
    if (!l)
        return -ENOMEM;
    l->reader.diag = s->shared->diag;
    l->reader.lacks = &s->shared->lacks;
    l->reader.handlers = &handlers;
    l->reader.arg = s;
    l->reader.malformed = &s->run.malformed;
    l->reader.raw = PROC_RAW_NONE;
    return 0;
}

static void close_listeners(struct source *s)
{
    struct listeners *l = s->state;

    if (l)
        class_reader_end(&l->reader);
    free(l);
}

static void begin_look(struct source *s, int look)
{
    const struct socket_class *class = socket_class_of(s->type->protocol);
    struct listeners *l = s->state;
    const struct class_query query = {
        .protocol = s->type->protocol,
        .states = class->listener_states,
        .with_memory = true,
        .split_ports = class->is_datagram,
        .auto_ports = s->shared->auto_ports,
    };

    l->look = look;
    class_reader_begin(&l->reader, &query);
}

/* Ends without the class's rows. Returns error. */
static int give_up(struct source *s, int error, int64_t now_ms)
{
    struct source_shared *shared = s->shared;
    enum protocol protocol = s->type->protocol;

    forget(s);
    if (error != ERR_UNSUPPORTED) {
        listener_builder_set_class(shared->builder, protocol, VISIBILITY_FAILED, error);
        return error;
    }
    if (!kernel_lacks_until(shared->lacks.classes[protocol].until_ms, now_ms))
        kernel_lacks_class(&shared->lacks, protocol, now_ms);
    listener_builder_set_class(shared->builder, protocol, shared->lacks.classes[protocol].as, 0);
    return error;
}

static int begin_listeners(struct source *s, int64_t now_ms)
{
    struct listeners *l = s->state;

    if (kernel_lacks_until(s->shared->lacks.classes[s->type->protocol].until_ms, now_ms))
        return give_up(s, ERR_UNSUPPORTED, now_ms);
    l->attempt = 1;
    begin_look(s, LOOK_FIRST);
    return 0;
}

/* A dump that the kernel resumes between two messages may pass over sockets
 * that live, silently. So nothing is gone before a second look missed it, too;
 * and without a look before, the second one comes at once. Returns 1 when it
 * is to come, 0 when not, or -ENOMEM. */
static int look_again(struct source *s)
{
    const struct listeners *l = s->state;
    int64_t missing = 0;

    if (l->look == LOOK_FIRST)
        missing = listener_builder_missing(s->shared->builder, s->type->protocol);
    if (missing == 0 || missing == -ENOMEM)
        return (int)missing;
    listener_builder_look_again(s->shared->builder, s->type->protocol);
    begin_look(s, LOOK_SECOND);
    return 1;
}

static int step_listeners(struct source *s, const struct budget *budget)
{
    struct listeners *l = s->state;
    int r = class_reader_step(&l->reader, budget);

    if (r == 0)
        r = look_again(s);
    if (r > 0)
        return 1;
    if (r == 0) {
        listener_builder_set_class(s->shared->builder, s->type->protocol, VISIBILITY_OK, 0);
        return 0;
    }
    if (r != ERR_UNSUPPORTED && l->attempt++ < ATTEMPTS) { /* once more, on a fresh socket */
        forget(s);
        begin_look(s, LOOK_FIRST);
        return 1;
    }
    return give_up(s, r, budget_now_ms(budget));
}

const struct source_ops listener_source = {
    .open = open_listeners,
    .close = close_listeners,
    .begin = begin_listeners,
    .step = step_listeners,
};
