#include "core/listener_table.h"
#include "core/err.h"
#include "core/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A service may consist of many sockets; so many rows of a protocol are held
 * per allowed service, and besides, before sealing joins them. */
enum { ROWS_PER_SERVICE = 16, ROWS_BESIDES = 4096 };

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
    struct class_view classes[PROTOCOL_COUNT];
    struct listener *listeners;
    size_t count;
    struct listener *gone; /* services of earlier tables, sorted as listeners are */
    size_t gone_count;
    struct member *members; /* one a socket, in the order of both */
    size_t member_count;
};

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

struct listener_row *listener_builder_rows(struct listener_builder *b, size_t *ret_count)
{
    *ret_count = b->count;
    return b->rows;
}

int64_t listener_builder_missing(const struct listener_builder *b, const struct listener_table *previous,
                                 enum protocol protocol)
{
    uint64_t *cookies;
    size_t count;
    int64_t missing = 0;

    if (!previous || previous->count == 0)
        return 0;
    cookies = sorted_cookies(b, protocol, &count);
    if (!cookies)
        return -ENOMEM;
    for (size_t i = 0; i < previous->count; i++) {
        const struct listener *l = &previous->listeners[i];

        for (uint32_t k = 0; l->protocol == protocol && k < l->sockets; k++)
            missing += !has_cookie(cookies, count, l->members[k].cookie);
    }
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

/* What makes sockets one service. */
struct service_key {
    enum protocol protocol;
    uint16_t port;
    enum family family;
    struct ip_addr address;
    uint32_t ifindex;
    bool auto_port;
};

static struct service_key row_key(const struct listener_row *row)
{
    return (struct service_key){row->protocol, row->port,    row_family(row),
                                row->address,  row->ifindex, row->auto_port};
}

static struct service_key listener_key(const struct listener *l)
{
    return (struct service_key){l->protocol, l->port, l->family, l->address, l->ifindex, l->auto_port};
}

static int compare_keys(const struct service_key *a, const struct service_key *b)
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
    return r != 0 ? r : (int)a->auto_port - (int)b->auto_port;
}

static int compare_services(const struct listener_row *a, const struct listener_row *b)
{
    const struct service_key x = row_key(a), y = row_key(b);

    return compare_keys(&x, &y);
}

static int compare_listeners(const struct listener *a, const struct listener *b)
{
    const struct service_key x = listener_key(a), y = listener_key(b);

    return compare_keys(&x, &y);
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
        .auto_port = row->auto_port,
        .uid_known = true,
        .uid = row->uid,
        .queue.known = row->queue.known,
        .receive_queue.known = row->receive_queue.known,
    };
    memcpy(l->interface, row->interface, sizeof l->interface);
    (void)snprintf(l->service_name, sizeof l->service_name, "%s", name ? name : "");
}

static void listener_join(struct listener *l, const struct listener_row *row)
{
    /* The queue holds limit + 1 connections, so a limit of 0 is no division by 0. */
    double ratio = (double)row->queue.length / ((double)row->queue.limit + 1);

    l->sockets++;
    l->uid_known = l->uid_known && l->uid == row->uid;
    l->queue.length += row->queue.length;
    l->queue.limit += row->queue.limit;
    l->receive_queue.bytes += row->receive_queue.bytes;
    l->drops.known |= row->drops.known;
    if (ratio > l->queue.saturation_ratio)
        l->queue.saturation_ratio = ratio;
}

static struct member *add_member(struct listener_table *t, const struct listener_row *row)
{
    struct member *m = &t->members[t->member_count++];

    *m = (struct member){
        .cookie = row->cookie,
        .uid = row->uid,
        .drops.known = row->drops.known,
        .drops.count = row->drops.count,
        .owners = row->owners ? owner_set_ref(row->owners) : NULL,
    };
    return m;
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
        const struct member *member;

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
        member = add_member(t, row);
        if (t->listeners[t->count - 1].sockets == 0)
            t->listeners[t->count - 1].members = member;
        listener_join(&t->listeners[t->count - 1], row);
    }
}

/* Keeps the record of a service that is not among the listeners now, as long
 * as the limit allows: it may come back, with the same sockets where they were
 * only not seen, or not listening for a while. */
static void keep_gone(struct listener_table *t, const struct listener *before,
                      const struct listener_builder *b)
{
    struct listener *l;

    if (t->gone_count >= b->limit && !policy_expects_port(b->policy, before->protocol, before->port))
        return;
    l = &t->gone[t->gone_count++];
    *l = *before;
    l->members = &t->members[t->member_count];
    for (uint32_t i = 0; i < before->sockets; i++) {
        t->members[t->member_count] = before->members[i];
        t->members[t->member_count++].owners = NULL; /* of no use to anybody */
    }
}

/* Walks a table's listeners and its gone services together, in their order. */
static const struct listener *next_before(const struct listener_table *t, size_t *listener, size_t *gone)
{
    const struct listener *l = *listener < t->count ? &t->listeners[*listener] : NULL;
    const struct listener *g = *gone < t->gone_count ? &t->gone[*gone] : NULL;
    bool take_gone = g && (!l || compare_listeners(g, l) < 0);

    if (take_gone)
        ++*gone;
    else if (l)
        ++*listener;
    return take_gone ? g : l;
}

/* Both sides are sorted alike. */
static void follow(struct listener_table *t, const struct listener_table *previous,
                   const struct listener_builder *b)
{
    size_t listener = 0, gone = 0, i = 0;
    const struct listener *before = previous ? next_before(previous, &listener, &gone) : NULL;

    while (i < t->count || before) {
        int order = !before ? -1 : i == t->count ? 1 : compare_listeners(&t->listeners[i], before);

        if (order > 0)
            keep_gone(t, before, b);
        else
            generation_follow(&t->listeners[i++], order == 0 ? before : NULL);
        if (order >= 0)
            before = next_before(previous, &listener, &gone);
    }
}

struct listener_table *listener_table_seal(struct listener_builder *b, const struct services *services,
                                           const struct listener_table *previous)
{
    struct listener_table *t = calloc(1, sizeof *t);

    if (!t)
        goto out;
    memcpy(t->classes, b->classes, sizeof t->classes);
    t->listeners = calloc(b->count + 1, sizeof *t->listeners);
    t->gone = calloc(previous ? previous->count + previous->gone_count + 1 : 1, sizeof *t->gone);
    t->members = calloc(b->count + (previous ? previous->member_count : 0) + 1, sizeof *t->members);
    if (!t->listeners || !t->gone || !t->members) {
        listener_table_free(t);
        t = NULL;
        goto out;
    }
    if (b->count > 0)
        qsort(b->rows, b->count, sizeof *b->rows, compare_rows);
    join_rows(t, b, services);
    follow(t, previous, b);
out:
    listener_builder_free(b);
    return t;
}

void listener_table_free(struct listener_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->members && i < t->member_count; i++)
        owner_set_unref(t->members[i].owners);
    free(t->listeners);
    free(t->gone);
    free(t->members);
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
