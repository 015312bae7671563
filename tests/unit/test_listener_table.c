#include "core/listener_table.h"
#include "core/err.h"
#include "tests/unit/policies.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

static const struct policy no_policy;

static struct listener_builder *builder(void)
{
    struct listener_builder *b = new_builder(1000);

    assert_non_null(b);
    return b;
}

/* Takes the builder, and shows so many listeners. */
static const struct listener_table *seal_some(struct listener_builder *b, int64_t limit)
{
    const struct limits limits = limits_of(limit);
    const struct listener_table *t = seal_look(b, &limits, &no_policy, NULL, NULL);

    listener_builder_free(b);
    assert_non_null(t);
    return t;
}

/* Takes the builder: the table owns all that it refers to. */
static const struct listener_table *seal(struct listener_builder *b)
{
    const struct listener_table *t = seal_all(b);

    listener_builder_free(b);
    assert_non_null(t);
    return t;
}

/* Every class is read to its end. */
static void sees_all(struct listener_builder *b)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
}

static const struct listener_table *table_of(const char *sockets)
{
    struct listener_builder *b = builder();

    add_rows(b, sockets, 1);
    return seal(b);
}

/* The table's listeners must be exactly these, in this order. */
static void assert_listeners(const struct listener_table *t, const char *wanted)
{
    char have[2048];

    describe_listeners(t, false, have, sizeof have);
    assert_string_equal(have, wanted);
}

static void an_empty_table_has_nothing(void **state)
{
    const struct listener_table *t = seal(builder());
    size_t count = 42;

    (void)state;
    assert_listeners(t, "");
    assert_null(listener_table_port(t, PROTOCOL_TCP, 80, &count));
    assert_int_equal(count, 0);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        assert_int_equal(listener_table_class(t, (enum protocol)i)->visibility, VISIBILITY_UNKNOWN);
        assert_int_equal(listener_table_class(t, (enum protocol)i)->unread, 0);
    }
    listener_table_unref(t);
}

static void the_family_says_which_ip_versions_are_served(void **state)
{
    static const struct {
        const char *address;
        enum protocol protocol;
        bool v6only;
        enum family family;
    } cases[] = {
        {"0.0.0.0", PROTOCOL_TCP, false, FAMILY_IPV4},
        {"0.0.0.0", PROTOCOL_TCP, true, FAMILY_IPV4},
        {"::", PROTOCOL_TCP, false, FAMILY_DUAL},
        {"::", PROTOCOL_TCP, true, FAMILY_IPV6},
        {"::", PROTOCOL_UDP, false, FAMILY_DUAL},
        {"::", PROTOCOL_SCTP, false, FAMILY_DUAL},
        {"::", PROTOCOL_RAW, false, FAMILY_IPV6},
        {"::1", PROTOCOL_TCP, false, FAMILY_IPV6},
        {"2001:db8::1", PROTOCOL_TCP, false, FAMILY_IPV6},
        {"::ffff:0.0.0.0", PROTOCOL_TCP, false, FAMILY_IPV4},
        {"::ffff:192.0.2.1", PROTOCOL_TCP, false, FAMILY_IPV4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_builder *b = builder();
        const struct listener_row row = {.protocol = cases[i].protocol,
                                         .address = address_of(cases[i].address),
                                         .port = 80,
                                         .v6only = cases[i].v6only};
        const struct listener_table *t;
        size_t count;

        assert_int_equal(listener_builder_add(b, &row), 0);
        t = seal(b);
        assert_int_equal(listener_table_all(t, &count)->family, cases[i].family);
        assert_int_equal(count, 1);
        listener_table_unref(t);
    }
}

static void a_listener_tells_all_about_its_socket(void **state)
{
    struct listener_builder *b = builder();
    struct listener_row row = row_of("[fe80::1%3]:3306~#77!9");
    const struct listener *l;
    const struct listener_table *t;
    size_t count;

    (void)state;
    row.uid = 101;
    row.presence = PRESENCE_ABSENT;
    row.queue.known = true;
    row.queue.length = 3;
    row.queue.limit = 11;
    row.receive_queue.known = true;
    row.receive_queue.bytes = 4096;
    assert_int_equal(listener_builder_add(b, &row), 0);
    t = seal(b);
    l = listener_table_all(t, &count);
    assert_int_equal(count, 1);
    assert_int_equal(l->protocol, PROTOCOL_TCP);
    assert_int_equal(l->family, FAMILY_IPV6);
    assert_int_equal(ip_addr_compare(&l->address, &row.address), 0);
    assert_int_equal(l->port, 3306);
    assert_int_equal(l->ifindex, 3);
    assert_string_equal(l->interface, "if3");
    assert_int_equal(l->scope, SCOPE_LINK_LOCAL);
    assert_int_equal(l->presence, PRESENCE_ABSENT);
    assert_string_equal(l->service_name, "mysql");
    assert_true(l->auto_port);
    assert_int_equal(l->sockets, 1);
    assert_int_equal(l->members[0].cookie, 77);
    assert_int_equal(l->members[0].uid, 101);
    assert_true(l->members[0].drops.known);
    assert_int_equal(l->members[0].drops.count, 9);
    assert_null(l->members[0].owners);
    assert_true(l->uid_known);
    assert_int_equal(l->uid, 101);
    assert_true(l->queue.known);
    assert_int_equal(l->queue.length, 3);
    assert_int_equal(l->queue.limit, 11);
    assert_true(queue_saturation(l->queue.fullest) == 0.25);
    assert_true(l->receive_queue.known);
    assert_int_equal(l->receive_queue.bytes, 4096);
    assert_true(l->drops.known);
    assert_int_equal(l->drops.count, 9);
    assert_int_equal(l->restarts, 0);
    listener_table_unref(t);
}

static void what_a_socket_does_not_tell_is_absent(void **state)
{
    const struct listener_table *t = table_of("0.0.0.0:80");
    size_t count;
    const struct listener *l = listener_table_all(t, &count);

    (void)state;
    assert_false(l->queue.known);
    assert_false(l->receive_queue.known);
    assert_false(l->drops.known);
    assert_false(l->auto_port);
    assert_int_equal(l->presence, PRESENCE_UNKNOWN);
    assert_false(l->members[0].drops.known);
    listener_table_unref(t);
}

static void the_scope_comes_from_the_address_and_the_interface(void **state)
{
    const struct listener_table *t =
        table_of("0.0.0.0%1:1 127.0.0.9:2 [::ffff:127.0.0.1]:3 10.1.1.1:4 *:5 [::]:6");
    static const enum scope scopes[] = {SCOPE_LOOPBACK, SCOPE_LOOPBACK, SCOPE_LOOPBACK,
                                        SCOPE_ADDRESS,  SCOPE_ANY,      SCOPE_ANY};

    (void)state;
    for (uint16_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        size_t count;
        const struct listener *l = listener_table_port(t, PROTOCOL_TCP, (uint16_t)(i + 1), &count);

        assert_non_null(l);
        assert_int_equal(l->scope, scopes[i]);
    }
    listener_table_unref(t);
}

static void a_mapped_address_joins_the_plain_one(void **state)
{
    const struct listener_table *t =
        table_of("[::ffff:192.0.2.1]:80 192.0.2.1:80 [::ffff:0.0.0.0]:81 0.0.0.0:81");
    size_t count;

    (void)state;
    assert_listeners(t, "tcp/192.0.2.1:80 tcp/0.0.0.0:81");
    assert_int_equal(listener_table_all(t, &count)[0].sockets, 2);
    assert_int_equal(listener_table_all(t, &count)[1].sockets, 2);
    listener_table_unref(t);
}

/* Legal together on one port: v6only :: beside 0.0.0.0, two loopback
 * addresses, the wildcard on two interfaces. None of them is one service. */
static void different_binds_stay_different_services(void **state)
{
    const struct listener_table *t = table_of(
        "[::1]:80 *:80 0.0.0.0%3:80 [::]:80 127.0.0.2:80 0.0.0.0%2:80 127.0.0.1:80 udp/0.0.0.0:80 0.0.0.0:80 "
        "0.0.0.0:79");

    (void)state;
    assert_listeners(t,
                     "tcp/0.0.0.0:79 tcp/0.0.0.0:80 tcp/0.0.0.0%if2:80 tcp/0.0.0.0%if3:80 tcp/127.0.0.1:80 "
                     "tcp/127.0.0.2:80 tcp/[::]:80 tcp/[::1]:80 tcp/*:80 udp/0.0.0.0:80");
    listener_table_unref(t);
}

static void adds_a_member(struct listener_builder *b, uint64_t cookie, uint32_t length, uint32_t limit,
                          uint32_t uid)
{
    struct listener_row row = row_of("0.0.0.0:80");

    row.cookie = cookie;
    row.queue.known = true;
    row.queue.length = length;
    row.queue.limit = limit;
    row.uid = uid;
    assert_int_equal(listener_builder_add(b, &row), 0);
}

static void a_group_sums_its_queues_and_shows_the_fullest_member(void **state)
{
    struct listener_builder *b = builder();
    const struct listener *l;
    const struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 1, 1, 127, 33);
    adds_a_member(b, 2, 4, 3, 33); /* full: the queue holds limit + 1 */
    adds_a_member(b, 3, UINT32_MAX, UINT32_MAX, 33);
    adds_a_member(b, 4, 0, UINT32_MAX, 33);
    t = seal(b);
    l = listener_table_all(t, &count);
    assert_int_equal(count, 1);
    assert_int_equal(l->sockets, 4);
    assert_int_equal(l->queue.length, UINT64_C(5) + UINT32_MAX);
    assert_int_equal(l->queue.limit, UINT64_C(130) + 2 * (uint64_t)UINT32_MAX);
    assert_true(queue_saturation(l->queue.fullest) == 1.0);
    assert_int_equal(l->queue.fullest.length, 4);
    assert_int_equal(l->queue.fullest.limit, 3);
    assert_true(l->uid_known);
    assert_int_equal(l->uid, 33);
    listener_table_unref(t);
}

