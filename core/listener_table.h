/* The listeners of one look at the kernel that are shown one by one, and how
 * many there are in all.
 *
 * It is cut from what was looked at (core/inventory.h), and is const: it owns all
 * it refers to but the names of services, and any thread may read it. */
#ifndef SOCKWATCH_CORE_LISTENER_TABLE_H
#define SOCKWATCH_CORE_LISTENER_TABLE_H

#include "core/inventory.h"
#include "core/limits.h"

struct listener_table;

/* Cuts the listeners that are chosen out of all, in the order in which
 * inventory_next_chosen() gives them. Returns owned (a reference), or NULL when
 * memory runs out. */
const struct listener_table *listener_table_cut(const struct inventory *inv);
const struct listener_table *listener_table_ref(const struct listener_table *t);
void listener_table_unref(const struct listener_table *t);

/* Sorted by protocol, port, family, address and interface. Valid as long as t. */
const struct listener *listener_table_all(const struct listener_table *t, size_t *ret_count);
const struct class_view *listener_table_class(const struct listener_table *t, enum protocol protocol);

/* How many there were, also those that are not in the table. */
const struct listener_totals *listener_table_totals(const struct listener_table *t);

/* How many of them, all classes together. */
uint64_t listener_table_total(const struct listener_table *t);

/* What was left out: listeners, and sockets of those that are in the table. */
uint64_t listener_table_dropped(const struct listener_table *t, enum dropped what);

/* Returns the first listener of a port and, in *ret_count, how many follow it
 * on the same port (itself included); NULL and 0 when there is none. */
const struct listener *listener_table_port(const struct listener_table *t, enum protocol protocol,
                                           uint16_t port, size_t *ret_count);

/* The table as what was looked at, of which nothing was cut: for the rules. */
void listener_table_inventory(const struct listener_table *t, struct inventory *ret);

#endif
