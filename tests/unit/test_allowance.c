#include "core/allowance.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define MINUTE ALLOWANCE_MINUTE_MS

static void so_many_lines_a_minute(void **state)
{
    struct allowance a = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(allowance_take(&a, 3, 10, 1000 + i));
    assert_false(allowance_take(&a, 3, 10, 2000));
    assert_false(allowance_take(&a, 3, 10, 1000 + MINUTE - 1));
    assert_int_equal(allowance_end_minute(&a, 1000 + MINUTE - 1), 0);
    assert_int_equal(allowance_end_minute(&a, 1000 + MINUTE), 2);
    assert_int_equal(allowance_end_minute(&a, 1000 + MINUTE), 0); /* told once */
    assert_true(allowance_take(&a, 3, 10, 1000 + MINUTE));
}

static void a_minute_begins_with_its_first_line(void **state)
{
    struct allowance a = {0};

    (void)state;
    assert_int_equal(allowance_end_minute(&a, 5 * MINUTE), 0);
    assert_true(allowance_take(&a, 1, 10, 5 * MINUTE + 7));
    assert_false(allowance_take(&a, 1, 10, 6 * MINUTE));
    assert_int_equal(allowance_end_minute(&a, 6 * MINUTE + 6), 0);
    assert_int_equal(allowance_end_minute(&a, 6 * MINUTE + 7), 1);
    assert_int_equal(allowance_end_minute(&a, 9 * MINUTE), 0);
    assert_true(allowance_take(&a, 1, 10, 9 * MINUTE));
    assert_false(allowance_take(&a, 1, 10, 10 * MINUTE - 1));
}

static void long_lines_use_up_bytes(void **state)
{
    struct allowance a = {0};
    size_t written = 0;

    (void)state;
    while (allowance_take(&a, INT64_MAX, 1024, 0))
        written += 1024;
    assert_in_range(written, ALLOWANCE_MINUTE_BYTES - 1024, ALLOWANCE_MINUTE_BYTES);
    assert_false(allowance_take(&a, INT64_MAX, SIZE_MAX, 1));
    assert_int_equal(allowance_end_minute(&a, MINUTE), 2);
}

static void another_limit_holds_at_once(void **state)
{
    struct allowance a = {0};

    (void)state;
    assert_true(allowance_take(&a, 1, 10, 0));
    assert_false(allowance_take(&a, 1, 10, 1));
    assert_true(allowance_take(&a, 2, 10, 2));
    assert_false(allowance_take(&a, 1, 10, 3));
    assert_int_equal(allowance_end_minute(&a, MINUTE), 2);
}

/* How many bytes a flood of long lines of one kind writes at a moment. */
static size_t flood(struct allowance *a, int64_t now_ms)
{
    size_t written = 0;

    (void)allowance_end_minute(a, now_ms); /* how many does not matter */
    while (allowance_take(a, INT64_MAX, 1024, now_ms))
        written += 1024;
    return written;
}

/* As bad as it can be: a minute that began with one line ends in a flood, and
 * so does the next one begin. */
static void two_kinds_stay_below_a_megabyte_in_any_minute(void **state)
{
    struct allowance kinds[2] = {{0}};
    size_t written = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        assert_true(allowance_take(&kinds[i], INT64_MAX, 1, 0));
        written += flood(&kinds[i], MINUTE - 1) + flood(&kinds[i], MINUTE);
        assert_int_equal(flood(&kinds[i], 2 * MINUTE - 1), 0);
    }
    assert_in_range(written, 900000, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_lines_a_minute),
        cmocka_unit_test(a_minute_begins_with_its_first_line),
        cmocka_unit_test(long_lines_use_up_bytes),
        cmocka_unit_test(another_limit_holds_at_once),
        cmocka_unit_test(two_kinds_stay_below_a_megabyte_in_any_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
