#include "collectors/packet_diag_parse.h"
#include "collectors/netlink_parse.h"
#include "collectors/sock_diag_parse.h"

#include <errno.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

size_t packet_diag_request(uint32_t sequence, char ret_bytes[static PACKET_DIAG_REQUEST_MAX])
{
    const struct {
        struct nlmsghdr header;
        struct packet_diag_req body;
    } request = {
        .header = sock_diag_dump_header(sizeof request, sequence),
        .body.sdiag_family = AF_PACKET,
        .body.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO, /* the former tells the user, too */
    };

    _Static_assert(sizeof request == NLMSG_HDRLEN + sizeof request.body, "no holes");
    _Static_assert(sizeof request <= PACKET_DIAG_REQUEST_MAX, "it must fit");
    memcpy(ret_bytes, &request, sizeof request);
    return sizeof request;
}

static void take_attribute(const struct nlattr *attribute, struct packet_diag_row *row)
{
    const char *payload = (const char *)(attribute + 1);
    size_t length = attribute->nla_len - sizeof *attribute;
    struct packet_diag_info info;

    switch (attribute->nla_type) {
    case PACKET_DIAG_INFO:
        if (length < sizeof info)
            break;
        memcpy(&info, payload, sizeof info);
        row->ifindex = info.pdi_index;
        break;
    case PACKET_DIAG_UID: row->uid.known = sock_diag_number(attribute, &row->uid.number); break;
    case PACKET_DIAG_MEMINFO: row->drops.known = sock_diag_drops(attribute, &row->drops.count); break;
    default: break;
    }
}

int packet_diag_parse(const struct nlmsghdr *msg, struct packet_diag_row *ret_row)
{
    const struct packet_diag_msg *head = (const void *)(msg + 1);
    const struct nlattr *attribute;
    struct netlink_bytes bytes;
    struct packet_diag_row row;

    if (msg->nlmsg_type != SOCK_DIAG_BY_FAMILY || msg->nlmsg_len < NLMSG_HDRLEN + sizeof *head ||
        head->pdiag_family != AF_PACKET)
        return -EBADMSG;
    row = (struct packet_diag_row){
        .ethertype = head->pdiag_num,
        .cookie = (uint64_t)head->pdiag_cookie[1] << 32 | head->pdiag_cookie[0],
        .inode = head->pdiag_ino,
    };
    bytes = (struct netlink_bytes){head + 1, msg->nlmsg_len - NLMSG_HDRLEN - sizeof *head};
    while ((attribute = netlink_next_attribute(&bytes)))
        take_attribute(attribute, &row);
    *ret_row = row;
    return 0;
}
