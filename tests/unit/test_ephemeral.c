#include "core/ephemeral.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"

#include <stdio.h>

enum { FIRST = 32768, LAST = 60999 };

/* Ports from first to last that connect() may choose from. */
static struct local_ports ports_of(uint16_t first, uint16_t last)
{
    struct local_ports ports = {.known = true, .range = {first, last}};

    for (unsigned port = first; port <= last; port++)
        port_set_put(&ports.free, (uint16_t)port);
    return ports;
}

static struct ephemeral_counter *counter_of(uint16_t first, uint16_t last)
{
    const struct local_ports ports = ports_of(first, last);
    struct ephemeral_counter *c = ephemeral_counter_new(NULL);

    assert_non_null(c);
    ephemeral_counter_begin(c, &ports);
    return c;
}

static struct ip_addr address_of(const char *text)
{
    struct ip_addr address;

    assert_int_equal(ip_addr_parse(text, &address), 0);
    return address;
}

/* Counts a socket from a local port. */
static void use(struct ephemeral_counter *c, const char *source, uint16_t local_port, const char *destination,
                uint16_t port, enum sock_state socket_state)
{
    const struct connection connection = {
        .local = address_of(source),
        .remote = address_of(destination),
        .local_port = local_port,
        .remote_port = port,
        .state = (uint8_t)socket_state,
    };

    if (socket_state == STATE_LISTEN)
        ephemeral_counter_listen(c, local_port);
    assert_int_equal(ephemeral_counter_add(c, &connection), 0);
}

/* From so many ports on, one after the other. */
static void use_many(struct ephemeral_counter *c, const char *destination, uint16_t port, uint16_t first,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        use(c, "192.0.2.1", (uint16_t)(first + i), destination, port, STATE_ESTABLISHED);
}

static void assert_fullest(const struct ephemeral *e, const char *source, const char *destination,
                           uint16_t port)
{
    const struct ip_addr from = address_of(source), to = address_of(destination);

    assert_int_equal(ip_addr_compare(&e->source, &from), 0);
    assert_int_equal(ip_addr_compare(&e->destination, &to), 0);
    assert_int_equal(e->port, port);
}

static void the_fullest_tuple_is_told(void **state)
{
    struct ephemeral_counter *c = counter_of(FIRST, LAST);
    struct ephemeral e;

    (void)state;
    use_many(c, "192.0.2.9", 3306, FIRST, 40);
    use_many(c, "192.0.2.10", 3306, FIRST, 50);
    use_many(c, "192.0.2.10", 3307, FIRST, 45);
    use(c, "192.0.2.2", 50000, "192.0.2.10", 3306, STATE_ESTABLISHED); /* from elsewhere: another tuple */
    e = ephemeral_counter_result(c);
    assert_true(e.known);
    assert_int_equal(e.range.first, FIRST);
    assert_int_equal(e.range.last, LAST);
    assert_int_equal(e.available, 28232);
    assert_int_equal(e.used, 50);
    assert_int_equal(e.unsure, 0);
    assert_int_equal(e.forgotten, 0);
    assert_fullest(&e, "192.0.2.1", "192.0.2.10", 3306);
    ephemeral_counter_free(c);
}

static void a_port_may_be_chosen_for_each_destination(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    struct ephemeral e;

    (void)state;
    use_many(c, "192.0.2.9", 3306, 40000, 40);
    use_many(c, "192.0.2.10", 3306, 40000, 40);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.available, 64);
    assert_int_equal(e.used, 40);
    ephemeral_counter_free(c);
}

static void every_state_holds_its_port(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    unsigned states = 0;

    (void)state;
    for (int s = STATE_ESTABLISHED; s < STATE_COUNT; s++)
        if (s != STATE_LISTEN && s != STATE_CLOSE)
            use(c, "192.0.2.1", (uint16_t)(40000 + states++), "192.0.2.9", 80, (enum sock_state)s);
    assert_int_equal(ephemeral_counter_result(c).used, states);
    assert_int_equal(ephemeral_counter_result(c).available, 64);
    ephemeral_counter_free(c);
}

/* A server's sockets, those on ports that programs asked for, and those of ports
 * that were reserved later. */
