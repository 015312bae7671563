#include "core/generation.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

enum { SOCKETS_MAX = 16 };

/* A service as one poll left it. */
struct service {
    struct generation g; /* its sockets are those below */
    struct trace sockets[SOCKETS_MAX];
};

static void add_socket(struct service *s, const struct trace *socket)
{
    assert_in_range(s->g.count, 0, SOCKETS_MAX - 1);
    s->sockets[s->g.count++] = *socket;
}

static void follow(struct service *now, const struct service *before)
{
    struct generation known = {0};

    if (before) {
        known = before->g;
        known.sockets = before->sockets;
    }
    now->g.sockets = now->sockets;
    generation_follow(&now->g, before ? &known : NULL);
    now->g.sockets = NULL; /* a service is copied */
}

/* Reads "COOKIE:DROPS" or "COOKIE", separated by spaces and by cookie. */
static void add_sockets(struct service *s, char *text)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        struct trace socket = {.cookie = strtoull(word, &word, 10)};

        socket.drops.known = *word == ':';
        socket.drops.count = socket.drops.known ? (uint32_t)strtoul(word + 1, &word, 10) : 0;
        assert_string_equal(word, "");
        add_socket(s, &socket);
    }
}

/* Follows a service from poll to poll, separated by "|"; "-" for one in which
 * it is gone. The "DROPS/RESTARTS" after each poll must be these. */
static void assert_follows(const char *polls, const char *wanted)
{
    struct service now, before;
    bool is_known = false;
    char copy[512], have[512] = "", *rest = copy, *poll;
    size_t length = 0;

    assert_true(strlen(polls) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", polls);
    while ((poll = strsep(&rest, "|"))) {
        now = (struct service){0};
        if (strchr(poll, '-')) {
            now = before;
        } else {
            add_sockets(&now, poll);
            follow(&now, is_known ? &before : NULL);
        }
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%" PRIu64 "/%" PRIu64,
                                   *have ? " " : "", now.g.drops, now.g.restarts);
        before = now;
        is_known = true;
    }
    assert_string_equal(have, wanted);
}

static void the_first_sight_counts_what_the_kernel_counted(void **state)
{
    (void)state;
    assert_follows("1", "0/0");
    assert_follows("1:0", "0/0");
    assert_follows("1:10", "10/0");
    assert_follows("1:10 2:5 3:4294967295", "4294967310/0");
}

static void what_is_dropped_later_is_added(void **state)
{
    (void)state;
    assert_follows("1:10 | 1:10 | 1:15 | 1:15 | 1:16", "10/0 10/0 15/0 15/0 16/0");
    assert_follows("1:10 2:5 | 1:11 2:8 | 1:11 2:9", "15/0 19/0 20/0");
}

static void a_kernels_counter_may_wrap(void **state)
{
    (void)state;
    assert_follows("1:4294967290 | 1:4", "4294967290/0 4294967300/0");
    assert_follows("1:4294967295 | 1:0 | 1:4294967295 | 1:0",
                   "4294967295/0 4294967296/0 8589934591/0 8589934592/0");
}

static void a_replaced_socket_is_a_restart(void **state)
{
    (void)state;
    assert_follows("1 | 2", "0/0 0/1");
    assert_follows("2 | 1", "0/0 0/1");
    assert_follows("1 | 2 | 2 | 3 | 3", "0/0 0/1 0/1 0/2 0/2");
}

static void a_restart_takes_no_drops_back(void **state)
{
    (void)state;
    assert_follows("1:10 | 2:3 | 2:5", "10/0 13/1 15/1");
    assert_follows("1:10 | 2:0 | 2:0", "10/0 10/1 10/1");
    assert_follows("1:10 2:20 | 2:21 3:1 | 2:21 3:2", "30/0 32/1 33/1");
}

static void sockets_replaced_together_are_one_restart(void **state)
{
    (void)state;
    assert_follows("1 2 3 | 4 5 6", "0/0 0/1");
    assert_follows("1 2 3 | 2 4 5", "0/0 0/1");
    assert_follows("1 2 3 | 4 5 6 7 8", "0/0 0/1"); /* and some join */
    assert_follows("1 2 3 | 4", "0/0 0/1");
    assert_follows("1 3 5 | 2 4 6 | 2 4 6", "0/0 0/1 0/1");
}

static void every_poll_that_replaces_some_is_a_restart(void **state)
{
    (void)state;
    assert_follows("1 2 3 | 2 3 4 | 3 4 5 | 4 5 6", "0/0 0/1 0/2 0/3");
}

static void a_socket_that_joins_is_no_restart(void **state)
{
    (void)state;
    assert_follows("1:5 | 1:5 2:7", "5/0 12/0");
    assert_follows("2:5 | 1:7 2:5", "5/0 12/0");
    assert_follows("2 | 1 2 3 | 0 1 2 3 4", "0/0 0/0 0/0");
}

static void a_socket_that_leaves_is_no_restart(void **state)
{
    (void)state;
    assert_follows("1:5 2:7 | 2:7", "12/0 12/0");
    assert_follows("1:5 2:7 | 1:6", "12/0 13/0");
    assert_follows("1 2 3 | 2 | 2 | 2", "0/0 0/0 0/0 0/0");
}

static void one_that_joins_after_one_left_is_a_restart(void **state)
{
    (void)state;
    assert_follows("1 2 | 1 | 1 | 1 3", "0/0 0/0 0/0 0/1");
    assert_follows("1 2 | 1 | 1 3 | 1 3 4", "0/0 0/0 0/1 0/1"); /* only the first came in its place */
    assert_follows("1 2 3 | 1 | 1 4 5 | 1 4 5 6", "0/0 0/0 0/1 0/1");
    assert_follows("1 2 3 | 1 | 1 4 | 1 4 5 | 1 4 5 6", "0/0 0/0 0/1 0/2 0/2");
}

