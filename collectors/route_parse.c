#include "collectors/route_parse.h"
#include "collectors/netlink_parse.h"
#include "core/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

size_t route_request(const struct ip_addr *address, uint32_t ifindex, uint32_t sequence,
                     char ret_bytes[static ROUTE_REQUEST_MAX])
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(ret_bytes);
    uint8_t length = address->version == 4 ? 4 : 16;
    struct rtmsg *route;

    header->nlmsg_type = RTM_GETROUTE;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = sequence;
    route = mnl_nlmsg_put_extra_header(header, sizeof *route);
    route->rtm_family = address->version == 4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = (unsigned char)(length * 8);
    mnl_attr_put(header, RTA_DST, length, address->bytes);
    if (ifindex != 0)
        mnl_attr_put_u32(header, RTA_OIF, ifindex);
    return header->nlmsg_len;
}

static int route_kind(const struct nlmsghdr *msg)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(msg);

    if (mnl_nlmsg_get_payload_len(msg) < sizeof *route)
        return -EBADMSG;
    switch (route->rtm_type) {
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST: return 1;
    default: return 0;
    }
}

/* No route at all, or one that forbids: not an address of ours. */
static int error_kind(const struct nlmsghdr *msg)
{
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(msg);

    if (mnl_nlmsg_get_payload_len(msg) < sizeof error->error)
        return -EBADMSG;
    switch (error->error) {
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -EACCES:
    case -EINVAL: return 0;
    default: return error->error < 0 ? error->error : -EBADMSG;
    }
}

int route_parse(const void *bytes, size_t length, uint32_t sequence)
{
    struct netlink_bytes all = {bytes, length};
    const struct nlmsghdr *msg = netlink_next(&all);

    if (!msg)
        return -EBADMSG;
    if (msg->nlmsg_seq != sequence)
        return ERR_SEQUENCE;
    if (msg->nlmsg_type == NLMSG_ERROR)
        return error_kind(msg);
    return msg->nlmsg_type == RTM_NEWROUTE ? route_kind(msg) : -EBADMSG;
}
