#include "collectors/collectors.h"
#include "collectors/local_address.h"
#include "collectors/proc_net.h"
#include "collectors/sock_diag.h"
#include "core/err.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

#define MASK(state) (1u << (state))

/* The kernel of these tests. A script says what each dump of a family and
 * protocol answers, call by call; the last answer is repeated, and without a
 * script there are no sockets. */
enum { SPANS_MAX = 6, ANSWERS_MAX = 6, SCRIPTS_MAX = 8, CALLS_MAX = 64, RAW_MAX = 4, PROC_MAX = 8 };

/* So many sockets alike, but for their cookies. */
struct span {
    struct listener_row row; /* its cookie is the first one's */
    size_t count;
    uint8_t state;
    uint8_t broken_family; /* not 0: what the messages say instead of their family */
    bool too_short;        /* messages shorter than their header */
};

struct answer {
    struct span spans[SPANS_MAX];
    size_t span_count;
    int result; /* when all of it was handed over */
};

struct script {
    uint8_t family, protocol;
    struct answer answers[ANSWERS_MAX];
    size_t answer_count, asked;
};

struct proc_name {
    const char *name;
    int result;
};

static struct kernel {
    struct script scripts[SCRIPTS_MAX];
    size_t script_count;
    struct inet_diag_query calls[CALLS_MAX];
    size_t call_count;
    bool no_ipv6;
    struct proc_name proc[PROC_MAX]; /* what is not named there, the kernel has */
    size_t proc_count;
    struct proc_raw_row raw[RAW_MAX];
    size_t raw_count, raw_asked;
    int raw_result;
    int open_result;
    bool no_local;
    size_t open_sockets, open_tables, refreshed, looked;
} kernel;

struct sock_diag {
    int unused;
};

struct local_addresses {
    int unused;
};

static struct sock_diag the_socket;
static struct local_addresses the_addresses;

int sock_diag_open(struct sock_diag **ret)
{
    if (kernel.open_result < 0)
        return kernel.open_result;
    kernel.open_sockets++;
    *ret = &the_socket;
    return 0;
}

void sock_diag_close(struct sock_diag *d)
{
    kernel.open_sockets -= d != NULL;
}

/* One reply, as the kernel writes it. */
struct message {
    struct nlmsghdr header;
    struct inet_diag_msg body;
    struct nlattr attribute;
    uint8_t v6only, padding[3];
};

static struct message message_of(const struct span *span, uint64_t cookie)
{
    bool is_ipv6 = span->row.address.version == 6;
    struct message m = {
        .header.nlmsg_type = SOCK_DIAG_BY_FAMILY,
        .body.idiag_family = is_ipv6 ? AF_INET6 : AF_INET,
        .body.idiag_state = span->state,
        .body.id.idiag_sport = htons(span->row.port),
        .body.id.idiag_if = span->row.ifindex,
        .body.id.idiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)},
        .body.idiag_rqueue = span->row.queue_length,
        .body.idiag_wqueue = span->row.queue_limit,
        .body.idiag_uid = span->row.uid,
        .attribute = {.nla_len = sizeof(struct nlattr) + 1, .nla_type = INET_DIAG_SKV6ONLY},
        .v6only = span->row.v6only,
    };

    _Static_assert(offsetof(struct message, attribute) == NLMSG_HDRLEN + sizeof m.body, "no holes");
    memcpy(m.body.id.idiag_src, span->row.address.bytes, is_ipv6 ? 16 : 4);
    if (span->broken_family != 0)
        m.body.idiag_family = span->broken_family;
    m.header.nlmsg_len = is_ipv6 ? sizeof m : offsetof(struct message, attribute);
    if (span->too_short)
        m.header.nlmsg_len = NLMSG_HDRLEN + sizeof m.body - 1;
    return m;
}

static struct script *script_of(uint8_t family, uint8_t protocol)
{
    for (size_t i = 0; i < kernel.script_count; i++)
        if (kernel.scripts[i].family == family && kernel.scripts[i].protocol == protocol)
            return &kernel.scripts[i];
    return NULL;
}

int sock_diag_dump(struct sock_diag *d, const struct inet_diag_query *query, inet_diag_message_fn *on_message,
                   void *arg, uint64_t *ret_malformed)
{
    struct script *script = script_of(query->family, query->protocol);
    const struct answer *answer;

    assert_ptr_equal(d, &the_socket);
    assert_in_range(kernel.call_count, 0, CALLS_MAX - 1);
    kernel.calls[kernel.call_count++] = *query;
    if (kernel.no_ipv6 && query->family == AF_INET6)
        return ERR_UNSUPPORTED;
    if (!script)
        return 0;
    answer = &script->answers[script->asked];
    if (script->asked + 1 < script->answer_count)
        script->asked++;
    for (size_t i = 0; i < answer->span_count; i++) {
        for (uint64_t k = 0; k < answer->spans[i].count; k++) {
            struct message m = message_of(&answer->spans[i], answer->spans[i].row.cookie + k);
            int r = inet_diag_walk(&m, NLMSG_ALIGN(m.header.nlmsg_len), 0, 0, on_message, arg, ret_malformed);

            if (r < 0)
                return r;
        }
    }
    return answer->result;
}

