#include "daemon/cycle.h"
#include "tests/unit/policies.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"
#include "tests/unit/counted.h"

/* The collectors of these tests hand out what they are given next. */
static struct machine {
    struct listener_builder *builder;     /* what the next poll finds; NULL: nothing has changed */
    struct inventory inventory;           /* what the last one has found */
    bool asked_anew;                      /* by the last poll */
    const struct conn_table *connections; /* of the next step; NULL: not counted yet */
    int listeners_result, connections_result;
    struct caveats caveats;
    struct host_counters host_counters;
    bool saw_anything;
    size_t begun;
    bool asked_by_unit;             /* when connections were begun last */
    const struct unit_table *units; /* of the next step; NULL: none */
} machine;

static char the_collectors;

int collectors_open(struct collectors **ret)
{
    *ret = (struct collectors *)&the_collectors;
    return 0;
}

void collectors_close(struct collectors *c)
{
    (void)c;
}

int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              const struct budget *clock, const struct inventory **ret)
{
    assert_ptr_equal(c, &the_collectors);
    assert_non_null(how->history);
    assert_non_null(how->services);
    assert_true(budget_now_us(clock) > 0);
    machine.asked_anew = how->anew;
    if (machine.builder)
        *ret = &machine.inventory;
    return machine.listeners_result;
}

bool collectors_saw_anything(const struct collectors *c)
{
    (void)c;
    return machine.saw_anything;
}

bool collectors_have_news(const struct collectors *c)
{
    (void)c;
    return false;
}

void collectors_begin_connections(struct collectors *c, bool by_unit, int64_t now_ms)
{
    (void)c;
    assert_true(now_ms > 0);
    machine.asked_by_unit = by_unit;
    machine.begun++;
}

const struct unit_table *collectors_take_units(struct collectors *c)
{
    const struct unit_table *units = machine.units;

    (void)c;
    machine.units = NULL;
    return units;
}

const struct host_counters *collectors_host_counters(const struct collectors *c)
{
    (void)c;
    return &machine.host_counters;
}

int64_t collectors_due_ms(const struct collectors *c, int64_t now_ms)
{
    (void)c;
    return machine.connections ? now_ms : INT64_MAX;
}

void collectors_step(struct collectors *c, const struct budget *budget)
{
    (void)c;
    (void)budget;
}

int collectors_take_connections(struct collectors *c, const struct conn_choice *choice,
                                const struct conn_table **ret)
{
    (void)c;
    (void)choice;
    if (machine.connections_result < 0)
        return machine.connections_result;
    *ret = machine.connections;
    machine.connections = NULL;
    return *ret != NULL;
}

size_t collectors_runs(const struct collectors *c, struct collector_run *ret_runs)
{
    (void)c;
    ret_runs[0] = (struct collector_run){.name = "tcp", .poll = POLL_LISTENERS, .ran = true, .up = true};
    return 1;
}

struct caveats collectors_caveats(void)
{
    return machine.caveats;
}

struct services *collectors_services(void)
{
    return services_new();
}

/* A cycle with one expectation, told of transitions. */
struct world {
    struct cycle cycle;
    struct config config;
    size_t told;
    struct subscribers subscribers;
};

static void count_transition(void *arg, const struct transition *t)
{
    assert_non_null(t->alert);
    ++*(size_t *)arg;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    machine = (struct machine){.saw_anything = true};
    w->config.limits = limits_of(100);
    w->config.policy = policy_expecting("web=tcp/80");
    subscribers_add(&w->subscribers, count_transition, &w->told);
    *state = w;
    return cycle_open(&w->cycle, true);
}

static int tear_down(void **state)
{
    struct world *w = *state;

    cycle_close(&w->cycle);
    policy_done(&w->config.policy);
    listener_builder_free(machine.builder);
    conn_table_unref(machine.connections);
    free(w);
    return 0;
}

