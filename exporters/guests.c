#include "exporters/guests.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct guest {
    struct guests *all;
    int fd;
    bool dismissed; /* it is in the list no more */
    struct guest *before, *after;
};

struct guests {
    size_t max;
    guest_dismiss_fn *dismiss;
    pthread_mutex_t lock;          /* guards all below, and every guest */
    struct guest *idlest, *latest; /* in the order in which they were active */
    size_t count;
};

static void lock(struct guests *g)
{
    (void)pthread_mutex_lock(&g->lock); /* cannot fail: initialised, not recursive */
}

static void unlock(struct guests *g)
{
    (void)pthread_mutex_unlock(&g->lock); /* likewise */
}

struct guests *guests_new(size_t max, guest_dismiss_fn *dismiss)
{
    struct guests *g = calloc(1, sizeof *g);

    assert(max > 0);
    if (!g)
        return NULL;
    g->max = max;
    g->dismiss = dismiss;
    if (pthread_mutex_init(&g->lock, NULL) != 0) {
        free(g);
        return NULL;
    }
    return g;
}

void guests_free(struct guests *g)
{
    if (!g)
        return;
    assert(g->count == 0);
    (void)pthread_mutex_destroy(&g->lock); /* nobody is left to hold it */
    free(g);
}

/* These are called with the lock held. */

static void append(struct guests *g, struct guest *guest)
{
    guest->before = g->latest;
    guest->after = NULL;
    *(g->latest ? &g->latest->after : &g->idlest) = guest;
    g->latest = guest;
    g->count++;
}

static void take_out(struct guests *g, struct guest *guest)
{
    *(guest->before ? &guest->before->after : &g->idlest) = guest->after;
    *(guest->after ? &guest->after->before : &g->latest) = guest->before;
    g->count--;
}

/* What is dismissed is still open: it leaves by guest_leave(), which waits. */
static void dismiss_idlest(struct guests *g)
{
    struct guest *guest = g->idlest;

    take_out(g, guest);
    guest->dismissed = true;
    g->dismiss(guest->fd);
}

struct guest *guests_add(struct guests *g, int fd)
{
    struct guest *guest = calloc(1, sizeof *guest);

    if (!guest)
        return NULL;
    guest->all = g;
    guest->fd = fd;
    lock(g);
    if (g->count == g->max)
        dismiss_idlest(g);
    append(g, guest);
    unlock(g);
    return guest;
}

void guest_is_active(struct guest *guest)
{
    struct guests *g;

    if (!guest)
        return;
    g = guest->all;
    lock(g);
    if (!guest->dismissed && g->latest != guest) {
        take_out(g, guest);
        append(g, guest);
    }
    unlock(g);
}

void guest_leave(struct guest *guest)
{
    struct guests *g;

    if (!guest)
        return;
    g = guest->all;
    lock(g);
    if (!guest->dismissed)
        take_out(g, guest);
    unlock(g);
    free(guest);
}
