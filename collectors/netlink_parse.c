#include "collectors/netlink_parse.h"

const struct nlmsghdr *netlink_next(struct netlink_bytes *bytes)
{
    const struct nlmsghdr *msg = bytes->at;
    size_t step;

    if (bytes->left < sizeof *msg || msg->nlmsg_len < sizeof *msg || msg->nlmsg_len > bytes->left)
        return NULL;
    /* Not NLMSG_ALIGN(), which makes 0 of the greatest lengths. The last message
     * need not be filled up. */
    step = ((size_t)msg->nlmsg_len + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;
    step = step < bytes->left ? step : bytes->left;
    bytes->at = (const char *)bytes->at + step;
    bytes->left -= step;
    return msg;
}
