#include "core/alert.h"
#include "core/array.h"
#include "core/transition.h"

#include <errno.h>
#include <stdio.h>
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

struct alert_series alert_series_of(const struct alert_key *key)
{
    return (struct alert_series){key->rule, key->name, key->protocol, key->has_port, key->port};
}

int alert_series_compare(const struct alert_series *a, const struct alert_series *b)
{
    int r = (int)a->rule - (int)b->rule;

    if (r == 0)
        r = strcmp(a->name, b->name);
    if (r == 0)
        r = (int)a->protocol - (int)b->protocol;
    if (r == 0)
        r = (int)a->has_port - (int)b->has_port;
    return r != 0 ? r : (int)a->port - (int)b->port;
}

static int compare_keys(const struct alert_key *a, const struct alert_key *b)
{
    const struct alert_series x = alert_series_of(a), y = alert_series_of(b);
    int r = alert_series_compare(&x, &y);

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
    return key->has_endpoint ? verdict->classes[key->protocol].complete
                             : verdict->classes[key->protocol].seen;
}

/* What changes while an update is under way. */
struct update {
    struct alerts *alerts;
    struct instant now;
    bool ignore_for;
    const struct subscribers *to;
};

/* Takes over what may differ from the last time. Returns whether it did. */
static bool refresh(struct alert *alert, const struct finding *finding)
{
    if (alert->severity == finding->severity && strcmp(alert->summary, finding->summary) == 0)
        return false;
    alert->severity = finding->severity;
    memcpy(alert->summary, finding->summary, sizeof alert->summary);
    return true;
}

/* When a condition that is true now may fire at the earliest. What must be
 * true at the next poll, too, is not yet in the millisecond of this one. */
static int64_t due_ms(const struct update *u, const struct alert *alert, const struct finding *finding)
{
    if (u->ignore_for)
        return u->now.mono_ms;
    if (finding->confirm && finding->for_ms == 0)
        return alert->since.mono_ms + 1;
    return alert->since.mono_ms + finding->for_ms;
}

/* Lets a condition that is true now go on, and fire when its time has come. */
static void advance(struct update *u, struct alert *alert, const struct finding *finding, bool is_new)
{
    enum alert_state before = is_new ? ALERT_RESOLVED : alert->state;
    int64_t due = due_ms(u, alert, finding);
    bool changed = refresh(alert, finding);

    if (alert->state == ALERT_PENDING && u->now.mono_ms >= due)
        alert->state = ALERT_FIRING;
    else if (alert->state == ALERT_PENDING && due < u->alerts->due_ms)
        u->alerts->due_ms = due;
    if (alert->state != before)
        subscribers_tell(u->to, alert, before, u->now);
    u->alerts->changes += changed || alert->state != before;
}

/* There is memory for it. */
static void add_alert(struct update *u, const struct finding *finding)
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
    advance(u, alert, finding, true);
}

/* Moves an alert that stays behind those that do, and resolves any other. */
static void settle(struct update *u, struct alert *alert, bool stays, size_t *kept)
{
    enum alert_state before = alert->state;

    if (stays) {
        u->alerts->items[(*kept)++] = *alert;
        return;
    }
    alert->state = ALERT_RESOLVED;
    u->alerts->changes++;
    u->alerts->about_listeners -= alert->key.has_endpoint;
    subscribers_tell(u->to, alert, before, u->now);
}

bool alerts_know(const struct alerts *alerts, const struct alert_key *key)
{
    const struct alert wanted = {.key = *key};

    return alerts->count > 0 && bsearch(&wanted, alerts->items, alerts->count, sizeof wanted, compare_alerts);
}

enum { NEW = -1 };

/* What is to become of the alerts, before anything of it is done. */
struct plan {
    bool *found;     /* per alert: there is a finding about it */
    ptrdiff_t *told; /* per finding: index of its alert, or NEW */
    size_t fresh;    /* alerts that will begin */
};

/* Fills a plan that has its arrays. */
static void plan_fill(struct plan *plan, const struct alerts *alerts, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++) {
        const struct alert wanted = {.key = verdict->findings[i].key};
        const struct alert *alert = NULL;

        /* The alerts are sorted after each update, so that many cost little. */
        if (alerts->count > 0)
            alert = bsearch(&wanted, alerts->items, alerts->count, sizeof wanted, compare_alerts);
        plan->told[i] = alert ? alert - alerts->items : NEW;
        if (alert)
            plan->found[plan->told[i]] = true;
        plan->fresh += !alert && !verdict->findings[i].undetermined;
    }
}

