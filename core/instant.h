/* Time, which is passed in everywhere below daemon/. Plain data. */
#ifndef SOCKWATCH_CORE_INSTANT_H
#define SOCKWATCH_CORE_INSTANT_H

#include <stdint.h>

/* One moment on two clocks; both in milliseconds. */
struct instant {
    int64_t mono_ms; /* CLOCK_MONOTONIC, for durations */
    int64_t wall_ms; /* CLOCK_REALTIME, for people */
};

#endif