static void a_group_lists_its_members_by_cookie(void **state)
{
    struct listener_builder *b = builder();
    static const struct {
        uint64_t cookie;
        uint32_t uid;
    } wanted[] = {{0, 5}, {2, 6}, {7, 33}, {UINT64_C(1) << 40, 34}};
    static const size_t order[] = {2, 0, 3, 1, 2};
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
        adds_a_member(b, wanted[order[i]].cookie, 0, 1, wanted[order[i]].uid);
    add_rows(b, "0.0.0.0:79 0.0.0.0:79 0.0.0.0:81", 100);
    t = seal(b);
    l = &listener_table_all(t, &count)[1];
    assert_int_equal(count, 3);
    assert_int_equal(l->sockets, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        assert_int_equal(l->members[i].cookie, wanted[i].cookie);
        assert_int_equal(l->members[i].uid, wanted[i].uid);
    }
    assert_int_equal(l[-1].members[1].cookie, 101);
    assert_int_equal(l[1].members[0].cookie, 102);
    listener_table_unref(t);
}

static void a_group_sums_its_receive_queues_and_drops(void **state)
{
    struct listener_builder *b = builder();
    struct listener_row row = row_of("udp/0.0.0.0:53");
    const struct listener *l;
    const struct listener_table *t;
    size_t count;

    (void)state;
    row.receive_queue.known = true;
    row.receive_queue.bytes = UINT32_MAX;
    for (row.cookie = 1; row.cookie <= 4; row.cookie++) {
        row.drops.known = row.cookie == 2 || row.cookie == 3; /* what some lack is still that of the others */
        row.drops.count = row.drops.known ? UINT32_MAX : 0;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    t = seal(b);
    l = listener_table_all(t, &count);
    assert_int_equal(l->receive_queue.bytes, 4 * (uint64_t)UINT32_MAX);
    assert_true(l->drops.known);
    assert_int_equal(l->drops.count, 2 * (uint64_t)UINT32_MAX);
    listener_table_unref(t);
}

/* Whoever serves datagrams and whoever sends some from where it happens to be mean
 * different things; to wait for connections is to serve. */
static void a_client_is_told_apart_from_a_service_on_its_port(void **state)
{
    const struct listener_table *t = table_of("udp/0.0.0.0:5353~ udp/0.0.0.0:5353 udp/0.0.0.0:5353~ "
                                              "udp/0.0.0.0:40000~ udp/0.0.0.0:5353 udp/0.0.0.0:5353");
    size_t count;
    const struct listener *l = listener_table_port(t, PROTOCOL_UDP, 5353, &count);

    (void)state;
    assert_listeners(t, "udp/0.0.0.0:5353 udp/0.0.0.0:5353 udp/0.0.0.0:40000");
    assert_int_equal(count, 2);
    assert_false(l[0].auto_port);
    assert_int_equal(l[0].sockets, 3);
    assert_true(l[1].auto_port);
    assert_int_equal(l[1].sockets, 2);
    assert_true(listener_table_port(t, PROTOCOL_UDP, 40000, &count)->auto_port);
    assert_true(listener_is_client(&l[1]) && !listener_is_client(&l[0]));
    listener_table_unref(t);

    t = table_of("0.0.0.0:5353~ 0.0.0.0:5353 0.0.0.0:40000~ 0.0.0.0:40000~");
    assert_listeners(t, "tcp/0.0.0.0:5353 tcp/0.0.0.0:40000");
    l = listener_table_all(t, &count);
    assert_false(l[0].auto_port);
    assert_true(l[1].auto_port && !listener_is_client(&l[1]));
    listener_table_unref(t);
}

static void a_limit_of_zero_divides_by_nothing(void **state)
{
    static const struct {
        uint32_t length;
        double ratio;
    } cases[] = {{0, 0.0}, {1, 1.0}, {2, 2.0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_builder *b = builder();
        const struct listener_table *t;
        size_t count;

        adds_a_member(b, 1, cases[i].length, 0, 0);
        t = seal(b);
        assert_true(queue_saturation(listener_table_all(t, &count)->queue.fullest) == cases[i].ratio);
        listener_table_unref(t);
    }
}

static void a_group_of_several_owners_has_no_known_one(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 1, 0, 1, 33);
    adds_a_member(b, 2, 0, 1, 0);
    adds_a_member(b, 3, 0, 1, 33);
    t = seal(b);
    assert_false(listener_table_all(t, &count)->uid_known);
    listener_table_unref(t);
}

static void a_socket_seen_twice_counts_once(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;
    size_t count;

    (void)state;
    for (int i = 0; i < 3; i++) {
        adds_a_member(b, 1, 2, 9, 0);
        adds_a_member(b, 2, 5, 9, 0);
        add_rows(b, "udp/0.0.0.0:80 [::]:80", 1); /* the same cookies elsewhere are other sockets */
    }
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/[::]:80 udp/0.0.0.0:80");
    assert_int_equal(listener_table_all(t, &count)[0].sockets, 2);
    assert_int_equal(listener_table_all(t, &count)[0].queue.length, 7);
    assert_int_equal(listener_table_all(t, &count)[1].sockets, 1);
    assert_int_equal(listener_table_all(t, &count)[2].sockets, 1);
    listener_table_unref(t);
}

static void sockets_of_unknown_cookie_are_all_counted(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 0, 1, 1, 0);
    adds_a_member(b, 0, 1, 1, 0);
    t = seal(b);
    assert_int_equal(listener_table_all(t, &count)->sockets, 2);
    listener_table_unref(t);
}

