/* What something may take of the time: so many parts of it in the long run,
 * more at once after a rest, and some in advance for what is urgent. Times are
 * in microseconds and passed in. Pure; one thread. */
#ifndef SOCKWATCH_COLLECTORS_SHARE_H
#define SOCKWATCH_COLLECTORS_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct share {
    int64_t parts;    /* one in so many of the time */
    int64_t rest_us;  /* what is there after a long rest */
    int64_t saved_us; /* time that went by for it, of which one in so many parts can be spent */
    int64_t at_us;    /* when that was so */
};

/* It begins rested. */
struct share share_of(int64_t parts, int64_t rest_us);

/* What is there to be spent; negative: debt. */
int64_t share_left_us(const struct share *s, int64_t now_us);

void share_spend(struct share *s, int64_t now_us, int64_t spent_us);

/* When something may be done that may go into debt so far (0: not at all): now,
 * or when enough is there for it to be worth beginning. */
int64_t share_ready_us(const struct share *s, int64_t debt_us, int64_t now_us);

#endif