int proc_raw_read(proc_raw_row_fn *on_row, void *arg, uint64_t *ret_malformed)
{
    kernel.raw_asked++;
    for (size_t i = 0; i < kernel.raw_count; i++) {
        int r = on_row(arg, &kernel.raw[i]);

        if (r == -EBADMSG)
            ++*ret_malformed;
        else if (r < 0)
            return r;
    }
    return kernel.raw_result;
}

int proc_has_protocol(const char *name)
{
    for (size_t i = 0; i < kernel.proc_count; i++)
        if (strcmp(kernel.proc[i].name, name) == 0)
            return kernel.proc[i].result;
    return 1;
}

void proc_interface_name(uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX])
{
    (void)snprintf(ret_name, INTERFACE_NAME_MAX, "eth%u", ifindex);
}

struct local_addresses *local_addresses_new(void)
{
    if (kernel.no_local)
        return NULL;
    kernel.open_tables++;
    return &the_addresses;
}

void local_addresses_free(struct local_addresses *a)
{
    kernel.open_tables -= a != NULL;
}

void local_addresses_refresh(struct local_addresses *a)
{
    assert_ptr_equal(a, &the_addresses);
    kernel.refreshed++;
}

/* Has only addresses that end in 1. */
enum presence local_addresses_look(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex)
{
    assert_ptr_equal(a, &the_addresses);
    kernel.looked++;
    if (ifindex != 0)
        return PRESENCE_UNKNOWN;
    return address->bytes[address->version == 4 ? 3 : 15] == 1 ? PRESENCE_PRESENT : PRESENCE_ABSENT;
}

/* Writing the script. */

static void forget_script(void)
{
    memset(kernel.scripts, 0, sizeof kernel.scripts);
    kernel.script_count = kernel.call_count = 0;
}

static struct answer *answers(uint8_t family, uint8_t protocol, int result)
{
    struct script *script = script_of(family, protocol);

    if (!script) {
        assert_in_range(kernel.script_count, 0, SCRIPTS_MAX - 1);
        script = &kernel.scripts[kernel.script_count++];
        script->family = family;
        script->protocol = protocol;
    }
    assert_in_range(script->answer_count, 0, ANSWERS_MAX - 1);
    script->answers[script->answer_count].result = result;
    return &script->answers[script->answer_count++];
}

/* Adds sockets written as row_of() reads them, with cookies from one on. */
static struct span *with(struct answer *answer, const char *socket, uint64_t cookie, size_t count)
{
    struct span *span = &answer->spans[answer->span_count++];

    assert_in_range(answer->span_count, 1, SPANS_MAX);
    *span = (struct span){.row = row_of(socket), .count = count, .state = STATE_LISTEN};
    span->row.cookie = cookie;
    return span;
}

static struct span *with_state(struct answer *answer, const char *socket, enum sock_state state, size_t count)
{
    struct span *span = with(answer, socket, 1, count);

    span->state = (uint8_t)state;
    return span;
}

static void proc_says(const char *name, int result)
{
    assert_in_range(kernel.proc_count, 0, PROC_MAX - 1);
    kernel.proc[kernel.proc_count++] = (struct proc_name){name, result};
}

static void proc_raw_has(const char *address, uint16_t protocol, enum sock_state state, uint64_t inode)
{
    assert_in_range(kernel.raw_count, 0, RAW_MAX - 1);
    kernel.raw[kernel.raw_count++] = (struct proc_raw_row){.address = address_of(address),
                                                           .protocol = protocol,
                                                           .state = (uint8_t)state,
                                                           .uid = 7,
                                                           .inode = inode};
}

/* Polling, and what came of it. */

static const struct policy no_policy;

static struct listener_table *poll_again(struct collectors *c, size_t limit, struct listener_table *previous)
{
    struct listener_table *table = NULL;

    assert_int_equal(collectors_poll_listeners(c, limit, &no_policy, previous, NULL, &table), 0);
    assert_non_null(table);
    listener_table_unref(previous);
    return table;
}

static struct listener_table *poll_first(struct collectors *c)
{
    return poll_again(c, 100, NULL);
}

static struct conn_table *poll_connections(struct collectors *c)
{
    struct conn_table *table = NULL;

