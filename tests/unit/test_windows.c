#include "core/windows.h"
#include "tests/unit/judged.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)

static const struct own_sockets no_own;

/* A host that is polled again and again, and judged each time. */
struct host {
    struct policy policy;
    struct listener_builder *builder;
    struct history *history;
    struct windows *windows;
    enum visibility visibility; /* of TCP and UDP */
    const struct verdict *verdict;
    int64_t now_ms;
};

/* Every entry allows so many interruptions, or drops, in a minute. */
static void allow(struct policy *policy, int64_t interruptions, int64_t drops)
{
    for (size_t i = 0; i < policy->expect_count; i++) {
        struct expect *e = &policy->expects[i];

        e->severity = SEVERITY_CRITICAL;
        e->for_ms = 10 * MINUTE_MS;
        e->flapping = (struct allowed_rate){interruptions, MINUTE_MS};
        e->drops_limited = drops >= 0;
        e->drops = (struct allowed_rate){drops, MINUTE_MS};
    }
}

static struct host host_of(const char *services, int64_t interruptions, int64_t drops)
{
    struct host h = {
        .policy = policy_expecting(services),
        .builder = new_builder(100),
        .history = history_new(),
        .windows = windows_new(),
        .visibility = VISIBILITY_OK,
        .now_ms = 12345,
    };

    assert_non_null(h.builder);
    assert_non_null(h.history);
    assert_non_null(h.windows);
    allow(&h.policy, interruptions, drops);
    return h;
}

static void host_done(struct host *h)
{
    verdict_unref(h->verdict);
    windows_free(h->windows);
    history_free(h->history);
    listener_builder_free(h->builder);
    policy_done(&h->policy);
}

/* Another configuration: what is kept of it is what the test is about. */
static void host_reload(struct host *h, const char *services, int64_t interruptions, int64_t drops)
{
    verdict_unref(h->verdict);
    h->verdict = NULL;
    policy_done(&h->policy);
    h->policy = policy_expecting(services);
    allow(&h->policy, interruptions, drops);
}

static const struct verdict *host_look(struct host *h, const char *sockets)
{
    const struct history_rules rules = {1000, 100, &h->policy};
    const struct limits limits = limits_of(1000);
    struct inventory inv;

    begin_looks(h->builder, 100);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(h->builder, (enum protocol)i, PART_ALL, h->visibility, 0);
    if (h->visibility == VISIBILITY_OK)
        add_rows(h->builder, sockets, 1000000);
    assert_int_equal(finish_look(h->builder, &limits, &h->policy, NULL, h->history, &inv), 0);
    assert_int_equal(history_follow(h->history, &inv, &rules), 0);
    return judge_inventory(&inv, &h->policy, &no_own, NULL);
}

static void host_show(struct host *h, const struct verdict *v)
{
    assert_non_null(v);
    history_settle(h->history);
    v = verdict_add_past(v, &h->policy, windows_past(h->windows));
    assert_non_null(v);
    verdict_unref(h->verdict);
    h->verdict = v;
}

/* So long after the poll before. */
static void host_poll(struct host *h, int64_t ms, const char *sockets)
{
    const struct verdict *v = host_look(h, sockets);

    assert_non_null(v);
    h->now_ms += ms;
    assert_int_equal(windows_follow(h->windows, v, &h->policy, h->now_ms), 0);
    host_show(h, v);
}

static void host_poll_blind(struct host *h, int64_t ms)
{
    h->visibility = VISIBILITY_FAILED;
    host_poll(h, ms, "");
    h->visibility = VISIBILITY_OK;
}

/* What befell the services, each "INTERRUPTIONS:INTERRUPTED:DROPPED". */
static void assert_past(const struct host *h, const char *wanted)
{
    char have[200] = "";
    size_t length = 0;

    for (size_t i = 0; i < h->verdict->service_count; i++) {
        const struct service_past *past = &h->verdict->services[i].past;

        length += (size_t)snprintf(have + length, sizeof have - length, "%s%llu:%llu:%llu", i > 0 ? " " : "",
                                   (unsigned long long)past->interruptions,
                                   (unsigned long long)past->interrupted, (unsigned long long)past->dropped);
    }
    assert_string_equal(have, wanted);
}

