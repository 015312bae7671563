#include "exporters/baseline.h"
#include "tests/unit/judged.h"
#include "tests/unit/owned.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { SOCKETS_MAX = 12, HOLDERS_TEXT_MAX = 256 };

#define SSHD  "0:root:ssh.service", "733:sshd:root:ssh.service"
#define MYSQL "112:mysql:mariadb.service", "812:mariadbd:mysql:mariadb.service"

static const struct own_sockets no_own;
static const struct port_range local_ports = {32768, 60999};

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

/* How a baseline is made, but for the table. */
struct making {
    const struct own_sockets *own;
    struct port_range range;
    const char *before; /* the configuration that is in use; NULL: none */
    bool with_process, as_drop_in;
};

static const struct making usual = {.own = &no_own, .range = {32768, 60999}};

static void render(const struct listener_table *t, const struct making *how, struct buf *ret_text)
{
    struct config *config = how->before ? load(how->before) : config_new();
    const struct baseline b = {
        .table = t,
        .own = how->own,
        .local_ports = how->range,
        .config = config,
        .kept = how->as_drop_in ? NULL : config,
        .with_process = how->with_process,
    };

    assert_non_null(config);
    buf_init(ret_text);
    baseline_render(&b, ret_text);
    assert_false(ret_text->failed);
    config_unref(config);
}

/* What a configuration says of a table. */
static const struct verdict *judge_by(const struct listener_table *t, const char *text)
{
    struct config *config = load(text);
    const struct space space = {.name = "", .listeners = t};
    const struct verdict *v = judge_space(&space, &config->policy, &no_own);

    assert_non_null(v);
    assert_true(config->policy.unexpected.enabled);
    config_unref(config);
    return v;
}

/* By its own baseline nothing is wrong with the table. */
static void assert_nothing_is_wrong(const struct listener_table *t, const char *text)
{
    const struct verdict *v = judge_by(t, text);

    for (size_t i = 0; i < v->count; i++)
        fail_msg("%s: %s\n%s", rule_name(v->findings[i].key.rule), v->findings[i].summary, text);
    verdict_unref(v);
}

/* The same sockets as they are shown to who sees no process. */
static const struct listener_table *table_without_holders(const struct owned *sockets, size_t count)
{
    struct owned hidden[SOCKETS_MAX];

    assert_in_range(count, 0, SOCKETS_MAX);
    for (size_t i = 0; i < count; i++)
        hidden[i] = (struct owned){sockets[i].socket, sockets[i].maker, NULL};
    return owned_table(hidden, count);
}

/* What is made of sockets, from the list of expect entries on. Nothing is wrong by
 * it, and, if it names no process, not to who sees none either. */
static void assert_made(const struct owned *sockets, size_t count, const struct making *how,
                        const char *wanted)
{
    const struct listener_table *t = owned_table(sockets, count),
                                *hidden = table_without_holders(sockets, count);
    struct buf text;
    const char *entries;

    render(t, how, &text);
    entries = strstr(buf_text(&text), "expect = (");
    assert_non_null(entries);
    assert_string_equal(entries, wanted);
    assert_nothing_is_wrong(t, buf_text(&text));
    if (!how->with_process)
        assert_nothing_is_wrong(hidden, buf_text(&text));
    buf_done(&text);
    listener_table_unref(t);
    listener_table_unref(hidden);
}

