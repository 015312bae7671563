/* The configuration's keys as one table.
 *
 * Each key says its type, its bounds, its default and what a valid value looks
 * like; the loader, the printer and the error messages are driven by it, so a
 * new key is a new row. Pure: no libconfig, no I/O. */
#ifndef SOCKWATCH_CONFIG_SCHEMA_H
#define SOCKWATCH_CONFIG_SCHEMA_H

#include "core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
    SCHEMA_BOOL,     /* field: bool */
    SCHEMA_INT,      /* field: int64_t, or what store() writes */
    SCHEMA_REAL,     /* field: double; a whole number will do */
    SCHEMA_DURATION, /* field: int64_t, milliseconds */
    SCHEMA_TEXT,     /* a string; parse() writes the field */
    SCHEMA_TEXTS,    /* an array of strings; clear() then parse() for each */
    SCHEMA_INTS,     /* an array of numbers; clear() then store() for each */
    SCHEMA_PAIRS,    /* { NAME = "TEXT"; ... } with any names; put() for each */
    SCHEMA_GROUP,    /* { ... } with the keys of the struct that is the field */
    SCHEMA_LIST,     /* ( { ... }, ... ); field: a pointer to the elements, see list */
    SCHEMA_INCLUDE,  /* no key: those of the struct that is the field stand in its place */
};

struct schema_key;

/* Receives what a check() finds in the element with that index. */
typedef __attribute__((format(printf, 4, 5))) void schema_report_fn(void *arg, size_t index, const char *key,
                                                                    const char *format, ...);

/* With the NUL. */
#define SCHEMA_STANDS_MAX 512

/* Writes where a key of an element of any list stands, "FILE:LINE", for what is
 * told of another element: the two may be in different files. */
typedef void schema_stands_fn(void *arg, const char *list, size_t index, const char *key,
                              char ret_text[static SCHEMA_STANDS_MAX]);

/* Whom a check() tells, and asks. */
struct schema_reporter {
    schema_report_fn *report;
    schema_stands_fn *stands;
    void *arg;
};

/* Stands in what is expected for the bounds of the key, "1-65535". */
#define SCHEMA_RANGE "{range}"

struct schema_key {
    const char *name;
    enum schema_type type;
    bool one_will_do;    /* SCHEMA_TEXTS: a string alone is a list of one, and there must be one */
    bool in_drop_ins;    /* at the top: may stand in a file of include_dir, too */
    size_t offset;       /* of the field in its struct */
    int64_t min, max;    /* SCHEMA_DURATION in ms; SCHEMA_REAL in thousandths; of a text parse() holds them */
    const char *initial; /* the default as text; NULL: what zeroed memory means */
    const char *required;  /* NULL: no; "": yes; else yes, unless the key named here is given */
    const char *unless[3]; /* likewise where one of these is not false, or, "key=text", is that text */
    const char *expected;  /* what a valid value looks like; for messages see schema_expected() */
    int (*store)(void *field, int64_t value);      /* SCHEMA_INT, NULL: field is an int64_t; SCHEMA_INTS */
    void (*store_real)(void *field, double value); /* SCHEMA_REAL; NULL: field is a double */
    int (*put)(void *field, const char *name, const char *text); /* -ENOENT: the name is not valid */
    void (*clear)(void *field);
    int (*parse)(void *field, const char *text);       /* 0, -EINVAL, -ERANGE, -EEXIST, -E2BIG, -ENOMEM */
    void (*print)(const void *field, struct buf *out); /* NULL: not shown */
    bool (*is_set)(const void *field);                 /* NULL: always shown */
    const struct schema_key *children;                 /* ends with a nameless key */
    struct {
        size_t size;     /* of an element; zeroed memory is an empty one */
        size_t count;    /* offset of a size_t */
        size_t capacity; /* likewise */
    } list;
    /* SCHEMA_LIST, after all lists of all files were read: what contradicts in an
     * element, and with elements before it or in other lists. Of one element in the
     * order in which it is to be told; of the list in any order. 0, or -ENOMEM. */
    int (*check)(const void *base, const struct schema_reporter *to);
    size_t enabled_offset; /* SCHEMA_GROUP: a bool set when the group is there; 0 none */
};

/* The keys at the top, ending with a nameless one. base is a struct config. */
const struct schema_key *schema_root(void);

void schema_set_defaults(const struct schema_key *keys, void *base);

/* Finds a key, in tables that are included as well.
 *
 * base   the struct that keys are of; becomes the one that the key is of
 *
 * Returns NULL when there is no such key; base is then as it was. */
const struct schema_key *schema_find(const struct schema_key *keys, const char *name, void **base);

void *schema_field(const struct schema_key *key, void *base);

/* Appends an empty element to a list. NULL when memory runs out. */
void *schema_append(const struct schema_key *list, void *base);

/* An element of a list. NULL past the last one. */
const void *schema_at(const struct schema_key *list, const void *base, size_t index);

/* With the NUL. */
#define SCHEMA_EXPECTED_MAX 192

/* Writes what a valid value of a key looks like, its bounds included. */
void schema_expected(const struct schema_key *key, char ret_text[static SCHEMA_EXPECTED_MAX]);

/* Writes a number with a point in it, without which libconfig would take it for an
 * integer: the shortest text that is read back as the same number. */
void schema_print_real(double value, struct buf *out);

/* Writes a string as libconfig reads it. */
void schema_quote(struct buf *out, const char *text);

/* Prints the names of keys, comma-separated. */
void schema_names(const struct schema_key *keys, struct buf *out);

/* Likewise, of those that may stand in a file of include_dir. */
void schema_drop_in_names(struct buf *out);

#endif
