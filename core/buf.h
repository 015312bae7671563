/* A growing text buffer with a sticky failure.
 *
 * Writers never check: when memory runs out or the text would reach
 * BUF_MAX_BYTES the buffer remembers the failure, and whoever takes the text
 * learns of it once, from buf_take() or the field. Not shared by threads. */
#ifndef SOCKWATCH_CORE_BUF_H
#define SOCKWATCH_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BUF_MAX_BYTES (64u << 20)

struct buf {
    char *data; /* NUL-terminated once anything was written */
    size_t len;
    size_t capacity;
    bool failed;
};

void buf_init(struct buf *b);
void buf_done(struct buf *b);

/* Makes room for n more bytes. Returns whether there is: not once the buffer
 * has failed. */
bool buf_reserve(struct buf *b, size_t n);

/* These are called for every few bytes of a text of megabytes, so what is
 * usual, that there is room, is decided in place. */
static inline void buf_add(struct buf *b, const char *bytes, size_t n)
{
    if ((b->failed || n >= b->capacity - b->len) && !buf_reserve(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

static inline void buf_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

static inline void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

/* The number in decimal, many times as fast as buf_fmt(). */
void buf_u64(struct buf *b, uint64_t number);

/* The number as "%.9g" writes it; fast from 0.0001 to 1 and where it is whole. */
void buf_real(struct buf *b, double number);
__attribute__((format(printf, 2, 3))) void buf_fmt(struct buf *b, const char *format, ...);

/* Shortens the text to len bytes; a text that is no longer stays. */
void buf_truncate(struct buf *b, size_t len);

/* The text so far, "" when empty; valid until the next write. */
const char *buf_text(const struct buf *b);

/* Returns owned: the text, and its length in *ret_len; the buffer is empty
 * afterwards. NULL when any write failed. */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
