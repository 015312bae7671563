#include "daemon/notify.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* sd_notify() fails when the manager is gone; there is nobody to tell then. */

void notify_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_progress(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

void notify_watchdog_for(int64_t poll_interval_ms)
{
    uint64_t wanted_us = (uint64_t)poll_interval_ms * 3 * 1000, configured_us;

    /* This reads $WATCHDOG_USEC, which stays what the unit file says. */
    if (sd_watchdog_enabled(0, &configured_us) <= 0)
        return;
    (void)sd_notifyf(0, "WATCHDOG_USEC=%llu",
                     (unsigned long long)(wanted_us > configured_us ? wanted_us : configured_us));
}
