#include "exporters/prom_host.h"
#include "exporters/prom_parts.h"

#include <stdlib.h>

enum { ESSENTIAL_BYTES = 256 << 10, BYTES_MAX = BUF_MAX_BYTES / 2 };

/* sockwatch itself */

static void render_build_info(struct prom *p)
{
    exposition_begin_essential(&p->x);
    exposition_label(&p->x, "version", p->view->version);
    exposition_label(&p->x, "revision", p->view->revision);
    exposition_count(&p->x, 1);
}

typedef void collector_value_fn(struct exposition *x, const struct collector_run *run);

static void collector_samples(struct prom *p, collector_value_fn *value)
{
    const struct status *s = p->view->status;

    for (size_t i = 0; i < s->run_count; i++) {
        if (!s->runs[i].ran)
            continue;
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "collector", s->runs[i].name);
        value(&p->x, &s->runs[i]);
    }
}

static void up_value(struct exposition *x, const struct collector_run *run)
{
    exposition_count(x, run->up);
}

static void render_collector_up(struct prom *p)
{
    collector_samples(p, up_value);
}

static void duration_value(struct exposition *x, const struct collector_run *run)
{
    exposition_real(x, run->duration_seconds);
}

static void render_collector_duration(struct prom *p)
{
    collector_samples(p, duration_value);
}

static void malformed_value(struct exposition *x, const struct collector_run *run)
{
    exposition_count(x, run->malformed);
}

static void render_collector_malformed(struct prom *p)
{
    collector_samples(p, malformed_value);
}

static void render_last_polls(struct prom *p)
{
    for (int kind = 0; kind < POLL_COUNT; kind++) {
        if (p->view->status->polled[kind].wall_ms == 0)
            continue;
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "poll", poll_name((enum poll_kind)kind));
        exposition_time(&p->x, p->view->status->polled[kind].wall_ms);
    }
}

static void render_polls(struct prom *p)
{
    static const char *const results[RESULT_COUNT] = {"success", "failure"};

    for (int kind = 0; kind < POLL_COUNT; kind++) {
        for (int result = 0; result < RESULT_COUNT; result++) {
            exposition_begin_essential(&p->x);
            exposition_label(&p->x, "poll", poll_name((enum poll_kind)kind));
            exposition_label(&p->x, "result", results[result]);
            exposition_count(&p->x, p->view->status->polls[kind][result]);
        }
    }
}

static void render_classes(struct prom *p)
{
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        if (view_class(p->view, (enum protocol)protocol)->visibility == VISIBILITY_UNKNOWN)
            continue;
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "class", protocol_name((enum protocol)protocol));
        exposition_count(&p->x, p->view->verdict->classes[protocol].seen);
    }
}

static void render_route_localnet(struct prom *p)
{
    const struct caveats *caveats = &snapshot_host(p->view->snapshot)->caveats;

    if (!caveats->route_localnet_known)
        return;
    exposition_begin_essential(&p->x);
    exposition_count(&p->x, caveats->route_localnet);
}

static void render_reload_successful(struct prom *p)
{
    exposition_begin_essential(&p->x);
    exposition_count(&p->x, p->view->status->last_reload_successful);
}

static void render_reload_success(struct prom *p)
{
    exposition_begin_essential(&p->x);
    exposition_time(&p->x, p->view->status->last_reload_success_ms);
}

/* Sockets */

static void render_owner_unseen(struct prom *p)
{
    const struct listener_totals *totals = view_totals(p->view);

    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        if (!totals->known[protocol])
            continue;
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "protocol", protocol_name((enum protocol)protocol));
        exposition_count(&p->x, totals->owner_unseen[protocol]);
    }
}

/* 0 from the start: nothing was seen coming or going, whether it can be seen or not. */
static void turnover_sample(struct prom *p, enum protocol protocol, uint64_t count)
{
    if (!p->view->has_history)
        return;
    exposition_begin_essential(&p->x);
    exposition_label(&p->x, "protocol", protocol_name(protocol));
    exposition_count(&p->x, count);
}

static void render_appeared(struct prom *p)
{
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        turnover_sample(p, (enum protocol)protocol, p->view->status->turnover[protocol].appeared);
}

