#include "collectors/inet_diag_parse.h"
#include "collectors/netlink_parse.h"
#include "collectors/sock_diag_parse.h"
#include "core/err.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

/* The first version of the request knows TCP only and takes no family: its
 * answer has both, of one walk through the kernel's tables. */
static void put_both_families(struct nlmsghdr *header, const struct inet_diag_query *query)
{
    struct inet_diag_req *request = mnl_nlmsg_put_extra_header(header, sizeof *request);

    header->nlmsg_type = TCPDIAG_GETSOCK;
    request->idiag_states = query->states;
    if (query->with_memory)
        request->idiag_ext = 1u << (INET_DIAG_SKMEMINFO - 1);
}

static void put_one_family(struct nlmsghdr *header, const struct inet_diag_query *query)
{
    struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof *request);

    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->sdiag_family = query->family;
    request->sdiag_protocol = query->protocol;
    request->idiag_states = query->states;
    if (query->with_memory)
        request->idiag_ext = 1u << (INET_DIAG_SKMEMINFO - 1);
}

/* What the kernel is to run for each socket. Offsets are in bytes from each
 * operation; running exactly to the end accepts a socket, running beyond it
 * rejects. */
struct filter {
    struct inet_diag_bc_op ops[5 * INET_DIAG_RANGES_MAX + 2];
    size_t count;
};

/* From an operation to the end of a filter with so many, or beyond it. */
static uint16_t to_end(size_t count, size_t op, bool beyond)
{
    return (uint16_t)((count - op + beyond) * sizeof(struct inet_diag_bc_op));
}

static void add_op(struct filter *f, uint8_t code, uint8_t yes, uint16_t no)
{
    f->ops[f->count++] = (struct inet_diag_bc_op){.code = code, .yes = yes, .no = no};
}

/* "Port chosen by the kernel? Then go on to the jump, which leads beyond the
 * end; else pass it over", or the other way round. */
static void add_choice(struct filter *f, enum port_choice ports, size_t total)
{
    if (ports == PORTS_BOUND) {
        add_op(f, INET_DIAG_BC_AUTO, 4, 8);
        add_op(f, INET_DIAG_BC_JMP, 4, to_end(total, f->count, true));
    } else if (ports == PORTS_AUTO) {
        add_op(f, INET_DIAG_BC_AUTO, 4, to_end(total, f->count, true));
    }
}

/* "Port at least the first? And at most the last? Then jump to the end; else go
 * on to the next range", or beyond the end after the last one. A comparison is
 * two operations, of which the second holds the port. */
static void add_range(struct filter *f, const struct port_range *range, bool is_last, size_t total)
{
    size_t begin = f->count;

    add_op(f, INET_DIAG_BC_S_GE, 8, is_last ? to_end(total, begin, true) : 20);
    add_op(f, 0, 0, range->first);
    add_op(f, INET_DIAG_BC_S_LE, 8, is_last ? to_end(total, begin + 2, true) : 12);
    add_op(f, 0, 0, range->last);
    add_op(f, INET_DIAG_BC_JMP, 4, to_end(total, begin + 4, false));
}

static void make_filter(struct filter *f, const struct inet_diag_query *query)
{
    size_t choice = query->ports == PORTS_BOUND ? 2 : query->ports == PORTS_AUTO;
    size_t total = choice + 5 * query->range_count;

    assert(query->range_count <= INET_DIAG_RANGES_MAX);
    f->count = 0;
    add_choice(f, query->ports, total);
    for (size_t i = 0; i < query->range_count; i++)
        add_range(f, &query->ranges[i], i + 1 == query->range_count, total);
}

size_t inet_diag_request(const struct inet_diag_query *query, uint32_t sequence,
                         char ret_bytes[static INET_DIAG_REQUEST_MAX])
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(ret_bytes);
    struct filter filter;

    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = sequence;
    if (query->family == AF_UNSPEC)
        put_both_families(header, query);
    else
        put_one_family(header, query);
    make_filter(&filter, query);
    if (filter.count > 0)
        mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, filter.count * sizeof filter.ops[0], filter.ops);
    return header->nlmsg_len;
}

/* The fixed part of a reply, or NULL when there is none to trust. */
static const struct inet_diag_msg *reply_head(const struct nlmsghdr *msg)
{
    const struct inet_diag_msg *head = mnl_nlmsg_get_payload(msg);

    if ((msg->nlmsg_type != SOCK_DIAG_BY_FAMILY && msg->nlmsg_type != TCPDIAG_GETSOCK) ||
        mnl_nlmsg_get_payload_len(msg) < sizeof *head)
        return NULL;
    return head->idiag_family == AF_INET || head->idiag_family == AF_INET6 ? head : NULL;
}

static struct ip_addr reply_address(const struct inet_diag_msg *head, const void *bytes)
{
    struct ip_addr address = {.version = head->idiag_family == AF_INET ? 4 : 6};

    memcpy(address.bytes, bytes, address.version == 4 ? 4 : 16);
    return address;
}

