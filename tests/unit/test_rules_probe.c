/* What the rules conclude from a probe beside what is known of the listeners: from the
 * text of a configuration to the one alert that says why. */
#include "tests/unit/config_files.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"

enum { SAYS_MAX = 1024, SOCKETS_MAX = 3 };

#define TARGET      "192.0.2.10:3306"
#define MYSQL(keys) "expect = ( { name = \"mysql\"; port = 3306; probe = \"" TARGET "\"; " keys " } );"
#define PUBLIC      MYSQL("scope = \"public\";")
#define MUST_FAIL   "probe_expect = \"fail\";"
#define FULL_QUEUE  "3/2"
#define HALF_QUEUE  "1/2"

/* How a probe of the service ended, and what that is known of. */
enum what { NEVER, OK, UNREAD, REFUSED, TIMEOUT, UNREACHABLE, UNMADE, OUTDATED, RENEWED };

struct probe_case {
    const char *config;
    const char *sockets[SOCKETS_MAX]; /* as row_of() reads them */
    const char *queue;                /* of all of them; NULL: empty */
    enum what what;
    bool own;
    const char *says; /* each finding as "Rule: summary", or "Rule?" */
};

/* owners   of all of them; rows only borrow them */
static void fill_in(struct listener_builder *b, const struct probe_case *c, const struct owner_set *owners)
{
    for (size_t i = 0; i < SOCKETS_MAX && c->sockets[i]; i++) {
        struct listener_row row = row_of(c->sockets[i]);

        row.cookie = i + 1;
        row.queue.known = true;
        row.queue.limit = 2;
        row.owners = owners;
        if (c->queue)
            assert_int_equal(sscanf(c->queue, "%u/%u", &row.queue.length, &row.queue.limit), 2);
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Returns owned, or NULL where nothing was told yet. */
static const struct probe_results *results_of(const struct probe_case *c, uint8_t reach)
{
    struct probe_results *r = c->what == NEVER ? NULL : probe_results_new(1);

    if (!r)
        return NULL;
    r->items[0] = (struct probe_told){.own = c->own, .reach = reach};
    r->items[0].known = c->what != UNMADE;
    r->items[0].unmade = c->what == UNMADE;
    if (c->what == OUTDATED)
        r->items[0].reach = (uint8_t)(reach ^ REACH_QUEUE_FULL);
    r->items[0].result = c->what == OK            ? PROBE_OK
                         : c->what == TIMEOUT     ? PROBE_TIMEOUT
                         : c->what == UNREACHABLE ? PROBE_UNREACHABLE
                                                  : PROBE_REFUSED;
    return r;
}

static void renew(struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct listener *l;

    while ((l = inventory_next(inv, &cursor)))
        l->renewed = true;
}

static const struct verdict *judge(const struct probe_case *c, const struct policy *policy,
                                   const struct inventory *inv)
{
    static const struct own_sockets none;
    struct observed observed = {.inventory = inv, .own = &none};
    const struct verdict *v = rules_judge(&observed, policy, NULL), *again;

    assert_non_null(v); /* which says what the service is like */
    observed.probes = results_of(c, v->services[0].reach);
    again = rules_judge(&observed, policy, NULL);
    assert_non_null(again);
    verdict_unref(v);
    probe_results_unref(observed.probes);
    return again;
}

static void write_says(const struct verdict *v, char ret_text[static SAYS_MAX])
{
    size_t length = 0;

    *ret_text = '\0';
    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];

        length += (size_t)snprintf(ret_text + length, SAYS_MAX - length, "%s%s%s%s", i > 0 ? " | " : "",
                                   rule_name(f->key.rule), f->undetermined ? "?" : ": ",
                                   f->undetermined ? "" : f->summary);
        assert_true(length < SAYS_MAX);
    }
}

/* No two findings of a verdict have one key, and each can be produced. */
static void assert_keys_are_well(const struct verdict *v, const struct policy *policy)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < v->count; i++) {
        assert_false(seen & 1u << v->findings[i].key.rule);
        seen |= 1u << v->findings[i].key.rule;
        assert_true(rules_can_produce(policy, &v->findings[i].key));
    }
}

