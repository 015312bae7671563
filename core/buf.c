#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    free(b->data);
    buf_init(b);
}

/* Makes room for n more bytes and the NUL. */
static bool reserve(struct buf *b, size_t n)
{
    size_t capacity = b->capacity ? b->capacity : 256;
    char *data;

    if (b->failed)
        return false;
    if (n >= BUF_MAX_BYTES - b->len) {
        b->failed = true;
        return false;
    }
    if (b->len + n + 1 <= b->capacity)
        return true;
    while (capacity < b->len + n + 1)
        capacity *= 2;
    data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void buf_add(struct buf *b, const char *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_fmt(struct buf *b, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!reserve(b, (size_t)n))
        return;
    va_start(args, format);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, format, args); /* room was just made */
    va_end(args);
    b->len += (size_t)n;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len >= b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data;

    if (!b->failed)
        buf_add(b, "", 0);
    if (b->failed)
        return NULL;
    data = b->data;
    *ret_len = b->len;
    buf_init(b);
    return data;
}
