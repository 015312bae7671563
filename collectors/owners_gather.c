#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Sockets that were made in one cgroup need it once. */
static void merge_groups(struct owners *o)
{
    struct group *groups = o->gather.groups;
    size_t kept = 0;

    if (o->gather.group_count > 0)
        qsort(groups, o->gather.group_count, sizeof *groups, compare_groups);
    for (size_t i = 0; i < o->gather.group_count; i++) {
        struct group *last = kept > 0 ? &groups[kept - 1] : NULL;

        if (!last || last->id != groups[i].id) {
            groups[kept++] = groups[i];
            continue;
        }
        last->due = last->due > groups[i].due ? last->due : groups[i].due;
        last->urgent |= groups[i].urgent;
    }
    o->gather.group_count = kept;
}

static void want_near(struct process *p, uint64_t due, bool urgent)
{
    p->near_due = p->near_due > due ? p->near_due : due;
    p->near_urgent |= urgent;
}

/* Who had it may have it. */
static void want_holders(struct owners *o, const struct watched *w)
{
    for (size_t i = 0; i < w->pid_count; i++) {
        struct process *p = process_find(&o->processes, w->pids[i]);

        if (p)
            want_near(p, w->due, !w->used);
    }
}

/* Takes up what a socket needs. There is room for its group. */
static void take_up(struct owners *o, struct watched *w)
{
    bool is_due = w->phase == PHASE_NEW, has_path = owners_path(o, w);

    if (!is_due && !w->joining)
        return;
    if (has_path)
        o->gather.groups[o->gather.group_count++] =
            (struct group){w->cgroup_id, is_due ? w->due : 0, is_due && !w->used};
    if (is_due) {
        want_holders(o, w);
        w->phase = PHASE_NEARBY;
    } else {
        o->gather.new_wanted |= w->inode != 0 && (!has_path || !w->used);
        o->gather.changed_wanted |= w->inode != 0 && !w->used;
    }
    w->joining = false;
}

static int begin_groups(struct owners *o)
{
    struct group *groups =
        array_grow(o->gather.groups, &o->gather.group_capacity, o->sockets.count + 1, sizeof *groups);

    if (!groups)
        return -ENOMEM;
    o->gather.groups = groups;
    o->gather.group_count = o->gather.group_next = 0;
    for (size_t i = 0; i < o->sockets.count; i++)
        take_up(o, &o->sockets.items[i]);
    merge_groups(o);
    o->gather.stage = STAGE_GROUPS;
    o->needs_stale = true;
    return 0;
}

static bool wants_tree(const struct owners *o)
{
    for (size_t i = 0; i < o->sockets.count; i++) {
        const struct watched *w = &o->sockets.items[i];

        if ((w->phase == PHASE_NEW || w->joining) && w->cgroup_id > 1 && !owners_path(o, w))
            return true;
    }
    return false;
}

int owners_gather_nearby(struct owners *o)
{
    if (o->now_ms < o->gather.tree_ms || !wants_tree(o) || cgroups_walk_begin(o->cgroups) < 0)
        return begin_groups(o);
    o->gather.stage = STAGE_TREE;
    o->gather.tree_us = 0;
    return 0;
}

/* Units that have become known are told. */
static void tell_units(struct owners *o)
{
    for (size_t i = 0; i < o->sockets.count; i++) {
        struct watched *w = &o->sockets.items[i];

        if (w->set && !*w->set->unit && owners_path(o, w)) {
            w->dirty = true;
            o->needs_stale = true;
        }
    }
}

static int walk_tree(struct owners *o)
{
    int r = 1;

    for (int i = 0; r > 0 && i < DIRECTORIES_AT_ONCE; i++)
        r = cgroups_walk_step(o->cgroups);
    if (r > 0 || r == -ENOMEM)
        return r < 0 ? r : 0;
    if (r == 0)
        tell_units(o);
    return begin_groups(o); /* what was not found is unknown */
}

static int take_member(struct owners *o, uint32_t pid, const struct group *group)
{
    struct process *p = process_find(&o->processes, pid);

    if (!p) {
        p = process_add(&o->processes, pid);
        if (!p)
            return -ENOMEM;
        /* It does not hold up who was due before. */
        p->served = group->due > 0 && group->due <= o->gather.listed ? group->due - 1 : o->gather.listed;
    }
    if (group->due > 0)
        want_near(p, group->due, group->urgent);
    else
        p->asked |= !p->scanned;
    if (p->asked || p->near_due > p->served)
        p->descriptors = proc_descriptor_count(pid);
    return 0;
}

