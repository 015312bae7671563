/* The keys of expect, allow and deny entries and of the groups unexpected and ephemeral: how each is
 * read from its text and printed, in tables that end with a nameless key. What
 * entries contradict, entry_checks.h says. Pure, const; any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_KEYS_H
#define SOCKWATCH_CONFIG_ENTRY_KEYS_H

#include "config/schema.h"

extern const struct schema_key entry_keys_expect[];     /* of a struct expect */
extern const struct schema_key entry_keys_allow[];      /* of a struct allow */
extern const struct schema_key entry_keys_deny[];       /* of a struct deny */
extern const struct schema_key entry_keys_unexpected[]; /* of a struct unexpected */
extern const struct schema_key entry_keys_ephemeral[];  /* of a struct ephemeral_limit */

#endif
