#include "core/listener_table.h"
#include "core/err.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <inttypes.h>

static const struct policy no_policy;

static struct listener_builder *builder(size_t limit, const struct policy *policy)
{
    struct listener_builder *b = listener_builder_new(limit, policy);

    assert_non_null(b);
    return b;
}

static struct listener_table *seal(struct listener_builder *b)
{
    struct listener_table *t = listener_table_seal(b, NULL, NULL);

    assert_non_null(t);
    return t;
}

static struct listener_table *table_of(const char *sockets)
{
    struct listener_builder *b = builder(100, &no_policy);

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
    struct listener_table *t = seal(builder(0, &no_policy));
    size_t count = 42;

    (void)state;
    assert_listeners(t, "");
    assert_null(listener_table_port(t, PROTOCOL_TCP, 80, &count));
    assert_int_equal(count, 0);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        assert_int_equal(listener_table_class(t, (enum protocol)i)->visibility, VISIBILITY_UNKNOWN);
        assert_int_equal(listener_table_class(t, (enum protocol)i)->cut, 0);
    }
    listener_table_free(t);
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
        struct listener_builder *b = builder(1, &no_policy);
        const struct listener_row row = {.protocol = cases[i].protocol,
                                         .address = address_of(cases[i].address),
                                         .port = 80,
                                         .v6only = cases[i].v6only};
        struct listener_table *t;
        size_t count;

        assert_int_equal(listener_builder_add(b, &row), 0);
        t = seal(b);
        assert_int_equal(listener_table_all(t, &count)->family, cases[i].family);
        assert_int_equal(count, 1);
        listener_table_free(t);
    }
}

static void a_listener_tells_all_about_its_socket(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_row row = row_of("[fe80::1%3]:3306~#77!9");
    const struct listener *l;
    struct listener_table *t;
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
    assert_true(l->queue.saturation_ratio == 0.25);
    assert_true(l->receive_queue.known);
    assert_int_equal(l->receive_queue.bytes, 4096);
    assert_true(l->drops.known);
    assert_int_equal(l->drops.count, 9);
    assert_int_equal(l->restarts, 0);
    listener_table_free(t);
}

static void what_a_socket_does_not_tell_is_absent(void **state)
{
    struct listener_table *t = table_of("0.0.0.0:80");
    size_t count;
    const struct listener *l = listener_table_all(t, &count);

    (void)state;
    assert_false(l->queue.known);
    assert_false(l->receive_queue.known);
    assert_false(l->drops.known);
    assert_false(l->auto_port);
    assert_int_equal(l->presence, PRESENCE_UNKNOWN);
    assert_false(l->members[0].drops.known);
    listener_table_free(t);
}

static void the_scope_comes_from_the_address_and_the_interface(void **state)
{
    struct listener_table *t = table_of("0.0.0.0%1:1 127.0.0.9:2 [::ffff:127.0.0.1]:3 10.1.1.1:4 *:5 [::]:6");
    static const enum scope scopes[] = {SCOPE_LOOPBACK, SCOPE_LOOPBACK, SCOPE_LOOPBACK,
                                        SCOPE_ADDRESS,  SCOPE_ANY,      SCOPE_ANY};

    (void)state;
    for (uint16_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        size_t count;
        const struct listener *l = listener_table_port(t, PROTOCOL_TCP, (uint16_t)(i + 1), &count);

        assert_non_null(l);
        assert_int_equal(l->scope, scopes[i]);
    }
    listener_table_free(t);
}

static void a_mapped_address_joins_the_plain_one(void **state)
{
    struct listener_table *t = table_of("[::ffff:192.0.2.1]:80 192.0.2.1:80 [::ffff:0.0.0.0]:81 0.0.0.0:81");
    size_t count;

    (void)state;
    assert_listeners(t, "tcp/192.0.2.1:80 tcp/0.0.0.0:81");
    assert_int_equal(listener_table_all(t, &count)[0].sockets, 2);
    assert_int_equal(listener_table_all(t, &count)[1].sockets, 2);
    listener_table_free(t);
}

/* Legal together on one port: v6only :: beside 0.0.0.0, two loopback
 * addresses, the wildcard on two interfaces. None of them is one service. */
static void different_binds_stay_different_services(void **state)
{
    struct listener_table *t = table_of(
        "[::1]:80 *:80 0.0.0.0%3:80 [::]:80 127.0.0.2:80 0.0.0.0%2:80 127.0.0.1:80 udp/0.0.0.0:80 0.0.0.0:80 "
        "0.0.0.0:79");

    (void)state;
    assert_listeners(t,
                     "tcp/0.0.0.0:79 tcp/0.0.0.0:80 tcp/0.0.0.0%if2:80 tcp/0.0.0.0%if3:80 tcp/127.0.0.1:80 "
                     "tcp/127.0.0.2:80 tcp/[::]:80 tcp/[::1]:80 tcp/*:80 udp/0.0.0.0:80");
    listener_table_free(t);
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
    struct listener_builder *b = builder(1, &no_policy);
    const struct listener *l;
    struct listener_table *t;
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
    assert_true(l->queue.saturation_ratio == 1.0);
    assert_true(l->uid_known);
    assert_int_equal(l->uid, 33);
    listener_table_free(t);
}

static void a_group_lists_its_members_by_cookie(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    static const struct {
        uint64_t cookie;
        uint32_t uid;
    } wanted[] = {{0, 5}, {2, 6}, {7, 33}, {UINT64_C(1) << 40, 34}};
    static const size_t order[] = {2, 0, 3, 1, 2};
    struct listener_table *t;
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
    listener_table_free(t);
}

