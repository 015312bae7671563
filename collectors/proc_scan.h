/* What /proc tells about processes: which there are, which sockets each has
 * open, and who it is. All is read in steps of one small system call or two;
 * nothing is remembered here. One thread. Source: proc(5). */
#ifndef SOCKWATCH_COLLECTORS_PROC_SCAN_H
#define SOCKWATCH_COLLECTORS_PROC_SCAN_H

#include "collectors/dirents.h"
#include "collectors/users.h"
#include "core/owner.h"

#include <stdbool.h>
#include <stdint.h>

/* The processes that there are, being listed. */
struct proc_pids {
    struct dirents entries;
};

/* Returns 0, or -errno and leaves it closed: -ENOENT or -ENODEV when there is no
 * procfs at /proc. */
int proc_pids_open(struct proc_pids *p);

/* The next PID. Returns 1, 0 at the end, or -errno. */
int proc_pids_next(struct proc_pids *p, uint32_t *ret_pid);
void proc_pids_close(struct proc_pids *p);

/* The threads of a process beside its main one, being listed. */
struct proc_threads {
    uint32_t pid;
    struct dirents entries;
};

/* Returns 1, 0 when there are none and it stays closed, or -errno likewise:
 * -ENOENT or -ESRCH when the process has gone. */
int proc_threads_open(struct proc_threads *t, uint32_t pid);

/* The next thread's ID, by which /proc shows it as it does a process. Returns 1,
 * 0 at the end, or -errno. */
int proc_threads_next(struct proc_threads *t, uint32_t *ret_tid);
void proc_threads_close(struct proc_threads *t);

/* How many descriptors a process has open, which since Linux 6.2 is the size of
 * /proc/PID/fd; 0 when that is unknown, or the process has gone. */
uint32_t proc_descriptor_count(uint32_t pid);

/* One process's descriptors, being looked through, or one thread's, which may have
 * others. Its directory is held open, which keeps it from being taken for a later
 * one with the same number. */
struct proc_descriptors {
    uint32_t pid;
    int process; /* -1: closed */
    struct dirents entries;
};

/* Returns 0, or -errno and leaves it closed: -ENOENT or -ESRCH when the process
 * has gone, -EACCES or -EPERM when it does not let us look. */
int proc_descriptors_open(struct proc_descriptors *d, uint32_t pid);

/* The next descriptor, and the inode of the socket that it is, 0 for anything
 * else. Returns 1, 0 at the end, or -errno as above. */
int proc_descriptors_next(struct proc_descriptors *d, uint32_t *ret_fd, uint32_t *ret_inode);

/* Who the process is, with a reference to its program; of a thread, the process
 * that it belongs to. Returns 0, or -errno as above. */
int proc_descriptors_describe(const struct proc_descriptors *d, struct users *users, struct holder *ret);
void proc_descriptors_close(struct proc_descriptors *d);

/* Whether /proc shows every process that there is: it may hide those of other
 * users (hidepid), and those of other PID namespaces it never shows. */
bool proc_scan_sees_all(void);

/* Whether a holder still has the socket under its descriptor, still calls itself
 * the same, and runs the same file.
 *
 * tid     its PID, or that of the thread whose descriptor it is
 * whole   also whether its user, its unit and where its file is are the same,
 *         which costs several times as much */
enum recheck {
    RECHECK_SAME,
    RECHECK_CHANGED, /* the socket is there */
    RECHECK_LOST,    /* it is not, or the process has gone */
};
enum recheck proc_scan_recheck(const struct holder *holder, uint32_t tid, uint32_t fd, uint32_t inode,
                               bool whole);

/* Who a process is that has the socket under this descriptor, or a thread of it;
 * with a reference to its program. Returns 0, -errno as above, or -ESTALE when it
 * has not. */
int proc_describe(uint32_t pid, uint32_t fd, uint32_t inode, struct users *users, struct holder *ret);

/* Whether two processes share one table of descriptors (CLONE_FILES), and if not
 * which of the tables comes first in some order that stays.
 *
 * ret_order   0 for the same, less than 0, or more
 *
 * Returns 0, or -errno: -ESRCH when one has gone, -EPERM when one does not let
 * us look, -ENOSYS. Source: kcmp(2). */
int proc_compare_tables(uint32_t a, uint32_t b, int *ret_order);

#endif
