/* The schema's keys by their names, and all of them in turn, for tests of the
 * table and of what is said about it. */
#ifndef SOCKWATCH_TESTS_UNIT_KEYS_H
#define SOCKWATCH_TESTS_UNIT_KEYS_H

#include "config/config.h"
#include "config/schema.h"
#include "tests/unit/unit.h"

typedef void key_fn(const struct schema_key *key);

/* Calls the function for each key of the whole tree. */
static inline void each_key(const struct schema_key *keys, key_fn *fn)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        fn(key);
        if (key->children)
            each_key(key->children, fn);
    }
}

/* The row of a key that is there. */
static inline const struct schema_key *key_in(const struct schema_key *keys, const char *name)
{
    union {
        struct config config;
        struct expect expect;
        struct allow allow;
        struct unexpected unexpected;
    } any;
    void *base = &any;
    const struct schema_key *key = schema_find(keys, name, &base);

    assert_non_null(key);
    return key;
}

static inline const struct schema_key *key_at(const char *group, const char *name)
{
    const struct schema_key *keys = schema_root();

    if (*group)
        keys = key_in(keys, group)->children;
    return key_in(keys, name);
}

#endif
