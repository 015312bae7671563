#include "collectors/owners_internal.h"
#include "collectors/proc_pid_parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who joins those that are known is told with a delay. */
#define PUBLISH_MS INT64_C(200)

/* Who is listed first, where there is no room for all. */
enum rank {
    RANK_OWN, /* of the socket's own user or unit */
    RANK_OTHER,
    RANK_ACTIVATOR,
};

static enum rank rank_of(const struct watched *w, const struct holder *who)
{
    const struct owner_set *made = w->set;

    if (holder_is_activator(who))
        return RANK_ACTIVATOR;
    if (who->uid_known && who->uid == w->uid)
        return RANK_OWN;
    if (made && *made->unit && strcmp(who->unit, made->unit) == 0)
        return RANK_OWN;
    return RANK_OTHER;
}

static enum rank rank_of_holding(const struct watched *w, const struct holding *h)
{
    return h->who_count > 0 ? rank_of(w, h->whos[0]) : RANK_ACTIVATOR;
}

/* Lets one of those that are listed go. If it was counted by its last look, it
 * is counted as one that is not listed from now on; if not, its next one will. */
static void displace(struct owners *o, struct watched *w, struct holding *h)
{
    const struct process *p = h->who_count > 0 ? process_find(&o->processes, h->whos[0]->pid) : NULL;

    (void)watched_remove(w, h); /* it is there */
    if (!owners_lists(o, h, w->inode))
        holding_drop(h, w->inode);
    if (p && h->counted.pid == 0) {
        h->counted.pid = p->pid;
        h->counted.at = p->served;
        h->counted.processes = h->processes;
    }
    if (h->counted.pid != 0 && h->counted.at >= w->unlisted.since)
        w->unlisted.found += (uint32_t)h->counted.processes;
    owners_make_dirty(o, w);
}

bool owners_make_room(struct owners *o, struct watched *w, const struct holder *who)
{
    struct holding *worst = NULL;

    if (w->holding_count < o->limit)
        return true;
    for (size_t i = 0; i < w->holding_count; i++)
        if (!worst || rank_of_holding(w, w->holdings[i]) > rank_of_holding(w, worst))
            worst = w->holdings[i];
    if (!worst || rank_of(w, who) >= rank_of_holding(w, worst))
        return false;
    displace(o, w, worst);
    return true;
}

void owners_count_anew(struct watched *w, uint64_t since)
{
    w->unlisted.since = since;
    w->unlisted.found = 0;
}

/* How many more, or less, a look at a table makes it that is not listed. */
static int64_t more_by(const struct watched *w, const struct process *p, const struct scan *s)
{
    const struct holding *h = p->holding;
    int64_t processes = (int64_t)s->processes;

    if (h && h->counted.pid != 0)
        return h->counted.at < w->unlisted.since ? processes : processes - (int64_t)h->counted.processes;
    return !p->scanned || p->served < w->unlisted.since ? processes : 0;
}

/* Counts each process once although nothing is kept of it: only by the first
 * look at it since the count began. Of several that share a table which is not
 * listed one is looked through for all, and once more when there are others. */
void owners_count(struct owners *o, struct watched *w, const struct process *p, struct scan *s)
{
    size_t which = s == &o->plan.scans[1];
    int64_t found;

    if (w->unlisted.looks[which] == s->started || s->started < w->unlisted.since)
        return; /* the next look will count */
    w->unlisted.looks[which] = s->started;
    s->counts = true;
    found = (int64_t)w->unlisted.found + more_by(w, p, s);
    w->unlisted.found = found > 0 ? (uint32_t)found : 0;
    if (w->unlisted.found > w->unlisted.told)
        owners_make_dirty(o, w);
}

