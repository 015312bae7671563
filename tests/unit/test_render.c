/* What holds for all renderers: they change nothing, so that the same view
 * gives the same text, to any number of threads; and where memory runs out they
 * say so. */
#include "exporters/json.h"
#include "exporters/json_read.h"
#include "exporters/page.h"
#include "exporters/prom.h"
#include "exporters/table.h"
#include "tests/unit/scene.h"

#include <jansson.h>
#include <pthread.h>

enum { THREADS = 4, RENDERINGS = 25, LISTENERS_MAX = 16 };

/* The allocations of the renderers go through these. While armed, so many
 * succeed; then one fails, or all. */
static struct {
    bool armed, only_one;
    size_t left;
    size_t refused;
} memory;

static bool refuse(void)
{
    if (!memory.armed)
        return false;
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    return memory.refused++ == 0 || !memory.only_one;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refuse() ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    return refuse() ? NULL : __real_reallocarray(block, count, size);
}

static void arm(size_t allowed, bool only_one)
{
    memory.left = allowed;
    memory.only_one = only_one;
    memory.refused = 0;
    memory.armed = true;
}

/* Returns how many allocations there were. */
static size_t disarm(size_t allowed)
{
    memory.armed = false;
    return allowed - memory.left + memory.refused;
}

static void render_metrics(const struct view *view, struct buf *out)
{
    static const struct prom_dropped before = {.series = {[PROM_LISTENER_INFO] = 7}};
    struct prom_dropped cut;

    prom_render(view, &before, out, &cut);
}

static void render_alerts(const struct view *view, struct buf *out)
{
    const struct alert *order[16];

    for (size_t i = 0; i < view->alerts->count && i < ARRAY_LENGTH(order); i++)
        order[i] = &view->alerts->items[i];
    json_alerts(view->policy, order, view->alerts->count, out);
}

static void render_table(const struct view *view, struct buf *out)
{
    static const struct table_style style = {.width = 80, .colour = true};

    (void)table_expected(view, &style, out); /* how many there are shows */
    table_listeners(view, &style, out);
}

typedef void render_fn(const struct view *view, struct buf *out);

static render_fn *const renderers[] = {
    render_metrics, page_render, json_listeners, render_alerts, render_table,
};

/* A mixed host, and a port that several processes share. */
static void scene_of_many_holders(struct scene *s)
{
    scene_init(s);
    scene_expect(s, "web", PROTOCOL_TCP, "81,80", WANT_PUBLIC);
    scene_expect(s, "dns", PROTOCOL_UDP, "53", WANT_ANY);
    s->policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    for (unsigned i = 0; i < 6; i++) {
        char holders[256] = "";
        size_t length = 0;

        for (unsigned k = 0; k < 6; k++)
            length += (size_t)snprintf(holders + length, sizeof holders - length,
                                       "%s%u:p%u:u%u:", k ? "," : "", 100 - 10 * i + k, i, k);
        scene_own(s, "0:root:", holders);
        scene_listen(s, "*:80", "3/5");
    }
    scene_listen_on(s, "[fe80::1]:8080", "eth0", "0/5");
    scene_listen(s, "udp/0.0.0.0:5353", NULL);
    scene_count(s, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 3);
    scene_seal(s);
    scene_raise_alerts(s);
    s->view.has_history = true;
}

typedef void scene_fn(struct scene *s);

static scene_fn *const scenes[] = {scene_of_a_mixed_host, scene_of_many_holders};

/* Returns owned. */
static char *text_of(render_fn *render, const struct view *view)
{
    struct buf out;
    size_t length;
    char *text;

    buf_init(&out);
    render(view, &out);
    text = buf_take(&out, &length);
    assert_non_null(text);
    assert_true(length > 0);
    return text;
}

static void one_snapshot_rendered_three_times_is_three_times_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++) {
        struct scene s;

        scenes[i](&s);
        s.view.limits.series = 20; /* cuts, and says how much */
        for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++) {
            char *first = text_of(renderers[k], &s.view);

            for (size_t times = 2; times <= 3; times++) {
                char *again = text_of(renderers[k], &s.view);

                assert_string_equal(again, first);
                free(again);
            }
            free(first);
        }
        scene_done(&s);
    }
}

struct reader {
    pthread_t thread;
    pthread_barrier_t *start;
    const struct view *view;
    char *const *expected; /* by renderer */
    size_t same;
};

/* Runs in a thread of its own: asserts nothing there. */
static void *read_repeatedly(void *arg)
{
    struct reader *r = arg;

    (void)pthread_barrier_wait(r->start); /* which of them is the last does not matter */
    for (size_t i = 0; i < RENDERINGS; i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++) {
            const struct snapshot *mine = snapshot_ref(r->view->snapshot);
            struct buf out;

            buf_init(&out);
            renderers[k](r->view, &out);
            r->same += !out.failed && strcmp(buf_text(&out), r->expected[k]) == 0;
            buf_done(&out);
            snapshot_unref(mine);
        }
    }
    return NULL;
}