    assert_int_equal(collectors_poll_connections(c, &table), 0);
    assert_non_null(table);
    return table;
}

/* "tcp/0.0.0.0:80x3": each listener with the number of its sockets. */
static void assert_listeners(const struct listener_table *t, const char *wanted)
{
    char have[1024];

    describe_listeners(t, true, have, sizeof have);
    assert_string_equal(have, wanted);
}

static void assert_class(const struct listener_table *t, enum protocol protocol, enum visibility visibility,
                         int error)
{
    assert_int_equal(listener_table_class(t, protocol)->visibility, visibility);
    assert_int_equal(listener_table_class(t, protocol)->error, error);
}

/* All classes but one were read. */
static void assert_others_are_fine(const struct listener_table *t, enum protocol but)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != (int)but)
            assert_class(t, (enum protocol)i, VISIBILITY_OK, 0);
}

static size_t count_calls(uint8_t family, uint8_t protocol)
{
    size_t count = 0;

    for (size_t i = 0; i < kernel.call_count; i++)
        count += kernel.calls[i].family == family && kernel.calls[i].protocol == protocol;
    return count;
}

static size_t run_index(const struct collectors *c, const char *name)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    size_t count = collectors_runs(c, runs);

    for (size_t i = 0; i < count; i++)
        if (strcmp(runs[i].name, name) == 0)
            return i;
    fail_msg("no collector: %s", name);
    return 0;
}

static void assert_run(const struct collectors *c, const char *name, bool ran, bool up, int error)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX], *run = &runs[run_index(c, name)];

    (void)collectors_runs(c, runs); /* their number is known */
    assert_int_equal(run->ran, ran);
    assert_int_equal(run->up, up);
    assert_int_equal(run->error, error);
    assert_true(run->duration_seconds >= 0);
}

static int set_up(void **state)
{
    struct collectors *c;

    memset(&kernel, 0, sizeof kernel);
    if (collectors_open(&c) < 0)
        return -1;
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    collectors_close(*state);
    return kernel.open_sockets == 0 && kernel.open_tables == 0 ? 0 : -1;
}

/* Looking twice */

/* The kernel resumes a dump by position: 30 sockets closed in between made 30
 * live ones be passed over. */
static void a_listener_that_one_dump_passed_over_stays(void **state)
{
    struct listener_table *t;
    struct answer *gap;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 200);
    t = poll_first(*state);
    assert_listeners(t, "tcp/0.0.0.0:80x200");

    forget_script();
    gap = answers(AF_INET, IPPROTO_TCP, 0);
    with(gap, "0.0.0.0:80", 31, 70);  /* 1 to 30 were closed, */
    with(gap, "0.0.0.0:80", 131, 70); /* so that 101 to 130 slipped through */
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 31, 170);
    t = poll_again(*state, 100, t);
    assert_listeners(t, "tcp/0.0.0.0:80x170");
    assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 2);
    assert_int_equal(count_calls(AF_INET6, IPPROTO_TCP), 2);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 1); /* nothing was missing there */
    listener_table_unref(t);
}

static void a_service_that_one_dump_passed_over_stays(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:80", 2, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    t = poll_again(*state, 100, poll_first(*state));
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_int_equal(kernel.scripts[0].asked, 3);
    listener_table_unref(t);
}

static void a_listener_missing_in_both_dumps_is_gone(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:80", 2, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    t = poll_first(*state);
    kernel.call_count = 0;
    t = poll_again(*state, 100, t);
    assert_listeners(t, "tcp/0.0.0.0:22x1");
    assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 2);

    kernel.call_count = 0; /* it is not looked for forever */
    t = poll_again(*state, 100, t);
    assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 1);
    listener_table_unref(t);
}

static void the_first_poll_always_looks_twice(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_RAW};
    struct listener_table *t;

    with(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:53", 1, 1);
    with(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:67", 2, 1);
    t = poll_first(*state);
    assert_listeners(t, "udp/[::]:53x1 udp/[::]:67x1");
    assert_others_are_fine(t, PROTOCOL_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        assert_int_equal(count_calls(AF_INET, protocols[i]), 2);
        assert_int_equal(count_calls(AF_INET6, protocols[i]), 2);
    }
    listener_table_unref(t);
}

static void nothing_missing_is_one_dump_per_family(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_RAW};
    struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 3);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 4, 1);
    t = poll_first(*state);
    with(&kernel.scripts[0].answers[0], "0.0.0.0:80", 5, 1); /* a new one is no reason either */
    kernel.call_count = 0;
    t = poll_again(*state, 100, t);
    assert_listeners(t, "tcp/0.0.0.0:22x3 tcp/0.0.0.0:80x1 udp/0.0.0.0:53x1");
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        assert_int_equal(count_calls(AF_INET, protocols[i]), 1);
        assert_int_equal(count_calls(AF_INET6, protocols[i]), 1);
    }
    assert_int_equal(kernel.call_count, 2 * ARRAY_LENGTH(protocols));
    listener_table_unref(t);
}

