#include "core/probe.h"

#include <stdlib.h>

const char *probe_result_name(enum probe_result result)
{
    switch (result) {
    case PROBE_OK: return "ok";
    case PROBE_REFUSED: return "refused";
    case PROBE_TIMEOUT: return "timeout";
    case PROBE_UNREACHABLE: return "unreachable";
    case PROBE_RESULT_COUNT: break;
    }
    return "unknown";
}

const char *probe_want_name(enum probe_want want)
{
    return want == PROBE_WANT_FAIL ? "fail" : "connect";
}

int64_t probe_interval_ms(const struct probe_order *order)
{
    return order->interval_ms > 0 ? order->interval_ms : PROBE_INTERVAL_DEFAULT_MS;
}

int64_t probe_timeout_ms(const struct probe_order *order)
{
    int64_t interval_ms = probe_interval_ms(order);

    if (order->timeout_ms > 0)
        return order->timeout_ms;
    return interval_ms < PROBE_TIMEOUT_DEFAULT_MS ? interval_ms : PROBE_TIMEOUT_DEFAULT_MS;
}

struct probe_results *probe_results_new(size_t count)
{
    struct probe_results *r = calloc(1, sizeof *r + count * sizeof r->items[0]);

    if (!r)
        return NULL;
    ref_init(&r->ref);
    r->count = count;
    return r;
}

const struct probe_results *probe_results_ref(const struct probe_results *r)
{
    ref_take(&r->ref);
    return r;
}

void probe_results_unref(const struct probe_results *r)
{
    if (r && ref_drop(&r->ref))
        free(ref_unseal(r));
}

const struct probe_told *probe_results_of(const struct probe_results *r, size_t expect)
{
    size_t low = 0, high = r ? r->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->items[middle].expect == expect)
            return &r->items[middle];
        if (r->items[middle].expect < expect)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
