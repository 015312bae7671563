#include "exporters/board.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct board {
    const char *version;
    const char *revision;
    pthread_mutex_t lock;  /* guards all below */
    struct posting newest; /* all NULL until the first */
    struct status status;
    uint64_t content_number;
    uint64_t version_number;
    int64_t ready_until_ms;
};

static void lock(struct board *b)
{
    (void)pthread_mutex_lock(&b->lock); /* cannot fail: initialised, not recursive */
}

static void unlock(struct board *b)
{
    (void)pthread_mutex_unlock(&b->lock); /* likewise */
}

static struct posting posting_ref(const struct posting *p)
{
    return (struct posting){
        .snapshot = snapshot_ref(p->snapshot),
        .verdict = verdict_ref(p->verdict),
        .alerts = alert_list_ref(p->alerts),
        .config = config_ref(p->config),
    };
}

static void posting_unref(const struct posting *p)
{
    snapshot_unref(p->snapshot);
    verdict_unref(p->verdict);
    alert_list_unref(p->alerts);
    config_unref(p->config);
}

struct board *board_new(const char *version, const char *revision)
{
    struct board *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->version = version;
    b->revision = revision;
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    return b;
}

void board_free(struct board *b)
{
    if (!b)
        return;
    posting_unref(&b->newest);
    (void)pthread_mutex_destroy(&b->lock); /* nobody is left to hold it */
    free(b);
}

void board_post(struct board *b, const struct posting *posting)
{
    struct posting next = posting_ref(posting), previous;

    lock(b);
    previous = b->newest;
    b->newest = next;
    b->content_number++;
    b->version_number++;
    unlock(b);
    posting_unref(&previous);
}

void board_note(struct board *b, const struct status *status, int64_t ready_until_ms)
{
    lock(b);
    b->status = *status;
    b->ready_until_ms = ready_until_ms;
    b->version_number++;
    unlock(b);
}

/* Takes it all as it is at one moment; returns whether there is anything. */
static bool take(struct board *b, struct look *ret)
{
    bool any;

    lock(b);
    any = b->newest.snapshot;
    if (any) {
        ret->posting = posting_ref(&b->newest);
        ret->status = b->status;
        ret->content = b->content_number;
        ret->version = b->version_number;
    }
    unlock(b);
    return any;
}

int board_look(struct board *b, struct look *ret)
{
    if (!take(b, ret))
        return -EAGAIN;
    ret->view = (struct view){
        .snapshot = ret->posting.snapshot,
        .policy = &ret->posting.config->policy,
        .verdict = ret->posting.verdict,
        .alerts = ret->posting.alerts,
        .status = &ret->status,
        .has_history = true,
        .limits = ret->posting.config->limits,
        .version = b->version,
        .revision = b->revision,
    };
    return 0;
}

void look_done(struct look *look)
{
    posting_unref(&look->posting);
    *look = (struct look){0};
}

int64_t board_ready_until(struct board *b)
{
    int64_t until;

    lock(b);
    until = b->ready_until_ms;
    unlock(b);
    return until;
}
