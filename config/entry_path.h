/* The path of an expect entry, by which it is about a unix socket instead of a
 * port: how it is read and printed, and what contradicts it. Pure, const; any
 * thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_PATH_H
#define SOCKWATCH_CONFIG_ENTRY_PATH_H

#include "config/schema.h"
#include "core/policy.h"

/* As struct schema_key wants them: the field is a struct matcher. */
int entry_path_parse(void *field, const char *text);
void entry_path_print(const void *field, struct buf *out);
bool entry_path_is_set(const void *field);

/* Whether an entry has a path, or asks for the protocol that needs one. */
bool entry_path_concerns(const struct matcher *match);

/* Reports what contradicts the path of an entry that it concerns. */
void entry_path_check(const struct expect *e, size_t index, const struct schema_reporter *to);

#endif
