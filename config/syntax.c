#include "config/syntax.h"
#include "config/scan.h"
#include "config/slips.h"
#include "core/array.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 256 }; /* the rest of the file may be one word */

enum outcome { GOES_ON, ENDED, SLIPPED, GAVE_UP };

struct known_key {
    const char *text;
    size_t length;
    unsigned line;
};

struct reader {
    struct lexer lexer;
    struct slips_scene scene;
    struct slips_bracket brackets[SCAN_DEPTH_MAX];
    struct known_key *keys; /* owned; of the groups that are open */
    size_t key_count, key_capacity;
    unsigned gave_up;
    bool may_end; /* a value stands before, which ; or , may end */
};

static struct slips_bracket *top(struct reader *r)
{
    return r->scene.bracket_count > 0 ? &r->brackets[r->scene.bracket_count - 1] : NULL;
}

static bool is_in(struct reader *r, char bracket)
{
    return r->scene.bracket_count > 0 ? top(r)->character == bracket : bracket == '{';
}

static void next_token(struct reader *r)
{
    struct slips_scene *scene = &r->scene;

    memmove(scene->before + 1, scene->before, (SLIPS_BEFORE - 1) * sizeof *scene->before);
    scene->before[0] = scene->at;
    scene->at = scene->after;
    scene->after = lex_next(&r->lexer);
    if (scene->at.kind == LEX_STRING && scene->at.last_line > scene->at.line &&
        scene->long_string.kind == LEX_END)
        scene->long_string = scene->at;
}

/* The word is longer than the token where the value is a text without quotes. */
static void remember_value(struct reader *r)
{
    struct slips_scene *scene = &r->scene;
    const char *p = scene->at.text;
    const char *end = scene->end - p > WORD_MAX ? p + WORD_MAX : scene->end;

    scene->value = p;
    scene->value_line = scene->at.line;
    while (p < end && !isspace((unsigned char)*p) && *p && !strchr(",;(){}[]=\"'", *p))
        p++;
    scene->value_end = p;
}

static enum outcome behind_value(struct reader *r)
{
    r->scene.state = is_in(r, '{') ? SLIPS_SETTING : SLIPS_BEHIND_ELEMENT;
    r->may_end = true;
    return GOES_ON;
}

static enum outcome open_bracket(struct reader *r)
{
    const struct lex_token *at = &r->scene.at;

    if (is_in(r, '['))
        return SLIPPED;
    if (r->scene.bracket_count == SCAN_DEPTH_MAX)
        return GAVE_UP;
    r->brackets[r->scene.bracket_count++] = (struct slips_bracket){*at->text, at->line, r->key_count};
    r->scene.state = *at->text == '{' ? SLIPS_SETTING : SLIPS_FIRST;
    r->may_end = false;
    return GOES_ON;
}

static enum outcome close_bracket(struct reader *r)
{
    if (r->scene.bracket_count == 0 || *r->scene.at.text != slips_closing(top(r)->character))
        return SLIPPED;
    if (top(r)->character == '{')
        r->key_count = top(r)->first_key;
    r->scene.bracket_count--;
    return behind_value(r);
}

static enum outcome read_value(struct reader *r)
{
    remember_value(r);
    switch (r->scene.at.kind) {
    case LEX_NUMBER:
    case LEX_BOOL: return behind_value(r);
    case LEX_STRING: return r->scene.at.unclosed ? SLIPPED : behind_value(r);
    case LEX_OPEN: return open_bracket(r);
    default: return SLIPPED;
    }
}

static enum outcome read_key(struct reader *r)
{
    struct slips_scene *scene = &r->scene;
    size_t first = scene->bracket_count > 0 ? top(r)->first_key : 0;
    struct known_key *keys = array_grow(r->keys, &r->key_capacity, r->key_count + 1, sizeof *keys);

    if (!keys)
        return GAVE_UP;
    r->keys = keys;
    scene->key = scene->at;
    scene->state = SLIPS_EQUALS;
    keys[r->key_count++] = (struct known_key){scene->at.text, scene->at.length, scene->at.line};
    for (size_t i = first; i + 1 < r->key_count; i++)
        if (keys[i].length == scene->at.length && memcmp(keys[i].text, scene->at.text, scene->at.length) == 0)
            return SLIPPED;
    return GOES_ON;
}