/* What a failed poll says nothing about cannot be compared with. */
static void after_a_failed_poll_it_looks_twice(void **state)
{
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 2, 1);
    t = poll_first(*state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_FAILED, -EIO);
    kernel.call_count = 0;
    t = poll_again(*state, 100, t);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 2);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 1);
    listener_table_unref(t);
}

static void a_socket_counts_once_however_often_it_is_dumped(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;

    with(a, "0.0.0.0:80", 1, 3);
    with(a, "0.0.0.0:80", 2, 1); /* again in one dump */
    a = answers(AF_INET, IPPROTO_TCP, 0);
    with(a, "0.0.0.0:80", 3, 2); /* once more in the second look, beside a new one */
    with(a, "0.0.0.0:80", 4, 1);
    t = poll_first(*state);
    assert_listeners(t, "tcp/0.0.0.0:80x4");
    listener_table_unref(t);
}

/* limits.listeners is about services, not about their sockets, nor about how
 * often a look repeats them. */
static void one_service_of_many_sockets_is_never_cut(void **state)
{
    static const struct {
        size_t sockets, limit;
    } cases[] = {{100, 10}, {4100, 1}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_table *t;
        struct answer *a;
        char wanted[64];

        forget_script();
        a = answers(AF_INET, IPPROTO_TCP, 0);
        with(a, "0.0.0.0:80", UINT64_C(1) << 32, cases[i].sockets);
        with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 1, 1);
        t = poll_again(*state, cases[i].limit, NULL);
        (void)snprintf(wanted, sizeof wanted, "tcp/0.0.0.0:80x%zu", cases[i].sockets);
        assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
        assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 2);

        with(a, "127.0.0.1:80", 7, 1); /* comes last, when a flood would have used up the room */
        a->spans[0].row.cookie++;      /* one is gone: the second look repeats all others */
        a->spans[0].count--;
        t = poll_again(*state, 10, t);
        assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->cut, 0);
        assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 4);
        (void)snprintf(wanted, sizeof wanted, "tcp/0.0.0.0:80x%zu tcp/127.0.0.1:80x1 udp/0.0.0.0:53x1",
                       cases[i].sockets - 1);
        assert_listeners(t, wanted);
        listener_table_unref(t);
    }
}

/* Failures */

static void a_dump_that_fails_once_is_repeated(void **state)
{
    struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, -ENOBUFS), "0.0.0.0:99", 1, 5); /* half of it, and wrong */
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    t = poll_first(*state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:80x2");
    assert_run(*state, "tcp", true, true, 0);
    assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), 3);
    listener_table_unref(t);
}

static void a_second_look_that_fails_is_repeated_from_the_start(void **state)
{
    struct listener_table *t;

    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 1, 3);
    with(answers(AF_INET6, IPPROTO_TCP, ERR_TRUNCATED), "[::]:80", 1, 1);
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 2, 2); /* 1 was closed meanwhile */
    t = poll_first(*state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/[::]:80x2");
    listener_table_unref(t);
}

static void a_dump_that_fails_twice_fails_its_class_only(void **state)
{
    static const int errors[] = {-EIO, -ENOMEM, ERR_TRUNCATED, ERR_SEQUENCE, ERR_INTERRUPTED};

    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        struct listener_table *t;

        forget_script();
        with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
        with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 2, 1); /* dropped for the other half's sake */
        with(answers(AF_INET6, IPPROTO_UDP, errors[i]), "[::]:53", 3, 2);
        with(answers(AF_INET, IPPROTO_SCTP, 0), "0.0.0.0:80", 5, 1);
        t = poll_first(*state);
        assert_class(t, PROTOCOL_UDP, VISIBILITY_FAILED, errors[i]);
        assert_others_are_fine(t, PROTOCOL_UDP);
        assert_listeners(t, "tcp/0.0.0.0:22x1 sctp/0.0.0.0:80x1");
        assert_run(*state, "udp", true, false, errors[i]);
        assert_run(*state, "tcp", true, true, 0);
        assert_run(*state, "udplite", true, true, 0);
        assert_run(*state, "sctp", true, true, 0);
        assert_run(*state, "raw", true, true, 0);
        listener_table_unref(t);
    }
}

static void a_failed_class_is_asked_again_at_the_next_poll(void **state)
{
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    t = poll_first(*state);
    assert_run(*state, "tcp", true, false, -EIO);
    t = poll_again(*state, 100, t);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1");
    assert_run(*state, "tcp", true, true, 0);
    listener_table_unref(t);
}

