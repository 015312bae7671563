/* Inside of the alerts: what is to become of them by a verdict, planned before
 * anything of it is done, so that what needs memory may fail without a change.
 * Only core/alerts.c and core/alert_plan.c include this. */
#ifndef SOCKWATCH_CORE_ALERT_PLAN_H
#define SOCKWATCH_CORE_ALERT_PLAN_H

#include "core/alerts.h"

/* A finding that no alert is about yet. */
#define ALERT_PLAN_NEW (-1)

struct alert_plan {
    bool *ends;                 /* per alert: its condition is not true any more */
    bool *named;                /* per alert that ends: another transition says what took its place */
    ptrdiff_t *told;            /* per finding: index of its alert, or ALERT_PLAN_NEW */
    struct estate *estates;     /* per finding: what it takes over; NULL: nothing does */
    struct hand_over hand_over; /* what waited and what ends */
    size_t fresh;               /* alerts that will begin */
};

/* Makes the plan, and room for what it brings: nothing after it can fail.
 *
 * plan   to be done away with in either case
 *
 * Returns 0 or -ENOMEM. */
int alert_plan_init(struct alert_plan *plan, struct alerts *alerts, const struct verdict *verdict,
                    int64_t now_ms);

/* What the condition of a finding takes over; NULL for nothing. */
const struct estate *alert_plan_estate(const struct alert_plan *plan, size_t finding);

/* Notes that a transition says what something took over from: that is not told
 * by itself, if it ends now. */
void alert_plan_name(struct alert_plan *plan, const struct estate *estate);

void alert_plan_done(struct alert_plan *plan);

#endif
