#include "tests/unit/alerting.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

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
    const struct told *first = &w->transitions[0];

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 5000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_PENDING, ALERT_RESOLVED);
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
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
    assert_int_equal(first->alert.since.mono_ms, 5000);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);

    step(w, 5001 + YEAR_MS);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
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
    assert_transition(w, 0, ALERT_FIRING, ALERT_RESOLVED);
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
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
}

static void is_resolved_before_it_fired(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 0);
    step(w, 999);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_PENDING);
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
        assert_transition(w, 0, ALERT_PENDING, ALERT_RESOLVED);
        assert_int_equal(w->transitions[0].alert.since.mono_ms, now);
        step(w, now + 500);
        assert_int_equal(w->transition_count, 1);
        assert_transition(w, 0, ALERT_RESOLVED, ALERT_PENDING);
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
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
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
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
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
    see(w, PROTOCOL_TCP, false);
    step(w, 1);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
    see(w, PROTOCOL_TCP, true);
    step(w, 2);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
}

static void nothing_fires_in_the_dark(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 1000);
    step(w, 0);
    see(w, PROTOCOL_TCP, false);
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
    see(w, PROTOCOL_UDP, false);
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_string_equal(w->transitions[0].alert.key.name, "web");
    assert_int_equal(w->alerts.count, 1);
    assert_string_equal(w->alerts.items[0].key.name, "dns");
}

static void blind_resolves_whatever_was_seen(void **state)
{
    struct world *w = *state;

    see_all(w, false);
    find(w, RULE_BLIND, "", 0);
    step(w, 0);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, ALERT_RESOLVED);
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
}

/* The listener may still be there, beyond limits.listeners. */
static void a_cut_class_holds_alerts_about_single_listeners(void **state)
{
    struct world *w = *state;

    find_listener(w, 8080);
    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 0);
    w->verdict.classes[PROTOCOL_TCP].complete = false;
    step(w, 1);
    assert_int_equal(w->transition_count, 1);
    assert_int_equal(w->transitions[0].alert.key.rule, RULE_NOT_LISTENING);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].key.port, 8080);
    w->verdict.classes[PROTOCOL_TCP].complete = true;
    step(w, 2);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
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
        assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
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

/* Applies a new policy: an entry of this name for TCP port 80, with or without
 * unexpected listeners. */
static void forget(struct world *w, const char *name, bool unexpected)
{
    struct policy policy;
    char entry[64];

    (void)snprintf(entry, sizeof entry, "%s=tcp/80", name);
    policy = policy_expecting(entry);
    policy.unexpected.enabled = unexpected;
    w->transition_count = 0;
    alerts_forget(&w->alerts, &policy, at(77), &w->subscribers);
    policy_done(&policy);
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

    find_listener(w, 8080);
    find_listener(w, 8081)->key.rule = RULE_EXPOSED;
    find_on_port_80(w, "c", 0);
    find(w, RULE_BLIND, "", 0);
    step(w, 0);
    assert_int_equal(w->alerts.count, 4);

    forget(w, "c", true);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
    assert_int_equal(w->transitions[0].alert.key.port, 8081);
    assert_int_equal(w->alerts.count, 3);

    forget(w, "c", false);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
    assert_int_equal(w->transitions[0].alert.key.port, 8080);
    assert_int_equal(w->alerts.count, 2);

    forget(w, "c", false); /* said once */
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 2);
}

/* Something else may be wrong with a service that is still expected. */
static void forgetting_leaves_services_to_the_next_verdict(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    find_on_port_80(w, "b", 1000);
    find_on_port_80(w, "c", 0);
    step(w, 0);
    forget(w, "c", true);
    assert_int_equal(w->transition_count, 0);
    find_on_port_80(w, "c", 0);
    step(w, 1);
    assert_int_equal(w->transition_count, 2);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
    assert_string_equal(w->transitions[0].alert.key.name, "a");
    assert_transition(w, 1, ALERT_RESOLVED, ALERT_PENDING);
    assert_string_equal(w->transitions[1].alert.key.name, "b");
    assert_int_equal(w->alerts.count, 1);
}