/* What the kernel lacks */

static void what_the_kernel_does_not_list_is_absent_or_unsupported(void **state)
{
    static const struct {
        int in_proc;
        enum visibility visibility;
    } cases[] = {{0, VISIBILITY_ABSENT}, {1, VISIBILITY_UNSUPPORTED}, {-EACCES, VISIBILITY_UNSUPPORTED}};

    proc_says("SCTP", 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_table *t;

        kernel.proc[0].result = cases[i].in_proc;
        forget_script();
        (void)answers(AF_INET, IPPROTO_SCTP, ERR_UNSUPPORTED);
        with(answers(AF_INET, IPPROTO_SCTP, 0), "0.0.0.0:80", 1, 1);
        collectors_retry_unsupported(*state);
        t = poll_first(*state);
        assert_class(t, PROTOCOL_SCTP, cases[i].visibility, 0);
        assert_others_are_fine(t, PROTOCOL_SCTP);
        assert_run(*state, "sctp", false, true, 0);
        assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 1);

        /* Each question would make the kernel look for a module. */
        for (int times = 0; times < 3; times++) {
            t = poll_again(*state, 100, t);
            assert_class(t, PROTOCOL_SCTP, cases[i].visibility, 0);
            assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 1);
            assert_run(*state, "sctp", false, true, 0);
        }

        collectors_retry_unsupported(*state);
        t = poll_again(*state, 100, t);
        assert_class(t, PROTOCOL_SCTP, VISIBILITY_OK, 0);
        assert_listeners(t, "sctp/0.0.0.0:80x1");
        assert_run(*state, "sctp", true, true, 0);
        listener_table_unref(t);
    }
}

static void what_is_unsupported_is_not_asked_for_connections_either(void **state)
{
    struct conn_table *connections;

    (void)answers(AF_INET, IPPROTO_UDPLITE, ERR_UNSUPPORTED);
    listener_table_unref(poll_first(*state));
    kernel.call_count = 0;
    connections = poll_connections(*state);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDPLITE), 0);
    assert_false(conn_table_complete(connections, PROTOCOL_UDPLITE));
    assert_true(conn_table_complete(connections, PROTOCOL_UDP));
    assert_run(*state, "connections", true, true, 0);
    conn_table_unref(connections);
}

static void a_kernel_without_ipv6_hides_nothing(void **state)
{
    static const char *const names[] = {"TCPv6", "UDPv6", "UDPLITEv6", "SCTPv6", "RAWv6"};
    struct conn_table *connections;
    struct listener_table *t;

    kernel.no_ipv6 = true;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        proc_says(names[i], 0);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 3, 1);
    t = poll_first(*state);
    assert_others_are_fine(t, PROTOCOL_COUNT);
    assert_listeners(t, "tcp/0.0.0.0:80x2 udp/0.0.0.0:53x1");
    assert_run(*state, "tcp", true, true, 0);
    connections = poll_connections(*state);
    assert_true(conn_table_complete(connections, PROTOCOL_TCP));
    assert_true(conn_table_complete(connections, PROTOCOL_UDP));
    conn_table_unref(connections);

    kernel.call_count = 0;
    t = poll_again(*state, 100, t);
    assert_others_are_fine(t, PROTOCOL_COUNT);
    for (size_t i = 0; i < kernel.call_count; i++)
        assert_int_equal(kernel.calls[i].family, AF_INET);

    kernel.no_ipv6 = false; /* its module was loaded */
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 4, 1);
    collectors_retry_unsupported(*state);
    t = poll_again(*state, 100, t);
    assert_listeners(t, "tcp/0.0.0.0:80x2 tcp/[::]:80x1 udp/0.0.0.0:53x1");
    listener_table_unref(t);
}

/* IPv6 sockets that cannot be listed may be there: half a class is none. */
static void ipv6_that_cannot_be_listed_makes_the_class_unsupported(void **state)
{
    static const int in_proc[] = {1, -EIO};

    kernel.no_ipv6 = true;
    proc_says("UDPv6", 0);
    proc_says("UDPLITEv6", 0);
    proc_says("SCTPv6", 0);
    proc_says("RAWv6", 0);
    proc_says("TCPv6", 0);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 3, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(in_proc); i++) {
        struct listener_table *t;

        kernel.proc[4].result = in_proc[i];
        collectors_retry_unsupported(*state);
        t = poll_first(*state);
        assert_class(t, PROTOCOL_TCP, VISIBILITY_UNSUPPORTED, 0);
        assert_others_are_fine(t, PROTOCOL_TCP);
        assert_listeners(t, "udp/0.0.0.0:53x1");
        assert_run(*state, "tcp", false, true, 0);
        listener_table_unref(t);
    }
}

