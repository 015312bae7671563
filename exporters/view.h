/* What every exporter may look at: one snapshot and what was made of it. Plain
 * borrowed pointers; an exporter turns a view into text and changes nothing.
 * Main thread only. */
#ifndef SOCKWATCH_EXPORTERS_VIEW_H
#define SOCKWATCH_EXPORTERS_VIEW_H

#include "core/alert.h"
#include "core/buf.h"

enum poll_result { RESULT_SUCCESS, RESULT_FAILURE, RESULT_COUNT };

/* Counts since the process started. */
struct counters {
    uint64_t polls[POLL_COUNT][RESULT_COUNT];
    uint64_t malformed[COLLECTOR_RUNS_MAX]; /* as the snapshot's runs are numbered */
};

#define VIEW_UNKNOWN UINT64_MAX

struct view {
    const struct snapshot *snapshot;
    const struct policy *policy;
    const struct verdict *verdict; /* of this snapshot */
    const struct alerts *alerts;
    const struct counters *counters;
    bool has_history;         /* listeners' restarts were counted from poll to poll */
    const uint64_t *restarts; /* where they were not: what the daemon has counted, per listener, or
                                 VIEW_UNKNOWN; may be NULL */
    size_t series_limit;
    const char *version;
    const char *revision;
    bool last_reload_successful;
    int64_t last_reload_success_ms; /* wall clock */
};

/* How often the listener with this index in the table was restarted, or
 * VIEW_UNKNOWN. */
uint64_t view_restarts(const struct view *view, size_t index);

#endif
