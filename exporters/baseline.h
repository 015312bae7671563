/* What listens now as a configuration: services with a name become expect
 * entries, the rest allow entries, each with its scope and, as far as it can
 * be seen, its owner; those on ports that the kernel chose have one for each owner,
 * and none with a port. Main thread only. */
#ifndef SOCKWATCH_EXPORTERS_BASELINE_H
#define SOCKWATCH_EXPORTERS_BASELINE_H

#include "config/config.h"
#include "core/listener_table.h"
#include "core/rules.h"

/* Appends a configuration by which nothing is wrong with the table.
 *
 * config        its settings are taken over, its expect and allow entries are
 *               not; "unexpected" is there in any case
 * own           sockwatch's own sockets, which need no entry
 * local_ports   those that the kernel chooses from; of a listener on one of them
 *               whose port it may have chosen, that is said */
void baseline_render(const struct listener_table *table, const struct config *config,
                     const struct own_sockets *own, struct port_range local_ports, struct buf *out);

#endif
