#include "core/probe_schedule.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

enum { INTERVAL_MS = 30000, TIMEOUT_MS = 3000 };

/* A policy of so many entries, each with a probe of a target of its own. */
static struct policy policy_of(size_t count)
{
    struct policy policy = {.expects = calloc(count + 1, sizeof *policy.expects), .expect_count = count};

    assert_non_null(policy.expects);
    policy.expect_capacity = count + 1;
    for (size_t i = 0; i < count; i++) {
        struct expect *e = &policy.expects[i];

        (void)snprintf(e->name, sizeof e->name, "s%zu", i);
        e->probe = (struct probe_order){.is_set = true,
                                        .target = {{4, {192, 0, 2, (uint8_t)(i % 250)}}, (uint16_t)(i + 1)}};
    }
    return policy;
}

static struct probe_schedule schedule_of(const struct policy *policy, int64_t now_ms)
{
    struct probe_schedule s = {.bounds = {.at_a_time = 64, .apart_ms = 5}};

    assert_int_equal(probe_schedule_set(&s, policy, now_ms), 0);
    return s;
}

static const struct probe_told *told_of(const struct probe_results *results, size_t expect)
{
    const struct probe_told *told = probe_results_of(results, expect);

    assert_non_null(told);
    assert_int_equal(told->expect, expect);
    return told;
}

/* What is told of an entry now. */
/* drift_ms   by which the wall clock has gone faster */
static struct probe_told tell_at(struct probe_schedule *s, size_t expect, int64_t now_ms, int64_t drift_ms)
{
    const struct instant now = {.mono_ms = now_ms, .wall_ms = 1000000000 + now_ms + drift_ms};
    const struct probe_results *results = probe_schedule_tell(s, now);
    struct probe_told told;

    assert_non_null(results);
    told = *told_of(results, expect);
    probe_results_unref(results);
    return told;
}

static struct probe_told tell(struct probe_schedule *s, size_t expect, int64_t now_ms)
{
    return tell_at(s, expect, now_ms, 0);
}

static struct probe_item *begin(struct probe_schedule *s, int64_t now_ms)
{
    struct probe_item *item = probe_schedule_begin(s, 0, now_ms);

    assert_non_null(item);
    return item;
}

static void end(struct probe_schedule *s, struct probe_item *item, enum probe_result result, int64_t now_ms)
{
    probe_schedule_end(s, item, result, false, 1500, now_ms);
}

static void probes_are_spread_over_their_interval(void **state)
{
    struct policy policy = policy_of(30);
    struct probe_schedule s = schedule_of(&policy, 1000);

    (void)state;
    for (int i = 0; i < 30; i++) {
        int64_t due_ms = probe_schedule_due_ms(&s);

        assert_int_equal(due_ms, 1000 + i * INTERVAL_MS / 30);
        assert_null(probe_schedule_begin(&s, 0, due_ms - 1));
        end(&s, begin(&s, due_ms), PROBE_OK, due_ms + 1);
    }
    assert_int_equal(probe_schedule_due_ms(&s), 1000 + INTERVAL_MS);
    assert_int_equal(s.left_out, 0);
    probe_schedule_done(&s);
    policy_done(&policy);
}

/* Goes through so many milliseconds in which nothing answers.
 *
 * ret_begun   how often each was made */
static void let_all_time_out(struct probe_schedule *s, int64_t from_ms, int64_t ms, size_t *ret_begun)
{
    struct probe_item *under_way[64] = {NULL};
    int64_t last_ms = from_ms - 1000;

    for (int64_t now_ms = from_ms; now_ms < from_ms + ms; now_ms++) {
        struct probe_item *item;
        int slot = -1;

        for (int i = 0; i < 64; i++) {
            if (under_way[i] && now_ms >= under_way[i]->now.begun_ms + under_way[i]->timeout_ms) {
                end(s, under_way[i], PROBE_TIMEOUT, now_ms);
                under_way[i] = NULL;
            }
            slot = under_way[i] ? slot : i;
        }
        item = probe_schedule_begin(s, slot, now_ms);
        if (!item)
            continue;
        assert_true(slot >= 0); /* there was room */
        assert_true(now_ms - last_ms >= 5);
        last_ms = now_ms;
        under_way[slot] = item;
        ret_begun[item->expect]++;
    }
}

