/* What finding the owners of listening sockets costs.
 *
 * usage: bench_owners PROCESSES DESCRIPTORS ROUNDS
 *
 * Makes PROCESSES processes with DESCRIPTORS descriptors each, has 60 listeners
 * itself, and measures the CPU time of the whole listener poll: with nothing
 * new, with the once a second look at the known holders, and with one new
 * listener, whose process is found in its cgroup or only by looking into all
 * processes. Beside it stand "ss -tlnp" and a plain look through all of
 * /proc/PID/fd, which is what finding owners costs each time when nothing is
 * remembered. Each round takes one of each kind, so that they are paired;
 * medians are printed. After the rounds it polls at a steady pace and prints
 * the mean, for the looks that come ever more seldom are in no median.
 *
 * Run it in namespaces of its own (tests/bench/run does). The cgroups are the
 * host's: one is made below the cgroup2 mount in each round and removed again. */
#include "collectors/collectors.h"
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 60, FIRST_PORT = 20000, NEW_PORT = FIRST_PORT + LISTENERS, SOCKETS_PER_PROCESS = 5 };

/* A round begins when a look at the known holders is due, once a second. All
 * owners are looked for anew 1, 3, 7, 15, 31 and 63 seconds after the first
 * poll and then once a minute: steady polling is to see one such look. */
enum { ROUND_PAUSE_MS = 1100, RETRY_MS = 50, RETRIES_MAX = 1200, STEADY_FROM_MS = 33000, STEADY_MS = 32000 };
enum { STEADY_HZ = 10, SELDOM_SECONDS = 60, WARM_POLLS = 10 };

enum kind {
    KIND_NOTHING,
    KIND_OWNERS,
    KIND_RECHECK,
    KIND_CGROUP,
    KIND_EVERYWHERE,
    KIND_PROC,
    KIND_SS,
    KIND_COUNT
};

static const char *const kind_names[KIND_COUNT] = {
    [KIND_NOTHING] = "listener poll, nothing new",
    [KIND_OWNERS] = "  of which owners (elapsed)",
    [KIND_RECHECK] = "with the look at the known holders (1/s)",
    [KIND_CGROUP] = "with one new listener, found in its cgroup",
    [KIND_EVERYWHERE] = "with one new listener, looked for everywhere",
    [KIND_PROC] = "a plain look through /proc/PID/fd",
    [KIND_SS] = "ss -tlnp",
};

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL); /* no signal is expected */
}

static void open_listener(unsigned port)
{
    const struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 128) < 0)
        die("listener");
}

static void allow_processes(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NPROC, &limit) < 0)
        die("limit of processes");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NPROC, &limit) < 0)
        die("limit of processes");
}

/* Forks. In the child only ready, where an int tells the parent that all is
 * made or why not, is open besides the standard descriptors. */
static pid_t fork_alone(int ready)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid > 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(STDERR_FILENO + 1, (unsigned)ready - 1, 0) < 0 ||
        close_range((unsigned)ready + 1, UINT_MAX, 0) < 0)
        die("child");
    return 0;
}

static void tell(int ready, int error)
{
    if (write(ready, &error, sizeof error) != sizeof error)
        die("ready");
}

static void hold_descriptors(int ready, unsigned descriptors)
{
    int file = open("/dev/null", O_RDONLY);

    if (file < 0 || close_range(STDIN_FILENO, STDOUT_FILENO, 0) < 0)
        die("descriptors");
    for (unsigned held = 3; held < descriptors; held++) { /* ready, file, standard error */
        if (held < 3 + SOCKETS_PER_PROCESS ? socket(AF_UNIX, SOCK_DGRAM, 0) < 0 : dup(file) < 0)
            die("descriptors");
    }
    tell(ready, 0);
    for (;;)
        (void)pause(); /* until it is killed */
}

static void start_processes(unsigned processes, unsigned descriptors)
{
    int ready[2], error;

    if (pipe(ready) < 0)
        die("pipe");
    for (unsigned i = 0; i < processes; i++)
        if (fork_alone(ready[1]) == 0)
            hold_descriptors(ready[1], descriptors);
    if (close(ready[1]) < 0)
        die("pipe");
    for (unsigned i = 0; i < processes; i++)
        if (read(ready[0], &error, sizeof error) != sizeof error)
            die("child");
    if (close(ready[0]) < 0)
        die("pipe");
}

