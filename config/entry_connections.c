#include "config/entry_connections.h"

/* More than a host can hold. */
enum { CONNECTIONS_MAX = 1000000000 };

static bool is_given(const void *field)
{
    return *(const int64_t *)field > 0;
}

/* One of the two must be shown, since one must be there. */
static bool least_is_set(const void *field)
{
    const struct allowed_count *allowed = field;

    return allowed->min > 0 || allowed->max == CONNECTIONS_MAX;
}

static bool is_below_all(const void *field)
{
    return *(const int64_t *)field < CONNECTIONS_MAX;
}

_Static_assert(offsetof(struct allowed_count, min) == 0, "the field of min is that of both");

static const struct schema_key allowed_keys[] = {
    {.name = "min",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_count, min),
     .max = CONNECTIONS_MAX,
     .required = "max",
     .expected = "a number of connections " SCHEMA_RANGE ", or max",
     .is_set = least_is_set},
    {.name = "max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_count, max),
     .max = CONNECTIONS_MAX,
     .initial = "1000000000",
     .expected = "a number of connections " SCHEMA_RANGE,
     .is_set = is_below_all},
    {0},
};

const struct schema_key entry_connections_keys[] = {
    {.name = "connections",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct expect, connections),
     .children = allowed_keys,
     .enabled_offset = offsetof(struct expect, connections_limited)},
    {.name = "close_wait_max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct expect, close_wait_max),
     .min = 1,
     .max = CONNECTIONS_MAX,
     .expected = "a number of connections " SCHEMA_RANGE,
     .is_set = is_given},
    {0},
};

void entry_connections_check(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    char where[SCHEMA_STANDS_MAX];

    if (e->connections_limited && e->connections.min > e->connections.max) {
        to->stands(to->arg, "expect", index, "connections.max", where);
        to->report(to->arg, index, "connections.min",
                   "%lld is more than connections.max (%s), expected %lld at most",
                   (long long)e->connections.min, where, (long long)e->connections.max);
    }
    if (e->close_wait_max > 0 && !matcher_has_protocol(&e->match, PROTOCOL_TCP))
        to->report(to->arg, index, "close_wait_max",
                   "contradicts protocol, expected protocol \"tcp\", or none");
}
