/* The sources of listeners, one a class of sockets.
 *
 * A look at all of a class is mostly over at once. Where it is not (each of a
 * great many sockets that share one address is passed over anew for every
 * message of the kernel's), it goes on between the polls, and each poll looks at
 * the expected ports alone, which is quick: nobody's sockets delay the news about
 * those. */
#include "collectors/packet_diag_parse.h"
#include "collectors/source.h"
#include "collectors/unix_diag_parse.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>

enum { LOOK_FIRST, LOOK_SECOND };
/* Where three of a hundred calls fail, two in a row fail every other minute. */
enum { ATTEMPTS = 3 };

/* A look at parts of a class, with as many attempts. */
struct looking {
    struct class_reader reader;
    unsigned parts;
    int look;
    int attempt;
};

struct listeners {
    struct looking all;
    struct looking quick;                           /* at expected ports only */
    struct sock_diag *diag;                         /* of the look at all, which may stay under way */
    struct port_range ranges[INET_DIAG_RANGES_MAX]; /* of expected ports */
    size_t range_count;
    struct looking *now; /* the one that is being stepped */
};

/* A row that is complete but for what only its address and interface tell. */
static int add_row(const struct source *s, struct listener_row *row)
{
    const struct listeners *l = s->state;
    struct source_shared *shared = s->shared;
    enum scope scope;

    row->address = ip_addr_unmap(row->address);
    scope = scope_of(row->address, row->ifindex);
    if (scope == SCOPE_ADDRESS || scope == SCOPE_LINK_LOCAL)
        row->presence =
            local_addresses_look(shared->local, &row->address, row->ifindex, l->now->reader.malformed);
    if (row->ifindex != 0)
        interfaces_name(&shared->interfaces, row->ifindex, row->interface);
    return listener_builder_add_to(shared->builder, l->now->parts, row);
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
    row.auto_port = l->now->reader.ports == PORTS_AUTO;
    row.choice_untold = l->now->reader.ports == PORTS_ALL && row.protocol != PROTOCOL_RAW;
    row.queue.known = class->has_accept_queue;
    row.queue.length = row.queue.known ? diag.rqueue : 0;
    row.queue.limit = row.queue.known ? diag.wqueue : 0;
    row.receive_queue.known = protocol_is_datagram(row.protocol);
    row.receive_queue.bytes = row.receive_queue.known ? diag.rqueue : 0;
    row.drops.known = diag.drops.known;
    row.drops.count = diag.drops.count;
    return add_row(s, &row);
}

/* One that no entry expects is only counted, unless all are to be told; nor does any
 * expect one whose file is not at its path any more, since nobody reaches it there. */
static int on_unix(void *arg, const struct nlmsghdr *msg)
{
    const struct source *s = arg;
    const struct listeners *l = s->state;
    struct listener_row row = {.protocol = PROTOCOL_UNIX};
    struct unix_diag_row diag;
    int r = unix_diag_parse(msg, &diag);

    if (r < 0)
        return r;
    row.path = diag.path;
    row.port = policy_port_of_path(s->shared->policy, diag.path);
    if (row.port != 0 && diag.file.known)
        row.presence = unix_files_look(s->shared->unix_files, diag.path, &diag.file.is);
    if (row.presence == PRESENCE_ABSENT)
        row.port = 0;
    if (row.port == 0 && !s->shared->auto_ports) {
        listener_builder_count(s->shared->builder, PROTOCOL_UNIX, l->now->parts);
        return 0;
    }
    row.address = unix_path_address(diag.path);
    row.cookie = diag.cookie;
    row.uid = diag.uid.known ? diag.uid.number : UINT32_MAX; /* which is nobody's */
    row.inode = diag.inode;
    row.queue.known = diag.queue.known;
    row.queue.length = diag.queue.length;
    row.queue.limit = diag.queue.limit;
    return listener_builder_add_to(s->shared->builder, l->now->parts, &row);
}

