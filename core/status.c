#include "core/status.h"

const char *poll_name(enum poll_kind kind)
{
    switch (kind) {
    case POLL_LISTENERS: return "listeners";
    case POLL_CONNECTIONS: return "connections";
    case POLL_COUNT: break;
    }
    return "unknown";
}
