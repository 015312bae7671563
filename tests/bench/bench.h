/* What the benchmarks share: CPU time of ours and of children, medians, a
 * listener, and the end when something cannot be measured. */
#ifndef SOCKWATCH_TESTS_BENCH_BENCH_H
#define SOCKWATCH_TESTS_BENCH_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* errno says why. */
static inline _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

static inline double clock_seconds(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* cannot fail with these clocks */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double own_cpu(void)
{
    return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static inline double timeval_seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static inline double children_cpu(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_CHILDREN, &usage); /* cannot fail with these arguments */
    return timeval_seconds(usage.ru_utime) + timeval_seconds(usage.ru_stime);
}

/* The CPU time of "ss OPTIONS". */
static inline double measure_ss(const char *options)
{
    double before = children_cpu();
    pid_t pid = fork();
    int status;

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            die("/dev/null");
        (void)execlp("ss", "ss", options, (char *)NULL);
        die("ss");
    }
    if (waitpid(pid, &status, 0) < 0 || status != 0)
        die("ss");
    return children_cpu() - before;
}

/* Listens on a port of 127.0.0.1. */
static inline int open_listener(unsigned port)
{
    const struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 4096) < 0)
        die("listener");
    return fd;
}

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts them. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

#endif
