/* How a socket store is put into order, once all sockets have arrived. */
#include "core/socket_store.h"

#include <errno.h>
#include <stdlib.h>

void socket_store_join(struct listener *l, const struct surplus_sum *sum)
{
    l->sockets += sum->sockets;
    l->uid_known = l->uid_known && !sum->other_user;
    l->queue.length += sum->length;
    l->queue.limit += sum->limit;
    l->receive_queue.bytes += sum->bytes;
    l->drops.count += sum->drops;
    l->queue.fullest = queue_fuller(l->queue.fullest, sum->fullest);
}

static int compare_listeners(const void *a, const void *b, void *arg)
{
    const struct listener *listeners = arg;
    const struct listener_key x = listener_key_of(&listeners[*(const uint32_t *)a]);
    const struct listener_key y = listener_key_of(&listeners[*(const uint32_t *)b]);

    return listener_key_compare(&x, &y);
}

/* Fills in the order of the listeners: port by port, which is what most differ
 * in, and then within each port. */
static int order_by_port(const struct socket_store *s, uint32_t *order)
{
    uint32_t *ends = calloc(UINT16_MAX + 2, sizeof *ends), begin = 0;

    if (!ends)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        ends[s->listeners[i].port + 1]++;
    for (size_t port = 0; port <= UINT16_MAX; port++)
        ends[port + 1] += ends[port];
    for (size_t i = 0; i < s->count; i++)
        order[ends[s->listeners[i].port]++] = (uint32_t)i;
    for (size_t port = 0; port <= UINT16_MAX; begin = ends[port++])
        if (ends[port] - begin > 1)
            qsort_r(order + begin, ends[port] - begin, sizeof *order, compare_listeners, s->listeners);
    free(ends);
    return 0;
}

/* Moves the listeners into the order, which is used up. */
static void permute(struct listener *listeners, uint32_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct listener first = listeners[i];
        size_t at = i;

        while (order[at] != i) {
            size_t from = order[at];

            listeners[at] = listeners[from];
            order[at] = (uint32_t)at;
            at = from;
        }
        listeners[at] = first;
        order[at] = (uint32_t)at;
    }
}

/* Fills in the order where there are few. */
static void order_few(const struct socket_store *s, uint32_t *order)
{
    for (size_t i = 0; i < s->count; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, s->count, sizeof *order, compare_listeners, s->listeners);
}

static int sort_listeners(struct socket_store *s)
{
    uint32_t *order;
    int r = 0;

    if (s->count < 2)
        return 0;
    order = calloc(s->count, sizeof *order);
    if (!order)
        return -ENOMEM;
    if (s->count < SOCKET_STORE_SMALL)
        order_few(s, order);
    else
        r = order_by_port(s, order);
    if (r == 0)
        permute(s->listeners, order, s->count);
    free(order);
    return r;
}

static int compare_members(const void *a, const void *b)
{
    uint64_t x = ((const struct member *)a)->cookie, y = ((const struct member *)b)->cookie;

    return x < y ? -1 : x > y;
}

/* Adds what was only summed to its service. */
static void add_sums(const struct socket_store *s, struct listener *l)
{
    const struct surplus *surplus;

    if (s->arrivals[l->index].surplus == 0)
        return;
    surplus = &s->surplus[s->arrivals[l->index].surplus - 1];
    socket_store_join(l, &surplus->looks[surplus->looks[1].sockets > surplus->looks[0].sockets]);
}

/* Moves the members of a service to the place where they belong. */
static void place_members(const struct socket_store *s, struct listener *l, struct member *place)
{
    uint32_t count = 0;

    for (uint32_t i = s->arrivals[l->index].first; i != 0; i = s->links[i - 1])
        place[count++] = s->members[i - 1];
    if (count > 1)
        qsort(place, count, sizeof *place, compare_members);
    l->members = place;
}

/* What is needed only while sockets arrive makes room for what comes now, where
 * it is much. */
static void free_arrivals(struct socket_store *s)
{
    if (s->count <= SOCKET_STORE_SMALL && s->member_count <= SOCKET_STORE_SMALL)
        return;
    free(s->arrivals);
    free(s->links);
    free(s->slots);
    free(s->surplus);
    s->arrivals = NULL;
    s->links = NULL;
    s->slots = NULL;
    s->surplus = NULL;
    s->arrival_capacity = s->link_capacity = s->slot_count = s->surplus_capacity = 0;
}

int socket_store_finish(struct socket_store *s)
{
    struct member *members, *place;
    int r;

    if (s->finished) {
        for (size_t i = 0; i < s->member_count; i++)
            s->members[i].owners = NULL; /* they were borrowed for the time before */
        return 0;
    }
    members = place = calloc(s->member_count + 1, sizeof *members);
    r = members ? sort_listeners(s) : -ENOMEM;
    if (r < 0) {
        free(members);
        return r;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct listener *l = &s->listeners[i];

        place_members(s, l, place);
        place += l->followed;
        add_sums(s, l);
        if (l->protocol == PROTOCOL_UNIX)
            l->path = s->paths + s->arrivals[l->index].path;
    }
    free(s->members);
    s->members = members;
    s->member_capacity = s->member_count + 1;
    s->finished = true;
    free_arrivals(s);
    return 0;
}
