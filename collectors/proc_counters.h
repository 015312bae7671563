/* Reads the files of /proc/net that have the counters of the calling thread's
 * network namespace. The kernel writes each at once when it is first read. */
#ifndef SOCKWATCH_COLLECTORS_PROC_COUNTERS_H
#define SOCKWATCH_COLLECTORS_PROC_COUNTERS_H

#include "collectors/proc_counters_parse.h"

/* The largest, snmp6, has a line for each type of ICMPv6 message that ever came:
 * 24 KiB where all have. */
enum { PROC_COUNTERS_BYTES_MAX = 32768 };

/* Reads a file whole.
 *
 * ret_length   in bytes; filled on success only
 *
 * Returns 0, -ENOENT where the kernel has no such file (snmp6 without IPv6),
 * -EFBIG when it is larger than any we know of, or -errno. */
int proc_counters_read(enum proc_counters_file file, char ret_text[static PROC_COUNTERS_BYTES_MAX],
                       size_t *ret_length);

#endif
