#include "collectors/connection_units.h"
#include "collectors/cgroup.h"
#include "collectors/inet_diag_parse.h"
#include "collectors/proc_pid_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* After a walk there is none for so many times as long as it took. */
enum { REST_FACTOR = 100 };

/* What is being done once all sockets are counted: naming; if cgroups turned up
 * that are not known, walking the tree; and then naming all anew. */
enum phase { PHASE_COUNTING, PHASE_NAMING, PHASE_WALKING, PHASE_NAMING_AGAIN };

struct connection_units {
    struct unit_counter *counter;
    struct cgroups *cgroups;
    enum phase phase;
    bool is_any_unknown; /* among those named so far */
    struct {
        int64_t worked_us; /* this one, so far */
        int64_t due_us;    /* the next may begin */
    } walk;
};

int connection_units_open(struct connection_units **ret)
{
    struct connection_units *u = calloc(1, sizeof *u);
    uint64_t secret;

    if (!u)
        return -ENOMEM;
    if (getrandom(&secret, sizeof secret, 0) != sizeof secret) {
        free(u);
        return -EIO; /* which the kernel does not do for so few bytes */
    }
    u->counter = unit_counter_new(secret);
    u->cgroups = cgroups_new();
    if (!u->counter || !u->cgroups) {
        connection_units_close(u);
        return -ENOMEM;
    }
    *ret = u;
    return 0;
}

void connection_units_close(struct connection_units *u)
{
    if (!u)
        return;
    cgroups_free(u->cgroups);
    unit_counter_free(u->counter);
    free(u);
}

void connection_units_begin(struct connection_units *u)
{
    unit_counter_reset(u->counter);
    u->phase = PHASE_COUNTING;
}

int connection_units_add(struct connection_units *u, const struct nlmsghdr *msg, enum direction direction,
                         struct connection *connection)
{
    connection->cgroup_id = inet_diag_parse_cgroup(msg);
    return unit_counter_add(u->counter, direction, connection) == -ENOMEM ? -ENOMEM : 0;
}

static bool name_unit(void *arg, uint64_t cgroup_id, char ret_unit[static UNIT_TEXT_MAX])
{
    struct connection_units *u = arg;
    const char *path = cgroups_path(u->cgroups, cgroup_id);

    u->is_any_unknown |= !path;
    if (!path)
        return false;
    proc_pid_parse_unit(path, strlen(path), ret_unit);
    return *ret_unit;
}

static void begin_naming(struct connection_units *u, enum phase phase)
{
    unit_counter_name_begin(u->counter);
    u->is_any_unknown = false;
    u->phase = phase;
}

/* Names some, and begins a walk if that may help. Returns as finish does. */
static int name_some(struct connection_units *u, const struct budget *budget)
{
    int r;

    do
        r = unit_counter_name_next(u->counter, name_unit, u);
    while (r > 0 && !budget_is_spent(budget));
    if (r != 0 || u->phase == PHASE_NAMING_AGAIN || !u->is_any_unknown ||
        budget_now_us(budget) < u->walk.due_us || cgroups_walk_begin(u->cgroups) < 0)
        return r;
    u->phase = PHASE_WALKING;
    u->walk.worked_us = 0;
    return 1;
}

/* Walks on. What a walk that failed did not find is not known. Returns 1. */
static int walk_some(struct connection_units *u, const struct budget *budget)
{
    int64_t began_us = budget_now_us(budget);
    int r;

    do
        r = cgroups_walk_step(u->cgroups);
    while (r > 0 && !budget_is_spent(budget));
    u->walk.worked_us += budget_now_us(budget) - began_us;
    if (r > 0)
        return 1;
    u->walk.due_us = budget_now_us(budget) + REST_FACTOR * u->walk.worked_us;
    begin_naming(u, PHASE_NAMING_AGAIN);
    return 1;
}

int connection_units_finish(struct connection_units *u, const struct budget *budget,
                            const struct unit_table **ret)
{
    const struct unit_table *table;
    int r;

    if (u->phase == PHASE_COUNTING)
        begin_naming(u, PHASE_NAMING);
    do
        r = u->phase == PHASE_WALKING ? walk_some(u, budget) : name_some(u, budget);
    while (r > 0 && !budget_is_spent(budget));
    if (r != 0)
        return r;
    table = unit_counter_seal(u->counter);
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 0;
}
