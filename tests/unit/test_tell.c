#include "daemon/tell.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* The log and the manager of these tests. */
static struct {
    size_t lines, bytes;
    char last[LOG_LINE_MAX];
    int last_priority;
} written;

static char class_text[128];
static int level = LOG_INFO;

bool log_wants(int priority)
{
    return priority <= level;
}

__attribute__((format(printf, 2, 3))) void log_write(int priority, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(written.last, sizeof written.last, format, args);
    va_end(args);
    written.last_priority = priority;
    written.lines++;
    written.bytes += strlen(written.last);
}

void notify_status(const char *status)
{
    (void)status;
}

void cycle_describe_class(const struct cycle *c, enum protocol protocol, struct buf *out)
{
    (void)c;
    (void)protocol;
    buf_str(out, class_text);
}

static struct told new_told(int64_t log_lines)
{
    const struct limits limits = {.log_lines = log_lines};
    struct told told = {0};

    tell_limit(&told, &limits);
    memset(&written, 0, sizeof written);
    level = LOG_INFO;
    return told;
}

/* A transition of an alert to firing; a name of "" is about a listener that no
 * entry is about. */
static void fire(struct told *told, enum rule rule, const char *name, int64_t at_ms)
{
    struct alert alert = {
        .key.rule = rule, .severity = SEVERITY_WARNING, .state = ALERT_FIRING, .summary = "what is wrong"};
    const struct transition t = {.alert = &alert, .before = ALERT_PENDING, .at.mono_ms = at_ms};

    (void)snprintf(alert.key.name, sizeof alert.key.name, "%s", name);
    tell_transition(told, &t);
}

/* A change of an alert about the expected service mysql. */
static void change(struct told *told, enum alert_state alert_state, enum alert_state before)
{
    struct alert alert = {.key = {.rule = RULE_NOT_LISTENING, .name = "mysql"},
                          .severity = SEVERITY_CRITICAL,
                          .state = alert_state,
                          .summary = "mysql: tcp port 3306 has no listener"};
    const struct transition t = {.alert = &alert, .before = before};

    tell_transition(told, &t);
}

static void what_never_fired_is_for_who_debugs(void **state)
{
    struct told told = new_told(10);

    (void)state;
    for (int i = 0; i < 20; i++) {
        change(&told, ALERT_PENDING, ALERT_RESOLVED);
        change(&told, ALERT_RESOLVED, ALERT_PENDING);
    }
    assert_int_equal(written.lines, 0);
    assert_int_equal(told.left_out, 0); /* nor do they use anything up */
    level = LOG_DEBUG;
    change(&told, ALERT_PENDING, ALERT_RESOLVED);
    assert_string_equal(written.last,
                        "alert NotListening pending, critical: mysql: tcp port 3306 has no listener");
    assert_int_equal(written.last_priority, LOG_DEBUG);
    change(&told, ALERT_RESOLVED, ALERT_PENDING);
    assert_string_equal(written.last,
                        "alert NotListening resolved before it fired, critical, was: mysql: tcp port "
                        "3306 has no listener");
    assert_int_equal(written.last_priority, LOG_DEBUG);
}

static void what_fired_is_told_as_it_begins_and_ends(void **state)
{
    struct told told = new_told(10);

    (void)state;
    change(&told, ALERT_FIRING, ALERT_PENDING);
    assert_string_equal(written.last,
                        "alert NotListening firing, critical: mysql: tcp port 3306 has no listener");
    assert_int_equal(written.last_priority, LOG_ERR);
    change(&told, ALERT_RESOLVED, ALERT_FIRING);
    assert_string_equal(written.last,
                        "alert NotListening resolved, critical, was: mysql: tcp port 3306 has no listener");
    assert_int_equal(written.last_priority, LOG_NOTICE);
    assert_int_equal(written.lines, 2);
}

