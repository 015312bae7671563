/* The event loop, and the only file that knows sd-event: timers and signals.
 * Main thread only. */
#ifndef SOCKWATCH_DAEMON_LOOP_H
#define SOCKWATCH_DAEMON_LOOP_H

#include <stdint.h>

struct loop;
struct loop_timer;

typedef void loop_fn(void *arg);

/* Returns 0 and fills *ret, or -errno. */
int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/* Calls fn whenever the signal arrives. The signal is blocked for the calling
 * thread and those it starts later. Returns 0 or -errno. */
int loop_add_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg);

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

/* Runs until loop_stop(). Returns 0, or -errno when the loop broke. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
