/* How often something happened within a window that moves with time.
 *
 * It is kept in sixty slots of a sixtieth of the window each, whatever happened
 * how often: what happened counts for a whole window less a sixtieth at least,
 * and never longer than the window. Time is passed in, from a clock that does
 * not go back; one that does stands still until it is where it was. Plain data,
 * copied; one thread. */
#ifndef SOCKWATCH_CORE_SLIDING_H
#define SOCKWATCH_CORE_SLIDING_H

#include <stdint.h>

enum { SLIDING_SLOTS = 60 };

struct sliding {
    int64_t slot_ms;
    int64_t newest;                 /* number of the newest slot, counted from 0 on the clock */
    uint32_t counts[SLIDING_SLOTS]; /* by number of the slot; each stays at its highest value */
};

/* An empty one. now_ms is not negative, window_ms is more than 0. */
void sliding_init(struct sliding *s, int64_t window_ms, int64_t now_ms);

/* Makes the window another one. Of what a shorter one has no room for nothing is
 * kept, and a longer one does not know what happened before. */
void sliding_resize(struct sliding *s, int64_t window_ms, int64_t now_ms);

void sliding_add(struct sliding *s, uint64_t count, int64_t now_ms);

/* How often it happened within the window. */
uint64_t sliding_sum(struct sliding *s, int64_t now_ms);

/* When the sum falls next, INT64_MAX for never: it is 0. */
int64_t sliding_falls_ms(const struct sliding *s);

#endif
