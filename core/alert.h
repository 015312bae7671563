/* An alert: a condition that is pending until it has held for its "for", then
 * firing, then resolved; its order, its labels, and all alerts at one moment as
 * a sealed list. How alerts come and go is core/alerts.h. Any thread. */
#ifndef SOCKWATCH_CORE_ALERT_H
#define SOCKWATCH_CORE_ALERT_H

#include "core/alert_series.h"
#include "core/instant.h"

enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };

struct alert {
    struct alert_key key;
    enum severity severity;
    enum alert_state state; /* pending or firing; resolved only in a transition */
    bool outdated;          /* the policy cannot produce it any more: it ends with the next verdict */
    struct instant since;   /* when the condition became true, or that which it took over from */
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

/* The order of alerts; 0 for the same one. */
int alert_key_compare(const struct alert_key *a, const struct alert_key *b);

/* rule, name, protocol, severity; port where there is one; family, address and
 * interface of an alert about one listener. */
void alert_labels(const struct alert *alert, struct alert_labels *ret);

const char *alert_state_name(enum alert_state state);

/* All alerts at one moment, sealed; any thread may read it. */
struct alert_list {
    struct ref ref;
    uint64_t fired[RULE_COUNT][SEVERITY_COUNT]; /* alerts that began to fire, since the start */
    const struct ended_series *ended;           /* in order; in the same memory */
    size_t ended_count;
    size_t count;
    struct alert items[]; /* by key */
};

const struct alert_list *alert_list_ref(const struct alert_list *list);
void alert_list_unref(const struct alert_list *list);

#endif
