/* What a token that has no place says about what was meant: the likely slips of
 * those who write a configuration, each told with the text that is wrong. Pure;
 * any thread. */
#ifndef SOCKWATCH_CONFIG_SLIPS_H
#define SOCKWATCH_CONFIG_SLIPS_H

#include "config/slip.h"

/* What may stand next. */
enum slips_state {
    SLIPS_SETTING, /* a key, or the end of the group or file */
    SLIPS_EQUALS,
    SLIPS_VALUE,   /* of a key */
    SLIPS_FIRST,   /* element of a list or an array, or its end */
    SLIPS_ELEMENT, /* behind a comma */
    SLIPS_BEHIND_ELEMENT,
};

/* A bracket that is open. */
struct slips_bracket {
    char character;
    unsigned line;
    size_t first_key; /* of a group, among all that are kept */
};

enum { SLIPS_BEFORE = 4 };

/* Where reading ended. */
struct slips_scene {
    enum slips_state state;
    struct lex_token at, after;            /* the token without a place, and the next */
    struct lex_token before[SLIPS_BEFORE]; /* the tokens before it, the last one first */
    struct lex_token key;                  /* the last one that was read */
    const char *value, *value_end;         /* the last value's first word, up to a blank or a separator */
    unsigned value_line;
    struct lex_token long_string;         /* the first string of several lines; LEX_END for none */
    const struct slips_bracket *brackets; /* open ones, the outermost first */
    size_t bracket_count;
    const char *end; /* of the text */
};

/* Never fails: at worst it says that the token has no place. */
void slips_explain(const struct slips_scene *scene, struct slip *ret);

/* Says that a key was given before. */
void slips_explain_duplicate(const struct lex_token *key, unsigned first_line, struct slip *ret);

/* The bracket that closes another one. */
static inline char slips_closing(char bracket)
{
    switch (bracket) {
    case '(': return ')';
    case '[': return ']';
    default: return '}';
    }
}

static inline bool slips_wants_value(const struct slips_scene *scene)
{
    return scene->state == SLIPS_VALUE || scene->state == SLIPS_FIRST || scene->state == SLIPS_ELEMENT;
}

#endif
