#include "collectors/proc_exe.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the kernel puts behind the path of a file that has no name any more. */
static const char deleted_suffix[] = " (deleted)";

enum { SUFFIX_LENGTH = sizeof deleted_suffix - 1 };

/* Whoever likes can nest directories a thousand deep; a program is not kept there. */
enum { PARTS_MAX = 64 };

/* What is told of a path that is longer than the kernel tells. */
static const char too_long[] = "(too long)";

enum answer {
    ANSWER_UNTOLD,
    ANSWER_NO,
    ANSWER_YES,
};

/* Which file it is, and whose. */
struct file {
    uint64_t device, inode;
    uint32_t uid;
    bool is_of_disk; /* its file system is one of a disk of this host */
};

/* Asks nobody who keeps it elsewhere. Returns whether it could be told. */
static bool identify(int directory, const char *name, int flags, struct file *ret)
{
    struct statx s;

    if (statx(directory, name, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_UID, &s) < 0)
        return false;
    *ret = (struct file){
        .device = (uint64_t)s.stx_dev_major << 32 | s.stx_dev_minor,
        .inode = s.stx_ino,
        .uid = s.stx_uid,
        .is_of_disk = s.stx_dev_major != 0,
    };
    return true;
}

/* Where PID 1 finds its files. */
struct view {
    int fd; /* -1: nowhere */
    struct file root;
    bool is_of_host; /* else our own, which may lack some */
};

static struct view open_view(void)
{
    struct view v = {.fd = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC), .is_of_host = true};

    if (v.fd < 0)
        v = (struct view){.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (v.fd >= 0 && !identify(v.fd, "", AT_EMPTY_PATH, &v.root)) {
        (void)close(v.fd); /* it was only looked at */
        v.fd = -1;
    }
    return v;
}

/* A place on the way along a path. */
struct place {
    int fd;
    struct file file;
};

/* Goes one part further. What is found is told without a file system that
 * somebody else answers for, in which nothing is looked for. Returns 0 or -errno. */
static int go_on(const struct view *v, struct place *at, const char *part)
{
    int fd;

    if (!at->file.is_of_disk && at->file.device != v->root.device)
        return -EXDEV;
    fd = openat(at->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)close(at->fd); /* it was only looked into */
    at->fd = fd;
    return identify(fd, "", AT_EMPTY_PATH, &at->file) ? 0 : -EIO;
}

/* The next part of a path. Returns its length, 0 at the end. */
static size_t next_part(const char **path, char ret_part[static NAME_MAX + 1])
{
    size_t length;

    *path += strspn(*path, "/");
    length = strcspn(*path, "/");
    if (length > NAME_MAX)
        return 0; /* which leads nowhere */
    memcpy(ret_part, *path, length);
    ret_part[length] = '\0';
    *path += length;
    return length;
}

/* Whether something is found at a path, and what. The path of a file that runs
 * has no links in it: what is one is another file. */
static enum answer find(const struct view *v, const char *path, struct file *ret)
{
    struct place at = {.fd = v->fd < 0 ? -1 : fcntl(v->fd, F_DUPFD_CLOEXEC, 0), .file = v->root};
    char part[NAME_MAX + 1];
    int r = at.fd < 0 ? -EBADF : 0;

    for (int parts = 0; r == 0 && next_part(&path, part) > 0; parts++)
        r = parts < PARTS_MAX ? go_on(v, &at, part) : -ENAMETOOLONG;
    if (at.fd >= 0)
        (void)close(at.fd); /* it was only looked at */
    *ret = at.file;
    if (r == 0)
        return ANSWER_YES;
    return v->is_of_host && (r == -ENOENT || r == -ENOTDIR) ? ANSWER_NO : ANSWER_UNTOLD;
}

/* Whether the file at a path is the one that a process runs, which is only looked
 * at where that may be: to follow the kernel's link to a file may take as long as
 * whoever keeps it takes to answer.
 *
 * ret_file   filled where it was looked at */
static enum answer leads_to(const struct view *v, const char *path, int process, struct file *ret_file)
{
    struct file found;
    enum answer answer = find(v, path, &found);