static void a_service_that_comes_back_was_restarted(void **state)
{
    (void)state;
    assert_follows("1:5 | - | 2:1 | 2:2", "5/0 5/0 6/1 7/1");
    assert_follows("1:5 | - | - | - | 2:1", "5/0 5/0 5/0 5/0 6/1");
    assert_follows("1 | - | 2 | - | 3", "0/0 0/0 0/1 0/1 0/2");
    assert_follows("1 2 3 | - | 4 5 6 | 4 5 6 7", "0/0 0/0 0/1 0/1");
    assert_follows("1 2 | 1 | - | 3 4 | 3 4 5", "0/0 0/0 0/0 0/1 0/1");
}

/* Cookie 0 is an unknown one: such sockets cannot be told apart. */
static void a_socket_that_comes_back_is_the_same(void **state)
{
    (void)state;
    assert_follows("1:5 | - | 1:5 | 1:6", "5/0 5/0 5/0 6/0");
    assert_follows("1 2 | - | - | 1 2 3", "0/0 0/0 0/0 0/0");
    assert_follows("1 2 | - | 1 3", "0/0 0/0 0/1");
}

static void sockets_without_a_cookie_are_no_restart(void **state)
{
    (void)state;
    assert_follows("0 | 0 | 0", "0/0 0/0 0/0");
    assert_follows("0:5 | 0:9", "5/0 9/0");
    assert_follows("0 | 0 0 | 0 0 0", "0/0 0/0 0/0");
    assert_follows("0 0 0 | 0 0 | 0", "0/0 0/0 0/0");
    assert_follows("0 0 7 | 0 0 7", "0/0 0/0");
    assert_follows("0 7 | 0 8", "0/0 0/1");
}

static void sockets_without_a_counter_drop_nothing(void **state)
{
    (void)state;
    assert_follows("1 2 | 1 2 | 3", "0/0 0/0 0/1");
    assert_follows("1:5 2 | 1:6 2", "5/0 6/0");
    assert_follows("1 | 1:5 | 1:7", "0/0 5/0 7/0"); /* told later: from the start, too */
}

/* Removes some sockets and adds others; a new one may drop at once. Returns
 * how many are new. */
static uint32_t change_sockets(struct service *s, uint32_t *seed, uint64_t *next_cookie)
{
    const struct service was = *s;
    uint32_t leave_percent = next_random(seed) % 3 * 50, fresh = next_random(seed) % 4;

    *s = (struct service){0};
    for (uint32_t i = 0; i < was.g.count; i++)
        if (next_random(seed) % 100 >= leave_percent)
            add_socket(s, &was.sockets[i]);
    if (s->g.count + fresh > SOCKETS_MAX)
        fresh = SOCKETS_MAX - s->g.count;
    for (uint32_t i = 0; i < fresh; i++)
        add_socket(s, &(struct trace){.cookie = (*next_cookie)++, .drops.known = true});
    return fresh;
}

/* Lets every socket drop something, now and then more than half a wrap.
 * Returns the sum. */
static uint64_t drop(struct service *s, uint32_t *seed)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < s->g.count; i++) {
        uint32_t dropped = next_random(seed) >> next_random(seed) % 32;

        s->sockets[i].drops.count += dropped;
        sum += dropped;
    }
    return sum;
}

/* Beside a model: drops are the sum over all sockets there ever were, and a
 * restart is a new socket while fewer stayed than there once were. */
static void long_lives_are_followed_exactly(void **state)
{
    (void)state;
    for (uint32_t run = 1; run <= 200; run++) {
        uint32_t seed = run * 2654435761u, peak = 0;
        uint64_t next_cookie = 1, drops = 0, restarts = 0;
        struct service alive = {0}, before = {0};
        bool is_known = false;

        for (int step = 0; step < 100; step++) {
            struct service now = alive;
            uint32_t fresh = change_sockets(&now, &seed, &next_cookie), stayed = now.g.count - fresh;

            drops += drop(&now, &seed);
            restarts += fresh > 0 && stayed < peak;
            if (now.g.count > peak)
                peak = now.g.count;
            alive = now;
            if (now.g.count == 0)
                continue; /* the service is gone, and what it was stays known */
            follow(&now, is_known ? &before : NULL);
            is_known = true;
            assert_int_equal(now.g.drops, drops);
            assert_int_equal(now.g.restarts, restarts);
            assert_int_equal(now.g.owed + now.g.count, peak);
            before = now;
        }
        assert_true(restarts > 10);
        assert_true(drops > UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sight_counts_what_the_kernel_counted),
        cmocka_unit_test(what_is_dropped_later_is_added),
        cmocka_unit_test(a_kernels_counter_may_wrap),
        cmocka_unit_test(a_replaced_socket_is_a_restart),
        cmocka_unit_test(a_restart_takes_no_drops_back),
        cmocka_unit_test(sockets_replaced_together_are_one_restart),
        cmocka_unit_test(every_poll_that_replaces_some_is_a_restart),
        cmocka_unit_test(a_socket_that_joins_is_no_restart),
        cmocka_unit_test(a_socket_that_leaves_is_no_restart),
        cmocka_unit_test(one_that_joins_after_one_left_is_a_restart),
        cmocka_unit_test(a_service_that_comes_back_was_restarted),
        cmocka_unit_test(a_socket_that_comes_back_is_the_same),
        cmocka_unit_test(sockets_without_a_cookie_are_no_restart),
        cmocka_unit_test(sockets_without_a_counter_drop_nothing),
        cmocka_unit_test(long_lives_are_followed_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
