#include "config/slips.h"
#include "config/slips_text.h"

#include <ctype.h>
#include <string.h>

/* The file itself is as a group, but for its brackets. */
static const struct slips_bracket *innermost(const struct slips_scene *s)
{
    static const struct slips_bracket none = {.character = '{'};

    return s->bracket_count > 0 ? &s->brackets[s->bracket_count - 1] : &none;
}

static bool is(const struct lex_token *token, char character)
{
    return token->length == 1 && *token->text == character;
}

static bool is_key(const struct slips_scene *s)
{
    return s->at.kind == LEX_NAME && s->after.kind == LEX_EQUALS;
}

static bool ends_a_setting(const struct lex_token *token)
{
    return token->kind == LEX_SEMICOLON || token->kind == LEX_COMMA || token->kind == LEX_CLOSE ||
           token->kind == LEX_END;
}

/* All that follows was taken for a part of it: of a group it is not understood,
 * elements of a list are what they are. */
static bool say_unclosed(const struct slips_scene *s, struct slip *ret)
{
    const struct slips_bracket *bracket = innermost(s);

    slip_say(ret, bracket->line, "\"%c\" is not closed", bracket->character);
    if (bracket->character != '{')
        ret->unread_from = s->at.line;
    if (s->at.kind == LEX_END)
        return slip_expect(ret, "\"%c\" before the end of the file", slips_closing(bracket->character));
    return slip_expect(ret, "\"%c\" before %s in line %u", slips_closing(bracket->character),
                       slip_quote_token(&s->at).text, s->at.line);
}

/* "- name: x" */
static bool explain_dash(const struct slips_scene *s, struct slip *ret)
{
    const char *behind = s->at.text + s->at.length;

    if (s->at.kind != LEX_OTHER || *s->at.text != '-' || behind >= s->end || !isspace((unsigned char)*behind))
        return false;
    slip_say(ret, s->at.line, "\"-\" begins no element of a list");
    return slip_expect(ret, "a list in parentheses: KEY = ( { ... }, { ... } );");
}

static bool say_no_value(const struct slips_scene *s, struct slip *ret)
{
    struct slip_quote key = slip_quote(s->key.text, s->key.length);

    slip_say(ret, s->key.line, "\"%s\" has no value", key.text);
    return slip_expect(ret, "%s = VALUE;", key.text);
}

/* YAML's "web:" above "listen: ...", or a value that was forgotten. */
static bool explain_no_value(const struct slips_scene *s, struct slip *ret)
{
    struct slip_quote key = slip_quote(s->key.text, s->key.length);

    if (s->state != SLIPS_VALUE)
        return false;
    if (is_key(s) && is(&s->before[0], ':') && s->at.line > s->before[0].line) {
        slip_say(ret, s->key.line, "\"%s:\" begins no group", key.text);
        return slip_expect(ret, "braces around its keys: %s: { ... };", key.text);
    }
    return (is_key(s) || ends_a_setting(&s->at)) && say_no_value(s, ret);
}

/* "==", "=>" */
static bool explain_two_equals(const struct slips_scene *s, struct slip *ret)
{
    if (s->state != SLIPS_VALUE || (s->at.kind != LEX_EQUALS && !is(&s->at, '>')))
        return false;
    slip_say(ret, s->at.line, "\"%.1s%.1s\" stands behind %s", s->before[0].text, s->at.text,
             slip_quote_token(&s->key).text);
    return slip_expect(ret, "one \"=\"");
}

/* Keys that stand in a list themselves: "( name = ..." */
static bool explain_no_group(const struct slips_scene *s, struct slip *ret)
{
    if (!slips_wants_value(s) || s->state == SLIPS_VALUE || !is_key(s))
        return false;
    slip_say(ret, s->at.line, "%s is a key without a group around it", slip_quote_token(&s->at).text);
    return slip_expect(ret, "braces: ( { %s = ...; } )", slip_quote(s->at.text, s->at.length).text);
}

static bool explain_array(const struct slips_scene *s, struct slip *ret)
{
    if (innermost(s)->character != '[' || s->at.kind != LEX_OPEN || !slips_wants_value(s))
        return false;
    slip_say(ret, innermost(s)->line, "\"[\" begins an array, in which no \"%.1s\" may stand", s->at.text);
    return slip_expect(ret, "a list: ( ... )");
}

