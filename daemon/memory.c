#include "daemon/memory.h"

#include <malloc.h>

enum {
    LARGE_BYTES = 128 << 10, /* a block of this size has pages of its own */
    HEAP_END_BYTES = 256 << 10,
    HEAPS = 2, /* for the thread that polls, and for those that serve */
    MUCH_BYTES = 4 << 20,
    LOOK_MS = 10000,
};

void memory_prepare(struct memory *m)
{
    *m = (struct memory){0};
    /* These fail for no such parameter only. Unless it is told, the C library
     * raises the first by itself, and then keeps what was large. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_END_BYTES);
    (void)mallopt(M_ARENA_MAX, HEAPS);
}

void memory_give_back(struct memory *m, int64_t now_ms)
{
    if (now_ms - m->looked_ms < LOOK_MS)
        return;
    m->looked_ms = now_ms;
    if (mallinfo2().fordblks > MUCH_BYTES)
        (void)malloc_trim(0); /* there may be nothing that could go */
}
