#include "core/status.h"
#include "tests/unit/unit.h"

static void polls_are_named_as_in_the_metrics(void **state)
{
    (void)state;
    assert_string_equal(poll_name(POLL_LISTENERS), "listeners");
    assert_string_equal(poll_name(POLL_CONNECTIONS), "connections");
}

static void every_poll_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < POLL_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(poll_name((enum poll_kind)i), poll_name((enum poll_kind)k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polls_are_named_as_in_the_metrics),
        cmocka_unit_test(every_poll_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
