#include "core/transition.h"

#include <assert.h>

void subscribers_add(struct subscribers *list, transition_fn *fn, void *arg)
{
    assert(list->count < sizeof list->items / sizeof list->items[0]);
    list->items[list->count++] = (struct subscriber){fn, arg};
}

void subscribers_tell(const struct subscribers *list, const struct transition *t)
{
    struct transition labelled = *t;

    if (!list || list->count == 0)
        return;
    alert_labels(t->alert, &labelled.labels);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].fn(list->items[i].arg, &labelled);
}
