#include "core/conn_row.h"

#include <string.h>

/* The busiest so far, the least of them first; of those that are equally busy the
 * last. */
struct busiest {
    struct {
        uint32_t total;
        uint16_t port;
    } items[CONN_TOP_MAX];
    size_t count;
};

/* There are few, so that each may be moved. */
static void note_busy(struct busiest *b, size_t top, uint16_t port, uint32_t sum)
{
    size_t place = 0;

    if (top == 0 || (b->count == top && sum <= b->items[0].total))
        return;
    if (b->count == top)
        memmove(b->items, b->items + 1, --b->count * sizeof b->items[0]);
    while (place < b->count && b->items[place].total < sum)
        place++;
    memmove(b->items + place + 1, b->items + place, (b->count++ - place) * sizeof b->items[0]);
    b->items[place].total = sum;
    b->items[place].port = port;
}

/* Chooses the ports that somebody asks for. Returns how many. */
static size_t choose_asked(const struct port_set *ports, enum protocol protocol,
                           const struct conn_choice *choice, struct port_set *chosen)
{
    struct port_set asked = {{0}};
    struct port_set_cursor cursor = {.port = 1};
    size_t found = 0;
    uint16_t port;

    for (size_t i = 0; i < choice->port_count; i++)
        port_set_put(&asked, choice->ports[i]);
    while (port_set_next(ports, &cursor, &port)) {
        if (!port_set_has(&asked, port) && !(choice->asks && choice->asks(choice->arg, protocol, port)))
            continue;
        port_set_put(chosen, port);
        found++;
    }
    return found;
}

size_t conn_choose(const uint32_t *sums, const struct port_set *ports, enum protocol protocol,
                   const struct conn_choice *choice, struct port_set *ret_chosen)
{
    struct busiest busiest = {.count = 0};
    struct port_set_cursor cursor = {.port = 1};
    size_t found;
    uint16_t port;

    *ret_chosen = (struct port_set){{0}};
    found = choose_asked(ports, protocol, choice, ret_chosen);
    while (port_set_next(ports, &cursor, &port))
        if (!port_set_has(ret_chosen, port))
            note_busy(&busiest, choice->top, port, sums[port]);
    for (size_t i = 0; i < busiest.count; i++)
        port_set_put(ret_chosen, busiest.items[i].port);
    return found + busiest.count;
}
