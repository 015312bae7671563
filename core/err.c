#include "core/err.h"

#include <string.h>

static const char *own_str(enum err code)
{
    switch (code) {
    case ERR_UNSUPPORTED: return "the kernel has no handler for this class of sockets";
    case ERR_TRUNCATED: return "a kernel message was larger than the receive buffer";
    case ERR_SEQUENCE: return "a kernel answer belongs to another request";
    case ERR_INTERRUPTED: return "the kernel reports an inconsistent dump";
    case ERR_CONFIG: return "the configuration is wrong";
    case ERR_IRREGULAR: return "it is no regular file";
    case ERR_DANGLING: return "it is a link that leads nowhere";
    }
    return "unknown error";
}

const char *err_str(int code)
{
    const char *text;

    if (code <= -1000)
        return own_str((enum err)code);
    text = strerrordesc_np(-code);
    return text ? text : "unknown error";
}
