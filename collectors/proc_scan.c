#include "collectors/proc_scan.h"
#include "collectors/mounts.h"
#include "collectors/proc_exe.h"
#include "collectors/proc_pid_parse.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 64, LINK_TEXT_MAX = 64, FILE_TEXT_MAX = 8192 };

/* Inode of the first PID namespace (linux/proc_ns.h, PROC_PID_INIT_INO). */
#define INITIAL_PID_NAMESPACE 0xeffffffcu

/* The next entry that is called by a number. Returns 1, 0 at the end, or -errno. */
static int next_number(struct dirents *d, const struct dirent64 **ret, uint32_t *ret_number)
{
    int r;

    do
        r = dirents_next(d, ret);
    while (r > 0 && !isdigit((unsigned char)(*ret)->d_name[0]));
    if (r > 0)
        *ret_number = (uint32_t)strtoul((*ret)->d_name, NULL, 10);
    return r;
}

/* What is in its place otherwise, as an empty directory, tells nothing. */
int proc_pids_open(struct proc_pids *p)
{
    int r = dirents_open(&p->entries, AT_FDCWD, "/proc");
    struct statfs system;

    if (r == 0 && fstatfs(p->entries.fd, &system) < 0)
        r = -errno;
    if (r == 0 && system.f_type != PROC_SUPER_MAGIC)
        r = -ENODEV;
    if (r < 0)
        dirents_close(&p->entries);
    return r;
}

int proc_pids_next(struct proc_pids *p, uint32_t *ret_pid)
{
    const struct dirent64 *entry;

    return next_number(&p->entries, &entry, ret_pid);
}

void proc_pids_close(struct proc_pids *p)
{
    dirents_close(&p->entries);
}

/* A directory has a link from each directory below it, from its parent and from
 * itself: three say that there is one thread. */
int proc_threads_open(struct proc_threads *t, uint32_t pid)
{
    char path[PATH_TEXT_MAX];
    struct stat s;
    int r;

    *t = (struct proc_threads){.pid = pid, .entries.fd = -1};
    (void)snprintf(path, sizeof path, "/proc/%u/task", pid);
    if (stat(path, &s) < 0)
        return -errno;
    if (s.st_nlink == 3)
        return 0;
    r = dirents_open(&t->entries, AT_FDCWD, path);
    return r < 0 ? r : 1;
}

int proc_threads_next(struct proc_threads *t, uint32_t *ret_tid)
{
    const struct dirent64 *entry;
    int r;

    do
        r = next_number(&t->entries, &entry, ret_tid);
    while (r > 0 && *ret_tid == t->pid);
    return r;
}

void proc_threads_close(struct proc_threads *t)
{
    dirents_close(&t->entries);
}

uint32_t proc_descriptor_count(uint32_t pid)
{
    char path[PATH_TEXT_MAX];
    struct stat s;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    if (stat(path, &s) < 0 || s.st_size <= 0)
        return 0;
    return s.st_size < (off_t)UINT32_MAX ? (uint32_t)s.st_size : UINT32_MAX;
}

static int open_process(struct proc_descriptors *d)
{
    char path[PATH_TEXT_MAX];

    (void)snprintf(path, sizeof path, "/proc/%u", d->pid);
    d->process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return d->process < 0 ? -errno : 0;
}

int proc_descriptors_open(struct proc_descriptors *d, uint32_t pid)
{
    int r;

    d->pid = pid;
    d->entries.fd = -1;
    r = open_process(d);
    if (r < 0)
        return r;
    r = dirents_open(&d->entries, d->process, "fd");
    if (r < 0)
        proc_descriptors_close(d);
    return r;
}

int proc_descriptors_next(struct proc_descriptors *d, uint32_t *ret_fd, uint32_t *ret_inode)
{
    const struct dirent64 *entry;
    char link[LINK_TEXT_MAX];
    ssize_t length;
    int r = next_number(&d->entries, &entry, ret_fd);

    if (r <= 0)
        return r;
    length = readlinkat(d->entries.fd, entry->d_name, link, sizeof link);
    if (length < 0 && (errno == EACCES || errno == EPERM))
        return -errno;
    *ret_inode = length < 0 ? 0 : proc_pid_parse_socket(link, (size_t)length);
    return 1;
}

/* Reads a small file below a process's directory. Returns its length, with a
 * NUL behind it, or -errno. */
static ssize_t read_at(int directory, const char *name, char *ret_text, size_t size)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t n, length = 0;

    if (fd < 0)
        return -errno;
    do {
        n = read(fd, ret_text + length, size - 1 - (size_t)length);
        length += n > 0 ? n : 0;
    } while (n > 0 && (size_t)length < size - 1);
    if (n < 0)
        length = -errno;
    (void)close(fd); /* it was only read */
    ret_text[length > 0 ? length : 0] = '\0';
    return length;
}

/* A thread is told as its process, by the name of that. */
static void tell_process(const char *status, struct holder *holder)
{
    char path[PATH_TEXT_MAX], text[LINK_TEXT_MAX];
    ssize_t length;
    uint32_t pid;

    if (proc_pid_parse_process(status, &pid) < 0 || pid == holder->pid)
        return;
    holder->pid = pid;
    (void)snprintf(path, sizeof path, "/proc/%u/comm", pid);
    length = read_at(AT_FDCWD, path, text, sizeof text);
    if (length >= 0)
        proc_pid_parse_comm(text, (size_t)length, holder->process);
}

