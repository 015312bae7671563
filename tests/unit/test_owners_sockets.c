#include "collectors/owners_sockets.h"
#include "collectors/process_table.h"
#include "tests/unit/unit.h"

enum { MANY = 5000 };

static struct watched *add(struct sockets *s, uint64_t cookie, uint32_t inode, uint64_t round)
{
    struct watched *w = sockets_add(s, cookie, inode);

    assert_non_null(w);
    w->round = round;
    return w;
}

static void many_are_found_by_cookie_and_inode(void **state)
{
    struct sockets s = {.items = NULL};

    (void)state;
    assert_null(sockets_find(&s, 1, 1));
    for (uint32_t i = 1; i <= MANY; i++)
        add(&s, i * 7, i, 1);
    for (uint32_t i = 1; i <= MANY; i++) {
        const struct watched *w = sockets_find(&s, i * 7, i);

        assert_non_null(w);
        assert_int_equal(w->inode, i);
        assert_null(sockets_find(&s, i * 7 + 1, i));
    }
    assert_null(sockets_find(&s, 7, MANY + 1));
    sockets_done(&s);
}

static size_t count_of_inode(const struct sockets *s, uint32_t inode)
{
    const struct watched *w;
    size_t cursor = 0, count = 0;

    while ((w = sockets_of_inode(s, inode, &cursor))) {
        assert_int_equal(w->inode, inode);
        count++;
    }
    return count;
}

static void an_inode_may_stand_for_several(void **state)
{
    struct sockets s = {.items = NULL};

    (void)state;
    assert_int_equal(count_of_inode(&s, 5), 0);
    for (uint32_t i = 0; i < 100; i++)
        add(&s, 1000 + i, 5 + i % 3, 1);
    assert_int_equal(count_of_inode(&s, 5), 34);
    assert_int_equal(count_of_inode(&s, 6), 33);
    assert_int_equal(count_of_inode(&s, 8), 0);
    sockets_done(&s);
}

/* No process can have them, however many there are. */
static void without_an_inode_they_are_told_by_their_cookies(void **state)
{
    struct sockets s = {.items = NULL};

    (void)state;
    for (uint32_t i = 1; i <= MANY; i++)
        add(&s, i, 0, 1);
    for (uint32_t i = 1; i <= MANY; i++)
        assert_non_null(sockets_find(&s, i, 0));
    assert_int_equal(count_of_inode(&s, 0), 0);
    sockets_done(&s);
}

static void those_of_an_earlier_round_are_forgotten(void **state)
{
    struct holding holding = {.count = 0};
    struct sockets s = {.items = NULL};

    (void)state;
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(watched_add(add(&s, i, i, i % 3), &holding), 0);
    assert_true(sockets_keep(&s, 1));
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(sockets_find(&s, i, i) != NULL, i % 3 == 1);
    assert_false(sockets_keep(&s, 1));
    assert_true(sockets_keep(&s, 2));
    assert_int_equal(s.count, 0);
    assert_null(sockets_find(&s, 1, 1));
    sockets_done(&s);
}

static void holdings_are_listed_until_they_are_removed(void **state)
{
    struct holding holdings[3] = {{.count = 0}};
    struct sockets s = {.items = NULL};
    struct watched *w = add(&s, 1, 1, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(holdings); i++)
        assert_int_equal(watched_add(w, &holdings[i]), 0);
    assert_true(watched_remove(w, &holdings[0]));
    assert_false(watched_remove(w, &holdings[0]));
    assert_int_equal(w->holding_count, 2);
    assert_false(watched_has(w, &holdings[0]));
    assert_true(watched_has(w, &holdings[1]));
    assert_true(watched_has(w, &holdings[2]));
    sockets_done(&s);
}

/* As after a flood. What is left is found as before. */
static void the_room_of_many_that_have_gone_is_given_back(void **state)
{
    struct sockets s = {.items = NULL};

    (void)state;
    for (uint32_t i = 1; i <= 60000; i++)
        add(&s, i, i, i % 1000 == 0 ? 2 : 1);
    assert_true(sockets_keep(&s, 2));
    assert_int_equal(s.count, 60);
    assert_in_range(s.capacity, 60, 600);
    assert_in_range(s.slot_count, 120, 1200);
    for (uint32_t i = 1; i <= 60000; i++)
        assert_int_equal(sockets_find(&s, i, i) != NULL, i % 1000 == 0);
    for (uint32_t i = 1; i <= 2000; i++)
        add(&s, 100000 + i, 100000 + i, 2);
    assert_non_null(sockets_find(&s, 102000, 102000));
    assert_true(sockets_keep(&s, 3));
    assert_int_equal(s.count, 0);
    add(&s, 1, 1, 4);
    assert_non_null(sockets_find(&s, 1, 1));
    sockets_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_found_by_cookie_and_inode),
        cmocka_unit_test(an_inode_may_stand_for_several),
        cmocka_unit_test(without_an_inode_they_are_told_by_their_cookies),
        cmocka_unit_test(those_of_an_earlier_round_are_forgotten),
        cmocka_unit_test(holdings_are_listed_until_they_are_removed),
        cmocka_unit_test(the_room_of_many_that_have_gone_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
