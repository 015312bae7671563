#include "core/snapshot.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

static struct conn_table *connections(void)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    assert_non_null(c);
    assert_int_equal(conn_counter_add(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    assert_int_equal(conn_counter_add(c, PROTOCOL_UDP, 53, STATE_CLOSE), 0);
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c);
    assert_non_null(t);
    conn_counter_free(c);
    return t;
}

static void polls_are_named_as_in_the_metrics(void **state)
{
    (void)state;
    assert_string_equal(poll_name(POLL_LISTENERS), "listeners");
    assert_string_equal(poll_name(POLL_CONNECTIONS), "connections");
}

static void connections_of_a_port_are_those_of_the_table(void **state)
{
    struct snapshot s = {.connections = connections()};

    (void)state;
    assert_int_equal(snapshot_connections(&s, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    snapshot_done(&s);
}

static void a_port_without_sockets_has_a_row_of_zeros(void **state)
{
    struct snapshot s = {.connections = connections()};
    const uint32_t *row = snapshot_connections(&s, PROTOCOL_TCP, 81);

    (void)state;
    assert_non_null(row);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(row[i], 0);
    snapshot_done(&s);
}

static void what_was_not_read_is_not_zero(void **state)
{
    struct snapshot unread = {0}, half = {.connections = connections()};

    (void)state;
    assert_null(snapshot_connections(&unread, PROTOCOL_TCP, 80));
    assert_null(snapshot_connections(&half, PROTOCOL_UDP, 53)); /* counted, but not to the end */
    assert_null(snapshot_connections(&half, PROTOCOL_SCTP, 53));
    snapshot_done(&unread);
    snapshot_done(&half);
}

static void done_frees_the_tables(void **state)
{
    static const struct policy policy;
    struct listener_builder *b = listener_builder_new(1, &policy);
    struct snapshot s = {.polled[POLL_LISTENERS].mono_ms = 1};

    (void)state;
    add_rows(b, "0.0.0.0:80", 1);
    s.listeners = listener_table_seal(b, NULL, NULL);
    s.connections = connections();
    snapshot_done(&s);
    assert_null(s.listeners);
    assert_null(s.connections);
    assert_int_equal(s.polled[POLL_LISTENERS].mono_ms, 0);
    snapshot_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polls_are_named_as_in_the_metrics),
        cmocka_unit_test(connections_of_a_port_are_those_of_the_table),
        cmocka_unit_test(a_port_without_sockets_has_a_row_of_zeros),
        cmocka_unit_test(what_was_not_read_is_not_zero),
        cmocka_unit_test(done_frees_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
