#include "core/inventory.h"

#include <string.h>

void inventory_number(struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct listener *l;

    inv->total = 0;
    while ((l = inventory_next(inv, &cursor)))
        l->index = (uint32_t)inv->total++;
}

static struct listener *head_of(const struct inventory *inv, const struct inventory_cursor *cursor,
                                size_t part)
{
    const struct inventory_part *p = &inv->parts[cursor->protocol][part];

    return cursor->next[part] < p->count ? &p->listeners[cursor->next[part]] : NULL;
}

struct listener *inventory_next(const struct inventory *inv, struct inventory_cursor *cursor)
{
    for (; cursor->protocol < PROTOCOL_COUNT;
         *cursor = (struct inventory_cursor){.protocol = cursor->protocol + 1}) {
        struct listener *expected = head_of(inv, cursor, 0), *other = head_of(inv, cursor, 1);
        bool is_other = other && (!expected || other->port < expected->port);

        if (!expected && !other)
            continue;
        cursor->next[is_other]++;
        return is_other ? other : expected;
    }
    return NULL;
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

size_t inventory_port_end(const struct inventory_part *part, size_t first)
{
    const struct listener *l = part->listeners;
    size_t end = first + 1;

    while (end < part->count && l[end].port == l[first].port)
        end++;
    return end;
}

/* The place of the first listener on a port that is not below. */
static size_t first_from(const struct inventory_part *part, uint32_t port)
{
    size_t low = 0, high = part->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (part->listeners[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct listener *part_port(const struct inventory_part *part, uint16_t port, size_t *ret_count)
{
    size_t begin = first_from(part, port), end = first_from(part, (uint32_t)port + 1);

    *ret_count = end - begin;
    return end > begin ? &part->listeners[begin] : NULL;
}

const struct listener *inventory_port(const struct inventory *inv, enum protocol protocol, uint16_t port,
                                      size_t *ret_count)
{
    const struct listener *found = part_port(&inv->parts[protocol][0], port, ret_count);

    return found ? found : part_port(&inv->parts[protocol][1], port, ret_count);
}

void inventory_count(const struct inventory *inv, struct listener_totals *ret)
{
    struct inventory_cursor cursor = {0};
    const struct listener *l;

    *ret = (struct listener_totals){.scopes = {{0}}};
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        ret->known[i] =
            inv->classes[i].visibility == VISIBILITY_OK && inv->classes[i].others == VISIBILITY_OK;
        ret->scopes[i][SCOPE_LOOPBACK] = inv->classes[i].unlisted; /* which only unix sockets are */
    }
    while ((l = inventory_next(inv, &cursor))) {
        ret->scopes[l->protocol][l->scope]++;
        ret->owner_unseen[l->protocol] += listener_sight(l) < SIGHT_NONE;
    }
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (!inv->behind[i] || !inv->before)
            continue;
        ret->known[i] = inv->before->known[i];
        memcpy(ret->scopes[i], inv->before->scopes[i], sizeof ret->scopes[i]);
        ret->owner_unseen[i] = inv->before->owner_unseen[i];
    }
}
