#include "core/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Of UINT64_MAX. */
enum { DIGITS_MAX = 20 };

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

bool buf_reserve(struct buf *b, size_t n)
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

void buf_u64(struct buf *b, uint64_t number)
{
    char digits[DIGITS_MAX], *first = digits + sizeof digits;

    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buf_add(b, first, (size_t)(digits + sizeof digits - first));
}

/* Digits behind the point that leave 9 significant ones, of a number from
 * 0.0001 to 1. */
enum { DECIMALS_MIN = 9, DECIMALS_MAX = 12, MANTISSA_BITS = 53 };

#define NINE_DIGITS_MIN 100000000u

__extension__ typedef unsigned __int128 uint128;

/* Scales the number to an integer of nine digits: exactly, since its mantissa
 * and a power of ten fit into 128 bits, and then rounded as printf rounds, half
 * to even. Returns how many of the digits stand behind the point. */
static unsigned scale(double number, uint64_t *ret_digits)
{
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(number, &exponent), MANTISSA_BITS);
    unsigned shift = (unsigned)(MANTISSA_BITS - exponent), decimals = DECIMALS_MIN;
    uint128 scaled = (uint128)mantissa * 1000000000u, rest, half = (uint128)1 << (shift - 1);

    for (; scaled >> shift < NINE_DIGITS_MIN; scaled *= 10)
        decimals++;
    *ret_digits = (uint64_t)(scaled >> shift);
    rest = scaled & (2 * half - 1);
    *ret_digits += rest > half || (rest == half && *ret_digits % 2 == 1);
    return decimals;
}

/* A number from 0.0001 to 1. */
static void add_fraction(struct buf *b, double number)
{
    char text[DECIMALS_MAX + 2];
    uint64_t digits;
    unsigned decimals = scale(number, &digits);
    size_t length = decimals + 2;

    for (unsigned i = decimals; i > 0; i--, digits /= 10)
        text[i + 1] = (char)('0' + digits % 10);
    text[1] = '.';
    text[0] = (char)('0' + digits); /* 1 where it was rounded up to that */
    while (text[length - 1] == '0')
        length--;
    buf_add(b, text, text[length - 1] == '.' ? length - 1 : length);
}

void buf_real(struct buf *b, double number)
{
    if (number >= 0.0001 && number < 1)
        add_fraction(b, number);
    else if (number >= 0 && number < 1e9 && number == (double)(uint32_t)number && !signbit(number))
        buf_u64(b, (uint32_t)number);
    else
        buf_fmt(b, "%.9g", number);
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
    if (!buf_reserve(b, (size_t)n))
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
