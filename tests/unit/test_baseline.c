#include "exporters/baseline.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { SOCKETS_MAX = 12, HOLDERS_TEXT_MAX = 256 };

#define SSHD  "0:root:ssh.service", "733:sshd:root:ssh.service"
#define MYSQL "112:mysql:mariadb.service", "812:mariadbd:mysql:mariadb.service"

/* A socket as row_of() reads it, and its owners as owners_of() does; holders
 * NULL: nobody could be seen. */
struct owned {
    const char *socket, *maker, *holders;
};

static const struct own_sockets no_own;
static const struct port_range local_ports = {32768, 60999};

static const struct listener_table *table_of(const struct owned *sockets, size_t count)
{
    struct listener_builder *b = new_builder(1000);
    struct owner_set *sets[SOCKETS_MAX];
    const struct listener_table *t;

    assert_non_null(b);
    assert_in_range(count, 0, SOCKETS_MAX);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (size_t i = 0; i < count; i++) {
        struct listener_row row = row_of(sockets[i].socket);

        sets[i] = owners_of(sockets[i].maker, sockets[i].holders ? sockets[i].holders : "");
        if (!sockets[i].holders)
            sets[i]->sight = SIGHT_HIDDEN;
        row.cookie = i + 1;
        row.choice_untold = row.protocol == PROTOCOL_SCTP; /* as the kernel is */
        row.owners = sets[i];
        row.uid = sets[i]->uid;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    t = seal_all(b);
    assert_non_null(t);
    listener_builder_free(b);
    for (size_t i = 0; i < count; i++)
        owner_set_unref(sets[i]);
    return t;
}

/* The configuration that a text says. Returns owned. */
static struct config *load(const char *text)
{
    char path[] = "/tmp/sockwatch-test-XXXXXX";
    int fd = mkstemp(path);
    struct config *config = NULL;
    struct buf errors;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    buf_init(&errors);
    if (config_load(path, &config, &errors) < 0)
        fail_msg("%s\n%s", buf_text(&errors), text);
    buf_done(&errors);
    assert_int_equal(unlink(path), 0);
    return config;
}

static void render(const struct listener_table *t, const struct own_sockets *own, struct port_range range,
                   struct buf *ret_text)
{
    struct config *config = config_new();

    assert_non_null(config);
    buf_init(ret_text);
    baseline_render(t, config, own, range, ret_text);
    assert_false(ret_text->failed);
    config_unref(config);
}

/* By its own baseline nothing is wrong with the table. */
static void assert_nothing_is_wrong(const struct listener_table *t, const char *text)
{
    struct config *config = load(text);
    const struct space space = {.name = "", .listeners = t};
    const struct verdict *v = judge_space(&space, &config->policy, &no_own);

    assert_non_null(v);
    assert_true(config->policy.unexpected.enabled);
    for (size_t i = 0; i < v->count; i++)
        fail_msg("%s: %s\n%s", rule_name(v->findings[i].key.rule), v->findings[i].summary, text);
    verdict_unref(v);
    config_unref(config);
}

/* What is printed for sockets, from the list of expect entries on. */
static void assert_entries(const struct owned *sockets, size_t count, const char *wanted)
{
    const struct listener_table *t = table_of(sockets, count);
    struct buf text;
    const char *entries;

    render(t, &no_own, local_ports, &text);
    entries = strstr(buf_text(&text), "expect = (");
    assert_non_null(entries);
    assert_string_equal(entries, wanted);
    assert_nothing_is_wrong(t, buf_text(&text));
    buf_done(&text);
    listener_table_unref(t);
}

#define EXPECT "expect = ("
#define ALLOW                                                                                         \
    "\n);\n\n# Listeners that are fine but not required. Any other is an UnexpectedListener.\nallow " \
    "= ("
#define END "\n);\n"

static void a_host_without_listeners_allows_none(void **state)
{
    (void)state;
    assert_entries(NULL, 0, EXPECT ALLOW END);
}

static void services_with_a_name_are_expected_and_others_allowed(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:22", SSHD},
        {"[::]:22", SSHD},
        {"127.0.0.1:3306", MYSQL},
        {"192.0.2.1:4444", "1000:bob:", "5:nc:bob:"},
        {"udp/0.0.0.0:53", "0:root:", "600:dnsmasq:nobody:"},
        {"raw/0.0.0.0:1", "0:root:", "601:ping:root:session-4.scope"},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT "\n  # tcp 0.0.0.0:22, [::]:22\n"
               "  { name = \"ssh\"; port = 22; protocol = \"tcp\"; scope = \"public\"; process = \"sshd\"; "
               "user = \"root\"; unit = \"ssh.service\"; },"
               "\n  # tcp 127.0.0.1:3306\n"
               "  { name = \"mysql\"; port = 3306; protocol = \"tcp\"; scope = \"loopback\"; process = "
               "\"mariadbd\"; user = \"mysql\"; unit = \"mariadb.service\"; },"
               "\n  # udp 0.0.0.0:53\n"
               "  { name = \"domain\"; port = 53; protocol = \"udp\"; scope = \"public\"; process = "
               "\"dnsmasq\"; user = \"nobody\"; }" ALLOW "\n  # tcp 192.0.2.1:4444\n"
               "  { port = 4444; protocol = \"tcp\"; scope = \"public\"; process = \"nc\"; user = \"bob\"; },"
               "\n  # raw 0.0.0.0:1\n"
               "  { port = 1; protocol = \"raw\"; scope = \"public\"; process = \"ping\"; user = \"root\"; "
               "}" END);
}

