/* Whether the file at the path of a unix socket is the one that the socket made when
 * it was bound: it may have been removed or replaced since, and whoever has a mount
 * namespace of his own can bind a socket to a path that is another file here. Asks
 * the file system, once for each path in a look. One thread.
 * Source: unix(7), linux/unix_diag.h, statx(2). */
#ifndef SOCKWATCH_COLLECTORS_UNIX_FILES_H
#define SOCKWATCH_COLLECTORS_UNIX_FILES_H

#include "core/listener.h"

/* What the kernel says of the file that a socket made. */
struct unix_file {
    uint32_t device; /* as the kernel numbers them: twenty bits for the minor one */
    uint32_t inode;  /* the lower half of its number */
};

/* What stands at a path. */
struct unix_place {
    struct ip_addr path; /* what stands for it; all zero: nothing was asked yet */
    int error;           /* why nothing could be seen, or 0 */
    struct unix_file file;
};

/* Answers of one look; those that there is no room for are asked for again. Begins as
 * {0}. */
struct unix_files {
    struct unix_place places[64];
};

/* Forgets them all. */
void unix_files_begin(struct unix_files *files);

/* Whether a socket's file is at its path, or PRESENCE_UNKNOWN where that cannot be
 * told: it may not be looked at, it is in a folder of which a service has one of its
 * own, or its file system numbers files in its own way.
 *
 * path      as an entry may expect it: of an abstract name nothing can be told */
enum presence unix_files_look(struct unix_files *files, const char *path, const struct unix_file *file);

#endif
