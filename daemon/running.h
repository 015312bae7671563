/* Asks the daemon that runs on this host for what only it knows: which sockets are
 * its own, how often a listener was restarted and since when a service is missing,
 * which one look at the kernel does not tell. Whoever may be somebody else is not asked. Blocks. */
#ifndef SOCKWATCH_DAEMON_RUNNING_H
#define SOCKWATCH_DAEMON_RUNNING_H

#include "config/config.h"
#include "exporters/view.h"

/* Finds the sockets that are sockwatch's own: those at one of web.listen's
 * addresses that are the service's, or root's, the caller's or of a user named
 * sockwatch and say that they are.
 *
 * ret   filled on success only; its cookies are owned, for free()
 *
 * Returns 0 or -ENOMEM. */
int running_own(const struct config *config, const struct inventory *inv, struct own_sockets *ret);

/* What the daemon knows and one look does not; begins as {0}. */
struct running_answer {
    uint64_t *restarts; /* owned; of each listener of the table, VIEW_UNKNOWN where it does not know it */
    int64_t *since_ms;  /* owned; of each service of the verdict: since when it is missing or wrong, by the
                           wall clock, or VIEW_SINCE_UNKNOWN */
};

/* Asks for it, for a second at most.
 *
 * verdict   about the table, by the policy: only listeners that are sockwatch's own
 *           are asked
 * ret       for running_answer_done(); a part is NULL when no daemon answers, what it
 *           says makes no sense, or memory runs out */
void running_ask(const struct listener_table *table, const struct policy *policy,
                 const struct verdict *verdict, struct running_answer *ret);
void running_answer_done(struct running_answer *answer);

#endif
