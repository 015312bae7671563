#include "core/conn_row.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 64 };

/* In the order of ports. */
struct rows {
    struct {
        uint16_t port;
        uint32_t sum;
    } items[ROWS_MAX];
    size_t count;
};

/* "80:3 443:1": sockets of ports, in their order. */
static struct rows rows_of(const char *text)
{
    struct rows rows = {.count = 0};
    unsigned port, count;
    int length;

    for (; sscanf(text, " %u:%u%n", &port, &count, &length) == 2; text += length) {
        rows.items[rows.count].port = (uint16_t)port;
        rows.items[rows.count++].sum = count;
    }
    return rows;
}

/* Returns how many are chosen. */
static size_t choose(const struct rows *rows, const struct conn_choice *choice, struct port_set *ret)
{
    static uint32_t sums[UINT16_MAX + 1];
    struct port_set ports = {{0}};

    for (size_t i = 0; i < rows->count; i++) {
        port_set_put(&ports, rows->items[i].port);
        sums[rows->items[i].port] = rows->items[i].sum;
    }
    return conn_choose(sums, &ports, PROTOCOL_TCP, choice, ret);
}

static void assert_chosen(const char *from, const struct conn_choice *choice, const char *wanted)
{
    const struct rows rows = rows_of(from);
    struct port_set chosen;
    size_t count = choose(&rows, choice, &chosen), length = 0, found = 0;
    char text[1024] = "";

    for (size_t i = 0; i < rows.count; i++) {
        if (!port_set_has(&chosen, rows.items[i].port))
            continue;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%u", found++ > 0 ? " " : "",
                                   rows.items[i].port);
    }
    assert_string_equal(text, wanted);
    assert_int_equal(count, found);
}

static void the_busiest_are_told_in_the_order_of_ports(void **state)
{
    (void)state;
    assert_chosen("80:1 443:9 3306:5 5432:7", &(struct conn_choice){.top = 2}, "443 5432");
    assert_chosen("80:1 443:9", &(struct conn_choice){.top = 5}, "80 443");
    assert_chosen("80:1 443:9", &(struct conn_choice){.top = 0}, "");
    assert_chosen("", &(struct conn_choice){.top = 5}, "");
}

static void of_those_that_are_equally_busy_the_first_are_told(void **state)
{
    (void)state;
    assert_chosen("1:2 2:2 3:2 4:2", &(struct conn_choice){.top = 2}, "1 2");
    assert_chosen("1:2 2:2 3:9 4:2 5:2", &(struct conn_choice){.top = 3}, "1 2 3");
}

static void ports_that_are_asked_for_do_not_take_the_room_of_the_busiest(void **state)
{
    static const uint16_t ports[] = {3306, 9};

    (void)state;
    assert_chosen("9:0 80:1 443:9 3306:5", &(struct conn_choice){.ports = ports, .port_count = 2, .top = 1},
                  "9 443 3306");
}

static bool asks_for_odd(const void *arg, enum protocol protocol, uint16_t port)
{
    assert_string_equal(arg, "arg");
    assert_int_equal(protocol, PROTOCOL_TCP);
    return port % 2 == 1;
}

static void whoever_asks_is_asked(void **state)
{
    (void)state;
    assert_chosen("1:1 2:2 3:3 4:4", &(struct conn_choice){.asks = asks_for_odd, .arg = "arg"}, "1 3");
}

static void no_port_is_never_told_as_one(void **state)
{
    (void)state;
    assert_chosen("0:50 80:1", &(struct conn_choice){.top = 5}, "80");
}

static uint32_t seed = 20261122;

static uint32_t below(uint32_t limit)
{
    return next_random(&seed) % limit;
}

static struct rows random_rows(void)
{
    struct rows rows = {.count = below(ROWS_MAX)};
    uint16_t port = 0;

    for (size_t i = 0; i < rows.count; i++) {
        port = (uint16_t)(port + below(4) + (i > 0));
        rows.items[i].port = port;
        rows.items[i].sum = below(9);
    }
    return rows;
}

/* Nobody who is left out is busier than who is told. */
static void the_busiest_of_any_are_told(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        const struct conn_choice choice = {.top = below(20)};
        const struct rows rows = random_rows();
        struct port_set chosen;
        size_t count = choose(&rows, &choice, &chosen), found = 0, numbered = 0;
        uint64_t least = UINT64_MAX, most = 0;

        for (size_t i = 0; i < rows.count; i++) {
            uint32_t sum = rows.items[i].sum;
            bool told = port_set_has(&chosen, rows.items[i].port);

            numbered += rows.items[i].port != 0;
            found += told;
            least = told && sum < least ? sum : least;
            most = !told && rows.items[i].port != 0 && sum > most ? sum : most;
        }
        assert_int_equal(count, found);
        assert_int_equal(count, numbered < choice.top ? numbered : choice.top);
        assert_true(choice.top == 0 || most <= least);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_busiest_are_told_in_the_order_of_ports),
        cmocka_unit_test(of_those_that_are_equally_busy_the_first_are_told),
        cmocka_unit_test(ports_that_are_asked_for_do_not_take_the_room_of_the_busiest),
        cmocka_unit_test(whoever_asks_is_asked),
        cmocka_unit_test(no_port_is_never_told_as_one),
        cmocka_unit_test(the_busiest_of_any_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
