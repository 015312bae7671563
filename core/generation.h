/* From one poll to the next: whether a service still has the sockets it had,
 * and what all its sockets have dropped so far. Pure; any thread.
 *
 * A socket is known by its cookie. A service is restarted when a new socket
 * comes in the place of one that went, be it in the same poll or later; a
 * socket that merely joins, or goes, is no restart. */
#ifndef SOCKWATCH_CORE_GENERATION_H
#define SOCKWATCH_CORE_GENERATION_H

#include "core/listener.h"

/* Takes restarts and drops on from the service as it was before.
 *
 * now      its members are known, by cookie
 * before   as it was when it was last seen, however long ago; NULL: never */
void generation_follow(struct listener *now, const struct listener *before);

#endif
