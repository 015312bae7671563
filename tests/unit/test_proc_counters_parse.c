#include "collectors/proc_counters_parse.h"
#include "tests/unit/fixtures/proc_counters.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE_BYTES = 4096, SEEDS = 2000 };

static const char *const files[PROC_COUNTERS_FILE_COUNT] = {
    [PROC_NETSTAT] = proc_netstat,
    [PROC_SNMP] = proc_snmp,
    [PROC_SNMP6] = proc_snmp6,
    [PROC_SOCKSTAT] = proc_sockstat,
};

/* What was captured; all others are 0. */
static const uint64_t captured[HOST_COUNTER_COUNT] = {
    [HOST_TCP_LISTEN_OVERFLOWS] = 3,
    [HOST_TCP_LISTEN_DROPS] = 3,
    [HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV4] = 8,
    [HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV6] = 6,
    [HOST_UDP_IN_ERRORS_IPV4] = 8,
    [HOST_UDP_IN_ERRORS_IPV6] = 6,
    [HOST_UDP_NO_PORTS_IPV4] = 3,
    [HOST_UDP_NO_PORTS_IPV6] = 2,
    [HOST_TCP_TIME_WAIT_SOCKETS] = 1,
    [HOST_TCP_MEMORY_BYTES] = UINT64_C(51) * PAGE_BYTES,
};

/* Parses a copy that has not one byte more than it should. */
static uint64_t parse(enum proc_counters_file file, const char *text, size_t length, struct host_counters *c)
{
    char *copy = malloc(length > 0 ? length : 1);
    uint64_t malformed;

    assert_non_null(copy);
    memcpy(copy, text, length);
    malformed = proc_counters_parse(file, copy, length, PAGE_BYTES, c);
    free(copy);
    return malformed;
}

static uint64_t parse_text(enum proc_counters_file file, const char *text, struct host_counters *c)
{
    return parse(file, text, strlen(text), c);
}

static size_t count_known(const struct host_counters *c)
{
    size_t count = 0;

    for (int i = 0; i < HOST_COUNTER_COUNT; i++)
        count += c->known[i];
    return count;
}

static void assert_counter(const struct host_counters *c, enum host_counter counter, uint64_t value)
{
    assert_true(c->known[counter]);
    assert_int_equal(c->values[counter], value);
}

static void each_counter_is_found_in_its_file(void **state)
{
    struct host_counters c = {.known = {false}};

    (void)state;
    for (int file = 0; file < PROC_COUNTERS_FILE_COUNT; file++)
        assert_int_equal(parse_text((enum proc_counters_file)file, files[file], &c), 0);
    for (int i = 0; i < HOST_COUNTER_COUNT; i++)
        assert_counter(&c, (enum host_counter)i, captured[i]);
}

static void a_file_says_nothing_of_the_others(void **state)
{
    static const size_t counts[PROC_COUNTERS_FILE_COUNT] = {11, 3, 3, 3};

    (void)state;
    for (int file = 0; file < PROC_COUNTERS_FILE_COUNT; file++) {
        struct host_counters c = {.known = {false}};

        (void)parse_text((enum proc_counters_file)file, files[file], &c);
        assert_int_equal(count_known(&c), counts[file]);
    }
}

/* What was known before and is not there any more. */
static void what_a_file_tells_no_more_is_forgotten(void **state)
{
    struct host_counters c = {.known = {false}};

    (void)state;
    (void)parse_text(PROC_SNMP, proc_snmp, &c);
    (void)parse_text(PROC_SOCKSTAT, proc_sockstat, &c);
    assert_int_equal(parse_text(PROC_SOCKSTAT, "TCP: inuse 7\n", &c), 0);
    assert_false(c.known[HOST_TCP_TIME_WAIT_SOCKETS]);
    assert_int_equal(c.values[HOST_TCP_TIME_WAIT_SOCKETS], 0);
    assert_counter(&c, HOST_UDP_NO_PORTS_IPV4, 3);
}

