/* Text from outside, made fit for every output: UTF-8, one line, no control
 * characters; and cut, where it must be, so that it stays that. Pure; any
 * thread. */
#ifndef SOCKWATCH_CORE_TEXT_H
#define SOCKWATCH_CORE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The length of the UTF-8 character at bytes, 0 when there is none (RFC 3629). */
size_t text_utf8_length(const char *bytes, size_t left);

bool text_is_utf8(const char *text);

/* Writes bytes that may be anything, such as a process name: bytes that are no
 * UTF-8 and control characters, those of line and direction among them, become
 * \xHH. What does not fit is left out, from the first character that does not
 * fit whole. */
void text_escape(const char *bytes, size_t length, char *ret_text, size_t size);

/* How much of the first length bytes of a longer text is to be kept: all but the
 * beginning of a character, or of an escape such as \x1b, that goes on behind
 * them. */
size_t text_cut(const char *text, size_t length);

/* Writes as vsnprintf(); what does not fit is cut as text_cut() does. */
__attribute__((format(printf, 3, 0))) void text_vformat(char *ret_text, size_t size, const char *format,
                                                        va_list args);

#endif
