#include "config/drop_ins.h"
#include "core/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".conf"

bool drop_ins_have_name(const char *name)
{
    size_t length = strlen(name);

    return *name != '.' && length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int add_name(struct drop_ins *list, const char *name)
{
    if (list->count == DROP_INS_MAX)
        return -E2BIG;
    list->names[list->count] = strdup(name);
    if (!list->names[list->count])
        return -ENOMEM;
    list->count++;
    return 0;
}

static int read_names(struct drop_ins *list, DIR *stream)
{
    const struct dirent *entry;
    size_t seen = 0;
    int r = 0;

    while (r == 0) {
        errno = 0;
        entry = readdir(stream);
        if (!entry)
            return -errno;
        if (seen++ == DROP_INS_NAMES_MAX)
            r = -EOVERFLOW;
        else if (drop_ins_have_name(entry->d_name))
            r = add_name(list, entry->d_name);
    }
    return r;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Nothing there is fine; a link that leads nowhere was meant to be something. */
static int absent(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? ERR_DANGLING : 0;
}

int drop_ins_list(const char *path, struct drop_ins *ret)
{
    DIR *stream;
    int r, copy;

    *ret = (struct drop_ins){.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK)};
    if (ret->directory < 0)
        return errno == ENOENT ? absent(path) : -errno;
    copy = fcntl(ret->directory, F_DUPFD_CLOEXEC, 0);
    stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        r = -errno;
        if (copy >= 0)
            (void)close(copy); /* nothing was written */
        return r;
    }
    r = read_names(ret, stream);
    (void)closedir(stream); /* it was only read */
    if (r == 0 && ret->count > 0)
        qsort(ret->names, ret->count, sizeof *ret->names, compare_names);
    return r;
}

void drop_ins_done(struct drop_ins *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    if (list->directory >= 0)
        (void)close(list->directory); /* nothing was written */
}

const char *drop_ins_name_in(const char *directory, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *path = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
    struct stat here, there;
    bool same = path && stat(directory, &here) == 0 && stat(path, &there) == 0 &&
                here.st_dev == there.st_dev && here.st_ino == there.st_ino;

    free(path);
    return !same ? NULL : slash ? slash + 1 : file;
}
