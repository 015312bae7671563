#include "collectors/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void told_done(struct told *t)
{
    listener_table_unref(t->table);
    free(t->listeners);
    free(t->members);
    *t = (struct told){.table = NULL};
}

/* Copies the listeners of one class, but for those on ports that the policy expects,
 * if there is one. Returns how many sockets they have. */
static size_t copy_class(struct inventory_part *to, const struct inventory_part *from,
                         const struct policy *policy)
{
    const struct member *member = from->members;
    size_t members = 0;

    for (size_t i = 0; i < from->count; member += from->listeners[i++].followed) {
        const struct listener *l = &from->listeners[i];

        if (policy && policy_expects_port(policy, l->protocol, l->port))
            continue;
        to->listeners[to->count] = *l;
        to->listeners[to->count++].members = &to->members[members];
        memcpy(&to->members[members], member, l->followed * sizeof *member);
        members += l->followed;
    }
    return members;
}

static bool is_any_behind(const struct inventory *inv)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (inv->behind[i])
            return true;
    return false;
}

static size_t count_members(const struct listener_table *table)
{
    size_t count, members = 0;
    const struct listener *l = listener_table_all(table, &count);

    for (size_t i = 0; i < count; i++)
        members += l[i].followed;
    return members;
}

/* How a class could be seen that is behind, as a whole or but for what is expected. */
static void tell_class(struct class_view *view, const struct class_view *before, bool whole)
{
    view->others = before->others;
    view->others_error = before->others_error;
    if (!whole)
        return;
    view->visibility = before->visibility;
    view->error = before->error;
}

int told_keep(struct told *t, struct inventory *inv, const struct listener_table *previous,
              const struct policy *policy)
{
    struct inventory before;
    size_t members = 0;

    told_done(t);
    if (!previous || !is_any_behind(inv))
        return 0;
    t->table = listener_table_ref(previous);
    listener_table_inventory(previous, &before);
    t->listeners = calloc(before.total + 1, sizeof *t->listeners);
    t->members = calloc(count_members(previous) + 1, sizeof *t->members);
    if (!t->listeners || !t->members) {
        told_done(t);
        return -ENOMEM;
    }
    for (size_t i = 0, count = 0; i < PROTOCOL_COUNT; i++) {
        struct inventory_part *part = &inv->parts[i][1];
        bool whole = inv->classes[i].visibility == VISIBILITY_UNKNOWN;

        if (!inv->behind[i])
            continue;
        *part = (struct inventory_part){.listeners = &t->listeners[count], .members = &t->members[members]};
        members += copy_class(part, &before.parts[i][1], whole ? NULL : policy);
        count += part->count;
        tell_class(&inv->classes[i], &before.classes[i], whole);
    }
    inv->before = listener_table_totals(t->table);
    inventory_number(inv);
    return 0;
}
