#include "core/alerts.h"
#include "core/transition.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum { HEARD_MAX = 64 };

/* What all subscribers were told, in its order. */
struct heard {
    struct {
        char who;
        struct alert alert;
        enum alert_state before;
        struct instant at;
        struct alert_labels labels;
    } items[HEARD_MAX];
    size_t count;
};

struct ear {
    char who;
    struct heard *heard;
};

static void hear(void *arg, const struct transition *t)
{
    const struct ear *me = arg;
    struct heard *h = me->heard;

    assert_in_range(h->count, 0, HEARD_MAX - 1);
    h->items[h->count].who = me->who;
    h->items[h->count].alert = *t->alert;
    h->items[h->count].before = t->before;
    h->items[h->count].at = t->at;
    h->items[h->count++].labels = t->labels;
}

static struct instant at(int64_t mono_ms)
{
    return (struct instant){mono_ms, mono_ms + 1000000};
}

/* Labels as "rule=Exposed name=web ...". */
static void assert_labels(const struct alert_labels *labels, const char *wanted)
{
    char have[1024] = "";
    size_t length = 0;

    for (size_t i = 0; i < labels->count; i++) {
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%s=%s", i > 0 ? " " : "",
                                   labels->items[i].name, labels->items[i].value);
        assert_true(length < sizeof have);
    }
    assert_string_equal(have, wanted);
}

static void an_expected_service_is_labelled_by_its_name_and_port(void **state)
{
    struct alert a = {.key = {.rule = RULE_NOT_LISTENING, .name = "web", .has_port = true, .port = 80},
                      .severity = SEVERITY_CRITICAL};
    struct alert_labels labels;

    (void)state;
    alert_labels(&a, &labels);
    assert_labels(&labels, "rule=NotListening name=web protocol=tcp severity=critical port=80");
}

static void blindness_is_about_no_port(void **state)
{
    struct alert a = {.key = {.rule = RULE_BLIND, .protocol = PROTOCOL_UDP}, .severity = SEVERITY_WARNING};
    struct alert_labels labels;

    (void)state;
    alert_labels(&a, &labels);
    assert_labels(&labels, "rule=Blind name= protocol=udp severity=warning");
}

static void a_listener_is_labelled_by_where_it_listens(void **state)
{
    struct alert a = {.key = {.rule = RULE_UNEXPECTED_LISTENER,
                              .has_port = true,
                              .port = 8080,
                              .has_endpoint = true,
                              .family = FAMILY_IPV6,
                              .interface = "eth0"},
                      .severity = SEVERITY_WARNING};
    struct alert_labels labels;

    (void)state;
    assert_int_equal(ip_addr_parse("fe80::1", &a.key.address), 0);
    alert_labels(&a, &labels);
    assert_labels(&labels,
                  "rule=UnexpectedListener name= protocol=tcp severity=warning port=8080 family=ipv6 "
                  "address=fe80::1 interface=eth0");
}

/* None is cut, and there is room for all at once. */
static void the_longest_labels_fit(void **state)
{
    static const char address[] = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    struct alert a = {.key = {.rule = RULE_ACCEPT_QUEUE_SATURATED,
                              .protocol = PROTOCOL_UDPLITE,
                              .has_port = true,
                              .port = 65535,
                              .has_endpoint = true,
                              .family = FAMILY_DUAL}};
    struct alert_labels labels;

    (void)state;
    memset(a.key.name, 'n', sizeof a.key.name - 1);
    memset(a.key.interface, 'i', sizeof a.key.interface - 1);
    assert_int_equal(ip_addr_parse(address, &a.key.address), 0);
    alert_labels(&a, &labels);
    assert_int_equal(labels.count, ARRAY_LENGTH(labels.items));
    assert_string_equal(labels.items[1].value, a.key.name);
    assert_string_equal(labels.items[4].value, "65535");
    assert_string_equal(labels.items[6].value, address);
    assert_string_equal(labels.items[7].value, a.key.interface);
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        a.key.rule = (enum rule)rule;
        alert_labels(&a, &labels);
        assert_string_equal(labels.items[0].value, rule_name(a.key.rule));
    }
}

