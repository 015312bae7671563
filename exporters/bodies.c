#include "exporters/bodies.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A body of this size is not kept beside the one that takes its place. */
enum { LARGE_BYTES = 1 << 20 };

/* What the exposition left out because of limits. A content counts once,
 * however often it is rendered. */
struct cut_count {
    uint64_t content;           /* the one that was rendered last */
    struct prom_dropped cut;    /* of it */
    struct prom_dropped before; /* of all that were rendered before it, together */
};

/* The newest rendering of one format. */
struct rendered {
    pthread_mutex_t lock; /* guards all below, also while it is being rendered */
    uint64_t version;
    const struct body *body; /* NULL until the first */
};

struct bodies {
    struct board *board;
    struct shelf shelf;
    struct rendered formats[BODY_FORMAT_COUNT];
    size_t lock_count;     /* how many of them have their lock */
    struct cut_count cuts; /* guarded by the lock of BODY_METRICS */
};

/* Called with the format's lock held. */
typedef void render_fn(struct bodies *bodies, const struct look *look, struct buf *out);

struct bodies *bodies_new(struct board *b)
{
    struct bodies *bodies = calloc(1, sizeof *bodies);

    if (!bodies)
        return NULL;
    if (shelf_init(&bodies->shelf, BODIES_MAX_BYTES) < 0) {
        free(bodies);
        return NULL;
    }
    bodies->board = b;
    for (; bodies->lock_count < BODY_FORMAT_COUNT; bodies->lock_count++) {
        if (pthread_mutex_init(&bodies->formats[bodies->lock_count].lock, NULL) != 0) {
            bodies_free(bodies);
            return NULL;
        }
    }
    return bodies;
}

void bodies_free(struct bodies *bodies)
{
    if (!bodies)
        return;
    for (size_t i = 0; i < bodies->lock_count; i++) {
        body_unref(bodies->formats[i].body);
        (void)pthread_mutex_destroy(&bodies->formats[i].lock); /* nobody is left to hold it */
    }
    shelf_done(&bodies->shelf);
    free(bodies);
}

/* A content that is new leaves what the one before it had cut to the past. */
static void turn_to_content(struct cut_count *cuts, uint64_t content)
{
    if (cuts->content == content)
        return;
    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++)
        cuts->before.series[i] += cuts->cut.series[i];
    cuts->cut = (struct prom_dropped){{0}};
    cuts->content = content;
}

static void render_metrics(struct bodies *bodies, const struct look *look, struct buf *out)
{
    struct prom_dropped cut;

    turn_to_content(&bodies->cuts, look->content);
    prom_render(&look->view, &bodies->cuts.before, out, &cut);
    if (!out->failed)
        bodies->cuts.cut = cut;
}

static void render_page(struct bodies *bodies, const struct look *look, struct buf *out)
{
    (void)bodies;
    page_render(&look->view, out);
}

static void render_listeners(struct bodies *bodies, const struct look *look, struct buf *out)
{
    (void)bodies;
    json_listeners(&look->view, out);
}

static render_fn *const renderers[BODY_FORMAT_COUNT] = {
    [BODY_METRICS] = render_metrics,
    [BODY_PAGE] = render_page,
    [BODY_LISTENERS] = render_listeners,
};

/* Lets go of a body that is not of the look's version any more, where it is
 * large: nobody but its readers needs it. Called with the format's lock held. */
static void drop_outdated(struct rendered *r, const struct look *look)
{
    if (!r->body || r->version >= look->version || r->body->length < LARGE_BYTES)
        return;
    body_unref(r->body);
    r->body = NULL;
}

/* Likewise of the other formats, which may not be asked for again. */
static void drop_others(struct bodies *bodies, enum body_format format, const struct look *look)
{
    for (int i = 0; i < BODY_FORMAT_COUNT; i++) {
        struct rendered *r = &bodies->formats[i];

        if (i == (int)format || pthread_mutex_trylock(&r->lock) != 0)
            continue; /* or it is being rendered */
        drop_outdated(r, look);
        (void)pthread_mutex_unlock(&r->lock); /* cannot fail */
    }
}

/* Makes the format's body be of the look's version, or newer. Called with its
 * lock held. */
static int bring_up(struct bodies *bodies, enum body_format format, const struct look *look)
{
    struct rendered *r = &bodies->formats[format];
    const struct body *next;
    struct buf text;

    if (r->body && r->version >= look->version && body_is_there(r->body))
        return 0;
    if (r->body) /* which the next one will be about as large as */
        shelf_make_room(&bodies->shelf, r->body->length);
    drop_outdated(r, look);
    buf_init(&text);
    renderers[format](bodies, look, &text);
    next = shelf_put(&bodies->shelf, &text);
    if (!next)
        return -ENOMEM;
    body_unref(r->body);
    r->body = next;
    r->version = look->version;
    return 0;
}

int bodies_get(struct bodies *bodies, enum body_format format, const struct body **ret)
{
    struct rendered *r = &bodies->formats[format];
    struct look look;
    int error = board_look(bodies->board, &look);

    if (error < 0)
        return error;
    (void)pthread_mutex_lock(&r->lock); /* cannot fail: initialised, not recursive */
    error = bring_up(bodies, format, &look);
    if (error == 0)
        *ret = body_ref(r->body);
    (void)pthread_mutex_unlock(&r->lock); /* likewise */
    drop_others(bodies, format, &look);
    look_done(&look);
    return error;
}