struct bench {
    struct collectors *collectors;
    struct listener_table *table;
    struct policy policy;
    char cgroup_mount[PATH_MAX];     /* "" where there is none */
    bool looked;                     /* the last poll looked anew for the owners of the 60 listeners */
    unsigned processes, descriptors; /* seen by the last look through /proc */
};

static const struct owner_set *owners_of(const struct listener_table *table, unsigned port)
{
    size_t count;
    const struct listener *l =
        table ? listener_table_port(table, PROTOCOL_TCP, (uint16_t)port, &count) : NULL;

    return l ? l->members[0].owners : NULL;
}

static bool is_seen(const struct bench *b, unsigned port)
{
    const struct owner_set *owners = owners_of(b->table, port);

    return owners && owners->sight == SIGHT_SEEN;
}

static double poll_listeners(struct bench *b)
{
    const struct listener_poll how = {.limit = 4096, .policy = &b->policy, .previous = b->table};
    struct listener_table *next;
    double before = own_cpu();

    if (collectors_poll_listeners(b->collectors, &how, &next) < 0)
        die("poll");
    before = own_cpu() - before;
    /* What is found anew is kept in a set of its own. */
    b->looked = owners_of(next, FIRST_PORT) != owners_of(b->table, FIRST_PORT);
    listener_table_free(b->table);
    b->table = next;
    return before;
}

/* The collector's own measure, which is no CPU time; but it does not sleep. */
static double owners_part(const struct bench *b)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    size_t count = collectors_runs(b->collectors, runs);

    for (size_t i = 0; i < count; i++)
        if (strcmp(runs[i].name, "owners") == 0)
            return runs[i].duration_seconds;
    return 0;
}

/* Puts the caller into a cgroup. Returns 0 or -errno. */
static int join_cgroup(const char *directory)
{
    char path[PATH_MAX + sizeof "/cgroup.procs"];
    int fd, r = 0;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", directory);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, "0", 1) != 1)
        r = -errno;
    (void)close(fd); /* the write told already */
    return r;
}

/* Where cgroup2 is mounted, "" for nowhere; no path of it has blanks. */
static void find_cgroup_mount(char ret_mount[static PATH_MAX])
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[2 * PATH_MAX], point[PATH_MAX];

    *ret_mount = '\0';
    while (file && !*ret_mount && fgets(line, sizeof line, file))
        if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s / %4095s", point) == 1)
            memcpy(ret_mount, point, sizeof point);
    if (file)
        (void)fclose(file); /* it was only read */
}

/* A process that listens, in a cgroup of its own or in that of the bench. */
struct newcomer {
    pid_t pid;
    char cgroup[PATH_MAX + 32]; /* "" for none */
};

static void listen_anew(int ready, const char *cgroup)
{
    int r = *cgroup ? join_cgroup(cgroup) : 0;

    if (r == 0)
        open_listener(NEW_PORT);
    tell(ready, -r);
    for (;;)
        (void)pause(); /* until it is killed */
}

static void stop_newcomer(struct newcomer *n)
{
    int r = -1;

    if (n->pid > 0 && (kill(n->pid, SIGKILL) < 0 || waitpid(n->pid, NULL, 0) < 0))
        die("newcomer");
    /* The process may be leaving it still. */
    for (int i = 0; *n->cgroup && r < 0 && i < 1000; i++) {
        r = rmdir(n->cgroup);
        if (r < 0)
            pause_ms(1);
    }
    if (*n->cgroup && r < 0)
        die(n->cgroup);
}

/* Returns 0, or -errno where its cgroup could not be made or joined. */
static int start_newcomer(const struct bench *b, bool in_cgroup, struct newcomer *ret)
{
    int ready[2], error;

    *ret = (struct newcomer){.pid = 0};
    if (in_cgroup) {
        char name[sizeof ret->cgroup];

        (void)snprintf(name, sizeof name, "%s/sockwatch-bench-XXXXXX", b->cgroup_mount);
        if (!mkdtemp(name))
            return -errno;
        memcpy(ret->cgroup, name, sizeof name);
    }
    if (pipe(ready) < 0)
        die("pipe");
    ret->pid = fork_alone(ready[1]);
    if (ret->pid == 0)
        listen_anew(ready[1], ret->cgroup);
    if (close(ready[1]) < 0 || read(ready[0], &error, sizeof error) != sizeof error || close(ready[0]) < 0)
        die("newcomer");
    if (error != 0)
        stop_newcomer(ret);
    return -error;
}

