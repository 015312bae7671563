/* To whom the sockets of some listeners belong, as an entry of a baseline says it:
 * in a way that is true for whoever sees no process, too. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_BASELINE_OWNER_H
#define SOCKWATCH_EXPORTERS_BASELINE_OWNER_H

#include "core/listener.h"

/* An owner_pattern that is being written; "" for anybody. */
struct owner_draft {
    char process[PROCESS_TEXT_MAX];
    char user[USER_TEXT_MAX];
    char unit[UNIT_TEXT_MAX];
};

/* The user and the unit that all sockets of the listeners tell of themselves, each
 * where it is the same for all, and fits nobody else.
 *
 * with_process   also a process that holds all of them; only who sees the
 *                processes can tell whether that is so
 * count          at least 1 */
struct owner_draft owner_draft_of(const struct listener *const *listeners, size_t count, bool with_process);

/* Whether it is about anybody. */
bool owner_draft_is_open(const struct owner_draft *draft);

int owner_draft_compare(const struct owner_draft *a, const struct owner_draft *b);

#endif
