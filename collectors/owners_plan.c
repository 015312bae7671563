#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>

/* What a descriptor counts for beside time spent waiting: so nobody waits for
 * ever behind cheaper processes that are asked again and again. */
#define DESCRIPTOR_KEY INT64_C(100)

/* Likewise not having changed; more than most numbers of descriptors. */
#define UNCHANGED_KEY INT64_C(600000000)

/* Looking through everything anew may take one part in so many of the time. */
#define COMPLETE_PARTS INT64_C(100)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool owners_is_unfound(const struct watched *w)
{
    return w->phase < PHASE_THREADS && !w->used && w->inode != 0;
}

static void measure_phase(const struct owners *o, const struct watched *w, struct needs *n)
{
    bool unfound = owners_is_unfound(w), listed = w->due <= o->gather.listed;

    n->unfound += unfound;
    n->threads |= w->phase == PHASE_THREADS && w->due > o->threads.walked;
    if (w->phase == PHASE_NEW) {
        n->nearby = true;
        n->nearby_urgent |= unfound;
    } else if (w->phase == PHASE_EVERYWHERE && !listed) {
        n->listing = true;
        n->listing_urgent |= unfound;
    } else if (w->phase == PHASE_EVERYWHERE && unfound) {
        n->urgent_due = later(n->urgent_due, w->due);
    } else if (w->phase == PHASE_EVERYWHERE) {
        n->rest_due = later(n->rest_due, w->due);
    }
}

void owners_measure(struct owners *o)
{
    uint64_t complete = o->upkeep.complete_due;
    struct needs n = {.refresh_ms = INT64_MAX, .late_ms = INT64_MAX};

    for (size_t i = 0; i < o->sockets.count; i++) {
        const struct watched *w = &o->sockets.items[i];

        measure_phase(o, w, &n);
        n.holdable |= w->inode != 0;
        n.nearby |= w->joining;
        n.lost |= w->lost;
        n.dirty += w->dirty;
        n.dirty_first += w->dirty && (!w->set || w->set->count == 0);
        if (w->refresh_ms < n.refresh_ms)
            n.refresh_ms = w->refresh_ms;
        if (w->sight == SIGHT_NOT_YET && w->unseen_ms + OWNERS_LATE_MS < n.late_ms)
            n.late_ms = w->unseen_ms + OWNERS_LATE_MS;
    }
    n.listing |= o->gather.new_wanted || o->gather.changed_wanted || complete > o->gather.listed;
    if (complete <= o->gather.listed)
        n.rest_due = later(n.rest_due, complete);
    o->needs = n;
    o->needs_stale = false;
}

bool owners_is_near(const struct process *p)
{
    return p->near_due > p->served || (p->holding && p->holding->near_due > p->served);
}

static bool is_near_urgent(const struct process *p)
{
    return (p->near_urgent && p->near_due > p->served) ||
           (p->holding && p->holding->near_urgent && p->holding->near_due > p->served);
}

/* Whether others share its table than were counted. */
static bool is_count_wrong(const struct owners *o, const struct process *p)
{
    const struct holding *h = p->holding;

    return h && h->counted.pid == p->pid && h->counted.processes != h->processes &&
           h->counted.again_ms <= o->now_ms;
}

enum level owners_level(const struct owners *o, const struct process *p)
{
    if (p->suspect || (o->needs.unfound > 0 && is_near_urgent(p)))
        return LEVEL_NEAR_URGENT;
    if (p->served < o->needs.urgent_due)
        return LEVEL_URGENT;
    if (owners_is_near(p))
        return LEVEL_NEAR;
    if (p->asked)
        return LEVEL_ASKED;
    if (p->served < o->needs.rest_due)
        return LEVEL_REST;
    return is_count_wrong(o, p) ? LEVEL_COUNT : LEVEL_NONE;
}

/* What all looks so far say together. */
struct sum {
    uint64_t oldest, oldest_near; /* sockets due up to these were looked for in all, in all that are near */
    bool denied;
    bool asked; /* whether /proc shows all, which only those that nobody has hang on */
};

static struct sum sum_up(const struct owners *o)
{
    struct sum s = {.oldest = UINT64_MAX, .oldest_near = UINT64_MAX};

    for (size_t i = 0; i < o->processes.count; i++) {
        const struct process *p = &o->processes.items[i];

        if (p->served < s.oldest)
            s.oldest = p->served;
        if (p->served < s.oldest_near && owners_is_near(p))
            s.oldest_near = p->served;
        s.denied |= p->denied;
    }
    return s;
}

/* Whether somebody may have a socket without having been seen. */
static bool may_hide(const struct owners *o, struct sum *s)
{
    s->denied |= o->threads.unsure;
    if (!s->denied && !s->asked)
        s->denied = !proc_scan_sees_all();
    s->asked = true;
    return s->denied;
}

static void conclude(struct owners *o, struct watched *w, struct sum *s)
{
    owners_counted(o, w, w->phase >= PHASE_EVERYWHERE);
    w->phase = PHASE_DONE;
    if (w->inode == 0)
        owners_set_sight(o, w, SIGHT_NONE);
    else if (w->holding_count == 0)
        owners_set_sight(o, w, may_hide(o, s) ? SIGHT_HIDDEN : SIGHT_NONE);
    owners_schedule(o, w);
}

