#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <string.h>

const char *owners_path(const struct owners *o, const struct watched *w)
{
    return w->cgroup_id > 1 ? cgroups_path(o->cgroups, w->cgroup_id) : NULL;
}

void owners_make_dirty(struct owners *o, struct watched *w)
{
    if (w->dirty)
        return;
    w->dirty = true;
    o->needs.dirty++;
    o->needs.dirty_first += !w->set || w->set->count == 0;
}

void owners_set_sight(struct owners *o, struct watched *w, enum sight sight)
{
    if (w->sight == sight)
        return;
    w->sight = sight;
    owners_make_dirty(o, w);
}

void owners_make_due(struct owners *o, struct watched *w)
{
    w->due = ++o->moment;
    w->interval_ms = 0;
    w->phase = PHASE_NEW;
    owners_count_anew(w, w->due);
    o->needs_stale = o->plan_stale = true;
}

/* Whether somebody has it who is not just keeping it for a service. */
static bool is_used(const struct watched *w)
{
    for (size_t i = 0; i < w->holding_count; i++)
        for (size_t k = 0; k < w->holdings[i]->who_count; k++)
            if (!holder_is_activator(w->holdings[i]->whos[k]))
                return true;
    return false;
}

/* Who has its sockets has changed, which is told of all of them at once. */
static void touch(struct owners *o, struct holding *h)
{
    h->again |= h->told > 0;
    h->dirty = o->holdings_dirty = true;
}

static bool same_holder(const struct holder *a, const struct holder *b)
{
    return a->uid_known == b->uid_known && a->uid == b->uid && strcmp(a->process, b->process) == 0 &&
           strcmp(a->user, b->user) == 0 && a->user_awaited == b->user_awaited &&
           strcmp(a->unit, b->unit) == 0 && a->unit_known == b->unit_known &&
           a->in_manager == b->in_manager && program_is_same(a->program, b->program);
}

const struct holder *owners_describe(struct owners *o, struct process *p, const struct holder *described)
{
    const struct holder *known, *who;

    if (described->pid != process_told_as(p))
        owners_leave(o, p); /* the number is another one's now, a thread's or a process's */
    p->leader = described->pid == p->pid ? 0 : described->pid;
    known = p->holding ? holding_who(p->holding, described->pid) : NULL;

    if (known && same_holder(known, described))
        return holder_ref(known);
    who = holder_new(described);
    if (who && known) {
        (void)holding_describe(p->holding, who); /* there is room, since it is described */
        touch(o, p->holding);
    }
    return who;
}

/* Describes it as one of those that have the holding, unless enough are. */
static int list_process(struct owners *o, struct process *p, const struct holder *who)
{
    struct holding *h = p->holding;
    int r;

    if (holding_who(h, who->pid) || h->who_count >= o->limit)
        return 0;
    h->of_thread = p->leader != 0;
    r = holding_describe(h, who);
    if (r == 0 && h->processes > 1) /* else its sockets are told one by one */
        touch(o, h);
    if (r == 0 && p->look_ms == 0)
        r = owners_queue_look(o, p);
    return r;
}

/* Of what the sockets need is only counted anew what may have come to its end:
 * otherwise a search that finds many would do nothing else. */
static void note_found(struct owners *o, struct watched *w)
{
    if (owners_is_unfound(w) && o->needs.unfound > 0)
        o->needs.unfound--;
    w->used = true;
    o->needs_stale |= o->needs.unfound == 0;
}

/* Notes one more that has a socket. There is room for it. */
static int list_holding(struct owners *o, struct watched *w, struct process *p, const struct held *held,
                        const struct holder *who)
{
    int r = process_hold(p, held->inode, held->fd);

    if (r == 0)
        r = list_process(o, p, who);
    if (r == 0)
        r = watched_add(w, p->holding);
    if (r < 0)
        return r;
    if (!w->used && is_used(w))
        note_found(o, w);
    w->sight = SIGHT_SEEN;
    owners_make_dirty(o, w);
    return 0;
}

bool owners_wants_threads(const struct watched *w)
{
    return w->inode != 0 && (w->holding_count == 0 || w->holdings[0]->of_thread);
}

/* Whether a socket is held by the process already, through another of its
 * threads; each process is told once. Threads are told only of what no process
 * has by itself. */
static bool is_told_already(const struct watched *w, const struct process *p)
{
    for (size_t i = 0; i < w->holding_count; i++) {
        const struct holding *h = w->holdings[i];

        if (h->of_thread ? h->whos[0]->pid == process_told_as(p) : p->leader != 0)
            return true;
    }
    return false;
}

int owners_gain(struct owners *o, struct scan *s, struct process *p, const struct held *held)
{
    struct watched *w;
    size_t cursor = 0;
    int r = 0;

    while (r == 0 && (w = sockets_of_inode(&o->sockets, held->inode, &cursor))) {
        if (p->holding && watched_has(w, p->holding))
            r = process_hold(p, held->inode, held->fd);
        else if (is_told_already(w, p))
            continue;
        else if (owners_make_room(o, w, s->who))
            r = list_holding(o, w, p, held, s->who);
        else if (!p->leader)
            owners_count(o, w, p, s);
    }
    if (r == 0 && p->holding)
        r = list_process(o, p, s->who);
    process_trim(p);
    return r;
}