static void programs_on_several_addresses_of_a_port_get_an_entry_each(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:53", "53:bind:named.service", "900:named:bind:named.service"},
        {"127.0.0.53:53", "101:resolve:", "612:systemd-resolve:resolve:"},
        {"127.0.0.54:53", "101:resolve:", "612:systemd-resolve:resolve:"},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT "\n  # tcp 0.0.0.0:53\n"
               "  { name = \"domain\"; port = 53; protocol = \"tcp\"; scope = \"public\"; process = "
               "\"named\"; user = \"bind\"; unit = \"named.service\"; },"
               "\n  # tcp 127.0.0.53:53\n"
               "  { name = \"domain-127.0.0.53\"; port = 53; protocol = \"tcp\"; "
               "address = \"127.0.0.53\"; process = \"systemd-resolve\"; user = \"resolve\"; },"
               "\n  # tcp 127.0.0.54:53\n"
               "  { name = \"domain-127.0.0.54\"; port = 53; protocol = \"tcp\"; "
               "address = \"127.0.0.54\"; process = \"systemd-resolve\"; user = \"resolve\"; }" ALLOW END);
}

static void what_is_not_known_is_left_out_and_said(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:22", "0:root:ssh.service", NULL},
        {"0.0.0.0:631", "0:root:cups.socket", "1:systemd:root:init.scope"},
        {"127.0.0.1:40000", "1000:bob:", "9:x:bob:run-u5.service"},
    };

    (void)state;
    assert_entries(sockets, ARRAY_LENGTH(sockets),
                   EXPECT
                   "\n  # tcp 0.0.0.0:22; which process holds it could not be seen\n"
                   "  { name = \"ssh\"; port = 22; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; "
                   "unit = \"ssh.service\"; }" ALLOW
                   "\n  # tcp 0.0.0.0:631; started by systemd when somebody connects\n"
                   "  { port = 631; protocol = \"tcp\"; scope = \"public\"; },"
                   "\n  # tcp 127.0.0.1:40000\n"
                   "  { port = 40000; protocol = \"tcp\"; scope = \"loopback\"; process = \"x\"; user = "
                   "\"bob\"; }" END);
}