static void a_hand_over_is_one_line(void **state)
{
    struct alert old = {.key = {.rule = RULE_LOOPBACK_ONLY, .name = "mysql"},
                        .severity = SEVERITY_CRITICAL,
                        .state = ALERT_RESOLVED,
                        .summary = "mysql: is bound only to loopback"};
    struct alert new = {.key = {.rule = RULE_NOT_LISTENING, .name = "mysql"},
                        .severity = SEVERITY_CRITICAL,
                        .state = ALERT_FIRING,
                        .summary = "mysql: tcp port 3306 has no listener"};
    const struct transition ends = {.alert = &old, .before = ALERT_FIRING, .is_handed_over = true};
    const struct transition begins = {.alert = &new, .before = ALERT_RESOLVED, .from = &old.key};
    struct told told = new_told(10);

    (void)state;
    tell_transition(&told, &ends);
    tell_transition(&told, &begins);
    assert_int_equal(written.lines, 1);
    assert_string_equal(written.last,
                        "alert NotListening firing, critical: mysql: LoopbackOnly became NotListening: "
                        "tcp port 3306 has no listener");
    (void)snprintf(new.summary, sizeof new.summary, "it is down");
    tell_transition(&told, &begins);
    assert_string_equal(
        written.last,
        "alert NotListening firing, critical: mysql: LoopbackOnly became NotListening: it is down");
}

static void a_transition_is_a_line(void **state)
{
    struct told told = new_told(10);

    (void)state;
    fire(&told, RULE_NOT_LISTENING, "mysql", 0);
    assert_int_equal(written.lines, 1);
    assert_string_equal(written.last, "alert NotListening firing, warning: what is wrong");
    assert_int_equal(written.last_priority, LOG_WARNING);
}

static void a_flood_of_others_is_cut_and_silences_nobody(void **state)
{
    struct told told = new_told(10);

    (void)state;
    for (int i = 0; i < 1244; i++)
        fire(&told, RULE_UNEXPECTED_LISTENER, "", i);
    assert_int_equal(written.lines, 10);
    assert_int_equal(tell_left_out(&told, 2000), 1234);
    assert_int_equal(written.lines, 10); /* the minute is not over */
    fire(&told, RULE_NOT_LISTENING, "mysql", 2000);
    assert_int_equal(written.lines, 11);
    fire(&told, RULE_BLIND, "", 2000);
    assert_int_equal(written.lines, 12);
    tell_failure(&told, -ENOMEM);
    assert_int_equal(written.lines, 13);
    assert_int_equal(tell_left_out(&told, 2000), 1234);
}

static void each_rule_has_lines_of_its_own(void **state)
{
    struct told told = new_told(10);

    (void)state;
    for (int i = 0; i < 20; i++) {
        fire(&told, RULE_UNEXPECTED_LISTENER, "", i);
        fire(&told, RULE_EXPOSED, "", i);
        fire(&told, RULE_EXPOSED, "mysql", i);
    }
    assert_int_equal(written.lines, 30);
    assert_int_equal(tell_left_out(&told, 1000), 30);
    fire(&told, RULE_NOT_LISTENING, "mysql", 1000);
    assert_int_equal(written.lines, 31);
    (void)tell_left_out(&told, 70000);
    assert_int_equal(written.lines, 34); /* one for each, how many more there were */
}

/* However long the lines are, and however many rules there are. */
static void the_log_of_a_minute_is_bounded(void **state)
{
    struct told told = new_told(100000);
    struct alert alert = {.state = ALERT_FIRING};
    const struct transition t = {.alert = &alert, .before = ALERT_PENDING};

    (void)state;
    memset(alert.summary, 'x', sizeof alert.summary - 1);
    for (int i = 0; i < 100000; i++) {
        alert.key.rule = i % 2 ? RULE_UNEXPECTED_LISTENER : RULE_EXPOSED;
        tell_transition(&told, &t);
    }
    assert_in_range(written.bytes, ALLOWANCE_MINUTE_BYTES / 2, ALLOWANCE_MINUTE_BYTES);
    assert_int_equal(told.left_out, 100000 - written.lines);
    written.lines = 0;
    (void)tell_left_out(&told, ALLOWANCE_MINUTE_MS);
    assert_int_equal(written.lines, 2);
}

static void what_was_left_out_is_told_when_the_minute_is_over(void **state)
{
    struct told told = new_told(60);

    (void)state;
    for (int i = 0; i < 60 + 143; i++)
        fire(&told, RULE_UNEXPECTED_LISTENER, "", 0);
    assert_int_equal(tell_left_out(&told, 60000), 143);
    assert_int_equal(written.lines, 61);
    assert_string_equal(written.last,
                        "UnexpectedListener: 143 more in the last minute (limits.log_lines = 60)");
    assert_int_equal(written.last_priority, LOG_WARNING);
    (void)tell_left_out(&told, 60000);
    assert_int_equal(written.lines, 61);
}

