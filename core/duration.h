/* Durations as text ("1s", "500ms", "5m", "2h", "7d"). Pure; any thread. */
#ifndef SOCKWATCH_CORE_DURATION_H
#define SOCKWATCH_CORE_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* What a reader may expect of duration_format(), with its NUL. */
#define DURATION_TEXT_MAX 24

/* Parses a whole number with a unit (ms, s, m, h, d).
 *
 * ret_ms   milliseconds; filled on success only
 *
 * Returns 0, -EINVAL when it is not such a text, -ERANGE when it does not fit. */
int duration_parse(const char *text, int64_t *ret_ms);

/* Writes ms with the largest unit that expresses it exactly. */
void duration_format(int64_t ms, char ret_text[static DURATION_TEXT_MAX]);

#endif