#define MAY_CHANGE "; the port may be another one after a restart"

/* Whether the baseline says of a socket that its port may be another one. */
static bool is_said_to_change(const char *socket, struct port_range range)
{
    const struct owned sockets[] = {{socket, "1000:bob:", "9:x:bob:"}};
    const struct listener_table *t = table_of(sockets, 1);
    struct buf text;
    bool is_said;

    render(t, &no_own, range, &text);
    is_said = strstr(buf_text(&text), MAY_CHANGE);
    assert_non_null(strstr(buf_text(&text), " port = "));
    assert_nothing_is_wrong(t, buf_text(&text));
    buf_done(&text);
    listener_table_unref(t);
    return is_said;
}

static void a_port_may_change_where_the_kernel_may_have_chosen_it(void **state)
{
    static const struct port_range ranges[] = {{32768, 60999}, {1024, 65535},  {20000, 20001},
                                               {50000, 50000}, {65535, 65535}, {1, 65535}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        for (int edge = -1; edge <= 1; edge++) {
            int ports[] = {ranges[i].first + edge, ranges[i].last + edge};

            for (size_t k = 0; k < ARRAY_LENGTH(ports); k++) {
                char socket[32];

                if (ports[k] < 1 || ports[k] > UINT16_MAX)
                    continue;
                (void)snprintf(socket, sizeof socket, "sctp/192.0.2.1:%d", ports[k]);
                assert_int_equal(is_said_to_change(socket, ranges[i]),
                                 ports[k] >= ranges[i].first && ports[k] <= ranges[i].last);
            }
        }
    }
}

/* The number of a raw socket is a protocol's, and nobody chose for those who chose. */
static void a_port_that_somebody_chose_does_not_change(void **state)
{
    static const struct port_range all = {1, 65535};

    (void)state;
    assert_false(is_said_to_change("raw/192.0.2.1:1", all));
    assert_false(is_said_to_change("192.0.2.1:40000", all));
    assert_false(is_said_to_change("udp/192.0.2.1:40000", all));
    assert_true(is_said_to_change("sctp/192.0.2.1:1", all));
}

/* One entry for whoever has them; by their port where nobody knows who that is. */
static void ports_that_the_kernel_chose_are_allowed_to_their_owner(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:33060~", "1000:bob:", "9:x:bob:"},
        {"127.0.0.1:40000~", "1000:bob:", "9:x:bob:"},
        {"0.0.0.0:40001~", "1000:bob:", "10:x:bob:"},
        {"127.0.0.1:40002", "1000:bob:", "9:x:bob:"},
        {"[::]:40003~", "0:root:cups.socket", "1:systemd:root:init.scope"},
        {"[::]:40004~", "0:root:rpc.service", NULL},
        {"0.0.0.0:40005~", "1000:bob:", "10:x:bob:"},
        {"udp/0.0.0.0:40005~", "1000:bob:", "10:x:bob:"},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT ALLOW
        "\n  # tcp 127.0.0.1:40002\n"
        "  { port = 40002; protocol = \"tcp\"; scope = \"loopback\"; process = \"x\"; user = \"bob\"; },"
        "\n  # tcp 0.0.0.0:33060, 0.0.0.0:40001, 0.0.0.0:40005\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; process = \"x\"; user = "
        "\"bob\"; },"
        "\n  # tcp 127.0.0.1:40000\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"loopback\"; process = \"x\"; user = "
        "\"bob\"; },"
        "\n  # tcp [::]:40003; started by systemd when somebody connects" MAY_CHANGE "\n"
        "  { port = 40003; kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; },"
        "\n  # tcp [::]:40004; which process holds it could not be seen\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; unit = "
        "\"rpc.service\"; }" END);
}