static void render_disappeared(struct prom *p)
{
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        turnover_sample(p, (enum protocol)protocol, p->view->status->turnover[protocol].disappeared);
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
    const struct conn_table *connections = snapshot_host(p->view->snapshot)->connections;

    for (int protocol = 0; connections && protocol < PROTOCOL_COUNT; protocol++) {
        if (!conn_table_complete(connections, (enum protocol)protocol))
            continue;
        for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++) {
            if (!has_state((enum protocol)protocol, (enum sock_state)state))
                continue;
            exposition_begin_essential(&p->x);
            exposition_label(&p->x, "protocol", protocol_name((enum protocol)protocol));
            exposition_label(&p->x, "state", state_name((enum sock_state)state, (enum protocol)protocol));
            exposition_count(&p->x, conn_table_totals(connections, (enum protocol)protocol)[state]);
        }
    }
}

/* Listeners: each of these writes the sample of one. */

/* A label that is left out while its value is not known. */
static void label_names(struct prom *p, const char *label, const struct listener *l, enum owner_name which)
{
    buf_truncate(&p->names, 0);
    listener_names(l, which, &p->names);
    if (p->names.len > 0)
        exposition_label(&p->x, label, p->names.data);
}

static void sample_info(struct prom *p, const struct listener *l, size_t index)
{
    if (!prom_begin_listener(p, index))
        return;
    if (protocol_is_ip(l->protocol))
        exposition_label(&p->x, "scope", scope_name(l->scope));
    if (listener_has_port_class(l))
        exposition_label(&p->x, "port_class", port_class_name(port_class_of(l->port)));
    if (*l->service_name)
        exposition_label(&p->x, "service_name", l->service_name);
    label_names(p, "process", l, OWNER_PROCESS);
    label_names(p, "user", l, OWNER_USER);
    label_names(p, "unit", l, OWNER_UNIT);
    exposition_count(&p->x, 1);
}

static void sample_sockets(struct prom *p, const struct listener *l, size_t index)
{
    prom_listener_count(p, index, l->sockets);
}

static void sample_queue_length(struct prom *p, const struct listener *l, size_t index)
{
    if (l->queue.known)
        prom_listener_count(p, index, l->queue.length);
}

static void sample_queue_limit(struct prom *p, const struct listener *l, size_t index)
{
    if (l->queue.known)
        prom_listener_count(p, index, l->queue.limit);
}

static void sample_queue_saturation(struct prom *p, const struct listener *l, size_t index)
{
    if (l->queue.known && prom_begin_listener(p, index))
        exposition_real(&p->x, queue_saturation(l->queue.fullest));
}

static void sample_receive_queue(struct prom *p, const struct listener *l, size_t index)
{
    if (l->receive_queue.known)
        prom_listener_count(p, index, l->receive_queue.bytes);
}

static void sample_drops(struct prom *p, const struct listener *l, size_t index)
{
    if (l->drops.known)
        prom_listener_count(p, index, l->drops.count);
}

static void sample_restarts(struct prom *p, const struct listener *l, size_t index)
{
    if (p->view->has_history)
        prom_listener_count(p, index, l->restarts);
}

static void sample_queue_full(struct prom *p, const struct listener *l, size_t index)
{
    if (p->view->has_history && l->queue.known && prom_begin_listener(p, index))
        exposition_time(&p->x, (int64_t)view_full_ms(p->view, l));
}

static void render_series_dropped(struct prom *p);

static void render_dropped(struct prom *p)
{
    for (int what = 0; what < DROPPED_COUNT; what++) {
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "what", dropped_name((enum dropped)what));
        exposition_count(&p->x, p->view->status->dropped[what]);
    }
}

/* All families, in the order of enum prom_family, which is that of the
 * exposition. */
