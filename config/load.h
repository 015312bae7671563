/* A file's settings, as libconfig has parsed them, read into the configuration.
 *
 * Driven by the schema: each setting is looked up in its table, its type and
 * bounds are checked, and its field is written. Every error is reported where it
 * stands, and reading goes on behind it. Main thread only. */
#ifndef SOCKWATCH_CONFIG_LOAD_H
#define SOCKWATCH_CONFIG_LOAD_H

#include "config/report.h"

/* Reads a group's settings.
 *
 * keys   what may stand in it
 * base   the struct that the keys are of, with its defaults */
void load_keys(struct loader *l, const struct schema_key *keys, const struct place *group, void *base);

#endif