static void advance(struct owners *o, struct watched *w, struct sum *s)
{
    if (w->phase == PHASE_NEARBY && w->due <= s->oldest_near) {
        if (w->inode == 0 || (w->used && w->placed))
            conclude(o, w, s);
        else
            w->phase = PHASE_EVERYWHERE;
    }
    if (w->phase == PHASE_EVERYWHERE && w->due <= o->gather.listed && w->due <= s->oldest)
        w->phase = PHASE_THREADS;
    if (w->phase == PHASE_THREADS && (w->inode == 0 || w->holding_count > 0 || w->due <= o->threads.walked))
        conclude(o, w, s);
}

static void end_complete(struct owners *o, const struct sum *s)
{
    int64_t pause_ms = COMPLETE_PARTS * o->upkeep.complete_us / 1000;

    if (o->upkeep.complete_due == 0 || o->upkeep.complete_due > o->gather.listed ||
        o->upkeep.complete_due > s->oldest)
        return;
    for (size_t i = 0; i < o->sockets.count; i++)
        if (o->sockets.items[i].phase == PHASE_DONE)
            owners_counted(o, &o->sockets.items[i], true);
    o->upkeep.complete_due = 0;
    o->upkeep.complete_ms = o->now_ms + (pause_ms > OWNERS_COMPLETE_MS ? pause_ms : OWNERS_COMPLETE_MS);
}

bool owners_job_is_before(const struct job *a, const struct job *b)
{
    if (a->level != b->level)
        return a->level < b->level;
    return a->key != b->key ? a->key < b->key : a->pid < b->pid;
}

const struct job *owners_next_job(const struct owners *o)
{
    return o->plan.count > 0 ? o->plan.jobs : NULL;
}

/* Puts a job at its place below an empty one. */
static void sink(struct owners *o, size_t at, struct job job)
{
    struct job *jobs = o->plan.jobs;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < o->plan.count && owners_job_is_before(&jobs[child + 1], &jobs[child]))
            child++;
        if (child >= o->plan.count || !owners_job_is_before(&jobs[child], &job))
            break;
        jobs[at] = jobs[child];
        at = child;
    }
    jobs[at] = job;
}

struct job owners_take_job(struct owners *o)
{
    struct job first = o->plan.jobs[0];

    if (--o->plan.count > 0)
        sink(o, 0, o->plan.jobs[o->plan.count]);
    return first;
}

/* Cheap processes and those that have changed first, but in the end whoever
 * waits longest. */
static int64_t key_of(const struct owners *o, struct process *p, enum level level)
{
    bool urgent = level <= LEVEL_URGENT;
    int64_t *since_ms = &p->since_ms[!urgent];

    if (!urgent)
        p->since_ms[0] = 0;
    if (*since_ms == 0)
        *since_ms = o->now_ms;
    return *since_ms * 1000 + p->descriptors * DESCRIPTOR_KEY + (process_has_changed(p) ? 0 : UNCHANGED_KEY);
}

/* Whether a process is being looked through; if so by its present level. */
static bool is_scanned(struct owners *o, const struct process *p, enum level level)
{
    for (size_t i = 0; i < 2; i++) {
        struct scan *s = &o->plan.scans[i];

        if (s->open && s->job.pid == p->pid) {
            s->job.level = level == LEVEL_NONE ? LEVEL_REST : level;
            return true;
        }
    }
    return false;
}

/* One level is enough: what comes behind it is planned when it ends, and waits
 * from now on all the same. */
static void add_job(struct owners *o, struct process *p)
{
    enum level level = owners_level(o, p);
    struct job *jobs = o->plan.jobs, job = {p->pid, level, 0};

    if (is_scanned(o, p, level))
        return;
    if (level == LEVEL_NONE) {
        p->since_ms[0] = p->since_ms[1] = 0;
        return;
    }
    job.key = key_of(o, p, level);
    if (o->plan.count > 0 && level < jobs[0].level)
        o->plan.count = 0;
    if (o->plan.count == 0 || level == jobs[0].level)
        jobs[o->plan.count++] = job;
}

static int make_jobs(struct owners *o)
{
    struct job *jobs = array_grow(o->plan.jobs, &o->plan.capacity, o->processes.count + 1, sizeof *jobs);

    if (!jobs)
        return -ENOMEM;
    o->plan.jobs = array_shrink(jobs, &o->plan.capacity, o->processes.count + 1, sizeof *jobs);
    o->plan.count = 0;
    for (size_t i = 0; i < o->processes.count; i++)
        add_job(o, &o->processes.items[i]);
    for (size_t i = o->plan.count / 2; i-- > 0;)
        sink(o, i, o->plan.jobs[i]);
    return 0;
}

int owners_plan(struct owners *o)
{
    struct sum s;
    int r;

    if (o->gather.stage != STAGE_NONE)
        return 0; /* which makes a plan at its end */
    process_table_tidy(&o->processes);
    s = sum_up(o);
    for (size_t i = 0; i < o->sockets.count; i++)
        advance(o, &o->sockets.items[i], &s);
    end_complete(o, &s);
    owners_measure(o);
    r = make_jobs(o);
    o->plan_stale = r < 0;
    return r;
}
