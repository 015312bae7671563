#include "daemon/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int last_error(void)
{
    return errno ? -errno : -EIO;
}

/* Whether the file may come to be there. */
static int judge_place(const char *path, bool replace)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(status.st_mode))
        return -ENOTSUP;
    return replace ? 0 : -EEXIST;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return last_error();
        text += written;
        length -= (size_t)written;
    }
    if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

/* Where the file system cannot refuse to replace, what was looked at before counts. */
static int move(const char *from, const char *to, bool replace)
{
    if (!replace) {
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOSYS)
            return -errno;
    }
    return rename(from, to) < 0 ? -errno : 0;
}

/* So that the name is there after a crash, too. */
static int sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

    if (fd >= 0)
        (void)close(fd);                         /* nothing was written */
    return r == -EINVAL || r == -EACCES ? 0 : r; /* it cannot be asked to, or not by us */
}

/* scratch   a template for mkostemp() */
static int write_beside(char *scratch, const char *path, const char *text, size_t length, bool replace)
{
    int fd = mkostemp(scratch, O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, text, length);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0)
        r = move(scratch, path, replace);
    if (r < 0)
        (void)unlink(scratch); /* it is said already that nothing was written */
    return r;
}

int write_file(const char *path, const char *text, size_t length, bool replace)
{
    char *copy = strdup(path), *scratch = NULL;
    const char *directory, *slash = strrchr(path, '/');
    int r = judge_place(path, replace);

    if (!copy)
        return -ENOMEM;
    directory = dirname(copy);
    if (r == 0 && asprintf(&scratch, "%s/.%s.XXXXXX", directory, slash ? slash + 1 : path) < 0) {
        scratch = NULL;
        r = -ENOMEM;
    }
    if (r == 0)
        r = write_beside(scratch, path, text, length, replace);
    if (r == 0)
        r = sync_directory(directory);
    free(scratch);
    free(copy);
    return r;
}
