/* What is mounted where, as this process sees it. One thread.
 * Source: proc(5), /proc/PID/mountinfo. */
#ifndef SOCKWATCH_COLLECTORS_MOUNTS_H
#define SOCKWATCH_COLLECTORS_MOUNTS_H

#include "collectors/proc_pid_parse.h"

/* m   borrowed. Returns whether to go on. */
typedef bool mount_fn(void *arg, const struct mount_line *m);

/* Calls on_mount for every mount, in their order: of two at one place the later
 * is on top. Lines that cannot be parsed are passed over. Returns 0 or -errno. */
int mounts_each(mount_fn *on_mount, void *arg);

#endif
