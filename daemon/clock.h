/* The clocks, which are read here only: everything below daemon/ is told the
 * time. Any thread. */
#ifndef SOCKWATCH_DAEMON_CLOCK_H
#define SOCKWATCH_DAEMON_CLOCK_H

#include "core/budget.h"
#include "core/instant.h"

/* Both clocks, now. */
struct instant clock_now(void);

/* A budget that ends in so many microseconds, or never. */
struct budget clock_budget_us(int64_t us);
struct budget clock_endless(void);

#endif
