#include "core/unit_counts.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"

#include <inttypes.h>
#include <stdio.h>

enum { SECRET = 12345 };

static struct unit_counter *new_counter(void)
{
    struct unit_counter *c = unit_counter_new(SECRET);

    assert_non_null(c);
    return c;
}

static int add(struct unit_counter *c, uint64_t cgroup_id, enum direction direction, unsigned of_state)
{
    const struct connection connection = {.state = (uint8_t)of_state, .cgroup_id = cgroup_id};

    return unit_counter_add(c, direction, &connection);
}

static void add_times(struct unit_counter *c, uint64_t cgroup_id, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        assert_int_equal(add(c, cgroup_id, DIRECTION_INBOUND, STATE_ESTABLISHED), 0);
}

/* Cgroups with the same rest of a division by 10,000 are one unit's; those with
 * the rest 99 are nobody's. */
static bool name_of(void *arg, uint64_t cgroup_id, char ret_unit[static UNIT_TEXT_MAX])
{
    assert_true(cgroup_id > 1);
    ++*(size_t *)arg;
    (void)snprintf(ret_unit, UNIT_TEXT_MAX, "%04" PRIu64 ".service", cgroup_id % 10000);
    return cgroup_id % 10000 != 99;
}

static int name_all(struct unit_counter *c, size_t *ret_asked)
{
    int r;

    *ret_asked = 0;
    unit_counter_name_begin(c);
    do
        r = unit_counter_name_next(c, name_of, ret_asked);
    while (r > 0);
    return r;
}

/* Takes the counter. */
static const struct unit_table *seal(struct unit_counter *c)
{
    const struct unit_table *t;
    size_t asked;

    assert_int_equal(name_all(c, &asked), 0);
    t = unit_counter_seal(c);
    assert_non_null(t);
    unit_counter_free(c);
    return t;
}

static const struct unit_row *row_of(const struct unit_table *t, const char *unit)
{
    size_t count;
    const struct unit_row *rows = unit_table_rows(t, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].unit, unit) == 0)
            return &rows[i];
    return NULL;
}

static uint32_t count_of(const struct unit_table *t, const char *unit, enum direction direction,
                         enum sock_state of_state)
{
    const struct unit_row *row = row_of(t, unit);

    return row ? row->states.counts[direction][of_state] : 0;
}

static void sockets_are_counted_by_unit_direction_and_state(void **state)
{
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    size_t count;

    (void)state;
    add_times(c, 7, 2);
    assert_int_equal(add(c, 10007, DIRECTION_INBOUND, STATE_ESTABLISHED), 0); /* a cgroup below */
    assert_int_equal(add(c, 7, DIRECTION_OUTBOUND, STATE_ESTABLISHED), 0);
    assert_int_equal(add(c, 7, DIRECTION_OUTBOUND, STATE_CLOSE_WAIT), 0);
    assert_int_equal(add(c, 8, DIRECTION_OUTBOUND, STATE_SYN_SENT), 0);
    t = seal(c);
    assert_int_equal(count_of(t, "0007.service", DIRECTION_INBOUND, STATE_ESTABLISHED), 3);
    assert_int_equal(count_of(t, "0007.service", DIRECTION_OUTBOUND, STATE_ESTABLISHED), 1);
    assert_int_equal(count_of(t, "0007.service", DIRECTION_OUTBOUND, STATE_CLOSE_WAIT), 1);
    assert_int_equal(count_of(t, "0008.service", DIRECTION_OUTBOUND, STATE_SYN_SENT), 1);
    (void)unit_table_rows(t, &count);
    assert_int_equal(count, 2);
    assert_int_equal(unit_table_left_out(t), 0);
    unit_table_unref(t);
}

static void what_listens_and_what_waits_is_nobodys(void **state)
{
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    size_t count;

    (void)state;
    assert_int_equal(add(c, 7, DIRECTION_INBOUND, STATE_LISTEN), 0);
    assert_int_equal(add(c, 0, DIRECTION_OUTBOUND, STATE_TIME_WAIT), 0);
    t = seal(c);
    (void)unit_table_rows(t, &count);
    assert_int_equal(count, 0);
    unit_table_unref(t);
}

