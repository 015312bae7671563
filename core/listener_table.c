#include "core/listener_table.h"
#include "core/ref.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listener_table {
    struct ref ref;
    struct class_view classes[PROTOCOL_COUNT];
    struct listener_totals totals;
    uint64_t left_out;
    uint64_t unfollowed;
    struct listener *listeners; /* owned */
    size_t count;
    struct member *members; /* owned; in the order of the listeners */
    size_t member_count;
    char (*interfaces)[INTERFACE_NAME_MAX]; /* owned; of those that are bound to one */
    char *paths;                            /* owned; of unix sockets, each with its NUL */
};

/* How much there is to be cut. */
struct extent {
    size_t listeners, members, interfaces, path_bytes;
};

static struct extent measure(const struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct extent extent = {0};
    const struct listener *l;

    while ((l = inventory_next_chosen(inv, &cursor))) {
        extent.listeners++;
        extent.members += l->followed;
        extent.interfaces += *l->interface != '\0';
        extent.path_bytes += l->protocol == PROTOCOL_UNIX ? strlen(l->path) + 1 : 0;
    }
    return extent;
}

static struct listener_table *new_table(const struct extent *extent)
{
    struct listener_table *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    ref_init(&t->ref);
    t->listeners = calloc(extent->listeners + 1, sizeof *t->listeners);
    t->members = calloc(extent->members + 1, sizeof *t->members);
    t->interfaces = calloc(extent->interfaces + 1, sizeof *t->interfaces);
    t->paths = calloc(extent->path_bytes + 1, 1);
    if (t->listeners && t->members && t->interfaces && t->paths)
        return t;
    listener_table_unref(t);
    return NULL;
}

static void copy_members(struct listener_table *t, struct listener *l)
{
    struct member *members = &t->members[t->member_count];

    memcpy(members, l->members, l->followed * sizeof *members);
    for (uint32_t i = 0; i < l->followed; i++)
        if (members[i].owners)
            (void)owner_set_ref(members[i].owners); /* the same pointer */
    t->member_count += l->followed;
    t->unfollowed += l->sockets - l->followed;
    l->members = members;
}

/* What the table has room for beside listeners and their members. */
struct texts {
    size_t interfaces;
    char *path;
};

static void copy_texts(struct listener_table *t, struct listener *l, struct texts *texts)
{
    if (*l->interface) {
        char *interface = t->interfaces[texts->interfaces++];

        (void)snprintf(interface, sizeof t->interfaces[0], "%s", l->interface);
        l->interface = interface;
    }
    if (l->protocol == PROTOCOL_UNIX) {
        size_t bytes = strlen(l->path) + 1;

        l->path = memcpy(texts->path, l->path, bytes);
        texts->path += bytes;
    }
}

static void copy_listeners(struct listener_table *t, const struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct texts texts = {.path = t->paths};
    const struct listener *from;

    while ((from = inventory_next_chosen(inv, &cursor))) {
        struct listener *l = &t->listeners[t->count];

        *l = *from;
        l->index = (uint32_t)t->count++;
        copy_members(t, l);
        copy_texts(t, l, &texts);
    }
}

const struct listener_table *listener_table_cut(const struct inventory *inv)
{
    const struct extent extent = measure(inv);
    struct listener_table *t = new_table(&extent);

    if (!t)
        return NULL;
    memcpy(t->classes, inv->classes, sizeof t->classes);
    inventory_count(inv, &t->totals);
    t->left_out = inv->total - extent.listeners;
    copy_listeners(t, inv);
    return t;
}

const struct listener_table *listener_table_ref(const struct listener_table *t)
{
    ref_take(&t->ref);
    return t;
}

void listener_table_unref(const struct listener_table *t)
{
    if (!t || !ref_drop(&t->ref))
        return;
    for (size_t i = 0; t->members && i < t->member_count; i++)
        owner_set_unref(t->members[i].owners);
    free(t->members);
    free(t->listeners);
    free(t->interfaces);
    free(t->paths);
    free(ref_unseal(t));
}

const struct listener *listener_table_all(const struct listener_table *t, size_t *ret_count)
{
    *ret_count = t->count;
    return t->listeners;
}

const struct class_view *listener_table_class(const struct listener_table *t, enum protocol protocol)
{
    return &t->classes[protocol];
}

const struct listener_totals *listener_table_totals(const struct listener_table *t)
{
    return &t->totals;
}

uint64_t listener_table_total(const struct listener_table *t)
{
    return t->count + t->left_out;
}

uint64_t listener_table_dropped(const struct listener_table *t, enum dropped what)
{
    return what == DROPPED_LISTENERS ? t->left_out : what == DROPPED_MEMBERS ? t->unfollowed : 0;
}

void listener_table_inventory(const struct listener_table *t, struct inventory *ret)
{
    size_t member = 0;

    *ret = (struct inventory){.total = t->count};
    for (size_t i = 0, end; i < t->count; i = end) {
        enum protocol protocol = t->listeners[i].protocol;

        ret->parts[protocol][1] =
            (struct inventory_part){.listeners = &t->listeners[i], .members = &t->members[member]};
        for (end = i; end < t->count && t->listeners[end].protocol == protocol; end++)
            member += t->listeners[end].followed;
        ret->parts[protocol][1].count = end - i;
    }
    memcpy(ret->classes, t->classes, sizeof ret->classes);
}

const struct listener *listener_table_port(const struct listener_table *t, enum protocol protocol,
                                           uint16_t port, size_t *ret_count)
{
    struct inventory inv;

    listener_table_inventory(t, &inv);
    return inventory_port(&inv, protocol, port, ret_count);
}
