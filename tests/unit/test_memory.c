/* Memory that is refused at any step on the way from sockets to alerts: each
 * step says so, what was there before stays as it was, and the next attempt
 * gets where it would have got at once. */
#include "core/alerts.h"
#include "core/snapshot.h"
#include "core/transition.h"
#include "tests/unit/judged.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"
#include "tests/unit/counted.h"

#include <inttypes.h>

enum { SOCKETS_MAX = 48, TEXT_MAX = 65536, LIMIT = 40 };

/* What there is to be seen at one moment. */
struct look {
    struct listener_row rows[SOCKETS_MAX];
    size_t count;
    enum visibility visibilities[PROTOCOL_COUNT];
    uint16_t connections; /* established ones, each of a port of its own */
    struct instant now;
};

/* One that watches. */
struct watch {
    const struct policy *policy;
    const struct services *services;
    struct listener_builder *builder;
    struct conn_counter *counter;
    struct ephemeral_counter *ports;
    struct history *history;
    struct alerts alerts;
    struct subscribers subscribers;
    const struct snapshot *snapshot; /* the newest of each, or NULL */
    const struct verdict *verdict;
    const struct alert_list *list;
    char log[TEXT_MAX]; /* the transitions of one look */
    size_t logged;
};

static void log_transition(void *arg, const struct transition *t)
{
    struct watch *w = arg;

    for (size_t i = 0; i < t->labels.count; i++) {
        w->logged +=
            (size_t)snprintf(w->log + w->logged, TEXT_MAX - w->logged, "%s ", t->labels.items[i].value);
        assert_true(w->logged < TEXT_MAX);
    }
    w->logged += (size_t)snprintf(w->log + w->logged, TEXT_MAX - w->logged, "%s -> %s\n",
                                  alert_state_name(t->before), alert_state_name(t->alert->state));
    assert_true(w->logged < TEXT_MAX);
}

static void watch_init(struct watch *w, const struct policy *policy, const struct services *services)
{
    *w = (struct watch){.policy = policy, .services = services};
    w->builder = new_builder(1000);
    w->counter = conn_counter_new();
    w->history = history_new();
    w->ports = ephemeral_counter_new(NULL);
    assert_true(w->builder && w->counter && w->history && w->ports);
    conn_counter_set_ports(w->counter, w->ports);
    subscribers_add(&w->subscribers, log_transition, w);
}

static void watch_done(struct watch *w)
{
    snapshot_unref(w->snapshot);
    verdict_unref(w->verdict);
    alert_list_unref(w->list);
    alerts_done(&w->alerts);
    listener_builder_free(w->builder);
    conn_counter_free(w->counter);
    ephemeral_counter_free(w->ports);
    history_free(w->history);
}

static int add_all(struct listener_builder *b, const struct look *look)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < look->count; i++)
        r = listener_builder_add(b, &look->rows[i]);
    return r;
}

/* Looks twice, as when a dump was interrupted. */
static int collect_listeners(struct watch *w, const struct look *look)
{
    struct listener_builder *b = w->builder;
    int64_t missing;
    int r;

    begin_looks(b, 1000);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, look->visibilities[i], -EIO);
    r = add_all(b, look);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    if (r == 0)
        r = add_all(b, look);
    if (r < 0)
        return r;
    missing = listener_builder_missing(b, PROTOCOL_TCP, PART_ALL);
    return missing == -ENOMEM ? -ENOMEM : 0;
}

/* Odd ports are TCP's, some of them clients'; on the others somebody listens. */
static int count_port(struct conn_counter *c, uint16_t port)
{
    const struct connection client = {.local_port = port, .state = STATE_ESTABLISHED};
    int r = 0;

    if (port % 2 == 1 && port >= 8 && port < 64)
        return conn_counter_add(c, PROTOCOL_TCP, &client);
    r = count_socket(c, port % 2 == 1 ? PROTOCOL_TCP : PROTOCOL_UDP, port, STATE_ESTABLISHED);
    for (int i = 0; r == 0 && i < 2; i++)
        r = count_socket(c, PROTOCOL_TCP, port, STATE_CLOSE_WAIT);
    return r;
}

static int collect_connections(struct watch *w, const struct look *look)
{
    struct local_ports ports = {.known = true, .range = {1, 64}};
    struct conn_counter *c = w->counter;
    int r = 0;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        conn_counter_reset(c, (enum protocol)i);
    for (uint16_t port = 1; port <= 64; port++)
        port_set_put(&ports.free, port);
    ephemeral_counter_begin(w->ports, &ports);
    for (uint16_t port = 1; r == 0 && port <= look->connections; port++)
        r = count_port(c, port);
    conn_counter_complete(c, PROTOCOL_TCP);
    return r;
}

