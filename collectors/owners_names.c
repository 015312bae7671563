#include "collectors/owners_internal.h"

#include <errno.h>
#include <string.h>

/* A pass over all of a large host's is made for a hundredth of the time at most. */
enum { PASSED_PER_MS = 200 };

/* So long a one-shot command waits: a directory may give its first answer after
 * five seconds. */
#define LAST_WAIT_US INT64_C(6000000)

static void tell_socket(struct owners *o, struct watched *w)
{
    char user[USER_TEXT_MAX];
    bool awaited = users_name(o->users, w->uid, user);

    if (w->set && (strcmp(w->set->user, user) != 0 || w->set->user_awaited != awaited))
        owners_make_dirty(o, w);
}

/* Describes a holder anew, but for what its user is called as it was. Returns
 * whether that is called otherwise by now. */
static bool rename_user(struct owners *o, const struct holder *who, struct holder *ret)
{
    if (!who || !who->uid_known)
        return false;
    *ret = *who;
    ret->user_awaited = users_name(o->users, who->uid, ret->user);
    return strcmp(ret->user, who->user) != 0 || ret->user_awaited != who->user_awaited;
}

static int tell_process(struct owners *o, struct process *p)
{
    struct holder described;
    const struct holder *who;

    if (!p->holding || !rename_user(o, holding_who(p->holding, process_told_as(p)), &described))
        return 0;
    who = owners_describe(o, p, &described);
    holder_unref(who);
    return who ? 0 : -ENOMEM;
}

/* Asks for the name of everybody, which also says who is in use. */
static int tell_all(struct owners *o)
{
    int r = 0;

    for (size_t i = 0; i < o->sockets.count; i++)
        tell_socket(o, &o->sockets.items[i]);
    for (size_t i = 0; r == 0 && i < o->processes.count; i++)
        r = tell_process(o, &o->processes.items[i]);
    return r;
}

int64_t owners_names_ms(const struct owners *o)
{
    int64_t due_ms = users_due_ms(o->users);

    if (users_version(o->users) != o->names.version && o->names.at_ms < due_ms)
        return o->names.at_ms;
    return due_ms;
}

int owners_names_step(struct owners *o)
{
    uint64_t version;
    int r;

    users_step(o->users, o->now_ms);
    version = users_version(o->users);
    if (version == o->names.version || o->now_ms < o->names.at_ms)
        return 0;
    o->names.at_ms = o->now_ms + (int64_t)((o->sockets.count + o->processes.count) / PASSED_PER_MS);
    r = tell_all(o);
    if (r == 0)
        o->names.version = version;
    return r;
}

int owners_names_await(struct owners *o, const struct budget *budget, int64_t until_us)
{
    int64_t now_us;

    do {
        now_us = budget_now_us(budget);
        o->now_ms = now_us / 1000;
        users_step(o->users, o->now_ms);
    } while (now_us < until_us && users_await(o->users, until_us - now_us));
    return owners_names_step(o);
}

int owners_names_end(struct owners *o, const struct budget *budget)
{
    int r = owners_names_await(o, budget, budget_now_us(budget) + LAST_WAIT_US);

    users_give_up(o->users);
    return r < 0 ? r : owners_names_step(o);
}
