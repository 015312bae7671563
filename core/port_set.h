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

#endif
