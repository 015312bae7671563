#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>
#include <string.h>

/* Looking through fewer descriptors costs less than finding out whose they are. */
enum { SHARED_MIN = 64 };

static void drop_table(struct tables *t, size_t at)
{
    memmove(t->pids + at, t->pids + at + 1, (t->count - at - 1) * sizeof *t->pids);
    t->count--;
}

/* Where a process with the same table stands, or would. The kernel tells the
 * order of two tables, and one that changed its place since (exec(2),
 * unshare(2)) costs no more than that another one is looked through in vain.
 *
 * Returns 1, 0 when none is there, or -errno: it cannot be told. */
static int find_table(struct tables *t, uint32_t pid, size_t *ret_place)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order, r = proc_compare_tables(pid, t->pids[middle], &order);

        if (r < 0 && proc_compare_tables(pid, pid, &order) < 0)
            return r; /* it is the process itself that cannot be asked about */
        *ret_place = middle;
        if (r < 0) {
            drop_table(t, middle); /* it has gone */
            high--;
        } else if (order == 0) {
            return 1;
        } else if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *ret_place = low;
    return 0;
}

static int insert_table(struct tables *t, size_t place, uint32_t pid)
{
    uint32_t *pids = array_grow(t->pids, &t->capacity, t->count + 1, sizeof *pids);

    if (!pids)
        return -ENOMEM;
    t->pids = pids;
    memmove(pids + place + 1, pids + place, (t->count - place) * sizeof *pids);
    pids[place] = pid;
    t->count++;
    return 0;
}

/* The moment since which its table must have been looked through. Whoever only
 * asks because it is new has been in no other table. */
static uint64_t wanted_since(const struct owners *o, const struct process *p)
{
    uint64_t wanted[] = {p->near_due, p->holding ? p->holding->near_due : 0, o->needs.urgent_due,
                         o->needs.rest_due};
    uint64_t since = p->scanned ? p->served : 0;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (wanted[i] > p->served && wanted[i] > since)
            since = wanted[i];
    return since;
}

static bool may_share(const struct process *p)
{
    return p->descriptors == 0 || p->descriptors >= SHARED_MIN; /* 0: nobody knows */
}

/* The process as which the table was looked through, which may be the process
 * itself; NULL when none was. */
static struct process *find_looked_through(struct owners *o, const struct process *p)
{
    size_t place;

    if (!may_share(p) || o->tables.count == 0 || find_table(&o->tables, p->pid, &place) <= 0)
        return NULL;
    return process_find(&o->processes, o->tables.pids[place]);
}

static bool shares_with(const struct process *p, uint32_t pid)
{
    int order;

    return proc_compare_tables(p->pid, pid, &order) == 0 && order == 0;
}

bool owners_shares_still(const struct process *p)
{
    const struct holding *h = p->holding;
    size_t compared = 0;

    if (!h || h->processes == 1)
        return true;
    for (size_t i = 0; i < h->who_count; i++) {
        if (h->whos[i]->pid == p->pid)
            continue;
        compared++;
        if (shares_with(p, h->whos[i]->pid))
            return true;
    }
    if (compared > 0 || h->counted.pid == 0)
        return false;
    return h->counted.pid == p->pid /* the others are compared with it */ || shares_with(p, h->counted.pid);
}

static void take_result(struct process *p, const struct process *other)
{
    p->scanned = true;
    p->scanned_descriptors = other->scanned_descriptors;
    p->asked = p->suspect = p->denied = false;
    p->near_urgent &= p->near_due > other->served;
    if (p->served < other->served)
        p->served = other->served;
    p->since_ms[0] = p->since_ms[1] = 0;
}

/* What is only counted is nothing that is held, but those that share it are to be
 * counted with it. Without memory they are not. */
static void keep_count(struct process *other)
{
    if (other->holding || !other->counted || process_hold_nothing(other) < 0)
        return;
    other->holding->counted.pid = other->pid;
    other->holding->counted.at = other->served;
    other->holding->counted.processes = 1;
}

void owners_note_count(const struct owners *o, struct process *p, const struct scan *s)
{
    struct holding *h = p->holding;

    p->counted = s->counts;
    if (!h)
        return;
    h->counted.again_ms = h->counted.pid ? o->now_ms + OWNERS_COMPLETE_MS : 0;
    h->counted.pid = s->counts ? p->pid : 0;
    h->counted.at = s->started;
    h->counted.processes = s->processes;
}

bool owners_was_looked_through(struct owners *o, struct process *p)
{
    uint64_t since = wanted_since(o, p);
    struct process *other = p->leader ? NULL : find_looked_through(o, p);

    if (!other || other == p) {
        if (!owners_shares_still(p))
            owners_leave(o, p);
        return false;
    }
    keep_count(other);
    owners_share(o, p, other->holding);
    if (other->served < since)
        return false;
    take_result(p, other);
    return true;
}

void owners_note_table(struct owners *o, const struct process *p)
{
    size_t place;
    int r;

    if (p->scanned_descriptors < SHARED_MIN || p->leader)
        return;
    r = find_table(&o->tables, p->pid, &place);
    if (r > 0)
        o->tables.pids[place] = p->pid; /* the latest look at it */
    if (r == 0)
        (void)insert_table(&o->tables, place, p->pid); /* else each process is looked through by itself */
}

int owners_add_table(struct tables *t, uint32_t pid)
{
    size_t place;
    int r = find_table(t, pid, &place);

    if (r == 0)
        r = insert_table(t, place, pid);
    else if (r > 0)
        return 0;
    return r < 0 ? r : 1;
}

void owners_tidy_tables(struct owners *o)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->tables.count; i++)
        if (process_find(&o->processes, o->tables.pids[i]))
            o->tables.pids[kept++] = o->tables.pids[i];
    o->tables.count = kept;
    o->tables.pids = array_shrink(o->tables.pids, &o->tables.capacity, kept, sizeof *o->tables.pids);
}