/* Makes the plan, and room for the alerts that will begin: nothing after it can
 * fail. Returns 0 or -ENOMEM; a plan is done away with in either case. */
static int plan_init(struct plan *plan, struct alerts *alerts, const struct verdict *verdict)
{
    struct alert *items;

    *plan = (struct plan){
        .found = calloc(alerts->count + 1, sizeof *plan->found),
        .told = calloc(verdict->count + 1, sizeof *plan->told),
    };
    if (!plan->found || !plan->told)
        return -ENOMEM;
    plan_fill(plan, alerts, verdict);
    if (plan->fresh == 0)
        return 0;
    items = array_grow(alerts->items, &alerts->capacity, alerts->count + plan->fresh, sizeof *items);
    if (!items)
        return -ENOMEM;
    alerts->items = items;
    return 0;
}

static void plan_done(struct plan *plan)
{
    free(plan->told);
    free(plan->found);
}

/* The alerts that are there go on or resolve, and only then new ones come. */
static void apply(struct update *u, const struct verdict *verdict, const struct plan *plan)
{
    struct alerts *alerts = u->alerts;
    size_t kept = 0;

    alerts->due_ms = INT64_MAX;
    for (size_t i = 0; i < verdict->count; i++)
        if (plan->told[i] != NEW && !verdict->findings[i].undetermined)
            advance(u, &alerts->items[plan->told[i]], &verdict->findings[i], false);
    for (size_t i = 0; i < alerts->count; i++)
        settle(u, &alerts->items[i], plan->found[i] || !could_be_seen(verdict, &alerts->items[i].key), &kept);
    alerts->count = kept;
    for (size_t i = 0; i < verdict->count; i++)
        if (plan->told[i] == NEW && !verdict->findings[i].undetermined)
            add_alert(u, &verdict->findings[i]);
    if (alerts->count > 0)
        qsort(alerts->items, alerts->count, sizeof *alerts->items, compare_alerts);
}

int alerts_update(struct alerts *alerts, const struct verdict *verdict, struct instant now, bool ignore_for,
                  const struct subscribers *to)
{
    struct update u = {.alerts = alerts, .now = now, .ignore_for = ignore_for, .to = to};
    struct plan plan;
    int r = plan_init(&plan, alerts, verdict);

    if (r == 0)
        apply(&u, verdict, &plan);
    else
        alerts->due_ms = now.mono_ms; /* as soon as possible */
    plan_done(&plan);
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

    for (size_t i = 0; i < alerts->count; i++)
        settle(&u, &alerts->items[i], rules_can_produce(policy, &alerts->items[i].key), &kept);
    alerts->count = kept;
}

void alerts_done(struct alerts *alerts)
{
    free(alerts->items);
    *alerts = (struct alerts){0};
}

const struct alert_list *alerts_seal(const struct alerts *alerts)
{
    struct alert_list *list = calloc(1, sizeof *list + alerts->count * sizeof list->items[0]);

    if (!list)
        return NULL;
    ref_init(&list->ref);
    list->count = alerts->count;
    if (alerts->count > 0)
        memcpy(list->items, alerts->items, alerts->count * sizeof list->items[0]);
    return list;
}

const struct alert_list *alert_list_ref(const struct alert_list *list)
{
    ref_take(&list->ref);
    return list;
}

void alert_list_unref(const struct alert_list *list)
{
    if (list && ref_drop(&list->ref))
        free(ref_unseal(list));
}

static char *add_label(struct alert_labels *labels, const char *name)
{
    struct alert_label *label = &labels->items[labels->count++];

    label->name = name;
    return label->value;
}

static void add_text(struct alert_labels *labels, const char *name, const char *value)
{
    (void)snprintf(add_label(labels, name), sizeof labels->items[0].value, "%s", value); /* it fits */
}

void alert_labels(const struct alert *a, struct alert_labels *ret)
{
    ret->count = 0;
    add_text(ret, "rule", rule_name(a->key.rule));
    add_text(ret, "name", a->key.name);
    add_text(ret, "protocol", protocol_name(a->key.protocol));
    add_text(ret, "severity", severity_name(a->severity));
    if (a->key.has_port)
        (void)snprintf(add_label(ret, "port"), sizeof ret->items[0].value, "%u", a->key.port);
    if (a->key.has_endpoint) {
        add_text(ret, "family", family_name(a->key.family));
        ip_addr_format(&a->key.address, add_label(ret, "address"));
    }
    if (*a->key.interface)
        add_text(ret, "interface", a->key.interface);
}
