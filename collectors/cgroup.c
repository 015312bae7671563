#include "collectors/cgroup.h"
#include "collectors/proc_pid_parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, DIRECTORIES_MAX = 1 << 17 };

struct directory {
    uint64_t id;
    char *path;
};

struct cgroups {
    char mount[sizeof((struct mount_line *)0)->point]; /* "" where there is none */
    struct directory *directories;                     /* by id */
    size_t count;
};

/* A walk under way. */
struct walk {
    struct directory *directories;
    size_t count, capacity;
    char path[PATH_MAX];
};

static void find_mount(struct cgroups *c)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    struct mount_line m;
    char *line = NULL;
    size_t capacity = 0;

    while (file && !*c->mount && getline(&line, &capacity, file) > 0)
        if (proc_pid_parse_mount(line, &m) == 0 && strcmp(m.type, "cgroup2") == 0 && strcmp(m.root, "/") == 0)
            memcpy(c->mount, m.point, sizeof c->mount);
    free(line);
    if (file)
        (void)fclose(file); /* it was only read */
}

struct cgroups *cgroups_new(void)
{
    struct cgroups *c = calloc(1, sizeof *c);

    if (c)
        find_mount(c);
    return c;
}

static void free_directories(struct directory *directories, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(directories[i].path);
    free(directories);
}

void cgroups_free(struct cgroups *c)
{
    if (!c)
        return;
    free_directories(c->directories, c->count);
    free(c);
}

static int compare_ids(const void *a, const void *b)
{
    const struct directory *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

const char *cgroups_path(const struct cgroups *c, uint64_t id)
{
    const struct directory key = {.id = id}, *found = NULL;

    if (c->count > 0)
        found = bsearch(&key, c->directories, c->count, sizeof key, compare_ids);
    return found ? found->path : NULL;
}

static int add_directory(struct walk *w, uint64_t id)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 256;
        struct directory *directories = reallocarray(w->directories, capacity, sizeof *directories);

        if (!directories)
            return -ENOMEM;
        w->directories = directories;
        w->capacity = capacity;
    }
    w->directories[w->count].id = id;
    w->directories[w->count].path = strdup(w->path);
    if (!w->directories[w->count].path)
        return -ENOMEM;
    w->count++;
    return 0;
}

/* Adds what is below a directory, whose path is the first length bytes of
 * w->path. One that vanishes meanwhile is passed over. */
static int walk_directory(struct walk *w, int parent, const char *name, size_t length, unsigned depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
    const struct dirent *entry;
    DIR *directory;

    if (fd < 0)
        return depth == 0 ? -errno : 0;
    directory = fdopendir(fd);
    if (!directory) {
        r = -errno;
        (void)close(fd); /* it was only read */
        return r;
    }
    while (r == 0 && (entry = readdir(directory))) {
        size_t n = strlen(entry->d_name);

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || length + n + 2 > sizeof w->path)
            continue;
        w->path[length] = '/';
        memcpy(w->path + length + 1, entry->d_name, n + 1);
        if (w->count < DIRECTORIES_MAX)
            r = add_directory(w, entry->d_ino);
        if (r == 0 && depth < DEPTH_MAX)
            r = walk_directory(w, fd, entry->d_name, length + 1 + n, depth + 1);
    }
    (void)closedir(directory); /* it was only read */
    return r;
}

int cgroups_walk(struct cgroups *c)
{
    struct walk w = {.count = 0};
    int r;

    if (!*c->mount)
        return -ENOENT;
    r = walk_directory(&w, AT_FDCWD, c->mount, 0, 0);
    if (r < 0) {
        free_directories(w.directories, w.count);
        return r;
    }
    if (w.count > 0)
        qsort(w.directories, w.count, sizeof *w.directories, compare_ids);
    free_directories(c->directories, c->count);
    c->directories = w.directories;
    c->count = w.count;
    return 0;
}

int cgroups_pids(const struct cgroups *c, const char *path, uint32_t **ret_pids, size_t *ret_count)
{
    uint32_t *pids = NULL, pid;
    size_t count = 0, capacity = 0;
    char *name;
    FILE *file;
    int r = 0;

    if (asprintf(&name, "%s%s/cgroup.procs", c->mount, path) < 0)
        return -ENOMEM;
    file = fopen(name, "re");
    free(name);
    if (!file)
        return -errno;
    while (r == 0 && fscanf(file, "%u", &pid) == 1) {
        if (count == capacity) {
            uint32_t *more = reallocarray(pids, capacity ? capacity * 2 : 64, sizeof *pids);

            if (!more) {
                r = -ENOMEM;
                break;
            }
            pids = more;
            capacity = capacity ? capacity * 2 : 64;
        }
        if (pid != 0) /* of another PID namespace */
            pids[count++] = pid;
    }
    (void)fclose(file); /* it was only read */
    if (r < 0) {
        free(pids);
        return r;
    }
    *ret_pids = pids;
    *ret_count = count;
    return 0;
}
