#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <string.h>

#define LOOK_MS          INT64_C(1000)
#define LOST_MS          INT64_C(1000)
#define REFRESH_FIRST_MS INT64_C(1000)
#define REFRESH_LAST_MS  INT64_C(60000)

/* Soon is within one part in so many of a refresh's interval. */
#define TOGETHER_PARTS 4

int owners_queue_look(struct owners *o, struct process *p)
{
    size_t next = o->upkeep.next, left = o->upkeep.count - next;
    struct look *looks = o->upkeep.looks;

    if (next > 0 && o->upkeep.count == o->upkeep.capacity) {
        memmove(looks, looks + next, left * sizeof *looks);
        o->upkeep.next = 0;
        o->upkeep.count = left;
    }
    looks = array_grow(looks, &o->upkeep.capacity, o->upkeep.count + 1, sizeof *looks);
    if (!looks)
        return -ENOMEM;
    o->upkeep.looks = looks;
    p->look_ms = o->now_ms + LOOK_MS;
    looks[o->upkeep.count++] = (struct look){p->pid, p->look_ms};
    return 0;
}

int64_t owners_look_ms(const struct owners *o)
{
    return o->upkeep.next < o->upkeep.count ? o->upkeep.looks[o->upkeep.next].at_ms : INT64_MAX;
}

/* The next of the sockets that a process has, NULL when none is watched any
 * more: those that are not are dropped. */
static const struct held *held_in_turn(struct owners *o, struct process *p)
{
    struct holding *h = p->holding;

    while (h->count > 0) {
        size_t i = h->next % h->count, cursor = 0;

        if (sockets_of_inode(&o->sockets, h->items[i].inode, &cursor)) {
            h->next = i + 1;
            return &h->items[i];
        }
        memmove(h->items + i, h->items + i + 1, (h->count - i - 1) * sizeof *h->items);
        h->count--;
    }
    process_trim(p);
    return NULL;
}

int owners_look_step(struct owners *o)
{
    const struct look *look = &o->upkeep.looks[o->upkeep.next++];
    struct process *p = process_find(&o->processes, look->pid);
    const struct held *held;

    if (!p || p->look_ms != look->at_ms)
        return 0; /* that one has gone, another has its number */
    p->look_ms = 0;
    held = p->holding ? held_in_turn(o, p) : NULL;
    if (!held)
        return 0;
    if (!proc_scan_recheck(&p->holding->who, held->fd, held->inode))
        p->suspect = o->plan_stale = true;
    return owners_queue_look(o, p);
}

/* Soon while a program is young, which may fork or become another user after it
 * listened, and then ever more seldom. */
void owners_schedule(const struct owners *o, struct watched *w)
{
    w->interval_ms = w->interval_ms ? w->interval_ms * 2 : REFRESH_FIRST_MS;
    if (w->interval_ms > REFRESH_LAST_MS)
        w->interval_ms = REFRESH_LAST_MS;
    w->refresh_ms = o->now_ms + w->interval_ms;
}

int64_t owners_upkeep_ms(const struct owners *o)
{
    bool complete = o->needs.holdable && !o->upkeep.complete_due;
    int64_t ms = complete ? o->upkeep.complete_ms : INT64_MAX;

    if (o->needs.refresh_ms < ms)
        ms = o->needs.refresh_ms;
    if (o->needs.lost && o->upkeep.lost_ms < ms)
        ms = o->upkeep.lost_ms;
    return ms;
}

/* What would be due soon is refreshed with what is due: one list serves all. */
static void refresh(struct owners *o, struct watched *w, bool lost_too)
{
    bool is_due =
        o->needs.refresh_ms <= o->now_ms && w->refresh_ms - w->interval_ms / TOGETHER_PARTS <= o->now_ms;

    if (!is_due && !(w->lost && lost_too))
        return;
    w->lost = false;
    w->joining = w->phase == PHASE_DONE;
    if (is_due)
        owners_schedule(o, w);
}

void owners_upkeep_step(struct owners *o)
{
    bool lost_too = o->needs.lost && o->upkeep.lost_ms <= o->now_ms;

    for (size_t i = 0; i < o->sockets.count; i++)
        refresh(o, &o->sockets.items[i], lost_too);
    if (lost_too)
        o->upkeep.lost_ms = o->now_ms + LOST_MS;
    if (o->needs.holdable && o->upkeep.complete_due == 0 && o->upkeep.complete_ms <= o->now_ms) {
        o->upkeep.complete_due = ++o->moment;
        o->upkeep.complete_us = 0;
    }
    o->needs_stale = true;
}
