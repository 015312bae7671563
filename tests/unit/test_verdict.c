#include "core/rules.h"
#include "tests/unit/judged.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#define MASK(rule) (1u << (rule))

static const struct own_sockets no_own;
static struct port_range port_80[] = {{80, 80}}, port_81[] = {{81, 81}}, ports_80_81[] = {{80, 81}};

static struct expect expect_of(const char *name, struct port_range *ports, enum severity severity)
{
    struct expect e = {.match = {.ports = ports, .port_count = 1}, .severity = severity};

    (void)snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

/* With every class seen. */
static struct listener_builder *builder(const char *sockets)
{
    struct listener_builder *b = new_builder(1000);

    assert_non_null(b);
    add_rows(b, sockets, 1);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    return b;
}

/* Takes b. The policy is sealed for as long as it takes. */
static const struct verdict *judge_builder(struct listener_builder *b, struct policy *policy)
{
    struct space space = {.name = ""};
    const struct verdict *v;

    assert_int_equal(policy_seal(policy), 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, policy, &no_own);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    policy_unseal(policy);
    return v;
}

static const struct verdict *judge(const char *sockets, struct policy *policy)
{
    return judge_builder(builder(sockets), policy);
}

/* One socket, whose holder cannot be seen. */
static const struct verdict *judge_hidden(const char *socket, struct policy *policy)
{
    struct owner_set *owners = owners_of("0:root:", "");
    struct listener_builder *b = builder("");
    struct listener_row row = row_of(socket);
    const struct verdict *v;

    owners->sight = SIGHT_HIDDEN;
    row.cookie = 1;
    row.owners = owners;
    assert_int_equal(listener_builder_add(b, &row), 0);
    v = judge_builder(b, policy);
    owner_set_unref(owners);
    return v;
}

static void assert_service(const struct service_verdict *s, size_t expect, uint16_t port, uint32_t found,
                           uint32_t broken)
{
    assert_int_equal(s->expect, expect);
    assert_int_equal(s->port, port);
    assert_true(s->seen);
    assert_int_equal(s->found, found);
    assert_int_equal(s->broken, broken);
}

static void services_stand_in_the_order_of_entries_and_ports(void **state)
{
    struct port_range several[] = {{82, 83}, {70, 70}};
    struct expect expects[] = {expect_of("many", several, SEVERITY_WARNING),
                               expect_of("web", ports_80_81, SEVERITY_WARNING)};
    struct policy policy = {.expects = expects, .expect_count = 2};
    const struct verdict *v;

    (void)state;
    expects[0].match.port_count = 2;
    v = judge("0.0.0.0:70 10.0.0.1:81 10.0.0.2:81 udp/0.0.0.0:82", &policy);
    assert_int_equal(v->service_count, 5);
    assert_service(&v->services[0], 0, 82, 0, MASK(RULE_NOT_LISTENING));
    assert_service(&v->services[1], 0, 83, 0, MASK(RULE_NOT_LISTENING));
    assert_service(&v->services[2], 0, 70, 1, 0);
    assert_service(&v->services[3], 1, 80, 0, MASK(RULE_NOT_LISTENING));
    assert_service(&v->services[4], 1, 81, 2, 0);
    verdict_unref(v);
}

static void a_service_is_found_as_often_as_it_listens(void **state)
{
    struct expect expects[] = {expect_of("inner", port_80, SEVERITY_WARNING),
                               expect_of("outer", port_80, SEVERITY_WARNING)};
    struct policy policy = {.expects = expects, .expect_count = 2};
    const struct verdict *v;

    (void)state;
    expects[0].match.address_count = 1;
    expects[0].match.addresses = (struct ip_addr[]){address_of("127.0.0.1")};
    v = judge("127.0.0.1:80 10.0.0.1:80 10.0.0.2:80 [::1]:80", &policy);
    assert_service(&v->services[0], 0, 80, 1, 0);
    assert_service(&v->services[1], 1, 80, 3, 0);
    verdict_unref(v);
    v = judge("0.0.0.0:80", &policy); /* which serves both, and exposes the inner one */
    assert_service(&v->services[0], 0, 80, 1, MASK(RULE_EXPOSED));
    assert_service(&v->services[1], 1, 80, 1, 0);
    verdict_unref(v);
}

static void a_service_breaks_every_rule_that_is_true(void **state)
{
    struct expect e = expect_of("web", port_80, SEVERITY_WARNING);
    struct policy policy = {.expects = &e, .expect_count = 1};
    const uint32_t wanted = MASK(RULE_LOOPBACK_ONLY) | MASK(RULE_WRONG_ADDRESS);
    const struct verdict *v;

    (void)state;
    e.match.scope = WANT_PUBLIC;
    e.families[0] = e.families[1] = true;
    v = judge("127.0.0.1:80", &policy);
    assert_service(&v->services[0], 0, 80, 1, wanted);
    assert_int_equal(v->services[0].used,
                     wanted | MASK(RULE_NOT_LISTENING) | MASK(RULE_ACCEPT_QUEUE_SATURATED));
    assert_int_equal(v->listeners[0].rules, wanted);
    verdict_unref(v);
}

static void an_owner_that_cannot_be_told_breaks_nothing(void **state)
{
    struct expect e = expect_of("web", port_80, SEVERITY_CRITICAL);
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;

    (void)state;
    e.match.owner.process = "nginx";
    v = judge_hidden("0.0.0.0:80", &policy);
    assert_int_equal(v->findings[0].key.rule, RULE_WRONG_OWNER);
    assert_true(v->findings[0].undetermined);
    assert_service(&v->services[0], 0, 80, 1, 0);
    assert_true(v->services[0].used & MASK(RULE_WRONG_OWNER));
    assert_int_equal(v->listeners[0].rules, MASK(RULE_BLIND));
    verdict_unref(v);
}

static void nothing_is_told_of_a_service_that_could_not_be_seen(void **state)
{
    struct expect e = expect_of("web", port_80, SEVERITY_WARNING);
    struct policy policy = {.expects = &e, .expect_count = 1};
    struct listener_builder *b = builder("0.0.0.0:80");
    const struct verdict *v;

    (void)state;
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_FAILED, -EIO);
    v = judge_builder(b, &policy);
    assert_int_equal(v->service_count, 1);
    assert_false(v->services[0].seen);
    assert_int_equal(v->services[0].port, 80);
    assert_int_equal(v->services[0].found, 0);
    assert_int_equal(v->services[0].broken, 0);
    assert_int_equal(v->services[0].used, MASK(RULE_NOT_LISTENING) | MASK(RULE_ACCEPT_QUEUE_SATURATED));
    verdict_unref(v);
}

