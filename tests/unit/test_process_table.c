#include "collectors/process_table.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static void assert_pids(const struct process_table *t, const uint32_t *pids, size_t count)
{
    assert_int_equal(t->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(t->items[i].pid, pids[i]);
        assert_ptr_equal(process_find(t, pids[i]), &t->items[i]);
    }
}

static void processes_stand_in_order_however_they_come(void **state)
{
    static const uint32_t coming[] = {50, 60, 10, 55, 5, 60, 70}, ordered[] = {5, 10, 50, 55, 60, 70};
    struct process_table t = {.items = NULL};

    (void)state;
    assert_null(process_find(&t, 50));
    for (size_t i = 0; i < ARRAY_LENGTH(coming); i++) {
        const struct process *p = process_add(&t, coming[i]);

        assert_non_null(p);
        assert_int_equal(p->pid, coming[i]);
        assert_null(p->holding);
    }
    assert_pids(&t, ordered, ARRAY_LENGTH(ordered));
    assert_null(process_find(&t, 11));
    assert_null(process_find(&t, 71));
    process_table_done(&t);
}

static void one_comes_after_the_other(void **state)
{
    struct process_table t = {0};

    (void)state;
    assert_null(process_next(&t, 0));
    for (uint32_t pid = 10; pid <= 30; pid += 10)
        assert_non_null(process_add(&t, pid));
    process_remove(&t, process_find(&t, 20));
    assert_int_equal(process_next(&t, 0)->pid, 10);
    assert_int_equal(process_next(&t, 10)->pid, 30);
    assert_int_equal(process_next(&t, 25)->pid, 30);
    assert_null(process_next(&t, 30));
    assert_int_equal(process_told_as(process_find(&t, 10)), 10);
    process_find(&t, 30)->leader = 10;
    assert_int_equal(process_told_as(process_find(&t, 30)), 10);
    process_table_done(&t);
}

static void one_that_is_known_stays_as_it_is(void **state)
{
    struct process_table t = {.items = NULL};

    (void)state;
    process_add(&t, 10)->served = 7;
    assert_int_equal(process_add(&t, 10)->served, 7);
    assert_int_equal(t.count, 1);
    process_table_done(&t);
}

static void what_was_removed_is_not_found_and_its_place_goes_with_others(void **state)
{
    static const uint32_t left[] = {10, 30};
    struct process_table t = {.items = NULL};

    (void)state;
    for (uint32_t pid = 10; pid <= 40; pid += 10)
        assert_int_equal(process_hold(process_add(&t, pid), pid, 3), 0);
    for (uint32_t pid = 20; pid <= 40; pid += 20) {
        struct process *p = process_find(&t, pid);

        process_leave(p);
        process_remove(&t, p);
        assert_null(process_find(&t, pid));
    }
    assert_int_equal(t.count, 4);
    process_table_tidy(&t);
    assert_pids(&t, left, ARRAY_LENGTH(left));
    assert_int_equal(t.items[1].holding->items[0].inode, 30);
    process_table_done(&t);
}

/* Before its place was freed: nothing is left of the process that had it. */
static void a_number_that_is_used_again_is_a_new_process(void **state)
{
    static const uint32_t left[] = {10};
    struct process_table t = {.items = NULL};
    struct process *p = process_add(&t, 10);

    (void)state;
    p->served = 7;
    process_remove(&t, p);
    assert_int_equal(process_add(&t, 10)->served, 0);
    process_table_tidy(&t);
    assert_pids(&t, left, 1);
    process_table_done(&t);
}

/* As after a flood. */
static void the_room_of_many_that_have_gone_is_given_back(void **state)
{
    struct process_table t = {.items = NULL};

    (void)state;
    for (uint32_t pid = 1; pid <= 30000; pid++)
        assert_non_null(process_add(&t, pid));
    for (uint32_t pid = 11; pid <= 30000; pid++)
        process_remove(&t, process_find(&t, pid));
    process_table_tidy(&t);
    assert_int_equal(t.count, 10);
    assert_in_range(t.capacity, 10, 100);
    process_table_done(&t);
}

