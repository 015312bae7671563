/* Floods of sockets: how many, where, and who holds them. */
#include "tests/integration/flood.h"

#include <fcntl.h>
#include <linux/in6.h>
#include <sched.h>
#include <stdint.h>

/* Below the ports that connections use, so that none of them looks in vain for
 * one, and beside those of the services that tests expect. */
enum { ANY_FIRST_PORT = 1100, ANY_PORTS = 5000, FIRST_PORT = 11000, PORTS = 21000, LISTENERS_PLANES = 199 };

/* Where the sockets of a flood are. */
struct pattern {
    enum { LOOPBACK, ANY, FREEBIND } where;
    unsigned plane; /* LOOPBACK */
    int type;
    unsigned count;
    unsigned members; /* that share an address */
    unsigned port;    /* FREEBIND */
    unsigned rounds;  /* 0: they stay */
    unsigned ms;      /* of a round */
};

/* The part of it that one process holds. */
struct share {
    const struct pattern *pattern;
    unsigned first, end; /* indexes */
};

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name;
    socklen_t length;
};

static struct place place_v4(const struct pattern *p, unsigned index, unsigned round)
{
    struct place place = {.name.v4.sin_family = AF_INET, .length = sizeof place.name.v4};
    unsigned which = index / p->members, port;

    if (p->where == ANY) {
        port = ANY_FIRST_PORT + (which + round * p->count) % ANY_PORTS;
    } else {
        unsigned plane = p->plane + round % LISTENERS_PLANES;

        port = FIRST_PORT + which % PORTS;
        place.name.v4.sin_addr.s_addr = htonl(0x7f000001u + (plane << 16) + which / PORTS);
    }
    place.name.v4.sin_port = htons((uint16_t)port);
    return place;
}

/* Addresses in no order, each once. */
static struct place place_v6(const struct pattern *p, unsigned index, unsigned round)
{
    struct place place = {.name.v6.sin6_family = AF_INET6, .length = sizeof place.name.v6};
    uint8_t *bytes = place.name.v6.sin6_addr.s6_addr;
    uint64_t scrambled = (index + (uint64_t)round * p->count + 1) * UINT64_C(0x9e3779b97f4a7c15);

    memcpy(bytes, "\x20\x01\x0d\xb8", 4);
    memcpy(bytes + 8, &scrambled, sizeof scrambled);
    place.name.v6.sin6_port = htons((uint16_t)p->port);
    return place;
}

/* Returns a descriptor, or -1 where something else has the address. */
static int open_socket(const struct pattern *p, unsigned index, unsigned round)
{
    const struct place place = p->where == FREEBIND ? place_v6(p, index, round) : place_v4(p, index, round);
    int fd = socket(place.name.any.sa_family, p->type | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        die("socket");
    if ((p->members > 1 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        (p->where == FREEBIND && setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on) < 0))
        die("option of a socket");
    if (bind(fd, &place.name.any, place.length) == 0 && (p->type != SOCK_STREAM || listen(fd, 1) == 0))
        return fd;
    if (errno != EADDRINUSE)
        die("bound socket");
    (void)close(fd);
    return -1;
}

int flood_open_listener(unsigned plane, unsigned index)
{
    const struct pattern p = {.where = LOOPBACK, .plane = plane, .type = SOCK_STREAM, .members = 1};

    return open_socket(&p, index, 0);
}

/* Descriptors are closed as ranges: those of a round follow upon one another. */
static void open_share(const struct share *s, unsigned round, int *ret_first, int *ret_last)
{
    *ret_first = *ret_last = -1;
    for (unsigned i = s->first; i < s->end; i++) {
        int fd = open_socket(s->pattern, i, round);

        if (fd < 0)
            continue;
        if (*ret_first < 0)
            *ret_first = fd;
        *ret_last = fd;
    }
}

static void close_share(int first, int last)
{
    if (first >= 0 && close_range((unsigned)first, (unsigned)last, 0) < 0)
        die("close");
}

static _Noreturn void hold_share(const struct flood *f, const struct share *s)
{
    int first, last;

    open_share(s, 0, &first, &last);
    flood_tell(f);
    for (unsigned round = 1; round <= s->pattern->rounds; round++) {
        flood_sleep_ms(s->pattern->ms);
        close_share(first, last);
        flood_sleep_ms(s->pattern->ms);
        if (round < s->pattern->rounds)
            open_share(s, round, &first, &last);
    }
    if (s->pattern->rounds > 0)
        flood_tell(f);
    flood_rest();
}

static void spread(struct flood *f, const struct pattern *p)
{
    size_t before = f->count;

    for (unsigned first = 0; first < p->count; first += f->descriptors) {
        unsigned left = p->count - first;
        const struct share s = {p, first, first + (left < f->descriptors ? left : f->descriptors)};

        if (flood_fork(f, -1) == 0)
            hold_share(f, &s);
    }
    flood_children_ready(f, f->count - before);
    f->doing = p->rounds > 0 ? f->count - before : 0;
}

static void spread_in_rounds(struct flood *f, struct pattern p, char **rounds)
{
    p.members = 1;
    p.type = SOCK_STREAM;
    if (rounds[0] && rounds[1]) {
        p.rounds = flood_number(rounds[0]);
        p.ms = flood_number(rounds[1]);
    }
    spread(f, &p);
}

void flood_listeners(struct flood *f, char **arguments)
{
    spread_in_rounds(f, (struct pattern){.where = LOOPBACK, .count = flood_number(arguments[0])},
                     arguments + 1);
}

void flood_wildcard(struct flood *f, char **arguments)
{
    spread_in_rounds(f, (struct pattern){.where = ANY, .count = flood_number(arguments[0])}, arguments + 1);
}

void flood_freebind(struct flood *f, char **arguments)
{
    spread_in_rounds(f,
                     (struct pattern){.where = FREEBIND,
                                      .port = flood_number(arguments[0]),
                                      .count = flood_number(arguments[1])},
                     arguments + 2);
}

void flood_udp(struct flood *f, char **arguments)
{
    const struct pattern p = {.where = LOOPBACK,
                              .plane = PLANE_LISTENERS,
                              .type = SOCK_DGRAM,
                              .count = flood_number(arguments[0]),
                              .members = 1};

    spread(f, &p);
}

void flood_reuseport(struct flood *f, char **arguments)
{
    unsigned groups = flood_number(arguments[0]), members = flood_number(arguments[1]);
    const struct pattern p = {.where = LOOPBACK,
                              .plane = PLANE_REUSEPORT,
                              .type = SOCK_STREAM,
                              .count = groups * members,
                              .members = members};

    spread(f, &p);
}

static void open_listeners(unsigned plane, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)flood_open_listener(plane, i); /* in use: somebody else's */
}

void flood_shared(struct flood *f, char **arguments)
{
    unsigned processes = flood_number(arguments[0]);

    open_listeners(PLANE_SHARED, flood_number(arguments[1]));
    flood_clone(f, processes - 1, CLONE_FILES); /* we have them, too */
}

void flood_held(struct flood *f, char **arguments)
{
    unsigned processes = flood_number(arguments[1]);

    open_listeners(PLANE_HELD, flood_number(arguments[0]));
    for (unsigned i = 1; i < processes; i++) /* likewise */
        if (flood_fork(f, -1) == 0)
            flood_rest();
}
