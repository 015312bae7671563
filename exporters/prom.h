/* The Prometheus text format, version 0.0.4.
 *
 * Every metric family is declared once, with type and help, and rendered from
 * a view. What the kernel did not say has no sample. Any thread.
 * Source: Prometheus exposition formats; names and labels: interface.md. */
#ifndef SOCKWATCH_EXPORTERS_PROM_H
#define SOCKWATCH_EXPORTERS_PROM_H

#include "exporters/view.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_family {
    PROM_BUILD_INFO,
    PROM_COLLECTOR_UP,
    PROM_COLLECTOR_DURATION_SECONDS,
    PROM_COLLECTOR_MALFORMED_TOTAL,
    PROM_LAST_POLL_TIMESTAMP_SECONDS,
    PROM_POLLS_TOTAL,
    PROM_SOCKET_CLASS_VISIBLE,
    PROM_ROUTE_LOCALNET,
    PROM_CONFIG_LAST_RELOAD_SUCCESSFUL,
    PROM_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS,
    PROM_EXPECTED_LISTENING,
    PROM_EXPECTED_INTERRUPTIONS_TOTAL,
    PROM_EXPECTED_INFO,
    PROM_PROBE_SUCCESS,
    PROM_PROBE_RESULT,
    PROM_PROBE_DURATION_SECONDS,
    PROM_ALERT_FIRING,
    PROM_ALERTS,
    PROM_ALERTS_FIRED_TOTAL,
    PROM_LISTENERS,
    PROM_LISTENERS_OWNER_UNSEEN,
    PROM_LISTENERS_APPEARED_TOTAL,
    PROM_LISTENERS_DISAPPEARED_TOTAL,
    PROM_SOCKETS,
    PROM_CONNECTIONS,
    PROM_CONNECTIONS_NOT_ACCEPTED,
    PROM_OUTBOUND,
    PROM_UNIT_CONNECTIONS,
    PROM_EPHEMERAL_PORTS_USED_RATIO,
    PROM_LISTENER_INFO,
    PROM_LISTENER_SOCKETS,
    PROM_LISTENER_ACCEPT_QUEUE_LENGTH,
    PROM_LISTENER_ACCEPT_QUEUE_LIMIT,
    PROM_LISTENER_ACCEPT_QUEUE_SATURATION_RATIO,
    PROM_LISTENER_RECEIVE_QUEUE_BYTES,
    PROM_LISTENER_DROPS_TOTAL,
    PROM_LISTENER_RESTARTS_TOTAL,
    PROM_LISTENER_ACCEPT_QUEUE_SATURATED_SECONDS_TOTAL,
    PROM_SERIES_DROPPED_TOTAL,
    PROM_DROPPED_TOTAL,
    PROM_FAMILY_COUNT
};

/* Series left out because of limits, by family. */
struct prom_dropped {
    uint64_t series[PROM_FAMILY_COUNT];
};

/* Appends one exposition to out. Series of expect entries themselves and about
 * sockwatch itself are never cut; listeners on expected ports are cut last. At
 * the limits that are default it stays below 6 MB, whatever names are like.
 *
 * before    what was dropped before, which sockwatch_series_dropped_total adds to
 *           what this rendering drops
 * ret_cut   filled with what the limit cut here
 *
 * When memory runs out, out is marked failed. */
void prom_render(const struct view *view, const struct prom_dropped *before, struct buf *out,
                 struct prom_dropped *ret_cut);

#endif