static void a_group_sums_its_receive_queues_and_drops(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_row row = row_of("udp/0.0.0.0:53");
    const struct listener *l;
    struct listener_table *t;
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
    listener_table_free(t);
}

/* Whoever asks for a port and whoever is given one mean different things. */
static void a_port_that_the_kernel_chose_is_a_service_of_its_own(void **state)
{
    struct listener_table *t = table_of("udp/0.0.0.0:5353~ udp/0.0.0.0:5353 udp/0.0.0.0:5353~ "
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
    listener_table_free(t);
}

static void a_limit_of_zero_divides_by_nothing(void **state)
{
    static const struct {
        uint32_t length;
        double ratio;
    } cases[] = {{0, 0.0}, {1, 1.0}, {2, 2.0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_builder *b = builder(1, &no_policy);
        struct listener_table *t;
        size_t count;

        adds_a_member(b, 1, cases[i].length, 0, 0);
        t = seal(b);
        assert_true(listener_table_all(t, &count)->queue.saturation_ratio == cases[i].ratio);
        listener_table_free(t);
    }
}

static void a_group_of_several_owners_has_no_known_one(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 1, 0, 1, 33);
    adds_a_member(b, 2, 0, 1, 0);
    adds_a_member(b, 3, 0, 1, 33);
    t = seal(b);
    assert_false(listener_table_all(t, &count)->uid_known);
    listener_table_free(t);
}

static void a_socket_seen_twice_counts_once(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;
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
    listener_table_free(t);
}

static void sockets_of_unknown_cookie_are_all_counted(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 0, 1, 1, 0);
    adds_a_member(b, 0, 1, 1, 0);
    t = seal(b);
    assert_int_equal(listener_table_all(t, &count)->sockets, 2);
    listener_table_free(t);
}

static void the_limit_cuts_services_and_counts_them_by_class(void **state)
{
    struct listener_builder *b = builder(2, &no_policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:3 0.0.0.0:3 0.0.0.0:1 0.0.0.0:2 0.0.0.0:1 udp/0.0.0.0:1 udp/0.0.0.0:1 udp/0.0.0.0:2",
             1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:1 tcp/0.0.0.0:2");
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 1);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->cut, 2);
    listener_table_free(t);
}

static void the_limit_never_cuts_an_expected_port(void **state)
{
    struct port_range ports[] = {{3, 3}, {9, 9}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_TCP, .ports = ports, .port_count = 2}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};
    struct listener_builder *b = builder(2, &policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:1 0.0.0.0:3 127.0.0.1:3 0.0.0.0:5 0.0.0.0:7 0.0.0.0:9 udp/0.0.0.0:9", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:1 tcp/0.0.0.0:3 tcp/127.0.0.1:3 tcp/0.0.0.0:5 tcp/0.0.0.0:9");
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 1);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->cut, 1);
    listener_table_free(t);
}

static void a_limit_of_zero_keeps_expected_ports_only(void **state)
{
    struct port_range ports[] = {{3, 3}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_UDP, .ports = ports, .port_count = 1}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};
    struct listener_builder *b = builder(0, &policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:3 udp/0.0.0.0:3", 1);
    t = seal(b);
    assert_listeners(t, "udp/0.0.0.0:3");
    listener_table_free(t);
}

/* However many sockets others open, the expected port is still added, and what
 * a builder holds has an end. */
static void a_flood_of_sockets_is_cut_but_for_expected_ports(void **state)
{
    struct port_range ports[] = {{60000, 60000}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_TCP, .ports = ports, .port_count = 1}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};
    struct listener_builder *b = builder(1, &policy);
    struct listener_row row = row_of("0.0.0.0:1"), expected = row_of("0.0.0.0:60000");
    struct listener_table *t;
    int r = 0;
    size_t count, expected_count = 0;

    (void)state;
    for (row.port = 1; row.port <= 1000; row.port++)
        assert_int_equal(listener_builder_add(b, &row), 0);
    while (r == 0 && expected_count < 1000000) {
        r = listener_builder_add(b, &expected);
        expected_count += r == 0;
    }
    assert_int_equal(r, ERR_LIMIT);
    assert_true(expected_count >= 16);
    assert_int_equal(listener_builder_add(b, &row), 0);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:1 tcp/0.0.0.0:60000");
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 1000);
    assert_int_equal(listener_table_all(t, &count)[1].sockets, expected_count);
    listener_table_free(t);
}

static void dropping_takes_back_one_class(void **state)
{
    struct listener_builder *b = builder(0, &no_policy);
    struct listener_row row = row_of("0.0.0.0:1");
    struct listener_table *t;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(listener_builder_add(b, &row), 0);
    row.protocol = PROTOCOL_UDP;
    assert_int_equal(listener_builder_add(b, &row), 0);
    listener_builder_drop(b, PROTOCOL_TCP);
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->cut, 1);
    listener_table_free(t);
}

static void after_a_drop_the_class_may_be_added_again(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:1 udp/0.0.0.0:1 0.0.0.0:2 udp/0.0.0.0:2 0.0.0.0:3", 1);
    listener_builder_drop(b, PROTOCOL_TCP);
    listener_builder_drop(b, PROTOCOL_SCTP);
    add_rows(b, "0.0.0.0:2", 3);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:2 udp/0.0.0.0:1 udp/0.0.0.0:2");
    listener_table_free(t);
}