    if (answer != ANSWER_YES)
        return answer;
    if (!identify(process, "exe", 0, ret_file))
        return ANSWER_UNTOLD;
    return found.device == ret_file->device && found.inode == ret_file->inode ? ANSWER_YES : ANSWER_NO;
}

/* Whether the file had its path on the host until it was deleted: nobody else can
 * have made one of that owner on the file system where the path is. */
static enum answer led_to(const struct view *v, char *path, int process, struct file *ret_file)
{
    char *slash = strrchr(path, '/');
    enum answer answer = ANSWER_NO;
    struct file parent;

    if (slash) {
        *slash = '\0';
        answer = find(v, *path ? path : "/", &parent);
        *slash = '/';
    }
    if (answer != ANSWER_YES)
        return answer;
    if (!identify(process, "exe", 0, ret_file))
        return ANSWER_UNTOLD;
    return parent.device == ret_file->device && (ret_file->uid == 0 || ret_file->uid == parent.uid)
               ? ANSWER_YES
               : ANSWER_NO;
}

static enum program_standing standing_of(enum answer answer)
{
    switch (answer) {
    case ANSWER_UNTOLD: return PROGRAM_UNVERIFIED;
    case ANSWER_NO: return PROGRAM_FOREIGN;
    case ANSWER_YES: return PROGRAM_VERIFIED;
    }
    return PROGRAM_UNVERIFIED;
}

static bool says_deleted(const char *path, size_t length)
{
    return length > SUFFIX_LENGTH &&
           memcmp(path + length - SUFFIX_LENGTH, deleted_suffix, SUFFIX_LENGTH) == 0;
}

/* A file may really be called "... (deleted)". */
static struct program *judge(const struct view *v, char *path, size_t length, int process)
{
    struct file file = {0};
    enum answer answer = leads_to(v, path, process, &file);
    bool deleted = answer != ANSWER_YES && says_deleted(path, length);
    struct program *program;

    if (deleted) {
        length -= SUFFIX_LENGTH;
        path[length] = '\0';
        answer = led_to(v, path, process, &file);
    }
    program = program_new(path, length, standing_of(answer), deleted);
    if (program) {
        program->file.device = file.device;
        program->file.inode = file.inode;
    }
    return program;
}

/* Returns the length of the path, 0 when it may not be read, or -ENAMETOOLONG. */
static ssize_t read_path(int process, char ret_path[static PATH_MAX])
{
    ssize_t length = readlinkat(process, "exe", ret_path, PATH_MAX - 1);

    if (length < 0)
        return errno == ENAMETOOLONG ? -ENAMETOOLONG : 0;
    ret_path[length] = '\0';
    return length == PATH_MAX - 1 ? -ENAMETOOLONG : length;
}

int proc_exe_look(int process, const struct program **ret)
{
    char path[PATH_MAX];
    ssize_t length = read_path(process, path);
    struct view v;

    *ret = NULL;
    if (length == 0)
        return 0;
    if (length < 0) {
        *ret = program_new(too_long, sizeof too_long - 1, PROGRAM_FOREIGN, false);
    } else {
        v = open_view();
        *ret = judge(&v, path, (size_t)length, process);
        if (v.fd >= 0)
            (void)close(v.fd); /* it was only looked into */
    }
    return *ret ? 0 : -ENOMEM;
}

/* One that could not be looked at is known by its path only. */
static bool has_same_path(const char *path, size_t length, const struct program *program)
{
    char text[PROGRAM_PATH_MAX];

    text_escape(path, program->deleted && says_deleted(path, length) ? length - SUFFIX_LENGTH : length, text,
                sizeof text);
    return strcmp(text, program->path) == 0;
}

bool proc_exe_is_same(int process, const struct program *program)
{
    char path[PATH_MAX];
    ssize_t length = read_path(process, path);
    struct file file;

    if (length <= 0 || !program)
        return (length != 0) == (program != NULL);
    if (program->file.inode == 0)
        return has_same_path(path, (size_t)length, program);
    if (!identify(process, "exe", 0, &file) || file.device != program->file.device ||
        file.inode != program->file.inode)
        return false;
    return says_deleted(path, (size_t)length) ==
           (program->deleted || says_deleted(program->path, strlen(program->path)));
}
