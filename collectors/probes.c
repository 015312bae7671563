#include "collectors/probes.h"
#include "collectors/probe_errno.h"
#include "core/probe_schedule.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many at a time: each has a descriptor, and a daemon is not to take many. */
enum { AT_A_TIME = 64, APART_MS = 5 };

/* Who looks once waits for them. */
enum { AT_A_TIME_ONCE = 512 };

/* As many ends as are asked for at a time. */
enum { EVENTS = 16 };

/* A connect under way. */
struct flight {
    int fd; /* -1: there is none */
    struct probe_item *item;
    int64_t begun_us;
};

struct probes {
    struct probe_schedule schedule;
    int epoll_fd;
    size_t flight_count; /* as many as may be under way */
    struct flight flights[AT_A_TIME_ONCE];
    double step_seconds; /* of the last step */
};

/* An address as the kernel wants it. */
struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t length;
};

static struct endpoint endpoint_of(const struct ip_port *target)
{
    struct endpoint e = {.length = 0};

    if (target->address.version == 4) {
        e.at.v4.sin_family = AF_INET;
        e.at.v4.sin_port = htons(target->port);
        memcpy(&e.at.v4.sin_addr, target->address.bytes, sizeof e.at.v4.sin_addr);
        e.length = sizeof e.at.v4;
    } else {
        e.at.v6.sin6_family = AF_INET6;
        e.at.v6.sin6_port = htons(target->port);
        memcpy(&e.at.v6.sin6_addr, target->address.bytes, sizeof e.at.v6.sin6_addr);
        e.length = sizeof e.at.v6;
    }
    return e;
}

/* Reads where a socket is bound, of the family of the target. */
static bool read_own(int fd, const struct ip_port *target, struct ip_port *ret)
{
    struct endpoint e = {.length = sizeof e.at};

    *ret = (struct ip_port){.address.version = target->address.version};
    if (getsockname(fd, &e.at.any, &e.length) < 0)
        return false;
    if (target->address.version == 4) {
        ret->port = ntohs(e.at.v4.sin_port);
        memcpy(ret->address.bytes, &e.at.v4.sin_addr, sizeof e.at.v4.sin_addr);
    } else {
        ret->port = ntohs(e.at.v6.sin6_port);
        memcpy(ret->address.bytes, &e.at.v6.sin6_addr, sizeof e.at.v6.sin6_addr);
    }
    return true;
}

int probes_open(bool once, struct probes **ret)
{
    struct probes *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->flight_count = once ? AT_A_TIME_ONCE : AT_A_TIME;
    p->schedule.bounds =
        (struct probe_bounds){.at_a_time = p->flight_count, .apart_ms = once ? 0 : APART_MS, .once = once};
    for (size_t i = 0; i < p->flight_count; i++)
        p->flights[i].fd = -1;
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd < 0) {
        int error = -errno;

        free(p);
        return error;
    }
    *ret = p;
    return 0;
}

/* Which takes the socket out of epoll, too. */
static void end_flight(struct flight *f)
{
    (void)close(f->fd); /* on Linux it is closed in any case */
    *f = (struct flight){.fd = -1};
}

void probes_close(struct probes *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->flight_count; i++)
        if (p->flights[i].fd >= 0)
            end_flight(&p->flights[i]);
    (void)close(p->epoll_fd); /* nothing is written to it */
    probe_schedule_done(&p->schedule);
    free(p);
}

int probes_set(struct probes *p, const struct policy *policy, int64_t now_ms)
{
    int r = probe_schedule_set(&p->schedule, policy, now_ms);

    if (r < 0)
        return r;
    for (size_t i = 0; i < p->flight_count; i++)
        p->flights[i].item = NULL;
    for (size_t i = 0; i < p->schedule.count; i++)
        if (p->schedule.items[i].now.slot >= 0)
            p->flights[p->schedule.items[i].now.slot].item = &p->schedule.items[i];
    for (size_t i = 0; i < p->flight_count; i++)
        if (p->flights[i].fd >= 0 && !p->flights[i].item)
            end_flight(&p->flights[i]);
    return 0;
}

int probes_fd(const struct probes *p)
{
    return p->epoll_fd;
}

static int64_t deadline_ms(const struct flight *f)
{
    return f->item->now.begun_ms + f->item->timeout_ms;
}

int64_t probes_due_ms(const struct probes *p)
{
    int64_t due_ms = probe_schedule_due_ms(&p->schedule);

    for (size_t i = 0; i < p->flight_count; i++)
        if (p->flights[i].fd >= 0 && deadline_ms(&p->flights[i]) < due_ms)
            due_ms = deadline_ms(&p->flights[i]);
    return due_ms;
}

bool probes_are_under_way(const struct probes *p, int64_t now_ms)
{
    return p->schedule.under_way > 0 || probes_due_ms(p) <= now_ms;
}

/* A reset instead of what is usual, after which the kernel would keep the port for a
 * minute, from the service, too. */
static void let_go_of_port(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* it is worth a try */
}

/* Where nothing listens on a port that the kernel chooses from, it may choose that
 * very port for the connect, which then connects to itself. */
