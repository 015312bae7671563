#include "collectors/unix_diag_parse.h"
#include "collectors/inet_diag_parse.h"
#include "tests/unit/fixtures/unix_diag_listen.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

enum { ROWS_MAX = 4, SEQUENCE = 1, PORT_ID = 3582 };

struct rows {
    struct unix_diag_row items[ROWS_MAX];
    size_t count;
};

static int take_row(void *arg, const struct nlmsghdr *msg)
{
    struct rows *rows = arg;
    int r;

    assert_in_range(rows->count, 0, ROWS_MAX - 1);
    r = unix_diag_parse(msg, &rows->items[rows->count]);
    rows->count += r == 0;
    return r;
}

/* Walks the first bytes of a fixture in a copy that is exactly as long. */
static int walk_cut(const uint8_t *bytes, size_t length, struct rows *ret_rows)
{
    uint8_t *copy = malloc(length + !length);
    uint64_t malformed = 0;
    int r;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    *ret_rows = (struct rows){.count = 0};
    r = inet_diag_walk(copy, length, SEQUENCE, PORT_ID, take_row, ret_rows, &malformed);
    free(copy);
    return r;
}

static void asks_for_the_names_and_queues_of_listeners(void **state)
{
    char bytes[UNIX_DIAG_REQUEST_MAX];
    struct unix_diag_req request;
    struct nlmsghdr header;

    (void)state;
    assert_int_equal(unix_diag_request(1u << 10, 7, bytes), NLMSG_HDRLEN + sizeof request);
    memcpy(&header, bytes, sizeof header);
    memcpy(&request, bytes + NLMSG_HDRLEN, sizeof request);
    assert_int_equal(header.nlmsg_len, NLMSG_HDRLEN + sizeof request);
    assert_int_equal(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
    assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(header.nlmsg_seq, 7);
    assert_int_equal(request.sdiag_family, AF_UNIX);
    assert_int_equal(request.udiag_states, 1u << 10);
    assert_int_equal(request.udiag_show,
                     UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID);
}

static void what_the_kernel_answers_is_read(void **state)
{
    struct rows rows;

    (void)state;
    assert_int_equal(walk_cut(unix_diag_listen, sizeof unix_diag_listen, &rows), 0);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.items[0].path, "/tmp/cap-u.sock");
    assert_int_equal(rows.items[0].inode, 0x17b01b48);
    assert_int_equal(rows.items[0].cookie, 0x3b6bb70);
    assert_true(rows.items[0].uid.known && rows.items[0].uid.number == 0);
    assert_true(rows.items[0].queue.known);
    assert_int_equal(rows.items[0].queue.length, 0);
    assert_int_equal(rows.items[0].queue.limit, 7);
    assert_true(rows.items[0].file.known);
    assert_int_equal(rows.items[0].file.is.inode, 10953144);
    assert_int_equal(rows.items[0].file.is.device, 254 << 20);
    assert_string_equal(rows.items[1].path, "@cap\\x00x");
    assert_int_equal(rows.items[1].queue.length, 1);
    assert_int_equal(rows.items[1].queue.limit, 3);
    assert_false(rows.items[1].file.known);
}

static void a_cut_answer_is_never_complete(void **state)
{
    struct rows rows;

    (void)state;
    for (size_t cut = 0; cut < sizeof unix_diag_listen; cut++) {
        assert_true(walk_cut(unix_diag_listen, cut, &rows) != 0);
        assert_int_equal(rows.count, (cut >= 92) + (cut >= 164));
    }
}

/* A message that ends anywhere has what lies before, or is malformed. */
static void a_message_is_read_as_far_as_it_goes(void **state)
{
    struct unix_diag_row row;

    (void)state;
    for (uint32_t length = NLMSG_HDRLEN; length <= 92; length++) {
        struct nlmsghdr *copy = malloc(length);
        int r;

        assert_non_null(copy);
        memcpy(copy, unix_diag_listen, length);
        copy->nlmsg_len = length;
        r = unix_diag_parse(copy, &row);
        assert_int_equal(r, length < 52 ? -EBADMSG : 0); /* without a name */
        if (r == 0)
            assert_string_equal(row.path, "/tmp/cap-u.sock");
        assert_true(r < 0 || row.queue.known == (length >= 76));
        assert_true(r < 0 || row.uid.known == (length >= 92));
        free(copy);
    }
}

static void attributes_of_the_wrong_length_count_as_absent(void **state)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[92];
    struct unix_diag_row row;

    (void)state;
    memcpy(bytes, unix_diag_listen, sizeof bytes);
    bytes[52] = 8; /* the file's */
    bytes[60] = 4; /* what was its second half is an attribute of nothing then */
    bytes[61] = bytes[63] = 0;
    bytes[62] = bytes[74] = UNIX_DIAG_MEMINFO;
    bytes[64] = 8; /* the queue's, likewise */
    bytes[72] = 4;
    assert_int_equal(unix_diag_parse((const struct nlmsghdr *)(const void *)bytes, &row), 0);
    assert_false(row.file.known);
    assert_false(row.queue.known);
    assert_true(row.uid.known);
}

static void another_family_is_malformed(void **state)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[92];
    struct unix_diag_row row;

    (void)state;
    memcpy(bytes, unix_diag_listen, sizeof bytes);
    bytes[NLMSG_HDRLEN] = AF_INET;
    assert_int_equal(unix_diag_parse((const struct nlmsghdr *)(const void *)bytes, &row), -EBADMSG);
    bytes[NLMSG_HDRLEN] = AF_UNIX;
    bytes[4] = 19;
    assert_int_equal(unix_diag_parse((const struct nlmsghdr *)(const void *)bytes, &row), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_the_names_and_queues_of_listeners),
        cmocka_unit_test(what_the_kernel_answers_is_read),
        cmocka_unit_test(a_cut_answer_is_never_complete),
        cmocka_unit_test(a_message_is_read_as_far_as_it_goes),
        cmocka_unit_test(attributes_of_the_wrong_length_count_as_absent),
        cmocka_unit_test(another_family_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
