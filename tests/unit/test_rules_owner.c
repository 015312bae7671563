#include "core/judge.h"
#include "core/rules.h"
#include "core/text.h"
#include "tests/unit/judged.h"
#include "tests/unit/owned.h"
#include "tests/unit/unit.h"

enum { FINDINGS_TEXT_MAX = 1024, SOCKETS_MAX = 4 };

#define MYSQL  "999:mysql:mariadb.service", "812:mariadbd:mysql:mariadb.service"
#define PYTHON "0:root:session-3.scope", "4711:python3:root:session-3.scope"
#define HIDDEN "0:root:", NULL
#define UNSEEN "1000:bob:", NULL

static const struct own_sockets no_own;
static struct port_range port_3306[] = {{3306, 3306}};

/* Takes t. */
static const struct verdict *judge_table(const struct listener_table *t, const struct policy *policy)
{
    const struct space space = {.name = "", .listeners = t};
    const struct verdict *v = judge_space(&space, policy, &no_own);

    assert_non_null(v);
    listener_table_unref(t);
    return v;
}

/* The policy is sealed for as long as it takes. */
static const struct verdict *judge(const struct owned *sockets, struct policy *policy)
{
    const struct verdict *v;

    assert_int_equal(policy_seal(policy), 0);
    v = judge_table(owned_table(sockets, SOCKETS_MAX), policy);
    policy_unseal(policy);
    return v;
}

/* "WrongOwner Blind", "?" behind what cannot be told. */
static void assert_findings(const struct owned *sockets, struct policy *policy, const char *wanted)
{
    const struct verdict *v = judge(sockets, policy);
    char have[FINDINGS_TEXT_MAX] = "";
    size_t length = 0;

    for (size_t i = 0; i < v->count; i++)
        length +=
            (size_t)snprintf(have + length, sizeof have - length, "%s%s%s", i > 0 ? " " : "",
                             rule_name(v->findings[i].key.rule), v->findings[i].undetermined ? "?" : "");
    assert_string_equal(have, wanted);
    verdict_unref(v);
}

static struct expect mysql(const char *process, const char *user, const char *unit)
{
    struct expect e = {
        .name = "mysql", .match = {.ports = port_3306, .port_count = 1}, .severity = SEVERITY_CRITICAL};

    e.match.owner = (struct owner_pattern){.process = process, .user = user, .unit = unit};
    return e;
}

struct case_of {
    struct owned sockets[SOCKETS_MAX];
    const char *findings;
};

static void assert_cases(const struct case_of *cases, size_t count, struct policy *policy)
{
    for (size_t i = 0; i < count; i++)
        assert_findings(cases[i].sockets, policy, cases[i].findings);
}

