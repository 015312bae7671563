#include "daemon/cycle.h"
#include "core/err.h"
#include "version.h"

#include <errno.h>
#include <time.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* cannot fail with these clocks */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct instant instant_now(void)
{
    return (struct instant){.mono_ms = clock_ms(CLOCK_MONOTONIC), .wall_ms = clock_ms(CLOCK_REALTIME)};
}

int cycle_open(struct cycle *c)
{
    *c = (struct cycle){.config_loaded = instant_now(), .last_reload_successful = true};
    c->services = collectors_services();
    return c->services ? collectors_open(&c->collectors) : -ENOMEM;
}

void cycle_close(struct cycle *c)
{
    alerts_done(&c->alerts);
    verdict_done(&c->verdict);
    snapshot_done(&c->snapshot);
    collectors_close(c->collectors);
    services_free(c->services);
    *c = (struct cycle){0};
}

/* Raw sockets do not count: /proc may have told them. */
bool cycle_sees_anything(const struct cycle *c)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != PROTOCOL_RAW &&
            listener_table_class(c->snapshot.listeners, (enum protocol)i)->visibility == VISIBILITY_OK)
            return true;
    return false;
}

static bool counts_anything(const struct cycle *c)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != PROTOCOL_RAW && conn_table_complete(c->snapshot.connections, (enum protocol)i))
            return true;
    return false;
}

/* Counts the poll, and notes its time when it read anything. */
static void note_poll(struct cycle *c, enum poll_kind kind, bool read_anything)
{
    bool all = true;

    for (size_t i = 0; i < c->snapshot.run_count; i++)
        all &= c->snapshot.runs[i].poll != kind || !c->snapshot.runs[i].ran || c->snapshot.runs[i].up;
    c->counters.polls[kind][read_anything && all ? RESULT_SUCCESS : RESULT_FAILURE]++;
    if (read_anything)
        c->snapshot.polled[kind] = instant_now();
}

static void note_runs(struct cycle *c)
{
    c->snapshot.run_count = collectors_runs(c->collectors, c->snapshot.runs);
    for (size_t i = 0; i < c->snapshot.run_count; i++)
        c->counters.malformed[i] = collectors_malformed(c->collectors, i);
}

static int collect_listeners(struct cycle *c, const struct config *config, bool auto_ports)
{
    const struct listener_poll how = {
        .limit = (size_t)config->limit_listeners,
        .policy = &config->policy,
        .previous = c->snapshot.listeners,
        .services = c->services,
        .auto_ports = auto_ports,
    };
    struct listener_table *listeners;
    int r = collectors_poll_listeners(c->collectors, &how, &listeners);

    if (r < 0) {
        c->counters.polls[POLL_LISTENERS][RESULT_FAILURE]++;
        return r;
    }
    listener_table_free(c->snapshot.listeners);
    c->snapshot.listeners = listeners;
    note_runs(c);
    note_poll(c, POLL_LISTENERS, cycle_sees_anything(c));
    return 0;
}

static int collect_connections(struct cycle *c)
{
    struct conn_table *counts;
    int r = collectors_poll_connections(c->collectors, &counts);

    if (r < 0) {
        c->counters.polls[POLL_CONNECTIONS][RESULT_FAILURE]++;
        return r;
    }
    conn_table_free(c->snapshot.connections);
    c->snapshot.connections = counts;
    c->snapshot.caveats = collectors_caveats();
    note_runs(c);
    note_poll(c, POLL_CONNECTIONS, counts_anything(c));
    return 0;
}

int cycle_collect(struct cycle *c, const struct config *config, unsigned what)
{
    int r = 0;

    if (what & CYCLE_LISTENERS)
        r = collect_listeners(c, config, what & CYCLE_AUTO_PORTS);
    if (r == 0 && what & CYCLE_CONNECTIONS)
        r = collect_connections(c);
    return r;
}

int cycle_judge(struct cycle *c, const struct config *config, const struct ip_ports *own, bool ignore_for,
                alert_transition_fn *on_transition, void *arg)
{
    struct verdict verdict;
    int r = rules_evaluate(&c->snapshot, &config->policy, own, &verdict);

    if (r < 0)
        return r;
    for (size_t i = 0; ignore_for && i < verdict.count; i++)
        verdict.findings[i].for_ms = 0;
    verdict_done(&c->verdict);
    c->verdict = verdict;
    return alerts_update(&c->alerts, &c->verdict, instant_now(), on_transition, arg);
}

struct view cycle_view(const struct cycle *c, const struct config *config, bool has_history)
{
    return (struct view){
        .snapshot = &c->snapshot,
        .policy = &config->policy,
        .verdict = &c->verdict,
        .alerts = &c->alerts,
        .counters = &c->counters,
        .has_history = has_history,
        .series_limit = (size_t)config->limit_series,
        .version = SOCKWATCH_VERSION,
        .revision = SOCKWATCH_REVISION,
        .last_reload_successful = c->last_reload_successful,
        .last_reload_success_ms = c->config_loaded.wall_ms,
    };
}

void cycle_describe_class(const struct cycle *c, enum protocol protocol, struct buf *out)
{
    const struct class_view *view = listener_table_class(c->snapshot.listeners, protocol);
    const char *name = protocol_name(protocol);

    switch (view->visibility) {
    case VISIBILITY_UNKNOWN: break;
    case VISIBILITY_OK:
        if (view->cut > 0)
            buf_fmt(out, "%s: %u listeners beyond limits.listeners are left out\n", name, view->cut);
        break;
    case VISIBILITY_ABSENT: buf_fmt(out, "%s: not in this kernel, nothing to watch\n", name); break;
    case VISIBILITY_UNSUPPORTED:
        buf_fmt(out, "%s: sockets cannot be read: %s\n", name, err_str(ERR_UNSUPPORTED));
        break;
    case VISIBILITY_FAILED:
        buf_fmt(out, "%s: sockets cannot be read: %s\n", name, err_str(view->error));
        break;
    }
}

void cycle_describe_blindness(const struct cycle *c, struct buf *out)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (listener_table_class(c->snapshot.listeners, (enum protocol)i)->visibility != VISIBILITY_ABSENT)
            cycle_describe_class(c, (enum protocol)i, out);
    if (c->snapshot.caveats.route_localnet)
        buf_str(out, CYCLE_ROUTE_LOCALNET_TEXT "\n");
}
