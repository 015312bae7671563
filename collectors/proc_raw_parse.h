/* Lines of /proc/net/raw and raw6, for kernels without raw_diag. Pure; any
 * thread. Source: proc(5), linux net/ipv4/raw.c, net/ipv6/raw.c. */
#ifndef SOCKWATCH_COLLECTORS_PROC_RAW_PARSE_H
#define SOCKWATCH_COLLECTORS_PROC_RAW_PARSE_H

#include "core/net.h"

struct proc_raw_row {
    struct ip_addr address; /* network byte order */
    uint16_t protocol;      /* the IP protocol, which the file shows as the port */
    uint8_t state;          /* enum sock_state */
    uint32_t uid;
    uint64_t inode;
    struct {
        bool known;
        uint32_t count; /* datagrams since the socket was made */
    } drops;
};

/* Parses one line, without its newline.
 *
 * version   4 for raw, 6 for raw6
 * ret_row   filled on success only
 *
 * Returns 0, or -EBADMSG when it is not such a line (the heading is not). */
int proc_raw_parse_line(const char *line, uint8_t version, struct proc_raw_row *ret_row);

#endif