static void or_before_the_next_line(void **state)
{
    struct told told = new_told(1);

    (void)state;
    for (int i = 0; i < 3; i++)
        fire(&told, RULE_NOT_LISTENING, "mysql", 0);
    fire(&told, RULE_NOT_LISTENING, "mysql", 60000);
    assert_int_equal(written.lines, 3); /* two alerts, and between them how many were left out */
    assert_string_equal(written.last, "alert NotListening firing, warning: what is wrong");
    assert_int_equal(tell_left_out(&told, 60000), 2);
}

static void expected_services_have_a_limit_too(void **state)
{
    struct told told = new_told(10);

    (void)state;
    for (int i = 0; i < 20; i++)
        fire(&told, RULE_NOT_LISTENING, "mysql", 0);
    assert_int_equal(written.lines, 10);
    (void)tell_left_out(&told, 60000);
    assert_string_equal(
        written.last,
        "NotListening: 10 more about expected services in the last minute (limits.log_lines = 10)");
}

static void another_limit_holds_from_the_reload_on(void **state)
{
    const struct limits more = {.log_lines = 12};
    struct told told = new_told(10);

    (void)state;
    for (int i = 0; i < 20; i++)
        fire(&told, RULE_UNEXPECTED_LISTENER, "", 0);
    tell_limit(&told, &more);
    for (int i = 0; i < 20; i++)
        fire(&told, RULE_UNEXPECTED_LISTENER, "", 0);
    assert_int_equal(written.lines, 12);
}

static void a_failure_is_told_once(void **state)
{
    struct told told = new_told(10);

    (void)state;
    tell_failure(&told, 0);
    tell_failure(&told, -ENOMEM);
    tell_failure(&told, -ENOMEM);
    assert_int_equal(written.lines, 1);
    tell_failure(&told, 0);
    tell_failure(&told, -ENOMEM);
    assert_int_equal(written.lines, 2);
}

static void a_limit_that_cuts_is_told_once(void **state)
{
    struct told told = new_told(100);
    uint64_t dropped[DROPPED_COUNT] = {0};

    (void)state;
    tell_dropped(&told, dropped, 1000);
    assert_int_equal(written.lines, 0);
    for (int64_t now_ms = 2000; now_ms < 300000; now_ms += 1000) {
        dropped[DROPPED_LISTENERS] += 7;
        dropped[DROPPED_LOG_LINES]++; /* which is told elsewhere */
        tell_dropped(&told, dropped, now_ms);
        assert_int_equal(written.lines, 1);
    }
    assert_string_equal(written.last,
                        "limits.listeners or limits.listeners_per_port is reached: what goes beyond it is "
                        "left out and counted in sockwatch_dropped_total{what=\"listeners\"}");
    dropped[DROPPED_ALERTS]++;
    tell_dropped(&told, dropped, 300000);
    assert_int_equal(written.lines, 2);
    tell_dropped(&told, dropped, 500000);
    assert_int_equal(written.lines, 2);
    dropped[DROPPED_LISTENERS]++;
    tell_dropped(&told, dropped, 500001);
    assert_int_equal(written.lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transition_is_a_line),
        cmocka_unit_test(what_never_fired_is_for_who_debugs),
        cmocka_unit_test(what_fired_is_told_as_it_begins_and_ends),
        cmocka_unit_test(a_hand_over_is_one_line),
        cmocka_unit_test(each_rule_has_lines_of_its_own),
        cmocka_unit_test(the_log_of_a_minute_is_bounded),
        cmocka_unit_test(a_flood_of_others_is_cut_and_silences_nobody),
        cmocka_unit_test(what_was_left_out_is_told_when_the_minute_is_over),
        cmocka_unit_test(or_before_the_next_line),
        cmocka_unit_test(expected_services_have_a_limit_too),
        cmocka_unit_test(another_limit_holds_from_the_reload_on),
        cmocka_unit_test(a_limit_that_cuts_is_told_once),
        cmocka_unit_test(a_failure_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
