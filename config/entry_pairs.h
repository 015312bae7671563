/* Which expect entries are about the same port in a way that nothing could tell
 * apart: they have the same name, or the same address (or both none). Found by
 * sorting, so the entries may be many; a configuration without such entries has
 * no pairs at all. Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_PAIRS_H
#define SOCKWATCH_CONFIG_ENTRY_PAIRS_H

#include "core/policy.h"

/* Two entries by their index. */
struct entry_pair {
    uint32_t later, earlier;
};

/* How many are looked at, of names and of addresses each; far more than anybody
 * reads. Where there are more, some of them are found. */
enum { ENTRY_PAIRS_MAX = 1 << 16 };

/* Finds the pairs among the expect entries of a policy, which need not be sealed.
 *
 * ret_pairs   returns owned, for free(): each once, by the later entry and then
 *             by the earlier; may be NULL when there are none
 *
 * Returns 0 or -ENOMEM. */
int entry_pairs_find(const struct policy *policy, struct entry_pair **ret_pairs, size_t *ret_count);

#endif
