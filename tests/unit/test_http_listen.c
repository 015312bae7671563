/* Listening on real sockets of 127.0.0.1, with a service that only keeps them. */
#include "exporters/http_listen.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct http_listen *listen;
    struct buf messages;
    unsigned begun, ended;
    bool refuses;        /* the service has no memory */
    uint64_t cookies[8]; /* of the sockets that it was handed */
    unsigned cookie_count;
    bool has_thief; /* somebody else takes the next address that is given up, and keeps it */
    int thief;
};

struct served {
    struct fixture *fixture;
    int fd;
};

static uint64_t cookie_of(int fd)
{
    socklen_t length = sizeof(uint64_t);
    uint64_t cookie;

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
    return cookie;
}

static void *begin(void *arg, int fd)
{
    struct fixture *f = arg;
    struct served *served = f->refuses ? NULL : calloc(1, sizeof *served);

    if (!served) {
        (void)close(fd); /* nothing was written to it */
        return NULL;
    }
    f->begun++;
    f->cookies[f->cookie_count++ % ARRAY_LENGTH(f->cookies)] = cookie_of(fd);
    *served = (struct served){f, fd};
    return served;
}

static void end(void *arg)
{
    struct served *served = arg;

    struct fixture *f = served->fixture;
    struct sockaddr_in name;
    socklen_t length = sizeof name;

    f->ended++;
    assert_int_equal(getsockname(served->fd, (struct sockaddr *)&name, &length), 0);
    (void)close(served->fd); /* nothing was written to it */
    free(served);
    if (!f->has_thief)
        return;
    f->has_thief = false;
    f->thief = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->thief, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(f->thief, 1), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    *state = f;
    buf_init(&f->messages);
    f->listen = http_listen_new(&(const struct http_service){.begin = begin, .end = end, .arg = f});
    return f->listen ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bool all_ended;

    http_listen_free(f->listen);
    all_ended = f->begun == f->ended;
    buf_done(&f->messages);
    free(f);
    return all_ended ? 0 : -1;
}

