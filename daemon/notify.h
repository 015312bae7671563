/* What we tell systemd (sd_notify): readiness, status, progress. All of it
 * does nothing when nobody listens. Main thread only. */
#ifndef SOCKWATCH_DAEMON_NOTIFY_H
#define SOCKWATCH_DAEMON_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

/* Shown by systemctl status; one line. */
void notify_status(const char *status);

/* A poll was completed, which is what keeps the watchdog quiet. */
void notify_progress(void);

/* Makes the watchdog wait for at least three polls. */
void notify_watchdog_for(int64_t poll_interval_ms);

#endif
