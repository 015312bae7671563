/* The limits that keep sockwatch small whatever it is shown: everything that it
 * reads can be made by any local user. Plain data, filled by the configuration;
 * any thread. What a limit cuts is counted, by what it was. */
#ifndef SOCKWATCH_CORE_LIMITS_H
#define SOCKWATCH_CORE_LIMITS_H

#include <stdint.h>

struct limits {
    int64_t listeners;      /* exported one by one */
    int64_t port_listeners; /* likewise, on one expected port */
    int64_t members;        /* sockets of a service that are followed one by one */
    int64_t holders;        /* processes named per socket */
    int64_t history;        /* services that have gone and are remembered */
    int64_t alerts;         /* about listeners that no expect entry is about */
    int64_t page_rows;      /* of each table of the page */
    int64_t log_lines;      /* a minute about one rule */
    int64_t series;         /* of an exposition */
};

/* What may be left out beside series. */
enum dropped {
    DROPPED_LISTENERS,
    DROPPED_MEMBERS,
    DROPPED_HOLDERS,
    DROPPED_HISTORY,
    DROPPED_ALERTS,
    DROPPED_PAGE_ROWS,
    DROPPED_LOG_LINES,
    DROPPED_UNITS,
    DROPPED_TUPLES,
    DROPPED_PROBES,
    DROPPED_COUNT
};

/* "listeners", "log_lines". Static. */
const char *dropped_name(enum dropped what);

#endif
