#include "core/transition.h"

#include <assert.h>

void subscribers_add(struct subscribers *list, transition_fn *fn, void *arg)
{
    assert(list->count < sizeof list->items / sizeof list->items[0]);
    list->items[list->count++] = (struct subscriber){fn, arg};
}

void subscribers_tell(const struct subscribers *list, const struct alert *alert, enum alert_state before,
                      struct instant at)
{
    struct transition t = {.alert = alert, .before = before, .at = at};

    if (!list || list->count == 0)
        return;
    alert_labels(alert, &t.labels);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].fn(list->items[i].arg, &t);
}
