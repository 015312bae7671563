/* All listeners that one look at the kernel found, before any limit cuts them:
 * what rules and totals see. It is borrowed from whoever has looked, and lasts
 * until the next look; only its owner changes it, and history (core/history.h),
 * which tells what was before. */
#ifndef SOCKWATCH_CORE_INVENTORY_H
#define SOCKWATCH_CORE_INVENTORY_H

#include "core/listener.h"

/* Whether a class of sockets (a protocol) could be read. */
enum visibility {
    VISIBILITY_UNKNOWN,     /* not asked yet */
    VISIBILITY_OK,          /* read to the end */
    VISIBILITY_ABSENT,      /* the kernel does not have the protocol at all */
    VISIBILITY_UNSUPPORTED, /* it may have sockets, but no handler lists them */
    VISIBILITY_FAILED,      /* asking failed, see error */
};

struct class_view {
    enum visibility visibility; /* of the sockets on expected ports, at least */
    int error;                  /* why, when VISIBILITY_FAILED */
    enum visibility others;     /* of those on other ports, which may take longer */
    int others_error;
    uint64_t unread;   /* sockets that there was no room for: no rule has seen them */
    uint64_t unlisted; /* sockets that no rule is about and nobody wants to see: only their number is known */
};

/* Those of one class on expected ports, or on others. */
struct inventory_part {
    struct listener *listeners; /* by key */
    size_t count;
    struct member *members; /* of all of them, one after the other */
};

/* How many there are, whatever limits cut. */
struct listener_totals {
    bool known[PROTOCOL_COUNT];
    uint64_t scopes[PROTOCOL_COUNT][SCOPE_COUNT];
    uint64_t owner_unseen[PROTOCOL_COUNT]; /* it cannot be seen which process holds them */
};

/* Expected ports first. */
enum { INVENTORY_PARTS = 2 };

struct inventory {
    struct inventory_part parts[PROTOCOL_COUNT][INVENTORY_PARTS]; /* no port is in both of a class */
    size_t total;
    struct class_view classes[PROTOCOL_COUNT];
    bool behind[PROTOCOL_COUNT];          /* the look at other ports goes on; they are as shown before */
    const struct listener_totals *before; /* of these, as told before; borrowed, may be NULL */
};

/* Numbers all listeners, in their order. */
void inventory_number(struct inventory *inv);

/* Returns the first listener of a port and, in *ret_count, how many follow it
 * on the same port (itself included); NULL and 0 when there is none. */
const struct listener *inventory_port(const struct inventory *inv, enum protocol protocol, uint16_t port,
                                      size_t *ret_count);

/* Names the services of those that are chosen. */
void inventory_name(struct inventory *inv, const struct services *services);

/* Behind the last listener of a part that is on the port of the one at first. */
size_t inventory_port_end(const struct inventory_part *part, size_t first);

/* Where a walk over all listeners is; begins as {0}. */
struct inventory_cursor {
    size_t protocol, next[INVENTORY_PARTS];
};

/* The next listener, in the order of keys. Returns NULL after the last. */
struct listener *inventory_next(const struct inventory *inv, struct inventory_cursor *cursor);

/* Likewise of those that are chosen. */
struct listener *inventory_next_chosen(const struct inventory *inv, struct inventory_cursor *cursor);

/* Those of a class that is behind are told as before. */
void inventory_count(const struct inventory *inv, struct listener_totals *ret);

#endif
