#include "core/alerts.h"
#include "core/alert_plan.h"
#include "core/array.h"
#include "core/transition.h"

#include <stdlib.h>
#include <string.h>

static int compare_alerts(const void *a, const void *b)
{
    return alert_key_compare(&((const struct alert *)a)->key, &((const struct alert *)b)->key);
}

const struct alert *alerts_find(const struct alerts *alerts, const struct alert_key *key)
{
    const struct alert wanted = {.key = *key};

    /* They are sorted after each update, so that many cost little. */
    return alerts->count == 0 ? NULL
                              : bsearch(&wanted, alerts->items, alerts->count, sizeof wanted, compare_alerts);
}

/* What changes while an update is under way. */
struct update {
    struct alerts *alerts;
    struct alert_plan *plan; /* NULL without a verdict */
    struct instant now;
    bool ignore_for;
    const struct subscribers *to;
};

/* An alert that fires does not do so any more, at least not with this severity. */
static void end_series(struct update *u, const struct alert *alert)
{
    const struct alert_series series = alert_series_of(&alert->key);

    ended_list_add(&u->alerts->ended, &series, alert->severity, u->now.mono_ms);
}

/* Takes over what may differ from the last time. Returns whether it did. */
static bool refresh(struct update *u, struct alert *alert, const struct finding *finding)
{
    alert->outdated = false;
    if (alert->severity == finding->severity && strcmp(alert->summary, finding->summary) == 0)
        return false;
    if (alert->state == ALERT_FIRING && alert->severity != finding->severity)
        end_series(u, alert);
    alert->severity = finding->severity;
    memcpy(alert->summary, finding->summary, sizeof alert->summary);
    return true;
}

/* Takes over the time of what gave way to it. Returns whether that changes it. */
static bool inherit(struct alert *alert, const struct estate *estate)
{
    if (!estate || estate->since.mono_ms >= alert->since.mono_ms)
        return false;
    alert->since = estate->since;
    return true;
}

/* When a condition that is true now may fire at the earliest. What must be
 * true at the next poll, too, is not yet in the millisecond of this one. */
static int64_t due_ms(const struct update *u, const struct alert *alert, const struct finding *finding,
                      const struct estate *estate)
{
    if (u->ignore_for || (estate && estate->fired))
        return u->now.mono_ms;
    if (finding->confirm && finding->for_ms == 0)
        return alert->since.mono_ms + 1;
    return alert->since.mono_ms + finding->for_ms;
}

static void tell(struct update *u, const struct alert *alert, enum alert_state before,
                 const struct estate *estate)
{
    const struct transition t = {
        .alert = alert,
        .before = before,
        .at = u->now,
        .from = estate && estate->from ? &estate->from->key : NULL,
    };

    u->alerts->fired[alert->key.rule][alert->severity] += alert->state == ALERT_FIRING;
    subscribers_tell(u->to, &t);
}

/* Lets a condition that is true now go on, and fire when its time has come. */
static void advance(struct update *u, struct alert *alert, size_t index, const struct finding *finding,
                    bool is_new)
{
    const struct estate *estate = alert_plan_estate(u->plan, index);
    enum alert_state before = is_new ? ALERT_RESOLVED : alert->state;
    bool changed = refresh(u, alert, finding);
    int64_t due;

    changed |= inherit(alert, estate);
    due = due_ms(u, alert, finding, estate);
    if (alert->state == ALERT_PENDING && u->now.mono_ms >= due)
        alert->state = ALERT_FIRING;
    else if (alert->state == ALERT_PENDING && due < u->alerts->due_ms)
        u->alerts->due_ms = due;
    if (alert->state != before) {
        alert_plan_name(u->plan, estate);
        tell(u, alert, before, estate);
    }
    u->alerts->changes += changed || alert->state != before;
}

/* There is memory for it. */
static void add_alert(struct update *u, size_t index, const struct finding *finding)
{
    struct alerts *alerts = u->alerts;
    struct alert *alert = &alerts->items[alerts->count];

    if (finding->key.has_endpoint && alerts->limit > 0 && alerts->about_listeners >= alerts->limit) {
        alerts->dropped++;
        return;
    }
    alerts->count++;
    alerts->about_listeners += finding->key.has_endpoint;
    *alert = (struct alert){.key = finding->key, .state = ALERT_PENDING, .since = u->now};
    advance(u, alert, index, finding, true);
}

static void resolve(struct update *u, struct alert *alert, bool is_handed_over)
{
    const struct transition t = {
        .alert = alert, .before = alert->state, .at = u->now, .is_handed_over = is_handed_over};

    if (alert->state == ALERT_FIRING)
        end_series(u, alert);
    alert->state = ALERT_RESOLVED;
    u->alerts->changes++;
    u->alerts->about_listeners -= alert->key.has_endpoint;
    subscribers_tell(u->to, &t);
}