/* Raw sockets */

static void raw_sockets_come_from_proc_where_netlink_has_no_handler(void **state)
{
    struct conn_table *connections;
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    with(answers(AF_INET, IPPROTO_RAW, 0), "0.0.0.0:89", 1, 1)->state = STATE_CLOSE;
    proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    proc_raw_has("::", 58, STATE_CLOSE, 101);
    proc_raw_has("127.0.0.1", 1, STATE_ESTABLISHED, 102); /* connected: no listener */
    t = poll_first(*state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_OK, 0);
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");
    assert_int_equal(listener_table_all(t, &(size_t){0})[0].uid, 7);
    assert_run(*state, "raw", true, true, 0);
    assert_int_equal(kernel.raw_asked, 2);

    t = poll_again(*state, 100, t);
    assert_int_equal(kernel.raw_asked, 3);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1); /* netlink was not asked again */
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");

    connections = poll_connections(*state);
    assert_true(conn_table_complete(connections, PROTOCOL_RAW));
    assert_int_equal(conn_table_totals(connections, PROTOCOL_RAW)[STATE_CLOSE], 2);
    assert_int_equal(conn_table_totals(connections, PROTOCOL_RAW)[STATE_ESTABLISHED], 1);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1);
    conn_table_unref(connections);

    collectors_retry_unsupported(*state);
    t = poll_again(*state, 100, t);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 2);
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");
    collectors_retry_unsupported(*state); /* raw_diag was loaded */
    t = poll_again(*state, 100, t);
    assert_listeners(t, "raw/0.0.0.0:89x1");
    listener_table_unref(t);
}

static void raw_sockets_that_proc_does_not_list_either_are_unsupported(void **state)
{
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    kernel.raw_result = ERR_UNSUPPORTED;
    t = poll_first(*state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_UNSUPPORTED, 0);
    assert_others_are_fine(t, PROTOCOL_RAW);
    assert_run(*state, "raw", false, true, 0);
    t = poll_again(*state, 100, t);
    assert_int_equal(kernel.raw_asked, 1);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1);
    listener_table_unref(t);
}

static void raw_sockets_that_proc_fails_to_list_fail(void **state)
{
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    kernel.raw_result = -EMFILE;
    t = poll_first(*state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_FAILED, -EMFILE);
    assert_others_are_fine(t, PROTOCOL_RAW);
    assert_listeners(t, "");
    assert_run(*state, "raw", true, false, -EMFILE);
    assert_int_equal(kernel.raw_asked, 2);
    listener_table_unref(t);
}

/* Malformed messages */

static void a_malformed_message_is_counted_and_the_rest_survives(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:23", 2, 3)->too_short = true;
    with(a, "0.0.0.0:24", 5, 1)->broken_family = AF_UNIX;
    with(a, "0.0.0.0:80", 6, 1);
    a = answers(AF_INET, IPPROTO_TCP, 0);
    with(a, "0.0.0.0:22", 1, 1);
    t = poll_first(*state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_run(*state, "tcp", true, true, 0);
    assert_int_equal(collectors_malformed(*state, run_index(*state, "tcp")), 4);
    assert_int_equal(collectors_malformed(*state, run_index(*state, "udp")), 0);
    assert_int_equal(collectors_malformed(*state, run_index(*state, "connections")), 0);
    kernel.scripts[0].asked = 0; /* once more: they add up */
    listener_table_unref(poll_again(*state, 100, t));
    assert_int_equal(collectors_malformed(*state, run_index(*state, "tcp")), 8);
}

/* State 13 is BOUND_INACTIVE, of newer kernels. */
static void a_connection_in_an_unknown_state_is_counted_as_malformed(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct conn_table *t;

    with_state(a, "127.0.0.1:80", STATE_ESTABLISHED, 2);
    with(a, "127.0.0.1:80", 3, 4)->state = 13;
    with(a, "127.0.0.1:80", 3, 1)->state = 0;
    with(a, "127.0.0.1:80", 3, 1)->too_short = true;
    with_state(a, "127.0.0.1:80", STATE_TIME_WAIT, 1);
    t = poll_connections(*state);
    assert_true(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 2);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_TIME_WAIT], 1);
    assert_run(*state, "connections", true, true, 0);
    assert_int_equal(collectors_malformed(*state, run_index(*state, "connections")), 6);
    assert_int_equal(collectors_malformed(*state, run_index(*state, "tcp")), 0);
    conn_table_unref(t);
}

/* What is asked for */