/* In the dark nothing else would ever resolve them. */
static void forgetting_works_in_the_dark(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    step(w, 0);
    see_all(w, false);
    step(w, 1);
    assert_int_equal(w->alerts.count, 1);
    forget(w, "b", false);
    step(w, 2);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
    assert_int_equal(w->alerts.count, 0);
}

static void what_a_later_policy_wants_again_stays(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    step(w, 0);
    forget(w, "b", false);
    forget(w, "a", false);
    see_all(w, false);
    step(w, 1);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 1);
}

static void what_is_kept_goes_on_as_it_was(void **state)
{
    struct world *w = *state;

    find_on_port_80(w, "a", 0);
    find_on_port_80(w, "b", 1000);
    find_on_port_80(w, "c", 0);
    step(w, 0);
    forget(w, "b", false);
    find_on_port_80(w, "b", 1000);
    step(w, 999);
    assert_int_equal(w->alerts.count, 1);
    assert_string_equal(w->alerts.items[0].key.name, "b");
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);

    find_on_port_80(w, "b", 1000);
    step(w, 1000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
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
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
    find(w, RULE_WRONG_OWNER, "db", 10000)->undetermined = true;
    step(w, 30000);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
    step(w, 40000);
    assert_transition(w, 0, ALERT_RESOLVED, ALERT_FIRING);
}

static void what_cannot_be_told_begins_nothing(void **state)
{
    struct world *w = *state;

    find(w, RULE_WRONG_OWNER, "db", 0)->undetermined = true;
    step(w, 0);
    assert_int_equal(w->transition_count, 0);
    assert_int_equal(w->alerts.count, 0);
}

/* Whether applying the verdict of before again would change a state. */
static void assert_due_from(const struct world *w, int64_t mono_ms)
{
    assert_int_equal(w->alerts.due_ms, mono_ms);
    assert_false(alerts_are_due(&w->alerts, at(mono_ms - 1)));
    assert_true(alerts_are_due(&w->alerts, at(mono_ms)));
    assert_true(alerts_are_due(&w->alerts, at(mono_ms + 1)));
}

static void assert_never_due(const struct world *w)
{
    assert_int_equal(w->alerts.due_ms, INT64_MAX);
    assert_false(alerts_are_due(&w->alerts, at(INT64_MAX - 1000000)));
}

static void before_the_first_verdict_alerts_are_due(void **state)
{
    struct world *w = *state;

    assert_true(alerts_are_due(&w->alerts, at(0)));
    step(w, 0);
    assert_never_due(w);
}

static void what_fires_is_not_due_any_more(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 5000);
    assert_never_due(w);
    find(w, RULE_NOT_LISTENING, "web", 0);
    find(w, RULE_NOT_LISTENING, "dns", 1000);
    step(w, 6000);
    assert_due_from(w, 7000);
    find(w, RULE_NOT_LISTENING, "web", 0);
    find(w, RULE_NOT_LISTENING, "dns", 1000);
    step(w, 7000);
    assert_never_due(w);
}

/* The three began at different times. */
static void find_three(struct world *w, size_t count)
{
    static const int64_t for_ms[] = {9000, 2000, 4000};
    static const char *const names[] = {"b", "c", "a"};

    for (size_t i = 0; i < count; i++)
        find(w, RULE_NOT_LISTENING, names[i], for_ms[i]);
}

static void the_earliest_of_several_is_due_next(void **state)
{
    static const struct {
        size_t found;
        int64_t now, due;
        size_t transitions;
    } steps[] = {
        {1, 0, 9000, 1},    {2, 1000, 3000, 1}, {3, 1500, 3000, 1}, {3, 2999, 3000, 0},
        {3, 3000, 5500, 1}, {3, 5499, 5500, 0}, {3, 5500, 9000, 1}, {3, 9000, INT64_MAX, 1},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        find_three(w, steps[i].found);
        step(w, steps[i].now);
        assert_int_equal(w->transition_count, steps[i].transitions);
        assert_int_equal(w->alerts.due_ms, steps[i].due);
    }
    assert_never_due(w);
}

