#include "core/ref.h"
#include "tests/unit/unit.h"

#include <pthread.h>

static void the_first_reference_is_the_makers(void **state)
{
    struct ref ref;

    (void)state;
    ref_init(&ref);
    assert_true(ref_drop(&ref));
}

static void only_the_last_drop_is_the_last(void **state)
{
    struct ref ref;

    (void)state;
    ref_init(&ref);
    for (int i = 0; i < 3; i++)
        ref_take(&ref);
    for (int i = 0; i < 3; i++)
        assert_false(ref_drop(&ref));
    assert_true(ref_drop(&ref));
}

static void a_const_value_can_be_referred_to(void **state)
{
    struct value {
        int number;
        struct ref ref;
    } value = {.number = 42};
    const struct value *sealed = &value;

    (void)state;
    ref_init(&value.ref);
    ref_take(&sealed->ref);
    assert_false(ref_drop(&sealed->ref));
    assert_true(ref_drop(&sealed->ref));
    assert_ptr_equal(ref_unseal(sealed), &value);
    assert_int_equal(sealed->number, 42);
}

enum { READERS = 4, TURNS = 20000 };

/* Has a reference of its own; takes and drops others, and then its own. */
struct reader {
    pthread_t thread;
    const struct ref *ref;
    int lasts; /* how often a drop was the last one */
};

static void *read_and_drop(void *arg)
{
    struct reader *r = arg;

    for (int i = 0; i < TURNS; i++) {
        ref_take(r->ref);
        r->lasts += ref_drop(r->ref);
    }
    r->lasts += ref_drop(r->ref);
    return NULL;
}

static void of_many_threads_one_drops_the_last(void **state)
{
    struct reader readers[READERS] = {0};
    struct ref ref;
    int lasts = 0;

    (void)state;
    ref_init(&ref);
    for (size_t i = 0; i < READERS; i++) {
        ref_take(&ref);
        readers[i].ref = &ref;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_and_drop, &readers[i]), 0);
    }
    lasts += ref_drop(&ref);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        lasts += readers[i].lasts;
    }
    assert_int_equal(lasts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reference_is_the_makers),
        cmocka_unit_test(only_the_last_drop_is_the_last),
        cmocka_unit_test(a_const_value_can_be_referred_to),
        cmocka_unit_test(of_many_threads_one_drops_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