static void missing_counts_the_sockets_that_are_not_there_again(void **state)
{
    struct listener_table *previous = table_of("0.0.0.0:80 0.0.0.0:80 0.0.0.0:22 udp/0.0.0.0:53");
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
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_builder *b = builder(10, &no_policy);

        add_rows(b, cases[i].sockets, cases[i].first_cookie);
        assert_int_equal(listener_builder_missing(b, previous, PROTOCOL_TCP), cases[i].tcp);
        assert_int_equal(listener_builder_missing(b, previous, PROTOCOL_UDP), cases[i].udp);
        assert_int_equal(listener_builder_missing(b, previous, PROTOCOL_SCTP), 0);
        assert_int_equal(listener_builder_missing(b, NULL, PROTOCOL_TCP), 0);
        listener_builder_free(b);
    }
    listener_table_free(previous);
}

/* A resumed dump repeats sockets and passes over others. */
static void missing_is_not_fooled_by_repeated_sockets(void **state)
{
    struct listener_table *previous = table_of("0.0.0.0:80 0.0.0.0:80 0.0.0.0:80");
    struct listener_builder *b = builder(10, &no_policy);

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:80", 1);
    add_rows(b, "0.0.0.0:80 0.0.0.0:80", 1);
    assert_int_equal(listener_builder_missing(b, previous, PROTOCOL_TCP), 1);
    listener_builder_free(b);
    listener_table_free(previous);
}

/* Everything that the first look found comes again, but what it passed over. */
static void a_second_look_adds_only_what_the_first_missed(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_member(b, 1, 1, 9, 0);
    adds_a_member(b, 3, 1, 9, 0);
    add_rows(b, "udp/0.0.0.0:53", 1);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    adds_a_member(b, 1, 4, 9, 0); /* what the first look saw counts */
    adds_a_member(b, 2, 1, 9, 0);
    adds_a_member(b, 2, 1, 9, 0); /* a repetition within the second look */
    adds_a_member(b, 3, 4, 9, 0);
    add_rows(b, "0.0.0.0:81", 1); /* the same cookie: the same socket, whatever else changed */
    add_rows(b, "udp/0.0.0.0:54", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 udp/0.0.0.0:53 udp/0.0.0.0:54");
    assert_int_equal(listener_table_all(t, &count)[0].sockets, 3);
    assert_int_equal(listener_table_all(t, &count)[0].queue.length, 3);
    listener_table_free(t);
}

static void a_second_look_passes_over_no_unknown_cookie(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:80", 0);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    add_rows(b, "0.0.0.0:81", 0);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/0.0.0.0:81");
    listener_table_free(t);
}

static void second_looks_go_from_protocol_to_protocol(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;

    (void)state;
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0); /* after nothing at all */
    add_rows(b, "0.0.0.0:80", 1);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    add_rows(b, "udp/0.0.0.0:53", 1);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_UDP), 0);
    add_rows(b, "udp/0.0.0.0:99 udp/0.0.0.0:67", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80 tcp/0.0.0.0:81 udp/0.0.0.0:53 udp/0.0.0.0:67");
    listener_table_free(t);
}

static void a_drop_ends_a_second_look(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;

    (void)state;
    add_rows(b, "0.0.0.0:80 0.0.0.0:81", 1);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    listener_builder_drop(b, PROTOCOL_TCP);
    add_rows(b, "0.0.0.0:80", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80");
    listener_table_free(t);
}

/* Adds so many sockets of 0.0.0.0:80, with cookies from 1 on. */
static void adds_a_flood(struct listener_builder *b, enum protocol protocol, uint64_t count)
{
    struct listener_row row = row_of("0.0.0.0:80");

    row.protocol = protocol;
    for (row.cookie = 1; row.cookie <= count; row.cookie++)
        assert_int_equal(listener_builder_add(b, &row), 0);
}

/* Both looks together are more than a builder of this limit holds. */
static void a_second_look_takes_no_room_twice(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_table *t;
    size_t count;

    (void)state;
    adds_a_flood(b, PROTOCOL_TCP, 4000);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    adds_a_flood(b, PROTOCOL_TCP, 4001);
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
    assert_int_equal(listener_table_all(t, &count)->sockets, 4001);
    listener_table_free(t);
}

static void what_both_looks_cut_is_counted_once(void **state)
{
    const uint64_t flood = 10000;
    struct listener_builder *b = builder(0, &no_policy);
    uint32_t cut;
    struct listener_table *t;

    (void)state;
    adds_a_flood(b, PROTOCOL_TCP, flood);
    t = seal(b);
    cut = listener_table_class(t, PROTOCOL_TCP)->cut;
    assert_in_range(cut, 1, flood);
    listener_table_free(t);

    b = builder(0, &no_policy);
    adds_a_flood(b, PROTOCOL_TCP, flood);
    adds_a_flood(b, PROTOCOL_UDP, flood);
    assert_int_equal(listener_builder_look_again(b, PROTOCOL_TCP), 0);
    adds_a_flood(b, PROTOCOL_TCP, flood);
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, cut);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->cut, cut);
    listener_table_free(t);
}

/* Whoever opens many UDP sockets must not hide TCP listeners. */
static void a_flood_of_one_protocol_takes_no_room_of_another(void **state)
{
    struct port_range ports[] = {{80, 80}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_UDP, .ports = ports, .port_count = 1}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};
    struct listener_builder *b = builder(2, &policy);
    struct listener_table *t;
    int r = 0;

    (void)state;
    for (uint64_t cookie = 1; r == 0 && cookie < 1000000; cookie++) { /* until even expected ones are many */
        struct listener_row row = row_of("udp/0.0.0.0:80");

        row.cookie = cookie;
        r = listener_builder_add(b, &row);
    }
    assert_int_equal(r, ERR_LIMIT);
    add_rows(b, "udp/0.0.0.0:53", 1);
    add_rows(b, "0.0.0.0:22 0.0.0.0:80", 1);
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:22 tcp/0.0.0.0:80 udp/0.0.0.0:80");
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->cut, 1);
    listener_table_free(t);
}

