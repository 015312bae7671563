/* What rules about connections say, from the text of a configuration and the counts
 * to the verdict. */
#include "tests/unit/config_files.h"
#include "tests/unit/counted.h"
#include "tests/unit/judged.h"
#include "tests/unit/random.h"
#include "tests/unit/rows.h"

enum { FINDINGS_TEXT_MAX = 1024 };

/* The counts of ports, separated by spaces: "3306:1L512E3W", with L for listening, E
 * for established, N for established and not accepted, W for CLOSE_WAIT and U for a
 * datagram socket that waits, which counts as udp, as what follows "udp/" does. */
static void add_counts(struct conn_counter *c, const char *counts)
{
    static const char letters[] = "LENWU";
    static const uint8_t states[] = {STATE_LISTEN, STATE_ESTABLISHED, STATE_ESTABLISHED, STATE_CLOSE_WAIT,
                                     STATE_CLOSE};

    while (*counts) {
        bool udp = strncmp(counts, "udp/", 4) == 0;
        char *rest;
        uint16_t port = (uint16_t)strtoul(counts + (udp ? 4 : 0), &rest, 10);

        assert_int_equal(*rest++, ':');
        for (unsigned n = 0; *rest && *rest != ' '; rest++) {
            const char *letter;

            n = (unsigned)strtoul(rest, &rest, 10);
            letter = strchr(letters, *rest);
            assert_non_null(letter);
            for (; n > 0; n--)
                assert_int_equal((*letter == 'N' ? count_nobodys : count_socket)(
                                     c, udp ? PROTOCOL_UDP : PROTOCOL_TCP, port, states[letter - letters]),
                                 0);
        }
        counts = *rest ? rest + 1 : rest;
    }
}

/* counts   NULL: not yet; "!" for a count that failed */
static const struct conn_table *counted(const char *counts)
{
    struct conn_counter *c = counts ? conn_counter_new() : NULL;
    const struct conn_table *t;

    if (!counts)
        return NULL;
    assert_non_null(c);
    if (*counts != '!') {
        add_counts(c, counts);
        conn_counter_complete(c, PROTOCOL_TCP);
        conn_counter_complete(c, PROTOCOL_UDP);
    }
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    conn_counter_free(c);
    return t;
}

static const struct verdict *judge(const struct policy *policy, const char *sockets, const char *counts)
{
    static const struct own_sockets none;
    struct space space = {.name = "", .connections = counted(counts)};
    struct listener_builder *b = new_builder(1000);
    const struct verdict *v;

    assert_non_null(b);
    add_rows(b, sockets, 1);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, policy, &none);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    conn_table_unref(space.connections);
    return v;
}

/* "critical StuckConnections ConnectionsOutOfRange? Blind" */
static void assert_finds(const struct verdict *v, const char *wanted)
{
    char have[FINDINGS_TEXT_MAX] = "";
    size_t length = 0;

    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];

        length += (size_t)snprintf(have + length, sizeof have - length, "%s%s%s", i > 0 ? " " : "",
                                   rule_name(f->key.rule), f->undetermined ? "?" : "");
        assert_true(length < sizeof have);
    }
    assert_string_equal(have, wanted);
}

#define MYSQL(keys) "expect = ( { name = \"mysql\"; port = 3306; " keys " } );"
#define RANGE       "connections: { min = 2; max = 4; }; "
#define STUCK       "close_wait_max = 2; "

struct connections_case {
    const char *config, *sockets, *counts, *findings;
};

static void assert_cases(struct fixture *f, const struct connections_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct verdict *v;

        assert_loads(f, cases[i].config);
        v = judge(&f->config->policy, cases[i].sockets, cases[i].counts);
        assert_finds(v, cases[i].findings);
        verdict_unref(v);
    }
}

