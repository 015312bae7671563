#include "daemon/tell.h"
#include "core/err.h"
#include "core/text.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A limit that has cut nothing for so long is told anew when it does. */
#define DROPPED_QUIET_MS INT64_C(60000)

/* What a line takes beside its text: a name or a priority, and its end. */
enum { LINE_EXTRA_BYTES = 12 };

void tell_limit(struct told *told, const struct limits *limits)
{
    told->lines_max = limits->log_lines;
}

/* A line that no allowance cuts: there is one a minute of each kind. */
static void end_minute(struct told *told, enum told_kind kind, int64_t now_ms)
{
    static const char *const about[TOLD_KIND_COUNT] = {
        [TOLD_OTHERS] = " about listeners that no expect entry is about",
        [TOLD_OWN] = "",
    };
    uint64_t left_out = allowance_end_minute(&told->allowances[kind], now_ms);

    if (left_out > 0)
        log_write(LOG_WARNING, "%llu lines%s were left out in the last minute (limits.log_lines = %lld)",
                  (unsigned long long)left_out, about[kind], (long long)told->lines_max);
}

uint64_t tell_left_out(struct told *told, int64_t now_ms)
{
    for (int kind = 0; kind < TOLD_KIND_COUNT; kind++)
        end_minute(told, (enum told_kind)kind, now_ms);
    return told->left_out;
}

/* Writes a line, unless its allowance is used up. */
__attribute__((format(printf, 5, 6))) static void tell(struct told *told, enum told_kind kind, int64_t now_ms,
                                                       int priority, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    va_start(args, format);
    text_vformat(line, sizeof line, format, args); /* cut on purpose */
    va_end(args);
    end_minute(told, kind, now_ms);
    if (allowance_take(&told->allowances[kind], told->lines_max, strlen(line) + LINE_EXTRA_BYTES, now_ms))
        log_write(priority, "%s", line);
    else
        told->left_out++;
}

static void tell_lines(struct told *told, int priority, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");

        tell(told, TOLD_OWN, clock_now().mono_ms, priority, "%.*s", length, text);
        text += length + (text[length] == '\n');
    }
}

void tell_transition(void *arg, const struct transition *t)
{
    const struct alert *alert = t->alert;
    const char *rule = rule_name(alert->key.rule), *severity = severity_name(alert->severity);
    bool is_own = *alert->key.name || alert->key.rule == RULE_BLIND;
    enum told_kind kind = is_own ? TOLD_OWN : TOLD_OTHERS;
    int64_t now_ms = t->at.mono_ms;

    switch (alert->state) {
    case ALERT_PENDING:
        tell(arg, kind, now_ms, LOG_INFO, "alert %s pending, %s: %s", rule, severity, alert->summary);
        break;
    case ALERT_FIRING:
        tell(arg, kind, now_ms, alert->severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING,
             "alert %s firing, %s: %s", rule, severity, alert->summary);
        break;
    case ALERT_RESOLVED:
        tell(arg, kind, now_ms, LOG_NOTICE, "alert %s resolved%s, %s, was: %s", rule,
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
        tell(told, TOLD_OWN, clock_now().mono_ms, LOG_NOTICE, "%s: sockets can be read again",
             protocol_name(protocol));
    buf_init(&text);
    cycle_describe_class(cycle, protocol, &text);
    tell_lines(told, now->visibility == VISIBILITY_ABSENT ? LOG_NOTICE : LOG_WARNING, buf_text(&text));
    buf_done(&text);
}

void tell_visibility(struct told *told, const struct cycle *cycle)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        tell_class(told, cycle, (enum protocol)i);
    if (cycle->host.caveats.route_localnet && !told->route_localnet)
        tell_lines(told, LOG_WARNING, CYCLE_ROUTE_LOCALNET_TEXT);
    told->route_localnet = cycle->host.caveats.route_localnet;
}

void tell_failure(struct told *told, int error)
{
    if (error < 0 && error != told->last_error)
        tell(told, TOLD_OWN, clock_now().mono_ms, LOG_ERR, "poll failed: %s; showing what was known before",
             err_str(error));
    told->last_error = error;
}

/* The keys of the limits that leave something out. Lines that were left out are
 * told by themselves. */
static const char *const limit_keys[DROPPED_COUNT] = {
    [DROPPED_LISTENERS] = "limits.listeners or limits.listeners_per_port",
    [DROPPED_MEMBERS] = "limits.members",
    [DROPPED_HOLDERS] = "limits.holders",
    [DROPPED_HISTORY] = "limits.history",
    [DROPPED_ALERTS] = "limits.alerts",
    [DROPPED_PAGE_ROWS] = "limits.page_rows",
};

void tell_dropped(struct told *told, const uint64_t dropped[static DROPPED_COUNT], int64_t now_ms)
{
    for (int what = 0; what < DROPPED_COUNT; what++) {
        bool is_more = dropped[what] > told->dropped[what].count;
        bool is_new = is_more && now_ms >= told->dropped[what].until_ms;

        if (is_more)
            told->dropped[what].until_ms = now_ms + DROPPED_QUIET_MS;
        if (is_new && limit_keys[what])
            tell(told, TOLD_OWN, now_ms, LOG_WARNING,
                 "%s is reached: what goes beyond it is left out and counted in "
                 "sockwatch_dropped_total{what=\"%s\"}",
                 limit_keys[what], dropped_name((enum dropped)what));
        told->dropped[what].count = dropped[what];
    }
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
