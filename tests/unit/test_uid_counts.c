#include "core/uid_counts.h"
#include "tests/unit/unit.h"

static void each_user_is_counted_up_to_the_limit(void **state)
{
    struct uid_counts counts = {.count = 0};

    (void)state;
    assert_int_equal(uid_counts_add(&counts, 7, 0), 0);
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t uid = 0; uid < 3000; uid++)
            assert_int_equal(uid_counts_add(&counts, uid * 65536u, 3), round < 3);
    assert_int_equal(uid_counts_add(&counts, 0, 4), 1);
    assert_int_equal(uid_counts_add(&counts, 0, 4), 0);
    uid_counts_done(&counts);
    assert_int_equal(uid_counts_add(&counts, 0, 1), 1);
    uid_counts_done(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_is_counted_up_to_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
