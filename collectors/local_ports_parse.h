/* The text of the settings that say which local ports connect() chooses from.
 * Pure; any thread. Source: Documentation/networking/ip-sysctl.rst of Linux. */
#ifndef SOCKWATCH_COLLECTORS_LOCAL_PORTS_PARSE_H
#define SOCKWATCH_COLLECTORS_LOCAL_PORTS_PARSE_H

#include "core/ephemeral.h"

/* Parses ip_local_port_range, "32768\t60999\n".
 * Returns 0, or -EBADMSG, and then *ret stays as it is. */
int local_ports_parse_range(const char *text, struct port_range *ret);

/* Takes the ports of ip_local_reserved_ports, "8080,9000-9010\n" or nothing but a
 * line's end, out of a set.
 *
 * Returns 0, -EBADMSG or -ENOMEM; after errors some may have been taken out. */
int local_ports_parse_reserved(char *text, struct port_set *set);

#endif
