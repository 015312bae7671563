/* The sockets of one class, as one look at the kernel finds them.
 *
 * They arrive one by one, in the kernel's order, and are joined into services
 * at once: what shares an address is one. Of each service so many sockets are
 * kept one by one; the others are only counted and summed, so that a store's
 * size depends on the number of services. A socket that a resumed dump repeats
 * counts once. Finishing puts all into order; then the store can be read until
 * it begins anew. Pure; one thread.
 *
 * Whoever makes sockets chooses what is hashed here, so the hash has a secret. */
#ifndef SOCKWATCH_CORE_SOCKET_STORE_H
#define SOCKWATCH_CORE_SOCKET_STORE_H

#include "core/listener.h"

/* One socket as a collector saw it. */
struct listener_row {
    enum protocol protocol;
    struct ip_addr address; /* as the kernel gives it; may be IPv4-mapped */
    uint16_t port;
    const char *path; /* of a unix socket, which has its address and port: core/unix_path.h; borrowed */
    uint32_t ifindex; /* interface it is bound to, 0 for none */
    char interface[INTERFACE_NAME_MAX];
    bool v6only;
    enum presence presence; /* of the address */
    uint64_t cookie;        /* unique per socket in a namespace; 0 unknown */
    uint32_t uid;           /* owner of the socket, in our user namespace */
    uint32_t inode;         /* 0: no process can have it open, or unknown */
    uint64_t cgroup_id;     /* where it was made (cgroup2); 0 unknown */
    bool auto_port;         /* the kernel chose the port */
    bool choice_untold;     /* who chose it the kernel does not tell */
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

/* What is known of a service while its sockets arrive. */
struct arrival {
    uint32_t first;   /* of the service's members, number + 1 */
    uint32_t surplus; /* number + 1 of what the others come to; 0 none */
    size_t path;      /* of a unix socket, among the store's; those of a look fit into this */
};

/* What the sockets of a service come to that are not kept one by one. Each of
 * two looks sums them anew: the one that saw more of them counts. */
struct surplus {
    struct surplus_sum {
        uint32_t sockets;
        bool other_user; /* one of them is another user's than the first */
        uint64_t length, limit, bytes, drops;
        struct queue fullest;
    } looks[2];
};

/* The name of an interface that some socket is bound to; stays where it is. */
struct interface_name {
    struct interface_name *next; /* owned */
    uint32_t ifindex;
    char name[INTERFACE_NAME_MAX];
};

/* Arrays for so many are kept from look to look, however few there are. */
enum { SOCKET_STORE_SMALL = 8192 };

/* How to add sockets. */
struct socket_rules {
    uint64_t secret[2];
    uint32_t members; /* sockets of a service kept one by one at most */
    size_t services;  /* services kept at most */
};

struct socket_store {
    struct listener *listeners; /* owned */
    size_t count, capacity;
    struct member *members; /* owned */
    uint32_t *links;        /* owned; of each member the next one of its service, number + 1 */
    size_t member_count, member_capacity, link_capacity;
    struct arrival *arrivals; /* owned; of each listener */
    size_t arrival_capacity;
    struct surplus *surplus; /* owned */
    size_t surplus_count, surplus_capacity;
    uint32_t *slots; /* owned; hash by key: number of the listener + 1, or 0 */
    size_t slot_count;
    struct interface_name *interfaces; /* owned */
    size_t interface_count;
    char *paths; /* owned; one after the other, each with its NUL */
    size_t path_bytes, path_capacity;
    uint64_t *before; /* owned; cookies of the members of the look before */
    size_t before_count, before_capacity;
    uint64_t digest, digest_before;     /* of all that was added */
    uint64_t cookies, cookies_before;   /* of the cookies of all members */
    uint64_t unread, unread_before;     /* sockets of services for which there was no room */
    uint64_t unlisted, unlisted_before; /* sockets that were only counted */
    bool second_look;
    bool finished;
};

void socket_store_done(struct socket_store *s);

/* Begins the next look. The members so far become those of the look before.
 * Returns 0, or -ENOMEM: then there was no look before. */
int socket_store_begin(struct socket_store *s);

/* Forgets what was added since it began; the look before stays. */
void socket_store_drop(struct socket_store *s);

/* Returns 0 or -ENOMEM. A service that does not fit is counted in unread. */
int socket_store_add(struct socket_store *s, const struct listener_row *row,
                     const struct socket_rules *rules);

/* Counts a socket that nobody wants to know more of. */
void socket_store_count(struct socket_store *s);

/* From now on what comes is a second look at the same. */
void socket_store_look_again(struct socket_store *s);

/* How many of the members of the look before were not added. Returns the
 * number or -ENOMEM. */
int64_t socket_store_missing(struct socket_store *s);

/* Whether the same was added as in the look before, in the same order. */
bool socket_store_is_same(const struct socket_store *s);

/* Puts all into order: the listeners by key, their members by cookie. Nothing
 * may be added then. Done again, it only forgets the owners. Returns 0, or
 * -ENOMEM: it may be tried again. */
int socket_store_finish(struct socket_store *s);

/* Adds what sockets come to to their service; for core/socket_*.c only. */
void socket_store_join(struct listener *l, const struct surplus_sum *sum);

#endif
