/* References to sealed values, counted atomically: a value that several threads
 * read lives until the last of them lets go of it. Any thread. */
#ifndef SOCKWATCH_CORE_REF_H
#define SOCKWATCH_CORE_REF_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ref {
    atomic_uint count;
};

/* The first reference, which whoever makes the value has. */
static inline void ref_init(struct ref *ref)
{
    atomic_init(&ref->count, 1);
}

/* A sealed value that nobody else has any more, to be taken apart and freed. */
static inline void *ref_unseal(const void *value)
{
    union {
        const void *sealed;
        void *unsealed;
    } u = {.sealed = value};

    return u.unsealed;
}

/* Of a const value all is const but the number of those who look at it. */
static inline atomic_uint *ref_count(const struct ref *ref)
{
    return &((struct ref *)ref_unseal(ref))->count;
}

static inline void ref_take(const struct ref *ref)
{
    unsigned before = atomic_fetch_add_explicit(ref_count(ref), 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
}

/* Returns whether that was the last one: the value is then the caller's to free. */
static inline bool ref_drop(const struct ref *ref)
{
    unsigned before = atomic_fetch_sub_explicit(ref_count(ref), 1, memory_order_acq_rel);

    assert(before > 0);
    return before == 1;
}

#endif
