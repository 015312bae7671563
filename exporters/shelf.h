/* The shelf: where finished bodies lie while anybody needs them, and the bound
 * on the bytes that all of them take together.
 *
 * A client that reads slowly keeps the body it began with, and the next one a
 * newer body; so many of them would keep as many. When there is no room for a
 * new body, the oldest are taken back: their memory is freed at once, and who
 * still reads one learns that it is gone. Any thread, but for shelf_init() and
 * shelf_done(). */
#ifndef SOCKWATCH_EXPORTERS_SHELF_H
#define SOCKWATCH_EXPORTERS_SHELF_H

#include "core/buf.h"
#include "core/ref.h"

#include <pthread.h>
#include <sys/types.h>

struct shelf {
    pthread_mutex_t lock; /* guards all below, and what bodies say is guarded */
    size_t max_bytes;
    size_t bytes; /* of the bodies that were not taken back */
    struct body *oldest, *newest;
};

/* One text, sealed. */
struct body {
    struct ref ref;
    struct shelf *shelf;
    size_t length;
    const char *data;           /* owned; guarded; NULL once it was taken back */
    struct body *older, *newer; /* guarded; on the shelf */
};

/* Returns 0 or -ENOMEM. */
int shelf_init(struct shelf *shelf, size_t max_bytes);

/* Every body must have been given back. */
void shelf_done(struct shelf *shelf);

/* Takes back the oldest bodies until so many bytes more fit, if they ever do. */
void shelf_make_room(struct shelf *shelf, size_t bytes);

/* Puts a text on the shelf, having made room for it. One that is larger than
 * the bound by itself lies there alone.
 *
 * text   taken, also on error
 *
 * Returns owned (a reference), or NULL when memory ran out or runs out. */
const struct body *shelf_put(struct shelf *shelf, struct buf *text);

const struct body *body_ref(const struct body *body);
void body_unref(const struct body *body);

/* Whether it was not taken back. */
bool body_is_there(const struct body *body);

/* Copies what the body has from offset on, size bytes at most.
 *
 * Returns how many bytes that were, or -ESTALE when it was taken back. */
ssize_t body_read(const struct body *body, size_t offset, char *to, size_t size);

#endif