/* No more than an entry may be compared with. */
static void a_great_many_owners_of_such_ports_get_an_entry_a_port(void **state)
{
    enum { OWNERS = 150 };
    struct listener_builder *b = new_builder(1000);
    struct owner_set *sets[OWNERS];
    const struct listener_table *t;
    struct buf text;
    size_t entries = 0, by_port = 0;

    (void)state;
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (uint32_t i = 0; i < OWNERS; i++) {
        struct listener_row row = row_of("0.0.0.0:40000~");
        char maker[64];

        (void)snprintf(maker, sizeof maker, "%u:user%u:", 1000 + i, i);
        row.owners = sets[i] = owners_of(maker, "");
        row.port += (uint16_t)i;
        row.cookie = i + 1;
        row.uid = 1000 + i;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    t = seal_all(b);
    listener_builder_free(b);
    for (size_t i = 0; i < OWNERS; i++)
        owner_set_unref(sets[i]);
    render(t, &no_own, local_ports, &text);
    for (const char *p = buf_text(&text); (p = strstr(p, "kernel_chosen = true;")); p++) {
        entries++;
        by_port += p[-2] == ';';
    }
    assert_int_equal(entries, OWNERS);
    assert_in_range(entries - by_port, 50, 99);
    assert_nothing_is_wrong(t, buf_text(&text));
    buf_done(&text);
    listener_table_unref(t);
}

/* In the list of what is expected as in that of what is allowed. */
static void a_service_with_a_name_may_change_its_port_as_well(void **state)
{
    static const struct port_range range = {1024, 4000};

    (void)state;
    assert_true(is_said_to_change("sctp/127.0.0.1:3868", range));
    assert_false(is_said_to_change("sctp/127.0.0.1:3868", local_ports));
}

static void the_user_that_others_can_see_is_preferred(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:4444", "0:root:", "800:nginx:root:,801:nginx:www-data:"},
        {"0.0.0.0:4445", "0:root:", "801:nginx:www-data:"},
        {"0.0.0.0:4446", "0:root:", "802:server:root:,803:cgi:root:"}, /* the older program */
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT ALLOW
        "\n  # tcp 0.0.0.0:4444\n"
        "  { port = 4444; protocol = \"tcp\"; scope = \"public\"; process = \"nginx\"; user = \"root\"; },"
        "\n  # tcp 0.0.0.0:4445\n"
        "  { port = 4445; protocol = \"tcp\"; scope = \"public\"; process = \"nginx\"; user = "
        "\"www-data\"; },"
        "\n  # tcp 0.0.0.0:4446\n"
        "  { port = 4446; protocol = \"tcp\"; scope = \"public\"; process = \"server\"; user = \"root\"; "
        "}" END);
}

static void a_user_whose_name_is_unknown_is_a_number(void **state)
{
    static const struct owned sockets[] = {{"0.0.0.0:4444", "4242::", NULL},
                                           {"0.0.0.0:4445", "4242::", "7:x::"}};

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT ALLOW
        "\n  # tcp 0.0.0.0:4444; which process holds it could not be seen\n"
        "  { port = 4444; protocol = \"tcp\"; scope = \"public\"; user = \"4242\"; },"
        "\n  # tcp 0.0.0.0:4445\n"
        "  { port = 4445; protocol = \"tcp\"; scope = \"public\"; process = \"x\"; user = \"4242\"; "
        "}" END);
}

static void names_match_nothing_but_themselves(void **state)
{
    static const struct owned sockets[] = {{"0.0.0.0:4444", "0:root:", "5:a*[b]?\"\\:root:"}};

    (void)state;
    assert_entries(sockets, ARRAY_LENGTH(sockets),
                   EXPECT ALLOW "\n  # tcp 0.0.0.0:4444\n"
                                "  { port = 4444; protocol = \"tcp\"; scope = \"public\"; process = "
                                "\"a[*][[]b][?]\\\"\\\\\"; user = \"root\"; }" END);
}

