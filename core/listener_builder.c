#include "core/listener_builder.h"

#include <errno.h>
#include <stdlib.h>

enum { PARTS = INVENTORY_PARTS };

/* How a part could be seen. */
struct sight_of_part {
    enum visibility visibility;
    int error;
};

struct part {
    struct socket_store store;
    struct sight_of_part now, before;
    bool is_open; /* it has begun and not ended */
    bool is_told; /* it was finished since it ended */
};

struct listener_builder {
    struct socket_rules rules;
    const struct policy *policy;
    struct part parts[PROTOCOL_COUNT][PARTS]; /* by the number of its bit */
};

struct listener_builder *listener_builder_new(const uint64_t *secret)
{
    struct listener_builder *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->rules.members = 1;
    b->rules.secret[0] = secret ? secret[0] : UINT64_C(0x9e3779b97f4a7c15);
    b->rules.secret[1] = secret ? secret[1] : UINT64_C(0xbf58476d1ce4e5b9);
    return b;
}

void listener_builder_free(struct listener_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < PARTS; k++)
            socket_store_done(&b->parts[i][k].store);
    free(b);
}

void listener_builder_set(struct listener_builder *b, size_t members, const struct policy *policy)
{
    b->rules.members = (uint32_t)members;
    b->policy = policy;
}

/* The next of some parts of a class; *k begins as 0. NULL after the last. */
static struct part *next_part(struct listener_builder *b, enum protocol protocol, unsigned parts, size_t *k)
{
    while (*k < PARTS)
        if (parts & 1u << (*k)++)
            return &b->parts[protocol][*k - 1];
    return NULL;
}

void listener_builder_begin(struct listener_builder *b, enum protocol protocol, unsigned parts)
{
    struct part *p;

    for (size_t k = 0; (p = next_part(b, protocol, parts, &k));) {
        p->before = p->now;
        p->now = (struct sight_of_part){.visibility = VISIBILITY_UNKNOWN};
        p->is_open = true;
        p->is_told = false;
        if (socket_store_begin(&p->store) < 0)
            p->before.visibility = VISIBILITY_UNKNOWN;
    }
}

/* How many services a part may have now. */
static size_t room_of(const struct listener_builder *b, const struct part *part)
{
    size_t others = 0;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < PARTS; k++)
            others += &b->parts[i][k] == part ? 0 : b->parts[i][k].store.count;
    if (others + BUILDER_SERVICES_OF_PART > BUILDER_SERVICES_MAX)
        return BUILDER_SERVICES_OF_PART;
    return BUILDER_SERVICES_MAX - others;
}

int listener_builder_add(struct listener_builder *b, const struct listener_row *row)
{
    return listener_builder_add_to(b, PART_ALL, row);
}

int listener_builder_add_to(struct listener_builder *b, unsigned parts, const struct listener_row *row)
{
    bool expected = b->policy && policy_expects_port(b->policy, row->protocol, row->port);
    unsigned part = expected ? 0 : 1;
    struct part *p = &b->parts[row->protocol][part];
    struct listener_row unmapped = *row;

    if (p->is_told || !(parts & 1u << part))
        return 0;
    unmapped.address = ip_addr_unmap(row->address);
    b->rules.services = room_of(b, p);
    return socket_store_add(&p->store, &unmapped, &b->rules);
}

void listener_builder_count(struct listener_builder *b, enum protocol protocol, unsigned parts)
{
    struct part *p = &b->parts[protocol][1];

    if (!p->is_told && parts & PART_OTHERS)
        socket_store_count(&p->store);
}

void listener_builder_drop(struct listener_builder *b, enum protocol protocol, unsigned parts)
{
    struct part *p;

    for (size_t k = 0; (p = next_part(b, protocol, parts, &k));)
        socket_store_drop(&p->store);
}

void listener_builder_end(struct listener_builder *b, enum protocol protocol, unsigned parts,
                          enum visibility visibility, int error)
{
    struct part *p;

    for (size_t k = 0; (p = next_part(b, protocol, parts, &k));) {
        p->now = (struct sight_of_part){visibility, error};
        p->is_open = false;
    }
}

int64_t listener_builder_missing(struct listener_builder *b, enum protocol protocol, unsigned parts)
{
    int64_t missing = 0;
    struct part *p;

    for (size_t k = 0; (p = next_part(b, protocol, parts, &k));) {
        int64_t more;

        if (p->before.visibility != VISIBILITY_OK)
            return -ENOENT;
        more = socket_store_missing(&p->store);
        if (more < 0)
            return more;
        missing += more;
    }
    return missing;
}

void listener_builder_look_again(struct listener_builder *b, enum protocol protocol, unsigned parts)
{
    struct part *p;

    for (size_t k = 0; (p = next_part(b, protocol, parts, &k));)
        socket_store_look_again(&p->store);
}

static bool is_same_part(const struct part *p)
{
    return p->is_open || p->is_told ||
           (p->now.visibility == p->before.visibility && p->now.error == p->before.error &&
            socket_store_is_same(&p->store));
}

bool listener_builder_is_same(const struct listener_builder *b)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < PARTS; k++)
            if (!is_same_part(&b->parts[i][k]))
                return false;
    return true;
}

/* A class is seen as its expected ports are; the others are told besides. */
static struct class_view view_of(const struct part parts[PARTS])
{
    return (struct class_view){
        .visibility = parts[0].now.visibility,
        .error = parts[0].now.error,
        .others = parts[1].now.visibility,
        .others_error = parts[1].now.error,
        .unread =
            (parts[0].is_open ? 0 : parts[0].store.unread) + (parts[1].is_open ? 0 : parts[1].store.unread),
        .unlisted = parts[1].is_open ? 0 : parts[1].store.unlisted,
    };
}

int listener_builder_finish(struct listener_builder *b, struct inventory *ret)
{
    struct inventory inv = {.total = 0};

    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        for (size_t k = 0; k < PARTS; k++) {
            struct part *p = &b->parts[i][k];

            inv.behind[i] |= p->is_open && k > 0;
            if (p->is_open)
                continue;
            if (socket_store_finish(&p->store) < 0)
                return -ENOMEM;
            p->is_told = true;
            inv.parts[i][k] = (struct inventory_part){p->store.listeners, p->store.count, p->store.members};
        }
        inv.classes[i] = view_of(b->parts[i]);
    }
    inventory_number(&inv);
    *ret = inv;
    return 0;
}
