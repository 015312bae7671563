/* Unix listeners from the rows of a collector to the verdict. */
#include "core/rules.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static const struct own_sockets no_own;

/* Expected services, one a path; not to be moved. */
struct wishes {
    struct expect expects[4];
    struct port_range ports[4];
    struct policy policy;
};

static struct expect *wish(struct wishes *w, const char *name, const char *path)
{
    size_t at = w->policy.expect_count++;
    struct expect *e = &w->expects[at];

    assert_in_range(at, 0, ARRAY_LENGTH(w->expects) - 1);
    w->policy.expects = w->expects;
    w->ports[at].first = w->ports[at].last = unix_path_port(path);
    *e = (struct expect){
        .match = {.protocols = 1u << PROTOCOL_UNIX, .ports = &w->ports[at], .port_count = 1, .path = path},
        .severity = SEVERITY_CRITICAL};
    (void)snprintf(e->name, sizeof e->name, "%s", name);
    assert_int_equal(policy_seal(&w->policy), 0);
    return e;
}

static struct listener_builder *builder(const struct policy *policy)
{
    struct listener_builder *b = new_builder(1000);

    assert_non_null(b);
    listener_builder_set(b, 1000, policy);
    listener_builder_begin(b, PROTOCOL_UNIX, PART_ALL);
    return b;
}

static void listen_at(struct listener_builder *b, const struct policy *policy, const char *path,
                      uint64_t cookie, const struct owner_set *owners)
{
    const struct listener_row row = {
        .protocol = PROTOCOL_UNIX,
        .path = path,
        .port = policy_port_of_path(policy, path),
        .address = unix_path_address(path),
        .cookie = cookie,
        .uid = 112,
        .queue = {.known = true, .length = 0, .limit = 80},
        .owners = owners,
    };

    assert_int_equal(listener_builder_add(b, &row), 0);
}

static void end(struct listener_builder *b)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
}

/* Takes b. */
static const struct verdict *judge(struct listener_builder *b, const struct policy *policy)
{
    struct space space = {.name = ""};
    const struct verdict *v;

    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, policy, &no_own);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    return v;
}

static void a_table_owns_the_paths_of_its_listeners(void **state)
{
    static const struct policy nothing;
    struct listener_builder *b = builder(&nothing);
    const struct listener_table *t;
    const struct listener *l;
    char path[] = "/run/a.sock", place[LISTENER_PLACE_MAX];
    size_t count;

    (void)state;
    listen_at(b, &nothing, path, 1, NULL);
    listen_at(b, &nothing, path, 2, NULL);
    listen_at(b, &nothing, "@b", 3, NULL);
    memset(path, 'x', sizeof path - 1);
    end(b);
    t = seal_all(b);
    listener_builder_free(b);
    l = listener_table_all(t, &count);
    assert_int_equal(count, 2);
    l += strcmp(l->path, "/run/a.sock") != 0;
    assert_string_equal(l->path, "/run/a.sock");
    assert_int_equal(l->sockets, 2);
    assert_int_equal(l->scope, SCOPE_LOOPBACK);
    assert_int_equal(l->queue.limit, 160);
    assert_false(listener_has_port_class(l));
    listener_place(l, place);
    assert_string_equal(place, "/run/a.sock");
    listener_table_unref(t);
}

static void what_is_only_counted_is_in_the_totals_and_is_news(void **state)
{
    struct listener_builder *b = new_builder(1000);
    struct inventory inv;
    struct listener_totals totals;

    (void)state;
    for (int look = 0; look < 3; look++) {
        listener_builder_begin(b, PROTOCOL_UNIX, PART_ALL);
        for (int i = 0; i < 5 + (look == 2); i++)
            listener_builder_count(b, PROTOCOL_UNIX, PART_ALL);
        end(b);
        assert_int_equal(listener_builder_is_same(b), look == 1);
        assert_int_equal(listener_builder_finish(b, &inv), 0);
    }
    assert_int_equal(inv.total, 0);
    inventory_count(&inv, &totals);
    assert_int_equal(totals.scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 6);
    listener_builder_free(b);
}

static void only_an_expected_path_has_a_port(void **state)
{
    struct wishes w = {.policy = {.expect_count = 0}};

    (void)state;
    (void)wish(&w, "mysql", "/run/mysqld/mysqld.sock");
    assert_int_equal(policy_port_of_path(&w.policy, "/run/mysqld/mysqld.sock"),
                     unix_path_port("/run/mysqld/mysqld.sock"));
    assert_int_equal(policy_port_of_path(&w.policy, "/run/mysqld/mysqld.sock2"), 0);
    policy_unseal(&w.policy);
}

/* Of all that are made of numbers, the first two that have the same port. */
static void find_twins(char *ret_a, char *ret_b, size_t size)
{
    static uint32_t seen[UINT16_MAX + 1];

    for (uint32_t i = 1;; i++) {
        uint16_t port;

        (void)snprintf(ret_b, size, "/run/%u", i);
        port = unix_path_port(ret_b);
        if (seen[port] != 0) {
            (void)snprintf(ret_a, size, "/run/%u", seen[port]);
            return;
        }
        seen[port] = i;
    }
}

