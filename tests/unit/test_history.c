#include "core/history.h"
#include "core/listener_table.h"
#include "tests/unit/lives.h"
#include "tests/unit/policies.h"
#include "tests/unit/random.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <inttypes.h>

static const struct policy no_policy;

/* A host that is polled again and again. */
struct host {
    const struct policy *policy;
    size_t limit;   /* of what has gone */
    int64_t shown;  /* listeners at most */
    size_t members; /* of a listener followed at most */
    enum visibility visibilities[PROTOCOL_COUNT];
    struct listener_builder *builder;
    struct history *history;
    const struct listener_table *table; /* of the last poll */
};

static struct host host_of(size_t limit, const struct policy *policy)
{
    struct host h = {
        .policy = policy,
        .limit = limit,
        .shown = 1000000,
        .members = 1000,
        .builder = new_builder(1000),
        .history = history_new(),
    };

    assert_non_null(h.builder);
    assert_non_null(h.history);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        h.visibilities[i] = VISIBILITY_OK;
    return h;
}

/* Returns the builder for the next poll; borrowed. */
static struct listener_builder *host_begin(struct host *h)
{
    begin_looks(h->builder, h->members);
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(h->builder, (enum protocol)i, PART_ALL, h->visibilities[i], 0);
    return h->builder;
}

/* Seals the next table, which must go on without the one before. */
static void host_seal(struct host *h)
{
    struct limits limits = limits_of((int64_t)h->limit);
    const struct listener_table *t;

    limits.listeners = h->shown;
    t = seal_look(h->builder, &limits, h->policy, NULL, h->history);
    assert_non_null(t);
    listener_table_unref(h->table);
    h->table = t;
}

static void host_poll(struct host *h, const char *sockets)
{
    add_rows(host_begin(h), sockets, 1000000);
    host_seal(h);
}

/* A poll in which a protocol cannot be read. */
static void host_poll_without(struct host *h, enum protocol protocol, const char *sockets)
{
    h->visibilities[protocol] = VISIBILITY_FAILED;
    host_poll(h, sockets);
    h->visibilities[protocol] = VISIBILITY_OK;
}

static void host_done(struct host *h)
{
    listener_table_unref(h->table);
    listener_builder_free(h->builder);
    history_free(h->history);
}

enum { TEXT_MAX = 4096 };

/* Writes the listeners, each with its "=DROPS/RESTARTS". */
static void describe_history(const struct host *h, char ret_text[TEXT_MAX])
{
    size_t count, length = 0;
    const struct listener *listeners = listener_table_all(h->table, &count);

    *ret_text = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct listener *l = &listeners[i];
        char text[ENDPOINT_TEXT_MAX];

        endpoint_format(&l->address, l->family, l->port, l->interface, text);
        length += (size_t)snprintf(ret_text + length, TEXT_MAX - length, "%s%s/%s%s=%" PRIu64 "/%" PRIu64,
                                   i > 0 ? " " : "", protocol_name(l->protocol), text,
                                   l->auto_port ? "~" : "", l->drops.count, l->restarts);
        assert_true(length < TEXT_MAX);
    }
}

static void assert_history(const struct host *h, const char *wanted)
{
    char have[TEXT_MAX];

    describe_history(h, have);
    assert_string_equal(have, wanted);
}

static void drops_and_restarts_go_on_from_poll_to_poll(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:22#1!5 0.0.0.0:80#2!7 udp/0.0.0.0:53#3!1");
    assert_history(&h, "tcp/0.0.0.0:22=5/0 tcp/0.0.0.0:80=7/0 udp/0.0.0.0:53=1/0");
    host_poll(&h, "0.0.0.0:22#1!6 0.0.0.0:80#4!2 udp/0.0.0.0:53#3!1");
    assert_history(&h, "tcp/0.0.0.0:22=6/0 tcp/0.0.0.0:80=9/1 udp/0.0.0.0:53=1/0");
    host_poll(&h, "udp/0.0.0.0:53#3!2 0.0.0.0:80#4!3 0.0.0.0:22#1!6 0.0.0.0:8080#5!1");
    assert_history(&h, "tcp/0.0.0.0:22=6/0 tcp/0.0.0.0:80=10/1 tcp/0.0.0.0:8080=1/0 udp/0.0.0.0:53=2/0");
    host_done(&h);
}

static void a_group_is_followed_as_one_service(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "*:80#1!5 *:80#2!7 *:80#3!0");
    assert_history(&h, "tcp/*:80=12/0");
    host_poll(&h, "*:80#6!1 *:80#5!1 *:80#4!1");
    assert_history(&h, "tcp/*:80=15/1");
    host_poll(&h, "*:80#6!1 *:80#5!1 *:80#6!1 *:80#7!0"); /* a socket seen twice counts once */
    assert_history(&h, "tcp/*:80=15/2");
    host_poll(&h, "*:80#6!2 *:80#5!3 *:80#7!4");
    assert_history(&h, "tcp/*:80=22/2");
    host_done(&h);
}

static void every_bind_has_a_history_of_its_own(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!1 0.0.0.0%2:80#2!2 127.0.0.1:80#3!3 [::]:80#4!4 *:80#5!5 "
                  "udp/0.0.0.0:80#6!6 udp/0.0.0.0:80~#7!7 0.0.0.0:81#8!8");
    host_poll(&h, "0.0.0.0:80#1!1 0.0.0.0%2:80#12!2 127.0.0.1:80#3!3 [::]:80#14!4 *:80#5!5 "
                  "udp/0.0.0.0:80#6!6 udp/0.0.0.0:80~#17!7 0.0.0.0:81#8!8");
    assert_history(&h, "tcp/0.0.0.0:80=1/0 tcp/0.0.0.0%if2:80=4/1 tcp/127.0.0.1:80=3/0 tcp/[::]:80=8/1 "
                       "tcp/*:80=5/0 tcp/0.0.0.0:81=8/0 udp/0.0.0.0:80=6/0 udp/0.0.0.0:80~=14/1");
    host_done(&h);
}

static void a_service_that_moves_is_another_one(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:3306#1!5");
    host_poll(&h, "127.0.0.1:3306#2!1");
    assert_history(&h, "tcp/127.0.0.1:3306=1/0");
    host_poll(&h, "0.0.0.0:3306#3!1"); /* and back */
    assert_history(&h, "tcp/0.0.0.0:3306=6/1");
    host_poll(&h, "0.0.0.0:3306#3!1 127.0.0.1:3306#4!1");
    assert_history(&h, "tcp/0.0.0.0:3306=6/1 tcp/127.0.0.1:3306=2/1");
    host_done(&h);
}

