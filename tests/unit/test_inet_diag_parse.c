#include "collectors/inet_diag_parse.h"
#include "core/err.h"
#include "tests/unit/fixtures/inet_diag_missing.h"
#include "tests/unit/fixtures/inet_diag_tcp4_established.h"
#include "tests/unit/fixtures/inet_diag_tcp4_listen.h"
#include "tests/unit/fixtures/inet_diag_tcp4_memory.h"
#include "tests/unit/fixtures/inet_diag_tcp6_established.h"
#include "tests/unit/fixtures/inet_diag_tcp6_listen.h"
#include "tests/unit/fixtures/inet_diag_udp4.h"
#include "tests/unit/fixtures/inet_diag_udp4_auto.h"
#include "tests/unit/fixtures/inet_diag_udp4_memory.h"
#include "tests/unit/fixtures/inet_diag_udp6.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#define ROWS_MAX     8
#define ROOT_CGROUP  1
#define ROW_HEAD     (NLMSG_HDRLEN + sizeof(struct inet_diag_msg))
#define OWN_SEQUENCE 7
#define OWN_PORT_ID  4711

/* What getsockname(), fstat(), SO_COOKIE and SO_MEMINFO said about the sockets of
 * a fixture when it was captured. */
struct expected {
    const char *address;
    uint16_t port;
    uint32_t ifindex;
    uint64_t cookie;
    uint32_t rqueue, wqueue, uid, inode;
    bool v6only;
    uint64_t cgroup_id; /* 0 for the root's */
    bool has_drops;
    uint32_t drops;
};

static const struct expected tcp4_listen[] = {
    {.address = "0.0.0.0", .port = 22, .cookie = 23, .wqueue = 128, .inode = 11459},
    {.address = "127.0.0.2", .port = 7000, .cookie = 28, .wqueue = 0, .inode = 11464},
    {.address = "127.0.0.1",
     .port = 3306,
     .cookie = 24,
     .rqueue = 1,
     .wqueue = 64,
     .uid = 65534,
     .inode = 11460},
    {.address = "0.0.0.0", .port = 8080, .ifindex = 1, .cookie = 25, .wqueue = 5, .inode = 11461},
    {.address = "0.0.0.0", .port = 9000, .cookie = 27, .wqueue = 32, .inode = 11463},
    {.address = "0.0.0.0", .port = 9000, .cookie = 26, .wqueue = 16, .inode = 11462},
};

static const struct expected tcp6_listen[] = {
    {.address = "::", .port = 443, .cookie = 30, .wqueue = 128, .inode = 11466, .v6only = true},
    {.address = "::", .port = 80, .cookie = 29, .wqueue = 128, .inode = 11465},
    {.address = "::ffff:127.0.0.1", .port = 5432, .cookie = 32, .wqueue = 10, .inode = 11468},
    {.address = "::1", .port = 6379, .cookie = 31, .wqueue = 10, .inode = 11467, .v6only = true},
};

/* The datagram waiting in 514's queue is the one that the client sent. */
static const struct expected udp4[] = {
    {.address = "0.0.0.0", .port = 53, .cookie = 33, .uid = 65534, .inode = 11469},
    {.address = "127.0.0.1", .port = 514, .cookie = 34, .rqueue = 832, .inode = 11470},
};

static const struct expected udp6[] = {
    {.address = "::", .port = 5353, .cookie = 38, .inode = 11474},
    {.address = "2001:db8::12:3456", .port = 546, .ifindex = 1, .cookie = 39, .inode = 11475, .v6only = true},
};

/* The connection that nobody accepted yet has no inode. */
static const struct expected tcp4_established[] = {
    {.address = "127.0.0.1", .port = 40003, .cookie = 43, .inode = 11479},
    {.address = "127.0.0.1", .port = 3306, .cookie = 40, .inode = 11477},
    {.address = "127.0.0.1", .port = 3306, .cookie = 45, .uid = 65534, .inode = 0},
    {.address = "127.0.0.1", .port = 40001, .cookie = 41, .inode = 11476},
    {.address = "127.0.0.1", .port = 40002, .cookie = 42, .inode = 11478},
};

static const struct expected tcp6_established[] = {
    {.address = "::ffff:127.0.0.1", .port = 80, .cookie = 44, .inode = 11480},
};

/* Five clients came, where the queue has room for two. */
static const struct expected tcp4_memory[] = {
    {.address = "0.0.0.0",
     .port = 80,
     .cookie = 359374,
     .rqueue = 2,
     .wqueue = 1,
     .inode = 4927910,
     .cgroup_id = 17049,
     .has_drops = true,
     .drops = 3},
    {.address = "127.0.0.1",
     .port = 443,
     .cookie = 359375,
     .wqueue = 16,
     .inode = 4927911,
     .cgroup_id = 17049,
     .has_drops = true},
};

static const struct expected udp4_memory[] = {
    {.address = "0.0.0.0", .port = 53, .cookie = 359376, .inode = 4927913, .has_drops = true},
    {.address = "127.0.0.1",
     .port = 514,
     .cookie = 359377,
     .rqueue = 1664,
     .inode = 4927912,
     .cgroup_id = 17049,
     .has_drops = true,
     .drops = 7},
};

static const struct expected udp4_auto[] = {
    {.address = "0.0.0.0", .port = 36754, .cookie = 359378, .inode = 4927914, .has_drops = true},
    {.address = "127.0.0.1",
     .port = 37717,
     .cookie = 359379,
     .rqueue = 1664,
     .inode = 4927915,
     .has_drops = true,
     .drops = 18},
};

