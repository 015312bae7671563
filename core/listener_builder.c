#include "core/listener_builder.h"

#include <errno.h>
#include <stdlib.h>

struct listener_builder {
    struct socket_rules rules;
    struct socket_store stores[PROTOCOL_COUNT];
    struct class_view now[PROTOCOL_COUNT], before[PROTOCOL_COUNT];
};

struct listener_builder *listener_builder_new(size_t members, const uint64_t *secret)
{
    struct listener_builder *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->rules.members = (uint32_t)members;
    b->rules.secret[0] = secret ? secret[0] : UINT64_C(0x9e3779b97f4a7c15);
    b->rules.secret[1] = secret ? secret[1] : UINT64_C(0xbf58476d1ce4e5b9);
    return b;
}

void listener_builder_free(struct listener_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        socket_store_done(&b->stores[i]);
    free(b);
}

void listener_builder_begin(struct listener_builder *b, size_t members)
{
    b->rules.members = (uint32_t)members;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        b->before[i] = b->now[i];
        b->now[i] = (struct class_view){.visibility = VISIBILITY_UNKNOWN};
        if (socket_store_begin(&b->stores[i]) < 0)
            b->before[i].visibility = VISIBILITY_UNKNOWN;
    }
}

/* How many services a class may have now. */
static size_t room_of(const struct listener_builder *b, enum protocol protocol)
{
    size_t others = 0;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        others += i == protocol ? 0 : b->stores[i].count;
    if (others + BUILDER_SERVICES_OF_CLASS > BUILDER_SERVICES_MAX)
        return BUILDER_SERVICES_OF_CLASS;
    return BUILDER_SERVICES_MAX - others;
}

int listener_builder_add(struct listener_builder *b, const struct listener_row *row)
{
    struct listener_row unmapped = *row;

    unmapped.address = ip_addr_unmap(row->address);
    b->rules.services = room_of(b, row->protocol);
    return socket_store_add(&b->stores[row->protocol], &unmapped, &b->rules);
}

void listener_builder_drop(struct listener_builder *b, enum protocol protocol)
{
    socket_store_drop(&b->stores[protocol]);
}

void listener_builder_set_class(struct listener_builder *b, enum protocol protocol,
                                enum visibility visibility, int error)
{
    b->now[protocol].visibility = visibility;
    b->now[protocol].error = error;
}

int64_t listener_builder_missing(struct listener_builder *b, enum protocol protocol)
{
    if (b->before[protocol].visibility != VISIBILITY_OK)
        return -ENOENT;
    return socket_store_missing(&b->stores[protocol]);
}

void listener_builder_look_again(struct listener_builder *b, enum protocol protocol)
{
    socket_store_look_again(&b->stores[protocol]);
}

static bool same_class(const struct class_view *a, const struct class_view *b)
{
    return a->visibility == b->visibility && a->error == b->error;
}

bool listener_builder_is_same(const struct listener_builder *b)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (!same_class(&b->now[i], &b->before[i]) || !socket_store_is_same(&b->stores[i]))
            return false;
    return true;
}

int listener_builder_finish(struct listener_builder *b, struct inventory *ret)
{
    struct inventory inv = {.part_count = PROTOCOL_COUNT};

    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        struct socket_store *s = &b->stores[i];

        if (socket_store_finish(s) < 0)
            return -ENOMEM;
        inv.parts[i] = (struct inventory_part){s->listeners, s->count, s->members};
        inv.classes[i] = b->now[i];
        inv.classes[i].unread = s->unread;
    }
    inventory_number(&inv);
    *ret = inv;
    return 0;
}
