#include "config/scan.h"
#include "tests/unit/unit.h"

#include <stdio.h>

struct report {
    char text[8192];
    size_t length;
};

static void note_problem(void *arg, unsigned line, const char *key, const char *what, const char *expected)
{
    struct report *r = arg;

    assert_true(*expected);
    r->length +=
        (size_t)snprintf(r->text + r->length, sizeof r->text - r->length, "%u:%s: %s\n", line, key, what);
    assert_true(r->length < sizeof r->text);
}

static void note_include(void *arg, unsigned line, const char *path)
{
    struct report *r = arg;

    r->length += (size_t)snprintf(r->text + r->length, sizeof r->text - r->length, "%u<%s>\n", line, path);
    assert_true(r->length < sizeof r->text);
}

static void note_joined(void *arg, unsigned line)
{
    struct report *r = arg;

    r->length += (size_t)snprintf(r->text + r->length, sizeof r->text - r->length, "%u+\n", line);
    assert_true(r->length < sizeof r->text);
}

/* Scans a copy of exactly that length, so that a sanitizer sees every byte
 * read beyond it. */
static void scan(const char *text, size_t length, struct report *ret)
{
    struct scan_shape shape = {.values = 0};
    const struct scan_callbacks callbacks = {note_problem, note_include, note_joined, ret, &shape, false};
    char *exact = malloc(length > 0 ? length : 1);

    assert_non_null(exact);
    memcpy(exact, text, length);
    *ret = (struct report){.text = ""};
    assert_true(scan_text(exact, length, &callbacks));
    free(exact);
}

static void assert_scanned(const char *text, size_t length, const char *wanted)
{
    struct report report;

    scan(text, length, &report);
    assert_string_equal(report.text, wanted);
}

struct scan_case {
    const char *text, *wanted;
};

