/* The sockets of one service as they really are, at random, and what must have
 * been counted of them by whoever sees them now and then: a model of what
 * core/generation.h says, by heart and not by age. */
#ifndef SOCKWATCH_TESTS_UNIT_LIVES_H
#define SOCKWATCH_TESTS_UNIT_LIVES_H

#include "tests/unit/random.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LIVES_MAX = 12 };

struct life {
    uint64_t cookie;
    uint32_t drops;
    uint32_t counted; /* of the drops, when it was last seen */
    uint32_t joined;  /* the look that first saw it; 0: none has */
    bool spare;
};

struct lives {
    struct life is[LIVES_MAX];
    struct life was[LIVES_MAX]; /* when they were last seen */
    uint32_t count, was_count;
    uint64_t next_cookie;
    uint32_t looks;
    uint32_t came, went, owed; /* after the first look */
    uint64_t drops, restarts;
};

/* Sockets go and come, and all drop something, now and then more than half a
 * wrap. */
static inline void lives_go_on(struct lives *m, uint32_t *seed)
{
    uint32_t kept = 0, leave_percent = next_random(seed) % 3 * 50;

    for (uint32_t i = 0; i < m->count; i++)
        if (next_random(seed) % 100 >= leave_percent)
            m->is[kept++] = m->is[i];
    m->count = kept;
    for (uint32_t fresh = next_random(seed) % 4; fresh > 0 && m->count < LIVES_MAX; fresh--) {
        uint64_t number = ++m->next_cookie;

        m->is[m->count++] = (struct life){
            .cookie = number % 2 ? number : UINT32_MAX - number, /* in no order */
            .drops = next_random(seed) % 2 * UINT32_MAX,         /* about to wrap */
        };
    }
    for (uint32_t i = 0; i < m->count; i++)
        m->is[i].drops += next_random(seed) >> next_random(seed) % 32;
}

static inline bool lives_has(const struct lives *m, uint64_t cookie)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->is[i].cookie == cookie)
            return true;
    return false;
}

/* Takes one that came before a socket out of those that went, if there is one. */
static inline bool lives_take(struct life *gone, uint32_t *gone_count, const struct life *spare)
{
    for (uint32_t i = 0; i < *gone_count; i++)
        if (gone[i].joined < spare->joined) {
            gone[i] = gone[--*gone_count];
            return true;
        }
    return false;
}

/* Lets a new one stand for one of those that went, if there is one. */
static inline bool lives_meet(struct lives *m, struct life *life)
{
    bool replaces = m->owed > 0;

    m->owed -= replaces;
    life->joined = m->looks;
    life->spare = m->looks > 1 && !replaces;
    m->came += m->looks > 1;
    return replaces;
}

/* As they were first seen, the new ones last; of those that came together the
 * one with the highest cookie stands for another first. */
static inline int lives_compare(const void *a, const void *b)
{
    const struct life *x = a, *y = b;

    if (x->joined != y->joined)
        return x->joined - 1 < y->joined - 1 ? -1 : 1;
    return x->cookie > y->cookie ? -1 : x->cookie < y->cookie;
}

/* Somebody looks, and there are some. */
static inline void lives_see(struct lives *m)
{
    struct life gone[LIVES_MAX];
    uint32_t gone_count = 0, replaced = 0;

    m->looks++;
    qsort(m->is, m->count, sizeof *m->is, lives_compare);
    for (uint32_t i = 0; i < m->was_count; i++)
        if (!lives_has(m, m->was[i].cookie))
            gone[gone_count++] = m->was[i];
    m->went += gone_count;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->is[i].spare && lives_take(gone, &gone_count, &m->is[i])) {
            m->is[i].spare = false;
            replaced++;
        }
    m->owed += gone_count;
    for (uint32_t i = 0; i < m->count; i++) {
        replaced += m->is[i].joined == 0 && lives_meet(m, &m->is[i]);
        m->drops += (uint32_t)(m->is[i].drops - m->is[i].counted);
        m->is[i].counted = m->is[i].drops;
    }
    m->restarts += replaced > 0;
    memcpy(m->was, m->is, sizeof m->was);
    m->was_count = m->count;
}

#endif
