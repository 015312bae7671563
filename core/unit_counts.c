#include "core/unit_counts.h"
#include "core/array.h"
#include "core/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64 };

/* A cgroup, 0 standing for those that the kernel does not tell, and its root. */
struct group {
    uint64_t id;
    struct unit_states states;
};

struct unit_counter {
    uint64_t secret;
    struct group *groups; /* owned */
    size_t count, capacity;
    uint32_t *slots; /* owned; a hash of groups: which one, from 1 on; 0 is empty */
    size_t slot_count;
    struct unit_states beyond; /* of cgroups for which there was no room */
    uint64_t beyond_count;     /* such sockets */
    struct {
        size_t next;            /* group to be named */
        struct unit_row **rows; /* owned, as each is; by name */
        size_t count, capacity;
        struct unit_states unknown, other;
        uint64_t left_out;
    } named;
};

struct unit_table {
    struct ref ref;
    uint64_t left_out;
    size_t count;
    struct unit_row rows[];
};

struct unit_counter *unit_counter_new(uint64_t secret)
{
    struct unit_counter *c = calloc(1, sizeof *c);

    if (c)
        c->secret = secret | 1; /* a multiplier that loses nothing */
    return c;
}

void unit_counter_name_begin(struct unit_counter *c)
{
    for (size_t i = 0; i < c->named.count; i++)
        free(c->named.rows[i]);
    c->named.rows = array_shrink(c->named.rows, &c->named.capacity, 0, sizeof(struct unit_row *));
    c->named.count = c->named.next = 0;
    c->named.left_out = 0;
    c->named.unknown = c->named.other = (struct unit_states){{{0}}};
}

void unit_counter_free(struct unit_counter *c)
{
    if (!c)
        return;
    unit_counter_name_begin(c);
    free(c->named.rows);
    free(c->groups);
    free(c->slots);
    free(c);
}

/* What a flood of cgroups took is given back. */
void unit_counter_reset(struct unit_counter *c)
{
    unit_counter_name_begin(c);
    c->groups = array_shrink(c->groups, &c->capacity, c->count, sizeof *c->groups);
    if (c->slot_count > SLOTS_FIRST && c->slot_count > 8 * c->count) {
        free(c->slots);
        c->slots = NULL;
        c->slot_count = 0;
    }
    if (c->slots)
        memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->count = 0;
    c->beyond = (struct unit_states){{{0}}};
    c->beyond_count = 0;
}

/* Where a cgroup is, or an empty slot where it is not. */
static uint32_t *find_slot(const struct unit_counter *c, uint64_t id)
{
    size_t mask = c->slot_count - 1, at = (size_t)(((id * c->secret) >> 32) * c->slot_count >> 32);

    while (c->slots[at] > 0 && c->groups[c->slots[at] - 1].id != id)
        at = (at + 1) & mask;
    return &c->slots[at];
}

/* Keeps at least half of the slots free. */
static int make_slots(struct unit_counter *c)
{
    size_t wanted = c->slot_count > 0 ? 2 * c->slot_count : SLOTS_FIRST;
    uint32_t *slots;

    if (2 * (c->count + 1) <= c->slot_count)
        return 0;
    slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    free(c->slots);
    c->slots = slots;
    c->slot_count = wanted;
    for (size_t i = 0; i < c->count; i++)
        *find_slot(c, c->groups[i].id) = (uint32_t)i + 1;
    return 0;
}

/* Finds the states of a cgroup, or makes them. Returns NULL without memory. */
static struct unit_states *states_of(struct unit_counter *c, uint64_t id)
{
    struct group *groups;
    uint32_t *slot = c->slots ? find_slot(c, id) : NULL;

    if (slot && *slot > 0)
        return &c->groups[*slot - 1].states;
    if (c->count == UNIT_CGROUPS_MAX) {
        c->beyond_count++;
        return &c->beyond;
    }
    if (make_slots(c) < 0)
        return NULL;
    groups = array_grow(c->groups, &c->capacity, c->count + 1, sizeof *groups);
    if (!groups)
        return NULL;
    c->groups = groups;
    slot = find_slot(c, id);
    groups[c->count] = (struct group){.id = id};
    *slot = (uint32_t)++c->count;
    return &groups[c->count - 1].states;
}

int unit_counter_add(struct unit_counter *c, enum direction direction, const struct connection *connection)
{
    uint64_t id = connection->cgroup_id > 1 ? connection->cgroup_id : 0;
    struct unit_states *states;

    if (connection->state < STATE_ESTABLISHED || connection->state >= STATE_COUNT)
        return -EINVAL;
    if (connection->state == STATE_LISTEN || connection->state == STATE_TIME_WAIT)
        return 0;
    states = states_of(c, id);
    if (!states)
        return -ENOMEM;
    states->counts[direction][connection->state]++;
    return 0;
}

static void add_states(struct unit_states *to, const struct unit_states *from)
{
    for (size_t d = 0; d < DIRECTION_COUNT; d++)
        for (size_t s = 0; s < STATE_COUNT; s++)
            to->counts[d][s] += from->counts[d][s];
}