/* Only a poll that found the new listener's owner counts: looking everywhere
 * may take no more than a tenth of the time, so some polls have to leave it. */
static double measure_newcomer(struct bench *b, bool in_cgroup)
{
    for (int i = 0; i < RETRIES_MAX; i++) {
        struct newcomer n;
        int r = start_newcomer(b, in_cgroup, &n);
        double cpu;
        bool seen;

        if (r < 0) {
            errno = -r;
            die("cgroup");
        }
        cpu = poll_listeners(b);
        seen = is_seen(b, NEW_PORT);
        stop_newcomer(&n);
        (void)poll_listeners(b); /* forgets it */
        if (seen)
            return cpu;
        pause_ms(RETRY_MS);
    }
    errno = ETIMEDOUT;
    die("no owner found");
}

static unsigned look_into(const char *pid)
{
    char path[PATH_MAX], target[PATH_MAX];
    const struct dirent *entry;
    unsigned links = 0;
    DIR *descriptors;

    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    descriptors = opendir(path);
    while (descriptors && (entry = readdir(descriptors)))
        links += readlinkat(dirfd(descriptors), entry->d_name, target, sizeof target) > 0;
    if (descriptors)
        (void)closedir(descriptors); /* it was only read */
    return links;
}

static double measure_proc(struct bench *b)
{
    double before = own_cpu();
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    b->processes = b->descriptors = 0;
    while (proc && (entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0])) {
            b->descriptors += look_into(entry->d_name);
            b->processes++;
        }
    if (proc)
        (void)closedir(proc); /* it was only read */
    return own_cpu() - before;
}

static void measure_round(struct bench *b, bool with_cgroup, double ret[KIND_COUNT])
{
    pause_ms(ROUND_PAUSE_MS);
    ret[KIND_RECHECK] = poll_listeners(b);
    /* ss has walked everything and left the caches cold; what that costs is
     * not the poll's. */
    for (int i = 0; i < WARM_POLLS; i++)
        ret[KIND_NOTHING] = poll_listeners(b);
    ret[KIND_OWNERS] = owners_part(b);
    ret[KIND_CGROUP] = with_cgroup ? measure_newcomer(b, true) : 0;
    ret[KIND_EVERYWHERE] = measure_newcomer(b, false);
    ret[KIND_PROC] = measure_proc(b);
    ret[KIND_SS] = measure_ss("-tlnp");
}

static void measure(struct bench *b, bool with_cgroup, size_t rounds, double ret_medians[KIND_COUNT])
{
    double *values[KIND_COUNT], one[KIND_COUNT];

    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (!(values[kind] = calloc(rounds, sizeof(double))))
            die("memory");
    for (size_t i = 0; i < rounds; i++) {
        measure_round(b, with_cgroup, one);
        for (int kind = 0; kind < KIND_COUNT; kind++)
            values[kind][i] = one[kind];
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        ret_medians[kind] = median(values[kind], rounds);
        free(values[kind]);
    }
}

/* Polls at a steady pace. The polls that looked for all owners anew are
 * counted apart, because what falls into these seconds is chance. */
struct steady {
    double seconds, plain_cpu, look_cpu;
    unsigned polls, looks;
};

static struct steady poll_steadily(struct bench *b)
{
    struct steady s = {.polls = 0};
    double started = clock_seconds(CLOCK_MONOTONIC);

    (void)poll_listeners(b); /* what went before is not part of it */
    while (s.polls < STEADY_HZ * STEADY_MS / 1000) {
        double cpu;

        pause_ms(1000 / STEADY_HZ);
        cpu = poll_listeners(b);
        s.polls++;
        s.looks += b->looked;
        *(b->looked ? &s.look_cpu : &s.plain_cpu) += cpu;
    }
    s.seconds = clock_seconds(CLOCK_MONOTONIC) - started;
    return s;
}

