/* The errors of a configuration, in the order of the places they are about: the
 * first ones are told, the others counted. So a file that is wrong in every line
 * costs little more than one that is right, and what is only found once a list
 * was read as a whole still stands where a reader looks for it. Pure; any thread,
 * as far as the list is one thread's. */
#ifndef SOCKWATCH_CONFIG_ERROR_LIST_H
#define SOCKWATCH_CONFIG_ERROR_LIST_H

#include "core/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { ERRORS_TOLD_MAX = 100 };

struct error_list {
    struct {
        size_t rank;
        char *line; /* owned */
    } told[ERRORS_TOLD_MAX];
    size_t told_count;
    size_t count; /* of all */
    bool failed;  /* memory ran out: lines are missing */
};

/* Whether an error at a place would be told. When not it is counted, and that
 * is all: the caller need not write it.
 *
 * rank   of the place; those of a lower rank stand before it */
bool error_list_wants(struct error_list *list, size_t rank);

/* Adds "PATH:LINE: KEY: what is wrong, what was expected" behind those of the
 * same rank, if it is wanted.
 *
 * line   0 for none
 * key    "" for none */
__attribute__((format(printf, 6, 7))) void error_list_add(struct error_list *list, size_t rank,
                                                          const char *path, unsigned line, const char *key,
                                                          const char *format, ...);

/* Writes the lines and, where some were not told, "PATH: N more errors"; the
 * buffer fails where memory has run out. */
void error_list_print(const struct error_list *list, const char *path, struct buf *out);

void error_list_done(struct error_list *list);

#endif
