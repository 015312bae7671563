#include "core/limits.h"

const char *dropped_name(enum dropped what)
{
    switch (what) {
    case DROPPED_LISTENERS: return "listeners";
    case DROPPED_MEMBERS: return "members";
    case DROPPED_HOLDERS: return "holders";
    case DROPPED_HISTORY: return "history";
    case DROPPED_ALERTS: return "alerts";
    case DROPPED_PAGE_ROWS: return "page_rows";
    case DROPPED_LOG_LINES: return "log_lines";
    case DROPPED_UNITS: return "units";
    case DROPPED_TUPLES: return "tuples";
    case DROPPED_PROBES: return "probes";
    case DROPPED_COUNT: break;
    }
    return "unknown";
}
