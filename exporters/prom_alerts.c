#include "exporters/prom_parts.h"

#include <stdlib.h>

/* Series of sockwatch_alert_firing that differ in their severity only. */
struct series {
    struct alert_series key;
    struct {
        bool there, firing, essential;
    } severities[SEVERITY_COUNT];
};

/* An expected service on one of its ports. */
struct service {
    struct alert_series key; /* but for the rule */
    enum severity severity;
    uint32_t rules; /* mask of 1 << rule: those that it uses */
};

/* Where a walk over the series is that are there whether anything fires or not,
 * in order. */
struct standing {
    const struct class_verdict *classes;
    const struct service *services; /* in order */
    size_t service_count;
    enum rule rule;
    size_t next; /* service, or class of Blind */
};

static int compare_services(const void *a, const void *b)
{
    return alert_series_compare(&((const struct service *)a)->key, &((const struct service *)b)->key);
}

/* Returns owned, in order; NULL when memory runs out. */
static struct service *sort_services(const struct view *view)
{
    const struct verdict *v = view->verdict;
    struct service *services = calloc(v->service_count + 1, sizeof *services);
    bool sorted = true;

    for (size_t i = 0; services && i < v->service_count; i++) {
        const struct service_verdict *s = &v->services[i];
        const struct expect *e = &view->policy->expects[s->expect];

        services[i] = (struct service){
            .key = alert_series_of_service((enum rule)0, e->name, s->protocol, s->port),
            .severity = e->severity,
            .rules = s->used,
        };
        sorted = sorted && (i == 0 || compare_services(&services[i - 1], &services[i]) <= 0);
    }
    if (!sorted)
        qsort(services, v->service_count, sizeof *services, compare_services);
    return services;
}

/* Fills in where the walk has come to. Returns false at its end. */
static bool standing_now(struct standing *s, struct alert_series *ret_key, enum severity *ret_severity)
{
    for (; s->rule != RULE_BLIND; s->rule++, s->next = 0) {
        for (; s->next < s->service_count; s->next++) {
            const struct service *service = &s->services[s->next];

            if (!(service->rules & 1u << s->rule))
                continue;
            *ret_key = service->key;
            ret_key->rule = s->rule;
            *ret_severity = service->severity;
            return true;
        }
    }
    for (; s->next < PROTOCOL_COUNT; s->next++) {
        if (!s->classes[s->next].needed)
            continue;
        *ret_key = (struct alert_series){.rule = RULE_BLIND, .name = "", .protocol = (enum protocol)s->next};
        *ret_severity = s->classes[s->next].severity;
        return true;
    }
    return false;
}

_Static_assert(RULE_BLIND == RULE_COUNT - 1, "the walk ends with the classes");

/* Takes the standing series of the key. */
static void take_standing(struct series *series, struct standing *standing)
{
    enum severity severity;
    struct alert_series key;

    while (standing_now(standing, &key, &severity) && alert_series_compare(&key, &series->key) == 0) {
        series->severities[severity].there = true;
        series->severities[severity].essential = true;
        standing->next++;
    }
}

/* Takes the alerts of the key from *index on. */
static void take_alerts(struct series *series, const struct alert_list *alerts, size_t *index)
{
    for (; *index < alerts->count; (*index)++) {
        const struct alert *a = &alerts->items[*index];
        const struct alert_series key = alert_series_of(&a->key);

        if (alert_series_compare(&key, &series->key) != 0)
            return;
        series->severities[a->severity].there = true;
        series->severities[a->severity].firing |= a->state == ALERT_FIRING;
    }
}

/* Takes the series that were 1 lately of the key from *index on. */
static void take_ended(struct series *series, const struct alert_list *alerts, size_t *index)
{
    for (; *index < alerts->ended_count; (*index)++) {
        const struct ended_series *ended = &alerts->ended[*index];
        const struct alert_series key = alert_series_of_ended(ended);

        if (alert_series_compare(&key, &series->key) != 0)
            return;
        series->severities[ended->severity].there = true;
    }
}

static void series_samples(struct prom *p, const struct series *s)
{
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        if (!s->severities[severity].there)
            continue;
        if (s->severities[severity].essential)
            exposition_begin_essential(&p->x);
        else if (!exposition_begin(&p->x))
            continue;
        exposition_label(&p->x, "rule", rule_name(s->key.rule));
        exposition_label(&p->x, "name", s->key.name);
        exposition_label(&p->x, "protocol", protocol_name(s->key.protocol));
        if (s->key.has_port)
            exposition_label_number(&p->x, "port", s->key.port);
        else
            exposition_label(&p->x, "port", "");
        exposition_label(&p->x, "severity", severity_name((enum severity)severity));
        exposition_count(&p->x, s->severities[severity].firing);
    }
}

/* Where a walk over all series is: what stands, what is, what was lately. */
struct walk {
    struct standing standing;
    const struct alert_list *alerts;
    size_t next_alert, next_ended;
};

/* Makes key the first of the two. */
static void take_first(struct alert_series *key, bool *any, const struct alert_series *other)
{
    if (!*any || alert_series_compare(other, key) < 0)
        *key = *other;
    *any = true;
}

/* Finds the series that comes next. Returns false at the end. */
static bool walk_now(struct walk *w, struct alert_series *ret)
{
    enum severity severity;
    bool any = standing_now(&w->standing, ret, &severity);

    if (w->next_alert < w->alerts->count) {
        const struct alert_series key = alert_series_of(&w->alerts->items[w->next_alert].key);

        take_first(ret, &any, &key);
    }
    if (w->next_ended < w->alerts->ended_count) {
        const struct alert_series key = alert_series_of_ended(&w->alerts->ended[w->next_ended]);

        take_first(ret, &any, &key);
    }
    return any;
}

void prom_render_alert_firing(struct prom *p)
{
    struct service *services = sort_services(p->view);
    struct walk walk = {.standing = {.classes = p->view->verdict->classes,
                                     .services = services,
                                     .service_count = p->view->verdict->service_count},
                        .alerts = p->view->alerts};
    struct alert_series key;

    if (!services) {
        p->x.out->failed = true;
        return;
    }
    while (walk_now(&walk, &key)) {
        struct series series = {.key = key};

        take_standing(&series, &walk.standing);
        take_alerts(&series, walk.alerts, &walk.next_alert);
        take_ended(&series, walk.alerts, &walk.next_ended);
        series_samples(p, &series);
    }
    free(services);
}

/* All of them from the start, so that the first one is seen as an increase. One
 * look has counted nothing. */
void prom_render_alerts_fired(struct prom *p)
{
    for (int rule = 0; p->view->has_history && rule < RULE_COUNT; rule++) {
        for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
            exposition_begin_essential(&p->x);
            exposition_label(&p->x, "rule", rule_name((enum rule)rule));
            exposition_label(&p->x, "severity", severity_name((enum severity)severity));
            exposition_count(&p->x, p->view->alerts->fired[rule][severity]);
        }
    }
}

void prom_render_alerts(struct prom *p)
{
    uint64_t counts[SEVERITY_COUNT][2] = {{0}};

    for (size_t i = 0; i < p->view->alerts->count; i++) {
        const struct alert *a = &p->view->alerts->items[i];

        counts[a->severity][a->state == ALERT_FIRING]++;
    }
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        for (int firing = 0; firing < 2; firing++) {
            exposition_begin_essential(&p->x);
            exposition_label(&p->x, "severity", severity_name((enum severity)severity));
            exposition_label(&p->x, "state", alert_state_name(firing ? ALERT_FIRING : ALERT_PENDING));
            exposition_count(&p->x, counts[severity][firing]);
        }
    }
}
