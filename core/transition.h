/* What alerts become, told to whoever wants to know: the log, a journal, a
 * push. A subscriber borrows the transition for the time of the call; one that
 * may block has a thread of its own behind a bounded queue. One thread. */
#ifndef SOCKWATCH_CORE_TRANSITION_H
#define SOCKWATCH_CORE_TRANSITION_H

#include "core/alert.h"

/* One change of one alert's state. */
struct transition {
    const struct alert *alert; /* as it is from now on */
    enum alert_state before;   /* ALERT_RESOLVED for one that is new */
    struct instant at;
    const struct alert_key *from; /* the condition that gave way to it; NULL for none */
    bool is_handed_over;          /* it resolved, and is the from of another transition of this moment */
    struct alert_labels labels;   /* filled by subscribers_tell() */
};

typedef void transition_fn(void *arg, const struct transition *t);

struct subscriber {
    transition_fn *fn;
    void *arg;
};

/* A list of them; begins as {0}. */
struct subscribers {
    struct subscriber items[4];
    size_t count;
};

/* There must be room. */
void subscribers_add(struct subscribers *list, transition_fn *fn, void *arg);

/* Tells all of them, in the order in which they were added. list may be NULL. */
void subscribers_tell(const struct subscribers *list, const struct transition *t);

#endif