static void print_medians(const struct bench *b, bool with_cgroup, size_t rounds,
                          const double medians[KIND_COUNT])
{
    (void)printf("CPU time, median of %zu rounds, %d listeners, %u descriptors in %u processes\n", rounds,
                 LISTENERS, b->descriptors, b->processes);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (kind == KIND_CGROUP && !with_cgroup)
            continue;
        (void)printf("%-47s %8.3f ms", kind_names[kind], medians[kind] * 1e3);
        if (kind != KIND_OWNERS && kind != KIND_SS)
            (void)printf("   ss costs %6.1f times that", medians[KIND_SS] / medians[kind]);
        (void)printf("\n");
    }
    (void)printf("one new listener, looked for everywhere, costs %.2f times the plain look\n",
                 medians[KIND_EVERYWHERE] / medians[KIND_PROC]);
}

static void print_steady(const struct steady *s)
{
    (void)printf(
        "%u polls in %.0f s cost %.3f ms a second, of which %.3f ms for looking everywhere (times: %u)\n",
        s->polls, s->seconds, (s->plain_cpu + s->look_cpu) / s->seconds * 1e3, s->look_cpu / s->seconds * 1e3,
        s->looks);
    if (s->looks > 0)
        (void)printf("later, when that comes once in %d s, it is %.3f ms a second\n", SELDOM_SECONDS,
                     (s->plain_cpu / s->seconds + s->look_cpu / s->looks / SELDOM_SECONDS) * 1e3);
}

static bool is_in_root_cgroup(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX];
    bool is_root = false;

    while (file && fgets(line, sizeof line, file))
        is_root |= strcmp(line, "0::/\n") == 0;
    if (file)
        (void)fclose(file); /* it was only read */
    return is_root;
}

/* Leaves the cgroup in which the bench was started: all that are in it are
 * looked into first, and here nobody is to be found that way. */
static void leave_cgroup(const struct bench *b)
{
    int r = *b->cgroup_mount && !is_in_root_cgroup() ? join_cgroup(b->cgroup_mount) : 0;

    if (r < 0)
        (void)printf("cannot leave the caller's cgroup (%s): \"everywhere\" is within it\n", strerror(-r));
}

/* Whether a process can be put into a cgroup of its own here. */
static bool can_have_cgroup(const struct bench *b)
{
    struct newcomer n;
    int r = *b->cgroup_mount ? start_newcomer(b, true, &n) : -ENOENT;

    if (r == 0)
        stop_newcomer(&n);
    else
        (void)printf("left out: a listener in a cgroup of its own, as no cgroup can be made below %s: %s\n",
                     *b->cgroup_mount ? b->cgroup_mount : "a cgroup2 mount", strerror(-r));
    return r == 0;
}

int main(int argc, char **argv)
{
    unsigned processes = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    unsigned descriptors = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    size_t rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    double medians[KIND_COUNT], started;
    struct bench b = {0};
    struct steady steady;
    bool with_cgroup;

    if (processes == 0 || descriptors < 4 + SOCKETS_PER_PROCESS || rounds == 0) {
        (void)fprintf(stderr, "usage: bench_owners PROCESSES DESCRIPTORS ROUNDS\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* children must not print it again */
    allow_processes();
    find_cgroup_mount(b.cgroup_mount);
    leave_cgroup(&b);
    start_processes(processes, descriptors);
    with_cgroup = can_have_cgroup(&b);
    for (unsigned i = 0; i < LISTENERS; i++)
        open_listener(FIRST_PORT + i); /* stays open to the end */
    if (collectors_open(&b.collectors) < 0)
        die("netlink");
    started = clock_seconds(CLOCK_MONOTONIC);
    (void)poll_listeners(&b);
    measure(&b, with_cgroup, rounds, medians);
    print_medians(&b, with_cgroup, rounds, medians);
    while ((clock_seconds(CLOCK_MONOTONIC) - started) * 1e3 < STEADY_FROM_MS) {
        pause_ms(1000 / STEADY_HZ);
        (void)poll_listeners(&b); /* the listeners grow old by being polled */
    }
    steady = poll_steadily(&b);
    print_steady(&steady);
    listener_table_free(b.table);
    collectors_close(b.collectors);
    return 0;
}