static void a_listener_is_expected_by_its_port(void **state)
{
    struct expect e = expect_of("web", ports_80_81, SEVERITY_WARNING);
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;
    static const bool expected[] = {false, true, true, false, false};

    (void)state;
    e.match.address_count = 1; /* which it need not have */
    e.match.addresses = (struct ip_addr[]){address_of("10.0.0.1")};
    v = judge("0.0.0.0:79 10.0.0.1:80 10.0.0.2:81 0.0.0.0:82 udp/0.0.0.0:80", &policy);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_int_equal(v->listeners[i].expected, expected[i]);
    verdict_unref(v);
}

/* Whichever entry comes first. */
static void a_listener_keeps_the_worst_severity_of_each_rule(void **state)
{
    static const enum severity severities[][2] = {{SEVERITY_WARNING, SEVERITY_CRITICAL},
                                                  {SEVERITY_CRITICAL, SEVERITY_WARNING},
                                                  {SEVERITY_WARNING, SEVERITY_WARNING}};
    static const enum severity worst[] = {SEVERITY_CRITICAL, SEVERITY_CRITICAL, SEVERITY_WARNING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(severities); i++) {
        struct expect expects[] = {expect_of("a", port_80, severities[i][0]),
                                   expect_of("b", port_80, severities[i][1]),
                                   expect_of("c", port_81, SEVERITY_CRITICAL)};
        struct policy policy = {.expects = expects, .expect_count = 3};
        const struct verdict *v;

        expects[0].match.scope = expects[1].match.scope = expects[2].match.scope = WANT_LOOPBACK;
        v = judge("0.0.0.0:80", &policy);
        assert_int_equal(v->count, 3);
        assert_int_equal(v->listeners[0].rules, MASK(RULE_EXPOSED));
        assert_int_equal(v->listeners[0].severities[RULE_EXPOSED], worst[i]);
        verdict_unref(v);
    }
}