static const struct {
    struct exposition_family as;
    void (*render)(struct prom *p); /* all its samples */
    prom_listener_fn *of_listener;  /* or, of a metric of listeners, one */
    bool limited;                   /* limits.series may cut it */
} families[] = {
    {{"sockwatch_build_info", "gauge", "Version and revision of this sockwatch; always 1."},
     .render = render_build_info},
    {{"sockwatch_collector_up", "gauge", "Whether the collector's last run succeeded."},
     .render = render_collector_up},
    {{"sockwatch_collector_duration_seconds", "gauge", "How long the collector's last run took."},
     .render = render_collector_duration},
    {{"sockwatch_collector_malformed_total", "counter",
      "Answers of the kernel that made no sense and were passed over."},
     .render = render_collector_malformed},
    {{"sockwatch_last_poll_timestamp_seconds", "gauge",
      "When the last poll was completed, in seconds since the epoch."},
     .render = render_last_polls},
    {{"sockwatch_polls_total", "counter", "Polls by what became of them."}, .render = render_polls},
    {{"sockwatch_socket_class_visible", "gauge",
      "1: sockets of the class were read, 0: they cannot be read on this host."},
     .render = render_classes},
    {{"sockwatch_route_localnet", "gauge",
      "1: an interface routes 127.0.0.0/8, so scope \"loopback\" may be reachable from outside."},
     .render = render_route_localnet},
    {{"sockwatch_config_last_reload_successful", "gauge",
      "Whether the last attempt to load the configuration succeeded."},
     .render = render_reload_successful},
    {{"sockwatch_config_last_reload_success_timestamp_seconds", "gauge",
      "When the configuration in use was loaded."},
     .render = render_reload_success},
    {{"sockwatch_expected_listening", "gauge",
      "Whether an expected service has a listener; absent while its class cannot be read."},
     .render = prom_render_expected},
    {{"sockwatch_expected_interruptions_total", "counter",
      "How often polls found that an expected service's last listener had gone, or all its sockets "
      "were replaced."},
     .render = prom_render_interruptions},
    {{"sockwatch_expected_info", "gauge", "The labels of an expected service's entry; always 1."},
     .render = prom_render_expected_info},
    {{"sockwatch_probe_success", "gauge",
      "Whether the last probe of an expected service connected; absent while that is not known."},
     .render = prom_render_probe_success},
    {{"sockwatch_probe_result", "gauge", "1 for what came of the last probe, 0 for what did not."},
     .render = prom_render_probe_result},
    {{"sockwatch_probe_duration_seconds", "gauge", "How long the last probe took until that was known."},
     .render = prom_render_probe_duration},
    {{"sockwatch_alert_firing", "gauge",
      "Whether an alert fires; one that has ended is told as 0 for at least five minutes."},
     .render = prom_render_alert_firing,
     .limited = true},
    {{"sockwatch_alerts", "gauge", "Number of alerts by severity and state."}, .render = prom_render_alerts},
    {{"sockwatch_alerts_fired_total", "counter",
      "Alerts that began to fire, also those that ended before anybody asked."},
     .render = prom_render_alerts_fired},
    {{"sockwatch_listeners", "gauge", "Number of listeners by protocol and bind scope."},
     .render = prom_render_totals},
    {{"sockwatch_listeners_owner_unseen", "gauge",
      "Number of listeners of which it cannot be seen which process holds them."},
     .render = render_owner_unseen},
    {{"sockwatch_listeners_appeared_total", "counter",
      "Listeners that a poll saw and the one before did not; where limits cut, how many more there were."},
     .render = render_appeared},
    {{"sockwatch_listeners_disappeared_total", "counter",
      "Listeners that a poll did not see and the one before did; where limits cut, how many fewer there "
      "were."},
     .render = render_disappeared},
    {{"sockwatch_sockets", "gauge", "Number of all sockets by protocol and state."},
     .render = render_socket_totals},
    {{"sockwatch_connections", "gauge", "Sockets whose local port has a listener here, per port and state."},
     .render = prom_render_connections,
     .limited = true},
    {{"sockwatch_connections_not_accepted", "gauge",
      "Established connections of a listener's port that no program has accepted yet."},
     .render = prom_render_not_accepted,
     .limited = true},
    {{"sockwatch_outbound_connections", "gauge",
      "Sockets whose local port has no listener here, per remote port and state; those of ports that are not "
      "told one by one, and of none, in port \"other\"."},
     .render = prom_render_outbound,
     .limited = true},
    {{"sockwatch_unit_connections", "gauge",
      "TCP sockets per systemd unit that made them, direction and state, if connections.by_unit asks for it; "
      "those that listen or are in TIME_WAIT are not among them."},
     .render = prom_render_units,
     .limited = true},
    {{"sockwatch_ephemeral_ports_used_ratio", "gauge",
      "Share of the local ports that connect() may choose from in use from the source address towards "
      "the destination address and port that uses most of them, as the last poll saw it."},
     .render = prom_render_ephemeral},
    {{"sockwatch_listener_info", "gauge", "What is known about a listener; always 1."},
     .of_listener = sample_info,
     .limited = true},
    {{"sockwatch_listener_sockets", "gauge", "Sockets that share the listener's address (SO_REUSEPORT)."},
     .of_listener = sample_sockets,
     .limited = true},
    {{"sockwatch_listener_accept_queue_length", "gauge",
      "Connections completed but not yet accepted, summed over the sockets."},
     .of_listener = sample_queue_length,
     .limited = true},
    {{"sockwatch_listener_accept_queue_limit", "gauge",
      "Backlog limit, summed over the sockets; each holds one more than its limit."},
     .of_listener = sample_queue_limit,
     .limited = true},
    {{"sockwatch_listener_accept_queue_saturation_ratio", "gauge",
      "Queue length / (limit + 1) of the fullest socket; 1 is full."},
     .of_listener = sample_queue_saturation,
     .limited = true},
    {{"sockwatch_listener_receive_queue_bytes", "gauge",
      "Memory of datagrams that were received but not yet read, summed over the sockets."},
     .of_listener = sample_receive_queue,
     .limited = true},
    {{"sockwatch_listener_drops_total", "counter",
      "Dropped connection attempts, retransmitted ones included (tcp), or datagrams (udp)."},
     .of_listener = sample_drops,
     .limited = true},
    {{"sockwatch_listener_restarts_total", "counter",
      "Polls that saw sockets of the listener replaced by new ones."},
     .of_listener = sample_restarts,
     .limited = true},
    {{"sockwatch_listener_accept_queue_saturated_seconds_total", "counter",
      "Time for which the fullest socket had no room for another connection, as polls saw it."},
     .of_listener = sample_queue_full,
     .limited = true},
    {{"sockwatch_series_dropped_total", "counter",
      "Series that limits.listeners and limits.series left out, by family; a content counts once, "
      "when it is first asked for."},
     .render = render_series_dropped},
    {{"sockwatch_dropped_total", "counter",
      "What other limits left out, by what it was: listeners, members of a listener, holders of a "
      "socket, records of the history, alerts, page_rows, log_lines, units, tuples whose local ports were "
      "counted."},
     .render = render_dropped},
};

