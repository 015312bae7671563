#include "core/conn_table.h"
#include "tests/unit/unit.h"
#include "tests/unit/counted.h"

#include <stdio.h>

/* Counts a socket n times. */
static void count(struct conn_counter *c, enum protocol protocol, uint16_t port, enum sock_state socket_state,
                  unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(count_socket(c, protocol, port, (uint8_t)socket_state), 0);
}

static void counts_by_protocol_port_and_state(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    count(c, PROTOCOL_TCP, 3306, STATE_ESTABLISHED, 3);
    count(c, PROTOCOL_TCP, 22, STATE_CLOSING, 1);
    count(c, PROTOCOL_TCP, 3306, STATE_TIME_WAIT, 2);
    count(c, PROTOCOL_UDP, 3306, STATE_CLOSE, 5);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_ESTABLISHED], 3);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_TIME_WAIT], 2);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 3306)[STATE_CLOSE], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 22)[STATE_CLOSING], 1);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 22)[STATE_ESTABLISHED], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 3306)[STATE_CLOSE], 5);
    assert_null(conn_table_port(t, PROTOCOL_UDP, 22));
    assert_null(conn_table_port(t, PROTOCOL_SCTP, 22));
    conn_table_unref(t);
    conn_counter_free(c);
}

static void totals_are_the_sum_over_all_ports(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const uint64_t *totals;
    const struct conn_table *t;

    (void)state;
    for (unsigned port = 0; port < 1000; port++)
        count(c, PROTOCOL_TCP, (uint16_t)(port * 65), STATE_ESTABLISHED, 2);
    count(c, PROTOCOL_TCP, 65535, STATE_LISTEN, 1);
    t = conn_counter_seal(c, NULL);
    totals = conn_table_totals(t, PROTOCOL_TCP);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(totals[i], i == STATE_ESTABLISHED ? 2000 : i == STATE_LISTEN ? 1 : 0);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(conn_table_totals(t, PROTOCOL_UDP)[i], 0);
    conn_table_unref(t);
    conn_counter_free(c);
}

static void finds_every_port_wherever_it_was_counted(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    for (unsigned port = 65536; port-- > 0;)
        if (port % 3 == 0)
            count(c, PROTOCOL_TCP, (uint16_t)port, STATE_ESTABLISHED, 1 + port % 2);
    t = conn_counter_seal(c, NULL);
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
    conn_table_unref(t);
    conn_counter_free(c);
}

static void count_towards(struct conn_counter *c, enum protocol protocol, uint16_t local, uint16_t remote,
                          enum sock_state socket_state)
{
    const struct connection connection = {
        .local_port = local, .remote_port = remote, .state = (uint8_t)socket_state};

    assert_int_equal(conn_counter_add(c, protocol, &connection), 0);
}

/* "80:1 443:2 | 3": the ports of a direction with their sockets, and all others. */
static void assert_direction(const struct conn_table *t, enum direction direction, const char *wanted)
{
    char text[256] = "";
    size_t count, length = 0;
    const struct conn_row *rows = conn_table_rows(t, PROTOCOL_TCP, direction, &count);
    uint64_t other = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned sum = 0;

        for (size_t s = 0; s < STATE_COUNT; s++)
            sum += rows[i].states[s];
        length += (size_t)snprintf(text + length, sizeof text - length, "%u:%u ", rows[i].port, sum);
    }
    for (size_t s = 0; direction == DIRECTION_OUTBOUND && s < STATE_COUNT; s++)
        other += conn_table_other(t, PROTOCOL_TCP)[s];
    (void)snprintf(text + length, sizeof text - length, "| %llu", (unsigned long long)other);
    assert_string_equal(text, wanted);
}