void owners_counted(struct owners *o, struct watched *w, bool all)
{
    uint32_t told = w->unlisted.told, found = w->unlisted.found;

    if (found < told && !all)
        w->unlisted.found = told; /* those that were not looked through have it still */
    else
        w->unlisted.told = found;
    if (w->unlisted.told != told)
        owners_make_dirty(o, w);
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

/* Chooses one; where there is no room it takes the place of a worse one. */
static void choose(struct owners *o, const struct watched *w, const struct holder *who, size_t *count)
{
    size_t worst = 0;

    if (*count < o->limit) {
        o->chosen[(*count)++] = who;
        return;
    }
    for (size_t i = 1; i < *count; i++)
        if (rank_of(w, o->chosen[i]) > rank_of(w, o->chosen[worst]))
            worst = i;
    if (rank_of(w, who) < rank_of(w, o->chosen[worst]))
        o->chosen[worst] = who;
}

static int compare_holders(const void *a, const void *b)
{
    const struct holder *x = *(const struct holder *const *)a, *y = *(const struct holder *const *)b;

    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Of each table somebody, and then others that share one. Returns how many were
 * chosen, by PID. */
static size_t choose_holders(struct owners *o, const struct watched *w, uint64_t *ret_all)
{
    size_t count = 0;

    *ret_all = 0;
    for (size_t i = 0; i < w->holding_count; i++) {
        *ret_all += w->holdings[i]->processes;
        if (w->holdings[i]->who_count > 0)
            choose(o, w, w->holdings[i]->whos[0], &count);
    }
    for (size_t i = 0; i < w->holding_count; i++)
        for (size_t k = 1; k < w->holdings[i]->who_count; k++)
            choose(o, w, w->holdings[i]->whos[k], &count);
    if (count > 1)
        qsort(o->chosen, count, sizeof(const struct holder *), compare_holders);
    return count;
}

static void end_dirty(struct owners *o, struct watched *w)
{
    if (!w->dirty)
        return;
    w->dirty = false;
    o->needs.dirty--;
    o->needs.dirty_first -= !w->set || w->set->count == 0;
}

bool owners_note_late(struct owners *o, bool all)
{
    bool any = false;

    if (!all && o->now_ms < o->needs.late_ms)
        return false;
    for (size_t i = 0; i < o->sockets.count; i++) {
        struct watched *w = &o->sockets.items[i];

        if (w->sight != SIGHT_NOT_YET || (!all && o->now_ms < w->unseen_ms + OWNERS_LATE_MS))
            continue;
        owners_set_sight(o, w, SIGHT_LATE);
        any = true;
    }
    owners_measure(o);
    return any;
}

int owners_publish_one(struct owners *o, struct watched *w)
{
    uint64_t all;
    size_t count = choose_holders(o, w, &all);
    struct owner_set *set;

    if (count == 0 && w->holding_count > 0 && w->set) {
        end_dirty(o, w); /* until somebody who shares it is described */
        return 0;
    }
    set = owner_set_new(count);
    if (!set)
        return -ENOMEM;
    set->sight = count == 0 && w->sight == SIGHT_SEEN ? SIGHT_NOT_YET : w->sight;
    set->uid = w->uid;
    set->unlisted = (w->unlisted.told > w->unlisted.found ? w->unlisted.told : w->unlisted.found);
    set->unlisted += all - count;
    set->user_awaited = users_name(o->users, w->uid, set->user);
    tell_unit(o, w, set);
    for (size_t i = 0; i < count; i++)
        set->holders[i] = holder_ref(o->chosen[i]);
    end_dirty(o, w);
    owner_set_unref(w->set);
    w->set = set;
    o->publish.changed = true;
    return 0;
}

/* Goes on with the pass under way, by so many sets at most. */
static int publish_some(struct owners *o)
{
    int sets = 0, r = 0;

    for (; r == 0 && sets < SETS_AT_ONCE && o->publish.at < o->sockets.count; o->publish.at++) {
        struct watched *w = &o->sockets.items[o->publish.at];

        if (!w->dirty || !(o->publish.all || !w->set || w->set->count == 0))
            continue;
        r = owners_publish_one(o, w);
        sets++;
    }
    if (r == 0 && o->publish.at < o->sockets.count)
        return 0;
    o->publish.under_way = false;
    o->version += o->publish.changed;
    o->publish.changed = false;
    return r;
}

int owners_publish(struct owners *o, bool at_rest)
{
    bool all = at_rest || o->now_ms >= o->publish.at_ms;

    if (!o->publish.under_way) {
        if (all)
            owners_tell_holdings(o);
        if (o->needs.dirty_first == 0 && (o->needs.dirty == 0 || !all))
            return 0;
        if (all)
            o->publish.at_ms = o->now_ms + PUBLISH_MS;
        o->publish.under_way = true;
        o->publish.all = all;
        o->publish.at = 0;
    }
    return publish_some(o);
}
