/* The source of owners, over the sockets of the listeners that are
 * chosen. It is never
 * whole: what it finds later is in the next table. */
#include "collectors/source.h"

#include <errno.h>

static int open_owners(struct source *s)
{
    s->state = s->shared->owners = owners_new();
    return s->state ? 0 : -ENOMEM;
}

static void close_owners(struct source *s)
{
    owners_free(s->state);
}

static int begin_owners(struct source *s, int64_t now_ms)
{
    return owners_attach(s->state, s->shared->inventory, s->shared->owners_wanted, now_ms);
}

static int step_owners(struct source *s, const struct budget *budget)
{
    return owners_step(s->state, budget);
}

const struct source_ops owner_source = {
    .open = open_owners,
    .close = close_owners,
    .begin = begin_owners,
    .step = step_owners,
};
