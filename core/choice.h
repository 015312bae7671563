/* Which listeners are shown one by one where there are more of them than the
 * limits allow.
 *
 * Whoever makes many sockets must not hide those of others: each user gets an
 * equal share, and what a user leaves of it goes to the others. Within a share
 * what was shown before stays, then come expected ports, of these what is bound to
 * all addresses, then what is bound beyond loopback. Of each expected port one is shown before all shares. Pure. */
#ifndef SOCKWATCH_CORE_CHOICE_H
#define SOCKWATCH_CORE_CHOICE_H

#include "core/history.h"
#include "core/inventory.h"
#include "core/limits.h"
#include "core/policy.h"

/* Marks the listeners that are chosen.
 *
 * history   who was shown before; may be NULL
 *
 * Returns 0, or -ENOMEM: none is marked then. */
int choice_make(struct inventory *inv, const struct policy *policy, const struct limits *limits,
                const struct history *history);

#endif
