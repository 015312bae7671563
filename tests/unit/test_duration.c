#include "core/duration.h"
#include "tests/unit/unit.h"

static void parses_each_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"0s", 0},      {"1ms", 1},      {"500ms", 500},   {"1s", 1000},
                 {"5m", 300000}, {"2h", 7200000}, {"7d", 604800000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = -1;

        assert_int_equal(duration_parse(cases[i].text, &ms), 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void refuses_what_is_no_duration(void **state)
{
    static const char *const cases[] = {"",    "s",    "1",    "-1s",  "+1s", " 1s",
                                        "1 s", "1sec", "1.5s", "0x1s", "1s ", "1S"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = 42;

        assert_int_equal(duration_parse(cases[i], &ms), -EINVAL);
        assert_int_equal(ms, 42);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    int64_t ms = 42;

    (void)state;
    assert_int_equal(duration_parse("9223372036854775807ms", &ms), 0);
    assert_int_equal(ms, INT64_MAX);
    ms = 42;
    assert_int_equal(duration_parse("9223372036854775808ms", &ms), -ERANGE);
    assert_int_equal(duration_parse("9223372036854775807s", &ms), -ERANGE);
    assert_int_equal(ms, 42);
}

static void formats_with_the_largest_exact_unit(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0s"},     {1, "1ms"},     {1000, "1s"},    {1500, "1500ms"},
                 {60000, "1m"}, {90000, "90s"}, {3600000, "1h"}, {86400000, "1d"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[DURATION_TEXT_MAX];

        duration_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_each_unit),
        cmocka_unit_test(refuses_what_is_no_duration),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(formats_with_the_largest_exact_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
