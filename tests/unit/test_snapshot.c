#include "core/snapshot.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"
#include "tests/unit/counted.h"

#include <pthread.h>

static const struct conn_table *connections(void)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    assert_non_null(c);
    assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    assert_int_equal(count_socket(c, PROTOCOL_UDP, 53, STATE_CLOSE), 0);
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    conn_counter_free(c);
    return t;
}

static const struct listener_table *listeners(const char *sockets)
{
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *t;

    assert_non_null(b);
    add_rows(b, sockets, 1);
    t = seal_all(b);
    assert_non_null(t);
    listener_builder_free(b);
    return t;
}

/* A snapshot of one space that has the only references to its tables.
 *
 * c   may be NULL */
static const struct snapshot *snapshot_of(const struct listener_table *l, const struct conn_table *c)
{
    const struct space space = {.name = "", .listeners = l, .connections = c};
    const struct snapshot *s = snapshot_new(&space, 1);

    assert_non_null(s);
    listener_table_unref(l);
    conn_table_unref(c);
    return s;
}

static void assert_listeners(const struct space *space, const char *wanted)
{
    char have[256];

    describe_listeners(space->listeners, false, have, sizeof have);
    assert_string_equal(have, wanted);
}

static void connections_of_a_port_are_those_of_the_table(void **state)
{
    const struct snapshot *s = snapshot_of(listeners(""), connections());

    (void)state;
    assert_int_equal(space_connections(snapshot_host(s), PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    snapshot_unref(s);
}

static void a_port_without_sockets_has_a_row_of_zeros(void **state)
{
    const struct snapshot *s = snapshot_of(listeners(""), connections());
    const uint32_t *row = space_connections(snapshot_host(s), PROTOCOL_TCP, 81);

    (void)state;
    assert_non_null(row);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(row[i], 0);
    snapshot_unref(s);
}

static void what_was_not_read_is_not_zero(void **state)
{
    const struct snapshot *unread = snapshot_of(listeners(""), NULL);
    const struct snapshot *half = snapshot_of(listeners(""), connections());

    (void)state;
    assert_null(space_connections(snapshot_host(unread), PROTOCOL_TCP, 80));
    assert_null(space_connections(snapshot_host(half), PROTOCOL_UDP, 53)); /* counted, but not to the end */
    assert_null(space_connections(snapshot_host(half), PROTOCOL_SCTP, 53));
    snapshot_unref(unread);
    snapshot_unref(half);
}

static void a_snapshot_is_a_list_of_spaces(void **state)
{
    const struct listener_table *host = listeners("0.0.0.0:22"), *guest = listeners("0.0.0.0:80");
    const struct space wanted[] = {
        {.name = "", .listeners = host, .caveats = {.route_localnet_known = true}},
        {.name = "guest", .listeners = guest},
    };
    const struct snapshot *s = snapshot_new(wanted, ARRAY_LENGTH(wanted));
    const struct space *spaces;
    size_t count;

    (void)state;
    assert_non_null(s);
    spaces = snapshot_spaces(s, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(spaces, snapshot_host(s));
    assert_string_equal(spaces[0].name, "");
    assert_ptr_equal(spaces[0].listeners, host);
    assert_true(spaces[0].caveats.route_localnet_known);
    assert_false(spaces[0].caveats.route_localnet);
    assert_string_equal(spaces[1].name, "guest");
    assert_ptr_equal(spaces[1].listeners, guest);
    assert_false(spaces[1].caveats.route_localnet_known);
    snapshot_unref(s);
    listener_table_unref(host);
    listener_table_unref(guest);
}

/* What it was made from may change and go. */
static void a_snapshot_owns_its_spaces_and_keeps_their_tables(void **state)
{
    struct space space = {.name = "", .listeners = listeners("0.0.0.0:22"), .connections = connections()};
    const struct snapshot *s = snapshot_new(&space, 1);

    (void)state;
    assert_non_null(s);
    listener_table_unref(space.listeners);
    conn_table_unref(space.connections);
    space = (struct space){0};
    assert_listeners(snapshot_host(s), "tcp/0.0.0.0:22");
    assert_int_equal(space_connections(snapshot_host(s), PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    snapshot_unref(s);
}

static void a_snapshot_lives_until_the_last_lets_go(void **state)
{
    const struct snapshot *s = snapshot_of(listeners("0.0.0.0:22"), NULL);

    (void)state;
    assert_ptr_equal(snapshot_ref(s), s);
    assert_ptr_equal(snapshot_ref(s), s);
    snapshot_unref(s);
    snapshot_unref(s);
    assert_listeners(snapshot_host(s), "tcp/0.0.0.0:22");
    snapshot_unref(s);
}

enum { SHARERS = 4 };

/* Snapshots of one listener table each for two of them, and of one connection
 * table for all: let go of in this order, those that are left stay readable. */
static void let_go(const size_t *order)
{
    const struct listener_table *tables[2] = {listeners("0.0.0.0:22"), listeners("0.0.0.0:80")};
    static const char *const texts[2] = {"tcp/0.0.0.0:22", "tcp/0.0.0.0:80"};
    const struct conn_table *c = connections();
    const struct snapshot *s[SHARERS];

    for (size_t i = 0; i < SHARERS; i++) {
        const struct space space = {.name = "", .listeners = tables[i / 2], .connections = c};

        s[i] = snapshot_new(&space, 1);
        assert_non_null(s[i]);
    }
    listener_table_unref(tables[0]);
    listener_table_unref(tables[1]);
    conn_table_unref(c);
    for (size_t gone = 0; gone < SHARERS; gone++) {
        for (size_t i = gone; i < SHARERS; i++) {
            const struct space *host = snapshot_host(s[order[i]]);

            assert_listeners(host, texts[order[i] / 2]);
            assert_int_equal(space_connections(host, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
        }
        snapshot_unref(s[order[gone]]);
    }
}

/* Every order of four, by choosing which of those left goes next. */
static void shared_tables_live_as_long_as_the_last_snapshot(void **state)
{
    (void)state;
    for (size_t choice = 0; choice < 4 * 3 * 2; choice++) {
        size_t order[SHARERS] = {0, 1, 2, 3}, rest = choice;

        for (size_t i = 0; i < SHARERS; i++) {
            size_t pick = i + rest % (SHARERS - i), picked = order[pick];

            rest /= SHARERS - i;
            order[pick] = order[i];
            order[i] = picked;
        }
        let_go(order);
    }
}

enum { READERS = 4, READS = 500 };

/* Has a reference of its own. */
struct reader {
    pthread_t thread;
    const struct snapshot *snapshot;
    int right; /* how often it read what is there */
};

static void *read_and_let_go(void *arg)
{
    struct reader *r = arg;

    for (int i = 0; i < READS; i++) {
        const struct snapshot *mine = snapshot_ref(r->snapshot);
        const uint32_t *row = space_connections(snapshot_host(mine), PROTOCOL_TCP, 80);
        size_t count;

        r->right += listener_table_all(snapshot_host(mine)->listeners, &count)->port == 22 && count == 1 &&
                    row[STATE_ESTABLISHED] == 1;
        snapshot_unref(mine);
    }
    snapshot_unref(r->snapshot);
    return NULL;
}

/* Whoever made it replaces it in the meantime by others of the same tables. */
static void threads_read_what_is_replaced_under_them(void **state)
{
    const struct snapshot *s = snapshot_of(listeners("0.0.0.0:22"), connections());
    struct reader readers[READERS] = {0};

    (void)state;
    for (size_t i = 0; i < READERS; i++) {
        readers[i].snapshot = snapshot_ref(s);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_and_let_go, &readers[i]), 0);
    }
    for (int i = 0; i < READS; i++) {
        const struct snapshot *next = snapshot_new(snapshot_host(s), 1);

        assert_non_null(next);
        snapshot_unref(s);
        s = next;
    }
    snapshot_unref(s);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].right, READS);
    }
}

static void nothing_can_be_let_go_of(void **state)
{
    (void)state;
    snapshot_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_of_a_port_are_those_of_the_table),
        cmocka_unit_test(a_port_without_sockets_has_a_row_of_zeros),
        cmocka_unit_test(what_was_not_read_is_not_zero),
        cmocka_unit_test(a_snapshot_is_a_list_of_spaces),
        cmocka_unit_test(a_snapshot_owns_its_spaces_and_keeps_their_tables),
        cmocka_unit_test(a_snapshot_lives_until_the_last_lets_go),
        cmocka_unit_test(shared_tables_live_as_long_as_the_last_snapshot),
        cmocka_unit_test(threads_read_what_is_replaced_under_them),
        cmocka_unit_test(nothing_can_be_let_go_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