/* Returns owned, or NULL when memory runs out. */
static const struct snapshot *take_snapshot(struct watch *w, const struct look *look)
{
    const struct limits limits = limits_of(LIMIT);
    struct space space = {.name = ""};
    const struct snapshot *s = NULL;

    if (collect_listeners(w, look) < 0 || collect_connections(w, look) < 0)
        return NULL;
    space.listeners = seal_look(w->builder, &limits, w->policy, w->services, w->history);
    space.connections = conn_counter_seal(w->counter, NULL);
    if (space.listeners && space.connections)
        s = snapshot_new(&space, 1);
    listener_table_unref(space.listeners);
    conn_table_unref(space.connections);
    return s;
}

/* Returns 0 or -ENOMEM: snapshot, verdict and list are then those of before. */
static int watch_look(struct watch *w, const struct look *look)
{
    static const struct own_sockets own;
    const struct snapshot *s = take_snapshot(w, look);
    const struct verdict *v = s ? judge_space(snapshot_host(s), w->policy, &own) : NULL;
    const struct alert_list *list = NULL;

    if (v && alerts_update(&w->alerts, v, look->now, false, &w->subscribers) == 0)
        list = alerts_seal(&w->alerts);
    if (!list) {
        verdict_unref(v);
        snapshot_unref(s);
        return -ENOMEM;
    }
    snapshot_unref(w->snapshot);
    verdict_unref(w->verdict);
    alert_list_unref(w->list);
    w->snapshot = s;
    w->verdict = v;
    w->list = list;
    return 0;
}

static size_t write_snapshot(const struct snapshot *s, char *text)
{
    const struct listener_table *t = snapshot_host(s)->listeners;
    size_t count, length = 0;
    const struct listener *l = listener_table_all(t, &count);

    for (size_t i = 0; i < count; i++) {
        const struct owner_set *owners = l[i].members[0].owners;
        char where[ENDPOINT_TEXT_MAX];

        endpoint_format(&l[i].address, l[i].family, l[i].port, l[i].interface, where);
        length += (size_t)snprintf(text + length, TEXT_MAX - length,
                                   "%s %s %s x%u %" PRIu64 "/%" PRIu64 " %" PRIu64 "/%" PRIu64 " %s\n",
                                   protocol_name(l[i].protocol), where, l[i].service_name, l[i].sockets,
                                   l[i].queue.length, l[i].queue.limit, l[i].drops.count, l[i].restarts,
                                   owners ? owners->user : "-");
        assert_true(length < TEXT_MAX);
    }
    for (uint16_t port = 1; port < 8; port++) {
        const uint32_t *row = space_connections(snapshot_host(s), PROTOCOL_TCP, port);

        length += (size_t)snprintf(text + length, TEXT_MAX - length, "%u ", row[STATE_ESTABLISHED]);
    }
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        length += (size_t)snprintf(text + length, TEXT_MAX - length, "%d:%" PRIu64 " ",
                                   listener_table_class(t, (enum protocol)i)->visibility,
                                   listener_table_class(t, (enum protocol)i)->unread);
    assert_true(length < TEXT_MAX);
    return length;
}

/* Writes all that is shown of the newest look. Returns owned. */
static char *describe(const struct watch *w)
{
    char *text = calloc(1, TEXT_MAX);
    size_t length;

    assert_non_null(text);
    if (!w->snapshot)
        return text;
    length = write_snapshot(w->snapshot, text);
    for (size_t i = 0; i < w->verdict->count; i++) {
        const struct finding *f = &w->verdict->findings[i];

        length += (size_t)snprintf(text + length, TEXT_MAX - length, "\n%s %d %d %s", rule_name(f->key.rule),
                                   f->severity, f->undetermined, f->summary);
        assert_true(length < TEXT_MAX);
    }
    for (size_t i = 0; i < w->verdict->service_count; i++)
        length += (size_t)snprintf(text + length, TEXT_MAX - length, "\n%u found, broken %x",
                                   w->verdict->services[i].found, w->verdict->services[i].broken);
    for (size_t i = 0; i < w->list->count; i++) {
        const struct alert *a = &w->list->items[i];

        length += (size_t)snprintf(text + length, TEXT_MAX - length, "\n%s %s since %" PRId64 ": %s",
                                   rule_name(a->key.rule), alert_state_name(a->state), a->since.mono_ms,
                                   a->summary);
        assert_true(length < TEXT_MAX);
    }
    return text;
}