static void assert_entries(const struct owned *sockets, size_t count, const char *wanted)
{
    assert_made(sockets, count, &usual, wanted);
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

static const struct owned servers[] = {
    {"0.0.0.0:22", SSHD},
    {"[::]:22", SSHD},
    {"127.0.0.1:3306", MYSQL},
    {"192.0.2.1:4444", "1000:bob:", "5:nc:bob:"},
    {"udp/0.0.0.0:53", "0:root:", "600:dnsmasq:nobody:"},
    {"raw/0.0.0.0:1", "0:root:", "601:ping:root:session-4.scope"},
};

static void services_with_a_name_are_expected_and_others_allowed(void **state)
{
    (void)state;
    assert_entries(
        servers, ARRAY_LENGTH(servers),
        EXPECT "\n  # tcp 0.0.0.0:22, [::]:22 (sshd)\n"
               "  { name = \"ssh\"; port = 22; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; "
               "unit = \"ssh.service\"; },"
               "\n  # udp 0.0.0.0:53 (dnsmasq)\n"
               "  { name = \"domain\"; port = 53; protocol = \"udp\"; scope = \"public\"; user = \"root\"; },"
               "\n  # tcp 127.0.0.1:3306 (mariadbd)\n"
               "  { name = \"mysql\"; port = 3306; protocol = \"tcp\"; address = \"127.0.0.1\"; user = "
               "\"mysql\"; unit = \"mariadb.service\"; }" ALLOW "\n  # tcp 192.0.2.1:4444 (nc)\n"
               "  { port = 4444; protocol = \"tcp\"; address = \"192.0.2.1\"; user = \"bob\"; },"
               "\n  # raw 0.0.0.0:1 (ping)\n"
               "  { port = 1; protocol = \"raw\"; scope = \"public\"; user = \"root\"; }" END);
}

static void processes_are_named_when_asked_for(void **state)
{
    const struct making how = {.own = &no_own, .range = {32768, 60999}, .with_process = true};
    static const struct owned sockets[] = {
        {"0.0.0.0:22", SSHD},
        {"0.0.0.0:4445", "0:root:", NULL},
        {"0.0.0.0:4446", "0:root:", "802:server:root:,803:cgi:root:"}, /* the older program */
        {"0.0.0.0:4447", "0:root:", "5:a*[b]?\"\\:root:"},
    };

    (void)state;
    assert_made(
        sockets, ARRAY_LENGTH(sockets), &how,
        EXPECT
        "\n  # tcp 0.0.0.0:22 (sshd)\n"
        "  { name = \"ssh\"; port = 22; protocol = \"tcp\"; scope = \"public\"; process = \"sshd\"; "
        "user = \"root\"; unit = \"ssh.service\"; }" ALLOW
        "\n  # tcp 0.0.0.0:4445; no process that holds it all could be seen\n"
        "  { port = 4445; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; },"
        "\n  # tcp 0.0.0.0:4446 (cgi,server)\n"
        "  { port = 4446; protocol = \"tcp\"; scope = \"public\"; process = \"server\"; user = \"root\"; },"
        "\n  # tcp 0.0.0.0:4447 (a*[b]?\"\\)\n"
        "  { port = 4447; protocol = \"tcp\"; scope = \"public\"; process = \"a[*][[]b][?]\\\"\\\\\"; "
        "user = \"root\"; }" END);
}

static void whoever_is_on_several_addresses_gets_them_in_one_entry(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:53", "53:bind:named.service", "900:named:bind:named.service"},
        {"127.0.0.53:53", "101:resolve:", "612:systemd-resolve:resolve:"},
        {"127.0.0.54:53", "101:resolve:", "612:systemd-resolve:resolve:"},
        {"127.0.0.1:6379", "0:root:", NULL},
        {"[::1]:6379", "0:root:", NULL},
        {"192.0.2.1:4444", "0:root:", NULL},
        {"127.0.0.1:4444", "0:root:", NULL},
        {"0.0.0.0:4445", "0:root:", NULL},
        {"127.0.0.1:4445", "0:root:", NULL}, /* an entry for those beyond is not about it */
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT "\n  # tcp 0.0.0.0:53 (named)\n"
               "  { name = \"domain\"; port = 53; protocol = \"tcp\"; scope = \"public\"; user = \"bind\"; "
               "unit = \"named.service\"; },"
               "\n  # tcp 127.0.0.53:53, 127.0.0.54:53 (systemd-resolve)\n"
               "  { name = \"domain-127.0.0.53\"; port = 53; protocol = \"tcp\"; address = [ \"127.0.0.53\", "
               "\"127.0.0.54\" ]; user = \"resolve\"; },"
               "\n  # tcp 127.0.0.1:6379, [::1]:6379\n"
               "  { name = \"redis\"; port = 6379; protocol = \"tcp\"; address = [ \"127.0.0.1\", \"::1\" ]; "
               "user = \"root\"; }" ALLOW "\n  # tcp 127.0.0.1:4444, 192.0.2.1:4444\n"
               "  { port = 4444; protocol = \"tcp\"; address = [ \"127.0.0.1\", \"192.0.2.1\" ]; user = "
               "\"root\"; },"
               "\n  # tcp 0.0.0.0:4445\n"
               "  { port = 4445; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; },"
               "\n  # tcp 127.0.0.1:4445\n"
               "  { port = 4445; protocol = \"tcp\"; address = \"127.0.0.1\"; user = \"root\"; }" END);
}

