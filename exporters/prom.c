#include "exporters/prom.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "sockwatch_"

static const struct {
    const char *name;
    const char *type;
    const char *help;
} families[PROM_FAMILY_COUNT] = {
    [PROM_BUILD_INFO] = {"build_info", "gauge", "Version and revision of this sockwatch; always 1."},
    [PROM_COLLECTOR_UP] = {"collector_up", "gauge", "Whether the collector's last run succeeded."},
    [PROM_COLLECTOR_DURATION_SECONDS] = {"collector_duration_seconds", "gauge",
                                         "How long the collector's last run took."},
    [PROM_COLLECTOR_MALFORMED_TOTAL] = {"collector_malformed_total", "counter",
                                        "Answers of the kernel that made no sense and were passed over."},
    [PROM_LAST_POLL_TIMESTAMP_SECONDS] = {"last_poll_timestamp_seconds", "gauge",
                                          "When the last poll was completed, in seconds since the epoch."},
    [PROM_POLLS_TOTAL] = {"polls_total", "counter", "Polls by what became of them."},
    [PROM_SOCKET_CLASS_VISIBLE] = {"socket_class_visible", "gauge",
                                   "1: sockets of the class were read, 0: they cannot be read on this host."},
    [PROM_ROUTE_LOCALNET] =
        {"route_localnet", "gauge",
         "1: an interface routes 127.0.0.0/8, so scope \"loopback\" may be reachable from outside."},
    [PROM_CONFIG_LAST_RELOAD_SUCCESSFUL] = {"config_last_reload_successful", "gauge",
                                            "Whether the last attempt to load the configuration succeeded."},
    [PROM_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS] = {"config_last_reload_success_timestamp_seconds",
                                                           "gauge",
                                                           "When the configuration in use was loaded."},
    [PROM_EXPECTED_LISTENING] =
        {"expected_listening", "gauge",
         "Whether an expected service has a listener; absent while its class cannot be read."},
    [PROM_ALERT_FIRING] = {"alert_firing", "gauge", "Whether an alert fires."},
    [PROM_ALERTS] = {"alerts", "gauge", "Number of alerts by severity and state."},
    [PROM_LISTENERS] = {"listeners", "gauge", "Number of listeners by protocol and bind scope."},
    [PROM_LISTENERS_OWNER_UNSEEN] =
        {"listeners_owner_unseen", "gauge",
         "Number of listeners of which it cannot be seen which process holds them."},
    [PROM_SOCKETS] = {"sockets", "gauge", "Number of all sockets by protocol and state."},
    [PROM_CONNECTIONS] = {"connections", "gauge",
                          "Sockets whose local port has a listener here, per port and state."},
    [PROM_LISTENER_INFO] = {"listener_info", "gauge", "What is known about a listener; always 1."},
    [PROM_LISTENER_SOCKETS] = {"listener_sockets", "gauge",
                               "Sockets that share the listener's address (SO_REUSEPORT)."},
    [PROM_LISTENER_ACCEPT_QUEUE_LENGTH] =
        {"listener_accept_queue_length", "gauge",
         "Connections completed but not yet accepted, summed over the sockets."},
    [PROM_LISTENER_ACCEPT_QUEUE_LIMIT] =
        {"listener_accept_queue_limit", "gauge",
         "Backlog limit, summed over the sockets; each holds one more than its limit."},
    [PROM_LISTENER_ACCEPT_QUEUE_SATURATION_RATIO] =
        {"listener_accept_queue_saturation_ratio", "gauge",
         "Queue length / (limit + 1) of the fullest socket; 1 is full."},
    [PROM_LISTENER_RECEIVE_QUEUE_BYTES] =
        {"listener_receive_queue_bytes", "gauge",
         "Memory of datagrams that were received but not yet read, summed over the sockets."},
    [PROM_LISTENER_DROPS_TOTAL] =
        {"listener_drops_total", "counter",
         "Dropped connection attempts, retransmitted ones included (tcp), or datagrams (udp)."},
    [PROM_LISTENER_RESTARTS_TOTAL] = {"listener_restarts_total", "counter",
                                      "How often a socket of the listener was replaced by a new one."},
    [PROM_SERIES_DROPPED_TOTAL] = {"series_dropped_total", "counter",
                                   "Series left out of an exposition because of limits."},
};

