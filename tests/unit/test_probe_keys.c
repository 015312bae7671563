#include "core/probe.h"
#include "tests/unit/config_files.h"

#define ENTRY(keys) "expect = ( { name = \"a\"; port = 1; " keys " } );"

static const struct probe_order *load_order(struct fixture *f, const char *text)
{
    assert_loads(f, text);
    return &f->config->policy.expects[0].probe;
}

static void a_probe_has_defaults(void **state)
{
    const struct probe_order *order = load_order(*state, ENTRY("probe = \"192.0.2.10:3306\";"));

    assert_true(order->is_set);
    assert_int_equal(order->target.port, 3306);
    assert_int_equal(order->target.address.version, 4);
    assert_int_equal(probe_interval_ms(order), 30000);
    assert_int_equal(probe_timeout_ms(order), 3000);
    assert_int_equal(order->want, PROBE_WANT_UNSAID);
    assert_false(load_order(*state, ENTRY(""))->is_set);
}

static void a_probe_says_how_and_what(void **state)
{
    const struct probe_order *order =
        load_order(*state, ENTRY("probe = \"[2001:db8::1]:80\"; probe_interval = \"1s\";"
                                 "probe_timeout = \"100ms\"; probe_expect = \"fail\";"));

    assert_int_equal(order->target.address.version, 6);
    assert_int_equal(probe_interval_ms(order), 1000);
    assert_int_equal(probe_timeout_ms(order), 100);
    assert_int_equal(order->want, PROBE_WANT_FAIL);
    /* a time limit that was not given keeps to the interval */
    order = load_order(*state, ENTRY("probe = \"192.0.2.1:80\"; probe_interval = \"2s\";"));
    assert_int_equal(probe_timeout_ms(order), 2000);
    order = load_order(*state, ENTRY("probe = \"[::ffff:192.0.2.1]:80\";"));
    assert_int_equal(order->target.address.version, 4);
}

static void what_is_shown_is_in_force(void **state)
{
    static const char *const wanted[] = {"probe = \"[2001:db8::1]:80\";", "probe_interval = \"2s\";",
                                         "probe_timeout = \"2s\";", "probe_expect = \"connect\";"};
    struct fixture *f = *state;
    struct buf shown;

    assert_loads(f, ENTRY("probe = \"[2001:db8::1]:80\"; probe_interval = \"2s\";"));
    buf_init(&shown);
    config_show(f->config, &shown);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        assert_non_null(strstr(buf_text(&shown), wanted[i]));
    assert_loads(f, buf_text(&shown));
    buf_truncate(&shown, 0);
    assert_loads(f, ENTRY(""));
    config_show(f->config, &shown);
    assert_null(strstr(buf_text(&shown), "probe"));
    buf_done(&shown);
}

static void refuses_values_that_are_none(void **state)
{
#define TARGET ", expected ADDRESS:PORT such as \"192.0.2.10:3306\""
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {ENTRY("probe = \"192.0.2.10\";"), "1: expect[0].probe: \"192.0.2.10\" is not valid" TARGET},
        {ENTRY("probe = \"db.example:3306\";"), "1: expect[0].probe: \"db.example:3306\" is not valid"},
        {ENTRY("probe = \"192.0.2.10:0\";"), "1: expect[0].probe: \"192.0.2.10:0\" is not valid"},
        {ENTRY("probe = \"0.0.0.0:80\";"), "1: expect[0].probe: \"0.0.0.0:80\" is not valid"},
        {ENTRY("probe = \"[::]:80\";"), "1: expect[0].probe: \"[::]:80\" is not valid"},
        {ENTRY("probe = \"[fe80::1]:80\";"), "1: expect[0].probe: \"[fe80::1]:80\" is not valid"},
        {ENTRY("probe = \"192.0.2.1:80\"; probe_interval = \"999ms\";"),
         "1: expect[0].probe_interval: \"999ms\" is out of range, expected a duration 1s-1h"},
        {ENTRY("probe = \"192.0.2.1:80\"; probe_interval = \"61m\";"),
         "1: expect[0].probe_interval: \"61m\" is out of range"},
        {ENTRY("probe = \"192.0.2.1:80\"; probe_timeout = \"99ms\";"),
         "1: expect[0].probe_timeout: \"99ms\" is out of range, expected a duration 100ms-1m"},
        {ENTRY("probe = \"192.0.2.1:80\"; probe_interval = \"1h\"; probe_timeout = \"61s\";"),
         "1: expect[0].probe_timeout: \"61s\" is out of range"},
        {ENTRY("probe = \"192.0.2.1:80\"; probe_expect = \"refused\";"),
         "1: expect[0].probe_expect: \"refused\" is not valid, expected \"connect\" or \"fail\""},
        {"allow = ( { port = 1; probe = \"192.0.2.1:80\"; } );", "1: allow[0].probe: is not a known key"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_refuses(*state, cases[i].text, cases[i].wanted);
}

static void refuses_what_contradicts(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {ENTRY("probe_interval = \"30s\";"),
         "1: expect[0].probe_interval: is given without probe, expected that, too, or neither"},
        {ENTRY("probe_timeout = \"3s\";"), "1: expect[0].probe_timeout: is given without probe"},
        {ENTRY("probe_expect = \"connect\";"), "1: expect[0].probe_expect: is given without probe"},
        {ENTRY("protocol = \"udp\"; probe = \"192.0.2.1:1\";"),
         "1: expect[0].probe: contradicts protocol, expected protocol \"tcp\", or no probe"},
        {ENTRY("probe = \"192.0.2.1:1\"; probe_interval = \"2s\"; probe_timeout = \"3s\";"),
         "1: expect[0].probe_timeout: is longer than probe_interval, expected \"2s\" at most"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_refuses(*state, cases[i].text, cases[i].wanted);
    assert_loads(*state, ENTRY("protocol = [ \"tcp\", \"udp\" ]; probe = \"192.0.2.1:1\";"));
}

static void refuses_two_probes_of_one_name(void **state)
{
    struct fixture *f = *state;
    char wanted[2 * PATH_TEXT_MAX];

    (void)snprintf(wanted, sizeof wanted, "3: expect[2].probe: is another one of \"a\" (%s:1), expected one",
                   f->path);
    assert_refuses(f,
                   "expect = ( { name = \"a\"; port = 1; probe = \"192.0.2.1:1\"; },\n"
                   "{ name = \"b\"; port = 1; address = \"192.0.2.1\"; probe = \"192.0.2.1:1\"; },\n"
                   "{ name = \"a\"; port = 2; probe = \"192.0.2.1:2\"; } );",
                   wanted);
    assert_loads(f, "expect = ( { name = \"a\"; port = 1; probe = \"192.0.2.1:1\"; },\n"
                    "{ name = \"a\"; port = 2; } );");
}

static void refuses_more_than_can_be_made(void **state)
{
    struct buf text;

    buf_init(&text);
    buf_str(&text, "expect = (\n");
    for (int i = 1; i <= PROBES_MAX + 1; i++)
        buf_fmt(&text, "%s{ name = \"s%d\"; port = %d; probe = \"192.0.2.1:%d\"; }\n", i > 1 ? "," : "", i, i,
                i);
    buf_str(&text, ");\n");
    assert_refuses(*state, buf_text(&text),
                   "1026: expect[1024].probe: is one more than 1024, expected fewer");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_probe_has_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_probe_says_how_and_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_shown_is_in_force, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_values_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_contradicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_two_probes_of_one_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_more_than_can_be_made, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
