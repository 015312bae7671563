#include "core/conn_table.h"
#include "core/conn_plane.h"
#include "core/ref.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct conn_counter {
    struct conn_plane planes[PROTOCOL_COUNT][DIRECTION_COUNT];
    struct port_set listened[PROTOCOL_COUNT];
    bool complete[PROTOCOL_COUNT];
    struct ephemeral_counter *ports; /* borrowed; NULL: not counted */
};

struct conn_table {
    struct ref ref;
    struct {
        struct {
            struct conn_row *rows; /* sorted by port */
            size_t count;
        } directions[DIRECTION_COUNT];
        uint64_t other[STATE_COUNT];
        uint64_t totals[STATE_COUNT];
        bool complete;
    } protocols[PROTOCOL_COUNT];
    struct ephemeral ephemeral;
};

struct conn_counter *conn_counter_new(void)
{
    return calloc(1, sizeof(struct conn_counter));
}

void conn_counter_free(struct conn_counter *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t d = 0; d < DIRECTION_COUNT; d++)
            conn_plane_done(&c->planes[i][d]);
    free(c);
}

void conn_counter_set_ports(struct conn_counter *c, struct ephemeral_counter *ports)
{
    c->ports = ports;
}

/* The counter of local ports, if the protocol has one. */
static struct ephemeral_counter *ports_of(const struct conn_counter *c, enum protocol protocol)
{
    return protocol == PROTOCOL_TCP ? c->ports : NULL;
}

void conn_counter_begin(struct conn_counter *c)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        conn_counter_reset(c, (enum protocol)i);
    memset(c->listened, 0, sizeof c->listened);
}

void conn_counter_listen(struct conn_counter *c, enum protocol protocol, uint16_t port)
{
    port_set_put(&c->listened[protocol], port);
    if (ports_of(c, protocol))
        ephemeral_counter_listen(c->ports, port);
}

enum direction conn_counter_direction(const struct conn_counter *c, enum protocol protocol,
                                      uint16_t local_port)
{
    return port_set_has(&c->listened[protocol], local_port) ? DIRECTION_INBOUND : DIRECTION_OUTBOUND;
}

/* Any other socket that is connected is some process's, or the kernel's own, and
 * has an inode then. */
static bool is_not_accepted(enum protocol protocol, const struct connection *connection)
{
    return protocol_accepts(protocol) && connection->state == STATE_ESTABLISHED && connection->inode == 0;
}

int conn_counter_add(struct conn_counter *c, enum protocol protocol, const struct connection *connection)
{
    enum direction direction;
    int r = 0;

    if (connection->state < STATE_ESTABLISHED || connection->state >= STATE_COUNT)
        return -EINVAL;
    if (connection->state == STATE_LISTEN)
        conn_counter_listen(c, protocol, connection->local_port);
    if (ports_of(c, protocol))
        r = ephemeral_counter_add(c->ports, connection);
    if (r < 0)
        return r;
    direction = conn_counter_direction(c, protocol, connection->local_port);
    return conn_plane_add(&c->planes[protocol][direction],
                          direction == DIRECTION_INBOUND ? connection->local_port : connection->remote_port,
                          connection->state, is_not_accepted(protocol, connection));
}

void conn_counter_reset(struct conn_counter *c, enum protocol protocol)
{
    for (size_t d = 0; d < DIRECTION_COUNT; d++)
        conn_plane_reset(&c->planes[protocol][d]);
    if (ports_of(c, protocol))
        ephemeral_counter_reset(c->ports);
    c->complete[protocol] = false;
}

void conn_counter_complete(struct conn_counter *c, enum protocol protocol)
{
    c->complete[protocol] = true;
}

static int compare_rows(const void *a, const void *b)
{
    return (int)((const struct conn_row *)a)->port - (int)((const struct conn_row *)b)->port;
}

/* Makes the rows of some ports of a direction. Returns 0 or -ENOMEM. */
static int seal_plane(struct conn_table *t, const struct conn_plane *plane, enum protocol protocol,
                      enum direction direction, const struct port_set *ports, size_t count)
{
    struct conn_row *rows = count > 0 ? conn_plane_rows(plane, ports, count) : NULL;

    if (count > 0 && !rows)
        return -ENOMEM;
    t->protocols[protocol].directions[direction].rows = rows;
    t->protocols[protocol].directions[direction].count = count;
    for (size_t s = STATE_ESTABLISHED; s < STATE_COUNT; s++)
        t->protocols[protocol].totals[s] += plane->totals[s];
    return 0;
}

/* What is asked for is told also while there is none. Returns 0 or -ENOMEM. */
static int put_asked(struct conn_plane *plane, const struct conn_choice *choice)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < choice->port_count; i++)
        r = conn_plane_put(plane, choice->ports[i]);
    return r;
}

/* What the rows do not tell one by one. */
static void sum_others(struct conn_table *t, const struct conn_plane *plane, enum protocol protocol)
{
    size_t count;
    const struct conn_row *rows = conn_table_rows(t, protocol, DIRECTION_OUTBOUND, &count);
    uint64_t *other = t->protocols[protocol].other;

    memcpy(other, plane->totals, sizeof plane->totals);
    for (size_t i = 0; i < count; i++)
        for (size_t s = STATE_ESTABLISHED; s < STATE_COUNT; s++)
            other[s] -= rows[i].states[s];
}