_Static_assert(sizeof families / sizeof families[0] == PROM_FAMILY_COUNT, "each family has its row");

static void render_series_dropped(struct prom *p)
{
    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++) {
        if (!families[i].limited)
            continue;
        exposition_begin_essential(&p->x);
        exposition_label(&p->x, "family", families[i].as.name);
        exposition_count(&p->x, p->before->series[i] + p->cut->series[i]);
    }
}

/* Listeners on expected ports come first, whatever the order of families: room
 * is reserved for them. Where there is none, all of them are cut, and counted. */
static uint64_t count_expected_listeners(const struct prom *p)
{
    uint64_t count = 0;
    struct prom counting = *p;

    counting.x.series_left = 0;
    counting.x.cut = &count;
    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++)
        if (families[i].of_listener)
            prom_render_expected_listeners(&counting, families[i].of_listener);
    return count;
}

static void render_families(struct prom *p)
{
    p->x.reserved = count_expected_listeners(p);
    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++) {
        exposition_family(&p->x, &families[i].as, &p->cut->series[i]);
        if (families[i].of_listener)
            prom_render_listeners(p, families[i].of_listener);
        else
            families[i].render(p);
    }
    prom_render_host(p);
}

/* Up to where series may be cut: what their number allows, beside the essential
 * ones, and never so much that the buffer would fail. */
static size_t bytes_max(const struct buf *out, const struct limits *limits)
{
    size_t wanted = ESSENTIAL_BYTES + (size_t)limits->series * EXPOSITION_SERIES_BYTES;

    return out->len + (wanted < BYTES_MAX ? wanted : BYTES_MAX);
}

void prom_render(const struct view *view, const struct prom_dropped *before, struct buf *out,
                 struct prom_dropped *ret_cut)
{
    struct prom p = {
        .view = view,
        .x = {.out = out,
              .series_left = (size_t)view->limits.series,
              .bytes_max = bytes_max(out, &view->limits)},
        .before = before,
        .cut = ret_cut,
    };

    *ret_cut = (struct prom_dropped){{0}};
    p.listeners = view_listeners(view, &p.listener_count);
    if (prom_label_listeners(&p) == 0)
        render_families(&p);
    else
        out->failed = true;
    out->failed |= p.names.failed;
    free(p.labels.begins);
    buf_done(&p.labels.text);
    buf_done(&p.names);
}
