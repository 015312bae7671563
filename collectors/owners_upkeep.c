#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <string.h>

/* One look in so many is at all that describes a process. */
enum { WHOLE_LOOKS = 16 };

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

    if (next > left) {
        memmove(looks, looks + next, left * sizeof *looks);
        o->upkeep.next = 0;
        o->upkeep.count = left;
        looks = o->upkeep.looks = array_shrink(looks, &o->upkeep.capacity, left, sizeof *looks);
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

/* Drops what is not watched any more, all of it in one pass. */
static void keep_listed(struct owners *o, struct holding *h)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->count; i++)
        if (owners_lists(o, h, h->items[i].inode))
            h->items[kept++] = h->items[i];
    h->count = kept;
    h->items = array_shrink(h->items, &h->capacity, kept, sizeof *h->items);
}

/* The next of the sockets that a process has, NULL when none is watched any
 * more. */
static const struct held *held_in_turn(struct owners *o, struct process *p)
{
    struct holding *h = p->holding;

    if (h->count > 0 && !owners_lists(o, h, h->items[h->next % h->count].inode))
        keep_listed(o, h);
    if (h->count == 0) {
        process_trim(p);
        return NULL;
    }
    h->next = h->next % h->count + 1;
    return &h->items[h->next - 1];
}

/* It is not what it was: it is to be looked through, whoever shares its table. */
static void suspect(struct owners *o, struct process *p)
{
    p->near_due = ++o->moment;
    p->suspect = o->plan_stale = true;
}

/* What is not to be seen by a glance, the user and the cgroup, changes mostly
 * while a program is young, and seldom ever. */
static bool is_look_whole(struct process *p)
{
    uint32_t n = ++p->looks;

    return (n & (n - 1)) == 0 || n % WHOLE_LOOKS == 0;
}

/* Somebody else by now, it still has what it has: it is described anew, and not
 * looked through unless that is cheap to know to be worth it. */
static int describe_anew(struct owners *o, struct process *p, const struct held *held)
{
    struct holder described;
    const struct holder *who;
    int r = proc_describe(p->pid, held->fd, held->inode, o->users, &described);

    if (r < 0) {
        suspect(o, p);
        return r == -ENOMEM ? r : 0;
    }
    who = owners_describe(o, p, &described);
    program_unref(described.program);
    if (!who)
        return -ENOMEM;
    holder_unref(who);
    p->descriptors = proc_descriptor_count(p->pid);
    if (p->descriptors != 0 && process_has_changed(p))
        p->asked = o->plan_stale = true; /* as when exec(2) has closed some */
    return 0;
}

int owners_look_step(struct owners *o)
{
    const struct look *look = &o->upkeep.looks[o->upkeep.next++];
    struct process *p = process_find(&o->processes, look->pid);
    const struct holder *who;
    const struct held *held;
    int r = 0;

    if (!p || p->look_ms != look->at_ms)
        return 0; /* that one has gone, another has its number */
    p->look_ms = 0;
    held = p->holding && holding_who(p->holding, process_told_as(p)) ? held_in_turn(o, p) : NULL;
    if (!held)
        return 0;
    who = holding_who(p->holding, process_told_as(p));
    switch (proc_scan_recheck(who, p->pid, held->fd, held->inode, is_look_whole(p))) {
    case RECHECK_SAME: break;
    case RECHECK_CHANGED: r = describe_anew(o, p, held); break;
    case RECHECK_LOST: suspect(o, p); break;
    }
    return r < 0 ? r : owners_queue_look(o, p);
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
        for (size_t i = 0; i < o->sockets.count; i++) {
            struct watched *w = &o->sockets.items[i];

            if (w->phase == PHASE_DONE)
                owners_count_anew(w, o->upkeep.complete_due);
            o->threads.wanted |= w->phase == PHASE_DONE && w->inode != 0 && w->holding_count == 0;
        }
    }
    o->needs_stale = true;
}
