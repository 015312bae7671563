/* Asks for names of users in a thread of its own, because a directory may take
 * seconds to answer, or for ever. The thread sees what is handed to it, and
 * nothing else; it begins with the first question. All functions are for one
 * other thread, and none waits for an answer but user_worker_await(). */
#ifndef SOCKWATCH_COLLECTORS_USER_WORKER_H
#define SOCKWATCH_COLLECTORS_USER_WORKER_H

#include "core/owner.h"

/* So many questions wait at most, and so many answers. */
enum { USER_WORKER_MAX = 128 };

/* As user_database_ask(). Called in the worker's thread. */
typedef int user_ask_fn(uint32_t uid, char ret_name[USER_TEXT_MAX]);

struct user_answer {
    uint32_t uid;
    int result;               /* as of user_ask_fn */
    char name[USER_TEXT_MAX]; /* if result is 1 */
};

struct user_worker;

/* Returns owned, or NULL when memory runs out. */
struct user_worker *user_worker_new(user_ask_fn *ask);

/* Does not wait for the answer under way: the thread ends, and frees what is
 * left, when that is there. */
void user_worker_free(struct user_worker *w);

/* Replaces what waits to be asked, in this order; USER_WORKER_MAX at most. What
 * is asked just now is not asked once more.
 *
 * Returns 0, or -errno when there can be no thread: nothing is asked then. */
int user_worker_hand(struct user_worker *w, const uint32_t *uids, size_t count);

/* Takes the answers that are there.
 *
 * ret_answers   room for USER_WORKER_MAX
 *
 * Returns their number. */
size_t user_worker_take(struct user_worker *w, struct user_answer *ret_answers);

/* Whether there are answers, or will be. */
bool user_worker_is_busy(struct user_worker *w);

/* Waits until there are answers, so long at most, in real time, and not at all
 * while it is not busy. Returns whether there are. */
bool user_worker_await(struct user_worker *w, int64_t us);

#endif