static void what_differs_in_its_protocol_only_is_one_entry(void **state)
{
    static const struct owned sockets[] = {
        {"127.0.0.1:53", "0:root:", NULL}, {"udp/127.0.0.1:53", "0:root:", NULL},
        {"0.0.0.0:4444", "0:root:", NULL}, {"udp/0.0.0.0:4444", "0:root:", NULL},
        {"0.0.0.0:4445", "0:root:", NULL}, {"udp/0.0.0.0:4445", "1000:bob:", NULL},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT "\n  # tcp 127.0.0.1:53, udp 127.0.0.1:53\n"
               "  { name = \"domain\"; port = 53; protocol = [ \"tcp\", \"udp\" ]; address = \"127.0.0.1\"; "
               "user = \"root\"; }" ALLOW "\n  # tcp 0.0.0.0:4444, udp 0.0.0.0:4444\n"
               "  { port = 4444; protocol = [ \"tcp\", \"udp\" ]; scope = \"public\"; user = \"root\"; },"
               "\n  # udp 0.0.0.0:4445\n"
               "  { port = 4445; protocol = \"udp\"; scope = \"public\"; user = \"bob\"; },"
               "\n  # tcp 0.0.0.0:4445\n"
               "  { port = 4445; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; }" END);
}

/* A holder's unit or user is not seen by everybody, and a unit of one run is not
 * called so the next time. */
static void what_the_socket_does_not_tell_is_left_out(void **state)
{
    static const struct owned sockets[] = {
        {"0.0.0.0:22", "0:root:init.scope", "733:sshd:sshd:ssh.service"},
        {"0.0.0.0:631", "0:root:cups.socket", "1:systemd:root:init.scope"},
        {"127.0.0.1:40000", "1000:bob:run-u5.service", "9:x:bob:run-u5.service"},
        {"0.0.0.0:4444", "4242::", NULL},
        {"udp/0.0.0.0:4445", "1000:bob:", NULL},
        {"udp/0.0.0.0:4445", "0:root:", NULL},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT
        "\n  # tcp 0.0.0.0:22 (sshd)\n"
        "  { name = \"ssh\"; port = 22; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; }" ALLOW
        "\n  # tcp 0.0.0.0:631 (systemd); started by systemd when somebody connects\n"
        "  { port = 631; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; },"
        "\n  # tcp 0.0.0.0:4444\n"
        "  { port = 4444; protocol = \"tcp\"; scope = \"public\"; user = \"4242\"; },"
        "\n  # udp 0.0.0.0:4445\n"
        "  { port = 4445; protocol = \"udp\"; scope = \"public\"; },"
        "\n  # tcp 127.0.0.1:40000 (x)\n"
        "  { port = 40000; protocol = \"tcp\"; address = \"127.0.0.1\"; user = \"bob\"; }" END);
}

