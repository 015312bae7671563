/* What contradicts in an expect or allow entry, or with the entries before it,
 * where each key for itself is fine. Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_CHECKS_H
#define SOCKWATCH_CONFIG_ENTRY_CHECKS_H

#include "config/schema.h"

/* Ports of one expect entry: each of them has series of its own. */
enum { ENTRY_PORTS_MAX = 1024 };

/* As struct schema_key wants them: base is a struct config, element the newest
 * entry of its list. */
void entry_checks_expect(const void *base, const void *element, schema_report_fn *report, void *arg);
void entry_checks_allow(const void *base, const void *element, schema_report_fn *report, void *arg);

#endif
