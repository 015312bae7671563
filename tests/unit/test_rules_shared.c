/* What holds for any entries that share ports, whatever they ask for. */
#include "core/rules.h"
#include "tests/unit/addresses.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

enum { WORLDS = 3000, ENTRIES_MAX = 5, PORTS = 3, SPLIT_MAX = ENTRIES_MAX * PORTS, ROWS_MAX = 10 };

static const struct own_sockets no_own;

struct world {
    struct expect expects[SPLIT_MAX];
    struct port_range ranges[SPLIT_MAX]; /* one an entry */
    size_t count;
    struct listener_row rows[ROWS_MAX];
    size_t row_count;
    struct owner_set *nginx, *hidden;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static struct ip_addr some_address(uint32_t *seed)
{
    static const char *const addresses[] = {"0.0.0.0",  "::",       "127.0.0.1",   "::1",
                                            "10.0.0.1", "10.0.0.2", "2001:db8::1", "127.0.0.2"};

    return address_of(addresses[next_random(seed) % ARRAY_LENGTH(addresses)]);
}

static enum protocol some_protocol(uint32_t *seed)
{
    return next_random(seed) % 4 ? PROTOCOL_TCP : PROTOCOL_UDP;
}

static struct expect some_expect(uint32_t *seed, size_t number)
{
    struct expect e = {
        .match = {.protocols = 1u << some_protocol(seed), .scope = (enum want_scope)(next_random(seed) % 3)},
        .families = {next_random(seed) % 4 == 0, next_random(seed) % 4 == 0},
        .severity = (enum severity)(next_random(seed) % SEVERITY_COUNT),
        .accept_queue_given = true,
        .accept_queue = next_random(seed) % 2 ? 0.5 : 0};

    (void)snprintf(e.name, sizeof e.name, "entry-%zu", number);
    if (next_random(seed) % 2 == 0) {
        e.match.address_count = 1;
        e.match.addresses = kept_address(some_address(seed));
    }
    if (next_random(seed) % 3 == 0)
        e.match.owner.process = next_random(seed) % 2 ? "nginx" : "apache2";
    return e;
}

static struct listener_row some_row(const struct world *w, uint32_t *seed, uint64_t cookie)
{
    const struct owner_set *const owners[] = {w->nginx, w->hidden, NULL};
    struct listener_row row = {
        .protocol = some_protocol(seed),
        .address = some_address(seed),
        .port = (uint16_t)(80 + next_random(seed) % PORTS),
        .ifindex = next_random(seed) % 8 == 0,
        .v6only = next_random(seed) % 2 == 0,
        .auto_port = next_random(seed) % 8 == 0,
        .queue = {.known = true, .length = next_random(seed) % 3, .limit = 2},
        .owners = owners[next_random(seed) % ARRAY_LENGTH(owners)],
        .cookie = cookie,
    };

    if (row.ifindex > 0)
        (void)snprintf(row.interface, sizeof row.interface, "lo");
    return row;
}

static struct world some_world(uint32_t seed)
{
    struct world w = {.nginx = owners_of("0:root:", "7:nginx:root:"), .hidden = owners_of("0:root:", "")};

    w.hidden->sight = SIGHT_HIDDEN;
    w.count = 1 + next_random(&seed) % ENTRIES_MAX;
    for (size_t i = 0; i < w.count; i++) {
        uint16_t first = (uint16_t)(80 + next_random(&seed) % PORTS);
        uint16_t last = (uint16_t)(first + next_random(&seed) % (80 + PORTS - first));

        w.expects[i] = some_expect(&seed, i);
        w.ranges[i] = (struct port_range){first, last};
    }
    w.row_count = next_random(&seed) % (ROWS_MAX + 1);
    for (size_t i = 0; i < w.row_count; i++)
        w.rows[i] = some_row(&w, &seed, i + 1);
    return w;
}

static void world_done(struct world *w)
{
    owner_set_unref(w->nginx);
    owner_set_unref(w->hidden);
}

/* All classes are seen. Gives the entries their ranges.
 *
 * ret_table   returns owned (a reference); may be NULL */
static const struct verdict *judge(struct world *w, const struct listener_table **ret_table)
{
    struct policy policy = {.expects = w->expects, .expect_count = w->count, .unexpected.enabled = true};
    struct listener_builder *b = new_builder(1000);
    struct space space = {.name = ""};
    const struct verdict *v;

    assert_non_null(b);
    for (size_t i = 0; i < w->count; i++) {
        w->expects[i].match.ports = &w->ranges[i];
        w->expects[i].match.port_count = 1;
    }
    assert_int_equal(policy_seal(&policy), 0);
    for (size_t i = 0; i < w->row_count; i++)
        assert_int_equal(listener_builder_add(b, &w->rows[i]), 0);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, &policy, &no_own);
    assert_non_null(v);
    policy_unseal(&policy);
    if (ret_table)
        *ret_table = space.listeners;
    else
        listener_table_unref(space.listeners);
    return v;
}

