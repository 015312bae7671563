#include "config/slip.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { QUOTED_BYTES_MAX = 40 };

void slip_say(struct slip *ret, unsigned line, const char *format, ...)
{
    va_list args;

    ret->line = ret->unread_from = line;
    va_start(args, format);
    text_vformat(ret->what, sizeof ret->what, format, args); /* cut on purpose */
    va_end(args);
}

bool slip_expect(struct slip *ret, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vformat(ret->expected, sizeof ret->expected, format, args); /* cut on purpose */
    va_end(args);
    return true;
}

struct slip_quote slip_quote(const char *text, size_t length)
{
    const char *new_line = length > 0 ? memchr(text, '\n', length) : NULL;
    size_t shown = new_line ? (size_t)(new_line - text) : length;
    bool is_cut = shown > QUOTED_BYTES_MAX;
    struct slip_quote ret = {.text = ""};

    if (is_cut)
        shown = text_cut(text, QUOTED_BYTES_MAX);
    if (shown > 0)
        text_escape(text, shown, ret.text, sizeof ret.text - sizeof "...");
    if (is_cut)
        memcpy(ret.text + strlen(ret.text), "...", sizeof "..."); /* there is room for it */
    return ret;
}

struct slip_quote slip_quote_token(const struct lex_token *token)
{
    const struct slip_quote bare = slip_quote(token->text, token->length);
    struct slip_quote ret;

    if (token->kind == LEX_STRING)
        return bare;
    (void)snprintf(ret.text, sizeof ret.text, "\"%.*s\"", SLIP_QUOTE_MAX - 3, bare.text); /* fits */
    return ret;
}
