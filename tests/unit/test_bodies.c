#include "exporters/bodies.h"
#include "tests/unit/posting.h"
#include "tests/unit/refuse.h"

enum { HELD_MAX = 20000 };

struct fixture {
    struct board *board;
    struct bodies *bodies;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    *state = f;
    f->board = board_new("1.2.3", "abc");
    f->bodies = f->board ? bodies_new(f->board) : NULL;
    return f->bodies ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    bodies_free(f->bodies);
    board_free(f->board);
    free(f);
    return 0;
}

static const struct body *get(const struct fixture *f, enum body_format format)
{
    const struct body *body = NULL;

    assert_int_equal(bodies_get(f->bodies, format, &body), 0);
    assert_non_null(body);
    return body;
}

/* How often a text is in a body. */
static size_t count_text(const struct body *body, const char *text)
{
    const char *from = body->data, *end = body->data + body->length;
    size_t count = 0;

    while ((from = memmem(from, (size_t)(end - from), text, strlen(text)))) {
        from += strlen(text);
        count++;
    }
    return count;
}

/* What the exposition of now says it dropped of a family. */
static uint64_t dropped(const struct fixture *f, const char *family)
{
    const struct body *body = get(f, BODY_METRICS);
    char wanted[128];
    const char *found;
    uint64_t value;

    (void)snprintf(wanted, sizeof wanted, "\nsockwatch_series_dropped_total{family=\"%s\"} ", family);
    found = memmem(body->data, body->length, wanted, strlen(wanted));
    assert_non_null(found);
    value = strtoull(found + strlen(wanted), NULL, 10);
    body_unref(body);
    return value;
}

#define CUT_FAMILY "sockwatch_listener_sockets"

static void before_the_first_posting_there_is_no_body(void **state)
{
    const struct fixture *f = *state;
    const struct body *body;

    note(f->board, 1);
    for (int i = 0; i < BODY_FORMAT_COUNT; i++)
        assert_int_equal(bodies_get(f->bodies, (enum body_format)i, &body), -EAGAIN);
}

static void each_format_is_what_its_renderer_makes_of_the_newest(void **state)
{
    const struct fixture *f = *state;
    const struct body *body;

    post(f->board, 2, 1000);
    body = get(f, BODY_METRICS);
    assert_int_equal(count_text(body, "\nsockwatch_listener_info{"), posting_listener_count(2));
    assert_int_equal(count_text(body, "sockwatch_build_info{version=\"1.2.3\""), 1);
    body_unref(body);
    body = get(f, BODY_LISTENERS);
    assert_int_equal(count_text(body, "\"port\": 100"), posting_listener_count(2));
    body_unref(body);
    body = get(f, BODY_PAGE);
    assert_int_equal(count_text(body, "<title>sockwatch</title>"), 1);
    body_unref(body);
}

static void one_version_is_rendered_once(void **state)
{
    const struct fixture *f = *state;

    post(f->board, 2, 1000);
    for (int i = 0; i < BODY_FORMAT_COUNT; i++) {
        const struct body *first = get(f, (enum body_format)i), *second;

        refuse_nth(0);
        second = get(f, (enum body_format)i);
        assert_int_equal(refuse_count(), 0);
        assert_ptr_equal(first, second);
        body_unref(first);
        body_unref(second);
    }
}

static void a_note_is_shown_and_so_is_a_posting(void **state)
{
    const struct fixture *f = *state;
    const struct body *body;

    post(f->board, 2, 1000);
    note(f->board, 41);
    body = get(f, BODY_METRICS);
    assert_int_equal(count_text(body, "poll=\"listeners\",result=\"success\"} 41\n"), 1);
    body_unref(body);
    note(f->board, 42);
    body = get(f, BODY_METRICS);
    assert_int_equal(count_text(body, "poll=\"listeners\",result=\"success\"} 42\n"), 1);
    body_unref(body);
    post(f->board, 3, 1000);
    body = get(f, BODY_METRICS);
    assert_int_equal(count_text(body, "\nsockwatch_listener_info{"), posting_listener_count(3));
    body_unref(body);
}

static void a_body_outlives_what_comes_after_it(void **state)
{
    const struct fixture *f = *state;
    const struct body *old, *new;

    post(f->board, 1, 1000);
    old = get(f, BODY_LISTENERS);
    post(f->board, 4, 1000);
    new = get(f, BODY_LISTENERS);
    assert_ptr_not_equal(old, new);
    assert_int_equal(count_text(old, "\"port\": 100"), posting_listener_count(1));
    assert_int_equal(count_text(new, "\"port\": 100"), posting_listener_count(4));
    assert_int_equal(atomic_load(ref_count(&old->ref)), 1);
    body_unref(old);
    body_unref(new);
}

/* Slow clients: each reads another version, and none of them gets on. */
static void what_slow_clients_keep_is_bounded(void **state)
{
    const struct fixture *f = *state;
    const struct body **held;
    size_t count = 0, asked = 0, kept = 0, there = 0, taken_back = 0;

    post(f->board, 4, 1000);
    held = calloc(HELD_MAX, sizeof(const struct body *));
    assert_non_null(held);
    for (; count < HELD_MAX && asked < BODIES_MAX_BYTES + BODIES_MAX_BYTES / 2; count++) {
        note(f->board, count);
        held[count] = get(f, BODY_METRICS);
        asked += held[count]->length;
        assert_true(body_is_there(held[count]));
    }
    assert_in_range(count, 0, HELD_MAX - 1);
    for (size_t i = 0; i < count; i++) {
        if (body_is_there(held[i])) {
            kept += held[i]->length;
            there++;
        } else {
            taken_back++;
            assert_int_equal(there, 0); /* the oldest are */
        }
    }
    assert_in_range(kept, BODIES_MAX_BYTES / 2, BODIES_MAX_BYTES);
    assert_true(taken_back > 0);
    for (size_t i = 0; i < count; i++)
        body_unref(held[i]);
    free(held);
}