struct dump {
    const uint8_t *rows, *done;
    size_t rows_length, done_length;
    uint32_t sequence, port_id;
    uint8_t state;
    const struct expected *expected;
    size_t count;
};

#define DUMP(name, id, of_state)                                                               \
    {                                                                                          \
        .rows = name##_rows, .rows_length = sizeof name##_rows, .done = name##_done,           \
        .done_length = sizeof name##_done, .sequence = id##_SEQUENCE, .port_id = id##_PORT_ID, \
        .state = of_state, .expected = name, .count = ARRAY_LENGTH(name)                       \
    }

static const struct dump dumps[] = {
    DUMP(tcp4_listen, TCP4_LISTEN, STATE_LISTEN),
    DUMP(tcp6_listen, TCP6_LISTEN, STATE_LISTEN),
    DUMP(udp4, UDP4, STATE_CLOSE),
    DUMP(udp6, UDP6, STATE_CLOSE),
    DUMP(tcp4_established, TCP4_ESTABLISHED, STATE_ESTABLISHED),
    DUMP(tcp6_established, TCP6_ESTABLISHED, STATE_ESTABLISHED),
    DUMP(tcp4_memory, TCP4_MEMORY, STATE_LISTEN),
    DUMP(udp4_memory, UDP4_MEMORY, STATE_CLOSE),
    DUMP(udp4_auto, UDP4_AUTO, STATE_CLOSE),
};

struct answer {
    const uint8_t *bytes;
    size_t length;
    uint32_t sequence, port_id;
};

static const struct answer missing[] = {
    {missing_sctp, sizeof missing_sctp, MISSING_SCTP_SEQUENCE, MISSING_SCTP_PORT_ID},
    {missing_raw, sizeof missing_raw, MISSING_RAW_SEQUENCE, MISSING_RAW_PORT_ID},
    {missing_vsock, sizeof missing_vsock, MISSING_VSOCK_SEQUENCE, MISSING_VSOCK_PORT_ID},
    {missing_unspec, sizeof missing_unspec, MISSING_UNSPEC_SEQUENCE, MISSING_UNSPEC_PORT_ID},
};

/* What a walk handed out. */
struct seen {
    struct inet_diag_row rows[ROWS_MAX];
    size_t count;
    uint64_t malformed;
};

static int keep_row(void *arg, const struct nlmsghdr *msg)
{
    struct seen *seen = arg;
    int r;

    assert_in_range(seen->count, 0, ROWS_MAX - 1);
    r = inet_diag_parse(msg, &seen->rows[seen->count]);
    if (r == 0)
        seen->count++;
    return r;
}

/* Walks a copy that has not one byte more than it should, so that a sanitizer
 * sees every read beyond it. */
static int walk(const void *bytes, size_t length, uint32_t sequence, uint32_t port_id, struct seen *seen)
{
    void *copy = malloc(length);
    int r;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    r = inet_diag_walk(copy, length, sequence, port_id, keep_row, seen, &seen->malformed);
    free(copy);
    return r;
}

static void assert_fixed_part(const struct inet_diag_row *row, const struct expected *expected, uint8_t state)
{
    struct ip_addr address = {.version = strchr(expected->address, ':') ? 6 : 4};

    assert_int_equal(inet_pton(address.version == 4 ? AF_INET : AF_INET6, expected->address, address.bytes),
                     1);
    assert_int_equal(row->address.version, address.version);
    assert_memory_equal(row->address.bytes, address.bytes, sizeof address.bytes);
    assert_int_equal(row->port, expected->port);
    assert_int_equal(row->state, state);
    assert_int_equal(row->ifindex, expected->ifindex);
    assert_int_equal(row->cookie, expected->cookie);
    assert_int_equal(row->rqueue, expected->rqueue);
    assert_int_equal(row->wqueue, expected->wqueue);
    assert_int_equal(row->uid, expected->uid);
    assert_int_equal(row->inode, expected->inode);
}

static uint64_t cgroup_of(const struct expected *expected)
{
    return expected->cgroup_id != 0 ? expected->cgroup_id : ROOT_CGROUP;
}

static void assert_row(const struct inet_diag_row *row, const struct expected *expected, uint8_t state)
{
    assert_fixed_part(row, expected, state);
    assert_int_equal(row->v6only, expected->v6only);
    assert_int_equal(row->cgroup_id, cgroup_of(expected));
    assert_int_equal(row->drops.known, expected->has_drops);
    assert_int_equal(row->drops.count, expected->drops);
}

/* A row whose last attributes are gone: absent, not half there. The memory is
 * the last of all. */
static void assert_cut_row(const struct inet_diag_row *row, const struct expected *expected, uint8_t state)
{
    assert_fixed_part(row, expected, state);
    assert_true(!row->v6only || expected->v6only);
    assert_true(row->cgroup_id == 0 || row->cgroup_id == cgroup_of(expected));
    assert_false(row->drops.known);
    assert_int_equal(row->drops.count, 0);
}

static void assert_first_rows(const struct seen *seen, const struct dump *dump, size_t count)
{
    assert_int_equal(seen->count, count);
    for (size_t i = 0; i < count; i++)
        assert_row(&seen->rows[i], &dump->expected[i], dump->state);
}

