/* An allowance: how many lines of one kind may be written a minute. A flood may
 * use up its own, and silences nobody who has another. Time is passed in. Plain
 * data; one thread. */
#ifndef SOCKWATCH_CORE_ALLOWANCE_H
#define SOCKWATCH_CORE_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whatever the lines hold. A minute may begin in the middle of what somebody
 * else counts as one, so that twice as many bytes may come within a minute. */
#define ALLOWANCE_MINUTE_BYTES 240000

#define ALLOWANCE_MINUTE_MS    INT64_C(60000)

/* Begins as {0}. */
struct allowance {
    bool running;     /* a minute has begun that was not found to be over */
    int64_t began_ms; /* CLOCK_MONOTONIC; when that was */
    int64_t lines;    /* written in it */
    size_t bytes;     /* likewise */
    uint64_t left_out;
};

/* Ends the minute if it is over. Returns how many lines it had left out, which
 * is to be told before anything else is written. */
uint64_t allowance_end_minute(struct allowance *a, int64_t now_ms);

/* Whether a line of so many bytes may be written now, as one of lines_max a
 * minute; otherwise it was counted as left out. A minute that is over must have
 * been ended. */
bool allowance_take(struct allowance *a, int64_t lines_max, size_t bytes, int64_t now_ms);

#endif
