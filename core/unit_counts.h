/* Connections by the systemd unit that made them, direction and state.
 *
 * Counted are TCP sockets, by the cgroup that the kernel tells of each. Those
 * that listen are none, and those in TIME_WAIT belong to nobody any more; all
 * others are in some row, so that rows add up. What cannot be told is "unknown",
 * and what is beyond the limits "other".
 *
 * A unit_counter takes sockets one by one while the kernel tells them. Then the
 * cgroups are named, each in a step of its own, since whoever was given a part of
 * the tree can make very many; and sealing turns it into a unit_table, a const
 * value that any thread may read. Any user can make sockets and some can make
 * cgroups, so both have limits. Pure. */
#ifndef SOCKWATCH_CORE_UNIT_COUNTS_H
#define SOCKWATCH_CORE_UNIT_COUNTS_H

#include "core/connection.h"
#include "core/owner.h"

enum {
    UNIT_CGROUPS_MAX = 32768, /* as many as are known of the tree (collectors/cgroup.h) */
    UNIT_NAMED_MAX = 1024,    /* units among which the busiest are looked for */
    UNIT_ROWS_MAX = 200,      /* of these, the busiest */
};

/* Indexed by enum sock_state. */
struct unit_states {
    uint32_t counts[DIRECTION_COUNT][STATE_COUNT];
};

struct unit_row {
    char unit[UNIT_TEXT_MAX]; /* or "unknown", "other": systemd's have a suffix */
    struct unit_states states;
};

struct unit_counter;
struct unit_table;

/* secret   lets nobody choose which cgroups collide. Returns owned, or NULL. */
struct unit_counter *unit_counter_new(uint64_t secret);
void unit_counter_free(struct unit_counter *c);

/* Counts one socket, if it is to be counted.
 *
 * Returns 0, -EINVAL when its state is not one of enum sock_state, or -ENOMEM;
 * nothing is counted then. */
int unit_counter_add(struct unit_counter *c, enum direction direction, const struct connection *connection);

/* Forgets all that was counted. */
void unit_counter_reset(struct unit_counter *c);

/* Tells which unit a cgroup belongs to. Returns false where that is not known. */
typedef bool unit_name_fn(void *arg, uint64_t cgroup_id, char ret_unit[static UNIT_TEXT_MAX]);

/* Begins to name the cgroups, from the first one on. */
void unit_counter_name_begin(struct unit_counter *c);

/* Names the next one. Returns 1 when there are more, 0 when all are named, or
 * -ENOMEM. */
int unit_counter_name_next(struct unit_counter *c, unit_name_fn *name, void *arg);

/* Makes a table of all that were named, and empties the counter. Returns owned (a
 * reference), or NULL when memory runs out. */
const struct unit_table *unit_counter_seal(struct unit_counter *c);
const struct unit_table *unit_table_ref(const struct unit_table *t);
void unit_table_unref(const struct unit_table *t);

/* Whether both tell the same; either may be NULL. */
bool unit_table_is_same(const struct unit_table *a, const struct unit_table *b);

/* "other" and "unknown" first, where there are any, then the busiest unit.
 * Valid as long as t. */
const struct unit_row *unit_table_rows(const struct unit_table *t, size_t *ret_count);

/* How many units are in "other", and how many sockets of cgroups for which there
 * was no room. t may be NULL. */
uint64_t unit_table_left_out(const struct unit_table *t);

#endif
