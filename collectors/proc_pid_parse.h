/* What stands in /proc about a process, as bytes: which socket a descriptor
 * is, whose the process is, which cgroup and systemd unit it is in. Pure; any
 * thread. Source: proc(5), cgroups(7), systemd docs/CONTROL_GROUP_INTERFACE. */
#ifndef SOCKWATCH_COLLECTORS_PROC_PID_PARSE_H
#define SOCKWATCH_COLLECTORS_PROC_PID_PARSE_H

#include "core/owner.h"

/* The inode in "socket:[12345]", the target of a link in /proc/PID/fd; 0 for
 * anything else. length is that of link, which has no NUL. */
uint32_t proc_pid_parse_socket(const char *link, size_t length);

/* The effective user in /proc/PID/status. Returns 0, or -EBADMSG when there is
 * none. */
int proc_pid_parse_uid(const char *status, uint32_t *ret_uid);

/* The process in /proc/TID/status that a thread belongs to. Returns 0, or -EBADMSG
 * when there is none. */
int proc_pid_parse_process(const char *status, uint32_t *ret_pid);

/* The name in /proc/PID/comm, escaped: what a process may give itself is any
 * bytes, new lines as well. */
void proc_pid_parse_comm(const char *comm, size_t length, char ret_name[static PROCESS_TEXT_MAX]);

/* The unit that a process is in by /proc/PID/cgroup: by systemd's own hierarchy
 * on hosts with cgroup v1, or else by that of cgroup2, which a container may
 * use on such a host. "" for none.
 *
 * Returns whether the process is in the cgroup that a service manager keeps for
 * itself: /init.scope, or init.scope below the unit of a user's manager. Into the
 * latter that user can move any process of his own. */
bool proc_pid_parse_cgroup(const char *text, char ret_unit[static UNIT_TEXT_MAX]);

/* The system unit that a cgroup path such as "/system.slice/nginx.service"
 * belongs to: the first part that is no slice. Units inside of it, as those of
 * a user's systemd or of a container, are not told. "" for none. */
void proc_pid_parse_unit(const char *path, size_t length, char ret_unit[static UNIT_TEXT_MAX]);

/* A line of /proc/self/mountinfo. */
struct mount_line {
    char root[256];  /* what of the file system is mounted */
    char point[256]; /* where */
    char type[32];
    bool hides_processes; /* of type proc: hidepid or subset is set */
};

/* Returns 0 and fills *ret, or -EBADMSG; a path that is too long is no line for us either. */
int proc_pid_parse_mount(const char *line, struct mount_line *ret);

#endif