static void established_connections_are_to_be_in_the_range(void **state)
{
    static const struct connections_case cases[] = {
        {MYSQL(RANGE), "*:3306", "3306:1L1E", "ConnectionsOutOfRange"},
        {MYSQL(RANGE), "*:3306", "3306:1L2E", ""},
        {MYSQL(RANGE), "*:3306", "3306:1L4E", ""},
        {MYSQL(RANGE), "*:3306", "3306:1L5E", "ConnectionsOutOfRange"},
        {MYSQL(RANGE), "*:3306", "3306:1L3E2N", "ConnectionsOutOfRange"}, /* accepted or not */
        {MYSQL(RANGE), "*:3306", "3306:1L2E9W", ""},                      /* only those */
        {MYSQL(RANGE), "*:3306", "3306:1L2E 3307:9E", ""},                /* of that port */
        {MYSQL(RANGE), "*:3306", "udp/3306:1U9E 3306:1L2E", ""},          /* and protocol */
        {MYSQL("connections: { min = 1; };"), "*:3306", "3306:1L", "ConnectionsOutOfRange"},
        {MYSQL("connections: { min = 1; };"), "*:3306", "3306:1L999E", ""},
        {MYSQL("connections: { max = 0; };"), "*:3306", "3306:1L", ""},
        {MYSQL("connections: { max = 0; };"), "*:3306", "3306:1L1E", "ConnectionsOutOfRange"},
        {MYSQL(""), "*:3306", "3306:1L999E999W", ""},
        {MYSQL("protocol = \"udp\"; " RANGE), "udp/*:3306", "udp/3306:1U1E", "ConnectionsOutOfRange"},
        {MYSQL("protocol = \"udp\"; " RANGE), "udp/*:3306", "udp/3306:1U2E", ""},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void connections_that_the_program_does_not_close_are_stuck(void **state)
{
    static const struct connections_case cases[] = {
        {MYSQL(STUCK), "*:3306", "3306:1L9E2W", ""},
        {MYSQL(STUCK), "*:3306", "3306:1L3W", "StuckConnections"},
        {MYSQL(RANGE STUCK), "*:3306", "3306:1L3W", "ConnectionsOutOfRange StuckConnections"},
        {MYSQL("protocol = [ \"tcp\", \"udp\" ]; " STUCK), "*:3306 udp/*:3306", "3306:1L3W udp/3306:1U",
         "StuckConnections"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

/* One condition has one alert. */
static void what_does_not_listen_is_told_alone(void **state)
{
    static const struct connections_case cases[] = {
        {MYSQL(RANGE STUCK), "", "3306:1E", "NotListening"},
        {MYSQL(RANGE STUCK), "", "3306:9E9W", "NotListening"},
        {MYSQL(RANGE STUCK), "", NULL, "NotListening"},
        {MYSQL(RANGE STUCK), "*:3306~", "3306:1L9E", "NotListening"}, /* somebody else's */
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

/* A count from before the service came would always say that there are too few. */
static void what_was_not_counted_is_not_judged(void **state)
{
    static const struct connections_case cases[] = {
        {MYSQL(RANGE STUCK), "*:3306", NULL, "ConnectionsOutOfRange? StuckConnections?"},
        {MYSQL(RANGE STUCK), "*:3306", "", "ConnectionsOutOfRange?"},
        {MYSQL(RANGE STUCK), "*:3306", "3306:1E", "ConnectionsOutOfRange?"},
        {MYSQL(RANGE STUCK), "*:3306", "3306:5E3W", "ConnectionsOutOfRange StuckConnections"},
        {MYSQL(RANGE STUCK), "*:3306", "!", "ConnectionsOutOfRange? StuckConnections? Blind"},
        {MYSQL(RANGE STUCK), "", "!", "NotListening Blind"},
        {MYSQL(""), "*:3306", "!", ""}, /* which nobody asks for */
        {MYSQL("protocol = \"udp\"; " RANGE), "udp/*:3306", "", "ConnectionsOutOfRange?"},
        {MYSQL("protocol = \"sctp\"; " RANGE), "sctp/*:3306", "3306:1L3E", "ConnectionsOutOfRange? Blind"},
    };

    assert_cases(*state, cases, ARRAY_LENGTH(cases));
}

static void a_count_that_fails_once_is_not_told_at_once(void **state)
{
    struct fixture *f = *state;
    const struct verdict *v;

    assert_loads(f, MYSQL(STUCK "severity = \"info\";"));
    v = judge(&f->config->policy, "*:3306", "!");
    assert_int_equal(v->count, 2);
    assert_int_equal(v->findings[1].key.rule, RULE_BLIND);
    assert_int_equal(v->findings[1].severity, SEVERITY_INFO);
    assert_true(v->findings[1].for_ms > 10000); /* connections are counted again by then */
    assert_string_equal(v->findings[1].summary, "tcp connections cannot be counted, which a rule is about");
    verdict_unref(v);
}

/* The reason that is told is that of the listeners: nobody knows of connections to
 * what is not seen. */
static void a_class_is_blind_once(void **state)
{
    static const struct own_sockets none;
    struct fixture *f = *state;
    struct space space = {.name = "", .connections = counted("!")};
    struct listener_builder *b = new_builder(1000);
    const struct verdict *v;

    assert_loads(f, MYSQL(RANGE));
    assert_non_null(b);
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    v = judge_space(&space, &f->config->policy, &none);
    assert_finds(v, "Blind");
    assert_non_null(strstr(v->findings[0].summary, "tcp sockets cannot be read"));
    verdict_unref(v);
    listener_table_unref(space.listeners);
    conn_table_unref(space.connections);
}

static void summaries_say_how_many(void **state)
{
    static const struct {
        const char *config, *counts, *summary;
    } cases[] = {
        {MYSQL(RANGE), "3306:1L5E", "mysql: tcp port 3306 has 5 established connections, expected 4 at most"},
        {MYSQL(RANGE), "3306:1L3E2N",
         "mysql: tcp port 3306 has 5 established connections, expected 4 at most; 2 of them the program has "
         "not accepted yet"},
        {MYSQL(RANGE), "3306:1L1E", "mysql: tcp port 3306 has 1 established connection, expected 2 at least"},
        {MYSQL(RANGE), "3306:1L", "mysql: tcp port 3306 has 0 established connections, expected 2 at least"},
        {MYSQL(STUCK), "3306:1L3W",
         "mysql: tcp port 3306 has 3 connections in CLOSE_WAIT, expected 2 at most: the other side has "
         "closed them, and the program does not"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct verdict *v;

        assert_loads(f, cases[i].config);
        v = judge(&f->config->policy, "*:3306", cases[i].counts);
        assert_int_equal(v->count, 1);
        assert_string_equal(v->findings[0].summary, cases[i].summary);
        verdict_unref(v);
    }
}

static void findings_are_as_the_entry_says(void **state)
{
    struct fixture *f = *state;
    const struct verdict *v;

    assert_loads(f, MYSQL(RANGE STUCK "for = \"30s\"; severity = \"warning\";"));
    v = judge(&f->config->policy, "127.0.0.1:3306 192.0.2.1:3306", "3306:2L9E9W");
    assert_finds(v, "ConnectionsOutOfRange StuckConnections");
    for (size_t i = 0; i < v->count; i++) {
        assert_int_equal(v->findings[i].for_ms, 30000);
        assert_int_equal(v->findings[i].severity, SEVERITY_WARNING);
        assert_string_equal(v->findings[i].key.name, "mysql");
        assert_true(v->findings[i].key.has_port && !v->findings[i].key.has_endpoint);
        assert_true(rules_can_produce(&f->config->policy, &v->findings[i].key));
    }
    assert_int_equal(v->services[0].broken,
                     1u << RULE_CONNECTIONS_OUT_OF_RANGE | 1u << RULE_STUCK_CONNECTIONS);
    assert_int_equal(v->services[0].used & v->services[0].broken, v->services[0].broken);
    assert_int_equal(v->listeners[0].rules, v->services[0].broken); /* which of them it is nobody knows */
    assert_int_equal(v->listeners[1].rules, v->services[0].broken);
    verdict_unref(v);
}

/* The rules that an entry uses have a series though nothing is wrong. */
static void an_entry_uses_the_rules_that_it_names(void **state)
{
    static const struct {
        const char *config;
        uint32_t used;
    } cases[] = {
        {MYSQL(""), 0},
        {MYSQL(RANGE), 1u << RULE_CONNECTIONS_OUT_OF_RANGE},
        {MYSQL(STUCK), 1u << RULE_STUCK_CONNECTIONS},
        {MYSQL("protocol = [ \"tcp\", \"udp\" ]; " STUCK), 1u << RULE_STUCK_CONNECTIONS},
    };
    const uint32_t both = 1u << RULE_CONNECTIONS_OUT_OF_RANGE | 1u << RULE_STUCK_CONNECTIONS;
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct verdict *v;

        assert_loads(f, cases[i].config);
        v = judge(&f->config->policy, "*:3306 udp/*:3306", "");
        assert_int_equal(v->services[0].used & both, cases[i].used);
        if (v->service_count > 1)
            assert_int_equal(v->services[1].used & both, 0); /* udp, which closes nothing */
        verdict_unref(v);
    }
}

/* Of any count and any range: told exactly where it is outside of it. */
static void whatever_is_counted_is_compared_with_the_range(void **state)
{
    struct policy policy = {.expects = calloc(1, sizeof *policy.expects), .expect_count = 1};
    struct port_range *ports = calloc(1, sizeof *ports);
    uint32_t seed = 20221;

    (void)state;
    assert_non_null(policy.expects);
    assert_non_null(ports);
    *ports = (struct port_range){80, 80};
    policy.expects[0] = (struct expect){.name = "web", .match = {.ports = ports, .port_count = 1}};
    for (int turn = 0; turn < 500; turn++) {
        struct expect *e = &policy.expects[0];
        unsigned established = next_random(&seed) % 8, not_accepted = next_random(&seed) % 3,
                 stuck = next_random(&seed) % 8;
        int64_t all = established + not_accepted;
        const struct verdict *v;
        char counts[64];
        uint32_t wanted = 0;

        e->connections_limited = next_random(&seed) % 4 > 0;
        e->connections.min = next_random(&seed) % 8;
        e->connections.max = e->connections.min + next_random(&seed) % 4;
        e->close_wait_max = next_random(&seed) % 8;
        assert_int_equal(policy_seal(&policy), 0);
        (void)snprintf(counts, sizeof counts, "80:1L%uE%uN%uW", established, not_accepted, stuck);
        v = judge(&policy, "*:80", counts);
        if (e->connections_limited && (all < e->connections.min || all > e->connections.max))
            wanted |= 1u << RULE_CONNECTIONS_OUT_OF_RANGE;
        if (e->close_wait_max > 0 && stuck > e->close_wait_max)
            wanted |= 1u << RULE_STUCK_CONNECTIONS;
        assert_int_equal(v->services[0].broken, wanted);
        assert_int_equal(v->services[0].untold, 0);
        verdict_unref(v);
    }
    policy_done(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(established_connections_are_to_be_in_the_range),
        WITH_FILES(connections_that_the_program_does_not_close_are_stuck),
        WITH_FILES(what_does_not_listen_is_told_alone),
        WITH_FILES(what_was_not_counted_is_not_judged),
        WITH_FILES(a_count_that_fails_once_is_not_told_at_once),
        WITH_FILES(a_class_is_blind_once),
        WITH_FILES(summaries_say_how_many),
        WITH_FILES(findings_are_as_the_entry_says),
        WITH_FILES(an_entry_uses_the_rules_that_it_names),
        cmocka_unit_test(whatever_is_counted_is_compared_with_the_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
