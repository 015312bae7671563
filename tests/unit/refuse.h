/* Memory that is refused: a test lets the n-th allocation from now on fail, and
 * learns how many there were and how large.
 *
 *     for (size_t n = 1;; n++) {
 *         refuse_nth(n);
 *         r = what_is_tested();
 *         if (!refuse_stop())
 *             break;
 *         assert_int_equal(r, -ENOMEM);
 *     }
 *
 * One file of a test includes this, and its name stands in REFUSING of the
 * Makefile, which lets the linker lead what our objects allocate through here.
 * What the C library allocates for itself does not come by. One thread. */
#ifndef SOCKWATCH_TESTS_UNIT_REFUSE_H
#define SOCKWATCH_TESTS_UNIT_REFUSE_H

#include "tests/unit/unit.h"

#include <stdbool.h>

static struct {
    size_t nth; /* the one that is refused; 0 for none */
    size_t count;
    size_t largest; /* in bytes */
} refusal;

/* Begins to count; the n-th allocation fails, those after it do not. 0: none fails. */
static inline void refuse_nth(size_t n)
{
    refusal.nth = n;
    refusal.count = 0;
    refusal.largest = 0;
}

/* Returns whether an allocation was refused; none is from now on. */
static inline bool refuse_stop(void)
{
    bool was_refused = refusal.nth > 0 && refusal.count >= refusal.nth;

    refusal.nth = 0;
    return was_refused;
}

/* Allocations since refuse_nth(), and the bytes of the largest of them. */
static inline size_t refuse_count(void)
{
    return refusal.count;
}

static inline size_t refuse_largest(void)
{
    return refusal.largest;
}

static inline bool refuse_this(size_t count, size_t size)
{
    if (count * size > refusal.largest)
        refusal.largest = count * size;
    if (++refusal.count != refusal.nth)
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return refuse_this(1, size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse_this(count, size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refuse_this(1, size) ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return refuse_this(count, size) ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return refuse_this(1, strlen(text) + 1) ? NULL : __real_strdup(text);
}

#endif
