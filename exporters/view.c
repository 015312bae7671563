#include "exporters/view.h"

uint64_t view_restarts(const struct view *view, size_t index)
{
    size_t count;
    const struct listener *listeners = listener_table_all(view->snapshot->listeners, &count);

    if (view->has_history)
        return listeners[index].restarts;
    return view->restarts ? view->restarts[index] : VIEW_UNKNOWN;
}