static uint64_t total_of(const struct unit_states *states)
{
    uint64_t total = 0;

    for (size_t d = 0; d < DIRECTION_COUNT; d++)
        for (size_t s = 0; s < STATE_COUNT; s++)
            total += states->counts[d][s];
    return total;
}

/* Where a unit is, or would be, among those that are named. */
static size_t place_of(const struct unit_counter *c, const char *unit, bool *ret_is_there)
{
    size_t from = 0, to = c->named.count;

    *ret_is_there = false;
    while (from < to && !*ret_is_there) {
        size_t middle = from + (to - from) / 2;
        int order = strcmp(unit, c->named.rows[middle]->unit);

        *ret_is_there = order == 0;
        if (order > 0)
            from = middle + 1;
        else
            to = middle;
    }
    return *ret_is_there ? to : from;
}

static int insert_unit(struct unit_counter *c, size_t place, const char *unit)
{
    struct unit_row **rows =
        array_grow(c->named.rows, &c->named.capacity, c->named.count + 1, sizeof(struct unit_row *));
    struct unit_row *row;

    if (!rows)
        return -ENOMEM;
    c->named.rows = rows;
    row = calloc(1, sizeof *row);
    if (!row)
        return -ENOMEM;
    (void)snprintf(row->unit, sizeof row->unit, "%s", unit);
    memmove(&rows[place + 1], &rows[place], (c->named.count - place) * sizeof(struct unit_row *));
    rows[place] = row;
    c->named.count++;
    return 0;
}

/* Adds to a unit, or to the others where there are too many. */
static int add_to_unit(struct unit_counter *c, const char *unit, const struct unit_states *states)
{
    bool is_there;
    size_t place = place_of(c, unit, &is_there);
    int r = 0;

    if (!is_there && c->named.count == UNIT_NAMED_MAX) {
        add_states(&c->named.other, states);
        c->named.left_out++;
        return 0;
    }
    if (!is_there)
        r = insert_unit(c, place, unit);
    if (r == 0)
        add_states(&c->named.rows[place]->states, states);
    return r;
}

int unit_counter_name_next(struct unit_counter *c, unit_name_fn *name, void *arg)
{
    char unit[UNIT_TEXT_MAX];
    const struct group *g;
    int r = 0;

    if (c->named.next == c->count)
        return 0;
    g = &c->groups[c->named.next];
    if (g->id != 0 && name(arg, g->id, unit))
        r = add_to_unit(c, unit, &g->states);
    else
        add_states(&c->named.unknown, &g->states);
    if (r < 0)
        return r;
    return ++c->named.next < c->count;
}

static int compare_totals(const void *a, const void *b)
{
    const struct unit_row *x = *(struct unit_row *const *)a, *y = *(struct unit_row *const *)b;
    uint64_t of_x = total_of(&x->states), of_y = total_of(&y->states);

    return of_x > of_y ? -1 : of_x < of_y ? 1 : strcmp(x->unit, y->unit);
}

static void add_row(struct unit_table *t, const char *unit, const struct unit_states *states)
{
    struct unit_row *row = &t->rows[t->count];

    if (total_of(states) == 0)
        return;
    (void)snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->states = *states;
    t->count++;
}

const struct unit_table *unit_counter_seal(struct unit_counter *c)
{
    size_t shown = c->named.count < UNIT_ROWS_MAX ? c->named.count : UNIT_ROWS_MAX;
    struct unit_table *t = calloc(1, sizeof *t + (shown + 2) * sizeof t->rows[0]);

    if (t) {
        ref_init(&t->ref);
        add_states(&c->named.other, &c->beyond);
        if (c->named.count > 0)
            qsort(c->named.rows, c->named.count, sizeof(struct unit_row *), compare_totals);
        for (size_t i = shown; i < c->named.count; i++)
            add_states(&c->named.other, &c->named.rows[i]->states);
        t->left_out = c->named.left_out + (c->named.count - shown) + c->beyond_count;
        add_row(t, "other", &c->named.other);
        add_row(t, "unknown", &c->named.unknown);
        for (size_t i = 0; i < shown; i++)
            add_row(t, c->named.rows[i]->unit, &c->named.rows[i]->states);
    }
    unit_counter_reset(c);
    return t;
}

const struct unit_table *unit_table_ref(const struct unit_table *t)
{
    ref_take(&t->ref);
    return t;
}

void unit_table_unref(const struct unit_table *t)
{
    if (t && ref_drop(&t->ref))
        free(ref_unseal(t));
}

static bool same_row(const struct unit_row *a, const struct unit_row *b)
{
    return strcmp(a->unit, b->unit) == 0 && memcmp(&a->states, &b->states, sizeof a->states) == 0;
}

bool unit_table_is_same(const struct unit_table *a, const struct unit_table *b)
{
    if (!a || !b)
        return a == b;
    if (a->count != b->count || a->left_out != b->left_out)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_row(&a->rows[i], &b->rows[i]))
            return false;
    return true;
}

const struct unit_row *unit_table_rows(const struct unit_table *t, size_t *ret_count)
{
    *ret_count = t->count;
    return t->rows;
}

uint64_t unit_table_left_out(const struct unit_table *t)
{
    return t ? t->left_out : 0;
}
