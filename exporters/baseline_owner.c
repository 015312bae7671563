#include "exporters/baseline_owner.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The listeners that an entry is about. */
struct group {
    const struct listener *const *items;
    size_t count;
};

typedef enum owner_match match_fn(const struct owner_pattern *pattern, const struct owner_set *set);

static bool all_match(const struct group *g, const struct owner_draft *draft, match_fn *match)
{
    const struct owner_pattern pattern = {
        .unit = draft->unit, .user = draft->user, .process = draft->process};

    for (size_t i = 0; i < g->count; i++)
        for (uint32_t k = 0; k < g->items[i]->followed; k++)
            if (match(&pattern, g->items[i]->members[k].owners) != OWNER_MATCHES)
                return false;
    return true;
}

/* Whether something is known of each socket. */
static bool is_known(const struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct listener *l = g->items[i];

        if (l->followed == 0 || listener_has_strangers(l))
            return false;
        for (uint32_t k = 0; k < l->followed; k++)
            if (!l->members[k].owners)
                return false;
    }
    return true;
}

/* Writes a name as a pattern that matches nothing else. One that looks like a
 * path would not be taken for a name. Returns false when it does not fit. */
static bool quote_pattern(const char *name, char *ret_pattern, size_t size)
{
    size_t used = 0;

    for (; *name; name++) {
        bool special = strchr("*?[", *name) || (used == 0 && *name == '/');

        if (used + (special ? 4 : 2) > size)
            return false;
        if (special)
            ret_pattern[used++] = '[';
        ret_pattern[used++] = *name;
        if (special)
            ret_pattern[used++] = ']';
    }
    ret_pattern[used] = '\0';
    return used > 0;
}

/* A unit that will be called the same the next time. */
static bool is_lasting(const char *unit)
{
    size_t length = strlen(unit), suffix = strlen(".service");

    return length > suffix && strcmp(unit + length - suffix, ".service") == 0 &&
           strncmp(unit, "run-", 4) != 0;
}

/* A user whose name is not known has a number all the same. */
static void find_user(const struct group *g, const struct owner_set *first, struct owner_draft *draft)
{
    if (!quote_pattern(first->user, draft->user, sizeof draft->user))
        (void)snprintf(draft->user, sizeof draft->user, "%u", first->uid);
    if (!all_match(g, draft, owner_match_socket))
        *draft->user = '\0';
}

static void find_unit(const struct group *g, const struct owner_set *first, struct owner_draft *draft)
{
    if (!is_lasting(first->unit) || !quote_pattern(first->unit, draft->unit, sizeof draft->unit) ||
        !all_match(g, draft, owner_match_socket))
        *draft->unit = '\0';
}

/* The oldest of several programs is preferred: what it has started will not
 * always be there. Who will be started when somebody connects is not known yet. */
static void find_process(const struct group *g, const struct owner_set *first, struct owner_draft *draft)
{
    if (owner_set_is_only_activated(first))
        return;
    for (size_t i = 0; i < first->count; i++)
        if (!holder_is_activator(first->holders[i]) &&
            quote_pattern(first->holders[i]->process, draft->process, sizeof draft->process) &&
            all_match(g, draft, owner_match))
            return;
    *draft->process = '\0';
}

struct owner_draft owner_draft_of(const struct listener *const *listeners, size_t count, bool with_process)
{
    const struct group g = {listeners, count};
    struct owner_draft draft = {.process = ""};
    const struct owner_set *first;

    assert(count > 0);
    if (!is_known(&g))
        return draft;
    first = listeners[0]->members[0].owners;
    find_user(&g, first, &draft);
    find_unit(&g, first, &draft);
    if (with_process)
        find_process(&g, first, &draft);
    return draft;
}

bool owner_draft_is_open(const struct owner_draft *draft)
{
    return !*draft->process && !*draft->user && !*draft->unit;
}

int owner_draft_compare(const struct owner_draft *a, const struct owner_draft *b)
{
    int r = strcmp(a->unit, b->unit);

    if (r == 0)
        r = strcmp(a->user, b->user);
    return r != 0 ? r : strcmp(a->process, b->process);
}
