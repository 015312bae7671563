#include "daemon/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SIGNALS_MAX = 4 };

struct loop_signal {
    loop_fn *fn;
    void *arg;
};

struct loop {
    sd_event *event;
    struct loop_signal signals[SIGNALS_MAX];
    unsigned signal_count;
};

struct loop_timer {
    sd_event_source *source;
    sd_event *event; /* a reference */
    uint64_t interval_us;
    uint64_t next_us; /* CLOCK_MONOTONIC */
    loop_fn *fn;
    void *arg;
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
    const struct loop_signal *s = arg;

    (void)source;
    (void)info;
    s->fn(s->arg);
    return 0;
}

int loop_add_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg)
{
    struct loop_signal *s = &loop->signals[loop->signal_count];
    sigset_t set;
    int r;

    if (loop->signal_count == SIGNALS_MAX)
        return -ENOSPC;
    (void)sigemptyset(&set); /* these two cannot fail with a valid signal */
    (void)sigaddset(&set, signal_number);
    r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0)
        return -r;
    *s = (struct loop_signal){fn, arg};
    r = sd_event_add_signal(loop->event, NULL, signal_number, on_signal, s);
    if (r < 0)
        return r;
    loop->signal_count++;
    return 0;
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
    timer->fn(timer->arg);
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
    timer->fn = fn;
    timer->arg = arg;
    r = sd_event_add_time(loop->event, &timer->source, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, timer);
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

int loop_run(struct loop *loop)
{
    int r = sd_event_loop(loop->event);

    return r < 0 ? r : 0;
}

void loop_stop(struct loop *loop)
{
    (void)sd_event_exit(loop->event, 0); /* fails only when it is exiting already */
}
