#include "daemon/cycle.h"
#include "core/err.h"
#include "daemon/clock.h"
#include "version.h"

#include <errno.h>

int cycle_open(struct cycle *c, bool goes_on)
{
    int r;

    *c = (struct cycle){.host.name = "", .status.last_reload_successful = true};
    c->status.last_reload_success_ms = clock_now().wall_ms;
    c->host.caveats = collectors_caveats();
    c->services = collectors_services();
    c->history = history_new();
    c->windows = goes_on ? windows_new() : NULL;
    if (goes_on && !c->windows)
        return -ENOMEM;
    r = c->services && c->history ? probes_open(!goes_on, &c->probes) : -ENOMEM;
    return r == 0 ? collectors_open(&c->collectors) : r;
}

void cycle_close(struct cycle *c)
{
    alert_list_unref(c->alert_list);
    alerts_done(&c->alerts);
    verdict_unref(c->verdict);
    snapshot_unref(c->snapshot);
    probe_results_unref(c->host.probes);
    unit_table_unref(c->host.units);
    conn_table_unref(c->host.connections);
    listener_table_unref(c->host.listeners);
    probes_close(c->probes);
    collectors_close(c->collectors);
    windows_free(c->windows);
    history_free(c->history);
    services_free(c->services);
    *c = (struct cycle){0};
}

bool cycle_sees_anything(const struct cycle *c)
{
    return collectors_saw_anything(c->collectors);
}

static bool counts_anything(const struct conn_table *counts)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != PROTOCOL_RAW && conn_table_complete(counts, (enum protocol)i)) /* /proc may tell raw ones */
            return true;
    return false;
}

static void note_probes(struct cycle *c)
{
    struct collector_run run = probes_run(c->probes);

    if (run.ran)
        c->status.runs[c->status.run_count++] = run;
    c->status.dropped[DROPPED_PROBES] = probes_left_out(c->probes);
}

/* Counts the poll, and notes its time when it read anything. */
static void note_poll(struct cycle *c, enum poll_kind kind, bool read_anything)
{
    struct status *status = &c->status;
    bool all = true;

    status->run_count = collectors_runs(c->collectors, status->runs);
    note_probes(c);
    for (size_t i = 0; i < status->run_count; i++)
        all &= status->runs[i].poll != kind || !status->runs[i].ran || status->runs[i].up;
    status->polls[kind][read_anything && all ? RESULT_SUCCESS : RESULT_FAILURE]++;
    if (read_anything)
        status->polled[kind] = clock_now();
}

/* From one poll to the next there pass so many intervals at most, but so much in
 * any case: a host that stood still for an hour was not watched for an hour. */
enum { PASS_POLLS = 3 };
#define PASS_MIN_MS INT64_C(10000)

/* Tells history how much time has passed since the poll before. */
static void pass_time(struct cycle *c, const struct config *config)
{
    int64_t now_ms = clock_now().mono_ms, most_ms = config->poll_listeners_ms * PASS_POLLS;
    int64_t passed_ms = c->passed_ms > 0 ? now_ms - c->passed_ms : 0;

    if (most_ms < PASS_MIN_MS)
        most_ms = PASS_MIN_MS;
    for (size_t i = 0; c->look && i < PROTOCOL_COUNT; i++)
        c->seen[i] = c->look->classes[i].visibility == VISIBILITY_OK;
    history_pass(c->history, c->seen, (uint64_t)(passed_ms < most_ms ? passed_ms : most_ms));
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        c->status.watched_ms[i] = history_watched_ms(c->history, (enum protocol)i);
    c->passed_ms = now_ms;
}

/* Whether the verdict is of other connections than those that were counted last,
 * and would say so. */
static bool has_unjudged_connections(const struct cycle *c, const struct config *config)
{
    return c->has_unjudged_connections &&
           (config->policy.counts_connections || policy_uses_ephemeral(&config->policy));
}

/* Whether what a poll finds is to be judged though it is nothing new: it was not
 * judged yet, connections are others, or a window has moved on. */
static bool needs_judging(const struct cycle *c, const struct config *config)
{
    return c->has_new_listeners || has_unjudged_connections(c, config) ||
           (c->windows && clock_now().mono_ms >= windows_due_ms(c->windows));
}

