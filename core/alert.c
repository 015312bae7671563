#include "core/alert.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *alert_state_name(enum alert_state state)
{
    switch (state) {
    case ALERT_PENDING: return "pending";
    case ALERT_FIRING: return "firing";
    case ALERT_RESOLVED: return "resolved";
    }
    return "unknown";
}

static int compare_keys(const struct alert_key *a, const struct alert_key *b)
{
    int r = (int)a->rule - (int)b->rule;

    if (r == 0)
        r = strcmp(a->name, b->name);
    if (r == 0)
        r = (int)a->protocol - (int)b->protocol;
    if (r == 0)
        r = (int)a->has_port - (int)b->has_port;
    if (r == 0)
        r = (int)a->port - (int)b->port;
    if (r == 0)
        r = (int)a->has_endpoint - (int)b->has_endpoint;
    if (r == 0)
        r = (int)a->family - (int)b->family;
    if (r == 0)
        r = ip_addr_compare(&a->address, &b->address);
    return r != 0 ? r : strcmp(a->interface, b->interface);
}

static int compare_alerts(const void *a, const void *b)
{
    return compare_keys(&((const struct alert *)a)->key, &((const struct alert *)b)->key);
}

/* Whether the verdict could have found the alert's condition, had it been true. */
static bool could_be_seen(const struct verdict *verdict, const struct alert_key *key)
{
    if (key->rule == RULE_BLIND)
        return true;
    return key->has_endpoint ? verdict->complete[key->protocol] : verdict->seen[key->protocol];
}

static void refresh(struct alert *alert, const struct finding *finding)
{
    alert->severity = finding->severity;
    memcpy(alert->summary, finding->summary, sizeof alert->summary);
}

/* Lets a condition that is true now go on, and fire when its time has come. */
static void advance(struct alert *alert, const struct finding *finding, struct instant now, bool is_new,
                    alert_transition_fn *on_transition, void *arg)
{
    refresh(alert, finding);
    if (alert->state == ALERT_PENDING && now.mono_ms - alert->since.mono_ms >= finding->for_ms) {
        alert->state = ALERT_FIRING;
        on_transition(arg, alert, false);
    } else if (is_new) {
        on_transition(arg, alert, false);
    }
}

static int add_alert(struct alerts *alerts, const struct finding *finding, struct instant now,
                     alert_transition_fn *on_transition, void *arg)
{
    struct alert *items = array_grow(alerts->items, &alerts->capacity, alerts->count + 1, sizeof *items);
    struct alert *alert;

    if (!items)
        return -ENOMEM;
    alerts->items = items;
    alert = &alerts->items[alerts->count++];
    *alert = (struct alert){.key = finding->key, .state = ALERT_PENDING, .since = now};
    advance(alert, finding, now, true, on_transition, arg);
    return 0;
}

/* Removes the alerts that keep says nothing for. */
static void resolve(struct alerts *alerts, const bool *keep, alert_transition_fn *on_transition, void *arg)
{
    size_t kept = 0, count = alerts->count;

    for (size_t i = 0; i < count; i++) {
        struct alert *alert = &alerts->items[i];
        bool was_firing = alert->state == ALERT_FIRING;

        if (keep[i]) {
            alerts->items[kept++] = *alert;
            continue;
        }
        alert->state = ALERT_RESOLVED;
        on_transition(arg, alert, was_firing);
    }
    alerts->count = kept;
}

int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now,
                  alert_transition_fn *on_transition, void *arg)
{
    size_t known = alerts->count;
    bool *keep = calloc(known + 1, sizeof *keep);
    const struct finding **fresh = calloc(verdict->count + 1, sizeof(const struct finding *));
    size_t fresh_count = 0;
    int r = keep && fresh ? 0 : -ENOMEM;

    if (r < 0)
        goto out;
    /* items are sorted by key after each update, so that many alerts cost
     * little; the new ones are added only when the old ones are through. */
    for (size_t i = 0; i < verdict->count; i++) {
        const struct finding *finding = &verdict->findings[i];
        struct alert wanted = {.key = finding->key};
        struct alert *alert = NULL;

        if (known > 0)
            alert = bsearch(&wanted, alerts->items, known, sizeof wanted, compare_alerts);
        if (alert)
            keep[alert - alerts->items] = true;
        if (finding->undetermined)
            continue;
        if (alert)
            advance(alert, finding, now, false, on_transition, arg);
        else
            fresh[fresh_count++] = finding;
    }
    for (size_t i = 0; i < known; i++)
        keep[i] = keep[i] || !could_be_seen(verdict, &alerts->items[i].key);
    resolve(alerts, keep, on_transition, arg);
    for (size_t i = 0; r == 0 && i < fresh_count; i++)
        r = add_alert(alerts, fresh[i], now, on_transition, arg);
    if (alerts->count > 0)
        qsort(alerts->items, alerts->count, sizeof *alerts->items, compare_alerts);
out:
    free(fresh);
    free(keep);
    return r;
}

void alerts_forget(struct alerts *alerts, const struct policy *policy, alert_transition_fn *on_transition,
                   void *arg)
{
    bool *keep = calloc(alerts->count + 1, sizeof *keep);

    if (!keep)
        return; /* they resolve when their class is seen */
    for (size_t i = 0; i < alerts->count; i++)
        keep[i] = rules_can_produce(policy, &alerts->items[i].key);
    resolve(alerts, keep, on_transition, arg);
    free(keep);
}

void alerts_done(struct alerts *alerts)
{
    free(alerts->items);
    *alerts = (struct alerts){0};
}
