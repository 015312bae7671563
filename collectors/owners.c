#include "collectors/owners.h"
#include "collectors/cgroup.h"
#include "collectors/proc_pid_parse.h"
#include "collectors/proc_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECHECK_MS     INT64_C(1000)
#define LOOK_FIRST_MS  INT64_C(1000)
#define LOOK_SELDOM_MS INT64_C(60000)

/* Looking may take one part in so many of the time, nearby and everywhere each. */
#define LOOK_SHARE 10

/* Of a socket with many holders so many are looked at in one recheck. */
#define RECHECK_HOLDERS 8

/* A socket and what is known about its owner. */
struct entry {
    uint64_t cookie;
    uint32_t inode;
    uint32_t uid;
    uint64_t cgroup_id;
    bool present; /* among the rows of this poll */
    struct owner_set *set;
    uint32_t *fds;       /* owned; where each holder of set has the socket */
    size_t next_holder;  /* to be looked at, modulo their number */
    int64_t recheck_ms;  /* when to look at those descriptors */
    int64_t look_ms;     /* when to look for holders anew */
    int64_t refresh_ms;  /* likewise, had nothing happened meanwhile */
    int64_t interval_ms; /* between the last two refreshes */
    bool want_all;       /* a refresh looks everywhere, also when it has found some nearby */
    bool only_nearby;    /* the next look is no refresh: some holder has gone, some are left */
};

struct owners {
    struct entry *entries; /* by cookie and inode */
    size_t count, capacity;
    struct cgroups *cgroups;
    struct users *users;
    int64_t nearby_ms; /* when processes nearby may be looked through again */
    int64_t walk_ms;   /* likewise all processes */
    int64_t tree_ms;   /* likewise the cgroup tree */
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct owners *owners_new(void)
{
    struct owners *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    o->cgroups = cgroups_new();
    o->users = users_new();
    if (o->cgroups && o->users)
        return o;
    owners_free(o);
    return NULL;
}

static void entry_done(struct entry *e)
{
    owner_set_unref(e->set);
    free(e->fds);
}

void owners_free(struct owners *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->count; i++)
        entry_done(&o->entries[i]);
    free(o->entries);
    cgroups_free(o->cgroups);
    users_free(o->users);
    free(o);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->cookie != y->cookie)
        return x->cookie < y->cookie ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static struct entry *find_entry(const struct owners *o, size_t count, const struct listener_row *row)
{
    const struct entry key = {.cookie = row->cookie, .inode = row->inode};

    return count > 0 ? bsearch(&key, o->entries, count, sizeof key, compare_entries) : NULL;
}

/* What is known of a socket before anybody looked for its holders. */
static struct owner_set *set_of(struct owners *o, uint32_t uid, uint64_t cgroup_id, size_t holders)
{
    struct owner_set *set = owner_set_new(holders);
    const char *path = cgroups_path(o->cgroups, cgroup_id);

    if (!set)
        return NULL;
    set->uid = uid;
    (void)snprintf(set->user, sizeof set->user, "%s", users_name(o->users, uid));
    if (path)
        proc_pid_parse_unit(path, strlen(path), set->unit);
    return set;
}

static int add_entry(struct owners *o, const struct listener_row *row, int64_t now)
{
    struct entry *e;

    if (o->count == o->capacity) {
        size_t capacity = o->capacity ? o->capacity * 2 : 64;
        struct entry *entries = reallocarray(o->entries, capacity, sizeof *entries);

        if (!entries)
            return -ENOMEM;
        o->entries = entries;
        o->capacity = capacity;
    }
    e = &o->entries[o->count];
    *e = (struct entry){
        .cookie = row->cookie,
        .inode = row->inode,
        .uid = row->uid,
        .cgroup_id = row->cgroup_id,
        .present = true,
        .look_ms = now,
    };
    e->set = set_of(o, row->uid, row->cgroup_id, 0);
    if (!e->set)
        return -ENOMEM;
    o->count++;
    return 0;
}

/* Makes the entries those of the rows. */
static int note_rows(struct owners *o, const struct listener_row *rows, size_t count, int64_t now)
{
    size_t known = o->count, kept = 0;
    int r = 0;

    for (size_t i = 0; i < known; i++)
        o->entries[i].present = false;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct entry *e = find_entry(o, known, &rows[i]);

        if (!e) {
            r = add_entry(o, &rows[i], now);
            continue;
        }
        e->present = true;
        if (e->uid != rows[i].uid)
            e->look_ms = now; /* somebody gave it away, fchown(2) */
        e->uid = rows[i].uid;
    }
    for (size_t i = 0; i < o->count; i++) {
        if (o->entries[i].present)
            o->entries[kept++] = o->entries[i];
        else
            entry_done(&o->entries[i]);
    }
    o->count = kept;
    if (kept > 0)
        qsort(o->entries, kept, sizeof *o->entries, compare_entries);
    return r;
}

/* Looks at the one descriptor of each holder, some at a time where there are
 * many; where one is not as it was, the next look is due at once. */
