#include "exporters/guests.h"
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

enum { GUESTS_MAX = 3, MANY = 1000 };

/* The descriptor of who was dismissed last, and how many were. */
static struct {
    int last;
    unsigned count;
} dismissed;

static void dismiss(int fd)
{
    dismissed.last = fd;
    dismissed.count++;
}

static struct guests *set_up(void)
{
    struct guests *g = guests_new(GUESTS_MAX, dismiss);

    assert_non_null(g);
    dismissed.last = -1;
    dismissed.count = 0;
    return g;
}

static struct guest *add(struct guests *g, int fd)
{
    struct guest *guest = guests_add(g, fd);

    assert_non_null(guest);
    return guest;
}

static void who_came_first_makes_room(void **state)
{
    struct guests *g = set_up();
    struct guest *guests[5];

    (void)state;
    for (int i = 0; i < GUESTS_MAX; i++)
        guests[i] = add(g, i);
    assert_int_equal(dismissed.count, 0);
    guests[3] = add(g, 3);
    assert_int_equal(dismissed.count, 1);
    assert_int_equal(dismissed.last, 0);
    guests[4] = add(g, 4); /* though the one before has not left yet */
    assert_int_equal(dismissed.count, 2);
    assert_int_equal(dismissed.last, 1);
    for (int i = 0; i < 5; i++)
        guest_leave(guests[i]);
    guests_free(g);
}

static void who_was_active_stays(void **state)
{
    struct guests *g = set_up();
    struct guest *a = add(g, 1), *b = add(g, 2), *c = add(g, 3), *d, *e;

    (void)state;
    guest_is_active(a);
    guest_is_active(c);
    guest_is_active(c);
    d = add(g, 4);
    assert_int_equal(dismissed.last, 2);
    e = add(g, 5);
    assert_int_equal(dismissed.last, 1);
    guest_leave(c);
    guest_leave(a);
    guest_leave(e);
    guest_leave(b);
    guest_leave(d);
    guests_free(g);
}

static void who_was_dismissed_is_not_asked_again(void **state)
{
    struct guests *g = set_up();
    struct guest *a = add(g, 1), *b = add(g, 2), *c = add(g, 3), *d = add(g, 4), *e;

    (void)state;
    assert_int_equal(dismissed.last, 1);
    guest_is_active(a); /* too late */
    e = add(g, 5);
    assert_int_equal(dismissed.last, 2);
    guest_leave(a);
    guest_leave(b);
    guest_leave(c);
    guest_leave(d);
    guest_leave(e);
    guests_free(g);
}

static void a_place_that_is_free_is_taken(void **state)
{
    struct guests *g = set_up();
    struct guest *kept = add(g, 0);

    (void)state;
    for (int i = 1; i < MANY; i++)
        guest_leave(add(g, i));
    assert_int_equal(dismissed.count, 0);
    guest_leave(kept);
    guests_free(g);
}

static void one_that_acts_outlives_all_that_idle(void **state)
{
    struct guests *g = set_up();
    struct guest *active = add(g, MANY), *idle[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        idle[i] = add(g, i);
        assert_int_not_equal(dismissed.last, MANY);
        guest_is_active(active);
    }
    assert_int_equal(dismissed.count, MANY - (GUESTS_MAX - 1));
    for (int i = 0; i < MANY; i++)
        guest_leave(idle[i]);
    guest_leave(active);
    guests_free(g);
}

static void memory_refused_is_nobody(void **state)
{
    struct guests *g = set_up();

    (void)state;
    refuse_nth(1);
    assert_null(guests_add(g, 1));
    assert_true(refuse_stop());
    guest_is_active(NULL);
    guest_leave(NULL);
    guests_free(g);
    refuse_nth(1);
    assert_null(guests_new(GUESTS_MAX, dismiss));
    assert_true(refuse_stop());
    guests_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_came_first_makes_room),
        cmocka_unit_test(who_was_active_stays),
        cmocka_unit_test(who_was_dismissed_is_not_asked_again),
        cmocka_unit_test(a_place_that_is_free_is_taken),
        cmocka_unit_test(one_that_acts_outlives_all_that_idle),
        cmocka_unit_test(memory_refused_is_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
