/* Conditions of one service that give way to each other. What is true is written
 * as letters, N for NotListening and so on (see letters), each perhaps followed
 * by ? where it cannot be told and by - where it is a warning only. What was told
 * of it is written as letters, too, each followed by . for pending, ! for firing
 * or / for resolved, ~ for what is told with the next, <X for what it took over
 * from, and when it began. */
#include "core/hand_over.h"
#include "tests/unit/alerting.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"

#include <time.h>

#define FOR_MS INT64_C(10000)

static const char letters[RULE_COUNT + 1] = {
    [RULE_NOT_LISTENING] = 'N',
    [RULE_LOOPBACK_ONLY] = 'L',
    [RULE_EXPOSED] = 'E',
    [RULE_WRONG_ADDRESS] = 'A',
    [RULE_WRONG_OWNER] = 'W',
    [RULE_UNEXPECTED_LISTENER] = 'U',
    [RULE_BLIND] = 'B',
    [RULE_ACCEPT_QUEUE_SATURATED] = 'Q',
    [RULE_STUCK_CONNECTIONS] = 'S',
    [RULE_CONNECTIONS_OUT_OF_RANGE] = 'C',
};

static enum rule rule_of(char letter)
{
    const char *at_letter = memchr(letters, letter, RULE_COUNT);

    assert_non_null(at_letter);
    return (enum rule)(at_letter - letters);
}

/* Finds what the letters say of a service on port 80. */
static void find_all(struct world *w, const char *name, const char *truth)
{
    for (; *truth; truth++) {
        struct finding *f = find(w, rule_of(*truth), name, FOR_MS);

        f->key.has_port = true;
        f->key.port = 80;
        for (; truth[1] == '?' || truth[1] == '-'; truth++) {
            f->undetermined |= truth[1] == '?';
            f->severity = truth[1] == '-' ? SEVERITY_WARNING : f->severity;
        }
    }
}

static void assert_told(const struct world *w, const char *wanted)
{
    static const char states[] = {[ALERT_PENDING] = '.', [ALERT_FIRING] = '!', [ALERT_RESOLVED] = '/'};
    char have[1024] = "";
    size_t length = 0;

    for (size_t i = 0; i < w->transition_count; i++) {
        const struct told *t = &w->transitions[i];
        char from[3] = {'<', t->from == RULE_COUNT ? '\0' : letters[t->from]};

        length +=
            (size_t)snprintf(have + length, sizeof have - length, "%s%c%c%s%s%lld", i > 0 ? " " : "",
                             letters[t->alert.key.rule], states[t->alert.state], t->is_handed_over ? "~" : "",
                             from[1] ? from : "", (long long)t->alert.since.mono_ms);
        assert_true(length < sizeof have);
    }
    assert_string_equal(have, wanted);
}

/* One verdict about one service, and what is told of it. */
static void turn(struct world *w, int64_t mono_ms, const char *truth, const char *wanted)
{
    find_all(w, "mysql", truth);
    step(w, mono_ms);
    assert_told(w, wanted);
}

static void what_gets_worse_goes_on_firing(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    turn(w, 60000, "N", "L/~0 N!<L0");
    assert_int_equal(w->alerts.count, 1);
    assert_int_equal(w->alerts.items[0].state, ALERT_FIRING);
    turn(w, 60001, "L", "N/~0 L!<N0");
    turn(w, 60002, "", "L/0");
}

static void what_did_not_fire_yet_takes_the_time_over(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 6000, "N", "L/~0 N.<L0");
    assert_int_equal(w->alerts.due_ms, 10000);
    turn(w, 8000, "W", "N/~0 W.<N0");
    turn(w, 9999, "W", "");
    turn(w, 10000, "W", "W!0");
    turn(w, 10001, "", "W/0");
}

static void a_break_begins_anew(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    turn(w, 20000, "", "L/0");
    turn(w, 20001, "N", "N.20001");
    turn(w, 25000, "", "N/20001");
    turn(w, 26000, "L", "L.26000");
}

static void the_end_of_its_for_may_come_with_the_hand_over(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "N", "L/~0 N!<L0");
}

/* What stands beside another has a time of its own, until that one ends. */
static void conditions_side_by_side_do_not_hand_over(void **state)
{
    struct world *w = *state;

    turn(w, 0, "W", "W.0");
    turn(w, 10000, "W", "W!0");
    turn(w, 20000, "WQ", "Q.20000");
    turn(w, 21000, "W", "Q/20000");
    turn(w, 22000, "WQ", "Q.22000");
    turn(w, 23000, "Q", "Q!<W0 W/~0");
    turn(w, 24000, "Q", "");
}