/* Newer versions take more of them than one. */
static enum outcome read_separator(struct reader *r)
{
    bool is_fine = r->may_end || r->scene.at.line < r->gave_up;

    r->may_end = false;
    return is_fine ? GOES_ON : SLIPPED;
}

static enum outcome read_setting(struct reader *r)
{
    const struct slips_scene *scene = &r->scene;

    switch (scene->at.kind) {
    case LEX_NAME: return read_key(r);
    case LEX_SEMICOLON:
    case LEX_COMMA: return read_separator(r);
    case LEX_CLOSE: return close_bracket(r);
    case LEX_STRING: /* goes on */
        return scene->before[0].kind == LEX_STRING && !scene->at.unclosed ? GOES_ON : SLIPPED;
    case LEX_END: return scene->bracket_count == 0 ? ENDED : SLIPPED;
    default: return SLIPPED;
    }
}

/* Newer versions take a comma behind the last element. */
static enum outcome read_element(struct reader *r)
{
    bool may_close = r->scene.state == SLIPS_FIRST || r->scene.at.line < r->gave_up;

    return r->scene.at.kind == LEX_CLOSE && may_close ? close_bracket(r) : read_value(r);
}

static enum outcome read_behind_element(struct reader *r)
{
    const struct slips_scene *scene = &r->scene;

    switch (scene->at.kind) {
    case LEX_COMMA: r->scene.state = SLIPS_ELEMENT; return GOES_ON;
    case LEX_CLOSE: return close_bracket(r);
    case LEX_STRING: return scene->before[0].kind == LEX_STRING && !scene->at.unclosed ? GOES_ON : SLIPPED;
    default: return SLIPPED;
    }
}

static enum outcome read_equals(struct reader *r)
{
    r->scene.state = r->scene.at.kind == LEX_EQUALS ? SLIPS_VALUE : SLIPS_EQUALS;
    return r->scene.at.kind == LEX_EQUALS ? GOES_ON : SLIPPED;
}

static enum outcome read_token(struct reader *r)
{
    switch (r->scene.state) {
    case SLIPS_SETTING: return read_setting(r);
    case SLIPS_EQUALS: return read_equals(r);
    case SLIPS_VALUE: return read_value(r);
    case SLIPS_FIRST:
    case SLIPS_ELEMENT: return read_element(r);
    case SLIPS_BEHIND_ELEMENT: return read_behind_element(r);
    }
    return GAVE_UP;
}

/* The first of that name in its group. */
static const struct known_key *find_first(const struct reader *r, const struct lex_token *name)
{
    const struct known_key *key =
        r->keys + (r->scene.bracket_count > 0 ? r->brackets[r->scene.bracket_count - 1].first_key : 0);

    while (key->length != name->length || memcmp(key->text, name->text, name->length) != 0)
        key++;
    return key;
}

static void explain(const struct reader *r, struct slip *ret)
{
    bool is_duplicate = r->scene.at.text == r->scene.key.text;

    if (is_duplicate)
        slips_explain_duplicate(&r->scene.key, find_first(r, &r->scene.key)->line, ret);
    else
        slips_explain(&r->scene, ret);
}

bool syntax_find_slip(const char *text, size_t length, unsigned gave_up, struct slip *ret)
{
    struct reader *r = calloc(1, sizeof *r);
    enum outcome outcome = GOES_ON;
    bool is_found;

    if (!r)
        return false;
    lex_init(&r->lexer, text, length);
    r->gave_up = gave_up;
    r->scene.brackets = r->brackets;
    r->scene.end = text + length;
    next_token(r);
    while (outcome == GOES_ON) {
        next_token(r);
        outcome = read_token(r);
    }
    is_found = outcome == SLIPPED && r->scene.at.last_line == gave_up;
    if (is_found)
        explain(r, ret);
    free(r->keys);
    free(r);
    return is_found;
}
