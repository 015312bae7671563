/* How many services of a class came and went, from one look to the next.
 *
 * Services that are followed one by one are counted as they come and go. Where
 * limits let only some of them be followed, of this look or the one before, the
 * others may be there or not: then only as many are counted as there are more,
 * or fewer, than before, and none that took another's place. So the counts are
 * never higher than what really happened. A look that could not read the class
 * to its end counts nothing, and the next one that can goes on from the last one
 * that could. Pure; any thread. */
#ifndef SOCKWATCH_CORE_TURNOVER_H
#define SOCKWATCH_CORE_TURNOVER_H

#include "core/inventory.h"

/* What one look says of a class. */
struct turnover_look {
    bool known;          /* it was read to its end; the others are told only then */
    bool whole;          /* all of its services were followed */
    uint64_t services;   /* that are there */
    uint64_t came, went; /* of those that were followed */
};

/* As it was at the last look that read the class, and what was counted up to
 * then; begins as {0}. */
struct turnover {
    bool known;
    bool whole;
    uint64_t services;
    uint64_t appeared, disappeared;
};

/* What a look says of each class before its services are followed: which came and
 * which went is left to whoever follows them.
 *
 * before   of each class, too */
void turnover_look(const struct inventory *inv, const struct turnover before[static PROTOCOL_COUNT],
                   struct turnover_look ret[static PROTOCOL_COUNT]);

/* The first look that reads the class is where counting begins. */
void turnover_follow(struct turnover *t, const struct turnover_look *look);

#endif
