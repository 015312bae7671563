/* Processes that hold descriptors and do as they are told, for whoever has to
 * find something among them. They end with the benchmark. */
#ifndef SOCKWATCH_TESTS_BENCH_CROWD_H
#define SOCKWATCH_TESTS_BENCH_CROWD_H

#include "tests/bench/bench.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { CROWD_PORT = 19999, CROWD_SOCKETS = 5, CROWD_ANSWER_MS = 20000 };

/* Orders: to listen on the port, with one more descriptor or in the place of
 * another one, and no more. */
enum { CROWD_LISTEN = SIGUSR1, CROWD_LISTEN_INSTEAD = SIGUSR2, CROWD_STOP = SIGHUP };

struct crowd {
    int ready[2]; /* where a process tells that it has done as told */
    pid_t *pids;  /* owned; 0: not started yet */
    unsigned count;
};

static inline _Noreturn void crowd_obey(int ready, int file)
{
    int order = 0, listener = -1, spare = dup(file);
    sigset_t set;

    if (sigfillset(&set) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        die("signals");
    while (write(ready, "", 1) == 1 && sigwait(&set, &order) == 0) {
        if (order == CROWD_LISTEN_INSTEAD && close(spare) < 0)
            die("descriptor");
        if (order != CROWD_STOP)
            listener = open_listener(CROWD_PORT);
        else if (close(listener) < 0 || dup2(file, spare) < 0)
            die("descriptor");
    }
    die("process");
}

/* The process has so many descriptors, some of them sockets, and none of ours. */
static inline pid_t crowd_start(const struct crowd *c, unsigned descriptors)
{
    pid_t pid = fork();
    int file;

    if (pid < 0)
        die("fork");
    if (pid > 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(c->ready[1], STDIN_FILENO) < 0 ||
        (file = open("/dev/null", O_RDONLY)) < 0 || dup2(file, STDOUT_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, UINT_MAX, 0) < 0)
        die("process");
    for (unsigned held = 4; held < descriptors; held++) /* the standard ones and a spare one */
        if (held < 4 + CROWD_SOCKETS ? socket(AF_UNIX, SOCK_DGRAM, 0) < 0 : dup(STDOUT_FILENO) < 0)
            die("descriptors");
    crowd_obey(STDIN_FILENO, STDOUT_FILENO);
}

/* Starts one that has our own descriptors, in one table with us. */
static inline pid_t crowd_start_sharer(void)
{
    pid_t parent = getpid();
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

    if (pid < 0)
        die("process");
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        _exit(1);
    while (pid == 0)
        (void)pause(); /* until it is ended */
    return (pid_t)pid;
}

/* Waits until so many processes are ready. */
static inline void crowd_await(const struct crowd *c, unsigned count)
{
    struct pollfd answer = {.fd = c->ready[0], .events = POLLIN};
    char byte;

    errno = ETIMEDOUT; /* unless something else is the matter */
    while (count-- > 0)
        if (poll(&answer, 1, CROWD_ANSWER_MS) != 1 || read(answer.fd, &byte, 1) != 1)
            die("process");
}

static inline void crowd_order(const struct crowd *c, pid_t pid, int order)
{
    if (kill(pid, order) < 0)
        die("process");
    crowd_await(c, 1);
}

static inline void crowd_kill(pid_t pid)
{
    if (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) < 0)
        die("process");
}

/* pid   0 for the caller. Returns 0 or -errno. */
static inline int crowd_join_cgroup(const char *directory, pid_t pid)
{
    char path[PATH_MAX];
    int fd, r;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", directory);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    r = fd < 0 || dprintf(fd, "%d", pid) < 0 ? -errno : 0;
    if (fd >= 0)
        (void)close(fd); /* the write told already */
    return r;
}

static inline void crowd_open(struct crowd *c, unsigned count)
{
    *c = (struct crowd){.pids = calloc(count, sizeof(pid_t)), .count = count};
    if (!c->pids || pipe2(c->ready, O_CLOEXEC) < 0)
        die("processes");
}

/* Starts all anew. */
static inline void crowd_start_all(struct crowd *c, unsigned descriptors)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (c->pids[i] > 0)
            crowd_kill(c->pids[i]);
        c->pids[i] = crowd_start(c, descriptors);
    }
    crowd_await(c, c->count);
}

#endif
