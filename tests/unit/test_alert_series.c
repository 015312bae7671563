/* Series that were 1, and are told as 0 for a while. */
#include "core/alert_series.h"
#include "tests/unit/alerting.h"
#include "tests/unit/policies.h"

#define END_MS ALERT_SERIES_ENDED_MS

/* "U8080 N80:web", the letter being the first of the rule's name, with a - behind
 * what is told as a warning. */
static void assert_ended(const struct world *w, const char *wanted)
{
    char have[1024] = "";
    size_t length = 0;

    for (size_t i = 0; i < w->alerts.ended.count; i++) {
        const struct ended_series *s = &w->alerts.ended.items[i];

        length += (size_t)snprintf(have + length, sizeof have - length, "%s%c%u%s%s%s", i > 0 ? " " : "",
                                   rule_name(s->rule)[0], s->port, *s->name ? ":" : "", s->name,
                                   s->severity == SEVERITY_WARNING ? "-" : "");
        assert_true(length < sizeof have);
    }
    assert_string_equal(have, wanted);
}

static void find_service(struct world *w, const char *name, enum severity severity, int64_t for_ms)
{
    struct finding *f = find(w, RULE_NOT_LISTENING, name, for_ms);

    f->key.has_port = true;
    f->key.port = 80;
    f->severity = severity;
}

static void what_fired_is_told_for_five_minutes(void **state)
{
    struct world *w = *state;

    assert_int_equal(END_MS, 5 * 60 * 1000);
    find_listener(w, 8080);
    step(w, 0);
    assert_ended(w, "");
    step(w, 1000);
    assert_ended(w, "U8080");
    assert_false(alerts_are_due(&w->alerts, at(1000 + END_MS - 1)));
    step(w, 1000 + END_MS - 1);
    assert_ended(w, "U8080");
    assert_true(alerts_are_due(&w->alerts, at(1000 + END_MS)));
    step(w, 1000 + END_MS);
    assert_ended(w, "");
    assert_int_equal(w->alerts.due_ms, INT64_MAX);
}

static void what_was_pending_is_not(void **state)
{
    struct world *w = *state;

    find_listener(w, 8080)->for_ms = 1000;
    step(w, 0);
    step(w, 999);
    assert_ended(w, "");
}

/* Each time it ends counts anew. */
static void one_that_comes_again_is_told_once(void **state)
{
    struct world *w = *state;

    for (int64_t now = 0; now < 10000; now += 1000) {
        find_listener(w, 8080);
        find_listener(w, 8080)->key.address.bytes[0] = 1;
        step(w, now);
        step(w, now + 500);
        assert_ended(w, "U8080");
    }
    step(w, 9500 + END_MS - 1);
    assert_ended(w, "U8080");
    step(w, 9500 + END_MS);
    assert_ended(w, "");
}

static void another_severity_is_another_series(void **state)
{
    struct world *w = *state;

    find_service(w, "web", SEVERITY_CRITICAL, 0);
    step(w, 0);
    find_service(w, "web", SEVERITY_WARNING, 0);
    step(w, 1000);
    assert_ended(w, "N80:web");
    assert_int_equal(w->transition_count, 0);
    step(w, 2000);
    assert_ended(w, "N80:web- N80:web");
    step(w, 1000 + END_MS);
    assert_ended(w, "N80:web-");
}

static void what_a_reload_removes_is_told_as_well(void **state)
{
    struct policy policy = policy_expecting("redis=tcp/80");
    struct world *w = *state;

    policy.unexpected.enabled = false;
    find_listener(w, 8080);
    find_service(w, "web", SEVERITY_CRITICAL, 0);
    step(w, 0);
    alerts_forget(&w->alerts, &policy, at(1000), NULL);
    assert_ended(w, "U8080");
    step(w, 1001);
    assert_ended(w, "N80:web U8080");
    policy_done(&policy);
}

/* The clock for people plays no part. */
static void a_step_of_the_clock_changes_nothing(void **state)
{
    static const int64_t steps[] = {-1000000000000, 1000000000000, 0};
    struct world *w = *state;

    find_listener(w, 8080);
    step(w, 0);
    step(w, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        const struct instant now = {.mono_ms = END_MS - 1, .wall_ms = steps[i]};

        assert_int_equal(alerts_update(&w->alerts, &w->verdict, now, false, NULL), 0);
        assert_ended(w, "U8080");
    }
}

/* Anybody can make listeners that nobody expects, but no expected services. */
static void those_about_other_listeners_are_limited(void **state)
{
    struct world *w = *state;

    w->alerts.limit = 3;
    for (uint16_t i = 0; i < 5; i++) {
        find_listener(w, (uint16_t)(9 - i));
        find_service(w, (const char[]){(char)('a' + i), '\0'}, SEVERITY_CRITICAL, 0);
        step(w, 10 * i);
    }
    step(w, 60);
    /* Those that were told for the longest time have gone. */
    assert_ended(w, "N80:a N80:b N80:c N80:d N80:e U5 U6 U7");
    assert_int_equal(w->alerts.ended.cut, 2);
    assert_int_equal(w->alerts.dropped, 2);
    step(w, 70);
    assert_int_equal(w->alerts.dropped, 2);
}

/* A flood that comes and goes at each poll keeps nothing that grows. */
static void a_flood_takes_no_more_than_its_limit(void **state)
{
    struct world *w = *state;
    size_t capacity = 0;

    w->alerts.limit = 50;
    for (uint16_t round = 0; round < 100; round++) {
        for (uint16_t i = 0; i < 50; i++)
            find_listener(w, (uint16_t)(1000 + round * 50 + i));
        step(w, round * 1000);
        assert_in_range(w->alerts.ended.count, 0, 50);
        capacity = round == 10 ? w->alerts.ended.capacity : capacity;
    }
    assert_int_equal(w->alerts.ended.capacity, capacity);
    assert_int_equal(w->alerts.ended.cut, 98 * 50);
}

static void a_list_holds_what_ended_and_what_fired(void **state)
{
    struct world *w = *state;
    const struct alert_list *list;

    find_listener(w, 8080);
    find_listener(w, 8081);
    step(w, 0);
    find_listener(w, 8081);
    step(w, 1000);
    list = alerts_seal(&w->alerts);
    assert_non_null(list);
    step(w, 2000);
    alerts_done(&w->alerts);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].key.port, 8081);
    assert_int_equal(list->ended_count, 1);
    assert_int_equal(list->ended[0].port, 8080);
    assert_int_equal(list->fired[RULE_UNEXPECTED_LISTENER][SEVERITY_CRITICAL], 2);
    assert_int_equal(list->fired[RULE_NOT_LISTENING][SEVERITY_CRITICAL], 0);
    alert_list_unref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_fired_is_told_for_five_minutes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_pending_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_comes_again_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_severity_is_another_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_reload_removes_is_told_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_of_the_clock_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_about_other_listeners_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_takes_no_more_than_its_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_holds_what_ended_and_what_fired, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
