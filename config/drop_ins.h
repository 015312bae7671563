/* The files of include_dir: which there are, and their bytes.
 *
 * Only regular files, or links to them, are read, and nothing is opened that might
 * wait or do something by being opened. Main thread only. */
#ifndef SOCKWATCH_CONFIG_DROP_INS_H
#define SOCKWATCH_CONFIG_DROP_INS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    DROP_INS_MAX = 1000,
    DROP_INS_NAMES_MAX = 65536, /* in the directory, of whatever kind */
};

struct drop_ins {
    int directory; /* owned */
    char *names[DROP_INS_MAX];
    size_t count;
};

/* Lists the files "*.conf" that are not hidden, in the order of their bytes.
 *
 * ret   owned by the caller, for drop_ins_done(), also when this fails
 *
 * Returns 0, also where there is no such directory; -E2BIG for more than
 * DROP_INS_MAX files, -EOVERFLOW for more than DROP_INS_NAMES_MAX names, ERR_DANGLING,
 * -errno. */
int drop_ins_list(const char *path, struct drop_ins *ret);

void drop_ins_done(struct drop_ins *list);

/* Whether a file of that name is read. */
bool drop_ins_have_name(const char *name);

/* The name of a file, which need not be there, if it is in that directory, by
 * whatever path; else NULL. Borrowed from file. */
const char *drop_ins_name_in(const char *directory, const char *file);

#endif
