#include "core/turnover.h"
#include "tests/unit/unit.h"

static void assert_counts(const struct turnover *t, uint64_t appeared, uint64_t disappeared)
{
    assert_int_equal(t->appeared, appeared);
    assert_int_equal(t->disappeared, disappeared);
}

static void follow(struct turnover *t, uint64_t services, uint64_t came, uint64_t went)
{
    const struct turnover_look look = {true, true, services, came, went};

    turnover_follow(t, &look);
}

static void follow_in_part(struct turnover *t, uint64_t services, uint64_t came, uint64_t went)
{
    const struct turnover_look look = {true, false, services, came, went};

    turnover_follow(t, &look);
}

static void the_first_look_counts_nothing(void **state)
{
    struct turnover t = {0};

    (void)state;
    follow(&t, 7, 7, 0);
    assert_counts(&t, 0, 0);
    follow(&t, 6, 2, 3);
    assert_counts(&t, 2, 3);
    follow(&t, 6, 0, 0);
    assert_counts(&t, 2, 3);
}

static void what_could_not_be_read_counts_nothing(void **state)
{
    const struct turnover_look unknown = {.came = 5, .went = 5, .services = 100};
    struct turnover t = {0};

    (void)state;
    turnover_follow(&t, &unknown);
    follow(&t, 7, 7, 0); /* still the first */
    turnover_follow(&t, &unknown);
    assert_counts(&t, 0, 0);
    follow(&t, 8, 1, 0);
    assert_counts(&t, 1, 0);
}

/* Those that are followed change with the choice, not only with what is there. */
static void where_limits_cut_only_the_number_counts(void **state)
{
    struct turnover t = {0};

    (void)state;
    follow(&t, 10, 10, 0);
    follow_in_part(&t, 100, 5, 5);
    assert_counts(&t, 90, 0);
    follow_in_part(&t, 100, 20, 20);
    assert_counts(&t, 90, 0);
    follow_in_part(&t, 80, 3, 3);
    assert_counts(&t, 90, 20);
    follow(&t, 10, 5, 0); /* all are followed again, but were not before */
    assert_counts(&t, 90, 90);
    follow(&t, 10, 1, 1);
    assert_counts(&t, 91, 91);
}

/* Where a look takes long, what was left out of the last one is not in this one,
 * though it is there. */
static void what_is_told_as_before_is_as_many_as_before(void **state)
{
    struct listener l[] = {{.port = 80, .chosen = true}, {.port = 81, .chosen = true}};
    struct inventory inv = {.parts[PROTOCOL_TCP][1] = {.listeners = l, .count = 2},
                            .behind[PROTOCOL_TCP] = true};
    struct turnover before[PROTOCOL_COUNT] = {[PROTOCOL_TCP] = {true, true, 3, 0, 0}};
    struct turnover_look looks[PROTOCOL_COUNT];

    (void)state;
    inv.classes[PROTOCOL_TCP] = (struct class_view){.visibility = VISIBILITY_OK, .others = VISIBILITY_OK};
    turnover_look(&inv, before, looks);
    assert_true(looks[PROTOCOL_TCP].whole);
    assert_int_equal(looks[PROTOCOL_TCP].services, 2);
    before[PROTOCOL_TCP].whole = false;
    turnover_look(&inv, before, looks);
    assert_false(looks[PROTOCOL_TCP].whole);
    assert_int_equal(looks[PROTOCOL_TCP].services, 3);
    assert_true(looks[PROTOCOL_TCP].known);
    assert_false(looks[PROTOCOL_UDP].known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_look_counts_nothing),
        cmocka_unit_test(what_could_not_be_read_counts_nothing),
        cmocka_unit_test(where_limits_cut_only_the_number_counts),
        cmocka_unit_test(what_is_told_as_before_is_as_many_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