/* The families that limits.series can cut. */
static const enum prom_family limited[] = {
    PROM_ALERT_FIRING,
    PROM_CONNECTIONS,
    PROM_LISTENER_INFO,
    PROM_LISTENER_SOCKETS,
    PROM_LISTENER_ACCEPT_QUEUE_LENGTH,
    PROM_LISTENER_ACCEPT_QUEUE_LIMIT,
    PROM_LISTENER_ACCEPT_QUEUE_SATURATION_RATIO,
    PROM_LISTENER_RECEIVE_QUEUE_BYTES,
    PROM_LISTENER_DROPS_TOTAL,
    PROM_LISTENER_RESTARTS_TOTAL,
};

/* A rendering under way. */
struct prom {
    const struct view *view;
    struct buf *out;
    struct prom_dropped *dropped;
    enum prom_family family;
    size_t series_left;
    bool has_labels; /* of the sample being written */
};

static void begin_family(struct prom *p, enum prom_family family)
{
    p->family = family;
    buf_fmt(p->out, "# HELP " PREFIX "%s %s\n", families[family].name, families[family].help);
    buf_fmt(p->out, "# TYPE " PREFIX "%s %s\n", families[family].name, families[family].type);
}

/* Begins a sample. Returns false, having counted it, when the limit is used
 * up; what is essential is written all the same. */
static bool begin_sample(struct prom *p, bool essential)
{
    if (p->series_left > 0) {
        p->series_left--;
    } else if (!essential) {
        p->dropped->series[p->family]++;
        return false;
    }
    buf_fmt(p->out, PREFIX "%s", families[p->family].name);
    p->has_labels = false;
    return true;
}

static void label(struct prom *p, const char *name, const char *value)
{
    buf_fmt(p->out, "%c%s=\"", p->has_labels ? ',' : '{', name);
    for (const char *c = value; *c; c++) {
        if (*c == '\n')
            buf_str(p->out, "\\n");
        else if (*c == '\\' || *c == '"')
            buf_fmt(p->out, "\\%c", *c);
        else
            buf_char(p->out, *c);
    }
    buf_char(p->out, '"');
    p->has_labels = true;
}

static void label_port(struct prom *p, uint16_t port)
{
    buf_fmt(p->out, "%cport=\"%u\"", p->has_labels ? ',' : '{', port);
    p->has_labels = true;
}

static void end_labels(struct prom *p)
{
    buf_str(p->out, p->has_labels ? "} " : " ");
}

static void value_count(struct prom *p, uint64_t value)
{
    end_labels(p);
    buf_fmt(p->out, "%llu\n", (unsigned long long)value);
}

static void value_real(struct prom *p, double value)
{
    end_labels(p);
    buf_fmt(p->out, "%.9g\n", value);
}

static void value_time(struct prom *p, int64_t ms)
{
    end_labels(p);
    buf_fmt(p->out, "%lld.%03lld\n", (long long)(ms / 1000), (long long)(ms % 1000));
}

static void service_labels(struct prom *p, const struct listener *l)
{
    char address[IP_ADDR_TEXT_MAX];

    ip_addr_format(&l->address, address);
    label(p, "protocol", protocol_name(l->protocol));
    label(p, "family", family_name(l->family));
    label(p, "address", address);
    label_port(p, l->port);
    if (*l->interface)
        label(p, "interface", l->interface);
}

/* sockwatch itself */

static void render_build_info(struct prom *p)
{
    begin_family(p, PROM_BUILD_INFO);
    (void)begin_sample(p, true); /* essential: always begun */
    label(p, "version", p->view->version);
    label(p, "revision", p->view->revision);
    value_count(p, 1);
}

static void render_collectors(struct prom *p)
{
    const struct snapshot *s = p->view->snapshot;

    for (enum prom_family f = PROM_COLLECTOR_UP; f <= PROM_COLLECTOR_MALFORMED_TOTAL; f++) {
        begin_family(p, f);
        for (size_t i = 0; i < s->run_count; i++) {
            const struct collector_run *run = &s->runs[i];

            if (!run->ran)
                continue;
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "collector", run->name);
            if (f == PROM_COLLECTOR_UP)
                value_count(p, run->up);
            else if (f == PROM_COLLECTOR_DURATION_SECONDS)
                value_real(p, run->duration_seconds);
            else
                value_count(p, p->view->counters->malformed[i]);
        }
    }
}

