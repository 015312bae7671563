#include "core/history_parts.h"

#include <errno.h>
#include <stdlib.h>

/* The last that went first; of those that went together in their order. */
static int compare_away(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;

    if (x->seen != y->seen)
        return x->seen > y->seen ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Marks those to be forgotten of one kind: 0 in seen. */
static int forget_kind(struct draft *d, bool expected, size_t limit)
{
    struct record **away;
    size_t count = 0;

    for (size_t i = 0; i < d->count; i++)
        count += d->records[i].seen != d->feed && d->records[i].expected == expected;
    if (count <= limit)
        return 0;
    away = calloc(count, sizeof(struct record *));
    if (!away)
        return -ENOMEM;
    count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].seen != d->feed && d->records[i].expected == expected)
            away[count++] = &d->records[i];
    qsort(away, count, sizeof(struct record *), compare_away);
    for (size_t i = limit; i < count; i++)
        away[i]->seen = 0;
    d->forgotten += count - limit;
    free(away);
    return 0;
}

/* How many sockets that went are remembered of services of one kind, where of
 * each so many are at most. */
static uint64_t count_departed(const struct draft *d, bool expected, uint32_t each)
{
    uint64_t count = 0;

    for (size_t i = 0; i < d->count; i++) {
        uint32_t departed = d->records[i].generation.departed_count;

        if (d->records[i].expected == expected)
            count += departed < each ? departed : each;
    }
    return count;
}

/* The share of each service, of which some need less, if so many may be
 * remembered in all, of fewer than there are. */
static uint32_t departed_share(const struct draft *d, bool expected, size_t limit)
{
    uint32_t low = 0, high = 0;

    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].generation.departed_count > high)
            high = d->records[i].generation.departed_count;
    while (low < high) {
        uint32_t middle = high - (high - low) / 2;

        if (count_departed(d, expected, middle) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Forgets sockets that went, of one kind of services: of those that have most,
 * so that none loses more than its share by what another does. */
static void forget_departed(struct draft *d, bool expected, size_t limit)
{
    uint64_t all = count_departed(d, expected, UINT32_MAX);
    uint32_t share;

    if (all <= limit)
        return;
    share = departed_share(d, expected, limit);
    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].expected == expected)
            generation_forget(&d->records[i].generation, share);
    d->forgotten += all - count_departed(d, expected, share);
}

int history_forget(struct draft *d, size_t limit)
{
    size_t kept = 0;
    int r = forget_kind(d, false, limit);

    if (r == 0)
        r = forget_kind(d, true, HISTORY_EXPECTED_MAX);
    if (r < 0)
        return r;
    for (size_t i = 0; i < d->count; i++) {
        const struct record *record = &d->records[i];

        if (record->seen != 0)
            d->records[kept++] = *record;
        else if (record->there) /* for all that is known: its class was not read */
            d->turnover[record->key.protocol].whole = false;
    }
    d->count = kept;
    forget_departed(d, false, HISTORY_DEPARTED * limit);
    forget_departed(d, true, (size_t)HISTORY_DEPARTED * HISTORY_EXPECTED_MAX);
    return 0;
}