static void of_two_that_fire_one_may_end(void **state)
{
    struct world *w = *state;

    turn(w, 0, "W", "W.0");
    turn(w, 5000, "WQ", "Q.5000");
    turn(w, 15000, "WQ", "W!0 Q!5000");
    turn(w, 16000, "Q", "W/0"); /* there is nothing new to say of the other */
    assert_int_equal(w->alerts.items[0].since.mono_ms, 0);
    turn(w, 17000, "N", "Q/~0 N!<Q0");
}

static void what_waits_beside_it_takes_the_time_over_silently(void **state)
{
    struct world *w = *state;

    turn(w, 0, "W", "W.0");
    turn(w, 5000, "WQ", "Q.5000");
    turn(w, 9000, "Q", "W/0");
    assert_int_equal(w->alerts.items[0].since.mono_ms, 0);
    turn(w, 10000, "Q", "Q!0");
}

static void one_may_become_several_and_several_one(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    turn(w, 11000, "AW", "L/~0 A!<L0 W!<L0");
    turn(w, 12000, "AWQ", "Q.12000");
    /* What fired for the longest time is named, the others end by themselves. */
    turn(w, 13000, "N", "A/~0 W/0 Q/12000 N!<A0");
}

static void what_is_less_severe_begins_anew(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    turn(w, 11000, "Q-", "L/0 Q.11000");
    turn(w, 12000, "N", "Q/~11000 N.<Q11000"); /* and what is more severe goes on */
    turn(w, 21000, "N", "N!11000");
}

static void each_takes_over_what_it_may(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    turn(w, 11000, "Q-W", "L/~0 Q.11000 W!<L0");
}

static void other_services_have_nothing_to_do_with_it(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    find_all(w, "redis", "N");
    step(w, 11000);
    assert_told(w, "L/0 N.11000");
    find_all(w, "redis", "L");
    w->findings[0].key.protocol = PROTOCOL_UDP;
    step(w, 12000);
    assert_told(w, "N/11000 L.12000");
    find_all(w, "redis", "N");
    w->findings[0].key.protocol = PROTOCOL_UDP;
    w->findings[0].key.port = 81;
    step(w, 13000);
    assert_told(w, "L/12000 N.13000");
}

static void blindness_and_other_listeners_never_take_part(void **state)
{
    struct world *w = *state;

    find_listener(w, 80);
    find(w, RULE_BLIND, "", 0);
    step(w, 0);
    assert_told(w, "U!0 B!0");
    turn(w, 1000, "N", "U/0 B/0 N.1000");
    find_listener(w, 80)->for_ms = FOR_MS;
    find(w, RULE_BLIND, "", FOR_MS);
    step(w, 20000);
    assert_told(w, "N/1000 U.20000 B.20000");
}

/* Nothing ends in the dark, so that nothing is handed over. */
static void the_dark_is_no_break(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    see_all(w, false);
    turn(w, 1000, "", "");
    see_all(w, true);
    turn(w, 2000, "N", "L/~0 N.<L0");
    turn(w, 10000, "N", "N!0");
}

/* Whose a new socket is takes a moment to find out. */
static void what_cannot_be_told_yet_takes_over_when_it_is(void **state)
{
    struct world *w = *state;

    turn(w, 0, "W", "W.0");
    turn(w, 10000, "W", "W!0");
    turn(w, 11000, "N", "W/~0 N!<W0");
    turn(w, 12000, "W?", "N/0");
    turn(w, 13000, "W?", "");
    turn(w, 14000, "W", "W!<N0");
    turn(w, 15000, "W?", ""); /* which stays as it was */
    turn(w, 16000, "", "W/0");
}

/* Connections are counted less often than listeners are looked at. */
static void a_service_that_comes_back_to_nobody_goes_on_to_be_wrong(void **state)
{
    struct world *w = *state;

    turn(w, 0, "C", "C.0");
    turn(w, 10000, "CS", "C!0 S.10000");
    turn(w, 11000, "N", "C/~0 S/10000 N!<C0");
    turn(w, 12000, "C?", "N/0");
    turn(w, 20000, "C", "C!<N0");
}

static void what_turns_out_to_be_right_ends_the_waiting(void **state)
{
    struct world *w = *state;

    turn(w, 0, "N", "N.0");
    turn(w, 10000, "N", "N!0");
    turn(w, 11000, "W?", "N/0");
    turn(w, 12000, "", "");
    turn(w, 13000, "W", "W.13000");
}

static void what_waits_waits_for_nothing_else(void **state)
{
    struct world *w = *state;

    turn(w, 0, "N", "N.0");
    turn(w, 10000, "N", "N!0");
    turn(w, 11000, "W?", "N/0");
    turn(w, 12000, "NW?", "N.12000"); /* it was there in between */
}

