/* A configuration file and those that it includes, read and scanned before
 * libconfig reads them: what is wrong with their text, and whether libconfig could
 * read it at all, and soon enough. Main thread only. */
#ifndef SOCKWATCH_CONFIG_FILE_SCAN_H
#define SOCKWATCH_CONFIG_FILE_SCAN_H

#include "config/error_list.h"
#include "config/scan.h"

enum { MISREAD_MAX = 16, MISREAD_KEY_MAX = 32 };

struct file_scan {
    const char *path;          /* of the main file; keeps */
    const char *directory;     /* where included files are; keeps */
    struct error_list *errors; /* keeps; all of the scan have rank 0 */
    bool unparsable;           /* the parser would end the process, or say nothing, or take too long */
    unsigned depth, includes;
    size_t bytes; /* of all files */
    struct scan_shape shape;
    struct {
        unsigned line;
        char key[MISREAD_KEY_MAX];
    } misread[MISREAD_MAX]; /* settings of the main file whose number libconfig reads as another one */
    unsigned misread_count;
};

/* Scans all of it.
 *
 * scan       zeroed but for what it keeps
 * ret_text   returns owned: the main file
 *
 * Returns 0, or -errno when the main file cannot be read. */
int file_scan_all(struct file_scan *scan, char **ret_text);

/* Whether the number of a key in the main file was said to be read wrongly. */
bool file_scan_is_misread(const struct file_scan *scan, unsigned line, const char *key);

#endif
