#include "core/host_counters.h"

bool host_counters_are_same(const struct host_counters *a, const struct host_counters *b)
{
    for (int i = 0; i < HOST_COUNTER_COUNT; i++)
        if (a->known[i] != b->known[i] || (a->known[i] && a->values[i] != b->values[i]))
            return false;
    return true;
}
