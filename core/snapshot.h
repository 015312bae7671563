/* A snapshot: everything sockwatch knows at one moment, sealed.
 *
 * It joins the newest listener table with the newest connection table, which
 * are polled at different rates, and says when each was read. Rules and
 * exporters get it const. Main thread only. */
#ifndef SOCKWATCH_CORE_SNAPSHOT_H
#define SOCKWATCH_CORE_SNAPSHOT_H

#include "core/conn_table.h"
#include "core/listener_table.h"

/* One moment on two clocks; both in milliseconds. */
struct instant {
    int64_t mono_ms; /* CLOCK_MONOTONIC, for durations */
    int64_t wall_ms; /* CLOCK_REALTIME, for people */
};

enum poll_kind { POLL_LISTENERS, POLL_CONNECTIONS, POLL_COUNT };

const char *poll_name(enum poll_kind kind);

/* The last run of one collector. */
struct collector_run {
    const char *name; /* static */
    enum poll_kind poll;
    bool ran; /* false: it has not run, or the kernel lacks what it reads */
    bool up;
    int error; /* why not, when !up */
    double duration_seconds;
};

#define COLLECTOR_RUNS_MAX 16

/* Things about the host that a bind scope cannot show. */
struct caveats {
    bool route_localnet_known;
    bool route_localnet; /* some interface routes 127.0.0.0/8 from outside */
};

struct snapshot {
    struct listener_table *listeners;  /* owned */
    struct conn_table *connections;    /* owned; NULL until they were read */
    struct instant polled[POLL_COUNT]; /* last completed poll; mono_ms 0 for never */
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    size_t run_count;
    struct caveats caveats;
};

/* Frees the tables. */
void snapshot_done(struct snapshot *s);

/* Counts of a local port, or NULL when connections of the protocol were not
 * read. A port without any socket yields a row of zeros. Indexed by enum
 * sock_state. */
const uint32_t *snapshot_connections(const struct snapshot *s, enum protocol protocol, uint16_t port);

#endif