static void a_service_that_comes_back_keeps_its_history(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:22#1!1 0.0.0.0:80#2!7 0.0.0.0:80#3!1 udp/0.0.0.0:53#4!1");
    host_poll(&h, "0.0.0.0:22#1!1 0.0.0.0:9000#5");
    host_poll(&h, "0.0.0.0:22#1!1 udp/0.0.0.0:53#6!1");
    host_poll(&h, "");
    host_poll(&h, "0.0.0.0:22#7!1 udp/0.0.0.0:53#10!1");
    assert_history(&h, "tcp/0.0.0.0:22=2/1 udp/0.0.0.0:53=3/2");
    host_poll(&h, "0.0.0.0:80#8!2 0.0.0.0:80#9!3");
    assert_history(&h, "tcp/0.0.0.0:80=13/1");
    host_poll(&h, "0.0.0.0:80#8!3 0.0.0.0:80#9!3");
    assert_history(&h, "tcp/0.0.0.0:80=14/1");
    host_done(&h);
}

static void what_has_gone_is_not_listed(void **state)
{
    struct host h = host_of(100, &no_policy);
    size_t count = 42;

    (void)state;
    host_poll(&h, "0.0.0.0:22#1 0.0.0.0:80#2");
    host_poll(&h, "0.0.0.0:22#1");
    assert_history(&h, "tcp/0.0.0.0:22=0/0");
    assert_null(listener_table_port(h.table, PROTOCOL_TCP, 80, &count));
    assert_int_equal(count, 0);
    host_poll_without(&h, PROTOCOL_TCP, "");
    assert_history(&h, "");
    assert_null(listener_table_port(h.table, PROTOCOL_TCP, 22, &count));
    assert_int_equal(count, 0);
    host_done(&h);
}

/* "Cannot see" is never "nothing there". */
static void a_class_that_failed_in_between_is_no_restart(void **state)
{
    static const enum visibility unseen[] = {VISIBILITY_UNKNOWN, VISIBILITY_UNSUPPORTED, VISIBILITY_FAILED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++) {
        struct host h = host_of(100, &no_policy);

        host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:80#2!5 udp/0.0.0.0:53#3!1");
        h.visibilities[PROTOCOL_TCP] = unseen[i];
        host_poll(&h, "udp/0.0.0.0:53#3!2");
        host_poll(&h, "udp/0.0.0.0:53#4!3");
        assert_history(&h, "udp/0.0.0.0:53=5/1"); /* the other class went on */
        h.visibilities[PROTOCOL_TCP] = VISIBILITY_OK;
        host_poll(&h, "0.0.0.0:80#1!6 0.0.0.0:80#2!7 udp/0.0.0.0:53#4!3");
        assert_history(&h, "tcp/0.0.0.0:80=13/0 udp/0.0.0.0:53=5/1");
        host_done(&h);
    }
}

static void what_changed_while_a_class_failed_is_noticed(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!5 0.0.0.0:82#3!5 0.0.0.0:83#4!5 0.0.0.0:83#5!5");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:80#6!1 0.0.0.0:81#2!5 0.0.0.0:83#5!6");
    assert_history(&h, "tcp/0.0.0.0:80=6/1 tcp/0.0.0.0:81=5/0 tcp/0.0.0.0:83=11/0");
    host_poll(&h, "0.0.0.0:82#7!1 0.0.0.0:83#5!6 0.0.0.0:83#8!0");
    assert_history(&h, "tcp/0.0.0.0:82=6/1 tcp/0.0.0.0:83=11/1");
    host_done(&h);
}

static void a_service_that_was_gone_before_its_class_failed_stays_gone(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:80#1!5");
    host_poll(&h, "");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:80#2!1");
    assert_history(&h, "tcp/0.0.0.0:80=6/1");
    host_done(&h);
}

/* A protocol without its kernel module has no sockets, which is known. */
static void an_absent_class_loses_no_history(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "sctp/0.0.0.0:80#1!5");
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_ABSENT;
    host_poll(&h, "");
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_OK;
    host_poll(&h, "sctp/0.0.0.0:80#2!1");
    assert_history(&h, "sctp/0.0.0.0:80=6/1");
    host_done(&h);
}

/* Those that were shown before are shown on. */
static void a_service_that_the_limit_cut_is_no_restart(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    h.shown = 2;
    host_poll(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!5");
    host_poll(&h, "0.0.0.0:22#3 0.0.0.0:80#1!6 0.0.0.0:81#2!6");
    assert_history(&h, "tcp/0.0.0.0:80=6/0 tcp/0.0.0.0:81=6/0");
    assert_int_equal(listener_table_dropped(h.table, DROPPED_LISTENERS), 1);
    h.shown = 1;
    host_poll(&h, "0.0.0.0:22#3 0.0.0.0:80#1!7 0.0.0.0:81#2!7");
    assert_history(&h, "tcp/0.0.0.0:80=7/0");
    h.shown = 2;
    host_poll(&h, "0.0.0.0:22#3 0.0.0.0:80#1!8 0.0.0.0:81#2!8");
    assert_history(&h, "tcp/0.0.0.0:80=8/0 tcp/0.0.0.0:81=8/0");
    host_done(&h);
}

/* Who came or went cannot be told of a group that is followed in part. */
static void a_group_that_is_followed_in_part_counts_no_restarts(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    h.members = 2;
    host_poll(&h, "*:80#1!5 *:80#2!7 *:80#3!9");
    host_poll(&h, "*:80#4!100 *:80#1!6 *:80#2!7 *:80#3!9"); /* the fourth is first, and may be old */
    assert_history(&h, "tcp/*:80=13/0");
    host_poll(&h, "*:80#1!6 *:80#2!8 *:80#3!9");
    assert_history(&h, "tcp/*:80=14/0"); /* the second was there before */
    h.members = 1000;
    host_poll(&h, "*:80#2!8 *:80#5!1");
    host_poll(&h, "*:80#2!8 *:80#6!1");
    assert_history(&h, "tcp/*:80=15/1");
    host_done(&h);
}

/* A UDP socket that is connected for a while cannot be seen among those that
 * are not; a TCP one may stop listening and begin again. */
static void a_socket_that_comes_back_was_never_replaced(void **state)
{
    static const char *const away[] = {"", "udp/0.0.0.0:53#1!2", "0.0.0.0:80#3!6"};
    struct host h = host_of(100, &no_policy);

    (void)state;
    for (int i = 0; i < 5; i++) {
        host_poll(&h, "udp/0.0.0.0:53#1!2 udp/0.0.0.0:53#2!194 0.0.0.0:80#3!6 udp/0.0.0.0:123#4!7");
        assert_history(&h, "tcp/0.0.0.0:80=6/0 udp/0.0.0.0:53=196/0 udp/0.0.0.0:123=7/0");
        for (size_t k = 0; k < ARRAY_LENGTH(away); k++)
            host_poll(&h, away[k]);
    }
    host_poll(&h, "udp/0.0.0.0:53#1!2 udp/0.0.0.0:53#2!200 0.0.0.0:80#3!9 udp/0.0.0.0:123#5!1");
    assert_history(&h, "tcp/0.0.0.0:80=9/0 udp/0.0.0.0:53=202/0 udp/0.0.0.0:123=8/1");
    assert_int_equal(history_forgotten(h.history), 0);
    host_done(&h);
}

/* A service of which nobody is away but who is replaced remembers no more than
 * it has sockets. */
static void of_a_service_as_many_are_remembered_as_it_has_sockets(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "*:53#1!1 *:53#2!1");
    host_poll(&h, "*:53#3!1 *:53#4!1");
    host_poll(&h, "*:53#5!1 *:53#6!1");
    host_poll(&h, "*:53#5!1 *:53#6!1 *:53#1!1 *:53#3!1"); /* the first is forgotten, and counts again */
    assert_history(&h, "tcp/*:53=7/2");
    assert_int_equal(history_forgotten(h.history), 0);
    host_done(&h);
    h = host_of(100, &no_policy);
    h.members = 2;
    host_poll(&h, "*:53#1!1 *:53#2!1");
    host_poll(&h, "*:53#2!1");
    host_poll(&h, "*:53#2!1 *:53#1!1");
    assert_history(&h, "tcp/*:53=2/0");
    host_done(&h);
}