/* Resolves the alerts that end, and moves up the others. */
static void settle(struct update *u)
{
    struct alerts *alerts = u->alerts;
    size_t kept = 0;

    for (size_t i = 0; i < alerts->count; i++) {
        if (u->plan->ends[i])
            resolve(u, &alerts->items[i], u->plan->named[i]);
        else
            alerts->items[kept++] = alerts->items[i];
    }
    alerts->count = kept;
}

/* What ended lately is told of for its time, and what waits goes on to. */
static void look_back(struct update *u)
{
    struct alerts *alerts = u->alerts;
    uint64_t cut = alerts->ended.cut;

    if (ended_list_settle(&alerts->ended, alerts->limit, u->now.mono_ms))
        alerts->changes++;
    alerts->dropped += alerts->ended.cut - cut;
    if (ended_list_due_ms(&alerts->ended) < alerts->due_ms)
        alerts->due_ms = ended_list_due_ms(&alerts->ended);
    if (!u->plan)
        return;
    hand_over_end(&u->plan->hand_over, u->now.mono_ms);
    hand_over_done(&alerts->waiting);
    if (u->plan->hand_over.count > 0) {
        alerts->waiting = u->plan->hand_over;
        u->plan->hand_over = (struct hand_over){0};
    }
}

/* The alerts that are there go on or resolve, and only then new ones come. */
static void apply(struct update *u, const struct verdict *verdict)
{
    struct alerts *alerts = u->alerts;
    const struct alert_plan *plan = u->plan;

    alerts->due_ms = INT64_MAX;
    for (size_t i = 0; i < verdict->count; i++)
        if (plan->told[i] != ALERT_PLAN_NEW && !verdict->findings[i].undetermined)
            advance(u, &alerts->items[plan->told[i]], i, &verdict->findings[i], false);
    settle(u);
    for (size_t i = 0; i < verdict->count; i++)
        if (plan->told[i] == ALERT_PLAN_NEW && !verdict->findings[i].undetermined)
            add_alert(u, i, &verdict->findings[i]);
    if (alerts->count > 0)
        qsort(alerts->items, alerts->count, sizeof *alerts->items, compare_alerts);
    alerts->items = array_shrink(alerts->items, &alerts->capacity, alerts->count, sizeof *alerts->items);
    look_back(u);
}

int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now, bool ignore_for,
                  const struct subscribers *to)
{
    struct alert_plan plan;
    struct update u = {.alerts = alerts, .plan = &plan, .now = now, .ignore_for = ignore_for, .to = to};
    int r = alert_plan_init(&plan, alerts, verdict, now.mono_ms);

    if (r == 0)
        apply(&u, verdict);
    else
        alerts->due_ms = now.mono_ms; /* as soon as possible */
    alert_plan_done(&plan);
    return r;
}

bool alerts_are_due(const struct alerts *alerts, struct instant now)
{
    return now.mono_ms >= alerts->due_ms;
}

void alerts_forget(struct alerts *alerts, const struct policy *policy, struct instant now,
                   const struct subscribers *to)
{
    struct update u = {.alerts = alerts, .now = now, .to = to};
    size_t kept = 0;

    for (size_t i = 0; i < alerts->count; i++) {
        struct alert *alert = &alerts->items[i];

        alert->outdated = !rules_can_produce(policy, &alert->key);
        if (alert->outdated && !hand_over_concerns(&alert->key))
            resolve(&u, alert, false);
        else
            alerts->items[kept++] = *alert;
    }
    alerts->count = kept;
    look_back(&u);
}

const struct alert_list *alerts_seal(const struct alerts *alerts)
{
    const size_t items_bytes = alerts->count * sizeof(struct alert);
    const size_t ended_bytes = alerts->ended.count * sizeof(struct ended_series);
    struct alert_list *list = calloc(1, sizeof *list + items_bytes + ended_bytes);
    void *ended;

    if (!list)
        return NULL;
    ref_init(&list->ref);
    list->count = alerts->count;
    list->ended_count = alerts->ended.count;
    ended = &list->items[list->count];
    list->ended = ended;
    memcpy(list->fired, alerts->fired, sizeof list->fired);
    if (items_bytes > 0)
        memcpy(list->items, alerts->items, items_bytes);
    if (ended_bytes > 0)
        memcpy(ended, alerts->ended.items, ended_bytes);
    return list;
}

void alerts_done(struct alerts *alerts)
{
    hand_over_done(&alerts->waiting);
    ended_list_done(&alerts->ended);
    free(alerts->items);
    *alerts = (struct alerts){0};
}
