/* Addresses that entries ask for, in tests that do not free their entries. */
#ifndef SOCKWATCH_TESTS_UNIT_ADDRESSES_H
#define SOCKWATCH_TESTS_UNIT_ADDRESSES_H

#include "core/policy.h"

/* Keeps an address for as long as no test can want it: the memory comes round
 * after a great many. */
static inline struct ip_addr *kept_address(struct ip_addr address)
{
    static struct ip_addr kept[1 << 16];
    static size_t next;

    next = (next + 1) % (sizeof kept / sizeof *kept);
    kept[next] = address;
    return &kept[next];
}

#endif
