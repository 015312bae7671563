/* Netlink bytes: the messages in what one receive call returned, and the attributes in one.
 *
 * libmnl walks over them with signed lengths: a message that says it has
 * 0x80000000 bytes or more passes there for one that fits, and the next one is
 * looked for outside the buffer. So whoever has several messages, or does not
 * know that there is one, takes them from here. Pure; any thread.
 * Source: netlink(7), linux/netlink.h. */
#ifndef SOCKWATCH_COLLECTORS_NETLINK_PARSE_H
#define SOCKWATCH_COLLECTORS_NETLINK_PARSE_H

#include <linux/netlink.h>
#include <stddef.h>

/* What has not been looked at yet. */
struct netlink_bytes {
    const void *at; /* borrowed; aligned as a message */
    size_t left;
};

/* Takes the next message off the bytes. Returns it, in their memory: its length
 * is at least that of its header, and all of it is there. NULL where there is no
 * such message; what is left then is malformed, if anything is. */
const struct nlmsghdr *netlink_next(struct netlink_bytes *bytes);

/* Likewise the next attribute; what is left then is passed over, if anything is. */
const struct nlattr *netlink_next_attribute(struct netlink_bytes *bytes);

#endif
