#include "core/text.h"
#include "core/owner.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* A copy of exactly that length, so that a sanitizer sees every byte read or
 * written beyond it. */
static char *exact(const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    return copy;
}

static void assert_escaped(const char *bytes, size_t length, size_t size, const char *wanted)
{
    char *source = exact(bytes, length), *text = malloc(size);

    assert_non_null(text);
    memset(text, '?', size);
    text_escape(source, length, text, size);
    assert_non_null(memchr(text, '\0', size));
    assert_string_equal(text, wanted);
    free(text);
    free(source);
}

struct escape_case {
    const char *bytes, *wanted;
};

static void assert_cases(const struct escape_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_escaped(cases[i].bytes, strlen(cases[i].bytes), 256, cases[i].wanted);
}

/* Characters and what is none, by the first bytes of RFC 3629's table. */
static const char *const characters[] = {
    "\x01",
    "A",
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf0\x9f\x90\x99",
    "\xf4\x8f\xbf\xbf",
};
static const char *const no_characters[] = {
    "\x80",
    "\xbf", /* continuation without a start */
    "\xc0\x80",
    "\xc1\xbf",
    "\xc0\x80\x80\x80",
    "\xc1\xbf\xbf\xbf",
    "\xe0\x80\x80",
    "\xe0\x9f\xbf",
    "\xf0\x80\x80\x80",
    "\xf0\x8f\xbf\xbf", /* longer than needed */
    "\xed\xa0\x80",
    "\xed\xbf\xbf", /* surrogates */
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xfe",
    "\xff", /* beyond Unicode */
    "\xc3(",
    "\xc3\xc3",
    "\xe2(\xac",
    "\xe2\x82(",
    "\xf0(\x90\x99",
    "\xf0\x9f(\x99",
    "\xf0\x9f\x90(", /* another character instead of a continuation */
};

static void a_character_has_one_to_four_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(characters); i++) {
        size_t length = strlen(characters[i]);
        char followed[16];

        assert_int_equal(text_utf8_length(characters[i], length), length);
        (void)snprintf(followed, sizeof followed, "%s\xff", characters[i]);
        assert_int_equal(text_utf8_length(followed, length + 1), length);
    }
    assert_int_equal(text_utf8_length("\0", 1), 1);
}

static void what_is_no_character_has_no_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(no_characters); i++)
        assert_int_equal(text_utf8_length(no_characters[i], strlen(no_characters[i])), 0);
}

static void a_character_that_is_cut_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(characters); i++)
        for (size_t left = 1; left < strlen(characters[i]); left++) {
            char *cut = exact(characters[i], left);

            assert_int_equal(text_utf8_length(cut, left), 0);
            free(cut);
        }
}