/* Whether a bracket that this one would close is open, further out. */
static bool closes_an_outer_one(const struct slips_scene *s)
{
    for (size_t i = s->bracket_count; i > 1; i--)
        if (slips_closing(s->brackets[i - 2].character) == *s->at.text)
            return true;
    return false;
}

static bool explain_close(const struct slips_scene *s, struct slip *ret)
{
    const struct slips_bracket *bracket = innermost(s);

    if (s->at.kind != LEX_CLOSE)
        return false;
    if (s->bracket_count == 0) {
        slip_say(ret, s->at.line, "\"%.1s\" closes nothing", s->at.text);
        return slip_expect(ret, "as many brackets closed as opened");
    }
    if (*s->at.text == slips_closing(bracket->character)) { /* behind a comma */
        slip_say(ret, s->before[0].line, "\",\" stands behind the last element");
        return slip_expect(ret, "\"%.1s\" there, or another element", s->at.text);
    }
    if (closes_an_outer_one(s))
        return say_unclosed(s, ret);
    slip_say(ret, s->at.line, "\"%.1s\" does not close the \"%c\" of line %u", s->at.text, bracket->character,
             bracket->line);
    return slip_expect(ret, "\"%c\"", slips_closing(bracket->character));
}

static bool explain_end(const struct slips_scene *s, struct slip *ret)
{
    return s->at.kind == LEX_END && s->bracket_count > 0 && say_unclosed(s, ret);
}

static bool explain_element(const struct slips_scene *s, struct slip *ret)
{
    if (s->state != SLIPS_FIRST && s->state != SLIPS_ELEMENT)
        return false;
    if (s->at.kind == LEX_COMMA) {
        slip_say(ret, s->at.line, "\",\" stands where an element is missing");
        return slip_expect(ret, "one \",\" between two elements");
    }
    return s->at.kind == LEX_SEMICOLON && say_unclosed(s, ret);
}

static bool explain_behind_element(const struct slips_scene *s, struct slip *ret)
{
    bool is_last = s->after.kind == LEX_NAME || s->after.kind == LEX_END;

    if (s->state != SLIPS_BEHIND_ELEMENT || s->at.kind == LEX_EQUALS || s->at.kind == LEX_OTHER)
        return false;
    if (is_key(s) || (s->at.kind == LEX_SEMICOLON && is_last))
        return say_unclosed(s, ret);
    if (s->at.kind == LEX_SEMICOLON) {
        slip_say(ret, s->at.line, "\";\" stands behind an element");
        return slip_expect(ret, "\",\" between two elements, and none behind the last");
    }
    slip_say(ret, s->before[0].last_line, "a comma is missing behind %s",
             slip_quote_token(&s->before[0]).text);
    return slip_expect(ret, "\",\" before %s", slip_quote_token(&s->at).text);
}

static bool explain_key(const struct slips_scene *s, struct slip *ret)
{
    struct slip_quote key = slip_quote(s->key.text, s->key.length);
    bool is_path = is(&s->at, '.') && s->at.text == s->key.text + s->key.length && s->after.kind == LEX_NAME;

    if (s->state != SLIPS_EQUALS)
        return false;
    if (is_path) {
        struct slip_quote inner = slip_quote(s->after.text, s->after.length);

        slip_say(ret, s->key.line, "\"%s.%s\" is no key", key.text, inner.text);
        return slip_expect(ret, "a group: %s: { %s = ...; };", key.text, inner.text);
    }
    if (ends_a_setting(&s->at))
        return say_no_value(s, ret);
    slip_say(ret, s->key.line, "\"=\" is missing behind \"%s\"", key.text);
    return slip_expect(ret, is(&s->at, '{') ? "%s: { ... };" : "%s = VALUE;", key.text);
}

/* A brace that is not closed shows where the next group of the list begins, or
 * at the comma before it. */