static void several_threads_at_once_render_the_same(void **state)
{
    char *expected[ARRAY_LENGTH(renderers)];
    struct reader readers[THREADS];
    pthread_barrier_t start;
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++)
        expected[k] = text_of(renderers[k], &s.view);
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.start = &start, .view = &s.view, .expected = expected};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_repeatedly, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].same, RENDERINGS * ARRAY_LENGTH(renderers));
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
    for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++)
        free(expected[k]);
    scene_done(&s);
}

static size_t count_allocations(render_fn *render, unsigned listeners)
{
    const size_t plenty = 1u << 20;
    struct scene s;
    struct buf out;
    size_t steps;

    scene_init(&s);
    scene_own(&s, "0:root:", "5:a:root:x.service,6:b:bob:y.service");
    s.drops = 7;
    for (unsigned port = 1; port <= listeners; port++) {
        char socket[32];

        (void)snprintf(socket, sizeof socket, "192.0.2.1:%u", port);
        scene_listen(&s, socket, "1/5");
    }
    scene_count(&s, PROTOCOL_TCP, 1, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    s.view.has_history = true;
    buf_init(&out);
    arm(plenty, false);
    render(&s.view, &out);
    steps = disarm(plenty);
    assert_false(out.failed);
    assert_true(out.len > 0);
    buf_done(&out);
    scene_done(&s);
    return steps;
}

/* Buffers double, which they do a few times over. */
static void a_listener_more_allocates_nothing_of_its_own(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++) {
        size_t few = count_allocations(renderers[k], 10), many = count_allocations(renderers[k], 90);

        assert_in_range(many - few, 0, 15);
    }
}

/* Refuses one allocation after the other, then from one on all of them. */
static void refuse_at_each_step(render_fn *render, const struct view *view)
{
    char *before = text_of(render, view), *after;
    const size_t plenty = 1u << 20;
    size_t steps;
    struct buf out;

    buf_init(&out);
    arm(plenty, false);
    render(view, &out);
    steps = disarm(plenty);
    assert_false(out.failed);
    assert_true(steps > 0);
    buf_done(&out);
    for (size_t step = 0; step < 2 * steps; step++) {
        arm(step / 2, step % 2 == 0);
        render(view, &out);
        (void)disarm(step / 2); /* what was left out may have needed fewer */
        assert_true(memory.refused > 0);
        assert_true(out.failed);
        buf_done(&out);
    }
    after = text_of(render, view);
    assert_string_equal(after, before);
    free(after);
    free(before);
}

static void memory_refused_at_any_step_fails_that_rendering_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++) {
        struct scene s;

        scenes[i](&s);
        for (size_t k = 0; k < ARRAY_LENGTH(renderers); k++)
            refuse_at_each_step(renderers[k], &s.view);
        scene_done(&s);
    }
}

/* A parser may take a text that it has no memory for as a wrong one, or do
 * without what it could not get; but no number is wrong. */
static void memory_refused_at_any_step_of_reading_makes_no_number_wrong(void **state)
{
    static const uint64_t counted[LISTENERS_MAX] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
    const size_t plenty = 1u << 20;
    uint64_t restarts[LISTENERS_MAX];
    const struct listener_table *table;
    size_t steps, count, errors = 0;
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_many_holders(&s);
    table = snapshot_host(s.snapshot)->listeners;
    (void)listener_table_all(table, &count); /* only their number matters */
    assert_in_range(count, 1, LISTENERS_MAX);
    s.view.has_history = false;
    s.view.restarts = counted;
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_false(out.failed);
    arm(plenty, false);
    assert_int_equal(json_read_restarts(out.data, out.len, table, restarts), 0);
    steps = disarm(plenty);
    assert_true(steps > count);
    for (size_t step = 0; step < 2 * steps; step++) {
        int r;

        memset(restarts, 0x5a, sizeof restarts);
        arm(step / 2, step % 2 == 0);
        r = json_read_restarts(out.data, out.len, table, restarts);
        (void)disarm(step / 2);
        assert_true(r == 0 || r == -ENOMEM || r == -EBADMSG);
        errors += r < 0;
        for (size_t i = 0; i < count; i++)
            assert_int_equal(restarts[i], r == 0 ? counted[i] : UINT64_C(0x5a5a5a5a5a5a5a5a));
    }
    assert_true(errors > steps);
    buf_done(&out);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_snapshot_rendered_three_times_is_three_times_the_same),
        cmocka_unit_test(several_threads_at_once_render_the_same),
        cmocka_unit_test(a_listener_more_allocates_nothing_of_its_own),
        cmocka_unit_test(memory_refused_at_any_step_fails_that_rendering_only),
        cmocka_unit_test(memory_refused_at_any_step_of_reading_makes_no_number_wrong),
    };

    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