static void only_ports_that_may_be_chosen_count(void **state)
{
    struct local_ports ports = ports_of(40000, 40063);
    struct ephemeral_counter *c = ephemeral_counter_new(NULL);
    struct ephemeral e;

    (void)state;
    assert_non_null(c);
    for (uint16_t port = 40010; port < 40020; port++)
        port_set_remove(&ports.free, port);
    ephemeral_counter_begin(c, &ports);
    use(c, "0.0.0.0", 40000, "0.0.0.0", 0, STATE_LISTEN);
    use(c, "::", 40001, "::", 0, STATE_LISTEN);
    use(c, "::", 40001, "::", 0, STATE_LISTEN);   /* SO_REUSEPORT: once */
    use(c, "::", 40010, "::", 0, STATE_LISTEN);   /* reserved anyway */
    use(c, "0.0.0.0", 80, "::", 0, STATE_LISTEN); /* not of the range */
    for (unsigned i = 0; i < 5; i++) {
        use(c, "192.0.2.1", 40000, "192.0.2.9", 80, STATE_ESTABLISHED);
        use(c, "192.0.2.1", 40015, "192.0.2.9", 80, STATE_ESTABLISHED);
        use(c, "192.0.2.1", 39999, "192.0.2.9", 80, STATE_ESTABLISHED);
        use(c, "192.0.2.1", 40064, "192.0.2.9", 80, STATE_ESTABLISHED);
    }
    assert_int_equal(ephemeral_counter_result(c).used, 0);
    use(c, "192.0.2.1", 40063, "192.0.2.9", 80, STATE_ESTABLISHED);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.used, 1);
    assert_int_equal(e.available, 64 - 10 - 2);
    ephemeral_counter_free(c);
}

static void mapped_addresses_are_ipv4(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    struct ephemeral e;

    (void)state;
    use(c, "192.0.2.1", 40000, "192.0.2.9", 80, STATE_ESTABLISHED);
    use(c, "::ffff:192.0.2.1", 40001, "::ffff:192.0.2.9", 80, STATE_TIME_WAIT);
    use(c, "2001:db8::1", 40001, "2001:db8::9", 80, STATE_ESTABLISHED);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.used, 2);
    assert_fullest(&e, "192.0.2.1", "192.0.2.9", 80);
    use(c, "2001:db8::1", 40002, "2001:db8::9", 80, STATE_ESTABLISHED);
    use(c, "2001:db8::1", 40003, "2001:db8::9", 80, STATE_ESTABLISHED);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.used, 3);
    assert_fullest(&e, "2001:db8::1", "2001:db8::9", 80);
    ephemeral_counter_free(c);
}

static void a_range_of_one_port_is_exhausted_by_one_socket(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40000);
    struct ephemeral e = ephemeral_counter_result(c);

    (void)state;
    assert_int_equal(e.available, 1);
    assert_true(ephemeral_ratio(&e, e.used) == 0);
    use(c, "192.0.2.1", 40000, "192.0.2.9", 80, STATE_SYN_SENT);
    e = ephemeral_counter_result(c);
    assert_true(ephemeral_ratio(&e, e.used) == 1);
    ephemeral_counter_free(c);
}

static void where_no_port_is_available_none_is_left(void **state)
{
    const struct local_ports reserved = {.known = true, .range = {40000, 40063}};
    struct ephemeral_counter *c = ephemeral_counter_new(NULL);
    struct ephemeral e;

    (void)state;
    assert_non_null(c);
    ephemeral_counter_begin(c, &reserved);
    use_many(c, "192.0.2.9", 80, 40000, 64);
    e = ephemeral_counter_result(c);
    assert_true(e.known);
    assert_int_equal(e.available, 0);
    assert_int_equal(e.used, 0);
    assert_int_equal(e.unsure, 0);
    assert_true(ephemeral_ratio(&e, e.used) == 1);
    ephemeral_counter_free(c);
}

static void a_socket_that_is_listed_twice_makes_no_more_than_all(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    struct ephemeral e;

    (void)state;
    use_many(c, "192.0.2.9", 80, 40000, 64);
    use_many(c, "192.0.2.9", 80, 40000, 3);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.used, 64);
    assert_int_equal(e.unsure, 0);
    ephemeral_counter_free(c);
}

