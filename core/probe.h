/* Probes: whether somebody who connects to a service gets through, which no table of
 * sockets tells. What is asked for, what came of it, and all results at one moment as
 * a sealed value that any thread may read. When each is made core/probe_schedule.h
 * says; what is concluded from it, the rules. Pure. */
#ifndef SOCKWATCH_CORE_PROBE_H
#define SOCKWATCH_CORE_PROBE_H

#include "core/net.h"
#include "core/ref.h"

enum probe_result {
    PROBE_OK,          /* connected */
    PROBE_REFUSED,     /* by a reset, or by an ICMP message about the port */
    PROBE_TIMEOUT,     /* nothing came */
    PROBE_UNREACHABLE, /* there is no way there, or it is forbidden, as this host or a router says */
    PROBE_RESULT_COUNT
};

/* "ok", "refused", "timeout", "unreachable". Static. */
const char *probe_result_name(enum probe_result result);

enum probe_want { PROBE_WANT_UNSAID, PROBE_WANT_CONNECT, PROBE_WANT_FAIL };

/* "connect", "fail". Static. */
const char *probe_want_name(enum probe_want want);

/* All probes of a configuration, which are looked through one by one. */
enum { PROBES_MAX = 1024 };

/* A TCP connect that is made every now and then. Times of 0 were not given. */
struct probe_order {
    bool is_set;
    struct ip_port target;
    int64_t interval_ms, timeout_ms;
    enum probe_want want;
};

#define PROBE_INTERVAL_DEFAULT_MS INT64_C(30000)
#define PROBE_TIMEOUT_DEFAULT_MS  INT64_C(3000)

int64_t probe_interval_ms(const struct probe_order *order);

/* By default at most the interval. */
int64_t probe_timeout_ms(const struct probe_order *order);

/* A result is believed for so many intervals. */
enum { PROBE_BELIEVED_INTERVALS = 3 };

/* What of a service decides on how its probe ends, as a mask. A result is about the
 * service as it was when the probe began: of one that has come back since, or whose
 * queue has emptied, it says nothing. */
enum {
    REACH_LISTENS = 1,
    REACH_LOOPBACK_ONLY = 2,
    REACH_MISSES_ADDRESS = 4,
    REACH_QUEUE_FULL = 8,
    REACH_UNTOLD = 128, /* nobody has looked yet: it is about the service whatever it is like */
};

/* What is known of the probe of an expect entry. */
struct probe_told {
    uint32_t expect; /* index of the policy's entry */
    bool known;      /* there is a result that is believed; all below is told only then, but for unmade */
    bool unmade;     /* there is none, though one has been due for so long that there should be */
    bool own;        /* the target is an address of this host; otherwise that is not known */
    uint8_t reach;   /* mask of REACH_, of the service when the probe began */
    enum probe_result result;
    int64_t duration_us; /* until that was known */
    int64_t since_ms;    /* wall clock: when the first of those in a row that ended so did so */
};

/* Of all entries that have a probe, in the order of the policy. */
struct probe_results {
    struct ref ref;
    size_t count;
    struct probe_told items[];
};

/* Returns owned (a reference), all zero, or NULL when memory runs out. */
struct probe_results *probe_results_new(size_t count);
const struct probe_results *probe_results_ref(const struct probe_results *r);
void probe_results_unref(const struct probe_results *r);

/* What is known of the probe of an expect entry; NULL where it has none, or none was
 * told of yet. r may be NULL. */
const struct probe_told *probe_results_of(const struct probe_results *r, size_t expect);

#endif
