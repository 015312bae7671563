#include "config/entry_pairs.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"

#include <stdio.h>

enum { ENTRIES_MAX = 12, RANGES_MAX = 4, ADDRESSES_MAX = 3 };

/* A policy on the test's own memory. */
struct sample {
    struct expect expects[ENTRIES_MAX];
    struct port_range ranges[ENTRIES_MAX][RANGES_MAX];
    struct ip_addr addresses[ENTRIES_MAX][ADDRESSES_MAX];
    struct policy policy;
};

static void make_sample(struct sample *s, uint32_t *seed)
{
    *s = (struct sample){.policy = {.expect_count = next_random(seed) % (ENTRIES_MAX + 1)}};
    s->policy.expects = s->expects;
    for (size_t i = 0; i < s->policy.expect_count; i++) {
        struct matcher *match = &s->expects[i].match;

        (void)snprintf(s->expects[i].name, sizeof s->expects[i].name, "%.*s",
                       (int)(next_random(seed) % 5 > 0), &"abcdef"[next_random(seed) % 6]);
        match->protocols = next_random(seed) % 4; /* of tcp and udp */
        match->addresses = s->addresses[i];
        match->address_count = next_random(seed) % (ADDRESSES_MAX + 1);
        for (size_t k = 0, last = 0; k < match->address_count; k++) {
            last += 1 + next_random(seed) % 3;
            s->addresses[i][k] = (struct ip_addr){.version = 4, .bytes = {192, 0, 2, (uint8_t)last}};
        }
        match->ports = s->ranges[i];
        match->port_count = next_random(seed) % (RANGES_MAX + 1);
        for (size_t k = 0; k < match->port_count; k++) {
            uint16_t first = (uint16_t)(1 + next_random(seed) % 40);

            s->ranges[i][k] = (struct port_range){first, (uint16_t)(first + next_random(seed) % 5)};
        }
    }
}

static bool ports_overlap(const struct matcher *a, const struct matcher *b)
{
    for (size_t i = 0; matcher_protocols(a) & matcher_protocols(b) && i < a->port_count; i++)
        for (size_t k = 0; k < b->port_count; k++)
            if (a->ports[i].first <= b->ports[k].last && b->ports[k].first <= a->ports[i].last)
                return true;
    return false;
}

/* As it is meant, each with each. */
static bool is_pair(const struct expect *earlier, const struct expect *later)
{
    bool same_address = earlier->match.address_count == 0 && later->match.address_count == 0;

    for (size_t i = 0; i < earlier->match.address_count; i++)
        same_address |= matcher_asks_for(&later->match, &earlier->match.addresses[i]);

    return *later->name && ports_overlap(&earlier->match, &later->match) &&
           (same_address || strcmp(earlier->name, later->name) == 0);
}

static void assert_finds_all(const struct policy *policy)
{
    struct entry_pair *pairs;
    size_t count, next = 0;

    assert_int_equal(entry_pairs_find(policy, &pairs, &count), 0);
    for (uint32_t later = 0; later < policy->expect_count; later++)
        for (uint32_t earlier = 0; earlier < later; earlier++) {
            if (!is_pair(&policy->expects[earlier], &policy->expects[later]))
                continue;
            assert_true(next < count);
            assert_int_equal(pairs[next].later, later);
            assert_int_equal(pairs[next++].earlier, earlier);
        }
    assert_int_equal(next, count);
    free(pairs);
}

static void finds_the_same_as_comparing_each_with_each(void **state)
{
    uint32_t seed = 7;
    struct sample s;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        make_sample(&s, &seed);
        assert_finds_all(&s.policy);
    }
}

static void the_number_of_pairs_is_bounded(void **state)
{
    enum { COUNT = 2000 };
    struct port_range port = {80, 80};
    struct policy policy = {.expects = calloc(COUNT, sizeof *policy.expects), .expect_count = COUNT};
    struct entry_pair *pairs;
    size_t count;

    (void)state;
    assert_non_null(policy.expects);
    for (size_t i = 0; i < COUNT; i++)
        policy.expects[i] = (struct expect){.name = "a", .match = {.ports = &port, .port_count = 1}};
    assert_int_equal(entry_pairs_find(&policy, &pairs, &count), 0);
    assert_in_range(count, COUNT, ENTRY_PAIRS_MAX);
    free(pairs);
    free(policy.expects);
}

static void says_when_memory_runs_out(void **state)
{
    struct port_range port = {80, 80};
    struct expect expects[] = {{.name = "a", .match = {.ports = &port, .port_count = 1}},
                               {.name = "a", .match = {.ports = &port, .port_count = 1}}};
    struct policy policy = {.expects = expects, .expect_count = ARRAY_LENGTH(expects)};
    size_t n;

    (void)state;
    for (n = 1;; n++) {
        struct entry_pair *pairs = NULL;
        size_t count;
        int r;

        refuse_nth(n);
        r = entry_pairs_find(&policy, &pairs, &count);
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            assert_int_equal(count, 1);
            free(pairs);
            break;
        }
        assert_int_equal(r, -ENOMEM);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_same_as_comparing_each_with_each),
        cmocka_unit_test(the_number_of_pairs_is_bounded),
        cmocka_unit_test(says_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
