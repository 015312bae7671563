#include "core/socket_store.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, INTERFACES_MAX = 256 };

/* An array that is not small is kept while at least one part in so many is used. */
enum { KEPT_PARTS = 8 };

static void free_interfaces(struct socket_store *s)
{
    while (s->interfaces) {
        struct interface_name *next = s->interfaces->next;

        free(s->interfaces);
        s->interfaces = next;
    }
    s->interface_count = 0;
}

void socket_store_done(struct socket_store *s)
{
    free(s->listeners);
    free(s->members);
    free(s->links);
    free(s->arrivals);
    free(s->surplus);
    free(s->slots);
    free(s->before);
    free(s->paths);
    free_interfaces(s);
    *s = (struct socket_store){.count = 0};
}

void socket_store_drop(struct socket_store *s)
{
    if (s->slot_count > 0)
        memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    s->count = s->member_count = s->surplus_count = 0;
    s->digest = s->cookies = s->unread = s->unlisted = 0;
    s->path_bytes = 0;
    s->second_look = s->finished = false;
}

/* Lets go of arrays that were made for many more sockets than there were. */
static void shrink(struct socket_store *s)
{
    if (s->capacity > SOCKET_STORE_SMALL && s->count < s->capacity / KEPT_PARTS) {
        free(s->listeners);
        free(s->arrivals);
        free(s->slots);
        s->listeners = NULL;
        s->arrivals = NULL;
        s->slots = NULL;
        s->capacity = s->arrival_capacity = s->slot_count = s->count = 0;
        free(s->paths);
        s->paths = NULL;
        s->path_capacity = 0;
    }
    if (s->member_capacity > SOCKET_STORE_SMALL && s->member_count < s->member_capacity / KEPT_PARTS) {
        free(s->members);
        free(s->links);
        s->members = NULL;
        s->links = NULL;
        s->member_capacity = s->link_capacity = s->member_count = 0;
    }
}

int socket_store_begin(struct socket_store *s)
{
    uint64_t *before;

    s->digest_before = s->digest;
    s->cookies_before = s->cookies;
    s->unread_before = s->unread;
    s->unlisted_before = s->unlisted;
    if (s->before_capacity > SOCKET_STORE_SMALL && s->member_count < s->before_capacity / KEPT_PARTS) {
        free(s->before);
        s->before = NULL;
        s->before_capacity = 0;
    }
    s->before_count = 0;
    before = array_grow(s->before, &s->before_capacity, s->member_count, sizeof *before);
    if (before || s->member_count == 0)
        s->before = before;
    for (size_t i = 0; before && i < s->member_count; i++)
        before[s->before_count++] = s->members[i].cookie;
    if (s->interface_count > INTERFACES_MAX)
        free_interfaces(s);
    shrink(s);
    socket_store_drop(s);
    return before || s->member_count == 0 ? 0 : -ENOMEM;
}

/* A dual-stack socket has no row of its own for IPv4: only an unbound IPv6
 * socket without V6ONLY serves both. A raw IPv6 socket never gets IPv4. */
static enum family row_family(const struct listener_row *row)
{
    if (row->address.version == 4 || !protocol_is_ip(row->protocol))
        return FAMILY_IPV4;
    if (row->protocol != PROTOCOL_RAW && !row->v6only && ip_addr_is_any(row->address))
        return FAMILY_DUAL;
    return FAMILY_IPV6;
}

/* Only the machine itself reaches a unix socket. */
static enum scope row_scope(const struct listener_row *row)
{
    return row->protocol == PROTOCOL_UNIX ? SCOPE_LOOPBACK : scope_of(row->address, row->ifindex);
}

static uint64_t mix(uint64_t hash, uint64_t word, const uint64_t secret[static 2])
{
    hash = (hash ^ word ^ secret[0]) * (secret[1] | 1);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const struct listener_key *key, const uint64_t secret[static 2])
{
    uint64_t words[2], hash;

    memcpy(words, key->address.bytes, sizeof words);
    hash = mix(key->port | (uint64_t)key->family << 16 | (uint64_t)key->client << 24 |
                   (uint64_t)key->ifindex << 32,
               words[0], secret);
    return mix(mix(hash, words[1], secret), key->address.version, secret);
}

/* Where a service is in the slots, or belongs. */
static size_t slot_of(const struct socket_store *s, const struct listener_key *key,
                      const uint64_t secret[static 2])
{
    size_t at = hash_of(key, secret) & (s->slot_count - 1);

    for (; s->slots[at] != 0; at = (at + 1) & (s->slot_count - 1)) {
        const struct listener_key there = listener_key_of(&s->listeners[s->slots[at] - 1]);

        if (listener_key_compare(&there, key) == 0)
            break;
    }
    return at;
}