int inet_diag_parse_connection(const struct nlmsghdr *msg, struct connection *ret_connection)
{
    const struct inet_diag_msg *head = reply_head(msg);

    if (!head)
        return -EBADMSG;
    *ret_connection = (struct connection){
        .local = reply_address(head, head->id.idiag_src),
        .remote = reply_address(head, head->id.idiag_dst),
        .local_port = ntohs(head->id.idiag_sport),
        .remote_port = ntohs(head->id.idiag_dport),
        .state = head->idiag_state,
        .inode = head->idiag_inode,
    };
    return 0;
}

static void take_attribute(const struct nlattr *attribute, struct inet_diag_row *row)
{
    const char *payload = mnl_attr_get_payload(attribute);
    size_t length = mnl_attr_get_payload_len(attribute);

    switch (mnl_attr_get_type(attribute)) {
    case INET_DIAG_SKV6ONLY:
        if (length == sizeof(uint8_t))
            row->v6only = *payload != 0;
        break;
    case INET_DIAG_PROTOCOL:
        if (length == sizeof(uint8_t))
            row->port = (uint8_t)*payload;
        break;
    case INET_DIAG_CGROUP_ID:
        if (length == sizeof row->cgroup_id)
            memcpy(&row->cgroup_id, payload, length);
        break;
    case INET_DIAG_SKMEMINFO: row->drops.known |= sock_diag_drops(attribute, &row->drops.count); break;
    default: break;
    }
}

static void take_attributes(const struct nlmsghdr *msg, const struct inet_diag_msg *head,
                            struct inet_diag_row *row)
{
    struct netlink_bytes bytes = {head + 1, mnl_nlmsg_get_payload_len(msg) - sizeof *head};
    const struct nlattr *attribute;

    while ((attribute = netlink_next_attribute(&bytes)))
        take_attribute(attribute, row);
}

int inet_diag_parse(const struct nlmsghdr *msg, struct inet_diag_row *ret_row)
{
    const struct inet_diag_msg *head = reply_head(msg);
    struct inet_diag_row row;

    if (!head)
        return -EBADMSG;
    row = (struct inet_diag_row){
        .address = reply_address(head, head->id.idiag_src),
        .port = ntohs(head->id.idiag_sport),
        .state = head->idiag_state,
        .ifindex = head->id.idiag_if,
        .cookie = (uint64_t)head->id.idiag_cookie[1] << 32 | head->id.idiag_cookie[0],
        .rqueue = head->idiag_rqueue,
        .wqueue = head->idiag_wqueue,
        .uid = head->idiag_uid,
        .inode = head->idiag_inode,
    };
    take_attributes(msg, head, &row);
    *ret_row = row;
    return 0;
}

uint64_t inet_diag_parse_cgroup(const struct nlmsghdr *msg)
{
    const struct inet_diag_msg *head = reply_head(msg);
    struct inet_diag_row row = {.cgroup_id = 0};

    if (head)
        take_attributes(msg, head, &row);
    return row.cgroup_id;
}

static int kernel_error(int error)
{
    if (error == 0)
        return 0;
    return error == -ENOENT ? ERR_UNSUPPORTED : error > 0 ? -EBADMSG : error;
}

/* NLMSG_DONE may carry an error code; a shorter one means success. */
static int done_status(const struct nlmsghdr *msg)
{
    int error;

    if (mnl_nlmsg_get_payload_len(msg) < sizeof error)
        return 0;
    memcpy(&error, mnl_nlmsg_get_payload(msg), sizeof error);
    return kernel_error(error);
}

static int error_status(const struct nlmsghdr *msg)
{
    struct nlmsgerr error;

    if (mnl_nlmsg_get_payload_len(msg) < sizeof error)
        return -EBADMSG;
    memcpy(&error, mnl_nlmsg_get_payload(msg), sizeof error);
    /* An acknowledgement was not asked for; a dump must not end with one. */
    return error.error == 0 ? -EBADMSG : kernel_error(error.error);
}

/* As inet_diag_walk(), but that an answer which ends the walk is not counted. */
static int walk(struct netlink_bytes *bytes, uint32_t sequence, uint32_t port_id,
                inet_diag_message_fn *on_message, void *arg, uint64_t *ret_malformed)
{
    const struct nlmsghdr *msg;
    int r;

    while ((msg = netlink_next(bytes))) {
        if (msg->nlmsg_seq != sequence || msg->nlmsg_pid != port_id)
            return ERR_SEQUENCE;
        if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
            return ERR_INTERRUPTED;
        switch (msg->nlmsg_type) {
        case NLMSG_NOOP: continue;
        case NLMSG_DONE: return done_status(msg);
        case NLMSG_ERROR: return error_status(msg);
        case NLMSG_OVERRUN: return -ENOBUFS;
        default:
            r = on_message(arg, msg);
            if (r == -EBADMSG)
                ++*ret_malformed;
            else if (r < 0)
                return r;
        }
    }
    return bytes->left == 0 ? 1 : -EBADMSG;
}

int inet_diag_walk(const void *bytes, size_t length, uint32_t sequence, uint32_t port_id,
                   inet_diag_message_fn *on_message, void *arg, uint64_t *ret_malformed)
{
    struct netlink_bytes all = {bytes, length};
    int r = walk(&all, sequence, port_id, on_message, arg, ret_malformed);

    *ret_malformed += r == -EBADMSG;
    return r;
}
