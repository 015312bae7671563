/* The source of connections: all classes that have any, one after the other, and
 * then whose they are, if that is asked for. */
#include "collectors/connection_units.h"
#include "collectors/local_ports.h"
#include "collectors/source.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>

struct connections {
    struct sock_diag *diag; /* its own: listeners are polled in the middle of a dump */
    struct class_reader reader;
    enum protocol protocol; /* being read; PROTOCOL_COUNT when all are through */
    bool is_reading;
    bool has_run;                   /* some class could be asked for */
    int error;                      /* the last of any class */
    struct connection_units *units; /* NULL: nobody asks for them */
    bool has_units;                 /* TCP was read to its end */
};

static int add_to_unit(const struct source *s, const struct nlmsghdr *msg, struct connection *connection)
{
    const struct connections *c = s->state;
    enum direction direction =
        conn_counter_direction(s->shared->counter, c->protocol, connection->local_port);

    return connection_units_add(c->units, msg, direction, connection);
}

static int on_message(void *arg, const struct nlmsghdr *msg)
{
    const struct source *s = arg;
    const struct connections *c = s->state;
    struct connection connection;
    int r = inet_diag_parse_connection(msg, &connection);

    if (r == 0)
        r = conn_counter_add(s->shared->counter, c->protocol, &connection);
    if (r == 0 && c->units && c->protocol == PROTOCOL_TCP)
        r = add_to_unit(s, msg, &connection);
    return r == -EINVAL ? -EBADMSG : r;
}

static int on_raw(void *arg, const struct proc_raw_row *raw)
{
    const struct source *s = arg;
    const struct connection connection = {.local_port = raw->protocol, .state = raw->state};
    int r = conn_counter_add(s->shared->counter, PROTOCOL_RAW, &connection);

    return r == -EINVAL ? -EBADMSG : r;
}

static void forget(void *arg)
{
    const struct source *s = arg;
    const struct connections *c = s->state;

    conn_counter_reset(s->shared->counter, c->protocol);
    if (c->units && c->protocol == PROTOCOL_TCP)
        connection_units_begin(c->units);
}

static int open_connections(struct source *s)
{
    static const struct class_handlers handlers = {on_message, on_raw, forget};
    struct connections *c = calloc(1, sizeof *c);
    int r;

    s->state = c;
    if (!c)
        return -ENOMEM;
    c->reader.lacks = &s->shared->lacks;
    c->reader.handlers = &handlers;
    c->reader.arg = s;
    c->reader.malformed = &s->run.malformed;
    c->reader.raw = PROC_RAW_NONE;
    r = sock_diag_open(&c->diag);
    c->reader.diag = c->diag;
    return r;
}

static void forget_units(struct source *s)
{
    unit_table_unref(s->shared->units);
    s->shared->units = NULL;
}

static void close_connections(struct source *s)
{
    struct connections *c = s->state;

    if (c) {
        class_reader_end(&c->reader);
        sock_diag_close(c->diag);
        connection_units_close(c->units);
    }
    free(c);
    forget_units(s);
}

/* Makes what units are counted with, or frees it when nobody asks for them any
 * more. Returns 0 or -ENOMEM. */
static int begin_units(struct source *s)
{
    struct connections *c = s->state;
    int r = 0;

    c->has_units = false;
    forget_units(s);
    if (s->shared->by_unit && !c->units)
        r = connection_units_open(&c->units);
    if (!s->shared->by_unit) {
        connection_units_close(c->units);
        c->units = NULL;
    }
    if (c->units)
        connection_units_begin(c->units);
    return r;
}

void connection_source_note(struct source_shared *shared, const struct inventory *inv)
{
    for (size_t protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        shared->listened[protocol] = (struct port_set){{0}};
        for (int i = 0; i < INVENTORY_PARTS; i++) {
            const struct inventory_part *part = &inv->parts[protocol][i];

            for (size_t k = 0; k < part->count; k++)
                if (i == 0 || !part->listeners[k].auto_port || !protocol_is_datagram((enum protocol)protocol))
                    port_set_put(&shared->listened[protocol], part->listeners[k].port);
        }
    }
}

/* Says who listened at the last poll. */
static void tell_listeners(const struct source_shared *shared)
{
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        struct port_set_cursor cursor = {0};
        uint16_t port;

        while (port_set_next(&shared->listened[protocol], &cursor, &port))
            conn_counter_listen(shared->counter, (enum protocol)protocol, port);
    }
}

static int begin_connections(struct source *s, int64_t now_ms)
{
    struct connections *c = s->state;
    struct local_ports ports;

    (void)now_ms;
    class_reader_end(&c->reader);
    conn_counter_begin(s->shared->counter);
    local_ports_read(&ports);
    ephemeral_counter_begin(s->shared->ports, &ports);
    tell_listeners(s->shared);
    c->protocol = (enum protocol)0;
    c->is_reading = false;
    c->has_run = false;
    c->error = 0;
    s->shared->counted = false;
    return begin_units(s);
}

/* Whether there is anything to ask for. */
static bool can_ask(const struct source *s, enum protocol protocol, int64_t now_ms)
{
    return socket_class_of(protocol)->connection_states != 0 &&
           !kernel_lacks_until(s->shared->lacks.classes[protocol].until_ms, now_ms);
}

/* Reads the class whose turn it is. Returns as class_reader_step(). */
static int step_class(struct source *s, const struct budget *budget)
{
    struct connections *c = s->state;
    const struct class_query query = {
        .protocol = c->protocol,
        .states = socket_class_of(c->protocol)->connection_states,
        .in_one_walk = true,
    };

    if (!c->is_reading) {
        if (!can_ask(s, c->protocol, budget_now_ms(budget)))
            return ERR_UNSUPPORTED;
        class_reader_begin(&c->reader, &query);
        c->is_reading = true;
    }
    return class_reader_step(&c->reader, budget);
}

/* Notes how the class ended. A kernel without the protocol is no failure. */
static void end_class(struct source *s, int result)
{
    struct connections *c = s->state;

    if (result == 0)
        conn_counter_complete(s->shared->counter, c->protocol);
    else
        forget(s);
    c->has_units |= result == 0 && c->protocol == PROTOCOL_TCP && c->units;
    if (result != ERR_UNSUPPORTED) {
        c->has_run = true;
        c->error = result < 0 ? result : c->error;
    }
    c->is_reading = false;
    c->protocol = (enum protocol)(c->protocol + 1);
}

static int step_connections(struct source *s, const struct budget *budget)
{
    struct connections *c = s->state;

    while (c->protocol < PROTOCOL_COUNT) {
        int r = step_class(s, budget);

        if (r <= 0)
            end_class(s, r);
        if (c->protocol < PROTOCOL_COUNT && budget_is_spent(budget))
            return 1;
    }
    if (c->has_units) {
        int r = connection_units_finish(c->units, budget, &s->shared->units);

        if (r > 0)
            return 1;
        c->error = r < 0 ? r : c->error;
    }
    s->shared->counted = true;
    return !c->has_run ? ERR_UNSUPPORTED : c->error;
}

const struct source_ops connection_source = {
    .open = open_connections,
    .close = close_connections,
    .begin = begin_connections,
    .step = step_connections,
};