static void what_resolves_is_not_due_any_more(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "a", 1000);
    find(w, RULE_NOT_LISTENING, "b", 2000);
    step(w, 0);
    assert_due_from(w, 1000);
    find(w, RULE_NOT_LISTENING, "b", 2000);
    step(w, 500);
    assert_due_from(w, 2000);
    step(w, 600);
    assert_never_due(w);
}

static void what_cannot_be_told_or_seen_is_not_due(void **state)
{
    struct world *w = *state;

    find(w, RULE_WRONG_OWNER, "db", 1000);
    find(w, RULE_NOT_LISTENING, "dns", 1000)->key.protocol = PROTOCOL_UDP;
    step(w, 0);
    find(w, RULE_WRONG_OWNER, "db", 1000)->undetermined = true;
    see(w, PROTOCOL_UDP, false);
    step(w, 500);
    assert_int_equal(w->alerts.count, 2);
    assert_never_due(w);
    find(w, RULE_WRONG_OWNER, "db", 1000);
    step(w, 600);
    assert_due_from(w, 1000);
}

static struct finding *find_to_be_confirmed(struct world *w, int64_t for_ms)
{
    struct finding *f = find(w, RULE_BLIND, "", for_ms);

    f->confirm = true;
    return f;
}

static void what_must_be_confirmed_fires_at_the_second_poll(void **state)
{
    struct world *w = *state;

    find_to_be_confirmed(w, 0);
    step(w, 5000);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_PENDING, ALERT_RESOLVED);
    assert_due_from(w, 5001);
    find_to_be_confirmed(w, 0);
    step(w, 5001);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
    assert_int_equal(w->transitions[0].alert.since.mono_ms, 5000);
    assert_never_due(w);
}

static void what_is_not_confirmed_never_fires(void **state)
{
    struct world *w = *state;

    for (int64_t now = 0; now < 10000; now += 1000) {
        find_to_be_confirmed(w, 0);
        step(w, now);
        assert_transition(w, 0, ALERT_PENDING, ALERT_RESOLVED);
        step(w, now + 500);
        assert_transition(w, 0, ALERT_RESOLVED, ALERT_PENDING);
        assert_never_due(w);
    }
}

/* A reload may judge twice in a moment. */
static void the_same_moment_confirms_nothing(void **state)
{
    struct world *w = *state;

    find_to_be_confirmed(w, 0);
    step(w, 5000);
    assert_false(alerts_are_due(&w->alerts, at(5000)));
    find_to_be_confirmed(w, 0);
    step(w, 5000);
    assert_int_equal(w->transition_count, 0);
    assert_due_from(w, 5001);
}

static void what_lasts_for_its_time_is_confirmed(void **state)
{
    struct world *w = *state;

    find_to_be_confirmed(w, 1000);
    step(w, 0);
    assert_due_from(w, 1000);
    find_to_be_confirmed(w, 1000);
    step(w, 999);
    assert_int_equal(w->transition_count, 0);
    find_to_be_confirmed(w, 1000);
    step(w, 1000);
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
}

/* The one-shot check looks only once. */
static void without_time_everything_fires_at_once(void **state)
{
    struct world *w = *state;

    w->ignore_for = true;
    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    find_to_be_confirmed(w, 0);
    find_to_be_confirmed(w, YEAR_MS)->key.protocol = PROTOCOL_UDP;
    find(w, RULE_WRONG_OWNER, "db", 0)->undetermined = true;
    step(w, 0);
    assert_int_equal(w->transition_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_transition(w, i, ALERT_FIRING, ALERT_RESOLVED);
    assert_never_due(w);
}

static void what_is_pending_fires_when_time_is_ignored(void **state)
{
    struct world *w = *state;

    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 0);
    w->ignore_for = true;
    find(w, RULE_NOT_LISTENING, "web", YEAR_MS);
    step(w, 0);
    assert_int_equal(w->transition_count, 1);
    assert_transition(w, 0, ALERT_FIRING, ALERT_PENDING);
}

