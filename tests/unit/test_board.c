#include "tests/unit/posting.h"
#include "tests/unit/refuse.h"

static struct board *new_board(void)
{
    struct board *b = board_new("1.2.3", "abc");

    assert_non_null(b);
    return b;
}

static size_t listeners_seen(const struct look *look)
{
    size_t count;

    (void)view_listeners(&look->view, &count);
    return count;
}

static void before_the_first_posting_there_is_nothing_to_see(void **state)
{
    struct board *b = new_board();
    struct look look;

    (void)state;
    assert_int_equal(board_look(b, &look), -EAGAIN);
    note(b, 1);
    assert_int_equal(board_look(b, &look), -EAGAIN);
    board_free(b);
}

static void what_was_posted_is_what_one_sees(void **state)
{
    struct board *b = new_board();
    const struct posting p = posting_of(3, 100);
    struct look look;

    (void)state;
    board_post(b, &p);
    assert_int_equal(board_look(b, &look), 0);
    assert_ptr_equal(look.posting.snapshot, p.snapshot);
    assert_ptr_equal(look.posting.config, p.config);
    assert_ptr_equal(look.view.snapshot, p.snapshot);
    assert_ptr_equal(look.view.verdict, p.verdict);
    assert_ptr_equal(look.view.alerts, p.alerts);
    assert_ptr_equal(look.view.policy, &p.config->policy);
    assert_int_equal(look.view.limits.series, 100);
    assert_true(look.view.has_history);
    assert_string_equal(look.view.version, "1.2.3");
    assert_string_equal(look.view.revision, "abc");
    look_done(&look);
    posting_done(&p);
    board_free(b);
}

static void the_status_is_the_one_noted_last(void **state)
{
    struct board *b = new_board();
    struct look before, after;

    (void)state;
    post(b, 1, 100);
    note(b, 7);
    assert_int_equal(board_look(b, &before), 0);
    note(b, 8);
    assert_int_equal(board_look(b, &after), 0);
    assert_ptr_equal(before.view.status, &before.status);
    assert_int_equal(before.view.status->polls[POLL_LISTENERS][RESULT_SUCCESS], 7);
    assert_int_equal(after.view.status->polls[POLL_LISTENERS][RESULT_SUCCESS], 8);
    look_done(&before);
    look_done(&after);
    board_free(b);
}

static void readiness_lasts_until_what_was_noted_last(void **state)
{
    struct board *b = new_board();
    const struct status status = status_after(1);

    (void)state;
    assert_int_equal(board_ready_until(b), 0);
    board_note(b, &status, 5000);
    assert_int_equal(board_ready_until(b), 5000);
    board_note(b, &status, 4000);
    assert_int_equal(board_ready_until(b), 4000);
    board_free(b);
}

static void a_note_makes_a_new_version_of_the_same_content(void **state)
{
    struct board *b = new_board();
    struct look first, noted, posted;

    (void)state;
    post(b, 1, 100);
    assert_int_equal(board_look(b, &first), 0);
    note(b, 1);
    assert_int_equal(board_look(b, &noted), 0);
    assert_int_equal(noted.content, first.content);
    assert_true(noted.version > first.version);
    post(b, 1, 100); /* as it was, but posted */
    assert_int_equal(board_look(b, &posted), 0);
    assert_true(posted.content > noted.content);
    assert_true(posted.version > noted.version);
    look_done(&first);
    look_done(&noted);
    look_done(&posted);
    board_free(b);
}

static void two_looks_at_the_same_are_of_one_version(void **state)
{
    struct board *b = new_board();
    struct look one, other;

    (void)state;
    post(b, 1, 100);
    assert_int_equal(board_look(b, &one), 0);
    assert_int_equal(board_look(b, &other), 0);
    assert_int_equal(one.version, other.version);
    assert_int_equal(one.content, other.content);
    look_done(&one);
    look_done(&other);
    board_free(b);
}

static void a_look_outlives_what_comes_after_it(void **state)
{
    struct board *b = new_board();
    struct look look;

    (void)state;
    post(b, 1, 100);
    assert_int_equal(board_look(b, &look), 0);
    post(b, 2, 100);
    board_free(b);
    assert_int_equal(listeners_seen(&look), posting_listener_count(1));
    assert_int_equal(look.view.verdict->count, posting_listener_count(1));
    assert_int_equal(look.view.alerts->count, posting_listener_count(1));
    assert_int_equal(look.posting.config->limits.listeners, 1);
    look_done(&look);
}

static void the_board_lets_go_of_the_posting_before(void **state)
{
    struct board *b = new_board();
    const struct posting p = posting_of(1, 100);

    (void)state;
    board_post(b, &p);
    assert_int_equal(atomic_load(ref_count(&p.config->ref)), 2);
    assert_int_equal(atomic_load(ref_count(&p.verdict->ref)), 2);
    assert_int_equal(atomic_load(ref_count(&p.alerts->ref)), 2);
    post(b, 2, 100);
    assert_int_equal(atomic_load(ref_count(&p.config->ref)), 1);
    assert_int_equal(atomic_load(ref_count(&p.verdict->ref)), 1);
    assert_int_equal(atomic_load(ref_count(&p.alerts->ref)), 1);
    posting_done(&p);
    board_free(b);
}

static void the_same_may_be_posted_again(void **state)
{
    struct board *b = new_board();
    const struct posting p = posting_of(4, 100);
    struct look look;

    (void)state;
    board_post(b, &p);
    posting_done(&p);
    board_post(b, &p); /* which only the board has by now */
    assert_int_equal(board_look(b, &look), 0);
    assert_int_equal(listeners_seen(&look), posting_listener_count(4));
    look_done(&look);
    board_free(b);
}

static void posting_noting_and_looking_allocate_nothing(void **state)
{
    struct board *b = new_board();
    const struct posting p = posting_of(1, 100);
    struct look look;

    (void)state;
    refuse_nth(0);
    board_post(b, &p);
    note(b, 1);
    assert_int_equal(board_look(b, &look), 0);
    look_done(&look);
    assert_int_equal(refuse_count(), 0);
    posting_done(&p);
    board_free(b);
}

static void a_board_that_memory_is_refused_for_is_none(void **state)
{
    struct board *b;

    (void)state;
    refuse_nth(1);
    b = board_new("1.2.3", "abc");
    assert_true(refuse_stop());
    assert_null(b);
    board_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_posting_there_is_nothing_to_see),
        cmocka_unit_test(what_was_posted_is_what_one_sees),
        cmocka_unit_test(the_status_is_the_one_noted_last),
        cmocka_unit_test(readiness_lasts_until_what_was_noted_last),
        cmocka_unit_test(a_note_makes_a_new_version_of_the_same_content),
        cmocka_unit_test(two_looks_at_the_same_are_of_one_version),
        cmocka_unit_test(a_look_outlives_what_comes_after_it),
        cmocka_unit_test(the_board_lets_go_of_the_posting_before),
        cmocka_unit_test(the_same_may_be_posted_again),
        cmocka_unit_test(posting_noting_and_looking_allocate_nothing),
        cmocka_unit_test(a_board_that_memory_is_refused_for_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
