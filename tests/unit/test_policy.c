#include "core/policy.h"
#include "tests/unit/policies.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ip_addr address_of(const char *text)
{
    struct ip_addr address = {0};

    assert_int_equal(ip_addr_parse(text, &address), 0);
    return address;
}

static void names_are_as_in_the_configuration(void **state)
{
    (void)state;
    assert_string_equal(severity_name(SEVERITY_WARNING), "warning");
    assert_string_equal(severity_name(SEVERITY_CRITICAL), "critical");
    assert_string_equal(want_scope_name(WANT_ANY), "any");
    assert_string_equal(want_scope_name(WANT_PUBLIC), "public");
    assert_string_equal(want_scope_name(WANT_LOOPBACK), "loopback");
}

static void critical_is_worse_than_warning(void **state)
{
    (void)state;
    assert_true(SEVERITY_CRITICAL > SEVERITY_WARNING);
}

static void expects_the_ports_of_every_entry_and_protocol(void **state)
{
    struct port_range web[] = {{80, 80}, {8000, 8100}}, dns[] = {{53, 53}};
    struct expect expects[] = {
        {.match = {.protocols = 1u << PROTOCOL_TCP, .ports = web, .port_count = 2}},
        {.match = {.protocols = 1u << PROTOCOL_UDP, .ports = dns, .port_count = 1}},
    };
    struct allow allows[] = {{.match = {.protocols = 1u << PROTOCOL_TCP, .ports = dns, .port_count = 1}}};
    struct policy policy = {
        .expects = expects, .expect_count = 2, .allows = allows, .allow_count = 1, .unexpected = {0}};
    static const struct {
        enum protocol protocol;
        uint16_t port;
        bool expected;
    } cases[] = {
        {PROTOCOL_TCP, 80, true},   {PROTOCOL_TCP, 79, false},   {PROTOCOL_TCP, 81, false},
        {PROTOCOL_TCP, 8000, true}, {PROTOCOL_TCP, 8100, true},  {PROTOCOL_TCP, 7999, false},
        {PROTOCOL_UDP, 53, true},   {PROTOCOL_TCP, 8101, false}, {PROTOCOL_UDP, 80, false},
        {PROTOCOL_TCP, 53, false},  {PROTOCOL_SCTP, 80, false},
    };

    (void)state;
    assert_int_equal(policy_seal(&policy), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(policy_expects_port(&policy, cases[i].protocol, cases[i].port), cases[i].expected);
    policy_unseal(&policy);
}

/* Two entries share port 80, and another two port 53. */
static void a_walk_yields_the_entries_of_a_port(void **state)
{
    struct port_range web[] = {{80, 81}}, dns[] = {{53, 53}}, low[] = {{1, 80}};
    struct expect expects[] = {
        {.name = "web", .match = {.ports = web, .port_count = 1}},
        {.name = "dns", .match = {.ports = dns, .port_count = 1}},
        {.name = "low", .match = {.ports = low, .port_count = 1}},
    };
    struct allow allows[] = {{.match = {.ports = dns, .port_count = 1}}};
    struct policy policy = {.expects = expects, .expect_count = 3, .allows = allows, .allow_count = 1};
    const struct expect *a, *b;
    struct port_walk walk;

    (void)state;
    assert_int_equal(policy_seal(&policy), 0);
    policy_walk_expects(&policy, PROTOCOL_TCP, 80, &walk);
    a = policy_next_expect(&policy, &walk);
    b = policy_next_expect(&policy, &walk);
    assert_true((a == &expects[0] && b == &expects[2]) || (a == &expects[2] && b == &expects[0]));
    assert_null(policy_next_expect(&policy, &walk));
    policy_walk_expects(&policy, PROTOCOL_UDP, 80, &walk);
    assert_null(policy_next_expect(&policy, &walk));
    policy_walk_allows(&policy, PROTOCOL_TCP, 53, ALLOW_OPEN, NULL, &walk);
    assert_ptr_equal(policy_next_allow(&policy, &walk), &allows[0]);
    assert_null(policy_next_allow(&policy, &walk));
    policy_walk_allows(&policy, PROTOCOL_TCP, 80, ALLOW_OPEN, NULL, &walk);
    assert_null(policy_next_allow(&policy, &walk));
    policy_unseal(&policy);
}

static void sealed_anew_it_knows_the_entries_of_now(void **state)
{
    struct port_range web[] = {{80, 80}}, dns[] = {{53, 53}};
    struct expect expects[] = {{.match = {.ports = web, .port_count = 1}},
                               {.match = {.ports = dns, .port_count = 1}}};
    struct policy policy = {.expects = expects, .expect_count = 1};

    (void)state;
    assert_int_equal(policy_seal(&policy), 0);
    assert_false(policy_expects_port(&policy, PROTOCOL_TCP, 53));
    policy.expect_count = 2;
    web[0] = (struct port_range){81, 81};
    assert_int_equal(policy_seal(&policy), 0);
    assert_true(policy_expects_port(&policy, PROTOCOL_TCP, 53));
    assert_true(policy_expects_port(&policy, PROTOCOL_TCP, 81));
    assert_false(policy_expects_port(&policy, PROTOCOL_TCP, 80));
    policy_unseal(&policy);
}

/* The signal that ends a process which asks the policy for a port, 0 for none. */
static int signal_of_asking(const struct policy *policy)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void)signal(SIGABRT, SIG_DFL);
        if (null >= 0)
            (void)dup2(null, STDERR_FILENO); /* what it says is no news */
        _exit(policy_expects_port(policy, PROTOCOL_TCP, 80) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_policy_with_entries_must_be_sealed(void **state)
{
    struct port_range web[] = {{80, 80}};
    struct expect expects[] = {{.match = {.ports = web, .port_count = 1}},
                               {.match = {.ports = web, .port_count = 1}}};
    struct policy policy = {.expects = expects, .expect_count = 1};

    (void)state;
    assert_int_equal(signal_of_asking(&policy), SIGABRT);
    assert_int_equal(policy_seal(&policy), 0);
    assert_int_equal(signal_of_asking(&policy), 0);
    policy.expect_count = 2; /* which the index does not know */
    assert_int_equal(signal_of_asking(&policy), SIGABRT);
    policy_unseal(&policy);
}

static void an_empty_policy_expects_nothing(void **state)
{
    const struct policy policy = {0};

    (void)state;
    assert_false(policy_expects_port(&policy, PROTOCOL_TCP, 0));
}

static void a_loopback_address_asks_for_loopback(void **state)
{
    static const struct {
        const char *address; /* NULL for none */
        enum want_scope scope, wanted;
    } cases[] = {
        {NULL, WANT_ANY, WANT_ANY},
        {NULL, WANT_PUBLIC, WANT_PUBLIC},
        {NULL, WANT_LOOPBACK, WANT_LOOPBACK},
        {"192.0.2.1", WANT_ANY, WANT_ANY},
        {"192.0.2.1", WANT_PUBLIC, WANT_PUBLIC},
        {"127.0.0.1", WANT_ANY, WANT_LOOPBACK},
        {"127.255.0.3", WANT_ANY, WANT_LOOPBACK},
        {"::1", WANT_ANY, WANT_LOOPBACK},
        {"::ffff:127.0.0.1", WANT_ANY, WANT_LOOPBACK},
        {"::2", WANT_ANY, WANT_ANY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct matcher match = {.scope = cases[i].scope};

        struct ip_addr address;

        if (cases[i].address) {
            address = address_of(cases[i].address);
            match.addresses = &address;
            match.address_count = 1;
        }
        assert_int_equal(matcher_scope(&match), cases[i].wanted);
    }
}

static void entries_are_found_by_their_names(void **state)
{
    struct policy policy = policy_expecting("b=tcp/1 a=tcp/2 b=udp/3 c=tcp/4 b=tcp/5");

    (void)state;
    assert_ptr_equal(policy_named(&policy, "a", 0), &policy.expects[1]);
    assert_null(policy_named(&policy, "a", 1));
    assert_ptr_equal(policy_named(&policy, "b", 0), &policy.expects[0]);
    assert_ptr_equal(policy_named(&policy, "b", 1), &policy.expects[2]);
    assert_ptr_equal(policy_named(&policy, "b", 2), &policy.expects[4]);
    assert_null(policy_named(&policy, "b", 3));
    assert_ptr_equal(policy_named(&policy, "c", 0), &policy.expects[3]);
    assert_null(policy_named(&policy, "c", 1));
    assert_null(policy_named(&policy, "", 0));
    assert_null(policy_named(&policy, "bb", 0));
    assert_null(policy_named(&policy, "d", 0));
    policy_done(&policy);
}

static void assert_ranges(const struct policy *policy, size_t max, const char *wanted)
{
    struct port_range ranges[8];
    char have[256] = "";
    size_t length = 0, count;

    assert_in_range(max, 1, ARRAY_LENGTH(ranges));
    count = policy_expected_ranges(policy, PROTOCOL_TCP, ranges, max);
    assert_in_range(count, 0, max);
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%u-%u", i > 0 ? " " : "",
                                   ranges[i].first, ranges[i].last);
    assert_string_equal(have, wanted);
}

static void expected_ports_are_told_as_few_ranges(void **state)
{
    struct policy policy =
        policy_expecting("udp/1-99 tcp/80-90,22 tcp/85-95 tcp/96 tcp/65535 tcp/8000 raw/6");
    struct policy none = policy_expecting("udp/53");

    (void)state;
    assert_ranges(&policy, 8, "22-22 80-96 8000-8000 65535-65535");
    assert_ranges(&policy, 4, "22-22 80-96 8000-8000 65535-65535");
    assert_ranges(&policy, 3, "22-96 8000-8000 65535-65535"); /* what is nearest is joined */
    assert_ranges(&policy, 2, "22-8000 65535-65535");
    assert_ranges(&policy, 1, "22-65535");
    assert_ranges(&none, 8, "");
    policy_done(&policy);
    policy_done(&none);
}

static void done_frees_all_and_leaves_an_empty_policy(void **state)
{
    struct policy policy = {.expect_count = 1, .allow_count = 1, .unexpected = {.enabled = true}};

    (void)state;
    policy.expects = calloc(1, sizeof *policy.expects);
    policy.allows = calloc(1, sizeof *policy.allows);
    assert_non_null(policy.expects);
    assert_non_null(policy.allows);
    assert_int_equal(port_ranges_parse("80", &policy.expects->match.ports, &policy.expects->match.port_count),
                     0);
    assert_int_equal(port_ranges_parse("22", &policy.allows->match.ports, &policy.allows->match.port_count),
                     0);
    assert_int_equal(policy_seal(&policy), 0);
    policy_done(&policy);
    assert_null(policy.expects);
    assert_int_equal(policy.expect_count + policy.allow_count, 0);
    assert_false(policy.unexpected.enabled);
    assert_false(policy_expects_port(&policy, PROTOCOL_TCP, 80));
    policy_done(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_as_in_the_configuration),
        cmocka_unit_test(critical_is_worse_than_warning),
        cmocka_unit_test(expects_the_ports_of_every_entry_and_protocol),
        cmocka_unit_test(a_walk_yields_the_entries_of_a_port),
        cmocka_unit_test(sealed_anew_it_knows_the_entries_of_now),
        cmocka_unit_test(a_policy_with_entries_must_be_sealed),
        cmocka_unit_test(an_empty_policy_expects_nothing),
        cmocka_unit_test(a_loopback_address_asks_for_loopback),
        cmocka_unit_test(expected_ports_are_told_as_few_ranges),
        cmocka_unit_test(entries_are_found_by_their_names),
        cmocka_unit_test(done_frees_all_and_leaves_an_empty_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
