#include "daemon/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SIGNALS_MAX = 4, DESCRIPTORS_MAX = 4 };

/* What comes first, in the terms of sd-event: the smaller, the sooner. */
enum {
    PRIORITY_SIGNAL = -30,
    PRIORITY_DESCRIPTOR = -20,
    PRIORITY_TIMER = -10,
    PRIORITY_ALARM = 0,
    PRIORITY_IDLE = 100,
};

struct callback {
    loop_fn *fn;
    void *arg;
};

struct loop {
    sd_event *event;
    struct callback signals[SIGNALS_MAX];
    unsigned signal_count;
    struct callback descriptors[DESCRIPTORS_MAX];
    unsigned descriptor_count;
};

struct loop_timer {
    sd_event_source *source;
    sd_event *event; /* a reference */
    uint64_t interval_us;
    uint64_t next_us; /* CLOCK_MONOTONIC */
    struct callback call;
};

struct loop_alarm {
    sd_event_source *source;
    struct callback call;
};

struct loop_idle {
    sd_event_source *source;
    struct callback call;
};

int loop_new(struct loop **ret)
{
    struct loop *loop = calloc(1, sizeof *loop);
    int r;

    if (!loop)
        return -ENOMEM;
    r = sd_event_new(&loop->event);
    if (r < 0) {
        free(loop);
        return r;
    }
    *ret = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    sd_event_unref(loop->event);
    free(loop);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
    const struct callback *call = arg;

    (void)source;
    (void)info;
    call->fn(call->arg);
    return 0;
}

/* Leaves the source to the loop. */
static int keep_for_ever(sd_event_source *source, int64_t priority)
{
    int r = sd_event_source_set_priority(source, priority);

    if (r >= 0)
        r = sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return r < 0 ? r : 0;
}

int loop_add_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg)
{
    struct callback *call = &loop->signals[loop->signal_count];
    sd_event_source *source;
    sigset_t set;
    int r;

    if (loop->signal_count == SIGNALS_MAX)
        return -ENOSPC;
    (void)sigemptyset(&set); /* these two cannot fail with a valid signal */
    (void)sigaddset(&set, signal_number);
    r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0)
        return -r;
    *call = (struct callback){fn, arg};
    r = sd_event_add_signal(loop->event, &source, signal_number, on_signal, call);
    if (r < 0)
        return r;
    loop->signal_count++;
    return keep_for_ever(source, PRIORITY_SIGNAL);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    const struct callback *call = arg;

    (void)source;
    (void)fd;
    (void)events;
    call->fn(call->arg);
    return 0;
}

int loop_add_descriptor(struct loop *loop, int fd, loop_fn *fn, void *arg)
{
    struct callback *call = &loop->descriptors[loop->descriptor_count];
    sd_event_source *source;
    int r;

    if (loop->descriptor_count == DESCRIPTORS_MAX)
        return -ENOSPC;
    *call = (struct callback){fn, arg};
    r = sd_event_add_io(loop->event, &source, fd, EPOLLIN, on_readable, call);
    if (r < 0)
        return r;
    loop->descriptor_count++;
    return keep_for_ever(source, PRIORITY_DESCRIPTOR);
}

/* Sets the source to the next period that lies ahead. */
static int arm(struct loop_timer *timer)
{
    uint64_t now;
    int r = sd_event_now(timer->event, CLOCK_MONOTONIC, &now);

    if (r < 0)
        return r;
    timer->next_us += timer->interval_us;
    if (timer->next_us <= now)
        timer->next_us +=
            (now - timer->next_us + timer->interval_us) / timer->interval_us * timer->interval_us;
    r = sd_event_source_set_time(timer->source, timer->next_us);
    return r < 0 ? r : sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
    struct loop_timer *timer = arg;

    (void)source;
    (void)usec;
    timer->call.fn(timer->call.arg);
    return arm(timer);
}

static int start(struct loop_timer *timer, int64_t interval_ms)
{
    int r = sd_event_now(timer->event, CLOCK_MONOTONIC, &timer->next_us);

    if (r < 0)
        return r;
    timer->interval_us = (uint64_t)interval_ms * 1000;
    return arm(timer);
}

