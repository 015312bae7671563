#include "core/conn_table.h"
#include "tests/unit/unit.h"

/* Counts a socket n times. */
static void count(struct conn_counter *c, enum protocol protocol, uint16_t port, enum sock_state socket_state,
                  unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(conn_counter_add(c, protocol, port, (uint8_t)socket_state), 0);
}

static void counts_by_protocol_port_and_state(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    count(c, PROTOCOL_TCP, 3306, STATE_ESTABLISHED, 3);
    count(c, PROTOCOL_TCP, 22, STATE_CLOSING, 1);
    count(c, PROTOCOL_TCP, 3306, STATE_TIME_WAIT, 2);
    count(c, PROTOCOL_UDP, 3306, STATE_CLOSE, 5);
    t = conn_counter_seal(c);
    assert_non_null(t);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_ESTABLISHED], 3);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_TIME_WAIT], 2);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_CLOSE], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 22)[STATE_CLOSING], 1);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 22)[STATE_ESTABLISHED], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 3306)[STATE_CLOSE], 5);
    assert_null(conn_table_port(t, PROTOCOL_UDP, 22));
    assert_null(conn_table_port(t, PROTOCOL_SCTP, 22));
    conn_table_free(t);
    conn_counter_free(c);
}

static void totals_are_the_sum_over_all_ports(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const uint64_t *totals;
    struct conn_table *t;

    (void)state;
    for (unsigned port = 0; port < 1000; port++)
        count(c, PROTOCOL_TCP, (uint16_t)(port * 65), STATE_ESTABLISHED, 2);
    count(c, PROTOCOL_TCP, 65535, STATE_LISTEN, 1);
    t = conn_counter_seal(c);
    totals = conn_table_totals(t, PROTOCOL_TCP);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(totals[i], i == STATE_ESTABLISHED ? 2000 : i == STATE_LISTEN ? 1 : 0);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(conn_table_totals(t, PROTOCOL_UDP)[i], 0);
    conn_table_free(t);
    conn_counter_free(c);
}

static void finds_every_port_wherever_it_was_counted(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    for (unsigned port = 65536; port-- > 0;)
        if (port % 3 == 0)
            count(c, PROTOCOL_TCP, (uint16_t)port, STATE_ESTABLISHED, 1 + port % 2);
    t = conn_counter_seal(c);
    for (unsigned port = 0; port < 65536; port++) {
        const uint32_t *row = conn_table_port(t, PROTOCOL_TCP, (uint16_t)port);

        if (port % 3 != 0) {
            assert_null(row);
            continue;
        }
        assert_non_null(row);
        for (size_t i = 0; i < STATE_COUNT; i++)
            assert_int_equal(row[i], i == STATE_ESTABLISHED ? 1 + port % 2 : 0);
    }
    conn_table_free(t);
    conn_counter_free(c);
}

static void refuses_states_that_a_newer_kernel_may_send(void **state)
{
    static const uint8_t states[] = {0, STATE_COUNT, STATE_COUNT + 1, 13, 255};
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        assert_int_equal(conn_counter_add(c, PROTOCOL_TCP, 80, states[i]), -EINVAL);
    t = conn_counter_seal(c);
    assert_null(conn_table_port(t, PROTOCOL_TCP, 80));
    conn_table_free(t);
    conn_counter_free(c);
}

static void accepts_every_state_of_the_kernel(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    for (uint8_t i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        assert_int_equal(conn_counter_add(c, PROTOCOL_TCP, 80, i), 0);
    t = conn_counter_seal(c);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[i], i > 0);
    conn_table_free(t);
    conn_counter_free(c);
}

static void a_reset_forgets_one_protocol_only(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 2);
    count(c, PROTOCOL_UDP, 53, STATE_CLOSE, 1);
    conn_counter_complete(c, PROTOCOL_TCP);
    conn_counter_complete(c, PROTOCOL_UDP);
    conn_counter_reset(c, PROTOCOL_TCP);
    count(c, PROTOCOL_TCP, 80, STATE_TIME_WAIT, 1);
    t = conn_counter_seal(c);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_TIME_WAIT], 1);
    assert_int_equal(conn_table_totals(t, PROTOCOL_TCP)[STATE_ESTABLISHED], 0);
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_CLOSE], 1);
    assert_true(conn_table_complete(t, PROTOCOL_UDP));
    conn_table_free(t);
    conn_counter_free(c);
}

static void sealing_empties_the_counter(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *first, *second;

    (void)state;
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 7);
    conn_counter_complete(c, PROTOCOL_TCP);
    first = conn_counter_seal(c);
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1);
    count(c, PROTOCOL_TCP, 81, STATE_ESTABLISHED, 1);
    second = conn_counter_seal(c);
    conn_counter_free(c);
    assert_int_equal(conn_table_port(first, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 7);
    assert_null(conn_table_port(first, PROTOCOL_TCP, 81));
    assert_true(conn_table_complete(first, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(second, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    assert_int_equal(conn_table_totals(second, PROTOCOL_TCP)[STATE_ESTABLISHED], 2);
    assert_false(conn_table_complete(second, PROTOCOL_TCP));
    conn_table_free(first);
    conn_table_free(second);
}

static void a_protocol_without_sockets_may_be_complete(void **state)
{
    struct conn_counter *c = conn_counter_new();
    struct conn_table *t;

    (void)state;
    conn_counter_complete(c, PROTOCOL_SCTP);
    t = conn_counter_seal(c);
    assert_true(conn_table_complete(t, PROTOCOL_SCTP));
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_null(conn_table_port(t, PROTOCOL_SCTP, 0));
    conn_table_free(t);
    conn_counter_free(c);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    conn_table_free(NULL);
    conn_counter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_protocol_port_and_state),
        cmocka_unit_test(totals_are_the_sum_over_all_ports),
        cmocka_unit_test(finds_every_port_wherever_it_was_counted),
        cmocka_unit_test(refuses_states_that_a_newer_kernel_may_send),
        cmocka_unit_test(accepts_every_state_of_the_kernel),
        cmocka_unit_test(a_reset_forgets_one_protocol_only),
        cmocka_unit_test(sealing_empties_the_counter),
        cmocka_unit_test(a_protocol_without_sockets_may_be_complete),
        cmocka_unit_test(nothing_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