/* Whose it is, and which unit's. */
static void describe_standing(const struct proc_descriptors *d, struct holder *who)
{
    char text[FILE_TEXT_MAX];

    if (read_at(d->process, "status", text, sizeof text) > 0) {
        who->uid_known = proc_pid_parse_uid(text, &who->uid) == 0;
        tell_process(text, who);
    }
    who->unit_known = read_at(d->process, "cgroup", text, sizeof text) >= 0;
    if (who->unit_known)
        who->in_manager = proc_pid_parse_cgroup(text, who->unit);
}

int proc_descriptors_describe(const struct proc_descriptors *d, struct users *users, struct holder *ret)
{
    char text[FILE_TEXT_MAX];
    ssize_t length = read_at(d->process, "comm", text, sizeof text);

    if (length < 0)
        return (int)length;
    *ret = (struct holder){.pid = d->pid};
    if (proc_exe_look(d->process, &ret->program) < 0)
        return -ENOMEM;
    proc_pid_parse_comm(text, (size_t)length, ret->process);
    describe_standing(d, ret);
    if (ret->uid_known)
        ret->user_awaited = users_name(users, ret->uid, ret->user);
    return 0;
}

void proc_descriptors_close(struct proc_descriptors *d)
{
    dirents_close(&d->entries);
    if (d->process >= 0)
        (void)close(d->process); /* it was only read */
    d->process = -1;
}

/* The last mount is the one on top. */
static bool take_proc(void *arg, const struct mount_line *m)
{
    bool *hides = arg;

    if (strcmp(m->point, "/proc") == 0)
        *hides = m->hides_processes;
    return true;
}

bool proc_scan_sees_all(void)
{
    bool hides = false;
    struct stat namespace;

    return mounts_each(take_proc, &hides) == 0 && !hides && stat("/proc/self/ns/pid", &namespace) == 0 &&
           namespace.st_ino == INITIAL_PID_NAMESPACE;
}

/* Returns 0, -errno, or -ESTALE when the descriptor is something else. */
static int has_socket(const struct proc_descriptors *d, uint32_t fd, uint32_t inode)
{
    char path[PATH_TEXT_MAX], link[LINK_TEXT_MAX];
    ssize_t length;

    (void)snprintf(path, sizeof path, "fd/%u", fd);
    length = readlinkat(d->process, path, link, sizeof link);
    if (length < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    return proc_pid_parse_socket(link, (size_t)length) == inode ? 0 : -ESTALE;
}

static bool is_same(const struct proc_descriptors *d, const struct holder *holder)
{
    char path[PATH_TEXT_MAX], text[LINK_TEXT_MAX], process[PROCESS_TEXT_MAX];
    ssize_t length;

    (void)snprintf(path, sizeof path, "/proc/%u/comm", holder->pid); /* of a thread, that of its process */
    length = read_at(AT_FDCWD, path, text, sizeof text);
    if (length < 0)
        return false;
    proc_pid_parse_comm(text, (size_t)length, process);
    return strcmp(process, holder->process) == 0 && proc_exe_is_same(d->process, holder->program);
}

static bool has_same_standing(const struct proc_descriptors *d, const struct holder *holder)
{
    struct holder now = {.pid = d->pid};
    const struct program *program;
    bool is_same;

    if (proc_exe_look(d->process, &program) < 0)
        return false;
    is_same = program_is_same(program, holder->program);
    program_unref(program);
    describe_standing(d, &now);
    return is_same && now.uid_known == holder->uid_known && now.uid == holder->uid &&
           now.unit_known == holder->unit_known && now.in_manager == holder->in_manager &&
           strcmp(now.unit, holder->unit) == 0;
}

enum recheck proc_scan_recheck(const struct holder *holder, uint32_t tid, uint32_t fd, uint32_t inode,
                               bool whole)
{
    struct proc_descriptors d = {.pid = tid, .process = -1, .entries.fd = -1};
    enum recheck recheck = RECHECK_LOST;

    if (open_process(&d) == 0 && has_socket(&d, fd, inode) == 0)
        recheck =
            is_same(&d, holder) && (!whole || has_same_standing(&d, holder)) ? RECHECK_SAME : RECHECK_CHANGED;
    proc_descriptors_close(&d);
    return recheck;
}

int proc_describe(uint32_t pid, uint32_t fd, uint32_t inode, struct users *users, struct holder *ret)
{
    struct proc_descriptors d = {.pid = pid, .process = -1, .entries.fd = -1};
    int r = open_process(&d);

    if (r == 0)
        r = has_socket(&d, fd, inode);
    if (r == 0)
        r = proc_descriptors_describe(&d, users, ret);
    proc_descriptors_close(&d);
    return r;
}

/* kcmp(2) says 0 for the same, 1 for less, 2 for more. */
int proc_compare_tables(uint32_t a, uint32_t b, int *ret_order)
{
    long r = syscall(SYS_kcmp, (pid_t)a, (pid_t)b, KCMP_FILES, 0UL, 0UL);

    if (r < 0 || r > 2)
        return r < 0 ? -errno : -EIO;
    *ret_order = r == 0 ? 0 : r == 1 ? -1 : 1;
    return 0;
}
