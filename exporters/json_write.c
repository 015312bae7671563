#include "exporters/json_write.h"
#include "core/text.h"

#include <string.h>

enum { INDENT = 2 };

static void new_line(struct json_writer *w)
{
    static const char spaces[] = "                ";
    size_t left = (size_t)w->depth * INDENT;

    buf_char(w->out, '\n');
    for (size_t n; left > 0; left -= n) {
        n = left < sizeof spaces - 1 ? left : sizeof spaces - 1;
        buf_add(w->out, spaces, n);
    }
}

/* What stands before a value. */
static void begin(struct json_writer *w, const char *key)
{
    if (w->has_items)
        buf_char(w->out, ',');
    if (w->depth > 0)
        new_line(w);
    w->has_items = true;
    if (!key)
        return;
    buf_char(w->out, '"');
    buf_str(w->out, key);
    buf_add(w->out, "\": ", 3);
}

static void open_with(struct json_writer *w, const char *key, char bracket)
{
    begin(w, key);
    buf_char(w->out, bracket);
    w->depth++;
    w->has_items = false;
}

static void close_with(struct json_writer *w, char bracket)
{
    w->depth--;
    if (w->has_items)
        new_line(w);
    buf_char(w->out, bracket);
    w->has_items = true;
}

void json_write_object(struct json_writer *w, const char *key)
{
    open_with(w, key, '{');
}

void json_write_object_end(struct json_writer *w)
{
    close_with(w, '}');
}

void json_write_array(struct json_writer *w, const char *key)
{
    open_with(w, key, '[');
}

void json_write_array_end(struct json_writer *w)
{
    close_with(w, ']');
}

/* Writes a byte that cannot stand for itself: a control character, a quote, a
 * backslash, or what is no UTF-8. */
static void escaped(struct buf *out, unsigned char byte)
{
    switch (byte) {
    case '"': buf_str(out, "\\\""); break;
    case '\\': buf_str(out, "\\\\"); break;
    case '\b': buf_str(out, "\\b"); break;
    case '\f': buf_str(out, "\\f"); break;
    case '\n': buf_str(out, "\\n"); break;
    case '\r': buf_str(out, "\\r"); break;
    case '\t': buf_str(out, "\\t"); break;
    default: buf_fmt(out, byte < 0x20 ? "\\u%04X" : "\\\\x%02x", byte); break;
    }
}

/* How many bytes at text can stand for themselves. */
static size_t plain_length(const char *text, size_t left)
{
    size_t length = 0, n = 1;

    for (; n > 0 && length < left; length += n) {
        unsigned char byte = (unsigned char)text[length];

        if (byte >= 0x80)
            n = text_utf8_length(text + length, left - length);
        else
            n = byte >= 0x20 && byte != '"' && byte != '\\';
    }
    return length;
}

static void quoted(struct buf *out, const char *text)
{
    size_t left = strlen(text);

    buf_char(out, '"');
    for (;;) {
        size_t n = plain_length(text, left);

        buf_add(out, text, n);
        if (n == left)
            break;
        escaped(out, (unsigned char)text[n]);
        text += n + 1;
        left -= n + 1;
    }
    buf_char(out, '"');
}

void json_write_text(struct json_writer *w, const char *key, const char *text)
{
    begin(w, key);
    quoted(w->out, text);
}

void json_write_text_or_null(struct json_writer *w, const char *key, const char *text)
{
    if (*text)
        json_write_text(w, key, text);
    else
        json_write_null(w, key);
}

void json_write_count(struct json_writer *w, const char *key, uint64_t count)
{
    begin(w, key);
    buf_u64(w->out, count);
}

void json_write_count_or_null(struct json_writer *w, const char *key, bool known, uint64_t count)
{
    if (known)
        json_write_count(w, key, count);
    else
        json_write_null(w, key);
}

void json_write_real(struct json_writer *w, const char *key, double number)
{
    size_t start;

    begin(w, key);
    start = w->out->len;
    buf_real(w->out, number);
    if (!w->out->failed && !strpbrk(w->out->data + start, ".e"))
        buf_add(w->out, ".0", 2);
}

void json_write_bool(struct json_writer *w, const char *key, bool value)
{
    begin(w, key);
    buf_str(w->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *w, const char *key)
{
    begin(w, key);
    buf_str(w->out, "null");
}
