#include "exporters/shelf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int shelf_init(struct shelf *shelf, size_t max_bytes)
{
    *shelf = (struct shelf){.max_bytes = max_bytes};
    return pthread_mutex_init(&shelf->lock, NULL) == 0 ? 0 : -ENOMEM;
}

void shelf_done(struct shelf *shelf)
{
    assert(!shelf->oldest);
    (void)pthread_mutex_destroy(&shelf->lock); /* nobody is left to hold it */
}

static void lock(struct shelf *shelf)
{
    (void)pthread_mutex_lock(&shelf->lock); /* cannot fail: initialised, not recursive */
}

static void unlock(struct shelf *shelf)
{
    (void)pthread_mutex_unlock(&shelf->lock); /* likewise */
}

/* These are called with the lock held. */

static void link_newest(struct shelf *shelf, struct body *body)
{
    body->older = shelf->newest;
    *(shelf->newest ? &shelf->newest->newer : &shelf->oldest) = body;
    shelf->newest = body;
    shelf->bytes += body->length;
}

/* Takes a body off the shelf. Returns its text, which is the caller's to free;
 * NULL when it was off already. */
static void *take_off(struct shelf *shelf, struct body *body)
{
    void *data = ref_unseal(body->data);

    if (!data)
        return NULL;
    *(body->older ? &body->older->newer : &shelf->oldest) = body->newer;
    *(body->newer ? &body->newer->older : &shelf->newest) = body->older;
    body->older = body->newer = NULL;
    body->data = NULL;
    shelf->bytes -= body->length;
    return data;
}

static void make_room(struct shelf *shelf, size_t bytes)
{
    while (shelf->oldest && (bytes > shelf->max_bytes || shelf->bytes > shelf->max_bytes - bytes))
        free(take_off(shelf, shelf->oldest));
}

void shelf_make_room(struct shelf *shelf, size_t bytes)
{
    lock(shelf);
    make_room(shelf, bytes);
    unlock(shelf);
}

const struct body *shelf_put(struct shelf *shelf, struct buf *text)
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
    body->shelf = shelf;
    lock(shelf);
    make_room(shelf, body->length);
    link_newest(shelf, body);
    unlock(shelf);
    return body;
}

const struct body *body_ref(const struct body *body)
{
    ref_take(&body->ref);
    return body;
}

void body_unref(const struct body *body)
{
    struct body *last;
    void *data;

    if (!body || !ref_drop(&body->ref))
        return;
    last = ref_unseal(body);
    lock(last->shelf); /* somebody may be taking it back */
    data = take_off(last->shelf, last);
    unlock(last->shelf);
    free(data);
    free(last);
}

bool body_is_there(const struct body *body)
{
    bool there;

    lock(body->shelf);
    there = body->data;
    unlock(body->shelf);
    return there;
}

ssize_t body_read(const struct body *body, size_t offset, char *to, size_t size)
{
    ssize_t result = -ESTALE;

    assert(offset <= body->length);
    if (size > body->length - offset)
        size = body->length - offset;
    lock(body->shelf);
    if (body->data) {
        memcpy(to, body->data + offset, size);
        result = (ssize_t)size;
    }
    unlock(body->shelf);
    return result;
}
