#include "core/sliding.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

#define MINUTE_MS    INT64_C(60000)
#define TEN_YEARS_MS (INT64_C(3650) * 24 * 60 * MINUTE_MS)

static void what_happened_counts_for_a_window(void **state)
{
    struct sliding s;

    (void)state;
    sliding_init(&s, MINUTE_MS, 500);
    assert_int_equal(sliding_sum(&s, 500), 0);
    assert_int_equal(sliding_falls_ms(&s), INT64_MAX);
    sliding_add(&s, 2, 1500);
    sliding_add(&s, 1, 31000);
    assert_int_equal(sliding_sum(&s, 60999), 3);
    assert_int_equal(sliding_falls_ms(&s), 61000);
    assert_int_equal(sliding_sum(&s, 61000), 1);
    assert_int_equal(sliding_falls_ms(&s), 91000);
    assert_int_equal(sliding_sum(&s, 90999), 1);
    assert_int_equal(sliding_sum(&s, 91000), 0);
    assert_int_equal(sliding_falls_ms(&s), INT64_MAX);
}

static void a_long_time_empties_it(void **state)
{
    struct sliding s;

    (void)state;
    sliding_init(&s, MINUTE_MS, 0);
    for (int i = 0; i < SLIDING_SLOTS; i++)
        sliding_add(&s, 1, i * 1000);
    assert_int_equal(sliding_sum(&s, 59999), 60);
    assert_int_equal(sliding_sum(&s, TEN_YEARS_MS * 10), 0);
}

static void a_clock_that_goes_back_stands_still(void **state)
{
    struct sliding s;

    (void)state;
    sliding_init(&s, MINUTE_MS, 100000);
    sliding_add(&s, 1, 100000);
    sliding_add(&s, 1, 5000);
    assert_int_equal(sliding_sum(&s, 0), 2);
    assert_int_equal(sliding_sum(&s, 159999), 2);
    assert_int_equal(sliding_sum(&s, 160000), 0);
}

static void nothing_overflows(void **state)
{
    struct sliding s;
    int64_t late_ms = TEN_YEARS_MS * 10;

    (void)state;
    sliding_init(&s, TEN_YEARS_MS, late_ms);
    sliding_add(&s, UINT64_MAX, late_ms);
    sliding_add(&s, UINT64_MAX, late_ms);
    sliding_add(&s, UINT32_MAX, late_ms + TEN_YEARS_MS / 2);
    assert_int_equal(sliding_sum(&s, late_ms + TEN_YEARS_MS / 2), 2 * (uint64_t)UINT32_MAX);
    assert_in_range(sliding_falls_ms(&s), late_ms + TEN_YEARS_MS / 60 * 59, late_ms + TEN_YEARS_MS);
    assert_int_equal(sliding_sum(&s, late_ms + 2 * TEN_YEARS_MS), 0);
    sliding_init(&s, 1, 0); /* shorter than its slots can be: each is a millisecond */
    sliding_add(&s, 1, 0);
    assert_int_equal(sliding_sum(&s, 59), 1);
    assert_int_equal(sliding_sum(&s, 60), 0);
}

static void another_window_keeps_what_it_has_room_for(void **state)
{
    struct sliding s;

    (void)state;
    sliding_init(&s, MINUTE_MS, 100000);
    sliding_add(&s, 1, 100000);
    sliding_add(&s, 2, 150000);
    sliding_resize(&s, MINUTE_MS, 150000);
    assert_int_equal(sliding_sum(&s, 150000), 3);
    sliding_resize(&s, 10 * MINUTE_MS, 155000);
    assert_int_equal(sliding_sum(&s, 155000), 3);
    assert_int_equal(sliding_sum(&s, 699999), 3);
    assert_int_equal(sliding_sum(&s, 700000), 2);
    sliding_resize(&s, MINUTE_MS / 2, 700000);
    assert_int_equal(sliding_sum(&s, 700000), 0);
    sliding_init(&s, 10 * MINUTE_MS, 0);
    sliding_add(&s, 1, 0);
    sliding_add(&s, 2, 590000);
    sliding_resize(&s, MINUTE_MS / 2, 595000);
    assert_int_equal(sliding_sum(&s, 595000), 2);
}

/* Beside all that happened, remembered one by one. */
static void it_never_counts_longer_nor_much_shorter(void **state)
{
    enum { EVENTS = 300 };

    (void)state;
    for (uint32_t run = 1; run <= 100; run++) {
        uint32_t seed = run * 2654435761u;
        int64_t window_ms = 60 + next_random(&seed) % 1000000, now_ms = next_random(&seed), at_ms[EVENTS];
        struct sliding s;

        sliding_init(&s, window_ms, now_ms);
        for (size_t i = 0; i < EVENTS; i++) {
            uint64_t within = 0, surely = 0, sum;

            now_ms += next_random(&seed) % (next_random(&seed) % 8 ? window_ms / 20 + 1 : window_ms + 1);
            at_ms[i] = now_ms;
            sliding_add(&s, 1, now_ms);
            for (size_t k = 0; k <= i; k++) {
                within += now_ms - at_ms[k] < window_ms;
                surely += now_ms - at_ms[k] < window_ms / 60 * 59;
            }
            sum = sliding_sum(&s, now_ms);
            assert_in_range(sum, surely, within);
            if (sliding_falls_ms(&s) - 1 < now_ms)
                fail_msg("it should have fallen");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happened_counts_for_a_window),
        cmocka_unit_test(a_long_time_empties_it),
        cmocka_unit_test(a_clock_that_goes_back_stands_still),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(another_window_keeps_what_it_has_room_for),
        cmocka_unit_test(it_never_counts_longer_nor_much_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
