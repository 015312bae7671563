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

uint64_t view_restarts(const struct view *view, size_t index)
{
    size_t count;

    if (view->has_history)
        return view_listeners(view, &count)[index].restarts;
    return view->restarts ? view->restarts[index] : VIEW_UNKNOWN;
}
