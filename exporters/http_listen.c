#include "exporters/http_listen.h"
#include "core/err.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whoever connects while this many wait to be accepted waits for a second, by
 * its own kernel; so there is room for a burst. */
enum { BACKLOG = 4096 };

/* So many sockets are known after they were closed. */
enum { CLOSED_MAX = 64 };

struct listening {
    struct ip_port wanted; /* as configured */
    bool v6only;           /* "[::]" beside an IPv4 wildcard on the same port */
    struct ip_port bound;  /* as the kernel sees it */
    uint64_t cookie;       /* likewise; 0 unknown */
    void *served;          /* by the service; NULL: the host does without the address */
};

struct http_listen {
    struct http_service service;
    struct listening *listening;
    struct ip_port *bound; /* the bound of each, for http_listen_sockets() */
    size_t count;
    uint64_t *own; /* cookies: of those that are open, then of closed ones, the last closed first */
    size_t own_count;
};

union socket_name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t to_socket_name(const struct ip_port *a, union socket_name *ret)
{
    *ret = (union socket_name){.in6 = {0}}; /* the largest member */
    if (a->address.version == 4) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(a->port);
        memcpy(&ret->in.sin_addr, a->address.bytes, sizeof ret->in.sin_addr);
        return sizeof ret->in;
    }
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(a->port);
    memcpy(&ret->in6.sin6_addr, a->address.bytes, sizeof ret->in6.sin6_addr);
    return sizeof ret->in6;
}

/* Reads back what was bound: port 0 has become a real one. */
static int read_bound(int fd, const struct ip_port *wanted, struct ip_port *ret)
{
    union socket_name name = {.in6 = {0}};
    socklen_t length = sizeof name;

    if (getsockname(fd, &name.any, &length) < 0)
        return -errno;
    ret->address = ip_addr_unmap(wanted->address);
    ret->port = ntohs(wanted->address.version == 4 ? name.in.sin_port : name.in6.sin6_port);
    return 0;
}

/* What no other socket has, whatever its address. Returns 0 where the kernel does
 * not tell. */
static uint64_t read_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

/* Opens a listening socket. "[::]" serves IPv4, too, unless v6only.
 *
 * Returns the descriptor, or -errno. */
static int open_socket(const struct ip_port *wanted, bool v6only, struct ip_port *ret_bound)
{
    int family = wanted->address.version == 4 ? AF_INET : AF_INET6, on = 1, only = v6only, r;
    union socket_name name;
    socklen_t length = to_socket_name(wanted, &name);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0) ||
        bind(fd, &name.any, length) < 0 || listen(fd, BACKLOG) < 0) {
        r = -errno;
    } else {
        r = read_bound(fd, wanted, ret_bound);
    }
    if (r < 0) {
        (void)close(fd); /* nothing was written to it */
        return r;
    }
    return fd;
}

static int start_listening(const struct http_listen *l, struct listening *a)
{
    int fd = open_socket(&a->wanted, a->v6only, &a->bound);

    if (fd < 0)
        return fd;
    a->cookie = read_cookie(fd);
    a->served = l->service.begin(l->service.arg, fd);
    return a->served ? 0 : -ENOMEM;
}

static void stop_listening(const struct http_listen *l, struct listening *a)
{
    if (a->served)
        l->service.end(a->served);
    a->served = NULL;
}

/* Whether they ask for the same socket. */
static bool same_socket(const struct listening *a, const struct listening *b)
{
    return a->wanted.port == b->wanted.port && a->v6only == b->v6only &&
           ip_addr_compare(&a->wanted.address, &b->wanted.address) == 0;
}

/* Whether the IPv4 wildcard is wanted on the port, too. */
static bool has_ipv4_wildcard(const struct ip_ports *addresses, uint16_t port)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].address.version == 4 && ip_addr_is_any(addresses->items[i].address) &&
            addresses->items[i].port == port)
            return true;
    return false;
}

static void say(struct buf *messages, const char *before, const struct ip_port *a, const char *after)
{
    char where[ENDPOINT_TEXT_MAX];

    ip_port_format(a, where);
    buf_fmt(messages, "%s %s: %s\n", before, where, after);
}

/* A host without IPv6 can do without "[::]", which becomes 0.0.0.0, and without
 * "[::1]" where there are other addresses. Returns 0 when it does. */
static int start_without_ipv6(const struct http_listen *l, struct listening *a, size_t address_count,
                              int error, struct buf *messages)
{
    static const struct ip_addr any4 = {.version = 4};
    struct listening fallback = {.wanted = {.address = any4, .port = a->wanted.port}};

    if (a->wanted.address.version != 6)
        return error;
    if (ip_addr_is_loopback(a->wanted.address) && address_count > 1 &&
        (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL)) {
        say(messages, "not listening on", &a->wanted, "no IPv6 loopback on this host");
        return 0;
    }
    if (error != -EAFNOSUPPORT || !ip_addr_is_any(a->wanted.address))
        return error;
    if (a->v6only) { /* 0.0.0.0 is there anyway */
        say(messages, "not listening on", &a->wanted, "no IPv6 on this host");
        return 0;
    }
    say(messages, "listening on 0.0.0.0 instead of", &a->wanted, "no IPv6 on this host");
    error = start_listening(l, &fallback);
    a->served = fallback.served;
    a->bound = fallback.bound;
    a->cookie = fallback.cookie;
    return error;
}