/* Listens on so many ports of 127.0.0.1. */
static int listen_on(struct fixture *f, const uint16_t *ports, size_t count)
{
    struct ip_ports addresses = {0};
    int r;

    buf_truncate(&f->messages, 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(ip_ports_add(&addresses, &(const struct ip_port){address_of("127.0.0.1"), ports[i]}),
                         0);
    r = http_listen_set(f->listen, &addresses, &f->messages);
    free(addresses.items);
    return r;
}

/* Listens on a port that the kernel chooses. */
static uint16_t listen_anywhere(struct fixture *f)
{
    const uint16_t any = 0;

    assert_int_equal(listen_on(f, &any, 1), 0);
    assert_int_equal(http_listen_sockets(f->listen).count, 1);
    assert_int_not_equal(http_listen_sockets(f->listen).items[0].port, 0);
    return http_listen_sockets(f->listen).items[0].port;
}

/* A port that was free a moment ago. */
static uint16_t free_port(struct fixture *f)
{
    uint16_t port = listen_anywhere(f);

    assert_int_equal(listen_on(f, NULL, 0), 0);
    assert_int_equal(http_listen_sockets(f->listen).count, 0);
    return port;
}

static void the_port_that_the_kernel_chose_is_told(void **state)
{
    struct fixture *f = *state;

    (void)listen_anywhere(f);
    assert_string_equal(buf_text(&f->messages), "");
    assert_int_equal(f->begun, 1);
}

static void what_is_open_already_stays_untouched(void **state)
{
    struct fixture *f = *state;
    uint16_t ports[2];

    ports[0] = free_port(f);
    assert_int_equal(listen_on(f, ports, 1), 0);
    f->begun = f->ended = 0;
    ports[1] = 0;
    assert_int_equal(listen_on(f, ports, 2), 0);
    assert_int_equal(f->begun, 1);
    assert_int_equal(f->ended, 0);
    f->begun++; /* the one from before */
}

static void what_is_not_wanted_any_more_is_ended(void **state)
{
    struct fixture *f = *state;

    (void)listen_anywhere(f);
    assert_int_equal(listen_on(f, NULL, 0), 0);
    assert_int_equal(f->ended, f->begun);
}

static void an_address_that_cannot_be_had_changes_nothing(void **state)
{
    struct fixture *f = *state, other = {0};
    uint16_t kept = free_port(f), ports[2];

    other.listen = http_listen_new(&(const struct http_service){.begin = begin, .end = end, .arg = &other});
    assert_non_null(other.listen);
    ports[1] = listen_anywhere(&other);
    assert_int_equal(listen_on(f, &kept, 1), 0);
    ports[0] = 0;
    assert_int_equal(listen_on(f, ports, 2), -EADDRINUSE);
    assert_non_null(strstr(buf_text(&f->messages), "cannot listen on 127.0.0.1:"));
    assert_int_equal(http_listen_sockets(f->listen).count, 1);
    assert_int_equal(http_listen_sockets(f->listen).items[0].port, kept);
    assert_int_equal(f->begun - f->ended, 1); /* given up, taken back */
    http_listen_free(other.listen);
    buf_done(&other.messages);
}

static void describe(void *arg, const struct ip_port *wanted, struct buf *out)
{
    buf_fmt(out, " (held by %s at %u)", (const char *)arg, wanted->port);
}

static void who_has_an_address_in_use_is_told(void **state)
{
    static char somebody[] = "somebody";
    struct fixture *f = *state, other = {0};
    char wanted[96];
    uint16_t used;

    http_listen_free(f->listen);
    f->listen = http_listen_new(&(const struct http_service){
        .begin = begin, .end = end, .arg = f, .neighbours = {.describe = describe, .arg = somebody}});
    other.listen = http_listen_new(&(const struct http_service){.begin = begin, .end = end, .arg = &other});
    assert_non_null(f->listen);
    assert_non_null(other.listen);
    used = listen_anywhere(&other);
    assert_int_equal(listen_on(f, &used, 1), -EADDRINUSE);
    (void)snprintf(wanted, sizeof wanted,
                   "cannot listen on 127.0.0.1:%u: Address already in use (held by somebody at %u)\n", used,
                   used);
    assert_string_equal(buf_text(&f->messages), wanted);
    http_listen_free(other.listen);
    buf_done(&other.messages);
}

static void a_port_that_is_taken_back_is_told(void **state)
{
    struct fixture *f = *state, other = {0};
    uint16_t used;

    other.listen = http_listen_new(&(const struct http_service){.begin = begin, .end = end, .arg = &other});
    assert_non_null(other.listen);
    used = listen_anywhere(&other);
    (void)listen_anywhere(f);
    assert_int_equal(listen_on(f, &used, 1), -EADDRINUSE);
    /* The kernel may have chosen another one: where it listens, nobody else can. */
    used = http_listen_sockets(f->listen).items[0].port;
    assert_int_equal(listen_on(&other, &used, 1), -EADDRINUSE);
    http_listen_free(other.listen);
    buf_done(&other.messages);
}

static bool is_own(const struct fixture *f, uint64_t cookie)
{
    const struct own_sockets own = http_listen_own(f->listen);

    for (size_t i = 0; i < own.count; i++)
        if (own.cookies[i] == cookie)
            return true;
    return false;
}

static void sockets_are_told_by_their_cookies(void **state)
{
    struct fixture *f = *state;
    const uint16_t ports[2] = {0};

    assert_int_equal(http_listen_own(f->listen).count, 0);
    assert_int_equal(listen_on(f, ports, 2), 0);
    assert_int_equal(http_listen_own(f->listen).count, 2);
    assert_true(is_own(f, f->cookies[0]) && is_own(f, f->cookies[1]));
}

/* A look that has begun before may find it. */
static void a_socket_that_was_closed_is_known_for_a_while(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    (void)listen_anywhere(f);
    first = f->cookies[0];
    assert_int_equal(listen_on(f, NULL, 0), 0);
    assert_true(is_own(f, first));
    for (int i = 0; i < 64; i++) {
        assert_true(is_own(f, first));
        f->cookie_count = 0;
        (void)listen_anywhere(f);
        assert_true(is_own(f, f->cookies[0]));
        assert_int_equal(listen_on(f, NULL, 0), 0);
    }
    assert_false(is_own(f, first));
    assert_true(is_own(f, f->cookies[0]));
    assert_int_equal(http_listen_own(f->listen).count, 64);
}

/* Whoever took the address that could not be had back is somebody else. */
static void an_address_that_was_taken_in_between_is_not_ours(void **state)
{
    struct fixture *f = *state, other = {0};
    uint16_t ports[2] = {free_port(f)};

    other.listen = http_listen_new(&(const struct http_service){.begin = begin, .end = end, .arg = &other});
    assert_non_null(other.listen);
    ports[1] = listen_anywhere(&other);
    assert_int_equal(listen_on(f, ports, 1), 0);
    f->has_thief = true;
    assert_int_equal(listen_on(f, &ports[1], 1), -EADDRINUSE);
    assert_false(f->has_thief);
    assert_false(is_own(f, cookie_of(f->thief)));
    assert_int_equal(f->begun, f->ended); /* nor could it be taken back */
    (void)close(f->thief);                /* nothing was written to it */
    http_listen_free(other.listen);
    buf_done(&other.messages);
}

static void a_service_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint16_t ports[2] = {0};

    ports[0] = free_port(f);
    assert_int_equal(listen_on(f, ports, 1), 0);
    f->refuses = true;
    assert_int_equal(listen_on(f, ports, 2), -ENOMEM);
    assert_int_equal(http_listen_sockets(f->listen).count, 1);
    assert_int_equal(f->begun - f->ended, 1);
}

static void memory_refused_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const uint16_t port = free_port(f);
    struct ip_port item = {address_of("127.0.0.1"), port};
    const struct ip_ports addresses = {.items = &item, .count = 1};

    for (size_t n = 1;; n++) {
        int r;

        refuse_nth(n);
        r = http_listen_set(f->listen, &addresses, &f->messages);
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            assert_true(n > 3); /* two arrays and what is served */
            return;
        }
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(http_listen_sockets(f->listen).count, 0);
        assert_int_equal(f->begun, f->ended);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_port_that_the_kernel_chose_is_told),
        test(what_is_open_already_stays_untouched),
        test(what_is_not_wanted_any_more_is_ended),
        test(an_address_that_cannot_be_had_changes_nothing),
        test(who_has_an_address_in_use_is_told),
        test(a_port_that_is_taken_back_is_told),
        test(a_service_without_memory_changes_nothing),
        test(memory_refused_changes_nothing),
        test(sockets_are_told_by_their_cookies),
        test(a_socket_that_was_closed_is_known_for_a_while),
        test(an_address_that_was_taken_in_between_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
