/* The hand-over between the conditions of one service: where one gives way to
 * another that is at least as severe, the service has been wrong all the time.
 * What takes its place takes over how long it has lasted and whether it fired,
 * so that a service that gets worse never shows a moment without an alert.
 *
 * A service is its name, protocol and port. All its conditions that are true
 * when one ends take over from it, those that begin and those that were there
 * beside it. Where it cannot be told yet whether another one is true, as while
 * the owner of a new socket is looked for, what ended waits a little: nothing
 * fires for it meanwhile, and if that one turns out to be true it takes over. One
 * that is pending and cannot be told any more lends its time to those that are
 * true: it may never fire. Pure; one thread. */
#ifndef SOCKWATCH_CORE_HAND_OVER_H
#define SOCKWATCH_CORE_HAND_OVER_H

#include "core/alert.h"

/* An owner is looked for within so long, or Blind says that it is not. */
#define HAND_OVER_WAIT_MS INT64_C(10000)

/* What a condition leaves when it ends, or lends. */
struct legacy {
    struct alert_key key;
    enum severity severity;
    bool fired;
    struct instant since;
    int64_t ended_ms; /* CLOCK_MONOTONIC */
    size_t alert;     /* index of its alert, if that ends now */
    bool is_lent;     /* it has not ended: only its time is taken over */
    bool waited;      /* it ended before */
    uint32_t awaited; /* mask of 1 << rule: those that could not be told since */
    uint32_t untold;  /* likewise: those that cannot be told now */
    bool taken;
};

/* What ends now, waits or lends. */
struct hand_over {
    struct legacy *items; /* owned; in the order of services once sorted */
    size_t count;
};

/* What a condition takes over. */
struct estate {
    bool any;
    const struct legacy *from; /* the one to be named; NULL where its time is only lent */
    struct instant since;
    bool fired;
};

/* Whether the condition is one of a service's that hand over. Blind is about no
 * service, and what is counted within a window of time is not about how it is
 * now. */
bool hand_over_concerns(const struct alert_key *key);

/* Puts a legacy into the list, which has room for it. */
void hand_over_add(struct hand_over *h, const struct legacy *legacy);

/* Sorts the list, once all are there. */
void hand_over_sort(struct hand_over *h);

/* What the condition of a finding takes over, which is marked as taken; or, where
 * the finding cannot tell, notes that.
 *
 * Returns a value that borrows from the list. */
struct estate hand_over_take(struct hand_over *h, const struct finding *finding);

/* Leaves only what waits, after all findings had their turn. */
void hand_over_end(struct hand_over *h, int64_t now_ms);

void hand_over_done(struct hand_over *h);

#endif