static void states_that_a_newer_kernel_may_send_are_refused(void **state)
{
    struct unit_counter *c = new_counter();

    (void)state;
    assert_int_equal(add(c, 7, DIRECTION_INBOUND, 0), -EINVAL);
    assert_int_equal(add(c, 7, DIRECTION_INBOUND, STATE_COUNT), -EINVAL);
    assert_int_equal(add(c, 7, DIRECTION_INBOUND, UINT8_MAX), -EINVAL);
    unit_counter_free(c);
}

/* The root, what the kernel does not tell, and what the tree does not have. */
static void what_cannot_be_told_is_unknown(void **state)
{
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    size_t asked;

    (void)state;
    add_times(c, 0, 1);
    add_times(c, 1, 2);
    add_times(c, 99, 3);
    add_times(c, 7, 1);
    assert_int_equal(name_all(c, &asked), 0);
    assert_int_equal(asked, 2); /* nobody knows the first two */
    t = seal(c);
    assert_int_equal(count_of(t, "unknown", DIRECTION_INBOUND, STATE_ESTABLISHED), 6);
    assert_int_equal(count_of(t, "0007.service", DIRECTION_INBOUND, STATE_ESTABLISHED), 1);
    unit_table_unref(t);
}

static void cgroups_can_be_named_anew(void **state)
{
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    size_t asked;

    (void)state;
    add_times(c, 7, 1);
    add_times(c, 8, 1);
    add_times(c, 99, 1);
    assert_int_equal(name_all(c, &asked), 0);
    t = seal(c);
    assert_int_equal(count_of(t, "0007.service", DIRECTION_INBOUND, STATE_ESTABLISHED), 1);
    assert_int_equal(count_of(t, "unknown", DIRECTION_INBOUND, STATE_ESTABLISHED), 1);
    unit_table_unref(t);
}

/* Unit n has n sockets. */
static void the_busiest_are_told_and_all_others_as_one(void **state)
{
    enum { UNITS = UNIT_ROWS_MAX + 50, LEAST = 100, BUSIEST = LEAST + UNITS - 1 };
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    const struct unit_row *rows;
    size_t count;

    (void)state;
    for (unsigned i = LEAST; i <= BUSIEST; i++)
        add_times(c, i, i);
    t = seal(c);
    rows = unit_table_rows(t, &count);
    assert_int_equal(count, UNIT_ROWS_MAX + 1);
    assert_string_equal(rows[0].unit, "other");
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(rows[i].states.counts[DIRECTION_INBOUND][STATE_ESTABLISHED], BUSIEST + 1 - i);
    assert_int_equal(unit_table_left_out(t), UNITS - UNIT_ROWS_MAX);
    unit_table_unref(t);
}

static uint64_t sum_of(const struct unit_table *t)
{
    size_t count;
    const struct unit_row *rows = unit_table_rows(t, &count);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < DIRECTION_COUNT; d++)
            for (size_t s = 0; s < STATE_COUNT; s++)
                sum += rows[i].states.counts[d][s];
    return sum;
}

static void floods_of_units_and_cgroups_have_their_limits(void **state)
{
    struct unit_counter *c = new_counter();
    const struct unit_table *t;
    size_t count;

    (void)state;
    for (uint64_t i = 2; i < UNIT_CGROUPS_MAX + 2 + 500; i++)
        add_times(c, i, 1);
    add_times(c, UNIT_CGROUPS_MAX + 2, 1); /* for which there is no room either */
    add_times(c, 7, 1);                    /* and for this there is */
    t = seal(c);
    (void)unit_table_rows(t, &count);
    assert_int_equal(count, UNIT_ROWS_MAX + 2);
    assert_int_equal(sum_of(t), UNIT_CGROUPS_MAX + 502);
    assert_true(unit_table_left_out(t) > 500);
    unit_table_unref(t);
}

/* Random sockets, counted in the plainest way beside. */
static void all_rows_add_up(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 20; round++) {
        uint32_t totals[DIRECTION_COUNT][STATE_COUNT] = {{0}};
        struct unit_counter *c = new_counter();
        const struct unit_table *t;
        const struct unit_row *rows;
        size_t count;

        for (uint32_t n = next_random(&seed) % 5000; n > 0; n--) {
            unsigned of_state = STATE_ESTABLISHED + next_random(&seed) % (STATE_COUNT - 1);
            enum direction direction = (enum direction)(next_random(&seed) % DIRECTION_COUNT);

            assert_int_equal(add(c, next_random(&seed) % (1u << round), direction, of_state), 0);
            totals[direction][of_state] += of_state != STATE_LISTEN && of_state != STATE_TIME_WAIT;
        }
        t = seal(c);
        rows = unit_table_rows(t, &count);
        assert_in_range(count, 0, UNIT_ROWS_MAX + 2);
        for (size_t i = 0; i < count; i++)
            for (size_t d = 0; d < DIRECTION_COUNT; d++)
                for (size_t s = 0; s < STATE_COUNT; s++)
                    totals[d][s] -= rows[i].states.counts[d][s];
        for (size_t d = 0; d < DIRECTION_COUNT; d++)
            for (size_t s = 0; s < STATE_COUNT; s++)
                assert_int_equal(totals[d][s], 0);
        unit_table_unref(t);
    }
}