/* That two paths share what stands for their port does not make one of the other. */
static void paths_with_one_port_are_told_apart(void **state)
{
    char a[32], b[32];
    struct wishes w = {.policy = {.expect_count = 0}};
    struct listener_builder *builder_;
    const struct verdict *v;

    (void)state;
    find_twins(a, b, sizeof a);
    (void)wish(&w, "a", a);
    assert_int_equal(policy_port_of_path(&w.policy, b), 0);
    (void)wish(&w, "b", b);
    assert_int_equal(policy_port_of_path(&w.policy, b), unix_path_port(a));
    builder_ = builder(&w.policy);
    listen_at(builder_, &w.policy, b, 1, NULL);
    end(builder_);
    v = judge(builder_, &w.policy);
    assert_int_equal(v->count, 1);
    assert_int_equal(v->findings[0].key.rule, RULE_NOT_LISTENING);
    assert_string_equal(v->findings[0].key.name, "a");
    assert_int_equal(v->services[0].found, 0);
    assert_int_equal(v->services[1].found, 1);
    verdict_unref(v);
    policy_unseal(&w.policy);
}

static void a_path_without_a_listener_is_told_by_its_path(void **state)
{
    struct wishes w = {.policy = {.unexpected = {.enabled = true}}};
    struct listener_builder *b;
    const struct verdict *v;

    (void)state;
    (void)wish(&w, "mysql", "/run/mysqld/mysqld.sock");
    b = builder(&w.policy);
    listen_at(b, &w.policy, "/tmp/mine", 1, NULL); /* which nobody minds */
    end(b);
    v = judge(b, &w.policy);
    assert_int_equal(v->count, 1);
    assert_string_equal(v->findings[0].summary, "mysql: unix /run/mysqld/mysqld.sock has no listener");
    assert_false(v->findings[0].key.has_port);
    assert_true(rules_can_produce(&w.policy, &v->findings[0].key));
    verdict_unref(v);
    policy_unseal(&w.policy);
}

static void owner_and_queue_are_judged_as_for_others(void **state)
{
    struct wishes w = {.policy = {.expect_count = 0}};
    struct owner_set *owners = owners_of("1000:bob:", "4711:nc:bob:");
    struct listener_builder *b;
    const struct verdict *v;
    struct listener_row row;

    (void)state;
    wish(&w, "mysql", "/run/mysqld/mysqld.sock")->match.owner.user = "mysql";
    b = builder(&w.policy);
    row = (struct listener_row){.protocol = PROTOCOL_UNIX,
                                .path = "/run/mysqld/mysqld.sock",
                                .port = policy_port_of_path(&w.policy, "/run/mysqld/mysqld.sock"),
                                .address = unix_path_address("/run/mysqld/mysqld.sock"),
                                .cookie = 1,
                                .uid = 1000,
                                .queue = {.known = true, .length = 5, .limit = 4},
                                .owners = owners};
    assert_int_equal(listener_builder_add(b, &row), 0);
    end(b);
    v = judge(b, &w.policy);
    assert_int_equal(v->count, 2);
    assert_string_equal(v->findings[0].summary,
                        "mysql: unix /run/mysqld/mysqld.sock is held at /run/mysqld/mysqld.sock by nc[4711], "
                        "user bob; expected user mysql");
    assert_int_equal(v->findings[1].key.rule, RULE_ACCEPT_QUEUE_SATURATED);
    verdict_unref(v);
    policy_unseal(&w.policy);
    owner_set_unref(owners);
}

static void nobody_is_blind_for_what_nobody_expects(void **state)
{
    const struct policy minds_all = {.unexpected = {.enabled = true}};
    struct wishes w = {.policy = {.expect_count = 0}};

    (void)state;
    for (int expects = 0; expects < 2; expects++) {
        struct policy policy = minds_all;
        struct listener_builder *b;
        const struct verdict *v;

        if (expects)
            (void)wish(&w, "mysql", "/run/mysqld/mysqld.sock");
        policy = expects ? w.policy : minds_all;
        assert_int_equal(policy_seal(&policy), 0);
        b = builder(&policy);
        end(b);
        listener_builder_begin(b, PROTOCOL_UNIX, PART_ALL);
        listener_builder_end(b, PROTOCOL_UNIX, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
        v = judge(b, &policy);
        assert_int_equal(v->count, expects);
        if (expects)
            assert_int_equal(v->findings[0].key.rule, RULE_BLIND);
        verdict_unref(v);
        policy_unseal(&policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_owns_the_paths_of_its_listeners),
        cmocka_unit_test(what_is_only_counted_is_in_the_totals_and_is_news),
        cmocka_unit_test(only_an_expected_path_has_a_port),
        cmocka_unit_test(paths_with_one_port_are_told_apart),
        cmocka_unit_test(a_path_without_a_listener_is_told_by_its_path),
        cmocka_unit_test(owner_and_queue_are_judged_as_for_others),
        cmocka_unit_test(nobody_is_blind_for_what_nobody_expects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
