#include "collectors/users.h"
#include "tests/unit/unit.h"

#include <pwd.h>
#include <stdio.h>

/* The user database of these tests: even numbers below 1000 have names. */
static size_t asked;

struct passwd *getpwuid(uid_t uid)
{
    static char name[32];
    static struct passwd user = {.pw_name = name};

    asked++;
    (void)snprintf(name, sizeof name, "name%u", uid);
    return uid < 1000 && uid % 2 == 0 ? &user : NULL;
}

static int set_up(void **state)
{
    asked = 0;
    *state = users_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    users_free(*state);
    return 0;
}

static void a_user_is_asked_for_once(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_string_equal(users_name(*state, 0), "name0");
        assert_string_equal(users_name(*state, 10), "name10");
        assert_string_equal(users_name(*state, 11), "11");
        assert_string_equal(users_name(*state, UINT32_MAX), "4294967295");
    }
    assert_in_range(asked, 3, 6); /* of the last number nothing need be remembered */
    asked = 0;
    users_forget(*state);
    assert_string_equal(users_name(*state, 11), "11");
    assert_string_equal(users_name(*state, 10), "name10");
    assert_int_equal(asked, 2);
}

/* As many as somebody was given by subuid(5), in a row. */
static void numbers_without_names_are_asked_for_once_however_many(void **state)
{
    char number[16];

    for (uint32_t round = 0; round < 3; round++) {
        asked = 0;
        for (uint32_t uid = 100000; uid < 100000 + 40000; uid++) {
            (void)snprintf(number, sizeof number, "%u", uid);
            assert_string_equal(users_name(*state, uid), number);
        }
        if (round > 0)
            assert_in_range(asked, 0, 400);
        assert_string_equal(users_name(*state, 10), "name10"); /* and no name was displaced */
    }
    asked = 0;
    assert_string_equal(users_name(*state, 10), "name10");
    assert_int_equal(asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_is_asked_for_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_without_names_are_asked_for_once_however_many, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
