/* Names of users, asked of the system's user database once each: it may be a
 * slow directory. That a number has no name is remembered of as many as one user
 * may have. Main thread only. */
#ifndef SOCKWATCH_COLLECTORS_USERS_H
#define SOCKWATCH_COLLECTORS_USERS_H

#include <stdint.h>

struct users;

/* Returns owned, or NULL when memory runs out. */
struct users *users_new(void);
void users_free(struct users *u);

/* The user's name, or its number where it has none. Valid until the next call. */
const char *users_name(struct users *u, uint32_t uid);

/* Forgets all answers. */
void users_forget(struct users *u);

#endif