static void a_drop_gives_the_room_back(void **state)
{
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_table *t;

    (void)state;
    for (int i = 0; i < 3; i++) {
        listener_builder_drop(b, PROTOCOL_TCP);
        adds_a_flood(b, PROTOCOL_TCP, 4000);
    }
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
    assert_listeners(t, "tcp/0.0.0.0:80");
    listener_table_free(t);
}

static void classes_are_kept_apart(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_table *t;

    (void)state;
    listener_builder_set_class(b, PROTOCOL_TCP, VISIBILITY_OK, 0);
    listener_builder_set_class(b, PROTOCOL_UDP, VISIBILITY_FAILED, -EACCES);
    listener_builder_set_class(b, PROTOCOL_SCTP, VISIBILITY_ABSENT, 0);
    listener_builder_set_class(b, PROTOCOL_UDPLITE, VISIBILITY_FAILED, -EIO);
    listener_builder_set_class(b, PROTOCOL_UDPLITE, VISIBILITY_UNSUPPORTED, 0);
    t = seal(b);
    assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->visibility, VISIBILITY_OK);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->visibility, VISIBILITY_FAILED);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDP)->error, -EACCES);
    assert_int_equal(listener_table_class(t, PROTOCOL_SCTP)->visibility, VISIBILITY_ABSENT);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDPLITE)->visibility, VISIBILITY_UNSUPPORTED);
    assert_int_equal(listener_table_class(t, PROTOCOL_UDPLITE)->error, 0);
    assert_int_equal(listener_table_class(t, PROTOCOL_RAW)->visibility, VISIBILITY_UNKNOWN);
    listener_table_free(t);
}

static void a_port_is_found_with_all_its_listeners(void **state)
{
    struct listener_table *t = table_of("0.0.0.0:0 0.0.0.0:22 0.0.0.0:80 [::]:80 127.0.0.1:80 0.0.0.0:65535 "
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
    listener_table_free(t);
}

static void names_come_from_the_given_services(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct services *services = services_new();
    const struct listener *l;
    struct listener_table *t;
    size_t count;

    (void)state;
    assert_int_equal(services_add(services, PROTOCOL_TCP, 80, "www"), 0);
    services_seal(services);
    add_rows(b, "0.0.0.0:80 0.0.0.0:22 0.0.0.0:4000", 1);
    t = listener_table_seal(b, services, NULL);
    services_free(services); /* the table owns all that it refers to */
    l = listener_table_all(t, &count);
    assert_string_equal(l[0].service_name, "ssh");
    assert_string_equal(l[1].service_name, "www");
    assert_string_equal(l[2].service_name, "");
    listener_table_free(t);
}

static void rows_can_be_completed_before_they_are_sealed(void **state)
{
    struct listener_builder *b = builder(10, &no_policy);
    struct listener_row *rows;
    struct listener_table *t;
    size_t count;

    (void)state;
    (void)listener_builder_rows(b, &count);
    assert_int_equal(count, 0);
    add_rows(b, "0.0.0.0:80 [::ffff:192.0.2.1]:81", 1);
    rows = listener_builder_rows(b, &count);
    assert_int_equal(count, 2);
    assert_int_equal(rows[1].address.version, 4);
    for (size_t i = 0; i < count; i++)
        rows[i].uid = rows[i].port;
    t = seal(b);
    assert_int_equal(listener_table_all(t, &count)[0].uid, 80);
    assert_int_equal(listener_table_all(t, &count)[1].uid, 81);
    listener_table_free(t);
}

/* A host that is polled again and again. */
struct host {
    const struct policy *policy;
    size_t limit;
    enum visibility visibilities[PROTOCOL_COUNT];
    struct listener_table *table; /* of the last poll */
};

static struct host host_of(size_t limit, const struct policy *policy)
{
    struct host h = {.policy = policy, .limit = limit};

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        h.visibilities[i] = VISIBILITY_OK;
    return h;
}

/* Seals the next table, which must go on without the one before. */
static void host_seal(struct host *h, struct listener_builder *b)
{
    struct listener_table *t;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_set_class(b, (enum protocol)i, h->visibilities[i], 0);
    t = listener_table_seal(b, NULL, h->table);
    assert_non_null(t);
    listener_table_free(h->table);
    h->table = t;
}

static void host_poll(struct host *h, const char *sockets)
{
    struct listener_builder *b = builder(h->limit, h->policy);

    add_rows(b, sockets, 1000000);
    host_seal(h, b);
}

/* A poll in which a protocol cannot be read. */
static void host_poll_without(struct host *h, enum protocol protocol, const char *sockets)
{
    h->visibilities[protocol] = VISIBILITY_FAILED;
    host_poll(h, sockets);
    h->visibilities[protocol] = VISIBILITY_OK;
}

static void host_done(struct host *h)
{
    listener_table_free(h->table);
}

/* The listeners must be these, each with its "=DROPS/RESTARTS". */
static void assert_history(const struct host *h, const char *wanted)
{
    char have[2048] = "";
    size_t count, length = 0;
    const struct listener *listeners = listener_table_all(h->table, &count);

    for (size_t i = 0; i < count; i++) {
        const struct listener *l = &listeners[i];
        char text[ENDPOINT_TEXT_MAX];

        endpoint_format(&l->address, l->family, l->port, l->interface, text);
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%s/%s%s=%" PRIu64 "/%" PRIu64,
                                   i > 0 ? " " : "", protocol_name(l->protocol), text,
                                   l->auto_port ? "~" : "", l->drops.count, l->restarts);
        assert_true(length < sizeof have);
    }
    assert_string_equal(have, wanted);
}

