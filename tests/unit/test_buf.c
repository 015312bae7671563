#include "core/buf.h"
#include "tests/unit/unit.h"

static void an_empty_buffer_reads_as_an_empty_text(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_string_equal(buf_text(&b), "");
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void writers_append(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_str(&b, "port");
    buf_char(&b, ' ');
    buf_fmt(&b, "%d-%d", 8000, 8100);
    buf_add(&b, ", more", 1);
    buf_str(&b, "");
    buf_fmt(&b, "%s", "");
    assert_string_equal(buf_text(&b), "port 8000-8100,");
    assert_int_equal(b.len, strlen("port 8000-8100,"));
    assert_false(b.failed);
    buf_done(&b);
}

static void bytes_may_contain_nul(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_add(&b, "a\0b", 3);
    buf_char(&b, '\0');
    assert_int_equal(b.len, 4);
    assert_memory_equal(buf_text(&b), "a\0b\0", 5);
    buf_done(&b);
}

/* 256 is the first capacity: every length around it and its doubles. */
static void grows_at_any_length(void **state)
{
    (void)state;
    for (size_t length = 250; length < 1030; length++) {
        struct buf b;

        buf_init(&b);
        for (size_t i = 0; i < length; i++)
            buf_char(&b, (char)('a' + i % 26));
        buf_fmt(&b, "%s", "end");
        assert_int_equal(b.len, length + 3);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(b.data[i], 'a' + i % 26);
        assert_string_equal(b.data + length, "end");
        buf_done(&b);
    }
}

static void truncating_undoes_a_row(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_truncate(&b, 0);
    assert_string_equal(buf_text(&b), "");
    buf_str(&b, "one\ntwo\n");
    buf_truncate(&b, 4);
    assert_string_equal(buf_text(&b), "one\n");
    buf_truncate(&b, 4);
    buf_truncate(&b, 5);
    assert_int_equal(b.len, 4);
    buf_str(&b, "three\n");
    assert_string_equal(buf_text(&b), "one\nthree\n");
    buf_truncate(&b, 0);
    assert_string_equal(buf_text(&b), "");
    buf_done(&b);
}

static void taking_hands_over_the_text_and_empties_the_buffer(void **state)
{
    struct buf b;
    size_t length = 0;
    char *text;

    (void)state;
    buf_init(&b);
    buf_str(&b, "text");
    text = buf_take(&b, &length);
    assert_string_equal(text, "text");
    assert_int_equal(length, 4);
    assert_string_equal(buf_text(&b), "");
    buf_str(&b, "next");
    assert_string_equal(text, "text");
    assert_string_equal(buf_text(&b), "next");
    buf_done(&b);
    free(text);
}

static void taking_from_an_empty_buffer_yields_an_empty_text(void **state)
{
    struct buf b;
    size_t length = 42;
    char *text;

    (void)state;
    buf_init(&b);
    text = buf_take(&b, &length);
    assert_non_null(text);
    assert_string_equal(text, "");
    assert_int_equal(length, 0);
    free(text);
    buf_done(&b);
}

static void a_text_beyond_the_limit_fails_for_good(void **state)
{
    const size_t chunk_length = 1u << 20;
    char *chunk = malloc(chunk_length);
    size_t length = 42;
    struct buf b;

    (void)state;
    assert_non_null(chunk);
    memset(chunk, 'x', chunk_length);
    buf_init(&b);
    for (size_t i = 0; i < BUF_MAX_BYTES / chunk_length - 1; i++)
        buf_add(&b, chunk, chunk_length);
    buf_add(&b, chunk, chunk_length - 1);
    assert_false(b.failed);
    assert_int_equal(b.len, BUF_MAX_BYTES - 1);
    buf_str(&b, "yz");
    assert_true(b.failed);
    assert_int_equal(b.len, BUF_MAX_BYTES - 1);

    buf_truncate(&b, 1);
    buf_char(&b, 'y');
    buf_fmt(&b, "%d", 1);
    assert_string_equal(buf_text(&b), "x");
    assert_null(buf_take(&b, &length));
    assert_int_equal(length, 42);
    buf_done(&b);
    assert_false(b.failed);
    free(chunk);
}

/* A length that would overflow if it were added to what is there. */
static void a_huge_length_fails_without_being_read(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_str(&b, "x");
    buf_add(&b, "y", SIZE_MAX);
    assert_true(b.failed);
    assert_string_equal(buf_text(&b), "x");
    buf_done(&b);
}

static void done_accepts_null_and_may_be_repeated(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_str(&b, "text");
    buf_done(&b);
    buf_done(&b);
    buf_done(NULL);
    assert_string_equal(buf_text(&b), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_reads_as_an_empty_text),
        cmocka_unit_test(writers_append),
        cmocka_unit_test(bytes_may_contain_nul),
        cmocka_unit_test(grows_at_any_length),
        cmocka_unit_test(truncating_undoes_a_row),
        cmocka_unit_test(taking_hands_over_the_text_and_empties_the_buffer),
        cmocka_unit_test(taking_from_an_empty_buffer_yields_an_empty_text),
        cmocka_unit_test(a_text_beyond_the_limit_fails_for_good),
        cmocka_unit_test(a_huge_length_fails_without_being_read),
        cmocka_unit_test(done_accepts_null_and_may_be_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
