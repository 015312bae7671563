/* What any local user can do to a monitor of sockets.
 *
 * usage: flood listeners N [ROUNDS MS]         TCP listeners on loopback, each with an address of its own
 *        flood wildcard N [ROUNDS MS]          likewise on 0.0.0.0, 5000 at most
 *        flood freebind PORT N [ROUNDS MS]     likewise on one port of IPv6 addresses that are nobody's
 *        flood udp N                           UDP sockets
 *        flood reuseport GROUPS MEMBERS        listeners that share addresses
 *        flood shared PROCESSES DESCRIPTORS    processes that share one table full of listeners
 *        flood held SOCKETS PROCESSES          listeners that each of the processes holds
 *        flood names PROCESSES MS              processes that have a listener and change their names
 *        flood processes N                     processes that do nothing
 *        flood cgroups DIRECTORY N MS          cgroups that come and go, a listener in each
 *        flood alternate DIRECTORY N PROCESSES listeners of two cgroups in turn, so many processes in each
 *        flood idle N PORT                     connections over which nothing is asked
 *
 * With ROUNDS all is closed after MS and opened elsewhere after MS more. Prints
 * "ready" when all is there, "done" after the last round, and lives until its
 * standard input is closed; then nothing of it is left. Run it in namespaces of
 * its own, and as a user of its own. */
#include "tests/integration/flood.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { STACK_BYTES = 4096, CHILD_LOOK_MS = 100, DESCRIPTORS_MAX = 15000, DESCRIPTORS_SPARE = 64 };

static const struct command {
    const char *name;
    int least, most; /* arguments */
    void (*begin)(struct flood *f, char **arguments);
} commands[] = {
    {"listeners", 1, 3, flood_listeners}, {"wildcard", 1, 3, flood_wildcard},
    {"freebind", 2, 4, flood_freebind},   {"udp", 1, 1, flood_udp},
    {"reuseport", 2, 2, flood_reuseport}, {"shared", 2, 2, flood_shared},
    {"held", 2, 2, flood_held},           {"names", 2, 2, flood_names},
    {"processes", 1, 1, flood_processes}, {"cgroups", 3, 3, flood_cgroups},
    {"alternate", 3, 3, flood_alternate}, {"idle", 2, 2, flood_idle},
};

unsigned flood_number(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || number == 0 || number > 1000000) {
        (void)fprintf(stderr, "flood: %s is no number of anything\n", text);
        exit(2);
    }
    return (unsigned)number;
}

void flood_sleep_ms(unsigned ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    (void)nanosleep(&time, NULL); /* nobody signals, but to kill */
}

void flood_tell(const struct flood *f)
{
    if (write(f->told[1], "", 1) != 1)
        die("ready");
}

void flood_rest(void)
{
    for (;;)
        (void)pause(); /* until it is killed */
}

static void remember(struct flood *f, pid_t pid)
{
    if (f->count == f->capacity) {
        f->capacity = f->capacity > 0 ? 2 * f->capacity : 64;
        f->children = reallocarray(f->children, f->capacity, sizeof *f->children);
        if (!f->children)
            die("memory");
    }
    f->children[f->count++] = pid;
}

pid_t flood_fork(struct flood *f, int cgroup)
{
    struct clone_args how = {.exit_signal = SIGCHLD};
    pid_t parent = getpid(), pid;

    if (cgroup >= 0) {
        how.flags = CLONE_INTO_CGROUP;
        how.cgroup = (unsigned)cgroup;
    }
    pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid < 0)
        die("process");
    if (pid > 0) {
        remember(f, pid);
        return pid;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    return 0;
}

static int do_nothing(void *parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != *(pid_t *)parent)
        _exit(1);
    for (;;)
        (void)pause(); /* as in flood_rest(), which sanitizers would follow to the end of this stack */
}

void flood_clone(struct flood *f, unsigned count, int flags)
{
    static pid_t parent;
    char *stacks = aligned_alloc(STACK_BYTES, (size_t)count * STACK_BYTES);

    if (!stacks)
        die("memory");
    parent = getpid();
    for (unsigned i = 1; i <= count; i++) {
        int pid = clone(do_nothing, stacks + (size_t)i * STACK_BYTES, flags | CLONE_VM | SIGCHLD, &parent);

        if (pid < 0 && errno == EAGAIN) {
            (void)fprintf(stderr, "%u processes, no more are allowed\n", i - 1);
            return;
        }
        if (pid < 0)
            die("process");
        remember(f, pid);
    }
}

void flood_end_children(struct flood *f, size_t first)
{
    for (size_t i = first; i < f->count; i++)
        (void)kill(f->children[i], SIGKILL); /* it may have ended by itself */
    for (size_t i = first; i < f->count; i++)
        (void)waitpid(f->children[i], NULL, 0);
    f->count = first;
}

void flood_children_ready(const struct flood *f, size_t count)
{
    struct pollfd told = {.fd = f->told[0], .events = POLLIN};
    char byte;

    while (count > 0) {
        if (poll(&told, 1, CHILD_LOOK_MS) == 1 && read(told.fd, &byte, 1) == 1)
            count--;
        else if (waitpid(-1, NULL, WNOHANG) > 0) {
            (void)fputs("flood: a process could not make its part\n", stderr);
            exit(1); /* which ends the others */
        }
    }
}

static void say(const char *word)
{
    (void)puts(word);
    (void)fflush(stdout); /* who waits for it, notices */
}

/* Returns how many there may be. */
static unsigned allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("limit of descriptors");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("limit of descriptors");
    if (limit.rlim_cur <= DESCRIPTORS_SPARE || limit.rlim_cur > DESCRIPTORS_MAX + DESCRIPTORS_SPARE)
        return DESCRIPTORS_MAX;
    return (unsigned)limit.rlim_cur - DESCRIPTORS_SPARE;
}

static void await_end(struct flood *f)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = f->told[0], .events = POLLIN}};
    int wait_ms = f->every_ms > 0 ? f->every_ms : -1;
    char byte;

    for (unsigned round = 1;;) {
        int r = poll(fds, 2, wait_ms);

        if (r == 0)
            f->turn(f, round++);
        if (r > 0 && fds[1].revents != 0 && read(f->told[0], &byte, 1) == 1 && f->doing > 0 &&
            --f->doing == 0)
            say("done");
        if (r > 0 && fds[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
            return;
    }
}

/* The end of the process that is told stops all others, too. */
static void flood_end(struct flood *f)
{
    flood_end_children(f, 0);
    if (f->clear)
        f->clear(f);
    free(f->children);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct flood f = {.descriptors = allow_descriptors()};

    if (pipe2(f.told, O_CLOEXEC) < 0)
        die("pipe");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *c = &commands[i];

        if (argc < 2 || strcmp(argv[1], c->name) != 0 || argc - 2 < c->least || argc - 2 > c->most)
            continue;
        c->begin(&f, argv + 2);
        say("ready");
        await_end(&f);
        flood_end(&f);
    }
    (void)fputs("usage: flood WHAT ARGUMENT..., see tests/integration/flood.c\n", stderr);
    return 2;
}