static void drops_and_restarts_go_on_from_table_to_table(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:22#1!5 0.0.0.0:80#2!7 udp/0.0.0.0:53#3!1");
    assert_history(&h, "tcp/0.0.0.0:22=5/0 tcp/0.0.0.0:80=7/0 udp/0.0.0.0:53=1/0");
    host_poll(&h, "0.0.0.0:22#1!6 0.0.0.0:80#4!2 udp/0.0.0.0:53#3!1");
    assert_history(&h, "tcp/0.0.0.0:22=6/0 tcp/0.0.0.0:80=9/1 udp/0.0.0.0:53=1/0");
    host_poll(&h, "udp/0.0.0.0:53#3!2 0.0.0.0:80#4!3 0.0.0.0:22#1!6 0.0.0.0:8080#5!1");
    assert_history(&h, "tcp/0.0.0.0:22=6/0 tcp/0.0.0.0:80=10/1 tcp/0.0.0.0:8080=1/0 udp/0.0.0.0:53=2/0");
    host_done(&h);
}

static void a_group_is_followed_as_one_service(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "*:80#1!5 *:80#2!7 *:80#3!0");
    assert_history(&h, "tcp/*:80=12/0");
    host_poll(&h, "*:80#6!1 *:80#5!1 *:80#4!1");
    assert_history(&h, "tcp/*:80=15/1");
    host_poll(&h, "*:80#6!1 *:80#5!1 *:80#6!1 *:80#7!0"); /* a socket seen twice counts once */
    assert_history(&h, "tcp/*:80=15/2");
    host_poll(&h, "*:80#6!2 *:80#5!3 *:80#7!4");
    assert_history(&h, "tcp/*:80=22/2");
    host_done(&h);
}

static void every_bind_has_a_history_of_its_own(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!1 0.0.0.0%2:80#2!2 127.0.0.1:80#3!3 [::]:80#4!4 *:80#5!5 "
                  "udp/0.0.0.0:80#6!6 udp/0.0.0.0:80~#7!7 0.0.0.0:81#8!8");
    host_poll(&h, "0.0.0.0:80#1!1 0.0.0.0%2:80#12!2 127.0.0.1:80#3!3 [::]:80#14!4 *:80#5!5 "
                  "udp/0.0.0.0:80#6!6 udp/0.0.0.0:80~#17!7 0.0.0.0:81#8!8");
    assert_history(&h, "tcp/0.0.0.0:80=1/0 tcp/0.0.0.0%if2:80=4/1 tcp/127.0.0.1:80=3/0 tcp/[::]:80=8/1 "
                       "tcp/*:80=5/0 tcp/0.0.0.0:81=8/0 udp/0.0.0.0:80=6/0 udp/0.0.0.0:80~=14/1");
    host_done(&h);
}

static void a_service_that_moves_is_another_one(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:3306#1!5");
    host_poll(&h, "127.0.0.1:3306#2!1");
    assert_history(&h, "tcp/127.0.0.1:3306=1/0");
    host_poll(&h, "0.0.0.0:3306#3!1"); /* and back */
    assert_history(&h, "tcp/0.0.0.0:3306=6/1");
    host_poll(&h, "0.0.0.0:3306#3!1 127.0.0.1:3306#4!1");
    assert_history(&h, "tcp/0.0.0.0:3306=6/1 tcp/127.0.0.1:3306=2/1");
    host_done(&h);
}

static void a_service_that_comes_back_keeps_its_history(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:22#1!1 0.0.0.0:80#2!7 0.0.0.0:80#3!1 udp/0.0.0.0:53#4!1");
    host_poll(&h, "0.0.0.0:22#1!1 0.0.0.0:9000#5");
    host_poll(&h, "0.0.0.0:22#1!1 udp/0.0.0.0:53#6!1");
    host_poll(&h, "");
    host_poll(&h, "0.0.0.0:22#7!1 udp/0.0.0.0:53#10!1");
    assert_history(&h, "tcp/0.0.0.0:22=2/1 udp/0.0.0.0:53=3/2");
    host_poll(&h, "0.0.0.0:80#8!2 0.0.0.0:80#9!3");
    assert_history(&h, "tcp/0.0.0.0:80=13/1");
    host_poll(&h, "0.0.0.0:80#8!3 0.0.0.0:80#9!3");
    assert_history(&h, "tcp/0.0.0.0:80=14/1");
    host_done(&h);
}

static void what_has_gone_is_not_listed(void **state)
{
    struct host h = host_of(100, &no_policy);
    size_t count = 42;

    (void)state;
    host_poll(&h, "0.0.0.0:22#1 0.0.0.0:80#2");
    host_poll(&h, "0.0.0.0:22#1");
    assert_history(&h, "tcp/0.0.0.0:22=0/0");
    assert_null(listener_table_port(h.table, PROTOCOL_TCP, 80, &count));
    assert_int_equal(count, 0);
    host_poll_without(&h, PROTOCOL_TCP, "");
    assert_history(&h, "");
    assert_null(listener_table_port(h.table, PROTOCOL_TCP, 22, &count));
    assert_int_equal(count, 0);
    host_done(&h);
}