static void a_table_has_what_is_chosen_and_knows_how_many_there_are(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    add_rows(
        b, "0.0.0.0:3 0.0.0.0:3 0.0.0.0:1 0.0.0.0:2 0.0.0.0:1 udp/127.0.0.1:1 udp/127.0.0.1:1 udp/0.0.0.0:2",
        1);
    t = seal_some(b, 2);
    assert_listeners(t, "tcp/0.0.0.0:1 tcp/0.0.0.0:2");
    assert_int_equal(listener_table_total(t), 5);
    assert_int_equal(listener_table_totals(t)->scopes[PROTOCOL_TCP][SCOPE_ANY], 3);
    assert_int_equal(listener_table_totals(t)->scopes[PROTOCOL_UDP][SCOPE_ANY], 1);
    assert_int_equal(listener_table_totals(t)->scopes[PROTOCOL_UDP][SCOPE_LOOPBACK], 1);
    assert_int_equal(listener_table_totals(t)->owner_unseen[PROTOCOL_TCP], 3);
    assert_int_equal(listener_table_dropped(t, DROPPED_LISTENERS), 3);
    assert_int_equal(listener_table_dropped(t, DROPPED_MEMBERS), 0);
    assert_int_equal(listener_table_dropped(t, DROPPED_ALERTS), 0);
    listener_table_unref(t);
}

/* Of a great group so many are told one by one; all are counted and summed. */
static void a_group_follows_some_of_its_sockets_and_sums_all(void **state)
{
    struct listener_builder *b = new_builder(3);
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    (void)state;
    assert_non_null(b);
    for (uint32_t i = 1; i <= 10; i++)
        adds_a_member(b, i, i, 9, i);
    adds_a_member(b, 2, 100, 9, 0); /* a socket that is followed, seen twice */
    t = seal(b);
    l = listener_table_all(t, &count);
    assert_int_equal(count, 1);
    assert_int_equal(l->sockets, 10);
    assert_int_equal(l->followed, 3);
    assert_int_equal(l->members[0].cookie, 1);
    assert_int_equal(l->members[2].cookie, 3);
    assert_int_equal(l->queue.length, 55);
    assert_int_equal(l->queue.limit, 90);
    assert_true(queue_saturation(l->queue.fullest) == 1.0); /* which is not followed */
    assert_int_equal(l->queue.fullest.length, 10);
    assert_int_equal(l->queue.fullest.limit, 9);
    assert_int_equal(listener_table_dropped(t, DROPPED_MEMBERS), 7);
    listener_table_unref(t);
}

