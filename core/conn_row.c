#include "core/conn_row.h"

#include <string.h>

static uint64_t total(const uint32_t states[static STATE_COUNT])
{
    uint64_t sum = 0;

    for (size_t i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        sum += states[i];
    return sum;
}

/* The busiest so far, the least of them first; of those that are equally busy the
 * last. */
struct busiest {
    struct {
        uint64_t total;
        uint16_t port;
    } items[CONN_TOP_MAX];
    size_t count;
};

/* There are few, so that each may be moved. */
static void note_busy(struct busiest *b, size_t top, uint16_t port, uint64_t sum)
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
static size_t choose_asked(const uint16_t *ports, size_t count, enum protocol protocol,
                           const struct conn_choice *choice, struct port_set *chosen)
{
    struct port_set asked = {{0}};
    size_t found = 0;

    for (size_t i = 0; i < choice->port_count; i++)
        port_set_put(&asked, choice->ports[i]);
    for (size_t i = 0; i < count; i++) {
        if (ports[i] == 0 || !(port_set_has(&asked, ports[i]) ||
                               (choice->asks && choice->asks(choice->arg, protocol, ports[i]))))
            continue;
        port_set_put(chosen, ports[i]);
        found++;
    }
    return found;
}

size_t conn_choose(const uint32_t (*states)[STATE_COUNT], const uint16_t *ports, size_t count,
                   enum protocol protocol, const struct conn_choice *choice, struct port_set *ret_chosen)
{
    struct busiest busiest = {.count = 0};
    size_t found;

    *ret_chosen = (struct port_set){{0}};
    found = choose_asked(ports, count, protocol, choice, ret_chosen);
    for (size_t i = 0; i < count; i++)
        if (ports[i] != 0 && !port_set_has(ret_chosen, ports[i]))
            note_busy(&busiest, choice->top, ports[i], total(states[ports[i]]));
    for (size_t i = 0; i < busiest.count; i++)
        port_set_put(ret_chosen, busiest.items[i].port);
    return found + busiest.count;
}
