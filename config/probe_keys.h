/* The keys of an expect entry's probe, and what contradicts among them and with other
 * entries. Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_PROBE_KEYS_H
#define SOCKWATCH_CONFIG_PROBE_KEYS_H

#include "config/schema.h"
#include "core/policy.h"

extern const struct schema_key probe_keys[]; /* of a struct probe_order */

/* Reports what contradicts in the expect entries of a policy, which need not be
 * sealed. Returns 0 or -ENOMEM. */
int probe_keys_check(const struct policy *policy, const struct schema_reporter *to);

#endif
