/* What libconfig does not tell, read off a configuration file's bytes.
 *
 * libconfig 1.5 reads an integer that does not fit in 32 bits as another
 * number, 1.7 one with leading zeros, and a comment that does not end swallows
 * the rest of all files, all silently; it accepts NUL bytes, a byte order mark
 * and invalid UTF-8 in its own ways. This scan finds all of these, and the files
 * that are included.
 * Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_SCAN_H
#define SOCKWATCH_CONFIG_SCAN_H

#include <stddef.h>

struct scan_callbacks {
    /* key is the setting the problem stands in, "" when there is none. */
    void (*problem)(void *arg, unsigned line, const char *key, const char *what, const char *expected);
    void (*include)(void *arg, unsigned line, const char *path);
    void *arg;
};

void scan_text(const char *text, size_t length, const struct scan_callbacks *callbacks);

#endif
