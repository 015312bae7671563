/* What finding the owners of listening sockets costs.
 *
 * usage: bench_owners PROCESSES DESCRIPTORS ROUNDS
 *
 * Beside PROCESSES processes with DESCRIPTORS descriptors each it holds 60
 * listeners itself, and measures the CPU time of
 *
 *   a plain look through all of /proc/PID/fd: the reference that the ratios are
 *   to, and what owners cost each time where nothing is remembered;
 *   the cycle that finds nothing new: the listener poll, and the owners' upkeep
 *   that falls due when a second passes; also as a mean of ten minutes, which
 *   has the looks that come seldom;
 *   one new listener, from the poll that finds it until its owner is known: a
 *   new process with few descriptors, or the last of the many, which has one
 *   more descriptor than before, or as many, so that nothing tells;
 *   "ss -tlnp".
 *
 * At last so many processes share one table of descriptors with it, and all is
 * looked for anew: what that costs beside what it costs without them, and how
 * much more memory of all that was found out is in use.
 *
 * Below them stands the longest step between polls, in time that passed, which
 * anything else may have to wait for. The upkeep is measured again with 1,000
 * listeners, and then with ten times the descriptors as well. Seconds pass on a
 * made clock only. Each round takes one of each kind, so that they are paired,
 * but for the reference beside the upkeep alone; medians are printed.
 *
 * Run it in namespaces of its own (tests/bench/run does). The cgroups are the
 * host's: one is made below the cgroup2 mount in each round and removed again. */
#include "collectors/collectors.h"
#include "tests/bench/bench.h"
#include "tests/unit/looks.h"
#include "tests/bench/crowd.h"

#include <ctype.h>
#include <dirent.h>
#include <malloc.h>

enum { FIRST_PORT = 20000, FEW_DESCRIPTORS = 9, ROWS_MAX = 16, ROUNDS_MAX = 1000 };

/* How long it takes until owners are looked at as seldom as they ever are, and
 * until everything was looked through once more. */
enum { SETTLE_SECONDS = 200, CALM_SECONDS = 70, WARM_SECONDS = 10, MEAN_SECONDS = 600 };
enum { STEP_US = 1000, SECOND_US = 1000000, SHARERS = 300 };

static const struct setting {
    unsigned listeners, times_descriptors;
} settings[] = {{60, 1}, {1000, 1}, {1000, 10}};

struct cost {
    double cycle, upkeep; /* the upkeep is part of the cycle */
};

struct row {
    const char *name;
    double values[ROUNDS_MAX], first; /* the median in the first setting */
    size_t count;
};

struct bench {
    struct collectors *collectors;
    const struct listener_table *table;
    struct policy policy;
    int64_t skipped_us;                  /* how far the made clock is ahead */
    double longest, longest_unpreempted; /* step, in time that passed */
    struct crowd crowd;
    unsigned listeners;
    unsigned seen_descriptors; /* by the last plain look */
    struct cost mean;          /* of ten minutes */
    const char *cgroup_mount;
    char cgroup[128]; /* made below it */
    int cgroup_error; /* why it could not be */
    struct row rows[ROWS_MAX];
};

static int64_t made_clock_us(void *arg)
{
    const struct bench *b = arg;

    return (int64_t)(clock_seconds(CLOCK_MONOTONIC) * 1e6) + b->skipped_us;
}

/* In how many milliseconds something is due; 0 or less: now. */
static int64_t due_in_ms(struct bench *b)
{
    int64_t now_ms = made_clock_us(b) / 1000;

    return collectors_due_ms(b->collectors, now_ms) - now_ms;
}

static void poll_once(struct bench *b)
{
    const struct limits limits = limits_of(4096);
    const struct listener_poll how = {.limits = &limits, .policy = &b->policy};
    const struct budget clock = {.now_us = made_clock_us, .arg = b, .until_us = BUDGET_NO_END};
    const struct inventory *inv;

    if (collectors_poll_listeners(b->collectors, &how, &clock, &inv) < 0)
        die("poll");
    if (!inv)
        return;
    listener_table_unref(b->table);
    b->table = listener_table_cut(inv);
    if (!b->table)
        die("table");
}

static void step(struct bench *b)
{
    const struct budget budget = {.now_us = made_clock_us, .arg = b, .until_us = made_clock_us(b) + STEP_US};
    double started = clock_seconds(CLOCK_MONOTONIC), took;
    struct rusage before, after;

    (void)getrusage(RUSAGE_SELF, &before); /* cannot fail with these arguments */
    collectors_step(b->collectors, &budget);
    took = clock_seconds(CLOCK_MONOTONIC) - started;
    (void)getrusage(RUSAGE_SELF, &after);
    b->longest = took > b->longest ? took : b->longest;
    if (took > b->longest_unpreempted && before.ru_nivcsw == after.ru_nivcsw)
        b->longest_unpreempted = took;
}

