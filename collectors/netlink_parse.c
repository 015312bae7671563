#include "collectors/netlink_parse.h"

/* Passes over what stands first, with the bytes that fill it up; the last one need
 * not be filled up. Not NLMSG_ALIGN(), which makes 0 of the greatest lengths. */
static void pass_over(struct netlink_bytes *bytes, size_t length)
{
    size_t step = (length + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;

    step = step < bytes->left ? step : bytes->left;
    bytes->at = (const char *)bytes->at + step;
    bytes->left -= step;
}

const struct nlmsghdr *netlink_next(struct netlink_bytes *bytes)
{
    const struct nlmsghdr *msg = bytes->at;

    if (bytes->left < sizeof *msg || msg->nlmsg_len < sizeof *msg || msg->nlmsg_len > bytes->left)
        return NULL;
    pass_over(bytes, msg->nlmsg_len);
    return msg;
}

_Static_assert(NLA_ALIGNTO == NLMSG_ALIGNTO, "attributes are filled up as messages are");

const struct nlattr *netlink_next_attribute(struct netlink_bytes *bytes)
{
    const struct nlattr *attribute = bytes->at;

    if (bytes->left < sizeof *attribute || attribute->nla_len < sizeof *attribute ||
        attribute->nla_len > bytes->left)
        return NULL;
    pass_over(bytes, attribute->nla_len);
    return attribute;
}