static void a_socket_is_inbound_where_somebody_listens_on_its_port(void **state)
{
    const struct conn_choice choice = {.top = 1};
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    conn_counter_listen(c, PROTOCOL_TCP, 443);
    conn_counter_listen(c, PROTOCOL_UDP, 5000);
    count_towards(c, PROTOCOL_TCP, 80, 0, STATE_LISTEN);
    count_towards(c, PROTOCOL_TCP, 80, 40000, STATE_ESTABLISHED);
    count_towards(c, PROTOCOL_TCP, 443, 40001, STATE_TIME_WAIT);
    count_towards(c, PROTOCOL_TCP, 40000, 80, STATE_ESTABLISHED);
    count_towards(c, PROTOCOL_TCP, 5000, 3306, STATE_ESTABLISHED);
    count_towards(c, PROTOCOL_TCP, 5001, 3306, STATE_SYN_SENT);
    t = conn_counter_seal(c, &choice);
    assert_direction(t, DIRECTION_INBOUND, "80:2 443:1 | 0");
    assert_direction(t, DIRECTION_OUTBOUND, "3306:2 | 1");
    assert_int_equal(conn_table_totals(t, PROTOCOL_TCP)[STATE_ESTABLISHED], 3);
    conn_table_unref(t);
    conn_counter_free(c);
}

static void whoever_listens_is_known_until_the_next_count(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    conn_counter_listen(c, PROTOCOL_TCP, 80);
    count_towards(c, PROTOCOL_TCP, 80, 1, STATE_ESTABLISHED);
    conn_counter_reset(c, PROTOCOL_TCP);
    count_towards(c, PROTOCOL_TCP, 80, 2, STATE_ESTABLISHED);
    t = conn_counter_seal(c, NULL);
    assert_direction(t, DIRECTION_INBOUND, "80:1 | 0");
    conn_table_unref(t);
    conn_counter_begin(c);
    count_towards(c, PROTOCOL_TCP, 80, 3, STATE_ESTABLISHED);
    t = conn_counter_seal(c, NULL);
    assert_direction(t, DIRECTION_INBOUND, "| 0");
    assert_direction(t, DIRECTION_OUTBOUND, "3:1 | 0");
    conn_table_unref(t);
    conn_counter_free(c);
}

static void a_port_that_is_asked_for_is_told_while_there_is_none(void **state)
{
    static const uint16_t ports[] = {3306};
    const struct conn_choice choice = {.ports = ports, .port_count = 1};
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c, &choice);
    assert_direction(t, DIRECTION_OUTBOUND, "3306:0 | 0");
    conn_table_unref(t);
    t = conn_counter_seal(c, &choice);
    assert_direction(t, DIRECTION_OUTBOUND, "| 0"); /* it was not read */
    conn_table_unref(t);
    conn_counter_free(c);
}

/* As a socket of another port, or of none that is told. */
static void outbound_counts_make_a_difference(void **state)
{
    static const uint16_t remote[] = {80, 81, 0};
    const struct conn_choice choice = {.top = 1};
    const struct conn_table *tables[ARRAY_LENGTH(remote)];
    struct conn_counter *c = conn_counter_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(remote); i++) {
        count_towards(c, PROTOCOL_TCP, 40000, remote[i], STATE_ESTABLISHED);
        tables[i] = conn_counter_seal(c, &choice);
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(conn_table_is_same(tables[i], tables[k]), i == k);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(remote); i++)
        conn_table_unref(tables[i]);
    conn_counter_free(c);
}

static void refuses_states_that_a_newer_kernel_may_send(void **state)
{
    static const uint8_t states[] = {0, STATE_COUNT, STATE_COUNT + 1, 13, 255};
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, states[i]), -EINVAL);
    t = conn_counter_seal(c, NULL);
    assert_null(conn_table_port(t, PROTOCOL_TCP, 80));
    conn_table_unref(t);
    conn_counter_free(c);
}

static void accepts_every_state_of_the_kernel(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    for (uint8_t i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, i), 0);
    t = conn_counter_seal(c, NULL);
    for (size_t i = 0; i < STATE_COUNT; i++)
        assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[i], i > 0);
    conn_table_unref(t);
    conn_counter_free(c);
}

static void a_reset_forgets_one_protocol_only(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 2);
    count(c, PROTOCOL_UDP, 53, STATE_CLOSE, 1);
    conn_counter_complete(c, PROTOCOL_TCP);
    conn_counter_complete(c, PROTOCOL_UDP);
    conn_counter_reset(c, PROTOCOL_TCP);
    count(c, PROTOCOL_TCP, 80, STATE_TIME_WAIT, 1);
    t = conn_counter_seal(c, NULL);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_TIME_WAIT], 1);
    assert_int_equal(conn_table_totals(t, PROTOCOL_TCP)[STATE_ESTABLISHED], 0);
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_CLOSE], 1);
    assert_true(conn_table_complete(t, PROTOCOL_UDP));
    conn_table_unref(t);
    conn_counter_free(c);
}