/* A dump as if one receive call had returned all of it. Returns owned. */
static uint8_t *join(const struct dump *dump, size_t *ret_length)
{
    uint8_t *bytes = malloc(dump->rows_length + dump->done_length);

    assert_non_null(bytes);
    memcpy(bytes, dump->rows, dump->rows_length);
    memcpy(bytes + dump->rows_length, dump->done, dump->done_length);
    *ret_length = dump->rows_length + dump->done_length;
    return bytes;
}

/* Counts the messages that lie before cut as a whole. Returns whether the cut
 * is between two messages. */
static bool whole_messages(const uint8_t *bytes, size_t cut, size_t *ret_count)
{
    size_t offset = 0;

    *ret_count = 0;
    while (offset < cut) {
        uint32_t length;

        if (cut - offset < NLMSG_HDRLEN)
            return false;
        memcpy(&length, bytes + offset, sizeof length);
        if (length > cut - offset)
            return false;
        offset += NLMSG_ALIGN(length);
        ++*ret_count;
    }
    return offset == cut;
}

/* Messages of our own making. */

struct text {
    uint8_t bytes[512];
    size_t length;
};

static void put(struct text *text, uint16_t type, uint16_t flags, const void *payload, size_t length)
{
    const struct nlmsghdr header = {
        .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + length),
        .nlmsg_type = type,
        .nlmsg_flags = flags,
        .nlmsg_seq = OWN_SEQUENCE,
        .nlmsg_pid = OWN_PORT_ID,
    };

    assert_in_range(text->length + NLMSG_SPACE(length), 0, sizeof text->bytes);
    memcpy(text->bytes + text->length, &header, sizeof header);
    if (length > 0)
        memcpy(text->bytes + text->length + NLMSG_HDRLEN, payload, length);
    text->length += NLMSG_SPACE(length);
}

static struct inet_diag_msg head_of(uint8_t family)
{
    return (struct inet_diag_msg){
        .idiag_family = family,
        .idiag_state = STATE_LISTEN,
        .id.idiag_sport = htons(80),
        .id.idiag_cookie = {0x89abcdef, 0x01234567},
    };
}

static void put_row(struct text *text, uint16_t flags)
{
    const struct inet_diag_msg head = head_of(AF_INET);

    put(text, SOCK_DIAG_BY_FAMILY, flags, &head, sizeof head);
}

static void put_status(struct text *text, uint16_t type, int error)
{
    const struct nlmsgerr payload = {.error = error};

    put(text, type, 0, &payload, type == NLMSG_DONE ? sizeof payload.error : sizeof payload);
}

static int walk_own(const struct text *text, struct seen *seen)
{
    return walk(text->bytes, text->length, OWN_SEQUENCE, OWN_PORT_ID, seen);
}

/* Parses a row whose attribute is given by its type, its own length and that
 * many bytes; the message ends where they end. */
static struct inet_diag_row parse_with_attribute(uint16_t type, const void *payload, size_t length)
{
    struct {
        struct inet_diag_msg head;
        struct nlattr attribute;
        uint8_t payload[64];
    } body = {.head = head_of(AF_INET6)};
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    assert_in_range(length, 0, sizeof body.payload);
    body.attribute = (struct nlattr){.nla_len = (uint16_t)(sizeof body.attribute + length), .nla_type = type};
    memcpy(body.payload, payload, length);
    put(&text, SOCK_DIAG_BY_FAMILY, 0, &body, sizeof body.head + sizeof body.attribute + length);
    assert_int_equal(walk_own(&text, &seen), 1);
    assert_int_equal(seen.count, 1);
    return seen.rows[0];
}

/* The requests */

