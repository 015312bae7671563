/* What contradicts in an expect, allow or deny entry, or with the entries before it,
 * where each key for itself is fine. Linear in the entries and their ranges, but
 * for the sorting of what entries are compared by (entry_pairs.h). Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_CHECKS_H
#define SOCKWATCH_CONFIG_ENTRY_CHECKS_H

#include "config/schema.h"

/* Ports of one expect entry: each of them has series of its own. */
enum { ENTRY_PORTS_MAX = 1024 };

/* Ranges of ports of one expect entry, once for each of its protocols and
 * addresses, by which it is compared with others. */
enum { ENTRY_CLAIMS_MAX = 1024 };

/* Allow entries without an address about one port, those with several, and deny
 * entries. */
enum { ALLOWS_OF_PORT_MAX = 100 };

/* As struct schema_key wants them: base is a struct config, whose list was read. */
int entry_checks_expects(const void *base, const struct schema_reporter *to);
int entry_checks_allows(const void *base, const struct schema_reporter *to);
int entry_checks_denies(const void *base, const struct schema_reporter *to);

#endif