static bool is_held_by(const struct bench *b, unsigned port, pid_t pid)
{
    size_t count;
    const struct listener *l = listener_table_port(b->table, PROTOCOL_TCP, (uint16_t)port, &count);
    const struct owner_set *owners = l ? l->members[0].owners : NULL;

    return owners && owners->sight == SIGHT_SEEN && owners->holders[0]->pid == (uint32_t)pid;
}

/* Seconds pass, and what falls due in each is done. Returns a second's mean. */
static struct cost pass(struct bench *b, unsigned seconds)
{
    int64_t since_us = made_clock_us(b);
    struct cost sum = {.cycle = -own_cpu()};
    double passed;

    for (unsigned i = 0; i < seconds; i++) {
        b->skipped_us += SECOND_US;
        errno = 0;
        if (b->table && due_in_ms(b) > 0)
            die("no upkeep");
        poll_once(b);
        sum.upkeep -= own_cpu();
        while (due_in_ms(b) <= 0)
            step(b);
        sum.upkeep += own_cpu();
    }
    sum.cycle += own_cpu();
    passed = (double)(made_clock_us(b) - since_us) / (double)SECOND_US;
    return (struct cost){sum.cycle / passed, sum.upkeep / passed};
}

static double measure_search(struct bench *b, pid_t pid)
{
    int64_t until_us = made_clock_us(b) + (int64_t)MEAN_SECONDS * SECOND_US;
    double before = own_cpu();

    poll_once(b);
    while (!is_held_by(b, CROWD_PORT, pid)) {
        int64_t wait_ms = due_in_ms(b);

        errno = ETIMEDOUT;
        if (made_clock_us(b) > until_us)
            die("no owner found");
        b->skipped_us += wait_ms > 0 ? wait_ms * 1000 : 0;
        step(b);
        if (collectors_have_news(b->collectors))
            poll_once(b);
    }
    return own_cpu() - before;
}

static double measure_known(struct bench *b, int order)
{
    pid_t pid = b->crowd.pids[b->crowd.count - 1];
    double cpu;

    (void)pass(b, CALM_SECONDS);
    crowd_order(&b->crowd, pid, order);
    cpu = measure_search(b, pid);
    crowd_order(&b->crowd, pid, CROWD_STOP);
    return cpu;
}

static int make_cgroup(struct bench *b, pid_t pid)
{
    (void)snprintf(b->cgroup, sizeof b->cgroup, "%s/sockwatch-bench-XXXXXX", b->cgroup_mount);
    return mkdtemp(b->cgroup) ? crowd_join_cgroup(b->cgroup, pid) : -errno;
}

/* Returns 0 where it could have no cgroup. */
static double measure_new(struct bench *b, bool in_cgroup)
{
    double cpu = 0;
    pid_t pid;

    (void)pass(b, CALM_SECONDS);
    pid = crowd_start(&b->crowd, FEW_DESCRIPTORS);
    crowd_await(&b->crowd, 1);
    if (in_cgroup)
        b->cgroup_error = make_cgroup(b, pid);
    if (!in_cgroup || b->cgroup_error == 0) {
        crowd_order(&b->crowd, pid, CROWD_LISTEN);
        cpu = measure_search(b, pid);
    }
    crowd_kill(pid);
    while (in_cgroup && rmdir(b->cgroup) < 0 && errno == EBUSY)
        (void)usleep(1000); /* the process is leaving it still */
    return cpu;
}

static unsigned look_into(const char *pid)
{
    char path[PATH_MAX], target[PATH_MAX];
    const struct dirent *entry;
    unsigned links = 0;
    DIR *fds;

    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    fds = opendir(path);
    while (fds && (entry = readdir(fds)))
        links += readlinkat(dirfd(fds), entry->d_name, target, sizeof target) > 0;
    if (fds)
        (void)closedir(fds); /* it was only read */
    return links;
}

static double measure_plain(struct bench *b)
{
    double before = own_cpu();
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    if (!proc)
        die("/proc");
    b->seen_descriptors = 0;
    while ((entry = readdir(proc)))
        if (isdigit((unsigned char)*entry->d_name))
            b->seen_descriptors += look_into(entry->d_name);
    (void)closedir(proc); /* it was only read */
    return own_cpu() - before;
}

static void note(struct bench *b, const char *name, double value)
{
    struct row *r = b->rows;

    while (r->name && strcmp(r->name, name) != 0)
        r++;
    r->name = name;
    r->values[r->count++] = value;
}

static void measure_searches(struct bench *b)
{
    note(b, "new listener, new process in its cgroup", measure_new(b, true));
    note(b, "new listener, new process anywhere", measure_new(b, false));
    note(b, "new listener, old process with one more", measure_known(b, CROWD_LISTEN));
    note(b, "new listener, old process with as many", measure_known(b, CROWD_LISTEN_INSTEAD));
    note(b, "ss -tlnp", measure_ss("-tlnp"));
}

