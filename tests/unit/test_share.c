#include "collectors/share.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000)

static void it_begins_rested(void **state)
{
    struct share s = share_of(10, 5 * SECOND);

    (void)state;
    assert_int_equal(share_left_us(&s, 0), 5 * SECOND);
    assert_int_equal(share_left_us(&s, 1000 * SECOND), 5 * SECOND); /* more than that is never saved */
    assert_int_equal(share_ready_us(&s, 0, 7), 7);
}

static void what_is_spent_comes_back_with_the_time(void **state)
{
    struct share s = share_of(10, 5 * SECOND);

    (void)state;
    share_spend(&s, SECOND, 2 * SECOND);
    assert_int_equal(share_left_us(&s, SECOND), 3 * SECOND);
    assert_int_equal(share_left_us(&s, 11 * SECOND), 4 * SECOND);
    assert_int_equal(share_left_us(&s, 60 * SECOND), 5 * SECOND);
}

static void debt_is_paid_before_anything_else_is_done(void **state)
{
    struct share s = share_of(10, SECOND);
    int64_t ready_us;

    (void)state;
    share_spend(&s, SECOND, 3 * SECOND);
    assert_int_equal(share_left_us(&s, SECOND), -2 * SECOND);
    assert_int_equal(share_ready_us(&s, 3 * SECOND, SECOND), SECOND); /* so far one may go */
    ready_us = share_ready_us(&s, 0, SECOND);
    assert_true(ready_us > 21 * SECOND);
    assert_true(share_left_us(&s, ready_us) > 0);
    assert_int_equal(share_ready_us(&s, 0, ready_us), ready_us);
    assert_true(share_ready_us(&s, 2 * SECOND, SECOND) > SECOND); /* but not one bit farther */
}

/* Spent in the smallest portions all the same. */
static void in_the_long_run_it_is_the_share(void **state)
{
    struct share s = share_of(10, SECOND);
    int64_t now_us = 0, spent_us = 0;

    (void)state;
    while (now_us < 1000 * SECOND) {
        int64_t ready_us = share_ready_us(&s, 0, now_us);

        now_us = ready_us > now_us ? ready_us : now_us;
        now_us += 37;
        share_spend(&s, now_us, 37);
        spent_us += 37;
    }
    assert_true(spent_us <= 102 * SECOND);
    assert_true(spent_us >= 99 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_rested),
        cmocka_unit_test(what_is_spent_comes_back_with_the_time),
        cmocka_unit_test(debt_is_paid_before_anything_else_is_done),
        cmocka_unit_test(in_the_long_run_it_is_the_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
