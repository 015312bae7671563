#include "core/choice.h"
#include "tests/unit/policies.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

static const struct policy no_policy;

/* A host with sockets of several users. */
struct host {
    struct listener_builder *builder;
    struct history *history;
    uint64_t next_cookie;
};

static struct host host_of(void)
{
    struct host h = {new_builder(1000), history_new(), 1};

    assert_non_null(h.builder);
    assert_non_null(h.history);
    return h;
}

static void host_done(struct host *h)
{
    listener_builder_free(h->builder);
    history_free(h->history);
}

/* Adds sockets of one user on so many ports. */
static void listen_as(struct host *h, uint32_t uid, const char *address, uint16_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct listener_row row = {.address = address_of(address), .v6only = true, .uid = uid};

        row.port = (uint16_t)(first + i);
        row.cookie = h->next_cookie++;
        assert_int_equal(listener_builder_add(h->builder, &row), 0);
    }
}

/* Chooses, shows what is chosen, and begins the next look. */
static const struct listener_table *show(struct host *h, const struct limits *limits,
                                         const struct policy *policy)
{
    const struct listener_table *t = seal_look(h->builder, limits, policy, NULL, h->history);

    assert_non_null(t);
    begin_looks(h->builder, 1000);
    return t;
}

static size_t count_of_user(const struct listener_table *t, uint32_t uid)
{
    size_t count, found = 0;
    const struct listener *l = listener_table_all(t, &count);

    for (size_t i = 0; i < count; i++)
        found += l[i].uid == uid;
    return found;
}

static bool shows(const struct listener_table *t, uint16_t port)
{
    size_t count;

    return listener_table_port(t, PROTOCOL_TCP, port, &count) != NULL;
}

static void where_there_is_room_all_are_shown(void **state)
{
    const struct limits limits = limits_of(10);
    struct host h = host_of();
    const struct listener_table *t;

    (void)state;
    listen_as(&h, 0, "0.0.0.0", 20, 4);
    listen_as(&h, 1000, "127.0.0.1", 1000, 6);
    t = show(&h, &limits, &no_policy);
    assert_int_equal(count_of_user(t, 0), 4);
    assert_int_equal(count_of_user(t, 1000), 6);
    listener_table_unref(t);
    host_done(&h);
}

static void users_get_equal_shares_and_what_others_leave(void **state)
{
    const struct limits limits = limits_of(100);
    struct host h = host_of();
    const struct listener_table *t;

    (void)state;
    listen_as(&h, 4242, "0.0.0.0", 1, 20000);
    listen_as(&h, 0, "0.0.0.0", 40000, 10);
    listen_as(&h, 33, "0.0.0.0", 50000, 60);
    t = show(&h, &limits, &no_policy);
    assert_int_equal(count_of_user(t, 0), 10);
    assert_int_equal(count_of_user(t, 33), 45);
    assert_int_equal(count_of_user(t, 4242), 45);
    listener_table_unref(t);
    host_done(&h);
}

static void many_users_get_little_each(void **state)
{
    const struct limits limits = limits_of(100);
    struct host h = host_of();
    const struct listener_table *t;
    bool was[500];
    size_t count;

    (void)state;
    for (uint32_t uid = 0; uid < 500; uid++)
        listen_as(&h, uid, "0.0.0.0", (uint16_t)(1000 + uid * 3), 3);
    t = show(&h, &limits, &no_policy);
    (void)listener_table_all(t, &count);
    assert_int_equal(count, 100); /* not one for each */
    for (uint32_t uid = 0; uid < 500; uid++) {
        assert_in_range(count_of_user(t, uid), 0, 1);
        was[uid] = count_of_user(t, uid) > 0;
    }
    listener_table_unref(t);
    for (uint32_t uid = 0; uid < 500; uid++)
        listen_as(&h, uid, "0.0.0.0", (uint16_t)(1000 + uid * 3), 3);
    t = show(&h, &limits, &no_policy);
    for (uint32_t uid = 0; uid < 500; uid++) /* the same ones again */
        assert_int_equal(count_of_user(t, uid) > 0, was[uid]);
    listener_table_unref(t);
    host_done(&h);
}

/* Within a user's share, and of one port. */
static void what_was_shown_before_stays(void **state)
{
    const struct limits limits = limits_of(3);
    struct host h = host_of();
    const struct listener_table *t;

    (void)state;
    listen_as(&h, 4242, "0.0.0.0", 5000, 3);
    listener_table_unref(show(&h, &limits, &no_policy));
    listen_as(&h, 4242, "0.0.0.0", 1000, 6000); /* those among them */
    t = show(&h, &limits, &no_policy);
    for (uint16_t port = 5000; port < 5003; port++)
        assert_true(shows(t, port));
    listener_table_unref(t);
    host_done(&h);
}

static void what_is_bound_beyond_loopback_comes_first(void **state)
{
    const struct limits limits = limits_of(10);
    struct host h = host_of();
    const struct listener_table *t;

    (void)state;
    listen_as(&h, 4242, "127.0.0.1", 1000, 5000);
    listen_as(&h, 4242, "0.0.0.0", 60001, 1);
    t = show(&h, &limits, &no_policy);
    assert_true(shows(t, 60001));
    assert_int_equal(count_of_user(t, 4242), 10);
    listener_table_unref(t);
    host_done(&h);
}

