/* One thing that is wrong with a file's syntax, in words. Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_SLIP_H
#define SOCKWATCH_CONFIG_SLIP_H

#include "config/lex.h"

enum { SLIP_TEXT_MAX = 256, SLIP_QUOTE_MAX = 192 };

struct slip {
    unsigned line;            /* where it was made */
    unsigned unread_from;     /* the line from which a parser has taken things for others */
    char what[SLIP_TEXT_MAX]; /* is wrong; one line of UTF-8, as is what was expected */
    char expected[SLIP_TEXT_MAX];
};

/* Says what is wrong, and in which line: from there on nothing was understood. */
__attribute__((format(printf, 3, 4))) void slip_say(struct slip *ret, unsigned line, const char *format, ...);

/* Says what was expected. Returns true, for those that explain. */
__attribute__((format(printf, 2, 3))) bool slip_expect(struct slip *ret, const char *format, ...);

/* Text of a file: its first line, as far as somebody needs it to find it. */
struct slip_quote {
    char text[SLIP_QUOTE_MAX];
};

/* text   may be NULL when length is 0 */
struct slip_quote slip_quote(const char *text, size_t length);

/* Likewise, in quotes; a string has its own. */
struct slip_quote slip_quote_token(const struct lex_token *token);

#endif
