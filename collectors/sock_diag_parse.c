#include "collectors/sock_diag_parse.h"

#include <linux/sock_diag.h>
#include <string.h>

struct nlmsghdr sock_diag_dump_header(uint32_t length, uint32_t sequence)
{
    return (struct nlmsghdr){
        .nlmsg_len = length,
        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
        .nlmsg_seq = sequence,
    };
}

static const char *payload_of(const struct nlattr *attribute, size_t *ret_length)
{
    *ret_length = attribute->nla_len - sizeof *attribute;
    return (const char *)(attribute + 1);
}

bool sock_diag_number(const struct nlattr *attribute, uint32_t *ret)
{
    size_t length;
    const char *payload = payload_of(attribute, &length);

    if (length != sizeof *ret)
        return false;
    memcpy(ret, payload, sizeof *ret);
    return true;
}

bool sock_diag_drops(const struct nlattr *attribute, uint32_t *ret)
{
    size_t length;
    const char *payload = payload_of(attribute, &length);

    if (length < (SK_MEMINFO_DROPS + 1) * sizeof *ret)
        return false;
    memcpy(ret, payload + SK_MEMINFO_DROPS * sizeof *ret, sizeof *ret);
    return true;
}
