/* What befell each expected service lately: how often it was interrupted, and
 * how many connection attempts or datagrams it dropped, within the windows that
 * its entry names; and how often it was interrupted since the start.
 *
 * An interruption is that its last listener went, or that a poll found all its
 * sockets replaced: once each, and a restart that is both is one. While one of
 * its sockets goes on it is not interrupted, be it that its workers are restarted
 * one by one, or that somebody else's socket joins and leaves. What has not come
 * yet since the start was not interrupted either. A service
 * whose class of sockets could not be read is as it was when it was seen last.
 *
 * It is fed each verdict, in the order in which they were made; a service keeps
 * what is counted as long as the verdicts name it, by name, protocol and port,
 * whatever else its entry says. Each takes the same room, however often it is
 * interrupted. Time is passed in. One thread at a time. */
#ifndef SOCKWATCH_CORE_WINDOWS_H
#define SOCKWATCH_CORE_WINDOWS_H

#include "core/rules.h"

struct windows;

/* Returns owned, or NULL when memory runs out. */
struct windows *windows_new(void);
void windows_free(struct windows *w);

/* Goes on with what a verdict has found.
 *
 * policy   by which it was judged
 * now_ms   CLOCK_MONOTONIC
 *
 * Returns 0, or -ENOMEM: nothing was counted then. */
int windows_follow(struct windows *w, const struct verdict *verdict, const struct policy *policy,
                   int64_t now_ms);

/* What befell each service of the verdict that was followed last, in their order.
 * Valid until the next. */
const struct service_past *windows_past(const struct windows *w);

/* When the same verdict would be judged otherwise, because a window moves on; on
 * CLOCK_MONOTONIC, INT64_MAX for never. */
int64_t windows_due_ms(const struct windows *w);

#endif
