#include "collectors/netlink_parse.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

enum { BYTES_MAX = 256 };

static void put_length(uint8_t *bytes, size_t at, uint32_t length)
{
    memcpy(bytes + at, &length, sizeof length);
}

/* Walks a copy that has not one byte more than it should, so that a sanitizer
 * sees every read beyond it. Returns how many messages there are. */
static size_t walk(const uint8_t *bytes, size_t length, size_t *ret_left)
{
    void *copy = malloc(length > 0 ? length : 1);
    struct netlink_bytes rest = {copy, length};
    const struct nlmsghdr *msg;
    size_t count = 0;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    while ((msg = netlink_next(&rest))) {
        size_t offset = (size_t)((const char *)msg - (const char *)copy);

        count++;
        assert_int_equal(offset % NLMSG_ALIGNTO, 0);
        assert_in_range(msg->nlmsg_len, sizeof *msg, length - offset);
        assert_in_range(rest.left, 0, length - offset - msg->nlmsg_len);
    }
    assert_null(netlink_next(&rest)); /* and stays there */
    *ret_left = rest.left;
    free(copy);
    return count;
}

static void messages_come_one_after_the_other(void **state)
{
    uint8_t bytes[BYTES_MAX] = {0};
    size_t left;

    (void)state;
    put_length(bytes, 0, 16);
    put_length(bytes, 16, 21); /* filled up to 24 */
    put_length(bytes, 40, 20);
    assert_int_equal(walk(bytes, 60, &left), 3);
    assert_int_equal(left, 0);
    assert_int_equal(walk(bytes, 0, &left), 0);
    assert_int_equal(left, 0);
}

static void the_last_need_not_be_filled_up(void **state)
{
    uint8_t bytes[BYTES_MAX] = {0};
    size_t left;

    (void)state;
    put_length(bytes, 0, 16);
    put_length(bytes, 16, 21);
    for (size_t length = 16 + 21; length <= 16 + 24; length++) {
        assert_int_equal(walk(bytes, length, &left), 2);
        assert_int_equal(left, 0);
    }
}

static void one_that_is_cut_is_left(void **state)
{
    uint8_t bytes[BYTES_MAX] = {0};

    (void)state;
    put_length(bytes, 0, 24);
    put_length(bytes, 24, 40);
    for (size_t length = 0; length < 64; length++) {
        size_t left, whole = length >= 24;

        assert_int_equal(walk(bytes, length, &left), whole);
        assert_int_equal(left, length - 24 * whole);
    }
}

/* Of those that are not in the bytes none is found, however its length would
 * wrap. */
static void one_of_an_impossible_length_is_left(void **state)
{
    static const uint32_t lengths[] = {0,          1,          15,         65,
                                       0x7fffffff, 0x80000000, 0x80000001, 0x80000010,
                                       0xfffffff0, 0xfffffffc, 0xfffffffd, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        uint8_t bytes[BYTES_MAX] = {0};
        size_t left;

        put_length(bytes, 0, lengths[i]);
        assert_int_equal(walk(bytes, 64, &left), 0);
        assert_int_equal(left, 64);
        put_length(bytes, 0, 16);
        put_length(bytes, 16, lengths[i]);
        assert_int_equal(walk(bytes, 16 + 64, &left), 1);
        assert_int_equal(left, 64);
    }
}

static void random_bytes_are_walked_over_to_an_end(void **state)
{
    uint32_t seed = 20260101;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[BYTES_MAX];
        size_t length = next_random(&seed) % sizeof bytes, left;

        for (size_t k = 0; k < length; k++)
            bytes[k] = (uint8_t)next_random(&seed);
        for (size_t k = 0; k + 4 <= length; k += 4)
            if (next_random(&seed) % 2)
                put_length(bytes, k, next_random(&seed) % 48);
        (void)walk(bytes, length, &left); /* which checks each message */
        assert_in_range(left, 0, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_one_after_the_other),
        cmocka_unit_test(the_last_need_not_be_filled_up),
        cmocka_unit_test(one_that_is_cut_is_left),
        cmocka_unit_test(one_of_an_impossible_length_is_left),
        cmocka_unit_test(random_bytes_are_walked_over_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
