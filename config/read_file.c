#include "config/read_file.h"
#include "core/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* libconfig 1.5 takes a comment without a new line for wrong syntax. */
static void end_text(char *text, size_t length)
{
    bool ended = length == 0 || text[length - 1] == '\n';

    text[length] = ended ? '\0' : '\n';
    text[length + 1] = '\0';
}

static ssize_t read_stream(FILE *file, char **ret_text)
{
    char *text = malloc(FILE_BYTES_MAX + 2);
    ssize_t r;

    if (!text)
        return -ENOMEM;
    r = (ssize_t)fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        r = errno ? -errno : -EIO;
    else if (r > FILE_BYTES_MAX)
        r = -EFBIG;
    if (r < 0) {
        free(text);
        return r;
    }
    end_text(text, (size_t)r);
    *ret_text = text;
    return r;
}

ssize_t read_file(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");
    ssize_t r;

    if (!file)
        return -errno;
    r = read_stream(file, ret_text);
    (void)fclose(file); /* it was only read */
    return r;
}

static int kind_error(mode_t mode)
{
    if (S_ISREG(mode))
        return 0;
    return S_ISDIR(mode) ? -EISDIR : ERR_IRREGULAR;
}

static int look_at(int directory, const char *path)
{
    struct stat status;

    if (fstatat(directory, path, &status, 0) == 0)
        return kind_error(status.st_mode);
    if (errno != ENOENT)
        return -errno;
    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? ERR_DANGLING : -ENOENT;
}

/* It is looked at before it is opened, since opening a device may do something,
 * and afterwards, since it may have been replaced. */
ssize_t read_file_at(int directory, const char *path, char **ret_text)
{
    struct stat status;
    FILE *file;
    int fd, r = look_at(directory, path);
    ssize_t length;

    if (r < 0)
        return r;
    fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    r = fstat(fd, &status) < 0 ? -errno : kind_error(status.st_mode);
    file = r < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
        r = r < 0 ? r : -errno;
        (void)close(fd); /* it was only read */
        return r;
    }
    length = read_stream(file, ret_text);
    (void)fclose(file); /* likewise */
    return length;
}
