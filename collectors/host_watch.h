/* Tells when the host's addresses, routes or interfaces have changed, so that
 * what was found out about them need not be asked for at every poll. One
 * thread. Source: rtnetlink(7). */
#ifndef SOCKWATCH_COLLECTORS_HOST_WATCH_H
#define SOCKWATCH_COLLECTORS_HOST_WATCH_H

#include <stdbool.h>

struct host_watch;

/* ret   returns owned; filled on success only
 *
 * Returns 0, -ENOMEM, or -errno when the kernel does not tell. */
int host_watch_open(struct host_watch **ret);
void host_watch_close(struct host_watch *w);

/* Readable when something has changed. */
int host_watch_fd(const struct host_watch *w);

/* Whether something has changed since the last call. What was told too fast to
 * be kept counts as a change. Does not block. */
bool host_watch_changed(struct host_watch *w);

#endif