static int open_group(struct owners *o)
{
    const struct group *group;
    const char *path;
    int r;

    if (o->gather.group_next == o->gather.group_count) {
        o->gather.stage = STAGE_NONE;
        o->plan_stale = true;
        return 0;
    }
    group = &o->gather.groups[o->gather.group_next++];
    path = cgroups_path(o->cgroups, group->id);
    r = path ? cgroup_members_open(&o->gather.members, o->cgroups, path) : 0;
    return r == -ENOMEM ? r : 0; /* one that was removed has no members */
}

static int read_groups(struct owners *o)
{
    uint32_t pid;
    int r = 1;

    if (o->gather.members.fd < 0)
        return open_group(o);
    for (int i = 0; r > 0 && i < PIDS_AT_ONCE; i++) {
        r = cgroup_members_next(&o->gather.members, &pid);
        if (r > 0 && take_member(o, pid, &o->gather.groups[o->gather.group_next - 1]) < 0)
            return -ENOMEM;
    }
    if (r <= 0)
        cgroup_members_close(&o->gather.members);
    return 0;
}

int owners_list_all(struct owners *o)
{
    int r = proc_pids_open(&o->gather.pids);

    if (r < 0)
        return r;
    o->gather.began = ++o->moment;
    o->gather.ask_new = o->gather.new_wanted;
    o->gather.ask_changed = o->gather.changed_wanted;
    o->gather.new_wanted = o->gather.changed_wanted = false;
    for (size_t i = 0; i < o->processes.count; i++)
        o->processes.items[i].listed = false;
    o->gather.stage = STAGE_LISTING;
    return 0;
}

static int take_process(struct owners *o, uint32_t pid)
{
    struct process *p = process_find(&o->processes, pid);

    if (!p) {
        p = process_add(&o->processes, pid);
        if (!p)
            return -ENOMEM;
        p->served = o->gather.listed; /* it belongs to this listing, not to the one before */
    }
    p->listed = true;
    p->descriptors = proc_descriptor_count(pid);
    p->asked |= (o->gather.ask_new && !p->scanned) || (o->gather.ask_changed && process_has_changed(p));
    return 0;
}

static void finish_listing(struct owners *o)
{
    proc_pids_close(&o->gather.pids);
    for (size_t i = 0; i < o->processes.count; i++)
        if (!o->processes.items[i].listed)
            owners_drop_all(o, &o->processes.items[i]);
    process_table_keep_listed(&o->processes);
    o->gather.listed = o->gather.began;
    o->gather.stage = STAGE_NONE;
    o->needs_stale = o->plan_stale = true;
}

static int read_list(struct owners *o)
{
    uint32_t pid;
    int r = 1;

    for (int i = 0; r > 0 && i < PIDS_AT_ONCE; i++) {
        r = proc_pids_next(&o->gather.pids, &pid);
        if (r > 0 && take_process(o, pid) < 0)
            return -ENOMEM;
    }
    if (r == 0)
        finish_listing(o);
    return r < 0 ? r : 0;
}

int owners_gather_step(struct owners *o)
{
    switch (o->gather.stage) {
    case STAGE_NONE: return 0;
    case STAGE_TREE: return walk_tree(o);
    case STAGE_GROUPS: return read_groups(o);
    case STAGE_LISTING: return read_list(o);
    }
    return 0;
}

/* Gives up what is being read; those it was for are taken up again. */
void owners_gather_stop(struct owners *o)
{
    if (o->gather.stage == STAGE_GROUPS)
        for (size_t i = 0; i < o->sockets.count; i++)
            if (o->sockets.items[i].phase == PHASE_NEARBY)
                o->sockets.items[i].phase = PHASE_NEW;
    o->gather.new_wanted |= o->gather.stage == STAGE_LISTING && o->gather.ask_new;
    o->gather.changed_wanted |= o->gather.stage == STAGE_LISTING && o->gather.ask_changed;
    cgroup_members_close(&o->gather.members);
    proc_pids_close(&o->gather.pids);
    o->gather.stage = STAGE_NONE;
    o->needs_stale = o->plan_stale = true;
}
