#include "config/slips_text.h"

#include <ctype.h>
#include <string.h>

static bool spans_lines(const struct lex_token *token)
{
    return token->kind == LEX_STRING && token->last_line > token->line;
}

/* A quote that is missing turns the quotes behind it: what was inside is outside.
 * So it shows a few tokens later, at a quote in another line, or at the end. */
static const struct lex_token *find_unclosed(const struct slips_scene *s)
{
    const struct lex_token *found = NULL;

    if (s->at.unclosed && s->long_string.kind == LEX_STRING && s->long_string.text != s->at.text)
        return &s->long_string;
    for (size_t i = 0; i < SLIPS_BEFORE; i++)
        if (spans_lines(&s->before[i]))
            found = &s->before[i];
    return found;
}

/* A text that begins where the string ends: one of its quotes stands inside of
 * what was meant to be a string. */
static bool is_followed_by_text(const struct lex_token *string, const struct lex_token *next)
{
    bool is_text = next->kind == LEX_NAME || next->kind == LEX_NUMBER || next->kind == LEX_BOOL ||
                   next->kind == LEX_OTHER;

    return string->kind == LEX_STRING && is_text && next->text == string->text + string->length;
}

static const struct lex_token *find_followed(const struct slips_scene *s)
{
    if (is_followed_by_text(&s->before[0], &s->at))
        return &s->before[0];
    return is_followed_by_text(&s->before[1], &s->before[0]) ? &s->before[1] : NULL;
}

bool slips_text_is_unclosed(const struct slips_scene *s, struct slip *ret)
{
    const struct lex_token *string = find_unclosed(s);
    const struct lex_token *followed = string ? NULL : find_followed(s);

    if (followed) {
        slip_say(ret, followed->line, "the string %s is followed by text", slip_quote_token(followed).text);
        return slip_expect(ret, "a \" only at both ends of each string, or \\\" within");
    }
    if (!string && s->at.kind == LEX_STRING && (s->at.unclosed || spans_lines(&s->at)))
        string = &s->at;
    if (!string)
        return false;
    slip_say(ret, string->line, "the string %s is not closed", slip_quote_token(string).text);
    return slip_expect(ret, "a \" at its end");
}

struct quotes {
    const char *opening, *closing, *name;
};

static const struct quotes *find_quotes(const struct lex_token *token)
{
    static const char typographic[] = "typographic";
    static const struct quotes all[] = {
        {"'", "'", "single"},
        {"`", "`", "backward"},
        {"\xe2\x80\x9c", "\xe2\x80\x9d", typographic}, /* the two of English texts */
        {"\xe2\x80\x9d", "\xe2\x80\x9d", typographic},
        {"\xe2\x80\x9e", "\xe2\x80\x9c", typographic}, /* of German ones */
        {"\xe2\x80\x98", "\xe2\x80\x99", typographic},
        {"\xe2\x80\x99", "\xe2\x80\x99", typographic},
        {"\xc2\xab", "\xc2\xbb", typographic},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (token->length == strlen(all[i].opening) &&
            memcmp(token->text, all[i].opening, token->length) == 0)
            return &all[i];
    return NULL;
}

/* The end of what is quoted: the closing quote on the same line or, where there
 * is none, a blank or separator. */
static const char *find_closing(const struct slips_scene *s, const char *closing)
{
    const char *from = s->at.text + s->at.length, *p = from;
    const char *new_line = memchr(from, '\n', (size_t)(s->end - from));
    const char *found =
        memmem(from, (size_t)((new_line ? new_line : s->end) - from), closing, strlen(closing));

    if (found)
        return found;
    while (p < s->end && !isspace((unsigned char)*p) && *p && !strchr(",;(){}[]", *p))
        p++;
    return p;
}

bool slips_text_has_other_quotes(const struct slips_scene *s, struct slip *ret)
{
    const struct quotes *quotes = find_quotes(&s->at);
    const char *inside = s->at.text + s->at.length, *end;
    struct slip_quote quoted;

    if (!quotes)
        return false;
    end = find_closing(s, quotes->closing);
    quoted = slip_quote(inside, (size_t)(end - inside));
    slip_say(ret, s->at.line, "%s%s%s stands in %s quotes", quotes->opening, quoted.text, quotes->closing,
             quotes->name);
    return slip_expect(ret, "double ones: \"%s\"", quoted.text);
}

static bool says_something(const char *p, const char *end)
{
    for (; p < end; p++)
        if (isalnum((unsigned char)*p) || *p == '/' || (unsigned char)*p >= 0x80)
            return true;
    return false;
}

/* Whether the value's word is one token, which is behind us or a key. */
static bool is_fine(const struct slips_scene *s, size_t length)
{
    bool is_key = s->at.kind == LEX_NAME && s->after.kind == LEX_EQUALS;

    if (!slips_wants_value(s))
        return s->before[0].text == s->value && s->before[0].length == length;
    return is_key && !memchr(s->value, ':', length);
}

/* The word where the value stands, if the token is in it or the next one; 0 for
 * none. */
static size_t unquoted_length(const struct slips_scene *s)
{
    const char *end = s->value_end;

    if (!s->value || s->at.kind == LEX_STRING)
        return 0;
    if (end > s->value && end[-1] == ':')
        end--; /* of a key, as YAML has it */
    if (s->at.text > end && s->before[0].text + s->before[0].length != end)
        return 0;
    return says_something(s->value, end) && !is_fine(s, (size_t)(end - s->value)) ? (size_t)(end - s->value)
                                                                                  : 0;
}

static bool is_switch(const char *word, size_t length)
{
    static const char *const all[] = {"yes", "no", "on", "off"};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (length == strlen(all[i]) && strncasecmp(word, all[i], length) == 0)
            return true;
    return false;
}

bool slips_text_is_unquoted(const struct slips_scene *s, struct slip *ret)
{
    size_t length = unquoted_length(s);
    struct slip_quote word;

    if (length == 0)
        return false;
    word = slip_quote(s->value, length);
    slip_say(ret, s->value_line, "%s is not quoted", word.text);
    return slip_expect(
        ret, is_switch(s->value, length) ? "true or false, or a string: \"%s\"" : "a string: \"%s\"",
        word.text);
}
