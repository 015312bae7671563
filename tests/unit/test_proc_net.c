#include "collectors/proc_net.h"
#include "core/err.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS = 300, PROTOCOL = 253 }; /* one for experiments, which nobody else has */

static int64_t now_us;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return now_us++;
}

static int count_row(void *arg, const struct proc_raw_row *row)
{
    *(size_t *)arg += row->protocol == PROTOCOL;
    return 0;
}

static size_t read_all(struct proc_raw *raw, int64_t until_us, size_t *ret_steps)
{
    const struct budget budget = {.now_us = read_clock, .until_us = until_us};
    uint64_t malformed = 0;
    size_t rows = 0;
    int r;

    assert_int_equal(proc_raw_begin(raw), 0);
    *ret_steps = 0;
    do {
        r = proc_raw_step(raw, &budget, count_row, &rows, &malformed);
        ++*ret_steps;
    } while (r > 0);
    assert_int_equal(r, 0);
    assert_int_equal(malformed, 0);
    assert_int_equal(raw->fd, -1);
    return rows;
}

/* Of both families, each row once, however small the steps. */
static void every_raw_socket_is_read_in_steps_and_at_once(void **state)
{
    struct proc_raw raw = PROC_RAW_NONE;
    size_t steps, count = 0;
    int fds[SOCKETS];

    (void)state;
    for (; count < SOCKETS; count++) {
        fds[count] = socket(count % 2 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL);
        if (fds[count] < 0)
            break;
    }
    if (count < SOCKETS)
        print_message("only %zu raw sockets could be made: %s\n", count, strerror(errno));
    assert_int_equal(read_all(&raw, BUDGET_NO_END, &steps), count);
    assert_int_equal(steps, 1);
    assert_int_equal(read_all(&raw, 0, &steps), count);
    assert_true(steps >= 3); /* two files, and more than one read where there are many sockets */
    assert_true(count < SOCKETS || steps > 5);
    while (count > 0)
        assert_int_equal(close(fds[--count]), 0);
    assert_int_equal(read_all(&raw, 0, &steps), 0);
}

static int refuse_row(void *arg, const struct proc_raw_row *row)
{
    (void)row;
    ++*(size_t *)arg;
    return -ENOMEM;
}

static void what_the_handler_says_ends_the_reading(void **state)
{
    const struct budget endless = {.now_us = read_clock, .until_us = BUDGET_NO_END};
    struct proc_raw raw = PROC_RAW_NONE;
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL);
    uint64_t malformed = 0;
    size_t rows = 0;

    (void)state;
    if (fd < 0) {
        print_message("no raw socket could be made: %s\n", strerror(errno));
        skip();
    }
    assert_int_equal(proc_raw_begin(&raw), 0);
    assert_int_equal(proc_raw_step(&raw, &endless, refuse_row, &rows, &malformed), -ENOMEM);
    assert_int_equal(rows, 1);
    assert_int_equal(raw.fd, -1);
    assert_int_equal(close(fd), 0);
}

/* Whatever is under way is given up, and no descriptor is left behind. */
static void a_reading_may_begin_anew_and_be_given_up(void **state)
{
    struct proc_raw raw = PROC_RAW_NONE;
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC), again;

    (void)state;
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(proc_raw_begin(&raw), 0);
    proc_raw_end(&raw);
    proc_raw_end(&raw);
    again = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(again, lowest);
    assert_int_equal(close(again), 0);
}

static void the_kernels_protocols_are_told(void **state)
{
    (void)state;
    assert_int_equal(proc_has_protocol("TCP"), 1);
    assert_int_equal(proc_has_protocol("NOSUCH"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_raw_socket_is_read_in_steps_and_at_once),
        cmocka_unit_test(what_the_handler_says_ends_the_reading),
        cmocka_unit_test(a_reading_may_begin_anew_and_be_given_up),
        cmocka_unit_test(the_kernels_protocols_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
