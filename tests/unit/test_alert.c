#include "core/alert.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

enum { TRANSITIONS_MAX = 256 };

struct transition {
    struct alert alert;
    bool was_firing;
};

/* An alert list, the verdict it gets next, and what it reported since the last
 * step. */
struct world {
    struct alerts alerts;
    struct finding findings[TRANSITIONS_MAX];
    struct verdict verdict;
    struct transition transitions[TRANSITIONS_MAX];
    size_t transition_count;
};

static void record(void *arg, const struct alert *alert, bool was_firing)
{
    struct world *w = arg;

    assert_true(w->transition_count < TRANSITIONS_MAX);
    w->transitions[w->transition_count++] = (struct transition){*alert, was_firing};
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    w->verdict.findings = w->findings;
    memset(w->verdict.seen, true, sizeof w->verdict.seen);
    memset(w->verdict.complete, true, sizeof w->verdict.complete);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    alerts_done(&w->alerts);
    free(w);
    return 0;
}

static struct finding *find(struct world *w, enum rule rule, const char *name, int64_t for_ms)
{
    struct finding *f = &w->findings[w->verdict.count++];

    assert_true(w->verdict.count <= TRANSITIONS_MAX);
    *f = (struct finding){.key = {.rule = rule}, .severity = SEVERITY_CRITICAL, .for_ms = for_ms};
    (void)snprintf(f->key.name, sizeof f->key.name, "%s", name);
    (void)snprintf(f->summary, sizeof f->summary, "%s is so", name);
    return f;
}

/* An UnexpectedListener about 0.0.0.0:port. */
static struct finding *find_listener(struct world *w, uint16_t port)
{
    struct finding *f = find(w, RULE_UNEXPECTED_LISTENER, "", 0);

    f->key.has_port = f->key.has_endpoint = true;
    f->key.port = port;
    f->key.address.version = 4;
    return f;
}

static struct instant at(int64_t mono_ms)
{
    return (struct instant){mono_ms, mono_ms + 1000000};
}

/* Applies the verdict; the next one begins empty. */
static void step(struct world *w, int64_t mono_ms)
{
    w->transition_count = 0;
    assert_int_equal(alerts_update(&w->alerts, &w->verdict, at(mono_ms), record, w), 0);
    w->verdict.count = 0;
}

static void assert_transition(const struct world *w, size_t i, enum alert_state alert_state, bool was_firing)
{
    assert_true(i < w->transition_count);
    assert_int_equal(w->transitions[i].alert.state, alert_state);
    assert_int_equal(w->transitions[i].was_firing, was_firing);
}

static void states_are_named_as_in_the_contract(void **state)
{
    (void)state;
    assert_string_equal(alert_state_name(ALERT_PENDING), "pending");
    assert_string_equal(alert_state_name(ALERT_FIRING), "firing");
    assert_string_equal(alert_state_name(ALERT_RESOLVED), "resolved");
}

static void nothing_found_is_nothing_reported(void **state)
{
    struct world *w = *state;

    step(w, 0);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 0);
}

static void goes_from_pending_to_firing_to_resolved(void **state)
{
    struct world *w = *state;
    const struct transition *first = &w->transitions[0];

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 5000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_PENDING, false);
    assert_string_equal(first->alert.key.name, "web");
    assert_string_equal(first->alert.summary, "web is so");
    assert_int_equal(first->alert.severity, SEVERITY_CRITICAL);
    assert_int_equal(first->alert.since.mono_ms, 5000);
    assert_int_equal(first->alert.since.wall_ms, 1005000);

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 5000 + YEAR_MS - 1);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 5000 + YEAR_MS);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
    assert_int_equal(first->alert.since.mono_ms, 5000);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);

    step(w, 5001 + YEAR_MS);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
    assert_string_equal(first->alert.key.name, "web");
    assert_int_equal(first->alert.since.mono_ms, 5000);
    assert_int_equal(w->alerts.count, 0);

    step(w, 5002 + YEAR_MS);
    assert_int_equal(w->transition_count, 0);
}

