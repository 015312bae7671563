/* The alert state machine: findings of consecutive verdicts become alerts that
 * are pending until the condition has held for its "for", then firing, then
 * resolved.
 *
 * Time is passed in. A condition about a class of sockets that was not seen
 * keeps its alert exactly as it is: nothing fires and nothing resolves in the
 * dark. Main thread only. */
#ifndef SOCKWATCH_CORE_ALERT_H
#define SOCKWATCH_CORE_ALERT_H

#include "core/rules.h"

enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };

struct alert {
    struct alert_key key;
    enum severity severity;
    enum alert_state state; /* pending or firing; resolved only in a transition */
    struct instant since;   /* when the condition became true */
    char summary[SUMMARY_MAX];
};

struct alerts {
    struct alert *items; /* owned */
    size_t count, capacity;
};

/* Called once for each transition. was_firing tells, for a resolved alert,
 * whether it had fired or only been pending. alert is borrowed. */
typedef void alert_transition_fn(void *arg, const struct alert *alert, bool was_firing);

const char *alert_state_name(enum alert_state state);

/* Applies a verdict.
 *
 * alerts   zero-initialised before the first call
 *
 * Returns 0, or -ENOMEM: what did not fit is then found again next time. */
int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now,
                  alert_transition_fn *on_transition, void *arg);

/* Resolves the alerts that a new policy cannot produce any more, also those
 * about classes that are not seen. */
void alerts_forget(struct alerts *alerts, const struct policy *policy, alert_transition_fn *on_transition,
                   void *arg);

void alerts_done(struct alerts *alerts);

#endif
