/* A set of ports. Plain data, empty as {{0}}. */
#ifndef SOCKWATCH_CORE_PORT_SET_H
#define SOCKWATCH_CORE_PORT_SET_H

#include <stdbool.h>
#include <stdint.h>

enum { PORT_SET_WORDS = (UINT16_MAX + 1) / 64 };

struct port_set {
    uint64_t words[PORT_SET_WORDS]; /* a bit for each port, the lowest first */
};

static inline bool port_set_has(const struct port_set *set, uint16_t port)
{
    return set->words[port / 64] >> port % 64 & 1;
}

static inline void port_set_put(struct port_set *set, uint16_t port)
{
    set->words[port / 64] |= UINT64_C(1) << port % 64;
}

/* Where a walk over a set is; begins as {0}. */
struct port_set_cursor {
    uint32_t port; /* the next to be looked at */
};

/* Steps to the next port, in order. Returns false, without filling *ret, at the end. */
static inline bool port_set_next(const struct port_set *set, struct port_set_cursor *cursor, uint16_t *ret)
{
    while (cursor->port <= UINT16_MAX) {
        uint64_t left = set->words[cursor->port / 64] >> cursor->port % 64;

        if (left != 0) {
            cursor->port += (uint32_t)__builtin_ctzll(left);
            *ret = (uint16_t)cursor->port++;
            return true;
        }
        cursor->port = (cursor->port / 64 + 1) * 64;
    }
    return false;
}

static inline void port_set_remove(struct port_set *set, uint16_t port)
{
    set->words[port / 64] &= ~(UINT64_C(1) << port % 64);
}

/* How many bits of a word are set: summed in pairs, fours and bytes, and those by
 * a product into its upper byte. */
static inline uint32_t port_set_of_word(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

static inline uint32_t port_set_count(const struct port_set *set)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < PORT_SET_WORDS; i++)
        count += port_set_of_word(set->words[i]);
    return count;
}

#endif
