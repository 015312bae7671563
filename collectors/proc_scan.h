/* Looks for sockets among the descriptors of processes, in /proc. Main thread
 * only. Source: proc(5). */
#ifndef SOCKWATCH_COLLECTORS_PROC_SCAN_H
#define SOCKWATCH_COLLECTORS_PROC_SCAN_H

#include "collectors/users.h"
#include "core/owner.h"

#include <stddef.h>

/* A holder, and one of the descriptors it has the socket as. */
struct hit {
    struct holder holder;
    uint32_t fd;
};

/* A socket that is looked for, and who was found to hold it. */
struct wanted {
    uint32_t inode;
    struct hit *hits; /* owned */
    size_t hit_count, hit_capacity;
};

/* A search under way; zero-initialised but for the first three. */
struct proc_scan {
    struct wanted *wanted; /* by inode, each once; borrowed */
    size_t wanted_count;
    struct users *users; /* borrowed */
    bool denied;         /* a process did not let us look */
};

/* Looks into one process; one that is gone has nothing. Returns 0 or -ENOMEM. */
int proc_scan_process(struct proc_scan *s, uint32_t pid);

/* Looks into all processes. Returns 0, -ENOMEM or -errno. */
int proc_scan_all(struct proc_scan *s);

/* Whether /proc shows every process that there is: it may hide those of other
 * users (hidepid), and those of other PID namespaces it never shows. */
bool proc_scan_sees_all(void);

/* Whether a holder still has the socket under its descriptor and still calls
 * itself the same. */
bool proc_scan_recheck(const struct holder *holder, uint32_t fd, uint32_t inode);

#endif