static void transitions_tell_when_they_happened(void **state)
{
    struct world *w = *state;

    find_listener(w, 8080);
    step(w, 5000);
    assert_int_equal(w->transitions[0].at.mono_ms, 5000);
    assert_int_equal(w->transitions[0].at.wall_ms, 1005000);
    forget(w, "b", false);
    assert_int_equal(w->transitions[0].at.mono_ms, 77);
    assert_int_equal(w->transitions[0].alert.since.mono_ms, 5000);
}

/* Applies the verdict, which must change something that is shown, or nothing. */
static void assert_step_changes(struct world *w, int64_t mono_ms, bool wanted)
{
    uint64_t before = w->alerts.changes;

    step(w, mono_ms);
    assert_int_equal(w->alerts.changes > before, wanted);
}

static void changes_are_counted_and_nothing_else(void **state)
{
    struct world *w = *state;

    assert_step_changes(w, 0, false);
    find(w, RULE_EXPOSED, "web", 1000);
    assert_step_changes(w, 1, true); /* pending */
    find(w, RULE_EXPOSED, "web", 1000);
    assert_step_changes(w, 2, false);
    find(w, RULE_EXPOSED, "web", 1000)->severity = SEVERITY_WARNING;
    assert_step_changes(w, 3, true);
    find(w, RULE_EXPOSED, "web", 1000)->severity = SEVERITY_WARNING;
    assert_step_changes(w, 4, false);
    find(w, RULE_EXPOSED, "web", 1000)->summary[0] = '!';
    assert_step_changes(w, 5, true);
    find(w, RULE_EXPOSED, "web", 1000)->undetermined = true;
    assert_step_changes(w, 6, false);
    find(w, RULE_EXPOSED, "web", 1000)->summary[0] = '!';
    assert_step_changes(w, 7, false);
    find(w, RULE_EXPOSED, "web", 1000)->summary[0] = '!';
    assert_step_changes(w, 1001, true); /* firing */
    find(w, RULE_EXPOSED, "web", 2000)->summary[0] = '!';
    assert_step_changes(w, 1002, false);
    see_all(w, false);
    assert_step_changes(w, 1003, false);
    see_all(w, true);
    assert_step_changes(w, 1004, true); /* resolved */
    assert_step_changes(w, 1005, false);
}

static void forgetting_changes_only_what_it_resolves(void **state)
{
    struct world *w = *state;
    uint64_t before;

    find_listener(w, 8080);
    step(w, 0);
    before = w->alerts.changes;
    forget(w, "a", true);
    assert_int_equal(w->alerts.changes, before);
    forget(w, "a", false);
    assert_true(w->alerts.changes > before);
}

static const struct alert_list *list_of(const struct alerts *alerts)
{
    const struct alert_list *list = alerts_seal(alerts);

    assert_non_null(list);
    return list;
}

static void a_list_stays_as_it_was_sealed(void **state)
{
    struct world *w = *state;
    const struct alert_list *none = list_of(&w->alerts), *pending, *both;

    find(w, RULE_NOT_LISTENING, "b", 1000);
    step(w, 0);
    pending = list_of(&w->alerts);
    find(w, RULE_NOT_LISTENING, "a", 0);
    find(w, RULE_NOT_LISTENING, "b", 1000);
    step(w, 1000);
    both = list_of(&w->alerts);
    step(w, 2000);
    alerts_done(&w->alerts);
    assert_int_equal(none->count, 0);
    assert_int_equal(pending->count, 1);
    assert_string_equal(pending->items[0].key.name, "b");
    assert_int_equal(pending->items[0].state, ALERT_PENDING);
    assert_string_equal(pending->items[0].summary, "b is so");
    assert_int_equal(both->count, 2);
    assert_string_equal(both->items[0].key.name, "a");
    assert_string_equal(both->items[1].key.name, "b");
    assert_int_equal(both->items[1].state, ALERT_FIRING);
    alert_list_unref(none);
    alert_list_unref(both);
    alert_list_unref(pending);
}

