#include "exporters/prom_parts.h"

#include <stdio.h>
#include <stdlib.h>

static bool begin_port(struct prom *p, enum protocol protocol, const char *port, bool essential)
{
    if (essential)
        exposition_begin_essential(&p->x);
    else if (!exposition_begin(&p->x))
        return false;
    exposition_label(&p->x, "protocol", protocol_name(protocol));
    exposition_label(&p->x, "port", port);
    return true;
}

/* The sockets of a port in a state: established always, the other states while there
 * are any.
 *
 * port   as the label says it */
static void state_sample(struct prom *p, enum protocol protocol, const char *port, int state, uint64_t count,
                         bool essential)
{
    if ((state != STATE_ESTABLISHED && count == 0) || !begin_port(p, protocol, port, essential))
        return;
    exposition_label(&p->x, "state", state_name((enum sock_state)state, protocol));
    exposition_count(&p->x, count);
}

#define PORT_TEXT_MAX sizeof "65535"

static void port_samples(struct prom *p, enum protocol protocol, uint16_t port, const uint32_t *counts,
                         bool essential)
{
    char text[PORT_TEXT_MAX];

    (void)snprintf(text, sizeof text, "%u", port);
    for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++)
        state_sample(p, protocol, text, state, counts[state], essential);
}

/* A set of ports of each protocol; a walk finds them in order, each once. */
struct port_sets {
    struct port_set of[PROTOCOL_COUNT];
};

/* Writes the samples of a local port, of a protocol whose connections were counted. */
typedef void port_fn(struct prom *p, enum protocol protocol, uint16_t port, bool essential);

static void port_states(struct prom *p, enum protocol protocol, uint16_t port, bool essential)
{
    port_samples(p, protocol, port, space_connections(snapshot_host(p->view->snapshot), protocol, port),
                 essential);
}

/* Of an expected port always, of others while there are any. */
static void port_not_accepted(struct prom *p, enum protocol protocol, uint16_t port, bool essential)
{
    uint32_t count = space_not_accepted(snapshot_host(p->view->snapshot), protocol, port);
    char text[PORT_TEXT_MAX];

    (void)snprintf(text, sizeof text, "%u", port);
    if (protocol_accepts(protocol) && (essential || count > 0) && begin_port(p, protocol, text, essential))
        exposition_count(&p->x, count);
}

static void set_samples(struct prom *p, const struct port_sets *ports, port_fn *samples, bool essential)
{
    const struct conn_table *connections = snapshot_host(p->view->snapshot)->connections;

    for (int protocol = 0; connections && protocol < PROTOCOL_COUNT; protocol++) {
        struct port_set_cursor cursor = {0};
        uint16_t port;

        if (!conn_table_complete(connections, (enum protocol)protocol))
            continue;
        while (port_set_next(&ports->of[protocol], &cursor, &port))
            samples(p, (enum protocol)protocol, port, essential);
    }
}

/* Ports of entries, and all others that have sockets, or a listener at least. */
struct inbound {
    struct port_sets expected, others;
};

static void find_inbound(const struct prom *p, struct inbound *in)
{
    const struct conn_table *connections = snapshot_host(p->view->snapshot)->connections;
    const struct verdict *v = p->view->verdict;

    for (size_t i = 0; i < v->service_count; i++)
        port_set_put(&in->expected.of[v->services[i].protocol], v->services[i].port);
    for (size_t i = 0; i < p->listener_count; i++)
        port_set_put(&in->others.of[p->listeners[i].protocol], p->listeners[i].port);
    for (int protocol = 0; connections && protocol < PROTOCOL_COUNT; protocol++) {
        size_t count;
        const struct conn_row *rows =
            conn_table_rows(connections, (enum protocol)protocol, DIRECTION_INBOUND, &count);

        for (size_t i = 0; i < count; i++)
            port_set_put(&in->others.of[protocol], rows[i].port);
    }
    for (size_t protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        for (size_t i = 0; i < PORT_SET_WORDS; i++)
            in->others.of[protocol].words[i] &= ~in->expected.of[protocol].words[i];
}

/* Expected ports first, so that the limit cuts others. */
static void inbound_samples(struct prom *p, port_fn *samples)
{
    struct inbound *in = calloc(1, sizeof *in);

    if (!in) {
        p->x.out->failed = true;
        return;
    }
    find_inbound(p, in);
    set_samples(p, &in->expected, samples, true);
    set_samples(p, &in->others, samples, false);
    free(in);
}

void prom_render_connections(struct prom *p)
{
    inbound_samples(p, port_states);
}

void prom_render_not_accepted(struct prom *p)
{
    inbound_samples(p, port_not_accepted);
}

void prom_render_outbound(struct prom *p)
{
    const struct conn_table *connections = snapshot_host(p->view->snapshot)->connections;

    for (int i = 0; connections && i < PROTOCOL_COUNT; i++) {
        enum protocol protocol = (enum protocol)i;
        size_t count;
        const struct conn_row *rows = conn_table_rows(connections, protocol, DIRECTION_OUTBOUND, &count);

        if (!conn_table_complete(connections, protocol))
            continue;
        for (size_t k = 0; k < count; k++)
            port_samples(p, protocol, rows[k].port, rows[k].states, false);
        for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++)
            state_sample(p, protocol, "other", state, conn_table_other(connections, protocol)[state], false);
    }
}
