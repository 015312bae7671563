#include "core/alert_plan.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>

/* Whether the verdict could have found the alert's condition, had it been true. */
static bool could_be_seen(const struct verdict *verdict, const struct alert_key *key)
{
    if (key->rule == RULE_BLIND)
        return true;
    return key->has_endpoint ? verdict->classes[key->protocol].complete
                             : verdict->classes[key->protocol].seen;
}

/* Finds the alerts of the findings, and those that have none any more. */
static void find_alerts(struct alert_plan *plan, const struct alerts *alerts, const struct verdict *verdict)
{
    for (size_t i = 0; i < alerts->count; i++)
        plan->ends[i] = alerts->items[i].outdated || could_be_seen(verdict, &alerts->items[i].key);
    for (size_t i = 0; i < verdict->count; i++) {
        const struct alert *alert = alerts_find(alerts, &verdict->findings[i].key);

        plan->told[i] = alert ? alert - alerts->items : ALERT_PLAN_NEW;
        if (alert)
            plan->ends[plan->told[i]] = false;
        plan->fresh += !alert && !verdict->findings[i].undetermined;
    }
}

static bool leaves_legacy(const struct alert_plan *plan, const struct alerts *alerts, size_t index)
{
    return plan->ends[index] && hand_over_concerns(&alerts->items[index].key);
}

/* Whether a finding is about a condition that was true and cannot be told now. */
static bool lends_time(const struct alert_plan *plan, const struct alerts *alerts,
                       const struct verdict *verdict, size_t index)
{
    const struct finding *f = &verdict->findings[index];

    return f->undetermined && plan->told[index] != ALERT_PLAN_NEW && hand_over_concerns(&f->key) &&
           alerts->items[plan->told[index]].state == ALERT_PENDING;
}

static size_t count_legacies(const struct alert_plan *plan, const struct alerts *alerts,
                             const struct verdict *verdict)
{
    size_t count = alerts->waiting.count;

    for (size_t i = 0; i < alerts->count; i++)
        count += leaves_legacy(plan, alerts, i);
    for (size_t i = 0; i < verdict->count; i++)
        count += lends_time(plan, alerts, verdict, i);
    return count;
}

static void add_legacy(struct hand_over *h, const struct alert *alert, size_t index, bool is_lent,
                       int64_t now_ms)
{
    const struct legacy legacy = {
        .key = alert->key,
        .severity = alert->severity,
        .fired = alert->state == ALERT_FIRING,
        .since = alert->since,
        .ended_ms = now_ms,
        .alert = index,
        .is_lent = is_lent,
    };

    hand_over_add(h, &legacy);
}

/* Lists what can be taken over: mostly there is nothing. Returns 0 or -ENOMEM. */
static int list_legacies(struct alert_plan *plan, const struct alerts *alerts, const struct verdict *verdict,
                         int64_t now_ms)
{
    struct hand_over *h = &plan->hand_over;
    size_t count = count_legacies(plan, alerts, verdict);

    if (count == 0)
        return 0;
    h->items = calloc(count, sizeof *h->items);
    plan->estates = calloc(verdict->count + 1, sizeof *plan->estates);
    if (!h->items || !plan->estates)
        return -ENOMEM;
    for (size_t i = 0; i < alerts->waiting.count; i++)
        hand_over_add(h, &alerts->waiting.items[i]);
    for (size_t i = 0; i < alerts->count; i++)
        if (leaves_legacy(plan, alerts, i))
            add_legacy(h, &alerts->items[i], i, false, now_ms);
    for (size_t i = 0; i < verdict->count; i++)
        if (lends_time(plan, alerts, verdict, i))
            add_legacy(h, &alerts->items[plan->told[i]], (size_t)plan->told[i], true, now_ms);
    hand_over_sort(h);
    return 0;
}

/* Room for the alerts that will begin, and for the series of all that may end.
 * Returns 0 or -ENOMEM. */
static int make_room(const struct alert_plan *plan, struct alerts *alerts)
{
    struct alert *items;

    if (ended_list_reserve(&alerts->ended, alerts->count + plan->fresh) < 0)
        return -ENOMEM;
    if (plan->fresh == 0)
        return 0;
    items = array_grow(alerts->items, &alerts->capacity, alerts->count + plan->fresh, sizeof *items);
    if (!items)
        return -ENOMEM;
    alerts->items = items;
    return 0;
}

/* A condition that begins always says by its transition what it took over from. */
static void hand_over(struct alert_plan *plan, const struct verdict *verdict)
{
    for (size_t i = 0; plan->estates && i < verdict->count; i++) {
        plan->estates[i] = hand_over_take(&plan->hand_over, &verdict->findings[i]);
        if (plan->told[i] == ALERT_PLAN_NEW)
            alert_plan_name(plan, &plan->estates[i]);
    }
}

int alert_plan_init(struct alert_plan *plan, struct alerts *alerts, const struct verdict *verdict,
                    int64_t now_ms)
{
    int r;

    *plan = (struct alert_plan){
        .ends = calloc(alerts->count + 1, sizeof *plan->ends),
        .named = calloc(alerts->count + 1, sizeof *plan->named),
        .told = calloc(verdict->count + 1, sizeof *plan->told),
    };
    if (!plan->ends || !plan->named || !plan->told)
        return -ENOMEM;
    find_alerts(plan, alerts, verdict);
    r = list_legacies(plan, alerts, verdict, now_ms);
    if (r == 0)
        r = make_room(plan, alerts);
    if (r == 0)
        hand_over(plan, verdict);
    return r;
}

const struct estate *alert_plan_estate(const struct alert_plan *plan, size_t finding)
{
    const struct estate *estate = plan->estates ? &plan->estates[finding] : NULL;

    return estate && estate->any ? estate : NULL;
}

void alert_plan_name(struct alert_plan *plan, const struct estate *estate)
{
    if (estate && estate->from && !estate->from->waited)
        plan->named[estate->from->alert] = true;
}

void alert_plan_done(struct alert_plan *plan)
{
    hand_over_done(&plan->hand_over);
    free(plan->estates);
    free(plan->told);
    free(plan->named);
    free(plan->ends);
}