/* The operator's entries stay as they are, whoever they are about. */
static void only_what_no_entry_is_about_is_added(void **state)
{
    struct making how = {
        .own = &no_own,
        .range = {32768, 60999},
        .before = "expect = ( { name = \"db\"; port = 3306; for = \"3s\"; labels: { team = \"x\"; }; },"
                  " { name = \"gone\"; port = 1; severity = \"info\"; } );"
                  "allow = ( { ports = \"22\"; } ); deny = ( { ports = \"4444\"; } ); unexpected: { };",
    };
    const struct listener_table *t = owned_table(servers, ARRAY_LENGTH(servers));
    struct buf text;

    (void)state;
    render(t, &how, &text);
    assert_string_equal(
        strstr(buf_text(&text), "expect = ("), EXPECT
        "\n  { name = \"db\"; port = 3306; for = \"3s\"; labels = { team = \"x\"; }; },"
        "\n  { name = \"gone\"; port = 1; severity = \"info\"; },"
        "\n  # udp 0.0.0.0:53 (dnsmasq)\n"
        "  { name = \"domain\"; port = 53; protocol = \"udp\"; scope = \"public\"; user = \"root\"; }" ALLOW
        "\n  { port = 22; },"
        "\n  # raw 0.0.0.0:1 (ping)\n"
        "  { port = 1; protocol = \"raw\"; scope = \"public\"; user = \"root\"; }" END
        "\n# Listeners that are never wanted.\ndeny = (\n  { port = 4444; }\n);\n");
    buf_done(&text);
    how.as_drop_in = true;
    render(t, &how, &text);
    assert_null(strstr(buf_text(&text), "poll"));
    assert_null(strstr(buf_text(&text), "unexpected"));
    assert_string_equal(
        strstr(buf_text(&text), "expect = ("),
        EXPECT "\n  # udp 0.0.0.0:53 (dnsmasq)\n"
               "  { name = \"domain\"; port = 53; protocol = \"udp\"; scope = \"public\"; user = \"root\"; }"
               "\n);\n\n# Listeners that are fine but not required.\nallow = ("
               "\n  # raw 0.0.0.0:1 (ping)\n"
               "  { port = 1; protocol = \"raw\"; scope = \"public\"; user = \"root\"; }" END);
    buf_done(&text);
    listener_table_unref(t);
}

static void a_name_that_is_taken_is_not_taken_again(void **state)
{
    const struct making how = {
        .own = &no_own,
        .range = {32768, 60999},
        .before = "expect = ( { name = \"mysql\"; port = 3306; address = \"192.0.2.1\"; },"
                  " { name = \"mysql-127.0.0.1\"; port = 3306; address = \"192.0.2.2\"; },"
                  " { name = \"ssh\"; port = 2222; } );",
    };
    static const struct owned sockets[] = {{"127.0.0.1:3306", MYSQL},
                                           {"192.0.2.1:3306", MYSQL},
                                           {"192.0.2.2:3306", MYSQL},
                                           {"0.0.0.0:22", SSHD}};
    const struct listener_table *t = owned_table(sockets, ARRAY_LENGTH(sockets));
    struct buf text;

    (void)state;
    render(t, &how, &text);
    assert_non_null(strstr(buf_text(&text), "{ name = \"mysql-127.0.0.1-2\"; port = 3306; "));
    assert_non_null(strstr(buf_text(&text), "{ name = \"ssh\"; port = 22; "));
    verdict_unref(judge_by(t, buf_text(&text)));
    buf_done(&text);
    listener_table_unref(t);
}

#define MAY_CHANGE "; the port may be another one after a restart"