/* The finding of a rule, of which there is one at most; NULL for none. */
static const struct finding *finding_of(const struct host *h, enum rule rule)
{
    const struct finding *found = NULL;

    for (size_t i = 0; i < h->verdict->count; i++) {
        if (h->verdict->findings[i].key.rule != rule)
            continue;
        assert_null(found);
        found = &h->verdict->findings[i];
    }
    return found;
}

static void assert_says(const struct host *h, enum rule rule, const char *summary)
{
    const struct finding *f = finding_of(h, rule);

    if (!summary) {
        assert_null(f);
        return;
    }
    assert_non_null(f);
    assert_string_equal(f->summary, summary);
    assert_int_equal(f->for_ms, 0);
    assert_int_equal(f->severity, SEVERITY_CRITICAL);
    assert_false(f->undetermined);
}

static void a_service_that_is_there_is_interrupted_once_by_each_restart(void **state)
{
    struct host h = host_of("web=tcp/80", 3, -1);

    (void)state;
    host_poll(&h, 0, "0.0.0.0:80#1");
    assert_past(&h, "0:0:0");
    host_poll(&h, 100, ""); /* a poll saw the gap */
    assert_past(&h, "1:1:0");
    host_poll(&h, 100, "");
    host_poll(&h, 100, "0.0.0.0:80#2"); /* which counts as a restart, but not once more */
    assert_past(&h, "1:1:0");
    host_poll(&h, 100, "0.0.0.0:80#3"); /* no poll saw one */
    assert_past(&h, "2:2:0");
    host_poll(&h, 100, "[::]:80#4 0.0.0.0:81#5"); /* nor this, and it came back elsewhere */
    assert_past(&h, "3:3:0");
    host_poll(&h, 100, "[::]:80#4");
    assert_past(&h, "3:3:0");
    host_done(&h);
}

static void a_service_that_was_not_there_yet_was_not_interrupted(void **state)
{
    struct host h = host_of("web=tcp/80", 3, -1);

    (void)state;
    host_poll(&h, 0, "");
    host_poll(&h, 100, "");
    host_poll(&h, 100, "0.0.0.0:80#1");
    assert_past(&h, "0:0:0");
    host_done(&h);
}

/* One of several listeners, or one that joins, is no interruption while another
 * one stays. */
static void what_goes_on_is_not_interrupted(void **state)
{
    struct host h = host_of("web=tcp/80", 3, -1);

    (void)state;
    host_poll(&h, 0, "0.0.0.0:80#1");
    host_poll(&h, 100, "0.0.0.0:80#1 [::]:80#2");
    host_poll(&h, 100, "0.0.0.0:80#1");
    host_poll(&h, 100, "0.0.0.0:80#1 0.0.0.0:80#3"); /* joins */
    assert_past(&h, "0:0:0");
    host_poll(&h, 100, "0.0.0.0:80#3 0.0.0.0:80#4"); /* replaced, one by one */
    host_poll(&h, 100, "0.0.0.0:80#5 0.0.0.0:80#4");
    host_poll(&h, 100, "0.0.0.0:80#5 0.0.0.0:80#4 [::]:80#6 10.0.0.1:443#7");
    host_poll(&h, 100, "0.0.0.0:80#8 [::]:80#6");
    assert_past(&h, "0:0:0");
    host_poll(&h, 100, "0.0.0.0:80#9 [::]:80#10");
    assert_past(&h, "1:1:0");
    host_done(&h);
}

