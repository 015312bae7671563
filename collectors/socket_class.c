#include "collectors/socket_class.h"
#include "collectors/proc_net.h"

#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

#define MASK(state)      (1u << (state))
#define BELIEVED_FOR_MS  INT64_C(300000)
#define MASK_CONNECTIONS (MASK(STATE_ESTABLISHED) | MASK(STATE_CLOSE))
#define MASK_TCP_CONNECTIONS                                                                          \
    (MASK(STATE_ESTABLISHED) | MASK(STATE_SYN_SENT) | MASK(STATE_SYN_RECV) | MASK(STATE_FIN_WAIT_1) | \
     MASK(STATE_FIN_WAIT_2) | MASK(STATE_TIME_WAIT) | MASK(STATE_CLOSE_WAIT) | MASK(STATE_LAST_ACK) | \
     MASK(STATE_LISTEN) | MASK(STATE_CLOSING))

static const struct socket_class classes[PROTOCOL_COUNT] = {
    [PROTOCOL_TCP] =
        {
            .ip_protocol = IPPROTO_TCP,
            .listener_states = MASK(STATE_LISTEN),
            .has_accept_queue = true,
            .tells_choice = true,
            .in_one_walk = true,
            .connection_states = MASK_TCP_CONNECTIONS,
            .proc_name = "TCP",
            .proc_name_v6 = "TCPv6",
        },
    [PROTOCOL_UDP] =
        {
            .ip_protocol = IPPROTO_UDP,
            .listener_states = MASK(STATE_CLOSE),
            .tells_choice = true,
            .connection_states = MASK_CONNECTIONS,
            .proc_name = "UDP",
            .proc_name_v6 = "UDPv6",
        },
    [PROTOCOL_UDPLITE] =
        {
            .ip_protocol = IPPROTO_UDPLITE,
            .listener_states = MASK(STATE_CLOSE),
            .tells_choice = true,
            .connection_states = MASK_CONNECTIONS,
            .proc_name = "UDP-Lite",
            .proc_name_v6 = "UDPLITEv6",
        },
    [PROTOCOL_SCTP] =
        {
            .ip_protocol = IPPROTO_SCTP,
            .listener_states = MASK(STATE_LISTEN),
            .has_accept_queue = true,
            .connection_states = 0, /* those of associations are SCTP's own */
            .proc_name = "SCTP",
            .proc_name_v6 = "SCTPv6",
        },
    [PROTOCOL_RAW] =
        {
            .ip_protocol = IPPROTO_RAW,
            .listener_states = MASK(STATE_CLOSE),
            .connection_states = MASK_CONNECTIONS,
            .proc_name = "RAW",
            .proc_name_v6 = "RAWv6",
        },
    [PROTOCOL_UNIX] =
        {
            .family = AF_UNIX,
            .listener_states = MASK(STATE_LISTEN),
            .has_accept_queue = true,
            .proc_name = "UNIX",
        },
    [PROTOCOL_PACKET] =
        {
            .family = AF_PACKET,
            .proc_name = "PACKET",
        },
};

const struct socket_class *socket_class_of(enum protocol protocol)
{
    return &classes[protocol];
}

bool kernel_lacks_until(int64_t until_ms, int64_t now_ms)
{
    return until_ms != 0 && now_ms < until_ms;
}

int64_t kernel_lacks_from(int64_t now_ms)
{
    return now_ms + BELIEVED_FOR_MS;
}

void kernel_lacks_class(struct kernel_lacks *lacks, enum protocol protocol, int64_t now_ms)
{
    lacks->classes[protocol].until_ms = kernel_lacks_from(now_ms);
    lacks->classes[protocol].as =
        proc_has_protocol(classes[protocol].proc_name) == 0 ? VISIBILITY_ABSENT : VISIBILITY_UNSUPPORTED;
}