/* Whether the baseline says of a socket that its port may be another one. */
static bool is_said_to_change(const char *socket, struct port_range range)
{
    const struct owned sockets[] = {{socket, "1000:bob:", "9:x:bob:"}};
    const struct listener_table *t = owned_table(sockets, 1);
    struct buf text;
    const struct making how = {.own = &no_own, .range = range};
    bool is_said;

    render(t, &how, &text);
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
        {"[::]:40004~", "0:root:rpc.service", NULL},
        {"0.0.0.0:40005~", "1000:bob:", "10:x:bob:"},
        {"udp/0.0.0.0:40005~", "1000:bob:", "10:x:bob:"},
        {"0.0.0.0:40006~", "1000:bob:", NULL}, /* two who share a port */
        {"0.0.0.0:40006~", "1001:eve:", NULL},
    };

    (void)state;
    assert_entries(
        sockets, ARRAY_LENGTH(sockets),
        EXPECT ALLOW
        "\n  # tcp 127.0.0.1:40002 (x)\n"
        "  { port = 40002; protocol = \"tcp\"; address = \"127.0.0.1\"; user = \"bob\"; },"
        "\n  # tcp 0.0.0.0:40006" MAY_CHANGE "\n"
        "  { port = 40006; kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; },"
        "\n  # tcp 0.0.0.0:33060, 0.0.0.0:40001, 0.0.0.0:40005 (x)\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; user = \"bob\"; },"
        "\n  # tcp [::]:40004\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"public\"; user = \"root\"; unit = "
        "\"rpc.service\"; },"
        "\n  # tcp 127.0.0.1:40000 (x)\n"
        "  { kernel_chosen = true; protocol = \"tcp\"; scope = \"loopback\"; user = \"bob\"; }" END);
}

enum { MANY = 250 };

/* As many sockets, two of each user. */
static const struct listener_table *table_of_users(const char *socket, bool on_one_port)
{
    struct listener_builder *b = new_builder(1000);
    struct owner_set *sets[MANY];
    const struct listener_table *t;

    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        struct listener_row row = row_of(socket);
        char maker[64];

        (void)snprintf(maker, sizeof maker, "%u:user%u:", 1000 + i / 2, i / 2);
        row.owners = sets[i] = owners_of(maker, "");
        row.port = (uint16_t)(row.port + (on_one_port ? 0 : i));
        row.address.bytes[3] = on_one_port ? (uint8_t)(i + 1) : row.address.bytes[3];
        row.cookie = i + 1;
        row.uid = 1000 + i / 2;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    t = seal_all(b);
    assert_non_null(t);
    listener_builder_free(b);
    for (size_t i = 0; i < MANY; i++)
        owner_set_unref(sets[i]);
    return t;
}

/* No more than an entry may be compared with. */
static void a_great_many_owners_of_such_ports_get_an_entry_a_port(void **state)
{
    const struct listener_table *t = table_of_users("0.0.0.0:40000~", false);
    struct buf text;
    size_t entries = 0, by_port = 0;

    (void)state;
    render(t, &usual, &text);
    for (const char *p = buf_text(&text); (p = strstr(p, "kernel_chosen = true;")); p++) {
        entries++;
        by_port += p[-2] == ';';
    }
    assert_int_equal(entries - by_port, 50);
    assert_int_equal(by_port, MANY - 2 * 50);
    assert_nothing_is_wrong(t, buf_text(&text));
    buf_done(&text);
    listener_table_unref(t);
}

