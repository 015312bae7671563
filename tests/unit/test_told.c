#include "collectors/told.h"
#include "tests/unit/policies.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

static const struct listener_table *table_of(const char *sockets)
{
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *t;

    assert_non_null(b);
    add_rows(b, sockets, 1);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    t = seal_all(b);
    assert_non_null(t);
    listener_builder_free(b);
    return t;
}

/* What the inventory has now. */
static void assert_has(const struct inventory *inv, const char *wanted)
{
    struct inventory_cursor cursor = {0};
    const struct listener *l;
    char have[512] = "";
    size_t length = 0, count = 0;

    while ((l = inventory_next(inv, &cursor))) {
        char text[ENDPOINT_TEXT_MAX];

        assert_int_equal(l->index, count);
        endpoint_format(&l->address, l->family, l->port, l->interface, text);
        length +=
            (size_t)snprintf(have + length, sizeof have - length, "%s%s/%s#%llu", count++ > 0 ? " " : "",
                             protocol_name(l->protocol), text, (unsigned long long)l->members[0].cookie);
    }
    assert_string_equal(have, wanted);
    assert_int_equal(inv->total, count);
}

/* The look at TCP ports that nobody expects goes on. */
static void what_is_behind_stays_as_it_was_shown(void **state)
{
    const struct listener_table *before = table_of("0.0.0.0:22 0.0.0.0:80 0.0.0.0:80 *:81 udp/0.0.0.0:53");
    struct policy policy = policy_expecting("tcp/22,81");
    struct listener_builder *b = new_builder(1000);
    struct told told = {.table = NULL};
    struct inventory inv;
    struct listener_totals totals;

    (void)state;
    assert_non_null(b);
    listener_builder_set(b, 1000, &policy);
    add_rows(b, "udp/0.0.0.0:54", 9);
    listener_builder_begin(b, PROTOCOL_TCP, PART_ALL);
    add_rows(b, "0.0.0.0:22 0.0.0.0:99", 100);
    listener_builder_end(b, PROTOCOL_TCP, PART_EXPECTED, VISIBILITY_OK, 0);
    assert_int_equal(listener_builder_finish(b, &inv), 0);
    assert_has(&inv, "tcp/0.0.0.0:22#100 udp/0.0.0.0:54#9");
    assert_true(inv.behind[PROTOCOL_TCP]);
    assert_false(inv.behind[PROTOCOL_UDP]);

    assert_int_equal(told_keep(&told, &inv, NULL, &policy), 0); /* nothing was shown before */
    assert_int_equal(inv.classes[PROTOCOL_TCP].others, VISIBILITY_UNKNOWN);
    inventory_count(&inv, &totals);
    assert_false(totals.known[PROTOCOL_TCP]);

    assert_int_equal(told_keep(&told, &inv, before, &policy), 0);
    listener_table_unref(before); /* it is kept */
    assert_has(&inv, "tcp/0.0.0.0:22#100 tcp/0.0.0.0:80#2 udp/0.0.0.0:54#9");
    assert_int_equal(inv.parts[PROTOCOL_TCP][1].listeners[0].sockets, 2);
    assert_int_equal(inv.parts[PROTOCOL_TCP][1].members[1].cookie, 3);
    assert_int_equal(inv.classes[PROTOCOL_TCP].others, VISIBILITY_OK);
    inventory_count(&inv, &totals);
    assert_true(totals.known[PROTOCOL_TCP]);
    assert_int_equal(totals.scopes[PROTOCOL_TCP][SCOPE_ANY], 3); /* as before */
    told_done(&told);
    listener_builder_free(b);
    policy_done(&policy);
}

static void where_nothing_is_behind_nothing_is_kept(void **state)
{
    const struct listener_table *before = table_of("0.0.0.0:22");
    struct listener_builder *b = new_builder(1000);
    struct policy none = {.expect_count = 0};
    struct told told = {.table = NULL};
    struct inventory inv;

    (void)state;
    assert_non_null(b);
    add_rows(b, "0.0.0.0:80", 1);
    assert_int_equal(listener_builder_finish(b, &inv), 0);
    assert_int_equal(told_keep(&told, &inv, before, &none), 0);
    assert_null(told.table);
    assert_has(&inv, "tcp/0.0.0.0:80#1");
    told_done(&told);
    listener_builder_free(b);
    listener_table_unref(before);
}

static void refused_memory_keeps_nothing(void **state)
{
    const struct listener_table *before = table_of("0.0.0.0:22");
    struct listener_builder *b = new_builder(1000);
    struct policy none = {.expect_count = 0};
    struct told told = {.table = NULL};
    struct inventory inv;

    (void)state;
    assert_non_null(b);
    listener_builder_begin(b, PROTOCOL_TCP, PART_ALL);
    assert_int_equal(listener_builder_finish(b, &inv), 0);
    for (size_t n = 1; n <= 2; n++) {
        refuse_nth(n);
        assert_int_equal(told_keep(&told, &inv, before, &none), -ENOMEM);
        assert_true(refuse_stop());
        assert_null(told.table);
    }
    assert_int_equal(told_keep(&told, &inv, before, &none), 0);
    assert_has(&inv, "tcp/0.0.0.0:22#1");
    told_done(&told);
    listener_builder_free(b);
    listener_table_unref(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_behind_stays_as_it_was_shown),
        cmocka_unit_test(where_nothing_is_behind_nothing_is_kept),
        cmocka_unit_test(refused_memory_keeps_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