/* The only one of an entry, told by its name, and a port. */
static const struct service_verdict *service_of(const struct world *w, const struct verdict *v,
                                                const char *name, uint16_t port)
{
    size_t matches = 0, found = 0;

    for (size_t i = 0; i < v->service_count; i++) {
        const struct service_verdict *s = &v->services[i];

        if (s->port != port || strcmp(w->expects[s->expect].name, name) != 0)
            continue;
        matches++;
        found = i;
    }
    assert_int_equal(matches, 1);
    return &v->services[found];
}

/* Each service of a is one of b, too. */
static void assert_services_in(const struct world *a, const struct verdict *in_a, const struct world *b,
                               const struct verdict *in_b)
{
    for (size_t i = 0; i < in_a->service_count; i++) {
        const struct service_verdict *x = &in_a->services[i];
        const struct service_verdict *y = service_of(b, in_b, a->expects[x->expect].name, x->port);

        assert_int_equal(x->found, y->found);
        assert_int_equal(x->broken, y->broken);
        assert_int_equal(x->used, y->used);
    }
}

static void the_order_of_entries_does_not_matter(void **state)
{
    size_t broken = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed), turned = w;
        const struct listener_table *table;
        const struct verdict *v, *other;
        size_t listeners;

        for (size_t i = 0; i < w.count; i++) {
            turned.expects[i] = w.expects[w.count - 1 - i];
            turned.ranges[i] = w.ranges[w.count - 1 - i];
        }
        v = judge(&w, &table);
        other = judge(&turned, NULL);
        assert_services_in(&w, v, &turned, other);
        (void)listener_table_all(table, &listeners); /* their number only */
        for (size_t i = 0; i < listeners; i++) {
            broken += v->listeners[i].rules != 0;
            assert_int_equal(v->listeners[i].expected, other->listeners[i].expected);
            assert_int_equal(v->listeners[i].rules, other->listeners[i].rules);
            assert_memory_equal(v->listeners[i].severities, other->listeners[i].severities,
                                sizeof v->listeners[i].severities);
        }
        assert_int_equal(v->count, other->count);
        listener_table_unref(table);
        verdict_unref(v);
        verdict_unref(other);
        world_done(&w);
    }
    assert_true(broken > WORLDS);
}

/* How many findings say of a service that a rule is true, or cannot be told. */
static size_t count_findings(const struct verdict *v, const char *name, uint16_t port, enum rule rule,
                             bool undetermined)
{
    size_t count = 0;

    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];

        count += f->key.rule == rule && f->key.port == port && strcmp(f->key.name, name) == 0 &&
                 f->undetermined == undetermined;
    }
    return count;
}

static void what_a_service_breaks_is_what_was_found(void **state)
{
    uint32_t seen = 0;
    size_t undetermined = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed);
        const struct verdict *v = judge(&w, NULL);

        for (size_t i = 0; i < v->service_count; i++) {
            const struct service_verdict *s = &v->services[i];
            const char *name = w.expects[s->expect].name;

            for (int rule = 0; rule < RULE_COUNT; rule++) {
                size_t untold = count_findings(v, name, s->port, (enum rule)rule, true);

                assert_int_equal(count_findings(v, name, s->port, (enum rule)rule, false),
                                 s->broken >> rule & 1);
                assert_true(untold == 0 || (rule == RULE_WRONG_OWNER && !(s->broken >> rule & 1)));
                assert_int_equal(untold, s->untold >> rule & 1);
                undetermined += untold;
            }
            assert_int_equal(s->broken & ~s->used, 0);
            assert_int_equal(s->found == 0, s->broken >> RULE_NOT_LISTENING & 1);
            seen |= s->broken;
        }
        verdict_unref(v);
        world_done(&w);
    }
    assert_int_equal(seen, 1u << RULE_NOT_LISTENING | 1u << RULE_LOOPBACK_ONLY | 1u << RULE_EXPOSED |
                               1u << RULE_WRONG_ADDRESS | 1u << RULE_WRONG_OWNER |
                               1u << RULE_ACCEPT_QUEUE_SATURATED);
    assert_true(undetermined > 100);
}

