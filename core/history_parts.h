/* Inside of the history: its next state while it is made, which either becomes
 * the history as a whole or is thrown away. Only core/history*.c include this. */
#ifndef SOCKWATCH_CORE_HISTORY_PARTS_H
#define SOCKWATCH_CORE_HISTORY_PARTS_H

#include "core/generation.h"
#include "core/history.h"

/* What is new of a service since the last feed that was judged. */
struct fresh {
    bool renewed;
    uint32_t drops;
};

/* A service, present or not. */
struct record {
    struct listener_key key;
    struct generation generation;
    uint64_t seen; /* number of the last feed that had it */
    bool expected;
    bool there; /* it was, when its class was last read to the end */
    struct {
        bool now; /* its queue, when it was last seen */
        uint64_t from_ms, ms;
    } full;
    struct fresh fresh;
};

/* The next state of a history, while it is made. */
struct draft {
    struct record *records;
    size_t count;
    struct trace *traces;
    size_t trace_count;
    uint64_t feed;
    uint64_t forgotten; /* now, because of the limit */
    bool settled;
    const uint64_t *watched_ms; /* borrowed; by class */
    struct turnover_look looks[PROTOCOL_COUNT];
    struct turnover turnover[PROTOCOL_COUNT];
};

/* Forgets what is too much: services that have gone, and sockets that went.
 *
 * limit   of the services that are not expected
 *
 * Returns 0 or -ENOMEM. */
int history_forget(struct draft *d, size_t limit);

#endif
