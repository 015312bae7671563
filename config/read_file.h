/* A configuration file's bytes, whole. Any thread. */
#ifndef SOCKWATCH_CONFIG_READ_FILE_H
#define SOCKWATCH_CONFIG_READ_FILE_H

#include <sys/types.h>

/* Of one file. */
enum { FILE_BYTES_MAX = 1 << 20 };

/* Reads a whole file, of whatever kind: the operator named it.
 *
 * ret_text   returns owned, with a NUL behind it and, where none ends it, a new line
 *
 * Returns the length, or -errno; -EFBIG when it is larger than
 * FILE_BYTES_MAX. */
ssize_t read_file(const char *path, char **ret_text);

/* Likewise, a regular file or a link to one, without ever waiting for anything:
 * whatever else has that name is not opened.
 *
 * directory   that the path is relative to, or AT_FDCWD
 *
 * Returns as read_file(), and ERR_IRREGULAR. -ENOENT means that nothing has this
 * name; a link that leads nowhere is ERR_DANGLING. */
ssize_t read_file_at(int directory, const char *path, char **ret_text);

#endif
