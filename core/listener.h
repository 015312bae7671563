/* A listener: one service, which is one socket or several that share an
 * address. Plain data, const in the table that owns it; any thread. */
#ifndef SOCKWATCH_CORE_LISTENER_H
#define SOCKWATCH_CORE_LISTENER_H

#include "core/net.h"
#include "core/owner.h"
#include "core/services.h"
#include "core/unix_path.h"

/* Whether the host has the address that a socket is bound to, or at its path the file
 * that it made. */
enum presence {
    PRESENCE_UNKNOWN, /* not asked (a wildcard, loopback, an abstract name), or it cannot be told */
    PRESENCE_PRESENT,
    PRESENCE_ABSENT, /* nobody reaches the socket now, but the address may come */
};

/* One socket of a service. */
struct member {
    uint64_t cookie;
    const struct owner_set *owners; /* a reference, or NULL: nobody looks */
    uint64_t cgroup_id;             /* where it was made (cgroup2); 0 unknown */
    uint32_t inode;                 /* 0: no process can have it open, or unknown */
    uint32_t uid;
    struct {
        bool known;
        uint32_t count; /* since the socket was made; wraps */
    } drops;
};

/* Of connections to be accepted by one socket. */
struct queue {
    uint32_t length;
    uint32_t limit;
};

/* How full it is: 1 when there is room for no more. It holds limit + 1
 * connections, so a limit of 0 is no division by 0. */
double queue_saturation(struct queue q);

/* Whether there is room for no more. */
bool queue_is_full(struct queue q);

/* The fuller one, and of two that are equally full the longer one. */
struct queue queue_fuller(struct queue a, struct queue b);

/* How the sockets of one service came to share its address. */
enum sharing {
    SHARING_NONE,     /* there is one socket */
    SHARING_ONE_USER, /* all are of one user, as SO_REUSEPORT demands */
    SHARING_USERS,    /* of several, which only UDP's SO_REUSEADDR allows */
};

/* One service: all sockets with the same protocol, family, address, port and
 * interface. There may be a great many of them, so it is kept small. */
struct listener {
    enum protocol protocol : 8;
    enum family family : 8;
    enum scope scope : 8;
    enum presence presence : 8; /* of the address */
    struct ip_addr address;     /* unmapped; "::" for dual; of a unix socket see core/unix_path.h */
    bool uid_known;             /* all sockets have the same owner */
    bool auto_port;             /* the kernel chose the port, for all of the sockets */
    bool choice_untold;         /* who chose it cannot be told; the kernel is not assumed to */
    bool chosen;                /* it is among those that are shown one by one */
    bool renewed;               /* since the last poll that was judged: none of its sockets was there then */
    uint16_t port;
    uint32_t ifindex;
    uint32_t uid; /* if uid_known */
    uint32_t sockets;
    uint32_t followed;            /* how many of them are told one by one */
    uint32_t index;               /* its place among all that were judged */
    const struct member *members; /* those that are followed; by cookie */
    const char *interface;        /* "" for none; as long as the table */
    const char *path;             /* if it is a unix socket, as unix_path_format() writes it; as interface */
    const char *service_name;     /* "" when nobody knows one; as long as the services */
    struct {                      /* of connections to be accepted */
        bool known;
        uint64_t length; /* summed over the sockets, as the limit */
        uint64_t limit;
        struct queue fullest; /* that of one socket */
        uint64_t full_ms;     /* how long the fullest was full before, as far as history knows */
        uint64_t
            full_from_ms; /* what the clock of history_pass() said then: if it is full, it has been since */
    } queue;
    struct {
        bool known;
        uint64_t bytes; /* summed over the sockets */
    } receive_queue;
    struct {
        bool known;
        uint32_t fresh; /* of these, since the last poll that was judged; stays at its highest value */
        uint64_t count; /* of these sockets and those before them, as far as history knows */
    } drops;
    uint64_t restarts; /* how often sockets were replaced by new ones, likewise */
};

/* What makes sockets one service. */
struct listener_key {
    enum protocol protocol;
    uint16_t port;
    enum family family;
    struct ip_addr address;
    uint32_t ifindex;
    bool client; /* see listener_is_client() */
};

/* Whether it is no service but a client's, mostly: a datagram socket on a port
 * that the kernel chose. Where a program waits for connections, it serves them,
 * whoever chose the port. */
bool listener_is_client(const struct listener *l);

struct listener_key listener_key_of(const struct listener *l);

/* By protocol, port, family, address and interface. */
int listener_key_compare(const struct listener_key *a, const struct listener_key *b);

enum sharing listener_sharing(const struct listener *l);

/* Whose it is, where shares are given out: one of several users is nobody's,
 * UINT32_MAX. */
uint32_t listener_user(const struct listener *l);

/* As owner_next_name(), over all sockets of a service. */
const char *listener_next_name(const struct listener *l, enum owner_name which, const char *previous);

/* Writes the first three, comma-separated, or the first of them that fit whole
 * into 256 bytes, and whether there are others. */
void listener_names(const struct listener *l, enum owner_name which, struct buf *out);

/* Room for the processes that hold a listener, to be used again for the next;
 * begins as {0}. */
struct holder_list {
    const struct holder **items; /* owned; each borrowed from the listener */
    size_t count, capacity;
};

/* Fills the list with the processes that hold any of its sockets, each once, by
 * PID. Returns 0 or -ENOMEM. */
int listener_holders(const struct listener *l, struct holder_list *list);

/* Whether a limit cut the holders of any of its sockets. */
bool listener_holders_are_cut(const struct listener *l);

/* How many processes hold it besides those that are listed: exactly where each
 * of them has the same sockets, as those that a server forks, or that share one
 * table of descriptors; otherwise at least.
 *
 * list   filled by listener_holders() */
uint64_t listener_holders_unlisted(const struct listener *l, const struct holder_list *list);
void holder_list_done(struct holder_list *list);

/* Whether it has sockets of which nobody knows whose they are: of those that are
 * not followed it is only told where they are all of one user. */
bool listener_has_strangers(const struct listener *l);

/* Of holders one who uses the listener rather than only keeps it for others. NULL
 * where nobody is known. */
const struct holder *holder_list_first(const struct holder_list *list);

/* The worst of what was found out about the owners of its sockets. */
enum sight listener_sight(const struct listener *l);

/* Whether a port class means anything for the listener (a raw one has none). */
bool listener_has_port_class(const struct listener *l);

/* Room for the text of any place. */
#define LISTENER_PLACE_MAX UNIX_PATH_TEXT_MAX

/* Where it listens: as endpoint_format() writes it, the path of a unix socket, or
 * "0x0806%eth0" of a packet socket. */
void listener_place(const struct listener *l, char ret_text[static LISTENER_PLACE_MAX]);

#endif
