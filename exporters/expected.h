/* What the policy expects, as people and programs are told of it: of each
 * expected service, on each of its ports, whether it is there as it should be,
 * what is wrong with it, and since when. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_EXPECTED_H
#define SOCKWATCH_EXPORTERS_EXPECTED_H

#include "exporters/view.h"

enum expected_status {
    EXPECTED_MISSING, /* it has no listener */
    EXPECTED_WRONG,   /* it has, and some rule is broken */
    EXPECTED_UNKNOWN, /* it cannot be told: its class of sockets, or who holds it, was not seen */
    EXPECTED_OK,
    EXPECTED_STATUS_COUNT
};

struct expected {
    const struct expect *entry; /* borrowed from the policy */
    enum protocol protocol;
    uint16_t port;
    enum expected_status status;
    uint32_t broken;  /* mask of 1 << rule: those that are true */
    uint32_t untold;  /* likewise: those of which it cannot be told */
    int64_t since_ms; /* wall clock: when the first of those that are true became so, or VIEW_SINCE_UNKNOWN */
    bool probed;      /* its entry has a probe that is about it */
    const struct probe_told *probe; /* what is known of that; borrowed; NULL or not known for nothing */
};

/* "missing", "wrong", "unknown", "ok". Static. */
const char *expected_status_name(enum expected_status status);

/* Writes its port, or its path. */
void expected_write_place(const struct expected *e, struct buf *out);

/* Tells of one of the services of the view's verdict, by its index there. */
struct expected expected_at(const struct view *view, size_t index);

/* The services that the view's filter takes: first those with which something is
 * wrong, the most severe first, of these those that are missing; then the others
 * by status and severity; then in the order of the configuration.
 *
 * ret_indexes   returns owned, for free(), *ret_count of them; filled on success only
 *
 * Returns 0 or -ENOMEM. */
int expected_sort(const struct view *view, size_t **ret_indexes, size_t *ret_count);

#endif
