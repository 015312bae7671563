#include "exporters/expected.h"
#include "exporters/table.h"
#include "tests/unit/scene.h"

enum { MINUTE_MS = 60000 };

static const struct table_style wide = {.now_ms = SCENE_WALL_MS};

/* Returns owned. */
static char *render(const struct view *view, const struct table_style *style)
{
    struct buf out;
    size_t length;
    char *text;

    buf_init(&out);
    (void)table_expected(view, style, &out);
    text = buf_take(&out, &length);
    assert_non_null(text);
    return text;
}

static void assert_table(const struct view *view, const struct table_style *style, const char *expected)
{
    char *text = render(view, style);

    assert_string_equal(text, expected);
    free(text);
}

/* One service of each status, and one whose owner cannot be told. */
static void scene_of_each_status(struct scene *s)
{
    scene_init(s);
    scene_expect(s, "ssh", PROTOCOL_TCP, "22", WANT_ANY);
    scene_expect(s, "mail", PROTOCOL_TCP, "25", WANT_ANY)->severity = SEVERITY_WARNING;
    scene_expect(s, "mysql", PROTOCOL_TCP, "3306", WANT_PUBLIC);
    scene_expect(s, "web", PROTOCOL_TCP, "80-81", WANT_ANY);
    scene_expect(s, "sigtran", PROTOCOL_SCTP, "2905", WANT_ANY);
    scene_expect(s, "redis", PROTOCOL_TCP, "6379", WANT_ANY)->match.owner.process = strdup("redis*");
    scene_own(s, "0:root:", "7:sshd:root:");
    scene_listen(s, "0.0.0.0:22", "0/128");
    scene_listen(s, "127.0.0.1:3306", "0/128");
    scene_listen(s, "*:80", "0/128");
    scene_listen(s, "*:9000", "0/128");
    scene_own(s, "112:redis:", "");
    s->owners->sight = SIGHT_HIDDEN;
    scene_listen(s, "*:6379", "0/128");
    scene_seal(s);
}

static void the_worst_come_first(void **state)
{
    struct scene s;

    (void)state;
    scene_of_each_status(&s);
    assert_table(&s.view, &wide,
                 "STATUS   EXPECTED  PROTO  PORT  RULES\n"
                 "MISSING  web       tcp      81  NotListening\n"
                 "WRONG    mysql     tcp    3306  LoopbackOnly\n"
                 "MISSING  mail      tcp      25  NotListening\n"
                 "UNKNOWN  sigtran   sctp   2905\n"
                 "UNKNOWN  redis     tcp    6379  WrongOwner?\n"
                 "OK       ssh       tcp      22\n"
                 "OK       web       tcp      80\n");
    scene_done(&s);
}

static void who_expects_nothing_gets_no_table(void **state)
{
    struct scene s;
    struct buf out;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:22", "0/128");
    scene_seal(&s);
    buf_init(&out);
    assert_int_equal(table_expected(&s.view, &wide, &out), 0);
    assert_int_equal(out.len, 0);
    buf_done(&out);
    scene_done(&s);
}

static void the_daemon_knows_for_how_long(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-5000, "0s"},
        {0, "0s"},
        {999, "0s"},
        {59 * 1000 + 999, "59s"},
        {60 * 1000, "1m"},
        {INT64_C(61) * MINUTE_MS + 59000, "1h1m"},
        {INT64_C(24) * 60 * MINUTE_MS + 59 * MINUTE_MS, "1d"},
        {INT64_C(400) * 24 * 60 * MINUTE_MS + INT64_C(23) * 60 * MINUTE_MS, "400d23h"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t since[7] = {0, 0, 0, 0, SCENE_WALL_MS - cases[i].ms, VIEW_SINCE_UNKNOWN, 0};
        char wanted[64];
        struct scene s;
        char *text;

        scene_of_each_status(&s);
        since[0] = since[1] = since[2] = since[3] = VIEW_SINCE_UNKNOWN;
        s.view.since_ms = since; /* of web's second port, and of what is not wrong at all */
        text = render(&s.view, &wide);
        (void)snprintf(wanted, sizeof wanted, "  81  %7s  NotListening\n", cases[i].text);
        assert_non_null(strstr(text, "FOR  RULES\n"));
        if (!strstr(strstr(text, "web"), cases[i].text))
            fail_msg("no %s in\n%s", cases[i].text, text);
        assert_non_null(strstr(text, " 25"));
        assert_non_null(strstr(text, "-  NotListening\n"));
        assert_null(strstr(strstr(text, "sigtran"), cases[i].text));
        free(text);
        scene_done(&s);
    }
}