int cycle_set_probes(struct cycle *c, const struct config *config)
{
    return probes_set(c->probes, &config->policy, clock_now().mono_ms);
}

/* Takes what came of probes. Where memory runs out nothing is known: what was told
 * before may be of another configuration. */
static void take_probes(struct cycle *c)
{
    const struct probe_results *results = NULL;
    bool to_rules = true;

    if (probes_take(c->probes, clock_now(), &results, &to_rules) == 0)
        return;
    probe_results_unref(c->host.probes);
    c->host.probes = results;
    c->has_new_tables = true;
    c->has_new_listeners |= to_rules;
}

/* Tells what the services are like that are probed. */
static void note_reach(const struct cycle *c)
{
    int64_t now_ms = clock_now().mono_ms;

    for (size_t i = 0; i < c->verdict->service_count; i++) {
        const struct service_verdict *s = &c->verdict->services[i];

        if (s->probed)
            probes_note(c->probes, s->expect, s->reach, s->renewed, now_ms);
    }
}

/* Looks at the listeners. What they are is c->look, where there is anything new. */
static int poll_listeners(struct cycle *c, const struct config *config, const struct cycle_poll *how)
{
    const struct listener_poll poll = {
        .limits = &config->limits,
        .policy = &config->policy,
        .services = c->services,
        .history = c->history,
        .previous = c->host.listeners,
        .auto_ports = how->auto_ports,
        .wait_for_owners = how->wait_for_owners,
        .anew = needs_judging(c, config),
    };
    const struct budget clock = clock_endless();
    int r;

    c->look = NULL;
    r = collectors_poll_listeners(c->collectors, &poll, &clock, &c->look);
    if (r < 0) {
        c->status.polls[POLL_LISTENERS][RESULT_FAILURE]++;
        return r;
    }
    return 0;
}

int cycle_poll_listeners(struct cycle *c, const struct config *config, const struct cycle_poll *how)
{
    int r;

    take_probes(c);
    r = poll_listeners(c, config, how);
    if (r < 0)
        return r;
    c->has_new_listeners |= c->look != NULL;
    pass_time(c, config);
    note_poll(c, POLL_LISTENERS, cycle_sees_anything(c));
    return 0;
}

void cycle_begin_connections(struct cycle *c, const struct config *config)
{
    collectors_begin_connections(c->collectors, config->by_unit, clock_now().mono_ms);
}

int64_t cycle_due_ms(const struct cycle *c)
{
    int64_t due_ms = collectors_due_ms(c->collectors, clock_now().mono_ms),
            probes_ms = probes_due_ms(c->probes);

    return probes_ms < due_ms ? probes_ms : due_ms;
}

static void take_host_counters(struct cycle *c)
{
    const struct host_counters *counters = collectors_host_counters(c->collectors);

    c->has_new_tables |= !host_counters_are_same(counters, &c->host.counters);
    c->host.counters = *counters;
}

/* Whoever does not ask for them any more has none. */
static void take_units(struct cycle *c)
{
    const struct unit_table *units = collectors_take_units(c->collectors);

    if (unit_table_is_same(units, c->host.units)) {
        unit_table_unref(units);
        return;
    }
    unit_table_unref(c->host.units);
    c->host.units = units;
    c->status.dropped[DROPPED_UNITS] += unit_table_left_out(units);
    c->has_new_tables = true;
}

/* A table that says the same as the one before is not kept. */
static void take_connections(struct cycle *c, const struct conn_table *counts)
{
    const struct caveats caveats = collectors_caveats();

    note_poll(c, POLL_CONNECTIONS, counts_anything(counts));
    c->has_new_tables |= caveats.route_localnet != c->host.caveats.route_localnet ||
                         caveats.route_localnet_known != c->host.caveats.route_localnet_known;
    c->host.caveats = caveats;
    take_host_counters(c);
    take_units(c);
    c->status.dropped[DROPPED_TUPLES] += conn_table_ephemeral(counts)->forgotten;
    if (conn_table_is_same(counts, c->host.connections)) {
        conn_table_unref(counts);
        return;
    }
    conn_table_unref(c->host.connections);
    c->host.connections = counts;
    c->has_new_tables = c->has_unjudged_connections = true;
}

