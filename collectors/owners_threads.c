#include "collectors/owners_internal.h"
#include "core/array.h"

#include <errno.h>

bool owners_threads_are_wanted(const struct owners *o)
{
    return o->threads.began != 0 || o->threads.wanted || o->needs.threads;
}

static void close_list(struct owners *o)
{
    struct tables *t = &o->threads.tables;

    if (!o->threads.listing)
        return;
    proc_threads_close(&o->threads.list);
    o->threads.listing = false;
    t->count = 0;
    t->pids = array_shrink(t->pids, &t->capacity, 0, sizeof *t->pids);
}

/* Gives up the walk under way, which is begun anew later. */
void owners_threads_stop(struct owners *o)
{
    owners_close_scan(&o->threads.scan);
    close_list(o);
    o->threads.wanted |= o->threads.began != 0;
    o->threads.began = 0;
    o->needs_stale = true;
}

static void begin_walk(struct owners *o)
{
    o->threads.began = ++o->moment;
    o->threads.pid = 0;
    o->threads.wanted = o->threads.unsure = false;
}

static void end_walk(struct owners *o)
{
    o->threads.walked = o->threads.began;
    o->threads.began = 0;
    o->needs_stale = o->plan_stale = true;
}

/* Whether something is watched that a thread may have. */
static bool is_wanted(const struct owners *o, uint32_t inode)
{
    const struct watched *w;
    size_t cursor = 0;

    while ((w = sockets_of_inode(&o->sockets, inode, &cursor)))
        if (owners_wants_threads(w))
            return true;
    return false;
}

/* Describes the thread's process. Returns 0, or -errno: -ESRCH also where its
 * number is another one's by now. */
static int describe(struct owners *o, struct scan *s)
{
    struct holder described;
    int r;

    if (s->who)
        return 0;
    r = proc_descriptors_describe(&s->in, o->users, &described);
    if (r < 0)
        return r;
    if (described.pid == o->threads.pid)
        s->who = holder_new(&described);
    else
        r = -ESRCH;
    program_unref(described.program);
    return r == 0 && !s->who ? -ENOMEM : r;
}

/* The thread becomes one of those that are kept. */
static struct process *keep_thread(struct owners *o, const struct scan *s)
{
    struct process *p = process_find(&o->processes, s->job.pid);

    if (p && p->leader == o->threads.pid)
        return p;
    owners_forget_process(o, s->job.pid); /* it has gone, or its number were not a thread's */
    p = process_add(&o->processes, s->job.pid);
    if (!p)
        return NULL;
    p->leader = o->threads.pid;
    p->served = s->started;
    p->descriptors = proc_descriptor_count(p->pid);
    return p;
}

static int take_socket(struct owners *o, struct scan *s, uint32_t fd, uint32_t inode)
{
    struct process *p;
    int r;

    if (!is_wanted(o, inode))
        return 0;
    r = describe(o, s);
    if (r < 0)
        return r;
    p = keep_thread(o, s);
    return p ? owners_gain(o, s, p, &(struct held){.inode = inode, .fd = fd}) : -ENOMEM;
}

/* Ends a look at a thread, one that failed too: of one that has gone there is
 * nothing to be told. Returns 0 or -ENOMEM. */
static int end_scan(struct owners *o, int error)
{
    struct scan *s = &o->threads.scan;
    struct process *p = process_find(&o->processes, s->job.pid);

    owners_close_scan(s);
    if (p && p->leader && !p->holding) {
        owners_forget_process(o, p->pid);
    } else if (p && p->leader) {
        p->scanned = true;
        p->scanned_descriptors = s->descriptors;
    }
    if (error == -ENOMEM)
        return error;
    o->threads.unsure |= error < 0 && error != -ENOENT && error != -ESRCH;
    return 0;
}

static int scan_on(struct owners *o)
{
    struct scan *s = &o->threads.scan;

    for (int i = 0; i < DESCRIPTORS_AT_ONCE; i++) {
        uint32_t fd, inode;
        int r = proc_descriptors_next(&s->in, &fd, &inode);

        if (r == 0)
            return end_scan(o, 0);
        if (r > 0) {
            s->descriptors++;
            r = inode != 0 ? take_socket(o, s, fd, inode) : 0;
        }
        if (r < 0)
            return end_scan(o, r);
    }
    return 0;
}

static int begin_scan(struct owners *o, uint32_t tid)
{
    struct scan *s = &o->threads.scan;
    int r;

    *s = (struct scan){
        .job = {.pid = tid}, .started = ++o->moment, .processes = 1, .in = {.process = -1, .entries.fd = -1}};
    o->threads.last = tid;
    r = proc_descriptors_open(&s->in, tid);
    s->open = r == 0;
    return r < 0 ? end_scan(o, r) : 0;
}

/* Where tables cannot be compared, what differs in number is another one. */
static bool differs_in_number(struct owners *o, uint32_t tid)
{
    uint32_t other = proc_descriptor_count(o->threads.last ? o->threads.last : o->threads.pid);

    if (proc_descriptor_count(tid) != other)
        return true;
    o->threads.unsure = true;
    return false;
}

/* Whether a thread has a table that is not looked through yet. Returns 1, 0, or
 * -errno: -EPERM when the process does not let us look. */
static int has_own_table(struct owners *o, uint32_t tid)
{
    const struct process *leader = process_find(&o->processes, o->threads.pid);
    const struct process *known = process_find(&o->processes, tid);
    int r;

    if (known && known->leader == o->threads.pid)
        return 0; /* it is looked through as a process is */
    r = owners_add_table(&o->threads.tables, tid);
    if (r >= 0 || r == -ENOMEM || r == -ESRCH)
        return r == -ESRCH ? 0 : r;
    return leader && leader->denied ? -EPERM : differs_in_number(o, tid);
}

static int list_on(struct owners *o)
{
    for (int i = 0; i < PIDS_AT_ONCE; i++) {
        uint32_t tid;
        int r = proc_threads_next(&o->threads.list, &tid);

        if (r > 0)
            r = has_own_table(o, tid);
        else if (r == 0)
            r = -ESRCH; /* that was the last */
        else
            o->threads.unsure |= r != -ENOENT && r != -ESRCH;
        if (r > 0)
            return begin_scan(o, tid);
        if (r < 0) {
            close_list(o);
            return r == -ENOMEM ? r : 0;
        }
    }
    return 0;
}

/* Begins with the threads of the next process that has any, looking at so many
 * at once. */
static int next_process(struct owners *o)
{
    for (int i = 0; i < PIDS_AT_ONCE; i++) {
        const struct process *p = process_next(&o->processes, o->threads.pid);
        int r;

        if (!p) {
            end_walk(o);
            return 0;
        }
        o->threads.pid = p->pid;
        o->threads.last = 0;
        r = p->leader ? 0 : proc_threads_open(&o->threads.list, p->pid);
        o->threads.listing = r > 0;
        if (r > 0)
            r = owners_add_table(&o->threads.tables, p->pid);
        else
            o->threads.unsure |= r < 0 && r != -ENOENT && r != -ESRCH;
        if (r == -ENOMEM || o->threads.listing)
            return r == -ENOMEM ? r : 0;
    }
    return 0;
}

int owners_threads_step(struct owners *o)
{
    if (o->threads.began == 0)
        begin_walk(o);
    if (o->threads.scan.open)
        return scan_on(o);
    return o->threads.listing ? list_on(o) : next_process(o);
}