/* Lets the next poll find these. */
static void listening(const char *sockets)
{
    static const struct policy no_policy;
    struct listener_builder *b = new_builder(1000);
    const struct limits limits = limits_of(100);

    assert_non_null(b);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    add_rows(b, sockets, 1);
    assert_int_equal(finish_look(b, &limits, &no_policy, NULL, NULL, &machine.inventory), 0);
    machine.builder = b;
}

static const struct conn_table *connected(unsigned count)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    assert_non_null(c);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    conn_counter_free(c);
    return t;
}

static int poll_of(struct world *w, const char *sockets)
{
    const struct cycle_poll usual = {.auto_ports = false};

    listener_builder_free(machine.builder);
    machine.builder = NULL;
    if (sockets)
        listening(sockets);
    return cycle_poll_listeners(&w->cycle, &w->config, &usual);
}

static int judge_of(struct world *w)
{
    static const struct own_sockets no_own;

    return cycle_judge(&w->cycle, &w->config, &no_own, false, &w->subscribers);
}

static int step_of(struct world *w, unsigned connections)
{
    const struct budget budget = {.until_us = BUDGET_NO_END};

    machine.connections = connected(connections);
    return cycle_step(&w->cycle, &w->config, &budget);
}

static void what_is_new_is_judged_and_told(void **state)
{
    struct world *w = *state;

    assert_int_equal(judge_of(w), 0); /* nothing was polled yet */
    assert_null(w->cycle.snapshot);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 0);
    assert_int_equal(poll_of(w, "0.0.0.0:81"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 1);
    assert_int_equal(w->cycle.alert_list->items[0].key.rule, RULE_NOT_LISTENING);
    assert_int_equal(w->told, 1);
}

static void nothing_new_changes_nothing_and_allocates_nothing(void **state)
{
    struct world *w = *state;
    const struct snapshot *snapshot;
    const struct alert_list *alerts;

    assert_int_equal(poll_of(w, "0.0.0.0:81"), 0);
    assert_int_equal(judge_of(w), 1);
    snapshot = w->cycle.snapshot;
    alerts = w->cycle.alert_list;
    refuse_nth(0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(poll_of(w, NULL), 0);
        assert_int_equal(judge_of(w), 0);
    }
    assert_int_equal(refuse_count(), 0);
    assert_ptr_equal(w->cycle.snapshot, snapshot);
    assert_ptr_equal(w->cycle.alert_list, alerts);
    assert_int_equal(w->cycle.status.polls[POLL_LISTENERS][RESULT_SUCCESS], 11); /* but each was a poll */
    assert_int_equal(w->told, 1);
}

/* A host that stood still was not watched meanwhile. */
static void time_passes_with_each_poll_but_not_all_at_once(void **state)
{
    struct world *w = *state;
    const uint64_t *watched_ms = w->cycle.status.watched_ms;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(watched_ms[PROTOCOL_TCP], 0); /* there was none before */
    assert_int_equal(judge_of(w), 1);
    w->cycle.passed_ms -= 7000;
    assert_int_equal(poll_of(w, NULL), 0);
    assert_in_range(watched_ms[PROTOCOL_TCP], 7000, 9999);
    w->cycle.passed_ms -= 3600000;
    assert_int_equal(poll_of(w, NULL), 0);
    assert_in_range(watched_ms[PROTOCOL_TCP], 17000, 19999);
    w->config.poll_listeners_ms = 60000;
    w->cycle.passed_ms -= 3600000;
    assert_int_equal(poll_of(w, NULL), 0);
    assert_in_range(watched_ms[PROTOCOL_TCP], 197000, 199999);
    assert_int_equal(judge_of(w), 0);
}

