#include "collectors/process_table.h"
#include "tests/unit/unit.h"

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

static void one_that_is_known_stays_as_it_is(void **state)
{
    struct process_table t = {.items = NULL};

    (void)state;
    process_add(&t, 10)->served = 7;
    assert_int_equal(process_add(&t, 10)->served, 7);
    assert_int_equal(t.count, 1);
    process_table_done(&t);
}

static void what_is_not_listed_goes_with_all_that_it_had(void **state)
{
    static const uint32_t left[] = {10, 30}, last[] = {30};
    struct process_table t = {.items = NULL};

    (void)state;
    for (uint32_t pid = 10; pid <= 40; pid += 10) {
        struct process *p = process_add(&t, pid);

        p->listed = pid == 10 || pid == 30;
        assert_int_equal(process_hold(p, pid, 3), 0);
    }
    process_table_keep_listed(&t);
    assert_pids(&t, left, ARRAY_LENGTH(left));
    process_remove(&t, process_find(&t, 10));
    assert_pids(&t, last, ARRAY_LENGTH(last));
    assert_int_equal(t.items[0].holding->items[0].inode, 30);
    process_table_done(&t);
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
        cmocka_unit_test(one_that_is_known_stays_as_it_is),
        cmocka_unit_test(what_is_not_listed_goes_with_all_that_it_had),
        cmocka_unit_test(it_has_changed_unless_its_descriptors_are_as_many_as_when_scanned),
        cmocka_unit_test(sockets_are_held_by_inode_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
