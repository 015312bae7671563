/* The cgroup2 tree: which directory a cgroup id stands for, which unit that
 * is, and who is in it. Needs no privilege.
 *
 * The kernel gives a socket the id of the cgroup that made it, which is the
 * inode of a directory. Ids are never used again, so what was found once stays
 * right; a directory that was removed is not found. Main thread only. */
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
 * has put anywhere, is not told either. Valid until the next walk. */
const char *cgroups_path(const struct cgroups *c, uint64_t id);

/* Walks the whole tree anew. Returns 0, -ENOENT where there is no cgroup2, or
 * -errno; what was known before stays then. */
int cgroups_walk(struct cgroups *c);

/* Reads the PIDs that are in a cgroup, as our PID namespace knows them.
 *
 * ret_pids   returns owned, for free(); filled on success only
 *
 * Returns 0, or -errno (-ENOENT when it was removed). */
int cgroups_pids(const struct cgroups *c, const char *path, uint32_t **ret_pids, size_t *ret_count);

#endif
