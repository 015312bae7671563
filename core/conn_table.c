#include "core/conn_table.h"
#include "core/ref.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_COUNT = 65536, SORT_MAX = 2048 };

/* One protocol and direction of a counter. states is allocated when first needed;
 * a port is in touched once, so that sealing and resetting cost what was counted. */
struct plane {
    uint32_t (*states)[STATE_COUNT];
    uint16_t *touched;
    size_t touched_count;
};

struct conn_counter {
    struct plane planes[PROTOCOL_COUNT][DIRECTION_COUNT];
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
        uint32_t other[STATE_COUNT];
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
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        for (size_t d = 0; d < DIRECTION_COUNT; d++) {
            free(c->planes[i][d].states);
            free(c->planes[i][d].touched);
        }
    }
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

static enum direction direction_of(const struct conn_counter *c, enum protocol protocol, uint16_t local_port)
{
    return port_set_has(&c->listened[protocol], local_port) ? DIRECTION_INBOUND : DIRECTION_OUTBOUND;
}

/* Returns 0 or -ENOMEM. */
static int plane_allocate(struct plane *plane)
{
    if (!plane->states)
        plane->states = calloc(PORT_COUNT, sizeof *plane->states);
    if (!plane->touched)
        plane->touched = calloc(PORT_COUNT, sizeof *plane->touched);
    return plane->states && plane->touched ? 0 : -ENOMEM;
}

/* The slot that no state uses says whether the port is in touched: it is one more
 * than there are connections that are not accepted. */
static const size_t mark = 0;
_Static_assert(STATE_ESTABLISHED > 0, "slot 0 must be free for the mark");

/* Returns the counts of a port, which are told from now on; NULL when memory runs
 * out. */
static uint32_t *touch(struct plane *plane, uint16_t port)
{
    if ((!plane->states || !plane->touched) && plane_allocate(plane) < 0)
        return NULL;
    if (plane->states[port][mark] == 0) {
        plane->states[port][mark] = 1;
        plane->touched[plane->touched_count++] = port;
    }
    return plane->states[port];
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
    uint32_t *states;
    int r;

    if (connection->state < STATE_ESTABLISHED || connection->state >= STATE_COUNT)
        return -EINVAL;
    if (connection->state == STATE_LISTEN)
        conn_counter_listen(c, protocol, connection->local_port);
    if (ports_of(c, protocol)) {
        r = ephemeral_counter_add(c->ports, connection);
        if (r < 0)
            return r;
    }
    direction = direction_of(c, protocol, connection->local_port);
    states = touch(&c->planes[protocol][direction],
                   direction == DIRECTION_INBOUND ? connection->local_port : connection->remote_port);
    if (!states)
        return -ENOMEM;
    states[connection->state]++;
    states[mark] += is_not_accepted(protocol, connection);
    return 0;
}

static void plane_reset(struct plane *plane)
{
    for (size_t i = 0; i < plane->touched_count; i++)
        memset(plane->states[plane->touched[i]], 0, sizeof plane->states[0]);
    plane->touched_count = 0;
}

void conn_counter_reset(struct conn_counter *c, enum protocol protocol)
{
    for (size_t d = 0; d < DIRECTION_COUNT; d++)
        plane_reset(&c->planes[protocol][d]);
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

/* Makes rows of a direction of a protocol.
 *
 * only    the ports that are told one by one; NULL: all
 * count   how many those are
 *
 * Returns 0 or -ENOMEM. */
static int seal_plane(struct conn_table *t, const struct plane *plane, enum protocol protocol,
                      enum direction direction, const struct port_set *only, size_t count)
{
    struct conn_row *rows, *row;

    if (plane->touched_count == 0)
        return 0;
    row = rows = calloc(count + 1, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < plane->touched_count; i++) {
        uint16_t port = plane->touched[i];
        bool told = !only || port_set_has(only, port);
        uint32_t *sum = told ? row->states : t->protocols[protocol].other;

        for (size_t s = STATE_ESTABLISHED; s < STATE_COUNT; s++) {
            sum[s] += plane->states[port][s];
            t->protocols[protocol].totals[s] += plane->states[port][s];
        }
        row->port = told ? port : row->port;
        row->not_accepted = told ? plane->states[port][mark] - 1 : row->not_accepted;
        row += told;
    }
    t->protocols[protocol].directions[direction].rows = rows;
    t->protocols[protocol].directions[direction].count = count;
    return 0;
}

static int seal_inbound(struct conn_table *t, struct plane *plane, enum protocol protocol)
{
    sort_touched(plane);
    return seal_plane(t, plane, protocol, DIRECTION_INBOUND, NULL, plane->touched_count);
}

/* What is asked for is told also while there is none. Returns 0 or -ENOMEM. */
static int touch_asked(struct plane *plane, const struct conn_choice *choice)
{
    for (size_t i = 0; i < choice->port_count; i++)
        if (!touch(plane, choice->ports[i]))
            return -ENOMEM;
    return 0;
}

static int seal_outbound(struct conn_table *t, struct plane *plane, enum protocol protocol,
                         const struct conn_choice *choice)
{
    struct port_set chosen;
    size_t count = plane->touched_count;
    int r = 0;

    if (choice && protocol == PROTOCOL_TCP && t->protocols[protocol].complete)
        r = touch_asked(plane, choice);
    if (r < 0)
        return r;
    sort_touched(plane);
    if (choice)
        count = conn_choose((const uint32_t(*)[STATE_COUNT])plane->states, plane->touched,
                            plane->touched_count, protocol, choice, &chosen);
    return seal_plane(t, plane, protocol, DIRECTION_OUTBOUND, choice ? &chosen : NULL, count);
}

static int seal_protocol(struct conn_table *t, struct conn_counter *c, enum protocol protocol,
                         const struct conn_choice *choice)
{
    int r;

    t->protocols[protocol].complete = c->complete[protocol];
    r = seal_inbound(t, &c->planes[protocol][DIRECTION_INBOUND], protocol);
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

const uint32_t *conn_table_other(const struct conn_table *t, enum protocol protocol)
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
