/* A configuration file's bytes, whole. The only I/O beside libconfig's own. Any
 * thread. */
#ifndef SOCKWATCH_CONFIG_READ_FILE_H
#define SOCKWATCH_CONFIG_READ_FILE_H

#include <sys/types.h>

/* Of one file. */
enum { FILE_BYTES_MAX = 1 << 20 };

/* Reads a whole file.
 *
 * ret_text   returns owned, with a NUL behind it and, where none ends it, a new line
 *
 * Returns the length, or -errno; -EFBIG when it is larger than
 * FILE_BYTES_MAX. */
ssize_t read_file(const char *path, char **ret_text);

#endif