static bool is_on(const struct world *w, size_t entry, const struct listener *l)
{
    return matcher_has_protocol(&w->expects[entry].match, l->protocol) && l->port >= w->ranges[entry].first &&
           l->port <= w->ranges[entry].last;
}

/* A listener on a port that nobody expects breaks no rule but UnexpectedListener,
 * and one on a port that an entry without an address expects never does that. */
static void a_listener_breaks_rules_of_the_entries_on_its_port(void **state)
{
    size_t expected = 0, unexpected = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed);
        const struct listener_table *table;
        const struct verdict *v = judge(&w, &table);
        size_t count;
        const struct listener *l = listener_table_all(table, &count);

        for (size_t i = 0; i < count; i++) {
            bool on = false, open = false;

            for (size_t k = 0; k < w.count; k++) {
                on |= is_on(&w, k, &l[i]);
                open |= is_on(&w, k, &l[i]) && w.expects[k].match.address_count == 0;
            }
            assert_int_equal(v->listeners[i].expected, on);
            if (listener_is_client(&l[i]))
                assert_int_equal(v->listeners[i].rules, 0);
            else if (!on || l[i].auto_port)
                assert_int_equal(v->listeners[i].rules, 1u << RULE_UNEXPECTED_LISTENER);
            else if (open)
                assert_int_equal(v->listeners[i].rules >> RULE_UNEXPECTED_LISTENER & 1, 0);
            expected += on;
            unexpected += !on;
        }
        listener_table_unref(table);
        verdict_unref(v);
        world_done(&w);
    }
    assert_true(expected > WORLDS && unexpected > WORLDS / 10);
}

static void an_entry_may_be_split_into_its_ports(void **state)
{
    size_t split = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed), single = w;
        const struct verdict *v, *other;

        single.count = 0;
        for (size_t i = 0; i < w.count; i++) {
            for (uint16_t port = w.ranges[i].first; port <= w.ranges[i].last; port++) {
                single.expects[single.count] = w.expects[i];
                single.ranges[single.count++] = (struct port_range){port, port};
            }
        }
        v = judge(&w, NULL);
        other = judge(&single, NULL);
        assert_int_equal(v->service_count, other->service_count);
        assert_services_in(&w, v, &single, other);
        assert_int_equal(v->count, other->count);
        split += single.count - w.count;
        verdict_unref(v);
        verdict_unref(other);
        world_done(&w);
    }
    assert_true(split > WORLDS);
}

static void entries_of_other_ports_change_nothing(void **state)
{
    size_t left_out = 0, left = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed), fewer = w;
        const struct verdict *v, *other;

        fewer.count = 0;
        for (size_t i = 0; i < w.count; i++) {
            if (!matcher_has_protocol(&w.expects[i].match, PROTOCOL_TCP) || w.ranges[i].first > 80)
                continue;
            fewer.expects[fewer.count] = w.expects[i];
            fewer.ranges[fewer.count++] = (struct port_range){80, 80};
        }
        v = judge(&w, NULL);
        other = judge(&fewer, NULL);
        assert_int_equal(other->service_count, fewer.count);
        assert_services_in(&fewer, other, &w, v);
        left_out += w.count - fewer.count;
        left += fewer.count > 1;
        verdict_unref(v);
        verdict_unref(other);
        world_done(&w);
    }
    assert_true(left_out > WORLDS && left > WORLDS / 10);
}

