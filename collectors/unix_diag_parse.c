#include "collectors/unix_diag_parse.h"
#include "collectors/netlink_parse.h"
#include "collectors/sock_diag_parse.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

size_t unix_diag_request(uint32_t states, uint32_t sequence, char ret_bytes[static UNIX_DIAG_REQUEST_MAX])
{
    const struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } request = {
        .header = sock_diag_dump_header(sizeof request, sequence),
        .body.sdiag_family = AF_UNIX,
        .body.udiag_states = states,
        .body.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID,
    };

    _Static_assert(sizeof request == NLMSG_HDRLEN + sizeof request.body, "no holes");
    _Static_assert(sizeof request <= UNIX_DIAG_REQUEST_MAX, "it must fit");
    memcpy(ret_bytes, &request, sizeof request);
    return sizeof request;
}

static void take_attribute(const struct nlattr *attribute, struct unix_diag_row *row)
{
    const char *payload = (const char *)(attribute + 1);
    size_t length = attribute->nla_len - sizeof *attribute;
    struct unix_diag_rqlen queue;
    struct unix_diag_vfs file;

    switch (attribute->nla_type) {
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
    case UNIX_DIAG_UID: row->uid.known = sock_diag_number(attribute, &row->uid.number); break;
    default: break;
    }
}

int unix_diag_parse(const struct nlmsghdr *msg, struct unix_diag_row *ret_row)
{
    const struct unix_diag_msg *head = (const void *)(msg + 1);
    const struct nlattr *attribute;
    struct netlink_bytes bytes;
    struct unix_diag_row row;

    if (msg->nlmsg_type != SOCK_DIAG_BY_FAMILY || msg->nlmsg_len < NLMSG_HDRLEN + sizeof *head ||
        head->udiag_family != AF_UNIX)
        return -EBADMSG;
    row = (struct unix_diag_row){
        .cookie = (uint64_t)head->udiag_cookie[1] << 32 | head->udiag_cookie[0],
        .inode = head->udiag_ino,
    };
    bytes = (struct netlink_bytes){head + 1, msg->nlmsg_len - NLMSG_HDRLEN - sizeof *head};
    while ((attribute = netlink_next_attribute(&bytes)))
        take_attribute(attribute, &row);
    if (!*row.path)
        return -EBADMSG;
    *ret_row = row;
    return 0;
}