static void an_unexpected_listener_has_the_severity_of_unexpected(void **state)
{
    struct policy policy = {.unexpected = {.enabled = true, .severity = SEVERITY_CRITICAL}};
    const struct verdict *v = judge("0.0.0.0:80", &policy);

    (void)state;
    assert_int_equal(v->listeners[0].rules, MASK(RULE_UNEXPECTED_LISTENER));
    assert_int_equal(v->listeners[0].severities[RULE_UNEXPECTED_LISTENER], SEVERITY_CRITICAL);
    assert_false(v->listeners[0].expected);
    verdict_unref(v);
}

/* Blindness is as bad as the worst that it may hide, of the whole class. */
static void blindness_about_a_listener_has_the_severity_of_its_class(void **state)
{
    struct expect expects[] = {expect_of("web", port_80, SEVERITY_WARNING),
                               expect_of("other", port_81, SEVERITY_WARNING)};
    struct policy policy = {.expects = expects, .expect_count = 2};

    (void)state;
    expects[0].match.owner.process = "nginx";
    expects[0].severity = SEVERITY_INFO;
    for (int i = 0; i < SEVERITY_COUNT; i++) {
        const struct verdict *v;

        expects[1].severity = (enum severity)i;
        v = judge_hidden("0.0.0.0:80", &policy);
        assert_int_equal(v->listeners[0].rules, MASK(RULE_BLIND));
        assert_int_equal(v->listeners[0].severities[RULE_BLIND], i);
        assert_int_equal(v->classes[PROTOCOL_TCP].severity, i);
        assert_int_equal(v->findings[v->count - 1].key.rule, RULE_BLIND);
        assert_int_equal(v->findings[v->count - 1].severity, i);
        verdict_unref(v);
    }
}

static void a_class_is_seen_complete_and_needed_or_not(void **state)
{
    static const struct {
        enum visibility visibility;
        bool seen, needed_by_expect, needed_by_unexpected;
    } cases[] = {
        {VISIBILITY_OK, true, true, true},           {VISIBILITY_UNKNOWN, false, true, true},
        {VISIBILITY_FAILED, false, true, true},      {VISIBILITY_ABSENT, false, true, false},
        {VISIBILITY_UNSUPPORTED, false, true, true},
    };
    struct expect e = expect_of("web", port_80, SEVERITY_CRITICAL);
    struct policy expecting = {.expects = &e, .expect_count = 1}, empty = {0};
    struct policy unexpecting = {.unexpected = {.enabled = true, .severity = SEVERITY_WARNING}};
    struct policy *const policies[] = {&expecting, &unexpecting, &empty};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases) * ARRAY_LENGTH(policies); i++) {
        size_t c = i / ARRAY_LENGTH(policies), which = i % ARRAY_LENGTH(policies);
        const bool needed[] = {cases[c].needed_by_expect, cases[c].needed_by_unexpected, false};
        struct listener_builder *b = builder("");
        const struct verdict *v;

        listener_builder_end(b, PROTOCOL_TCP, PART_ALL, cases[c].visibility, -EIO);
        v = judge_builder(b, policies[which]);
        assert_int_equal(v->classes[PROTOCOL_TCP].seen, cases[c].seen);
        assert_int_equal(v->classes[PROTOCOL_TCP].complete, cases[c].seen);
        assert_int_equal(v->classes[PROTOCOL_TCP].needed, needed[which]);
        if (needed[which])
            assert_int_equal(v->classes[PROTOCOL_TCP].severity,
                             which == 0 ? SEVERITY_CRITICAL : SEVERITY_WARNING);
        assert_true(v->classes[PROTOCOL_UDP].seen);
        verdict_unref(v);
    }
}

static void a_verdict_lives_until_nobody_refers_to_it(void **state)
{
    struct expect e = expect_of("web", port_80, SEVERITY_WARNING);
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v = judge("", &policy), *other = verdict_ref(v);

    (void)state;
    assert_ptr_equal(v, other);
    verdict_unref(v);
    assert_int_equal(other->count, 1);
    assert_string_equal(other->findings[0].summary, "web: tcp port 80 has no listener");
    verdict_unref(other);
    verdict_unref(NULL);
}

