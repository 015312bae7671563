#include "collectors/probe_errno.h"

#include <errno.h>

int probe_errno_result(int error, enum probe_result *ret)
{
    switch (error) {
    case 0:
    case ECONNRESET: /* it was reset, and closed, once it stood */
    case EPIPE: *ret = PROBE_OK; return 0;
    case ECONNREFUSED: *ret = PROBE_REFUSED; return 0;
    case ETIMEDOUT: *ret = PROBE_TIMEOUT; return 0;
    case ENETUNREACH: /* no route, or a message of ICMP */
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case EMSGSIZE:
    case EINVAL: /* a route of type blackhole */
    case EACCES: /* one of type prohibit, or a router's or firewall's word for it */
    case EPERM: *ret = PROBE_UNREACHABLE; return 0;
    default: break;
    }
    return -error;
}
