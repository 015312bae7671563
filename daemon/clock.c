#include "daemon/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* cannot fail with these clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t monotonic_us(void *arg)
{
    (void)arg;
    return read_us(CLOCK_MONOTONIC);
}

struct instant clock_now(void)
{
    return (struct instant){.mono_ms = read_us(CLOCK_MONOTONIC) / 1000,
                            .wall_ms = read_us(CLOCK_REALTIME) / 1000};
}

struct budget clock_budget_us(int64_t us)
{
    return (struct budget){.now_us = monotonic_us, .until_us = monotonic_us(NULL) + us};
}

struct budget clock_endless(void)
{
    return (struct budget){.now_us = monotonic_us, .until_us = BUDGET_NO_END};
}
