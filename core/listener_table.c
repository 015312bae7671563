#include "core/listener_table.h"
#include "core/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A service may consist of many sockets; so many rows of a protocol are held
 * per allowed service, and besides, before sealing joins them. */
enum { ROWS_PER_SERVICE = 16, ROWS_BESIDES = 4096 };

struct socket_id {
    enum protocol protocol;
    uint64_t cookie;
};

struct listener_builder {
    size_t limit;
    const struct policy *policy;
    struct listener_row *rows;
    size_t count, capacity;
    size_t counts[PROTOCOL_COUNT]; /* rows of each protocol */
    uint64_t *known;               /* sorted cookies of known_protocol, during a second look */
    size_t known_count;
    enum protocol known_protocol;
    struct class_view classes[PROTOCOL_COUNT];
};

struct listener_table {
    unsigned references;
    struct class_view classes[PROTOCOL_COUNT];
    struct listener *listeners;
    size_t count;
    struct socket_id *sockets; /* one a socket, in no useful order */
    size_t socket_count;
};

bool listener_has_port_class(const struct listener *l)
{
    return l->protocol != PROTOCOL_RAW;
}

struct listener_builder *listener_builder_new(size_t limit, const struct policy *policy)
{
    struct listener_builder *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->limit = limit;
    b->policy = policy;
    return b;
}

void listener_builder_free(struct listener_builder *b)
{
    if (!b)
        return;
    free(b->known);
    free(b->rows);
    free(b);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool has_cookie(const uint64_t *sorted, size_t count, uint64_t cookie)
{
    return count > 0 && bsearch(&cookie, sorted, count, sizeof cookie, compare_u64);
}

/* The cookies of a protocol's rows, sorted. Returns owned, or NULL when memory
 * runs out. */
static uint64_t *sorted_cookies(const struct listener_builder *b, enum protocol protocol, size_t *ret_count)
{
    uint64_t *cookies = calloc(b->counts[protocol] + 1, sizeof *cookies);
    size_t count = 0;

    for (size_t i = 0; cookies && i < b->count; i++)
        if (b->rows[i].protocol == protocol)
            cookies[count++] = b->rows[i].cookie;
    if (count > 0)
        qsort(cookies, count, sizeof *cookies, compare_u64);
    *ret_count = count;
    return cookies;
}

int listener_builder_add(struct listener_builder *b, const struct listener_row *row)
{
    size_t row_limit = b->limit * ROWS_PER_SERVICE + ROWS_BESIDES;

    if (row->protocol == b->known_protocol && row->cookie != 0 &&
        has_cookie(b->known, b->known_count, row->cookie))
        return 0;
    if (b->counts[row->protocol] >= row_limit && !policy_expects_port(b->policy, row->protocol, row->port)) {
        b->classes[row->protocol].cut++;
        return 0;
    }
    if (b->counts[row->protocol] >= 2 * row_limit)
        return ERR_LIMIT;
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? b->capacity * 2 : 64;
        struct listener_row *rows = reallocarray(b->rows, capacity, sizeof *rows);

        if (!rows)
            return -ENOMEM;
        b->rows = rows;
        b->capacity = capacity;
    }
    b->rows[b->count] = *row;
    b->rows[b->count++].address = ip_addr_unmap(row->address);
    b->counts[row->protocol]++;
    return 0;
}

void listener_builder_drop(struct listener_builder *b, enum protocol protocol)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i].protocol != protocol)
            b->rows[kept++] = b->rows[i];
    b->count = kept;
    b->counts[protocol] = 0;
    b->known_count = 0;
    b->classes[protocol].cut = 0;
}

void listener_builder_set_class(struct listener_builder *b, enum protocol protocol,
                                enum visibility visibility, int error)
{
    b->classes[protocol].visibility = visibility;
    b->classes[protocol].error = error;
}

int64_t listener_builder_missing(const struct listener_builder *b, const struct listener_table *previous,
                                 enum protocol protocol)
{
    uint64_t *cookies;
    size_t count;
    int64_t missing = 0;

    if (!previous || previous->socket_count == 0)
        return 0;
    cookies = sorted_cookies(b, protocol, &count);
    if (!cookies)
        return -ENOMEM;
    for (size_t i = 0; i < previous->socket_count; i++)
        missing += previous->sockets[i].protocol == protocol &&
                   !has_cookie(cookies, count, previous->sockets[i].cookie);
    free(cookies);
    return missing;
}

int listener_builder_look_again(struct listener_builder *b, enum protocol protocol)
{
    uint64_t *cookies;
    size_t count;

    cookies = sorted_cookies(b, protocol, &count);
    if (!cookies)
        return -ENOMEM;
    free(b->known);
    b->known = cookies;
    b->known_count = count;
    b->known_protocol = protocol;
    b->classes[protocol].cut = 0; /* counted anew */
    return 0;
}

/* A dual-stack socket has no row of its own for IPv4: only an unbound IPv6
 * socket without V6ONLY serves both. A raw IPv6 socket never gets IPv4. */