static void request_for_tcp_listeners_is_what_the_kernel_reads(void **state)
{
    static const uint8_t wanted[72] = {
        72,   0,    0,    0,    /* length */
        20,   0,                /* SOCK_DIAG_BY_FAMILY */
        0x01, 0x03,             /* NLM_F_REQUEST | NLM_F_DUMP */
        0x78, 0x56, 0x34, 0x12, /* sequence */
        0,    0,    0,    0,    /* port id: the kernel's */
        10,   6,    0,    0,    /* AF_INET6, IPPROTO_TCP, no extensions */
        0,    4,    0,    0,    /* 1 << LISTEN */
    };
    const struct inet_diag_query query = {
        .family = AF_INET6, .protocol = IPPROTO_TCP, .states = 1u << STATE_LISTEN};
    _Alignas(struct nlmsghdr) char bytes[INET_DIAG_REQUEST_MAX];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(inet_diag_request(&query, 0x12345678, bytes), sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

/* The first version of the request, which takes no family. */
static void request_for_both_families_is_what_the_kernel_reads(void **state)
{
    static const uint8_t wanted[76] = {
        76,          0,    0,    0,    /* length */
        18,          0,                /* TCPDIAG_GETSOCK */
        0x01,        0x03,             /* NLM_F_REQUEST | NLM_F_DUMP */
        0x78,        0x56, 0x34, 0x12, /* sequence */
        0,           0,    0,    0,    /* port id: the kernel's */
        0,           0,    0,    0,    /* no family, no prefixes, no extensions */
        [68] = 0xfe, 0x0f,             /* behind the socket's id: all states */
    };
    const struct inet_diag_query query = {
        .family = AF_UNSPEC, .protocol = IPPROTO_TCP, .states = (1u << (STATE_CLOSING + 1)) - 2};
    _Alignas(struct nlmsghdr) char bytes[INET_DIAG_REQUEST_MAX];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(inet_diag_request(&query, 0x12345678, bytes), sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

static void a_reply_to_it_has_the_type_of_the_request(void **state)
{
    const struct inet_diag_msg body = {
        .idiag_family = AF_INET6, .idiag_state = STATE_ESTABLISHED, .id.idiag_sport = htons(443)};
    struct text text = {0};
    struct seen seen = {0};

    (void)state;
    put(&text, TCPDIAG_GETSOCK, 0, &body, sizeof body);
    assert_int_equal(walk_own(&text, &seen), 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.rows[0].port, 443);
    assert_int_equal(seen.rows[0].state, STATE_ESTABLISHED);
}

static void request_for_some_ports_carries_the_filter(void **state)
{
    static const uint8_t bound[] = {
        12, 0, 1, 0, /* INET_DIAG_REQ_BYTECODE */
        6,  4, 8, 0, /* AUTO: yes on to the jump, no to the end */
        1,  4, 8, 0, /* JMP beyond the end */
    };
    static const uint8_t automatic[] = {
        8, 0, 1, 0, /* INET_DIAG_REQ_BYTECODE */
        6, 4, 8, 0, /* AUTO: yes to the end, no beyond it */
    };
    static const struct {
        enum port_choice ports;
        const uint8_t *filter;
        size_t length;
    } cases[] = {
        {PORTS_ALL, NULL, 0},
        {PORTS_BOUND, bound, sizeof bound},
        {PORTS_AUTO, automatic, sizeof automatic},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t wanted_head[] = {
            0, 0, 0, 0, 20, 0, 0x01, 0x03, 9, 0, 0, 0, 0, 0, 0, 0, 2, 17, 0, 0, 0x80, 0, 0, 0,
        };
        const struct inet_diag_query query = {
            .family = AF_INET,
            .protocol = IPPROTO_UDP,
            .states = 1u << STATE_CLOSE,
            .ports = cases[i].ports,
        };
        _Alignas(struct nlmsghdr) char bytes[INET_DIAG_REQUEST_MAX];

        memset(bytes, 0xff, sizeof bytes);
        wanted_head[0] = (uint8_t)(72 + cases[i].length);
        assert_int_equal(inet_diag_request(&query, 9, bytes), wanted_head[0]);
        assert_memory_equal(bytes, wanted_head, sizeof wanted_head);
        if (cases[i].length > 0)
            assert_memory_equal(bytes + 72, cases[i].filter, cases[i].length);
    }
}

/* As the kernel checks a filter (inet_diag_bc_audit): each jump leads to an
 * operation that is met when all answers are yes, to the end, or just beyond it. */
static bool is_met(const struct inet_diag_bc_op *ops, size_t length, size_t rest)
{
    for (size_t at = 0; at <= length; at += ops[at / sizeof *ops].yes) {
        if (length - at == rest)
            return true;
        if (at == length || ops[at / sizeof *ops].yes < sizeof *ops)
            return false;
    }
    return false;
}

static void assert_kernel_takes(const struct inet_diag_bc_op *ops, size_t length)
{
    for (size_t at = 0; at < length;) {
        const struct inet_diag_bc_op *op = &ops[at / sizeof *ops];
        size_t rest = length - at;

        assert_in_range(op->no, sizeof *op, rest + sizeof *op);
        assert_int_equal(op->no % sizeof *op, 0);
        assert_true(op->no >= rest || is_met(ops, length, rest - op->no));
        assert_in_range(op->yes, sizeof *op, rest);
        at += op->yes;
    }
}

/* As the kernel runs it (inet_diag_bc_run). */
static bool accepts(const struct inet_diag_bc_op *ops, size_t length, uint16_t port, bool is_auto)
{
    long rest = (long)length;

    while (rest > 0) {
        bool yes = false;

        switch (ops->code) {
        case INET_DIAG_BC_JMP: break;
        case INET_DIAG_BC_S_GE: yes = port >= ops[1].no; break;
        case INET_DIAG_BC_S_LE: yes = port <= ops[1].no; break;
        case INET_DIAG_BC_AUTO: yes = is_auto; break;
        default: fail();
        }
        rest -= yes ? ops->yes : ops->no;
        ops += (yes ? ops->yes : ops->no) / sizeof *ops;
    }
    return rest == 0;
}

static void a_filter_passes_the_ports_of_its_ranges(void **state)
{
    static const struct port_range some[] = {{22, 22}, {80, 81}, {8000, 8100}, {65535, 65535}, {0, 0}};
    static struct port_range many[INET_DIAG_RANGES_MAX];
    struct {
        const struct port_range *ranges;
        size_t count;
    } cases[] = {{some, 1}, {some, 2}, {some, ARRAY_LENGTH(some)}, {many, INET_DIAG_RANGES_MAX}};

    (void)state;
    for (size_t i = 0; i < INET_DIAG_RANGES_MAX; i++)
        many[i] = (struct port_range){(uint16_t)(i * 1000), (uint16_t)(i * 1000 + i)};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (int ports = PORTS_ALL; ports <= PORTS_AUTO; ports++) {
            const struct inet_diag_query query = {.family = AF_INET,
                                                  .protocol = IPPROTO_UDP,
                                                  .ports = (enum port_choice)ports,
                                                  .ranges = cases[i].ranges,
                                                  .range_count = cases[i].count};
            _Alignas(struct nlmsghdr) char bytes[INET_DIAG_REQUEST_MAX];
            size_t length = inet_diag_request(&query, 9, bytes) - 76;
            const struct inet_diag_bc_op *ops = (const void *)(bytes + 76);

            assert_kernel_takes(ops, length);
            for (uint32_t port = 0; port <= UINT16_MAX; port++) {
                bool in = port_ranges_contain(cases[i].ranges, cases[i].count, (uint16_t)port);

                assert_int_equal(accepts(ops, length, (uint16_t)port, false), in && ports != PORTS_AUTO);
                assert_int_equal(accepts(ops, length, (uint16_t)port, true), in && ports != PORTS_BOUND);
            }
        }
    }
}

static void request_with_memory_differs_in_one_bit(void **state)
{
    static const enum port_choice choices[] = {PORTS_ALL, PORTS_BOUND, PORTS_AUTO};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(choices); i++) {
        struct inet_diag_query query = {
            .family = AF_INET6, .protocol = IPPROTO_UDP, .states = 1u << STATE_CLOSE, .ports = choices[i]};
        _Alignas(struct nlmsghdr) char without[INET_DIAG_REQUEST_MAX], with[INET_DIAG_REQUEST_MAX];
        size_t length = inet_diag_request(&query, 9, without);

        query.with_memory = true;
        assert_int_equal(inet_diag_request(&query, 9, with), length);
        assert_int_equal(without[18], 0);
        assert_int_equal(with[18], 1 << (INET_DIAG_SKMEMINFO - 1));
        without[18] = with[18];
        assert_memory_equal(with, without, length);
    }
}

/* What the kernel really said */

static void each_dump_yields_its_sockets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        const struct dump *d = &dumps[i];
        struct seen seen = {.count = 0};

        assert_int_equal(walk(d->rows, d->rows_length, d->sequence, d->port_id, &seen), 1);
        assert_first_rows(&seen, d, d->count);
        assert_int_equal(walk(d->done, d->done_length, d->sequence, d->port_id, &seen), 0);
        assert_first_rows(&seen, d, d->count);
    }
}

