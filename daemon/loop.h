/* The event loop, and the only file that knows sd-event: signals, descriptors,
 * timers, alarms, and work for when nothing else is to be done, in this order
 * of importance. Main thread only. */
#ifndef SOCKWATCH_DAEMON_LOOP_H
#define SOCKWATCH_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_alarm;
struct loop_idle;

typedef void loop_fn(void *arg);

/* Returns 0 and fills *ret, or -errno. */
int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/* Calls fn whenever the signal arrives. The signal is blocked for the calling
 * thread and those it starts later. Returns 0 or -errno. */
int loop_add_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg);

/* Calls fn whenever the descriptor, which stays the caller's and open, can be
 * read. Returns 0 or -errno. */
int loop_add_descriptor(struct loop *loop, int fd, loop_fn *fn, void *arg);

/* Calls fn every interval_ms, first after one interval; periods missed because
 * the loop was busy are skipped.
 *
 * ret   returns owned, for loop_timer_free(), which must come before loop_free()
 *
 * Returns 0 or -errno. */
int loop_add_timer(struct loop *loop, int64_t interval_ms, loop_fn *fn, void *arg, struct loop_timer **ret);

/* Starts anew with another interval. Returns 0 or -errno. */
int loop_timer_set_interval(struct loop_timer *timer, int64_t interval_ms);
void loop_timer_free(struct loop_timer *timer);

/* Calls fn once at a time that is set, and may be set again.
 *
 * ret   returns owned, for loop_alarm_free(), which must come before loop_free()
 *
 * Returns 0 or -errno. */
int loop_add_alarm(struct loop *loop, loop_fn *fn, void *arg, struct loop_alarm **ret);

/* at_ms   on CLOCK_MONOTONIC; INT64_MAX for never
 *
 * Returns 0 or -errno. */
int loop_alarm_set(struct loop_alarm *alarm, int64_t at_ms);
void loop_alarm_free(struct loop_alarm *alarm);

/* Calls fn again and again while it is switched on and nothing else is to be
 * done; whatever comes meanwhile waits for one call at most. It begins switched
 * off.
 *
 * ret   returns owned, for loop_idle_free(), which must come before loop_free()
 *
 * Returns 0 or -errno. */
int loop_add_idle(struct loop *loop, loop_fn *fn, void *arg, struct loop_idle **ret);

/* Returns 0 or -errno. */
int loop_idle_switch(struct loop_idle *idle, bool on);
void loop_idle_free(struct loop_idle *idle);

/* Runs until loop_stop(). Returns 0, or -errno when the loop broke. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