static void what_is_not_seen_is_neither_interrupted_nor_restored(void **state)
{
    struct host h = host_of("web=tcp/80", 3, -1);

    (void)state;
    host_poll(&h, 0, "0.0.0.0:80#1");
    host_poll_blind(&h, 100);
    host_poll_blind(&h, 100);
    assert_past(&h, "0:0:0");
    host_poll(&h, 100, "0.0.0.0:80#1");
    assert_past(&h, "0:0:0");
    host_poll(&h, 100, "");
    host_poll_blind(&h, 100);
    host_poll(&h, 100, "");
    assert_past(&h, "1:1:0");
    host_poll(&h, 100, "0.0.0.0:80#2");
    host_poll_blind(&h, 100);
    host_poll(&h, 100, "0.0.0.0:80#3"); /* meanwhile it was replaced */
    assert_past(&h, "2:2:0");
    host_done(&h);
}

static void it_flaps_while_the_window_holds_too_many(void **state)
{
    static const char *const sockets[] = {"0.0.0.0:80#1", "0.0.0.0:80#2", "0.0.0.0:80#3", "0.0.0.0:80#4"};
    static const char last[] = "0.0.0.0:80#6";
    struct host h = host_of("web=tcp/80", 3, -1);

    (void)state;
    host_poll(&h, 0, sockets[0]);
    for (int i = 1; i <= 3; i++)
        host_poll(&h, 10 * SECOND_MS, sockets[i]);
    assert_says(&h, RULE_FLAPPING, NULL);
    assert_int_equal(windows_due_ms(h.windows), INT64_MAX);
    host_poll(&h, 5 * SECOND_MS, "");
    assert_says(&h, RULE_FLAPPING, "web: tcp port 80 was interrupted 4 times in 1m, expected 3 at most");
    assert_true(h.verdict->services[0].broken & 1u << RULE_FLAPPING);
    host_poll(&h, SECOND_MS, "0.0.0.0:80#5");
    host_poll(&h, SECOND_MS, last);
    assert_says(&h, RULE_FLAPPING, "web: tcp port 80 was interrupted 5 times in 1m, expected 3 at most");
    while (windows_due_ms(h.windows) != INT64_MAX) { /* only time passes */
        assert_in_range(windows_due_ms(h.windows), h.now_ms + 1, h.now_ms + MINUTE_MS);
        host_poll(&h, windows_due_ms(h.windows) - h.now_ms, last);
    }
    assert_says(&h, RULE_FLAPPING, NULL);
    assert_past(&h, "5:3:0");
    host_poll(&h, MINUTE_MS, last);
    assert_past(&h, "5:0:0");
    host_done(&h);
}

static void a_max_of_0_switches_it_off_but_counts(void **state)
{
    struct host h = host_of("web=tcp/80", 0, -1);

    (void)state;
    for (int i = 0; i < 10; i++) {
        host_poll(&h, 10, "0.0.0.0:80#1");
        host_poll(&h, 10, "");
    }
    assert_past(&h, "10:0:0");
    assert_says(&h, RULE_FLAPPING, NULL);
    assert_false(h.verdict->services[0].used & 1u << RULE_FLAPPING);
    host_done(&h);
}

static void drops_within_the_window_are_too_many(void **state)
{
    struct host h = host_of("dns=udp/53 web=tcp/80", 0, 10);

    (void)state;
    host_poll(&h, 0, "udp/0.0.0.0:53#1!70000 0.0.0.0:80#2!7"); /* before sockwatch was there */
    assert_past(&h, "0:0:0 0:0:0");
    host_poll(&h, 100, "udp/0.0.0.0:53#1!70010 0.0.0.0:80#2!8");
    assert_past(&h, "0:0:10 0:0:1");
    assert_says(&h, RULE_DROPPING, NULL);
    host_poll(&h, 30 * SECOND_MS, "udp/0.0.0.0:53#3!37 0.0.0.0:80#2!8"); /* a new one, from 0 */
    assert_says(&h, RULE_DROPPING, "dns: udp port 53 dropped 47 datagrams in 1m, expected 10 at most");
    host_poll(&h, 30 * SECOND_MS, "udp/0.0.0.0:53#3!37 0.0.0.0:80#2!8");
    assert_says(&h, RULE_DROPPING, "dns: udp port 53 dropped 37 datagrams in 1m, expected 10 at most");
    host_poll(&h, 30 * SECOND_MS, "udp/0.0.0.0:53#3!37 0.0.0.0:80#2!19");
    assert_says(&h, RULE_DROPPING,
                "web: tcp port 80 dropped 11 connection attempts in 1m, expected 10 at most");
    host_poll(&h, 60 * SECOND_MS, "udp/0.0.0.0:53#3!37 0.0.0.0:80#2!19");
    assert_says(&h, RULE_DROPPING, NULL);
    assert_false(h.verdict->services[0].used & 1u << RULE_FLAPPING);
    assert_true(h.verdict->services[0].used & 1u << RULE_DROPPING);
    host_done(&h);
}

