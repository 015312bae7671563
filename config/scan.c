#include "config/scan.h"
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UTF8_EXPECTED   "UTF-8 text"

#define TEXT(number)    #number
#define TEXT_OF(number) TEXT(number)

enum { KEY_MAX = 64, NUMBER_MAX = 48, INCLUDE_MAX = 512 };

enum { COMPARISONS_MAX = SCAN_GROUP_KEYS_MAX * (SCAN_GROUP_KEYS_MAX - 1) / 2 };

/* What stood before, comments and white space left out. */
enum token { TOKEN_OTHER, TOKEN_NAME, TOKEN_STRING };

struct scanner {
    const char *p, *end;
    unsigned line;
    char key[KEY_MAX]; /* the last setting name seen */
    enum token last;
    bool joined;   /* strings in a row stand before */
    bool too_long; /* something was */
    const struct scan_callbacks *callbacks;
};

static void problem(struct scanner *s, const char *what, const char *expected)
{
    s->callbacks->problem(s->callbacks->arg, s->line, s->key, what, expected);
}

static bool at(const struct scanner *s, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(s->end - s->p) >= n && memcmp(s->p, text, n) == 0;
}

static void step(struct scanner *s)
{
    if (*s->p == '\n')
        s->line++;
    s->p++;
}

static void skip_line(struct scanner *s)
{
    while (s->p < s->end && *s->p != '\n')
        s->p++;
}

static void skip_block_comment(struct scanner *s)
{
    unsigned line = s->line;

    s->p += strlen("/*");
    while (s->p < s->end && !at(s, "*/"))
        step(s);
    if (s->p < s->end) {
        s->p += strlen("*/");
        return;
    }
    s->callbacks->shape->open_comment = true;
    s->callbacks->problem(s->callbacks->arg, line, "", "a comment begins here and does not end", "*/");
}

static void skip_string(struct scanner *s)
{
    step(s);
    while (s->p < s->end && *s->p != '"') {
        if (*s->p == '\\' && s->p + 1 < s->end)
            step(s);
        step(s);
    }
    if (s->p < s->end)
        step(s);
}

static void read_name(struct scanner *s)
{
    size_t n = 0;

    for (; s->p < s->end && (isalnum((unsigned char)*s->p) || strchr("-_*", *s->p)); s->p++)
        if (n + 1 < sizeof s->key)
            s->key[n++] = *s->p;
    s->key[n] = '\0';
}

/* Whether libconfig would read the number as another one. A 64-bit number
 * ("L") that is too large is read as the largest, which range checks catch. */
static bool is_misread(const char *number)
{
    bool hexadecimal = strncasecmp(number, "0x", 2) == 0;
    char *end;
    long long value;

    if (strpbrk(number, "L.") || (!hexadecimal && strpbrk(number, "eE")))
        return false;
    errno = 0;
    value = strtoll(number, &end, hexadecimal ? 16 : 10);
    return errno == ERANGE || value < INT32_MIN || value > INT32_MAX;
}

/* A leading zero means octal to libconfig 1.7, and nothing to 1.5. */
static bool is_ambiguous(const char *number)
{
    number += *number == '-' || *number == '+';
    return number[0] == '0' && isdigit((unsigned char)number[1]) && !strpbrk(number, "L.eE");
}

static void read_number(struct scanner *s)
{
    char number[NUMBER_MAX], what[NUMBER_MAX + 32], expected[64];
    const char *start = s->p;
    size_t n = 0;

    do {
        if (n + 1 < sizeof number)
            number[n++] = *s->p;
        s->p++;
    } while (s->p < s->end && (isalnum((unsigned char)*s->p) || *s->p == '.'));
    number[n] = '\0';
    if (s->p - start < NUMBER_MAX && !is_misread(number)) { /* a longer one was not read whole */
        if (!is_ambiguous(number))
            return;
        (void)snprintf(what, sizeof what, "%s may be read as octal", number);
        problem(s, what, "a number without leading zeros");
        return;
    }
    (void)snprintf(what, sizeof what, "%s does not fit in 32 bits", number);
    (void)snprintf(expected, sizeof expected, "a number from %d to %d", (int)INT32_MIN, (int)INT32_MAX);
    problem(s, what, expected);
}

static bool is_signed_number(const struct scanner *s)
{
    return (*s->p == '-' || *s->p == '+') && s->p + 1 < s->end && isdigit((unsigned char)s->p[1]);
}

static void read_include(struct scanner *s)
{
    char path[INCLUDE_MAX];
    size_t n = 0;

    s->p += strlen("@include");
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
    if (s->p == s->end || *s->p != '"')
        return;
    for (s->p++; s->p < s->end && *s->p != '"' && *s->p != '\n' && n + 1 < sizeof path; s->p++)
        path[n++] = *s->p;
    path[n] = '\0';
    s->callbacks->include(s->callbacks->arg, s->line, path);
    skip_line(s);
}