static void say_failed(const struct http_listen *l, const struct ip_port *wanted, int error,
                       struct buf *messages)
{
    const struct http_neighbours *neighbours = &l->service.neighbours;
    struct buf why;

    buf_init(&why);
    buf_str(&why, err_str(error));
    if (error == -EADDRINUSE && neighbours->describe)
        neighbours->describe(neighbours->arg, wanted, &why);
    say(messages, "cannot listen on", wanted, why.failed ? err_str(error) : buf_text(&why));
    buf_done(&why);
}

static int start_address(const struct http_listen *l, struct listening *a, size_t address_count,
                         struct buf *messages)
{
    int r = start_listening(l, a);

    if (r < 0)
        r = start_without_ipv6(l, a, address_count, r, messages);
    if (r < 0)
        say_failed(l, &a->wanted, r, messages);
    return r;
}

static const struct listening *find_listening(const struct listening *items, size_t count,
                                              const struct listening *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (same_socket(&items[i], wanted))
            return &items[i];
    return NULL;
}

/* Ends those that are not among the next, which may need their ports. */
static void give_up(struct http_listen *l, const struct listening *next, size_t count)
{
    for (size_t i = 0; i < l->count; i++)
        if (!find_listening(next, count, &l->listening[i]))
            stop_listening(l, &l->listening[i]);
}

/* Opens again what was given up for addresses that could not be had. */
static void take_back(struct http_listen *l, struct buf *messages)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->listening[i].served)
            continue;
        (void)start_address(l, &l->listening[i], l->count, messages); /* which says what failed */
        l->bound[i] = l->listening[i].bound;
    }
}

/* Starts those of next that are not open yet. On error, ends them again. */
static int start_all(const struct http_listen *l, struct listening *next, size_t count, struct buf *messages)
{
    size_t tried = 0;
    int r = 0;

    for (; r == 0 && tried < count; tried++) {
        const struct listening *existing = find_listening(l->listening, l->count, &next[tried]);

        if (existing)
            next[tried] = *existing;
        else
            r = start_address(l, &next[tried], count, messages);
    }
    for (size_t i = 0; r < 0 && i < tried; i++)
        if (!find_listening(l->listening, l->count, &next[i]))
            stop_listening(l, &next[i]);
    return r;
}

/* What the addresses ask for, none of it open yet. Returns owned, or NULL. */
static struct listening *listening_new(const struct ip_ports *addresses)
{
    struct listening *next = calloc(addresses->count + 1, sizeof *next);

    for (size_t i = 0; next && i < addresses->count; i++) {
        const struct ip_port *a = &addresses->items[i];

        next[i].wanted = *a;
        next[i].v6only =
            a->address.version == 6 && ip_addr_is_any(a->address) && has_ipv4_wildcard(addresses, a->port);
    }
    return next;
}

/* Takes what is open now instead of what was. */
static void take_over(struct http_listen *l, struct listening *next, struct ip_port *bound, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bound[i] = next[i].bound;
    free(l->listening);
    free(l->bound);
    l->listening = next;
    l->bound = bound;
    l->count = count;
}

static bool has_cookie(const uint64_t *cookies, size_t count, uint64_t cookie)
{
    for (size_t i = 0; i < count; i++)
        if (cookies[i] == cookie)
            return true;
    return false;
}

/* Tells the sockets anew. Takes own, which has room for all that are open and
 * CLOSED_MAX. */
static void tell_own(struct http_listen *l, uint64_t *own)
{
    size_t count = 0, open;

    for (size_t i = 0; i < l->count; i++)
        if (l->listening[i].served && l->listening[i].cookie != 0)
            own[count++] = l->listening[i].cookie;
    open = count;
    for (size_t i = 0; i < l->own_count && count < open + CLOSED_MAX; i++)
        if (!has_cookie(own, open, l->own[i]))
            own[count++] = l->own[i];
    free(l->own);
    l->own = own;
    l->own_count = count;
}

/* Returns owned, for tell_own(), or NULL. */
static uint64_t *own_new(const struct http_listen *l, size_t count)
{
    return calloc((count > l->count ? count : l->count) + CLOSED_MAX, sizeof(uint64_t));
}

int http_listen_set(struct http_listen *l, const struct ip_ports *addresses, struct buf *messages)
{
    struct listening *next = listening_new(addresses);
    struct ip_port *bound = calloc(addresses->count + 1, sizeof *bound);
    uint64_t *own = own_new(l, addresses->count);
    int r = -ENOMEM;

    if (!next || !bound || !own)
        goto out;
    give_up(l, next, addresses->count);
    r = start_all(l, next, addresses->count, messages);
    if (r < 0)
        take_back(l, messages);
    else
        take_over(l, next, bound, addresses->count);
    tell_own(l, own);
    if (r == 0)
        return 0;
    own = NULL;
out:
    free(next);
    free(bound);
    free(own);
    return r;
}

struct http_listen *http_listen_new(const struct http_service *service)
{
    struct http_listen *l = calloc(1, sizeof *l);

    if (l)
        l->service = *service;
    return l;
}

void http_listen_free(struct http_listen *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        stop_listening(l, &l->listening[i]);
    free(l->listening);
    free(l->bound);
    free(l->own);
    free(l);
}

struct ip_ports http_listen_sockets(const struct http_listen *l)
{
    return (struct ip_ports){.items = l->bound, .count = l->count};
}

struct own_sockets http_listen_own(const struct http_listen *l)
{
    return (struct own_sockets){.cookies = l->own, .count = l->own_count};
}