static void render_polls(struct prom *p)
{
    static const char *const results[RESULT_COUNT] = {"success", "failure"};

    begin_family(p, PROM_LAST_POLL_TIMESTAMP_SECONDS);
    for (int kind = 0; kind < POLL_COUNT; kind++) {
        if (p->view->snapshot->polled[kind].wall_ms == 0)
            continue;
        (void)begin_sample(p, true); /* essential: always begun */
        label(p, "poll", poll_name((enum poll_kind)kind));
        value_time(p, p->view->snapshot->polled[kind].wall_ms);
    }
    begin_family(p, PROM_POLLS_TOTAL);
    for (int kind = 0; kind < POLL_COUNT; kind++) {
        for (int result = 0; result < RESULT_COUNT; result++) {
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "poll", poll_name((enum poll_kind)kind));
            label(p, "result", results[result]);
            value_count(p, p->view->counters->polls[kind][result]);
        }
    }
}

static void render_classes(struct prom *p)
{
    begin_family(p, PROM_SOCKET_CLASS_VISIBLE);
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        const struct class_view *view =
            listener_table_class(p->view->snapshot->listeners, (enum protocol)protocol);

        if (view->visibility == VISIBILITY_UNKNOWN)
            continue;
        (void)begin_sample(p, true); /* essential: always begun */
        label(p, "class", protocol_name((enum protocol)protocol));
        value_count(p, view->visibility == VISIBILITY_OK);
    }
}

static void render_host(struct prom *p)
{
    begin_family(p, PROM_ROUTE_LOCALNET);
    if (!p->view->snapshot->caveats.route_localnet_known)
        return;
    (void)begin_sample(p, true); /* essential: always begun */
    value_count(p, p->view->snapshot->caveats.route_localnet);
}

static void render_config(struct prom *p)
{
    begin_family(p, PROM_CONFIG_LAST_RELOAD_SUCCESSFUL);
    (void)begin_sample(p, true); /* essential: always begun */
    value_count(p, p->view->last_reload_successful);
    begin_family(p, PROM_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS);
    (void)begin_sample(p, true); /* essential: always begun */
    value_time(p, p->view->last_reload_success_ms);
}

/* Expectations and alerts */

static bool class_is_seen(const struct prom *p, enum protocol protocol)
{
    return listener_table_class(p->view->snapshot->listeners, protocol)->visibility == VISIBILITY_OK;
}

static void render_expected(struct prom *p)
{
    const struct policy *policy = p->view->policy;

    begin_family(p, PROM_EXPECTED_LISTENING);
    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *e = &policy->expects[i];
        struct port_cursor cursor = {0};
        uint16_t port;

        if (!class_is_seen(p, e->match.protocol))
            continue;
        while (port_ranges_next(e->match.ports, e->match.port_count, &cursor, &port)) {
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "name", e->name);
            label(p, "protocol", protocol_name(e->match.protocol));
            label_port(p, port);
            value_count(p, rules_is_listening(p->view->snapshot->listeners, policy, e, port));
        }
    }
}

/* One series of sockwatch_alert_firing: alerts about several listeners of one
 * port share it. */
struct alert_series {
    enum rule rule;
    const char *name;
    enum protocol protocol;
    bool has_port;
    uint16_t port;
    enum severity severity;
    bool firing;
    bool essential;
};

static int compare_series(const void *a, const void *b)
{
    const struct alert_series *x = a, *y = b;
    int r = (int)x->rule - (int)y->rule;

    if (r == 0)
        r = strcmp(x->name, y->name);
    if (r == 0)
        r = (int)x->protocol - (int)y->protocol;
    if (r == 0)
        r = (int)x->has_port - (int)y->has_port;
    if (r == 0)
        r = (int)x->port - (int)y->port;
    return r != 0 ? r : (int)x->severity - (int)y->severity;
}

/* Appends a series for each rule that an expected service uses on a port.
 * Returns as add_standing_series(). */
static size_t add_port_series(const struct expect *e, uint16_t port, struct alert_series *series)
{
    uint32_t used = rules_used(e);
    size_t n = 0;

    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (!(used & 1u << rule))
            continue;
        if (series)
            series[n] = (struct alert_series){.rule = (enum rule)rule,
                                              .name = e->name,
                                              .protocol = e->match.protocol,
                                              .has_port = true,
                                              .port = port,
                                              .severity = e->severity,
                                              .essential = true};
        n++;
    }
    return n;
}

