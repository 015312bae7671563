/* The system's database of users: files, and whatever directory the name service
 * switch has besides, which may take its time. Blocks; any thread. Source:
 * getpwuid_r(3), nsswitch.conf(5). */
#ifndef SOCKWATCH_COLLECTORS_USER_DATABASE_H
#define SOCKWATCH_COLLECTORS_USER_DATABASE_H

#include "core/owner.h"

/* The name of a user, escaped.
 *
 * Returns 1, 0 when there is no such user, or -errno when the database could not
 * be asked, or not all of it. */
int user_database_ask(uint32_t uid, char ret_name[USER_TEXT_MAX]);

#endif
