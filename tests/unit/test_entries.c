/* What entries of a configuration say, from their text to the verdict. */
#include "tests/unit/config_files.h"
#include "tests/unit/judged.h"
#include "tests/unit/owned.h"

enum { SOCKETS_MAX = 4, FINDINGS_TEXT_MAX = 4096 };

#define MYSQL   "999:mysql:mariadb.service", "812:mariadbd:mysql:mariadb.service:/usr/sbin/mariadbd"
#define NC      "1000:eve:session-3.scope", "666:nc:eve:session-3.scope:/usr/bin/nc"
#define LIKE_NC "1000:eve:session-3.scope", "667:sh:eve:session-3.scope:?/usr/bin/nc"
#define SYSTEMD "0:root:init.scope", "1:systemd:root:init.scope:/usr/lib/systemd/systemd"
#define UNSEEN  "0:root:", NULL
#define OF_EVE  "1000:eve:session-3.scope", NULL

/* "critical UnexpectedListener(0.0.0.0:4444) warning NotListening?(mysql:3306)" */
static void findings_text(const struct verdict *v, char ret_text[static FINDINGS_TEXT_MAX])
{
    size_t length = 0;

    *ret_text = '\0';
    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];
        char about[ENDPOINT_TEXT_MAX + EXPECT_NAME_MAX + 8] = "";

        if (f->key.has_endpoint)
            endpoint_format(&f->key.address, f->key.family, f->key.port, f->key.interface, about);
        else if (f->key.has_port)
            (void)snprintf(about, sizeof about, "%s:%s:%u", f->key.name, protocol_name(f->key.protocol),
                           f->key.port);
        length += (size_t)snprintf(ret_text + length, FINDINGS_TEXT_MAX - length, "%s%s %s%s(%s)",
                                   i > 0 ? " " : "", severity_name(f->severity), rule_name(f->key.rule),
                                   f->undetermined ? "?" : "", about);
        assert_true(length < FINDINGS_TEXT_MAX);
    }
}

struct entry_case {
    const char *config;
    struct owned sockets[SOCKETS_MAX];
    const char *findings;
};

static const struct verdict *judge(struct fixture *f, const struct entry_case *c)
{
    static const struct own_sockets none;
    struct space space = {.name = ""};
    const struct verdict *v;

    assert_loads(f, c->config);
    space.listeners = owned_table(c->sockets, SOCKETS_MAX);
    v = judge_space(&space, &f->config->policy, &none);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    return v;
}

static void assert_cases(struct fixture *f, const struct entry_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct verdict *v = judge(f, &cases[i]);
        char have[FINDINGS_TEXT_MAX];

        findings_text(v, have);
        assert_string_equal(have, cases[i].findings);
        verdict_unref(v);
    }
}

#define DENY "deny = ( { ports = \"23,4444\"; } ); "

