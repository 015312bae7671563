#include "config/file_scan.h"
#include "config/read_file.h"
#include "core/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INCLUDE_DEPTH_MAX = 10, /* libconfig's own */
    INCLUDES_MAX = 1000,    /* libconfig looks through all names for each */
    ALL_BYTES_MAX = 2 * FILE_BYTES_MAX,
};

/* A file that is being scanned. */
struct scanned {
    struct file_scan *scan;
    const char *name; /* for errors */
    bool is_main;
};

static void add_problem(void *arg, unsigned line, const char *key, const char *what, const char *expected)
{
    struct scanned *file = arg;
    struct file_scan *scan = file->scan;

    error_list_add(scan->errors, scan->rank, file->name, line, key, "%s, expected %s", what, expected);
    if (!file->is_main || !*key || scan->misread_count == MISREAD_MAX)
        return;
    scan->misread[scan->misread_count].line = line;
    (void)snprintf(scan->misread[scan->misread_count++].key, MISREAD_KEY_MAX, "%s",
                   key); /* ours are shorter */
}

static bool is_within_bounds(const struct scanned *file, unsigned line, const char *name)
{
    struct file_scan *scan = file->scan;

    if (scan->in_drop_in) {
        error_list_add(scan->errors, scan->rank, file->name, line, "@include",
                       "may not stand in a file of include_dir, expected another file there");
        scan->unparsable = true;
        return false;
    }
    if (scan->includes++ >= INCLUDES_MAX) {
        if (scan->includes == INCLUDES_MAX + 1) /* said once */
            error_list_add(scan->errors, scan->rank, file->name, line, "@include",
                           "is one too many, expected at most %d", INCLUDES_MAX);
        scan->unparsable = true;
        return false;
    }
    if (scan->depth >= INCLUDE_DEPTH_MAX) {
        error_list_add(scan->errors, scan->rank, file->name, line, "@include",
                       "\"%s\" is included by too many files, expected at most %d", name, INCLUDE_DEPTH_MAX);
        scan->unparsable = true;
        return false;
    }
    return true;
}

static void add_joined(void *arg, unsigned line)
{
    const struct scanned *file = arg;
    struct file_scan *scan = file->scan;

    if (file->is_main && scan->joined_count < JOINED_MAX)
        scan->joined[scan->joined_count++] = line;
}

static void add_include(void *arg, unsigned line, const char *name);

static void scan_one(struct file_scan *scan, const char *name, bool is_main, const char *text, size_t length)
{
    struct scanned file = {scan, name, is_main};
    const struct scan_callbacks callbacks = {add_problem, add_include,  add_joined,
                                             &file,       &scan->shape, !is_main};

    scan->bytes += length;
    if (!scan_text(text, length, &callbacks))
        scan->unparsable = true;
}

static void add_include(void *arg, unsigned line, const char *name)
{
    struct scanned *file = arg;
    struct file_scan *scan = file->scan;
    char *path = NULL, *text = NULL;
    ssize_t length;

    if (scan->depth > 0 && scan->unparsable)
        return; /* files that include each other have no end */
    if (!is_within_bounds(file, line, name) || asprintf(&path, "%s/%s", scan->directory, name) < 0)
        return;
    length = read_file_at(AT_FDCWD, path, &text);
    if (length < 0) {
        scan->unparsable |= length != -ENOENT; /* libconfig exits when a read fails, as of a directory */
        error_list_add(scan->errors, scan->rank, file->name, line, "@include",
                       "\"%s\" cannot be read (%s), expected a file beside %s", name, err_str((int)length),
                       scan->path);
    } else if (scan->bytes + (size_t)length > ALL_BYTES_MAX) {
        scan->unparsable = true;
        error_list_add(scan->errors, scan->rank, file->name, line, "@include",
                       "\"%s\" makes the configuration too large, expected at most %d bytes in all files",
                       name, ALL_BYTES_MAX);
    } else {
        scan->depth++;
        scan_one(scan, name, false, text, (size_t)length);
        scan->depth--;
    }
    free(text);
    free(path);
}

int file_scan_all(struct file_scan *scan, char **ret_text)
{
    ssize_t length = read_file(scan->path, ret_text);

    if (length < 0)
        return (int)length;
    scan->own_bytes = (size_t)length;
    scan_one(scan, scan->path, true, *ret_text, (size_t)length);
    return 0;
}

bool file_scan_drop_in(struct file_scan *scan, const char *path, size_t rank, const char *text, size_t length)
{
    scan->path = path;
    scan->rank = rank;
    scan->in_drop_in = true;
    scan->unparsable = false;
    scan->misread_count = 0;
    scan->joined_count = 0;
    scan->shape.depth = 0;
    scan->shape.open_comment = false;
    scan->shape.keys[0] = 0;
    scan->own_bytes += length;
    if (scan->own_bytes > FILE_BYTES_MAX || scan->bytes + length > ALL_BYTES_MAX) {
        error_list_add(scan->errors, rank, path, 0, "",
                       "makes the configuration too large, expected at most %d bytes, all files of "
                       "include_dir together",
                       FILE_BYTES_MAX);
        return false;
    }
    scan_one(scan, path, true, text, length);
    return true;
}

bool file_scan_is_misread(const struct file_scan *scan, unsigned line, const char *key)
{
    for (unsigned i = 0; i < scan->misread_count; i++)
        if (scan->misread[i].line == line && strcmp(key, scan->misread[i].key) == 0)
            return true;
    return false;
}

bool file_scan_is_joined(const struct file_scan *scan, unsigned line)
{
    for (unsigned i = 0; i < scan->joined_count; i++)
        if (scan->joined[i] == line)
            return true;
    return false;
}