static bool expects(const void *arg, enum protocol protocol, uint16_t port)
{
    return policy_expects_port(arg, protocol, port);
}

int cycle_step(struct cycle *c, const struct config *config, const struct budget *budget)
{
    const struct conn_choice choice = {.ports = config->outbound.ports,
                                       .port_count = config->outbound.count,
                                       .top = (size_t)config->outbound.top,
                                       .asks = expects,
                                       .arg = &config->policy};
    const struct conn_table *counts;
    int r;

    if (probes_due_ms(c->probes) <= clock_now().mono_ms)
        probes_step(c->probes, budget);
    collectors_step(c->collectors, budget);
    r = collectors_take_connections(c->collectors, &choice, &counts);
    if (r < 0)
        c->status.polls[POLL_CONNECTIONS][RESULT_FAILURE]++;
    if (r > 0)
        take_connections(c, counts);
    return r;
}

bool cycle_has_news(const struct cycle *c, const struct config *config)
{
    return collectors_have_news(c->collectors) || has_unjudged_connections(c, config) ||
           probes_have_news(c->probes);
}

/* What was judged, until all of it is there. */
struct judged {
    struct space host; /* its listeners are a reference */
    const struct snapshot *snapshot;
    const struct verdict *verdict;
};

static void judged_done(const struct judged *j)
{
    verdict_unref(j->verdict);
    listener_table_unref(j->host.listeners);
    snapshot_unref(j->snapshot);
}

static bool was_true(const void *arg, const struct alert_key *key)
{
    return alerts_find(arg, key);
}

/* Takes a verdict, and adds what befell the services that it is about. */
static const struct verdict *add_past(const struct cycle *c, const struct config *config,
                                      const struct verdict *verdict)
{
    if (!c->windows)
        return verdict;
    if (windows_follow(c->windows, verdict, &config->policy, clock_now().mono_ms) < 0) {
        verdict_unref(verdict);
        return NULL;
    }
    history_settle(c->history);
    return verdict_add_past(verdict, &config->policy, windows_past(c->windows));
}

/* Lets history tell what was before, judges all that was looked at, and only
 * then cuts what is shown of it. */
static void judge_look(const struct cycle *c, const struct config *config, const struct own_sockets *own,
                       struct judged *ret)
{
    const struct judge_bounds bounds = {(size_t)config->limits.alerts, was_true, &c->alerts};
    const struct history_rules rules = {.services = (size_t)config->limits.history,
                                        .members = (size_t)config->limits.members,
                                        .policy = &config->policy};
    const struct observed observed = {
        .inventory = c->look, .own = own, .connections = c->host.connections, .probes = c->host.probes};

    ret->host.listeners = NULL;
    if (history_follow(c->history, c->look, &rules) < 0)
        return;
    ret->verdict = rules_judge(&observed, &config->policy, &bounds);
    if (ret->verdict)
        ret->verdict = add_past(c, config, ret->verdict);
    if (ret->verdict)
        ret->verdict = verdict_cut(ret->verdict, c->look);
    ret->host.listeners = listener_table_cut(c->look);
}

static uint64_t holders_cut(const struct listener_table *table)
{
    size_t count;
    const struct listener *l = listener_table_all(table, &count);
    struct holder_list list = {0};
    uint64_t cut = 0;

    for (size_t i = 0; i < count; i++)
        if (listener_holders_are_cut(&l[i]) && listener_holders(&l[i], &list) == 0)
            cut += listener_holders_unlisted(&l[i], &list);
    holder_list_done(&list);
    return cut;
}

static void count_dropped(struct cycle *c)
{
    uint64_t *dropped = c->status.dropped;

    dropped[DROPPED_LISTENERS] += listener_table_dropped(c->host.listeners, DROPPED_LISTENERS);
    dropped[DROPPED_MEMBERS] += listener_table_dropped(c->host.listeners, DROPPED_MEMBERS);
    dropped[DROPPED_HOLDERS] += holders_cut(c->host.listeners);
    dropped[DROPPED_HISTORY] = history_forgotten(c->history);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        c->status.turnover[i] = *history_turnover(c->history, (enum protocol)i);
    c->left_out += c->verdict->left_out;
}

