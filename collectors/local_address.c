#include "collectors/local_address.h"
#include "collectors/route_parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { CACHE_SIZE = 64, ANSWER_BYTES = 4096 };

struct local_addresses {
    struct mnl_socket *socket; /* NULL: to be opened when first needed */
    uint32_t sequence;
    size_t cached, next; /* the oldest answer makes room */
    struct {
        struct ip_addr address;
        uint32_t ifindex;
        enum presence presence;
    } cache[CACHE_SIZE];
};

struct local_addresses *local_addresses_new(void)
{
    return calloc(1, sizeof(struct local_addresses));
}

static void drop_socket(struct local_addresses *a)
{
    if (a->socket)
        (void)mnl_socket_close(a->socket); /* nothing in it is wanted */
    a->socket = NULL;
}

void local_addresses_free(struct local_addresses *a)
{
    if (!a)
        return;
    drop_socket(a);
    free(a);
}

void local_addresses_refresh(struct local_addresses *a)
{
    a->cached = a->next = 0;
}

static int open_socket(struct local_addresses *a)
{
    const struct timeval timeout = {.tv_sec =
                                        5}; /* the kernel answers at once, or something is badly wrong */
    int r;

    a->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!a->socket)
        return -errno;
    if (mnl_socket_bind(a->socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        setsockopt(mnl_socket_get_fd(a->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0)
        return 0;
    r = -errno;
    drop_socket(a);
    return r;
}

/* Returns as route_parse(), or -errno. */
static int ask(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex)
{
    _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
    size_t length = route_request(address, ifindex, ++a->sequence, bytes);
    ssize_t n;

    if (!a->socket && open_socket(a) < 0)
        return -errno;
    if (mnl_socket_sendto(a->socket, bytes, length) < 0)
        return -errno;
    do
        n = mnl_socket_recvfrom(a->socket, bytes, sizeof bytes);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : route_parse(bytes, (size_t)n, a->sequence);
}

static bool is_multicast(const struct ip_addr *address)
{
    return address->version == 4 ? (address->bytes[0] & 0xf0) == 0xe0 : address->bytes[0] == 0xff;
}

enum presence local_addresses_look(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex)
{
    enum presence presence;
    int r;

    if (is_multicast(address) || (ifindex != 0 && !ip_addr_is_link_local(*address)))
        return PRESENCE_UNKNOWN;
    for (size_t i = 0; i < a->cached; i++)
        if (a->cache[i].ifindex == ifindex && ip_addr_compare(&a->cache[i].address, address) == 0)
            return a->cache[i].presence;
    r = ask(a, address, ifindex);
    if (r < 0)
        drop_socket(a); /* a late answer must not be taken for the next one's */
    presence = r < 0 ? PRESENCE_UNKNOWN : r > 0 ? PRESENCE_PRESENT : PRESENCE_ABSENT;
    a->cache[a->next].address = *address;
    a->cache[a->next].ifindex = ifindex;
    a->cache[a->next].presence = presence;
    a->next = (a->next + 1) % CACHE_SIZE;
    if (a->cached < CACHE_SIZE)
        a->cached++;
    return presence;
}
