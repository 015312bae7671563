#include "core/duration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

#define UNIT_COUNT (sizeof units / sizeof units[0])

int duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t number = 0;
    const char *p = text;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (int64_t)(*p - '0'), &number))
            return -ERANGE;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(p, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, units[i].ms, &number))
            return -ERANGE;
        *ret_ms = number;
        return 0;
    }
    return -EINVAL;
}

void duration_format(int64_t ms, char ret_text[static DURATION_TEXT_MAX])
{
    size_t i = UNIT_COUNT - 1;

    if (ms == 0)
        i = UNIT_COUNT - 2; /* "0s" reads better than "0d" */
    for (size_t k = 0; ms != 0 && k < UNIT_COUNT; k++) {
        if (ms % units[k].ms == 0) {
            i = k;
            break;
        }
    }
    (void)snprintf(ret_text, DURATION_TEXT_MAX, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
}
