/* A generator of our own: the same steps on every machine. */
#ifndef SOCKWATCH_TESTS_UNIT_RANDOM_H
#define SOCKWATCH_TESTS_UNIT_RANDOM_H

#include <stdint.h>

/* seed   not 0; moves on */
static inline uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

#endif
