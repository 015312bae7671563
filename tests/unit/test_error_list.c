#include "config/error_list.h"
#include "core/text.h"
#include "tests/unit/unit.h"

/* Adds "RANK:LETTER" and so on, separated by spaces. */
static void add_all(struct error_list *list, const char *errors)
{
    for (const char *p = errors; *p; p += strcspn(p, " "), p += *p == ' ')
        error_list_add(list, (size_t)(*p - '0'), "x", 0, "", "%.1s", p + 2);
}

static void assert_prints(struct error_list *list, const char *wanted)
{
    struct buf out;

    buf_init(&out);
    error_list_print(list, "x", &out);
    assert_string_equal(buf_text(&out), wanted);
    buf_done(&out);
    error_list_done(list);
}

static void tells_them_by_rank_and_then_as_they_came(void **state)
{
    struct error_list list = {.count = 0};

    (void)state;
    assert_prints(&list, "");
    add_all(&list, "1:a 3:b 1:c 0:d 2:e 3:f 0:g");
    assert_prints(&list, "x: d\nx: g\nx: a\nx: c\nx: e\nx: b\nx: f\n");
}

static void tells_where_it_is(void **state)
{
    struct error_list list = {.count = 0};

    (void)state;
    error_list_add(&list, 0, "x", 7, "a.b", "is %d, expected %d", 1, 2);
    error_list_add(&list, 0, "y", 7, "", "%s", "z");
    error_list_add(&list, 0, "y", 0, "key", "%s", "z");
    assert_prints(&list, "x:7: a.b: is 1, expected 2\ny:7: z\ny: key: z\n");
}

static void a_long_one_is_cut_between_characters(void **state)
{
    (void)state;
    for (int blanks = 0; blanks < 3; blanks++) {
        struct error_list list = {.count = 0};
        char euros[2000] = "";

        for (size_t i = 0; i + 3 < sizeof euros; i += 3)
            memcpy(euros + i, "\xe2\x82\xac", 4);
        error_list_add(&list, 0, "x", 1, "a", "%*s%s", blanks, "", euros);
        assert_in_range(strlen(list.told[0].line), 1000, 1100);
        assert_true(text_is_utf8(list.told[0].line));
        error_list_done(&list);
    }
}

static void tells_the_first_and_counts_the_others(void **state)
{
    struct error_list list = {.count = 0};
    struct buf wanted;

    (void)state;
    buf_init(&wanted);
    buf_str(&wanted, "x: a\n");
    for (int i = 0; i < ERRORS_TOLD_MAX; i++) {
        assert_true(error_list_wants(&list, 5));
        add_all(&list, "5:b");
        buf_str(&wanted, i > 0 ? "x: b\n" : "");
    }
    assert_int_equal(list.count, ERRORS_TOLD_MAX);
    add_all(&list, "5:c 6:c 4:a");
    assert_false(error_list_wants(&list, 5)); /* which counts it */
    buf_str(&wanted, "x: 4 more errors\n");
    assert_prints(&list, buf_text(&wanted));
    buf_done(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_them_by_rank_and_then_as_they_came),
        cmocka_unit_test(tells_where_it_is),
        cmocka_unit_test(a_long_one_is_cut_between_characters),
        cmocka_unit_test(tells_the_first_and_counts_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
