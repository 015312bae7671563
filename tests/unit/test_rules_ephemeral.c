#include "core/rules.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

static const struct own_sockets no_own;

/* How ports are counted. */
enum how {
    AS_USUAL,
    NEVER,    /* there is no table */
    UNKNOWN,  /* the range could not be read */
    RESERVED, /* all ports are */
    LOSSY,    /* halfway, other tuples made the counter forget eight ports of each */
};

/* Local ports 40000-40063, some of them in use from 192.0.2.1 to a destination. */
struct use {
    const char *destination;
    unsigned used;
    enum how how;
};

static void count_one(struct conn_counter *c, const struct ip_addr *remote, uint16_t local_port,
                      uint16_t remote_port)
{
    const struct connection connection = {
        .local = address_of("192.0.2.1"),
        .remote = *remote,
        .local_port = local_port,
        .remote_port = remote_port,
        .state = STATE_ESTABLISHED,
    };

    assert_int_equal(conn_counter_add(c, PROTOCOL_TCP, &connection), 0);
}

/* Makes the counter forget eight ports of each tuple. */
static void lose(struct conn_counter *c)
{
    const struct ip_addr other = address_of("192.0.2.77");

    for (unsigned i = 0; i < EPHEMERAL_TUPLES; i++)
        for (uint16_t port = 0; port < 8; port++)
            count_one(c, &other, (uint16_t)(40000 + port), (uint16_t)(1 + i));
}

static const struct conn_table *connections_of(const struct use *use)
{
    struct local_ports ports = {.known = use->how != UNKNOWN, .range = {40000, 40063}};
    struct ephemeral_counter *e = ephemeral_counter_new(NULL);
    struct conn_counter *c = conn_counter_new();
    const struct ip_addr remote = address_of(use->destination);
    const struct conn_table *t;

    assert_true(e && c);
    conn_counter_set_ports(c, e);
    for (uint16_t port = 40000; use->how != RESERVED && port <= 40063; port++)
        port_set_put(&ports.free, port);
    ephemeral_counter_begin(e, &ports);
    for (unsigned i = 0; i < use->used; i++) {
        if (use->how == LOSSY && i == use->used / 2)
            lose(c);
        count_one(c, &remote, (uint16_t)(40000 + i), 3306);
    }
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    conn_counter_free(c);
    ephemeral_counter_free(e);
    return t;
}

/* Of a host where nobody listens.
 *
 * seen   that could be read */
static const struct verdict *judge_seen(const struct use *use, struct policy *policy, bool seen)
{
    const struct conn_table *t = use->how == NEVER ? NULL : connections_of(use);
    struct inventory nobody = {.total = 0};
    const struct observed observed = {.inventory = &nobody, .own = &no_own, .connections = t};
    const struct verdict *v;

    nobody.classes[PROTOCOL_TCP].visibility = seen ? VISIBILITY_OK : VISIBILITY_UNKNOWN;
    assert_int_equal(policy_seal(policy), 0);
    v = rules_judge(&observed, policy, NULL);
    assert_non_null(v);
    conn_table_unref(t);
    policy_unseal(policy);
    return v;
}

static const struct verdict *judge_use(const struct use *use, struct policy *policy)
{
    return judge_seen(use, policy, false);
}

static struct policy policy_of(double max_used)
{
    return (struct policy){
        .ephemeral = {.enabled = true, .max_used = max_used, .for_ms = 60000, .severity = SEVERITY_WARNING}};
}

