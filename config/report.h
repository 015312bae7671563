/* Where a setting stands, and what is told of it.
 *
 * An error is one line: the file, the line, the key as the user would write it,
 * what is wrong and what was expected. How many are told, and in which order,
 * config/error_list.h says. Main thread only. */
#ifndef SOCKWATCH_CONFIG_REPORT_H
#define SOCKWATCH_CONFIG_REPORT_H

#include "config/config.h"
#include "config/file_scan.h"
#include "config/schema.h"

struct config_setting_t; /* libconfig's */

/* Where an element of a list stands. */
struct origin {
    struct config_setting_t *setting;
    const char *path;
    size_t rank; /* for errors */
    int index;   /* in the list of its file */
};

/* Those of a list, all files together, by the index of what was read. */
struct origins {
    const struct schema_key *list; /* NULL: unused, and all behind it */
    struct origin *items;          /* owned */
    size_t count, capacity;
};

enum { REPORT_LISTS_MAX = 8 }; /* of the schema */

/* A configuration that is being read. */
struct loader {
    struct config *config;
    struct error_list errors;
    const char *path;        /* of the file that is read; keeps */
    size_t rank;             /* of the place that is read, for errors */
    bool partial;            /* the parser gave up: what is missing may stand further on */
    bool in_drop_in;         /* the file is one of include_dir */
    unsigned unread_from;    /* the line from which the parser took things for others; 0: none */
    const char *unread_path; /* of the file where it did; NULL: the one that is read */
    struct file_scan scan;
    struct origins lists[REPORT_LISTS_MAX];
};

/* A setting, the key it is for, and where it stands. */
struct place {
    struct config_setting_t *setting;
    const struct schema_key *key;
    const struct place *parent; /* NULL at the top */
    const char *name;           /* NULL for an element of a list */
    int index;                  /* of an element */
};

/* Whether another error is told; when not it is counted. */
bool report_wants(struct loader *l);

/* Reports what is wrong with a setting, and what was expected; not where the parser
 * had taken it for something else, which was reported. */
__attribute__((format(printf, 3, 4))) void report_at(struct loader *l, const struct place *place,
                                                     const char *format, ...);

/* Reports a value that its key does not take.
 *
 * value   as the user wrote it
 * error   as parse() of the key returned it */
void report_value(struct loader *l, const struct place *place, const char *value, int error);

/* Remembers where the next element of a list stands, for what is only found once
 * all lists were read. Returns 0 or -ENOMEM. */
int report_remember(struct loader *l, const struct place *element);

/* Reports what the list's check() finds. */
void report_checks(struct loader *l, const struct schema_key *list);

/* Forgets where the elements stand. */
void report_done(struct loader *l);

#endif
