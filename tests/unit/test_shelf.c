#include "exporters/bodies.h"
#include "exporters/shelf.h"
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

enum { USUAL_BYTES = 100000, USUAL_COUNT = 240 };

/* A body of so many bytes, all of them the same character. */
static const struct body *put(struct shelf *shelf, size_t length, char c)
{
    const struct body *body;
    struct buf text;

    buf_init(&text);
    for (size_t i = 0; i < length; i++)
        buf_char(&text, c);
    body = shelf_put(shelf, &text);
    assert_non_null(body);
    assert_int_equal(body->length, length);
    return body;
}

static void assert_gone(const struct body *body)
{
    char byte;

    assert_false(body_is_there(body));
    assert_null(body->data);
    assert_int_equal(body_read(body, 0, &byte, 1), -ESTALE);
}

static void a_body_is_read_piece_by_piece(void **state)
{
    struct shelf shelf;
    struct buf text;
    const struct body *body;
    char piece[4];

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    buf_init(&text);
    buf_str(&text, "0123456789");
    body = shelf_put(&shelf, &text);
    assert_int_equal(body_read(body, 0, piece, sizeof piece), 4);
    assert_memory_equal(piece, "0123", 4);
    assert_int_equal(body_read(body, 8, piece, sizeof piece), 2);
    assert_memory_equal(piece, "89", 2);
    assert_int_equal(body_read(body, 10, piece, sizeof piece), 0);
    body_unref(body);
    assert_int_equal(shelf.bytes, 0);
    shelf_done(&shelf);
}

static void the_oldest_are_taken_back_for_a_new_one(void **state)
{
    struct shelf shelf;
    const struct body *a, *b, *c, *d;
    char byte;

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    a = put(&shelf, 40, 'a');
    b = put(&shelf, 40, 'b');
    c = put(&shelf, 20, 'c');
    assert_true(body_is_there(a));
    assert_int_equal(shelf.bytes, 100);
    d = put(&shelf, 50, 'd');
    assert_gone(a);
    assert_gone(b);
    assert_int_equal(body_read(c, 19, &byte, 1), 1);
    assert_int_equal(body_read(d, 0, &byte, 1), 1);
    assert_int_equal(byte, 'd');
    assert_int_equal(shelf.bytes, 70);
    body_unref(c);
    body_unref(a);
    body_unref(d);
    body_unref(b);
    shelf_done(&shelf);
}

static void what_was_given_back_takes_no_room(void **state)
{
    struct shelf shelf;
    const struct body *a, *b, *c;

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    a = put(&shelf, 40, 'a');
    b = put(&shelf, 60, 'b');
    body_unref(body_ref(b)); /* somebody else still has it */
    assert_true(body_is_there(b));
    body_unref(b);
    c = put(&shelf, 60, 'c');
    assert_true(body_is_there(a));
    body_unref(a);
    body_unref(c);
    shelf_done(&shelf);
}

static void room_is_made_before_it_is_needed(void **state)
{
    struct shelf shelf;
    const struct body *a, *b;

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    a = put(&shelf, 40, 'a');
    b = put(&shelf, 40, 'b');
    shelf_make_room(&shelf, 20);
    assert_true(body_is_there(a));
    shelf_make_room(&shelf, 21);
    assert_gone(a);
    assert_true(body_is_there(b));
    shelf_make_room(&shelf, SIZE_MAX);
    assert_gone(b);
    body_unref(a);
    body_unref(b);
    shelf_done(&shelf);
}

static void a_body_beyond_the_bound_is_there_alone(void **state)
{
    struct shelf shelf;
    const struct body *a, *b, *c;

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    a = put(&shelf, 10, 'a');
    b = put(&shelf, 101, 'b');
    assert_gone(a);
    assert_true(body_is_there(b));
    c = put(&shelf, 10, 'c');
    assert_gone(b);
    assert_true(body_is_there(c));
    body_unref(a);
    body_unref(b);
    body_unref(c);
    shelf_done(&shelf);
}

static void hundreds_of_bodies_of_usual_size_all_stay(void **state)
{
    const struct body *bodies[USUAL_COUNT];
    struct shelf shelf;

    (void)state;
    assert_int_equal(shelf_init(&shelf, BODIES_MAX_BYTES), 0);
    for (size_t i = 0; i < USUAL_COUNT; i++)
        bodies[i] = put(&shelf, USUAL_BYTES, 'x');
    for (size_t i = 0; i < USUAL_COUNT; i++) {
        assert_true(body_is_there(bodies[i]));
        body_unref(bodies[i]);
    }
    shelf_done(&shelf);
}

static void a_text_that_failed_is_no_body(void **state)
{
    struct shelf shelf;
    struct buf text;

    (void)state;
    assert_int_equal(shelf_init(&shelf, 100), 0);
    buf_init(&text);
    buf_str(&text, "text");
    text.failed = true;
    assert_null(shelf_put(&shelf, &text));
    buf_str(&text, "text");
    refuse_nth(1);
    assert_null(shelf_put(&shelf, &text));
    assert_true(refuse_stop());
    assert_int_equal(shelf.bytes, 0);
    body_unref(NULL);
    shelf_done(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_read_piece_by_piece),
        cmocka_unit_test(the_oldest_are_taken_back_for_a_new_one),
        cmocka_unit_test(what_was_given_back_takes_no_room),
        cmocka_unit_test(room_is_made_before_it_is_needed),
        cmocka_unit_test(a_body_beyond_the_bound_is_there_alone),
        cmocka_unit_test(hundreds_of_bodies_of_usual_size_all_stay),
        cmocka_unit_test(a_text_that_failed_is_no_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
