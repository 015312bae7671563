#include "exporters/view.h"

const struct listener *view_listeners(const struct view *view, size_t *ret_count)
{
    return listener_table_all(snapshot_host(view->snapshot)->listeners, ret_count);
}

const struct class_view *view_class(const struct view *view, enum protocol protocol)
{
    return listener_table_class(snapshot_host(view->snapshot)->listeners, protocol);
}

const struct listener_totals *view_totals(const struct view *view)
{
    return listener_table_totals(snapshot_host(view->snapshot)->listeners);
}

/* The status may be that of the poll before the one that found the listener. */
uint64_t view_full_ms(const struct view *view, const struct listener *l)
{
    uint64_t now_ms = view->status->watched_ms[l->protocol];
    uint64_t since_ms = now_ms > l->queue.full_from_ms ? now_ms - l->queue.full_from_ms : 0;

    return l->queue.full_ms + (queue_is_full(l->queue.fullest) ? since_ms : 0);
}

uint64_t view_restarts(const struct view *view, size_t index)
{
    size_t count;

    if (view->has_history)
        return view_listeners(view, &count)[index].restarts;
    return view->restarts ? view->restarts[index] : VIEW_UNKNOWN;
}

bool view_takes(const struct view *view, enum protocol protocol, uint16_t port, bool is_problem)
{
    const struct view_filter *f = view->filter;

    if (!f)
        return true;
    return (f->port_count == 0 ||
            (protocol_is_ip(protocol) && port_ranges_contain(f->ports, f->port_count, port))) &&
           (!f->one_protocol || f->protocol == protocol) && (!f->problems || is_problem);
}

bool view_takes_listener(const struct view *view, size_t index)
{
    size_t count;
    const struct listener *l = &view_listeners(view, &count)[index];

    return view_takes(view, l->protocol, l->port, view->verdict->listeners[index].rules != 0);
}