static void none_may_be_dropped(void **state)
{
    struct host h = host_of("dns=udp/53", 0, 0);

    (void)state;
    host_poll(&h, 0, "udp/0.0.0.0:53#1!0");
    assert_says(&h, RULE_DROPPING, NULL);
    host_poll(&h, 100, "udp/0.0.0.0:53#1!1");
    assert_says(&h, RULE_DROPPING, "dns: udp port 53 dropped 1 datagram in 1m, expected 0 at most");
    host_done(&h);
}

static void a_reload_keeps_what_befell_the_services_that_stay(void **state)
{
    struct host h = host_of("a=tcp/80 b=tcp/81 c=tcp/82,83", 2, -1);

    (void)state;
    host_poll(&h, 0, "0.0.0.0:80#1 0.0.0.0:81#2 0.0.0.0:82#3 0.0.0.0:83#4");
    host_poll(&h, 100, "0.0.0.0:80#5 0.0.0.0:82#6 0.0.0.0:83#4");
    host_poll(&h, 100, "0.0.0.0:80#7 0.0.0.0:82#6 0.0.0.0:83#8");
    assert_past(&h, "2:2:0 1:1:0 1:1:0 1:1:0");
    host_reload(&h, "c=tcp/83 new=tcp/84 b=tcp/81 a=tcp/80 a=udp/80 c=tcp/80", 1, -1);
    host_poll(&h, 100, "0.0.0.0:80#7 0.0.0.0:83#9 0.0.0.0:84#10");
    assert_past(&h, "2:2:0 0:0:0 1:1:0 2:2:0 0:0:0 0:0:0");
    host_reload(&h, "", 1, -1);
    host_poll(&h, 100, "");
    host_reload(&h, "a=tcp/80", 1, -1); /* which was expected by nobody meanwhile */
    host_poll(&h, 100, "0.0.0.0:80#11");
    assert_past(&h, "0:0:0");
    host_done(&h);
}

static void a_reload_may_change_the_windows(void **state)
{
    struct host h = host_of("web=tcp/80", 1, -1);

    (void)state;
    host_poll(&h, 0, "0.0.0.0:80#1");
    host_poll(&h, SECOND_MS, "0.0.0.0:80#2");
    host_poll(&h, 30 * SECOND_MS, "0.0.0.0:80#3");
    assert_says(&h, RULE_FLAPPING, "web: tcp port 80 was interrupted 2 times in 1m, expected 1 at most");
    h.policy.expects[0].flapping.window_ms = 10 * SECOND_MS;
    host_poll(&h, SECOND_MS, "0.0.0.0:80#3");
    assert_past(&h, "2:1:0");
    h.policy.expects[0].flapping.max = 0;
    host_poll(&h, SECOND_MS, "0.0.0.0:80#3");
    assert_past(&h, "2:0:0");
    h.policy.expects[0].flapping = (struct allowed_rate){1, INT64_C(3650) * 24 * 60 * MINUTE_MS};
    for (int i = 4; i <= 5; i++) {
        char socket[20];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:80#%d", i);
        host_poll(&h, INT64_C(1000) * 24 * 60 * MINUTE_MS, socket);
    }
    assert_says(&h, RULE_FLAPPING, "web: tcp port 80 was interrupted 2 times in 3650d, expected 1 at most");
    host_done(&h);
}

