/* The thread that asks for names, and a database that answers when a test lets
 * it. ThreadSanitizer watches this, too. */
#include "collectors/user_worker.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { PATIENCE_S = 60, HANGS = 4242, MANY = 3 * USER_WORKER_MAX };
#define PATIENCE_US (INT64_C(1000000) * PATIENCE_S)

static atomic_size_t asks;
static sem_t hangs, goes_on; /* the question that hangs was asked; may be answered */
static atomic_bool is_signalled;

/* Numbers below 1000 have names. */
static int ask(uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    sigset_t blocked;

    atomic_fetch_add(&asks, 1);
    if (pthread_sigmask(SIG_BLOCK, NULL, &blocked) != 0 || !sigismember(&blocked, SIGTERM))
        atomic_store(&is_signalled, true);
    if (uid == HANGS) {
        (void)sem_post(&hangs);
        while (sem_wait(&goes_on) < 0)
            continue;
    }
    (void)snprintf(ret_name, USER_TEXT_MAX, "name%u", uid);
    return uid < 1000 ? 1 : uid == 1000 ? -EIO : 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for(sem_t *semaphore)
{
    struct timespec until;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(semaphore, &until) < 0)
        assert_int_equal(errno, EINTR);
}

static int set_up(void **state)
{
    atomic_store(&asks, 0);
    if (sem_init(&hangs, 0, 0) < 0 || sem_init(&goes_on, 0, 0) < 0)
        return -1;
    *state = user_worker_new(ask);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    user_worker_free(*state);
    return atomic_load(&is_signalled) ? -1 : 0;
}

/* Hands over, and waits for so many answers. */
static void ask_for(struct user_worker *w, const uint32_t *uids, size_t count, struct user_answer *ret)
{
    size_t have = 0;

    assert_int_equal(user_worker_hand(w, uids, count), 0);
    while (have < count) {
        struct user_answer answers[USER_WORKER_MAX];
        size_t more;

        assert_true(user_worker_await(w, PATIENCE_US));
        more = user_worker_take(w, answers);
        assert_in_range(more, 1, count - have);
        memcpy(ret + have, answers, more * sizeof *answers);
        have += more;
    }
}

static void questions_are_answered_in_order(void **state)
{
    static const uint32_t uids[] = {10, 1000, 2000};
    struct user_answer answers[3];

    assert_false(user_worker_is_busy(*state));
    assert_false(user_worker_await(*state, PATIENCE_US)); /* nothing was asked */
    ask_for(*state, uids, 3, answers);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(answers[i].uid, uids[i]);
    assert_int_equal(answers[0].result, 1);
    assert_string_equal(answers[0].name, "name10");
    assert_int_equal(answers[1].result, -EIO);
    assert_int_equal(answers[2].result, 0);
    assert_false(user_worker_is_busy(*state));
    assert_int_equal(user_worker_take(*state, answers), 0);
}

/* A hanging question is not asked once more; what waits behind it is another
 * matter as soon as something else is handed over. */
static void what_is_handed_over_replaces_what_waits(void **state)
{
    static const uint32_t first[] = {HANGS, 10, 11}, then[] = {12, HANGS, 13};
    struct user_answer answers[USER_WORKER_MAX];
    int64_t began_ms = now_ms();

    assert_int_equal(user_worker_hand(*state, first, 3), 0);
    wait_for(&hangs);
    assert_true(user_worker_is_busy(*state));
    assert_false(user_worker_await(*state, 2000));
    assert_true(now_ms() - began_ms >= 2);
    assert_int_equal(user_worker_take(*state, answers), 0);
    assert_int_equal(user_worker_hand(*state, then, 3), 0);
    assert_int_equal(sem_post(&goes_on), 0);
    for (size_t count = 0; count < 3;) {
        static const uint32_t wanted[] = {HANGS, 12, 13};
        size_t more;

        assert_true(user_worker_await(*state, PATIENCE_US));
        more = user_worker_take(*state, answers);
        for (size_t i = 0; i < more; i++)
            assert_int_equal(answers[i].uid, wanted[count++]);
    }
    assert_int_equal(atomic_load(&asks), 3);
}

/* However many were asked for that nobody takes. */
static void answers_that_nobody_takes_are_bounded(void **state)
{
    static struct user_answer answers[USER_WORKER_MAX];
    uint32_t uids[USER_WORKER_MAX];

    for (uint32_t first = 0; first < MANY; first += USER_WORKER_MAX) {
        for (uint32_t i = 0; i < USER_WORKER_MAX; i++)
            uids[i] = first + i;
        assert_int_equal(user_worker_hand(*state, uids, USER_WORKER_MAX), 0);
        assert_true(user_worker_await(*state, PATIENCE_US));
    }
    for (size_t count = 1; user_worker_is_busy(*state);) {
        assert_true(user_worker_await(*state, PATIENCE_US));
        count = user_worker_take(*state, answers);
        assert_in_range(count, 1, USER_WORKER_MAX);
    }
    assert_in_range(atomic_load(&asks), USER_WORKER_MAX, MANY);
}

static void many_questions_are_answered(void **state)
{
    struct user_answer answers[USER_WORKER_MAX];
    uint32_t uids[USER_WORKER_MAX];

    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < USER_WORKER_MAX; i++)
            uids[i] = round + i;
        ask_for(*state, uids, USER_WORKER_MAX, answers);
        for (uint32_t i = 0; i < USER_WORKER_MAX; i++)
            assert_int_equal(answers[i].uid, round + i);
    }
}

/* The thread frees what is left once the database answers. */
static void whoever_hangs_is_not_waited_for(void **state)
{
    static const uint32_t uids[] = {HANGS, 10};
    int64_t began_ms = now_ms();

    assert_int_equal(user_worker_hand(*state, uids, 2), 0);
    wait_for(&hangs);
    user_worker_free(*state);
    *state = NULL;
    assert_true(now_ms() - began_ms < 1000 * PATIENCE_S);
    assert_int_equal(sem_post(&goes_on), 0);
}

static void it_may_end_at_any_time(void **state)
{
    static const uint32_t uids[] = {1, 2, 3, 4, 5};

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct user_worker *w = user_worker_new(ask);

        assert_non_null(w);
        assert_int_equal(user_worker_hand(w, uids, (size_t)i % 6), 0);
        if (i % 3 == 0 && i % 6 > 0)
            assert_true(user_worker_await(w, PATIENCE_US));
        user_worker_free(w);
    }
    user_worker_free(NULL);
}

#define with_worker(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_worker(questions_are_answered_in_order),
        with_worker(what_is_handed_over_replaces_what_waits),
        with_worker(answers_that_nobody_takes_are_bounded),
        with_worker(many_questions_are_answered),
        with_worker(whoever_hangs_is_not_waited_for),
        with_worker(it_may_end_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