static void a_dump_in_one_datagram_is_read_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        struct seen seen = {.count = 0};
        size_t length;
        uint8_t *bytes = join(&dumps[i], &length);

        assert_int_equal(walk(bytes, length, dumps[i].sequence, dumps[i].port_id, &seen), 0);
        assert_first_rows(&seen, &dumps[i], dumps[i].count);
        free(bytes);
    }
}

/* What counting gets. */
struct counted {
    const struct dump *dump;
    size_t count;
};

static int check_counted(void *arg, const struct nlmsghdr *msg)
{
    struct counted *counted = arg;
    struct connection connection;
    struct inet_diag_row row;

    assert_int_equal(inet_diag_parse_connection(msg, &connection), 0);
    assert_int_equal(inet_diag_parse(msg, &row), 0);
    assert_int_equal(connection.local_port, counted->dump->expected[counted->count++].port);
    assert_int_equal(ip_addr_compare(&connection.local, &row.address), 0);
    assert_int_equal(connection.inode, row.inode);
    assert_int_equal(connection.cgroup_id, 0); /* which is asked for apart */
    assert_int_equal(inet_diag_parse_cgroup(msg), row.cgroup_id);
    assert_int_equal(connection.state, counted->dump->state);
    return 0;
}

static void counting_gets_address_port_and_state_of_each_socket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        struct counted counted = {.dump = &dumps[i]};
        uint64_t malformed = 0;
        size_t length;
        uint8_t *bytes = join(&dumps[i], &length);

        assert_int_equal(inet_diag_walk(bytes, length, dumps[i].sequence, dumps[i].port_id, check_counted,
                                        &counted, &malformed),
                         0);
        assert_int_equal(counted.count, dumps[i].count);
        assert_int_equal(malformed, 0);
        free(bytes);
    }
}

static void a_missing_handler_is_unsupported_however_the_kernel_says_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(missing); i++) {
        struct seen seen = {.count = 0};

        assert_int_equal(
            walk(missing[i].bytes, missing[i].length, missing[i].sequence, missing[i].port_id, &seen),
            ERR_UNSUPPORTED);
        assert_int_equal(seen.count, 0);
        assert_int_equal(seen.malformed, 0);
    }
}

/* The same, cut */

static void a_cut_dump_is_never_complete_and_loses_no_whole_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        size_t length, whole;
        uint8_t *bytes = join(&dumps[i], &length);

        for (size_t cut = 0; cut < length; cut++) {
            struct seen seen = {.count = 0};
            bool between = whole_messages(bytes, cut, &whole);
            int r = walk(bytes, cut, dumps[i].sequence, dumps[i].port_id, &seen);

            assert_int_equal(r, between ? 1 : -EBADMSG);
            assert_int_equal(seen.malformed, !between);
            assert_first_rows(&seen, &dumps[i], whole);
        }
        free(bytes);
    }
}

static void a_cut_end_of_a_dump_is_never_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        for (size_t cut = 0; cut < dumps[i].done_length; cut++) {
            struct seen seen = {.count = 0};
            int r = walk(dumps[i].done, cut, dumps[i].sequence, dumps[i].port_id, &seen);

            assert_int_equal(r, cut == 0 ? 1 : -EBADMSG);
        }
    }
}

static void a_cut_answer_about_a_missing_handler_is_never_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(missing); i++) {
        for (size_t cut = 0; cut < missing[i].length; cut++) {
            struct seen seen = {.count = 0};
            int r = walk(missing[i].bytes, cut, missing[i].sequence, missing[i].port_id, &seen);

            assert_int_equal(r, cut == 0 ? 1 : -EBADMSG);
            assert_int_equal(seen.count, 0);
        }
    }
}