static void sealing_empties_the_counter(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *first, *second;

    (void)state;
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 7);
    conn_counter_complete(c, PROTOCOL_TCP);
    first = conn_counter_seal(c, NULL);
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1);
    count(c, PROTOCOL_TCP, 81, STATE_ESTABLISHED, 1);
    second = conn_counter_seal(c, NULL);
    conn_counter_free(c);
    assert_int_equal(conn_table_port(first, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 7);
    assert_null(conn_table_port(first, PROTOCOL_TCP, 81));
    assert_true(conn_table_complete(first, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(second, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    assert_int_equal(conn_table_totals(second, PROTOCOL_TCP)[STATE_ESTABLISHED], 2);
    assert_false(conn_table_complete(second, PROTOCOL_TCP));
    conn_table_unref(first);
    conn_table_unref(second);
}

static void a_protocol_without_sockets_may_be_complete(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    conn_counter_complete(c, PROTOCOL_SCTP);
    t = conn_counter_seal(c, NULL);
    assert_true(conn_table_complete(t, PROTOCOL_SCTP));
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_null(conn_table_port(t, PROTOCOL_SCTP, 0));
    conn_table_unref(t);
    conn_counter_free(c);
}

/* A table of these sockets, each "tcp/80:1" with its state's number and
 * separated by spaces; TCP is read to the end. */
static const struct conn_table *table_of(const char *sockets)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;
    char copy[128], *rest = NULL;

    assert_non_null(c);
    assert_true(strlen(sockets) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", sockets);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest)) {
        bool is_udp = strncmp(text, "udp/", 4) == 0;
        uint16_t port = (uint16_t)strtoul(text + 4, &text, 10);

        assert_int_equal(*text, ':');
        count(c, is_udp ? PROTOCOL_UDP : PROTOCOL_TCP, port, (enum sock_state)strtoul(text + 1, NULL, 10), 1);
    }
    conn_counter_complete(c, PROTOCOL_TCP);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    conn_counter_free(c);
    return t;
}

static void assert_same(const char *a, const char *b, bool wanted)
{
    const struct conn_table *x = table_of(a), *y = table_of(b);

    assert_int_equal(conn_table_is_same(x, y), wanted);
    assert_int_equal(conn_table_is_same(y, x), wanted);
    conn_table_unref(x);
    conn_table_unref(y);
}

static void tables_of_the_same_counts_are_the_same(void **state)
{
    (void)state;
    assert_same("", "", true);
    assert_same("tcp/80:1 tcp/22:10 udp/53:7", "udp/53:7 tcp/22:10 tcp/80:1", true);
    assert_same("tcp/80:1 tcp/80:1 tcp/80:6", "tcp/80:1 tcp/80:6 tcp/80:1", true);
}

static void what_no_process_has_accepted_is_told_apart(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *t;

    (void)state;
    assert_non_null(c);
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 3);
    for (uint8_t i = STATE_ESTABLISHED; i < STATE_COUNT; i++) {
        assert_int_equal(count_nobodys(c, PROTOCOL_TCP, 80, i), 0);
        assert_int_equal(count_nobodys(c, PROTOCOL_UDP, 80, i), 0);
        assert_int_equal(count_nobodys(c, PROTOCOL_RAW, 80, i), 0);
    }
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 4); /* which counts them, too */
    assert_int_equal(conn_table_not_accepted(t, PROTOCOL_TCP, 80), 1);
    assert_int_equal(conn_table_not_accepted(t, PROTOCOL_TCP, 81), 0);
    assert_int_equal(conn_table_not_accepted(t, PROTOCOL_UDP, 80), 0); /* where nobody accepts */
    assert_int_equal(conn_table_not_accepted(t, PROTOCOL_RAW, 80), 0);
    conn_table_unref(t);
    count(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1);
    t = conn_counter_seal(c, NULL);
    assert_non_null(t);
    assert_int_equal(conn_table_not_accepted(t, PROTOCOL_TCP, 80), 0); /* it was told */
    conn_table_unref(t);
    conn_counter_free(c);
}

