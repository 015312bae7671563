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

/* Whose lines they are, as a subject. */
static const char *subject_of(int rule)
{
    return rule == TOLD_NO_RULE ? "sockwatch" : rule_name((enum rule)rule);
}

/* Lines that no allowance cuts: there is one a minute of each. */
static void end_minute(struct told *told, enum told_kind kind, int64_t now_ms)
{
    struct told_lines *lines = &told->kinds[kind];

    (void)allowance_end_minute(&lines->bytes, now_ms); /* what it left out was counted by rule */
    for (int rule = 0; rule <= TOLD_NO_RULE; rule++) {
        uint64_t left_out = allowance_end_minute(&lines->rules[rule], now_ms);
        bool is_expected = kind == TOLD_OWN && rule != RULE_BLIND && rule != TOLD_NO_RULE;

        if (left_out > 0)
            log_write(LOG_WARNING, "%s: %llu more%s in the last minute (limits.log_lines = %lld)",
                      subject_of(rule), (unsigned long long)left_out,
                      is_expected ? " about expected services" : "", (long long)told->lines_max);
    }
}

uint64_t tell_left_out(struct told *told, int64_t now_ms)
{
    for (int kind = 0; kind < TOLD_KIND_COUNT; kind++)
        end_minute(told, (enum told_kind)kind, now_ms);
    return told->left_out;
}

/* Whether a line may be written now; otherwise it was counted. */
static bool may_tell(struct told *told, enum told_kind kind, enum rule rule, size_t bytes, int64_t now_ms)
{
    struct told_lines *lines = &told->kinds[kind];

    end_minute(told, kind, now_ms);
    if (!allowance_take(&lines->rules[rule], told->lines_max, bytes, now_ms)) {
        told->left_out++;
        return false;
    }
    if (allowance_take(&lines->bytes, INT64_MAX, bytes, now_ms))
        return true;
    lines->rules[rule].left_out++;
    told->left_out++;
    return false;
}

/* Writes a line, unless its allowance is used up or nobody wants it. */
__attribute__((format(printf, 6, 7))) static void tell(struct told *told, enum told_kind kind, enum rule rule,
                                                       int64_t now_ms, int priority, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (!log_wants(priority))
        return;
    va_start(args, format);
    text_vformat(line, sizeof line, format, args); /* cut on purpose */
    va_end(args);
    if (may_tell(told, kind, rule, strlen(line) + LINE_EXTRA_BYTES, now_ms))
        log_write(priority, "%s", line);
}

static void tell_lines(struct told *told, int priority, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");

        tell(told, TOLD_OWN, TOLD_NO_RULE, clock_now().mono_ms, priority, "%.*s", length, text);
        text += length + (text[length] == '\n');
    }
}

static int firing_priority(enum severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL: return LOG_ERR;
    case SEVERITY_WARNING: return LOG_WARNING;
    case SEVERITY_INFO:
    case SEVERITY_COUNT: break;
    }
    return LOG_NOTICE;
}

/* What never fired is no news to anybody who was not told that it might. */
static int priority_of(const struct transition *t)
{
    switch (t->alert->state) {
    case ALERT_PENDING: break;
    case ALERT_FIRING: return firing_priority(t->alert->severity);
    case ALERT_RESOLVED: return t->before == ALERT_FIRING ? LOG_NOTICE : LOG_DEBUG;
    }
    return LOG_DEBUG;
}

/* "pending, critical: ", "resolved, warning, was: ", "firing, critical: mysql:
 * LoopbackOnly became NotListening: ". */
static void describe_change(const struct transition *t, struct buf *out)
{
    const struct alert *alert = t->alert;

    buf_str(out, alert_state_name(alert->state));
    if (alert->state == ALERT_RESOLVED && t->before != ALERT_FIRING)
        buf_str(out, " before it fired");
    buf_str(out, ", ");
    buf_str(out, severity_name(alert->severity));
    if (alert->state == ALERT_RESOLVED)
        buf_str(out, ", was");
    buf_str(out, ": ");
    if (t->from)
        buf_fmt(out, "%s: %s became %s: ", alert->key.name, rule_name(t->from->rule),
                rule_name(alert->key.rule));
}

/* The summary of what took over from something is not told its name twice. */
static const char *summary_of(const struct transition *t)
{
    const struct alert *alert = t->alert;
    size_t length = strlen(alert->key.name);

    return t->from && strncmp(alert->summary, alert->key.name, length) == 0 &&
                   strncmp(alert->summary + length, ": ", 2) == 0
               ? alert->summary + length + 2
               : alert->summary;
}

void tell_transition(void *arg, const struct transition *t)
{
    const struct alert_key *key = &t->alert->key;
    bool is_own = *key->name || key->rule == RULE_BLIND;
    int priority = priority_of(t);
    struct buf change;

    if (t->is_handed_over || !log_wants(priority))
        return;
    buf_init(&change);
    describe_change(t, &change);
    tell(arg, is_own ? TOLD_OWN : TOLD_OTHERS, key->rule, t->at.mono_ms, priority, "alert %s %s%s",
         rule_name(key->rule), buf_text(&change), summary_of(t));
    buf_done(&change);
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
        tell(told, TOLD_OWN, TOLD_NO_RULE, clock_now().mono_ms, LOG_NOTICE, "%s: sockets can be read again",
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
        tell(told, TOLD_OWN, TOLD_NO_RULE, clock_now().mono_ms, LOG_ERR,
             "poll failed: %s; showing what was known before", err_str(error));
    told->last_error = error;
}

void tell_probes(struct told *told, const struct cycle *cycle)
{
    const struct status *status = &cycle->status;
    int error = 0;

    for (size_t i = 0; i < status->run_count; i++)
        if (status->runs[i].poll == POLL_COUNT) /* which are the probes alone */
            error = status->runs[i].error;
    if ((error < 0) != (told->probe_error < 0)) {
        if (error < 0)
            tell(told, TOLD_OWN, TOLD_NO_RULE, clock_now().mono_ms, LOG_WARNING,
                 "probes: some cannot be made: %s; nothing is concluded from those", err_str(error));
        else
            tell(told, TOLD_OWN, TOLD_NO_RULE, clock_now().mono_ms, LOG_NOTICE,
                 "probes: all can be made again");
    }
    told->probe_error = error;
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
    [DROPPED_PROBES] = "the limit of probes at a time",
};

void tell_dropped(struct told *told, const uint64_t dropped[static DROPPED_COUNT], int64_t now_ms)
{
    for (int what = 0; what < DROPPED_COUNT; what++) {
        bool is_more = dropped[what] > told->dropped[what].count;
        bool is_new = is_more && now_ms >= told->dropped[what].until_ms;

        if (is_more)
            told->dropped[what].until_ms = now_ms + DROPPED_QUIET_MS;
        if (is_new && limit_keys[what])
            tell(told, TOLD_OWN, TOLD_NO_RULE, now_ms, LOG_WARNING,
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