/* Adds sockets of 0.0.0.0 with a UDP port, each of which has dropped one datagram. */
static void adds_group(struct listener_builder *b, uint16_t port, uint64_t first_cookie, uint64_t count)
{
    struct listener_row row = row_of("udp/0.0.0.0:1");

    row.port = port;
    row.drops.known = true;
    row.drops.count = 1;
    for (uint64_t i = 0; i < count; i++) {
        row.cookie = first_cookie + i;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Where all are too many, those suffer who have most of them. */
static void nobody_pushes_out_the_sockets_of_others(void **state)
{
    enum { LIMIT = 4, MANY = 100 }; /* HISTORY_DEPARTED times as many sockets are remembered */
    struct policy policy = policy_expecting("udp/99");
    struct host h = host_of(LIMIT, &policy);
    struct listener_builder *b;

    (void)state;
    h.shown = 1000;
    for (int i = 0; i < 3; i++) {
        for (int all = 1; all >= 0; all--) {
            b = host_begin(&h);
            adds_group(b, 1, 100, all ? MANY : 1);
            adds_group(b, 53, 200, all ? 3 : 1);
            adds_group(b, 99, 300, all ? 20 : 1);
            host_seal(&h);
        }
        assert_int_equal(history_forgotten(h.history), (i + 1) * (MANY - 1 - (LIMIT * HISTORY_DEPARTED - 2)));
    }
    /* Those that were forgotten are new ones. */
    assert_history(&h, "udp/0.0.0.0:1=286/2 udp/0.0.0.0:53=3/0 udp/0.0.0.0:99=20/0");
    host_done(&h);
    policy_done(&policy);
}

/* So many services of which the first are remembered, beyond the limit those
 * that are expected. */
static void what_has_gone_is_remembered_up_to_the_limit(void **state)
{
    static const char before[] = "0.0.0.0:1#1!1 0.0.0.0:2#2!1 0.0.0.0:3#3!1 0.0.0.0:4#4!1 0.0.0.0:5#5!1 "
                                 "udp/0.0.0.0:5#6!1";
    static const char after[] = "0.0.0.0:1#11 0.0.0.0:2#12 0.0.0.0:3#13 0.0.0.0:4#14 0.0.0.0:5#15 "
                                "udp/0.0.0.0:5#16";
    struct policy policy = policy_expecting("udp/5");
    static const struct {
        size_t limit;
        const char *history;
    } cases[] = {
        {0, "tcp/0.0.0.0:1=0/0 tcp/0.0.0.0:2=0/0 tcp/0.0.0.0:3=0/0 tcp/0.0.0.0:4=0/0 tcp/0.0.0.0:5=0/0 "
            "udp/0.0.0.0:5=1/1"},
        {2, "tcp/0.0.0.0:1=1/1 tcp/0.0.0.0:2=1/1 tcp/0.0.0.0:3=0/0 tcp/0.0.0.0:4=0/0 tcp/0.0.0.0:5=0/0 "
            "udp/0.0.0.0:5=1/1"},
        {5, "tcp/0.0.0.0:1=1/1 tcp/0.0.0.0:2=1/1 tcp/0.0.0.0:3=1/1 tcp/0.0.0.0:4=1/1 tcp/0.0.0.0:5=1/1 "
            "udp/0.0.0.0:5=1/1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct host h = host_of(100, &policy);

        host_poll(&h, before);
        h.limit = cases[i].limit;
        host_poll(&h, "");
        h.limit = 100;
        host_poll(&h, after);
        assert_history(&h, cases[i].history);
        host_done(&h);
    }
    policy_done(&policy);
}

static uint64_t sum_restarts(const struct host *h)
{
    uint64_t sum = 0;
    size_t count;
    const struct listener *l = listener_table_all(h->table, &count);

    for (size_t i = 0; i < count; i++)
        sum += l[i].restarts;
    return sum;
}

/* The older ones, whose ports come first, do not hold the places. */
static void a_restart_counts_although_older_ports_have_gone_before(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:1#1 0.0.0.0:2#2");
    host_poll(&h, "0.0.0.0:3#3 0.0.0.0:4#4");
    host_poll(&h, "0.0.0.0:9000#5!1");
    host_poll(&h, "");
    host_poll(&h, "0.0.0.0:9000#6!1");
    assert_history(&h, "tcp/0.0.0.0:9000=2/1");
    host_done(&h);
}

static void what_went_first_is_forgotten_first(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    h.limit = 10;
    host_poll(&h, "0.0.0.0:1#1!1 0.0.0.0:2#2!1 0.0.0.0:3#3!1 0.0.0.0:4#4!1");
    h.limit = 2;
    host_poll(&h, "0.0.0.0:1#1!1 0.0.0.0:2#2!1 0.0.0.0:4#4!1");
    host_poll(&h, "0.0.0.0:2#2!1 0.0.0.0:4#4!1");
    host_poll(&h, "0.0.0.0:2#2!1");
    h.limit = 10;
    host_poll(&h, "0.0.0.0:1#11!1 0.0.0.0:2#2!1 0.0.0.0:3#13!1 0.0.0.0:4#14!1");
    assert_history(&h, "tcp/0.0.0.0:1=2/1 tcp/0.0.0.0:2=1/0 tcp/0.0.0.0:3=1/0 tcp/0.0.0.0:4=2/1");
    host_done(&h);
}

/* Who comes back and goes again went last. */
static void coming_back_begins_a_new_absence(void **state)
{
    struct host h = host_of(2, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:1#1!1");
    host_poll(&h, "0.0.0.0:2#2!1");
    host_poll(&h, "0.0.0.0:1#1!1");
    host_poll(&h, "0.0.0.0:3#3!1");
    host_poll(&h, "");
    h.limit = 10;
    host_poll(&h, "0.0.0.0:1#11!1 0.0.0.0:2#12!1 0.0.0.0:3#13!1");
    assert_history(&h, "tcp/0.0.0.0:1=2/1 tcp/0.0.0.0:2=1/0 tcp/0.0.0.0:3=2/1");
    host_done(&h);
}

/* Ports that come and go for ever do not pile up. */
static void what_goes_bit_by_bit_is_limited_too(void **state)
{
    struct host h = host_of(3, &no_policy);
    struct listener_row row = row_of("0.0.0.0:1");
    struct listener_builder *b;
    size_t count;

    (void)state;
    for (row.port = 1; row.port <= 50; row.port++) {
        char socket[64];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%u#%u", row.port, row.port);
        host_poll(&h, socket);
    }
    host_poll(&h, "");
    h.limit = 100;
    b = host_begin(&h);
    for (row.port = 1; row.port <= 50; row.port++) { /* all of them come back */
        row.cookie = 100u + row.port;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    host_seal(&h);
    (void)listener_table_all(h.table, &count);
    assert_int_equal(count, 50);
    assert_int_equal(sum_restarts(&h), 3);
    host_done(&h);
}

/* Services that can be told apart by the interface, each of one socket. */
static void adds_services(struct listener_builder *b, uint32_t first, uint32_t count, uint64_t first_cookie)
{
    struct listener_row row = row_of("0.0.0.0:80");

    for (uint32_t i = 0; i < count; i++) {
        row.ifindex = first + i;
        row.cookie = first_cookie + i;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

static void memory_does_not_grow_with_what_comes_and_goes(void **state)
{
    const uint32_t feeds = 100000, limit = 20;
    struct host h = host_of(limit, &no_policy);
    size_t largest = 0;

    (void)state;
    for (uint32_t feed = 1; feed <= feeds; feed++) {
        if (feed == 1000)
            largest = refuse_largest();
        if (feed == 1 || feed == 1000)
            refuse_nth(0);
        adds_services(host_begin(&h), feed, 1, feed);
        host_seal(&h);
    }
    assert_true(largest > 0);
    assert_in_range(refuse_largest(), 1, largest);
    h.limit = 1000;
    adds_services(host_begin(&h), feeds - 500, 500, feeds + 1);
    host_seal(&h);
    assert_int_equal(sum_restarts(&h), limit);
    host_done(&h);
}

/* A service of ever new sockets: only those it had last are remembered. */
static void memory_does_not_grow_with_the_sockets_of_a_service(void **state)
{
    struct host h = host_of(2, &no_policy);
    size_t largest = 0;
    size_t count;

    (void)state;
    for (uint64_t feed = 1; feed <= 1000; feed++) {
        struct listener_builder *b = host_begin(&h);

        if (feed == 10)
            largest = refuse_largest();
        if (feed == 1 || feed == 10)
            refuse_nth(0);
        for (uint64_t i = 0; i < 4; i++)
            adds_services(b, 0, 1, 4 * feed + i);
        host_seal(&h);
    }
    assert_in_range(refuse_largest(), 1, largest);
    assert_int_equal(listener_table_all(h.table, &count)->sockets, 4);
    assert_int_equal(sum_restarts(&h), 999);
    host_done(&h);
}

/* Adds the services of 0.0.0.0 with these TCP ports, each of one socket. */
static void adds_ports(struct listener_builder *b, uint16_t first, uint16_t last, uint64_t first_cookie)
{
    struct listener_row row = row_of("0.0.0.0:1");

    for (uint16_t port = first; port <= last; port++) {
        row.port = port;
        row.cookie = first_cookie + port;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* More than HISTORY_EXPECTED_MAX go in two halves: of the second all are remembered, of the
 * first the first. Others take no room of those that are expected. */
static void expected_ports_are_remembered_besides_but_not_without_end(void **state)
{
    enum { LIMIT = HISTORY_EXPECTED_MAX, HALF = LIMIT / 2 + 100 };
    const uint16_t first = 1000, last = first + 2 * HALF - 1, middle = first + HALF;
    const uint16_t remembered = first + LIMIT - HALF;
    struct policy policy = policy_expecting("tcp/1000-6000");
    struct host h = host_of(2, &policy);
    size_t count;

    (void)state;
    assert_in_range(last, middle, 6000);
    adds_ports(host_begin(&h), first, last, 0);
    add_rows(h.builder, "udp/0.0.0.0:1#1 udp/0.0.0.0:2#2", 0);
    host_seal(&h);
    adds_ports(host_begin(&h), middle, last, 0);
    host_seal(&h);
    host_poll(&h, "");
    adds_ports(host_begin(&h), first, last, 100000);
    add_rows(h.builder, "udp/0.0.0.0:1#3 udp/0.0.0.0:2#4", 0);
    host_seal(&h);
    for (uint16_t port = first; port <= last; port++)
        assert_int_equal(listener_table_port(h.table, PROTOCOL_TCP, port, &count)->restarts,
                         port < remembered || port >= middle);
    assert_int_equal(listener_table_port(h.table, PROTOCOL_UDP, 1, &count)->restarts, 1);
    assert_int_equal(listener_table_port(h.table, PROTOCOL_UDP, 2, &count)->restarts, 1);
    assert_int_equal(sum_restarts(&h), LIMIT + 2);
    assert_int_equal(history_forgotten(h.history), 2 * HALF - LIMIT);
    host_done(&h);
    policy_done(&policy);
}

/* The policy of each poll decides, also about those that went before. */
static void a_new_policy_remembers_what_it_expects(void **state)
{
    struct policy policy = policy_expecting("tcp/1");
    struct host h = host_of(1, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:1#1");
    host_poll(&h, "");
    h.policy = &policy;
    for (int i = 0; i < 10; i++) {
        host_poll(&h, "0.0.0.0:2#2");
        host_poll(&h, "");
    }
    host_poll(&h, "0.0.0.0:1#3 0.0.0.0:2#4");
    assert_history(&h, "tcp/0.0.0.0:1=0/1 tcp/0.0.0.0:2=0/1");
    host_poll(&h, "");
    h.policy = &no_policy;
    host_poll(&h, ""); /* they went together: the first has the place */
    host_poll(&h, "0.0.0.0:2#5");
    assert_history(&h, "tcp/0.0.0.0:2=0/0");
    host_poll(&h, "0.0.0.0:1#6");
    assert_history(&h, "tcp/0.0.0.0:1=0/2");
    host_done(&h);
    policy_done(&policy);
}

static void adds_an_owned_socket(struct listener_builder *b, const char *socket, struct owner_set *owners)
{
    struct listener_row row = row_of(socket);

    row.owners = owners;
    assert_int_equal(listener_builder_add(b, &row), 0);
}

static void what_has_gone_keeps_no_owners(void **state)
{
    struct owner_set *owners = owners_of("101:mysql:", "7:mariadbd:mysql:");
    struct host h = host_of(100, &no_policy);
    struct listener_builder *b = host_begin(&h);

    (void)state;
    adds_an_owned_socket(b, "0.0.0.0:80#1", owners);
    adds_an_owned_socket(b, "udp/0.0.0.0:53#2", owners);
    host_seal(&h);
    assert_int_equal(owners->ref.count, 3);
    host_poll_without(&h, PROTOCOL_UDP, ""); /* one is gone, the other cannot be seen */
    assert_int_equal(owners->ref.count, 1);
    b = host_begin(&h);
    adds_an_owned_socket(b, "0.0.0.0:80#3", owners);
    adds_an_owned_socket(b, "udp/0.0.0.0:53#2", owners);
    host_seal(&h);
    assert_history(&h, "tcp/0.0.0.0:80=0/1 udp/0.0.0.0:53=0/0");
    assert_int_equal(owners->ref.count, 3);
    host_done(&h);
    assert_int_equal(owners->ref.count, 1);
    owner_set_unref(owners);
}

static void add_lives(const struct lives *m, struct listener_builder *b, struct owner_set *owners)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct listener_row row = row_of("0.0.0.0:80");

        row.cookie = m->is[i].cookie;
        row.drops.known = true;
        row.drops.count = m->is[i].drops;
        row.owners = owners;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Other services, so many that the limit cuts some. */
static void add_noise(struct listener_builder *b, uint32_t *seed, bool with_tcp, struct owner_set *owners)
{
    for (uint32_t i = next_random(seed) % 12; i > 0; i--) {
        struct listener_row row = row_of(next_random(seed) % 2 && with_tcp ? "0.0.0.0:1" : "udp/0.0.0.0:1");

        row.port = (uint16_t)(70 + next_random(seed) % 20);
        if (row.port == 80 && row.protocol == PROTOCOL_TCP)
            row.port = 81;
        row.cookie = 1 + next_random(seed) % 50;
        row.auto_port = next_random(seed) % 4 == 0;
        row.owners = owners;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Whatever happens around it, and however often it cannot be seen, an expected
 * service is followed exactly. */
static void an_expected_service_is_followed_for_ever(void **state)
{
    struct policy policy = policy_expecting("tcp/80");

    (void)state;
    for (uint32_t run = 1; run <= 100; run++) {
        uint32_t seed = run * 2654435761u;
        struct owner_set *owners = owners_of("101:mysql:", "7:mariadbd:mysql:");
        struct host h = host_of(next_random(&seed) % 5, &policy);
        struct lives m = {.next_cookie = 1000};

        for (int step = 0; step < 100; step++) {
            bool is_seen = next_random(&seed) % 4 > 0;
            struct listener_builder *b;
            const struct listener *l;
            size_t count;

            lives_go_on(&m, &seed);
            h.visibilities[PROTOCOL_TCP] = is_seen ? VISIBILITY_OK : VISIBILITY_FAILED;
            b = host_begin(&h);
            add_noise(b, &seed, is_seen, owners);
            if (is_seen && m.count > 0) {
                add_lives(&m, b, owners);
                lives_see(&m);
            }
            host_seal(&h);
            l = listener_table_port(h.table, PROTOCOL_TCP, 80, &count);
            if (!is_seen || m.count == 0) {
                assert_null(l);
                continue;
            }
            assert_non_null(l);
            assert_false(l->auto_port);
            assert_int_equal(l->sockets, m.count);
            assert_int_equal(l->drops.count, m.drops);
            assert_int_equal(l->restarts, m.restarts);
        }
        assert_true(m.restarts > 10);
        host_done(&h);
        assert_int_equal(owners->ref.count, 1);
        owner_set_unref(owners);
    }
    policy_done(&policy);
}

enum { SERVICES = 24 };

/* What of a service must be remembered: it has one socket, if any. */
struct memory {
    bool is_known;
    uint32_t seen; /* number of the last poll that had it */
    uint64_t cookie, restarts, drops;
    uint32_t counted; /* of the drops, when it was last seen */
};

/* Services of the TCP ports from 1 on, some of which are there. */
struct town {
    struct memory memories[SERVICES];
    uint32_t polls;
    uint64_t next_cookie;
    size_t forgotten; /* so far */
    struct listener listeners[SERVICES];
    struct member members[SERVICES];
    size_t count;
};

/* Lets a service be there, with the socket it had or with another one. */
static void appear(struct town *t, size_t which, uint32_t *seed)
{
    struct memory *m = &t->memories[which];
    bool is_same = m->is_known && next_random(seed) % 2 > 0;
    uint32_t dropped = next_random(seed) % 10;
    struct member *member = &t->members[t->count];

    *member = (struct member){.cookie = is_same ? m->cookie : t->next_cookie++, .drops.known = true};
    member->drops.count = (is_same ? m->counted : 0) + dropped;
    t->listeners[t->count++] = (struct listener){.port = (uint16_t)(which + 1),
                                                 .address.version = 4,
                                                 .sockets = 1,
                                                 .followed = 1,
                                                 .members = member,
                                                 .chosen = true};
    m->restarts += m->is_known && !is_same;
    m->drops += dropped;
    m->counted = member->drops.count;
    m->cookie = member->cookie;
    m->seen = t->polls;
    m->is_known = true;
}

static void appear_all(struct town *t, uint32_t percent, uint32_t *seed)
{
    t->polls++;
    t->count = 0;
    for (size_t i = 0; i < SERVICES; i++)
        if (next_random(seed) % 100 < percent)
            appear(t, i, seed);
}

/* All that is there is looked at. */
static int follow_seen(struct history *h, struct town *t, enum visibility visibility,
                       const struct history_rules *rules)
{
    const struct inventory inv = {.parts[PROTOCOL_TCP][1] = {.listeners = t->listeners, .count = t->count},
                                  .classes[PROTOCOL_TCP] = {.visibility = visibility, .others = visibility}};

    return history_follow(h, &inv, rules);
}

static int follow_town(struct history *h, struct town *t, const struct history_rules *rules)
{
    return follow_seen(h, t, VISIBILITY_OK, rules);
}

static bool is_away(const struct town *t, size_t which)
{
    return t->memories[which].is_known && t->memories[which].seen != t->polls;
}

static bool is_expected(const struct policy *policy, size_t which)
{
    return policy_expects_port(policy, PROTOCOL_TCP, (uint16_t)(which + 1));
}

/* Whether the places of those that are not expected are taken by others, which
 * went later, or together with this one but stand before it. */
static bool has_no_place(const struct town *t, size_t which, size_t limit, const struct policy *policy)
{
    size_t before = 0;

    if (!is_away(t, which) || is_expected(policy, which))
        return false;
    for (size_t i = 0; i < SERVICES; i++)
        if (is_away(t, i) && !is_expected(policy, i))
            before += t->memories[i].seen > t->memories[which].seen ||
                      (t->memories[i].seen == t->memories[which].seen && i < which);
    return before >= limit;
}

static void forget(struct town *t, size_t limit, const struct policy *policy)
{
    bool forgotten[SERVICES];

    for (size_t i = 0; i < SERVICES; i++)
        forgotten[i] = has_no_place(t, i, limit, policy);
    for (size_t i = 0; i < SERVICES; i++)
        if (forgotten[i]) {
            t->memories[i] = (struct memory){.is_known = false};
            t->forgotten++;
        }
}

static void assert_remembered(const struct town *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct memory *m = &t->memories[t->listeners[i].port - 1];

        assert_int_equal(t->listeners[i].restarts, m->restarts);
        assert_int_equal(t->listeners[i].drops.count, m->drops);
    }
}

/* Beside a model: services come and go, while the limit and the policy change. */
static void what_is_remembered_and_what_is_forgotten_is_exact(void **state)
{
    struct policy policies[] = {policy_expecting("udp/1-24"), policy_expecting("tcp/2,5,20"),
                                policy_expecting("tcp/1-8")};

    (void)state;
    for (uint32_t run = 1; run <= 100; run++) {
        uint32_t seed = run * 2654435761u;
        struct town t = {.next_cookie = 1};
        struct history *h = history_new();
        uint64_t restarts = 0;

        assert_non_null(h);
        for (int poll = 0; poll < 100; poll++) {
            const struct policy *policy = &policies[next_random(&seed) % ARRAY_LENGTH(policies)];
            size_t limit = next_random(&seed) % 12;
            const struct history_rules rules = {limit, 1, policy};

            appear_all(&t, next_random(&seed) % 5 * 25, &seed);
            assert_int_equal(follow_town(h, &t, &rules), 0);
            assert_remembered(&t);
            for (size_t i = 0; i < t.count; i++)
                restarts += t.listeners[i].restarts;
            forget(&t, limit, policy);
        }
        assert_true(restarts > 100);
        assert_true(t.forgotten > 100);
        history_free(h);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++)
        policy_done(&policies[i]);
}

/* Whatever is refused, neither the history nor the listeners change, and the
 * next attempt tells what would have been told at once. */
static void refused_memory_changes_nothing(void **state)
{
    struct policy policy = policy_expecting("tcp/2,5,20");
    const struct history_rules rules = {3, 1, &policy};
    size_t refused = 0;

    (void)state;
    for (uint32_t run = 1; run <= 20; run++) {
        uint32_t seed = run * 2654435761u;
        struct town t = {.next_cookie = 1};
        struct history *h = history_new();

        assert_non_null(h);
        for (int poll = 0; poll < 50; poll++) {
            struct listener before[SERVICES];
            int r = -ENOMEM;

            appear_all(&t, next_random(&seed) % 5 * 25, &seed);
            memcpy(before, t.listeners, sizeof before);
            for (size_t n = 1; r < 0; n++) {
                refuse_nth(n);
                r = follow_town(h, &t, &rules);
                assert_int_equal(r, refuse_stop() ? -ENOMEM : 0);
                if (r < 0)
                    assert_memory_equal(before, t.listeners, sizeof before);
                refused += r < 0;
            }
            assert_remembered(&t);
            forget(&t, 3, &policy);
        }
        assert_true(t.forgotten > 10);
        history_free(h);
    }
    assert_true(refused > 2000); /* at least twice a poll */
    policy_done(&policy);
}

static void assert_turnover(const struct host *h, enum protocol protocol, uint64_t appeared,
                            uint64_t disappeared)
{
    const struct turnover *t = history_turnover(h->history, protocol);

    assert_int_equal(t->appeared, appeared);
    assert_int_equal(t->disappeared, disappeared);
}

static void services_are_counted_as_they_come_and_go(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:22#1 udp/0.0.0.0:53#2");
    assert_turnover(&h, PROTOCOL_TCP, 0, 0); /* who knows since when they are there */
    host_poll(&h, "0.0.0.0:22#1 0.0.0.0:80#3 0.0.0.0:81#4 udp/0.0.0.0:53#2");
    assert_turnover(&h, PROTOCOL_TCP, 2, 0);
    host_poll(&h,
              "0.0.0.0:22#1 127.0.0.1:80#5 0.0.0.0:81#6 udp/0.0.0.0:53#2"); /* bound elsewhere; replaced */
    assert_turnover(&h, PROTOCOL_TCP, 3, 1);
    host_poll(&h, "");
    assert_turnover(&h, PROTOCOL_TCP, 3, 4);
    assert_turnover(&h, PROTOCOL_UDP, 0, 1);
    host_poll(&h, "0.0.0.0:81#6 udp/0.0.0.0:53#2");
    assert_turnover(&h, PROTOCOL_TCP, 4, 4);
    assert_turnover(&h, PROTOCOL_UDP, 1, 1);
    assert_turnover(&h, PROTOCOL_RAW, 0, 0);
    host_done(&h);
}

static void what_is_not_seen_neither_comes_nor_goes(void **state)
{
    struct host h = host_of(0, &no_policy); /* which remembers nothing that has gone */

    (void)state;
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:22#1 0.0.0.0:80#2");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:22#1 0.0.0.0:80#2");
    assert_turnover(&h, PROTOCOL_TCP, 0, 0);
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_poll(&h, "0.0.0.0:22#1");
    assert_turnover(&h, PROTOCOL_TCP, 0, 1);
    host_done(&h);
}

/* A kernel that does not have a protocol has no socket of it, which is known. */
static void the_first_of_an_absent_class_has_come(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_ABSENT;
    host_poll(&h, "");
    h.visibilities[PROTOCOL_SCTP] = VISIBILITY_OK;
    host_poll(&h, "sctp/0.0.0.0:80#1");
    assert_turnover(&h, PROTOCOL_SCTP, 1, 0);
    host_done(&h);
}

static void limits_let_nothing_come_or_go(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll(&h, "0.0.0.0:1#1 0.0.0.0:2#2 0.0.0.0:3#3 0.0.0.0:4#4");
    h.shown = 2;
    host_poll(&h, "0.0.0.0:1#1 0.0.0.0:2#2 0.0.0.0:3#3 0.0.0.0:4#4");
    assert_turnover(&h, PROTOCOL_TCP, 0, 0);
    host_poll(&h, "0.0.0.0:3#3 0.0.0.0:4#4 0.0.0.0:5#5");
    assert_turnover(&h, PROTOCOL_TCP, 0, 1);
    h.shown = 100;
    host_poll(&h, "0.0.0.0:3#3 0.0.0.0:4#4 0.0.0.0:5#5");
    assert_turnover(&h, PROTOCOL_TCP, 0, 1);
    host_poll(&h, "0.0.0.0:3#3 0.0.0.0:6#6 0.0.0.0:5#5");
    assert_turnover(&h, PROTOCOL_TCP, 1, 2);
    host_done(&h);
}

/* Beside the truth: whatever is seen of it, and whatever limits cut, no more is
 * counted than happened, and all of it where all is seen. */
static void no_more_come_or_go_than_do(void **state)
{
    (void)state;
    for (uint32_t run = 0; run < 200; run++) {
        uint32_t seed = (run + 1) * 2654435761u, blind = run % 4 * 20, cut = run / 4 % 4 * 20;
        struct history *h = history_new();
        const struct turnover *counted = history_turnover(h, PROTOCOL_TCP);
        uint64_t came = 0, went = 0;
        bool was[SERVICES] = {false};

        for (int poll = 0; poll < 100; poll++) {
            const struct history_rules rules = {next_random(&seed) % 12, 1, &no_policy};
            bool seen = next_random(&seed) % 100 >= blind;
            struct town t = {.next_cookie = 1 + (uint64_t)poll * SERVICES};
            uint32_t percent = next_random(&seed) % 5 * 25;

            for (size_t i = 0; i < SERVICES; i++) {
                bool is = next_random(&seed) % 100 < percent;

                came += poll > 0 && is && !was[i];
                went += poll > 0 && !is && was[i];
                was[i] = is;
                if (is && seen)
                    appear(&t, i, &seed);
            }
            for (size_t i = 0; i < t.count; i++)
                t.listeners[i].chosen = next_random(&seed) % 100 >= cut;
            assert_int_equal(follow_seen(h, &t, seen ? VISIBILITY_OK : VISIBILITY_FAILED, &rules), 0);
        }
        assert_in_range(counted->appeared, blind + cut > 0 ? 0 : came, came);
        assert_in_range(counted->disappeared, blind + cut > 0 ? 0 : went, went);
        assert_true(counted->appeared > 50 && counted->disappeared > 50);
        history_free(h);
    }
}

/* One socket with an accept queue, so long after the poll before. */
static void host_poll_queue(struct host *h, uint64_t ms, const char *socket, uint32_t length, uint32_t limit)
{
    bool seen[PROTOCOL_COUNT];

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        seen[i] = h->visibilities[i] == VISIBILITY_OK;
    history_pass(h->history, seen, ms);
    (void)host_begin(h);
    if (seen[PROTOCOL_TCP] && *socket) {
        struct listener_row row = row_of(socket);

        row.queue.known = true;
        row.queue.length = length;
        row.queue.limit = limit;
        assert_int_equal(listener_builder_add(h->builder, &row), 0);
    }
    host_seal(h);
}

static void assert_full(const struct host *h, uint64_t full_ms)
{
    size_t count;
    const struct listener *l = listener_table_all(h->table, &count);

    assert_int_equal(count, 1);
    assert_int_equal(l->queue.full_ms, full_ms);
    assert_int_equal(l->queue.full_from_ms, history_watched_ms(h->history, PROTOCOL_TCP));
}

static void a_queue_was_full_from_a_poll_that_saw_it_to_the_next(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll_queue(&h, 0, "0.0.0.0:80#1", 6, 5);
    assert_full(&h, 0);
    host_poll_queue(&h, 1000, "0.0.0.0:80#1", 7, 5);
    assert_full(&h, 1000);
    host_poll_queue(&h, 500, "0.0.0.0:80#1", 5, 5); /* room for one more */
    assert_full(&h, 1500);
    host_poll_queue(&h, 1000, "0.0.0.0:80#2", 1, 0);
    assert_full(&h, 1500);
    host_poll_queue(&h, 10, "", 0, 0);
    host_poll_queue(&h, 10000, "", 0, 0);
    host_poll_queue(&h, 10000, "0.0.0.0:80#3", 1, 1);
    assert_full(&h, 1510);
    host_done(&h);
}

static void time_in_which_a_class_was_not_seen_does_not_count(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_poll_queue(&h, 0, "0.0.0.0:80#1", 6, 5);
    host_poll_queue(&h, 1000, "0.0.0.0:80#1", 6, 5);
    h.visibilities[PROTOCOL_TCP] = VISIBILITY_FAILED;
    host_poll_queue(&h, 1000, "", 0, 0);
    host_poll_queue(&h, 1000, "", 0, 0);
    h.visibilities[PROTOCOL_TCP] = VISIBILITY_OK;
    host_poll_queue(&h, 1000, "0.0.0.0:80#1", 6, 5);
    assert_full(&h, 1000);
    host_poll_queue(&h, 1000, "0.0.0.0:80#1", 6, 5);
    assert_full(&h, 2000);
    host_done(&h);
}

/* Each listener as "." for one that goes on, or "+", and what it dropped: "+3". */
static void assert_changes(const struct host *h, const char *wanted)
{
    size_t count, length = 0;
    const struct listener *l = listener_table_all(h->table, &count);
    char have[100] = "";

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(have + length, sizeof have - length, "%s%c%u", i > 0 ? " " : "",
                                   l[i].renewed ? '+' : '.', l[i].drops.fresh);
    assert_string_equal(have, wanted);
}

/* Judged as soon as it was seen. */
static void host_judge(struct host *h, const char *sockets, const char *changes)
{
    host_poll(h, sockets);
    assert_changes(h, changes);
    history_settle(h->history);
}

static void what_has_changed_since_the_poll_before_is_told(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_judge(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!9", ".0 .0"); /* there for who knows how long */
    host_judge(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!12", ".0 .3");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!12 0.0.0.0:82#4!7", "+2 .0 +0");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!12", ".0 .0");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!12 0.0.0.0:82#4!8", ".0 .0 +1"); /* the same socket */
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!12", ".0 .0");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!12 0.0.0.0:82#5!8", ".0 .0 +8");
    host_done(&h);
}

static void what_was_not_judged_is_told_again(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_judge(&h, "0.0.0.0:80#1!5 0.0.0.0:81#2!9", ".0 .0");
    host_poll(&h, "0.0.0.0:80#3!1 0.0.0.0:81#2!10 0.0.0.0:82#4!0");
    assert_changes(&h, "+1 .1 +0");
    host_poll(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!10 0.0.0.0:82#4!0");
    assert_changes(&h, "+2 .1 +0");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!4294967290 0.0.0.0:82#4!0", "+2 .4294967281 +0");
    host_judge(&h, "0.0.0.0:80#3!2 0.0.0.0:81#2!4294967290 0.0.0.0:82#4!0", ".0 .0 .0");
    host_judge(&h, "0.0.0.0:80#5!4 0.0.0.0:81#2!4294967290 0.0.0.0:82#4!0", "+4 .0 .0");
    host_poll(&h, "0.0.0.0:81#2!4294967290 0.0.0.0:82#4!0");
    host_judge(&h, "0.0.0.0:80#5!4 0.0.0.0:81#2!4294967290 0.0.0.0:82#4!0", "+0 .0 .0"); /* that was judged */
    host_done(&h);
}

/* Nor is anything new because it can be seen, or is followed, again. */
static void what_cannot_be_told_has_not_changed(void **state)
{
    struct host h = host_of(100, &no_policy);

    (void)state;
    host_judge(&h, "0.0.0.0:80#1 0.0.0.0:81#2", ".0 .0");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_judge(&h, "0.0.0.0:80#1 0.0.0.0:81#2", ".0 .0");
    host_poll_without(&h, PROTOCOL_TCP, "");
    host_judge(&h, "0.0.0.0:80#1 0.0.0.0:81#3", ".0 +0"); /* this is not the same any more */
    h.shown = 1;
    host_judge(&h, "0.0.0.0:80#1 0.0.0.0:81#3", ".0");
    h.shown = 100;
    host_judge(&h, "0.0.0.0:80#1 0.0.0.0:81#3", ".0 .0");
    host_done(&h);
}

static void without_memory_there_is_no_history(void **state)
{
    (void)state;
    refuse_nth(1);
    assert_null(history_new());
    assert_true(refuse_stop());
    history_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_and_restarts_go_on_from_poll_to_poll),
        cmocka_unit_test(a_group_is_followed_as_one_service),
        cmocka_unit_test(every_bind_has_a_history_of_its_own),
        cmocka_unit_test(a_service_that_moves_is_another_one),
        cmocka_unit_test(a_service_that_comes_back_keeps_its_history),
        cmocka_unit_test(what_has_gone_is_not_listed),
        cmocka_unit_test(a_class_that_failed_in_between_is_no_restart),
        cmocka_unit_test(what_changed_while_a_class_failed_is_noticed),
        cmocka_unit_test(a_service_that_was_gone_before_its_class_failed_stays_gone),
        cmocka_unit_test(an_absent_class_loses_no_history),
        cmocka_unit_test(a_service_that_the_limit_cut_is_no_restart),
        cmocka_unit_test(a_group_that_is_followed_in_part_counts_no_restarts),
        cmocka_unit_test(a_socket_that_comes_back_was_never_replaced),
        cmocka_unit_test(of_a_service_as_many_are_remembered_as_it_has_sockets),
        cmocka_unit_test(nobody_pushes_out_the_sockets_of_others),
        cmocka_unit_test(what_has_gone_is_remembered_up_to_the_limit),
        cmocka_unit_test(a_restart_counts_although_older_ports_have_gone_before),
        cmocka_unit_test(what_went_first_is_forgotten_first),
        cmocka_unit_test(coming_back_begins_a_new_absence),
        cmocka_unit_test(what_goes_bit_by_bit_is_limited_too),
        cmocka_unit_test(memory_does_not_grow_with_what_comes_and_goes),
        cmocka_unit_test(memory_does_not_grow_with_the_sockets_of_a_service),
        cmocka_unit_test(expected_ports_are_remembered_besides_but_not_without_end),
        cmocka_unit_test(a_new_policy_remembers_what_it_expects),
        cmocka_unit_test(what_has_gone_keeps_no_owners),
        cmocka_unit_test(an_expected_service_is_followed_for_ever),
        cmocka_unit_test(what_is_remembered_and_what_is_forgotten_is_exact),
        cmocka_unit_test(refused_memory_changes_nothing),
        cmocka_unit_test(services_are_counted_as_they_come_and_go),
        cmocka_unit_test(what_is_not_seen_neither_comes_nor_goes),
        cmocka_unit_test(the_first_of_an_absent_class_has_come),
        cmocka_unit_test(limits_let_nothing_come_or_go),
        cmocka_unit_test(no_more_come_or_go_than_do),
        cmocka_unit_test(a_queue_was_full_from_a_poll_that_saw_it_to_the_next),
        cmocka_unit_test(time_in_which_a_class_was_not_seen_does_not_count),
        cmocka_unit_test(what_has_changed_since_the_poll_before_is_told),
        cmocka_unit_test(what_was_not_judged_is_told_again),
        cmocka_unit_test(what_cannot_be_told_has_not_changed),
        cmocka_unit_test(without_memory_there_is_no_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