/* Writes the series that are there whether anything fires or not. Returns
 * their number; series may be NULL to count only. */
static size_t add_standing_series(const struct view *view, struct alert_series *series)
{
    const struct policy *policy = view->policy;
    size_t n = 0;

    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *e = &policy->expects[i];
        struct port_cursor cursor = {0};
        uint16_t port;

        while (port_ranges_next(e->match.ports, e->match.port_count, &cursor, &port))
            n += add_port_series(e, port, series ? series + n : NULL);
    }
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        const struct class_view *class =
            listener_table_class(view->snapshot->listeners, (enum protocol)protocol);
        enum severity severity;

        if (!rules_need(policy, (enum protocol)protocol, class->visibility, &severity))
            continue;
        if (series)
            series[n] = (struct alert_series){.rule = RULE_BLIND,
                                              .name = "",
                                              .protocol = (enum protocol)protocol,
                                              .severity = severity,
                                              .essential = true};
        n++;
    }
    return n;
}

static void alert_sample(struct prom *p, const struct alert_series *s)
{
    if (!begin_sample(p, s->essential))
        return;
    label(p, "rule", rule_name(s->rule));
    label(p, "name", s->name);
    label(p, "protocol", protocol_name(s->protocol));
    if (s->has_port)
        label_port(p, s->port);
    else
        label(p, "port", "");
    label(p, "severity", severity_name(s->severity));
    value_count(p, s->firing);
}

static void render_alert_firing(struct prom *p)
{
    const struct alerts *alerts = p->view->alerts;
    size_t standing = add_standing_series(p->view, NULL), count = 0;
    struct alert_series *series = calloc(standing + alerts->count + 1, sizeof *series);

    if (!series) {
        p->out->failed = true;
        return;
    }
    count = add_standing_series(p->view, series);
    for (size_t i = 0; i < alerts->count; i++) {
        const struct alert *a = &alerts->items[i];

        series[count++] = (struct alert_series){.rule = a->key.rule,
                                                .name = a->key.name,
                                                .protocol = a->key.protocol,
                                                .has_port = a->key.has_port,
                                                .port = a->key.port,
                                                .severity = a->severity,
                                                .firing = a->state == ALERT_FIRING};
    }
    qsort(series, count, sizeof *series, compare_series);
    begin_family(p, PROM_ALERT_FIRING);
    for (size_t i = 0; i < count; i++) {
        struct alert_series *next = i + 1 < count ? &series[i + 1] : NULL;

        if (next && compare_series(&series[i], next) == 0) {
            next->firing |= series[i].firing;
            next->essential |= series[i].essential;
            continue;
        }
        alert_sample(p, &series[i]);
    }
    free(series);
}

static void render_alerts(struct prom *p)
{
    uint64_t counts[SEVERITY_COUNT][2] = {{0}};

    for (size_t i = 0; i < p->view->alerts->count; i++) {
        const struct alert *a = &p->view->alerts->items[i];

        counts[a->severity][a->state == ALERT_FIRING]++;
    }
    begin_family(p, PROM_ALERTS);
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        for (int firing = 0; firing < 2; firing++) {
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "severity", severity_name((enum severity)severity));
            label(p, "state", alert_state_name(firing ? ALERT_FIRING : ALERT_PENDING));
            value_count(p, counts[severity][firing]);
        }
    }
}

/* Sockets */

static void render_listener_totals(struct prom *p)
{
    uint64_t counts[PROTOCOL_COUNT][SCOPE_COUNT] = {{0}};
    size_t count;
    const struct listener *listeners = listener_table_all(p->view->snapshot->listeners, &count);

    for (size_t i = 0; i < count; i++)
        counts[listeners[i].protocol][listeners[i].scope]++;
    begin_family(p, PROM_LISTENERS);
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        if (!class_is_seen(p, (enum protocol)protocol))
            continue;
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "protocol", protocol_name((enum protocol)protocol));
            label(p, "scope", scope_name((enum scope)scope));
            value_count(p, counts[protocol][scope]);
        }
    }
}

