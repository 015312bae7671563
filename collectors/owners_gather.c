#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <string.h>

/* Where a cgroup is, or belongs. */
static size_t place_of(const struct owners *o, uint64_t id)
{
    size_t low = 0, high = o->gather.group_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (o->gather.groups[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The group of a socket that has a cgroup: however many sockets were made in it,
 * and in whatever order they come, it is asked for and read once. Returns NULL
 * when memory runs out. */
static struct group *group_of(struct owners *o, const struct watched *w)
{
    size_t i = place_of(o, w->cgroup_id), count = o->gather.group_count;
    struct group *groups = o->gather.groups;

    if (i < count && groups[i].id == w->cgroup_id)
        return &groups[i];
    groups = array_grow(groups, &o->gather.group_capacity, count + 1, sizeof *groups);
    if (!groups)
        return NULL;
    o->gather.groups = groups;
    memmove(groups + i + 1, groups + i, (count - i) * sizeof *groups);
    groups[i] = (struct group){.id = w->cgroup_id, .placed = owners_path(o, w)};
    o->gather.group_count++;
    return &groups[i];
}

/* Who had it may have it. */
static void want_holders(const struct watched *w)
{
    for (size_t i = 0; i < w->holding_count; i++) {
        struct holding *h = w->holdings[i];

        h->near_due = h->near_due > w->due ? h->near_due : w->due;
        h->near_urgent |= !w->used;
    }
}

static void want_near(struct process *p, uint64_t due, bool urgent)
{
    p->near_due = p->near_due > due ? p->near_due : due;
    p->near_urgent |= urgent;
}

static void want_group(struct group *group, const struct watched *w, bool is_due)
{
    group->wanted = true;
    if (!is_due)
        return;
    group->due = group->due > w->due ? group->due : w->due;
    group->urgent |= !w->used;
}

/* Takes up what a socket needs. */
static int take_up(struct owners *o, struct watched *w)
{
    bool is_due = w->phase == PHASE_NEW;
    struct group *group = NULL;

    if (!is_due && !w->joining)
        return 0;
    if (w->cgroup_id > 1) {
        group = group_of(o, w);
        if (!group)
            return -ENOMEM;
        want_group(group, w, is_due);
    }
    w->placed = group && group->placed;
    if (is_due) {
        want_holders(w);
        w->phase = PHASE_NEARBY;
    } else {
        o->gather.new_wanted |= w->inode != 0 && (!w->placed || !w->used);
        o->gather.changed_wanted |= w->inode != 0 && !w->used;
    }
    w->joining = false;
    return 0;
}

/* Begins a stage that goes over the sockets, with or without what is known of
 * their cgroups. */
static int begin_stage(struct owners *o, enum stage stage, bool anew)
{
    if (anew)
        o->gather.group_count = 0;
    o->gather.at = 0;
    o->gather.stage = stage;
    return 0;
}

int owners_gather_nearby(struct owners *o)
{
    o->gather.tree_wanted = false;
    return begin_stage(o, o->now_ms < o->gather.tree_ms ? STAGE_TAKING : STAGE_ASKING, true);
}

/* Does what the stage does for some sockets. Returns 1, 0 after the last, or
 * -ENOMEM. One that is missed, as others before it were forgotten meanwhile, is
 * as due as it was. */
static int go_over_sockets(struct owners *o, int (*one)(struct owners *o, struct watched *w))
{
    int r = 0;

    for (int i = 0; r == 0 && i < SOCKETS_AT_ONCE && o->gather.at < o->sockets.count; i++)
        r = one(o, &o->sockets.items[o->gather.at++]);
    return r < 0 ? r : o->gather.at < o->sockets.count;
}

/* Whether a socket stands in a cgroup that is not known. */
static int ask_one(struct owners *o, struct watched *w)
{
    const struct group *group;

    if ((w->phase != PHASE_NEW && !w->joining) || w->cgroup_id <= 1)
        return 0;
    group = group_of(o, w);
    if (!group)
        return -ENOMEM;
    o->gather.tree_wanted |= !group->placed;
    return 0;
}

/* What is remembered of very many cgroups is not kept when they have gone. */
static bool is_tree_outgrown(const struct owners *o)
{
    return cgroups_are_many(o->cgroups) && o->now_ms - o->gather.walked_ms >= OWNERS_COMPLETE_MS;
}

static int ask_for_tree(struct owners *o)
{
    int r = go_over_sockets(o, ask_one);

    if (r < 0 || (r > 0 && !o->gather.tree_wanted))
        return r < 0 ? r : 0;
    if ((!o->gather.tree_wanted && !is_tree_outgrown(o)) || cgroups_walk_begin(o->cgroups) < 0)
        return begin_stage(o, STAGE_TAKING, false);
    o->gather.stage = STAGE_TREE;
    o->gather.walked_ms = o->now_ms;
    o->gather.tree_us = 0;
    return 0;
}

/* Units that have become known are told. */
static int tell_unit(struct owners *o, struct watched *w)
{
    const struct group *group;

    if (!w->set || *w->set->unit || w->cgroup_id <= 1)
        return 0;
    group = group_of(o, w);
    if (!group)
        return -ENOMEM;
    if (group->placed)
        owners_make_dirty(o, w);
    return 0;
}

static int tell_units(struct owners *o)
{
    int r = go_over_sockets(o, tell_unit);

    return r == 0 ? begin_stage(o, STAGE_TAKING, false) : r < 0 ? r : 0;
}

static int walk_tree(struct owners *o)
{
    int r = 1;

    for (int i = 0; r > 0 && i < DIRECTORIES_AT_ONCE; i++)
        r = cgroups_walk_step(o->cgroups);
    if (r > 0 || r == -ENOMEM)
        return r < 0 ? r : 0;
    return begin_stage(o, r == 0 ? STAGE_UNITS : STAGE_TAKING, true); /* what was not found is unknown */
}

static int take_up_all(struct owners *o)
{
    int r = go_over_sockets(o, take_up);

    if (r != 0)
        return r < 0 ? r : 0;
    o->gather.group_next = 0;
    o->gather.stage = STAGE_GROUPS;
    o->needs_stale = true;
    return 0;
}

/* NULL when it is not known; a thread that had its number has gone. */
static struct process *find_listed(struct owners *o, uint32_t pid)
{
    struct process *p = process_find(&o->processes, pid);

    if (!p || !p->leader)
        return p;
    owners_forget_process(o, pid);
    return NULL;
}

static int take_member(struct owners *o, uint32_t pid, const struct group *group)
{
    struct process *p = find_listed(o, pid);

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
        o->gather.groups = array_shrink(o->gather.groups, &o->gather.group_capacity, 0, sizeof *group);
        o->gather.group_count = 0;
        o->gather.stage = STAGE_NONE;
        o->plan_stale = true;
        return 0;
    }
    group = &o->gather.groups[o->gather.group_next++];
    if (!group->wanted || !group->placed)
        return 0;
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
    struct process *p = find_listed(o, pid);

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
    for (size_t i = 0; i < o->processes.count; i++) {
        struct process *p = &o->processes.items[i];

        if (p->listed || p->gone || p->leader) /* threads are never listed */
            continue;
        owners_leave(o, p);
        process_remove(&o->processes, p);
    }
    process_table_tidy(&o->processes);
    owners_tidy_tables(o);
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
    case STAGE_ASKING: return ask_for_tree(o);
    case STAGE_TREE: return walk_tree(o);
    case STAGE_UNITS: return tell_units(o);
    case STAGE_TAKING: return take_up_all(o);
    case STAGE_GROUPS: return read_groups(o);
    case STAGE_LISTING: return read_list(o);
    }
    return 0;
}

/* Gives up what is being read; those it was for are taken up again. */
void owners_gather_stop(struct owners *o)
{
    if (o->gather.stage == STAGE_TAKING || o->gather.stage == STAGE_GROUPS)
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
