/* The alert state machine: findings of consecutive verdicts become alerts, which
 * are pending, then fire, and end.
 *
 * Time is passed in. A condition about a class of sockets that was not seen
 * keeps its alert exactly as it is: nothing fires and nothing resolves in the
 * dark. Where one condition of a service gives way to another, that one takes
 * over (core/hand_over.h). One thread; the lists that are sealed from it are
 * anybody's. */
#ifndef SOCKWATCH_CORE_ALERTS_H
#define SOCKWATCH_CORE_ALERTS_H

#include "core/alert.h"
#include "core/hand_over.h"

struct subscribers;

struct alerts {
    struct alert *items; /* owned; by key */
    size_t count, capacity;
    struct ended_list ended;  /* series that were 1 lately */
    struct hand_over waiting; /* conditions that have ended and may still be taken over from */
    int64_t due_ms;           /* CLOCK_MONOTONIC; when the next of them may fire, INT64_MAX for never */
    uint64_t changes;         /* how often any of it changed */
    size_t limit;             /* of those about listeners that no entry is about; 0 for none */
    size_t about_listeners;   /* so many there are */
    uint64_t dropped;         /* how often one could not begin for lack of room */
    /* How many began to fire. One that took over from an alert that fired counts:
     * an alert of its rule did not fire before. One whose severity changes does not. */
    uint64_t fired[RULE_COUNT][SEVERITY_COUNT];
};

/* Returns the alert with the key, valid until the next update, or NULL. */
const struct alert *alerts_find(const struct alerts *alerts, const struct alert_key *key);

/* Applies a verdict.
 *
 * alerts       zero-initialised before the first call
 * ignore_for   conditions fire at once
 * to           who is told of transitions; may be NULL
 *
 * Returns 0, or -ENOMEM: nothing is changed then, nobody was told, and the
 * alerts are due at once. */
int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now, bool ignore_for,
                  const struct subscribers *to);

/* Whether the same verdict would change something now. */
bool alerts_are_due(const struct alerts *alerts, struct instant now);

/* Resolves the alerts that a new policy cannot produce any more, also those
 * about classes that are not seen. Those about expected services end with the
 * next verdict, whatever it sees: another condition may take over. */
void alerts_forget(struct alerts *alerts, const struct policy *policy, struct instant now,
                   const struct subscribers *to);

/* Returns owned (a reference), or NULL when memory runs out. */
const struct alert_list *alerts_seal(const struct alerts *alerts);

void alerts_done(struct alerts *alerts);

#endif