static void render_owner_unseen(struct prom *p)
{
    uint64_t counts[PROTOCOL_COUNT] = {0};
    size_t count;
    const struct listener *listeners = listener_table_all(p->view->snapshot->listeners, &count);

    for (size_t i = 0; i < count; i++)
        counts[listeners[i].protocol] += listener_sight(&listeners[i]) < SIGHT_NONE;
    begin_family(p, PROM_LISTENERS_OWNER_UNSEEN);
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        if (!class_is_seen(p, (enum protocol)protocol))
            continue;
        (void)begin_sample(p, true); /* essential: always begun */
        label(p, "protocol", protocol_name((enum protocol)protocol));
        value_count(p, counts[protocol]);
    }
}

/* The states a protocol's sockets can be in. */
static bool has_state(enum protocol protocol, enum sock_state state)
{
    if (protocol == PROTOCOL_TCP)
        return state != STATE_CLOSE;
    return state == STATE_ESTABLISHED || state == STATE_CLOSE;
}

static void render_socket_totals(struct prom *p)
{
    const struct conn_table *connections = p->view->snapshot->connections;

    begin_family(p, PROM_SOCKETS);
    for (int protocol = 0; connections && protocol < PROTOCOL_COUNT; protocol++) {
        if (!conn_table_complete(connections, (enum protocol)protocol))
            continue;
        for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++) {
            if (!has_state((enum protocol)protocol, (enum sock_state)state))
                continue;
            (void)begin_sample(p, true); /* essential: always begun */
            label(p, "protocol", protocol_name((enum protocol)protocol));
            label(p, "state", state_name((enum sock_state)state, (enum protocol)protocol));
            value_count(p, conn_table_totals(connections, (enum protocol)protocol)[state]);
        }
    }
}

/* established always, the other states while there are any. */
static void port_samples(struct prom *p, enum protocol protocol, uint16_t port, bool essential)
{
    const uint32_t *counts = snapshot_connections(p->view->snapshot, protocol, port);

    for (int state = STATE_ESTABLISHED; counts && state < STATE_COUNT; state++) {
        if (state != STATE_ESTABLISHED && counts[state] == 0)
            continue;
        if (!begin_sample(p, essential))
            continue;
        label(p, "protocol", protocol_name(protocol));
        label_port(p, port);
        label(p, "state", state_name((enum sock_state)state, protocol));
        value_count(p, counts[state]);
    }
}

struct port_id {
    enum protocol protocol;
    uint16_t port;
    bool expected;
};

static int compare_ports(const void *a, const void *b)
{
    const struct port_id *x = a, *y = b;
    int r = (int)y->expected - (int)x->expected; /* expected first, so that the limit cuts others */

    if (r == 0)
        r = (int)x->protocol - (int)y->protocol;
    return r != 0 ? r : (int)x->port - (int)y->port;
}

static void render_connections(struct prom *p)
{
    const struct policy *policy = p->view->policy;
    size_t listener_count, count = 0, capacity;
    const struct listener *listeners = listener_table_all(p->view->snapshot->listeners, &listener_count);
    struct port_id *ports;

    capacity = listener_count + 1;
    for (size_t i = 0; i < policy->expect_count; i++)
        capacity += port_ranges_total(policy->expects[i].match.ports, policy->expects[i].match.port_count);
    ports = calloc(capacity, sizeof *ports);
    if (!ports) {
        p->out->failed = true;
        return;
    }
    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct matcher *match = &policy->expects[i].match;
        struct port_cursor cursor = {0};
        uint16_t port;

        while (port_ranges_next(match->ports, match->port_count, &cursor, &port))
            ports[count++] = (struct port_id){match->protocol, port, true};
    }
    for (size_t i = 0; i < listener_count; i++)
        if (!policy_expects_port(policy, listeners[i].protocol, listeners[i].port))
            ports[count++] = (struct port_id){listeners[i].protocol, listeners[i].port, false};
    qsort(ports, count, sizeof *ports, compare_ports);
    begin_family(p, PROM_CONNECTIONS);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_ports(&ports[i - 1], &ports[i]) != 0)
            port_samples(p, ports[i].protocol, ports[i].port, ports[i].expected);
    free(ports);
}

/* A label that is left out while its value is not known. */
static void label_names(struct prom *p, const char *name, const struct listener *l, enum owner_name which)
{
    struct buf names;

    buf_init(&names);
    listener_names(l, which, &names);
    if (names.len > 0)
        label(p, name, buf_text(&names));
    p->out->failed |= names.failed;
    buf_done(&names);
}