/* Wherever a file is cut off: what is taken of it is right, and the cut is told
 * unless it is where the file might end. */
static void a_file_is_cut_at_every_length(void **state)
{
    (void)state;
    for (int file = 0; file < PROC_COUNTERS_FILE_COUNT; file++) {
        for (size_t cut = 0; cut < strlen(files[file]); cut++) {
            struct host_counters c = {.known = {false}};
            uint64_t malformed = parse((enum proc_counters_file)file, files[file], cut, &c);

            for (int i = 0; i < HOST_COUNTER_COUNT; i++)
                if (c.known[i])
                    assert_int_equal(c.values[i], captured[i]);
            assert_true(malformed > 0 || files[file][cut - 1] == '\n');
            assert_true(malformed > 0 || count_known(&c) > 0);
        }
    }
}

static void the_order_does_not_matter(void **state)
{
    struct host_counters c = {.known = {false}};

    (void)state;
    assert_int_equal(parse_text(PROC_NETSTAT,
                                "New: A\nNew: 1\nTcpExt: ListenDrops Newest ListenOverflows\n"
                                "TcpExt: 5 6 7\n",
                                &c),
                     0);
    assert_counter(&c, HOST_TCP_LISTEN_DROPS, 5);
    assert_counter(&c, HOST_TCP_LISTEN_OVERFLOWS, 7);
    assert_int_equal(parse_text(PROC_SOCKSTAT, "UDP: mem 9\nTCP: mem 1 tw 2\n", &c), 0);
    assert_counter(&c, HOST_TCP_MEMORY_BYTES, PAGE_BYTES);
    assert_counter(&c, HOST_TCP_TIME_WAIT_SOCKETS, 2);
    assert_int_equal(parse_text(PROC_SNMP6, "Udp6NoPorts 4\nIp6InReceives 1\n", &c), 0);
    assert_counter(&c, HOST_UDP_NO_PORTS_IPV6, 4);
    assert_int_equal(count_known(&c), 5);
}

/* Names that begin alike, or stand in another group. */
static void only_the_whole_name_counts(void **state)
{
    struct host_counters c = {.known = {false}};

    (void)state;
    assert_int_equal(parse_text(PROC_SNMP,
                                "UdpLite: NoPorts InErrors\nUdpLite: 1 2\n"
                                "Udp: NoPortsLately InError InErrors\nUdp: 3 4 5\n",
                                &c),
                     0);
    assert_counter(&c, HOST_UDP_IN_ERRORS_IPV4, 5);
    assert_int_equal(count_known(&c), 1);
}

