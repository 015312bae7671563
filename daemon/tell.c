#include "daemon/tell.h"
#include "daemon/log.h"
#include "daemon/notify.h"

#include <stdio.h>
#include <string.h>

void tell_transition(void *arg, const struct transition *t)
{
    const struct alert *alert = t->alert;
    const char *rule = rule_name(alert->key.rule), *severity = severity_name(alert->severity);

    (void)arg;
    switch (alert->state) {
    case ALERT_PENDING:
        log_write(LOG_INFO, "alert %s pending, %s: %s", rule, severity, alert->summary);
        break;
    case ALERT_FIRING:
        log_write(alert->severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING, "alert %s firing, %s: %s",
                  rule, severity, alert->summary);
        break;
    case ALERT_RESOLVED:
        log_write(LOG_NOTICE, "alert %s resolved%s, %s, was: %s", rule,
                  t->before == ALERT_FIRING ? "" : " before it fired", severity, alert->summary);
        break;
    }
}

/* Says once what of a class cannot be read, and once that it can again. */
static void tell_class(struct told *told, const struct cycle *cycle, enum protocol protocol)
{
    const struct class_view *now = listener_table_class(cycle->host.listeners, protocol);
    enum visibility before = told->visibility[protocol];
    bool newly_cut = now->unread > 0 && !told->cut[protocol];
    struct buf text;

    told->visibility[protocol] = now->visibility;
    told->cut[protocol] = now->unread > 0;
    if (now->visibility == before && !newly_cut)
        return;
    if (now->visibility == VISIBILITY_OK && before != VISIBILITY_OK && before != VISIBILITY_UNKNOWN)
        log_write(LOG_NOTICE, "%s: sockets can be read again", protocol_name(protocol));
    buf_init(&text);
    cycle_describe_class(cycle, protocol, &text);
    log_lines(now->visibility == VISIBILITY_ABSENT ? LOG_NOTICE : LOG_WARNING, buf_text(&text));
    buf_done(&text);
}

void tell_visibility(struct told *told, const struct cycle *cycle)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        tell_class(told, cycle, (enum protocol)i);
    if (cycle->host.caveats.route_localnet && !told->route_localnet)
        log_write(LOG_WARNING, "%s", CYCLE_ROUTE_LOCALNET_TEXT);
    told->route_localnet = cycle->host.caveats.route_localnet;
}

void tell_status(struct told *told, const struct cycle *cycle, size_t expected)
{
    char status[sizeof told->status];
    unsigned long long listeners = listener_table_total(cycle->host.listeners);
    size_t firing = 0;

    for (size_t i = 0; i < cycle->alerts.count; i++)
        firing += cycle->alerts.items[i].state == ALERT_FIRING;
    (void)snprintf(status, sizeof status, "%llu listeners, %zu expected services, %zu alerts firing",
                   listeners, expected, firing);
    if (strcmp(status, told->status) == 0)
        return;
    memcpy(told->status, status, sizeof told->status);
    notify_status(status);
}