static void everybody_is_told_in_their_order(void **state)
{
    struct heard h = {.count = 0};
    struct ear who[] = {{'a', &h}, {'b', &h}, {'c', &h}, {'d', &h}};
    const struct alert alert = {
        .key = {.rule = RULE_BLIND}, .severity = SEVERITY_WARNING, .state = ALERT_FIRING, .since = at(1)};
    const struct transition t = {.alert = &alert, .before = ALERT_PENDING, .at = at(2)};
    struct subscribers list = {.count = 0};

    (void)state;
    assert_int_equal(ARRAY_LENGTH(list.items), ARRAY_LENGTH(who)); /* as many as there is room for */
    for (size_t i = 0; i < ARRAY_LENGTH(who); i++)
        subscribers_add(&list, hear, &who[i]);
    subscribers_tell(&list, &t);
    assert_int_equal(h.count, ARRAY_LENGTH(who));
    for (size_t i = 0; i < h.count; i++) {
        assert_int_equal(h.items[i].who, who[i].who);
        assert_int_equal(h.items[i].alert.state, ALERT_FIRING);
        assert_int_equal(h.items[i].alert.since.mono_ms, 1);
        assert_int_equal(h.items[i].before, ALERT_PENDING);
        assert_int_equal(h.items[i].at.mono_ms, 2);
        assert_int_equal(h.items[i].at.wall_ms, 1000002);
        assert_labels(&h.items[i].labels, "rule=Blind name= protocol=tcp severity=warning");
    }
}

static void nobody_may_want_to_know(void **state)
{
    const struct subscribers nobody = {.count = 0};
    const struct alert alert = {.key = {.rule = RULE_BLIND}, .severity = SEVERITY_WARNING};
    const struct transition t = {.alert = &alert, .before = ALERT_RESOLVED, .at = at(0)};

    (void)state;
    subscribers_tell(NULL, &t);
    subscribers_tell(&nobody, &t);
}

/* "a1:firing b1:firing": who was told that which alert became what. */
static void assert_heard(struct heard *h, const char *wanted)
{
    char have[512] = "";
    size_t length = 0;

    for (size_t i = 0; i < h->count; i++) {
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%c%s:%s", i > 0 ? " " : "",
                                   h->items[i].who, h->items[i].alert.key.name,
                                   alert_state_name(h->items[i].alert.state));
        assert_true(length < sizeof have);
        assert_string_equal(h->items[i].labels.items[1].value, h->items[i].alert.key.name);
    }
    assert_string_equal(have, wanted);
    h->count = 0;
}

/* What goes on or resolves is told before what is new. */
static void of_each_transition_everybody_hears_once(void **state)
{
    struct heard h = {.count = 0};
    struct ear who[] = {{'a', &h}, {'b', &h}};
    struct finding findings[2] = {
        {.key = {.rule = RULE_NOT_LISTENING, .name = "1"}, .for_ms = 10},
        {.key = {.rule = RULE_NOT_LISTENING, .name = "2"}},
    };
    struct verdict verdict = {.findings = findings, .count = 1};
    struct subscribers list = {.count = 0};
    struct alerts alerts = {.count = 0};

    (void)state;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        verdict.classes[i].seen = verdict.classes[i].complete = true;
    for (size_t i = 0; i < ARRAY_LENGTH(who); i++)
        subscribers_add(&list, hear, &who[i]);
    assert_int_equal(alerts_update(&alerts, &verdict, at(0), false, &list), 0);
    assert_heard(&h, "a1:pending b1:pending");
    assert_int_equal(alerts_update(&alerts, &verdict, at(5), false, &list), 0);
    assert_heard(&h, "");
    verdict.count = 2;
    assert_int_equal(alerts_update(&alerts, &verdict, at(10), false, &list), 0);
    assert_heard(&h, "a1:firing b1:firing a2:firing b2:firing");
    verdict.count = 0;
    assert_int_equal(alerts_update(&alerts, &verdict, at(11), false, &list), 0);
    assert_heard(&h, "a1:resolved b1:resolved a2:resolved b2:resolved");
    alerts_done(&alerts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expected_service_is_labelled_by_its_name_and_port),
        cmocka_unit_test(blindness_is_about_no_port),
        cmocka_unit_test(a_listener_is_labelled_by_where_it_listens),
        cmocka_unit_test(the_longest_labels_fit),
        cmocka_unit_test(everybody_is_told_in_their_order),
        cmocka_unit_test(nobody_may_want_to_know),
        cmocka_unit_test(of_each_transition_everybody_hears_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