static void another_owner_is_the_wrong_one_and_listens_all_the_same(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", MYSQL}}, ""},
        {{{"0.0.0.0:3306", PYTHON}}, "WrongOwner"},
        {{{"0.0.0.0:3306", MYSQL}, {"[::]:3306", MYSQL}}, ""},
        {{{"0.0.0.0:3306", MYSQL}, {"[::]:3306", PYTHON}}, "WrongOwner"},
        {{{NULL, NULL, NULL}}, "NotListening"},
    };
    struct expect e = mysql("mariadbd", "mysql", "mariadb.*");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void each_part_of_an_owner_may_be_the_wrong_one(void **state)
{
    static const struct {
        const char *process, *user, *unit, *findings;
    } cases[] = {
        {"", "", "", ""},
        {"mariadbd", "", "", ""},
        {"mysqld", "", "", "WrongOwner"},
        {"", "mysql", "", ""},
        {"", "root", "", "WrongOwner"},
        {"", "", "mariadb.service", ""},
        {"", "", "mysql.service", "WrongOwner"},
        {"m*d", "m?sql", "*.service", ""},
    };
    static const struct owned sockets[SOCKETS_MAX] = {{"0.0.0.0:3306", MYSQL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct expect e = mysql(cases[i].process, cases[i].user, cases[i].unit);
        struct policy policy = {.expects = &e, .expect_count = 1};

        assert_findings(sockets, &policy, cases[i].findings);
    }
}

static void an_owner_that_cannot_be_seen_is_blindness(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", HIDDEN}}, "WrongOwner? Blind"},
        {{{"0.0.0.0:3306", "999:mysql:", NULL}}, "WrongOwner? Blind"}, /* the user is right, but who is it? */
        {{{"0.0.0.0:3306", UNSEEN}}, "WrongOwner"},                    /* whoever it is, it is bob's */
        {{{"0.0.0.0:3306", MYSQL}, {"[::]:3306", HIDDEN}}, "WrongOwner? Blind"},
        {{{"0.0.0.0:3306", PYTHON}, {"[::]:3306", HIDDEN}}, "WrongOwner Blind"},
        {{{"0.0.0.0:3306", "0:root:", ""}}, "WrongOwner? Blind"}, /* all were seen, none has it */
    };
    struct expect e = mysql("mariadbd", "mysql", "");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void an_owner_that_is_being_looked_for_is_no_blindness(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", "0:root:", not_yet}}, "WrongOwner?"},
        {{{"0.0.0.0:3306", MYSQL}, {"[::]:3306", "0:root:", not_yet}}, "WrongOwner?"},
        /* Whoever adds sockets all the time hides nothing by it. */
        {{{"udp/0.0.0.0:3306", HIDDEN}, {"udp/0.0.0.0:3306", "0:root:", not_yet}}, "WrongOwner? Blind"},
    };
    struct expect e[] = {mysql("mariadbd", "", ""), mysql("mariadbd", "", "")};
    struct policy policy = {.expects = e, .expect_count = 1};

    (void)state;
    e[1].match.protocols = 1u << PROTOCOL_UDP;
    assert_cases(cases, 2, &policy);
    policy.expects = &e[1];
    assert_findings(cases[2].sockets, &policy, cases[2].findings);
}

static void an_owner_that_could_not_be_looked_for_is_blindness(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", "0:root:", late}}, "WrongOwner? Blind"},
        {{{"0.0.0.0:3306", NULL, NULL}}, "WrongOwner? Blind"}, /* a limit cut it */
        {{{"0.0.0.0:3306", MYSQL}, {"[::]:3306", NULL, NULL}}, "WrongOwner? Blind"},
        {{{"0.0.0.0:3306", "33:www-data:cron.service", late}}, "WrongOwner? Blind"},
    };
    static const struct owned cut[SOCKETS_MAX] = {{"0.0.0.0:3306", NULL, NULL}};
    struct expect e = mysql("mariadbd", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
    v = judge(cases[0].sockets, &policy);
    assert_non_null(strstr(v->findings[1].summary, "/proc could not be looked through in time"));
    assert_true(v->findings[1].confirm);
    verdict_unref(v);
    v = judge(cut, &policy);
    assert_non_null(strstr(v->findings[1].summary, "limits.listeners"));
    verdict_unref(v);
}

