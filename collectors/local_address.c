#include "collectors/local_address.h"
#include "collectors/netlink.h"
#include "collectors/route_parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

/* An answer is in one of some slots; where all are taken it is not kept, so that
 * the first ones stay until all are forgotten. */
enum { SLOTS = 4096, SLOTS_PER_ADDRESS = 8, QUESTIONS_PER_POLL = 256, ANSWER_BYTES = 4096 };

/* An answer. */
struct slot {
    bool used;
    struct ip_addr address;
    uint32_t ifindex;
    enum presence presence;
};

struct local_addresses {
    struct mnl_socket *socket; /* NULL: to be opened when first needed */
    uint32_t sequence;
    bool any;           /* some slot is used */
    unsigned questions; /* that may be asked in this poll */
    struct slot slots[SLOTS];
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

void local_addresses_forget(struct local_addresses *a)
{
    if (a->any)
        memset(a->slots, 0, sizeof a->slots);
    a->any = false;
}

/* Returns as route_parse(), or -errno. */
static int ask(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex)
{
    _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
    size_t length = route_request(address, ifindex, ++a->sequence, bytes);
    ssize_t n;

    if (!a->socket) {
        int r = netlink_open(NETLINK_ROUTE, 0, &a->socket);

        if (r < 0)
            return r;
    }
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

void local_addresses_begin(struct local_addresses *a)
{
    a->questions = QUESTIONS_PER_POLL;
}

static bool is_about(const struct slot *slot, const struct ip_addr *address, uint32_t ifindex)
{
    return slot->used && slot->ifindex == ifindex && ip_addr_compare(&slot->address, address) == 0;
}

/* The slot that has the answer, or a free one; NULL where all are taken. */
static struct slot *slot_of(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex)
{
    uint32_t hash = 2166136261u ^ ifindex; /* FNV-1a */

    for (size_t i = 0; i < sizeof address->bytes; i++)
        hash = (hash ^ address->bytes[i]) * 16777619u;
    hash ^= hash >> 16;
    for (uint32_t i = 0; i < SLOTS_PER_ADDRESS; i++) {
        struct slot *slot = &a->slots[(hash + i) % SLOTS];

        if (!slot->used || is_about(slot, address, ifindex))
            return slot;
    }
    return NULL;
}

enum presence local_addresses_look(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex,
                                   uint64_t *ret_malformed)
{
    struct slot *slot = slot_of(a, address, ifindex);
    int r;

    if (!slot || is_multicast(address) || (ifindex != 0 && !ip_addr_is_link_local(*address)))
        return PRESENCE_UNKNOWN;
    if (slot->used)
        return slot->presence;
    if (a->questions == 0)
        return PRESENCE_UNKNOWN;
    a->questions--;
    r = ask(a, address, ifindex);
    *ret_malformed += r == -EBADMSG;
    if (r < 0)
        drop_socket(a); /* a late answer must not be taken for the next one's */
    *slot = (struct slot){true, *address, ifindex,
                          r < 0   ? PRESENCE_UNKNOWN
                          : r > 0 ? PRESENCE_PRESENT
                                  : PRESENCE_ABSENT};
    a->any = true;
    return slot->presence;
}
