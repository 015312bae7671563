#include "collectors/owners_internal.h"

#include <errno.h>

/* Which of the two scans goes on or begins: a job that is better than the one
 * under way overtakes it. */
static size_t scan_in_turn(const struct owners *o)
{
    const struct scan *scans = o->plan.scans;
    const struct job *job = owners_next_job(o);

    return scans[1].open || (scans[0].open && job && owners_job_is_before(job, &scans[0].job));
}

enum level owners_scan_level(const struct owners *o)
{
    const struct scan *s = &o->plan.scans[scan_in_turn(o)];
    const struct job *job = owners_next_job(o);

    if (s->open)
        return s->job.level;
    return job ? job->level : LEVEL_NONE;
}

void owners_close_scan(struct scan *s)
{
    proc_descriptors_close(&s->in);
    holder_unref(s->who);
    s->who = NULL;
    s->open = false;
}

/* Notes that a process was looked through, as far as it lets us. */
static void finish(const struct scan *s, struct process *p)
{
    p->scanned = true;
    p->scanned_descriptors = s->descriptors;
    p->asked = p->suspect = false;
    p->near_urgent &= p->near_due > s->started;
    if (p->holding)
        p->holding->near_urgent &= p->holding->near_due > s->started;
    if (p->served < s->started)
        p->served = s->started;
}

/* A plan is needed where one level ends: the next may be another one then. */
static void end_job(struct owners *o, const struct job *job)
{
    const struct job *next = owners_next_job(o);

    o->plan_stale |= !next || next->level > job->level;
}

static void end_scan(struct owners *o, struct scan *s)
{
    owners_close_scan(s);
    end_job(o, &s->job);
}

/* It does not let us look any more; others that share its table may. */
static void lose_sight(struct owners *o, struct process *p)
{
    if (p->holding && p->holding->processes > 1)
        owners_leave(o, p);
    else
        owners_drop_unseen(o, p);
}

/* Returns -ENOMEM, or 0: one that has gone is forgotten, and of one that we
 * lack the means to look into now (as descriptors) all that was known stays. */
static int fail_scan(struct owners *o, struct scan *s, int error)
{
    struct process *p = process_find(&o->processes, s->job.pid);

    if (error == -ENOMEM) {
        owners_close_scan(s);
        o->plan_stale = true;
        return error;
    }
    if (error == -ENOENT || error == -ESRCH) {
        owners_forget_process(o, s->job.pid);
    } else if (p) {
        if (error == -EACCES || error == -EPERM)
            lose_sight(o, p);
        p->denied = true;
        s->descriptors = p->descriptors;
        if (p->holding)
            p->holding->counted.again_ms = o->now_ms + OWNERS_COMPLETE_MS; /* it would fail again */
        finish(s, p);
    }
    end_scan(o, s);
    return 0;
}

/* Begins with the next job, if it is wanted still. */
static int begin_scan(struct owners *o, struct scan *s)
{
    const struct job job = owners_take_job(o);
    struct process *p = process_find(&o->processes, job.pid);
    enum level level = p ? owners_level(o, p) : LEVEL_NONE;
    int r;

    if (!p || level != job.level) {
        end_job(o, &job);
        o->plan_stale |= level != LEVEL_NONE;
        return 0;
    }
    if (owners_was_looked_through(o, p)) {
        end_job(o, &job);
        return 0;
    }
    *s = (struct scan){.job = job,
                       .started = ++o->moment,
                       .processes = p->holding ? p->holding->processes : 1,
                       .in = {.process = -1, .entries.fd = -1}};
    p->since_ms[0] = p->since_ms[1] = 0;
    for (size_t i = 0; p->holding && i < p->holding->count; i++)
        p->holding->items[i].seen = false;
    r = proc_descriptors_open(&s->in, job.pid);
    s->open = r == 0;
    return r < 0 ? fail_scan(o, s, r) : 0;
}

/* A descriptor is a socket: is it one that is watched? */
static int take_socket(struct owners *o, struct scan *s, struct process *p, uint32_t fd, uint32_t inode)
{
    struct holder described;
    size_t cursor = 0;
    int r = 0;

    if (!sockets_of_inode(&o->sockets, inode, &cursor))
        return 0;
    if (!s->who) {
        r = proc_descriptors_describe(&s->in, o->users, &described);
        s->who = r == 0 ? owners_describe(o, p, &described) : NULL;
        if (r == 0)
            program_unref(described.program);
    }
    if (r == 0 && !s->who)
        r = -ENOMEM;
    return r < 0 ? r : owners_gain(o, s, p, &(struct held){.inode = inode, .fd = fd});
}

static int finish_scan(struct owners *o, struct scan *s)
{
    struct process *p = process_find(&o->processes, s->job.pid);

    if (p) {
        if (owners_shares_still(p))
            owners_drop_unseen(o, p);
        else
            owners_leave(o, p); /* it got a table of its own meanwhile, which is the next look's */
        p->denied = false;
        finish(s, p);
        owners_note_count(o, p, s);
        owners_note_table(o, p);
        if (p->leader && !p->holding)
            owners_forget_process(o, p->pid); /* other threads are not kept either */
    }
    end_scan(o, s);
    return 0;
}

static int scan_on(struct owners *o, struct scan *s)
{
    for (int i = 0; i < DESCRIPTORS_AT_ONCE; i++) {
        uint32_t fd, inode;
        int r = proc_descriptors_next(&s->in, &fd, &inode);
        struct process *p = process_find(&o->processes, s->job.pid);

        if (r == 0)
            return finish_scan(o, s);
        if (r > 0) {
            s->descriptors++;
            r = inode != 0 && p ? take_socket(o, s, p, fd, inode) : 0;
        }
        if (r < 0)
            return fail_scan(o, s, r);
    }
    return 0;
}

int owners_scan_step(struct owners *o)
{
    struct scan *s = &o->plan.scans[scan_in_turn(o)];

    return s->open ? scan_on(o, s) : begin_scan(o, s);
}

void owners_scan_stop(struct owners *o)
{
    owners_close_scan(&o->plan.scans[0]);
    owners_close_scan(&o->plan.scans[1]);
    o->plan.count = 0;
    o->plan_stale = true;
}
