/* What the rules say to a table, for tests of what reads verdicts. */
#ifndef SOCKWATCH_TESTS_UNIT_JUDGED_H
#define SOCKWATCH_TESTS_UNIT_JUDGED_H

#include "core/rules.h"
#include "core/snapshot.h"

/* Judges listeners alone. */
static inline const struct verdict *judge_inventory(const struct inventory *inv, const struct policy *policy,
                                                    const struct own_sockets *own,
                                                    const struct judge_bounds *bounds)
{
    const struct observed observed = {.inventory = inv, .own = own};

    return rules_judge(&observed, policy, bounds);
}

/* Judges all that is in the tables of a space. */
static inline const struct verdict *judge_space(const struct space *space, const struct policy *policy,
                                                const struct own_sockets *own)
{
    struct inventory inv;
    const struct observed observed = {.inventory = &inv, .own = own, .connections = space->connections};

    listener_table_inventory(space->listeners, &inv);
    return rules_judge(&observed, policy, NULL);
}

#endif