/* 64 that take three seconds each are 21 a second: each of a thousand has its turn,
 * later than it was asked for, and none has two before all have one. */
static void too_many_come_later_and_all_in_turn(void **state)
{
    enum { COUNT = 1000 };
    struct policy policy = policy_of(COUNT);
    struct probe_schedule s = schedule_of(&policy, 0);
    size_t begun[COUNT] = {0}, least = SIZE_MAX, most = 0;

    (void)state;
    let_all_time_out(&s, 0, 200000, begun);
    for (size_t i = 0; i < COUNT; i++) {
        least = begun[i] < least ? begun[i] : least;
        most = begun[i] > most ? begun[i] : most;
    }
    assert_in_range(least, 3, 5);
    assert_true(most - least <= 1);
    assert_true(s.left_out > 0);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void few_are_on_time_though_none_answers(void **state)
{
    struct policy policy = policy_of(100);
    struct probe_schedule s = schedule_of(&policy, 0);
    size_t begun[100] = {0};

    (void)state;
    let_all_time_out(&s, 0, 5 * INTERVAL_MS, begun);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(begun[i], 5);
    assert_int_equal(s.left_out, 0);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void a_result_is_told_with_when_it_became_so(void **state)
{
    struct policy policy = policy_of(1);
    struct probe_schedule s = schedule_of(&policy, 0);
    struct probe_told told = tell(&s, 0, 0);

    (void)state;
    assert_false(told.known || told.unmade);
    assert_false(s.is_new);
    end(&s, begin(&s, 0), PROBE_REFUSED, 10);
    assert_true(s.is_new && s.is_new_to_rules);
    told = tell(&s, 0, 100);
    assert_true(told.known);
    assert_int_equal(told.result, PROBE_REFUSED);
    assert_int_equal(told.duration_us, 1500);
    assert_int_equal(told.since_ms, 1000000010);
    end(&s, begin(&s, INTERVAL_MS), PROBE_REFUSED, INTERVAL_MS + 10);
    assert_true(s.is_new && !s.is_new_to_rules); /* how long it took may be new */
    assert_int_equal(tell_at(&s, 0, INTERVAL_MS + 10, 3).since_ms, 1000000010); /* clocks drift */
    end(&s, begin(&s, 2 * INTERVAL_MS), PROBE_OK, 2 * INTERVAL_MS + 7);
    assert_true(s.is_new_to_rules);
    assert_int_equal(tell(&s, 0, 2 * INTERVAL_MS + 10).since_ms, 1000000000 + 2 * INTERVAL_MS + 7);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void what_cannot_be_made_is_believed_for_three_intervals(void **state)
{
    struct policy policy = policy_of(1);
    struct probe_schedule s = schedule_of(&policy, 0);
    int64_t now_ms = INTERVAL_MS, until_ms = 10 + 3 * INTERVAL_MS + TIMEOUT_MS;
    int error;

    (void)state;
    end(&s, begin(&s, 0), PROBE_TIMEOUT, 10);
    (void)tell(&s, 0, 10);
    for (; now_ms <= until_ms; now_ms += INTERVAL_MS) {
        probe_schedule_fail(&s, begin(&s, now_ms), -EMFILE, now_ms);
        assert_int_equal(probe_schedule_failed(&s, &error), 1);
        assert_int_equal(error, -EMFILE);
        assert_int_equal(tell(&s, 0, now_ms).result, PROBE_TIMEOUT);
    }
    assert_false(s.is_new);
    probe_schedule_age(&s, until_ms);
    assert_false(s.is_new);
    probe_schedule_age(&s, until_ms + 1);
    assert_true(s.is_new && s.is_new_to_rules);
    assert_false(tell(&s, 0, until_ms + 1).known);
    assert_true(tell(&s, 0, until_ms + 1).unmade);
    end(&s, begin(&s, now_ms), PROBE_OK, now_ms);
    assert_int_equal(probe_schedule_failed(&s, &error), 0);
    assert_true(tell(&s, 0, now_ms).known);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void another_one_is_made_soon_when_the_service_has_changed(void **state)
{
    struct policy policy = policy_of(1);
    struct probe_schedule s = schedule_of(&policy, 0);
    struct probe_told told;

    (void)state;
    probe_schedule_note(&s, 0, 0, false, 0);
    end(&s, begin(&s, 0), PROBE_REFUSED, 1);
    told = tell(&s, 0, 1);
    assert_int_equal(told.reach, 0);
    probe_schedule_note(&s, 0, 0, false, 100); /* as before */
    assert_int_equal(probe_schedule_due_ms(&s), INTERVAL_MS);
    probe_schedule_note(&s, 0, REACH_LISTENS, false, 200); /* not sooner than a second after the last */
    assert_int_equal(probe_schedule_due_ms(&s), PROBE_AGAIN_MS);
    assert_int_equal(tell(&s, 0, 300).reach, 0);
    end(&s, begin(&s, PROBE_AGAIN_MS), PROBE_OK, PROBE_AGAIN_MS + 1);
    assert_int_equal(tell(&s, 0, 2000).reach, REACH_LISTENS);
    probe_schedule_note(&s, 0, REACH_LISTENS, true, 5000); /* restarted: what is known is of another one */
    assert_int_equal(probe_schedule_due_ms(&s), 5000);
    assert_true(s.is_new_to_rules);
    assert_false(tell(&s, 0, 5000).known);
    assert_false(tell(&s, 0, 5000).unmade);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void one_under_way_when_the_service_comes_back_says_nothing(void **state)
{
    struct policy policy = policy_of(1);
    struct probe_schedule s = schedule_of(&policy, 0);
    struct probe_item *item;

    (void)state;
    probe_schedule_note(&s, 0, REACH_LISTENS, false, 0);
    item = begin(&s, 0);
    probe_schedule_note(&s, 0, REACH_LISTENS, true, 500);
    end(&s, item, PROBE_REFUSED, 600);
    assert_false(tell(&s, 0, 600).known);
    assert_int_equal(probe_schedule_due_ms(&s), PROBE_AGAIN_MS);
    item = begin(&s, PROBE_AGAIN_MS);
    probe_schedule_note(&s, 0, REACH_LISTENS | REACH_QUEUE_FULL, false, 1100);
    end(&s, item, PROBE_TIMEOUT, 4000);
    assert_int_equal(tell(&s, 0, 4000).reach, REACH_LISTENS); /* which rules compare */
    assert_int_equal(probe_schedule_due_ms(&s), 4000);
    probe_schedule_done(&s);
    policy_done(&policy);
}

/* A service that changes with every poll is probed once a second. */
static void a_service_that_changes_all_the_time_is_no_storm(void **state)
{
    struct policy policy = policy_of(1);
    struct probe_schedule s = schedule_of(&policy, 0);
    size_t begun = 0;

    (void)state;
    for (int64_t now_ms = 0; now_ms < 20000; now_ms += 20) {
        struct probe_item *item = probe_schedule_begin(&s, 0, now_ms);

        if (item)
            end(&s, item, PROBE_OK, now_ms);
        begun += item != NULL;
        probe_schedule_note(&s, 0, now_ms / 20 % 2 ? REACH_LISTENS : 0, true, now_ms);
    }
    assert_in_range(begun, 18, 21);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void a_reload_keeps_what_is_the_same(void **state)
{
    struct policy policy = policy_of(4);
    struct probe_schedule s = schedule_of(&policy, 0);
    struct probe_item *under_way;
    struct expect first = policy.expects[0];

    (void)state;
    end(&s, begin(&s, 0), PROBE_TIMEOUT, 3000);
    under_way = probe_schedule_begin(&s, 5, INTERVAL_MS / 4);
    assert_non_null(under_way);
    /* the first moves to the end, the second has another target, the third none */
    policy.expects[0] = policy.expects[3];
    policy.expects[3] = first;
    policy.expects[1].probe.target.port = 99;
    policy.expects[2].probe.is_set = false;
    policy.expects[3].probe.interval_ms = 2000;
    assert_int_equal(probe_schedule_set(&s, &policy, 10000), 0);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.under_way, 0); /* that of the second is gone */
    assert_int_equal(tell(&s, 3, 10000).result, PROBE_TIMEOUT);
    assert_false(tell(&s, 1, 10000).known);
    assert_int_equal(begin(&s, 10000)->expect, 1);
    assert_int_equal(begin(&s, 12000)->expect, 3); /* as soon as its interval is now */
    assert_int_equal(probe_schedule_set(&s, &policy, 12000), 0);
    assert_int_equal(s.under_way, 2);
    assert_int_equal(probe_schedule_due_ms(&s), INTERVAL_MS * 3 / 4);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static void who_looks_once_has_each_made_at_once(void **state)
{
    struct policy policy = policy_of(3);
    struct probe_schedule s = {.bounds = {.at_a_time = 10, .once = true}};
    struct probe_item *items[3];

    (void)state;
    assert_int_equal(probe_schedule_set(&s, &policy, 0), 0);
    for (size_t i = 0; i < 3; i++)
        items[i] = begin(&s, 0);
    end(&s, items[0], PROBE_OK, 1);
    probe_schedule_fail(&s, items[1], -EMFILE, 1);
    end(&s, items[2], PROBE_TIMEOUT, 60000);
    assert_int_equal(probe_schedule_due_ms(&s), INT64_MAX);
    assert_true(tell(&s, 0, 100000).known);
    assert_true(tell(&s, 1, 100000).unmade);
    assert_int_equal(tell(&s, 2, 100000).reach, REACH_UNTOLD);
    probe_schedule_done(&s);
    policy_done(&policy);
}

static size_t count_under_way(const struct probe_schedule *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++)
        count += s->due_ms[i] == INT64_MAX;
    return count;
}

/* Ends the one that is under way in some way, or begins one. */
static struct probe_item *do_something(struct probe_schedule *s, struct probe_item *under_way, int slot,
                                       int64_t now_ms, uint32_t *seed)
{
    uint32_t what = next_random(seed) % (PROBE_RESULT_COUNT + 1);

    if (!under_way)
        return probe_schedule_begin(s, slot, now_ms);
    if (what == PROBE_RESULT_COUNT)
        probe_schedule_fail(s, under_way, -ENOBUFS, now_ms);
    else
        end(s, under_way, (enum probe_result)what, now_ms);
    return NULL;
}

/* Whatever happens, those that are counted as under way are, and no others. */
static void counts_hold_whatever_happens(void **state)
{
    enum { SLOTS = 7 };
    uint32_t seed = 20231114;
    struct policy policy = policy_of(40);
    struct probe_schedule s = {.bounds = {.at_a_time = SLOTS, .apart_ms = 5}};
    struct probe_item *under_way[SLOTS] = {NULL};

    (void)state;
    assert_int_equal(probe_schedule_set(&s, &policy, 0), 0);
    for (int64_t now_ms = 0; now_ms < 300000; now_ms += next_random(&seed) % 200) {
        size_t slot = next_random(&seed) % SLOTS, count = 0;

        under_way[slot] = do_something(&s, under_way[slot], (int)slot, now_ms, &seed);
        probe_schedule_note(&s, next_random(&seed) % 41, (uint8_t)(next_random(&seed) % 16),
                            next_random(&seed) % 4 == 0, now_ms);
        for (size_t i = 0; i < SLOTS; i++)
            count += under_way[i] != NULL;
        assert_int_equal(s.under_way, count);
        assert_int_equal(count_under_way(&s), count);
    }
    probe_schedule_done(&s);
    policy_done(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_spread_over_their_interval),
        cmocka_unit_test(too_many_come_later_and_all_in_turn),
        cmocka_unit_test(few_are_on_time_though_none_answers),
        cmocka_unit_test(a_result_is_told_with_when_it_became_so),
        cmocka_unit_test(what_cannot_be_made_is_believed_for_three_intervals),
        cmocka_unit_test(another_one_is_made_soon_when_the_service_has_changed),
        cmocka_unit_test(one_under_way_when_the_service_comes_back_says_nothing),
        cmocka_unit_test(a_service_that_changes_all_the_time_is_no_storm),
        cmocka_unit_test(a_reload_keeps_what_is_the_same),
        cmocka_unit_test(who_looks_once_has_each_made_at_once),
        cmocka_unit_test(counts_hold_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
