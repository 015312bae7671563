#include "exporters/page.h"

#include <string.h>

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

static void render_alerts(const struct view *view, struct buf *out)
{
    buf_str(out, "<h2>Alerts</h2>\n");
    if (view->alerts->count == 0) {
        buf_str(out, "<p>None.</p>\n");
        return;
    }
    buf_str(out, "<table>\n<tr><th scope=\"col\">State</th><th scope=\"col\">Severity</th>"
                 "<th scope=\"col\">Rule</th><th scope=\"col\">What</th></tr>\n");
    for (size_t i = 0; i < view->alerts->count; i++) {
        const struct alert *a = &view->alerts->items[i];

        buf_str(out, "<tr>");
        cell(out, alert_state_name(a->state));
        cell(out, severity_name(a->severity));
        cell(out, rule_name(a->key.rule));
        cell(out, a->summary);
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</table>\n");
}

void page_render(const struct view *view, struct buf *out)
{
    buf_str(out, head);
    buf_str(out, "<p>Version ");
    escaped(out, view->version);
    buf_str(out, ". ");
    buf_u64(out, view->policy->expect_count);
    buf_str(out, view->policy->expect_count == 1 ? " expected service.</p>\n" : " expected services.</p>\n");
    render_alerts(view, out);
    render_numbers(view, out);
    buf_str(out, links);
    buf_str(out, "</main>\n</body>\n</html>\n");
}