/* Keeps at least half of the slots free. */
static int make_slots(struct socket_store *s, const uint64_t secret[static 2])
{
    size_t slot_count = s->slot_count ? s->slot_count : SLOTS_FIRST;
    uint32_t *slots;

    while (slot_count < 2 * (s->count + 1))
        slot_count *= 2;
    if (slot_count == s->slot_count)
        return 0;
    slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    free(s->slots);
    s->slots = slots;
    s->slot_count = slot_count;
    for (size_t i = 0; i < s->count; i++) {
        const struct listener_key key = listener_key_of(&s->listeners[i]);

        slots[slot_of(s, &key, secret)] = (uint32_t)i + 1;
    }
    return 0;
}

/* Returns NULL when memory runs out; valid as long as the store. */
static const char *interface_of(struct socket_store *s, const struct listener_row *row)
{
    struct interface_name *i = s->interfaces;

    if (!*row->interface)
        return "";
    while (i && i->ifindex != row->ifindex)
        i = i->next;
    if (!i) {
        i = calloc(1, sizeof *i);
        if (!i)
            return NULL;
        *i = (struct interface_name){.next = s->interfaces, .ifindex = row->ifindex};
        s->interfaces = i;
        s->interface_count++;
    }
    memcpy(i->name, row->interface, sizeof i->name);
    return i->name;
}

/* Notes the path of a service that is about to be added. */
static int add_path(struct socket_store *s, const struct listener_row *row)
{
    size_t bytes = row->path ? strlen(row->path) + 1 : 0;
    char *paths;

    if (bytes == 0)
        return 0;
    paths = array_grow(s->paths, &s->path_capacity, s->path_bytes + bytes, 1);
    if (!paths)
        return -ENOMEM;
    s->paths = paths;
    memcpy(paths + s->path_bytes, row->path, bytes);
    s->path_bytes += bytes;
    return 0;
}

static int make_room_for_listener(struct socket_store *s)
{
    struct listener *listeners;
    struct arrival *arrivals;

    listeners = array_grow(s->listeners, &s->capacity, s->count + 1, sizeof *listeners);
    if (!listeners)
        return -ENOMEM;
    s->listeners = listeners;
    arrivals = array_grow(s->arrivals, &s->arrival_capacity, s->count + 1, sizeof *arrivals);
    if (!arrivals)
        return -ENOMEM;
    s->arrivals = arrivals;
    return 0;
}

/* Adds a service without sockets. Returns it, or NULL when memory runs out. */
static struct listener *add_listener(struct socket_store *s, const struct listener_row *row,
                                     const struct listener_key *key)
{
    const char *interface = interface_of(s, row);
    size_t path = s->path_bytes;

    if (!interface || make_room_for_listener(s) < 0 || add_path(s, row) < 0)
        return NULL;
    s->listeners[s->count] = (struct listener){
        .protocol = key->protocol,
        .family = key->family,
        .address = key->address,
        .port = key->port,
        .ifindex = key->ifindex,
        .interface = interface,
        .service_name = "",
        .scope = row_scope(row),
        .presence = row->presence,
        .auto_port = row->auto_port,
        .choice_untold = row->choice_untold,
        .uid_known = true,
        .uid = row->uid,
        .index = (uint32_t)s->count,
        .queue.known = row->queue.known,
        .receive_queue.known = row->receive_queue.known,
    };
    s->arrivals[s->count] = (struct arrival){.path = path};
    return &s->listeners[s->count++];
}

/* What a row adds to sums. */
static struct surplus_sum sum_of(const struct listener_row *row)
{
    return (struct surplus_sum){
        .sockets = 1,
        .length = row->queue.length,
        .limit = row->queue.limit,
        .bytes = row->receive_queue.bytes,
        .drops = row->drops.known ? row->drops.count : 0,
        .fullest = {row->queue.length, row->queue.limit},
    };
}

static void surplus_join(struct surplus_sum *to, const struct surplus_sum *sum)
{
    to->sockets += sum->sockets;
    to->other_user |= sum->other_user;
    to->length += sum->length;
    to->limit += sum->limit;
    to->bytes += sum->bytes;
    to->drops += sum->drops;
    to->fullest = queue_fuller(to->fullest, sum->fullest);
}

static int add_surplus(struct socket_store *s, const struct listener *l, const struct surplus_sum *sum)
{
    struct arrival *a = &s->arrivals[l->index];
    struct surplus *items;

    if (a->surplus == 0) {
        items = array_grow(s->surplus, &s->surplus_capacity, s->surplus_count + 1, sizeof *items);
        if (!items)
            return -ENOMEM;
        s->surplus = items;
        items[s->surplus_count] = (struct surplus){0};
        a->surplus = (uint32_t)++s->surplus_count;
    }
    surplus_join(&s->surplus[a->surplus - 1].looks[s->second_look], sum);
    return 0;
}

static int make_room_for_member(struct socket_store *s)
{
    struct member *members =
        array_grow(s->members, &s->member_capacity, s->member_count + 1, sizeof *members);
    uint32_t *links;

    if (!members)
        return -ENOMEM;
    s->members = members;
    links = array_grow(s->links, &s->link_capacity, s->member_count + 1, sizeof *links);
    if (!links)
        return -ENOMEM;
    s->links = links;
    return 0;
}

