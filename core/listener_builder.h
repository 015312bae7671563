/* Looks at the kernel, one after the other: what each of them found.
 *
 * A collector adds rows, one a socket. Each class of sockets has two parts, which
 * may be looked at separately, because one look at all can take long: those on
 * ports that the policy expects, and all others. A part that is ended can be
 * read until it begins anew. A builder remembers which sockets a part had in the
 * look before, and is one thread's. What any user can make is bounded: of sockets
 * for which there is no room only their number is known. */
#ifndef SOCKWATCH_CORE_LISTENER_BUILDER_H
#define SOCKWATCH_CORE_LISTENER_BUILDER_H

#include "core/inventory.h"
#include "core/policy.h"
#include "core/socket_store.h"

/* So many services are held in all, and so many of each part of each class
 * whatever the others have. */
enum { BUILDER_SERVICES_MAX = 300000, BUILDER_SERVICES_OF_PART = 8192 };

/* Parts of a class, as a mask. */
enum { PART_EXPECTED = 1, PART_OTHERS = 2, PART_ALL = PART_EXPECTED | PART_OTHERS };

struct listener_builder;

/* secret   two numbers that nobody can guess, or NULL
 *
 * Returns owned, or NULL when memory runs out. */
struct listener_builder *listener_builder_new(const uint64_t *secret);
void listener_builder_free(struct listener_builder *b);

/* How the looks that follow are made.
 *
 * members  sockets of a service followed one by one, at least 1
 * policy   which ports are expected; NULL: none. Borrowed. Where it is another
 *          one than before, all parts must begin anew. */
void listener_builder_set(struct listener_builder *b, size_t members, const struct policy *policy);

/* Begins the next look at parts of a class; what they had becomes the look before. */
void listener_builder_begin(struct listener_builder *b, enum protocol protocol, unsigned parts);

/* Adds a row of a part that has begun and was not finished since.
 * Returns 0 or -ENOMEM. A row for which there is no room is counted in the
 * class's unread and is no error. */
int listener_builder_add(struct listener_builder *b, const struct listener_row *row);

/* Likewise, passing over rows of other parts than these. */
int listener_builder_add_to(struct listener_builder *b, unsigned parts, const struct listener_row *row);

/* Counts a socket of a class that nobody wants to know more of; of its part of
 * others, as listener_builder_add_to() takes rows. */
void listener_builder_count(struct listener_builder *b, enum protocol protocol, unsigned parts);

/* Takes back all rows of parts of a class; they go on. */
void listener_builder_drop(struct listener_builder *b, enum protocol protocol, unsigned parts);

/* Ends parts of a class, and says how they could be seen. */
void listener_builder_end(struct listener_builder *b, enum protocol protocol, unsigned parts,
                          enum visibility visibility, int error);

/* How many sockets of the look before are not among the rows added to parts of a
 * class. They may be gone, or a resumed dump may have passed over them: only a
 * second dump can tell. One that did not read the class to its end is no look
 * before. Returns the number, -ENOENT when there was none, or -ENOMEM. */
int64_t listener_builder_missing(struct listener_builder *b, enum protocol protocol, unsigned parts);

/* Begins such a second dump: sockets that were added before are passed over from
 * now on. */
void listener_builder_look_again(struct listener_builder *b, enum protocol protocol, unsigned parts);

/* Whether all parts that have ended, and were not finished since, found what they
 * found in the look before. */
bool listener_builder_is_same(const struct listener_builder *b);

/* Puts what was found into order; a part that has not ended is empty. ret is
 * filled on success only, and lasts until a part begins anew. Returns 0, or
 * -ENOMEM: it may be tried again. */
int listener_builder_finish(struct listener_builder *b, struct inventory *ret);

#endif