static void each_expected_port_is_shown_whoever_else_listens(void **state)
{
    struct policy policy = policy_expecting("tcp/60001-60003");
    const struct limits limits = limits_of(10);
    struct host h = host_of();
    const struct listener_table *t;

    (void)state;
    listen_as(&h, 4242, "0.0.0.0", 1, 50000);
    listen_as(&h, 4242, "127.0.0.1", 60001, 3);
    t = show(&h, &limits, &policy);
    for (uint16_t port = 60001; port <= 60003; port++)
        assert_true(shows(t, port));
    assert_int_equal(count_of_user(t, 4242), 10);
    listener_table_unref(t);
    host_done(&h);
    policy_done(&policy);
}

/* Of so many listeners on an expected port the one that was there before is
 * shown, then others beyond loopback. */
static void an_expected_port_has_a_limit_of_its_own(void **state)
{
    struct policy policy = policy_expecting("tcp/80");
    struct limits limits = limits_of(1000);
    struct host h = host_of();
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    (void)state;
    limits.port_listeners = 5;
    listen_as(&h, 33, "10.255.0.1", 80, 1);
    listener_table_unref(show(&h, &limits, &policy));
    for (uint32_t i = 0; i < 300; i++) {
        char address[32];

        (void)snprintf(address, sizeof address, "%s.%u.%u", i % 2 ? "127.0" : "10.0", i / 200, 1 + i % 200);
        listen_as(&h, 4242, address, 80, 1);
    }
    h.next_cookie = 1;
    listen_as(&h, 33, "10.255.0.1", 80, 1);
    listen_as(&h, 0, "0.0.0.0", 22, 1);
    t = show(&h, &limits, &policy);
    l = listener_table_port(t, PROTOCOL_TCP, 80, &count);
    assert_int_equal(count, 5);
    assert_int_equal(l[4].uid, 33);
    assert_true(shows(t, 22));
    listener_table_unref(t);
    host_done(&h);
    policy_done(&policy);
}

/* As where the daemon starts beside a flood: it is what most clients reach. */
static void what_is_bound_to_all_addresses_is_the_first_of_an_expected_port(void **state)
{
    struct policy policy = policy_expecting("tcp/80");
    struct limits limits = limits_of(1000);
    struct host h = host_of();
    struct listener_row row = row_of("*:80#9000");
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    (void)state;
    limits.port_listeners = 5;
    for (uint32_t i = 1; i < 200; i++) {
        char address[32];

        (void)snprintf(address, sizeof address, "2001:db8::%u", i);
        listen_as(&h, 4242, address, 80, 1);
    }
    assert_int_equal(listener_builder_add(h.builder, &row), 0); /* whose family stands last */
    t = show(&h, &limits, &policy);
    l = listener_table_port(t, PROTOCOL_TCP, 80, &count);
    assert_int_equal(count, 5);
    assert_int_equal(l[4].scope, SCOPE_ANY);
    listener_table_unref(t);
    host_done(&h);
    policy_done(&policy);
}

/* Nobody knows whose a group of several users is. */
static void groups_of_several_users_share_one_share(void **state)
{
    const struct limits limits = limits_of(10);
    struct host h = host_of();
    const struct listener_table *t;
    size_t count;

    (void)state;
    for (uint16_t port = 1000; port < 1050; port++) {
        listen_as(&h, 1000, "0.0.0.0", port, 1);
        listen_as(&h, 1001, "0.0.0.0", port, 1);
    }
    listen_as(&h, 0, "0.0.0.0", 22, 3);
    t = show(&h, &limits, &no_policy);
    assert_true(shows(t, 22) && shows(t, 23) && shows(t, 24));
    (void)listener_table_all(t, &count);
    assert_int_equal(count, 10);
    listener_table_unref(t);
    host_done(&h);
}

static void without_memory_nothing_is_chosen(void **state)
{
    const struct limits limits = limits_of(10);
    struct host h = host_of();
    struct inventory inv;
    size_t refused = 0;

    (void)state;
    for (uint32_t uid = 0; uid < 200; uid++)
        listen_as(&h, uid, "0.0.0.0", (uint16_t)(1000 + uid), 1);
    assert_int_equal(listener_builder_finish(h.builder, &inv), 0);
    for (size_t n = 1;; n++) {
        struct inventory_cursor cursor = {0};
        int r;

        refuse_nth(n);
        r = choice_make(&inv, &no_policy, &limits, NULL);
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            assert_non_null(inventory_next_chosen(&inv, &cursor));
            break;
        }
        assert_int_equal(r, -ENOMEM);
        assert_null(inventory_next_chosen(&inv, &cursor));
        refused++;
    }
    assert_in_range(refused, 3, 20);
    host_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_is_room_all_are_shown),
        cmocka_unit_test(users_get_equal_shares_and_what_others_leave),
        cmocka_unit_test(many_users_get_little_each),
        cmocka_unit_test(what_was_shown_before_stays),
        cmocka_unit_test(what_is_bound_beyond_loopback_comes_first),
        cmocka_unit_test(each_expected_port_is_shown_whoever_else_listens),
        cmocka_unit_test(an_expected_port_has_a_limit_of_its_own),
        cmocka_unit_test(what_is_bound_to_all_addresses_is_the_first_of_an_expected_port),
        cmocka_unit_test(groups_of_several_users_share_one_share),
        cmocka_unit_test(without_memory_nothing_is_chosen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
