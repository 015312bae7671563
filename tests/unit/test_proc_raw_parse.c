#include "collectors/proc_raw_parse.h"
#include "tests/unit/fixtures/proc_raw.h"
#include "tests/unit/fixtures/proc_raw_drops.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>

/* What each captured line is about, in the order of the file. */
struct expected {
    const char *address;
    uint16_t protocol;
    uint8_t state;
    uint32_t uid;
    uint64_t inode;
    uint32_t drops;
};

static const struct expected raw[] = {
    {"127.0.0.1", IPPROTO_ICMP, STATE_CLOSE, 65534, 11493, 0},
    {"0.0.0.0", IPPROTO_ICMP, STATE_CLOSE, 0, 11492, 0},
    {"0.0.0.0", IPPROTO_RAW, STATE_CLOSE, 0, 11494, 0},
    {"127.0.0.1", IPPROTO_GRE, STATE_ESTABLISHED, 0, 11499, 0},
    {"0.0.0.0", 89, STATE_CLOSE, 0, 11495, 0},
};

static const struct expected raw6[] = {
    {"::", IPPROTO_RAW, STATE_CLOSE, 0, 11498, 0},
    {"2001:db8::12:3456", 89, STATE_CLOSE, 0, 11500, 0},
    {"::1", IPPROTO_ICMPV6, STATE_CLOSE, 65534, 11497, 0},
    {"::", IPPROTO_ICMPV6, STATE_CLOSE, 0, 11496, 0},
};

static const struct expected raw_drops[] = {{"127.0.0.1", IPPROTO_ICMP, STATE_CLOSE, 0, 4927921, 27}};
static const struct expected raw6_drops[] = {{"::", 89, STATE_CLOSE, 0, 4927922, 27}};

_Static_assert(ARRAY_LENGTH(raw) == ARRAY_LENGTH(proc_raw_lines), "one expectation a line");
_Static_assert(ARRAY_LENGTH(raw6) == ARRAY_LENGTH(proc_raw6_lines), "one expectation a line");
_Static_assert(ARRAY_LENGTH(raw_drops) == ARRAY_LENGTH(proc_raw_drops_lines), "one expectation a line");
_Static_assert(ARRAY_LENGTH(raw6_drops) == ARRAY_LENGTH(proc_raw6_drops_lines), "one expectation a line");

static const struct file {
    uint8_t version;
    const char *heading;
    const char *const *lines;
    const struct expected *expected;
    size_t count;
} files[] = {
    {4, proc_raw_heading, proc_raw_lines, raw, ARRAY_LENGTH(raw)},
    {6, proc_raw6_heading, proc_raw6_lines, raw6, ARRAY_LENGTH(raw6)},
    {4, proc_raw_heading, proc_raw_drops_lines, raw_drops, ARRAY_LENGTH(raw_drops)},
    {6, proc_raw6_heading, proc_raw6_drops_lines, raw6_drops, ARRAY_LENGTH(raw6_drops)},
};

/* Parses the first length bytes of a line, in a copy that has not one byte
 * more than it should. */
static int parse_cut(const char *line, size_t length, uint8_t version, struct proc_raw_row *ret_row)
{
    char *copy = malloc(length + 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, line, length);
    copy[length] = '\0';
    r = proc_raw_parse_line(copy, version, ret_row);
    free(copy);
    return r;
}

static void assert_row(const struct proc_raw_row *row, const struct expected *expected, uint8_t version,
                       uint64_t inode)
{
    struct ip_addr address = {.version = version};

    assert_int_equal(inet_pton(version == 4 ? AF_INET : AF_INET6, expected->address, address.bytes), 1);
    assert_int_equal(row->address.version, version);
    assert_memory_equal(row->address.bytes, address.bytes, sizeof address.bytes);
    assert_int_equal(row->protocol, expected->protocol);
    assert_int_equal(row->state, expected->state);
    assert_int_equal(row->uid, expected->uid);
    assert_int_equal(row->inode, inode);
}

static void each_line_yields_its_socket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        for (size_t k = 0; k < files[i].count; k++) {
            struct proc_raw_row row;

            assert_int_equal(proc_raw_parse_line(files[i].lines[k], files[i].version, &row), 0);
            assert_row(&row, &files[i].expected[k], files[i].version, files[i].expected[k].inode);
            assert_true(row.drops.known);
            assert_int_equal(row.drops.count, files[i].expected[k].drops);
        }
    }
}

static void the_heading_is_no_socket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        struct proc_raw_row row;

        for (size_t cut = 0; cut <= strlen(files[i].heading); cut++)
            assert_int_equal(parse_cut(files[i].heading, cut, files[i].version, &row), -EBADMSG);
    }
}

