/* From one poll to the next: whether a service still has the sockets it had,
 * and what all its sockets have dropped so far. Pure; any thread.
 *
 * A socket is known by its cookie. One that went and comes back with the same
 * cookie is the same: a UDP socket that was connected for a while, a TCP one
 * that stopped listening. It is no new one, and only what it dropped since is
 * added, as long as it is remembered.
 *
 * A socket is replaced when it goes and a new one comes in its place, in
 * whichever order. So each new socket stands for one that went before, which
 * nobody stood for; where there is none it is a spare one, and stands for the
 * next that goes, if that one came earlier. Hence
 *
 *   1 | 2           1 2 | 2 | 2 3           1 | 1 2 | 2
 *
 * are one restart each, and none are one that only joins ("1 | 1 2"), one that
 * only goes ("1 2 | 2"), and the newest that goes again ("1 | 1 2 | 1"). An old
 * one that goes from a group that grew is taken for replaced: nothing tells it
 * from a server that starts the next before it stops the last.
 *
 * Each poll that sees at least one socket replaced is one restart. A group of
 * k that is replaced one by one is restarted k times, and all at once once,
 * whether the new come before the old go or after. There are never more
 * restarts than sockets that went, nor than new ones that came. */
#ifndef SOCKWATCH_CORE_GENERATION_H
#define SOCKWATCH_CORE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many ages of sockets are told apart in a service; beyond, the oldest count
 * as one. */
enum { GENERATION_AGES = 256 };

/* What is remembered of a socket. */
struct trace {
    uint64_t cookie;
    struct {
        bool known;
        uint32_t count; /* since the socket was made; wraps */
    } drops;
    uint32_t left; /* the poll that missed it, as generation.polls counts; of those that went */
    uint8_t age;   /* the higher, the later it came; equal of those that came together */
    bool spare;    /* it came while nobody had gone, and stands for nobody yet */
};

/* A service as it was seen last, and what was counted up to then. */
struct generation {
    struct trace *sockets; /* borrowed; by cookie */
    uint32_t count;
    struct trace *departed; /* borrowed; sockets that went and are remembered, by cookie */
    uint32_t departed_count;
    uint32_t polls; /* that had it; wraps */
    uint32_t ages;  /* that were given out */
    uint32_t owed;  /* sockets that went without having been replaced */
    uint64_t drops;
    uint64_t restarts;
    bool renewed; /* none of its sockets was there before */
    bool in_part; /* there are more sockets, which are not followed: who came or went cannot be told */
};

/* Takes the counts on from the service as it was before.
 *
 * now      its sockets' cookies and drops are filled in, and departed points to
 *          room for all that before has of both; the rest is computed
 * before   as it was when it was last seen, however long ago; NULL: never */
void generation_follow(struct generation *now, const struct generation *before);

/* Forgets of the sockets that went those that went first, but for so many. */
void generation_forget(struct generation *g, uint32_t keep);

#endif
