#include "core/sliding.h"

static uint32_t *slot_of(struct sliding *s, int64_t number)
{
    return &s->counts[number % SLIDING_SLOTS];
}

static int64_t oldest_of(const struct sliding *s)
{
    return s->newest < SLIDING_SLOTS ? 0 : s->newest - SLIDING_SLOTS + 1;
}

/* Empties the slots that begin anew. */
static void move_on(struct sliding *s, int64_t now_ms)
{
    int64_t number = now_ms / s->slot_ms;

    if (number - s->newest > SLIDING_SLOTS)
        s->newest = number - SLIDING_SLOTS;
    while (s->newest < number)
        *slot_of(s, ++s->newest) = 0;
}

void sliding_init(struct sliding *s, int64_t window_ms, int64_t now_ms)
{
    int64_t slot_ms = window_ms / SLIDING_SLOTS;

    *s = (struct sliding){.slot_ms = slot_ms > 0 ? slot_ms : 1};
    s->newest = now_ms / s->slot_ms;
}

void sliding_resize(struct sliding *s, int64_t window_ms, int64_t now_ms)
{
    struct sliding before = *s;

    sliding_init(s, window_ms, oldest_of(&before) * before.slot_ms);
    if (s->slot_ms == before.slot_ms) {
        *s = before;
        return;
    }
    for (int64_t number = oldest_of(&before); number <= before.newest; number++)
        sliding_add(s, *slot_of(&before, number), number * before.slot_ms);
    move_on(s, now_ms);
}

void sliding_add(struct sliding *s, uint64_t count, int64_t now_ms)
{
    uint32_t *slot;

    move_on(s, now_ms);
    slot = slot_of(s, s->newest);
    *slot = count < UINT32_MAX - *slot ? *slot + (uint32_t)count : UINT32_MAX;
}

uint64_t sliding_sum(struct sliding *s, int64_t now_ms)
{
    uint64_t sum = 0;

    move_on(s, now_ms);
    for (int i = 0; i < SLIDING_SLOTS; i++)
        sum += s->counts[i];
    return sum;
}

int64_t sliding_falls_ms(const struct sliding *s)
{
    for (int64_t number = oldest_of(s); number <= s->newest; number++)
        if (s->counts[number % SLIDING_SLOTS] > 0)
            return (number + SLIDING_SLOTS) * s->slot_ms;
    return INT64_MAX;
}