/* One that sees nothing only sends. */
static int on_packet(void *arg, const struct nlmsghdr *msg)
{
    const struct source *s = arg;
    const struct listeners *l = s->state;
    struct packet_diag_row diag;
    struct listener_row row;
    int r = packet_diag_parse(msg, &diag);

    if (r < 0 || diag.ethertype == 0)
        return r;
    if (!s->shared->auto_ports && !policy_minds(s->shared->policy, PROTOCOL_PACKET)) {
        listener_builder_count(s->shared->builder, PROTOCOL_PACKET, l->now->parts);
        return 0;
    }
    row = (struct listener_row){
        .protocol = PROTOCOL_PACKET,
        .port = diag.ethertype,
        .ifindex = diag.ifindex,
        .cookie = diag.cookie,
        .uid = diag.uid.known ? diag.uid.number : UINT32_MAX, /* which is nobody's */
        .inode = diag.inode,
        .drops.known = diag.drops.known,
        .drops.count = diag.drops.count,
    };
    if (row.ifindex != 0)
        interfaces_name(&s->shared->interfaces, row.ifindex, row.interface);
    return listener_builder_add_to(s->shared->builder, l->now->parts, &row);
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

    return raw->state == STATE_CLOSE ? add_row(s, &row) : 0;
}

static void forget(void *arg)
{
    const struct source *s = arg;
    const struct listeners *l = s->state;

    listener_builder_drop(s->shared->builder, s->type->protocol, l->now->parts);
}

static void open_looking(struct source *s, struct looking *looking, struct sock_diag *diag)
{
    static const struct class_handlers of_ip = {on_message, on_raw, forget};
    static const struct class_handlers of_unix = {.on_message = on_unix, .forget = forget};
    static const struct class_handlers of_packet = {.on_message = on_packet, .forget = forget};
    enum protocol protocol = s->type->protocol;

    looking->reader = (struct class_reader){
        .diag = diag,
        .lacks = &s->shared->lacks,
        .handlers = protocol == PROTOCOL_UNIX     ? &of_unix
                    : protocol == PROTOCOL_PACKET ? &of_packet
                                                  : &of_ip,
        .arg = s,
        .malformed = &s->run.malformed,
        .raw = PROC_RAW_NONE,
    };
}

static int open_listeners(struct source *s)
{
    struct listeners *l = calloc(1, sizeof *l);
    int r;

    s->state = l;
    if (!l)
        return -ENOMEM;
    r = sock_diag_open(&l->diag);
    if (r < 0)
        return r;
    open_looking(s, &l->all, l->diag);
    open_looking(s, &l->quick, s->shared->diag);
    return 0;
}

static void close_listeners(struct source *s)
{
    struct listeners *l = s->state;

    if (!l)
        return;
    class_reader_end(&l->all.reader);
    class_reader_end(&l->quick.reader);
    sock_diag_close(l->diag);
    free(l);
}

static void begin_look(struct source *s, struct looking *looking, int look)
{
    const struct socket_class *class = socket_class_of(s->type->protocol);
    bool waits_for_connections = class->has_accept_queue;
    struct listeners *l = s->state;
    struct class_query query = {
        .protocol = s->type->protocol,
        .states = class->listener_states,
        .with_memory = true,
        .in_one_walk = true,
        .split_ports = class->tells_choice,
        .auto_ports = waits_for_connections || s->shared->auto_ports,
        .unsplit_will_do = waits_for_connections,
    };

    if (looking == &l->quick) {
        query.ranges = l->ranges;
        query.range_count = l->range_count;
    }
    looking->look = look;
    if (query.protocol == PROTOCOL_UNIX)
        unix_files_begin(s->shared->unix_files);
    class_reader_begin(&looking->reader, &query);
}

/* Ends without rows. Returns error. */
static int give_up(struct source *s, const struct looking *looking, int error, int64_t now_ms)
{
    struct source_shared *shared = s->shared;
    enum protocol protocol = s->type->protocol;

    forget(s);
    if (error != ERR_UNSUPPORTED) {
        listener_builder_end(shared->builder, protocol, looking->parts, VISIBILITY_FAILED, error);
        return error;
    }
    if (!kernel_lacks_until(shared->lacks.classes[protocol].until_ms, now_ms))
        kernel_lacks_class(&shared->lacks, protocol, now_ms);
    listener_builder_end(shared->builder, protocol, looking->parts, shared->lacks.classes[protocol].as, 0);
    return error;
}

