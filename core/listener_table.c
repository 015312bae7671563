#include "core/listener_table.h"
#include "core/array.h"
#include "core/err.h"
#include "core/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A service may consist of many sockets; so many rows of a protocol are held
 * per allowed service, and besides, before sealing joins them. */
enum { ROWS_PER_SERVICE = 16, ROWS_BESIDES = 4096 };

/* The sockets of one class. */
struct class_rows {
    struct listener_row *items; /* owned */
    size_t count, capacity;
    struct class_view view;
};

struct listener_builder {
    size_t limit;
    const struct policy *policy;
    struct class_rows now[PROTOCOL_COUNT];
    struct class_rows before[PROTOCOL_COUNT]; /* of the last look */
    uint64_t *known;                          /* sorted cookies of known_protocol, during a second look */
    size_t known_count;
    enum protocol known_protocol;
};

struct listener_table {
    struct ref ref;
    struct class_view classes[PROTOCOL_COUNT];
    struct listener *listeners;
    size_t count;
    struct member *members; /* one a socket, in the order of the listeners */
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
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        free(b->now[i].items);
        free(b->before[i].items);
    }
    free(b->known);
    free(b);
}

void listener_builder_begin(struct listener_builder *b, size_t limit, const struct policy *policy)
{
    b->limit = limit;
    b->policy = policy;
    b->known_count = 0;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        struct class_rows emptied = b->before[i];

        emptied.count = 0;
        emptied.view = (struct class_view){.visibility = VISIBILITY_UNKNOWN};
        b->before[i] = b->now[i];
        b->now[i] = emptied;
    }
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

/* The cookies of a class's rows, sorted. Returns owned, or NULL when memory
 * runs out. */
static uint64_t *sorted_cookies(const struct class_rows *rows)
{
    uint64_t *cookies = calloc(rows->count + 1, sizeof *cookies);

    for (size_t i = 0; cookies && i < rows->count; i++)
        cookies[i] = rows->items[i].cookie;
    if (cookies && rows->count > 0)
        qsort(cookies, rows->count, sizeof *cookies, compare_u64);
    return cookies;
}

int listener_builder_add(struct listener_builder *b, const struct listener_row *row)
{
    size_t row_limit = b->limit * ROWS_PER_SERVICE + ROWS_BESIDES;
    struct class_rows *class = &b->now[row->protocol];
    struct listener_row *items;

    if (row->protocol == b->known_protocol && row->cookie != 0 &&
        has_cookie(b->known, b->known_count, row->cookie))
        return 0;
    if (class->count >= row_limit && !policy_expects_port(b->policy, row->protocol, row->port)) {
        class->view.cut++;
        return 0;
    }
    if (class->count >= 2 * row_limit)
        return ERR_LIMIT;
    items = array_grow(class->items, &class->capacity, class->count + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    class->items = items;
    items[class->count] = *row;
    items[class->count++].address = ip_addr_unmap(row->address);
    return 0;
}

void listener_builder_drop(struct listener_builder *b, enum protocol protocol)
{
    b->now[protocol].count = 0;
    b->now[protocol].view.cut = 0;
    b->known_count = 0;
}

void listener_builder_set_class(struct listener_builder *b, enum protocol protocol,
                                enum visibility visibility, int error)
{
    b->now[protocol].view.visibility = visibility;
    b->now[protocol].view.error = error;
}

struct listener_row *listener_builder_rows(struct listener_builder *b, enum protocol protocol,
                                           size_t *ret_count)
{
    *ret_count = b->now[protocol].count;
    return b->now[protocol].items;
}

static bool have_same_cookies(const struct class_rows *a, const struct class_rows *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].cookie != b->items[i].cookie)
            return false;
    return true;
}

int64_t listener_builder_missing(const struct listener_builder *b, enum protocol protocol)
{
    const struct class_rows *now = &b->now[protocol], *before = &b->before[protocol];
    uint64_t *cookies;
    int64_t missing = 0;

    if (before->view.visibility != VISIBILITY_OK)
        return -ENOENT;
    if (have_same_cookies(now, before)) /* as mostly, and in the same order */
        return 0;
    cookies = sorted_cookies(now);
    if (!cookies)
        return -ENOMEM;
    for (size_t i = 0; i < before->count; i++)
        missing += !has_cookie(cookies, now->count, before->items[i].cookie);
    free(cookies);
    return missing;
}

int listener_builder_look_again(struct listener_builder *b, enum protocol protocol)
{
    uint64_t *cookies = sorted_cookies(&b->now[protocol]);

    if (!cookies)
        return -ENOMEM;
    free(b->known);
    b->known = cookies;
    b->known_count = b->now[protocol].count;
    b->known_protocol = protocol;
    b->now[protocol].view.cut = 0; /* counted anew */
    return 0;
}

static bool same_class(const struct class_view *a, const struct class_view *b)
{
    return a->visibility == b->visibility && a->error == b->error && a->cut == b->cut;
}

