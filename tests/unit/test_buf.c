#include "core/buf.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>

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

static void numbers_are_written_as_printf_does(void **state)
{
    uint64_t numbers[3 * 64];
    size_t count = 0;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        for (unsigned k = 0; k < 3; k++)
            numbers[count++] = (UINT64_C(1) << bit) - 1 + k; /* 0, 1, 2, ... */
    numbers[0] = UINT64_MAX;
    for (uint64_t power = 1, i = 0; i < 20; power *= 10, i++) {
        numbers[3 * i + 1] = power - 1;
        numbers[3 * i + 2] = power;
    }
    for (size_t i = 0; i < count; i++) {
        char expected[32];
        struct buf b;

        buf_init(&b);
        buf_u64(&b, numbers[i]);
        (void)snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        assert_string_equal(buf_text(&b), expected);
        buf_done(&b);
    }
}

/* The next double towards infinity, of a positive one; steps may be negative. */
static double next_double(double number, int64_t steps)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    bits += (uint64_t)steps;
    memcpy(&number, &bits, sizeof bits);
    return number;
}

static void assert_real(double number)
{
    char expected[64];
    struct buf b;

    buf_init(&b);
    buf_real(&b, number);
    (void)snprintf(expected, sizeof expected, "%.9g", number);
    assert_string_equal(buf_text(&b), expected);
    buf_done(&b);
}

/* Also where a digit more or less than nine would be rounded otherwise, in
 * halves that double represents exactly, and beside the powers of ten. */
static void real_numbers_are_written_as_printf_does(void **state)
{
    static const double numbers[] = {
        0,
        -0.0,
        1,
        2,
        511,
        4294967295.0,
        4294967296.0,
        999999999,
        1e9,
        1e10,
        1e300,
        1e-5,
        1e-300,
        0.5,
        1.5,
        -0.25,
        0.0001,
        0.1,
        0.00099,
        0.09999999,
        0.0999999996,
        0.0999999999996,
        0.9999999994999,
        0.9999999995,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        assert_real(numbers[i]);
    assert_real((double)INFINITY);
    assert_real(-(double)INFINITY);
    assert_real((double)NAN);
    for (double edge = 1e-6; edge < 1e11; edge *= 10) {
        assert_real(next_double(edge, -1));
        assert_real(edge);
        assert_real(next_double(edge, 1));
    }
    for (unsigned k = 1; k < 4096; k += 2) /* some end in a 5 behind nine digits */
        for (double scale = 4096; scale < 1e7; scale *= 2)
            assert_real(k / scale);
    for (uint32_t length = 0; length < 600; length += 7)
        for (uint32_t limit = 0; limit < 600; limit++)
            assert_real(length / (limit + 1.0));
}

static void real_numbers_at_random_are_written_as_printf_does(void **state)
{
    uint64_t random = 42;

    (void)state;
    for (size_t i = 0; i < 300000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        assert_real((double)(random >> 11) / (double)((uint64_t)1 << (53 + i % 11)) / (double)(1 + i % 33));
    }
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

static void room_that_was_made_is_not_text(void **state)
{
    struct buf b;
    char *data;

    (void)state;
    buf_init(&b);
    assert_true(buf_reserve(&b, 5000));
    assert_int_equal(b.len, 0);
    data = b.data;
    for (unsigned i = 0; i < 5000; i++)
        buf_char(&b, 'x');
    assert_ptr_equal(b.data, data);
    assert_int_equal(strlen(buf_text(&b)), 5000);
    assert_false(buf_reserve(&b, BUF_MAX_BYTES));
    assert_true(b.failed);
    assert_false(buf_reserve(&b, 1));
    buf_done(&b);
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
    volatile size_t huge = SIZE_MAX; /* which a compiler would refuse to see */
    struct buf b;

    (void)state;
    buf_init(&b);
    buf_str(&b, "x");
    buf_add(&b, "y", huge);
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
        cmocka_unit_test(numbers_are_written_as_printf_does),
        cmocka_unit_test(real_numbers_are_written_as_printf_does),
        cmocka_unit_test(real_numbers_at_random_are_written_as_printf_does),
        cmocka_unit_test(bytes_may_contain_nul),
        cmocka_unit_test(grows_at_any_length),
        cmocka_unit_test(room_that_was_made_is_not_text),
        cmocka_unit_test(truncating_undoes_a_row),
        cmocka_unit_test(taking_hands_over_the_text_and_empties_the_buffer),
        cmocka_unit_test(taking_from_an_empty_buffer_yields_an_empty_text),
        cmocka_unit_test(a_text_beyond_the_limit_fails_for_good),
        cmocka_unit_test(a_huge_length_fails_without_being_read),
        cmocka_unit_test(done_accepts_null_and_may_be_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