/* Each look counts those anew that are not followed. */
static void the_look_that_saw_more_of_a_group_counts(void **state)
{
    static const uint32_t looks[][2] = {{5, 9}, {9, 5}, {9, 9}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(looks); i++) {
        struct listener_builder *b = new_builder(2);
        const struct listener_table *t;
        size_t count;

        assert_non_null(b);
        for (uint32_t k = 1; k <= looks[i][0]; k++)
            adds_a_member(b, k, 1, 9, 0);
        listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
        for (uint32_t k = 1; k <= looks[i][1]; k++)
            adds_a_member(b, k, 1, 9, 0);
        t = seal(b);
        assert_int_equal(listener_table_all(t, &count)->sockets, 9);
        assert_int_equal(listener_table_all(t, &count)->queue.length, 9);
        listener_table_unref(t);
    }
}

/* Adds services of a protocol: on each port, on so many addresses. */
static void adds_services(struct listener_builder *b, enum protocol protocol, size_t count)
{
    struct listener_row row = row_of("10.0.0.0:1");

    row.protocol = protocol;
    for (size_t i = 0; i < count; i++) {
        row.cookie = i + 1;
        row.port = (uint16_t)(i % 60000);
        row.address.bytes[1] = (uint8_t)(i / 60000);
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

static uint64_t unread(const struct listener_table *t, enum protocol protocol)
{
    return listener_table_class(t, protocol)->unread;
}

/* Whoever opens many sockets of one class must not hide those of another. */
static void what_a_builder_holds_has_an_end_but_each_class_has_room(void **state)
{
    enum { MORE = 1000 };
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    adds_services(b, PROTOCOL_TCP, BUILDER_SERVICES_MAX + MORE);
    adds_services(b, PROTOCOL_TCP, 5); /* more sockets of services that are there */
    adds_services(b, PROTOCOL_UDP, BUILDER_SERVICES_OF_PART + 1);
    t = seal_some(b, 10);
    assert_int_equal(unread(t, PROTOCOL_TCP), MORE);
    assert_int_equal(unread(t, PROTOCOL_UDP), 1);
    assert_int_equal(listener_table_total(t), BUILDER_SERVICES_MAX + BUILDER_SERVICES_OF_PART);
    listener_table_unref(t);
}

/* After a flood the next looks are as small as before. */
static void a_flood_leaves_nothing_behind(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    adds_services(b, PROTOCOL_TCP, 100000);
    for (int i = 0; i < 3; i++) {
        begin_looks(b, 1000);
        add_rows(b, "0.0.0.0:80 0.0.0.0:81 *:80", 1);
        assert_int_equal(listener_builder_is_same(b), i > 0);
    }
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/*:80 tcp/0.0.0.0:81");
    listener_table_unref(t);
}

static void dropping_takes_back_one_class(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    adds_services(b, PROTOCOL_TCP, BUILDER_SERVICES_MAX + 1);
    add_rows(b, "udp/0.0.0.0:53", 1);
    listener_builder_drop(b, PROTOCOL_TCP, PART_ALL);
    t = seal(b);
    assert_listeners(t, "udp/0.0.0.0:53");
    assert_int_equal(unread(t, PROTOCOL_TCP), 0);
    listener_table_unref(t);
}

static void after_a_drop_the_class_may_be_added_again(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:1 udp/0.0.0.0:1 0.0.0.0:2 udp/0.0.0.0:2 0.0.0.0:3", 1);
    listener_builder_drop(b, PROTOCOL_TCP, PART_ALL);
    listener_builder_drop(b, PROTOCOL_SCTP, PART_ALL);
    add_rows(b, "0.0.0.0:2", 3);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:2 udp/0.0.0.0:1 udp/0.0.0.0:2");
    listener_table_unref(t);
}

/* A builder whose last look found these sockets, with cookies from 1 on, and
 * which begins the next one. */
static struct listener_builder *builder_after(const char *sockets)
{
    struct listener_builder *b = builder();

    sees_all(b);
    add_rows(b, sockets, 1);
    begin_looks(b, 1000);
    sees_all(b);
    return b;
}

static void missing_counts_the_sockets_that_are_not_there_again(void **state)
{
    static const struct {
        const char *sockets;
        uint64_t first_cookie;
        int64_t tcp, udp;
    } cases[] = {
        {"", 0, 3, 1},
        {"0.0.0.0:80 0.0.0.0:80 0.0.0.0:22 udp/0.0.0.0:53", 1, 0, 0},
        {"udp/0.0.0.0:53", 4, 3, 0},
        {"0.0.0.0:80 0.0.0.0:80", 2, 1, 1},
        {"0.0.0.0:80 0.0.0.0:80 0.0.0.0:22 udp/0.0.0.0:53", 11, 3, 1},        /* all replaced */
        {"udp/0.0.0.0:80 udp/0.0.0.0:80 udp/0.0.0.0:22 0.0.0.0:53", 1, 3, 1}, /* other protocols */
        {"0.0.0.0:22#3 0.0.0.0:80#2 0.0.0.0:80#1 udp/0.0.0.0:53#4", 0, 0, 0}, /* in another order */
        {"0.0.0.0:1 0.0.0.0:80 0.0.0.0:80 0.0.0.0:22 0.0.0.0:2", 0, 0, 1},    /* and more than before */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_builder *b = builder_after("0.0.0.0:80 0.0.0.0:80 0.0.0.0:22 udp/0.0.0.0:53");

        add_rows(b, cases[i].sockets, cases[i].first_cookie);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), cases[i].tcp);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_UDP, PART_ALL), cases[i].udp);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_SCTP, PART_ALL), 0);
        listener_builder_free(b);
    }
}

/* A resumed dump repeats sockets and passes over others. */
static void missing_is_not_fooled_by_repeated_sockets(void **state)
{
    struct listener_builder *b = builder_after("0.0.0.0:80 0.0.0.0:80 0.0.0.0:80");

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:80", 1);
    add_rows(b, "0.0.0.0:80 0.0.0.0:80", 1);
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), 1);
    listener_builder_free(b);
}

