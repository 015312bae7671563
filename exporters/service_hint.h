/* Whether a port is used for what its number is known for. The services database
 * knows numbers only: whatever listens on 3306 is "mysql" to it. So where those
 * who hold the socket have names, and none of them goes with the service's, the
 * service is a guess, and told as one. No more than that: a process chooses its
 * name. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_SERVICE_HINT_H
#define SOCKWATCH_EXPORTERS_SERVICE_HINT_H

#include "core/listener.h"

/* Whether process, program and unit are of somebody else than the listener's
 * service, as far as they are known. Where nobody is, or only who keeps the
 * socket for others, there is no doubt.
 *
 * holders   the listener's, filled by listener_holders() */
bool service_hint_is_doubtful(const struct listener *l, const struct holder_list *holders);

#endif