static void listeners_are_asked_for_by_their_state(void **state)
{
    static const struct {
        uint8_t protocol;
        uint32_t states;
        bool skip_auto_ports;
    } wanted[] = {
        {IPPROTO_TCP, MASK(STATE_LISTEN), false},   {IPPROTO_UDP, MASK(STATE_CLOSE), true},
        {IPPROTO_UDPLITE, MASK(STATE_CLOSE), true}, {IPPROTO_SCTP, MASK(STATE_LISTEN), false},
        {IPPROTO_RAW, MASK(STATE_CLOSE), false},
    };
    size_t checked = 0;

    listener_table_unref(poll_first(*state));
    for (size_t i = 0; i < kernel.call_count; i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(wanted); k++) {
            if (kernel.calls[i].protocol != wanted[k].protocol)
                continue;
            assert_int_equal(kernel.calls[i].states, wanted[k].states);
            assert_int_equal(kernel.calls[i].skip_auto_ports, wanted[k].skip_auto_ports);
            checked++;
        }
    }
    assert_int_equal(checked, 4 * ARRAY_LENGTH(wanted));
    assert_int_equal(kernel.call_count, checked);
}

/* A mask of all bits would take in states that newer kernels invent, and
 * closed TCP sockets have no connection. */
static void connections_are_asked_for_by_explicit_states(void **state)
{
    const uint32_t known = MASK(STATE_COUNT) - MASK(STATE_ESTABLISHED);
    size_t tcp = 0, others = 0;

    conn_table_unref(poll_connections(*state));
    for (size_t i = 0; i < kernel.call_count; i++) {
        const struct inet_diag_query *query = &kernel.calls[i];

        assert_int_equal(query->states & ~known, 0);
        assert_int_equal(query->states & MASK(13), 0);
        assert_false(query->skip_auto_ports);
        assert_true(query->protocol != IPPROTO_SCTP);
        if (query->protocol == IPPROTO_TCP) {
            assert_int_equal(query->states, known & ~MASK(STATE_CLOSE));
            tcp++;
        } else {
            assert_int_equal(query->states, MASK(STATE_ESTABLISHED) | MASK(STATE_CLOSE));
            others++;
        }
    }
    assert_int_equal(tcp, 2);
    assert_int_equal(others, 6); /* UDP, UDP-Lite and raw */
}

/* Connections */

static void a_connection_dump_that_fails_leaves_the_others_complete(void **state)
{
    struct conn_table *t;

    with_state(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", STATE_ESTABLISHED, 5);
    with_state(answers(AF_INET6, IPPROTO_TCP, -ENOBUFS), "[::]:80", STATE_ESTABLISHED, 2);
    with_state(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", STATE_ESTABLISHED, 3);
    with_state(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", STATE_CLOSE, 1);
    with_state(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:53", STATE_CLOSE, 1);
    t = poll_connections(*state);
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_null(conn_table_port(t, PROTOCOL_TCP, 80));
    assert_int_equal(conn_table_totals(t, PROTOCOL_TCP)[STATE_ESTABLISHED], 0);
    assert_true(conn_table_complete(t, PROTOCOL_UDP));
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_CLOSE], 2);
    assert_true(conn_table_complete(t, PROTOCOL_UDPLITE));
    assert_true(conn_table_complete(t, PROTOCOL_RAW));
    assert_false(conn_table_complete(t, PROTOCOL_SCTP)); /* never counted */
    assert_run(*state, "connections", true, false, -ENOBUFS);
    conn_table_unref(t);

    t = poll_connections(*state); /* and nothing of the failed one is left */
    assert_true(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 80)[STATE_ESTABLISHED], 8);
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_CLOSE], 2);
    assert_run(*state, "connections", true, true, 0);
    conn_table_unref(t);
}

static void a_poll_touches_the_runs_of_its_kind_only(void **state)
{
    struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    assert_run(*state, "tcp", false, false, 0);
    assert_run(*state, "connections", false, false, 0);
    t = poll_first(*state);
    assert_run(*state, "tcp", true, false, -EIO);
    assert_run(*state, "connections", false, false, 0);
    conn_table_unref(poll_connections(*state));
    assert_run(*state, "tcp", true, false, -EIO);
    assert_run(*state, "connections", true, false, -EIO);
    listener_table_unref(t);
}

/* Rows */

static void a_listener_is_told_with_all_that_its_class_has(void **state)
{
    static const struct {
        uint8_t protocol;
        bool has_queue;
    } cases[] = {{IPPROTO_TCP, true}, {IPPROTO_UDP, false}, {IPPROTO_SCTP, true}};
    struct listener_table *t;
    size_t count;
    const struct listener *l;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct span *span = with(answers(AF_INET6, cases[i].protocol, 0), "[::ffff:0.0.0.0%3]:80", 1 + i, 1);

        span->row.uid = 33;
        span->row.queue_length = 3;
        span->row.queue_limit = 5;
    }
    t = poll_first(*state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, ARRAY_LENGTH(cases));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(l[i].family, FAMILY_IPV4);
        assert_int_equal(l[i].address.version, 4);
        assert_int_equal(l[i].ifindex, 3);
        assert_string_equal(l[i].interface, "eth3");
        assert_int_equal(l[i].uid, 33);
        assert_int_equal(l[i].has_queue, cases[i].has_queue);
        assert_int_equal(l[i].queue_length, cases[i].has_queue ? 3 : 0);
        assert_int_equal(l[i].queue_limit, cases[i].has_queue ? 5 : 0);
    }
    listener_table_unref(t);
}

