#include "collectors/owners.h"
#include "collectors/owners_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* After an error nothing is tried for so long. */
#define PAUSE_MS INT64_C(1000)

static struct scan closed_scan(void)
{
    return (struct scan){.in = {.process = -1, .entries.fd = -1}};
}

static void begin(struct owners *o)
{
    owners_work_init(o);
    o->threads.scan = closed_scan();
    o->gather.members.fd = o->gather.pids.entries.fd = -1;
    o->plan.scans[0] = o->plan.scans[1] = closed_scan();
    o->needs.refresh_ms = o->needs.late_ms = o->upkeep.complete_ms = INT64_MAX;
}

struct owners *owners_new(void)
{
    struct owners *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    begin(o);
    o->chosen = calloc(LISTED_FIRST, sizeof(const struct holder *));
    o->limit = LISTED_FIRST;
    o->cgroups = cgroups_new();
    o->users = users_new();
    if (o->chosen && o->cgroups && o->users)
        return o;
    owners_free(o);
    return NULL;
}

/* Forgets what was found out about processes. */
static void forget_processes(struct owners *o)
{
    owners_scan_stop(o);
    owners_gather_stop(o);
    owners_threads_stop(o);
    o->threads.wanted = o->threads.unsure = false;
    process_table_done(&o->processes);
    owners_tidy_tables(o);
    o->holdings_dirty = false;
    o->upkeep.next = o->upkeep.count = 0;
    o->upkeep.complete_due = 0;
    o->upkeep.complete_ms = INT64_MAX;
    o->gather.new_wanted = o->gather.changed_wanted = o->plan_stale = false;
}

void owners_free(struct owners *o)
{
    if (!o)
        return;
    forget_processes(o);
    sockets_done(&o->sockets);
    free(o->chosen);
    free(o->tables.pids);
    free(o->threads.tables.pids);
    free(o->gather.groups);
    free(o->plan.jobs);
    free(o->upkeep.looks);
    cgroups_free(o->cgroups);
    users_free(o->users);
    free(o);
}

void owners_set_limit(struct owners *o, size_t holders)
{
    const struct holder **chosen;

    if (holders == o->limit || holders == 0)
        return;
    chosen = reallocarray(o->chosen, holders, sizeof(const struct holder *));
    if (!chosen)
        return; /* the old one stays, and is tried to be changed again */
    o->chosen = chosen;
    o->limit = holders;
    for (size_t i = 0; i < o->sockets.count; i++) {
        owners_make_dirty(o, &o->sockets.items[i]);
        owners_make_due(o, &o->sockets.items[i]);
    }
}

static struct watched *add_member(struct owners *o, const struct member *m)
{
    struct watched *w = sockets_add(&o->sockets, m->cookie, m->inode);

    if (!w)
        return NULL;
    w->uid = m->uid;
    w->cgroup_id = m->cgroup_id;
    w->refresh_ms = INT64_MAX;
    w->unseen_ms = o->now_ms;
    owners_make_due(o, w);
    return w;
}

/* Returns what is known of a socket, or NULL when memory runs out. */
static const struct owner_set *note_member(struct owners *o, const struct member *m)
{
    struct watched *w = sockets_find(&o->sockets, m->cookie, m->inode);
    bool changed = o->publish.changed;

    if (!w)
        w = add_member(o, m);
    if (!w)
        return NULL;
    w->round = o->round;
    if (w->uid != m->uid) { /* somebody gave it away, fchown(2) */
        w->uid = m->uid;
        owners_make_due(o, w);
        (void)owners_publish_one(o, w); /* what was published stays */
    }
    if (!w->set && owners_publish_one(o, w) < 0)
        owners_make_dirty(o, w);
    o->publish.changed = changed; /* the row has it already */
    return w->set;
}

/* Which of a listener's sockets are attached, by their place. */
struct places {
    uint32_t first, last;
};

/* Returns 0 or -ENOMEM. */
static int attach_part(struct owners *o, const struct inventory_part *part, struct places places,
                       size_t *left)
{
    struct member *members = part->members;
    int r = 0;

    for (size_t i = 0; i < part->count; members += part->listeners[i++].followed) {
        const struct listener *l = &part->listeners[i];

        if (!l->chosen)
            continue;
        for (uint32_t k = places.first; k < l->followed && k <= places.last && *left > 0; k++, (*left)--) {
            members[k].owners = note_member(o, &members[k]);
            r = members[k].owners ? r : -ENOMEM;
        }
    }
    return r;
}

static int attach_places(struct owners *o, const struct inventory *inv, struct places places, size_t *left)
{
    int r = 0;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < INVENTORY_PARTS; k++)
            if (attach_part(o, &inv->parts[i][k], places, left) < 0)
                r = -ENOMEM;
    return r;
}

