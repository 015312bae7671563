/* The file that a process runs, as far as it may be read.
 *
 * A process chooses its name; its file it cannot choose beyond those that it may
 * run. What the kernel tells is a path, though, and in a mount namespace of his
 * own anybody can put any file there: a path only counts where it was found to
 * lead to that very file on the host. Const once it is made, and shared by all
 * that name it; any thread. Source: proc(5), /proc/PID/exe. */
#ifndef SOCKWATCH_CORE_PROGRAM_H
#define SOCKWATCH_CORE_PROGRAM_H

#include "core/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum program_standing {
    PROGRAM_UNVERIFIED, /* whether the host has the file at this path could not be told */
    PROGRAM_VERIFIED,   /* it has, or had it there until it was deleted */
    PROGRAM_FOREIGN,    /* it has not: made in memory, or only seen so by the process */
};

struct program {
    struct ref ref;
    enum program_standing standing;
    bool deleted; /* the file was replaced or removed, or never was on a disk */
    struct {
        uint64_t device, inode; /* 0: it was not looked at */
    } file;
    char path[]; /* escaped */
};

/* With the NUL; a longer path is cut, and then is PROGRAM_UNVERIFIED at best. */
#define PROGRAM_PATH_MAX 1024

/* path   length bytes that may be anything
 *
 * Returns owned (one reference), with its file to be filled in, or NULL when
 * memory runs out. */
struct program *program_new(const char *path, size_t length, enum program_standing standing, bool deleted);
const struct program *program_ref(const struct program *program);
void program_unref(const struct program *program);

/* Either may be NULL, for one that is not known. */
bool program_is_same(const struct program *a, const struct program *b);

#endif