static void without_a_look_before_it_cannot_be_told_what_is_missing(void **state)
{
    static const enum visibility unseen[] = {VISIBILITY_UNKNOWN, VISIBILITY_ABSENT, VISIBILITY_UNSUPPORTED,
                                             VISIBILITY_FAILED};
    struct listener_builder *b = builder();

    (void)state;
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), -ENOENT);
    for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++) {
        sees_all(b);
        add_rows(b, "0.0.0.0:80 udp/0.0.0.0:53", 1);
        listener_builder_end(b, PROTOCOL_TCP, PART_ALL, unseen[i], 0);
        begin_looks(b, 1000);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), -ENOENT);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_UDP, PART_ALL), 1);
    }
    listener_builder_free(b);
}

static void sockets_are_missing_until_they_have_gone(void **state)
{
    struct listener_builder *b = builder_after("0.0.0.0:80 0.0.0.0:81");

    (void)state;
    add_rows(b, "0.0.0.0:81#2", 0);
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), 1);
    begin_looks(b, 1000);
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), 1); /* the other one */
    add_rows(b, "0.0.0.0:81#2", 0);
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), 0);
    listener_builder_free(b);
}

static void refused_memory_does_not_tell_what_is_missing(void **state)
{
    struct listener_builder *b = builder_after("0.0.0.0:80 0.0.0.0:81");

    (void)state;
    add_rows(b, "0.0.0.0:81#2", 0);
    refuse_nth(1);
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), -ENOMEM);
    assert_true(refuse_stop());
    assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), 1);
    listener_builder_free(b);
}

/* Everything that the first look found comes again, but what it passed over. */
static void a_second_look_adds_only_what_the_first_missed(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 1, 1, 9, 0);
    adds_a_member(b, 3, 1, 9, 0);
    add_rows(b, "udp/0.0.0.0:53", 1);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    adds_a_member(b, 1, 4, 9, 0); /* what the first look saw counts */
    adds_a_member(b, 2, 1, 9, 0);
    adds_a_member(b, 2, 1, 9, 0); /* a repetition within the second look */
    adds_a_member(b, 3, 4, 9, 0);
    add_rows(b, "udp/0.0.0.0:54", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 udp/0.0.0.0:53 udp/0.0.0.0:54");
    assert_int_equal(listener_table_all(t, &count)[0].sockets, 3);
    assert_int_equal(listener_table_all(t, &count)[0].queue.length, 3);
    listener_table_unref(t);
}

static void a_second_look_passes_over_no_unknown_cookie(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:80", 0);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    add_rows(b, "0.0.0.0:81", 0);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/0.0.0.0:81");
    listener_table_unref(t);
}

static void second_looks_go_from_protocol_to_protocol(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL); /* after nothing at all */
    add_rows(b, "0.0.0.0:80", 1);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    add_rows(b, "udp/0.0.0.0:53", 1);
    listener_builder_look_again(b, PROTOCOL_UDP, PART_ALL);
    add_rows(b, "udp/0.0.0.0:53 udp/0.0.0.0:67", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/0.0.0.0:81 udp/0.0.0.0:53 udp/0.0.0.0:67");
    listener_table_unref(t);
}

static void a_drop_ends_a_second_look(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    listener_builder_drop(b, PROTOCOL_TCP, PART_ALL);
    add_rows(b, "0.0.0.0:80", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80");
    listener_table_unref(t);
}

static void the_next_look_passes_over_nothing(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    begin_looks(b, 1000);
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/0.0.0.0:81");
    listener_table_unref(t);
}

static void what_both_looks_cut_is_counted_once(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    adds_services(b, PROTOCOL_TCP, BUILDER_SERVICES_MAX + 7);
    listener_builder_look_again(b, PROTOCOL_TCP, PART_ALL);
    adds_services(b, PROTOCOL_TCP, BUILDER_SERVICES_MAX + 7);
    t = seal_some(b, 10);
    assert_int_equal(unread(t, PROTOCOL_TCP), 7);
    listener_table_unref(t);
}

static void classes_are_kept_apart(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_OK, 0);
    listener_builder_end(b, PROTOCOL_UDP, PART_ALL, VISIBILITY_FAILED, -EACCES);
    listener_builder_end(b, PROTOCOL_SCTP, PART_ALL, VISIBILITY_ABSENT, 0);
    listener_builder_end(b, PROTOCOL_UDPLITE, PART_ALL, VISIBILITY_FAILED, -EIO);
    listener_builder_end(b, PROTOCOL_UDPLITE, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->visibility, VISIBILITY_OK);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->visibility, VISIBILITY_FAILED);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->error, -EACCES);
    assert_int_equal(listener_table_class(t, PROTOCOL_SCTP)->visibility, VISIBILITY_ABSENT);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDPLITE)->visibility, VISIBILITY_UNSUPPORTED);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDPLITE)->error, 0);
    assert_int_equal(listener_table_class(t, PROTOCOL_RAW)->visibility, VISIBILITY_UNKNOWN);
    listener_table_unref(t);
}

static void a_port_is_found_with_all_its_listeners(void **state)
{
    const struct listener_table *t =
        table_of("0.0.0.0:0 0.0.0.0:22 0.0.0.0:80 [::]:80 127.0.0.1:80 0.0.0.0:65535 "
                 "udp/0.0.0.0:80 raw/0.0.0.0:1");
    static const struct {
        enum protocol protocol;
        uint16_t port;
        size_t count;
    } cases[] = {
        {PROTOCOL_TCP, 0, 1},     {PROTOCOL_TCP, 22, 1}, {PROTOCOL_TCP, 80, 3},    {PROTOCOL_TCP, 65535, 1},
        {PROTOCOL_UDP, 80, 1},    {PROTOCOL_RAW, 1, 1},  {PROTOCOL_TCP, 1, 0},     {PROTOCOL_TCP, 81, 0},
        {PROTOCOL_UDP, 65535, 0}, {PROTOCOL_UDP, 0, 0},  {PROTOCOL_UDPLITE, 0, 0}, {PROTOCOL_RAW, 255, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t count = 42;
        const struct listener *l = listener_table_port(t, cases[i].protocol, cases[i].port, &count);

        assert_int_equal(count, cases[i].count);
        assert_int_equal(l != NULL, cases[i].count > 0);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(l[k].protocol, cases[i].protocol);
            assert_int_equal(l[k].port, cases[i].port);
        }
    }
    listener_table_unref(t);
}

