/* The path of an entry, from its text. */
#include "tests/unit/config_files.h"

#define ENTRY(keys) "expect = ( { name = \"a\"; " keys " } );"

static void an_entry_may_have_a_path_instead_of_a_port(void **state)
{
    struct fixture *f = *state;
    const struct matcher *match;

    assert_loads(f,
                 ENTRY("protocol = \"unix\"; path = \"/run/a.sock\"; user = \"mysql\"; accept_queue = 0.5;"));
    match = &f->config->policy.expects[0].match;
    assert_string_equal(match->path, "/run/a.sock");
    assert_int_equal(matcher_protocols(match), 1u << PROTOCOL_UNIX);
    assert_non_null(policy_service(&f->config->policy, "a", PROTOCOL_UNIX, match->ports[0].first));
    assert_loads(f, ENTRY("path = \"@a b\"; protocol = [ \"unix\" ];"));
    assert_string_equal(f->config->policy.expects[0].match.path, "@a b");
}

static void a_path_is_shown_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct buf first, second;

    buf_init(&first);
    buf_init(&second);
    assert_loads(f, ENTRY("protocol = \"unix\"; path = \"/run/\\\"a\\\".sock\";"));
    config_show(f->config, &first);
    assert_non_null(strstr(buf_text(&first), "path = \"/run/\\\"a\\\".sock\";"));
    assert_null(strstr(buf_text(&first), "\n    port = "));
    assert_loads(f, buf_text(&first));
    config_show(f->config, &second);
    assert_string_equal(buf_text(&second), buf_text(&first));
    buf_truncate(&first, 0);
    (void)config_show_entries(f->config, "expect", &first);
    assert_non_null(
        strstr(buf_text(&first), "{ name = \"a\"; protocol = \"unix\"; path = \"/run/\\\"a\\\".sock\"; }"));
    buf_done(&first);
    buf_done(&second);
}

static void what_is_no_path_is_refused(void **state)
{
    static const char *const bad[] = {"", "run/a", "@", "/", "/a\\\\b", "/a\\nb", "./a", "~/a"};
    char text[256], longest[109];

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        (void)snprintf(text, sizeof text, ENTRY("protocol = \"unix\"; path = \"%s\";"), bad[i]);
        assert_int_equal(load(*state, text), ERR_CONFIG);
        assert_non_null(strstr(buf_text(&((struct fixture *)*state)->errors), "expect[0].path: "));
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[108] = '\0';
    (void)snprintf(text, sizeof text, ENTRY("protocol = \"unix\"; path = \"%s\";"), longest);
    assert_int_equal(load(*state, text), ERR_CONFIG);
    longest[107] = '\0';
    (void)snprintf(text, sizeof text, ENTRY("protocol = \"unix\"; path = \"%s\";"), longest);
    assert_loads(*state, text);
}

#define UNIX "protocol = \"unix\"; path = \"/a\"; "

static void what_a_unix_socket_has_none_of_contradicts_its_path(void **state)
{
    static const struct {
        const char *config, *error;
    } cases[] = {
        {ENTRY(UNIX "port = 22;"), "1: expect[0].port: contradicts path"},
        {ENTRY(UNIX "ports = \"22\";"), "1: expect[0].port: contradicts path"},
        {ENTRY(UNIX "scope = \"loopback\";"), "1: expect[0].scope: contradicts path"},
        {ENTRY(UNIX "address = \"192.0.2.1\";"), "1: expect[0].address: contradicts path"},
        {ENTRY(UNIX "families = [ \"ipv4\" ];"), "1: expect[0].families: contradicts path"},
        {ENTRY(UNIX "drops: { max = 1; };"), "1: expect[0].drops: cannot be told"},
        {ENTRY(UNIX "connections: { max = 1; };"), "1: expect[0].connections: cannot be counted"},
        {ENTRY(UNIX "close_wait_max = 1;"), "1: expect[0].close_wait_max: cannot be counted"},
        {ENTRY(UNIX "labels: { path = \"x\"; };"), "1: expect[0].labels.path: "},
        {ENTRY("path = \"/a\";"), "1: expect[0].path: contradicts protocol"},
        {ENTRY("path = \"/a\"; protocol = [ \"unix\", \"tcp\" ];"),
         "1: expect[0].path: contradicts protocol"},
        {ENTRY("protocol = \"unix\"; port = 22;"), "1: expect[0].protocol: is \"unix\", expected path"},
        {"allow = ( { protocol = \"unix\"; port = 22; } );",
         "1: allow[0].protocol: may not be \"unix\" here"},
        {"deny = ( { protocol = \"unix\"; port = 22; } );", "1: deny[0].protocol: may not be \"unix\" here"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_refuses(*state, cases[i].config, cases[i].error);
}

static void a_name_is_for_one_unix_socket(void **state)
{
    static const char two[] = "expect = ( { name = \"a\"; protocol = \"unix\"; path = \"/a\"; },\n"
                              "{ name = \"a\"; protocol = \"unix\"; path = \"/b\"; } );";

    assert_refuses(*state, two, "2: expect[1].name: \"a\" is used before for a unix socket");
    assert_loads(*state, "expect = ( { name = \"a\"; protocol = \"unix\"; path = \"/a\"; },"
                         "{ name = \"a\"; port = 3306; },"
                         "{ name = \"b\"; protocol = \"unix\"; path = \"/a\"; user = \"x\"; } );");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(an_entry_may_have_a_path_instead_of_a_port),
        WITH_FILES(a_path_is_shown_as_it_was_written),
        WITH_FILES(what_is_no_path_is_refused),
        WITH_FILES(what_a_unix_socket_has_none_of_contradicts_its_path),
        WITH_FILES(a_name_is_for_one_unix_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