static void only_addresses_that_can_be_absent_are_looked_up(void **state)
{
    static const enum presence wanted[] = {PRESENCE_UNKNOWN, PRESENCE_UNKNOWN, PRESENCE_PRESENT,
                                           PRESENCE_ABSENT, PRESENCE_PRESENT};
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;
    size_t count;
    const struct listener *l;

    with(a, "0.0.0.0:1", 1, 1);
    with(a, "127.0.0.1:2", 2, 1);
    with(a, "192.0.2.1:3", 3, 1);
    with(a, "192.0.2.2:4", 4, 1);
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[fe80::1]:5", 5, 1);
    t = poll_first(*state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(l[i].presence, wanted[i]);
    assert_int_equal(kernel.refreshed, 1);
    assert_int_equal(kernel.looked, 3 * 2); /* in each of the two looks */
    listener_table_unref(t);
}

/* The cookie is 64 bits wide. */
static void sockets_are_told_apart_by_the_whole_cookie(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    struct listener_table *t;

    with(a, "0.0.0.0:80", 1, 1);
    with(a, "0.0.0.0:80", (UINT64_C(1) << 32) + 1, 1);
    t = poll_first(*state);
    assert_listeners(t, "tcp/0.0.0.0:80x2");
    listener_table_unref(t);
}

static void what_cannot_be_opened_is_reported_and_freed(void **state)
{
    struct collectors *c = NULL;

    (void)state;
    memset(&kernel, 0, sizeof kernel);
    kernel.open_result = -EPROTONOSUPPORT;
    assert_int_equal(collectors_open(&c), -EPROTONOSUPPORT);
    assert_null(c);
    kernel.open_result = 0;
    kernel.no_local = true;
    assert_int_equal(collectors_open(&c), -ENOMEM);
    assert_null(c);
    assert_int_equal(kernel.open_sockets, 0);
    assert_int_equal(kernel.open_tables, 0);
    collectors_close(NULL);
}

#define with_kernel(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kernel(a_listener_that_one_dump_passed_over_stays),
        with_kernel(a_service_that_one_dump_passed_over_stays),
        with_kernel(a_listener_missing_in_both_dumps_is_gone),
        with_kernel(the_first_poll_always_looks_twice),
        with_kernel(nothing_missing_is_one_dump_per_family),
        with_kernel(after_a_failed_poll_it_looks_twice),
        with_kernel(a_socket_counts_once_however_often_it_is_dumped),
        with_kernel(one_service_of_many_sockets_is_never_cut),
        with_kernel(a_dump_that_fails_once_is_repeated),
        with_kernel(a_second_look_that_fails_is_repeated_from_the_start),
        with_kernel(a_dump_that_fails_twice_fails_its_class_only),
        with_kernel(a_failed_class_is_asked_again_at_the_next_poll),
        with_kernel(what_the_kernel_does_not_list_is_absent_or_unsupported),
        with_kernel(what_is_unsupported_is_not_asked_for_connections_either),
        with_kernel(a_kernel_without_ipv6_hides_nothing),
        with_kernel(ipv6_that_cannot_be_listed_makes_the_class_unsupported),
        with_kernel(raw_sockets_come_from_proc_where_netlink_has_no_handler),
        with_kernel(raw_sockets_that_proc_does_not_list_either_are_unsupported),
        with_kernel(raw_sockets_that_proc_fails_to_list_fail),
        with_kernel(a_malformed_message_is_counted_and_the_rest_survives),
        with_kernel(a_connection_in_an_unknown_state_is_counted_as_malformed),
        with_kernel(listeners_are_asked_for_by_their_state),
        with_kernel(connections_are_asked_for_by_explicit_states),
        with_kernel(a_connection_dump_that_fails_leaves_the_others_complete),
        with_kernel(a_poll_touches_the_runs_of_its_kind_only),
        with_kernel(a_listener_is_told_with_all_that_its_class_has),
        with_kernel(only_addresses_that_can_be_absent_are_looked_up),
        with_kernel(sockets_are_told_apart_by_the_whole_cookie),
        cmocka_unit_test(what_cannot_be_opened_is_reported_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