static void what_is_denied_is_unexpected_whatever_else_says_so(void **state)
{
    static const struct entry_case cases[] = {
        {DENY, {{"0.0.0.0:4444", NC}}, "critical UnexpectedListener(0.0.0.0:4444)"},
        {DENY, {{"127.0.0.1:23", NC}}, "critical UnexpectedListener(127.0.0.1:23)"},
        {DENY, {{"0.0.0.0:24", NC}, {"udp/0.0.0.0:23", NC}}, ""},
        {DENY "allow = ( { port = 4444; } );",
         {{"0.0.0.0:4444", NC}},
         "critical UnexpectedListener(0.0.0.0:4444)"},
        {DENY "allow = ( { port = 4444; scope = \"loopback\"; } );",
         {{"0.0.0.0:4444", NC}},
         "critical UnexpectedListener(0.0.0.0:4444)"},
        {DENY "unexpected: { severity = \"info\"; ignore_loopback = true; };",
         {{"127.0.0.1:4444", NC}, {"0.0.0.0:80", NC}},
         "critical UnexpectedListener(127.0.0.1:4444) info UnexpectedListener(0.0.0.0:80)"},
        {"deny = ( { port = 23; severity = \"info\"; }, { port = 23; severity = \"warning\"; } );",
         {{"0.0.0.0:23", NC}},
         "warning UnexpectedListener(0.0.0.0:23)"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void a_denial_may_be_about_a_place(void **state)
{
    static const char public[] = "deny = ( { port = 23; scope = \"public\"; } );";
    static const char address[] = "deny = ( { port = 23; address = [ \"192.0.2.1\", \"2001:db8::1\" ]; } );";
    static const char expected[] = "expect = ( { name = \"t\"; port = 23; scope = \"loopback\"; } ); "
                                   "deny = ( { port = 23; scope = \"public\"; } );";
    static const struct entry_case cases[] = {
        {public, {{"127.0.0.1:23", NC}}, ""},
        {public, {{"10.0.0.1:23", NC}}, "critical UnexpectedListener(10.0.0.1:23)"},
        {address, {{"192.0.2.1:23", NC}}, "critical UnexpectedListener(192.0.2.1:23)"},
        {address, {{"192.0.2.2:23", NC}}, ""},
        {address, {{"0.0.0.0:23", NC}}, "critical UnexpectedListener(0.0.0.0:23)"},
        {address, {{"[::]:23", NC}}, "critical UnexpectedListener([::]:23)"},
        {expected, {{"127.0.0.1:23", NC}}, ""},
        {expected,
         {{"0.0.0.0:23", NC}},
         "critical Exposed(t:tcp:23) critical UnexpectedListener(0.0.0.0:23)"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

/* One that passes for the program will do, and only one of several sockets need
 * be of it. */
static void a_denial_may_be_about_an_owner(void **state)
{
    static const char exe[] = "deny = ( { ports = \"1-65535\"; exe = \"/usr/bin/nc*\"; } );";
    static const char user[] = "deny = ( { ports = \"1-65535\"; user = \"eve\"; } );";
    static const struct entry_case cases[] = {
        {exe, {{"0.0.0.0:80", NC}}, "critical UnexpectedListener(0.0.0.0:80)"},
        {exe, {{"0.0.0.0:80", LIKE_NC}}, "critical UnexpectedListener(0.0.0.0:80)"},
        {exe, {{"0.0.0.0:3306", MYSQL}}, ""},
        {exe, {{"0.0.0.0:80", MYSQL}, {"0.0.0.0:80", NC}}, "critical UnexpectedListener(0.0.0.0:80)"},
        {exe, {{"0.0.0.0:22", SYSTEMD}}, ""},
        {exe, {{"0.0.0.0:80", UNSEEN}}, "critical UnexpectedListener?(0.0.0.0:80) critical Blind()"},
        {user, {{"0.0.0.0:80", OF_EVE}}, "critical UnexpectedListener(0.0.0.0:80)"},
        {user, {{"0.0.0.0:3306", MYSQL}}, ""},
        /* who is not seen may be denied, and is not expected in any case */
        {"deny = ( { ports = \"1-65535\"; exe = \"/usr/bin/nc\"; } ); unexpected: { severity = \"info\"; };",
         {{"0.0.0.0:80", UNSEEN}},
         "critical UnexpectedListener?(0.0.0.0:80) info UnexpectedListener(0.0.0.0:80) critical Blind()"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void each_protocol_of_an_entry_must_be_there(void **state)
{
    static const char dns[] = "expect = ( { name = \"dns\"; port = 53; protocol = [ \"tcp\", \"udp\" ]; } ); "
                              "unexpected: { };";
    static const struct entry_case cases[] = {
        {dns, {{"0.0.0.0:53", MYSQL}, {"udp/0.0.0.0:53", MYSQL}}, ""},
        {dns, {{"0.0.0.0:53", MYSQL}}, "critical NotListening(dns:udp:53)"},
        {dns, {{"udp/0.0.0.0:53", MYSQL}}, "critical NotListening(dns:tcp:53)"},
        {dns, {{NULL, NULL, NULL}}, "critical NotListening(dns:tcp:53) critical NotListening(dns:udp:53)"},
        {"allow = ( { port = 53; protocol = [ \"tcp\", \"udp\" ]; } ); unexpected: { };",
         {{"0.0.0.0:53", MYSQL}, {"udp/0.0.0.0:53", MYSQL}, {"raw/0.0.0.0:53", MYSQL}},
         "warning UnexpectedListener(0.0.0.0:53)"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void each_address_of_an_entry_must_be_served_and_no_other(void **state)
{
    static const char two[] = "expect = ( { name = \"db\"; port = 3306; unit = \"mariadb.service\";"
                              " address = [ \"192.0.2.1\", \"127.0.0.1\" ]; } ); unexpected: { };";
    static const struct entry_case cases[] = {
        {two, {{"192.0.2.1:3306", MYSQL}, {"127.0.0.1:3306", MYSQL}}, ""},
        {two, {{"192.0.2.1:3306", MYSQL}}, "critical WrongAddress(db:tcp:3306)"},
        {two,
         {{"192.0.2.1:3306", MYSQL}, {"127.0.0.1:3306", MYSQL}, {"192.0.2.2:3306", MYSQL}},
         "critical Exposed(db:tcp:3306)"},
        {two,
         {{"192.0.2.1:3306", MYSQL}, {"127.0.0.1:3306", MYSQL}, {"127.0.0.2:3306", MYSQL}},
         "warning UnexpectedListener(127.0.0.2:3306)"},
        /* somebody else beside it is not the service */
        {two,
         {{"192.0.2.1:3306", MYSQL}, {"127.0.0.1:3306", MYSQL}, {"192.0.2.2:3306", NC}},
         "warning UnexpectedListener(192.0.2.2:3306)"},
        {two, {{"0.0.0.0:3306", MYSQL}}, "critical Exposed(db:tcp:3306)"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void an_allowed_address_does_not_allow_all_of_them(void **state)
{
    static const char at[] =
        "allow = ( { port = 80; address = \"192.0.2.1\"; unit = \"mariadb.service\"; } );";
    static const char list[] =
        "allow = ( { port = 80; address = [ \"192.0.2.1\", \"192.0.2.2\" ]; } ); unexpected: { };";
    static const struct entry_case cases[] = {
        {at, {{"192.0.2.1:80", MYSQL}}, ""},
        {at, {{"0.0.0.0:80", MYSQL}}, "warning Exposed(0.0.0.0:80)"},
        {at, {{"0.0.0.0:80", NC}}, ""}, /* nobody asks about others */
        {at, {{"0.0.0.0:81", MYSQL}}, ""},
        {list, {{"192.0.2.1:80", NC}, {"192.0.2.2:80", NC}}, ""},
        {list, {{"192.0.2.3:80", NC}}, "warning UnexpectedListener(192.0.2.3:80)"},
        {list, {{"*:80", NC}}, "warning Exposed(*:80)"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void summaries_say_where_it_should_be(void **state)
{
    static const struct {
        struct entry_case entry;
        const char *summary;
    } cases[] = {
        {{"expect = ( { name = \"db\"; port = 3306; address = \"192.0.2.10\"; } );",
          {{"0.0.0.0:3306", MYSQL}},
          ""},
         "db: tcp port 3306 is bound beyond 192.0.2.10 (0.0.0.0:3306), expected there and nowhere else"},
        {{"expect = ( { name = \"db\"; port = 3306; address = [ \"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\","
          " \"10.0.0.4\", \"10.0.0.5\", \"10.0.0.6\" ]; } );",
          {{"10.0.0.6:3306", MYSQL}},
          ""},
         "db: tcp port 3306 is not served on 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 1 more, bound to "
         "10.0.0.6:3306"},
        {{DENY, {{"0.0.0.0:4444", NC}}, ""},
         "tcp 0.0.0.0:4444 listens, but is denied (nc[666], user eve, unit session-3.scope, exe "
         "/usr/bin/nc)"},
        {{"allow = ( { port = 80; address = \"192.0.2.1\"; } );", {{"0.0.0.0:80", UNSEEN}}, ""},
         "tcp 0.0.0.0:80 (http) is bound beyond the addresses at which it is allowed (user root)"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct verdict *v = judge(*state, &cases[i].entry);

        assert_int_equal(v->count, 1);
        assert_string_equal(v->findings[0].summary, cases[i].summary);
        verdict_unref(v);
    }
}

/* A reload resolves the alerts of what is no longer denied, and no others. */
static void a_denial_can_be_produced_where_it_may_match(void **state)
{
    const struct entry_case c = {DENY, {{"0.0.0.0:4444", NC}}, ""};
    struct fixture *f = *state;
    const struct verdict *v = judge(f, &c);
    const struct alert_key key = v->findings[0].key;

    verdict_unref(v);
    assert_true(rules_can_produce(&f->config->policy, &key));
    assert_loads(f, "deny = ( { port = 4444; user = \"eve\"; } );");
    assert_true(rules_can_produce(&f->config->policy, &key));
    assert_loads(f, "deny = ( { port = 4444; scope = \"loopback\"; }, { port = 23; } );");
    assert_false(rules_can_produce(&f->config->policy, &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(what_is_denied_is_unexpected_whatever_else_says_so),
        WITH_FILES(a_denial_may_be_about_a_place),
        WITH_FILES(a_denial_may_be_about_an_owner),
        WITH_FILES(each_protocol_of_an_entry_must_be_there),
        WITH_FILES(each_address_of_an_entry_must_be_served_and_no_other),
        WITH_FILES(an_allowed_address_does_not_allow_all_of_them),
        WITH_FILES(summaries_say_where_it_should_be),
        WITH_FILES(a_denial_can_be_produced_where_it_may_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