static int seal_outbound(struct conn_table *t, struct conn_plane *plane, enum protocol protocol,
                         const struct conn_choice *choice)
{
    struct port_set chosen = plane->ports;
    size_t count = plane->count;
    int r = 0;

    if (choice && protocol == PROTOCOL_TCP && t->protocols[protocol].complete)
        r = put_asked(plane, choice);
    if (r < 0)
        return r;
    if (choice)
        count = conn_choose(plane->sums, &plane->ports, protocol, choice, &chosen);
    r = seal_plane(t, plane, protocol, DIRECTION_OUTBOUND, &chosen, count);
    if (r == 0)
        sum_others(t, plane, protocol);
    return r;
}

static int seal_protocol(struct conn_table *t, struct conn_counter *c, enum protocol protocol,
                         const struct conn_choice *choice)
{
    const struct conn_plane *inbound = &c->planes[protocol][DIRECTION_INBOUND];
    int r;

    t->protocols[protocol].complete = c->complete[protocol];
    r = seal_plane(t, inbound, protocol, DIRECTION_INBOUND, &inbound->ports, inbound->count);
    if (r == 0)
        r = seal_outbound(t, &c->planes[protocol][DIRECTION_OUTBOUND], protocol, choice);
    return r;
}

const struct conn_table *conn_counter_seal(struct conn_counter *c, const struct conn_choice *choice)
{
    struct conn_table *t = calloc(1, sizeof *t);
    int r = t ? 0 : -ENOMEM;

    if (t)
        ref_init(&t->ref);
    if (t && c->ports && c->complete[PROTOCOL_TCP])
        t->ephemeral = ephemeral_counter_result(c->ports);
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        if (r == 0)
            r = seal_protocol(t, c, (enum protocol)i, choice);
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
        for (size_t d = 0; d < DIRECTION_COUNT; d++)
            free(t->protocols[i].directions[d].rows);
    free(ref_unseal(t));
}

static bool same_rows(const struct conn_table *a, const struct conn_table *b, enum protocol protocol,
                      enum direction direction)
{
    size_t count, count_b;
    const struct conn_row *rows = conn_table_rows(a, protocol, direction, &count);
    const struct conn_row *rows_b = conn_table_rows(b, protocol, direction, &count_b);

    if (count != count_b)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rows[i].port != rows_b[i].port || rows[i].not_accepted != rows_b[i].not_accepted ||
            memcmp(rows[i].states, rows_b[i].states, sizeof rows[i].states) != 0)
            return false;
    return true;
}

static bool same_protocol(const struct conn_table *a, const struct conn_table *b, enum protocol protocol)
{
    return a->protocols[protocol].complete == b->protocols[protocol].complete &&
           memcmp(a->protocols[protocol].other, b->protocols[protocol].other,
                  sizeof a->protocols[protocol].other) == 0 &&
           same_rows(a, b, protocol, DIRECTION_INBOUND) && same_rows(a, b, protocol, DIRECTION_OUTBOUND);
}

bool conn_table_is_same(const struct conn_table *a, const struct conn_table *b)
{
    if (!a || !b)
        return a == b;
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (!same_protocol(a, b, (enum protocol)i))
            return false;
    return ephemeral_is_same(&a->ephemeral, &b->ephemeral);
}

bool conn_table_complete(const struct conn_table *t, enum protocol protocol)
{
    return t->protocols[protocol].complete;
}

const struct conn_row *conn_table_rows(const struct conn_table *t, enum protocol protocol,
                                       enum direction direction, size_t *ret_count)
{
    *ret_count = t->protocols[protocol].directions[direction].count;
    return t->protocols[protocol].directions[direction].rows;
}

static const struct conn_row *find_inbound(const struct conn_table *t, enum protocol protocol, uint16_t port)
{
    struct conn_row key = {.port = port};
    size_t count;
    const struct conn_row *rows = conn_table_rows(t, protocol, DIRECTION_INBOUND, &count);

    return count > 0 ? bsearch(&key, rows, count, sizeof key, compare_rows) : NULL;
}

const uint32_t *conn_table_port(const struct conn_table *t, enum protocol protocol, uint16_t port)
{
    const struct conn_row *row = find_inbound(t, protocol, port);

    return row ? row->states : NULL;
}

uint32_t conn_table_not_accepted(const struct conn_table *t, enum protocol protocol, uint16_t port)
{
    const struct conn_row *row = find_inbound(t, protocol, port);

    return row ? row->not_accepted : 0;
}

const uint64_t *conn_table_other(const struct conn_table *t, enum protocol protocol)
{
    return t->protocols[protocol].other;
}

const uint64_t *conn_table_totals(const struct conn_table *t, enum protocol protocol)
{
    return t->protocols[protocol].totals;
}

const struct ephemeral *conn_table_ephemeral(const struct conn_table *t)
{
    return &t->ephemeral;
}
