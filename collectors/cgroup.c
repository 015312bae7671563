#include "collectors/cgroup.h"
#include "collectors/dirents.h"
#include "collectors/mounts.h"
#include "core/array.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, DIRECTORIES_MAX = 1 << 15, PATH_BYTES_MAX = 4 << 20, MANY = 1024 };

struct directory {
    uint64_t id;
    char *path;
};

/* Directories that were found; while a walk is under way also those to be read. */
struct directories {
    struct directory *items; /* owned */
    size_t count, capacity;
    size_t bytes; /* of their paths */
};

struct cgroups {
    char mount[sizeof((struct mount_line *)0)->point]; /* "" where there is none */
    struct directories known;                          /* by id */
    struct {
        struct directories found; /* in the order in which they are read themselves */
        size_t next;              /* to be read after the open one */
        struct dirents open;
        char path[PATH_MAX]; /* of the open one */
    } walk;
};

static bool take_cgroup2(void *arg, const struct mount_line *m)
{
    struct cgroups *c = arg;

    if (strcmp(m->type, "cgroup2") != 0 || strcmp(m->root, "/") != 0)
        return true;
    memcpy(c->mount, m->point, sizeof c->mount);
    return false;
}

struct cgroups *cgroups_new(void)
{
    struct cgroups *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->walk.open.fd = -1;
    (void)mounts_each(take_cgroup2, c); /* without it nothing is found */
    return c;
}

static void free_directories(struct directories *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->items[i].path);
    free(d->items);
    *d = (struct directories){.items = NULL};
}

static void end_walk(struct cgroups *c)
{
    dirents_close(&c->walk.open);
    free_directories(&c->walk.found);
    c->walk.next = 0;
}

void cgroups_free(struct cgroups *c)
{
    if (!c)
        return;
    end_walk(c);
    free_directories(&c->known);
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

    if (c->known.count > 0)
        found = bsearch(&key, c->known.items, c->known.count, sizeof key, compare_ids);
    return found ? found->path : NULL;
}

/* Opens the directory of the walk's path. */
static int open_directory(struct cgroups *c)
{
    char *name;
    int r;

    if (asprintf(&name, "%s%s", c->mount, c->walk.path) < 0)
        return -ENOMEM;
    r = dirents_open(&c->walk.open, AT_FDCWD, name);
    free(name);
    return r;
}

bool cgroups_are_many(const struct cgroups *c)
{
    return c->known.count > MANY;
}

int cgroups_walk_begin(struct cgroups *c)
{
    end_walk(c);
    *c->walk.path = '\0';
    return *c->mount ? open_directory(c) : -ENOENT;
}

static unsigned depth_of(const char *path)
{
    unsigned depth = 0;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

static int add_directory(struct cgroups *c, const struct dirent64 *entry)
{
    struct directories *found = &c->walk.found;
    size_t bytes = strlen(c->walk.path) + strlen(entry->d_name) + 2;
    struct directory *items;
    char *path;

    if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || found->count >= DIRECTORIES_MAX ||
        bytes > sizeof c->walk.path || found->bytes + bytes > PATH_BYTES_MAX)
        return 0;
    items = array_grow(found->items, &found->capacity, found->count + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    found->items = items;
    if (asprintf(&path, "%s/%s", c->walk.path, entry->d_name) < 0)
        return -ENOMEM;
    found->bytes += bytes;
    items[found->count++] = (struct directory){.id = entry->d_ino, .path = path};
    return 0;
}

static int finish_walk(struct cgroups *c)
{
    free_directories(&c->known);
    c->known = c->walk.found;
    c->walk.found = (struct directories){.items = NULL};
    c->known.items = array_shrink(c->known.items, &c->known.capacity, c->known.count, sizeof *c->known.items);
    if (c->known.count > 0)
        qsort(c->known.items, c->known.count, sizeof *c->known.items, compare_ids);
    end_walk(c);
    return 0;
}

/* Opens the next directory that is there still and not too deep. */
static int next_directory(struct cgroups *c)
{
    dirents_close(&c->walk.open);
    if (c->walk.next == c->walk.found.count)
        return finish_walk(c);
    (void)snprintf(c->walk.path, sizeof c->walk.path, "%s", c->walk.found.items[c->walk.next++].path);
    if (depth_of(c->walk.path) <= DEPTH_MAX && open_directory(c) == -ENOMEM)
        return -ENOMEM;
    return 1;
}

int cgroups_walk_step(struct cgroups *c)
{
    const struct dirent64 *entry;
    int r = c->walk.open.fd >= 0 ? dirents_next(&c->walk.open, &entry) : 0;

    if (r > 0) {
        r = add_directory(c, entry);
        r = r < 0 ? r : 1;
    } else {
        r = next_directory(c); /* one that was removed meanwhile fails to be read */
    }
    if (r < 0)
        end_walk(c);
    return r;
}

int cgroup_members_open(struct cgroup_members *m, const struct cgroups *c, const char *path)
{
    char *name;
    int r = 0;

    m->at = m->length = 0;
    m->fd = -1;
    if (asprintf(&name, "%s%s/cgroup.procs", c->mount, path) < 0)
        return -ENOMEM;
    m->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (m->fd < 0)
        r = -errno;
    free(name);
    return r;
}

/* Returns 1, 0 at the end, or -errno. */
static int next_byte(struct cgroup_members *m, char *ret)
{
    if (m->at == m->length) {
        ssize_t n = read(m->fd, m->buffer, sizeof m->buffer);

        if (n <= 0)
            return n < 0 ? -errno : 0;
        m->at = 0;
        m->length = (size_t)n;
    }
    *ret = m->buffer[m->at++];
    return 1;
}

int cgroup_members_next(struct cgroup_members *m, uint32_t *ret_pid)
{
    uint32_t pid = 0;
    char c = '\0';
    int r;

    while ((r = next_byte(m, &c)) > 0) {
        if (c >= '0' && c <= '9') {
            pid = pid * 10 + (uint32_t)(c - '0');
        } else if (pid != 0) { /* 0 is one of another PID namespace */
            *ret_pid = pid;
            return 1;
        }
    }
    *ret_pid = pid;
    return r == 0 ? pid != 0 : r;
}

void cgroup_members_close(struct cgroup_members *m)
{
    if (m->fd >= 0)
        (void)close(m->fd); /* it was only read */
    m->fd = -1;
}
