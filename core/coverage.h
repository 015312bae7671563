/* Which listeners the entries of a policy leave open: those that would be
 * unexpected if the policy minded such. Pure; any thread. */
#ifndef SOCKWATCH_CORE_COVERAGE_H
#define SOCKWATCH_CORE_COVERAGE_H

#include "core/listener_table.h"
#include "core/own.h"
#include "core/policy.h"

/* Finds the listeners that no expect or allow entry is about, and no deny entry
 * either. One of which that hangs on an owner who cannot be seen is not among
 * them: it is the matter of the entry that asks for the owner.
 *
 * own           sockwatch's own sockets, which no entry need be about; borrowed
 * ret_listeners returns owned, for free(): they themselves are the table's, in its order
 *
 * Returns 0, or -ENOMEM. */
int coverage_find_open(const struct listener_table *table, const struct policy *policy,
                       const struct own_sockets *own, const struct listener ***ret_listeners,
                       size_t *ret_count);

#endif