/* By the alerts themselves, pending ones as well; the first of several. */
static void history_knows_since_when(void **state)
{
    static const int64_t since[] = {5000, 3000, 4000};
    struct expected e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_PUBLIC)->for_ms = 10000;
    s.policy.expects[0].families[1] = true;
    s.policy.expects[0].match.owner.user = strdup("www-data");
    scene_own(&s, "0:root:", "7:nginx:root:");
    scene_listen(&s, "127.0.0.1:80", "0/128");
    scene_seal(&s);
    scene_raise_alerts(&s);
    assert_int_equal(s.alerts.count, ARRAY_LENGTH(since));
    for (size_t i = 0; i < ARRAY_LENGTH(since); i++)
        s.alerts.items[i].since.wall_ms = since[i];
    scene_seal_alerts(&s);
    e = expected_at(&s.view, 0);
    assert_int_equal(e.status, EXPECTED_WRONG);
    assert_true(e.since_ms == VIEW_SINCE_UNKNOWN);
    s.view.has_history = true;
    assert_true(expected_at(&s.view, 0).since_ms == 3000);
    scene_done(&s);
}

static void what_is_well_is_wrong_since_never(void **state)
{
    static const int64_t since[7] = {1, 1, 1, 1, 1, 1, 1};
    struct scene s;

    (void)state;
    scene_of_each_status(&s);
    s.view.since_ms = since;
    for (size_t i = 0; i < s.verdict->service_count; i++) {
        struct expected e = expected_at(&s.view, i);

        assert_int_equal(e.since_ms != VIEW_SINCE_UNKNOWN, e.broken != 0);
    }
    scene_done(&s);
}

static void filters_narrow_it(void **state)
{
    static const struct port_range ports[] = {{20, 25}, {3306, 3306}};
    struct view_filter filter = {.ports = ports, .port_count = ARRAY_LENGTH(ports)};
    struct scene s;

    (void)state;
    scene_of_each_status(&s);
    s.view.filter = &filter;
    assert_table(&s.view, &wide,
                 "STATUS   EXPECTED  PROTO  PORT  RULES\n"
                 "WRONG    mysql     tcp    3306  LoopbackOnly\n"
                 "MISSING  mail      tcp      25  NotListening\n"
                 "OK       ssh       tcp      22\n");
    filter.problems = true;
    assert_table(&s.view, &wide,
                 "STATUS   EXPECTED  PROTO  PORT  RULES\n"
                 "WRONG    mysql     tcp    3306  LoopbackOnly\n"
                 "MISSING  mail      tcp      25  NotListening\n");
    filter = (struct view_filter){.one_protocol = true, .protocol = PROTOCOL_SCTP, .problems = true};
    assert_table(&s.view, &wide,
                 "STATUS   EXPECTED  PROTO  PORT\n"
                 "UNKNOWN  sigtran   sctp   2905\n");
    filter.protocol = PROTOCOL_UDP;
    assert_table(&s.view, &wide, "");
    scene_done(&s);
}

static void it_fits_a_terminal(void **state)
{
    const struct table_style narrow = {.width = 44}, wider = {.width = 50};
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "a-name-that-is-as-long-as-nobody-would-have-it", PROTOCOL_TCP, "80", WANT_ANY);
    scene_expect(&s,
                 "b\xc3\xa4"
                 "cker",
                 PROTOCOL_UDPLITE, "1", WANT_ANY);
    scene_expect(&s, "mysql", PROTOCOL_TCP, "3306", WANT_PUBLIC);
    scene_listen(&s, "127.0.0.1:3306", "0/128");
    scene_seal(&s);
    assert_table(&s.view, &wider,
                 "STATUS  EXPECTED         PROTO   PORT RULES\n"
                 "MISSING a-name-that-i... tcp       80 NotListening\n"
                 "WRONG   mysql            tcp     3306 LoopbackOnly\n"
                 "UNKNOWN b?cker           udplite    1\n");
    assert_table(&s.view, &narrow,
                 "STATUS  EXPECTED                PROTO   PORT\n"
                 "MISSING a-name-that-is-as-lo... tcp       80\n"
                 "        ! NotListening\n"
                 "WRONG   mysql                   tcp     3306\n"
                 "        ! LoopbackOnly\n"
                 "UNKNOWN b?cker                  udplite    1\n");
    scene_done(&s);
}

static void colours_are_of_the_severity(void **state)
{
    const struct table_style colourful = {.colour = true};
    struct scene s;
    char *text;

    (void)state;
    scene_of_each_status(&s);
    text = render(&s.view, &colourful);
    assert_non_null(strstr(text, "\033[31mMISSING\033[0m  web "));
    assert_non_null(strstr(text, "\033[33mMISSING\033[0m  mail "));
    assert_non_null(strstr(text, "\033[33mUNKNOWN\033[0m  sigtran "));
    assert_non_null(strstr(text, "\nOK       ssh "));
    assert_non_null(strstr(text, "  \033[31mLoopbackOnly\033[0m\n"));
    free(text);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_come_first),
        cmocka_unit_test(who_expects_nothing_gets_no_table),
        cmocka_unit_test(the_daemon_knows_for_how_long),
        cmocka_unit_test(history_knows_since_when),
        cmocka_unit_test(what_is_well_is_wrong_since_never),
        cmocka_unit_test(filters_narrow_it),
        cmocka_unit_test(it_fits_a_terminal),
        cmocka_unit_test(colours_are_of_the_severity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
