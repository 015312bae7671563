#include "core/snapshot.h"
#include "core/ref.h"

#include <assert.h>
#include <stdlib.h>

struct snapshot {
    struct ref ref;
    size_t count;
    struct space spaces[];
};

const struct snapshot *snapshot_new(const struct space *spaces, size_t count)
{
    struct snapshot *s = calloc(1, sizeof *s + count * sizeof s->spaces[0]);

    assert(count > 0);
    if (!s)
        return NULL;
    ref_init(&s->ref);
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        s->spaces[i] = spaces[i];
        (void)listener_table_ref(spaces[i].listeners); /* the same pointer */
        if (spaces[i].connections)
            (void)conn_table_ref(spaces[i].connections); /* likewise */
        if (spaces[i].units)
            (void)unit_table_ref(spaces[i].units); /* likewise */
        if (spaces[i].probes)
            (void)probe_results_ref(spaces[i].probes); /* likewise */
    }
    return s;
}

const struct snapshot *snapshot_ref(const struct snapshot *s)
{
    ref_take(&s->ref);
    return s;
}

void snapshot_unref(const struct snapshot *s)
{
    if (!s || !ref_drop(&s->ref))
        return;
    for (size_t i = 0; i < s->count; i++) {
        listener_table_unref(s->spaces[i].listeners);
        conn_table_unref(s->spaces[i].connections);
        unit_table_unref(s->spaces[i].units);
        probe_results_unref(s->spaces[i].probes);
    }
    free(ref_unseal(s));
}

const struct space *snapshot_spaces(const struct snapshot *s, size_t *ret_count)
{
    *ret_count = s->count;
    return s->spaces;
}

const struct space *snapshot_host(const struct snapshot *s)
{
    return &s->spaces[0];
}

const uint32_t *space_connections(const struct space *s, enum protocol protocol, uint16_t port)
{
    static const uint32_t none[STATE_COUNT];
    const uint32_t *counts;

    if (!s->connections || !conn_table_complete(s->connections, protocol))
        return NULL;
    counts = conn_table_port(s->connections, protocol, port);
    return counts ? counts : none;
}

uint32_t space_not_accepted(const struct space *s, enum protocol protocol, uint16_t port)
{
    return conn_table_not_accepted(s->connections, protocol, port);
}