static void ports_that_are_not_known_are_not_none(void **state)
{
    const struct local_ports unknown = {.known = false, .range = {40000, 40063}};
    struct ephemeral_counter *c = counter_of(40000, 40063);

    (void)state;
    ephemeral_counter_begin(c, &unknown);
    use_many(c, "192.0.2.9", 80, 40000, 64);
    assert_false(ephemeral_counter_result(c).known);
    ephemeral_counter_free(c);
    c = ephemeral_counter_new(NULL); /* which never began */
    assert_false(ephemeral_counter_result(c).known);
    ephemeral_counter_free(c);
    ephemeral_counter_free(NULL);
}

static void a_range_may_change_from_count_to_count(void **state)
{
    const struct local_ports later = ports_of(50000, 50009);
    struct ephemeral_counter *c = counter_of(40000, 40063);
    struct ephemeral e;

    (void)state;
    use(c, "0.0.0.0", 40005, "0.0.0.0", 0, STATE_LISTEN);
    use_many(c, "192.0.2.9", 80, 40000, 64);
    ephemeral_counter_reset(c);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.available, 63); /* who listens still does */
    assert_int_equal(e.used, 0);
    ephemeral_counter_begin(c, &later);
    use_many(c, "192.0.2.9", 80, 40000, 64);
    use_many(c, "192.0.2.10", 80, 50004, 64);
    e = ephemeral_counter_result(c);
    assert_int_equal(e.available, 10);
    assert_int_equal(e.used, 6);
    assert_fullest(&e, "192.0.2.1", "192.0.2.10", 80);
    ephemeral_counter_free(c);
}

static void each_part_makes_a_difference(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    struct ephemeral e, other;

    (void)state;
    use_many(c, "192.0.2.9", 80, 40000, 5);
    e = ephemeral_counter_result(c);
    other = e;
    assert_true(ephemeral_is_same(&e, &other));
#define DIFFERS(field, value)                        \
    do {                                             \
        other = e;                                   \
        other.field = (value);                       \
        assert_false(ephemeral_is_same(&e, &other)); \
    } while (0)
    DIFFERS(known, false);
    DIFFERS(range.first, 1);
    DIFFERS(range.last, 1);
    DIFFERS(available, 1);
    DIFFERS(used, 1);
    DIFFERS(unsure, 1);
    DIFFERS(port, 1);
    DIFFERS(source.bytes[3], 9);
    DIFFERS(destination.bytes[3], 1);
#undef DIFFERS
    ephemeral_counter_free(c);
}

/* Many tuples: what is told beside what is true. */

enum { IDS_MAX = 1 << 21 };

struct crowd {
    struct ephemeral_counter *counter;
    uint16_t *used; /* by each tuple, really */
    uint32_t fullest;
    uint64_t sockets;
};

static void crowd_init(struct crowd *w)
{
    *w = (struct crowd){.counter = counter_of(1024, 65535), .used = calloc(IDS_MAX, sizeof *w->used)};
    assert_non_null(w->used);
}

static void crowd_done(struct crowd *w)
{
    ephemeral_counter_free(w->counter);
    free(w->used);
}

