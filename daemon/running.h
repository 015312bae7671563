/* Asks the daemon that runs on this host for what only it knows. One look at
 * the kernel does not tell how often a listener was restarted. Blocks. */
#ifndef SOCKWATCH_DAEMON_RUNNING_H
#define SOCKWATCH_DAEMON_RUNNING_H

#include "config/config.h"
#include "exporters/view.h"

/* How often each listener was restarted, as the daemon counts.
 *
 * Only a daemon that listens on one of web.listen's addresses in this network
 * namespace is asked: another one counts other listeners.
 *
 * Returns owned, for free(): one number a listener of the table, VIEW_UNKNOWN
 * where the daemon does not know it; NULL when no daemon answers, or memory
 * runs out. */
uint64_t *running_restarts(const struct config *config, const struct listener_table *table);

#endif
