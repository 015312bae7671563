/* A configuration file, those that it includes and those of include_dir, scanned
 * before libconfig reads them: what is wrong with their text, and whether libconfig could
 * read it at all, and soon enough. Main thread only. */
#ifndef SOCKWATCH_CONFIG_FILE_SCAN_H
#define SOCKWATCH_CONFIG_FILE_SCAN_H

#include "config/error_list.h"
#include "config/scan.h"

enum { MISREAD_MAX = 16, MISREAD_KEY_MAX = 32, JOINED_MAX = 16 };

struct file_scan {
    const char *path;          /* of the file; keeps */
    const char *directory;     /* where included files are; keeps */
    struct error_list *errors; /* keeps */
    size_t rank;               /* of the errors of the scan */
    bool unparsable;           /* the parser would end the process, or say nothing, or take too long */
    bool in_drop_in;
    unsigned depth, includes;
    size_t bytes;     /* of all files */
    size_t own_bytes; /* likewise, but for those that are included: so much is shown as one file */
    struct scan_shape shape;
    struct {
        unsigned line;
        char key[MISREAD_KEY_MAX];
    } misread[MISREAD_MAX]; /* settings of the file itself whose number libconfig reads as another one */
    unsigned misread_count;
    unsigned joined[JOINED_MAX]; /* lines behind strings in a row, likewise */
    unsigned joined_count;
};

/* Scans all of it.
 *
 * scan       zeroed but for what it keeps
 * ret_text   returns owned: the main file
 *
 * Returns 0, or -errno when the main file cannot be read. */
int file_scan_all(struct file_scan *scan, char **ret_text);

/* Scans another one, of include_dir, by itself; bounds are of all together.
 *
 * path   keeps
 * text   borrows
 *
 * Returns whether there was room for it; when not that was said. */
bool file_scan_drop_in(struct file_scan *scan, const char *path, size_t rank, const char *text,
                       size_t length);

/* Whether the number of a key in the file itself was said to be read wrongly. */
bool file_scan_is_misread(const struct file_scan *scan, unsigned line, const char *key);

/* Whether a value that libconfig says to stand in that line of the file itself was
 * written as several strings: a comma may be missing. */
bool file_scan_is_joined(const struct file_scan *scan, unsigned line);

#endif