static void strings_are_utf8_or_not(void **state)
{
    (void)state;
    assert_true(text_is_utf8(""));
    assert_true(text_is_utf8("plain"));
    assert_true(text_is_utf8("B\xc3\xbcro \xf0\x9f\x90\x99"));
    assert_false(text_is_utf8("caf\xe9"));
    assert_false(text_is_utf8("caf\xc3"));
    assert_false(text_is_utf8("caf\xe9 au lait"));
    assert_false(text_is_utf8("\xff"));
    for (size_t i = 0; i < ARRAY_LENGTH(characters); i++)
        assert_true(text_is_utf8(characters[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(no_characters); i++)
        assert_false(text_is_utf8(no_characters[i]));
}

static void text_without_control_characters_stays_as_it_is(void **state)
{
    static const char *const cases[] = {
        "",
        "mariadbd",
        "tmux: server",
        "a \"b\" 'c' `d` <e>&{f}",
        "back\\slash",
        "systemd-fsck@dev-disk-by\\x2duuid.service",
        "B\xc3\xbcro \xe2\x82\xac \xf0\x9f\x90\x99",
        "\xc2\xa0\xc2\xbf\xc3\x80", /* just behind the C1 characters */
        " ~",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_escaped(cases[i], strlen(cases[i]), strlen(cases[i]) + 1, cases[i]);
}

static void control_characters_are_escaped(void **state)
{
    static const struct escape_case cases[] = {
        {"two\nlines", "two\\x0alines"},
        {"\t\r\n", "\\x09\\x0d\\x0a"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"\x01\x1f ", "\\x01\\x1f "},
        {"\x7f~", "\\x7f~"},
        {"\xc2\x80", "\\xc2\\x80"},
        {"a\xc2\x9bm", "a\\xc2\\x9bm"}, /* the one-character form of ESC [ */
        {"\xc2\x9f\xc2\xa0", "\\xc2\\x9f\xc2\xa0"},
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},     /* a line separator */
        {"a\xe2\x80\xaez", "a\\xe2\\x80\\xaez"}, /* from here on right to left */
        {"\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xaa\xe2\x82\xac",
         "\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xaa\xe2\x82\xac"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
    assert_escaped("a\0b\0", 4, 256, "a\\x00b\\x00");
}

/* The UTF-8 of a character beyond ASCII. Returns its length. */
static size_t encode(unsigned character, char ret[static 5])
{
    size_t n = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    memset(ret, 0, 5);
    for (size_t i = n - 1; i > 0; i--, character >>= 6)
        ret[i] = (char)(0x80 | (character & 0x3f));
    ret[0] = (char)((0xf0u << (4 - n)) | character);
    return n;
}

/* Bidi_Control of Unicode's PropList.txt, the separators of lines and of
 * paragraphs, and C1. */
static bool is_on_the_list(unsigned character)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {{0x80, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
                  {0x2028, 0x2029}, {0x202a, 0x202e}, {0x2066, 0x2069}};

    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

static void of_all_characters_exactly_those_on_the_list_are_escaped(void **state)
{
    (void)state;
    for (unsigned character = 0x80; character <= 0x10ffff; character++) {
        char bytes[5], text[32], wanted[32] = "";
        size_t n = encode(character, bytes);

        if (character >= 0xd800 && character <= 0xdfff)
            continue; /* surrogates are no characters */
        for (size_t i = 0; i < n; i++)
            (void)snprintf(wanted + i * 4, sizeof wanted - i * 4, "\\x%02x", (unsigned char)bytes[i]);
        text_escape(bytes, n, text, sizeof text);
        assert_string_equal(text, is_on_the_list(character) ? wanted : bytes);
    }
}

static void what_is_no_utf8_is_escaped_byte_by_byte(void **state)
{
    static const struct escape_case cases[] = {
        {"caf\xe9", "caf\\xe9"},
        {"caf\xe9 au lait", "caf\\xe9 au lait"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\x80\xc3\xa4", "\\x80\xc3\xa4"},
        {"\xc3\xc3\xa4", "\\xc3\xc3\xa4"},
        {"\xe2\x82\n", "\\xe2\\x82\\x0a"},
        {"\xe2\x82\xc3\xa4", "\\xe2\\x82\xc3\xa4"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xc0\xaf", "\\xc0\\xaf"},
    };

    (void)state;
    assert_cases(cases, ARRAY_LENGTH(cases));
}

/* The kernel cuts a process name at 15 bytes, wherever that is. */
static void a_character_that_the_kernel_cut_is_escaped(void **state)
{
    static const struct escape_case names[] = {
        {"x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4z",
         "x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"},
        {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\\xc3"},
        {"1234567890123\xe2\x82\xac", "1234567890123\\xe2\\x82"},
        {"123456789012\xf0\x9f\x90\x99", "123456789012\\xf0\\x9f\\x90"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_escaped(names[i].bytes, PROCESS_BYTES_MAX, PROCESS_TEXT_MAX, names[i].wanted);
}

static void the_worst_process_name_fits(void **state)
{
    char name[PROCESS_BYTES_MAX], wanted[PROCESS_TEXT_MAX];

    (void)state;
    memset(name, 0xff, sizeof name);
    for (size_t i = 0; i < sizeof name; i++)
        (void)snprintf(wanted + i * 4, sizeof wanted - i * 4, "\\xff");
    assert_escaped(name, sizeof name, PROCESS_TEXT_MAX, wanted);
}

static void a_small_destination_gets_whole_characters_only(void **state)
{
    static const char text[] = "a\n\xc3\xa4\xff\xe2\x82\xac\xe2\x80\xae\xf0\x9f\x90\x99"
                               "b";
    static const char *const pieces[] = {
        "a", "\\x0a", "\xc3\xa4", "\\xff", "\xe2\x82\xac", "\\xe2\\x80\\xae", "\xf0\x9f\x90\x99", "b"};

    (void)state;
    for (size_t size = 1; size < 48; size++) {
        char wanted[48] = "";
        size_t length = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(pieces) && length + strlen(pieces[i]) < size; i++)
            length += (size_t)snprintf(wanted + length, sizeof wanted - length, "%s", pieces[i]);
        assert_escaped(text, sizeof text - 1, size, wanted);
    }
}

static void nothing_follows_what_did_not_fit(void **state)
{
    (void)state;
    assert_escaped("\xe2\x82\xac"
                   "ab",
                   5, 3, "");
    assert_escaped("a\nb", 3, 5, "a");
    assert_escaped("a\nb", 3, 6, "a\\x0a");
    assert_escaped("a\nb", 3, 7, "a\\x0ab");
}

/* What is kept of a text at every length: as many pieces as are whole. */
static void assert_cut(const char *const *pieces, size_t count)
{
    char text[64] = "";
    size_t kept = 0, next = 0;

    for (size_t i = 0; i < count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s", pieces[i]);
    for (size_t length = 0; length <= strlen(text); length++) {
        char *cut = exact(text, length);

        if (next < count && kept + strlen(pieces[next]) == length)
            kept += strlen(pieces[next++]);
        assert_int_equal(text_cut(cut, length), kept);
        free(cut);
    }
}

static void a_text_is_cut_between_characters_and_escapes(void **state)
{
    static const char *const mixed[] = {"a",
                                        "\xc3\xa4",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x90\x99",
                                        "b",
                                        "\xc3\xa4",
                                        "\xf0\x9f\x90\x99",
                                        "\xe2\x82\xac",
                                        "\\x1b",
                                        "c",
                                        "\\xff",
                                        "\\xc3",
                                        "\xc3\xa4",
                                        "\\x0a",
                                        "x"};

    (void)state;
    assert_cut(mixed, ARRAY_LENGTH(mixed));
    assert_int_equal(text_cut("a\\n12", 3), 3); /* which is no escape of ours */
    assert_int_equal(text_cut("a\\xyz1", 4), 4);
}

static void what_is_no_utf8_is_cut_without_reading_before_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(no_characters); i++)
        for (size_t length = 0; length <= strlen(no_characters[i]); length++) {
            char *cut = exact(no_characters[i], length);

            assert_in_range(text_cut(cut, length), 0, length);
            free(cut);
        }
}

__attribute__((format(printf, 3, 4))) static void format_into(char *ret_text, size_t size, const char *format,
                                                              ...)
{
    va_list args;

    va_start(args, format);
    text_vformat(ret_text, size, format, args);
    va_end(args);
}

static void what_is_printed_is_cut_like_that_where_it_does_not_fit(void **state)
{
    static const char *const wanted[] = {"",          "",          "7",         "7",
                                         "7\xc3\xa4", "7\xc3\xa4", "7\xc3\xa4", "7\xc3\xa4\xe2\x82\xac"};

    (void)state;
    for (size_t size = 1; size < ARRAY_LENGTH(wanted); size++) {
        char *text = exact("???????", size);

        format_into(text, size, "%d%s", 7, "\xc3\xa4\xe2\x82\xac");
        assert_string_equal(text, wanted[size]);
        free(text);
    }
}

/* A generator of our own: the same bytes on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Bytes of all kinds, those that begin and continue characters more often. */
static size_t random_bytes(uint32_t *seed, char *ret, size_t size)
{
    static const unsigned char likely[] = {0xc2, 0xc3, 0xe0, 0xed, 0xf0, 0xf4,
                                           0x80, 0x85, 0x90, 0x9f, 0xa0, 0xbf};
    size_t length = next_random(seed) % size;

    for (size_t i = 0; i < length; i++) {
        uint32_t r = next_random(seed);

        ret[i] = (char)(r & 0x100 ? likely[r % sizeof likely] : r & 0xff);
    }
    return length;
}

static bool has_control_character(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            return true;
    return false;
}

static void random_bytes_become_one_line_of_utf8(void **state)
{
    uint32_t seed = 20240229;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[40], text[48];
        size_t length = random_bytes(&seed, bytes, sizeof bytes);
        size_t size = 1 + next_random(&seed) % sizeof text;
        char *source = exact(bytes, length);

        memset(text, '?', sizeof text);
        text_escape(source, length, text, size);
        free(source);
        assert_non_null(memchr(text, '\0', size));
        assert_true(text_is_utf8(text));
        assert_false(has_control_character(text));
    }
}

/* Undoes text_escape(). Returns the number of bytes. */
static size_t unescape(const char *text, char *ret_bytes)
{
    size_t length = 0;

    while (*text) {
        unsigned byte;

        if (*text == '\\') {
            assert_int_equal(sscanf(text, "\\x%2x", &byte), 1);
            ret_bytes[length++] = (char)byte;
            text += 4;
        } else {
            ret_bytes[length++] = *text++;
        }
    }
    return length;
}

static void an_escaped_text_tells_every_byte(void **state)
{
    uint32_t seed = 19700101;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[40], text[4 * sizeof bytes + 1], back[sizeof text];
        size_t length = random_bytes(&seed, bytes, sizeof bytes);

        for (size_t k = 0; k < length; k++)
            if (bytes[k] == '\\') /* which looks like an escape, but is one of its own */
                bytes[k] = '/';
        text_escape(bytes, length, text, sizeof text);
        assert_int_equal(unescape(text, back), length);
        assert_memory_equal(back, bytes, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_has_one_to_four_bytes),
        cmocka_unit_test(what_is_no_character_has_no_length),
        cmocka_unit_test(a_character_that_is_cut_is_none),
        cmocka_unit_test(strings_are_utf8_or_not),
        cmocka_unit_test(text_without_control_characters_stays_as_it_is),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(of_all_characters_exactly_those_on_the_list_are_escaped),
        cmocka_unit_test(what_is_no_utf8_is_escaped_byte_by_byte),
        cmocka_unit_test(a_character_that_the_kernel_cut_is_escaped),
        cmocka_unit_test(the_worst_process_name_fits),
        cmocka_unit_test(a_small_destination_gets_whole_characters_only),
        cmocka_unit_test(nothing_follows_what_did_not_fit),
        cmocka_unit_test(a_text_is_cut_between_characters_and_escapes),
        cmocka_unit_test(what_is_no_utf8_is_cut_without_reading_before_it),
        cmocka_unit_test(what_is_printed_is_cut_like_that_where_it_does_not_fit),
        cmocka_unit_test(random_bytes_become_one_line_of_utf8),
        cmocka_unit_test(an_escaped_text_tells_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
