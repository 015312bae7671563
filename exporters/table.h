/* Listeners as a table for a terminal. Main thread only. */
#ifndef SOCKWATCH_EXPORTERS_TABLE_H
#define SOCKWATCH_EXPORTERS_TABLE_H

#include "exporters/view.h"

/* Writes the name of a user, or its number, for the owner column. */
typedef void table_user_fn(uint32_t uid, char *ret_name, size_t size);

/* Appends a heading and a line a listener; columns are as wide as what is in
 * them. */
void table_listeners(const struct view *view, table_user_fn *user_name, struct buf *out);

#endif