/* Nothing tells a cut inode from a shorter one; all before it must be whole. */
static void a_cut_line_is_refused_up_to_its_inode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        for (size_t k = 0; k < files[i].count; k++) {
            const struct expected *expected = &files[i].expected[k];
            const char *line = files[i].lines[k];
            char inode[24];
            size_t begin, digits;

            digits = (size_t)snprintf(inode, sizeof inode, "%" PRIu64, expected->inode);
            assert_non_null(strstr(line, inode));
            begin = (size_t)(strstr(line, inode) - line);
            for (size_t cut = 0; cut < strlen(line); cut++) {
                size_t left = cut <= begin ? 0 : cut - begin < digits ? cut - begin : digits;
                struct proc_raw_row row;
                int r = parse_cut(line, cut, files[i].version, &row);

                assert_int_equal(r, left > 0 ? 0 : -EBADMSG);
                inode[left] = '\0';
                if (r == 0)
                    assert_row(&row, expected, files[i].version, strtoull(inode, NULL, 10));
                (void)snprintf(inode, sizeof inode, "%" PRIu64, expected->inode);
            }
        }
    }
}

/* Nor does anything tell cut drops from fewer; but none are not 0. */
static void a_cut_line_has_drops_from_the_first_digit_of_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        for (size_t k = 0; k < files[i].count; k++) {
            const char *line = files[i].lines[k];
            size_t begin = (size_t)(strrchr(line, ' ') + 1 - line);

            for (size_t cut = 0; cut <= strlen(line); cut++) {
                char digits[16] = "";
                struct proc_raw_row row;

                if (parse_cut(line, cut, files[i].version, &row) < 0)
                    continue;
                if (cut > begin)
                    memcpy(digits, line + begin, cut - begin);
                assert_int_equal(row.drops.known, cut > begin);
                assert_int_equal(row.drops.count, strtoul(digits, NULL, 10));
            }
        }
    }
}

static void drops_that_are_no_number_are_none(void **state)
{
    static const char *const ends[] = {"", " ", " 2", " 2 0", " 2 0 ", " 2 0 x", " x 0 1", " 2 0 \n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        struct proc_raw_row row;
        char line[256];

        (void)snprintf(
            line, sizeof line,
            "83: 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 11493%s", ends[i]);
        assert_int_equal(parse_cut(line, strlen(line), 4, &row), 0);
        assert_int_equal(row.inode, 11493);
        assert_false(row.drops.known);
        assert_int_equal(row.drops.count, 0);
    }
}

static void a_line_of_the_other_ip_version_is_refused(void **state)
{
    struct proc_raw_row row;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(raw); i++)
        assert_int_equal(proc_raw_parse_line(proc_raw_lines[i], 6, &row), -EBADMSG);
    for (size_t i = 0; i < ARRAY_LENGTH(raw6); i++)
        assert_int_equal(proc_raw_parse_line(proc_raw6_lines[i], 4, &row), -EBADMSG);
}

static void the_largest_numbers_fit(void **state)
{
    struct proc_raw_row row;

    (void)state;
    assert_int_equal(
        proc_raw_parse_line("65535: FFFFFFFF:FFFF FFFFFFFF:FFFF FF FFFFFFFF:FFFFFFFF FF:FFFFFFFF "
                            "FFFFFFFF 4294967295 2147483647 18446744073709551615 2 0 4294967295",
                            4, &row),
        0);
    assert_int_equal(row.protocol, UINT16_MAX);
    assert_int_equal(row.state, UINT8_MAX);
    assert_int_equal(row.uid, UINT32_MAX);
    assert_int_equal(row.inode, UINT64_MAX);
    assert_true(row.drops.known);
    assert_int_equal(row.drops.count, UINT32_MAX);
}

static void garbage_is_refused_and_leaves_the_row_alone(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "\n",
        "garbage",
        "83",
        "83:",
        ": 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 00100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007G:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007F 0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007F:10001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007F:0001 00000000:0000 zz 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0",
        "83: 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 root 0 1 2 0 0",
        "83: 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 inode 2 0 0",
        "83: FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:0001",
        "\xff\xfe\x80",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct proc_raw_row row = {.protocol = 42, .inode = 43};

        for (uint8_t version = 4; version <= 6; version += 2)
            assert_int_equal(parse_cut(lines[i], strlen(lines[i]), version, &row), -EBADMSG);
        assert_int_equal(row.protocol, 42);
        assert_int_equal(row.inode, 43);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_yields_its_socket),
        cmocka_unit_test(the_heading_is_no_socket),
        cmocka_unit_test(a_cut_line_is_refused_up_to_its_inode),
        cmocka_unit_test(a_cut_line_has_drops_from_the_first_digit_of_them),
        cmocka_unit_test(drops_that_are_no_number_are_none),
        cmocka_unit_test(a_line_of_the_other_ip_version_is_refused),
        cmocka_unit_test(the_largest_numbers_fit),
        cmocka_unit_test(garbage_is_refused_and_leaves_the_row_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