static void our_own_sockets_need_no_entry(void **state)
{
    static const struct owned sockets[] = {{"127.0.0.1:10066", "0:root:", "5:sockwatch:root:"}};
    const struct listener_table *t = table_of(sockets, 1);
    size_t count;
    uint64_t cookie = listener_table_all(t, &count)->members[0].cookie;
    const struct own_sockets own = {&cookie, 1};
    struct buf text;

    (void)state;
    render(t, &own, local_ports, &text);
    assert_non_null(strstr(buf_text(&text), EXPECT ALLOW END));
    buf_done(&text);
    listener_table_unref(t);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

#define PICK(list, seed) ((list)[next_random(seed) % ARRAY_LENGTH(list)])

/* Sockets of all kinds on few ports, so that they meet. */
static void whatever_listens_is_fine_by_its_baseline(void **state)
{
    static const char *const addresses[] = {
        "0.0.0.0",  "[::]",          "*",           "127.0.0.1",   "127.0.0.53", "[::1]",      "192.0.2.1",
        "10.0.0.1", "[2001:db8::1]", "[fe80::1%2]", "[fe80::1%3]", "0.0.0.0%1",  "192.0.2.1%2"};
    static const char *const ports[] = {"53", "22", "3306", "4444", "50000"};
    static const char *const protocols[] = {"", "", "udp/", "raw/", "sctp/"};
    static const char *const makers[] = {"0:root:", "0:root:a.service", "112:mysql:b.service",
                                         "1000:bob:c.socket", "0:root:init.scope"};
    static const char *const holders[] = {
        NULL,
        "",
        "1:systemd:root:init.scope",
        "5:a:root:a.service",
        "6:b:mysql:b.service",
        "5:a:root:a.service,6:b:mysql:b.service",
        "1:systemd:root:init.scope,7:c*[d]:bob:c.service",
        "8:d:bob:?",
        "9:systemd-socket-:root:",
    };

    (void)state;
    for (uint32_t run = 1; run <= 3000; run++) {
        uint32_t seed = run * 2654435761u;
        struct owned sockets[SOCKETS_MAX];
        char names[SOCKETS_MAX][64];
        size_t count = next_random(&seed) % SOCKETS_MAX;
        const struct listener_table *t;
        struct buf text;

        for (size_t i = 0; i < count; i++) {
            const char *protocol = PICK(protocols, &seed);
            const char *port = strcmp(protocol, "raw/") == 0 ? "1" : PICK(ports, &seed);

            (void)snprintf(names[i], sizeof names[i], "%s%s:%s", protocol, PICK(addresses, &seed), port);
            sockets[i] = (struct owned){names[i], PICK(makers, &seed), PICK(holders, &seed)};
        }
        t = table_of(sockets, count);
        render(t, &no_own, local_ports, &text);
        assert_nothing_is_wrong(t, buf_text(&text));
        buf_done(&text);
        listener_table_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_without_listeners_allows_none),
        cmocka_unit_test(services_with_a_name_are_expected_and_others_allowed),
        cmocka_unit_test(programs_on_several_addresses_of_a_port_get_an_entry_each),
        cmocka_unit_test(what_is_not_known_is_left_out_and_said),
        cmocka_unit_test(a_port_may_change_where_the_kernel_may_have_chosen_it),
        cmocka_unit_test(a_port_that_somebody_chose_does_not_change),
        cmocka_unit_test(ports_that_the_kernel_chose_are_allowed_to_their_owner),
        cmocka_unit_test(a_great_many_owners_of_such_ports_get_an_entry_a_port),
        cmocka_unit_test(a_service_with_a_name_may_change_its_port_as_well),
        cmocka_unit_test(the_user_that_others_can_see_is_preferred),
        cmocka_unit_test(a_user_whose_name_is_unknown_is_a_number),
        cmocka_unit_test(names_match_nothing_but_themselves),
        cmocka_unit_test(our_own_sockets_need_no_entry),
        cmocka_unit_test(whatever_listens_is_fine_by_its_baseline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
