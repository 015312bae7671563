/* The alert state machine: findings of consecutive verdicts become alerts that
 * are pending until the condition has held for its "for", then firing, then
 * resolved.
 *
 * Time is passed in. A condition about a class of sockets that was not seen
 * keeps its alert exactly as it is: nothing fires and nothing resolves in the
 * dark. One thread; the lists that are sealed from it are anybody's. */
#ifndef SOCKWATCH_CORE_ALERT_H
#define SOCKWATCH_CORE_ALERT_H

#include "core/instant.h"
#include "core/rules.h"

enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };

struct alert {
    struct alert_key key;
    enum severity severity;
    enum alert_state state; /* pending or firing; resolved only in a transition */
    struct instant since;   /* when the condition became true */
    char summary[SUMMARY_MAX];
};

/* What tells alerts apart, as text. */
struct alert_label {
    const char *name;            /* static */
    char value[EXPECT_NAME_MAX]; /* none of them is longer */
};

struct alert_labels {
    struct alert_label items[8];
    size_t count;
};

/* What a series of metrics tells of alerts: those about several listeners of one
 * port share it. */
struct alert_series {
    enum rule rule;
    const char *name; /* borrowed */
    enum protocol protocol;
    bool has_port;
    uint16_t port;
};

/* Borrows from the key. */
struct alert_series alert_series_of(const struct alert_key *key);

/* The order of alerts, as far as it goes. */
int alert_series_compare(const struct alert_series *a, const struct alert_series *b);

/* rule, name, protocol, severity; port where there is one; family, address and
 * interface of an alert about one listener. */
void alert_labels(const struct alert *alert, struct alert_labels *ret);

const char *alert_state_name(enum alert_state state);

struct subscribers;

struct alerts {
    struct alert *items; /* owned; by key */
    size_t count, capacity;
    int64_t due_ms;         /* CLOCK_MONOTONIC; when the next of them may fire, INT64_MAX for never */
    uint64_t changes;       /* how often any of it changed */
    size_t limit;           /* of those about listeners that no entry is about; 0 for none */
    size_t about_listeners; /* so many there are */
    uint64_t dropped;       /* how often one could not begin for lack of room */
};

/* Whether there is such an alert. */
bool alerts_know(const struct alerts *alerts, const struct alert_key *key);

/* Applies a verdict.
 *
 * alerts       zero-initialised before the first call
 * ignore_for   conditions fire at once
 * to           who is told of transitions; may be NULL
 *
 * Returns 0, or -ENOMEM: nothing is changed then, nobody was told, and the
 * alerts are due at once. */
int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now, bool ignore_for,
                  const struct subscribers *to);

/* Whether the same verdict would change something now. */
bool alerts_are_due(const struct alerts *alerts, struct instant now);

/* Resolves the alerts that a new policy cannot produce any more, also those
 * about classes that are not seen. */
void alerts_forget(struct alerts *alerts, const struct policy *policy, struct instant now,
                   const struct subscribers *to);

void alerts_done(struct alerts *alerts);

/* All alerts at one moment, sealed; any thread may read it. */
struct alert_list {
    struct ref ref;
    size_t count;
    struct alert items[]; /* by key */
};

/* Returns owned (a reference), or NULL when memory runs out. */
const struct alert_list *alerts_seal(const struct alerts *alerts);
const struct alert_list *alert_list_ref(const struct alert_list *list);
void alert_list_unref(const struct alert_list *list);

#endif
