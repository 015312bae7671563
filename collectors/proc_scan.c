#include "collectors/proc_scan.h"
#include "collectors/proc_pid_parse.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 64, LINK_TEXT_MAX = 64, FILE_TEXT_MAX = 8192 };

/* Inode of the first PID namespace (linux/proc_ns.h, PROC_PID_INIT_INO). */
#define INITIAL_PID_NAMESPACE 0xeffffffcu

static int compare_inodes(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;

    return x->inode < y->inode ? -1 : x->inode > y->inode;
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

/* What is known about a process, whose directory keeps it from being taken
 * for a later one with the same number. Returns false when it has gone. */
static bool describe(struct proc_scan *s, int directory, uint32_t pid, struct holder *ret)
{
    char text[FILE_TEXT_MAX];
    ssize_t length = read_at(directory, "comm", text, sizeof text);
    uint32_t uid;

    *ret = (struct holder){.pid = pid};
    if (length < 0) {
        s->denied |= length != -ENOENT && length != -ESRCH; /* as when descriptors run out */
        return false;
    }
    proc_pid_parse_comm(text, (size_t)length, ret->process);
    if (read_at(directory, "status", text, sizeof text) > 0 && proc_pid_parse_uid(text, &uid) == 0)
        (void)snprintf(ret->user, sizeof ret->user, "%s", users_name(s->users, uid));
    if (read_at(directory, "cgroup", text, sizeof text) >= 0) {
        ret->unit_known = true;
        proc_pid_parse_cgroup(text, ret->unit);
    }
    return true;
}

static int add_hit(struct wanted *w, const struct hit *hit)
{
    if (w->hit_count == w->hit_capacity) {
        size_t capacity = w->hit_capacity ? w->hit_capacity * 2 : 4;
        struct hit *hits = reallocarray(w->hits, capacity, sizeof *hits);

        if (!hits)
            return -ENOMEM;
        w->hits = hits;
        w->hit_capacity = capacity;
    }
    w->hits[w->hit_count++] = *hit;
    return 0;
}

static bool is_known_holder(const struct wanted *w, uint32_t pid)
{
    for (size_t i = 0; i < w->hit_count; i++)
        if (w->hits[i].holder.pid == pid)
            return true;
    return false;
}

/* Which of the wanted sockets a descriptor is, or NULL. */
static struct wanted *find_wanted(struct proc_scan *s, int descriptors, const char *name)
{
    char link[LINK_TEXT_MAX];
    ssize_t length = readlinkat(descriptors, name, link, sizeof link);
    struct wanted key = {.inode = 0};

    if (length < 0) {
        s->denied |= errno == EACCES || errno == EPERM;
        return NULL;
    }
    key.inode = proc_pid_parse_socket(link, (size_t)length);
    return key.inode ? bsearch(&key, s->wanted, s->wanted_count, sizeof key, compare_inodes) : NULL;
}

static int scan_descriptors(struct proc_scan *s, int process, DIR *descriptors, uint32_t pid)
{
    int directory = dirfd(descriptors);
    struct hit hit = {.fd = 0};
    const struct dirent *entry;
    bool described = false;
    int r = 0;

    assert(directory >= 0); /* fdopendir() has taken it */
    while (r == 0 && (entry = readdir(descriptors))) {
        struct wanted *w;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        w = find_wanted(s, directory, entry->d_name);
        if (!w || is_known_holder(w, pid))
            continue;
        if (!described && !describe(s, process, pid, &hit.holder))
            return 0;
        described = true;
        hit.fd = (uint32_t)strtoul(entry->d_name, NULL, 10);
        r = add_hit(w, &hit);
    }
    return r;
}

int proc_scan_process(struct proc_scan *s, uint32_t pid)
{
    char path[PATH_TEXT_MAX];
    DIR *descriptors = NULL;
    int process, fd, r = 0;

    (void)snprintf(path, sizeof path, "/proc/%u", pid);
    process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0) {
        s->denied |= errno != ENOENT && errno != ESRCH;
        return 0;
    }
    fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        descriptors = fdopendir(fd);
    if (descriptors) {
        r = scan_descriptors(s, process, descriptors, pid);
        (void)closedir(descriptors); /* it was only read */
    } else {
        /* That a process has gone meanwhile, fdopendir() may be the first to say. */
        r = errno == ENOMEM ? -ENOMEM : 0;
        s->denied |= errno != ENOENT && errno != ESRCH;
        if (fd >= 0)
            (void)close(fd); /* it was only read */
    }
    (void)close(process); /* it was only read */
    return r;
}

int proc_scan_all(struct proc_scan *s)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    int r = 0;

    if (!directory)
        return -errno;
    while (r == 0 && (entry = readdir(directory)))
        if (isdigit((unsigned char)entry->d_name[0]))
            r = proc_scan_process(s, (uint32_t)strtoul(entry->d_name, NULL, 10));
    (void)closedir(directory); /* it was only read */
    return r;
}

bool proc_scan_sees_all(void)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    bool hides = !file;
    struct mount_line m;
    struct stat namespace;
    char *line = NULL;
    size_t capacity = 0;

    while (file && getline(&line, &capacity, file) > 0)
        if (proc_pid_parse_mount(line, &m) == 0 && strcmp(m.point, "/proc") == 0)
            hides = m.hides_processes; /* the last mount is the one on top */
    free(line);
    if (file)
        (void)fclose(file); /* it was only read */
    return !hides && stat("/proc/self/ns/pid", &namespace) == 0 && namespace.st_ino == INITIAL_PID_NAMESPACE;
}

bool proc_scan_recheck(const struct holder *holder, uint32_t fd, uint32_t inode)
{
    char path[PATH_TEXT_MAX], text[LINK_TEXT_MAX], process[PROCESS_TEXT_MAX];
    ssize_t length;

    (void)snprintf(path, sizeof path, "/proc/%u/fd/%u", holder->pid, fd);
    length = readlink(path, text, sizeof text);
    if (length < 0 || proc_pid_parse_socket(text, (size_t)length) != inode)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%u/comm", holder->pid);
    length = read_at(AT_FDCWD, path, text, sizeof text);
    if (length < 0)
        return false;
    proc_pid_parse_comm(text, (size_t)length, process);
    return strcmp(process, holder->process) == 0;
}
