/* What was before: how often each service was restarted, what it has dropped and
 * how long its accept queue was full, over the replacement of its sockets and
 * while it is away; and how many services came and went.
 *
 * It is fed the listeners of each poll that found something new, and gives
 * them the totals. Of a poll that found nothing new it only hears that time has
 * passed. Nobody else keeps anything from poll to poll. Services that
 * have gone are remembered up to a limit, those that went first are forgotten
 * first; and so are sockets that went of a service, since one that comes back is
 * the same (core/generation.h). One thread at a time. */
#ifndef SOCKWATCH_CORE_HISTORY_H
#define SOCKWATCH_CORE_HISTORY_H

#include "core/inventory.h"
#include "core/policy.h"
#include "core/turnover.h"

struct history;

/* Returns owned, or NULL when memory runs out. */
struct history *history_new(void);
void history_free(struct history *h);

/* What is remembered at most that no limit of the configuration says: services
 * that have gone from a port that the policy expects, and sockets that went, for
 * each service that may be remembered. Where they are too many in all, each
 * service keeps an equal share of them, and what others leave. */
enum { HISTORY_EXPECTED_MAX = 4096, HISTORY_DEPARTED = 2 };

/* What to remember. */
struct history_rules {
    size_t services;             /* that have gone, on ports that are not expected */
    size_t members;              /* of a service that is there, of the sockets that went */
    const struct policy *policy; /* borrowed for the call */
};

/* Follows every service that is chosen on from when it was last seen.
 *
 * inv   each service once; the drops and restarts of those that are chosen, how
 *       long their queues were full and what has changed are filled in
 *
 * Returns 0, or -ENOMEM: nothing is changed then. */
int history_follow(struct history *h, const struct inventory *inv, const struct history_rules *rules);

/* What has changed up to now is nothing new any more: it was judged. Until then
 * it is told again. */
void history_settle(struct history *h);

/* Lets time pass from one poll to the next, which is fed afterwards if it found
 * anything new: what was full at the poll before was full up to this one.
 *
 * seen   the classes that this poll could read; those of others stand still */
void history_pass(struct history *h, const bool seen[static PROTOCOL_COUNT], uint64_t ms);

/* How long listeners of the class were watched, in the time that has passed. */
uint64_t history_watched_ms(const struct history *h, enum protocol protocol);

/* How many services of the class were seen coming and going. */
const struct turnover *history_turnover(const struct history *h, enum protocol protocol);

/* How many services and sockets were forgotten so far because there were too
 * many in all. */
uint64_t history_forgotten(const struct history *h);

/* Where a walk over what is remembered is; begins as {0}. */
struct history_cursor {
    size_t next;
};

/* Whether a service is remembered. The walk must ask in the order of keys. */
bool history_remembers(const struct history *h, struct history_cursor *cursor, const struct listener *l);

#endif
