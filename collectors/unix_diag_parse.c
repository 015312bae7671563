#include "collectors/unix_diag_parse.h"
#include "collectors/netlink_parse.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

size_t unix_diag_request(uint32_t states, uint32_t sequence, char ret_bytes[static UNIX_DIAG_REQUEST_MAX])
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(ret_bytes);
    struct unix_diag_req *request = mnl_nlmsg_put_extra_header(header, sizeof *request);

    _Static_assert(NLMSG_HDRLEN + sizeof(struct unix_diag_req) <= UNIX_DIAG_REQUEST_MAX, "it must fit");
    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = sequence;
    request->sdiag_family = AF_UNIX;
    request->udiag_states = states;
    request->udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID;
    return header->nlmsg_len;
}

static void take_attribute(const struct nlattr *attribute, struct unix_diag_row *row)
{
    const char *payload = mnl_attr_get_payload(attribute);
    size_t length = mnl_attr_get_payload_len(attribute);
    struct unix_diag_rqlen queue;
    struct unix_diag_vfs file;

    switch (mnl_attr_get_type(attribute)) {
    case UNIX_DIAG_NAME: unix_path_format(payload, length, row->path); break;
    case UNIX_DIAG_VFS:
        if (length != sizeof file)
            break;
        memcpy(&file, payload, sizeof file);
        row->file.known = true;
        row->file.is = (struct unix_file){.device = file.udiag_vfs_dev, .inode = file.udiag_vfs_ino};
        break;
    case UNIX_DIAG_RQLEN:
        if (length != sizeof queue)
            break;
        memcpy(&queue, payload, sizeof queue);
        row->queue.known = true;
        row->queue.length = queue.udiag_rqueue;
        row->queue.limit = queue.udiag_wqueue;
        break;
    case UNIX_DIAG_UID:
        row->uid.known = length == sizeof row->uid.number;
        if (row->uid.known)
            memcpy(&row->uid.number, payload, sizeof row->uid.number);
        break;
    default: break;
    }
}

int unix_diag_parse(const struct nlmsghdr *msg, struct unix_diag_row *ret_row)
{
    const struct unix_diag_msg *head = mnl_nlmsg_get_payload(msg);
    const struct nlattr *attribute;
    struct netlink_bytes bytes;
    struct unix_diag_row row;

    if (msg->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(msg) < sizeof *head ||
        head->udiag_family != AF_UNIX)
        return -EBADMSG;
    row = (struct unix_diag_row){
        .cookie = (uint64_t)head->udiag_cookie[1] << 32 | head->udiag_cookie[0],
        .inode = head->udiag_ino,
    };
    bytes = (struct netlink_bytes){head + 1, mnl_nlmsg_get_payload_len(msg) - sizeof *head};
    while ((attribute = netlink_next_attribute(&bytes)))
        take_attribute(attribute, &row);
    if (!*row.path)
        return -EBADMSG;
    *ret_row = row;
    return 0;
}
