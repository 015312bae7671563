/* Names of users, as the system's database told them less than a minute ago.
 *
 * A directory may be slow, or come up late, and a number may be given to another
 * user. So names are asked for by a thread of their own (user_worker.h), and
 * asked for again while they are in use: one that is known every half minute;
 * "no such user" and failures, which are believed by nobody, every few seconds.
 * What is told is what is known by now, and users_version() says when that has
 * changed. A failure takes no name away.
 *
 * Any user may have tens of thousands of numbers without a name (subuid(5)), all
 * of them neighbours. So the more numbers of a neighbourhood have none, the later
 * others of it are asked for: behind a flood of them no name waits longer than
 * for one answer. They are asked for again a few at a time.
 *
 * Main thread only; time is told. */
#ifndef SOCKWATCH_COLLECTORS_USERS_H
#define SOCKWATCH_COLLECTORS_USERS_H

#include "core/owner.h"

struct users;

/* Returns owned, or NULL when memory runs out. */
struct users *users_new(void);

/* Does not wait for an answer that is under way. */
void users_free(struct users *u);

/* The user's name, its number where it has none, or "" where that is not known:
 * it is asked for then. Never waits.
 *
 * Returns whether the answer is awaited: after ten seconds it is not, though it
 * may come still. */
bool users_name(struct users *u, uint32_t uid, char ret_name[USER_TEXT_MAX]);

/* Takes the answers that are there, and sees to it that what is due is asked for.
 * Tells the time to all that is called until the next step. */
void users_step(struct users *u, int64_t now_ms);

/* When the next step is wanted, on CLOCK_MONOTONIC; INT64_MAX while no name was
 * asked for. */
int64_t users_due_ms(const struct users *u);

/* Changes when users_name() is to be called for everybody who is in use: names
 * have changed, or it is time to say who still is. Who is not, is forgotten. */
uint64_t users_version(const struct users *u);

/* Waits until a step would take answers, so long at most, in real time. While
 * the database was not so quick the last time, and has not answered since, it is
 * not waited for. Returns whether there are answers. */
bool users_await(struct users *u, int64_t us);

/* What is not known by now is not awaited any more: nobody will be there to hear
 * it. */
void users_give_up(struct users *u);

/* Lets all names be asked for anew. They stay until they are answered. */
void users_refresh(struct users *u);

#endif
