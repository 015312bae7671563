/* Which local ports connect() chooses from, as the calling thread's network
 * namespace says. Short files, which are read at once. One thread. */
#ifndef SOCKWATCH_COLLECTORS_LOCAL_PORTS_H
#define SOCKWATCH_COLLECTORS_LOCAL_PORTS_H

#include "core/ephemeral.h"

/* Reads the range alone. Returns 0, or a negative error, and then *ret stays as it is. */
int local_ports_read_range(struct port_range *ret);

/* Reads all. What cannot be read makes nothing known. */
void local_ports_read(struct local_ports *ret);

#endif