static void ports_that_run_out_are_told_with_their_tuple(void **state)
{
    static const struct {
        struct use use;
        double max_used;
        const char *summary; /* NULL: nothing; behind a '?' of what cannot be told */
    } cases[] = {
        {{"192.0.2.9", 0, AS_USUAL}, 0.8, NULL},
        {{"192.0.2.9", 51, AS_USUAL}, 0.8, NULL},
        {{"192.0.2.9", 52, AS_USUAL},
         0.8,
         "52 of 64 local ports are in use from 192.0.2.1 to 192.0.2.9:3306 (81.2 %), expected less than 80 "
         "%; "
         "when none is left, new connections will fail with EADDRNOTAVAIL"},
        {{"192.0.2.9", 64, AS_USUAL},
         0.8,
         "64 of 64 local ports are in use from 192.0.2.1 to 192.0.2.9:3306 (100 %), expected less than 80 %; "
         "new connections fail with EADDRNOTAVAIL"},
        {{"192.0.2.9", 63, AS_USUAL}, 1, NULL},
        {{"192.0.2.9", 64, AS_USUAL},
         1,
         "64 of 64 local ports are in use from 192.0.2.1 to 192.0.2.9:3306 (100 %), expected less than 100 "
         "%; "
         "new connections fail with EADDRNOTAVAIL"},
        {{"2001:db8::9", 8, AS_USUAL},
         0.125,
         "8 of 64 local ports are in use from 192.0.2.1 to [2001:db8::9]:3306 (12.5 %), expected less than "
         "12.5 %; when none is left, new connections will fail with EADDRNOTAVAIL"},
        {{"192.0.2.9", 64, RESERVED},
         1,
         "none of the local ports 40000-40063 is available, since all are reserved or listened on; new "
         "connections fail with EADDRNOTAVAIL"},
        {{"192.0.2.9", 64, UNKNOWN}, 0.8, "?how many local ports are in use cannot be told"},
        {{"192.0.2.9", 64, NEVER}, 0.8, "?how many local ports are in use cannot be told"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct policy policy = policy_of(cases[i].max_used);
        const struct verdict *v = judge_use(&cases[i].use, &policy);

        assert_int_equal(v->count, cases[i].summary ? 1 : 0);
        if (v->count > 0) {
            bool undetermined = *cases[i].summary == '?';

            assert_string_equal(v->findings[0].summary, cases[i].summary + undetermined);
            assert_int_equal(v->findings[0].undetermined, undetermined);
        }
        verdict_unref(v);
    }
}

static void the_finding_is_about_no_service(void **state)
{
    struct policy policy = policy_of(0.5), none = {.expect_count = 0};
    const struct verdict *v = judge_use(&(struct use){"192.0.2.9", 40, AS_USUAL}, &policy);
    const struct finding *f = &v->findings[0];

    (void)state;
    assert_int_equal(f->key.rule, RULE_EPHEMERAL_PORTS_EXHAUSTED);
    assert_string_equal(rule_name(f->key.rule), "EphemeralPortsExhausted");
    assert_string_equal(f->key.name, "");
    assert_int_equal(f->key.protocol, PROTOCOL_TCP);
    assert_false(f->key.has_port);
    assert_false(f->key.has_endpoint);
    assert_int_equal(f->severity, SEVERITY_WARNING);
    assert_int_equal(f->for_ms, 60000);
    assert_false(f->confirm);
    assert_true(rules_can_produce(&policy, &f->key));
    assert_false(rules_can_produce(&none, &f->key));
    verdict_unref(v);
}

static void without_the_block_nothing_is_said(void **state)
{
    struct policy none = {.expect_count = 0};
    const struct verdict *v = judge_use(&(struct use){"192.0.2.9", 64, AS_USUAL}, &none);

    (void)state;
    assert_int_equal(v->count, 0);
    verdict_unref(v);
    v = judge_use(&(struct use){"192.0.2.9", 64, NEVER}, &none);
    assert_int_equal(v->count, 0);
    verdict_unref(v);
}

/* What may be in use, but is not known to be, neither fires nor resolves. */
static void what_was_forgotten_may_be_in_use(void **state)
{
    static const struct {
        double max_used;
        bool found, undetermined;
    } cases[] = {{0.65, true, false}, {0.75, true, true}, {0.8, false, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct policy policy = policy_of(cases[i].max_used);
        const struct verdict *v = judge_use(&(struct use){"192.0.2.9", 50, LOSSY}, &policy);

        assert_int_equal(v->count, cases[i].found);
        if (v->count > 0)
            assert_int_equal(v->findings[0].undetermined, cases[i].undetermined);
        verdict_unref(v);
    }
}

static void ports_that_cannot_be_read_are_blindness(void **state)
{
    struct policy policy = policy_of(0.8), none = {.expect_count = 0};
    const struct verdict *v;

    (void)state;
    for (int how = AS_USUAL; how <= UNKNOWN; how++) {
        v = judge_seen(&(struct use){"192.0.2.9", 1, (enum how)how}, &policy, true);
        assert_int_equal(v->count, how == AS_USUAL ? 0 : how == NEVER ? 1 : 2);
        if (how == UNKNOWN) {
            assert_int_equal(v->findings[1].key.rule, RULE_BLIND);
            assert_int_equal(v->findings[1].severity, SEVERITY_WARNING);
            assert_string_equal(
                v->findings[1].summary,
                "ip_local_port_range and ip_local_reserved_ports cannot be read, which a rule needs");
        }
        verdict_unref(v);
    }
    v = judge_seen(&(struct use){"192.0.2.9", 1, UNKNOWN}, &none, true);
    assert_int_equal(v->count, 0);
    verdict_unref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_that_run_out_are_told_with_their_tuple),
        cmocka_unit_test(the_finding_is_about_no_service),
        cmocka_unit_test(without_the_block_nothing_is_said),
        cmocka_unit_test(what_was_forgotten_may_be_in_use),
        cmocka_unit_test(ports_that_cannot_be_read_are_blindness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
