#include "core/snapshot.h"

const char *poll_name(enum poll_kind kind)
{
    switch (kind) {
    case POLL_LISTENERS: return "listeners";
    case POLL_CONNECTIONS: return "connections";
    case POLL_COUNT: break;
    }
    return "unknown";
}

void snapshot_done(struct snapshot *s)
{
    listener_table_free(s->listeners);
    conn_table_free(s->connections);
    *s = (struct snapshot){0};
}

const uint32_t *snapshot_connections(const struct snapshot *s, enum protocol protocol, uint16_t port)
{
    static const uint32_t none[STATE_COUNT];
    const uint32_t *counts;

    if (!s->connections || !conn_table_complete(s->connections, protocol))
        return NULL;
    counts = conn_table_port(s->connections, protocol, port);
    return counts ? counts : none;
}
