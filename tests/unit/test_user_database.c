#include "collectors/user_database.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>

/* The database of these tests: its one user, and how that is told. */
static struct {
    const char *name;
    size_t size; /* that the entry takes */
    int error;
    size_t asks;
} db;

int getpwuid_r(uid_t uid, struct passwd *restrict ret, char *restrict entry, size_t size,
               struct passwd **restrict ret_found)
{
    static char name[256];

    (void)entry;
    db.asks++;
    *ret_found = NULL;
    if (db.error != 0)
        return db.error;
    if (size < db.size)
        return ERANGE;
    (void)snprintf(name, sizeof name, "%s", db.name ? db.name : "");
    *ret = (struct passwd){.pw_name = name, .pw_uid = uid};
    *ret_found = db.name ? ret : NULL;
    return 0;
}

static void a_user_has_a_name_or_none(void **state)
{
    char name[USER_TEXT_MAX];

    (void)state;
    db.name = "mysql";
    assert_int_equal(user_database_ask(33, name), 1);
    assert_string_equal(name, "mysql");
    db.name = "a\nname\xff";
    assert_int_equal(user_database_ask(33, name), 1);
    assert_string_equal(name, "a\\x0aname\\xff");
    db.name = "";
    assert_int_equal(user_database_ask(33, name), 0);
    db.name = NULL;
    assert_int_equal(user_database_ask(33, name), 0);
}

static void a_failure_is_not_nobody(void **state)
{
    static const int errors[] = {EIO, EAGAIN, ENOENT, ESRCH, ENOMEM};
    char name[USER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        db.error = errors[i];
        assert_int_equal(user_database_ask(33, name), -errors[i]);
    }
    db.error = 0;
}

static void a_long_entry_is_asked_for_with_more_room(void **state)
{
    char name[USER_TEXT_MAX];

    (void)state;
    db.name = "long";
    for (db.size = 1; db.size <= 1 << 20; db.size *= 2) {
        db.asks = 0;
        assert_int_equal(user_database_ask(33, name), 1);
        assert_in_range(db.asks, 1, 6);
    }
    assert_int_equal(user_database_ask(33, name), -ERANGE); /* but not with any */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_a_name_or_none),
        cmocka_unit_test(a_failure_is_not_nobody),
        cmocka_unit_test(a_long_entry_is_asked_for_with_more_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
