#include "core/err.h"
#include "tests/unit/unit.h"

#include <limits.h>

static void names_each_of_our_own_codes(void **state)
{
    static const enum err codes[] = {ERR_UNSUPPORTED, ERR_TRUNCATED, ERR_SEQUENCE, ERR_INTERRUPTED,
                                     ERR_CONFIG,      ERR_IRREGULAR, ERR_DANGLING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        assert_string_not_equal(err_str((int)codes[i]), "unknown error");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(err_str((int)codes[i]), err_str((int)codes[k]));
    }
}

static void our_own_codes_are_below_what_errno_can_be(void **state)
{
    static const enum err codes[] = {ERR_UNSUPPORTED, ERR_TRUNCATED, ERR_SEQUENCE, ERR_INTERRUPTED,
                                     ERR_CONFIG,      ERR_IRREGULAR, ERR_DANGLING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        assert_true((int)codes[i] < -1000);
}

static void names_errno_values_as_the_system_does(void **state)
{
    (void)state;
    assert_string_equal(err_str(-ENOENT), "No such file or directory");
    assert_string_equal(err_str(-EACCES), "Permission denied");
    assert_string_equal(err_str(-ENOMEM), "Cannot allocate memory");
}

static void any_other_number_is_an_unknown_error(void **state)
{
    static const int cases[] = {1, ENOENT, INT_MAX, -999, -1000, -1099, INT_MIN};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(err_str(cases[i]), "unknown error");
}

static void no_text_ends_with_a_period_or_a_new_line(void **state)
{
    (void)state;
    for (int code = -1100; code <= 0; code++) {
        const char *text = err_str(code);
        size_t length = strlen(text);

        assert_true(length > 0);
        assert_int_not_equal(text[length - 1], '.');
        assert_null(strchr(text, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_of_our_own_codes),
        cmocka_unit_test(our_own_codes_are_below_what_errno_can_be),
        cmocka_unit_test(names_errno_values_as_the_system_does),
        cmocka_unit_test(any_other_number_is_an_unknown_error),
        cmocka_unit_test(no_text_ends_with_a_period_or_a_new_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