static void measure(struct bench *b, bool with_searches, size_t rounds)
{
    struct cost cost;

    b->longest = b->longest_unpreempted = 0;
    (void)pass(b, SETTLE_SECONDS);
    for (size_t i = 0; i < rounds; i++) {
        if (i == 0 || with_searches)
            note(b, "a plain look through /proc/PID/fd", measure_plain(b));
        (void)pass(b, WARM_SECONDS); /* that left the caches cold; what it costs is nobody's */
        cost = pass(b, 1);
        note(b, "cycle: poll and the owners' upkeep", cost.cycle);
        note(b, "  of which the upkeep", cost.upkeep);
        if (with_searches)
            measure_searches(b);
    }
    (void)pass(b, CALM_SECONDS);
    b->mean = pass(b, MEAN_SECONDS);
    note(b, "cycles, a second's mean of ten minutes", b->mean.cycle);
    note(b, "  of which the upkeep's mean", b->mean.upkeep);
    note(b, "longest step, time that passed", b->longest);
    note(b, "  unless another process interfered", b->longest_unpreempted);
    errno = ESRCH;
    if (!is_held_by(b, FIRST_PORT + b->listeners - 1, getpid()))
        die("own listener");
}

/* And empties the rows. */
static void print(struct bench *b)
{
    double plain = 0;

    (void)printf("%u listeners, %u descriptors of processes: cycles take %.3f %% of a processor\n",
                 b->listeners, b->seen_descriptors, b->mean.cycle * 100);
    for (struct row *r = b->rows; r->name; r++) {
        double value = r->count > 0 ? median(r->values, r->count) : 0;

        r->count = 0;
        if (value == 0)
            continue;
        plain = plain > 0 ? plain : value; /* it comes first */
        r->first = r->first > 0 ? r->first : value;
        (void)printf("  %-41s %9.3f ms %9.5f times the plain look %6.2f times the first\n", r->name,
                     value * 1e3, value / plain, value / r->first);
    }
    (void)fflush(stdout); /* or the next child prints it again */
}

/* CPU time of looking for all owners anew. */
static double measure_anew(struct bench *b)
{
    double before;

    collectors_refresh(b->collectors);
    before = own_cpu();
    poll_once(b);
    (void)pass(b, WARM_SECONDS);
    return own_cpu() - before;
}

static void measure_sharers(struct bench *b)
{
    pid_t pids[SHARERS];
    double alone = measure_anew(b), shared;
    size_t memory = mallinfo2().uordblks;

    for (size_t i = 0; i < SHARERS; i++)
        pids[i] = crowd_start_sharer();
    shared = measure_anew(b);
    (void)printf(
        "%d processes that share a table of %u listeners: all owners anew take %.2f ms instead of %.2f, "
        "%.2f times; %.1f KiB more memory\n",
        SHARERS, b->listeners, shared * 1e3, alone * 1e3, shared / alone,
        ((double)mallinfo2().uordblks - (double)memory) / 1024);
    for (size_t i = 0; i < SHARERS; i++)
        crowd_kill(pids[i]);
}

static void open_bench(struct bench *b, unsigned processes)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
    int r;

    b->cgroup_mount = mounts[access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0];
    /* All that are in the caller's are looked into first; nobody is to be found that way. */
    r = crowd_join_cgroup(b->cgroup_mount, 0);
    if (r < 0)
        (void)printf("stays in its cgroup (%s): \"anywhere\" begins there\n", strerror(-r));
    crowd_open(&b->crowd, processes);
    if (policy_seal(&b->policy) < 0 || collectors_open(&b->collectors) < 0)
        die("netlink");
}

int main(int argc, char **argv)
{
    unsigned processes = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    unsigned descriptors = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    size_t rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    struct bench b = {.table = NULL};

    if (processes == 0 || descriptors < FEW_DESCRIPTORS || rounds == 0 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "usage: bench_owners PROCESSES DESCRIPTORS ROUNDS\n");
        return 2;
    }
    open_bench(&b, processes);
    (void)printf("CPU time, medians of %zu rounds, %u processes\n", rounds, processes);
    (void)fflush(stdout); /* or the next child prints it again */
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        while (b.listeners < settings[i].listeners)
            (void)open_listener(FIRST_PORT + b.listeners++); /* open to the end */
        crowd_start_all(&b.crowd, descriptors * settings[i].times_descriptors);
        measure(&b, i == 0, rounds);
        print(&b);
    }
    measure_sharers(&b);
    if (b.cgroup_error < 0)
        (void)printf("left out: a process in a cgroup of its own, as there can be none below %s (%s)\n",
                     b.cgroup_mount, strerror(-b.cgroup_error));
    listener_table_unref(b.table);
    collectors_close(b.collectors);
    policy_done(&b.policy);
    free(b.crowd.pids);
    return 0;
}