static void names_come_from_the_given_services(void **state)
{
    struct listener_builder *b = builder();
    struct services *services = services_new();
    const struct limits limits = limits_of(10);
    const struct listener *l;
    const struct listener_table *t;
    size_t count;

    (void)state;
    assert_int_equal(services_add(services, PROTOCOL_TCP, 80, "www"), 0);
    services_seal(services);
    add_rows(b, "0.0.0.0:80 0.0.0.0:22 0.0.0.0:4000", 1);
    t = seal_look(b, &limits, &no_policy, services, NULL);
    assert_non_null(t);
    listener_builder_free(b);
    l = listener_table_all(t, &count);
    assert_string_equal(l[0].service_name, "ssh");
    assert_string_equal(l[1].service_name, "www");
    assert_string_equal(l[2].service_name, "");
    listener_table_unref(t);
    services_free(services);
}

/* What is not known yet when a socket is added, as who owns it. */
static void members_can_be_completed_before_they_are_sealed(void **state)
{
    struct listener_builder *b = builder();
    struct owner_set *owners = owners_of("0:root:", "1:init:root:");
    const struct limits limits = limits_of(10);
    struct inventory inv;
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    (void)state;
    add_rows(b, "0.0.0.0:81#3 0.0.0.0:80#2 0.0.0.0:80#1", 1);
    assert_int_equal(finish_look(b, &limits, &no_policy, NULL, NULL, &inv), 0);
    inv.parts[PROTOCOL_TCP][1].members[1].owners = owners; /* the second of the first */
    t = listener_table_cut(&inv);
    assert_non_null(t);
    l = listener_table_all(t, &count);
    assert_null(l[0].members[0].owners);
    assert_int_equal(l[0].members[1].cookie, 2);
    assert_ptr_equal(l[0].members[1].owners, owners);
    assert_null(l[1].members[0].owners);
    listener_table_unref(t);
    listener_builder_free(b);
    owner_set_unref(owners);
}

static struct owner_set *some_owners(void)
{
    return owners_of("101:mysql:mariadb.service", "7:mariadbd:mysql:mariadb.service");
}

static void adds_an_owned_socket(struct listener_builder *b, const char *socket, struct owner_set *owners)
{
    struct listener_row row = row_of(socket);

    row.owners = owners;
    assert_int_equal(listener_builder_add(b, &row), 0);
}

static void a_table_keeps_the_owners_of_its_sockets(void **state)
{
    struct owner_set *first = some_owners(), *second = some_owners();
    struct listener_builder *b = builder();
    const struct listener *l;
    const struct listener_table *t;
    size_t count;

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#2", second);
    adds_an_owned_socket(b, "0.0.0.0:80#1", first);
    adds_an_owned_socket(b, "0.0.0.0:80#3", NULL);
    adds_an_owned_socket(b, "0.0.0.0:81#4", first);
    t = seal(b);
    owner_set_unref(first);
    owner_set_unref(second);
    l = listener_table_all(t, &count);
    assert_ptr_equal(l[0].members[0].owners, first);
    assert_ptr_equal(l[0].members[1].owners, second);
    assert_null(l[0].members[2].owners);
    assert_ptr_equal(l[1].members[0].owners, first);
    assert_int_equal(first->ref.count, 2);
    assert_int_equal(second->ref.count, 1);
    assert_string_equal(first->holders[0]->process, "mariadbd");
    listener_table_unref(t);
}

static void a_builder_only_borrows_owners(void **state)
{
    struct owner_set *owners = some_owners();
    struct listener_builder *b = builder();

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    assert_int_equal(owners->ref.count, 1);
    listener_builder_drop(b, PROTOCOL_TCP, PART_ALL);
    assert_int_equal(owners->ref.count, 1);
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    listener_builder_free(b);
    assert_int_equal(owners->ref.count, 1);
    owner_set_unref(owners);
}

static void a_socket_that_is_left_out_keeps_no_owners(void **state)
{
    struct owner_set *owners = some_owners();
    struct listener_builder *b = builder();
    const struct listener_table *t;

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners); /* seen twice */
    adds_an_owned_socket(b, "0.0.0.0:81#2", owners); /* beyond the limit */
    t = seal_some(b, 1);
    assert_listeners(t, "tcp/0.0.0.0:80");
    assert_int_equal(owners->ref.count, 2);
    listener_table_unref(t);
    assert_int_equal(owners->ref.count, 1);
    owner_set_unref(owners);
}

/* A row that tells something in each field. */
static struct listener_row full_row(void)
{
    struct listener_row row = row_of("[fe80::1%3]:3306~#77!9");

    row.uid = 101;
    row.inode = 4711;
    row.cgroup_id = 42;
    row.presence = PRESENCE_PRESENT;
    row.queue.known = true;
    row.queue.length = 3;
    row.queue.limit = 11;
    row.receive_queue.known = true;
    row.receive_queue.bytes = 4096;
    return row;
}

enum { ROW_CHANGES = 22 };

/* Changes one field. */
static void change_row(struct listener_row *row, size_t which)
{
    switch (which) {
    case 0: row->protocol = PROTOCOL_UDP; break;
    case 1: row->address.bytes[15]++; break;
    case 2: row->address.bytes[0]++; break;
    case 3: row->address = address_of("0.0.0.0"); break;
    case 4: row->port++; break;
    case 5: row->ifindex++; break;
    case 6: row->interface[0]++; break;
    case 7: row->v6only = !row->v6only; break;
    case 8: row->presence = PRESENCE_ABSENT; break;
    case 9: row->cookie += UINT64_C(1) << 32; break;
    case 10: row->uid++; break;
    case 11: row->inode++; break;
    case 12: row->cgroup_id += UINT64_C(1) << 32; break;
    case 13: row->auto_port = !row->auto_port; break;
    case 14: row->queue.known = !row->queue.known; break;
    case 15: row->queue.length++; break;
    case 16: row->queue.limit++; break;
    case 17: row->receive_queue.known = !row->receive_queue.known; break;
    case 18: row->receive_queue.bytes++; break;
    case 19: row->drops.known = !row->drops.known; break;
    case 20: row->drops.count++; break;
    case 21: row->choice_untold = !row->choice_untold; break;
    default: fail();
    }
}

