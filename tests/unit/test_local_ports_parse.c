#include "collectors/local_ports_parse.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static void a_range_is_two_ports(void **state)
{
    static const struct {
        const char *text;
        struct port_range range;
    } ranges[] = {
        {"32768\t60999\n", {32768, 60999}},
        {"40000\t40000\n", {40000, 40000}},
        {"1\t65535\n", {1, 65535}},
        {"40000 40063", {40000, 40063}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        struct port_range range = {0, 0};

        assert_int_equal(local_ports_parse_range(ranges[i].text, &range), 0);
        assert_int_equal(range.first, ranges[i].range.first);
        assert_int_equal(range.last, ranges[i].range.last);
    }
}

static void anything_else_is_no_range(void **state)
{
    static const char *const texts[] = {"", "\n", "40000", "40063 40000", "0 5", "1 65536", "a b", "-1 -1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct port_range range = {7, 8};

        assert_int_equal(local_ports_parse_range(texts[i], &range), -EBADMSG);
        assert_int_equal(range.first, 7);
        assert_int_equal(range.last, 8);
    }
}

/* How many ports are left of 40000-40063. */
static uint32_t left_by(const char *reserved)
{
    char *text = strdup(reserved); /* as long as it is */
    struct port_set set = {{0}};

    assert_non_null(text);
    for (uint16_t port = 40000; port <= 40063; port++)
        port_set_put(&set, port);
    assert_int_equal(local_ports_parse_reserved(text, &set), 0);
    free(text);
    return port_set_count(&set);
}

static void reserved_ports_are_taken_out(void **state)
{
    (void)state;
    assert_int_equal(left_by("\n"), 64);
    assert_int_equal(left_by(""), 64);
    assert_int_equal(left_by("40000\n"), 63);
    assert_int_equal(left_by("80,40000,40010-40019,50000-60000\n"), 53);
    assert_int_equal(left_by("39000-40000,40063-41000\n"), 62);
    assert_int_equal(left_by("1-65535\n"), 0);
}

/* As the kernel writes the longest list that there is. */
static void every_second_port_may_be_reserved(void **state)
{
    size_t size = 32768 * 6 + 2, length = 0;
    char *text = malloc(size);
    struct port_set set;

    (void)state;
    assert_non_null(text);
    for (unsigned port = 1; port < 65536; port += 2)
        length += (size_t)snprintf(text + length, size - length, "%s%u", port > 1 ? "," : "", port);
    assert_true(length < 256 << 10);
    memset(&set, 0xff, sizeof set);
    assert_int_equal(local_ports_parse_reserved(text, &set), 0);
    assert_int_equal(port_set_count(&set), 32768);
    assert_true(port_set_has(&set, 40000));
    assert_false(port_set_has(&set, 40001));
    free(text);
}

static void anything_else_reserves_nothing_that_is_believed(void **state)
{
    static const char *const texts[] = {"x", "1,", "1-", "70000", "5-1", "1;2", ",1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct port_set set = {{0}};
        char text[16];

        (void)snprintf(text, sizeof text, "%s", texts[i]);
        assert_int_equal(local_ports_parse_reserved(text, &set), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_two_ports),
        cmocka_unit_test(anything_else_is_no_range),
        cmocka_unit_test(reserved_ports_are_taken_out),
        cmocka_unit_test(every_second_port_may_be_reserved),
        cmocka_unit_test(anything_else_reserves_nothing_that_is_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