/* There is room for it. */
static void add_member(struct socket_store *s, struct listener *l, const struct listener_row *row)
{
    struct arrival *a = &s->arrivals[l->index];

    s->members[s->member_count] = (struct member){
        .cookie = row->cookie,
        .owners = row->owners,
        .cgroup_id = row->cgroup_id,
        .inode = row->inode,
        .uid = row->uid,
        .drops.known = row->drops.known,
        .drops.count = row->drops.count,
    };
    s->links[s->member_count++] = a->first;
    a->first = (uint32_t)s->member_count;
    l->followed++;
}

static bool has_member(const struct socket_store *s, const struct listener *l, uint64_t cookie)
{
    for (uint32_t i = s->arrivals[l->index].first; i != 0; i = s->links[i - 1])
        if (s->members[i - 1].cookie == cookie)
            return true;
    return false;
}

/* All that would be shown of a row, but for its owners. */
static uint64_t digest_row(uint64_t digest, const struct listener_row *row, const uint64_t secret[static 2])
{
    uint64_t words[4], flags = row->v6only | (uint64_t)row->auto_port << 1 | (uint64_t)row->queue.known << 2 |
                               (uint64_t)row->receive_queue.known << 3 | (uint64_t)row->drops.known << 4 |
                               (uint64_t)row->presence << 5 | (uint64_t)row->choice_untold << 7 |
                               (uint64_t)row->address.version << 8 | (uint64_t)row->port << 16 |
                               (uint64_t)row->ifindex << 32;

    memcpy(words, row->address.bytes, sizeof row->address.bytes);
    memcpy(words + 2, row->interface, sizeof row->interface);
    for (size_t i = 0; i < 4; i++)
        digest = mix(digest, words[i], secret);
    digest = mix(digest, row->cookie, secret);
    digest = mix(digest, row->cgroup_id, secret);
    digest = mix(digest, row->uid | (uint64_t)row->inode << 32, secret);
    digest = mix(digest, row->queue.length | (uint64_t)row->queue.limit << 32, secret);
    digest = mix(digest, row->receive_queue.bytes | (uint64_t)row->drops.count << 32, secret);
    return mix(digest, flags, secret);
}

static int join(struct socket_store *s, struct listener *l, const struct listener_row *row,
                const struct socket_rules *rules)
{
    struct surplus_sum sum = sum_of(row);

    sum.other_user = row->uid != l->uid;
    l->auto_port &= row->auto_port; /* programs that share a port may have asked for it by its number */
    l->choice_untold |= row->choice_untold;
    s->digest = digest_row(s->digest, row, rules->secret);
    if (l->followed >= rules->members)
        return add_surplus(s, l, &sum);
    if (make_room_for_member(s) < 0)
        return -ENOMEM;
    s->cookies = mix(s->cookies, row->cookie, rules->secret);
    l->drops.known |= row->drops.known;
    add_member(s, l, row);
    socket_store_join(l, &sum);
    return 0;
}

int socket_store_add(struct socket_store *s, const struct listener_row *row, const struct socket_rules *rules)
{
    const struct listener_key key = {row->protocol,   row->port,
                                     row_family(row), row->address,
                                     row->ifindex,    row->auto_port && protocol_is_datagram(row->protocol)};
    struct listener *l;
    size_t at;

    if (make_slots(s, rules->secret) < 0)
        return -ENOMEM;
    at = slot_of(s, &key, rules->secret);
    if (s->slots[at] != 0) {
        l = &s->listeners[s->slots[at] - 1];
        if (row->cookie != 0 && has_member(s, l, row->cookie))
            return 0;
        return join(s, l, row, rules);
    }
    if (s->count >= rules->services) {
        s->unread++;
        return 0;
    }
    l = add_listener(s, row, &key);
    if (!l)
        return -ENOMEM;
    s->slots[at] = (uint32_t)s->count;
    return join(s, l, row, rules);
}

void socket_store_count(struct socket_store *s)
{
    s->unlisted++;
}

void socket_store_look_again(struct socket_store *s)
{
    s->second_look = true;
    s->unread = s->unlisted = 0; /* counted anew */
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int64_t socket_store_missing(struct socket_store *s)
{
    uint64_t *now;
    int64_t missing = 0;

    if (s->cookies == s->cookies_before && s->before_count == s->member_count)
        return 0; /* as mostly, and in the same order */
    now = calloc(s->member_count + 1, sizeof *now);
    if (!now)
        return -ENOMEM;
    for (size_t i = 0; i < s->member_count; i++)
        now[i] = s->members[i].cookie;
    if (s->member_count > 0)
        qsort(now, s->member_count, sizeof *now, compare_u64);
    for (size_t i = 0; i < s->before_count; i++)
        missing +=
            s->member_count == 0 || !bsearch(&s->before[i], now, s->member_count, sizeof *now, compare_u64);
    free(now);
    return missing;
}

bool socket_store_is_same(const struct socket_store *s)
{
    return s->digest == s->digest_before && s->member_count == s->before_count &&
           s->unread == s->unread_before && s->unlisted == s->unlisted_before;
}