static void assert_cases(const struct scan_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_scanned(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

static void a_good_file_has_no_problems(void **state)
{
    static const struct scan_case cases[] = {
        {"", ""},
        {"\n", ""},
        {"poll: { listeners = \"1s\"; };\nlimits: { series = 20000; };\n", ""},
        {"name = \"B\xc3\xbc"
         "cher \xe2\x82\xac \xf0\x9f\x90\x99\"; # caf\xc3\xa9\n",
         ""},
        {"a = 2147483647; b = -2147483648; c = 0x7fffffff; d = 0; e = +1;", ""},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

static void finds_numbers_that_would_be_read_as_others(void **state)
{
    static const struct scan_case cases[] = {
        {"port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"port = 2147483648;", "1:port: 2147483648 does not fit in 32 bits\n"},
        {"port = -2147483649;", "1:port: -2147483649 does not fit in 32 bits\n"},
        {"port = +4294970602;", "1:port: +4294970602 does not fit in 32 bits\n"},
        {"port=4294970602", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"port = 0x100000CEA;", "1:port: 0x100000CEA does not fit in 32 bits\n"},
        {"port = 0XFFFFFFFF;", "1:port: 0XFFFFFFFF does not fit in 32 bits\n"},
        {"port = 99999999999999999999999;", "1:port: 99999999999999999999999 does not fit in 32 bits\n"},
        {"port = 18446744073709554922;", "1:port: 18446744073709554922 does not fit in 32 bits\n"},
        {"port = 00004294970602;", "1:port: 00004294970602 does not fit in 32 bits\n"},
        {"x = [1, 4294970602, 2];", "1:x: 4294970602 does not fit in 32 bits\n"},
        {"x = (4294970602);", "1:x: 4294970602 does not fit in 32 bits\n"},
        {"x:4294970602", "1:x: 4294970602 does not fit in 32 bits\n"},
        {"a=1;b=4294970602;c=2;d=4294970603;",
         "1:b: 4294970602 does not fit in 32 bits\n1:d: 4294970603 does not fit in 32 bits\n"},
        {"expect = (\n  { name = \"a\";\n    port =\n 4294970602; } );",
         "4:port: 4294970602 does not fit in 32 bits\n"},
        {"4294970602", "1:: 4294970602 does not fit in 32 bits\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

/* However many digits a number is written with. */
static void finds_them_behind_any_number_of_zeros(void **state)
{
    (void)state;
    for (int zeros = 0; zeros < 200; zeros++) {
        char text[256];
        struct report report;

        (void)snprintf(text, sizeof text, "port = %0*d4294970602;", zeros + 1, 0);
        scan(text, strlen(text), &report);
        assert_non_null(strstr(report.text, "1:port: 0"));
        assert_non_null(strstr(report.text, "does not fit in 32 bits\n"));

        (void)snprintf(text, sizeof text, "port = 0x%0*d100000CEA;", zeros + 1, 0);
        scan(text, strlen(text), &report);
        assert_non_null(strstr(report.text, "does not fit in 32 bits\n"));
    }
}

static void lets_numbers_pass_that_are_read_as_they_are(void **state)
{
    static const struct scan_case cases[] = {
        {"x = 4294970602L;", ""},
        {"x = 0x100000CEAL;", ""},
        {"x = 4294970602.5;", ""},
        {"x = -4294970602.0;", ""},
        {"x = 4294970602e3;", ""},
        {"x = 0xEE;", ""},
        {"x = 0080L;", ""},
        {"x = 00.5;", ""},
        {"x = 00e1;", ""},
        {"x = 0x0080;", ""},
        {"x = 0;", ""},
        {"x = -0;", ""},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

/* Port 0080 is 80 to one version of libconfig and wrong syntax to another, and
 * port 010 is 10 or 8. */
static void finds_numbers_that_may_be_octal(void **state)
{
    static const struct scan_case cases[] = {
        {"port = 010;", "1:port: 010 may be read as octal\n"},
        {"port = 0000000080;", "1:port: 0000000080 may be read as octal\n"},
        {"a = 1;\nport = -01;", "2:port: -01 may be read as octal\n"},
        {"x = [8, +08];", "1:x: +08 may be read as octal\n"},
        {"x = 00", "1:x: 00 may be read as octal\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

static void numbers_in_names_strings_and_comments_are_no_numbers(void **state)
{
    static const struct scan_case cases[] = {
        {"port4294970602 = 1;", ""},
        {"a-4294970602 = 1; b_4294970602 = 1; c*4294970602 = 1;", ""},
        {"name = \"4294970602\";", ""},
        {"name = \"\\\" 4294970602 \";", ""},
        {"name = \"\\\\\"; port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"# 4294970602\n// 4294970602\n/* 4294970602\n 4294970602 */", ""},
        {"# \"\nport = 4294970602;", "2:port: 4294970602 does not fit in 32 bits\n"},
        {"// /*\nport = 4294970602;", "2:port: 4294970602 does not fit in 32 bits\n"},
        {"/* \" */ port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"name = \"/*\"; port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"name = \"#\"; port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"/* a\n\n */\n\nport = 4294970602;", "5:port: 4294970602 does not fit in 32 bits\n"},
        {"/**/ port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"name = \"a\nb\"; port = 4294970602;", "2:port: 4294970602 does not fit in 32 bits\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

/* The star that opens a comment does not close it: were it so, the quote in
 * it would hide what follows. */
static void a_comment_ends_with_a_star_of_its_own(void **state)
{
    static const struct scan_case cases[] = {
        {"/*/ \" */ port = 4294970602;", "1:port: 4294970602 does not fit in 32 bits\n"},
        {"/*/ 4294970602 */", ""},
        {"/*/", "1:: a comment begins here and does not end\n"},
        {"a = 1;\n /* b = 2;\n/* c = 3;\n", "2:: a comment begins here and does not end\n"},
        {"/*", "1:: a comment begins here and does not end\n"},
        {"/* *", "1:: a comment begins here and does not end\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

static void ends_wherever_the_text_ends(void **state)
{
    static const char *const cases[] = {"name = \"open",
                                        "name = \"open\\",
                                        "/* open",
                                        "/* open *",
                                        "#",
                                        "/",
                                        "-",
                                        "a = -",
                                        "@include",
                                        "@include ",
                                        "@include \"",
                                        "@include \"a",
                                        "x = 0x",
                                        "\xc3",
                                        "\xe2\x82",
                                        "\xf0\x9f\x90",
                                        "\xef\xbb"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct report report;

        for (size_t length = 0; length <= strlen(cases[i]); length++)
            scan(cases[i], length, &report);
    }
}

static void finds_nul_bytes_and_byte_order_marks(void **state)
{
    static const char nul[] = "a = 1;\nname = \"a\0b\0\";\n\0\n";
    static const char hidden[] = "a\0= 4294970602;";

    (void)state;
    assert_scanned(nul, sizeof nul - 1, "2:: contains a NUL byte\n3:: contains a NUL byte\n");
    assert_scanned(hidden, sizeof hidden - 1,
                   "1:: contains a NUL byte\n1:a: 4294970602 does not fit in 32 bits\n");
    assert_scanned("\xef\xbb\xbf"
                   "a = 1;",
                   9, "1:: begins with a byte order mark\n");
    assert_scanned("\xef\xbb\xbf", 3, "1:: begins with a byte order mark\n");
    assert_scanned("# \xef\xbb\xbf", 5, "");
}

static void finds_what_is_no_utf8(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xbf", /* continuation without a start */
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf", /* longer than needed */
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf", /* surrogates */
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe", /* beyond Unicode */
                                      "\xc3",
                                      "\xc3(",
                                      "\xe2\x82",
                                      "\xe2(\xac",
                                      "\xf0\x9f\x90",
                                      "\xf0\x9f(\x99",
                                      "caf\xe9"};
    static const char *const good[] = {
        "\x01",         "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_scanned(bad[i], strlen(bad[i]), "1:: is not valid UTF-8\n");
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_scanned(good[i], strlen(good[i]), "");
}

static void reports_bad_bytes_once_a_line(void **state)
{
    const char *text = "# \xff\xff\xff\n# fine\n# \xff \xfe\n";

    (void)state;
    assert_scanned(text, strlen(text), "1:: is not valid UTF-8\n3:: is not valid UTF-8\n");
}

static void finds_the_files_that_are_included(void **state)
{
    static const struct scan_case cases[] = {
        {"@include \"a.conf\"\n", "1<a.conf>\n"},
        {"a = 1;\n  @include   \"dir/b.conf\"\n@include\t\"c\"", "2<dir/b.conf>\n3<c>\n"},
        {"# @include \"a\"\n// @include \"a\"\n/* @include \"a\" */\nname = \"@include\";", ""},
        {"@include \"a\"\nport = 4294970602;", "1<a>\n2:port: 4294970602 does not fit in 32 bits\n"},
        {"@include a.conf\n", ""},
        {"@include \"\"\n", "1<>\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

static void finds_strings_in_a_row(void **state)
{
    static const struct scan_case cases[] = {
        {"a = [ \"x\" \"y\" ];", "1+\n"},
        {"a = [ \"x\" # one\n \"y\"\n/* */ \"z\"\n];", "4+\n"},
        {"a = [ \"x\", \"y\" ]; b = \"1\"; c = \"2\";", ""},
        {"a = \"x\" \"y\"; b = \"1\"\n\"2\";", "1+\n2+\n"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

static void a_long_key_is_cut(void **state)
{
    char text[300];
    struct report report;

    (void)state;
    memset(text, 'k', 200);
    (void)snprintf(text + 200, sizeof text - 200, " = 4294970602;");
    scan(text, strlen(text), &report);
    assert_memory_equal(report.text, "1:kkkk", 6);
    assert_non_null(strstr(report.text, "k: 4294970602 does not fit"));
    assert_in_range(report.length, 40, 150);
}

static struct scan_shape shape_of(const char *text)
{
    struct scan_shape shape = {.values = 0};
    struct report ignored = {.text = ""};
    const struct scan_callbacks callbacks = {note_problem, note_include, note_joined,
                                             &ignored,     &shape,       false};

    assert_true(scan_text(text, strlen(text), &callbacks));
    return shape;
}

static void counts_what_libconfig_makes_a_setting_of(void **state)
{
    static const struct {
        const char *text;
        size_t values, comparisons;
    } cases[] = {
        {"", 0, 0},
        {"a = 1; b : \"x\"; c = true; d = -1.5;", 4, 6},
        {"a = { b = 1; c = 2 }; d = { e = 1; };", 5, 2},
        {"a = ( 1, \"x\" \"y\" /* one */ \"z\", [ 2L, 3 ], { b = 0x7; } );", 8, 0},
        {"# a = 1\n// ( { [\n/* = = */", 0, 0},
        {"a = 1\nb # and\n= 2", 2, 1},
        {"a = \"b = 1; {\"", 1, 0},
        {"}}} a = 1", 1, 0},
        {"= = : :", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct scan_shape shape = shape_of(cases[i].text);

        if (shape.values != cases[i].values || shape.comparisons != cases[i].comparisons)
            fail_msg("%s: %zu values, %zu comparisons", cases[i].text, shape.values, shape.comparisons);
    }
}

/* Deeper than any parser follows. */
static void any_depth_is_scanned(void **state)
{
    struct scan_shape shape;
    char text[4 * SCAN_DEPTH_MAX + 1];

    (void)state;
    for (size_t i = 0; i < SCAN_DEPTH_MAX; i++)
        memcpy(text + 4 * i, "a={ ", 4);
    text[sizeof text - 1] = '\0';
    shape = shape_of(text);
    assert_int_equal(shape.depth, SCAN_DEPTH_MAX);
    assert_int_equal(shape.values, SCAN_DEPTH_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_has_no_problems),
        cmocka_unit_test(finds_numbers_that_would_be_read_as_others),
        cmocka_unit_test(finds_them_behind_any_number_of_zeros),
        cmocka_unit_test(lets_numbers_pass_that_are_read_as_they_are),
        cmocka_unit_test(finds_numbers_that_may_be_octal),
        cmocka_unit_test(numbers_in_names_strings_and_comments_are_no_numbers),
        cmocka_unit_test(a_comment_ends_with_a_star_of_its_own),
        cmocka_unit_test(ends_wherever_the_text_ends),
        cmocka_unit_test(finds_nul_bytes_and_byte_order_marks),
        cmocka_unit_test(finds_what_is_no_utf8),
        cmocka_unit_test(reports_bad_bytes_once_a_line),
        cmocka_unit_test(finds_the_files_that_are_included),
        cmocka_unit_test(finds_strings_in_a_row),
        cmocka_unit_test(a_long_key_is_cut),
        cmocka_unit_test(counts_what_libconfig_makes_a_setting_of),
        cmocka_unit_test(any_depth_is_scanned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