/* Whatever "for" says, and again though no poll finds anything new. */
static void a_window_that_moves_on_is_judged_anew(void **state)
{
    struct world *w = *state;
    struct expect *e = &w->config.policy.expects[0];

    e->for_ms = 3600000;
    e->flapping = (struct allowed_rate){.max = 1, .window_ms = 600};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(poll_of(w, i % 2 ? "" : "0.0.0.0:80"), 0);
        assert_int_equal(judge_of(w), 1);
    }
    assert_int_equal(w->cycle.verdict->services[0].past.interruptions, 2);
    assert_int_equal(w->cycle.alert_list->count, 1);
    assert_int_equal(w->cycle.alert_list->items[0].key.rule, RULE_FLAPPING);
    assert_int_equal(w->cycle.alert_list->items[0].state, ALERT_FIRING);
    do { /* until the clock, which is a real one, has gone on */
        assert_int_equal(poll_of(w, NULL), 0);
        assert_int_equal(judge_of(w), 0);
    } while (!machine.asked_anew);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0); /* as a poll that was asked would find */
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 0);
    assert_int_equal(w->cycle.verdict->services[0].past.interruptions, 2);
    assert_int_equal(poll_of(w, NULL), 0);
    assert_false(machine.asked_anew);
}

static void a_single_look_has_no_windows(void **state)
{
    struct world *w = *state;

    cycle_close(&w->cycle);
    assert_int_equal(cycle_open(&w->cycle, false), 0);
    w->config.policy.expects[0].flapping = (struct allowed_rate){.max = 1, .window_ms = 60000};
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_false(w->cycle.verdict->services[0].used & 1u << RULE_FLAPPING);
    assert_int_equal(poll_of(w, NULL), 0);
    assert_int_equal(judge_of(w), 0);
}

static void services_that_come_and_go_are_in_the_status(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(poll_of(w, "0.0.0.0:81 0.0.0.0:82"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.status.turnover[PROTOCOL_TCP].appeared, 2);
    assert_int_equal(w->cycle.status.turnover[PROTOCOL_TCP].disappeared, 1);
}

static void connections_are_judged_also_where_local_ports_matter(void **state)
{
    struct world *w = *state;

    w->config.policy.ephemeral = (struct ephemeral_limit){.enabled = true, .max_used = 0.5};
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
    assert_true(cycle_has_news(&w->cycle, &w->config));
    assert_int_equal(poll_of(w, NULL), 0);
    assert_true(machine.asked_anew);
}

static void a_table_that_did_not_change_is_shared(void **state)
{
    struct world *w = *state;
    const struct space *before, *after;
    const struct snapshot *kept;
    const struct verdict *verdict;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    kept = snapshot_ref(w->cycle.snapshot);
    verdict = w->cycle.verdict;
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
    before = snapshot_host(kept);
    after = snapshot_host(w->cycle.snapshot);
    assert_ptr_equal(before->listeners, after->listeners);
    assert_null(before->connections);
    assert_int_equal(space_connections(after, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 3);
    assert_ptr_equal(w->cycle.verdict, verdict); /* which is about listeners */
    snapshot_unref(kept);
}

/* What rules say to connections is told by a poll, which looks whether it found
 * anything new or not. */
static void connections_that_rules_are_about_are_judged_by_the_next_poll(void **state)
{
    struct world *w = *state;
    struct expect *e = &w->config.policy.expects[0];

    e->connections_limited = true;
    e->connections = (struct allowed_count){.max = 3};
    assert_int_equal(policy_seal(&w->config.policy), 0);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.verdict->services[0].untold, 1u << RULE_CONNECTIONS_OUT_OF_RANGE);
    assert_false(cycle_has_news(&w->cycle, &w->config));
    assert_int_equal(step_of(w, 4), 1);
    assert_true(cycle_has_news(&w->cycle, &w->config));
    assert_int_equal(judge_of(w), 1); /* they are shown at once */
    assert_int_equal(w->cycle.alert_list->count, 0);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_true(machine.asked_anew);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 1);
    assert_int_equal(w->cycle.alert_list->items[0].key.rule, RULE_CONNECTIONS_OUT_OF_RANGE);
    assert_false(cycle_has_news(&w->cycle, &w->config));
    assert_int_equal(step_of(w, 4), 1);
    assert_int_equal(poll_of(w, NULL), 0);
    assert_false(machine.asked_anew); /* they are the same */
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 0);
}

