/* Service names by protocol and port.
 *
 * The table is filled by its owner from the system's services database; for
 * ports that the database does not name (a minimal system has none) a small
 * built-in table of well-known database, mail, web and remote-access ports
 * answers. Const once sealed; reading it is safe from any thread. */
#ifndef SOCKWATCH_CORE_SERVICES_H
#define SOCKWATCH_CORE_SERVICES_H

#include "core/net.h"

/* With the NUL; a longer name is cut. IANA allows 15 characters. */
#define SERVICE_NAME_MAX 32

struct services;

/* Returns owned, or NULL when memory runs out. */
struct services *services_new(void);
void services_free(struct services *s);

/* Adds a name; of several for one port the first one added is kept, and one
 * that is not printable ASCII is passed over. Returns 0 or -ENOMEM. */
int services_add(struct services *s, enum protocol protocol, uint16_t port, const char *name);

/* Must be called after the last services_add() and before services_name(). */
void services_seal(struct services *s);

/* The name, valid as long as s, or NULL when nobody knows one. s may be NULL:
 * then only the built-in table answers. */
const char *services_name(const struct services *s, enum protocol protocol, uint16_t port);

#endif
