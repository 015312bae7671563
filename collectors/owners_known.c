#include "collectors/owners_internal.h"
#include "collectors/proc_pid_parse.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Who joins those that are known is told with a delay. */
#define PUBLISH_MS INT64_C(200)

const char *owners_path(const struct owners *o, const struct watched *w)
{
    return w->cgroup_id > 1 ? cgroups_path(o->cgroups, w->cgroup_id) : NULL;
}

static void make_dirty(struct owners *o, struct watched *w)
{
    w->dirty = true;
    o->needs_stale = true;
}

void owners_set_sight(struct owners *o, struct watched *w, enum sight sight)
{
    if (w->sight == sight)
        return;
    w->sight = sight;
    make_dirty(o, w);
}

void owners_make_due(struct owners *o, struct watched *w)
{
    w->due = ++o->moment;
    w->interval_ms = 0;
    w->phase = PHASE_NEW;
    o->needs_stale = o->plan_stale = true;
}

static const struct holder *holder_of(const struct owners *o, uint32_t pid)
{
    const struct process *p = process_find(&o->processes, pid);

    return p && p->holding ? &p->holding->who : NULL;
}

/* Whether somebody has it who is not just keeping it for a service. */
static bool is_used(const struct owners *o, const struct watched *w)
{
    for (size_t i = 0; i < w->pid_count; i++) {
        const struct holder *who = holder_of(o, w->pids[i]);

        if (who && !holder_is_activator(who))
            return true;
    }
    return false;
}

static int gain_one(struct owners *o, struct watched *w, const struct process *p)
{
    int r = watched_add_pid(w, p->pid);

    if (r <= 0)
        return r;
    w->used |= !holder_is_activator(&p->holding->who);
    w->sight = SIGHT_SEEN;
    make_dirty(o, w);
    return 0;
}

static bool same_holder(const struct holder *a, const struct holder *b)
{
    return strcmp(a->process, b->process) == 0 && strcmp(a->user, b->user) == 0 &&
           strcmp(a->unit, b->unit) == 0 && a->unit_known == b->unit_known;
}

static void describe(struct owners *o, struct process *p, const struct holder *who)
{
    struct holding *h = p->holding;

    if (same_holder(&h->who, who))
        return;
    h->who = *who;
    for (size_t i = 0; i < h->count; i++) {
        struct watched *w;
        size_t cursor = 0;

        while ((w = sockets_of_inode(&o->sockets, h->items[i].inode, &cursor))) {
            w->used = is_used(o, w);
            make_dirty(o, w);
        }
    }
}

int owners_gain(struct owners *o, struct process *p, const struct held *held, const struct holder *who)
{
    struct watched *w;
    size_t cursor = 0;
    int r = process_hold(p, held->inode, held->fd);

    if (r == 0 && who)
        describe(o, p, who);
    if (r == 0 && p->look_ms == 0)
        r = owners_queue_look(o, p);
    while (r == 0 && (w = sockets_of_inode(&o->sockets, held->inode, &cursor)))
        r = gain_one(o, w, p);
    process_trim(p);
    return r;
}

/* A socket that nobody uses any more is looked for from the beginning; one that
 * others have may have got new ones, too. */
static void lose_one(struct owners *o, struct watched *w, uint32_t pid)
{
    bool was_used = w->used;

    if (!watched_remove_pid(w, pid))
        return;
    w->used = is_used(o, w);
    make_dirty(o, w);
    if (w->pid_count == 0)
        w->sight = SIGHT_NOT_YET;
    if (w->pid_count == 0 || (was_used && !w->used))
        owners_make_due(o, w);
    else
        w->lost = true;
}

static void lose(struct owners *o, uint32_t inode, uint32_t pid)
{
    struct watched *w;
    size_t cursor = 0;

    while ((w = sockets_of_inode(&o->sockets, inode, &cursor)))
        lose_one(o, w, pid);
}

void owners_drop_unseen(struct owners *o, struct process *p)
{
    struct holding *h = p->holding;
    size_t kept = 0;

    for (size_t i = 0; h && i < h->count; i++) {
        if (h->items[i].seen)
            h->items[kept++] = h->items[i];
        else
            lose(o, h->items[i].inode, p->pid);
    }
    if (h)
        h->count = kept;
    process_trim(p);
}

void owners_drop_all(struct owners *o, struct process *p)
{
    for (size_t i = 0; p->holding && i < p->holding->count; i++)
        p->holding->items[i].seen = false;
    owners_drop_unseen(o, p);
}

void owners_forget_process(struct owners *o, uint32_t pid)
{
    struct process *p = process_find(&o->processes, pid);

    if (!p)
        return;
    owners_drop_all(o, p);
    process_remove(&o->processes, p);
    o->plan_stale = true;
}

/* The unit stays when its cgroup has gone. */
static void tell_unit(const struct owners *o, const struct watched *w, struct owner_set *set)
{
    const char *path = owners_path(o, w);

    if (path)
        proc_pid_parse_unit(path, strlen(path), set->unit);
    if (!*set->unit && w->set)
        memcpy(set->unit, w->set->unit, sizeof set->unit);
}

int owners_publish_one(struct owners *o, struct watched *w)
{
    struct owner_set *set = owner_set_new(w->pid_count);

    if (!set)
        return -ENOMEM;
    set->sight = w->sight;
    set->uid = w->uid;
    (void)snprintf(set->user, sizeof set->user, "%s", users_name(o->users, w->uid));
    tell_unit(o, w, set);
    for (size_t i = 0; i < w->pid_count; i++) {
        const struct holder *who = holder_of(o, w->pids[i]);

        assert(who); /* who has a socket is known */
        set->holders[i] = *who;
    }
    owner_set_unref(w->set);
    w->set = set;
    w->dirty = false;
    o->needs_stale = true;
    o->version++;
    return 0;
}

int owners_publish(struct owners *o, bool at_rest)
{
    bool all = at_rest || o->now_ms >= o->publish_ms;
    int r = 0;

    if (o->needs.dirty_first == 0 && (o->needs.dirty == 0 || !all))
        return 0;
    if (all)
        o->publish_ms = o->now_ms + PUBLISH_MS;
    for (size_t i = 0; r == 0 && i < o->sockets.count; i++) {
        struct watched *w = &o->sockets.items[i];

        if (w->dirty && (all || !w->set || w->set->count == 0))
            r = owners_publish_one(o, w);
    }
    return r;
}
