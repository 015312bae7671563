/* Board and bodies as they are used: one thread posts, many look, render, hold
 * what is old and give it back. ThreadSanitizer watches this, too; so nothing
 * here orders threads more than the program does. */
#include "exporters/bodies.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"
#include "tests/unit/posting.h"

#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

enum { READERS = 10, POSTINGS = 200, HELD = 4, NOTES_PER_POSTING = 3, PATIENCE_SECONDS = 120 };

/* What our objects have allocated and not freed: the linker leads all of it
 * through here (LIVE in the Makefile). Relaxed, so that counting orders nothing. */
static atomic_long live;

static void *count_live(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    return count_live(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return count_live(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    return old ? __real_realloc(old, size) : __wrap_malloc(size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return old ? __real_reallocarray(old, count, size) : __wrap_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
    return count_live(__real_strdup(text));
}

void __wrap_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __real_free(block);
}

/* Renderings of the exposition, which can be held up in the middle. */
static struct {
    atomic_uint count;
    bool held; /* set while no other thread runs */
    sem_t begun, go_on;
} renderings;

void __real_prom_render(const struct view *view, const struct prom_dropped *before, struct buf *out,
                        struct prom_dropped *ret_cut);
void __wrap_prom_render(const struct view *view, const struct prom_dropped *before, struct buf *out,
                        struct prom_dropped *ret_cut);

void __wrap_prom_render(const struct view *view, const struct prom_dropped *before, struct buf *out,
                        struct prom_dropped *ret_cut)
{
    atomic_fetch_add_explicit(&renderings.count, 1, memory_order_relaxed);
    if (renderings.held) {
        (void)sem_post(&renderings.begun); /* cannot overflow */
        (void)sem_wait(&renderings.go_on); /* nothing interrupts it */
    }
    __real_prom_render(view, before, out, ret_cut);
}

/* What the threads share. */
struct crowd {
    struct board *board;
    struct bodies *bodies;
    atomic_uint seen;    /* the highest n that some reader has seen; relaxed */
    atomic_uint at_work; /* how many threads have got as far as asking; relaxed */
};

struct asker {
    pthread_t thread;
    struct crowd *crowd;
    unsigned number;
    const struct body *body; /* what it got, for whoever joins it */
    const char *complaint;   /* what was not as it should be; NULL */
};

static void set_up(struct crowd *c)
{
    *c = (struct crowd){.board = board_new("1.2.3", "abc")};
    assert_non_null(c->board);
    c->bodies = bodies_new(c->board);
    assert_non_null(c->bodies);
    atomic_store(&renderings.count, 0);
}

static void tear_down(struct crowd *c)
{
    bodies_free(c->bodies);
    board_free(c->board);
}

static void start(struct crowd *c, struct asker *askers, void *(*run)(void *))
{
    for (unsigned i = 0; i < READERS; i++) {
        askers[i] = (struct asker){.crowd = c, .number = i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, run, &askers[i]), 0);
    }
}

static void join(struct asker *askers)
{
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
    for (unsigned i = 0; i < READERS; i++)
        if (askers[i].complaint)
            fail_msg("thread %u: %s", i, askers[i].complaint);
}

/* Posts and notes, each when some reader has seen the one before. */
static void post_all(struct crowd *c)
{
    for (unsigned n = 1; n <= POSTINGS; n++) {
        post(c->board, n, 1000);
        for (unsigned k = 1; k <= NOTES_PER_POSTING; k++)
            note(c->board, n);
        while (atomic_load_explicit(&c->seen, memory_order_relaxed) < n)
            (void)sched_yield();
    }
}

static void have_seen(struct crowd *c, unsigned n)
{
    unsigned seen = atomic_load_explicit(&c->seen, memory_order_relaxed);

    while (seen < n && !atomic_compare_exchange_weak_explicit(&c->seen, &seen, n, memory_order_relaxed,
                                                              memory_order_relaxed)) {
    }
}

/* Which posting it is; every part of it must be of the same. */
static const char *inspect(const struct look *look, unsigned *ret_n)
{
    unsigned n = (unsigned)look->posting.config->limits.listeners;
    uint64_t polls = look->view.status->polls[POLL_LISTENERS][RESULT_SUCCESS];
    size_t count;
    const struct listener *listeners = view_listeners(&look->view, &count);

    *ret_n = n;
    if (count != posting_listener_count(n) || listeners[count - 1].port != POSTING_FIRST_PORT + count - 1)
        return "the snapshot is another posting's";
    if (look->view.verdict->count != count || look->view.alerts->count != count)
        return "verdict or alerts are another posting's";
    if (polls != n && polls + 1 != n)
        return "the status is of another poll";
    return look->content == n ? NULL : "the content has a wrong number";
}

/* Renders a view, for itself, as whoever holds one may. */
static const char *render(const struct look *look, unsigned which)
{
    const struct prom_dropped before = {{0}};
    struct prom_dropped cut;
    struct buf out;
    bool failed;

    buf_init(&out);
    switch (which % BODY_FORMAT_COUNT) {
    case BODY_METRICS: __real_prom_render(&look->view, &before, &out, &cut); break;
    case BODY_PAGE: page_render(&look->view, &out); break;
    case BODY_LISTENERS: json_listeners(&look->view, &out); break;
    }
    failed = out.failed || out.len == 0;
    buf_done(&out);
    return failed ? "a rendering failed" : NULL;
}

/* Looks until the last posting, holding the looks before; what is held is
 * rendered only when it is about to be given back. */
static void *look_around(void *arg)
{
    struct asker *a = arg;
    struct look held[HELD];
    uint64_t version = 0;
    unsigned looks = 0, n = 0;

    while (n < POSTINGS && !a->complaint) {
        struct look *look = &held[looks % HELD];

        if (looks >= HELD) {
            a->complaint = render(look, looks);
            look_done(look);
        }
        while (board_look(a->crowd->board, look) < 0)
            (void)sched_yield();
        looks++;
        if (!a->complaint)
            a->complaint = inspect(look, &n);
        if (look->version < version)
            a->complaint = "an older version after a newer one";
        version = look->version;
        have_seen(a->crowd, n);
    }
    have_seen(a->crowd, POSTINGS); /* whoever complains sees no more */
    for (unsigned i = 0; i < HELD && i < looks; i++)
        look_done(&held[i]);
    return NULL;
}

static void readers_see_whole_postings_and_give_every_reference_back(void **state)
{
    long before = atomic_load(&live);
    struct crowd crowd;
    struct asker readers[READERS];

    (void)state;
    set_up(&crowd);
    start(&crowd, readers, look_around);
    post_all(&crowd);
    join(readers);
    assert_true(atomic_load(&live) > before); /* the last posting is still there */
    tear_down(&crowd);
    assert_int_equal(atomic_load(&live), before);
}

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

/* How many listeners a body shows, where it shows them one by one. */
static size_t count_listeners(const struct body *body, enum body_format format)
{
    switch (format) {
    case BODY_METRICS: return count_text(body, "\nsockwatch_listener_info{");
    case BODY_LISTENERS: return count_text(body, "\"port\": 100");
    case BODY_PAGE:
    case BODY_FORMAT_COUNT: break;
    }
    return 0;
}

/* The ends of whole bodies. */
static bool is_whole(const struct body *body, enum body_format format)
{
    static const char *const ends[BODY_FORMAT_COUNT] = {
        [BODY_METRICS] = "\n",
        [BODY_PAGE] = "</html>\n",
        [BODY_LISTENERS] = "}\n",
    };
    size_t length = strlen(ends[format]);

    return body->length > length && memcmp(body->data + body->length - length, ends[format], length) == 0;
}

/* Downloads: asks, goes on, and reads a body only when it is to be given back. */
static void *download(void *arg)
{
    struct asker *a = arg;
    const struct body *held[BODY_FORMAT_COUNT] = {NULL};
    size_t shown[BODY_FORMAT_COUNT] = {0};
    struct look look;
    unsigned n = 0;

    for (unsigned turn = a->number; n < POSTINGS && !a->complaint; turn++) {
        enum body_format format = (enum body_format)(turn % BODY_FORMAT_COUNT);

        if (held[format] &&
            (!is_whole(held[format], format) || count_listeners(held[format], format) != shown[format]))
            a->complaint = "a body has changed while it was held";
        body_unref(held[format]);
        held[format] = NULL;
        while (bodies_get(a->crowd->bodies, format, &held[format]) < 0)
            (void)sched_yield();
        shown[format] = count_listeners(held[format], format);
        if (format == BODY_METRICS &&
            count_text(held[format], "\nsockwatch_alert_firing{rule=\"UnexpectedListener\"") != shown[format])
            a->complaint = "alerts and listeners are of two postings";
        if (board_look(a->crowd->board, &look) == 0) {
            n = (unsigned)look.posting.config->limits.listeners;
            have_seen(a->crowd, n);
            look_done(&look);
        }
    }
    have_seen(a->crowd, POSTINGS); /* whoever complains sees no more */
    for (int i = 0; i < BODY_FORMAT_COUNT; i++)
        body_unref(held[i]);
    return NULL;
}

static void ten_download_what_is_replaced_meanwhile(void **state)
{
    const unsigned versions = POSTINGS * (1 + NOTES_PER_POSTING);
    long before = atomic_load(&live);
    struct crowd crowd;
    struct asker askers[READERS];
    unsigned count;

    (void)state;
    set_up(&crowd);
    start(&crowd, askers, download);
    post_all(&crowd);
    join(askers);
    count = atomic_load(&renderings.count);
    if (count == 0 || count > versions)
        fail_msg("%u versions were rendered %u times", versions, count);
    tear_down(&crowd);
    assert_int_equal(atomic_load(&live), before);
}

static void *ask_for_metrics(void *arg)
{
    struct asker *a = arg;

    atomic_fetch_add_explicit(&a->crowd->at_work, 1, memory_order_relaxed);
    if (bodies_get(a->crowd->bodies, BODY_METRICS, &a->body) < 0)
        a->complaint = "there is no body";
    return NULL;
}

/* Until each thread asks, and one of them renders, which goes on when told. */
static void wait_for_askers(struct crowd *c)
{
    assert_int_equal(sem_wait(&renderings.begun), 0);
    while (atomic_load_explicit(&c->at_work, memory_order_relaxed) < READERS)
        (void)sched_yield();
}

static void many_askers_share_one_rendering(void **state)
{
    struct crowd crowd;
    struct asker askers[READERS];

    (void)state;
    set_up(&crowd);
    post(crowd.board, 2, 1000);
    renderings.held = true;
    start(&crowd, askers, ask_for_metrics);
    wait_for_askers(&crowd);
    assert_int_equal(sem_post(&renderings.go_on), 0);
    join(askers);
    renderings.held = false;
    assert_int_equal(atomic_load(&renderings.count), 1);
    for (unsigned i = 0; i < READERS; i++) {
        assert_ptr_equal(askers[i].body, askers[0].body);
        body_unref(askers[i].body);
    }
    tear_down(&crowd);
}

static void a_long_rendering_holds_up_nothing_else(void **state)
{
    struct crowd crowd;
    struct asker askers[READERS];
    const struct body *body;

    (void)state;
    set_up(&crowd);
    post(crowd.board, 2, 1000);
    renderings.held = true;
    start(&crowd, askers, ask_for_metrics);
    wait_for_askers(&crowd);
    post(crowd.board, 3, 1000); /* all of this would wait for ever */
    note(crowd.board, 7);
    assert_int_equal(board_ready_until(crowd.board), 7);
    assert_int_equal(bodies_get(crowd.bodies, BODY_PAGE, &body), 0);
    body_unref(body);
    assert_int_equal(bodies_get(crowd.bodies, BODY_LISTENERS, &body), 0);
    assert_int_equal(count_listeners(body, BODY_LISTENERS), posting_listener_count(3));
    body_unref(body);
    renderings.held = false;
    assert_int_equal(sem_post(&renderings.go_on), 0);
    join(askers);
    for (unsigned i = 0; i < READERS; i++)
        body_unref(askers[i].body);
    tear_down(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_postings_and_give_every_reference_back),
        cmocka_unit_test(ten_download_what_is_replaced_meanwhile),
        cmocka_unit_test(many_askers_share_one_rendering),
        cmocka_unit_test(a_long_rendering_holds_up_nothing_else),
    };

    if (sem_init(&renderings.begun, 0, 0) < 0 || sem_init(&renderings.go_on, 0, 0) < 0)
        return 1;
    (void)alarm(PATIENCE_SECONDS);                    /* what waits for ever is a failure, too */
    json_set_alloc_funcs(__wrap_malloc, __wrap_free); /* our objects free what it allocates */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