static void what_makes_no_sense_is_counted_and_unknown(void **state)
{
    static const struct {
        enum proc_counters_file file;
        const char *text;
        uint64_t malformed;
        size_t known;
    } cases[] = {
        {PROC_NETSTAT, "", 1, 0},
        {PROC_NETSTAT, "\n\n", 1, 0},
        {PROC_NETSTAT, "garbage", 2, 0},                         /* cut off, and not about TCP */
        {PROC_NETSTAT, "TcpExt: 1 2 3\n", 2, 0},                 /* no names */
        {PROC_NETSTAT, "TcpExt: ListenDrops\n", 2, 0},           /* no values */
        {PROC_NETSTAT, "TcpExt: ListenDrops\nIpExt: 1\n", 2, 0}, /* those of another */
        {PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt:\n", 1, 0},
        {PROC_NETSTAT, "TcpExt:\nTcpExt: 7\n", 1, 0},
        {PROC_NETSTAT, "TcpExt: ListenDrops ListenOverflows\nTcpExt: 1\n", 1, 0},
        {PROC_NETSTAT, "TcpExt: ListenDrops ListenOverflows\nTcpExt: 1 2 3\n", 1, 0},
        {PROC_NETSTAT, "TcpExt: ListenDrops ListenOverflows\nTcpExt: -1 2\n", 1, 1},
        {PROC_NETSTAT, "TcpExt: ListenDrops ListenOverflows\nTcpExt: 1x 0x2\n", 2, 0},
        {PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt: 18446744073709551616\n", 1, 0},
        {PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt: 99999999999999999999999999999999999\n", 1, 0},
        {PROC_NETSTAT, "TcpExt: A\nTcpExt: ListenDrops B\nTcpExt: 1 2\n", 2, 0},
        {PROC_NETSTAT, "TcpExt: A\nIpExt: B\nTcpExt: ListenDrops\nTcpExt: 5\n", 1, 1}, /* goes on */
        {PROC_SNMP, "Udp: InErrors\nUdp: 5", 3, 0},
        {PROC_SNMP6, "Udp6InErrors\n", 1, 0},
        {PROC_SNMP6, "Udp6InErrors \t\nUdp6NoPorts 1\n", 1, 1},
        {PROC_SNMP6, "Udp6InErrors 1 2\nUdp6NoPorts 1\n", 1, 1},
        {PROC_SNMP6, "Udp6InErrors -1\nUdp6NoPorts 1\n", 1, 1},
        {PROC_SOCKSTAT, "TCP: inuse 1 tw\n", 1, 0},
        {PROC_SOCKSTAT, "TCP: tw -1 orphan 5\n", 1, 1},
        {PROC_SOCKSTAT, "TCP: mem 18446744073709551615 orphan 5\n", 1,
         1}, /* so many pages are no number of bytes */
        {PROC_SOCKSTAT, "TCP6: inuse 5\n", 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct host_counters c = {.known = {false}};

        if (parse_text(cases[i].file, cases[i].text, &c) != cases[i].malformed ||
            count_known(&c) != cases[i].known)
            fail_msg("%s", cases[i].text);
    }
}

static void the_largest_number_fits(void **state)
{
    struct host_counters c = {.known = {false}};

    (void)state;
    assert_int_equal(parse_text(PROC_SNMP6, "Udp6NoPorts 18446744073709551615\n", &c), 0);
    assert_counter(&c, HOST_UDP_NO_PORTS_IPV6, UINT64_MAX);
}

static void a_nul_is_a_byte_like_others(void **state)
{
    static const char text[] = "TCP:\0 tw 1\nTCP: tw\0x 2 orphan 3\n";
    struct host_counters c = {.known = {false}};

    (void)state;
    assert_int_equal(parse(PROC_SOCKSTAT, text, sizeof text - 1, &c), 0);
    assert_counter(&c, HOST_TCP_ORPHANS, 3);
    assert_int_equal(count_known(&c), 1);
}

/* Whatever is changed in a file, nothing but numbers comes out of it. */
static void any_bytes_are_survived(void **state)
{
    static const char bytes[] = "\n :-09xT\0\xff";
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < SEEDS; i++) {
        enum proc_counters_file file = (enum proc_counters_file)(i % PROC_COUNTERS_FILE_COUNT);
        struct host_counters c = {.known = {false}};
        size_t length = strlen(files[file]);
        char *text = strdup(files[file]);

        assert_non_null(text);
        for (uint32_t changes = 1 + next_random(&seed) % 4; changes > 0; changes--)
            text[next_random(&seed) % length] = bytes[next_random(&seed) % (sizeof bytes - 1)];
        (void)parse(file, text, length, &c);
        for (int k = 0; k < HOST_COUNTER_COUNT; k++)
            assert_true(c.known[k] || c.values[k] == 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counter_is_found_in_its_file),
        cmocka_unit_test(a_file_says_nothing_of_the_others),
        cmocka_unit_test(what_a_file_tells_no_more_is_forgotten),
        cmocka_unit_test(a_file_is_cut_at_every_length),
        cmocka_unit_test(the_order_does_not_matter),
        cmocka_unit_test(only_the_whole_name_counts),
        cmocka_unit_test(what_makes_no_sense_is_counted_and_unknown),
        cmocka_unit_test(the_largest_number_fits),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(any_bytes_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
