/* Looks at the kernel, one after the other: what each of them found.
 *
 * A collector adds rows, one a socket; a look is finished before it is read. A
 * builder is used again for the next look, remembers which sockets the last one
 * had, and is one thread's. What any user can make is bounded: of sockets for
 * which there is no room only their number is known. */
#ifndef SOCKWATCH_CORE_LISTENER_BUILDER_H
#define SOCKWATCH_CORE_LISTENER_BUILDER_H

#include "core/inventory.h"
#include "core/policy.h"
#include "core/socket_store.h"

/* So many services are held in all, and so many of each class whatever the
 * others have. */
enum { BUILDER_SERVICES_MAX = 300000, BUILDER_SERVICES_OF_CLASS = 8192 };

struct listener_builder;

/* members  sockets of a service followed one by one, at least 1
 * secret   two numbers that nobody can guess, or NULL
 *
 * Returns owned, or NULL when memory runs out. */
struct listener_builder *listener_builder_new(size_t members, const uint64_t *secret);
void listener_builder_free(struct listener_builder *b);

/* Begins the next look; what was found so far becomes the look before. */
void listener_builder_begin(struct listener_builder *b, size_t members);

/* Returns 0 or -ENOMEM. A row for which there is no room is counted in the
 * class's unread and is no error. */
int listener_builder_add(struct listener_builder *b, const struct listener_row *row);

/* Takes back all rows of a protocol, whose dump failed half-way. */
void listener_builder_drop(struct listener_builder *b, enum protocol protocol);

void listener_builder_set_class(struct listener_builder *b, enum protocol protocol,
                                enum visibility visibility, int error);

/* How many sockets of the look before are not among the rows added for the
 * protocol. They may be gone, or a resumed dump may have passed over them: only
 * a second dump can tell. One that did not read the class to its end is no look
 * before. Returns the number, -ENOENT when there was none, or -ENOMEM. */
int64_t listener_builder_missing(struct listener_builder *b, enum protocol protocol);

/* Begins such a second dump: sockets of the protocol that were added before are
 * passed over from now on. */
void listener_builder_look_again(struct listener_builder *b, enum protocol protocol);

/* Whether rows and classes are those of the look before. */
bool listener_builder_is_same(const struct listener_builder *b);

/* Ends the look. ret is filled on success only, and lasts until the next look
 * begins. Returns 0, or -ENOMEM: it may be tried again. */
int listener_builder_finish(struct listener_builder *b, struct inventory *ret);

#endif