/* Adds a socket of a tuple, on its next port. */
static void crowd_add(struct crowd *w, uint32_t id)
{
    const struct connection connection = {
        .local = {.version = 4, .bytes = {192, 0, 2, 1}},
        .remote = {.version = 4, .bytes = {10, (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}},
        .local_port = (uint16_t)(1024 + w->used[id]),
        .remote_port = 80,
        .state = STATE_ESTABLISHED,
    };

    if (w->used[id] == 65535 - 1024)
        return;
    w->used[id]++;
    w->fullest = w->used[id] > w->fullest ? w->used[id] : w->fullest;
    w->sockets++;
    assert_int_equal(ephemeral_counter_add(w->counter, &connection), 0);
}

/* What is told is never too much, and too little by no more than is said. */
static struct ephemeral crowd_check(const struct crowd *w)
{
    struct ephemeral e = ephemeral_counter_result(w->counter);
    uint32_t id = (uint32_t)e.destination.bytes[1] << 16 | (uint32_t)e.destination.bytes[2] << 8 |
                  e.destination.bytes[3];

    assert_true(e.known);
    assert_true(e.used >= 1);
    assert_true(e.used <= w->used[id]);
    assert_true(e.used <= w->fullest);
    assert_true(w->fullest <= e.used + e.unsure);
    assert_true(e.unsure <= 4 * w->sockets / (3 * EPHEMERAL_TUPLES));
    return e;
}

static void as_many_tuples_as_there_is_room_for_are_exact(void **state)
{
    struct crowd w;
    struct ephemeral e;
    uint32_t seed = 1;

    (void)state;
    crowd_init(&w);
    for (unsigned i = 0; i < 300000; i++)
        crowd_add(&w, next_random(&seed) % EPHEMERAL_TUPLES);
    e = crowd_check(&w);
    assert_int_equal(e.used, w.fullest);
    assert_int_equal(e.unsure, 0);
    assert_int_equal(e.forgotten, 0);
    crowd_done(&w);
}

static void one_port_each_is_never_none(void **state)
{
    struct crowd w;
    struct ephemeral e;

    (void)state;
    crowd_init(&w);
    for (uint32_t id = 0; id < 10 * EPHEMERAL_TUPLES; id++)
        crowd_add(&w, id);
    e = crowd_check(&w);
    assert_int_equal(e.used, 1);
    assert_true(e.forgotten > 0);
    crowd_done(&w);
}

/* Somebody without privilege makes as many tuples as he can, in any order, to
 * hide the one that uses 5,000 ports. */
static void many_small_tuples_do_not_hide_a_large_one(void **state)
{
    enum { LARGE = IDS_MAX - 1, PORTS = 5000, NOISE = 1000000 };

    (void)state;
    for (int order = 0; order < 3; order++) {
        struct crowd w;
        struct ephemeral e;

        crowd_init(&w);
        for (unsigned i = 0; order == 0 && i < PORTS; i++)
            crowd_add(&w, LARGE);
        for (uint32_t id = 0; id < NOISE; id++) {
            crowd_add(&w, id);
            if (order == 1 && id % (NOISE / PORTS) == 0)
                crowd_add(&w, LARGE);
        }
        for (unsigned i = 0; order == 2 && i < PORTS; i++)
            crowd_add(&w, LARGE);
        e = crowd_check(&w);
        assert_true(e.used >= PORTS - 164);
        assert_int_equal(e.destination.bytes[1], LARGE >> 16);
        assert_true(e.forgotten > NOISE / 2);
        crowd_done(&w);
    }
}

/* In populations of many kinds, at any moment. */
static void what_is_told_is_bounded_by_what_is_true(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        uint32_t random = seed, spread = 1 + next_random(&random) % 6, skew = next_random(&random) % 3;
        uint32_t tuples = EPHEMERAL_TUPLES / 2 * spread;
        struct crowd w;

        crowd_init(&w);
        for (unsigned i = 0; i < 200000; i++) {
            uint32_t id = next_random(&random) % tuples;

            for (uint32_t k = 0; k < skew; k++) /* the lower, the more often */
                id = next_random(&random) % (id + 1);
            crowd_add(&w, id);
            if (i % 20011 == 0)
                (void)crowd_check(&w);
        }
        (void)crowd_check(&w);
        crowd_done(&w);
    }
}

/* As many are forgotten at once that it is seldom done: tuples as full as they
 * can be, each a little fuller than the one before, and then one by one. */
static void forgetting_is_seldom(void **state)
{
    struct crowd w;
    uint64_t forgotten = 0;
    unsigned times = 0;

    (void)state;
    crowd_init(&w);
    for (uint32_t id = 0; id < EPHEMERAL_TUPLES; id++)
        for (uint32_t i = 0; i <= id / 128; i++)
            crowd_add(&w, id);
    for (uint32_t id = EPHEMERAL_TUPLES; id < 2 * EPHEMERAL_TUPLES; id++) {
        crowd_add(&w, id);
        if (id % 128 != 0)
            continue;
        times += ephemeral_counter_result(w.counter).forgotten != forgotten;
        forgotten = ephemeral_counter_result(w.counter).forgotten;
    }
    assert_in_range(times, 2, 8);
    (void)crowd_check(&w);
    crowd_done(&w);
}

