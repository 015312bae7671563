/* How long a step of something long may take. The clock is passed in: core and
 * tests have none of their own. Plain data; one thread. */
#ifndef SOCKWATCH_CORE_BUDGET_H
#define SOCKWATCH_CORE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_NO_END INT64_MAX

struct budget {
    int64_t (*now_us)(void *arg); /* CLOCK_MONOTONIC, in microseconds */
    void *arg;
    int64_t until_us; /* BUDGET_NO_END: to the end, however long it takes */
};

static inline int64_t budget_now_us(const struct budget *b)
{
    return b->now_us(b->arg);
}

static inline int64_t budget_now_ms(const struct budget *b)
{
    return b->now_us(b->arg) / 1000;
}

static inline bool budget_has_end(const struct budget *b)
{
    return b->until_us != BUDGET_NO_END;
}

static inline bool budget_is_spent(const struct budget *b)
{
    return budget_has_end(b) && b->now_us(b->arg) >= b->until_us;
}

#endif
