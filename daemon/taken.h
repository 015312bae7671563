/* Who has the address that the daemon is to serve: "address already in use" leaves
 * everybody to look for it by himself. Told as far as the daemon may see it, which
 * without privilege is the user and the unit, and in a time that is bounded: it is
 * asked for where a start has failed, or a reload. Main thread only. */
#ifndef SOCKWATCH_DAEMON_TAKEN_H
#define SOCKWATCH_DAEMON_TAKEN_H

#include "daemon/cycle.h"

/* Appends " (held by nginx[812], user www-data, unit nginx.service)", or nothing
 * where nobody is seen there.
 *
 * c        open; one that has judged already tells what it knows, another one
 *          looks, for less than a second */
void taken_describe(struct cycle *c, const struct ip_port *wanted, struct buf *out);

#endif
