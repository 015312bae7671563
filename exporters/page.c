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
    "<li><a href=\"/-/healthy\">/-/healthy</a>: the process answers</li>\n"
    "<li><a href=\"/-/ready\">/-/ready</a>: a poll has completed and is not stale</li>\n"
    "</ul>\n";

static void escaped(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        switch (*p) {
        case '&': buf_str(out, "&amp;"); break;
        case '<': buf_str(out, "&lt;"); break;
        case '>': buf_str(out, "&gt;"); break;
        case '"': buf_str(out, "&quot;"); break;
        default: buf_char(out, *p);
        }
    }
}

static void render_numbers(const struct view *view, struct buf *out)
{
    uint64_t counts[PROTOCOL_COUNT] = {0};
    size_t count;
    const struct listener *listeners = listener_table_all(view->snapshot->listeners, &count);

    for (size_t i = 0; i < count; i++)
        counts[listeners[i].protocol]++;
    buf_str(out, "<h2>Listeners</h2>\n<table>\n<tr><th scope=\"col\">Protocol</th>"
                 "<th scope=\"col\">Listeners</th></tr>\n");
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        const struct class_view *class =
            listener_table_class(view->snapshot->listeners, (enum protocol)protocol);

        if (class->visibility == VISIBILITY_ABSENT)
            continue;
        buf_fmt(out, "<tr><td>%s</td>", protocol_name((enum protocol)protocol));
        if (class->visibility == VISIBILITY_OK)
            buf_fmt(out, "<td>%llu</td></tr>\n", (unsigned long long)counts[protocol]);
        else
            buf_str(out, "<td>cannot be read on this host</td></tr>\n");
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

        buf_fmt(out, "<tr><td>%s</td><td>%s</td><td>%s</td><td>", alert_state_name(a->state),
                severity_name(a->severity), rule_name(a->key.rule));
        escaped(out, a->summary);
        buf_str(out, "</td></tr>\n");
    }
    buf_str(out, "</table>\n");
}

void page_render(const struct view *view, struct buf *out)
{
    buf_str(out, head);
    buf_str(out, "<p>Version ");
    escaped(out, view->version);
    buf_fmt(out, ". %zu expected service%s.</p>\n", view->policy->expect_count,
            view->policy->expect_count == 1 ? "" : "s");
    render_alerts(view, out);
    render_numbers(view, out);
    buf_str(out, links);
    buf_str(out, "</main>\n</body>\n</html>\n");
}
