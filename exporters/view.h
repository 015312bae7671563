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

#define VIEW_UNKNOWN       UINT64_MAX
#define VIEW_SINCE_UNKNOWN INT64_MIN

/* Which services and listeners are shown, of all that there are. */
struct view_filter {
    const struct port_range *ports; /* borrowed; of none for all */
    size_t port_count;
    bool one_protocol;
    enum protocol protocol; /* if one_protocol */
    bool problems;          /* only those with which something is wrong, or of which that cannot be told */
};

struct view {
    const struct snapshot *snapshot;
    const struct policy *policy;
    const struct verdict *verdict; /* of this snapshot */
    const struct alert_list *alerts;
    const struct status *status;
    bool has_history;         /* listeners' restarts were counted from poll to poll */
    const uint64_t *restarts; /* where they were not: what the daemon has counted, per listener, or
                                 VIEW_UNKNOWN; may be NULL */
    const int64_t *since_ms;  /* likewise of each service of the verdict: since when it is wrong, by the wall
                                 clock, or VIEW_SINCE_UNKNOWN; may be NULL */
    const struct view_filter *filter; /* NULL for all */
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

/* How long its accept queue was full, as polls saw it, up to the last one. */
uint64_t view_full_ms(const struct view *view, const struct listener *l);

/* How often the listener with this index in the table was restarted, or
 * VIEW_UNKNOWN. */
uint64_t view_restarts(const struct view *view, size_t index);

/* Whether what is at this port is shown. */
bool view_takes(const struct view *view, enum protocol protocol, uint16_t port, bool is_problem);

/* The same of the listener with this index in the table. */
bool view_takes_listener(const struct view *view, size_t index);

#endif