/* Otherwise what hides its owner for ever would never begin anew. */
static void waiting_ends(void **state)
{
    struct world *w = *state;

    turn(w, 0, "N", "N.0");
    turn(w, 10000, "N", "N!0");
    turn(w, 11000, "W?", "N/0");
    turn(w, 11000 + HAND_OVER_WAIT_MS - 1, "W?", "");
    assert_int_equal(w->alerts.waiting.count, 1);
    turn(w, 11000 + HAND_OVER_WAIT_MS, "W?", "");
    assert_int_equal(w->alerts.waiting.count, 0);
    turn(w, 22000, "W", "W.22000");
}

static void a_held_condition_takes_over_when_it_can_be_told(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 8000, "LW", "W.8000");
    turn(w, 10000, "LW", "L!0");
    turn(w, 11000, "W?", "L/0");
    assert_int_equal(w->alerts.items[0].state, ALERT_PENDING);
    turn(w, 12000, "W", "W!<L0");
}

/* It may never be told again, and fires only then. */
static void a_held_condition_lends_its_time(void **state)
{
    struct world *w = *state;

    turn(w, 0, "W", "W.0");
    turn(w, 5000, "W?Q", "Q.0");
    turn(w, 10000, "W?Q", "Q!0");
    turn(w, 11000, "WQ", "W!0");
    turn(w, 12000, "Q", "W/0");
    turn(w, 13000, "", "Q/0");
}

/* Applies a policy that expects mysql on port 80 and nothing of its address. */
static void reload(struct world *w, int64_t mono_ms)
{
    struct policy policy = policy_expecting("mysql=tcp/80");

    w->transition_count = 0;
    alerts_forget(&w->alerts, &policy, at(mono_ms), &w->subscribers);
    policy_done(&policy);
}

static void a_reload_hands_over_as_well(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    reload(w, 11000);
    assert_told(w, "");
    turn(w, 11001, "N", "L/~0 N!<L0");
    reload(w, 12000);
    turn(w, 12001, "N", "");
}

static void a_reload_in_the_dark_ends_what_is_not_wanted(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    turn(w, 10000, "L", "L!0");
    see_all(w, false);
    reload(w, 11000);
    turn(w, 11001, "", "L/0");
    assert_int_equal(w->alerts.count, 0);
}

/* An alert of that rule did not fire before. */
static void what_takes_over_counts_as_fired(void **state)
{
    struct world *w = *state;

    turn(w, 0, "L", "L.0");
    assert_int_equal(w->alerts.fired[RULE_LOOPBACK_ONLY][SEVERITY_CRITICAL], 0);
    turn(w, 10000, "L", "L!0");
    turn(w, 11000, "N", "L/~0 N!<L0");
    turn(w, 12000, "N", "");
    assert_int_equal(w->alerts.fired[RULE_LOOPBACK_ONLY][SEVERITY_CRITICAL], 1);
    assert_int_equal(w->alerts.fired[RULE_NOT_LISTENING][SEVERITY_CRITICAL], 1);
    turn(w, 13000, "N-", "");
    assert_int_equal(w->alerts.fired[RULE_NOT_LISTENING][SEVERITY_WARNING], 0);
}

/* What a service is known to be, beside its alerts. */
struct model {
    const char *name;
    enum protocol protocol;
    int64_t for_ms;
    enum severity severity;
    int64_t wrong_since;        /* -1 while it is not known to be wrong */
    int64_t may_be_wrong_since; /* -1 while it is known to be right */
};

enum { SERVICES = 4 };

static const enum rule rules[] = {RULE_NOT_LISTENING,
                                  RULE_LOOPBACK_ONLY,
                                  RULE_EXPOSED,
                                  RULE_WRONG_ADDRESS,
                                  RULE_WRONG_OWNER,
                                  RULE_ACCEPT_QUEUE_SATURATED,
                                  RULE_CONNECTIONS_OUT_OF_RANGE,
                                  RULE_STUCK_CONNECTIONS};

static void find_one(struct world *w, const struct model *m, enum rule rule, bool undetermined)
{
    struct finding *f = find(w, rule, m->name, m->for_ms);

    f->key.protocol = m->protocol;
    f->key.has_port = true;
    f->key.port = 80;
    f->severity = m->severity;
    f->undetermined = undetermined;
}

/* Makes some of it true: mostly one condition, which often becomes another one. */
static void find_some(struct world *w, struct model *m, uint32_t *seed, int64_t now)
{
    bool wrong = false, may_be_wrong = false;
    uint32_t mood = next_random(seed) % 8;

    if (!w->verdict.classes[m->protocol].seen)
        return;
    for (size_t i = 0; mood > 0 && i < ARRAY_LENGTH(rules); i++) {
        bool is_true = next_random(seed) % 8 < mood / 3 + 1;
        bool undetermined = rules[i] == RULE_WRONG_OWNER && next_random(seed) % 2 > 0;

        if (is_true)
            find_one(w, m, rules[i], undetermined);
        wrong |= is_true && !undetermined;
        may_be_wrong |= is_true;
    }
    if (!wrong || m->wrong_since < 0)
        m->wrong_since = wrong ? now : -1;
    if (!may_be_wrong || m->may_be_wrong_since < 0)
        m->may_be_wrong_since = may_be_wrong ? now : -1;
}

