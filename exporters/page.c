#include "exporters/page.h"
#include "exporters/expected.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>sockwatch</title>\n"
    "<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;"
    "background:#fff}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #d0d7de;vertical-align:top}\n"
    "a{color:#0550ae}\n"
    "</style>\n</head>\n<body>\n<main>\n<h1>sockwatch</h1>\n";

static const char links[] =
    "<h2>Endpoints</h2>\n<ul>\n"
    "<li><a href=\"/metrics\">/metrics</a>: Prometheus metrics</li>\n"
    "<li><a href=\"/api/v1/listeners\">/api/v1/listeners</a>: every listener, as JSON</li>\n"
    "<li><a href=\"/-/healthy\">/-/healthy</a>: the process answers</li>\n"
    "<li><a href=\"/-/ready\">/-/ready</a>: a poll has completed and is not stale</li>\n"
    "</ul>\n";

/* As an entity, or NULL for a character that stands for itself. */
static const char *entity_of(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    default: return NULL;
    }
}

static void escaped(struct buf *out, const char *text)
{
    const char *run = text;

    for (; *text; text++) {
        const char *entity = entity_of(*text);

        if (!entity)
            continue;
        buf_add(out, run, (size_t)(text - run));
        buf_str(out, entity);
        run = text + 1;
    }
    buf_add(out, run, (size_t)(text - run));
}

static void cell(struct buf *out, const char *text)
{
    buf_str(out, "<td>");
    escaped(out, text);
    buf_str(out, "</td>");
}

static uint64_t count_of(const struct listener_totals *totals, enum protocol protocol)
{
    uint64_t count = 0;

    for (size_t scope = 0; scope < SCOPE_COUNT; scope++)
        count += totals->scopes[protocol][scope];
    return count;
}

static void render_numbers(const struct view *view, struct buf *out)
{
    const struct listener_totals *totals = view_totals(view);

    buf_str(out, "<h2>Listeners</h2>\n<table>\n<tr><th scope=\"col\">Protocol</th>"
                 "<th scope=\"col\">Listeners</th></tr>\n");
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        if (view_class(view, (enum protocol)protocol)->visibility == VISIBILITY_ABSENT)
            continue;
        buf_str(out, "<tr>");
        cell(out, protocol_name((enum protocol)protocol));
        buf_str(out, "<td>");
        if (totals->known[protocol])
            buf_u64(out, count_of(totals, (enum protocol)protocol));
        else
            buf_str(out, "cannot be read on this host");
        buf_str(out, "</td></tr>\n");
    }
    buf_str(out, "</table>\n");
}

/* How many rows of one table are too many. */
static size_t cut_of(size_t rows, const struct limits *limits)
{
    size_t most = (size_t)limits->page_rows;

    return rows > most ? rows - most : 0;
}

size_t page_rows_cut(const struct alert_list *alerts, const struct verdict *verdict,
                     const struct limits *limits)
{
    return cut_of(alerts->count, limits) + cut_of(verdict->service_count, limits);
}

/* What fires comes first, then what is critical, then what an expect entry is
 * about; otherwise the order stays. */