static enum probe_result without_self(const struct flight *f, enum probe_result result, bool *ret_own)
{
    const struct ip_port *target = &f->item->target;
    struct ip_port own;
    bool is_at_target = read_own(f->fd, target, &own) && ip_addr_compare(&own.address, &target->address) == 0;

    *ret_own = is_at_target || ip_addr_is_loopback(target->address);
    if (result != PROBE_OK || !is_at_target || own.port != target->port)
        return result;
    let_go_of_port(f->fd);
    return PROBE_REFUSED;
}

/* Ends a connect that has ended.
 *
 * error   as probe_errno_result() takes it */
static void conclude(struct probes *p, struct flight *f, int error, int64_t now_us)
{
    int64_t now_ms = now_us / 1000;
    enum probe_result result;
    bool own = false;
    int r = probe_errno_result(error, &result);

    if (r == 0) {
        result = without_self(f, result, &own);
        probe_schedule_end(&p->schedule, f->item, result, own, now_us - f->begun_us, now_ms);
    } else {
        probe_schedule_fail(&p->schedule, f->item, r, now_ms);
    }
    if (f->fd >= 0)
        end_flight(f);
}

/* Returns 0 when it is under way, or how it ended at once, for conclude(). */
static int start_connect(struct probes *p, struct flight *f)
{
    const struct endpoint target = endpoint_of(&f->item->target);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = f};

    if (connect(f->fd, &target.at.any, target.length) < 0 && errno != EINPROGRESS && errno != EINTR)
        return errno;
    /* One that stands already is told as one that does later. */
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, f->fd, &event) < 0 ? ENOMEM : 0;
}

static void begin_one(struct probes *p, struct flight *f, struct probe_item *item, int64_t now_us)
{
    int error;

    f->item = item;
    f->begun_us = now_us;
    f->fd = socket(item->target.address.version == 4 ? AF_INET : AF_INET6,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0) {
        /* Whatever it is, the target was not asked. */
        probe_schedule_fail(&p->schedule, item, -errno, now_us / 1000);
        return;
    }
    error = start_connect(p, f);
    if (error != 0)
        conclude(p, f, error, now_us);
}

/* Ends those of which the kernel tells. Returns whether there may be more. */
static bool end_told(struct probes *p, const struct budget *budget)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(p->epoll_fd, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct flight *f = events[i].data.ptr;
        int error = 0;
        socklen_t length = sizeof error;

        if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
            error = errno;
        conclude(p, f, error, budget_now_us(budget));
    }
    return count == EVENTS;
}

static void end_late(struct probes *p, const struct budget *budget)
{
    int64_t now_us = budget_now_us(budget);

    for (size_t i = 0; i < p->flight_count; i++)
        if (p->flights[i].fd >= 0 && deadline_ms(&p->flights[i]) <= now_us / 1000)
            conclude(p, &p->flights[i], ETIMEDOUT, now_us);
}

/* The schedule begins none where all are under way. */
static int free_slot(const struct probes *p)
{
    for (size_t i = 0; i < p->flight_count; i++)
        if (p->flights[i].fd < 0)
            return (int)i;
    return 0;
}

static void begin_due(struct probes *p, const struct budget *budget)
{
    do {
        int64_t now_us = budget_now_us(budget);
        int slot = free_slot(p);
        struct probe_item *item = probe_schedule_begin(&p->schedule, slot, now_us / 1000);

        if (!item)
            return;
        begin_one(p, &p->flights[slot], item, now_us);
    } while (!budget_is_spent(budget));
}

void probes_step(struct probes *p, const struct budget *budget)
{
    int64_t started_us = budget_now_us(budget);
    bool is_more = true;

    while (is_more && !budget_is_spent(budget))
        is_more = end_told(p, budget);
    if (!is_more) { /* what the kernel tells comes before the time limit */
        end_late(p, budget);
        begin_due(p, budget);
    }
    p->step_seconds = (double)(budget_now_us(budget) - started_us) / 1e6;
}

void probes_note(struct probes *p, size_t expect, uint8_t reach, bool renewed, int64_t now_ms)
{
    probe_schedule_note(&p->schedule, expect, reach, renewed, now_ms);
}

bool probes_have_news(const struct probes *p)
{
    return p->schedule.is_new_to_rules;
}

int probes_take(struct probes *p, struct instant now, const struct probe_results **ret, bool *ret_to_rules)
{
    const struct probe_results *results;
    bool to_rules;

    probe_schedule_age(&p->schedule, now.mono_ms);
    if (!p->schedule.is_new)
        return 0;
    to_rules = p->schedule.is_new_to_rules;
    results = probe_schedule_tell(&p->schedule, now);
    if (!results)
        return -ENOMEM;
    *ret = results;
    *ret_to_rules = to_rules;
    return 1;
}

struct collector_run probes_run(const struct probes *p)
{
    int error;
    size_t failed = probe_schedule_failed(&p->schedule, &error);

    return (struct collector_run){.name = "probes",
                                  .poll = POLL_COUNT, /* of none */
                                  .ran = p->schedule.count > 0,
                                  .up = failed == 0,
                                  .error = error,
                                  .duration_seconds = p->step_seconds};
}

uint64_t probes_left_out(const struct probes *p)
{
    return p->schedule.left_out;
}