/* Nobody may know where a tuple goes; what is told does not depend on it. */
static void a_secret_changes_nothing_that_is_told(void **state)
{
    const struct local_ports ports = ports_of(FIRST, LAST);
    struct ephemeral first = {0};

    (void)state;
    for (uint64_t i = 0; i < 8; i++) {
        const uint64_t secret[2] = {i * UINT64_C(0x123456789abcdef), ~i};
        struct ephemeral_counter *c = ephemeral_counter_new(secret);
        struct ephemeral e;

        ephemeral_counter_begin(c, &ports);
        for (unsigned port = 1; port <= 300; port++)
            use_many(c, "192.0.2.9", (uint16_t)port, FIRST, port % 7);
        e = ephemeral_counter_result(c);
        if (i == 0)
            first = e;
        assert_true(ephemeral_is_same(&e, &first));
        ephemeral_counter_free(c);
    }
}

/* A crowd leaves no memory behind, and what comes after it is counted as ever. */
static void what_a_crowd_took_is_given_back(void **state)
{
    struct crowd w;

    (void)state;
    crowd_init(&w);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t id = 0; id < 20000; id++)
            crowd_add(&w, id);
        ephemeral_counter_reset(w.counter);
        use_many(w.counter, "192.0.2.9", 80, FIRST, 10);
        ephemeral_counter_reset(w.counter);
        use_many(w.counter, "192.0.2.9", 80, FIRST, 10);
        assert_int_equal(ephemeral_counter_result(w.counter).used, 10);
        assert_int_equal(ephemeral_counter_result(w.counter).forgotten, 0);
        ephemeral_counter_reset(w.counter);
    }
    crowd_done(&w);
}

static void what_memory_is_refused_for_is_not_counted(void **state)
{
    struct ephemeral_counter *c = counter_of(40000, 40063);
    size_t refused = 0;

    (void)state;
    for (uint16_t port = 1; port <= 40; port++) {
        const struct connection connection = {
            .local = address_of("192.0.2.1"),
            .remote = address_of("192.0.2.9"),
            .local_port = 40000,
            .remote_port = port,
            .state = STATE_ESTABLISHED,
        };
        int r;

        for (size_t n = 1;; n++) {
            refuse_nth(n);
            r = ephemeral_counter_add(c, &connection);
            if (!refuse_stop())
                break;
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(ephemeral_counter_result(c).used, port > 1);
            refused++;
        }
        assert_int_equal(r, 0);
    }
    assert_int_equal(ephemeral_counter_result(c).used, 1);
    assert_true(refused > 4);
    ephemeral_counter_free(c);
    refuse_nth(1);
    assert_null(ephemeral_counter_new(NULL));
    assert_true(refuse_stop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_tuple_is_told),
        cmocka_unit_test(a_port_may_be_chosen_for_each_destination),
        cmocka_unit_test(every_state_holds_its_port),
        cmocka_unit_test(only_ports_that_may_be_chosen_count),
        cmocka_unit_test(mapped_addresses_are_ipv4),
        cmocka_unit_test(a_range_of_one_port_is_exhausted_by_one_socket),
        cmocka_unit_test(where_no_port_is_available_none_is_left),
        cmocka_unit_test(a_socket_that_is_listed_twice_makes_no_more_than_all),
        cmocka_unit_test(ports_that_are_not_known_are_not_none),
        cmocka_unit_test(a_range_may_change_from_count_to_count),
        cmocka_unit_test(each_part_makes_a_difference),
        cmocka_unit_test(as_many_tuples_as_there_is_room_for_are_exact),
        cmocka_unit_test(one_port_each_is_never_none),
        cmocka_unit_test(many_small_tuples_do_not_hide_a_large_one),
        cmocka_unit_test(what_is_told_is_bounded_by_what_is_true),
        cmocka_unit_test(forgetting_is_seldom),
        cmocka_unit_test(a_secret_changes_nothing_that_is_told),
        cmocka_unit_test(what_a_crowd_took_is_given_back),
        cmocka_unit_test(what_memory_is_refused_for_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