static bool is_of(const struct alert *a, const struct model *m)
{
    return strcmp(a->key.name, m->name) == 0 && a->key.protocol == m->protocol;
}

static bool fires(const struct world *w, const struct model *m)
{
    for (size_t i = 0; i < w->alerts.count; i++)
        if (is_of(&w->alerts.items[i], m) && w->alerts.items[i].state == ALERT_FIRING)
            return true;
    return false;
}

/* Nothing fires before the service was wrong for its time. */
static size_t assert_none_is_early(const struct world *w, const struct model *m, int64_t now)
{
    size_t fired = 0;

    for (size_t i = 0; i < w->transition_count; i++) {
        const struct told *t = &w->transitions[i];

        if (!is_of(&t->alert, m) || t->alert.state != ALERT_FIRING)
            continue;
        assert_true(m->wrong_since >= 0);
        assert_true(t->alert.since.mono_ms >= m->may_be_wrong_since);
        assert_true(now - t->alert.since.mono_ms >= m->for_ms);
        fired++;
    }
    return fired;
}

/* No two lines say the same, and each that is left to another is in it. */
static void assert_told_once(const struct world *w)
{
    for (size_t i = 0; i < w->transition_count; i++) {
        const struct told *t = &w->transitions[i];
        bool is_named = false;

        if (!t->is_handed_over)
            continue;
        assert_int_equal(t->alert.state, ALERT_RESOLVED);
        for (size_t k = 0; k < w->transition_count; k++)
            is_named |= w->transitions[k].from == t->alert.key.rule &&
                        strcmp(w->transitions[k].alert.key.name, t->alert.key.name) == 0 &&
                        w->transitions[k].alert.key.protocol == t->alert.key.protocol;
        assert_true(is_named);
    }
}

/* For random sequences of truth: a service that is wrong for longer than "for"
 * without a break has a firing alert after every update from then on, and none
 * fires before it was wrong for so long. */
static void who_is_wrong_for_long_has_an_alert_at_every_moment(void **state)
{
    struct model models[SERVICES] = {{"a", PROTOCOL_TCP, 40, SEVERITY_CRITICAL, -1, -1},
                                     {"a", PROTOCOL_UDP, 15, SEVERITY_WARNING, -1, -1},
                                     {"b", PROTOCOL_TCP, 0, SEVERITY_CRITICAL, -1, -1},
                                     {"c", PROTOCOL_TCP, 100, SEVERITY_CRITICAL, -1, -1}};
    const char *given = getenv("SOCKWATCH_SEED"); /* of a run that failed */
    const uint32_t first = given ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL) | 1;
    uint32_t seed = first;
    struct world *w = *state;
    size_t long_wrong = 0, fired = 0;
    int64_t now = 1000;

    print_message("seed %u\n", first);
    for (int i = 0; i < 20000; i++, now += 1 + next_random(&seed) % 12) {
        for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
            see(w, (enum protocol)protocol, next_random(&seed) % 16 > 0);
        for (size_t k = 0; k < SERVICES; k++)
            find_some(w, &models[k], &seed, now);
        step(w, now);
        assert_told_once(w);
        for (size_t k = 0; k < SERVICES; k++) {
            const struct model *m = &models[k];

            fired += assert_none_is_early(w, m, now);
            if (!w->verdict.classes[m->protocol].seen || m->wrong_since < 0 ||
                now < m->wrong_since + m->for_ms)
                continue;
            assert_true(fires(w, m));
            long_wrong++;
        }
    }
    assert_true(long_wrong > 1000 && fired > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_gets_worse_goes_on_firing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_did_not_fire_yet_takes_the_time_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_break_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_its_for_may_come_with_the_hand_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conditions_side_by_side_do_not_hand_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_two_that_fire_one_may_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_beside_it_takes_the_time_over_silently, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_may_become_several_and_several_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_less_severe_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_takes_over_what_it_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_services_have_nothing_to_do_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blindness_and_other_listeners_never_take_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_dark_is_no_break, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_yet_takes_over_when_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_service_that_comes_back_to_nobody_goes_on_to_be_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_turns_out_to_be_right_ends_the_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_waits_for_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_held_condition_takes_over_when_it_can_be_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_held_condition_lends_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_hands_over_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_in_the_dark_ends_what_is_not_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_takes_over_counts_as_fired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_wrong_for_long_has_an_alert_at_every_moment, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