static void assert_says(struct fixture *f, const struct probe_case *c)
{
    struct owner_set *owners = owners_of("999:mysql:", "812:mariadbd:mysql:");
    struct listener_builder *b = new_builder(1000);
    const struct verdict *v;
    struct inventory inv;
    char says[SAYS_MAX];

    assert_loads(f, c->config);
    assert_non_null(b);
    fill_in(b, c, owners);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    assert_int_equal(listener_builder_finish(b, &inv), 0);
    inv.classes[PROTOCOL_TCP].unread = c->what == UNREAD;
    if (c->what == RENEWED)
        renew(&inv);
    v = judge(c, &f->config->policy, &inv);
    write_says(v, says);
    assert_string_equal(says, c->says);
    assert_keys_are_well(v, &f->config->policy);
    verdict_unref(v);
    listener_builder_free(b);
    owner_set_unref(owners);
}

static void assert_all_say(struct fixture *f, const struct probe_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_says(f, &cases[i]);
}

#define TCP "mysql: tcp port 3306 "

static void who_gets_through_is_no_alert(void **state)
{
    static const struct probe_case cases[] = {
        {PUBLIC, {"0.0.0.0:3306"}, NULL, OK, true, ""},
        {PUBLIC, {"0.0.0.0:3306"}, NULL, OK, false, ""},
        {PUBLIC,
         {"127.0.0.1:3306"},
         NULL,
         OK,
         false,
         "LoopbackOnly: " TCP "is bound only to loopback (127.0.0.1:3306), expected beyond it"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

/* What the tables show is the cause, and its alert names the probe. */
static void what_is_seen_is_the_cause(void **state)
{
    static const struct probe_case cases[] = {
        {PUBLIC,
         {NULL},
         NULL,
         REFUSED,
         true,
         "NotListening: " TCP "has no listener; the probe of " TARGET " was refused"},
        {PUBLIC,
         {NULL},
         NULL,
         TIMEOUT,
         false,
         "NotListening: " TCP "has no listener; the probe of " TARGET " got no answer within 3s"},
        {PUBLIC,
         {NULL},
         NULL,
         UNREACHABLE,
         false,
         "NotListening: " TCP "has no listener; the probe of " TARGET " found no way there"},
        {PUBLIC,
         {NULL},
         NULL,
         OK,
         false,
         "NotListening: " TCP "has no listener; something answers at " TARGET},
        {PUBLIC, {NULL}, NULL, OUTDATED, false, "NotListening: " TCP "has no listener"},
        {PUBLIC, {NULL}, NULL, NEVER, false, "NotListening: " TCP "has no listener"},
        {PUBLIC,
         {"127.0.0.1:3306"},
         NULL,
         REFUSED,
         true,
         "LoopbackOnly: " TCP "is bound only to loopback (127.0.0.1:3306), expected beyond it; the probe "
         "of " TARGET " was refused"},
        {MYSQL("address = \"192.0.2.10\";"),
         {"192.0.2.11:3306"},
         NULL,
         REFUSED,
         true,
         "WrongAddress: " TCP "is not served on 192.0.2.10, bound to 192.0.2.11:3306; the probe of " TARGET
         " was refused"},
        {MYSQL("user = \"root\";"),
         {"0.0.0.0:3306"},
         NULL,
         REFUSED,
         true,
         "WrongOwner: " TCP "is held at 0.0.0.0:3306 by mariadbd[812], user mysql; expected user root; the "
         "probe of " TARGET " was refused"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

static void a_full_queue_is_one_cause(void **state)
{
    static const char without_rule[] = MYSQL("accept_queue = 0.0;");
    static const struct probe_case cases[] = {
        {PUBLIC,
         {"0.0.0.0:3306"},
         FULL_QUEUE,
         TIMEOUT,
         true,
         "AcceptQueueSaturated: " TCP
         "has an accept queue that is 100 % full (0.0.0.0:3306: 3 waiting, limit "
         "2), expected less than 80 %; the probe of " TARGET " got no answer within 3s"},
        {PUBLIC,
         {"0.0.0.0:3306"},
         FULL_QUEUE,
         OK,
         true,
         "AcceptQueueSaturated: " TCP
         "has an accept queue that is 100 % full (0.0.0.0:3306: 3 waiting, limit "
         "2), expected less than 80 %"},
        {without_rule,
         {"0.0.0.0:3306"},
         FULL_QUEUE,
         TIMEOUT,
         true,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 3s: its accept queue is full (0.0.0.0:3306: 3 waiting, limit 2)"},
        {without_rule,
         {"0.0.0.0:3306"},
         HALF_QUEUE,
         TIMEOUT,
         true,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 3s, though it listens (0.0.0.0:3306): probably a firewall drops the packets"},
        /* the queue of another address is not why */
        {without_rule,
         {"192.0.2.11:3306"},
         FULL_QUEUE,
         TIMEOUT,
         true,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 3s: here it listens elsewhere (192.0.2.11:3306)"},
        {PUBLIC,
         {"0.0.0.0:3306"},
         FULL_QUEUE,
         OUTDATED,
         true,
         "AcceptQueueSaturated: " TCP
         "has an accept queue that is 100 % full (0.0.0.0:3306: 3 waiting, limit "
         "2), expected less than 80 % | Unreachable?"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

static void what_listens_and_is_not_reached_is_unreachable(void **state)
{
    static const struct probe_case cases[] = {
        {PUBLIC,
         {"0.0.0.0:3306"},
         NULL,
         TIMEOUT,
         true,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 3s, though it listens (0.0.0.0:3306): probably a firewall drops the packets"},
        {PUBLIC,
         {"0.0.0.0:3306"},
         NULL,
         TIMEOUT,
         false,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 3s, though it listens (0.0.0.0:3306): probably a firewall drops the packets, or that is "
         "another host, which is down"},
        {PUBLIC,
         {"192.0.2.10:3306"},
         NULL,
         REFUSED,
         true,
         "Unreachable: " TCP "refused the probe of " TARGET
         ", though it listens (192.0.2.10:3306): probably a firewall rejects it"},
        {PUBLIC,
         {"192.0.2.11:3306"},
         NULL,
         REFUSED,
         true,
         "Unreachable: " TCP "refused the probe of " TARGET ": here it listens elsewhere (192.0.2.11:3306)"},
        {MYSQL(""),
         {"127.0.0.1:3306"},
         NULL,
         REFUSED,
         true,
         "Unreachable: " TCP "refused the probe of " TARGET ": it listens on loopback only (127.0.0.1:3306)"},
        {PUBLIC,
         {"0.0.0.0:3306"},
         NULL,
         UNREACHABLE,
         false,
         "Unreachable: " TCP "cannot be reached by the probe of " TARGET
         ", though it listens (0.0.0.0:3306): there is no route, or a firewall or a router forbids it"},
        {MYSQL("probe_timeout = \"500ms\"; severity = \"warning\";"),
         {"[::]:3306"},
         NULL,
         TIMEOUT,
         true,
         "Unreachable: " TCP "gave no answer to the probe of " TARGET
         " within 500ms: here it listens elsewhere ([::]:3306)"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

/* Bound beyond where it should be is no reason for nobody to get through. */
static void two_causes_are_two_alerts(void **state)
{
    static const struct probe_case c = {
        MYSQL("scope = \"loopback\";"),
        {"0.0.0.0:3306"},
        NULL,
        TIMEOUT,
        true,
        "Exposed: " TCP "is bound beyond loopback (0.0.0.0:3306), expected only on loopback | "
        "Unreachable: " TCP "gave no answer to the probe of " TARGET
        " within 3s, though it listens (0.0.0.0:3306): probably a firewall drops the packets"};

    assert_says(*state, &c);
}

static void what_is_not_known_is_not_told(void **state)
{
    static const struct probe_case cases[] = {
        {PUBLIC, {"0.0.0.0:3306"}, NULL, NEVER, true, "Unreachable?"},
        {PUBLIC, {"0.0.0.0:3306"}, NULL, OUTDATED, true, "Unreachable?"},
        {PUBLIC, {"0.0.0.0:3306"}, NULL, RENEWED, true, "Unreachable?"},
        {PUBLIC,
         {"0.0.0.0:3306"},
         NULL,
         UNMADE,
         true,
         "Unreachable? | Blind: 1 expected service could not be probed for too long; see what the collector "
         "\"probes\" says"},
        {PUBLIC,
         {NULL},
         NULL,
         UNREAD,
         true,
         "NotListening? | Unreachable? | Blind: 1 tcp sockets are more than can be held, and are not judged"},
        {MYSQL(MUST_FAIL), {"0.0.0.0:3306"}, NULL, OUTDATED, true, "Exposed?"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

static void a_port_that_must_be_closed_and_answers_is_exposed(void **state)
{
    static const struct probe_case cases[] = {
        {MYSQL(MUST_FAIL),
         {"0.0.0.0:3306"},
         NULL,
         OK,
         true,
         "Exposed: mysql: " TARGET " answers, expected closed by a firewall"},
        {MYSQL(MUST_FAIL), {"0.0.0.0:3306"}, NULL, REFUSED, true, ""},
        {MYSQL(MUST_FAIL), {"0.0.0.0:3306"}, NULL, TIMEOUT, true, ""},
        {MYSQL(MUST_FAIL), {"0.0.0.0:3306"}, NULL, UNREACHABLE, true, ""},
        {MYSQL(MUST_FAIL), {NULL}, NULL, TIMEOUT, true, "NotListening: " TCP "has no listener"},
        {MYSQL(MUST_FAIL),
         {NULL},
         NULL,
         OK,
         false,
         "NotListening: " TCP "has no listener | Exposed: mysql: " TARGET
         " answers, expected closed by a firewall"},
        /* what it is bound to and that it answers are one alert */
        {MYSQL(MUST_FAIL "scope = \"loopback\";"),
         {"0.0.0.0:3306"},
         NULL,
         OK,
         true,
         "Exposed: " TCP "is bound beyond loopback (0.0.0.0:3306), expected only on loopback; and " TARGET
         " answers, expected closed by a firewall"},
        {MYSQL(MUST_FAIL "scope = \"loopback\";"),
         {"0.0.0.0:3306"},
         NULL,
         REFUSED,
         true,
         "Exposed: " TCP "is bound beyond loopback (0.0.0.0:3306), expected only on loopback"},
        {MYSQL(MUST_FAIL),
         {"0.0.0.0:3306"},
         FULL_QUEUE,
         TIMEOUT,
         true,
         "AcceptQueueSaturated: " TCP
         "has an accept queue that is 100 % full (0.0.0.0:3306: 3 waiting, limit "
         "2), expected less than 80 %"},
    };

    assert_all_say(*state, cases, ARRAY_LENGTH(cases));
}

/* An entry with several ports has a probe of one of them. */
static void a_probe_is_about_one_port(void **state)
{
    static const struct {
        const char *ports, *target;
        uint16_t port;
    } cases[] = {{"80-82,90", "192.0.2.1:82", 82}, {"80-82,90", "192.0.2.1:8080", 80}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof text,
                       "expect = ( { name = \"a\"; ports = \"%s\"; protocol = [ \"tcp\", \"udp\" ]; probe = "
                       "\"%s\"; } );",
                       cases[i].ports, cases[i].target);
        assert_loads(f, text);
        for (unsigned port = 79; port <= 91; port++) {
            const struct alert_key key = {
                .rule = RULE_UNREACHABLE, .name = "a", .has_port = true, .port = (uint16_t)port};
            struct alert_key udp = key;

            udp.protocol = PROTOCOL_UDP;
            assert_int_equal(rules_can_produce(&f->config->policy, &key), port == cases[i].port);
            assert_false(rules_can_produce(&f->config->policy, &udp));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_gets_through_is_no_alert, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_seen_is_the_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_is_one_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_listens_and_is_not_reached_is_unreachable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_causes_are_two_alerts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_that_must_be_closed_and_answers_is_exposed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_probe_is_about_one_port, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
