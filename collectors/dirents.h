/* The entries of a directory, read bit by bit: one system call brings few
 * enough of them that it takes well below a millisecond, also in /proc, where
 * each entry is made on the spot. One thread. Source: getdents64(2). */
#ifndef SOCKWATCH_COLLECTORS_DIRENTS_H
#define SOCKWATCH_COLLECTORS_DIRENTS_H

#include <dirent.h>
#include <stddef.h>

struct dirents {
    int fd; /* -1: closed */
    size_t at, length;
    _Alignas(struct dirent64) char buffer[1024];
};

/* Opens a directory below parent (or AT_FDCWD), which must not be a symbolic
 * link. Returns 0, or -errno and leaves it closed. */
int dirents_open(struct dirents *d, int parent, const char *name);

/* The next entry, "." and ".." among them; valid until the next call. Returns
 * 1, 0 at the end, or -errno. */
int dirents_next(struct dirents *d, const struct dirent64 **ret);

void dirents_close(struct dirents *d);

#endif
