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

/* A configuration that is being read. */
struct loader {
    struct config *config;
    struct error_list errors;
    size_t rank;  /* of the place that is read, for errors */
    bool partial; /* the parser gave up: what is missing may stand further on */
    struct file_scan scan;
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

/* Reports what is wrong with a setting, and what was expected. */
__attribute__((format(printf, 3, 4))) void report_at(struct loader *l, const struct place *place,
                                                     const char *format, ...);

/* Reports a value that its key does not take.
 *
 * value   as the user wrote it
 * error   as parse() of the key returned it */
void report_value(struct loader *l, const struct place *place, const char *value, int error);

#endif
