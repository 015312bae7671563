/* What every poll changes, whether it finds anything new or not: when it was,
 * how it went, how often that was. Plain data, copied. */
#ifndef SOCKWATCH_CORE_STATUS_H
#define SOCKWATCH_CORE_STATUS_H

#include "core/instant.h"
#include "core/limits.h"
#include "core/turnover.h"
#include "core/net.h"

#include <stdbool.h>
#include <stddef.h>

enum poll_kind { POLL_LISTENERS, POLL_CONNECTIONS, POLL_COUNT };

enum poll_result { RESULT_SUCCESS, RESULT_FAILURE, RESULT_COUNT };

/* "listeners", "connections". Static. */
const char *poll_name(enum poll_kind kind);

/* The last run of one collector. */
struct collector_run {
    const char *name; /* static */
    enum poll_kind poll;
    bool ran; /* false: it has not run, or the kernel lacks what it reads */
    bool up;
    int error; /* why not, when !up */
    double duration_seconds;
    uint64_t malformed; /* answers of the kernel that made no sense, since the start */
};

#define COLLECTOR_RUNS_MAX 16

struct status {
    struct instant polled[POLL_COUNT];        /* last poll that read something; mono_ms 0 for never */
    uint64_t polls[POLL_COUNT][RESULT_COUNT]; /* since the start */
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    size_t run_count;
    struct turnover turnover[PROTOCOL_COUNT]; /* services that came and went, since the start */
    uint64_t watched_ms[PROTOCOL_COUNT];      /* how long listeners of a class were watched, likewise */
    uint64_t dropped[DROPPED_COUNT];          /* what limits left out, since the start */
    bool last_reload_successful;
    int64_t last_reload_success_ms; /* wall clock */
};

#endif