/* Looks once more, at one row, and returns whether that is what the builder
 * saw before. */
static bool sees_again(struct listener_builder *b, const struct listener_row *row)
{
    begin_looks(b, 1000);
    sees_all(b);
    assert_int_equal(listener_builder_add(b, row), 0);
    return listener_builder_is_same(b);
}

static void each_field_of_a_row_makes_a_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_CHANGES; i++) {
        struct listener_builder *b = builder();
        const struct listener_row row = full_row();
        struct listener_row changed = row;

        change_row(&changed, i);
        assert_false(sees_again(b, &row));
        assert_true(sees_again(b, &row));
        assert_false(sees_again(b, &changed));
        assert_true(sees_again(b, &changed));
        assert_false(sees_again(b, &row));
        listener_builder_free(b);
    }
}

static void who_owns_a_socket_makes_no_difference(void **state)
{
    struct listener_builder *b = builder();
    struct listener_row row = full_row();
    struct owner_set *owners = some_owners();

    (void)state;
    (void)sees_again(b, &row);
    row.owners = owners;
    assert_true(sees_again(b, &row));
    row.owners = NULL;
    assert_true(sees_again(b, &row));
    listener_builder_free(b);
    owner_set_unref(owners);
}

static void order_and_number_of_rows_make_a_difference(void **state)
{
    static const char *const different[] = {
        "0.0.0.0:81#2 0.0.0.0:80#1 udp/0.0.0.0:53#3",
        "0.0.0.0:80#1 0.0.0.0:81#2",
        "0.0.0.0:80#1 udp/0.0.0.0:53#3",
        "0.0.0.0:80#1 0.0.0.0:81#2 udp/0.0.0.0:53#3 raw/0.0.0.0:1#4",
        "",
    };
    static const char *const same[] = {
        "0.0.0.0:80#1 0.0.0.0:81#2 udp/0.0.0.0:53#3",
        "0.0.0.0:80#1 0.0.0.0:81#2 0.0.0.0:81#2 udp/0.0.0.0:53#3", /* seen twice */
        "udp/0.0.0.0:53#3 0.0.0.0:80#1 0.0.0.0:81#2",              /* each class has an order of its own */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(different) + ARRAY_LENGTH(same); i++) {
        struct listener_builder *b = builder_after("0.0.0.0:80#1 0.0.0.0:81#2 udp/0.0.0.0:53#3");
        bool is_different = i < ARRAY_LENGTH(different);

        add_rows(b, is_different ? different[i] : same[i - ARRAY_LENGTH(different)], 0);
        assert_int_equal(listener_builder_is_same(b), !is_different);
        listener_builder_free(b);
    }
}

static void what_could_be_seen_makes_a_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (int visibility = VISIBILITY_UNKNOWN; visibility <= VISIBILITY_FAILED; visibility++) {
            struct listener_builder *b = builder_after("");

            listener_builder_end(b, (enum protocol)i, PART_ALL, (enum visibility)visibility, 0);
            assert_int_equal(listener_builder_is_same(b), visibility == VISIBILITY_OK);
            listener_builder_free(b);
        }
}

/* Looks in vain at TCP sockets. */
static void fails_to_see(struct listener_builder *b, int error)
{
    begin_looks(b, 1000);
    sees_all(b);
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_FAILED, error);
}

static void why_a_class_failed_makes_a_difference(void **state)
{
    struct listener_builder *b = builder();

    (void)state;
    fails_to_see(b, -EACCES);
    fails_to_see(b, -EACCES);
    assert_true(listener_builder_is_same(b));
    fails_to_see(b, -EIO);
    assert_false(listener_builder_is_same(b));
    listener_builder_free(b);
}

/* The table in between had none of the rows. */
static void after_a_failed_class_the_same_rows_are_not_the_same(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_row row = row_of("0.0.0.0:80#1");

    (void)state;
    (void)sees_again(b, &row);
    fails_to_see(b, -EIO);
    assert_false(listener_builder_is_same(b));
    assert_false(sees_again(b, &row));
    assert_true(sees_again(b, &row));
    begin_looks(b, 1000); /* one that fails half-way */
    sees_all(b);
    assert_int_equal(listener_builder_add(b, &row), 0);
    listener_builder_drop(b, PROTOCOL_TCP, PART_ALL);
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_FAILED, -EIO);
    assert_false(listener_builder_is_same(b));
    assert_false(sees_again(b, &row));
    listener_builder_free(b);
}

/* How many did not fit is all that changes. */
static void what_was_cut_makes_a_difference(void **state)
{
    static const size_t floods[] = {BUILDER_SERVICES_MAX + 1, BUILDER_SERVICES_MAX + 1,
                                    BUILDER_SERVICES_MAX + 2, BUILDER_SERVICES_MAX + 2};
    struct listener_builder *b = builder();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(floods); i++) {
        begin_looks(b, 1000);
        adds_services(b, PROTOCOL_TCP, floods[i]);
        assert_int_equal(listener_builder_is_same(b), i % 2 == 1);
    }
    listener_builder_free(b);
}

static void a_builder_that_finds_the_same_again_and_again_allocates_nothing(void **state)
{
    static const char sockets[] = "0.0.0.0:22#1!1 *:80#2 *:80#3 [::1]:631#4 udp/0.0.0.0:53#5 raw/0.0.0.0:1#6";
    struct listener_builder *b = builder();

    (void)state;
    for (int look = 0; look < 1000; look++) {
        if (look == 2)
            refuse_nth(0);
        begin_looks(b, 1000);
        sees_all(b);
        add_rows(b, sockets, 0);
        assert_int_equal(listener_builder_missing(b, PROTOCOL_TCP, PART_ALL), look > 0 ? 0 : -ENOENT);
        assert_int_equal(listener_builder_is_same(b), look > 0);
    }
    assert_int_equal(refuse_count(), 0);
    listener_builder_free(b);
}