int owners_attach(struct owners *o, const struct inventory *inv, size_t limit, int64_t now_ms)
{
    size_t left = limit;
    int r, more;

    o->round++;
    o->now_ms = now_ms;
    users_step(o->users, now_ms);
    r = attach_places(o, inv, (struct places){0, 0}, &left);
    more = attach_places(o, inv, (struct places){1, UINT32_MAX}, &left);
    if (sockets_keep(&o->sockets, o->round))
        o->needs_stale = o->plan_stale = true;
    if (o->sockets.count == 0)
        forget_processes(o);
    else if (o->upkeep.complete_ms == INT64_MAX && o->upkeep.complete_due == 0)
        o->upkeep.complete_ms = now_ms + OWNERS_COMPLETE_MS;
    if (o->needs_stale)
        owners_measure(o);
    return r < 0 ? r : more;
}

static void pause_after(struct owners *o)
{
    owners_gather_stop(o);
    owners_scan_stop(o);
    owners_threads_stop(o);
    o->pause_ms = o->now_ms + PAUSE_MS;
}

/* While nothing is done after an error. */
static int tell_late(struct owners *o)
{
    int r = owners_publish(o, false);

    return r < 0 ? r : o->publish.under_way;
}

/* Waits for names and publishes whatever there is to be, after a search that ended
 * so. Returns that, or how this ended. */
static int tell_all(struct owners *o, const struct budget *budget, int result)
{
    int r = owners_names_end(o, budget);

    (void)owners_note_late(o, true);
    do
        r = r < 0 ? r : owners_publish(o, true);
    while (r == 0 && (o->publish.under_way || o->publish.described));
    return result < 0 ? result : r;
}

int owners_step(struct owners *o, const struct budget *budget)
{
    bool to_the_end = !budget_has_end(budget), late;
    int64_t next_us = INT64_MAX;
    int r;

    o->now_ms = budget_now_ms(budget);
    if (o->sockets.count == 0)
        return 0;
    late = owners_note_late(o, false);
    if (o->now_ms < o->pause_ms && !to_the_end)
        return tell_late(o);
    r = owners_names_step(o);
    if (r == 0)
        r = owners_work(o, budget, &next_us);
    if (to_the_end)
        r = tell_all(o, budget, r);
    else if (r == 0)
        r = owners_publish(o, next_us > o->now_ms * 1000 + 999);
    else if (late)
        (void)owners_publish(o, false); /* the error is returned */
    if (r == 0)
        return !to_the_end && owners_due_ms(o, o->now_ms) <= o->now_ms;
    pause_after(o);
    return r;
}

int owners_await_names(struct owners *o, const struct budget *budget)
{
    int r;

    if (o->sockets.count == 0 || budget_now_ms(budget) < o->pause_ms)
        return 0;
    r = owners_names_await(o, budget, budget->until_us);
    do
        r = r < 0 ? r : owners_publish(o, true);
    while (r == 0 && o->publish.under_way && !budget_is_spent(budget));
    if (r < 0)
        pause_after(o);
    return r < 0 ? r : owners_due_ms(o, o->now_ms) <= o->now_ms;
}

/* What is told goes on while nothing else is done. */
static int64_t pause_end_ms(const struct owners *o, int64_t now_ms)
{
    if (o->publish.under_way)
        return now_ms;
    return o->needs.late_ms < o->pause_ms ? o->needs.late_ms : o->pause_ms;
}

int64_t owners_due_ms(const struct owners *o, int64_t now_ms)
{
    int64_t next_us, due_ms;

    if (o->sockets.count == 0)
        return INT64_MAX;
    if (o->needs.late_ms <= now_ms)
        return now_ms;
    if (now_ms < o->pause_ms)
        return pause_end_ms(o, now_ms);
    if (o->publish.under_way || (o->plan_stale && o->gather.stage == STAGE_NONE))
        return now_ms;
    next_us = owners_work_us(o, now_ms * 1000);
    due_ms = next_us == INT64_MAX ? INT64_MAX : (next_us + 999) / 1000;
    if (owners_names_ms(o) < due_ms)
        due_ms = owners_names_ms(o);
    if ((o->needs.dirty > 0 || o->holdings_dirty) && o->publish.at_ms < due_ms)
        due_ms = o->publish.at_ms;
    return o->needs.late_ms < due_ms ? o->needs.late_ms : due_ms;
}

uint64_t owners_version(const struct owners *o)
{
    return o->version;
}

void owners_refresh(struct owners *o)
{
    users_refresh(o->users);
    for (size_t i = 0; i < o->sockets.count; i++) {
        struct watched *w = &o->sockets.items[i];

        owners_make_dirty(o, w);
        owners_make_due(o, w);
    }
    if (o->sockets.count > 0)
        owners_measure(o);
}