/* "Cannot see" is never "nothing there". */
static void a_class_that_failed_in_between_is_no_restart(void **state)
{
    static const enum visibility unseen[] = {VISIBILITY_UNKNOWN, VISIBILITY_UNSUPPORTED, VISIBILITY_FAILED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++) {
        struct host h = host_of(100, &no_policy);

        host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:80#2!5 udp/0.0.0.0:53#3!1");
        h.visibilities[PROTOCOL_TCP] = unseen[i];
        host_poll(&h, "udp/0.0.0.0:53#3!2");
        host_poll(&h, "udp/0.0.0.0:53#4!3");
        assert_history(&h, "udp/0.0.0.0:53=5/1"); /* the other class went on */
        h.visibilities[PROTOCOL_TCP] = VISIBILITY_OK;
        host_poll(&h, "0.0.0.0:80#1!6 0.0.0.0:80#2!7 udp/0.0.0.0:53#4!3");
        assert_history(&h, "tcp/0.0.0.0:80=13/0 udp/0.0.0.0:53=5/1");
        host_done(&h);
    }
}

static void what_changed_while_a_class_failed_is_noticed(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!5 0.0.0.0:82#3!5 0.0.0.0:83#4!5 0.0.0.0:83#5!5");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:80#6!1 0.0.0.0:81#2!5 0.0.0.0:83#5!6");
    assert_history(&h, "tcp/0.0.0.0:80=6/1 tcp/0.0.0.0:81=5/0 tcp/0.0.0.0:83=11/0");
    host_poll(&h, "0.0.0.0:82#7!1 0.0.0.0:83#5!6 0.0.0.0:83#8!0");
    assert_history(&h, "tcp/0.0.0.0:82=6/1 tcp/0.0.0.0:83=11/1");
    host_done(&h);
}

static void a_service_that_was_gone_before_its_class_failed_stays_gone(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!5");
    host_poll(&h, "");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:80#2!1");
    assert_history(&h, "tcp/0.0.0.0:80=6/1");
    host_done(&h);
}

/* A protocol without its kernel module has no sockets, which is known. */
static void an_absent_class_loses_no_history(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "sctp/0.0.0.0:80#1!5");
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_ABSENT;
    host_poll(&h, "");
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_OK;
    host_poll(&h, "sctp/0.0.0.0:80#2!1");
    assert_history(&h, "sctp/0.0.0.0:80=6/1");
    host_done(&h);
}

static void a_service_that_the_limit_cut_is_no_restart(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!5");
    host_poll(&h, "0.0.0.0:22#3 0.0.0.0:80#1!6 0.0.0.0:81#2!6");
    assert_history(&h, "tcp/0.0.0.0:22=0/0 tcp/0.0.0.0:80=6/0");
    assert_int_equal(listener_table_class(h.table, PROTOCOL_TCP)->cut, 1);
    host_poll(&h, "0.0.0.0:21#4 0.0.0.0:22#3 0.0.0.0:80#1!7 0.0.0.0:81#2!7");
    assert_history(&h, "tcp/0.0.0.0:21=0/0 tcp/0.0.0.0:22=0/0");
    host_poll(&h, "0.0.0.0:80#1!8 0.0.0.0:81#2!8");
    assert_history(&h, "tcp/0.0.0.0:80=8/0 tcp/0.0.0.0:81=8/0");
    host_done(&h);
}

/* So many services of which the first are remembered, beyond the limit those
 * that are expected. */
static void what_has_gone_is_remembered_up_to_the_limit(void **state)
{
    static const char before[] = "0.0.0.0:1#1!1 0.0.0.0:2#2!1 0.0.0.0:3#3!1 0.0.0.0:4#4!1 0.0.0.0:5#5!1 "
                                 "udp/0.0.0.0:5#6!1";
    static const char after[] = "0.0.0.0:1#11 0.0.0.0:2#12 0.0.0.0:3#13 0.0.0.0:4#14 0.0.0.0:5#15 "
                                "udp/0.0.0.0:5#16";
    struct port_range ports[] = {{5, 5}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_UDP, .ports = ports, .port_count = 1}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};
    static const struct {
        size_t limit;
        const char *history;
    } cases[] = {
        {0, "tcp/0.0.0.0:1=0/0 tcp/0.0.0.0:2=0/0 tcp/0.0.0.0:3=0/0 tcp/0.0.0.0:4=0/0 tcp/0.0.0.0:5=0/0 "
            "udp/0.0.0.0:5=1/1"},
        {2, "tcp/0.0.0.0:1=1/1 tcp/0.0.0.0:2=1/1 tcp/0.0.0.0:3=0/0 tcp/0.0.0.0:4=0/0 tcp/0.0.0.0:5=0/0 "
            "udp/0.0.0.0:5=1/1"},
        {5, "tcp/0.0.0.0:1=1/1 tcp/0.0.0.0:2=1/1 tcp/0.0.0.0:3=1/1 tcp/0.0.0.0:4=1/1 tcp/0.0.0.0:5=1/1 "
            "udp/0.0.0.0:5=1/1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct host h = host_of(100, &policy);

        host_poll(&h, before);
        h.limit = cases[i].limit;
        host_poll(&h, "");
        h.limit = 100;
        host_poll(&h, after);
        assert_history(&h, cases[i].history);
        host_done(&h);
    }
}

/* Ports that come and go for ever do not pile up. */
static void what_goes_bit_by_bit_is_limited_too(void **state)
{
    struct host h = host_of(3, &no_policy);
    struct listener_builder *b = builder(100, &no_policy);
    struct listener_row row = row_of("0.0.0.0:1");
    size_t count, remembered = 0;
    const struct listener *l;

    (void)state;
    for (row.port = 1; row.port <= 50; row.port++) {
        char socket[64];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%u#%u", row.port, row.port);
        host_poll(&h, socket);
        row.cookie = 100u + row.port;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    host_poll(&h, "");
    host_seal(&h, b); /* all of them come back */
    l = listener_table_all(h.table, &count);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++)
        remembered += l[i].restarts;
    assert_int_equal(remembered, 3);
    host_done(&h);
}

