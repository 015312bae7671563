/* What was told before of sockets that are being looked at for a long time: until
 * that is over they stay as they were shown. One thread. */
#ifndef SOCKWATCH_COLLECTORS_TOLD_H
#define SOCKWATCH_COLLECTORS_TOLD_H

#include "core/listener_table.h"
#include "core/policy.h"

/* Begins as {0}. */
struct told {
    const struct listener_table *table; /* a reference */
    struct listener *listeners;         /* owned; of all classes that are behind */
    struct member *members;             /* owned; theirs */
};

void told_done(struct told *t);

/* Puts what a table shows in place of what an inventory does not have yet: but
 * for expected ports, which it has, unless it has nothing of the class.
 *
 * previous   keeps a reference; NULL: nothing was shown yet, which the class tells
 *
 * Returns 0 or -ENOMEM. The inventory lasts until this is done again. */
int told_keep(struct told *t, struct inventory *inv, const struct listener_table *previous,
              const struct policy *policy);

#endif
