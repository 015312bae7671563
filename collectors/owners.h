/* Who holds the listening sockets: which process, of which user and unit.
 *
 * Netlink does not tell, so it has to be looked for among the descriptors of
 * processes, which costs, and must never hold up a poll: it is a stepped
 * source. Polls tell it which sockets there are and take what is known by now;
 * it looks in steps between them.
 *
 * Every look at a process looks up all sockets, so all that wait are looked for
 * in one walk, and nothing is walked per socket. A socket is looked for among
 * the processes that had it before and those of the cgroup that made it, then
 * among all; those with few descriptors first, and those whose number of them
 * has not changed last. The first holder is told at once, others as they are
 * found; where the cgroup does not tell who might be, all processes are looked
 * through for them, at leisure. Nobody is said to have a socket (or to be hidden)
 * when every process that was listed for it was looked through, and then every
 * thread that has a table of its own: one that got it by unshare(2), or whose main
 * thread has ended. The process is told then, by its name. Of a socket that
 * nobody was found for within ten seconds it is told that it is late; what was
 * said of it before, as that nobody has it, stays until something else is known.
 *
 * Threads are looked at when the processes do not have a socket, and again with
 * each look through everything, for a fiftieth of the time at most.
 *
 * Searching takes at most a tenth of the time. After a rest it takes that time
 * at once, and some in advance while nobody is found for some socket, so that a
 * search through a million descriptors runs through.
 *
 * A known holder is looked at once a second: its name and its program, one
 * descriptor of those that are sockets, the next one each time, and at growing
 * intervals, up to 16 seconds, at its user and its cgroup. Who joined is looked for at
 * growing intervals, up to a minute, among processes that are new; descriptors
 * passed to old ones are found by looking through everything once a minute at
 * most, for a hundredth of the time at most.
 *
 * Processes that share a table of descriptors (CLONE_FILES) are looked through
 * as one. Of a socket that many hold so many are listed as a limit allows, and
 * nothing is kept of the others but their number, which is counted anew by each
 * look through everything.
 *
 * Other users' processes can be looked into with CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH only; without them the unit and the user of the socket
 * are known all the same. One thread. Source: proc(5), sock_diag(7), kcmp(2). */
#ifndef SOCKWATCH_COLLECTORS_OWNERS_H
#define SOCKWATCH_COLLECTORS_OWNERS_H

#include "core/budget.h"
#include "core/inventory.h"

struct owners;

/* Returns owned, or NULL when memory runs out. */
struct owners *owners_new(void);
void owners_free(struct owners *o);

/* How many processes are listed of a socket at most; others are counted, each
 * once. Those of the socket's own user or unit come first, and last whoever only
 * keeps it for others. 16 unless this was called; 0 changes nothing. */
void owners_set_limit(struct owners *o, size_t holders);

/* Notes which sockets there are now, those of the listeners that are chosen, and
 * gives each what is known about its owner by now, borrowed until the next call
 * of anything here. Sockets that are not among them are forgotten. A poll that
 * found the same as before need not call it, unless owners_version() has
 * changed.
 *
 * limit   sockets at most; of each listener one comes before the second of any
 *
 * Returns 0 or -ENOMEM: some may have no owner then. */
int owners_attach(struct owners *o, const struct inventory *inv, size_t limit, int64_t now_ms);

/* When the next step is wanted, on CLOCK_MONOTONIC: now or earlier when there
 * is something to do, INT64_MAX for never (there are no sockets). */
int64_t owners_due_ms(const struct owners *o, int64_t now_ms);

/* Looks until the budget is spent or nothing is due. A budget without an end is
 * for one-shot commands: every socket that has not been looked for is looked
 * for, whatever share of the time that takes, and names of users are waited for
 * for some seconds; no upkeep is done then, and what could not be looked for is
 * late.
 *
 * Returns 1 when there is more to do at once, 0 when not, -ENOMEM or -errno:
 * what was being looked for is looked for again later. */
int owners_step(struct owners *o, const struct budget *budget);

/* Waits for the names of users that are asked for, until the budget is spent at
 * most, and not where the last wait was in vain: most databases answer at once,
 * and then a name is there as soon as the socket. To be called between a step and
 * attaching anew. Returns as owners_step() does. */
int owners_await_names(struct owners *o, const struct budget *budget);

/* Changes whenever something else is known about the owner of some socket. */
uint64_t owners_version(const struct owners *o);

/* Lets everything be looked for anew, also the names of users. */
void owners_refresh(struct owners *o);

#endif