static void an_entry_alone_on_its_port_has_all_that_listens_there(void **state)
{
    size_t found = 0;

    (void)state;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        struct world w = some_world(seed);
        const struct listener_table *table;
        const struct verdict *v;
        const struct listener *l;
        size_t count, wanted = 0;

        w.count = 1;
        w.ranges[0].last = w.ranges[0].first;
        if (w.expects[0].match.address_count > 0)
            w.expects[0].match.owner.process = NULL; /* what is beside the address may be another's */
        v = judge(&w, &table);
        l = listener_table_all(table, &count);
        for (size_t i = 0; i < count; i++)
            wanted += is_on(&w, 0, &l[i]) && !l[i].auto_port;
        assert_int_equal(v->services[0].found, wanted);
        found += wanted;
        listener_table_unref(table);
        verdict_unref(v);
        world_done(&w);
    }
    assert_true(found > WORLDS / 10);
}

enum { CROWD_ENTRIES = 100 };

static struct listener_row row_at(uint8_t network, size_t i, uint64_t cookie)
{
    return (struct listener_row){
        .address = {.version = 4, .bytes = {network, 0, (uint8_t)(i >> 8), (uint8_t)i}},
        .port = 80,
        .v6only = true,
        .cookie = cookie};
}

/* Each of many entries on one port has an address of its own. */
static void make_crowd(struct policy *policy, struct port_range *ports)
{
    policy->expects = calloc(CROWD_ENTRIES, sizeof *policy->expects);
    assert_non_null(policy->expects);
    policy->expect_count = CROWD_ENTRIES;
    for (size_t i = 0; i < CROWD_ENTRIES; i++) {
        struct expect *e = &policy->expects[i];

        (void)snprintf(e->name, sizeof e->name, "s%zu", i);
        e->match = (struct matcher){.ports = ports, .port_count = 1, .address_count = 1};
        e->match.addresses = kept_address(row_at(10, i, 0).address);
    }
    assert_int_equal(policy_seal(policy), 0);
}

/* Judges a crowd whose listeners are there but for one, and so many others
 * besides; returns how many findings there are of a rule. */
static size_t judge_crowd(struct policy *policy, size_t others, const char *wildcard, enum rule rule)
{
    struct listener_builder *b = new_builder(1000);
    struct space space = {.name = ""};
    static const struct own_sockets nobody;
    const struct verdict *v;
    size_t found = 0;

    assert_non_null(b);
    for (size_t i = 0; i < CROWD_ENTRIES; i++) {
        const struct listener_row row = row_at(10, i, i + 1);

        if (i != 77)
            assert_int_equal(listener_builder_add(b, &row), 0);
    }
    for (size_t i = 0; i < others; i++) {
        const struct listener_row row = row_at(9, i, 1000 + i);

        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    add_rows(b, wildcard, 100000);
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_OK, 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, policy, &nobody);
    assert_non_null(v);
    for (size_t i = 0; i < v->count; i++)
        found += v->findings[i].key.rule == rule && strcmp(v->findings[i].key.name, "s77") == 0;
    for (size_t i = 0; i < v->service_count; i++)
        assert_int_equal(v->services[i].found > 0, i != 77 || others > 0 || *wildcard);
    verdict_unref(v);
    listener_table_unref(space.listeners);
    return found;
}

static void a_crowd_of_entries_finds_each_its_own_address(void **state)
{
    struct port_range ports[] = {{80, 80}};
    struct policy policy = {.expect_count = 0};

    (void)state;
    make_crowd(&policy, ports);
    assert_int_equal(judge_crowd(&policy, 0, "", RULE_NOT_LISTENING), 1);
    assert_int_equal(judge_crowd(&policy, 500, "", RULE_WRONG_ADDRESS), 1);
    assert_int_equal(judge_crowd(&policy, 500, "0.0.0.0:80", RULE_WRONG_ADDRESS), 0);
    assert_int_equal(judge_crowd(&policy, 500, "*:80", RULE_WRONG_ADDRESS), 0); /* which stands last */
    assert_int_equal(judge_crowd(&policy, 500, "*:80", RULE_NOT_LISTENING), 0);
    policy_unseal(&policy);
    free(policy.expects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_entries_does_not_matter),
        cmocka_unit_test(what_a_service_breaks_is_what_was_found),
        cmocka_unit_test(a_listener_breaks_rules_of_the_entries_on_its_port),
        cmocka_unit_test(an_entry_may_be_split_into_its_ports),
        cmocka_unit_test(entries_of_other_ports_change_nothing),
        cmocka_unit_test(a_crowd_of_entries_finds_each_its_own_address),
        cmocka_unit_test(an_entry_alone_on_its_port_has_all_that_listens_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
