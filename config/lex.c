#include "config/lex.h"
#include "core/text.h"

#include <ctype.h>
#include <string.h>

void lex_init(struct lexer *lexer, const char *text, size_t length)
{
    *lexer = (struct lexer){text, text, text + length, 1};
}

static bool at(const struct lexer *lexer, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(lexer->end - lexer->p) >= n && memcmp(lexer->p, text, n) == 0;
}

static void skip_to(struct lexer *lexer, const char *end)
{
    for (; lexer->p < end; lexer->p++)
        lexer->line += *lexer->p == '\n';
}

/* Behind the text, or the end where it does not come. */
static const char *behind(const struct lexer *lexer, const char *from, const char *text)
{
    size_t n = strlen(text);
    const char *found = memmem(from, (size_t)(lexer->end - from), text, n);

    return found ? found + n : lexer->end;
}

static bool begins_its_line(const struct lexer *lexer)
{
    const char *p = lexer->p;

    while (p > lexer->begin && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    return p == lexer->begin || p[-1] == '\n';
}

static void skip_blanks_and_comments(struct lexer *lexer)
{
    for (;;) {
        if (lexer->p < lexer->end && isspace((unsigned char)*lexer->p))
            skip_to(lexer, lexer->p + 1);
        else if (at(lexer, "#") || at(lexer, "//") || (at(lexer, "@include") && begins_its_line(lexer)))
            skip_to(lexer, behind(lexer, lexer->p, "\n"));
        else if (at(lexer, "/*"))
            skip_to(lexer, behind(lexer, lexer->p + 2, "*/"));
        else
            return;
    }
}

static size_t count_digits(const struct lexer *lexer, const char *p)
{
    size_t n = 0;

    while (p + n < lexer->end && isdigit((unsigned char)p[n]))
        n++;
    return n;
}

/* Of "e-3"; 0 when none stands there. */
static size_t exponent_length(const struct lexer *lexer, const char *p)
{
    size_t n = 1, digits;

    if (p >= lexer->end || (*p != 'e' && *p != 'E'))
        return 0;
    n += p + n < lexer->end && (p[n] == '-' || p[n] == '+');
    digits = count_digits(lexer, p + n);
    return digits > 0 ? n + digits : 0;
}

static const char *behind_suffix(const struct lexer *lexer, const char *p)
{
    for (int i = 0; i < 2 && p < lexer->end && *p == 'L'; i++)
        p++;
    return p;
}

static const char *behind_hexadecimal(const struct lexer *lexer)
{
    const char *p = lexer->p + 2;

    if (!at(lexer, "0x") && !at(lexer, "0X"))
        return lexer->p;
    while (p < lexer->end && isxdigit((unsigned char)*p))
        p++;
    return p > lexer->p + 2 ? behind_suffix(lexer, p) : lexer->p;
}

/* Behind the number, or where it would have begun. A point alone is one. */
static const char *behind_number(const struct lexer *lexer)
{
    const char *p = behind_hexadecimal(lexer);
    size_t digits;

    if (p > lexer->p)
        return p;
    p += p < lexer->end && (*p == '-' || *p == '+');
    digits = count_digits(lexer, p);
    p += digits;
    if (p < lexer->end && *p == '.') {
        p++;
        p += count_digits(lexer, p);
        return p + exponent_length(lexer, p);
    }
    if (digits == 0)
        return lexer->p;
    return exponent_length(lexer, p) > 0 ? p + exponent_length(lexer, p) : behind_suffix(lexer, p);
}

static const char *behind_name(const struct lexer *lexer)
{
    const char *p = lexer->p;

    if (!isalpha((unsigned char)*p) && *p != '*')
        return p;
    while (p < lexer->end && (isalnum((unsigned char)*p) || (*p && strchr("-_*", *p))))
        p++;
    return p;
}

static const char *behind_string(const struct lexer *lexer, bool *ret_unclosed)
{
    const char *p = lexer->p + 1;

    while (p < lexer->end && *p != '"')
        p += *p == '\\' && p + 1 < lexer->end ? 2 : 1;
    *ret_unclosed = p >= lexer->end;
    return *ret_unclosed ? lexer->end : p + 1;
}

static enum lex_kind kind_of_character(char c)
{
    switch (c) {
    case '=':
    case ':': return LEX_EQUALS;
    case ';': return LEX_SEMICOLON;
    case ',': return LEX_COMMA;
    case '(':
    case '{':
    case '[': return LEX_OPEN;
    case ')':
    case '}':
    case ']': return LEX_CLOSE;
    default: return LEX_OTHER;
    }
}

static const char *behind_character(const struct lexer *lexer)
{
    size_t n = text_utf8_length(lexer->p, (size_t)(lexer->end - lexer->p));

    return lexer->p + (n > 0 ? n : 1);
}

static bool is_bool(const char *text, size_t length)
{
    return (length == 4 && strncasecmp(text, "true", 4) == 0) ||
           (length == 5 && strncasecmp(text, "false", 5) == 0);
}

/* Returns where the token ends. */
static const char *find_end(const struct lexer *lexer, struct lex_token *ret)
{
    const char *p = behind_name(lexer);

    if (p > lexer->p) {
        ret->kind = is_bool(lexer->p, (size_t)(p - lexer->p)) ? LEX_BOOL : LEX_NAME;
        return p;
    }
    p = behind_number(lexer);
    if (p > lexer->p) {
        ret->kind = LEX_NUMBER;
        return p;
    }
    if (*lexer->p == '"') {
        ret->kind = LEX_STRING;
        return behind_string(lexer, &ret->unclosed);
    }
    ret->kind = kind_of_character(*lexer->p);
    return behind_character(lexer);
}

struct lex_token lex_next(struct lexer *lexer)
{
    struct lex_token token = {.kind = LEX_END};
    const char *end;

    skip_blanks_and_comments(lexer);
    token.text = lexer->p;
    token.line = token.last_line = lexer->line;
    if (lexer->p == lexer->end)
        return token;
    end = find_end(lexer, &token);
    token.length = (size_t)(end - lexer->p);
    skip_to(lexer, end);
    token.last_line = lexer->line;
    return token;
}
