#include "exporters/bodies.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

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
    struct rendered formats[BODY_FORMAT_COUNT];
    size_t lock_count;     /* how many of them have their lock */
    struct cut_count cuts; /* guarded by the lock of BODY_METRICS */
};

/* Called with the format's lock held. */
typedef void render_fn(struct bodies *bodies, const struct look *look, struct buf *out);

const struct body *body_ref(const struct body *body)
{
    ref_take(&body->ref);
    return body;
}

void body_unref(const struct body *body)
{
    if (!body || !ref_drop(&body->ref))
        return;
    free(ref_unseal(body->data));
    free(ref_unseal(body));
}

struct bodies *bodies_new(struct board *b)
{
    struct bodies *bodies = calloc(1, sizeof *bodies);

    if (!bodies)
        return NULL;
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

/* Takes the text. Returns owned, or NULL when memory ran out or runs out. */
static const struct body *seal_body(struct buf *text)
{
    struct body *body = calloc(1, sizeof *body);

    if (body)
        body->data = buf_take(text, &body->length);
    buf_done(text);
    if (!body || !body->data) {
        free(body);
        return NULL;
    }
    ref_init(&body->ref);
    return body;
}

/* Makes the format's body be of the look's version, or newer. Called with its
 * lock held. */
static int bring_up(struct bodies *bodies, enum body_format format, const struct look *look)
{
    struct rendered *r = &bodies->formats[format];
    const struct body *next;
    struct buf text;

    if (r->body && r->version >= look->version)
        return 0;
    buf_init(&text);
    renderers[format](bodies, look, &text);
    next = seal_body(&text);
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
    look_done(&look);
    return error;
}
