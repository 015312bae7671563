#include "core/unix_path.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* From a copy of exactly that length, so that a sanitizer sees what is read beyond it. */
static void format(const char *bytes, size_t length, char ret_text[static UNIX_PATH_TEXT_MAX])
{
    char *copy = malloc(length + !length);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    memset(ret_text, '?', UNIX_PATH_TEXT_MAX);
    unix_path_format(copy, length, ret_text);
    assert_non_null(memchr(ret_text, '\0', UNIX_PATH_TEXT_MAX));
    free(copy);
}

/* The kernel tells a path with the NUL behind it, an abstract name without. */
static void names_are_told_as_people_write_them(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *wanted;
    } cases[] = {
        {"/run/mysqld/mysqld.sock", 24, "/run/mysqld/mysqld.sock"},
        {"/run/\xc3\xa4.sock", 12, "/run/\xc3\xa4.sock"},
        {"\0bus", 4, "@bus"},
        {"relative.sock", 14, "relative.sock"},
        {"", 0, ""},
        {"\0", 1, "@"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[UNIX_PATH_TEXT_MAX];

        format(cases[i].bytes, cases[i].length, text);
        assert_string_equal(text, cases[i].wanted);
    }
}

static void bytes_that_are_no_text_are_escaped(void **state)
{
    char text[UNIX_PATH_TEXT_MAX], bytes[200];

    (void)state;
    format("\0a\0b\n", 5, text);
    assert_string_equal(text, "@a\\x00b\\x0a");
    format("/tmp/\xff\x1b[2J", 10, text);
    assert_string_equal(text, "/tmp/\\xff\\x1b[2J");
    memset(bytes, '\x01', sizeof bytes);
    format(bytes, UNIX_PATH_BYTES, text);
    assert_int_equal(strlen(text), 4 * UNIX_PATH_BYTES);
    *bytes = '\0';
    format(bytes, sizeof bytes, text); /* longer than any name is */
    assert_int_equal(strlen(text), 1 + 4 * (UNIX_PATH_BYTES - 1));
}

/* Whoever binds to these does not appear to hold what an operator expects. */
static void nothing_else_looks_like_a_name_that_may_be_expected(void **state)
{
    char text[UNIX_PATH_TEXT_MAX];

    (void)state;
    format("@bus", 5, text);
    assert_string_equal(text, "./@bus");
    format("/run/a\nb", 9, text);
    assert_string_equal(text, "/run/a\\x0ab");
    assert_false(unix_path_is_plain(text));
    format("\0bus\0", 5, text);
    assert_string_equal(text, "@bus\\x00");
    assert_false(unix_path_is_plain(text));
}

static void absolute_paths_and_abstract_names_may_be_expected(void **state)
{
    static const char *const good[] = {"/a", "@a", "/run/php fpm.sock", "/run/\xc3\xa4"};
    static const char *const bad[] = {"", "/", "@", "a", "./a", "/a\\x0a", "/a\nb", "/a\xff", "~/a"};
    char longest[UNIX_PATH_EXPECTED_MAX + 2] = "/";

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(unix_path_is_plain(good[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(unix_path_is_plain(bad[i]));
    memset(longest + 1, 'x', UNIX_PATH_EXPECTED_MAX);
    assert_false(unix_path_is_plain(longest));
    longest[UNIX_PATH_EXPECTED_MAX] = '\0';
    assert_true(unix_path_is_plain(longest));
}

static void what_stands_for_a_path_is_never_the_port_of_all_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/run/%u", i);
        assert_int_not_equal(unix_path_port(path), 0);
    }
}

static void paths_differ_in_what_stands_for_their_address(void **state)
{
    const struct ip_addr a = unix_path_address("/run/a"), b = unix_path_address("/run/b"),
                         again = unix_path_address("/run/a");

    (void)state;
    assert_int_equal(a.version, 0);
    assert_int_not_equal(ip_addr_compare(&a, &b), 0);
    assert_int_equal(ip_addr_compare(&a, &again), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_told_as_people_write_them),
        cmocka_unit_test(bytes_that_are_no_text_are_escaped),
        cmocka_unit_test(nothing_else_looks_like_a_name_that_may_be_expected),
        cmocka_unit_test(absolute_paths_and_abstract_names_may_be_expected),
        cmocka_unit_test(what_stands_for_a_path_is_never_the_port_of_all_others),
        cmocka_unit_test(paths_differ_in_what_stands_for_their_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