static void connections_that_no_rule_is_about_are_not_judged(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(step_of(w, 4), 1);
    assert_false(cycle_has_news(&w->cycle, &w->config));
    assert_int_equal(poll_of(w, NULL), 0);
    assert_false(machine.asked_anew);
}

static void what_the_host_counts_is_new_when_it_is_another_number(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
    assert_false(snapshot_host(w->cycle.snapshot)->counters.known[HOST_TCP_LISTEN_DROPS]);
    for (uint64_t value = 0; value < 3; value++) {
        machine.host_counters.known[HOST_TCP_LISTEN_DROPS] = true;
        machine.host_counters.values[HOST_TCP_LISTEN_DROPS] = value;
        assert_int_equal(step_of(w, 3), 1);
        assert_int_equal(judge_of(w), 1);
        assert_true(snapshot_host(w->cycle.snapshot)->counters.known[HOST_TCP_LISTEN_DROPS]);
        assert_int_equal(snapshot_host(w->cycle.snapshot)->counters.values[HOST_TCP_LISTEN_DROPS], value);
        assert_int_equal(step_of(w, 3), 1);
        assert_int_equal(judge_of(w), 0);
    }
    machine.host_counters.known[HOST_TCP_LISTEN_DROPS] = false;
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
}

static const struct unit_table *units_of(unsigned sockets)
{
    const struct connection connection = {.state = STATE_ESTABLISHED};
    struct unit_counter *c = unit_counter_new(1);
    const struct unit_table *t;

    assert_non_null(c);
    for (unsigned i = 0; i < sockets; i++)
        assert_int_equal(unit_counter_add(c, DIRECTION_INBOUND, &connection), 0);
    assert_int_equal(unit_counter_name_next(c, NULL, NULL), 0); /* the kernel tells no cgroup */
    t = unit_counter_seal(c);
    assert_non_null(t);
    unit_counter_free(c);
    return t;
}

static void units_are_told_as_long_as_they_are_asked_for(void **state)
{
    struct world *w = *state;
    size_t count;

    w->config.by_unit = true;
    cycle_begin_connections(&w->cycle, &w->config);
    assert_true(machine.asked_by_unit);
    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    for (int i = 0; i < 2; i++) {
        machine.units = units_of(3);
        assert_int_equal(step_of(w, 3), 1);
        assert_int_equal(judge_of(w), i == 0); /* then it is nothing new */
        assert_int_equal(unit_table_rows(snapshot_host(w->cycle.snapshot)->units, &count)
                             ->states.counts[DIRECTION_INBOUND][STATE_ESTABLISHED],
                         3);
        assert_int_equal(count, 1);
    }
    w->config.by_unit = false;
    cycle_begin_connections(&w->cycle, &w->config);
    assert_false(machine.asked_by_unit);
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
    assert_null(snapshot_host(w->cycle.snapshot)->units);
}

static void connections_that_are_the_same_are_nothing_new(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 0);
    assert_int_equal(w->cycle.status.polls[POLL_CONNECTIONS][RESULT_SUCCESS], 2);
    machine.caveats = (struct caveats){.route_localnet_known = true, .route_localnet = true};
    assert_int_equal(step_of(w, 3), 1);
    assert_int_equal(judge_of(w), 1); /* the host has changed */
    assert_true(snapshot_host(w->cycle.snapshot)->caveats.route_localnet);
    assert_int_equal(step_of(w, 4), 1);
    assert_int_equal(judge_of(w), 1);
}

static void another_configuration_is_judged_by_anew(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:81"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 1);
    policy_done(&w->config.policy);
    w->config.policy = policy_expecting("web=tcp/81");
    assert_int_equal(judge_of(w), 0);
    cycle_judge_anew(&w->cycle);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->count, 0);
    assert_int_equal(w->told, 2);
}