static void a_body_that_was_taken_back_is_rendered_again(void **state)
{
    const struct fixture *f = *state;
    const struct body *page, *again;

    post(f->board, 4, 1000);
    page = get(f, BODY_PAGE);
    shelf_make_room(page->shelf, BODIES_MAX_BYTES);
    assert_false(body_is_there(page));
    again = get(f, BODY_PAGE);
    assert_ptr_not_equal(page, again);
    assert_true(body_is_there(again));
    body_unref(page);
    body_unref(again);
}

static void a_kept_body_does_not_keep_what_it_was_made_of(void **state)
{
    const struct fixture *f = *state;
    const struct posting p = posting_of(1, 1000);

    board_post(f->board, &p);
    for (int i = 0; i < BODY_FORMAT_COUNT; i++)
        body_unref(get(f, (enum body_format)i));
    post(f->board, 2, 1000);
    assert_int_equal(atomic_load(ref_count(&p.config->ref)), 1);
    assert_int_equal(atomic_load(ref_count(&p.verdict->ref)), 1);
    posting_done(&p);
}

static void what_is_cut_counts_once_however_often_it_is_rendered(void **state)
{
    const struct fixture *f = *state;
    uint64_t once;

    post(f->board, 3, 0);
    once = dropped(f, CUT_FAMILY);
    assert_int_equal(once, posting_listener_count(3));
    for (unsigned version = 1; version < 4; version++) {
        note(f->board, version);
        assert_int_equal(dropped(f, CUT_FAMILY), once);
    }
}

static void what_is_cut_of_the_next_content_is_added(void **state)
{
    const struct fixture *f = *state;

    post(f->board, 3, 0);
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3));
    post(f->board, 4, 0);
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3) + posting_listener_count(4));
    post(f->board, 1, 1000); /* of which nothing is cut */
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3) + posting_listener_count(4));
    note(f->board, 1);
    post(f->board, 2, 0);
    assert_int_equal(dropped(f, CUT_FAMILY),
                     posting_listener_count(3) + posting_listener_count(4) + posting_listener_count(2));
}

static void what_nobody_asked_for_was_not_cut(void **state)
{
    const struct fixture *f = *state;

    post(f->board, 3, 0);
    post(f->board, 4, 0);
    body_unref(get(f, BODY_PAGE)); /* which is never cut */
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(4));
}

/* Asks for a format while memory is refused at each step in turn. */
static size_t ask_without_memory(const struct fixture *f, enum body_format format)
{
    const struct body *body;

    for (size_t n = 1;; n++) {
        int r;

        refuse_nth(n);
        r = bodies_get(f->bodies, format, &body);
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            body_unref(body);
            return n - 1;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

static void memory_refused_is_an_error_and_the_next_one_tries_again(void **state)
{
    const struct fixture *f = *state;

    for (int i = 0; i < BODY_FORMAT_COUNT; i++) {
        post(f->board, 3, 1000);
        assert_true(ask_without_memory(f, (enum body_format)i) >= 2); /* the text and the body at least */
        post(f->board, 4, 1000);
        assert_true(ask_without_memory(f, (enum body_format)i) >= 2); /* beside the body before */
    }
}

static void a_rendering_that_failed_counts_nothing(void **state)
{
    const struct fixture *f = *state;

    post(f->board, 3, 0);
    (void)ask_without_memory(f, BODY_METRICS); /* how often does not matter */
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3));
    note(f->board, 1);
    (void)ask_without_memory(f, BODY_METRICS); /* likewise */
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3));
    post(f->board, 4, 0);
    (void)ask_without_memory(f, BODY_METRICS); /* likewise */
    assert_int_equal(dropped(f, CUT_FAMILY), posting_listener_count(3) + posting_listener_count(4));
}

static void bodies_that_memory_is_refused_for_are_none(void **state)
{
    const struct fixture *f = *state;
    struct bodies *bodies;

    refuse_nth(1);
    bodies = bodies_new(f->board);
    assert_true(refuse_stop());
    assert_null(bodies);
    bodies_free(NULL);
    body_unref(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(before_the_first_posting_there_is_no_body),
        test(each_format_is_what_its_renderer_makes_of_the_newest),
        test(one_version_is_rendered_once),
        test(a_note_is_shown_and_so_is_a_posting),
        test(a_body_outlives_what_comes_after_it),
        test(what_slow_clients_keep_is_bounded),
        test(a_body_that_was_taken_back_is_rendered_again),
        test(a_kept_body_does_not_keep_what_it_was_made_of),
        test(what_is_cut_counts_once_however_often_it_is_rendered),
        test(what_is_cut_of_the_next_content_is_added),
        test(what_nobody_asked_for_was_not_cut),
        test(memory_refused_is_an_error_and_the_next_one_tries_again),
        test(a_rendering_that_failed_counts_nothing),
        test(bodies_that_memory_is_refused_for_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
