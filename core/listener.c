#include "core/listener.h"
#include "core/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many processes, users or units are named of one listener. */
enum { NAMES_MAX = 3, NAMES_MAX_BYTES = 256 };

/* Behind the names, if there are others. */
static const char others[] = ",...";

bool listener_is_client(const struct listener *l)
{
    return l->auto_port && protocol_is_datagram(l->protocol);
}

struct listener_key listener_key_of(const struct listener *l)
{
    return (struct listener_key){l->protocol, l->port,    l->family,
                                 l->address,  l->ifindex, listener_is_client(l)};
}

int listener_key_compare(const struct listener_key *a, const struct listener_key *b)
{
    int r;

    if (a->protocol != b->protocol)
        return (int)a->protocol - (int)b->protocol;
    if (a->port != b->port)
        return (int)a->port - (int)b->port;
    r = (int)a->family - (int)b->family;
    if (r == 0)
        r = ip_addr_compare(&a->address, &b->address);
    if (r == 0 && a->ifindex != b->ifindex)
        r = a->ifindex < b->ifindex ? -1 : 1;
    return r != 0 ? r : (int)a->client - (int)b->client;
}

bool listener_has_port_class(const struct listener *l)
{
    return l->protocol != PROTOCOL_RAW && protocol_is_ip(l->protocol);
}

_Static_assert(LISTENER_PLACE_MAX >= ENDPOINT_TEXT_MAX, "an endpoint must fit");

void listener_place(const struct listener *l, char ret_text[static LISTENER_PLACE_MAX])
{
    char ethertype[ETHERTYPE_TEXT_MAX];

    if (l->protocol == PROTOCOL_UNIX) {
        memcpy(ret_text, l->path, strlen(l->path) + 1);
    } else if (l->protocol == PROTOCOL_PACKET) {
        ethertype_format(l->port, ethertype);
        (void)snprintf(ret_text, LISTENER_PLACE_MAX, "%s%s%s", ethertype, *l->interface ? "%" : "",
                       l->interface);
    } else
        endpoint_format(&l->address, l->family, l->port, l->interface, ret_text);
}

uint32_t listener_user(const struct listener *l)
{
    return l->uid_known ? l->uid : UINT32_MAX;
}

double queue_saturation(struct queue q)
{
    return (double)q.length / ((double)q.limit + 1);
}

bool queue_is_full(struct queue q)
{
    return q.length > q.limit;
}

struct queue queue_fuller(struct queue a, struct queue b)
{
    double x = queue_saturation(a), y = queue_saturation(b);

    if (x > y)
        return a;
    return x < y || a.limit < b.limit ? b : a;
}

enum sharing listener_sharing(const struct listener *l)
{
    if (l->sockets < 2)
        return SHARING_NONE;
    return l->uid_known ? SHARING_ONE_USER : SHARING_USERS;
}

const char *listener_next_name(const struct listener *l, enum owner_name which, const char *previous)
{
    const char *best = NULL;

    for (uint32_t i = 0; i < l->followed; i++) {
        const char *name = owner_next_name(l->members[i].owners, which, previous);

        if (name && (!best || strcmp(name, best) < 0))
            best = name;
    }
    return best;
}

void listener_names(const struct listener *l, enum owner_name which, struct buf *out)
{
    size_t begin = out->len, count = 0;
    const char *name = NULL;

    while ((name = listener_next_name(l, which, name)) && count < NAMES_MAX) {
        if (count > 0 && out->len - begin + 1 + strlen(name) + strlen(others) > NAMES_MAX_BYTES)
            break;
        if (count++ > 0)
            buf_char(out, ',');
        buf_str(out, name);
    }
    if (name)
        buf_str(out, others);
}

static int compare_holders(const void *a, const void *b)
{
    const struct holder *x = *(const struct holder *const *)a, *y = *(const struct holder *const *)b;

    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Those of one socket are sorted already, and so are those of several that were
 * made one after the other. */
static bool is_sorted(const struct holder_list *list)
{
    for (size_t i = 1; i < list->count; i++)
        if (list->items[i]->pid < list->items[i - 1]->pid)
            return false;
    return true;
}

static int collect_holders(const struct listener *l, struct holder_list *list)
{
    list->count = 0;
    for (uint32_t i = 0; i < l->followed; i++) {
        const struct owner_set *owners = l->members[i].owners;
        size_t more = owners ? owners->count : 0;
        const struct holder **items;

        if (more == 0)
            continue;
        items = array_grow(list->items, &list->capacity, list->count + more, sizeof(const struct holder *));
        if (!items)
            return -ENOMEM;
        list->items = items;
        for (size_t k = 0; k < more; k++)
            items[list->count++] = owners->holders[k];
    }
    return 0;
}

int listener_holders(const struct listener *l, struct holder_list *list)
{
    size_t distinct = 0;
    int r = collect_holders(l, list);

    if (r < 0) {
        list->count = 0;
        return r;
    }
    if (!is_sorted(list))
        qsort(list->items, list->count, sizeof(const struct holder *), compare_holders);
    for (size_t i = 0; i < list->count; i++)
        if (distinct == 0 || list->items[i]->pid != list->items[distinct - 1]->pid)
            list->items[distinct++] = list->items[i];
    list->count = distinct;
    return 0;
}

bool listener_holders_are_cut(const struct listener *l)
{
    for (uint32_t i = 0; i < l->followed; i++)
        if (l->members[i].owners && l->members[i].owners->unlisted > 0)
            return true;
    return false;
}

/* There are as many as have the socket that most have. Not all sockets need list
 * the same ones of them. */
uint64_t listener_holders_unlisted(const struct listener *l, const struct holder_list *list)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < l->followed; i++) {
        const struct owner_set *owners = l->members[i].owners;
        uint64_t all = owners ? owners->count + owners->unlisted : 0;

        most = all > most ? all : most;
    }
    return most > list->count ? most - list->count : 0;
}

bool listener_has_strangers(const struct listener *l)
{
    return l->followed < l->sockets && !l->uid_known;
}

const struct holder *holder_list_first(const struct holder_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!holder_is_activator(list->items[i]))
            return list->items[i];
    return list->count > 0 ? list->items[0] : NULL;
}

void holder_list_done(struct holder_list *list)
{
    free(list->items);
    *list = (struct holder_list){0};
}

enum sight listener_sight(const struct listener *l)
{
    enum sight worst = SIGHT_SEEN;

    for (uint32_t i = 0; i < l->followed; i++) {
        enum sight sight = owner_sight(l->members[i].owners);

        if (sight < worst)
            worst = sight;
    }
    return worst;
}
