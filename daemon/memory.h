/* Memory that is not needed any more goes back to the system, so that a flood
 * leaves nothing behind but what it is remembered by. It is the C library's
 * memory that this is about; it is asked for nothing here. Main thread only. */
#ifndef SOCKWATCH_DAEMON_MEMORY_H
#define SOCKWATCH_DAEMON_MEMORY_H

#include <stdint.h>

struct memory {
    int64_t looked_ms; /* CLOCK_MONOTONIC; when it was last asked how much is free */
};

/* Makes large blocks go back at once when they are freed, and all threads share
 * few heaps. To be called before there are any other threads. */
void memory_prepare(struct memory *m);

/* Gives back what is free between blocks that are not, if that is much. It
 * looks every few seconds, however often it is called. */
void memory_give_back(struct memory *m, int64_t now_ms);

#endif