static void a_list_lives_until_the_last_lets_go(void **state)
{
    struct world *w = *state;
    const struct alert_list *list;

    find(w, RULE_NOT_LISTENING, "a", 0);
    step(w, 0);
    list = list_of(&w->alerts);
    assert_ptr_equal(alert_list_ref(list), list);
    alert_list_unref(list);
    assert_string_equal(list->items[0].key.name, "a");
    alert_list_unref(list);
    alert_list_unref(NULL);
}

enum { CONDITIONS = 12 };

/* A condition of its own for each number, which always waits as long. */
static void find_condition(struct world *w, uint32_t which, uint32_t *seed)
{
    static const int64_t waits[] = {0, 0, 1, 5, 40, 100};
    const uint32_t mood = next_random(seed) % 16;
    struct finding *f = find(w, (enum rule)(which % RULE_BLIND), "", waits[which % ARRAY_LENGTH(waits)]);

    (void)snprintf(f->key.name, sizeof f->key.name, "%u", which);
    f->key.protocol = which % 2 ? PROTOCOL_UDP : PROTOCOL_TCP;
    f->key.has_endpoint = which % 4 == 0;
    f->confirm = which % 3 == 0;
    f->undetermined = mood == 0;
    f->severity = mood == 1 ? SEVERITY_WARNING : SEVERITY_CRITICAL;
    f->summary[0] = mood == 2 ? '!' : '.';
}

static void find_some_conditions(struct world *w, uint32_t *seed)
{
    const uint32_t true_percent = 50 + next_random(seed) % 3 * 25;

    for (uint32_t i = 0; i < CONDITIONS; i++)
        if (next_random(seed) % 100 < true_percent)
            find_condition(w, i, seed);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        see(w, (enum protocol)i, next_random(seed) % 4 > 0);
        if (next_random(seed) % 8 == 0)
            w->verdict.classes[i].complete = false;
    }
}

/* Returns owned. */
static void *copy_of(const void *items, size_t count, size_t capacity, size_t size)
{
    void *copy = malloc(capacity * size + 1);

    assert_non_null(copy);
    if (count > 0)
        memcpy(copy, items, count * size);
    return copy;
}

/* How much changes when the same verdict is applied once more: alerts their
 * state, series their being there. */
static size_t count_changes(struct world *w, int64_t mono_ms)
{
    struct alerts copy = w->alerts;
    size_t count;

    copy.items = copy_of(copy.items, copy.count, copy.capacity, sizeof *copy.items);
    copy.ended.items =
        copy_of(copy.ended.items, copy.ended.count, copy.ended.capacity, sizeof *copy.ended.items);
    copy.waiting.items =
        copy_of(copy.waiting.items, copy.waiting.count, copy.waiting.count, sizeof *copy.waiting.items);
    w->transition_count = 0;
    assert_int_equal(alerts_update(&copy, &w->verdict, at(mono_ms), false, &w->subscribers), 0);
    count = w->transition_count + (w->alerts.ended.count - copy.ended.count);
    alerts_done(&copy);
    return count;
}

static bool same_lists(const struct alert_list *a, const struct alert_list *b)
{
    if (a->count != b->count || a->ended_count != b->ended_count)
        return false;
    for (size_t i = 0; i < a->ended_count; i++)
        if (strcmp(a->ended[i].name, b->ended[i].name) != 0 || a->ended[i].until_ms != b->ended[i].until_ms)
            return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].key.name, b->items[i].key.name) != 0 ||
            a->items[i].state != b->items[i].state || a->items[i].severity != b->items[i].severity ||
            a->items[i].since.mono_ms != b->items[i].since.mono_ms ||
            strcmp(a->items[i].summary, b->items[i].summary) != 0)
            return false;
    return true;
}

/* Whatever is true, told and seen: alerts are due exactly when the same verdict
 * would change a state, and changes count exactly what a list shows. */