static void an_alert_fires_when_its_time_has_come(void **state)
{
    struct world *w = *state;

    w->config.policy.expects[0].for_ms = 30;
    assert_int_equal(poll_of(w, "0.0.0.0:81"), 0);
    assert_int_equal(judge_of(w), 1);
    assert_int_equal(w->cycle.alert_list->items[0].state, ALERT_PENDING);
    while (judge_of(w) == 0) /* until the clock, which is a real one, has gone on */
        assert_int_equal(w->cycle.alert_list->items[0].state, ALERT_PENDING);
    assert_int_equal(w->cycle.alert_list->items[0].state, ALERT_FIRING);
    assert_int_equal(w->told, 2);
    assert_int_equal(judge_of(w), 0);
}

/* What was judged before stays, and the next attempt judges all. */
static void memory_may_be_refused_to_judging_at_any_step(void **state)
{
    struct world *w = *state;
    size_t refused = 0;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    for (size_t n = 1;; n++) {
        const struct snapshot *before;
        int r;

        assert_int_equal(poll_of(w, n % 2 ? "0.0.0.0:81" : "0.0.0.0:80"), 0);
        before = w->cycle.snapshot;
        refuse_nth(n);
        r = judge_of(w);
        if (!refuse_stop()) {
            assert_int_equal(r, 1);
            break;
        }
        refused++;
        if (r < 0) {
            assert_int_equal(r, -ENOMEM);
            assert_non_null(before);
            assert_int_equal(judge_of(w), 1);
        }
        assert_int_equal(w->cycle.alert_list->count, n % 2);
    }
    assert_in_range(refused, 3, 100);
}

static void a_poll_that_fails_is_counted_and_keeps_what_is_known(void **state)
{
    struct world *w = *state;

    assert_int_equal(poll_of(w, "0.0.0.0:80"), 0);
    assert_int_equal(judge_of(w), 1);
    machine.listeners_result = machine.connections_result = -ENOMEM;
    assert_int_equal(poll_of(w, NULL), -ENOMEM);
    assert_int_equal(cycle_step(&w->cycle, &w->config, &(struct budget){.until_us = BUDGET_NO_END}), -ENOMEM);
    assert_int_equal(w->cycle.status.polls[POLL_LISTENERS][RESULT_FAILURE], 1);
    assert_int_equal(w->cycle.status.polls[POLL_CONNECTIONS][RESULT_FAILURE], 1);
    assert_non_null(w->cycle.host.listeners);
    assert_int_equal(judge_of(w), 0);
    machine.listeners_result = 0;
    machine.saw_anything = false; /* nothing could be read */
    assert_int_equal(poll_of(w, ""), 0);
    assert_int_equal(w->cycle.status.polls[POLL_LISTENERS][RESULT_FAILURE], 2);
}

#define with_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_world(what_is_new_is_judged_and_told),
        with_world(nothing_new_changes_nothing_and_allocates_nothing),
        with_world(time_passes_with_each_poll_but_not_all_at_once),
        with_world(a_window_that_moves_on_is_judged_anew),
        with_world(a_single_look_has_no_windows),
        with_world(services_that_come_and_go_are_in_the_status),
        with_world(connections_are_judged_also_where_local_ports_matter),
        with_world(a_table_that_did_not_change_is_shared),
        with_world(connections_that_rules_are_about_are_judged_by_the_next_poll),
        with_world(connections_that_no_rule_is_about_are_not_judged),
        with_world(what_the_host_counts_is_new_when_it_is_another_number),
        with_world(units_are_told_as_long_as_they_are_asked_for),
        with_world(connections_that_are_the_same_are_nothing_new),
        with_world(another_configuration_is_judged_by_anew),
        with_world(an_alert_fires_when_its_time_has_come),
        with_world(memory_may_be_refused_to_judging_at_any_step),
        with_world(a_poll_that_fails_is_counted_and_keeps_what_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
