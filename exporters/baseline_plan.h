/* Which entries a baseline needs for some listeners: as few as say where each is
 * bound and whose it is. Pure; main thread only. */
#ifndef SOCKWATCH_EXPORTERS_BASELINE_PLAN_H
#define SOCKWATCH_EXPORTERS_BASELINE_PLAN_H

#include "core/policy.h"
#include "exporters/baseline_owner.h"

/* The listeners that a comment names. */
enum { BASELINE_NAMED = 4 };

/* An entry that will be printed. Of expect where it has a name, else of allow. */
struct baseline_entry {
    const char *service;        /* what the port is called; "" in allow */
    char name[EXPECT_NAME_MAX]; /* likewise, other than those of all other entries on the port */
    unsigned protocols;         /* mask of 1 << protocol */
    uint16_t port;
    bool kernel_chosen;        /* about a port that the kernel chose */
    bool on_any_port;          /* and about any such, whichever it is */
    enum want_scope scope;     /* where it names no addresses */
    struct ip_addr *addresses; /* owned; in order */
    size_t address_count, address_capacity;
    struct owner_draft owner;
    const struct listener *named[BASELINE_NAMED]; /* some of those that it is about; borrowed */
    size_t listener_count;                        /* all of them */
};

struct baseline_plan {
    struct baseline_entry *entries; /* owned; by port */
    size_t count, capacity;
};

/* Plans the entries.
 *
 * listeners      as a listener_table has them, by protocol and port; borrowed for
 *                as long as the plan
 * policy         of the entries that are there besides, which are not about any of
 *                the listeners; sealed, borrowed for the call
 * with_process   the entries name processes, too
 * ret            for baseline_plan_done(), also when this fails
 *
 * Returns 0, or -ENOMEM. */
int baseline_plan_make(const struct listener *const *listeners, size_t count, const struct policy *policy,
                       bool with_process, struct baseline_plan *ret);
void baseline_plan_done(struct baseline_plan *plan);

#endif
