#include "core/text.h"

#include <stdio.h>
#include <string.h>

size_t text_utf8_length(const char *bytes, size_t left)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;

    if (p[0] >= 0x80 && (p[0] < 0xc2 || p[0] > 0xf4))
        return 0;
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool text_is_utf8(const char *text)
{
    size_t left = strlen(text), n;

    for (; left > 0; text += n, left -= n) {
        n = text_utf8_length(text, left);
        if (n == 0)
            return false;
    }
    return true;
}

/* C0, DEL and C1; and what makes a terminal break lines or write from right to
 * left: U+2028 and U+2029, U+200E and U+200F, U+202A to U+202E, U+2066 to U+2069. */
static bool is_control(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;

    switch (length) {
    case 1: return p[0] < 0x20 || p[0] == 0x7f;
    case 2: return p[0] == 0xc2 && p[1] < 0xa0;
    case 3:
        if (p[0] != 0xe2)
            return false;
        if (p[1] == 0x80)
            return (p[2] >= 0xa8 && p[2] <= 0xae) || p[2] == 0x8e || p[2] == 0x8f;
        return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
    default: return false;
    }
}

void text_escape(const char *bytes, size_t length, char *ret_text, size_t size)
{
    size_t used = 0, n;

    for (; length > 0; bytes += n, length -= n) {
        n = text_utf8_length(bytes, length);
        if (n == 0 || is_control(bytes, n)) {
            n = 1; /* the rest of a longer one follows by itself, as no UTF-8 */
            if (used + sizeof "\\xff" > size)
                break;
            used += (size_t)snprintf(ret_text + used, size - used, "\\x%02x", (unsigned char)*bytes);
        } else {
            if (used + n >= size)
                break;
            memcpy(ret_text + used, bytes, n);
            used += n;
        }
    }
    ret_text[used] = '\0';
}