/* A socket that nobody uses any more is looked for from the beginning; one that
 * others have may have got new ones, too. */
static void note_loss(struct owners *o, struct watched *w)
{
    bool was_used = w->used;

    w->used = is_used(w);
    o->needs_stale = true;
    owners_make_dirty(o, w);
    if (w->holding_count == 0) {
        w->sight = SIGHT_NOT_YET;
        w->unseen_ms = o->now_ms;
    }
    if (w->holding_count == 0 || (was_used && !w->used))
        owners_make_due(o, w);
    else
        w->lost = true;
}

static void lose(struct owners *o, uint32_t inode, const struct holding *h)
{
    struct watched *w;
    size_t cursor = 0;

    while ((w = sockets_of_inode(&o->sockets, inode, &cursor)))
        if (watched_remove(w, h))
            note_loss(o, w);
}

void owners_drop_unseen(struct owners *o, struct process *p)
{
    struct holding *h = p->holding;
    size_t kept = 0;

    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++) {
        if (h->items[i].seen)
            h->items[kept++] = h->items[i];
        else
            lose(o, h->items[i].inode, h);
    }
    h->count = kept;
    h->items = array_shrink(h->items, &h->capacity, kept, sizeof *h->items);
    process_trim(p);
}

void owners_leave(struct owners *o, struct process *p)
{
    struct holding *h = p->holding;

    if (!h)
        return;
    if (h->processes > 1) {
        (void)holding_forget_who(h, process_told_as(p)); /* it need not be described */
        touch(o, h);
    }
    for (size_t i = 0; h->processes == 1 && i < h->count; i++)
        lose(o, h->items[i].inode, h);
    process_leave(p);
}

void owners_share(struct owners *o, struct process *p, struct holding *h)
{
    if (p->holding == h)
        return;
    owners_leave(o, p);
    if (!h)
        return;
    process_share(p, h);
    touch(o, h);
}

void owners_forget_process(struct owners *o, uint32_t pid)
{
    struct process *p = process_find(&o->processes, pid);

    if (!p)
        return;
    owners_leave(o, p);
    process_remove(&o->processes, p);
}

bool owners_lists(const struct owners *o, const struct holding *h, uint32_t inode)
{
    const struct watched *w;
    size_t cursor = 0;

    while ((w = sockets_of_inode(&o->sockets, inode, &cursor)))
        if (watched_has(w, h))
            return true;
    return false;
}

/* Describes one that shares a holding, as long as there are too few. */
static void describe_sharer(struct owners *o, struct process *p, size_t *left)
{
    struct holding *h = p->holding;
    size_t described = h->who_count;
    struct holder found;
    const struct holder *who;
    int r;

    if (h->count == 0 || h->who_count >= o->limit || holding_who(h, process_told_as(p)))
        return;
    h->more |= *left == 0;
    if (*left == 0)
        return;
    (*left)--;
    r = proc_describe(p->pid, h->items[0].fd, h->items[0].inode, o->users, &found);
    if (r == -ENOENT || r == -ESRCH || r == -ESTALE)
        owners_leave(o, p); /* if it shares it still, its next look tells */
    who = r == 0 ? holder_new(&found) : NULL;
    if (r == 0)
        program_unref(found.program);
    if (who) {
        (void)list_process(o, p, who); /* without memory it is one of those that are not listed */
        o->publish.described |= h->who_count > described;
    }
    holder_unref(who);
}

static void tell_socket(struct owners *o, const struct holding *h, uint32_t inode)
{
    struct watched *w;
    size_t cursor = 0;

    while ((w = sockets_of_inode(&o->sockets, inode, &cursor))) {
        if (!watched_has(w, h))
            continue;
        owners_make_dirty(o, w);
        if (w->used && !is_used(w))
            note_loss(o, w);
        else if (!w->used && is_used(w))
            note_found(o, w);
    }
}

/* What is told of the sockets in a holding is not up to date. */
static void tell_sockets(struct owners *o, struct holding *h, size_t *left)
{
    for (; h->told<h->count && * left> 0; (*left)--)
        tell_socket(o, h, h->items[h->told++].inode);
    if (h->told < h->count)
        return;
    h->dirty = h->again;
    h->again = false;
    h->told = 0;
}

void owners_tell_holdings(struct owners *o)
{
    size_t left = DESCRIBED_AT_ONCE, sockets_left = TOLD_AT_ONCE;

    o->publish.described = false;
    if (!o->holdings_dirty)
        return;
    o->holdings_dirty = false;
    for (size_t i = 0; i < o->processes.count; i++)
        if (o->processes.items[i].holding)
            o->processes.items[i].holding->more = false;
    for (size_t i = 0; i < o->processes.count; i++)
        if (o->processes.items[i].holding && o->processes.items[i].holding->dirty)
            describe_sharer(o, &o->processes.items[i], &left);
    for (size_t i = 0; i < o->processes.count; i++) {
        struct holding *h = o->processes.items[i].holding;

        if (h && h->dirty && (h->who_count > 0 || h->count == 0) && !(h->more && o->publish.described))
            tell_sockets(o, h, &sockets_left);
        o->holdings_dirty |= h && h->dirty;
    }
}
