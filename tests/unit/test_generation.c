#include "core/generation.h"
#include "tests/unit/lives.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

enum { SOCKETS_MAX = 16, DEPARTED_MAX = 4096 };

/* A service as one poll left it. */
struct service {
    struct generation g; /* its sockets are those below */
    struct trace sockets[SOCKETS_MAX];
    struct trace departed[DEPARTED_MAX];
};

static void add_socket(struct service *s, const struct trace *socket)
{
    assert_in_range(s->g.count, 0, SOCKETS_MAX - 1);
    s->sockets[s->g.count++] = *socket;
}

static void follow(struct service *now, struct service *before)
{
    struct generation known = {0};

    if (before) {
        known = before->g;
        known.sockets = before->sockets;
        known.departed = before->departed;
        assert_in_range(known.count + known.departed_count, 0, DEPARTED_MAX);
    }
    now->g.sockets = now->sockets;
    now->g.departed = now->departed;
    generation_follow(&now->g, before ? &known : NULL);
    now->g.sockets = now->g.departed = NULL; /* a service is copied */
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
    static struct service now, before;
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
    assert_follows("1 | 1 2 | 1 2 3 | 1 2 3 4 5", "0/0 0/0 0/0 0/0");
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

/* Overlapped or not, as often as sockets are replaced. */
static void one_that_leaves_after_another_joined_is_a_restart(void **state)
{
    (void)state;
    assert_follows("1 | 1 2 | 2 | 2 3 | 3", "0/0 0/0 0/1 0/1 0/2");
    assert_follows("3 | 2 3 | 2 | 1 2 | 1", "0/0 0/0 0/1 0/1 0/2"); /* cookies know no order */
    assert_follows("1 | 1 2 | 1 2 | 1 2 | 2", "0/0 0/0 0/0 0/0 0/1");
    assert_follows("1 2 | 1 2 3 | 2 3 | 2 3 4 | 3 4", "0/0 0/0 0/1 0/1 0/2");
    assert_follows("1 2 | 1 2 3 4 | 3 4", "0/0 0/0 0/1"); /* together */
    assert_follows("1 2 | 1 2 3 4 | 2 3 4 | 3 4", "0/0 0/0 0/1 0/2");
    assert_follows("1 2 | 1 2 3 | 3 | 3 4", "0/0 0/0 0/1 0/2"); /* one of each kind */
    assert_follows("1 | 1 2 | 2 3 | 3", "0/0 0/0 0/1 0/2");
    assert_follows("1:5 | 1:6 2:1 | 2:3 | 2:3 3:1", "5/0 7/0 9/1 10/1");
}

/* Only a socket that came later can be in the place of one that went. */
static void the_newest_that_leaves_is_no_restart(void **state)
{
    (void)state;
    assert_follows("1 | 1 2 | 1", "0/0 0/0 0/0");
    assert_follows("2 | 1 2 | 2", "0/0 0/0 0/0");
    assert_follows("1 | 1 2 | 1 2 3 | 1 2 3 4 | 1 2 3 | 1 2 | 1", "0/0 0/0 0/0 0/0 0/0 0/0 0/0");
    assert_follows("1 | 1 2 3 4 | 1 3 | 1", "0/0 0/0 0/0 0/0");
    assert_follows("1 | 1 2 | 1 2 3 | 1 3", "0/0 0/0 0/0 0/1");     /* 3 is newer than 2 */
    assert_follows("1 | 1 2 | 1 | 1 3 | 1", "0/0 0/0 0/0 0/1 0/1"); /* 3 in the place of 2 */
}

/* What a new socket stood for once it stands for no more. */
static void a_socket_replaces_one_other(void **state)
{
    (void)state;
    assert_follows("1 2 | 1 2 3 | 2 3 | 3", "0/0 0/0 0/1 0/1");
    assert_follows("1 2 3 | 1 2 | 1 2 4 | 2 4", "0/0 0/0 0/1 0/1");
    assert_follows("1 2 | 1 3 | 3", "0/0 0/1 0/1");
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

static void a_socket_that_comes_back_is_the_same(void **state)
{
    (void)state;
    assert_follows("1:5 | - | 1:5 | 1:6", "5/0 5/0 5/0 6/0");
    assert_follows("1 2 | - | - | 1 2 3", "0/0 0/0 0/0 0/0");
    assert_follows("1 2 | - | 1 3", "0/0 0/0 0/1");
}

/* A UDP socket that is connected for a while is not in the inventory. */
static void a_member_that_comes_back_is_the_same(void **state)
{
    (void)state;
    assert_follows("1:2 2:194 | 1:2 | 1:2 2:194 | 1:2 | 1:3 2:200", "196/0 196/0 196/0 196/0 203/0");
    assert_follows("1 2 3 | 1 | 2 | 3 | 1 2 3 | 2", "0/0 0/0 0/0 0/0 0/0 0/0");
    assert_follows("1:1 2:2 3:3 | 3:3 | - | 2:2 3:4 | 3:4 | 1:9 2:9 3:9", "6/0 6/0 6/0 7/0 7/0 27/0");
    assert_follows("1:4294967295 2 | 2 | 1:4 2", "4294967295/0 4294967295/0 4294967300/0");
    assert_follows("1 2 | 1 | 1 3 | 1 2 3 | 1 3 | 1 2 3 | 1 3", "0/0 0/0 0/1 0/1 0/1 0/1 0/1");
    assert_follows("1 | 1 2 | 2 | 1 2 | 2 | 1 2 | 2", "0/0 0/0 0/1 0/1 0/1 0/1 0/1");
    assert_follows("1 | 1 2 | 1 | 1 2 | 2", "0/0 0/0 0/0 0/0 0/1"); /* 2 is still newer than 1 */
    assert_follows("1 2 | 2 | 1 2 | 2 | 2 3", "0/0 0/0 0/0 0/0 0/1");
    assert_follows("1 | 2 | 1 | 2 | 1", "0/0 0/1 0/1 0/1 0/1");
}

/* Cookie 0 is an unknown one: such sockets cannot be told apart. */
static void sockets_without_a_cookie_are_no_restart(void **state)
{
    (void)state;
    assert_follows("0 | 0 | 0", "0/0 0/0 0/0");
    assert_follows("0:5 | 0:9", "5/0 9/0");
    assert_follows("0 | 0 0 | 0 0 0", "0/0 0/0 0/0");
    assert_follows("0 0 0 | 0 0 | 0", "0/0 0/0 0/0");
    assert_follows("0 0 7 | 0 0 7", "0/0 0/0");
    assert_follows("0 7 | 0 8", "0/0 0/1");
    assert_follows("0:9 | 0:3 | 0:4", "9/0 12/0 13/0"); /* one that counted less is another one */
    assert_follows("0:9 1 | 1 | 0:3 1", "9/0 9/0 12/1");
}

static void sockets_without_a_counter_drop_nothing(void **state)
{
    (void)state;
    assert_follows("1 2 | 1 2 | 3", "0/0 0/0 0/1");
    assert_follows("1:5 2 | 1:6 2", "5/0 6/0");
    assert_follows("1 | 1:5 | 1:7", "0/0 5/0 7/0"); /* told later: from the start, too */
}

/* As much is forgotten as a history forgets. */
static void follow_and_forget(struct service *now, struct service *before)
{
    follow(now, before);
    now->g.departed = now->departed;
    generation_forget(&now->g, now->g.count + now->g.owed);
    now->g.departed = NULL;
    assert_in_range(now->g.departed_count, 0, SOCKETS_MAX);
}

static int compare_cookies(const void *a, const void *b)
{
    uint64_t x = ((const struct trace *)a)->cookie, y = ((const struct trace *)b)->cookie;

    return x < y ? -1 : x > y;
}

static void show_lives(const struct lives *m, struct service *s)
{
    *s = (struct service){0};
    for (uint32_t i = 0; i < m->count; i++)
        add_socket(s, &(struct trace){.cookie = m->is[i].cookie, .drops = {true, m->is[i].drops}});
    if (s->g.count > 0)
        qsort(s->sockets, s->g.count, sizeof *s->sockets, compare_cookies);
}

/* Beside a model. */
static void long_lives_are_followed_exactly(void **state)
{
    static struct service now, before;

    (void)state;
    for (uint32_t run = 1; run <= 200; run++) {
        uint32_t seed = run * 2654435761u;
        struct lives m = {0};

        for (int step = 0; step < 300; step++) {
            lives_go_on(&m, &seed);
            if (m.count == 0)
                continue; /* the service is gone, and what it was stays known */
            lives_see(&m);
            show_lives(&m, &now);
            follow_and_forget(&now, m.looks > 1 ? &before : NULL);
            assert_int_equal(now.g.drops, m.drops);
            assert_int_equal(now.g.restarts, m.restarts);
            assert_int_equal(now.g.owed, m.owed);
            assert_in_range(now.g.restarts, m.looks > 1 ? before.g.restarts : 0, m.went);
            assert_in_range(now.g.restarts, 0, m.came);
            before = now;
        }
        assert_true(m.restarts > 30);
        assert_true(m.drops > UINT32_MAX);
    }
}

/* A group is replaced again and again, with others that overlap: whatever
 * the order, each socket that is replaced in a poll of its own is a restart. */
static void rolling_replacements_count_alike(void **state)
{
    enum { GROUP = 5, ROUNDS = 120 };
    static struct service now, before;

    (void)state;
    for (uint32_t run = 0; run < 50; run++) {
        uint32_t seed = (run + 1) * 2654435761u;
        struct trace members[GROUP + 1];
        uint64_t next_cookie = 1, replaced = 0;

        for (size_t i = 0; i < GROUP; i++)
            members[i] = (struct trace){.cookie = next_cookie++};
        before = (struct service){0};
        for (size_t i = 0; i < GROUP; i++)
            add_socket(&before, &members[i]);
        follow_and_forget(&before, NULL);
        for (uint32_t turn = 0; turn < ROUNDS * GROUP; turn++) {
            bool overlaps = run % 3 == 0 || (run % 3 == 1 && next_random(&seed) % 2);

            /* The oldest is the first, and the new one has the highest cookie. */
            members[GROUP] = (struct trace){.cookie = next_cookie++};
            now = (struct service){0};
            for (size_t i = !overlaps; i < GROUP + (size_t)overlaps; i++)
                add_socket(&now, &members[i]);
            follow_and_forget(&now, &before);
            assert_int_equal(now.g.restarts, replaced);
            before = now;
            now = (struct service){0};
            for (size_t i = 1; i <= GROUP; i++)
                add_socket(&now, &members[i]);
            follow_and_forget(&now, &before);
            assert_int_equal(now.g.restarts, ++replaced);
            before = now;
            memmove(members, members + 1, GROUP * sizeof *members);
        }
        assert_int_equal(before.g.restarts, ROUNDS * GROUP);
    }
}

/* Members of a group that go and come back, in any order and however often. */
static void members_that_come_and_go_are_no_restarts(void **state)
{
    enum { GROUP = 8 };
    static struct service now, before;

    (void)state;
    for (uint32_t run = 1; run <= 100; run++) {
        uint32_t seed = run * 2654435761u, count[GROUP] = {0};

        before = (struct service){0};
        for (uint64_t i = 0; i < GROUP; i++)
            add_socket(&before, &(struct trace){.cookie = i + 1, .drops.known = true});
        follow_and_forget(&before, NULL);
        for (int step = 0; step < 200; step++) {
            uint32_t away = next_random(&seed) % (1 << GROUP);
            uint64_t drops = 0, dropped = 0;

            now = (struct service){0};
            for (uint32_t i = 0; i < GROUP; i++) {
                count[i] += next_random(&seed) % 100; /* while it is connected, too */
                if ((away & 1u << i) == 0)
                    add_socket(&now, &(struct trace){.cookie = i + 1, .drops = {true, count[i]}});
            }
            if (now.g.count == 0)
                continue;
            follow_and_forget(&now, &before);
            assert_int_equal(now.g.restarts, 0);
            assert_int_equal(now.g.count + now.g.departed_count, GROUP);
            for (uint32_t i = 0; i < now.g.count; i++)
                drops += now.sockets[i].drops.count;
            for (uint32_t i = 0; i < now.g.departed_count; i++)
                drops += now.departed[i].drops.count;
            for (uint32_t i = 0; i < GROUP; i++)
                dropped += count[i];
            assert_int_equal(now.g.drops, drops);
            assert_in_range(now.g.drops, 0, dropped);
            before = now;
        }
    }
}

/* Those that went first; however often there were polls. */
static void the_first_that_went_are_forgotten(void **state)
{
    static const struct {
        uint32_t keep;
        const char *kept;
    } cases[] = {{9, "12345"}, {5, "12345"}, {4, "1345"}, {3, "135"}, {2, "15"}, {1, "5"}, {0, ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        static const uint32_t left[] = {UINT32_MAX, UINT32_MAX - 2, UINT32_MAX - 1, UINT32_MAX - 1, 3};
        struct trace departed[5] = {0};
        struct generation g = {.departed = departed, .departed_count = 5, .polls = 5};
        char kept[6] = "";

        for (size_t k = 0; k < 5; k++)
            departed[k] = (struct trace){.cookie = k + 1, .left = left[k]};
        generation_forget(&g, cases[i].keep);
        for (uint32_t k = 0; k < g.departed_count; k++)
            kept[k] = (char)('0' + departed[k].cookie);
        assert_string_equal(kept, cases[i].kept);
    }
}

/* So many that came at different times that not all can be told apart: then the
 * newest still can. */
static void ages_beyond_the_limit_count_as_one(void **state)
{
    enum { MANY = GENERATION_AGES + 40 };
    static struct trace sockets[2][MANY], departed[2][2 * MANY];
    struct generation g[2];

    (void)state;
    for (uint32_t step = 0; step < MANY; step++) {
        struct generation *now = &g[step % 2];

        *now = (struct generation){.sockets = sockets[step % 2], .departed = departed[step % 2]};
        for (; now->count <= step; now->count++)
            now->sockets[now->count] = (struct trace){.cookie = now->count + 1};
        generation_follow(now, step > 0 ? &g[(step + 1) % 2] : NULL);
        assert_in_range(now->ages, 1, GENERATION_AGES - 1);
        assert_int_equal(now->restarts, 0);
    }
    for (uint32_t step = MANY; step < MANY + 20; step++) { /* the newest goes, and then the oldest */
        struct generation *now = &g[step % 2];
        const struct generation *before = &g[(step + 1) % 2];

        *now = (struct generation){.sockets = sockets[step % 2], .departed = departed[step % 2]};
        for (uint32_t i = step % 2; i + (step + 1) % 2 < before->count; i++)
            now->sockets[now->count++] = before->sockets[i];
        generation_follow(now, before);
        assert_int_equal(now->restarts, before->restarts + step % 2);
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
        cmocka_unit_test(one_that_leaves_after_another_joined_is_a_restart),
        cmocka_unit_test(the_newest_that_leaves_is_no_restart),
        cmocka_unit_test(a_socket_replaces_one_other),
        cmocka_unit_test(a_service_that_comes_back_was_restarted),
        cmocka_unit_test(a_socket_that_comes_back_is_the_same),
        cmocka_unit_test(a_member_that_comes_back_is_the_same),
        cmocka_unit_test(sockets_without_a_cookie_are_no_restart),
        cmocka_unit_test(sockets_without_a_counter_drop_nothing),
        cmocka_unit_test(long_lives_are_followed_exactly),
        cmocka_unit_test(rolling_replacements_count_alike),
        cmocka_unit_test(members_that_come_and_go_are_no_restarts),
        cmocka_unit_test(the_first_that_went_are_forgotten),
        cmocka_unit_test(ages_beyond_the_limit_count_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
