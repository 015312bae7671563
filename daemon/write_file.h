/* A file that is written whole or not at all. Main thread only. */
#ifndef SOCKWATCH_DAEMON_WRITE_FILE_H
#define SOCKWATCH_DAEMON_WRITE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes a file that everybody can read. Whoever opens it at any time finds what was
 * there before, or all of the text; a crash leaves one of the two, too. Its directory
 * holds a hidden file meanwhile.
 *
 * replace   a regular file of this name may be there; anything else, a link among
 *           them, is never replaced
 *
 * Returns 0; -EEXIST when a file is there that may not be replaced, -ENOTSUP when
 * what is there is no regular file; -errno. */
int write_file(const char *path, const char *text, size_t length, bool replace);

#endif