static void sockets_are_missing_until_they_have_gone(void **state)
{
    struct host h = host_of(100, &no_policy);
    struct listener_builder *b;

    (void)state;
    host_poll(&h, "0.0.0.0:80#1 0.0.0.0:81#2");
    host_poll(&h, "0.0.0.0:81#2");
    b = builder(100, &no_policy);
    assert_int_equal(listener_builder_missing(b, h.table, PROTOCOL_TCP), 1);
    listener_builder_free(b);
    host_done(&h);
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
    struct listener_builder *b = builder(10, &no_policy);
    const struct listener *l;
    struct listener_table *t;
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
    assert_int_equal(first->references, 2);
    assert_int_equal(second->references, 1);
    assert_string_equal(first->holders[0].process, "mariadbd");
    listener_table_free(t);
}

static void a_builder_only_borrows_owners(void **state)
{
    struct owner_set *owners = some_owners();
    struct listener_builder *b = builder(10, &no_policy);

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    assert_int_equal(owners->references, 1);
    listener_builder_drop(b, PROTOCOL_TCP);
    assert_int_equal(owners->references, 1);
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    listener_builder_free(b);
    assert_int_equal(owners->references, 1);
    owner_set_unref(owners);
}

static void a_socket_that_is_left_out_keeps_no_owners(void **state)
{
    struct owner_set *owners = some_owners();
    struct listener_builder *b = builder(1, &no_policy);
    struct listener_table *t;

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners); /* seen twice */
    adds_an_owned_socket(b, "0.0.0.0:81#2", owners); /* beyond the limit */
    t = seal(b);
    assert_listeners(t, "tcp/0.0.0.0:80");
    assert_int_equal(owners->references, 2);
    listener_table_free(t);
    assert_int_equal(owners->references, 1);
    owner_set_unref(owners);
}

static void what_has_gone_keeps_no_owners(void **state)
{
    struct owner_set *owners = some_owners();
    struct host h = host_of(100, &no_policy);
    struct listener_builder *b = builder(100, &no_policy);

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    adds_an_owned_socket(b, "udp/0.0.0.0:53#2", owners);
    host_seal(&h, b);
    assert_int_equal(owners->references, 3);
    host_poll_without(&h, PROTOCOL_UDP, ""); /* one is gone, the other cannot be seen */
    assert_int_equal(owners->references, 1);
    b = builder(100, &no_policy);
    adds_an_owned_socket(b, "0.0.0.0:80#3", owners);
    adds_an_owned_socket(b, "udp/0.0.0.0:53#2", owners);
    host_seal(&h, b);
    assert_history(&h, "tcp/0.0.0.0:80=0/1 udp/0.0.0.0:53=0/0");
    assert_int_equal(owners->references, 3);
    host_done(&h);
    assert_int_equal(owners->references, 1);
    owner_set_unref(owners);
}

/* A generator of our own: the same steps on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

enum { LIVES_MAX = 6 };

/* One service, as it really is, and what of it must have been counted. */
struct model {
    struct {
        uint64_t cookie;
        uint32_t drops;
        uint32_t counted; /* of the drops, when it was last seen */
        bool seen;
    } sockets[LIVES_MAX];
    uint32_t count;
    uint64_t next_cookie;
    uint32_t peak; /* most sockets that were seen together */
    uint64_t drops, restarts;
};

/* Sockets go and come, and all drop something. */
static void model_live(struct model *m, uint32_t *seed)
{
    uint32_t kept = 0, leave_percent = next_random(seed) % 3 * 50;

    for (uint32_t i = 0; i < m->count; i++)
        if (next_random(seed) % 100 >= leave_percent)
            m->sockets[kept++] = m->sockets[i];
    m->count = kept;
    for (uint32_t fresh = next_random(seed) % 3; fresh > 0 && m->count < LIVES_MAX; fresh--) {
        memset(&m->sockets[m->count], 0, sizeof m->sockets[m->count]);
        m->sockets[m->count].drops = next_random(seed) % 2 * UINT32_MAX; /* about to wrap */
        m->sockets[m->count++].cookie = m->next_cookie++;
    }
    for (uint32_t i = 0; i < m->count; i++)
        m->sockets[i].drops += next_random(seed) % 1000;
}

static void model_see(struct model *m)
{
    uint32_t stayed = 0;

    for (uint32_t i = 0; i < m->count; i++) {
        stayed += m->sockets[i].seen;
        m->sockets[i].seen = true;
        m->drops += (uint32_t)(m->sockets[i].drops - m->sockets[i].counted);
        m->sockets[i].counted = m->sockets[i].drops;
    }
    m->restarts += m->count > stayed && stayed < m->peak;
    if (m->count > m->peak)
        m->peak = m->count;
}

static void model_add(const struct model *m, struct listener_builder *b, struct owner_set *owners)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct listener_row row = row_of("0.0.0.0:80");

        row.cookie = m->sockets[i].cookie;
        row.drops.known = true;
        row.drops.count = m->sockets[i].drops;
        row.owners = owners;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Other services, so many that the limit cuts some. */
