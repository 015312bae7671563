/* What every renderer may look at: one snapshot and what was made of it. Plain
 * borrowed pointers to sealed values; a renderer turns a view into text,
 * changes nothing and counts nothing. Any thread. */
#ifndef SOCKWATCH_EXPORTERS_VIEW_H
#define SOCKWATCH_EXPORTERS_VIEW_H

#include "core/alert.h"
#include "core/buf.h"
#include "core/limits.h"
#include "core/snapshot.h"
#include "core/status.h"

#define VIEW_UNKNOWN UINT64_MAX

struct view {
    const struct snapshot *snapshot;
    const struct policy *policy;
    const struct verdict *verdict; /* of this snapshot */
    const struct alert_list *alerts;
    const struct status *status;
    bool has_history;         /* listeners' restarts were counted from poll to poll */
    const uint64_t *restarts; /* where they were not: what the daemon has counted, per listener, or
                                 VIEW_UNKNOWN; may be NULL */
    struct limits limits;
    const char *version;
    const char *revision;
};

/* All listeners of the view's host. */
const struct listener *view_listeners(const struct view *view, size_t *ret_count);

/* How many there are, also those that are not shown one by one. */
const struct listener_totals *view_totals(const struct view *view);

/* How a class of sockets could be read. */
const struct class_view *view_class(const struct view *view, enum protocol protocol);

/* How often the listener with this index in the table was restarted, or
 * VIEW_UNKNOWN. */
uint64_t view_restarts(const struct view *view, size_t index);

#endif