/* The message itself says that it is shorter: what is left of it is a row only
 * when its fixed part is whole, and the attributes that are gone are absent. */
static void a_row_that_says_it_is_shorter_keeps_its_fixed_part_or_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dumps); i++) {
        const struct dump *d = &dumps[i];
        uint32_t length;

        memcpy(&length, d->rows, sizeof length);
        for (uint32_t cut = NLMSG_HDRLEN; cut <= length; cut++) {
            uint8_t *copy = malloc(cut);
            struct inet_diag_row row;
            const struct nlmsghdr *msg = (const void *)copy;
            struct connection connection;
            int r = cut < ROW_HEAD ? -EBADMSG : 0;

            assert_non_null(copy);
            memcpy(copy, d->rows, cut);
            memcpy(copy, &cut, sizeof cut);
            assert_int_equal(inet_diag_parse(msg, &row), r);
            assert_int_equal(inet_diag_parse_connection(msg, &connection), r);
            assert_int_equal(inet_diag_parse_cgroup(msg), r == 0 ? row.cgroup_id : 0);
            if (cut == length)
                assert_row(&row, &d->expected[0], d->state);
            else if (r == 0)
                assert_cut_row(&row, &d->expected[0], d->state);
            free(copy);
        }
    }
}

/* Attributes */

static void v6only_is_what_its_one_byte_says(void **state)
{
    static const uint8_t one = 1, zero = 0;

    (void)state;
    assert_true(parse_with_attribute(INET_DIAG_SKV6ONLY, &one, 1).v6only);
    assert_false(parse_with_attribute(INET_DIAG_SKV6ONLY, &zero, 1).v6only);
}

static void raw_sockets_have_the_ip_protocol_as_port(void **state)
{
    static const uint8_t icmp = IPPROTO_ICMP;

    (void)state;
    assert_int_equal(parse_with_attribute(INET_DIAG_PROTOCOL, &icmp, 1).port, IPPROTO_ICMP);
}

