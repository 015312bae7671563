/* Bodies: what renderers make of what is newest on a board, made when somebody
 * asks for it and kept until something newer is asked for.
 *
 * However many threads ask, a format is rendered at most once for each version;
 * those who come meanwhile wait for that one rendering, and for no other
 * format's. What bodies take together is bounded: the oldest are taken back, so
 * read them with body_read(). What cannot be shown because of limits is counted
 * here. Any thread, but for bodies_new() and bodies_free(). */
#ifndef SOCKWATCH_EXPORTERS_BODIES_H
#define SOCKWATCH_EXPORTERS_BODIES_H

#include "exporters/board.h"
#include "exporters/shelf.h"

enum body_format { BODY_METRICS, BODY_PAGE, BODY_LISTENERS, BODY_FORMAT_COUNT };

/* What all bodies together may take, those included that slow clients still
 * read; beside it there is what is being rendered. */
#define BODIES_MAX_BYTES ((size_t)24 << 20)

struct bodies;

/* b   kept: the board must outlive them
 *
 * Returns owned, or NULL when memory runs out. */
struct bodies *bodies_new(struct board *b);

/* Nobody may ask any more, and every body must have been given back. */
void bodies_free(struct bodies *bodies);

/* The body of a format as of the newest version at the time of the call, or
 * newer.
 *
 * ret   returns owned (a reference); filled on success only. It may be taken
 *       back at any time
 *
 * Returns 0; -EAGAIN when nothing was posted on the board yet; -ENOMEM when it
 * could not be rendered, which the next call tries again. */
int bodies_get(struct bodies *bodies, enum body_format format, const struct body **ret);

#endif
