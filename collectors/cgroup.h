/* The cgroup2 tree: which directory a cgroup id stands for, which unit that
 * is, and who is in it. Needs no privilege.
 *
 * The kernel gives a socket the id of the cgroup that made it, which is the
 * inode of a directory. Ids are never used again, so what was found once stays
 * right; a directory that was removed is not found. Any user may make very many
 * where some were delegated, so the tree is known as far as there is room for
 * it, the upper levels first, where services are. Tree and members are read
 * in steps, each a system call at most. One thread. Source: cgroups(7). */
#ifndef SOCKWATCH_COLLECTORS_CGROUP_H
#define SOCKWATCH_COLLECTORS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroups;

/* Returns owned, or NULL when memory runs out. Without a cgroup2 mount nothing
 * is ever found. */
struct cgroups *cgroups_new(void);
void cgroups_free(struct cgroups *c);

/* The path below the mount, "/system.slice/nginx.service"; NULL when the id is
 * not known from the last walk. The root, where processes stand that nobody
 * has put anywhere, is not told either. Valid until a walk ends. */
const char *cgroups_path(const struct cgroups *c, uint64_t id);

/* Whether more are known than an ordinary host has. */
bool cgroups_are_many(const struct cgroups *c);

/* Begins to walk the whole tree anew; a walk under way is given up. Returns 0,
 * or -ENOENT where there is no cgroup2. */
int cgroups_walk_begin(struct cgroups *c);

/* Walks on by one directory entry. Returns 1 while there is more, 0 at the end:
 * what the walk found is known from now on. Or -errno: what was known before
 * stays, and the walk is given up. */
int cgroups_walk_step(struct cgroups *c);

/* The members of a cgroup, being read. */
struct cgroup_members {
    int fd; /* -1: closed */
    size_t at, length;
    char buffer[4096];
};

/* Returns 0, or -errno (-ENOENT when the cgroup was removed) and leaves it closed. */
int cgroup_members_open(struct cgroup_members *m, const struct cgroups *c, const char *path);

/* The next PID, as our PID namespace knows it. Returns 1, 0 at the end, or -errno. */
int cgroup_members_next(struct cgroup_members *m, uint32_t *ret_pid);

void cgroup_members_close(struct cgroup_members *m);

#endif