/* A policy whose rules find something of every kind. */
static struct policy strict_policy(void)
{
    struct policy policy = policy_unsealed("web=tcp/80-82 db=tcp/83 dns=udp/53,84-86 ntp=udp/87");

    policy.expects[0].match.scope = WANT_PUBLIC;
    policy.expects[0].match.owner.process = strdup("nginx*");
    assert_non_null(policy.expects[0].match.owner.process);
    policy.expects[0].accept_queue_given = true;
    policy.expects[0].accept_queue = 0.5;
    policy.expects[1].match.scope = WANT_LOOPBACK;
    policy.expects[1].connections_limited = true; /* to none */
    policy.expects[1].close_wait_max = 1;
    policy.expects[2].families[0] = policy.expects[2].families[1] = true;
    policy.expects[2].for_ms = 1500;
    policy.expects[3].match.address_count = 1;
    policy.expects[3].match.addresses = malloc(sizeof *policy.expects[3].match.addresses);
    assert_non_null(policy.expects[3].match.addresses);
    policy.expects[3].match.addresses[0] = address_of("192.0.2.1");
    policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING, .for_ms = 3000};
    policy.ephemeral = (struct ephemeral_limit){.enabled = true, .max_used = 0.25, .for_ms = 1500};
    assert_int_equal(policy_seal(&policy), 0);
    return policy;
}

static void add_random_row(struct look *look, struct owner_set *const owners[3], uint32_t *seed)
{
    static const char *const binds[] = {"0.0.0.0:1", "127.0.0.1:1", "*:1",          "[::1]:1",
                                        "udp/*:1",   "udp/[::]:1",  "udp/0.0.0.0:1"};
    struct listener_row *row = &look->rows[look->count++];

    *row = row_of(binds[next_random(seed) % ARRAY_LENGTH(binds)]);
    row->port = (uint16_t)(70 + next_random(seed) % 40);
    row->cookie = 1 + next_random(seed) % 200;
    row->uid = 33;
    row->queue.known = row->protocol == PROTOCOL_TCP;
    row->queue.length = next_random(seed) % 100;
    row->queue.limit = 100;
    row->drops.known = true;
    row->drops.count = next_random(seed) % 100;
    row->owners = next_random(seed) % 4 > 0 ? owners[next_random(seed) % 3] : NULL;
}

static void look_at_random(struct look *look, struct owner_set *const owners[3], uint32_t *seed)
{
    look->count = 0;
    for (size_t i = 4 + next_random(seed) % (SOCKETS_MAX - 4); i > 0; i--)
        add_random_row(look, owners, seed);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        look->visibilities[i] = next_random(seed) % 8 > 0 ? VISIBILITY_OK : VISIBILITY_FAILED;
    look->connections = (uint16_t)(next_random(seed) % 100);
    look->now.mono_ms += 1000;
}

static void begin_log(struct watch *w)
{
    w->logged = 0;
    *w->log = '\0';
}

/* Looks until no memory is refused, which it is each time a step later.
 *
 * wanted   what describe() must give when a look succeeds, be it because only
 *          what nobody needed was refused; NULL for anything
 *
 * Returns how often it failed. */
static size_t look_without_memory(struct watch *w, const struct look *look, const char *wanted)
{
    char *before = describe(w);
    size_t failed = 0;
    bool is_refused = true;

    begin_log(w);
    for (size_t n = 1; is_refused; n++) {
        char *after;
        int r;

        refuse_nth(n);
        r = watch_look(w, look);
        is_refused = refuse_stop();
        after = describe(w);
        if (r < 0) {
            assert_true(is_refused);
            assert_string_equal(after, before);
            failed++;
        } else if (wanted) {
            assert_string_equal(after, wanted);
        }
        free(before);
        before = after;
    }
    free(before);
    return failed;
}

static struct services *some_services(void)
{
    struct services *services = services_new();

    assert_non_null(services);
    for (uint16_t port = 60; port < 100; port += 3)
        assert_int_equal(services_add(services, PROTOCOL_TCP, port, "some"), 0);
    services_seal(services);
    return services;
}