/* Looks at parts of the class, which have begun. Returns 0, or ERR_UNSUPPORTED
 * when the kernel has nothing of the kind. */
static int start_looking(struct source *s, struct looking *looking, unsigned parts, int64_t now_ms)
{
    struct listeners *l = s->state;

    l->now = looking;
    looking->parts = parts;
    looking->attempt = 1;
    if (kernel_lacks_until(s->shared->lacks.classes[s->type->protocol].until_ms, now_ms))
        return give_up(s, looking, ERR_UNSUPPORTED, now_ms);
    begin_look(s, looking, LOOK_FIRST);
    return 0;
}

/* A dump that the kernel resumes between two messages may pass over sockets
 * that live, silently. So nothing is gone before a second look missed it, too;
 * and without a look before, the second one comes at once. Returns 1 when it
 * is to come, 0 when not, or -ENOMEM. */
static int look_again(struct source *s, struct looking *looking)
{
    struct listener_builder *b = s->shared->builder;
    int64_t missing = 0;

    if (looking->look == LOOK_FIRST)
        missing = listener_builder_missing(b, s->type->protocol, looking->parts);
    if (missing == 0 || missing == -ENOMEM)
        return (int)missing;
    listener_builder_look_again(b, s->type->protocol, looking->parts);
    begin_look(s, looking, LOOK_SECOND);
    return 1;
}

static int step_looking(struct source *s, struct looking *looking, const struct budget *budget)
{
    struct listeners *l = s->state;
    int r;

    l->now = looking;
    r = class_reader_step(&looking->reader, budget);
    if (r == 0)
        r = look_again(s, looking);
    if (r > 0)
        return 1;
    if (r == 0) {
        listener_builder_end(s->shared->builder, s->type->protocol, looking->parts, VISIBILITY_OK, 0);
        return 0;
    }
    if (r != ERR_UNSUPPORTED && looking->attempt++ < ATTEMPTS) { /* once more, on a fresh socket */
        forget(s);
        begin_look(s, looking, LOOK_FIRST);
        return 1;
    }
    return give_up(s, looking, r, budget_now_ms(budget));
}

static int begin_listeners(struct source *s, int64_t now_ms)
{
    struct listeners *l = s->state;

    listener_builder_begin(s->shared->builder, s->type->protocol, PART_ALL);
    return start_looking(s, &l->all, PART_ALL, now_ms);
}

static int step_listeners(struct source *s, const struct budget *budget)
{
    struct listeners *l = s->state;

    return step_looking(s, &l->all, budget);
}

/* Lets the expected ports begin anew: what a look at all that is under way has of
 * them is taken back, because it will not be over in time. */
static void begin_quickly(struct source *s)
{
    struct listeners *l = s->state;

    if (s->is_under_way && l->all.parts == PART_ALL)
        listener_builder_drop(s->shared->builder, s->type->protocol, PART_EXPECTED);
    else
        listener_builder_begin(s->shared->builder, s->type->protocol, PART_EXPECTED);
    l->all.parts = PART_OTHERS;
}

void listener_source_look_quickly(struct source *s, const struct budget *endless)
{
    struct listeners *l = s->state;
    int r = 1;

    begin_quickly(s);
    l->range_count =
        policy_expected_ranges(s->shared->policy, s->type->protocol, l->ranges, INET_DIAG_RANGES_MAX);
    if (l->range_count == 0) {
        listener_builder_end(s->shared->builder, s->type->protocol, PART_EXPECTED, VISIBILITY_OK, 0);
        return;
    }
    if (start_looking(s, &l->quick, PART_EXPECTED, budget_now_ms(endless)) < 0)
        return; /* which the class tells */
    while (r > 0)
        r = step_looking(s, &l->quick, endless);
}

const struct source_ops listener_source = {
    .open = open_listeners,
    .close = close_listeners,
    .begin = begin_listeners,
    .step = step_listeners,
};
