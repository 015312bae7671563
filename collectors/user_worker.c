#include "collectors/user_worker.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct user_worker {
    user_ask_fn *ask;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wanted, answered;
    pthread_t thread;
    bool runs;          /* there is a thread */
    bool ends, is_left; /* it is to end; and to free all this */
    bool asks;          /* just now */
    uint32_t asked;
    uint32_t queue[USER_WORKER_MAX];
    size_t next, queued; /* in queue: the next one, and where it ends */
    struct user_answer answers[USER_WORKER_MAX];
    size_t answer_count;
};

/* The clock of waiting is not that of the wall. */
static void init_conditions(struct user_worker *w)
{
    pthread_condattr_t steady;

    (void)pthread_condattr_init(&steady); /* none of these fails in glibc */
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wanted, NULL);
    (void)pthread_cond_init(&w->answered, &steady);
    (void)pthread_condattr_destroy(&steady);
    (void)pthread_mutex_init(&w->lock, NULL);
}

struct user_worker *user_worker_new(user_ask_fn *ask)
{
    struct user_worker *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->ask = ask;
    init_conditions(w);
    return w;
}

static void destroy(struct user_worker *w)
{
    (void)pthread_cond_destroy(&w->wanted); /* nobody is left who uses these */
    (void)pthread_cond_destroy(&w->answered);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

static void lock(struct user_worker *w)
{
    int r = pthread_mutex_lock(&w->lock);

    assert(r == 0);
    (void)r;
}

static void unlock(struct user_worker *w)
{
    int r = pthread_mutex_unlock(&w->lock);

    assert(r == 0);
    (void)r;
}

/* Waits for a question and for room for its answer. Returns false at the end. */
static bool take_question(struct user_worker *w, struct user_answer *ret)
{
    while (!w->ends && (w->next == w->queued || w->answer_count == USER_WORKER_MAX))
        (void)pthread_cond_wait(&w->wanted, &w->lock);
    if (w->ends)
        return false;
    *ret = (struct user_answer){.uid = w->queue[w->next++]};
    w->asked = ret->uid;
    w->asks = true;
    return true;
}

static void *work(void *arg)
{
    struct user_worker *w = arg;
    struct user_answer answer;
    bool is_left;

    lock(w);
    while (take_question(w, &answer)) {
        unlock(w);
        answer.result = w->ask(answer.uid, answer.name);
        lock(w);
        w->asks = false;
        w->answers[w->answer_count++] = answer;
        (void)pthread_cond_signal(&w->answered);
    }
    is_left = w->is_left;
    unlock(w);
    if (is_left)
        destroy(w);
    return NULL;
}

/* Signals are the other threads'. */
static int start(struct user_worker *w)
{
    sigset_t all, before;
    int r;

    (void)sigfillset(&all); /* which cannot fail, nor can the next with such sets */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->thread, NULL, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->runs = r == 0;
    return -r;
}

void user_worker_free(struct user_worker *w)
{
    pthread_t thread;
    bool runs, asks;

    if (!w)
        return;
    lock(w);
    w->ends = true;
    runs = w->runs;
    asks = w->is_left = w->asks;
    thread = w->thread;
    (void)pthread_cond_signal(&w->wanted);
    unlock(w);
    if (asks) {
        (void)pthread_detach(thread); /* whoever hangs is not waited for */
        return;
    }
    if (runs)
        (void)pthread_join(thread, NULL); /* it is about to end */
    destroy(w);
}

/* Whether it is asked just now, or was and the answer was not taken yet. */
static bool is_asked(const struct user_worker *w, uint32_t uid)
{
    bool found = w->asks && w->asked == uid;

    for (size_t i = 0; i < w->answer_count; i++)
        found |= w->answers[i].uid == uid;
    return found;
}

int user_worker_hand(struct user_worker *w, const uint32_t *uids, size_t count)
{
    int r = 0;

    assert(count <= USER_WORKER_MAX);
    lock(w);
    w->next = w->queued = 0;
    if (!w->runs && count > 0)
        r = start(w);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!is_asked(w, uids[i]))
            w->queue[w->queued++] = uids[i];
    if (w->queued > 0)
        (void)pthread_cond_signal(&w->wanted);
    unlock(w);
    return r;
}

size_t user_worker_take(struct user_worker *w, struct user_answer *ret_answers)
{
    size_t count;

    lock(w);
    count = w->answer_count;
    memcpy(ret_answers, w->answers, count * sizeof *ret_answers);
    w->answer_count = 0;
    if (count == USER_WORKER_MAX)
        (void)pthread_cond_signal(&w->wanted); /* there is room again */
    unlock(w);
    return count;
}

static bool is_busy(const struct user_worker *w)
{
    return w->asks || w->next < w->queued || w->answer_count > 0;
}

bool user_worker_is_busy(struct user_worker *w)
{
    bool busy;

    lock(w);
    busy = is_busy(w);
    unlock(w);
    return busy;
}

static struct timespec after_us(int64_t us)
{
    struct timespec at;
    int64_t ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* which there is */
    ns = at.tv_nsec + us % 1000000 * 1000;
    at.tv_sec += us / 1000000 + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    return at;
}

bool user_worker_await(struct user_worker *w, int64_t us)
{
    const struct timespec until = after_us(us);
    bool answered;
    int r = 0;

    lock(w);
    while (r == 0 && w->answer_count == 0 && is_busy(w))
        r = pthread_cond_timedwait(&w->answered, &w->lock, &until);
    answered = w->answer_count > 0;
    unlock(w);
    return answered;
}
