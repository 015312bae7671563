/* What libconfig does not tell, read off a configuration file's bytes.
 *
 * libconfig 1.5 reads an integer that does not fit in 32 bits as another
 * number, 1.7 one with leading zeros, and a comment that does not end swallows
 * the rest of all files, all silently; it accepts NUL bytes, a byte order mark
 * and invalid UTF-8 in its own ways. This scan finds all of these, and the files
 * that are included.
 *
 * It also says which text libconfig would take too long for: it looks through
 * all keys of a group for each new one, makes a tree of many times the size of
 * the shortest settings, and of a file that is included it reads a long text or
 * comment again from its start for every block.
 * Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_SCAN_H
#define SOCKWATCH_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_GROUP_KEYS_MAX 5000  /* when all stand in one group; the more groups, the more in all */
#define SCAN_TOKEN_MAX      65536 /* bytes, in a file that is included */
#define SCAN_VALUES_MAX     400000
#define SCAN_DEPTH_MAX      6000 /* libconfig's parser gives up long before */

/* How large the tree would be, of a file and those that it includes. Zeroed to
 * begin with. */
struct scan_shape {
    size_t values;      /* groups, lists, arrays, strings, numbers and so on */
    size_t comparisons; /* of a key with another one */
    bool open_comment;  /* a comment did not end */
    unsigned depth;
    uint16_t keys[SCAN_DEPTH_MAX]; /* so far in the groups that are open */
};

struct scan_callbacks {
    /* key is the setting the problem stands in, "" when there is none. */
    void (*problem)(void *arg, unsigned line, const char *key, const char *what, const char *expected);
    void (*include)(void *arg, unsigned line, const char *path);
    void (*joined)(void *arg, unsigned line); /* strings in a row were one value; line: of what follows */
    void *arg;
    struct scan_shape *shape; /* updated */
    bool included;            /* texts, comments and blanks have to be short */
};

/* Returns whether libconfig can read the text in time; when not that was said. */
bool scan_text(const char *text, size_t length, const struct scan_callbacks *callbacks);

#endif
