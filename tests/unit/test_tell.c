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

static void what_was_left_out_is_told_when_the_minute_is_over(void **state)
{
    struct told told = new_told(600);

    (void)state;
    for (int i = 0; i < 600 + 1234; i++)
        fire(&told, RULE_UNEXPECTED_LISTENER, "", 0);
    assert_int_equal(tell_left_out(&told, 60000), 1234);
    assert_int_equal(written.lines, 601);
    assert_string_equal(written.last,
                        "1234 lines about listeners that no expect entry is about were left out in "
                        "the last minute (limits.log_lines = 600)");
    assert_int_equal(written.last_priority, LOG_WARNING);
    (void)tell_left_out(&told, 60000);
    assert_int_equal(written.lines, 601);
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
    assert_string_equal(written.last, "10 lines were left out in the last minute (limits.log_lines = 10)");
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
