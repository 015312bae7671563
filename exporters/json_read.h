/* Reads what exporters/json.c has written, and the only file that knows
 * jansson. The document comes from whoever answers at the daemon's address:
 * nothing in it is trusted. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_JSON_READ_H
#define SOCKWATCH_EXPORTERS_JSON_READ_H

#include "core/listener_table.h"
#include "core/rules.h"

/* A longer document is refused: parsed, it takes up to twenty times its length. */
#define JSON_READ_MAX_BYTES (32u << 20)

/* How often each listener was restarted, by the document of /api/v1/listeners.
 *
 * text           any bytes; borrowed
 * ret_restarts   room for one number a listener of the table; filled on success
 *                only, with VIEW_UNKNOWN where the document does not have the
 *                listener, does not know, or says two things
 *
 * Listeners are matched by protocol, family, address, port, interface and
 * whether the kernel chose the port; those of another network namespace than
 * the host's are passed over, and so is what the document has besides.
 *
 * Returns 0, -EBADMSG when the text is no such document, or -ENOMEM; where
 * memory runs out in the middle of a text, that may be -EBADMSG, too. */
int json_read_restarts(const char *text, size_t length, const struct listener_table *table,
                       uint64_t *ret_restarts);

/* Since when each expected service is missing or wrong, by the same document.
 *
 * verdict    of the policy; its services are those that are asked for
 * ret_since  room for one time a service, in milliseconds of the wall clock; filled
 *            on success only, with VIEW_SINCE_UNKNOWN where the document does not
 *            have the service, does not say that it is missing or wrong, does not
 *            know since when, or has it twice
 *
 * Services are matched by name, protocol and port. A document without any is that
 * of an older daemon: nothing is known of them then.
 *
 * Returns as above. */
int json_read_since(const char *text, size_t length, const struct policy *policy,
                    const struct verdict *verdict, int64_t *ret_since);

/* Whether the daemon says, by the same document, that a listener is its own; one
 * about which it says two things is not. Matched as above.
 *
 * Returns 1, 0, or a negative error as above. */
int json_read_own(const char *text, size_t length, const struct listener *l);

#endif