static void the_cgroup_id_has_64_bits(void **state)
{
    static const uint64_t ids[] = {0, 1, 17049, UINT64_C(0x0123456789abcdef), UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        assert_int_equal(parse_with_attribute(INET_DIAG_CGROUP_ID, &ids[i], sizeof ids[i]).cgroup_id, ids[i]);
}

static void no_drops_are_told_as_well(void **state)
{
    static const uint32_t counts[] = {0, 1, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        uint32_t memory[SK_MEMINFO_VARS] = {1, 2, 3, 4, 5, 6, 7, 8};
        struct inet_diag_row row;

        memory[SK_MEMINFO_DROPS] = counts[i];
        row = parse_with_attribute(INET_DIAG_SKMEMINFO, memory, sizeof memory);
        assert_true(row.drops.known);
        assert_int_equal(row.drops.count, counts[i]);
    }
}

/* Old kernels do not count drops; newer ones may count more. */
static void drops_are_where_the_array_reaches_to_them(void **state)
{
    static const uint32_t memory[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const size_t needed = (SK_MEMINFO_DROPS + 1) * sizeof memory[0];

    (void)state;
    for (size_t length = 0; length <= sizeof memory; length++) {
        struct inet_diag_row row = parse_with_attribute(INET_DIAG_SKMEMINFO, memory, length);

        assert_int_equal(row.drops.known, length >= needed);
        assert_int_equal(row.drops.count, length >= needed ? 9 : 0);
    }
}

static void an_attribute_of_the_wrong_length_counts_as_absent(void **state)
{
    static const uint8_t ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    (void)state;
    for (size_t length = 0; length <= sizeof ones; length++) {
        if (length != 1) {
            assert_false(parse_with_attribute(INET_DIAG_SKV6ONLY, ones, length).v6only);
            assert_int_equal(parse_with_attribute(INET_DIAG_PROTOCOL, ones, length).port, 80);
        }
        if (length != sizeof(uint64_t))
            assert_int_equal(parse_with_attribute(INET_DIAG_CGROUP_ID, ones, length).cgroup_id, 0);
    }
}

static void an_attribute_nobody_knows_is_passed_over(void **state)
{
    static const uint8_t ones[4] = {1, 1, 1, 1};

    (void)state;
    for (uint16_t type = 0; type < 200; type++) {
        struct inet_diag_row row;

        if (type == INET_DIAG_SKV6ONLY || type == INET_DIAG_PROTOCOL)
            continue;
        row = parse_with_attribute(type, ones, 1);
        assert_false(row.v6only);
        assert_int_equal(row.port, 80);
        assert_int_equal(row.cookie, UINT64_C(0x0123456789abcdef));
        assert_int_equal(row.cgroup_id, 0);
        assert_false(row.drops.known);
    }
}

/* Also an attribute that says it has no length at all must not be read forever. */
static void an_attribute_that_lies_about_its_length_is_not_read(void **state)
{
    static const uint16_t lies[] = {0, 1, 3, 9, 100, UINT16_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
        struct {
            struct inet_diag_msg head;
            struct nlattr attribute;
            uint8_t payload[4];
        } body = {.head = head_of(AF_INET6), .payload = {1, 1, 1, 1}};
        struct text text = {.length = 0};
        struct seen seen = {.count = 0};

        body.attribute = (struct nlattr){.nla_len = lies[i], .nla_type = INET_DIAG_SKV6ONLY};
        put(&text, SOCK_DIAG_BY_FAMILY, 0, &body, sizeof body);
        assert_int_equal(walk_own(&text, &seen), 1);
        assert_int_equal(seen.count, 1);
        assert_false(seen.rows[0].v6only);
    }
}

/* Messages that are not the row that was asked for */

static void a_row_of_another_family_is_malformed(void **state)
{
    static const uint8_t families[] = {AF_UNSPEC, AF_UNIX, AF_NETLINK, UINT8_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        const struct inet_diag_msg head = head_of(families[i]);
        struct text text = {.length = 0};
        struct seen seen = {.count = 0};

        put(&text, SOCK_DIAG_BY_FAMILY, 0, &head, sizeof head);
        put_row(&text, 0);
        assert_int_equal(walk_own(&text, &seen), 1);
        assert_int_equal(seen.malformed, 1);
        assert_int_equal(seen.count, 1);
    }
}

static void unknown_message_types_are_counted_and_survived(void **state)
{
    static const uint16_t types[] = {5, 15, 16, 17, 19, 21, 99, UINT16_MAX};
    const struct inet_diag_msg head = head_of(AF_INET);
    struct seen seen = {.count = 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct text text = {.length = 0};

        seen.count = 0;
        put(&text, types[i], 0, &head, sizeof head);
        put(&text, types[i], 0, NULL, 0);
        put_row(&text, 0);
        put_status(&text, NLMSG_DONE, 0);
        assert_int_equal(walk_own(&text, &seen), 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.malformed, 2 * (i + 1));
    }
}

static void a_state_of_a_newer_kernel_is_handed_on(void **state)
{
    struct inet_diag_msg head = head_of(AF_INET);
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    head.idiag_state = 13;
    put(&text, SOCK_DIAG_BY_FAMILY, 0, &head, sizeof head);
    assert_int_equal(walk_own(&text, &seen), 1);
    assert_int_equal(seen.rows[0].state, 13);
}

static void a_no_op_is_passed_over(void **state)
{
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    put(&text, NLMSG_NOOP, 0, NULL, 0);
    put_row(&text, 0);
    put(&text, NLMSG_NOOP, 0, NULL, 0);
    assert_int_equal(walk_own(&text, &seen), 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.malformed, 0);
}

static void an_answer_to_another_request_is_refused(void **state)
{
    const struct dump *d = &dumps[0];
    struct seen seen = {.count = 0};

    (void)state;
    assert_int_equal(walk(d->rows, d->rows_length, d->sequence + 1, d->port_id, &seen), ERR_SEQUENCE);
    assert_int_equal(walk(d->done, d->done_length, d->sequence + 1, d->port_id, &seen), ERR_SEQUENCE);
    assert_int_equal(seen.count, 0);
}

static void an_answer_to_another_socket_is_refused(void **state)
{
    const struct dump *d = &dumps[0];
    struct seen seen = {.count = 0};

    (void)state;
    assert_int_equal(walk(d->rows, d->rows_length, d->sequence, d->port_id + 1, &seen), ERR_SEQUENCE);
    assert_int_equal(walk(d->done, d->done_length, d->sequence, d->port_id + 1, &seen), ERR_SEQUENCE);
    assert_int_equal(seen.count, 0);
}

static void an_interrupted_dump_is_an_error_also_when_only_its_end_says_so(void **state)
{
    struct text in_row = {.length = 0}, in_done = {.length = 0};
    struct seen seen = {.count = 0};
    const int success = 0;

    (void)state;
    put_row(&in_row, NLM_F_MULTI | NLM_F_DUMP_INTR);
    put_status(&in_row, NLMSG_DONE, 0);
    assert_int_equal(walk_own(&in_row, &seen), ERR_INTERRUPTED);
    assert_int_equal(seen.count, 0);
    put_row(&in_done, NLM_F_MULTI);
    put(&in_done, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, &success, sizeof success);
    assert_int_equal(walk_own(&in_done, &seen), ERR_INTERRUPTED);
}

static void an_overrun_ends_the_dump(void **state)
{
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    put(&text, NLMSG_OVERRUN, 0, NULL, 0);
    put_row(&text, 0);
    assert_int_equal(walk_own(&text, &seen), -ENOBUFS);
    assert_int_equal(seen.count, 0);
}

static void an_error_is_handed_on_whether_it_comes_alone_or_in_the_end(void **state)
{
    static const struct {
        int error, result;
    } cases[] = {{-EPERM, -EPERM}, {-EBUSY, -EBUSY}, {-ENOENT, ERR_UNSUPPORTED}, {1, -EBADMSG}};
    static const uint16_t types[] = {NLMSG_ERROR, NLMSG_DONE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(types); k++) {
            struct text text = {.length = 0};
            struct seen seen = {.count = 0};

            put_status(&text, types[k], cases[i].error);
            assert_int_equal(walk_own(&text, &seen), cases[i].result);
        }
    }
}

static void an_error_of_0_is_no_end_of_a_dump(void **state)
{
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    put_status(&text, NLMSG_ERROR, 0);
    assert_int_equal(walk_own(&text, &seen), -EBADMSG);
}

static void an_error_too_short_for_its_reason_is_malformed(void **state)
{
    const struct nlmsgerr payload = {.error = -EPERM};

    (void)state;
    for (size_t length = 0; length < sizeof payload; length++) {
        struct text text = {.length = 0};
        struct seen seen = {.count = 0};

        put(&text, NLMSG_ERROR, 0, &payload, length);
        assert_int_equal(walk_own(&text, &seen), -EBADMSG);
        assert_int_equal(seen.malformed, 1);
    }
}

static void an_end_without_a_status_is_a_success(void **state)
{
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    put_row(&text, 0);
    put(&text, NLMSG_DONE, 0, NULL, 0);
    assert_int_equal(walk_own(&text, &seen), 0);
    assert_int_equal(seen.count, 1);
}

/* One whose length does not end in the bytes that are there, behind so many
 * others. The walk ends, but what came before it stays. */
static void a_message_of_an_impossible_length_is_malformed(void **state)
{
    static const uint32_t lengths[] = {0,          15,         1000,       0x7fffffff, 0x80000000,
                                       0x80000010, 0xfffffff0, 0xfffffffd, 0xffffffff};
    static const uint16_t types[] = {SOCK_DIAG_BY_FAMILY, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(types); k++)
            for (size_t before = 0; before < 3; before++) {
                const struct inet_diag_msg head = head_of(AF_INET);
                struct text text = {.length = 0};
                struct seen seen = {.count = 0};
                size_t at;

                for (size_t n = 0; n < before; n++)
                    put_row(&text, 0);
                at = text.length;
                put(&text, types[k], 0, &head, sizeof head);
                put_status(&text, NLMSG_DONE, 0);
                memcpy(text.bytes + at, &lengths[i], sizeof lengths[i]);
                assert_int_equal(walk_own(&text, &seen), -EBADMSG);
                assert_int_equal(seen.count, before);
                assert_int_equal(seen.malformed, 1);
            }
}

/* A message that has only its header is whole, and is no row. */
static void a_message_without_a_payload_is_passed_over(void **state)
{
    struct text text = {.length = 0};
    struct seen seen = {.count = 0};

    (void)state;
    put(&text, SOCK_DIAG_BY_FAMILY, 0, NULL, 0);
    put_row(&text, 0);
    put_status(&text, NLMSG_DONE, 0);
    assert_int_equal(walk_own(&text, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.malformed, 1);
}

static int refuse(void *arg, const struct nlmsghdr *msg)
{
    (void)msg;
    ++*(size_t *)arg;
    return -ENOMEM;
}

static void what_the_handler_says_ends_the_dump(void **state)
{
    const struct dump *d = &dumps[0];
    uint64_t malformed = 0;
    size_t calls = 0;

    (void)state;
    assert_int_equal(
        inet_diag_walk(d->rows, d->rows_length, d->sequence, d->port_id, refuse, &calls, &malformed),
        -ENOMEM);
    assert_int_equal(calls, 1);
    assert_int_equal(malformed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_for_tcp_listeners_is_what_the_kernel_reads),
        cmocka_unit_test(request_for_both_families_is_what_the_kernel_reads),
        cmocka_unit_test(a_reply_to_it_has_the_type_of_the_request),
        cmocka_unit_test(request_for_some_ports_carries_the_filter),
        cmocka_unit_test(a_filter_passes_the_ports_of_its_ranges),
        cmocka_unit_test(request_with_memory_differs_in_one_bit),
        cmocka_unit_test(each_dump_yields_its_sockets),
        cmocka_unit_test(a_dump_in_one_datagram_is_read_to_its_end),
        cmocka_unit_test(counting_gets_address_port_and_state_of_each_socket),
        cmocka_unit_test(a_missing_handler_is_unsupported_however_the_kernel_says_it),
        cmocka_unit_test(a_cut_dump_is_never_complete_and_loses_no_whole_row),
        cmocka_unit_test(a_cut_end_of_a_dump_is_never_the_end),
        cmocka_unit_test(a_cut_answer_about_a_missing_handler_is_never_complete),
        cmocka_unit_test(a_row_that_says_it_is_shorter_keeps_its_fixed_part_or_is_malformed),
        cmocka_unit_test(v6only_is_what_its_one_byte_says),
        cmocka_unit_test(raw_sockets_have_the_ip_protocol_as_port),
        cmocka_unit_test(the_cgroup_id_has_64_bits),
        cmocka_unit_test(no_drops_are_told_as_well),
        cmocka_unit_test(drops_are_where_the_array_reaches_to_them),
        cmocka_unit_test(an_attribute_of_the_wrong_length_counts_as_absent),
        cmocka_unit_test(an_attribute_nobody_knows_is_passed_over),
        cmocka_unit_test(an_attribute_that_lies_about_its_length_is_not_read),
        cmocka_unit_test(a_row_of_another_family_is_malformed),
        cmocka_unit_test(unknown_message_types_are_counted_and_survived),
        cmocka_unit_test(a_state_of_a_newer_kernel_is_handed_on),
        cmocka_unit_test(a_no_op_is_passed_over),
        cmocka_unit_test(an_answer_to_another_request_is_refused),
        cmocka_unit_test(an_answer_to_another_socket_is_refused),
        cmocka_unit_test(an_interrupted_dump_is_an_error_also_when_only_its_end_says_so),
        cmocka_unit_test(an_overrun_ends_the_dump),
        cmocka_unit_test(an_error_is_handed_on_whether_it_comes_alone_or_in_the_end),
        cmocka_unit_test(an_error_of_0_is_no_end_of_a_dump),
        cmocka_unit_test(an_error_too_short_for_its_reason_is_malformed),
        cmocka_unit_test(an_end_without_a_status_is_a_success),
        cmocka_unit_test(a_message_of_an_impossible_length_is_malformed),
        cmocka_unit_test(a_message_without_a_payload_is_passed_over),
        cmocka_unit_test(what_the_handler_says_ends_the_dump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