static void a_long_summary_leaves_nothing_in_a_short_one(void **state)
{
    struct port_range other[] = {{90, 90}};
    struct expect expects[] = {expect_of("an-entry-with-quite-a-long-name", port_80, SEVERITY_WARNING),
                               expect_of("b", other, SEVERITY_WARNING)};
    struct policy policy = {.expects = expects, .expect_count = 2, .unexpected.enabled = true};
    const struct verdict *v;

    (void)state;
    expects[0].match.scope = WANT_LOOPBACK;
    v = judge("10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.4:80 0.0.0.0:81", &policy);
    assert_int_equal(v->count, 3);
    assert_in_range(strlen(v->findings[0].summary), 100, SUMMARY_MAX - 1);
    assert_string_equal(v->findings[1].summary, "b: tcp port 90 has no listener");
    assert_string_equal(v->findings[2].summary,
                        "tcp 0.0.0.0:81 listens, but is neither expected nor allowed");
    verdict_unref(v);
}

static void there_is_no_verdict_without_memory(void **state)
{
    struct port_range many[] = {{1000, 1040}}; /* whose findings do not fit into the first array */
    struct expect expects[] = {expect_of("web", port_80, SEVERITY_WARNING),
                               expect_of("many", many, SEVERITY_WARNING)};
    struct policy policy = {.expects = expects, .expect_count = 2, .unexpected.enabled = true};
    struct listener_builder *b = builder("127.0.0.1:80 0.0.0.0:81");
    struct space space = {.name = ""};
    const struct verdict *v = NULL;
    size_t refused;

    (void)state;
    expects[0].match.scope = WANT_PUBLIC;
    assert_int_equal(policy_seal(&policy), 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    for (refused = 0; !v; refused++) {
        refuse_nth(refused + 1);
        v = judge_space(&space, &policy, &no_own);
        assert_int_equal(refuse_stop(), v == NULL); /* one was refused, or none had to be */
    }
    assert_true(refused > 8); /* the verdict and its parts, notes, text, findings in three sizes; then none */
    assert_int_equal(v->count, 43);
    verdict_unref(v);
    listener_table_unref(space.listeners);
    policy_unseal(&policy);
}

static void a_policy_is_sealed_whole_or_not_at_all(void **state)
{
    struct expect e = expect_of("web", port_80, SEVERITY_WARNING);
    struct allow a = {.match = {.ports = port_81, .port_count = 1}};
    struct policy policy = {.expects = &e, .expect_count = 1, .allows = &a, .allow_count = 1};

    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        refuse_nth(n);
        assert_int_equal(policy_seal(&policy), -ENOMEM);
        assert_true(refuse_stop());
        assert_false(policy_is_sealed(&policy));
    }
    assert_int_equal(policy_seal(&policy), 0);
    assert_true(policy_is_sealed(&policy));
    policy_unseal(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_stand_in_the_order_of_entries_and_ports),
        cmocka_unit_test(a_service_is_found_as_often_as_it_listens),
        cmocka_unit_test(a_service_breaks_every_rule_that_is_true),
        cmocka_unit_test(an_owner_that_cannot_be_told_breaks_nothing),
        cmocka_unit_test(nothing_is_told_of_a_service_that_could_not_be_seen),
        cmocka_unit_test(a_listener_is_expected_by_its_port),
        cmocka_unit_test(a_listener_keeps_the_worst_severity_of_each_rule),
        cmocka_unit_test(an_unexpected_listener_has_the_severity_of_unexpected),
        cmocka_unit_test(blindness_about_a_listener_has_the_severity_of_its_class),
        cmocka_unit_test(a_class_is_seen_complete_and_needed_or_not),
        cmocka_unit_test(a_verdict_lives_until_nobody_refers_to_it),
        cmocka_unit_test(a_long_summary_leaves_nothing_in_a_short_one),
        cmocka_unit_test(there_is_no_verdict_without_memory),
        cmocka_unit_test(a_policy_is_sealed_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
