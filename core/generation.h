/* From one poll to the next: whether a service still has the sockets it had,
 * and what all its sockets have dropped so far. Pure; any thread.
 *
 * A socket is known by its cookie. A service is restarted when a new socket
 * comes in the place of one that went, be it in the same poll or later; a
 * socket that merely joins, or goes, is no restart. */
#ifndef SOCKWATCH_CORE_GENERATION_H
#define SOCKWATCH_CORE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is remembered of a socket. */
struct trace {
    uint64_t cookie;
    struct {
        bool known;
        uint32_t count; /* since the socket was made; wraps */
    } drops;
};

/* A service as it was seen last, and what was counted up to then. */
struct generation {
    const struct trace *sockets; /* borrowed; by cookie */
    uint32_t count;
    uint32_t owed; /* sockets that went without having been replaced */
    uint64_t drops;
    uint64_t restarts;
    bool in_part; /* there are more sockets, which are not followed: who came or went cannot be told */
};

/* Takes the counts on from the service as it was before.
 *
 * now      its sockets are filled in, the rest is computed
 * before   as it was when it was last seen, however long ago; NULL: never */
void generation_follow(struct generation *now, const struct generation *before);

#endif
