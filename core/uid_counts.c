#include "core/uid_counts.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 64 };

static struct uid_count *find(const struct uid_counts *c, uint32_t uid)
{
    size_t at = (uid * UINT32_C(2654435761) >> 7) & (c->slot_count - 1);

    while (c->slots[at].count > 0 && c->slots[at].uid != uid)
        at = (at + 1) & (c->slot_count - 1);
    return &c->slots[at];
}

/* Keeps at least half of the slots free. */
static int make_slots(struct uid_counts *c)
{
    struct uid_counts larger = {.count = c->count,
                                .slot_count = c->slot_count ? c->slot_count * 2 : SLOTS_FIRST};

    if (2 * (c->count + 1) <= c->slot_count)
        return 0;
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].count > 0)
            *find(&larger, c->slots[i].uid) = c->slots[i];
    free(c->slots);
    *c = larger;
    return 0;
}

int uid_counts_add(struct uid_counts *c, uint32_t uid, uint32_t limit)
{
    struct uid_count *found;

    if (limit == 0)
        return 0;
    if (make_slots(c) < 0)
        return -ENOMEM;
    found = find(c, uid);
    if (found->count >= limit)
        return 0;
    c->count += found->count == 0;
    found->uid = uid;
    found->count++;
    return 1;
}

void uid_counts_done(struct uid_counts *c)
{
    free(c->slots);
    *c = (struct uid_counts){.slots = NULL};
}