static void add_noise(struct listener_builder *b, uint32_t *seed, bool with_tcp, struct owner_set *owners)
{
    for (uint32_t i = next_random(seed) % 12; i > 0; i--) {
        struct listener_row row = row_of(next_random(seed) % 2 && with_tcp ? "0.0.0.0:1" : "udp/0.0.0.0:1");

        row.port = (uint16_t)(70 + next_random(seed) % 20);
        row.cookie = 1 + next_random(seed) % 50;
        row.auto_port = row.port == 80 || next_random(seed) % 4 == 0;
        row.owners = owners;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Whatever happens around it, and however often it cannot be seen, an expected
 * service is followed exactly. */
static void an_expected_service_is_followed_for_ever(void **state)
{
    struct port_range ports[] = {{80, 80}};
    struct expect expects[] = {{.match = {.protocol = PROTOCOL_TCP, .ports = ports, .port_count = 1}}};
    const struct policy policy = {.expects = expects, .expect_count = 1};

    (void)state;
    for (uint32_t run = 1; run <= 100; run++) {
        uint32_t seed = run * 2654435761u;
        struct owner_set *owners = some_owners();
        struct host h = host_of(next_random(&seed) % 5, &policy);
        struct model m = {.next_cookie = 1000};

        for (int step = 0; step < 100; step++) {
            struct listener_builder *b = builder(h.limit, &policy);
            bool is_seen = next_random(&seed) % 4 > 0;
            const struct listener *l;
            size_t count;

            model_live(&m, &seed);
            h.visibilities[PROTOCOL_TCP] = is_seen ? VISIBILITY_OK : VISIBILITY_FAILED;
            add_noise(b, &seed, is_seen, owners);
            if (is_seen) {
                model_add(&m, b, owners);
                model_see(&m);
            }
            host_seal(&h, b);
            l = listener_table_port(h.table, PROTOCOL_TCP, 80, &count);
            if (!is_seen || m.count == 0) {
                assert_true(!l || l->auto_port);
                continue;
            }
            assert_non_null(l);
            assert_false(l->auto_port);
            assert_int_equal(l->sockets, m.count);
            assert_int_equal(l->drops.count, m.drops);
            assert_int_equal(l->restarts, m.restarts);
        }
        assert_true(m.restarts > 10);
        host_done(&h);
        assert_int_equal(owners->references, 1);
        owner_set_unref(owners);
    }
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    listener_table_free(NULL);
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
        cmocka_unit_test(a_port_that_the_kernel_chose_is_a_service_of_its_own),
        cmocka_unit_test(a_limit_of_zero_divides_by_nothing),
        cmocka_unit_test(a_group_of_several_owners_has_no_known_one),
        cmocka_unit_test(a_socket_seen_twice_counts_once),
        cmocka_unit_test(sockets_of_unknown_cookie_are_all_counted),
        cmocka_unit_test(the_limit_cuts_services_and_counts_them_by_class),
        cmocka_unit_test(the_limit_never_cuts_an_expected_port),
        cmocka_unit_test(a_limit_of_zero_keeps_expected_ports_only),
        cmocka_unit_test(a_flood_of_sockets_is_cut_but_for_expected_ports),
        cmocka_unit_test(dropping_takes_back_one_class),
        cmocka_unit_test(after_a_drop_the_class_may_be_added_again),
        cmocka_unit_test(missing_counts_the_sockets_that_are_not_there_again),
        cmocka_unit_test(missing_is_not_fooled_by_repeated_sockets),
        cmocka_unit_test(a_second_look_adds_only_what_the_first_missed),
        cmocka_unit_test(a_second_look_passes_over_no_unknown_cookie),
        cmocka_unit_test(second_looks_go_from_protocol_to_protocol),
        cmocka_unit_test(a_drop_ends_a_second_look),
        cmocka_unit_test(a_second_look_takes_no_room_twice),
        cmocka_unit_test(what_both_looks_cut_is_counted_once),
        cmocka_unit_test(a_flood_of_one_protocol_takes_no_room_of_another),
        cmocka_unit_test(a_drop_gives_the_room_back),
        cmocka_unit_test(classes_are_kept_apart),
        cmocka_unit_test(a_port_is_found_with_all_its_listeners),
        cmocka_unit_test(names_come_from_the_given_services),
        cmocka_unit_test(rows_can_be_completed_before_they_are_sealed),
        cmocka_unit_test(drops_and_restarts_go_on_from_table_to_table),
        cmocka_unit_test(a_group_is_followed_as_one_service),
        cmocka_unit_test(every_bind_has_a_history_of_its_own),
        cmocka_unit_test(a_service_that_moves_is_another_one),
        cmocka_unit_test(a_service_that_comes_back_keeps_its_history),
        cmocka_unit_test(what_has_gone_is_not_listed),
        cmocka_unit_test(a_class_that_failed_in_between_is_no_restart),
        cmocka_unit_test(what_changed_while_a_class_failed_is_noticed),
        cmocka_unit_test(a_service_that_was_gone_before_its_class_failed_stays_gone),
        cmocka_unit_test(an_absent_class_loses_no_history),
        cmocka_unit_test(a_service_that_the_limit_cut_is_no_restart),
        cmocka_unit_test(what_has_gone_is_remembered_up_to_the_limit),
        cmocka_unit_test(what_goes_bit_by_bit_is_limited_too),
        cmocka_unit_test(sockets_are_missing_until_they_have_gone),
        cmocka_unit_test(a_table_keeps_the_owners_of_its_sockets),
        cmocka_unit_test(a_builder_only_borrows_owners),
        cmocka_unit_test(a_socket_that_is_left_out_keeps_no_owners),
        cmocka_unit_test(what_has_gone_keeps_no_owners),
        cmocka_unit_test(an_expected_service_is_followed_for_ever),
        cmocka_unit_test(nothing_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
