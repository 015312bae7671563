#include "core/array.h"
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

static void an_array_grows_from_nothing(void **state)
{
    size_t capacity = 0;
    uint32_t *items = array_grow(NULL, &capacity, 1, sizeof *items);

    (void)state;
    assert_non_null(items);
    assert_true(capacity >= 1);
    for (size_t i = 0; i < capacity; i++)
        items[i] = (uint32_t)i;
    free(items);
}

static void what_fits_already_moves_nothing(void **state)
{
    size_t capacity = 0, before;
    uint32_t *items = array_grow(NULL, &capacity, 1, sizeof *items);

    (void)state;
    assert_non_null(items);
    before = capacity;
    refuse_nth(0);
    for (size_t wanted = 1; wanted <= before; wanted++)
        assert_ptr_equal(array_grow(items, &capacity, wanted, sizeof *items), items);
    assert_int_equal(refuse_count(), 0);
    assert_int_equal(capacity, before);
    free(items);
}

/* An array that grows one by one is copied a few times only. */
static void growing_one_by_one_keeps_all_and_is_cheap(void **state)
{
    const size_t count = 100000;
    size_t capacity = 0;
    uint64_t *items = NULL;

    (void)state;
    refuse_nth(0);
    for (size_t i = 0; i < count; i++) {
        items = array_grow(items, &capacity, i + 1, sizeof *items);
        assert_non_null(items);
        assert_true(capacity > i);
        items[i] = i;
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i], i);
    assert_in_range(refuse_count(), 1, 20);
    assert_true(capacity <= 2 * count);
    free(items);
}

static void more_than_twice_as_many_may_be_wanted(void **state)
{
    static const size_t wanted[] = {1, 2, 1000, 1001, 50000};
    size_t capacity = 0;
    char *items = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        items = array_grow(items, &capacity, wanted[i], sizeof *items);
        assert_non_null(items);
        assert_true(capacity >= wanted[i]);
        memset(items, 1, capacity);
    }
    free(items);
}

static void refused_memory_leaves_the_array_as_it_was(void **state)
{
    size_t capacity = 0, before;
    uint32_t *items = NULL;

    (void)state;
    refuse_nth(1);
    assert_null(array_grow(NULL, &capacity, 1, sizeof *items));
    assert_true(refuse_stop());
    assert_int_equal(capacity, 0);
    items = array_grow(NULL, &capacity, 1, sizeof *items);
    assert_non_null(items);
    *items = 42;
    before = capacity;
    refuse_nth(1);
    assert_null(array_grow(items, &capacity, capacity + 1, sizeof *items));
    assert_true(refuse_stop());
    assert_int_equal(capacity, before);
    assert_int_equal(*items, 42);
    items = array_grow(items, &capacity, capacity + 1, sizeof *items);
    assert_non_null(items);
    assert_true(capacity > before);
    assert_int_equal(*items, 42);
    free(items);
}

/* As after a flood. */
static void what_is_much_too_large_shrinks_and_keeps_all(void **state)
{
    size_t capacity = 0, count = 1000;
    uint32_t *items = array_grow(NULL, &capacity, 100000, sizeof *items);

    (void)state;
    assert_non_null(items);
    for (size_t i = 0; i < count; i++)
        items[i] = (uint32_t)i;
    items = array_shrink(items, &capacity, count, sizeof *items);
    assert_in_range(capacity, count, 2 * count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i], i);
    assert_null(array_shrink(items, &capacity, 0, sizeof *items));
    assert_int_equal(capacity, 0);
}

static void what_has_about_the_right_size_stays(void **state)
{
    size_t capacity = 0, before;
    uint32_t *items = array_grow(NULL, &capacity, 1000, sizeof *items);

    (void)state;
    assert_non_null(items);
    before = capacity;
    refuse_nth(0);
    assert_ptr_equal(array_shrink(items, &capacity, 250, sizeof *items), items);
    assert_int_equal(refuse_count(), 0);
    refuse_nth(1); /* and where it cannot be made smaller */
    assert_ptr_equal(array_shrink(items, &capacity, 10, sizeof *items), items);
    assert_true(refuse_stop());
    assert_int_equal(capacity, before);
    free(items);
    capacity = 0;
    assert_null(array_shrink(NULL, &capacity, 0, sizeof *items));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_from_nothing),
        cmocka_unit_test(what_fits_already_moves_nothing),
        cmocka_unit_test(growing_one_by_one_keeps_all_and_is_cheap),
        cmocka_unit_test(more_than_twice_as_many_may_be_wanted),
        cmocka_unit_test(refused_memory_leaves_the_array_as_it_was),
        cmocka_unit_test(what_is_much_too_large_shrinks_and_keeps_all),
        cmocka_unit_test(what_has_about_the_right_size_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