/* Makes a snapshot of the newest tables; a verdict about listeners that are the
 * same stays. Where a rule is about connections that are not the same, the next
 * poll gives another one. */
static int judge_tables(struct cycle *c, const struct config *config, const struct own_sockets *own)
{
    struct judged j = {.host = c->host};
    bool anew = c->has_new_listeners;

    if (anew) {
        judge_look(c, config, own, &j);
    } else {
        j.verdict = verdict_ref(c->verdict);
        j.host.listeners = listener_table_ref(c->host.listeners);
    }
    if (j.verdict && j.host.listeners)
        j.snapshot = snapshot_new(&j.host, 1);
    if (!j.snapshot) {
        judged_done(&j);
        return -ENOMEM;
    }
    snapshot_unref(c->snapshot);
    verdict_unref(c->verdict);
    listener_table_unref(c->host.listeners);
    c->snapshot = j.snapshot;
    c->verdict = j.verdict;
    c->host = j.host;
    c->has_new_tables = c->has_new_listeners = false;
    if (anew) {
        c->has_unjudged_connections = false;
        count_dropped(c);
        note_reach(c);
    }
    return 0;
}

/* Lists the alerts when they are others than those listed. */
static int list_alerts(struct cycle *c)
{
    const struct alert_list *list;

    if (c->alert_list && c->alerts.changes == c->listed_changes)
        return 0;
    list = alerts_seal(&c->alerts);
    if (!list)
        return -ENOMEM;
    alert_list_unref(c->alert_list);
    c->alert_list = list;
    c->listed_changes = c->alerts.changes;
    return 1;
}

void cycle_judge_anew(struct cycle *c)
{
    c->has_new_listeners = true;
}

int cycle_judge(struct cycle *c, const struct config *config, const struct own_sockets *own, bool ignore_for,
                const struct subscribers *to)
{
    bool has_new = c->has_new_listeners || c->has_new_tables;
    struct instant now = clock_now();
    int r = 0;

    if (c->has_new_listeners ? !c->look : !c->snapshot)
        return 0; /* the next poll looks, and is judged */
    if (has_new)
        r = judge_tables(c, config, own);
    c->alerts.limit = (size_t)config->limits.alerts;
    if (r == 0 && (has_new || alerts_are_due(&c->alerts, now)))
        r = alerts_update(&c->alerts, c->verdict, now, ignore_for, to);
    if (r == 0)
        r = list_alerts(c);
    c->status.dropped[DROPPED_ALERTS] = c->left_out + c->alerts.dropped;
    if (r < 0)
        cycle_judge_anew(c);
    return r < 0 ? r : has_new || r > 0;
}

struct view cycle_view(const struct cycle *c, const struct config *config)
{
    return (struct view){
        .snapshot = c->snapshot,
        .policy = &config->policy,
        .verdict = c->verdict,
        .alerts = c->alert_list,
        .status = &c->status,
        .limits = config->limits,
        .version = SOCKWATCH_VERSION,
        .revision = SOCKWATCH_REVISION,
    };
}

void cycle_describe_class(const struct cycle *c, enum protocol protocol, struct buf *out)
{
    const struct class_view *view = listener_table_class(c->host.listeners, protocol);
    const char *name = protocol_name(protocol);

    switch (view->visibility) {
    case VISIBILITY_UNKNOWN: break;
    case VISIBILITY_OK:
        if (view->unread > 0)
            buf_fmt(out, "%s: %llu sockets are more than can be held, and are not judged\n", name,
                    (unsigned long long)view->unread);
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
        if (listener_table_class(c->host.listeners, (enum protocol)i)->visibility != VISIBILITY_ABSENT)
            cycle_describe_class(c, (enum protocol)i, out);
    if (listener_table_dropped(c->host.listeners, DROPPED_LISTENERS) > 0)
        buf_fmt(out, "listeners beyond limits.listeners or limits.listeners_per_port are not shown: %llu\n",
                (unsigned long long)listener_table_dropped(c->host.listeners, DROPPED_LISTENERS));
    if (c->host.caveats.route_localnet)
        buf_str(out, CYCLE_ROUTE_LOCALNET_TEXT "\n");
}