/* Beside one that has all the memory it asks for. */
static void whatever_is_refused_the_next_attempt_tells_the_same(void **state)
{
    struct policy policy = strict_policy();
    struct services *services = some_services();
    struct owner_set *owners[3] = {
        owners_of("33:www:nginx.service", "7:nginx:www:nginx.service,8:nginx-worker:www:nginx.service"),
        owners_of("101:mysql:", "9:mariadbd:mysql:"),
        owners_of("0:root:", ""),
    };
    struct watch refused, served;
    struct look look = {.count = 0};
    uint32_t seed = 2654435761u;
    size_t logged = 0;

    (void)state;
    owners[2]->sight = SIGHT_HIDDEN;
    watch_init(&refused, &policy, services);
    watch_init(&served, &policy, services);
    for (int turn = 0; turn < 25; turn++) {
        char *wanted;

        look_at_random(&look, owners, &seed);
        begin_log(&served);
        assert_int_equal(watch_look(&served, &look), 0);
        wanted = describe(&served);
        assert_true(look_without_memory(&refused, &look, wanted) > 12);
        free(wanted);
        assert_string_equal(refused.log, served.log);
        logged += served.logged;
    }
    assert_true(logged > 1000);
    watch_done(&refused);
    watch_done(&served);
    for (size_t i = 0; i < ARRAY_LENGTH(owners); i++) {
        assert_int_equal(owners[i]->ref.count, 1);
        owner_set_unref(owners[i]);
    }
    services_free(services);
    policy_done(&policy);
}

/* Looks at one look and tells of each rule whether the verdict has it. */
static void the_looks_break_every_rule(void **state)
{
    struct policy policy = strict_policy();
    struct owner_set *owners[3] = {owners_of("33:www:", "7:nginx:www:"), owners_of("0:root:", "9:sh:root:"),
                                   owners_of("0:root:", "")};
    struct look look = {.count = 0};
    struct watch w;
    uint32_t seed = 2654435761u, found = 0;

    (void)state;
    owners[2]->sight = SIGHT_HIDDEN;
    watch_init(&w, &policy, NULL);
    for (int turn = 0; turn < 25; turn++) {
        look_at_random(&look, owners, &seed);
        begin_log(&w);
        assert_int_equal(watch_look(&w, &look), 0);
        for (size_t i = 0; i < w.verdict->count; i++)
            found |= 1u << w.verdict->findings[i].key.rule;
    }
    assert_int_equal(found, ((1u << RULE_COUNT) - 1) &
                                ~(1u << RULE_FLAPPING | 1u << RULE_DROPPING | 1u << RULE_UNREACHABLE));
    watch_done(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(owners); i++)
        owner_set_unref(owners[i]);
    policy_done(&policy);
}

/* Readers keep what they hold, whatever comes after it. */
static void old_snapshots_read_the_same_for_ever(void **state)
{
    enum { KEPT = 12 };
    struct policy policy = strict_policy();
    struct owner_set *owners[3] = {owners_of("33:www:", "7:nginx:www:"), owners_of("0:root:", "9:sh:root:"),
                                   owners_of("0:root:", "")};
    struct look look = {.count = 0};
    struct watch w, kept[KEPT];
    char *texts[KEPT];
    uint32_t seed = 42;

    (void)state;
    watch_init(&w, &policy, NULL);
    for (size_t i = 0; i < KEPT; i++) {
        look_at_random(&look, owners, &seed);
        (void)look_without_memory(&w, &look, NULL);
        kept[i].snapshot = snapshot_ref(w.snapshot);
        kept[i].verdict = verdict_ref(w.verdict);
        kept[i].list = alert_list_ref(w.list);
        texts[i] = describe(&w);
    }
    watch_done(&w);
    policy_done(&policy);
    for (size_t i = 0; i < ARRAY_LENGTH(owners); i++)
        owner_set_unref(owners[i]);
    for (size_t i = 0, k = 0; i < KEPT; i++, k = (k + 5) % KEPT) { /* in an order that is none of age */
        char *text = describe(&kept[k]);

        assert_string_equal(text, texts[k]);
        free(text);
        free(texts[k]);
        snapshot_unref(kept[k].snapshot);
        verdict_unref(kept[k].verdict);
        alert_list_unref(kept[k].list);
    }
}

/* The same verdict is applied again although the time for nothing has come. */
static void an_update_that_failed_is_due(void **state)
{
    struct finding findings[20];
    struct verdict verdict = {.findings = findings, .count = ARRAY_LENGTH(findings)};
    struct alerts alerts = {.count = 0};
    const struct instant now = {.mono_ms = 1000};
    size_t n;

    (void)state;
    for (uint16_t i = 0; i < ARRAY_LENGTH(findings); i++)
        findings[i] = (struct finding){.key = {.rule = RULE_UNEXPECTED_LISTENER, .port = i}};
    assert_int_equal(alerts_update(&alerts, &(struct verdict){.count = 0}, now, false, NULL), 0);
    assert_false(alerts_are_due(&alerts, now));
    for (n = 1;; n++) {
        refuse_nth(n);
        if (alerts_update(&alerts, &verdict, now, false, NULL) == 0)
            break;
        assert_true(refuse_stop());
        assert_true(alerts_are_due(&alerts, now));
        assert_int_equal(alerts.count, 0);
        assert_int_equal(alerts.changes, 0);
    }
    assert_false(refuse_stop());
    assert_true(n > 1);
    assert_int_equal(alerts.count, ARRAY_LENGTH(findings));
    assert_false(alerts_are_due(&alerts, now));
    refuse_nth(1);
    assert_null(alerts_seal(&alerts));
    assert_true(refuse_stop());
    alerts_done(&alerts);
}