static void an_accepted_connection_makes_a_difference(void **state)
{
    struct conn_counter *c = conn_counter_new();
    const struct conn_table *before, *after;

    (void)state;
    assert_non_null(c);
    assert_int_equal(count_nobodys(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    before = conn_counter_seal(c, NULL);
    assert_int_equal(count_socket(c, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    after = conn_counter_seal(c, NULL);
    assert_false(conn_table_is_same(before, after));
    conn_table_unref(before);
    conn_table_unref(after);
    conn_counter_free(c);
}

static void each_count_makes_a_difference(void **state)
{
    static const char *const others[] = {
        "",
        "tcp/80:1 tcp/22:1",                   /* a port is gone */
        "tcp/80:1 udp/53:7",                   /* another one */
        "tcp/81:1 tcp/22:1 udp/53:7",          /* another port */
        "tcp/80:2 tcp/22:1 udp/53:7",          /* another state */
        "tcp/80:11 tcp/22:1 udp/53:7",         /* the last state */
        "tcp/80:1 tcp/80:1 tcp/22:1 udp/53:7", /* one more */
        "tcp/80:1 tcp/22:1 tcp/53:7",          /* another protocol */
        "tcp/80:1 tcp/22:1 udp/53:7 udp/54:7",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_same("tcp/80:1 tcp/22:1 udp/53:7", others[i], false);
}

static void what_was_read_to_the_end_makes_a_difference(void **state)
{
    const struct conn_table *complete = table_of(""), *incomplete;
    struct conn_counter *c = conn_counter_new();

    (void)state;
    assert_non_null(c);
    incomplete = conn_counter_seal(c, NULL);
    assert_non_null(incomplete);
    assert_false(conn_table_is_same(complete, incomplete));
    conn_table_unref(incomplete);
    conn_table_unref(complete);
    conn_counter_free(c);
}

static void no_table_is_the_same_as_none_only(void **state)
{
    const struct conn_table *t = table_of("");

    (void)state;
    assert_true(conn_table_is_same(NULL, NULL));
    assert_true(conn_table_is_same(t, t));
    assert_false(conn_table_is_same(t, NULL));
    assert_false(conn_table_is_same(NULL, t));
    conn_table_unref(t);
}

static void a_table_lives_until_the_last_lets_go(void **state)
{
    const struct conn_table *t = table_of("tcp/80:1");

    (void)state;
    assert_ptr_equal(conn_table_ref(t), t);
    conn_table_unref(t);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 1);
    conn_table_unref(t);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    conn_table_unref(NULL);
    conn_counter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_protocol_port_and_state),
        cmocka_unit_test(totals_are_the_sum_over_all_ports),
        cmocka_unit_test(finds_every_port_wherever_it_was_counted),
        cmocka_unit_test(a_socket_is_inbound_where_somebody_listens_on_its_port),
        cmocka_unit_test(whoever_listens_is_known_until_the_next_count),
        cmocka_unit_test(a_port_that_is_asked_for_is_told_while_there_is_none),
        cmocka_unit_test(outbound_counts_make_a_difference),
        cmocka_unit_test(refuses_states_that_a_newer_kernel_may_send),
        cmocka_unit_test(accepts_every_state_of_the_kernel),
        cmocka_unit_test(what_no_process_has_accepted_is_told_apart),
        cmocka_unit_test(an_accepted_connection_makes_a_difference),
        cmocka_unit_test(a_reset_forgets_one_protocol_only),
        cmocka_unit_test(sealing_empties_the_counter),
        cmocka_unit_test(a_protocol_without_sockets_may_be_complete),
        cmocka_unit_test(tables_of_the_same_counts_are_the_same),
        cmocka_unit_test(each_count_makes_a_difference),
        cmocka_unit_test(what_was_read_to_the_end_makes_a_difference),
        cmocka_unit_test(no_table_is_the_same_as_none_only),
        cmocka_unit_test(a_table_lives_until_the_last_lets_go),
        cmocka_unit_test(nothing_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
