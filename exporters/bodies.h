/* Bodies: what renderers make of what is newest on a board, made when somebody
 * asks for it and kept until something newer is asked for.
 *
 * However many threads ask, a format is rendered at most once for each version;
 * those who come meanwhile wait for that one rendering, and for no other
 * format's. What cannot be shown because of limits is counted here. Any thread,
 * but for bodies_new() and bodies_free(). */
#ifndef SOCKWATCH_EXPORTERS_BODIES_H
#define SOCKWATCH_EXPORTERS_BODIES_H

#include "core/ref.h"
#include "exporters/board.h"

enum body_format { BODY_METRICS, BODY_PAGE, BODY_LISTENERS, BODY_FORMAT_COUNT };

/* One text, sealed. */
struct body {
    struct ref ref;
    size_t length;
    const char *data; /* owned */
};

const struct body *body_ref(const struct body *body);
void body_unref(const struct body *body);

struct bodies;

/* b   kept: the board must outlive them
 *
 * Returns owned, or NULL when memory runs out. */
struct bodies *bodies_new(struct board *b);

/* Nobody may ask any more; bodies handed out before live on. */
void bodies_free(struct bodies *bodies);

/* The body of a format as of the newest version at the time of the call, or
 * newer.
 *
 * ret   returns owned (a reference); filled on success only
 *
 * Returns 0; -EAGAIN when nothing was posted on the board yet; -ENOMEM when it
 * could not be rendered, which the next call tries again. */
int bodies_get(struct bodies *bodies, enum body_format format, const struct body **ret);

#endif
