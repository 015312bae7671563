/* The counters of a network namespace in /proc/net, as bytes.
 *
 * The files are tables that every kernel extends: all is looked up by its name,
 * whatever stands around it and in which order. What is not there stays unknown;
 * what is there and makes no sense is unknown, too, and counted. A number at
 * which a line was cut off cannot be told from a smaller one, so nothing is taken
 * of a line that does not end. Pure; any thread.
 * Source: proc(5); net/ipv4/proc.c, net/ipv6/proc.c. */
#ifndef SOCKWATCH_COLLECTORS_PROC_COUNTERS_PARSE_H
#define SOCKWATCH_COLLECTORS_PROC_COUNTERS_PARSE_H

#include "core/host_counters.h"

#include <stddef.h>

enum proc_counters_file {
    PROC_NETSTAT,  /* "TcpExt: NAME NAME...", then "TcpExt: VALUE VALUE..." */
    PROC_SNMP,     /* likewise */
    PROC_SNMP6,    /* "NAME VALUE" in each line */
    PROC_SOCKSTAT, /* "TCP: NAME VALUE NAME VALUE..." */
    PROC_COUNTERS_FILE_COUNT
};

/* Takes the counters that a file has.
 *
 * text         its whole contents; borrowed
 * page_bytes   of a page of memory, which the kernel counts in
 * c            those of this file are filled anew, and unknown where it does not
 *              tell them; the others stay
 *
 * Returns how many things in it made no sense: a line of which a part is
 * missing, a value that is no number, a file without what it is about. */
uint64_t proc_counters_parse(enum proc_counters_file file, const char *text, size_t length,
                             uint64_t page_bytes, struct host_counters *c);

#endif