int loop_add_timer(struct loop *loop, int64_t interval_ms, loop_fn *fn, void *arg, struct loop_timer **ret)
{
    struct loop_timer *timer = calloc(1, sizeof *timer);
    int r;

    if (!timer)
        return -ENOMEM;
    timer->event = sd_event_ref(loop->event);
    timer->call = (struct callback){fn, arg};
    r = sd_event_add_time(loop->event, &timer->source, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, timer);
    if (r >= 0)
        r = sd_event_source_set_priority(timer->source, PRIORITY_TIMER);
    if (r >= 0)
        r = start(timer, interval_ms);
    if (r < 0) {
        loop_timer_free(timer);
        return r;
    }
    *ret = timer;
    return 0;
}

int loop_timer_set_interval(struct loop_timer *timer, int64_t interval_ms)
{
    return start(timer, interval_ms);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    sd_event_source_disable_unref(timer->source);
    sd_event_unref(timer->event);
    free(timer);
}

static int on_alarm(sd_event_source *source, uint64_t usec, void *arg)
{
    struct loop_alarm *alarm = arg;

    (void)source;
    (void)usec;
    alarm->call.fn(alarm->call.arg);
    return 0;
}

int loop_add_alarm(struct loop *loop, loop_fn *fn, void *arg, struct loop_alarm **ret)
{
    struct loop_alarm *alarm = calloc(1, sizeof *alarm);
    int r;

    if (!alarm)
        return -ENOMEM;
    alarm->call = (struct callback){fn, arg};
    r = sd_event_add_time(loop->event, &alarm->source, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_alarm, alarm);
    if (r >= 0)
        r = sd_event_source_set_priority(alarm->source, PRIORITY_ALARM);
    if (r < 0) {
        loop_alarm_free(alarm);
        return r;
    }
    *ret = alarm;
    return 0;
}

int loop_alarm_set(struct loop_alarm *alarm, int64_t at_ms)
{
    uint64_t at_us = at_ms == INT64_MAX ? UINT64_MAX : (uint64_t)at_ms * 1000;
    int r = sd_event_source_set_time(alarm->source, at_us);

    if (r >= 0)
        r = sd_event_source_set_enabled(alarm->source, SD_EVENT_ONESHOT);
    return r < 0 ? r : 0;
}

void loop_alarm_free(struct loop_alarm *alarm)
{
    if (!alarm)
        return;
    sd_event_source_disable_unref(alarm->source);
    free(alarm);
}

static int on_idle(sd_event_source *source, void *arg)
{
    struct loop_idle *idle = arg;

    (void)source;
    idle->call.fn(idle->call.arg);
    return 0;
}

int loop_add_idle(struct loop *loop, loop_fn *fn, void *arg, struct loop_idle **ret)
{
    struct loop_idle *idle = calloc(1, sizeof *idle);
    int r;

    if (!idle)
        return -ENOMEM;
    idle->call = (struct callback){fn, arg};
    r = sd_event_add_defer(loop->event, &idle->source, on_idle, idle);
    if (r >= 0)
        r = sd_event_source_set_priority(idle->source, PRIORITY_IDLE);
    if (r >= 0)
        r = loop_idle_switch(idle, false);
    if (r < 0) {
        loop_idle_free(idle);
        return r;
    }
    *ret = idle;
    return 0;
}

int loop_idle_switch(struct loop_idle *idle, bool on)
{
    int r = sd_event_source_set_enabled(idle->source, on ? SD_EVENT_ON : SD_EVENT_OFF);

    return r < 0 ? r : 0;
}

void loop_idle_free(struct loop_idle *idle)
{
    if (!idle)
        return;
    sd_event_source_disable_unref(idle->source);
    free(idle);
}

int loop_run(struct loop *loop)
{
    int r = sd_event_loop(loop->event);

    return r < 0 ? r : 0;
}

void loop_stop(struct loop *loop)
{
    (void)sd_event_exit(loop->event, 0); /* fails only when it is exiting already */
}
