/* A configuration file's tokens, as libconfig's own scanner finds them: for what is
 * said of a file that it did not take. Comments, white space and @include lines
 * are none. Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_LEX_H
#define SOCKWATCH_CONFIG_LEX_H

#include <stdbool.h>
#include <stddef.h>

enum lex_kind {
    LEX_END,
    LEX_NAME,
    LEX_NUMBER,
    LEX_BOOL,
    LEX_STRING, /* with its quotes */
    LEX_EQUALS, /* or a colon */
    LEX_SEMICOLON,
    LEX_COMMA,
    LEX_OPEN,
    LEX_CLOSE,
    LEX_OTHER, /* one character that begins nothing */
};

struct lex_token {
    enum lex_kind kind;
    const char *text; /* in the file */
    size_t length;
    unsigned line, last_line;
    bool unclosed; /* a string that the file ends in */
};

struct lexer {
    const char *begin, *p, *end;
    unsigned line;
};

void lex_init(struct lexer *lexer, const char *text, size_t length);

/* The next token; LEX_END again and again behind the last one. */
struct lex_token lex_next(struct lexer *lexer);

#endif
