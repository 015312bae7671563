#include "core/allowance.h"

uint64_t allowance_end_minute(struct allowance *a, int64_t now_ms)
{
    uint64_t left_out = a->left_out;

    if (!a->running || now_ms - a->began_ms < ALLOWANCE_MINUTE_MS)
        return 0;
    *a = (struct allowance){0};
    return left_out;
}

bool allowance_take(struct allowance *a, int64_t lines_max, size_t bytes, int64_t now_ms)
{
    if (!a->running)
        *a = (struct allowance){.running = true, .began_ms = now_ms};
    if (a->lines >= lines_max || bytes > ALLOWANCE_MINUTE_BYTES - a->bytes) {
        a->left_out++;
        return false;
    }
    a->lines++;
    a->bytes += bytes;
    return true;
}