static void fires_at_once_without_a_for(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 1);
    assert_int_equal(w->transition_count, 0);
}

static void fires_late_when_nobody_looked_in_between(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 0);
    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, YEAR_MS);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
}

static void is_resolved_before_it_fired(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 0);
    step(w, 999);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, false);
    assert_int_equal(w->alerts.count, 0);
}

/* A condition that comes and goes never adds up to its "for". */
static void a_condition_that_returns_starts_again(void **state)
{
    struct world *w = *state;

    for (int64_t now = 0; now < 10000; now += 1000) {
        find(w, RULE_NOT_LISTENING, "web", 1000);
        step(w, now);
        assert_int_equal(w->transition_count, 1);
        assert_transition(w, 0, ALERT_PENDING, false);
        assert_int_equal(w->transitions[0].alert.since.mono_ms, now);
        step(w, now + 500);
        assert_int_equal(w->transition_count, 1);
        assert_transition(w, 0, ALERT_RESOLVED, false);
    }
}

static void a_firing_alert_is_reported_once_however_long_it_lasts(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 0);
    for (int64_t now = 0; now < 100; now++) {
        find(w, RULE_NOT_LISTENING, "web", 0);
        step(w, now * YEAR_MS);
        assert_int_equal(w->transition_count, 0);
    }
    step(w, 100 * YEAR_MS);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
}

static void summary_and_severity_follow_the_condition(void **state)
{
    struct world *w = *state;
    struct finding *f;

    find(w, RULE_EXPOSED, "web", 0);
    step(w, 0);
    f = find(w, RULE_EXPOSED, "web", 0);
    f->severity = SEVERITY_WARNING;
    (void)snprintf(f->summary, sizeof f->summary, "now two of them");
    step(w, 1);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].severity, SEVERITY_WARNING);
    assert_string_equal(w->alerts.items[0].summary, "now two of them");
}

/* A reload may change "for" under an alert. */
static void a_changed_for_counts_from_when_the_condition_began(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 0);
    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 1000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 1001);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
}

static void nothing_resolves_in_the_dark(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 0);
    w->verdict.seen[PROTOCOL_TCP] = w->verdict.complete[PROTOCOL_TCP] = false;
    step(w, 1);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
    w->verdict.seen[PROTOCOL_TCP] = w->verdict.complete[PROTOCOL_TCP] = true;
    step(w, 2);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
}

static void nothing_fires_in_the_dark(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 0);
    w->verdict.seen[PROTOCOL_TCP] = w->verdict.complete[PROTOCOL_TCP] = false;
    step(w, YEAR_MS);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);
    assert_int_equal(w->alerts.items[0].since.mono_ms, 0);
}

static void the_dark_holds_its_own_class_only(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    find(w, RULE_NOT_LISTENING, "dns", 0)->key.protocol = PROTOCOL_UDP;
    step(w, 0);
    w->verdict.seen[PROTOCOL_UDP] = w->verdict.complete[PROTOCOL_UDP] = false;
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_string_equal(w->transitions[0].alert.key.name, "web");
    assert_int_equal(w->alerts.count, 1);
    assert_string_equal(w->alerts.items[0].key.name, "dns");
}

static void blind_resolves_whatever_was_seen(void **state)
{
    struct world *w = *state;

    memset(w->verdict.seen, false, sizeof w->verdict.seen);
    memset(w->verdict.complete, false, sizeof w->verdict.complete);
    find(w, RULE_BLIND, "", 0);
    step(w, 0);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
}

/* The listener may still be there, beyond limits.listeners. */
static void a_cut_class_holds_alerts_about_single_listeners(void **state)
{
    struct world *w = *state;

    find_listener(w, 8080);
    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 0);
    w->verdict.complete[PROTOCOL_TCP] = false;
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_int_equal(w->transitions[0].alert.key.rule, RULE_NOT_LISTENING);
    assert_transition(w, 0, ALERT_RESOLVED, true);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].key.port, 8080);
    w->verdict.complete[PROTOCOL_TCP] = true;
    step(w, 2);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
}