static const struct holder *described(uint32_t pid, const char *name)
{
    struct holder holder = {.pid = pid};

    (void)snprintf(holder.process, sizeof holder.process, "%s", name);
    return holder_new(&holder);
}

static void who_shares_a_table_has_all_that_is_in_it(void **state)
{
    struct process first = {.pid = 1}, second = {.pid = 2};
    const struct holder *who = described(2, "web"), *other = described(2, "other");

    (void)state;
    assert_int_equal(process_hold(&first, 10, 3), 0);
    process_share(&second, first.holding);
    assert_int_equal(process_hold(&second, 20, 4), 0);
    assert_int_equal(first.holding->processes, 2);
    assert_int_equal(holding_find(first.holding, 20)->fd, 4);
    assert_null(holding_find(first.holding, 30));
    assert_int_equal(holding_describe(first.holding, who), 0);
    assert_int_equal(holding_describe(first.holding, other), 0); /* anew */
    assert_int_equal(first.holding->who_count, 1);
    assert_string_equal(holding_who(first.holding, 2)->process, "other");
    assert_null(holding_who(first.holding, 1));
    assert_true(holding_forget_who(first.holding, 2));
    assert_false(holding_forget_who(first.holding, 2));
    process_leave(&first);
    assert_null(first.holding);
    holding_drop(second.holding, 10);
    holding_drop(second.holding, 10);
    assert_int_equal(second.holding->count, 1);
    holding_drop(second.holding, 20);
    process_trim(&second);
    assert_null(second.holding);
    holder_unref(who);
    holder_unref(other);
}

/* One that is empty, but shared, stays: each lets go of it by itself. */
static void an_empty_table_that_is_shared_is_nobodys_to_free(void **state)
{
    struct process first = {.pid = 1}, second = {.pid = 2};

    (void)state;
    assert_int_equal(process_hold(&first, 10, 3), 0);
    process_share(&second, first.holding);
    holding_drop(first.holding, 10);
    process_trim(&first);
    assert_ptr_equal(first.holding, second.holding);
    process_leave(&first);
    process_trim(&second);
    assert_null(second.holding);
}

static void it_has_changed_unless_its_descriptors_are_as_many_as_when_scanned(void **state)
{
    struct process p = {.descriptors = 5};

    (void)state;
    assert_true(process_has_changed(&p));
    p.scanned = true;
    p.scanned_descriptors = 5;
    assert_false(process_has_changed(&p));
    p.descriptors = 6;
    assert_true(process_has_changed(&p));
    p.descriptors = 0; /* unknown */
    assert_true(process_has_changed(&p));
}

static void sockets_are_held_by_inode_each_once(void **state)
{
    static const uint32_t inodes[] = {30, 10, 20, 10, 40};
    struct process p = {.pid = 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inodes); i++)
        assert_int_equal(process_hold(&p, inodes[i], (uint32_t)i), 0);
    assert_int_equal(p.holding->count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(p.holding->items[i].inode, 10 * (i + 1));
    assert_int_equal(p.holding->items[0].fd, 3); /* as it was seen last */
    process_trim(&p);
    assert_non_null(p.holding);
    p.holding->count = 0;
    process_trim(&p);
    assert_null(p.holding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_stand_in_order_however_they_come),
        cmocka_unit_test(one_comes_after_the_other),
        cmocka_unit_test(one_that_is_known_stays_as_it_is),
        cmocka_unit_test(what_was_removed_is_not_found_and_its_place_goes_with_others),
        cmocka_unit_test(a_number_that_is_used_again_is_a_new_process),
        cmocka_unit_test(the_room_of_many_that_have_gone_is_given_back),
        cmocka_unit_test(who_shares_a_table_has_all_that_is_in_it),
        cmocka_unit_test(an_empty_table_that_is_shared_is_nobodys_to_free),
        cmocka_unit_test(it_has_changed_unless_its_descriptors_are_as_many_as_when_scanned),
        cmocka_unit_test(sockets_are_held_by_inode_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
