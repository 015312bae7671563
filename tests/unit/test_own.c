#include "core/own.h"
#include "tests/unit/rows.h"

/* Room for what an inventory is borrowed from. */
struct host {
    const struct listener_table *table;
    struct inventory inv;
};

static struct host host_of(const char *sockets)
{
    struct listener_builder *b = new_builder(1000);
    struct host host;

    assert_non_null(b);
    add_rows(b, sockets, 1);
    host.table = seal_all(b);
    assert_non_null(host.table);
    listener_builder_free(b);
    listener_table_inventory(host.table, &host.inv);
    return host;
}

static void only_where_it_would_listen_may_it_be(void **state)
{
    static const struct {
        const char *served, *address;
        bool stands;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "0.0.0.0", false},
        {"127.0.0.1", "::1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"0.0.0.0", "0.0.0.0", true},
        {"0.0.0.0", "::", false},
        {"::ffff:0.0.0.0", "::", false},
        {"::", "::", true},
        {"::", "0.0.0.0", true}, /* where there is no IPv6 */
        {"::", "::1", false},
        {"::", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct ip_port served = {address_of(cases[i].served), 80};
        const struct ip_addr address = address_of(cases[i].address);

        if (own_stands_at(&served, &address, 80) != cases[i].stands)
            fail_msg("%s at %s", cases[i].address, cases[i].served);
        assert_false(own_stands_at(&served, &address, 81));
    }
}

/* Who may be believed is what a user cannot choose: units of the system, his uid,
 * the names of users. His socket's process name, port and address he can. */
static void what_is_the_service_or_may_answer(void **state)
{
    static const struct {
        const char *socket, *holders;
        enum own_proof by_root, by_1000;
    } cases[] = {
        {"61234:sockwatch:sockwatch.service", "", OWN_UNIT, OWN_UNIT},
        {"4242:mallory:sockwatch.service", "", OWN_UNIT, OWN_UNIT},
        {"0:root:sockwatch.service", "7:sockwatch:root:sockwatch.service", OWN_UNIT, OWN_UNIT},
        {"4242:mallory:session-3.scope", "7:sockwatch:mallory:session-3.scope", OWN_NONE, OWN_NONE},
        {"4242:mallory:user@4242.service", "7:sockwatch:mallory:user@4242.service", OWN_NONE, OWN_NONE},
        {"4242:4242:", "7:sockwatch:4242:", OWN_NONE, OWN_NONE},
        {"4242:mallory:xsockwatch.service", "", OWN_NONE, OWN_NONE},
        {"4242:mallory:sockwatch.service.scope", "", OWN_NONE, OWN_NONE},
        /* Where only the holders' unit is known, as without cgroup2. */
        {"61234:61234:", "7:sockwatch:61234:sockwatch.service", OWN_UNIT, OWN_UNIT},
        {"4242:mallory:", "7:x:mallory:sockwatch.service,8:x:mallory:session-3.scope", OWN_NONE, OWN_NONE},
        {"4242:mallory:", "7:x:mallory:sockwatch.service,8:x:mallory:?", OWN_NONE, OWN_NONE},
        {"4242:mallory:session-3.scope", "7:x:mallory:sockwatch.service", OWN_NONE, OWN_NONE},
        /* Who is asked. */
        {"0:root:", "", OWN_ANSWER, OWN_ANSWER},
        {"0:root:ssh.service", "7:sshd:root:ssh.service", OWN_ANSWER, OWN_ANSWER},
        {"1000:bob:session-1.scope", "7:sockwatch:bob:session-1.scope", OWN_NONE, OWN_ANSWER},
        {"61234:sockwatch:", "", OWN_ANSWER, OWN_ANSWER},
        {"4242:sockwatchx:", "", OWN_NONE, OWN_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct owner_set *owners = owners_of(cases[i].socket, cases[i].holders);
        struct member member = {.cookie = 5, .owners = owners, .uid = owners->uid};
        struct listener l = {.sockets = 1, .followed = 1, .members = &member};

        if (own_proof(&l, 0) != cases[i].by_root || own_proof(&l, 1000) != cases[i].by_1000)
            fail_msg("%s, held by %s", cases[i].socket, cases[i].holders);
        owners->unlisted = 1;
        if (!*owners->unit)
            assert_int_not_equal(own_proof(&l, 0), OWN_UNIT);
        owner_set_unref(owners);
    }
}

static void what_is_not_one_tcp_socket_is_not_ours(void **state)
{
    struct member members[2] = {{.cookie = 5}, {.cookie = 6}};
    const struct listener one = {.sockets = 1, .followed = 1, .members = members};
    struct listener l = one;

    (void)state;
    assert_int_equal(own_proof(&l, 0), OWN_ANSWER); /* root's; nobody has looked for its owner */
    l.protocol = PROTOCOL_UDP;
    assert_int_equal(own_proof(&l, 0), OWN_NONE);
    l = one;
    l.sockets = 2;
    assert_int_equal(own_proof(&l, 0), OWN_NONE);
    l.followed = 2;
    assert_int_equal(own_proof(&l, 0), OWN_NONE);
    members[0].cookie = 0;
    assert_int_equal(own_proof(&one, 0), OWN_NONE);
}

static void what_is_asked_is_who_answers(void **state)
{
    static const struct {
        const char *sockets;
        size_t which;
        const char *to; /* NULL: somebody else may answer */
    } cases[] = {
        {"127.0.0.1:80", 0, "127.0.0.1:80"},
        {"192.0.2.1:80 127.0.0.1:80", 1, "192.0.2.1:80"},
        {"0.0.0.0:80", 0, "127.0.0.1:80"},
        {"[::]:80", 0, "[::1]:80"},
        {"*:80", 0, "127.0.0.1:80"},
        {"0.0.0.0:80 [::]:80", 0, "127.0.0.1:80"},
        {"0.0.0.0:80 [::]:80", 1, "[::1]:80"},
        {"0.0.0.0:80 127.0.0.1:80", 0, NULL},
        {"0.0.0.0:80 127.0.0.2:80", 0, "127.0.0.1:80"},
        {"0.0.0.0:80 127.0.0.1:81", 0, "127.0.0.1:80"},
        {"0.0.0.0:80 127.0.0.1%1:80", 0, NULL},
        {"0.0.0.0:80 udp/127.0.0.1:80", 0, "127.0.0.1:80"},
        {"127.0.0.1:80 *:80", 0, NULL},
        {"127.0.0.1:80 *:80", 1, NULL},
        {"[::]:80 [::1]:80", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct host host = host_of(cases[i].sockets);
        size_t count;
        const struct listener *l = inventory_port(&host.inv, PROTOCOL_TCP, 80, &count);
        char text[ENDPOINT_TEXT_MAX];
        struct ip_port to;

        assert_in_range(cases[i].which, 0, count - 1);
        assert_int_equal(own_reach(&host.inv, &l[cases[i].which], &to), cases[i].to != NULL);
        ip_port_format(&to, text);
        if (cases[i].to)
            assert_string_equal(text, cases[i].to);
        listener_table_unref(host.table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_where_it_would_listen_may_it_be),
        cmocka_unit_test(what_is_the_service_or_may_answer),
        cmocka_unit_test(what_is_not_one_tcp_socket_is_not_ours),
        cmocka_unit_test(what_is_asked_is_who_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
