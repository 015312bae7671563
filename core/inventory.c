#include "core/inventory.h"

void inventory_number(struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct listener *l;

    inv->total = 0;
    while ((l = inventory_next(inv, &cursor)))
        l->index = (uint32_t)inv->total++;
}

struct listener *inventory_next(const struct inventory *inv, struct inventory_cursor *cursor)
{
    while (cursor->part < inv->part_count && cursor->next == inv->parts[cursor->part].count) {
        cursor->part++;
        cursor->next = 0;
    }
    return cursor->part < inv->part_count ? &inv->parts[cursor->part].listeners[cursor->next++] : NULL;
}

struct listener *inventory_next_chosen(const struct inventory *inv, struct inventory_cursor *cursor)
{
    struct listener *l;

    do
        l = inventory_next(inv, cursor);
    while (l && !l->chosen);
    return l;
}

void inventory_name(struct inventory *inv, const struct services *services)
{
    struct inventory_cursor cursor = {0};
    struct listener *l;

    while ((l = inventory_next_chosen(inv, &cursor))) {
        const char *name = services_name(services, l->protocol, l->port);

        l->service_name = name ? name : "";
    }
}

static uint32_t place_of(enum protocol protocol, uint16_t port)
{
    return (uint32_t)protocol << 16 | port;
}

static const struct listener *part_port(const struct inventory_part *part, uint32_t wanted, size_t *ret_count)
{
    size_t low = 0, high = part->count, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct listener *l = &part->listeners[middle];

        if (place_of(l->protocol, l->port) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < part->count; end++)
        if (place_of(part->listeners[end].protocol, part->listeners[end].port) != wanted)
            break;
    *ret_count = end - low;
    return end > low ? &part->listeners[low] : NULL;
}

const struct listener *inventory_port(const struct inventory *inv, enum protocol protocol, uint16_t port,
                                      size_t *ret_count)
{
    const struct listener *found = NULL;

    *ret_count = 0;
    for (size_t i = 0; !found && i < inv->part_count; i++)
        found = part_port(&inv->parts[i], place_of(protocol, port), ret_count);
    return found;
}

void inventory_count(const struct inventory *inv, struct listener_totals *ret)
{
    struct inventory_cursor cursor = {0};
    const struct listener *l;

    *ret = (struct listener_totals){.scopes = {{0}}};
    while ((l = inventory_next(inv, &cursor))) {
        ret->scopes[l->protocol][l->scope]++;
        ret->owner_unseen[l->protocol] += listener_sight(l) < SIGHT_NONE;
    }
}
