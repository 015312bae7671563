/* The listeners of one look at the kernel.
 *
 * A collector adds rows, one a socket, to a listener_builder. Sealing removes
 * duplicates by cookie (a kernel dump that was resumed may repeat a socket),
 * joins the sockets that share an address (SO_REUSEPORT) into one service,
 * lets history tell what was before, and yields a const listener_table that
 * owns all it refers to; any thread may read it. A builder is used again for
 * the next look, remembers the rows of the last one, and is one thread's. */
#ifndef SOCKWATCH_CORE_LISTENER_TABLE_H
#define SOCKWATCH_CORE_LISTENER_TABLE_H

#include "core/history.h"
#include "core/listener.h"
#include "core/policy.h"
#include "core/services.h"

/* Whether a class of sockets (a protocol) could be read. */
enum visibility {
    VISIBILITY_UNKNOWN,     /* not asked yet */
    VISIBILITY_OK,          /* read to the end */
    VISIBILITY_ABSENT,      /* the kernel does not have the protocol at all */
    VISIBILITY_UNSUPPORTED, /* it may have sockets, but no handler lists them */
    VISIBILITY_FAILED,      /* asking failed, see error */
};

struct class_view {
    enum visibility visibility;
    int error;    /* why, when VISIBILITY_FAILED */
    uint32_t cut; /* listeners that limits.listeners left out */
};

/* One socket as a collector saw it. */
struct listener_row {
    enum protocol protocol;
    struct ip_addr address; /* as the kernel gives it; may be IPv4-mapped */
    uint16_t port;
    uint32_t ifindex; /* interface it is bound to, 0 for none */
    char interface[INTERFACE_NAME_MAX];
    bool v6only;
    enum presence presence; /* of the address */
    uint64_t cookie;        /* unique per socket in a namespace; 0 unknown */
    uint32_t uid;           /* owner of the socket, in our user namespace */
    uint32_t inode;         /* 0: no process can have it open, or unknown */
    uint64_t cgroup_id;     /* where it was made (cgroup2); 0 unknown */
    bool auto_port;         /* the kernel chose the port */
    struct {                /* of connections to be accepted */
        bool known;
        uint32_t length;
        uint32_t limit;
    } queue;
    struct {
        bool known;
        uint32_t bytes;
    } receive_queue;
    struct {
        bool known;
        uint32_t count; /* since the socket was made; wraps */
    } drops;
    const struct owner_set *owners; /* borrowed until sealed; NULL: not looked for */
};

struct listener_table;
struct listener_builder;

/* limit    services kept at most; ports that policy expects are kept beyond it
 * policy   borrowed until the builder begins anew or is freed
 *
 * Returns owned, or NULL when memory runs out. */
struct listener_builder *listener_builder_new(size_t limit, const struct policy *policy);
void listener_builder_free(struct listener_builder *b);

/* Begins the next look; the rows so far become those of the look before. */
void listener_builder_begin(struct listener_builder *b, size_t limit, const struct policy *policy);

/* Returns 0, -ENOMEM, or ERR_LIMIT when even expected ports have more sockets
 * than a builder holds; the class must then be called failed. A row of another
 * port that does not fit is counted in the class's cut and is no error. */
int listener_builder_add(struct listener_builder *b, const struct listener_row *row);

/* Takes back all rows of a protocol, whose dump failed half-way. */
void listener_builder_drop(struct listener_builder *b, enum protocol protocol);

void listener_builder_set_class(struct listener_builder *b, enum protocol protocol,
                                enum visibility visibility, int error);

/* How many sockets of the look before are not among the rows added for the
 * protocol. They may be gone, or a resumed dump may have passed over them: only
 * a second dump can tell. One that did not read the class to its end is no look
 * before. Returns the number, -ENOENT when there was none, or -ENOMEM. */
int64_t listener_builder_missing(const struct listener_builder *b, enum protocol protocol);

/* Begins such a second dump: rows of the protocol whose cookie was added
 * before are passed over from now on. Returns 0 or -ENOMEM. */
int listener_builder_look_again(struct listener_builder *b, enum protocol protocol);

/* The rows added so far, for whoever knows more about them than their
 * collector; valid until the next one is added. */
struct listener_row *listener_builder_rows(struct listener_builder *b, enum protocol protocol,
                                           size_t *ret_count);

/* Whether rows and classes are those of the look before: a table of them would
 * be the same, unless limit, policy or owners changed. */
bool listener_builder_is_same(const struct listener_builder *b);

/* services   may be NULL: built-in names only
 * history    is fed, and tells the listeners' restarts and drops; may be NULL
 *
 * Returns owned (a reference), or NULL when memory runs out. */
const struct listener_table *listener_table_seal(struct listener_builder *b, const struct services *services,
                                                 struct history *history);
const struct listener_table *listener_table_ref(const struct listener_table *t);
void listener_table_unref(const struct listener_table *t);

/* Sorted by protocol, port, family, address and interface. Valid as long as t. */
const struct listener *listener_table_all(const struct listener_table *t, size_t *ret_count);
const struct class_view *listener_table_class(const struct listener_table *t, enum protocol protocol);

/* Returns the first listener of a port and, in *ret_count, how many follow it
 * on the same port (itself included); NULL and 0 when there is none. */
const struct listener *listener_table_port(const struct listener_table *t, enum protocol protocol,
                                           uint16_t port, size_t *ret_count);

#endif
