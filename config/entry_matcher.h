/* The keys by which entries of all kinds say which sockets they are about: ports,
 * protocol, place and owner. Pure, const; any thread. */
#ifndef SOCKWATCH_CONFIG_ENTRY_MATCHER_H
#define SOCKWATCH_CONFIG_ENTRY_MATCHER_H

#include "config/schema.h"
#include "core/policy.h"

extern const struct schema_key entry_keys_matcher[]; /* of a struct matcher */

/* Adds a protocol to a mask of 1 << protocol. Returns 0, -EINVAL for a name that is none,
 * or -EEXIST. */
int entry_protocol_parse(void *protocols, const char *text);

/* Print the protocols, as a mask of 1 << protocol, and the addresses of a struct
 * matcher, of which it has some: one alone, or a list. */
void entry_protocols_print(const void *protocols, struct buf *out);
void entry_addresses_print(const void *match, struct buf *out);

/* Adds ports to those of an entry. Returns 0 or -ENOMEM. */
int entry_ports_add(struct matcher *match, const struct port_range *ranges, size_t count);

/* Reads a text that stands in one line of every output: UTF-8 without control
 * characters. Returns 0 or -EINVAL. */
int entry_text_parse(char *field, size_t size, const char *text);
void entry_text_print(const void *field, struct buf *out);

#endif