/* Likewise, where each has two of the addresses of one port. */
static void a_great_many_owners_of_one_port_get_an_entry_an_address(void **state)
{
    const struct listener_table *t = table_of_users("127.0.1.0:4444", true);
    struct buf text;

    (void)state;
    render(t, &usual, &text);
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

static void our_own_sockets_need_no_entry(void **state)
{
    static const struct owned sockets[] = {{"127.0.0.1:10066", "0:root:", "5:sockwatch:root:"}};
    const struct listener_table *t = owned_table(sockets, 1);
    size_t count;
    uint64_t cookie = listener_table_all(t, &count)->members[0].cookie;
    const struct own_sockets own = {&cookie, 1};
    const struct making how = {.own = &own, .range = local_ports};
    struct buf text;

    (void)state;
    render(t, &how, &text);
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

/* Sockets of all kinds on few ports, so that they meet. Returns how many. */
static size_t pick_sockets(uint32_t *seed, struct owned *ret, char names[static SOCKETS_MAX][64])
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
    size_t count = next_random(seed) % SOCKETS_MAX;

    for (size_t i = 0; i < count; i++) {
        const char *protocol = PICK(protocols, seed);
        const char *port = strcmp(protocol, "raw/") == 0 ? "1" : PICK(ports, seed);

        (void)snprintf(names[i], sizeof names[i], "%s%s:%s%s", protocol, PICK(addresses, seed), port,
                       *protocol == '\0' && next_random(seed) % 4 == 0 ? "~" : "");
        ret[i] = (struct owned){names[i], PICK(makers, seed), PICK(holders, seed)};
    }
    return count;
}

/* Also to who sees no process, unless processes are named. */
static void whatever_listens_is_fine_by_its_baseline(void **state)
{
    (void)state;
    for (uint32_t run = 1; run <= 2000; run++) {
        uint32_t seed = run * 2654435761u;
        struct owned sockets[SOCKETS_MAX];
        char names[SOCKETS_MAX][64];
        size_t count = pick_sockets(&seed, sockets, names);
        const struct listener_table *t = owned_table(sockets, count);
        const struct listener_table *hidden = table_without_holders(sockets, count);
        const struct making how = {.own = &no_own, .range = local_ports, .with_process = run % 2 == 0};
        struct buf text;

        render(t, &how, &text);
        assert_nothing_is_wrong(t, buf_text(&text));
        if (!how.with_process)
            assert_nothing_is_wrong(hidden, buf_text(&text));
        buf_done(&text);
        listener_table_unref(t);
        listener_table_unref(hidden);
    }
}

/* What is made of some listeners is there, and others come. It may say that those
 * are wrong, but none is unexpected by what is made then. */
static void what_is_added_to_a_baseline_makes_nothing_unexpected(void **state)
{
    (void)state;
    for (uint32_t run = 1; run <= 2000; run++) {
        uint32_t seed = run * 2654435761u;
        struct owned sockets[SOCKETS_MAX];
        char names[SOCKETS_MAX][64];
        size_t count = pick_sockets(&seed, sockets, names);
        const struct listener_table *all = owned_table(sockets, count),
                                    *some = owned_table(sockets, count / 2);
        struct making how = usual;
        struct buf before, after;
        const struct verdict *v;

        render(some, &how, &before);
        how.before = buf_text(&before);
        render(all, &how, &after);
        v = judge_by(all, buf_text(&after));
        for (size_t i = 0; i < v->count; i++)
            if (v->findings[i].key.rule == RULE_UNEXPECTED_LISTENER && !v->findings[i].undetermined)
                fail_msg("%s\n%s", v->findings[i].summary, buf_text(&after));
        verdict_unref(v);
        buf_done(&before);
        buf_done(&after);
        listener_table_unref(all);
        listener_table_unref(some);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_without_listeners_allows_none),
        cmocka_unit_test(services_with_a_name_are_expected_and_others_allowed),
        cmocka_unit_test(processes_are_named_when_asked_for),
        cmocka_unit_test(whoever_is_on_several_addresses_gets_them_in_one_entry),
        cmocka_unit_test(what_differs_in_its_protocol_only_is_one_entry),
        cmocka_unit_test(what_the_socket_does_not_tell_is_left_out),
        cmocka_unit_test(only_what_no_entry_is_about_is_added),
        cmocka_unit_test(a_name_that_is_taken_is_not_taken_again),
        cmocka_unit_test(a_port_may_change_where_the_kernel_may_have_chosen_it),
        cmocka_unit_test(a_port_that_somebody_chose_does_not_change),
        cmocka_unit_test(ports_that_the_kernel_chose_are_allowed_to_their_owner),
        cmocka_unit_test(a_great_many_owners_of_such_ports_get_an_entry_a_port),
        cmocka_unit_test(a_great_many_owners_of_one_port_get_an_entry_an_address),
        cmocka_unit_test(a_service_with_a_name_may_change_its_port_as_well),
        cmocka_unit_test(our_own_sockets_need_no_entry),
        cmocka_unit_test(whatever_listens_is_fine_by_its_baseline),
        cmocka_unit_test(what_is_added_to_a_baseline_makes_nothing_unexpected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