static enum family row_family(const struct listener_row *row)
{
    if (row->address.version == 4)
        return FAMILY_IPV4;
    if (row->protocol != PROTOCOL_RAW && !row->v6only && ip_addr_is_any(row->address))
        return FAMILY_DUAL;
    return FAMILY_IPV6;
}

static int compare_services(const struct listener_row *a, const struct listener_row *b)
{
    int r;

    if (a->protocol != b->protocol)
        return (int)a->protocol - (int)b->protocol;
    if (a->port != b->port)
        return (int)a->port - (int)b->port;
    r = (int)row_family(a) - (int)row_family(b);
    if (r == 0)
        r = ip_addr_compare(&a->address, &b->address);
    if (r == 0 && a->ifindex != b->ifindex)
        r = a->ifindex < b->ifindex ? -1 : 1;
    return r;
}

static int compare_rows(const void *a, const void *b)
{
    const struct listener_row *x = a, *y = b;
    int r = compare_services(x, y);

    return r != 0 ? r : compare_u64(&x->cookie, &y->cookie);
}

static bool same_socket(const struct listener_row *a, const struct listener_row *b)
{
    return a->cookie != 0 && a->cookie == b->cookie && compare_services(a, b) == 0;
}

static void listener_start(struct listener *l, const struct listener_row *row,
                           const struct services *services)
{
    const char *name = services_name(services, row->protocol, row->port);

    *l = (struct listener){
        .protocol = row->protocol,
        .family = row_family(row),
        .address = row->address,
        .port = row->port,
        .ifindex = row->ifindex,
        .scope = scope_of(row->address, row->ifindex),
        .presence = row->presence,
        .uid_known = true,
        .uid = row->uid,
        .has_queue = row->has_queue,
    };
    memcpy(l->interface, row->interface, sizeof l->interface);
    (void)snprintf(l->service_name, sizeof l->service_name, "%s", name ? name : "");
}

static void listener_join(struct listener *l, const struct listener_row *row)
{
    /* The queue holds limit + 1 connections, so a limit of 0 is no division by 0. */
    double ratio = (double)row->queue_length / ((double)row->queue_limit + 1);

    l->sockets++;
    l->uid_known = l->uid_known && l->uid == row->uid;
    l->queue_length += row->queue_length;
    l->queue_limit += row->queue_limit;
    if (ratio > l->saturation_ratio)
        l->saturation_ratio = ratio;
}

/* Turns the sorted rows into services. A service beyond the limit is counted,
 * unless its port is expected: an expected service must never look gone. */
static void join_rows(struct listener_table *t, struct listener_builder *b, const struct services *services)
{
    const struct listener_row *previous = NULL;
    bool kept = false;
    size_t others = 0;

    for (size_t i = 0; i < b->count; previous = &b->rows[i++]) {
        const struct listener_row *row = &b->rows[i];

        if (previous && same_socket(previous, row))
            continue;
        if (!previous || compare_services(previous, row) != 0) {
            bool expected = policy_expects_port(b->policy, row->protocol, row->port);

            kept = expected || others < b->limit;
            others += !expected;
            if (kept)
                listener_start(&t->listeners[t->count++], row, services);
            else
                t->classes[row->protocol].cut++;
        }
        if (!kept)
            continue;
        listener_join(&t->listeners[t->count - 1], row);
        t->sockets[t->socket_count++] = (struct socket_id){row->protocol, row->cookie};
    }
}

struct listener_table *listener_table_seal(struct listener_builder *b, const struct services *services)
{
    struct listener_table *t = calloc(1, sizeof *t);

    if (!t)
        goto out;
    t->references = 1;
    memcpy(t->classes, b->classes, sizeof t->classes);
    t->listeners = calloc(b->count + 1, sizeof *t->listeners);
    t->sockets = calloc(b->count + 1, sizeof *t->sockets);
    if (!t->listeners || !t->sockets) {
        listener_table_unref(t);
        t = NULL;
        goto out;
    }
    if (b->count > 0)
        qsort(b->rows, b->count, sizeof *b->rows, compare_rows);
    join_rows(t, b, services);
out:
    listener_builder_free(b);
    return t;
}

struct listener_table *listener_table_ref(struct listener_table *t)
{
    assert(t->references > 0);
    t->references++;
    return t;
}

void listener_table_unref(struct listener_table *t)
{
    if (!t)
        return;
    assert(t->references > 0);
    if (--t->references > 0)
        return;
    free(t->listeners);
    free(t->sockets);
    free(t);
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

const struct listener *listener_table_port(const struct listener_table *t, enum protocol protocol,
                                           uint16_t port, size_t *ret_count)
{
    size_t low = 0, high = t->count, end;
    uint32_t wanted = (uint32_t)protocol << 16 | port;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct listener *l = &t->listeners[middle];

        if (((uint32_t)l->protocol << 16 | l->port) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < t->count; end++)
        if (t->listeners[end].protocol != protocol || t->listeners[end].port != port)
            break;
    *ret_count = end - low;
    return end > low ? &t->listeners[low] : NULL;
}
