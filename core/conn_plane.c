#include "core/conn_plane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_COUNT = UINT16_MAX + 1 };

/* Beyond so many ports it is cheaper to begin with new memory than to clear it. */
enum { CLEARED_MAX = 2048 };

static const size_t not_accepted_slot = 0;
_Static_assert(STATE_ESTABLISHED > 0, "slot 0 must be no state's");

/* Returns 0 or -ENOMEM. */
static int allocate(struct conn_plane *plane)
{
    if (!plane->states)
        plane->states = calloc(PORT_COUNT, sizeof *plane->states);
    if (!plane->sums)
        plane->sums = calloc(PORT_COUNT, sizeof *plane->sums);
    return plane->states && plane->sums ? 0 : -ENOMEM;
}

int conn_plane_put(struct conn_plane *plane, uint16_t port)
{
    if ((!plane->states || !plane->sums) && allocate(plane) < 0)
        return -ENOMEM;
    if (!port_set_has(&plane->ports, port)) {
        port_set_put(&plane->ports, port);
        plane->count++;
    }
    return 0;
}

int conn_plane_add(struct conn_plane *plane, uint16_t port, uint8_t state, bool not_accepted)
{
    int r = conn_plane_put(plane, port);

    if (r < 0)
        return r;
    plane->states[port][state]++;
    plane->states[port][not_accepted_slot] += not_accepted;
    plane->sums[port]++;
    plane->totals[state]++;
    return 0;
}

static void free_arrays(struct conn_plane *plane)
{
    free(plane->states);
    free(plane->sums);
    plane->states = NULL;
    plane->sums = NULL;
}

void conn_plane_reset(struct conn_plane *plane)
{
    struct port_set_cursor cursor = {0};
    uint16_t port;

    if (plane->count == 0)
        return;
    if (plane->count > CLEARED_MAX)
        free_arrays(plane);
    while (plane->states && plane->sums && port_set_next(&plane->ports, &cursor, &port)) {
        memset(plane->states[port], 0, sizeof plane->states[port]);
        plane->sums[port] = 0;
    }
    plane->ports = (struct port_set){{0}};
    plane->count = 0;
    memset(plane->totals, 0, sizeof plane->totals);
}

void conn_plane_done(struct conn_plane *plane)
{
    free_arrays(plane);
}

struct conn_row *conn_plane_rows(const struct conn_plane *plane, const struct port_set *ports, size_t count)
{
    struct conn_row *rows = calloc(count + 1, sizeof *rows);
    struct port_set_cursor cursor = {0};
    uint16_t port;

    for (struct conn_row *row = rows; rows && port_set_next(ports, &cursor, &port); row++) {
        row->port = port;
        memcpy(row->states, plane->states[port], sizeof row->states);
        row->not_accepted = row->states[not_accepted_slot];
        row->states[not_accepted_slot] = 0;
    }
    return rows;
}