static void find_variant(struct world *w, size_t variant)
{
    struct finding *f = find_listener(w, 80);

    switch (variant) {
    case 0: break;
    case 1: f->key.port = 81; break;
    case 2: f->key.protocol = PROTOCOL_UDP; break;
    case 3: f->key.rule = RULE_EXPOSED; break;
    case 4: f->key.family = FAMILY_DUAL; break;
    case 5: f->key.address.version = 6; break;
    case 6: f->key.address.bytes[0] = 1; break;
    case 7: f->key.address.bytes[15] = 1; break;
    case 8: (void)snprintf(f->key.interface, sizeof f->key.interface, "eth0"); break;
    case 9: (void)snprintf(f->key.interface, sizeof f->key.interface, "eth1"); break;
    case 10: (void)snprintf(f->key.name, sizeof f->key.name, "a"); break;
    case 11: (void)snprintf(f->key.name, sizeof f->key.name, "ab"); break;
    case 12: f->key.has_endpoint = false; break;
    case 13: f->key.has_port = f->key.has_endpoint = false, f->key.port = 0; break;
    default: fail();
    }
}

static void assert_same_key(const struct alert_key *a, const struct alert_key *b)
{
    assert_int_equal(a->rule, b->rule);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->has_port, b->has_port);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->has_endpoint, b->has_endpoint);
    assert_int_equal(a->family, b->family);
    assert_int_equal(ip_addr_compare(&a->address, &b->address), 0);
    assert_string_equal(a->interface, b->interface);
}

/* Each field of the key tells alerts apart. */
static void alerts_with_nearly_the_same_key_do_not_mix(void **state)
{
    const size_t variants = 14;
    struct world *w = *state;

    for (size_t gone = 0; gone < variants; gone++) {
        for (size_t i = 0; i < variants; i++)
            find_variant(w, i);
        step(w, 0);
        assert_int_equal(w->alerts.count, variants);
        assert_int_equal(w->transition_count, gone == 0 ? variants : 1);

        /* In another order, which must not matter. */
        for (size_t i = variants; i-- > 0;)
            if (i != gone)
                find_variant(w, i);
        step(w, 1);
        assert_int_equal(w->alerts.count, variants - 1);
        assert_int_equal(w->transition_count, 1);
        assert_transition(w, 0, ALERT_RESOLVED, true);
        find_variant(w, gone);
        assert_same_key(&w->transitions[0].alert.key, &w->findings[0].key);
        w->verdict.count = 0;
    }
}

static void old_and_new_alerts_take_turns(void **state)
{
    struct world *w = *state;

    for (uint16_t round = 0; round < 50; round++) {
        for (uint16_t i = 0; i < 100; i++)
            find_listener(w, (uint16_t)(60000 - 37 * ((round * 50 + i) % 1500)));
        step(w, round);
        assert_int_equal(w->alerts.count, 100);
        assert_int_equal(w->transition_count, 100);
        for (size_t i = 0; i < w->transition_count; i++)
            assert_int_equal(w->transitions[i].alert.state,
                             round > 0 && i < 50 ? ALERT_RESOLVED : ALERT_FIRING);
    }
}

static struct port_range port_80[] = {{80, 80}};

/* Applies a new policy: an entry of this name for TCP port 80, with or without
 * unexpected listeners. */
static void forget(struct world *w, const char *name, bool unexpected)
{
    struct expect e = {.match = {.protocol = PROTOCOL_TCP, .ports = port_80, .port_count = 1}};
    const struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = unexpected};

    (void)snprintf(e.name, sizeof e.name, "%s", name);
    w->transition_count = 0;
    alerts_forget(&w->alerts, &policy, record, w);
}

static void find_on_port_80(struct world *w, const char *name, int64_t for_ms)
{
    struct finding *f = find(w, RULE_NOT_LISTENING, name, for_ms);

    f->key.has_port = true;
    f->key.port = 80;
}