static void count_value(struct scanner *s)
{
    if (s->callbacks->shape->values++ == SCAN_VALUES_MAX)
        s->callbacks->problem(
            s->callbacks->arg, s->line, "", "has too many settings",
            "at most " TEXT_OF(SCAN_VALUES_MAX) " of them, lists and their elements included");
}

/* libconfig compares a new key with all before it in its group. */
static void count_key(struct scanner *s)
{
    struct scan_shape *shape = s->callbacks->shape;
    bool was_too_many = shape->comparisons > COMPARISONS_MAX;

    shape->values--; /* the name itself was taken for one */
    if (shape->depth >= SCAN_DEPTH_MAX)
        return;
    shape->comparisons += shape->keys[shape->depth];
    if (shape->keys[shape->depth] < UINT16_MAX)
        shape->keys[shape->depth]++;
    if (!was_too_many && shape->comparisons > COMPARISONS_MAX)
        problem(s, "is one key too many", "at most " TEXT_OF(SCAN_GROUP_KEYS_MAX) " in a group");
}

static void read_punctuation(struct scanner *s)
{
    struct scan_shape *shape = s->callbacks->shape;

    if (strchr("({[", *s->p)) {
        count_value(s);
        if (++shape->depth < SCAN_DEPTH_MAX)
            shape->keys[shape->depth] = 0;
    } else if (strchr(")}]", *s->p)) {
        shape->depth -= shape->depth > 0;
    } else if (s->last == TOKEN_NAME) {
        count_key(s);
    }
    step(s);
}

/* Strings in a row are one value. */
static void read_string(struct scanner *s)
{
    if (s->last != TOKEN_STRING)
        count_value(s);
    skip_string(s);
}

/* One token; what follows is told what it was. */
static void scan_token(struct scanner *s)
{
    enum token token = TOKEN_OTHER;
    unsigned line = s->line;

    if (*s->p == '"') {
        read_string(s);
        token = TOKEN_STRING;
    } else if (at(s, "@include")) {
        read_include(s);
    } else if (isdigit((unsigned char)*s->p) || is_signed_number(s)) {
        count_value(s);
        read_number(s);
    } else if (isalpha((unsigned char)*s->p) || *s->p == '*') {
        count_value(s);
        read_name(s);
        token = TOKEN_NAME;
    } else if (*s->p && strchr("({[)}]=:", *s->p)) {
        read_punctuation(s);
    } else {
        step(s);
    }
    if (s->joined && token != TOKEN_STRING)
        s->callbacks->joined(s->callbacks->arg, line);
    s->joined = token == TOKEN_STRING && s->last == TOKEN_STRING;
    s->last = token;
}

/* A new line, or blanks within a line. */
static void skip_blank(struct scanner *s)
{
    do
        step(s);
    while (s->p < s->end && s->p[-1] != '\n' && *s->p != '\n' && isspace((unsigned char)*s->p));
}

static void check_length(struct scanner *s, size_t length)
{
    if (!s->callbacks->included || length <= SCAN_TOKEN_MAX || s->too_long)
        return;
    s->too_long = true;
    s->callbacks->problem(s->callbacks->arg, s->line, "",
                          "a text, comment or blank that ends here is too long",
                          "at most " TEXT_OF(SCAN_TOKEN_MAX) " bytes in a file that is included");
}

static void scan_tokens(struct scanner *s)
{
    while (s->p < s->end) {
        const char *start = s->p;

        if (*s->p == '#' || at(s, "//"))
            skip_line(s);
        else if (at(s, "/*"))
            skip_block_comment(s);
        else if (isspace((unsigned char)*s->p))
            skip_blank(s);
        else
            scan_token(s);
        check_length(s, (size_t)(s->p - start));
    }
}

/* Reports the first bad byte of each line. */
static void scan_bytes(struct scanner *s)
{
    unsigned reported = 0;

    if (at(s, "\xef\xbb\xbf")) {
        problem(s, "begins with a byte order mark", UTF8_EXPECTED);
        s->p += 3;
    }
    while (s->p < s->end) {
        size_t n = text_utf8_length(s->p, (size_t)(s->end - s->p));
        bool is_nul = *s->p == '\0';

        if ((n == 0 || is_nul) && reported != s->line) {
            problem(s, is_nul ? "contains a NUL byte" : "is not valid UTF-8", UTF8_EXPECTED);
            reported = s->line;
        }
        if (n > 1)
            s->p += n;
        else
            step(s);
    }
}

bool scan_text(const char *text, size_t length, const struct scan_callbacks *callbacks)
{
    struct scanner s = {.p = text, .end = text + length, .line = 1, .callbacks = callbacks};

    scan_bytes(&s);
    s.p = text;
    s.line = 1;
    scan_tokens(&s);
    return !s.too_long && callbacks->shape->values <= SCAN_VALUES_MAX &&
           callbacks->shape->comparisons <= COMPARISONS_MAX;
}