/* As of a program on a file system that somebody else answers for. */
static void a_holder_that_is_seen_may_not_tell_all(void **state)
{
    static const struct owned sockets[SOCKETS_MAX] = {
        {"0.0.0.0:3306", "0:root:", "812:mariadbd:mysql:mariadb.service:?/net/mariadbd"}};
    struct expect e = mysql("", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;

    (void)state;
    e.match.owner.exe = "/net/mariadbd";
    assert_findings(sockets, &policy, "WrongOwner? Blind");
    v = judge(sockets, &policy);
    assert_non_null(strstr(v->findings[1].summary, "not all that is asked of it (unit, user or exe)"));
    verdict_unref(v);
}

/* Which it becomes when the name is not awaited any more. */
static void a_user_whose_name_is_asked_for_is_no_blindness(void **state)
{
    static const struct owned sockets[SOCKETS_MAX] = {{"0.0.0.0:3306", "999?::mariadb.service", NULL}};
    static const struct owned in_vain[SOCKETS_MAX] = {{"0.0.0.0:3306", "999::mariadb.service", NULL}};
    struct expect e = mysql("", "mysql", "");
    struct allow a = {.match = {.ports = port_3306, .port_count = 1, .owner.user = "mysql"}};
    struct policy policy = {.expects = &e, .expect_count = 1};
    struct policy allowing = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_findings(sockets, &policy, "WrongOwner?");
    assert_findings(in_vain, &policy, "WrongOwner? Blind");
    assert_findings(sockets, &allowing, "UnexpectedListener?");
    assert_findings(in_vain, &allowing, "UnexpectedListener? Blind");
}

/* It is no name, but tells who it is. */
static void a_number_is_written_where_the_name_is_unknown(void **state)
{
    static const struct owned sockets[SOCKETS_MAX] = {{"0.0.0.0:3306", "999::x.service", NULL}};
    struct policy policy = {.unexpected.enabled = true};
    struct holder holder = {.pid = 7, .process = "x", .uid_known = true, .uid = 998, .unit_known = true};
    struct owner_set *set = owner_set_new(1);
    const struct verdict *v = judge(sockets, &policy);
    struct buf out;

    (void)state;
    assert_int_equal(v->count, 1);
    assert_non_null(strstr(v->findings[0].summary, "(user 999, unit x.service)"));
    verdict_unref(v);
    assert_non_null(set);
    set->holders[0] = holder_new(&holder);
    assert_non_null(set->holders[0]);
    buf_init(&out);
    judge_describe_owner(&out, set);
    assert_string_equal(buf_text(&out), "x[7], user 998");
    buf_done(&out);
    owner_set_unref(set);
}

static void an_unprivileged_look_tells_user_and_unit(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", "999:mysql:mariadb.service", NULL}}, ""},
        {{{"0.0.0.0:3306", "999:mysql:cron.service", NULL}}, "WrongOwner"},
        {{{"0.0.0.0:3306", "33:www-data:mariadb.service", NULL}}, "WrongOwner"},
        {{{"0.0.0.0:3306", "999:mysql:", NULL}}, "WrongOwner? Blind"},
    };
    struct expect e = mysql("", "mysql", "mariadb.service");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void a_socket_that_waits_for_activation_is_nobodys_yet(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", "0:root:init.scope", "1:systemd:root:init.scope"}}, ""},
        {{{"0.0.0.0:3306", "0:root:mariadb.socket", "1:systemd:root:init.scope"}}, ""},
        {{{"0.0.0.0:3306", "0:root:mariadb.socket",
           "1:systemd:root:init.scope,812:mariadbd:mysql:mariadb.service"}},
         ""},
        {{{"0.0.0.0:3306", "0:root:mariadb.socket", "1:systemd:root:init.scope,4711:python3:bob:x.service"}},
         "WrongOwner"},
        {{{"0.0.0.0:3306", "0:root:", "4711:systemd-socket-:root:"}}, ""},
    };
    struct expect e = mysql("mariadbd", "mysql", "mariadb.service");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void of_two_programs_on_one_port_one_may_be_wrong(void **state)
{
    static const struct owned theft[SOCKETS_MAX] = {{"udp/0.0.0.0:3306", MYSQL},
                                                    {"udp/0.0.0.0:3306", PYTHON}};
    static const struct owned reuse[SOCKETS_MAX] = {
        {"udp/0.0.0.0:3306", MYSQL}, {"udp/0.0.0.0:3306", "999:mysql:", "813:other:mysql:mariadb.service"}};
    struct expect e = mysql("mariadbd", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;

    (void)state;
    e.match.protocols = 1u << PROTOCOL_UDP;
    v = judge(theft, &policy);
    assert_int_equal(v->count, 1);
    assert_string_equal(v->findings[0].summary,
                        "mysql: udp port 3306 is held at 0.0.0.0:3306 by python3[4711], user root, unit "
                        "session-3.scope, with one of 2 sockets of several users; expected process mariadbd");
    verdict_unref(v);
    v = judge(reuse, &policy);
    assert_int_equal(v->count, 1);
    assert_non_null(strstr(v->findings[0].summary, "by other[813]"));
    assert_non_null(strstr(v->findings[0].summary, "with one of 2 sockets of one user"));
    verdict_unref(v);
}

/* Whichever of the sockets comes first. */
static void the_socket_that_is_wrong_is_named(void **state)
{
    static const struct owned orders[][SOCKETS_MAX] = {
        {{"0.0.0.0:3306", MYSQL}, {"0.0.0.0:3306", PYTHON}},
        {{"0.0.0.0:3306", PYTHON}, {"0.0.0.0:3306", MYSQL}},
    };
    struct expect e = mysql("mariadbd", "", "");
    struct policy expecting = {.expects = &e, .expect_count = 1};
    struct allow a = {.match = {.ports = port_3306, .port_count = 1, .owner.process = "mariadbd"}};
    struct policy allowing = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        const struct verdict *v = judge(orders[i], &expecting);

        assert_int_equal(v->count, 1);
        assert_non_null(strstr(v->findings[0].summary, "by python3[4711]"));
        verdict_unref(v);
        v = judge(orders[i], &allowing);
        assert_int_equal(v->count, 1);
        assert_non_null(strstr(v->findings[0].summary, "python3[4711]"));
        assert_null(strstr(v->findings[0].summary, "mariadbd"));
        verdict_unref(v);
    }
}

/* It is reached by nobody from outside, but it is the entry's all the same. */
static void an_expected_address_on_the_loopback_device_is_not_unexpected(void **state)
{
    static const struct owned sockets[SOCKETS_MAX] = {{"10.1.1.1%1:3306", MYSQL}};
    struct expect e = mysql("", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};

    (void)state;
    e.match.address_count = 1;
    e.match.addresses = (struct ip_addr[]){address_of("10.1.1.1")};
    assert_findings(sockets, &policy, "WrongAddress");
}

/* What is bound to an address gets its connections; the rest is another entry's. */
static void an_entry_answers_for_what_serves_it(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", MYSQL}, {"127.0.0.1:3306", PYTHON}}, ""},
        {{{"0.0.0.0:3306", PYTHON}, {"127.0.0.1:3306", PYTHON}}, "WrongOwner"},
        {{{"0.0.0.0:3306", MYSQL}, {"127.0.0.1:3306", MYSQL}}, "WrongOwner"},
    };
    struct expect expects[] = {mysql("mariadbd", "", ""), mysql("python3", "", "")};
    struct policy policy = {.expects = expects, .expect_count = 2};

    (void)state;
    expects[0].match.scope = WANT_PUBLIC;
    expects[1].match.address_count = 1;
    expects[1].match.addresses = (struct ip_addr[]){address_of("127.0.0.1")};
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

/* Without another entry it counts as the service, but gets none of its connections. */
static void what_listens_beside_the_expected_address_has_any_owner(void **state)
{
    static const struct case_of cases[] = {
        {{{"10.0.0.1:3306", MYSQL}, {"0.0.0.0:3306", PYTHON}}, ""},
        {{{"10.0.0.1:3306", MYSQL}, {"0.0.0.0:3306", MYSQL}}, "Exposed"},
        {{{"10.0.0.1:3306", MYSQL}, {"0.0.0.0:3306", HIDDEN}}, "Exposed"},
        {{{"10.0.0.1:3306", MYSQL}, {"0.0.0.0:3306", "0:root:", not_yet}}, "Exposed?"},
        {{{"10.0.0.1:3306", PYTHON}, {"0.0.0.0:3306", MYSQL}}, "Exposed WrongOwner"},
        {{{"0.0.0.0:3306", PYTHON}}, "Exposed WrongOwner"},
    };
    struct expect e = mysql("mariadbd", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    e.match.address_count = 1;
    e.match.addresses = (struct ip_addr[]){address_of("10.0.0.1")};
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

/* It makes the public service one on loopback only, and is the other's all the same. */
static void what_another_entry_asks_for_has_that_ones_owner(void **state)
{
    static const struct case_of cases[] = {
        {{{"127.0.0.1:3306", PYTHON}}, "LoopbackOnly"},
        {{{"127.0.0.1:3306", MYSQL}}, "LoopbackOnly WrongOwner"},
    };
    struct expect expects[] = {mysql("mariadbd", "", ""), mysql("python3", "", "")};
    struct policy policy = {.expects = expects, .expect_count = 2};

    (void)state;
    expects[0].match.scope = WANT_PUBLIC;
    expects[1].match.address_count = 1;
    expects[1].match.addresses = (struct ip_addr[]){address_of("127.0.0.1")};
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void an_allowed_owner_must_be_the_one(void **state)
{
    static const struct case_of cases[] = {
        {{{"0.0.0.0:3306", PYTHON}}, ""},
        {{{"0.0.0.0:3306", MYSQL}}, "UnexpectedListener"},
        {{{"0.0.0.0:3306", HIDDEN}}, "UnexpectedListener? Blind"},
        {{{"0.0.0.0:3306", "0:root:", not_yet}}, "UnexpectedListener?"},
        {{{"0.0.0.0:3306", "0:root:", late}}, "UnexpectedListener? Blind"},
        {{{"0.0.0.0:3306", NULL, NULL}}, "UnexpectedListener? Blind"},
        {{{"0.0.0.0:3307", HIDDEN}}, "UnexpectedListener"},
        {{{"udp/0.0.0.0:3306", PYTHON}}, "UnexpectedListener"},
    };
    struct allow a = {.match = {.ports = port_3306, .port_count = 1, .owner.process = "python*"}};
    struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void each_of_several_sockets_must_be_allowed(void **state)
{
    static const struct owned both[SOCKETS_MAX] = {{"udp/0.0.0.0:3306", MYSQL}, {"udp/0.0.0.0:3306", PYTHON}};
    struct allow allows[] = {
        {.match = {.protocols = 1u << PROTOCOL_UDP,
                   .ports = port_3306,
                   .port_count = 1,
                   .owner.process = "python*"}},
        {.match =
             {.protocols = 1u << PROTOCOL_UDP, .ports = port_3306, .port_count = 1, .owner.user = "mysql"}},
    };
    struct policy policy = {.allows = allows, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_findings(both, &policy, "UnexpectedListener");
    policy.allow_count = 2;
    assert_findings(both, &policy, "");
}

static void an_allowed_owner_may_be_exposed(void **state)
{
    static const struct case_of cases[] = {
        {{{"127.0.0.1:3306", PYTHON}}, ""},
        {{{"0.0.0.0:3306", PYTHON}}, "Exposed"},
        {{{"0.0.0.0:3306", HIDDEN}}, "Exposed"}, /* it is neither what is allowed, in any case */
        {{{"0.0.0.0:3306", MYSQL}}, "UnexpectedListener"},
    };
    struct allow a = {
        .match = {.ports = port_3306, .port_count = 1, .scope = WANT_LOOPBACK, .owner.process = "python*"}};
    struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases), &policy);
}

static void an_unexpected_listener_is_told_with_its_owner(void **state)
{
    static const struct owned sockets[SOCKETS_MAX] = {{"0.0.0.0:4444", PYTHON}};
    struct policy policy = {.unexpected.enabled = true};
    const struct verdict *v = judge(sockets, &policy);

    (void)state;
    assert_int_equal(v->count, 1);
    assert_string_equal(v->findings[0].summary,
                        "tcp 0.0.0.0:4444 listens, but is neither expected nor allowed (python3[4711], user "
                        "root, unit session-3.scope)");
    verdict_unref(v);
}

/* A unit that so many bytes and many of the pieces name, in a summary that is
 * too long for them. */
static const struct verdict *judge_long_unit(size_t bytes, const char *piece)
{
    static const struct owned sockets[SOCKETS_MAX] = {{"0.0.0.0:3306", MYSQL}};
    char unit[SUMMARY_MAX + 8] = "";
    struct expect e = mysql("", "", unit);
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v;

    memset(unit, 'u', bytes);
    for (size_t i = bytes; i + strlen(piece) < sizeof unit; i += strlen(piece))
        memcpy(unit + i, piece, strlen(piece) + 1);
    v = judge(sockets, &policy);
    assert_int_equal(v->count, 1);
    assert_int_equal(v->findings[0].key.rule, RULE_WRONG_OWNER);
    return v;
}

static void a_summary_is_cut_between_characters_and_escapes(void **state)
{
    static const char *const pieces[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x99", "\\xff"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        size_t length = strlen(pieces[i]);

        for (size_t bytes = 0; bytes < length; bytes++) {
            const struct verdict *v = judge_long_unit(bytes, pieces[i]);
            const char *summary = v->findings[0].summary;

            assert_true(text_is_utf8(summary));
            assert_in_range(strlen(summary), SUMMARY_MAX - length, SUMMARY_MAX - 1);
            assert_string_equal(summary + strlen(summary) - length, pieces[i]);
            verdict_unref(v);
        }
    }
}

static void blindness_says_what_would_help(void **state)
{
    static const struct owned hidden[SOCKETS_MAX] = {{"0.0.0.0:3306", HIDDEN}};
    static const struct owned none[SOCKETS_MAX] = {{"0.0.0.0:3306", "0:root:", ""}};
    struct expect e = mysql("mariadbd", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct verdict *v = judge(hidden, &policy);

    (void)state;
    assert_int_equal(v->count, 2);
    assert_int_equal(v->findings[1].key.rule, RULE_BLIND);
    assert_int_equal(v->findings[1].severity, SEVERITY_CRITICAL);
    assert_int_equal(v->findings[1].for_ms, 0);
    assert_true(v->findings[1].confirm); /* only when it lasts until the next poll */
    assert_false(v->findings[1].undetermined);
    assert_string_equal(
        v->findings[1].summary,
        "who holds 1 tcp listener that a rule is about cannot be seen (0.0.0.0:3306): leave out "
        "process and exe, since user and unit of a socket are told without, or give the service "
        "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH in the host's PID namespace (process-names.conf)");
    assert_int_equal(v->listeners[0].rules, 1u << RULE_BLIND);
    verdict_unref(v);
    v = judge(none, &policy);
    assert_non_null(strstr(v->findings[1].summary, "no process here does"));
    verdict_unref(v);
}

/* A queue holds one connection more than its limit. */
static const struct listener_table *queues(const char *const *sockets)
{
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *t;

    for (uint64_t i = 0; sockets[i]; i++) {
        struct listener_row row;
        char address[64];

        assert_int_equal(sscanf(sockets[i], "%63s %u/%u", address, &row.queue.length, &row.queue.limit), 3);
        row = (struct listener_row){.queue.length = row.queue.length, .queue.limit = row.queue.limit};
        row.address = row_of(address).address;
        row.port = row_of(address).port;
        row.v6only = true;
        row.queue.known = true;
        row.cookie = i + 1;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_OK, 0);
    t = seal_all(b);
    listener_builder_free(b);
    assert_non_null(t);
    return t;
}

static void a_queue_is_saturated_by_its_fullest_socket(void **state)
{
    static const struct {
        const char *sockets[SOCKETS_MAX];
        double limit;
        const char *summary; /* NULL: nothing found */
    } cases[] = {
        {{"0.0.0.0:3306 0/3"}, 0.8, NULL},
        {{"0.0.0.0:3306 3/3"}, 0.8, NULL},
        {{"0.0.0.0:3306 3/3"},
         0.75,
         "mysql: tcp port 3306 has an accept queue that is 75 % full (0.0.0.0:3306: 3 waiting, limit 3), "
         "expected less than 75 %"},
        {{"0.0.0.0:3306 4/4"},
         0.8,
         "mysql: tcp port 3306 has an accept queue that is 80 % full (0.0.0.0:3306: 4 waiting, limit 4), "
         "expected less than 80 %"},
        {{"0.0.0.0:3306 1/0"},
         1,
         "mysql: tcp port 3306 has an accept queue that is 100 % full (0.0.0.0:3306: 1 waiting, limit 0), "
         "expected less than 100 %"},
        {{"0.0.0.0:3306 0/0"}, 1, NULL},
        {{"0.0.0.0:3306 128/128"}, 1, NULL}, /* one more has room */
        {{"0.0.0.0:3306 129/128"}, 0, NULL}, /* nobody asks */
        {{"0.0.0.0:3306 4/3", "0.0.0.0:3306 0/3"},
         1,
         "mysql: tcp port 3306 has an accept queue that is 100 % full (0.0.0.0:3306, the fullest of 2 "
         "sockets: 4 waiting, limit 3), expected less than 100 %"},
        {{"0.0.0.0:3306 80/990", "0.0.0.0:3306 11/10", "0.0.0.0:3306 0/0"},
         0.8,
         "mysql: tcp port 3306 has an accept queue that is 100 % full (0.0.0.0:3306, the fullest of 3 "
         "sockets: 11 waiting, limit 10), expected less than 80 %"},
        {{"127.0.0.1:3306 2/3", "[::]:3306 4/3", "[::]:3306 9/8"}, /* the longer one */
         0.5,
         "mysql: tcp port 3306 has an accept queue that is 100 % full ([::]:3306, the fullest of 2 "
         "sockets: 9 waiting, limit 8), expected less than 50 %"},
        {{"127.0.0.1:3306 2/3", "[::]:3306 4/3"},
         0.5,
         "mysql: tcp port 3306 has an accept queue that is 100 % full ([::]:3306: 4 waiting, limit 3), "
         "expected less than 50 %"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct expect e = mysql("", "", "");
        struct policy policy = {.expects = &e, .expect_count = 1};
        const struct verdict *v;

        e.accept_queue_given = true;
        e.accept_queue = cases[i].limit;
        assert_int_equal(policy_seal(&policy), 0);
        v = judge_table(queues(cases[i].sockets), &policy);
        assert_int_equal(v->count, cases[i].summary ? 1 : 0);
        if (cases[i].summary) {
            assert_int_equal(v->findings[0].key.rule, RULE_ACCEPT_QUEUE_SATURATED);
            assert_string_equal(v->findings[0].summary, cases[i].summary);
        }
        verdict_unref(v);
        policy_unseal(&policy);
    }
}

static void a_queue_beside_the_expected_address_is_not_the_services(void **state)
{
    static const struct {
        const char *sockets[SOCKETS_MAX];
        size_t findings;
    } cases[] = {
        {{"10.0.0.1:3306 0/3", "127.0.0.1:3306 4/3"}, 0},
        {{"10.0.0.1:3306 4/3", "127.0.0.1:3306 0/3"}, 1},
        {{"10.0.0.1:3306 0/3", "0.0.0.0:3306 4/3"}, 0},
        {{"0.0.0.0:3306 4/3"}, 1},
    };
    struct expect e = mysql("", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    e.accept_queue_given = true;
    e.accept_queue = 1;
    e.match.address_count = 1;
    e.match.addresses = (struct ip_addr[]){address_of("10.0.0.1")};
    assert_int_equal(policy_seal(&policy), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct verdict *v = judge_table(queues(cases[i].sockets), &policy);

        size_t saturated = 0;

        for (size_t k = 0; k < v->count; k++)
            saturated += v->findings[k].key.rule == RULE_ACCEPT_QUEUE_SATURATED;
        assert_int_equal(saturated, cases[i].findings);
        verdict_unref(v);
    }
    policy_unseal(&policy);
}

static uint32_t rules_used(struct expect *e)
{
    static const struct owned none[SOCKETS_MAX] = {{NULL, NULL, NULL}};
    struct policy policy = {.expects = e, .expect_count = 1};
    const struct verdict *v = judge(none, &policy);
    uint32_t used = v->services[0].used;

    assert_int_equal(v->service_count, 1);
    verdict_unref(v);
    return used;
}

static void rules_are_used_where_they_are_asked_for(void **state)
{
    struct expect e = mysql("", "", "mariadb.service");

    (void)state;
    assert_int_equal(rules_used(&e),
                     1u << RULE_NOT_LISTENING | 1u << RULE_WRONG_OWNER | 1u << RULE_ACCEPT_QUEUE_SATURATED);
    e.accept_queue_given = true;
    assert_int_equal(rules_used(&e), 1u << RULE_NOT_LISTENING | 1u << RULE_WRONG_OWNER);
    e = mysql("", "", "");
    e.match.protocols = 1u << PROTOCOL_UDP;
    assert_int_equal(rules_used(&e), 1u << RULE_NOT_LISTENING);
}

/* Nobody has to look for what keeps a service from coming back. */
static void who_was_given_the_port_of_a_service_is_named(void **state)
{
    struct expect e = mysql("", "", "");
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = false};

    (void)state;
    for (int protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UDP; protocol++) {
        struct listener_builder *b = new_builder(1000);
        struct listener_row row = row_of("0.0.0.0:3306~");
        const struct verdict *v;
        char wanted[SUMMARY_MAX];

        row.protocol = (enum protocol)protocol;
        e.match.protocols = 1u << protocol;
        row.owners = owners_of("1000:joe:", "812:python3:joe:");
        assert_int_equal(policy_seal(&policy), 0);
        assert_int_equal(listener_builder_add(b, &row), 0);
        listener_builder_end(b, row.protocol, PART_ALL, VISIBILITY_OK, 0);
        v = judge_table(seal_all(b), &policy);
        listener_builder_free(b);
        assert_int_equal(v->count, 1);
        assert_int_equal(v->findings[0].key.rule, RULE_NOT_LISTENING);
        (void)snprintf(wanted, sizeof wanted,
                       "mysql: %s port 3306 has no listener; the kernel gave the port to another that asked "
                       "for any (0.0.0.0:3306 by python3[812], user joe)",
                       protocol_name(row.protocol));
        assert_string_equal(v->findings[0].summary, wanted);
        assert_int_equal(v->services[0].found, 0);
        verdict_unref(v);
        owner_set_unref(row.owners);
        policy_unseal(&policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_owner_is_the_wrong_one_and_listens_all_the_same),
        cmocka_unit_test(each_part_of_an_owner_may_be_the_wrong_one),
        cmocka_unit_test(an_owner_that_cannot_be_seen_is_blindness),
        cmocka_unit_test(an_owner_that_is_being_looked_for_is_no_blindness),
        cmocka_unit_test(an_owner_that_could_not_be_looked_for_is_blindness),
        cmocka_unit_test(a_holder_that_is_seen_may_not_tell_all),
        cmocka_unit_test(a_user_whose_name_is_asked_for_is_no_blindness),
        cmocka_unit_test(a_number_is_written_where_the_name_is_unknown),
        cmocka_unit_test(an_unprivileged_look_tells_user_and_unit),
        cmocka_unit_test(a_socket_that_waits_for_activation_is_nobodys_yet),
        cmocka_unit_test(of_two_programs_on_one_port_one_may_be_wrong),
        cmocka_unit_test(the_socket_that_is_wrong_is_named),
        cmocka_unit_test(an_expected_address_on_the_loopback_device_is_not_unexpected),
        cmocka_unit_test(an_entry_answers_for_what_serves_it),
        cmocka_unit_test(what_listens_beside_the_expected_address_has_any_owner),
        cmocka_unit_test(what_another_entry_asks_for_has_that_ones_owner),
        cmocka_unit_test(an_allowed_owner_must_be_the_one),
        cmocka_unit_test(each_of_several_sockets_must_be_allowed),
        cmocka_unit_test(an_allowed_owner_may_be_exposed),
        cmocka_unit_test(an_unexpected_listener_is_told_with_its_owner),
        cmocka_unit_test(a_summary_is_cut_between_characters_and_escapes),
        cmocka_unit_test(blindness_says_what_would_help),
        cmocka_unit_test(a_queue_is_saturated_by_its_fullest_socket),
        cmocka_unit_test(a_queue_beside_the_expected_address_is_not_the_services),
        cmocka_unit_test(rules_are_used_where_they_are_asked_for),
        cmocka_unit_test(who_was_given_the_port_of_a_service_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