static void forgetting_resolves_what_the_policy_does_not_want(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    find_on_port_80(w, "b", 1000);
    find_on_port_80(w, "c", 0);
    find_listener(w, 8080);
    find(w, RULE_BLIND, "", 0);
    step(w, 0);
    assert_int_equal(w->alerts.count, 5);

    forget(w, "c", true);
    assert_int_equal(w->transition_count, 2);
    assert_transition(w, 0, ALERT_RESOLVED, true);
    assert_string_equal(w->transitions[0].alert.key.name, "a");
    assert_transition(w, 1, ALERT_RESOLVED, false);
    assert_string_equal(w->transitions[1].alert.key.name, "b");
    assert_int_equal(w->alerts.count, 3);

    forget(w, "c", false);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
    assert_int_equal(w->transitions[0].alert.key.port, 8080);
    assert_int_equal(w->alerts.count, 2);

    forget(w, "c", false); /* said once */
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 2);
}

/* In the dark nothing else would ever resolve them. */
static void forgetting_works_in_the_dark(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    step(w, 0);
    memset(w->verdict.seen, false, sizeof w->verdict.seen);
    memset(w->verdict.complete, false, sizeof w->verdict.complete);
    step(w, 1);
    assert_int_equal(w->alerts.count, 1);
    forget(w, "b", false);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, true);
    assert_int_equal(w->alerts.count, 0);
}

static void what_is_kept_goes_on_as_it_was(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    find_on_port_80(w, "b", 1000);
    find_on_port_80(w, "c", 0);
    step(w, 0);
    forget(w, "b", false);
    assert_int_equal(w->alerts.count, 1);
    assert_string_equal(w->alerts.items[0].key.name, "b");
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);

    find_on_port_80(w, "b", 1000);
    step(w, 1000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, false);
    assert_int_equal(w->transitions[0].alert.since.mono_ms, 0);

    find_on_port_80(w, "a", 0); /* what was forgotten may come again */
    find_on_port_80(w, "b", 1000);
    step(w, 1001);
    assert_int_equal(w->transition_count, 1);
    assert_string_equal(w->transitions[0].alert.key.name, "a");
    assert_int_equal(w->transitions[0].alert.since.mono_ms, 1001);
}

static void without_alerts_there_is_nothing_to_forget(void **state)
{
    struct world *w = *state;

    forget(w, "a", true);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 0);
}

static void done_may_be_repeated(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 0);
    alerts_done(&w->alerts);
    assert_int_equal(w->alerts.count, 0);
    alerts_done(&w->alerts);
}

static void what_cannot_be_told_stays_as_it_was(void **state)
{
    struct world *w = *state;

    find(w, RULE_WRONG_OWNER, "db", 10000);
    step(w, 0);
    find(w, RULE_WRONG_OWNER, "db", 10000)->undetermined = true;
    step(w, 20000);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);
    find(w, RULE_WRONG_OWNER, "db", 10000);
    step(w, 20001);
    assert_transition(w, 0, ALERT_FIRING, false);
    find(w, RULE_WRONG_OWNER, "db", 10000)->undetermined = true;
    step(w, 30000);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
    step(w, 40000);
    assert_transition(w, 0, ALERT_RESOLVED, true);
}

static void what_cannot_be_told_begins_nothing(void **state)
{
    struct world *w = *state;

    find(w, RULE_WRONG_OWNER, "db", 0)->undetermined = true;
    step(w, 0);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_named_as_in_the_contract),
        cmocka_unit_test_setup_teardown(nothing_found_is_nothing_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_from_pending_to_firing_to_resolved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fires_at_once_without_a_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fires_late_when_nobody_looked_in_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_resolved_before_it_fired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_condition_that_returns_starts_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_firing_alert_is_reported_once_however_long_it_lasts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(summary_and_severity_follow_the_condition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_for_counts_from_when_the_condition_began, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_resolves_in_the_dark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_fires_in_the_dark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_dark_holds_its_own_class_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blind_resolves_whatever_was_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_class_holds_alerts_about_single_listeners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alerts_with_nearly_the_same_key_do_not_mix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_and_new_alerts_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_resolves_what_the_policy_does_not_want, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_works_in_the_dark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_goes_on_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_alerts_there_is_nothing_to_forget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(done_may_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_stays_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_begins_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
