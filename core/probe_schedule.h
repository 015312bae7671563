/* When each probe is made, and what has come of it.
 *
 * Probes are spread over their interval, and bounded both at a time and in how soon
 * one may follow another: where that is not enough all of them come later, those that
 * have waited longest first, and what is left out is counted. Of a service that is
 * another one than when its probe began (core/probe.h) another one is made soon. Pure:
 * whoever makes them (collectors/probes.h) says when and how each ended. One thread. */
#ifndef SOCKWATCH_CORE_PROBE_SCHEDULE_H
#define SOCKWATCH_CORE_PROBE_SCHEDULE_H

#include "core/instant.h"
#include "core/policy.h"

/* A service that changes all the time has a probe no oftener than this. */
#define PROBE_AGAIN_MS INT64_C(1000)

struct probe_bounds {
    size_t at_a_time;
    int64_t apart_ms; /* from the beginning of one to that of the next */
    bool once;        /* each is made once, and at once */
};

struct probe_item {
    char name[EXPECT_NAME_MAX];
    uint32_t expect; /* index of the policy's entry */
    struct ip_port target;
    int64_t interval_ms, timeout_ms;
    uint8_t reach; /* mask of REACH_, as it was told last */
    struct {
        int slot; /* what the caller knows it by; -1: it is not under way */
        int64_t planned_ms, begun_ms;
        uint8_t reach;
        bool again; /* it is to be made anew: the service has come back since */
    } now;
    int error;         /* why the last one could not be made; 0 if it was */
    int64_t waited_ms; /* since when there has been no other result */
    bool has_result;
    struct probe_told result; /* but for expect, known and unmade */
    int64_t first_ms;         /* when the first of those in a row that ended so did so */
    bool first_told;          /* its wall clock is in the result: it stays the same, however clocks drift */
    bool was_known, was_unmade;
};

/* All times are on CLOCK_MONOTONIC. Begins as {0}, but for its bounds. */
struct probe_schedule {
    struct probe_bounds bounds;
    struct probe_item *items; /* owned; in the order of the policy */
    int64_t *due_ms;          /* owned; of each item: when it is to begin, INT64_MAX while it is under way */
    size_t count;
    size_t under_way;
    int64_t next_ms;      /* none begins before */
    uint64_t left_out;    /* probes that came so late that another one was due, since the start */
    bool is_new;          /* something ended since results were told */
    bool is_new_to_rules; /* and it may change what is judged */
};

/* Takes over a policy's probes. Those of the same name and target go on as they
 * are; of others that are under way the caller finds the slot gone.
 *
 * Returns 0, or -ENOMEM: nothing has changed then. */
int probe_schedule_set(struct probe_schedule *s, const struct policy *policy, int64_t now_ms);
void probe_schedule_done(struct probe_schedule *s);

/* When the next one may begin, INT64_MAX for never as long as none ends. */
int64_t probe_schedule_due_ms(const struct probe_schedule *s);

/* Begins the next one that is due.
 *
 * slot   not negative; what the caller knows it by
 *
 * Returns it, valid until the next probe_schedule_set(), or NULL when none is to
 * begin now. */
struct probe_item *probe_schedule_begin(struct probe_schedule *s, int slot, int64_t now_ms);

/* Notes how one that was begun ended.
 *
 * own   the target is known to be an address of this host */
void probe_schedule_end(struct probe_schedule *s, struct probe_item *item, enum probe_result result, bool own,
                        int64_t duration_us, int64_t now_ms);

/* Notes that one that was begun could not be made, through no fault of the target.
 *
 * error   negative */
void probe_schedule_fail(struct probe_schedule *s, struct probe_item *item, int error, int64_t now_ms);

/* Notes what an entry's service is like now.
 *
 * reach     mask of REACH_
 * renewed   all its sockets are others than before */
void probe_schedule_note(struct probe_schedule *s, size_t expect, uint8_t reach, bool renewed,
                         int64_t now_ms);

/* Notes results that are too old to be believed from now on. */
void probe_schedule_age(struct probe_schedule *s, int64_t now_ms);

/* How many could not be made the last time.
 *
 * ret_error   why not, of one of them; 0 where there is none */
size_t probe_schedule_failed(const struct probe_schedule *s, int *ret_error);

/* All results. Returns owned (a reference), or NULL when memory runs out: they are new
 * still. */
const struct probe_results *probe_schedule_tell(struct probe_schedule *s, struct instant now);

#endif
