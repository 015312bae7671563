/* The keys of the group that says how connections are counted and shown. */
#ifndef SOCKWATCH_CONFIG_CONNECTION_KEYS_H
#define SOCKWATCH_CONFIG_CONNECTION_KEYS_H

#include "config/schema.h"

/* Of a struct config; ends with a nameless key. */
extern const struct schema_key connection_keys[];

#endif
