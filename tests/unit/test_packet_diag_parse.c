#include "collectors/packet_diag_parse.h"
#include "collectors/inet_diag_parse.h"
#include "tests/unit/fixtures/packet_diag.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

enum { ROWS_MAX = 4, SEQUENCE = 1, PORT_ID = 22073, MESSAGE = 108 };

struct rows {
    struct packet_diag_row items[ROWS_MAX];
    size_t count;
};

static int take_row(void *arg, const struct nlmsghdr *msg)
{
    struct rows *rows = arg;
    int r;

    assert_in_range(rows->count, 0, ROWS_MAX - 1);
    r = packet_diag_parse(msg, &rows->items[rows->count]);
    rows->count += r == 0;
    return r;
}

/* Walks the first bytes of the fixture in a copy that is exactly as long. */
static int walk_cut(size_t length, struct rows *ret_rows)
{
    uint8_t *copy = malloc(length + !length);
    uint64_t malformed = 0;
    int r;

    assert_non_null(copy);
    memcpy(copy, packet_diag, length);
    *ret_rows = (struct rows){.count = 0};
    r = inet_diag_walk(copy, length, SEQUENCE, PORT_ID, take_row, ret_rows, &malformed);
    free(copy);
    return r;
}

static void asks_for_what_sockets_see_and_drop(void **state)
{
    char bytes[PACKET_DIAG_REQUEST_MAX];
    struct packet_diag_req request;
    struct nlmsghdr header;

    (void)state;
    assert_int_equal(packet_diag_request(7, bytes), NLMSG_HDRLEN + sizeof request);
    memcpy(&header, bytes, sizeof header);
    memcpy(&request, bytes + NLMSG_HDRLEN, sizeof request);
    assert_int_equal(header.nlmsg_len, NLMSG_HDRLEN + sizeof request);
    assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(header.nlmsg_seq, 7);
    assert_int_equal(request.sdiag_family, AF_PACKET);
    assert_int_equal(request.pdiag_show, PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO);
}

static void what_the_kernel_answers_is_read(void **state)
{
    static const struct {
        uint16_t ethertype;
        uint32_t ifindex;
    } wanted[] = {{3, 0}, {0x0806, 1}, {0, 0}};
    struct rows rows;

    (void)state;
    assert_int_equal(walk_cut(sizeof packet_diag, &rows), 0);
    assert_int_equal(rows.count, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        assert_int_equal(rows.items[i].ethertype, wanted[i].ethertype);
        assert_int_equal(rows.items[i].ifindex, wanted[i].ifindex);
        assert_int_equal(rows.items[i].inode, 0x17b18761 + i);
        assert_int_equal(rows.items[i].cookie, 0x3b72a2b + i);
        assert_true(rows.items[i].uid.known && rows.items[i].uid.number == 0);
        assert_true(rows.items[i].drops.known && rows.items[i].drops.count == 0);
    }
}

static void a_cut_answer_is_never_complete(void **state)
{
    struct rows rows;

    (void)state;
    for (size_t cut = 0; cut < sizeof packet_diag; cut++) {
        assert_true(walk_cut(cut, &rows) != 0);
        assert_int_equal(rows.count, cut / MESSAGE);
    }
}

/* A message that ends anywhere has what lies before, or is malformed. */
static void a_message_is_read_as_far_as_it_goes(void **state)
{
    struct packet_diag_row row;

    (void)state;
    for (uint32_t length = NLMSG_HDRLEN; length <= MESSAGE; length++) {
        struct nlmsghdr *copy = malloc(length);
        int r;

        assert_non_null(copy);
        memcpy(copy, packet_diag + MESSAGE, length);
        copy->nlmsg_len = length;
        r = packet_diag_parse(copy, &row);
        assert_int_equal(r, length < NLMSG_HDRLEN + sizeof(struct packet_diag_msg) ? -EBADMSG : 0);
        assert_true(r < 0 || row.ifindex == (length >= 60));
        assert_true(r < 0 || row.uid.known == (length >= 68));
        assert_true(r < 0 || row.drops.known == (length >= MESSAGE));
        free(copy);
    }
}

static void another_family_is_malformed(void **state)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[MESSAGE];
    struct packet_diag_row row;

    (void)state;
    memcpy(bytes, packet_diag, sizeof bytes);
    bytes[NLMSG_HDRLEN] = AF_UNIX;
    assert_int_equal(packet_diag_parse((const struct nlmsghdr *)(const void *)bytes, &row), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_what_sockets_see_and_drop),
        cmocka_unit_test(what_the_kernel_answers_is_read),
        cmocka_unit_test(a_cut_answer_is_never_complete),
        cmocka_unit_test(a_message_is_read_as_far_as_it_goes),
        cmocka_unit_test(another_family_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
