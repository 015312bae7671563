/* Looks at the kernel from what builders were given, sealed and judged, for
 * tests of what reads them. */
#ifndef SOCKWATCH_TESTS_UNIT_LOOKS_H
#define SOCKWATCH_TESTS_UNIT_LOOKS_H

#include "core/choice.h"
#include "core/listener_builder.h"
#include "core/listener_table.h"

/* Limits of which one, on the listeners that are shown, is n. */
static inline struct limits limits_of(int64_t n)
{
    return (struct limits){.listeners = n,
                           .port_listeners = 1000000,
                           .members = 1000,
                           .holders = 1000,
                           .history = n,
                           .alerts = 1000000,
                           .page_rows = 1000000,
                           .log_lines = 1000000,
                           .series = 1000000};
}

/* Begins to look at everything, and ends; rows may be added, and how the classes
 * could be seen may be told once more. */
static inline void begin_looks(struct listener_builder *b, size_t members)
{
    listener_builder_set(b, members, NULL);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_begin(b, (enum protocol)i, PART_ALL);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_UNKNOWN, 0);
}

/* A builder that has begun to look at everything; NULL when memory runs out. */
static inline struct listener_builder *new_builder(size_t members)
{
    struct listener_builder *b = listener_builder_new(NULL);

    if (b)
        begin_looks(b, members);
    return b;
}

/* Ends a look, and chooses what is shown of it. Returns 0 or -ENOMEM. */
static inline int finish_look(struct listener_builder *b, const struct limits *limits,
                              const struct policy *policy, const struct services *services,
                              const struct history *history, struct inventory *ret)
{
    int r = listener_builder_finish(b, ret);

    if (r == 0)
        r = choice_make(ret, policy, limits, history);
    if (r == 0)
        inventory_name(ret, services);
    return r;
}

/* What a look comes to. Returns owned, or NULL when memory runs out. */
static inline const struct listener_table *seal_look(struct listener_builder *b, const struct limits *limits,
                                                     const struct policy *policy,
                                                     const struct services *services, struct history *history)
{
    const struct history_rules rules = {(size_t)limits->history, (size_t)limits->members, policy};
    struct inventory inv;

    if (finish_look(b, limits, policy, services, history, &inv) < 0)
        return NULL;
    if (history && history_follow(history, &inv, &rules) < 0)
        return NULL;
    return listener_table_cut(&inv);
}

/* Likewise, with room for everything, without names or history. */
static inline const struct listener_table *seal_all(struct listener_builder *b)
{
    static const struct policy no_policy;
    const struct limits limits = limits_of(1000000);

    return seal_look(b, &limits, &no_policy, NULL, NULL);
}

#endif