static void alerts_are_due_exactly_when_the_same_verdict_changes_a_state(void **state)
{
    struct world *w = *state;
    size_t due = 0, not_due = 0, changed = 0, unchanged = 0;
    uint32_t seed = 2654435761u;
    int64_t now = 1000;

    for (int turn = 0; turn < 5000; turn++) {
        const struct alert_list *before = list_of(&w->alerts), *after;
        const uint64_t changes = w->alerts.changes;

        if (next_random(&seed) % 2 > 0) {
            w->verdict.count = 0;
            find_some_conditions(w, &seed);
        } /* otherwise all is as it was */
        w->ignore_for = next_random(&seed) % 32 == 0;
        w->transition_count = 0;
        assert_int_equal(alerts_update(&w->alerts, &w->verdict, at(now), w->ignore_for, &w->subscribers), 0);
        after = list_of(&w->alerts);
        assert_int_equal(w->alerts.changes != changes, !same_lists(before, after));
        changed += w->alerts.changes != changes;
        unchanged += w->alerts.changes == changes;
        for (int64_t later = 0; later < 128; later = later * 2 + next_random(&seed) % 2 + (later == 0)) {
            bool is_due = alerts_are_due(&w->alerts, at(now + later));

            assert_int_equal(is_due, count_changes(w, now + later) > 0);
            due += is_due;
            not_due += !is_due;
        }
        now += next_random(&seed) % 4 * (next_random(&seed) % 16);
        if (next_random(&seed) % 16 == 0)
            now += ALERT_SERIES_ENDED_MS / 3;
        alert_list_unref(before);
        alert_list_unref(after);
    }
    assert_true(due > 1000 && not_due > 1000 && changed > 1000 && unchanged > 1000);
}

/* Those about expected services are not limited. */
static void alerts_about_listeners_are_limited(void **state)
{
    struct world *w = *state;

    w->alerts.limit = 3;
    (void)find(w, RULE_NOT_LISTENING, "web", 0);
    for (uint16_t port = 1; port <= 5; port++)
        (void)find_listener(w, port);
    step(w, 1);
    assert_int_equal(w->alerts.count, 4);
    assert_int_equal(w->alerts.about_listeners, 3);
    assert_int_equal(w->alerts.dropped, 2);
    assert_int_equal(w->transition_count, 4);
    assert_non_null(alerts_find(&w->alerts, &find_listener(w, 3)->key));
    assert_null(alerts_find(&w->alerts, &find_listener(w, 4)->key));

    w->verdict.count = 0; /* one has gone: there is room for another */
    for (uint16_t port = 2; port <= 5; port++)
        (void)find_listener(w, port);
    (void)find(w, RULE_NOT_LISTENING, "web", 0);
    step(w, 2);
    assert_int_equal(w->alerts.about_listeners, 3);
    assert_int_equal(w->alerts.dropped, 3);
    assert_non_null(alerts_find(&w->alerts, &find_listener(w, 4)->key));
    assert_null(alerts_find(&w->alerts, &find_listener(w, 1)->key));
    w->verdict.count = 0;
    step(w, 3);
    assert_int_equal(w->alerts.count, 0);
    assert_int_equal(w->alerts.about_listeners, 0);
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
        cmocka_unit_test_setup_teardown(forgetting_leaves_services_to_the_next_verdict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_works_in_the_dark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_later_policy_wants_again_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_goes_on_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_alerts_there_is_nothing_to_forget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(done_may_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_stays_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_begins_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(before_the_first_verdict_alerts_are_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_fires_is_not_due_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_earliest_of_several_is_due_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_resolves_is_not_due_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_or_seen_is_not_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_must_be_confirmed_fires_at_the_second_poll, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_confirmed_never_fires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_moment_confirms_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_lasts_for_its_time_is_confirmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_time_everything_fires_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_pending_fires_when_time_is_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transitions_tell_when_they_happened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_counted_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_changes_only_what_it_resolves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_stays_as_it_was_sealed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_lives_until_the_last_lets_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alerts_about_listeners_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alerts_are_due_exactly_when_the_same_verdict_changes_a_state, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
