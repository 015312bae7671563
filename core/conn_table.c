#include "core/conn_table.h"
#include "core/ref.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_COUNT = 65536, SORT_MAX = 2048 };

struct row {
    uint16_t port;
    uint32_t states[STATE_COUNT];
};

/* One protocol of a counter. states is allocated when first needed; a port is
 * in touched once, so that sealing and resetting cost what was counted. */
struct plane {
    uint32_t (*states)[STATE_COUNT];
    uint16_t *touched;
    size_t touched_count;
    bool complete;
};

struct conn_counter {
    struct plane planes[PROTOCOL_COUNT];
};

struct conn_table {
    struct ref ref;
    struct {
        struct row *rows; /* sorted by port */
        size_t count;
        uint64_t totals[STATE_COUNT];
        bool complete;
    } protocols[PROTOCOL_COUNT];
};

struct conn_counter *conn_counter_new(void)
{
    return calloc(1, sizeof(struct conn_counter));
}

void conn_counter_free(struct conn_counter *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        free(c->planes[i].states);
        free(c->planes[i].touched);
    }
    free(c);
}

static int plane_allocate(struct plane *plane)
{
    if (!plane->states)
        plane->states = calloc(PORT_COUNT, sizeof *plane->states);
    if (!plane->touched)
        plane->touched = calloc(PORT_COUNT, sizeof *plane->touched);
    return plane->states && plane->touched ? 0 : -ENOMEM;
}

/* The slot that no state uses says whether the port is in touched. */
static const size_t mark = 0;
_Static_assert(STATE_ESTABLISHED > 0, "slot 0 must be free for the mark");

int conn_counter_add(struct conn_counter *c, enum protocol protocol, const struct connection *connection)
{
    struct plane *plane = &c->planes[protocol];
    uint16_t port = connection->local_port;
    uint8_t state = connection->state;
    int r;

    if (state < STATE_ESTABLISHED || state >= STATE_COUNT)
        return -EINVAL;
    if (!plane->states || !plane->touched) {
        r = plane_allocate(plane);
        if (r < 0)
            return r;
    }
    if (plane->states[port][mark] == 0) {
        plane->states[port][mark] = 1;
        plane->touched[plane->touched_count++] = port;
    }
    plane->states[port][state]++;
    return 0;
}

void conn_counter_reset(struct conn_counter *c, enum protocol protocol)
{
    struct plane *plane = &c->planes[protocol];

    for (size_t i = 0; i < plane->touched_count; i++)
        memset(plane->states[plane->touched[i]], 0, sizeof plane->states[0]);
    plane->touched_count = 0;
    plane->complete = false;
}

void conn_counter_complete(struct conn_counter *c, enum protocol protocol)
{
    c->planes[protocol].complete = true;
}

static int compare_rows(const void *a, const void *b)
{
    return (int)((const struct row *)a)->port - (int)((const struct row *)b)->port;
}

static int compare_touched(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Sorts the ports that were counted. Of many it is faster to look at all. */
static void sort_touched(struct plane *plane)
{
    size_t count = 0;

    if (plane->touched_count < SORT_MAX) {
        qsort(plane->touched, plane->touched_count, sizeof *plane->touched, compare_touched);
        return;
    }
    for (size_t port = 0; port < PORT_COUNT; port++)
        if (plane->states[port][mark] != 0)
            plane->touched[count++] = (uint16_t)port;
}

static int seal_protocol(struct conn_table *t, struct plane *plane, enum protocol protocol)
{
    struct row *rows;

    t->protocols[protocol].complete = plane->complete;
    if (plane->touched_count == 0)
        return 0;
    rows = calloc(plane->touched_count, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    sort_touched(plane);
    for (size_t i = 0; i < plane->touched_count; i++) {
        rows[i].port = plane->touched[i];
        memcpy(rows[i].states, plane->states[rows[i].port], sizeof rows[i].states);
        rows[i].states[mark] = 0;
        for (size_t s = 0; s < STATE_COUNT; s++)
            t->protocols[protocol].totals[s] += rows[i].states[s];
    }
    t->protocols[protocol].rows = rows;
    t->protocols[protocol].count = plane->touched_count;
    return 0;
}

const struct conn_table *conn_counter_seal(struct conn_counter *c)
{
    struct conn_table *t = calloc(1, sizeof *t);
    int r = t ? 0 : -ENOMEM;

    if (t)
        ref_init(&t->ref);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (r == 0)
            r = seal_protocol(t, &c->planes[i], (enum protocol)i);
        conn_counter_reset(c, (enum protocol)i);
    }
    if (r < 0) {
        conn_table_unref(t);
        return NULL;
    }
    return t;
}

const struct conn_table *conn_table_ref(const struct conn_table *t)
{
    ref_take(&t->ref);
    return t;
}

void conn_table_unref(const struct conn_table *t)
{
    if (!t || !ref_drop(&t->ref))
        return;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        free(t->protocols[i].rows);
    free(ref_unseal(t));
}

static bool same_rows(const struct row *a, const struct row *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].port != b[i].port || memcmp(a[i].states, b[i].states, sizeof a[i].states) != 0)
            return false;
    return true;
}

bool conn_table_is_same(const struct conn_table *a, const struct conn_table *b)
{
    if (!a || !b)
        return a == b;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (a->protocols[i].complete != b->protocols[i].complete ||
            a->protocols[i].count != b->protocols[i].count ||
            !same_rows(a->protocols[i].rows, b->protocols[i].rows, a->protocols[i].count))
            return false;
    return true;
}

bool conn_table_complete(const struct conn_table *t, enum protocol protocol)
{
    return t->protocols[protocol].complete;
}

const uint32_t *conn_table_port(const struct conn_table *t, enum protocol protocol, uint16_t port)
{
    struct row key = {.port = port};
    const struct row *row = NULL;

    if (t->protocols[protocol].count > 0)
        row = bsearch(&key, t->protocols[protocol].rows, t->protocols[protocol].count, sizeof key,
                      compare_rows);
    return row ? row->states : NULL;
}

const uint64_t *conn_table_totals(const struct conn_table *t, enum protocol protocol)
{
    return t->protocols[protocol].totals;
}