static void info_value(struct prom *p, const struct listener *l)
{
    label(p, "scope", scope_name(l->scope));
    if (listener_has_port_class(l))
        label(p, "port_class", port_class_name(port_class_of(l->port)));
    if (*l->service_name)
        label(p, "service_name", l->service_name);
    label_names(p, "process", l, OWNER_PROCESS);
    label_names(p, "user", l, OWNER_USER);
    label_names(p, "unit", l, OWNER_UNIT);
    value_count(p, 1);
}

/* Whether the kernel, or for restarts the time since the start, tells it. */
static bool has_value(const struct prom *p, const struct listener *l)
{
    switch (p->family) {
    case PROM_LISTENER_ACCEPT_QUEUE_LENGTH:
    case PROM_LISTENER_ACCEPT_QUEUE_LIMIT:
    case PROM_LISTENER_ACCEPT_QUEUE_SATURATION_RATIO: return l->queue.known;
    case PROM_LISTENER_RECEIVE_QUEUE_BYTES: return l->receive_queue.known;
    case PROM_LISTENER_DROPS_TOTAL: return l->drops.known;
    case PROM_LISTENER_RESTARTS_TOTAL: return p->view->has_history;
    default: return true;
    }
}

static void listener_sample(struct prom *p, const struct listener *l)
{
    if (!has_value(p, l) || !begin_sample(p, policy_expects_port(p->view->policy, l->protocol, l->port)))
        return;
    service_labels(p, l);
    switch (p->family) {
    case PROM_LISTENER_INFO: info_value(p, l); break;
    case PROM_LISTENER_SOCKETS: value_count(p, l->sockets); break;
    case PROM_LISTENER_ACCEPT_QUEUE_LENGTH: value_count(p, l->queue.length); break;
    case PROM_LISTENER_ACCEPT_QUEUE_LIMIT: value_count(p, l->queue.limit); break;
    case PROM_LISTENER_RECEIVE_QUEUE_BYTES: value_count(p, l->receive_queue.bytes); break;
    case PROM_LISTENER_DROPS_TOTAL: value_count(p, l->drops.count); break;
    case PROM_LISTENER_RESTARTS_TOTAL: value_count(p, l->restarts); break;
    default: value_real(p, l->queue.saturation_ratio); break;
    }
}

static void render_listeners(struct prom *p)
{
    size_t count;
    const struct listener *listeners = listener_table_all(p->view->snapshot->listeners, &count);

    for (enum prom_family f = PROM_LISTENER_INFO; f <= PROM_LISTENER_RESTARTS_TOTAL; f++) {
        begin_family(p, f);
        for (size_t i = 0; i < count; i++)
            listener_sample(p, &listeners[i]);
    }
}

/* Listeners that limits.listeners left out have no series either. */
static void count_cut_listeners(struct prom *p)
{
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        p->dropped->series[PROM_LISTENER_INFO] +=
            listener_table_class(p->view->snapshot->listeners, (enum protocol)protocol)->cut;
}

static void render_dropped(struct prom *p)
{
    count_cut_listeners(p);
    begin_family(p, PROM_SERIES_DROPPED_TOTAL);
    for (size_t i = 0; i < sizeof limited / sizeof limited[0]; i++) {
        (void)begin_sample(p, true); /* essential: always begun */
        buf_fmt(p->out, "{family=\"" PREFIX "%s\"} %llu\n", families[limited[i]].name,
                (unsigned long long)p->dropped->series[limited[i]]);
    }
}

void prom_render(const struct view *view, struct prom_dropped *dropped, struct buf *out)
{
    struct prom p = {.view = view, .out = out, .dropped = dropped, .series_left = view->series_limit};

    render_build_info(&p);
    render_collectors(&p);
    render_polls(&p);
    render_classes(&p);
    render_host(&p);
    render_config(&p);
    render_expected(&p);
    render_alert_firing(&p);
    render_alerts(&p);
    render_listener_totals(&p);
    render_owner_unseen(&p);
    render_socket_totals(&p);
    render_connections(&p);
    render_listeners(&p);
    render_dropped(&p);
}

void prom_listener_series(enum prom_family family, const struct listener *l, struct buf *out)
{
    struct prom p = {.out = out};

    buf_fmt(out, PREFIX "%s", families[family].name);
    service_labels(&p, l);
    buf_char(out, '}');
}
