/* What was before: how often each service was restarted and what it has
 * dropped, over the replacement of its sockets and while it is away.
 *
 * It is fed the listeners of each poll that found something new, and gives
 * them the totals. Nobody else keeps anything from poll to poll. Services that
 * have gone are remembered up to a limit, those that went first are forgotten
 * first. One thread at a time. */
#ifndef SOCKWATCH_CORE_HISTORY_H
#define SOCKWATCH_CORE_HISTORY_H

#include "core/listener.h"
#include "core/policy.h"

struct history;

/* Returns owned, or NULL when memory runs out. */
struct history *history_new(void);
void history_free(struct history *h);

/* Follows every service on from when it was last seen.
 *
 * listeners   sorted as listener_key_compare() sorts, each once; their drops and
 *             restarts are filled in
 * limit       services remembered that have gone; of those on a port that the
 *             policy expects HISTORY_EXPECTED_MAX are remembered besides
 *
 * Returns 0, or -ENOMEM: nothing is changed then. */
int history_follow(struct history *h, struct listener *listeners, size_t count, size_t limit,
                   const struct policy *policy);

enum { HISTORY_EXPECTED_MAX = 4096 };

/* How many were forgotten so far because of the limit. */
uint64_t history_forgotten(const struct history *h);

/* Where a walk over what is remembered is; begins as {0}. */
struct history_cursor {
    size_t next;
};

/* Whether a service is remembered. The walk must ask in the order of keys. */
bool history_remembers(const struct history *h, struct history_cursor *cursor, const struct listener *l);

#endif
