#include "collectors/route_parse.h"
#include "core/err.h"
#include "tests/unit/fixtures/routes.h"
#include "tests/unit/unit.h"

#include <linux/netlink.h>

#define FIXTURE(name, result)     \
    {                             \
        name, sizeof name, result \
    }

static const struct {
    const uint8_t *bytes;
    size_t length;
    int result;
} fixtures[] = {
    FIXTURE(route_local4, 1),     FIXTURE(route_unicast4, 0), FIXTURE(route_none4, 0),
    FIXTURE(route_broadcast4, 1), FIXTURE(route_local6, 1),   FIXTURE(route_none6, 0),
};

/* A copy of exactly this size, so that a sanitizer sees any byte read beyond. */
static int parse_cut(const uint8_t *bytes, size_t length, uint32_t sequence)
{
    void *copy = malloc(length ? length : 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    r = route_parse(copy, length, sequence);
    free(copy);
    return r;
}

static void tells_what_is_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++)
        assert_int_equal(parse_cut(fixtures[i].bytes, fixtures[i].length, ROUTES_SEQUENCE),
                         fixtures[i].result);
}

static void refuses_answers_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++)
        for (size_t length = 0; length < fixtures[i].length; length++)
            assert_int_equal(parse_cut(fixtures[i].bytes, length, ROUTES_SEQUENCE), -EBADMSG);
}

static void refuses_answers_of_an_impossible_length(void **state)
{
    static const uint32_t lengths[] = {0, 15, 0x7fffffff, 0x80000000, 0x80000010, 0xfffffff0, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(lengths); k++) {
            uint8_t bytes[512];

            assert_in_range(fixtures[i].length, NLMSG_HDRLEN, sizeof bytes);
            memcpy(bytes, fixtures[i].bytes, fixtures[i].length);
            memcpy(bytes, &lengths[k], sizeof lengths[k]);
            assert_int_equal(parse_cut(bytes, fixtures[i].length, ROUTES_SEQUENCE), -EBADMSG);
        }
}

static void refuses_the_answer_to_another_request(void **state)
{
    (void)state;
    assert_int_equal(parse_cut(route_local4, sizeof route_local4, ROUTES_SEQUENCE + 1), ERR_SEQUENCE);
}

static void refuses_other_messages(void **state)
{
    struct nlmsghdr message = {.nlmsg_len = sizeof message, .nlmsg_type = NLMSG_DONE, .nlmsg_seq = 1};

    (void)state;
    assert_int_equal(route_parse(&message, sizeof message, 1), -EBADMSG);
    message.nlmsg_type = NLMSG_ERROR; /* without the error itself */
    assert_int_equal(route_parse(&message, sizeof message, 1), -EBADMSG);
}

static void hands_on_errors_that_tell_nothing(void **state)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } message = {.header = {.nlmsg_len = sizeof message, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 1}};

    (void)state;
    message.error.error = -EPERM;
    assert_int_equal(route_parse(&message, sizeof message, 1), -EPERM);
    message.error.error = 0;
    assert_int_equal(route_parse(&message, sizeof message, 1), -EBADMSG);
    message.error.error = -EHOSTUNREACH;
    assert_int_equal(route_parse(&message, sizeof message, 1), 0);
}

static void writes_requests(void **state)
{
    struct ip_addr address;
    _Alignas(struct nlmsghdr) char bytes[ROUTE_REQUEST_MAX];

    (void)state;
    assert_int_equal(ip_addr_parse("192.0.2.1", &address), 0);
    assert_int_equal(route_request(&address, 0, ROUTES_SEQUENCE, bytes), sizeof route_request_local4);
    assert_memory_equal(bytes, route_request_local4, sizeof route_request_local4);
    assert_int_equal(ip_addr_parse("2001:db8::1", &address), 0);
    assert_int_equal(route_request(&address, 0, ROUTES_SEQUENCE, bytes), sizeof route_request_local6);
    assert_memory_equal(bytes, route_request_local6, sizeof route_request_local6);
    assert_int_equal(route_request(&address, 3, ROUTES_SEQUENCE, bytes), sizeof route_request_local6 + 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_ours),
        cmocka_unit_test(refuses_answers_cut_anywhere),
        cmocka_unit_test(refuses_answers_of_an_impossible_length),
        cmocka_unit_test(refuses_the_answer_to_another_request),
        cmocka_unit_test(refuses_other_messages),
        cmocka_unit_test(hands_on_errors_that_tell_nothing),
        cmocka_unit_test(writes_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