static int compare_badness(const void *a, const void *b)
{
    const struct alert *x = *(const struct alert *const *)a, *y = *(const struct alert *const *)b;

    if (x->state != y->state)
        return x->state == ALERT_FIRING ? -1 : 1;
    if (x->severity != y->severity)
        return (int)y->severity - (int)x->severity;
    if (!*x->key.name != !*y->key.name)
        return *x->key.name ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Returns owned, the worst first; NULL when memory runs out. */
static const struct alert **sort_alerts(const struct alert_list *alerts)
{
    const struct alert **sorted = calloc(alerts->count, sizeof(const struct alert *));

    for (size_t i = 0; sorted && i < alerts->count; i++)
        sorted[i] = &alerts->items[i];
    if (sorted)
        qsort(sorted, alerts->count, sizeof(const struct alert *), compare_badness);
    return sorted;
}

static void render_alert(const struct alert *a, struct buf *out)
{
    buf_str(out, "<tr>");
    cell(out, alert_state_name(a->state));
    cell(out, severity_name(a->severity));
    cell(out, rule_name(a->key.rule));
    cell(out, a->summary);
    buf_str(out, "</tr>\n");
}

static void render_cut(size_t cut, const struct limits *limits, struct buf *out)
{
    if (cut == 0)
        return;
    buf_str(out, "<p>");
    buf_u64(out, cut);
    buf_str(out, " more are not shown (limits.page_rows = ");
    buf_u64(out, (uint64_t)limits->page_rows);
    buf_str(out, ").</p>\n");
}

static void render_alerts(const struct view *view, struct buf *out)
{
    size_t cut = cut_of(view->alerts->count, &view->limits);
    const struct alert **sorted;

    buf_str(out, "<h2>Alerts</h2>\n");
    if (view->alerts->count == 0) {
        buf_str(out, "<p>None.</p>\n");
        return;
    }
    sorted = sort_alerts(view->alerts);
    if (!sorted) {
        out->failed = true;
        return;
    }
    buf_str(out, "<table>\n<tr><th scope=\"col\">State</th><th scope=\"col\">Severity</th>"
                 "<th scope=\"col\">Rule</th><th scope=\"col\">What</th></tr>\n");
    for (size_t i = 0; i < view->alerts->count - cut; i++)
        render_alert(sorted[i], out);
    buf_str(out, "</table>\n");
    render_cut(cut, &view->limits, out);
    free(sorted);
}

static void render_rules(uint32_t mask, struct buf *out)
{
    bool first = true;

    buf_str(out, "<td>");
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (!(mask & 1u << rule))
            continue;
        buf_str(out, first ? "" : ", ");
        buf_str(out, rule_name((enum rule)rule));
        first = false;
    }
    buf_str(out, "</td>");
}

/* To the second: a page is rendered once for all who look before the next poll. */
static void render_since(int64_t since_ms, struct buf *out)
{
    time_t seconds = (time_t)(since_ms / 1000);
    char text[40] = "";
    struct tm parts;

    if (since_ms != VIEW_SINCE_UNKNOWN && gmtime_r(&seconds, &parts))
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts); /* a year of five digits fits */
    cell(out, text);
}

/* A path may have characters that mean something here. */
static void render_place(const struct expected *e, struct buf *out)
{
    if (e->entry->match.path) {
        cell(out, e->entry->match.path);
        return;
    }
    buf_str(out, "<td>");
    buf_u64(out, e->port);
    buf_str(out, "</td>");
}

static void render_service(const struct expected *e, struct buf *out)
{
    buf_str(out, "<tr>");
    cell(out, expected_status_name(e->status));
    cell(out, e->entry->name);
    cell(out, protocol_name(e->protocol));
    render_place(e, out);
    render_since(e->since_ms, out);
    render_rules(e->broken, out);
    buf_str(out, "</tr>\n");
}

static void render_expected(const struct view *view, struct buf *out)
{
    size_t *indexes, count, cut;

    buf_str(out, "<h2>Expected services</h2>\n");
    if (expected_sort(view, &indexes, &count) < 0) {
        out->failed = true;
        return;
    }
    cut = cut_of(count, &view->limits);
    buf_str(out, count > 0 ? "<table>\n<tr><th scope=\"col\">Status</th><th scope=\"col\">Name</th>"
                             "<th scope=\"col\">Protocol</th><th scope=\"col\">Port</th>"
                             "<th scope=\"col\">Since</th><th scope=\"col\">Rules</th></tr>\n"
                           : "<p>None.</p>\n");
    for (size_t i = 0; i < count - cut; i++) {
        struct expected e = expected_at(view, indexes[i]);

        render_service(&e, out);
    }
    if (count > 0)
        buf_str(out, "</table>\n");
    render_cut(cut, &view->limits, out);
    free(indexes);
}

void page_render(const struct view *view, struct buf *out)
{
    buf_str(out, head);
    buf_str(out, "<p>Version ");
    escaped(out, view->version);
    buf_str(out, ". ");
    buf_u64(out, view->policy->expect_count);
    buf_str(out, view->policy->expect_count == 1 ? " expected service.</p>\n" : " expected services.</p>\n");
    render_expected(view, out);
    render_alerts(view, out);
    render_numbers(view, out);
    buf_str(out, links);
    buf_str(out, "</main>\n</body>\n</html>\n");
}