static void a_look_takes_its_own_limit_of_members(void **state)
{
    struct listener_builder *b = builder();
    const struct listener_table *t;
    size_t count;

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:80 0.0.0.0:80", 1);
    begin_looks(b, 2);
    add_rows(b, "0.0.0.0:80 0.0.0.0:80 0.0.0.0:80", 1);
    t = seal(b);
    assert_int_equal(listener_table_all(t, &count)->sockets, 3);
    assert_int_equal(listener_table_all(t, &count)->followed, 2);
    listener_table_unref(t);
}

static void a_table_has_nothing_of_the_look_before(void **state)
{
    struct listener_builder *b = builder_after("0.0.0.0:80 0.0.0.0:81 udp/0.0.0.0:53");
    const struct listener_table *t;

    (void)state;
    begin_looks(b, 1000);
    add_rows(b, "0.0.0.0:82", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:82");
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->visibility, VISIBILITY_UNKNOWN);
    listener_table_unref(t);
}

/* The table before goes on to live, and so does what both refer to. */
static void one_builder_makes_table_after_table(void **state)
{
    struct listener_builder *b = builder();
    struct owner_set *owners = some_owners();
    const struct listener_table *tables[3];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        begin_looks(b, 1000);
        adds_an_owned_socket(b, i == 2 ? "0.0.0.0:81#2" : "0.0.0.0:80#1", owners);
        tables[i] = seal_all(b);
        assert_non_null(tables[i]);
    }
    listener_builder_free(b);
    assert_int_equal(owners->ref.count, 4);
    assert_ptr_equal(listener_table_ref(tables[1]), tables[1]);
    listener_table_unref(tables[1]);
    listener_table_unref(tables[0]);
    assert_listeners(tables[1], "tcp/0.0.0.0:80");
    assert_listeners(tables[2], "tcp/0.0.0.0:81");
    assert_int_equal(owners->ref.count, 3);
    listener_table_unref(tables[2]);
    listener_table_unref(tables[1]);
    assert_int_equal(owners->ref.count, 1);
    owner_set_unref(owners);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    listener_table_unref(NULL);
    listener_builder_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(the_family_says_which_ip_versions_are_served),
        cmocka_unit_test(a_listener_tells_all_about_its_socket),
        cmocka_unit_test(what_a_socket_does_not_tell_is_absent),
        cmocka_unit_test(the_scope_comes_from_the_address_and_the_interface),
        cmocka_unit_test(a_mapped_address_joins_the_plain_one),
        cmocka_unit_test(different_binds_stay_different_services),
        cmocka_unit_test(a_group_sums_its_queues_and_shows_the_fullest_member),
        cmocka_unit_test(a_group_lists_its_members_by_cookie),
        cmocka_unit_test(a_group_sums_its_receive_queues_and_drops),
        cmocka_unit_test(a_client_is_told_apart_from_a_service_on_its_port),
        cmocka_unit_test(a_limit_of_zero_divides_by_nothing),
        cmocka_unit_test(a_group_of_several_owners_has_no_known_one),
        cmocka_unit_test(a_socket_seen_twice_counts_once),
        cmocka_unit_test(sockets_of_unknown_cookie_are_all_counted),
        cmocka_unit_test(a_table_has_what_is_chosen_and_knows_how_many_there_are),
        cmocka_unit_test(a_group_follows_some_of_its_sockets_and_sums_all),
        cmocka_unit_test(the_look_that_saw_more_of_a_group_counts),
        cmocka_unit_test(what_a_builder_holds_has_an_end_but_each_class_has_room),
        cmocka_unit_test(dropping_takes_back_one_class),
        cmocka_unit_test(after_a_drop_the_class_may_be_added_again),
        cmocka_unit_test(missing_counts_the_sockets_that_are_not_there_again),
        cmocka_unit_test(missing_is_not_fooled_by_repeated_sockets),
        cmocka_unit_test(without_a_look_before_it_cannot_be_told_what_is_missing),
        cmocka_unit_test(sockets_are_missing_until_they_have_gone),
        cmocka_unit_test(refused_memory_does_not_tell_what_is_missing),
        cmocka_unit_test(a_second_look_adds_only_what_the_first_missed),
        cmocka_unit_test(a_second_look_passes_over_no_unknown_cookie),
        cmocka_unit_test(second_looks_go_from_protocol_to_protocol),
        cmocka_unit_test(a_drop_ends_a_second_look),
        cmocka_unit_test(the_next_look_passes_over_nothing),
        cmocka_unit_test(a_flood_leaves_nothing_behind),
        cmocka_unit_test(what_both_looks_cut_is_counted_once),
        cmocka_unit_test(classes_are_kept_apart),
        cmocka_unit_test(a_port_is_found_with_all_its_listeners),
        cmocka_unit_test(names_come_from_the_given_services),
        cmocka_unit_test(members_can_be_completed_before_they_are_sealed),
        cmocka_unit_test(a_table_keeps_the_owners_of_its_sockets),
        cmocka_unit_test(a_builder_only_borrows_owners),
        cmocka_unit_test(a_socket_that_is_left_out_keeps_no_owners),
        cmocka_unit_test(each_field_of_a_row_makes_a_difference),
        cmocka_unit_test(who_owns_a_socket_makes_no_difference),
        cmocka_unit_test(order_and_number_of_rows_make_a_difference),
        cmocka_unit_test(what_could_be_seen_makes_a_difference),
        cmocka_unit_test(why_a_class_failed_makes_a_difference),
        cmocka_unit_test(after_a_failed_class_the_same_rows_are_not_the_same),
        cmocka_unit_test(what_was_cut_makes_a_difference),
        cmocka_unit_test(a_builder_that_finds_the_same_again_and_again_allocates_nothing),
        cmocka_unit_test(a_look_takes_its_own_limit_of_members),
        cmocka_unit_test(a_table_has_nothing_of_the_look_before),
        cmocka_unit_test(one_builder_makes_table_after_table),
        cmocka_unit_test(nothing_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
