#include "config/connection_keys.h"
#include "config/config.h"

#include <errno.h>

static void clear_ports(void *field)
{
    ((struct outbound_ports *)field)->count = 0;
}

static int store_port(void *field, int64_t value)
{
    struct outbound_ports *outbound = field;

    if (outbound->count == CONN_PORTS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < outbound->count; i++)
        if (outbound->ports[i] == value)
            return -EEXIST;
    outbound->ports[outbound->count++] = (uint16_t)value;
    return 0;
}

static bool ports_are_set(const void *field)
{
    return ((const struct outbound_ports *)field)->count > 0;
}

static void print_ports(const void *field, struct buf *out)
{
    const struct outbound_ports *outbound = field;

    buf_str(out, "[ ");
    for (size_t i = 0; i < outbound->count; i++)
        buf_fmt(out, "%s%u", i > 0 ? ", " : "", outbound->ports[i]);
    buf_str(out, " ]");
}

const struct schema_key connection_keys[] = {
    {.name = "outbound_ports",
     .type = SCHEMA_INTS,
     .offset = offsetof(struct config, outbound),
     .min = 1,
     .max = UINT16_MAX,
     .expected = "remote ports " SCHEMA_RANGE " such as [ 3306, 5432 ], each once",
     .clear = clear_ports,
     .store = store_port,
     .print = print_ports,
     .is_set = ports_are_set},
    {.name = "outbound_top",
     .type = SCHEMA_INT,
     .offset = offsetof(struct config, outbound.top),
     .max = CONN_TOP_MAX,
     .initial = "20",
     .expected = "a number of ports " SCHEMA_RANGE},
    {.name = "by_unit",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct config, by_unit),
     .initial = "false",
     .expected = "true or false"},
    {0},
};
