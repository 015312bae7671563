/* Probes of sockets on the loopback device; what no socket there says is told by errno
 * alone (collectors/probe_errno.h). */
#include "collectors/probe_errno.h"
#include "collectors/probes.h"
#include "core/probe_schedule.h"
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void *arg)
{
    struct timespec now;

    (void)arg;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct budget endless = {.now_us = now_us, .until_us = BUDGET_NO_END};

/* A socket on 127.0.0.1, which listens or only keeps its port. */
static int socket_at(bool listens, int backlog, uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    if (listens)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static struct policy policy_of(const uint16_t *ports, size_t count)
{
    struct policy policy = {.expects = calloc(count + 1, sizeof *policy.expects), .expect_count = count};

    assert_non_null(policy.expects);
    for (size_t i = 0; i < count; i++) {
        struct expect *e = &policy.expects[i];

        (void)snprintf(e->name, sizeof e->name, "s%zu", i);
        e->probe = (struct probe_order){.is_set = true,
                                        .target = {{4, {127, 0, 0, 1}}, ports[i]},
                                        .interval_ms = 1000,
                                        .timeout_ms = 100};
    }
    return policy;
}

/* Opens, and makes each probe once. */
static struct probes *make_all(const struct policy *policy)
{
    struct probes *p;

    assert_int_equal(probes_open(true, &p), 0);
    assert_int_equal(probes_set(p, policy, now_us(NULL) / 1000), 0);
    while (probes_are_under_way(p, now_us(NULL) / 1000)) {
        struct pollfd fd = {.fd = probes_fd(p), .events = POLLIN};
        int64_t left_ms = probes_due_ms(p) - now_us(NULL) / 1000;

        assert_true(left_ms <= 100);
        if (left_ms > 0)
            (void)poll(&fd, 1, (int)left_ms);
        probes_step(p, &endless);
    }
    return p;
}

static const struct probe_results *take(struct probes *p)
{
    const struct instant now = {.mono_ms = now_us(NULL) / 1000};
    const struct probe_results *results = NULL;
    bool to_rules = false;

    assert_int_equal(probes_take(p, now, &results, &to_rules), 1);
    assert_true(to_rules);
    return results;
}

static void what_came_of_it_is_told(void **state)
{
    uint16_t ports[3];
    int listening = socket_at(true, 8, &ports[0]), bound = socket_at(false, 0, &ports[1]);
    int full = socket_at(true, 0, &ports[2]);
    struct policy policy = policy_of(ports, 3);
    struct probes *first, *p;
    const struct probe_results *results;
    static const enum probe_result wanted[] = {PROBE_OK, PROBE_REFUSED, PROBE_TIMEOUT};

    (void)state;
    first = make_all(&policy); /* which fills the queue that holds one */
    p = make_all(&policy);
    results = take(p);
    assert_int_equal(results->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(results->items[i].known && results->items[i].own);
        assert_int_equal(results->items[i].result, wanted[i]);
        assert_in_range(results->items[i].duration_us, i == 2 ? 100000 - 1000 : 0, 10000000);
    }
    assert_true(probes_run(p).up);
    probe_results_unref(results);
    probes_close(p);
    probes_close(first);
    (void)close(listening);
    (void)close(bound);
    (void)close(full);
    free(policy.expects);
}

/* A connect that has ended is seen by its descriptor; one that is given up is closed. */
static void the_descriptor_says_when(void **state)
{
    uint16_t port;
    int listening = socket_at(true, 8, &port);
    struct policy policy = policy_of(&port, 1), none = {.expect_count = 0};
    struct probes *p;
    struct pollfd fd = {.events = POLLIN};

    (void)state;
    assert_int_equal(probes_open(false, &p), 0);
    fd.fd = probes_fd(p);
    assert_int_equal(probes_due_ms(p), INT64_MAX);
    assert_false(probes_run(p).ran);
    assert_int_equal(probes_set(p, &policy, now_us(NULL) / 1000), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    probes_step(p, &endless);
    assert_int_equal(poll(&fd, 1, 1000), 1);
    assert_int_equal(probes_set(p, &none, now_us(NULL) / 1000), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(probes_due_ms(p), INT64_MAX);
    probes_close(p);
    (void)close(listening);
    free(policy.expects);
}

/* What this host cannot do is no fault of the target. */
static void without_descriptors_there_is_no_result(void **state)
{
    uint16_t port;
    int listening = socket_at(true, 8, &port);
    struct policy policy = policy_of(&port, 1);
    struct rlimit before, none;
    const struct probe_results *results;
    struct probes *p;

    (void)state;
    assert_int_equal(probes_open(true, &p), 0);
    assert_int_equal(probes_set(p, &policy, now_us(NULL) / 1000), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    probes_step(p, &endless);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(probes_are_under_way(p, now_us(NULL) / 1000));
    assert_true(probes_run(p).ran && !probes_run(p).up);
    assert_int_equal(probes_run(p).error, -EMFILE);
    results = take(p);
    assert_false(results->items[0].known);
    assert_true(results->items[0].unmade);
    probe_results_unref(results);
    probes_close(p);
    (void)close(listening);
    free(policy.expects);
}

static void errors_are_the_targets_or_ours(void **state)
{
    static const struct {
        int error;
        enum probe_result result; /* PROBE_RESULT_COUNT: ours */
    } cases[] = {
        {0, PROBE_OK},
        {ECONNRESET, PROBE_OK},
        {ECONNREFUSED, PROBE_REFUSED},
        {ETIMEDOUT, PROBE_TIMEOUT},
        {EHOSTUNREACH, PROBE_UNREACHABLE},
        {ENETUNREACH, PROBE_UNREACHABLE},
        {EACCES, PROBE_UNREACHABLE},
        {EPERM, PROBE_UNREACHABLE},
        {EINVAL, PROBE_UNREACHABLE},
        {EADDRNOTAVAIL, PROBE_RESULT_COUNT},
        {EMFILE, PROBE_RESULT_COUNT},
        {ENOBUFS, PROBE_RESULT_COUNT},
        {ENOMEM, PROBE_RESULT_COUNT},
        {EAGAIN, PROBE_RESULT_COUNT},
        {EAFNOSUPPORT, PROBE_RESULT_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum probe_result result = PROBE_RESULT_COUNT;
        int r = probe_errno_result(cases[i].error, &result);

        assert_int_equal(result, cases[i].result);
        assert_int_equal(r, result == PROBE_RESULT_COUNT ? -cases[i].error : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_of_it_is_told),
        cmocka_unit_test(the_descriptor_says_when),
        cmocka_unit_test(without_descriptors_there_is_no_result),
        cmocka_unit_test(errors_are_the_targets_or_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
