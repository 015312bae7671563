/* The keys of an expect entry that say how many connections the service may have, in
 * a table that ends with a nameless key, and what contradicts in them. Pure, const;
 * any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_CONNECTIONS_H
#define SOCKWATCH_CONFIG_ENTRY_CONNECTIONS_H

#include "config/schema.h"
#include "core/policy.h"

extern const struct schema_key entry_connections_keys[]; /* of a struct expect, which includes them */

/* Reports what contradicts in an entry, by its index. */
void entry_connections_check(const struct expect *e, size_t index, const struct schema_reporter *to);

#endif