/* All that a table would show of a row, but for its owners. */
static bool same_row(const struct listener_row *a, const struct listener_row *b)
{
    return a->cookie == b->cookie && a->inode == b->inode && a->uid == b->uid && a->port == b->port &&
           a->ifindex == b->ifindex && a->cgroup_id == b->cgroup_id && a->v6only == b->v6only &&
           a->presence == b->presence && a->auto_port == b->auto_port && a->queue.known == b->queue.known &&
           a->queue.length == b->queue.length && a->queue.limit == b->queue.limit &&
           a->receive_queue.known == b->receive_queue.known &&
           a->receive_queue.bytes == b->receive_queue.bytes && a->drops.known == b->drops.known &&
           a->drops.count == b->drops.count && ip_addr_compare(&a->address, &b->address) == 0 &&
           strcmp(a->interface, b->interface) == 0;
}

bool listener_builder_is_same(const struct listener_builder *b)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        const struct class_rows *now = &b->now[i], *before = &b->before[i];

        if (now->count != before->count || !same_class(&now->view, &before->view))
            return false;
        for (size_t k = 0; k < now->count; k++)
            if (!same_row(&now->items[k], &before->items[k]))
                return false;
    }
    return true;
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

/* A row on its way into a table. */
struct placed {
    struct listener_key key;
    const struct listener_row *row;
};

static struct listener_key row_key(const struct listener_row *row)
{
    return (struct listener_key){row->protocol, row->port,    row_family(row),
                                 row->address,  row->ifindex, row->auto_port};
}

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int r = listener_key_compare(&x->key, &y->key);

    return r != 0 ? r : compare_u64(&x->row->cookie, &y->row->cookie);
}

static bool same_service(const struct placed *a, const struct placed *b)
{
    return a && listener_key_compare(&a->key, &b->key) == 0;
}

static bool same_socket(const struct placed *a, const struct placed *b)
{
    return a && a->row->cookie != 0 && a->row->cookie == b->row->cookie && same_service(a, b);
}

static void listener_start(struct listener *l, const struct placed *p, const struct services *services)
{
    const struct listener_row *row = p->row;
    const char *name = services_name(services, row->protocol, row->port);

    *l = (struct listener){
        .protocol = row->protocol,
        .family = p->key.family,
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
    l->drops.count += row->drops.known ? row->drops.count : 0;
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
static void join_rows(struct listener_table *t, const struct listener_builder *b, const struct placed *placed,
                      size_t count, const struct services *services)
{
    const struct placed *previous = NULL;
    bool kept = false;
    size_t others = 0;

    for (size_t i = 0; i < count; previous = &placed[i++]) {
        const struct placed *p = &placed[i];
        const struct member *member;

        if (same_socket(previous, p))
            continue;
        if (!same_service(previous, p)) {
            bool expected = policy_expects_port(b->policy, p->key.protocol, p->key.port);

            kept = expected || others < b->limit;
            others += !expected;
            if (kept)
                listener_start(&t->listeners[t->count++], p, services);
            else
                t->classes[p->key.protocol].cut++;
        }
        if (!kept)
            continue;
        member = add_member(t, p->row);
        if (t->listeners[t->count - 1].sockets == 0)
            t->listeners[t->count - 1].members = member;
        listener_join(&t->listeners[t->count - 1], p->row);
    }
}

/* The rows of all classes, sorted. Returns owned, or NULL when memory runs out. */
static struct placed *place_rows(const struct listener_builder *b, size_t *ret_count)
{
    size_t count = 0, total = 0;
    struct placed *placed;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        total += b->now[i].count;
    placed = calloc(total + 1, sizeof *placed);
    for (size_t i = 0; placed && i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < b->now[i].count; k++, count++)
            placed[count] = (struct placed){row_key(&b->now[i].items[k]), &b->now[i].items[k]};
    if (count > 0)
        qsort(placed, count, sizeof *placed, compare_placed);
    *ret_count = count;
    return placed;
}

const struct listener_table *listener_table_seal(struct listener_builder *b, const struct services *services,
                                                 struct history *history)
{
    struct listener_table *t = calloc(1, sizeof *t);
    size_t count;
    struct placed *placed = place_rows(b, &count);
    int r = -ENOMEM;

    if (t)
        ref_init(&t->ref);
    if (!t || !placed)
        goto out;
    t->listeners = calloc(count + 1, sizeof *t->listeners);
    t->members = calloc(count + 1, sizeof *t->members);
    if (!t->listeners || !t->members)
        goto out;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        t->classes[i] = b->now[i].view;
    join_rows(t, b, placed, count, services);
    r = history ? history_follow(history, t->listeners, t->count, b->limit, b->policy) : 0;
out:
    free(placed);
    if (r == 0)
        return t;
    listener_table_unref(t);
    return NULL;
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