/* Beside the truth: whatever polls see of it, no restart counts twice, and each
 * that a poll can tell counts. */
static void interruptions_are_counted_as_they_happen(void **state)
{
    (void)state;
    for (uint32_t run = 1; run <= 50; run++) {
        struct host h = host_of("web=tcp/80", 3, -1);
        uint32_t seed = run * 2654435761u, cookie = 1, was = 0;
        uint64_t wanted = 0;
        bool up = false;

        for (int poll = 0; poll < 200; poll++) {
            uint32_t is = next_random(&seed) % 4;
            bool blind = next_random(&seed) % 4 == 0;
            char socket[32] = "", text[64];

            cookie += is == 0; /* 1: away; 2 and 3: goes on */
            if (is != 1)
                (void)snprintf(socket, sizeof socket, "0.0.0.0:80#%u", cookie);
            if (blind) {
                host_poll_blind(&h, 100);
            } else {
                wanted += up && (is == 1 || was != cookie);
                up = is != 1;
                was = cookie;
                host_poll(&h, 100, socket);
            }
            (void)snprintf(text, sizeof text, "%llu:%llu:0", (unsigned long long)wanted,
                           (unsigned long long)wanted);
            assert_past(&h, text);
        }
        assert_true(wanted > 20);
        host_done(&h);
    }
}

static void without_memory_nothing_is_counted(void **state)
{
    struct host h = host_of("a=tcp/80 b=tcp/81", 1, 1);
    size_t refused = 0;

    (void)state;
    for (int poll = 0; poll < 4; poll++) {
        static const char *const sockets[] = {"0.0.0.0:80#1!1 0.0.0.0:81#2", "0.0.0.0:80#3!5 0.0.0.0:81#2!9",
                                              "0.0.0.0:80#4!6 0.0.0.0:81#2!9",
                                              "0.0.0.0:80#5!3 0.0.0.0:81#2!9"};
        int r = -ENOMEM;

        if (poll == 3)
            host_reload(&h, "b=tcp/81 a=tcp/80", 1, 1);
        h.now_ms += 100;
        for (size_t n = 1; r < 0; n++) {
            const struct verdict *v = host_look(&h, sockets[poll]);

            assert_non_null(v);
            refuse_nth(n);
            r = windows_follow(h.windows, v, &h.policy, h.now_ms);
            assert_int_equal(r, refuse_stop() ? -ENOMEM : 0);
            refused += r < 0;
            if (r == 0)
                host_show(&h, v);
            else
                verdict_unref(v);
        }
    }
    assert_past(&h, "0:0:9 3:3:14");
    assert_in_range(refused, 7, 20);
    refuse_nth(1);
    assert_null(windows_new());
    assert_true(refuse_stop());
    windows_free(NULL);
    host_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_is_there_is_interrupted_once_by_each_restart),
        cmocka_unit_test(a_service_that_was_not_there_yet_was_not_interrupted),
        cmocka_unit_test(what_goes_on_is_not_interrupted),
        cmocka_unit_test(what_is_not_seen_is_neither_interrupted_nor_restored),
        cmocka_unit_test(it_flaps_while_the_window_holds_too_many),
        cmocka_unit_test(a_max_of_0_switches_it_off_but_counts),
        cmocka_unit_test(drops_within_the_window_are_too_many),
        cmocka_unit_test(none_may_be_dropped),
        cmocka_unit_test(a_reload_keeps_what_befell_the_services_that_stay),
        cmocka_unit_test(a_reload_may_change_the_windows),
        cmocka_unit_test(interruptions_are_counted_as_they_happen),
        cmocka_unit_test(without_memory_nothing_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