static void recheck(struct entry *e, int64_t now)
{
    size_t count = e->set->count < RECHECK_HOLDERS ? e->set->count : RECHECK_HOLDERS, left = 0;

    if (now < e->recheck_ms || count == 0)
        return;
    e->recheck_ms = now + RECHECK_MS;
    for (size_t i = 0; i < count; i++) {
        size_t k = e->next_holder++ % e->set->count;

        left += proc_scan_recheck(&e->set->holders[k], e->fds[k], e->inode);
    }
    if (left == count)
        return;
    e->look_ms = now;
    e->only_nearby = left > 0 || count < e->set->count;
}

/* A look for some of the entries. */
struct look {
    struct owners *owners;
    struct entry **entries; /* due, by inode */
    struct wanted *wanted;  /* as many, of the same order; an inode may stand for several */
    size_t count;
    struct proc_scan scan;
    int64_t now;
    bool walked, walk_complete;
};

static int compare_entry_inodes(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;

    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static struct wanted *wanted_of(const struct look *l, const struct entry *e)
{
    size_t low = 0, high = l->scan.wanted_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->wanted[middle].inode < e->inode)
            low = middle + 1;
        else
            high = middle;
    }
    return &l->wanted[low]; /* every entry of the look has one */
}

/* Fills the look with the entries that are due. */
static int begin_look(struct look *l)
{
    struct owners *o = l->owners;
    size_t distinct = 0;

    l->entries = calloc(o->count + 1, sizeof(struct entry *));
    l->wanted = calloc(o->count + 1, sizeof *l->wanted);
    if (!l->entries || !l->wanted)
        return -ENOMEM;
    for (size_t i = 0; i < o->count; i++)
        if (o->entries[i].look_ms <= l->now)
            l->entries[l->count++] = &o->entries[i];
    if (l->count > 0)
        qsort(l->entries, l->count, sizeof(struct entry *), compare_entry_inodes);
    for (size_t i = 0; i < l->count; i++)
        if (i == 0 || l->entries[i]->inode != l->entries[i - 1]->inode)
            l->wanted[distinct++].inode = l->entries[i]->inode;
    l->scan = (struct proc_scan){.wanted = l->wanted, .wanted_count = distinct, .users = o->users};
    return 0;
}

static void end_look(struct look *l)
{
    for (size_t i = 0; l->wanted && i < l->scan.wanted_count; i++)
        free(l->wanted[i].hits);
    free(l->wanted);
    free(l->entries);
}

/* Walks the cgroup tree once when some socket's cgroup is not known from the
 * last time. */
static void learn_cgroups(struct look *l)
{
    struct owners *o = l->owners;
    bool missing = false;

    for (size_t i = 0; i < l->count; i++)
        missing |= l->entries[i]->cgroup_id > 1 && !cgroups_path(o->cgroups, l->entries[i]->cgroup_id);
    if (!missing || l->now < o->tree_ms)
        return;
    (void)cgroups_walk(o->cgroups); /* what is not found is unknown */
    o->tree_ms = now_ms() + LOOK_SHARE * (now_ms() - l->now);
}

/* PIDs to look into. */
struct pid_list {
    uint32_t *pids; /* owned */
    size_t count, capacity;
};

static int add_pids(struct pid_list *list, const uint32_t *pids, size_t count)
{
    if (list->count + count > list->capacity) {
        size_t capacity = (list->count + count) * 2;
        uint32_t *more = reallocarray(list->pids, capacity, sizeof *more);

        if (!more)
            return -ENOMEM;
        list->pids = more;
        list->capacity = capacity;
    }
    if (count > 0)
        memcpy(list->pids + list->count, pids, count * sizeof *pids);
    list->count += count;
    return 0;
}

static int compare_pids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Who held the socket before, and the processes of the cgroup that made it. */
static int add_nearby(struct look *l, const struct entry *e, const char *path, struct pid_list *list)
{
    uint32_t *pids;
    size_t count;
    int r = 0;

    for (size_t i = 0; r == 0 && i < e->set->count; i++)
        r = add_pids(list, &e->set->holders[i].pid, 1);
    if (r < 0 || !path || cgroups_pids(l->owners->cgroups, path, &pids, &count) < 0)
        return r;
    r = add_pids(list, pids, count);
    free(pids);
    return r;
}

static int look_nearby(struct look *l)
{
    const char *last = NULL;
    struct pid_list list = {.count = 0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < l->count; i++) {
        const char *path = cgroups_path(l->owners->cgroups, l->entries[i]->cgroup_id);

        /* Sockets that were made one after the other are mostly of one cgroup. */
        r = add_nearby(l, l->entries[i], path == last ? NULL : path, &list);
        last = path;
    }
    if (list.count > 0)
        qsort(list.pids, list.count, sizeof *list.pids, compare_pids);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        if (i == 0 || list.pids[i] != list.pids[i - 1])
            r = proc_scan_process(&l->scan, list.pids[i]);
    free(list.pids);
    return r;
}

/* Whether a socket is held by somebody who uses it. */
static bool is_found(const struct wanted *w)
{
    for (size_t i = 0; i < w->hit_count; i++)
        if (!holder_is_activator(&w->hits[i].holder))
            return true;
    return false;
}