static const struct unit_table *table_of(uint64_t cgroup_id, unsigned times)
{
    struct unit_counter *c = new_counter();

    add_times(c, cgroup_id, times);
    return seal(c);
}

static void tables_of_the_same_counts_are_the_same(void **state)
{
    const struct unit_table *a = table_of(7, 2), *b = table_of(10007, 2), *more = table_of(7, 3),
                            *another = table_of(8, 2), *none = table_of(7, 0);

    (void)state;
    assert_true(unit_table_is_same(a, b));
    assert_false(unit_table_is_same(a, more));
    assert_false(unit_table_is_same(a, another));
    assert_false(unit_table_is_same(a, none));
    assert_false(unit_table_is_same(NULL, none));
    assert_false(unit_table_is_same(none, NULL));
    assert_true(unit_table_is_same(NULL, NULL));
    assert_int_equal(unit_table_left_out(NULL), 0);
    unit_table_unref(unit_table_ref(a));
    assert_int_equal(count_of(a, "0007.service", DIRECTION_INBOUND, STATE_ESTABLISHED), 2);
    unit_table_unref(a);
    unit_table_unref(b);
    unit_table_unref(more);
    unit_table_unref(another);
    unit_table_unref(none);
    unit_table_unref(NULL);
    unit_counter_free(NULL);
}

/* A counter is used again and again; a quiet host needs no more memory for it. */
static void a_counter_that_is_used_again_begins_anew(void **state)
{
    struct unit_counter *c = new_counter();
    size_t asked;

    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct unit_table *t;

        add_times(c, 8, 100);
        unit_counter_reset(c);
        add_times(c, 7, 1);
        assert_int_equal(name_all(c, &asked), 0);
        refuse_nth(0);
        t = unit_counter_seal(c);
        assert_int_equal(refuse_count(), 1);
        assert_int_equal(sum_of(t), 1);
        unit_table_unref(t);
    }
    unit_counter_free(c);
}

/* Counts, names and seals. Returns -ENOMEM where any of it does. */
static int try_all(void)
{
    struct unit_counter *c = unit_counter_new(SECRET);
    const struct unit_table *t = NULL;
    size_t asked;
    int r = c ? 0 : -ENOMEM;

    for (uint64_t i = 2; r == 0 && i < 200; i++)
        r = add(c, i, DIRECTION_INBOUND, STATE_ESTABLISHED);
    if (r == 0)
        r = name_all(c, &asked);
    if (r == 0) {
        t = unit_counter_seal(c);
        r = t ? 0 : -ENOMEM;
    }
    if (t)
        assert_int_equal(sum_of(t), 198);
    unit_table_unref(t);
    unit_counter_free(c);
    return r;
}

static void memory_that_runs_out_is_reported(void **state)
{
    size_t n = 1;

    (void)state;
    for (;; n++) {
        int r;

        refuse_nth(n);
        r = try_all();
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, -ENOMEM);
    }
    assert_true(n > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_counted_by_unit_direction_and_state),
        cmocka_unit_test(what_listens_and_what_waits_is_nobodys),
        cmocka_unit_test(states_that_a_newer_kernel_may_send_are_refused),
        cmocka_unit_test(what_cannot_be_told_is_unknown),
        cmocka_unit_test(cgroups_can_be_named_anew),
        cmocka_unit_test(the_busiest_are_told_and_all_others_as_one),
        cmocka_unit_test(floods_of_units_and_cgroups_have_their_limits),
        cmocka_unit_test(all_rows_add_up),
        cmocka_unit_test(tables_of_the_same_counts_are_the_same),
        cmocka_unit_test(a_counter_that_is_used_again_begins_anew),
        cmocka_unit_test(memory_that_runs_out_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