static bool explain_open_group(const struct slips_scene *s, struct slip *ret)
{
    bool is_next = is(&s->at, '{') || (s->at.kind == LEX_COMMA && is(&s->after, '{'));

    return s->state == SLIPS_SETTING && is_next && s->bracket_count > 1 &&
           s->brackets[s->bracket_count - 2].character == '(' && say_unclosed(s, ret);
}

/* A bracket, or what an INI file has: "[web]". */
static bool explain_no_key(const struct slips_scene *s, struct slip *ret)
{
    if (s->state != SLIPS_SETTING || (s->at.kind != LEX_OPEN && s->at.kind != LEX_EQUALS))
        return false;
    if (is(&s->at, '[') && s->after.kind == LEX_NAME) {
        struct slip_quote name = slip_quote(s->after.text, s->after.length);

        slip_say(ret, s->at.line, "\"[%s\" begins no group", name.text);
        return slip_expect(ret, "braces around its keys: %s: { ... };", name.text);
    }
    slip_say(ret, s->at.line, "\"%.1s\" has no key before it", s->at.text);
    if (s->at.kind == LEX_EQUALS)
        return slip_expect(ret, "KEY = VALUE;");
    return slip_expect(ret, "KEY = %.1s ... %c;", s->at.text, slips_closing(*s->at.text));
}

static bool is_value(const struct lex_token *token)
{
    return token->kind == LEX_STRING || token->kind == LEX_NUMBER || token->kind == LEX_BOOL;
}

static bool explain_setting(const struct slips_scene *s, struct slip *ret)
{
    struct slip_quote at = slip_quote_token(&s->at);

    if (s->state != SLIPS_SETTING)
        return false;
    if (s->at.kind == LEX_STRING && s->after.kind == LEX_EQUALS) {
        slip_say(ret, s->at.line, "%s is a key in quotes", at.text);
        return slip_expect(ret, "it without them: %s", slip_quote(s->at.text + 1, s->at.length - 2).text);
    }
    if (s->at.kind == LEX_SEMICOLON || s->at.kind == LEX_COMMA)
        slip_say(ret, s->at.line, "%s ends nothing", at.text);
    else if (is_value(&s->at))
        slip_say(ret, s->at.line, "%s has no key", at.text);
    else
        return false;
    if (is_value(&s->at) && s->before[0].kind == LEX_COMMA && is_value(&s->before[1]))
        return slip_expect(ret, "several values in brackets, [ A, B ], or in one string, \"A,B\"");
    return slip_expect(ret, "KEY = VALUE;");
}

static void explain_nothing(const struct slips_scene *s, struct slip *ret)
{
    slip_say(ret, s->at.line, "%s is out of place", slip_quote_token(&s->at).text);
    switch (s->state) {
    case SLIPS_SETTING: (void)slip_expect(ret, "KEY = VALUE;"); break;
    case SLIPS_EQUALS: (void)slip_expect(ret, "\"=\""); break;
    case SLIPS_VALUE: (void)slip_expect(ret, "a value"); break;
    case SLIPS_FIRST:
    case SLIPS_ELEMENT: (void)slip_expect(ret, "an element"); break;
    case SLIPS_BEHIND_ELEMENT:
        (void)slip_expect(ret, "\",\" or \"%c\"", slips_closing(innermost(s)->character));
        break;
    }
}

void slips_explain(const struct slips_scene *scene, struct slip *ret)
{
    /* What is special comes before what it is a case of. */
    static bool (*const explanations[])(const struct slips_scene *, struct slip *) = {
        slips_text_is_unclosed,
        slips_text_has_other_quotes,
        explain_dash,
        slips_text_is_unquoted,
        explain_no_value,
        explain_two_equals,
        explain_no_group,
        explain_array,
        explain_close,
        explain_end,
        explain_element,
        explain_behind_element,
        explain_key,
        explain_open_group,
        explain_no_key,
        explain_setting,
    };

    for (size_t i = 0; i < sizeof explanations / sizeof explanations[0]; i++)
        if (explanations[i](scene, ret))
            return;
    explain_nothing(scene, ret);
}

void slips_explain_duplicate(const struct lex_token *key, unsigned first_line, struct slip *ret)
{
    slip_say(ret, key->line, "%s is given before in line %u", slip_quote_token(key).text, first_line);
    (void)slip_expect(ret, "each key once in a group");
}