static bool needs_walk(const struct look *l, const struct entry *e)
{
    return e->inode != 0 && (!is_found(wanted_of(l, e)) || (e->want_all && !e->only_nearby));
}

/* Looks through all processes, when some socket asks for it and the last time
 * is long enough ago. */
static int look_everywhere(struct look *l)
{
    struct owners *o = l->owners;
    bool needed = false;
    int64_t started = now_ms();
    int r;

    for (size_t i = 0; !needed && i < l->count; i++)
        needed = needs_walk(l, l->entries[i]);
    if (!needed || started < o->walk_ms)
        return 0;
    l->scan.denied = false;
    r = proc_scan_all(&l->scan);
    o->walk_ms = now_ms() + LOOK_SHARE * (now_ms() - started);
    if (r < 0)
        return r == -ENOMEM ? r : 0; /* no /proc: nothing is seen */
    l->walked = true;
    l->walk_complete = !l->scan.denied && proc_scan_sees_all();
    return 0;
}

static int compare_hits(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    return x->holder.pid < y->holder.pid ? -1 : x->holder.pid > y->holder.pid;
}

static int conclude_entry(struct look *l, struct entry *e)
{
    struct wanted *w = wanted_of(l, e);
    struct owner_set *set = set_of(l->owners, e->uid, e->cgroup_id, w->hit_count);
    uint32_t *fds = calloc(w->hit_count + 1, sizeof *fds);

    if (!set || !fds) {
        owner_set_unref(set);
        free(fds);
        return -ENOMEM;
    }
    if (w->hit_count > 0)
        qsort(w->hits, w->hit_count, sizeof *w->hits, compare_hits);
    for (size_t i = 0; i < w->hit_count; i++) {
        set->holders[i] = w->hits[i].holder;
        fds[i] = w->hits[i].fd;
    }
    if (!*set->unit) /* its cgroup may have gone meanwhile */
        memcpy(set->unit, e->set->unit, sizeof set->unit);
    if (w->hit_count > 0)
        set->sight = SIGHT_SEEN;
    else if (l->walked || e->inode == 0)
        set->sight = l->walk_complete || e->inode == 0 ? SIGHT_NONE : SIGHT_HIDDEN;
    else if (e->set->count == 0) /* what the last walk said stays until the next one */
        set->sight = e->set->sight;
    entry_done(e);
    e->set = set;
    e->fds = fds;
    e->next_holder = 0;
    return 0;
}

/* When to look again: soon while a program is young, which may fork or become
 * another user after it listened, and then ever more seldom. */
static void schedule(struct look *l, struct entry *e)
{
    bool has_cgroup = cgroups_path(l->owners->cgroups, e->cgroup_id);
    bool postponed = !l->walked && needs_walk(l, e), was_refresh = !e->only_nearby;

    e->recheck_ms = l->now + RECHECK_MS;
    e->look_ms = postponed ? l->owners->walk_ms : e->refresh_ms;
    if (postponed)
        return;
    e->only_nearby = false;
    /* Where no cgroup tells, who joined later is found only everywhere. */
    e->want_all = !has_cgroup;
    if (!was_refresh && e->set->count > 0)
        return;
    e->interval_ms = e->interval_ms ? e->interval_ms * 2 : LOOK_FIRST_MS;
    if (e->interval_ms > LOOK_SELDOM_MS)
        e->interval_ms = LOOK_SELDOM_MS;
    e->look_ms = e->refresh_ms = l->now + e->interval_ms;
}

/* Looks nearby, which is done within the share of the time that it may take. */
static int look_nearby_timed(struct look *l)
{
    int64_t started = now_ms();
    int r = look_nearby(l);

    l->owners->nearby_ms = now_ms() + LOOK_SHARE * (now_ms() - started);
    return r;
}

static int look(struct owners *o, int64_t now)
{
    struct look l = {.owners = o, .now = now};
    int r = now < o->nearby_ms ? 0 : begin_look(&l);

    if (r == 0 && l.count > 0) {
        learn_cgroups(&l);
        r = look_nearby_timed(&l);
        if (r == 0)
            r = look_everywhere(&l);
        for (size_t i = 0; r == 0 && i < l.count; i++) {
            r = conclude_entry(&l, l.entries[i]);
            if (r == 0)
                schedule(&l, l.entries[i]);
        }
    }
    end_look(&l);
    return r;
}

int owners_attach(struct owners *o, struct listener_row *rows, size_t count)
{
    int64_t now = now_ms();
    int r = note_rows(o, rows, count, now);

    for (size_t i = 0; r == 0 && i < o->count; i++)
        recheck(&o->entries[i], now);
    if (r == 0)
        r = look(o, now);
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = find_entry(o, o->count, &rows[i]);

        rows[i].owners = e ? e->set : NULL;
    }
    return r;
}

void owners_refresh(struct owners *o)
{
    users_forget(o->users);
    for (size_t i = 0; i < o->count; i++) {
        o->entries[i].look_ms = 0;
        o->entries[i].interval_ms = 0;
        o->entries[i].only_nearby = false;
    }
}
