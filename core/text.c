#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Of a character, and of what stands for one byte of it. */
enum { UTF8_LENGTH_MAX = 4, ESCAPE_LENGTH = sizeof "\\xff" - 1 };

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
 * left: the separators of lines and paragraphs, U+2028 and U+2029, and all that
 * Unicode lists as Bidi_Control (PropList.txt), U+061C, U+200E and U+200F,
 * U+202A to U+202E, U+2066 to U+2069. Characters that are only not to be seen
 * stay, as do those that look like others: some scripts need them. */
static bool is_control(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;

    switch (length) {
    case 1: return p[0] < 0x20 || p[0] == 0x7f;
    case 2: return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
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
        size_t character = text_utf8_length(bytes, length);
        bool escaped = character == 0 || is_control(bytes, character);

        n = character > 0 ? character : 1;
        if (used + (escaped ? n * ESCAPE_LENGTH : n) >= size)
            break;
        if (!escaped)
            memcpy(ret_text + used, bytes, n);
        for (size_t i = 0; escaped && i < n; i++)
            (void)snprintf(ret_text + used + i * ESCAPE_LENGTH, ESCAPE_LENGTH + 1, "\\x%02x",
                           (unsigned char)bytes[i]);
        used += escaped ? n * ESCAPE_LENGTH : n;
    }
    ret_text[used] = '\0';
}

/* How many bytes at the end begin a character of more, or are none. */
static size_t cut_character(const char *text, size_t length)
{
    size_t n = 1;

    while (n < UTF8_LENGTH_MAX && n < length && ((unsigned char)text[length - n] & 0xc0) == 0x80)
        n++;
    return length > 0 && text_utf8_length(text + length - n, n) == 0 ? n : 0;
}

/* How many bytes at the end begin what text_escape() writes for one byte. */
static size_t cut_escape(const char *text, size_t length)
{
    for (size_t n = 1; n < ESCAPE_LENGTH && n <= length; n++) {
        const char *end = text + length - n;

        if (end[0] == '\\')
            return (n < 2 || end[1] == 'x') && (n < 3 || isxdigit((unsigned char)end[2])) ? n : 0;
    }
    return 0;
}

size_t text_cut(const char *text, size_t length)
{
    length -= cut_character(text, length);
    return length - cut_escape(text, length);
}

void text_vformat(char *ret_text, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(ret_text, size, format, args);

    if (length < 0)
        *ret_text = '\0';
    else if ((size_t)length >= size)
        ret_text[text_cut(ret_text, size - 1)] = '\0';
}