/* The counter is empty then, as after success: what is counted next is not
 * added to what was not sealed. */
static void connections_that_were_not_sealed_are_not_counted_twice(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t = NULL;
    size_t refused = 0;

    (void)state;
    assert_non_null(c);
    while (!t) {
        assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
        assert_int_equal(count_socket(c, PROTOCOL_UDP, 53, STATE_CLOSE), 0);
        conn_counter_complete(c, PROTOCOL_TCP);
        refuse_nth(refused + 1);
        t = conn_counter_seal(c, NULL);
        refused += refuse_stop();
    }
    assert_int_equal(refused, 3);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_CLOSE], 1);
    conn_table_unref(t);
    conn_counter_free(c);
}

static void what_a_counter_cannot_count_is_not_counted(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;
    size_t refused = 0;
    int r = -ENOMEM;

    (void)state;
    assert_non_null(c);
    for (; r < 0; refused += r < 0) { /* what it got, it keeps: the next one is the first again */
        refuse_nth(refused == 0 ? 1 : 2);
        r = count_socket(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED);
        assert_int_equal(r, refuse_stop() ? -ENOMEM : 0);
    }
    assert_true(refused > 0);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    conn_table_unref(t);
    conn_counter_free(c);
}

static void without_memory_nothing_begins(void **state)
{
    (void)state;
    refuse_nth(1);
    assert_null(new_builder(1000));
    assert_true(refuse_stop());
    refuse_nth(1);
    assert_null(conn_counter_new());
    assert_true(refuse_stop());
    refuse_nth(1);
    assert_null(owner_set_new(3));
    assert_true(refuse_stop());
    refuse_nth(1);
    assert_null(services_new());
    assert_true(refuse_stop());
}

/* A condition that gives way to another, with one that ends beside it. */
static void a_hand_over_is_made_whole_or_not_at_all(void **state)
{
    struct finding findings[2] = {
        {.key = {.rule = RULE_LOOPBACK_ONLY, .name = "mysql"}},
        {.key = {.rule = RULE_UNEXPECTED_LISTENER, .has_endpoint = true}},
    };
    struct verdict verdict = {.findings = findings, .count = 2};
    struct alerts alerts = {.count = 0};
    const struct instant now = {.mono_ms = 1000};
    size_t n;

    (void)state;
    verdict.classes[PROTOCOL_TCP].seen = verdict.classes[PROTOCOL_TCP].complete = true;
    assert_int_equal(alerts_update(&alerts, &verdict, now, false, NULL), 0);
    findings[0].key.rule = RULE_NOT_LISTENING;
    findings[0].for_ms = 5000;
    verdict.count = 1;
    for (n = 1;; n++) {
        refuse_nth(n);
        if (alerts_update(&alerts, &verdict, now, false, NULL) == 0)
            break;
        assert_true(refuse_stop());
        assert_int_equal(alerts.count, 2);
        assert_int_equal(alerts.items[0].key.rule, RULE_LOOPBACK_ONLY);
        assert_int_equal(alerts.ended.count, 0);
    }
    assert_false(refuse_stop());
    assert_true(n > 3);
    assert_int_equal(alerts.count, 1);
    assert_int_equal(alerts.items[0].key.rule, RULE_NOT_LISTENING);
    assert_int_equal(alerts.items[0].state, ALERT_FIRING);
    assert_int_equal(alerts.ended.count, 2);
    alerts_done(&alerts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_refused_the_next_attempt_tells_the_same),
        cmocka_unit_test(the_looks_break_every_rule),
        cmocka_unit_test(old_snapshots_read_the_same_for_ever),
        cmocka_unit_test(an_update_that_failed_is_due),
        cmocka_unit_test(a_hand_over_is_made_whole_or_not_at_all),
        cmocka_unit_test(connections_that_were_not_sealed_are_not_counted_twice),
        cmocka_unit_test(what_a_counter_cannot_count_is_not_counted),
        cmocka_unit_test(without_memory_nothing_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
