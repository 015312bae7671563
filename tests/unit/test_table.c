#include "exporters/table.h"
#include "tests/unit/scene.h"

enum { SETS_MAX = 16, LINES_MAX = 64 };

/* A scene whose sockets have owners. */
struct host {
    struct scene s;
    struct owner_set *sets[SETS_MAX];
    size_t set_count;
};

static void host_init(struct host *h)
{
    scene_init(&h->s);
    h->set_count = 0;
}

/* Adds a socket and the owners that owners_of() makes of the last two. */
static void add(struct host *h, struct listener_row row, const char *made, const char *holders)
{
    struct owner_set *set = owners_of(made, holders);

    assert_in_range(h->set_count, 0, SETS_MAX - 1);
    h->sets[h->set_count++] = set;
    row.cookie = h->s.next_cookie++;
    row.uid = set->uid;
    row.owners = set;
    assert_int_equal(listener_builder_add(h->s.builder, &row), 0);
}

/* A TCP one with drops, whose queue is "LENGTH/LIMIT". */
static void add_tcp(struct host *h, const char *socket, const char *queue, const char *made,
                    const char *holders)
{
    struct listener_row row = row_of(socket);

    row.queue.known = true;
    assert_int_equal(sscanf(queue, "%u/%u", &row.queue.length, &row.queue.limit), 2);
    row.drops.known = true;
    add(h, row, made, holders);
}

static void add_udp(struct host *h, const char *socket, uint32_t bytes, const char *made, const char *holders)
{
    struct listener_row row = row_of(socket);

    row.receive_queue.known = true;
    row.receive_queue.bytes = bytes;
    row.drops.known = true;
    add(h, row, made, holders);
}

static void host_done(struct host *h)
{
    scene_done(&h->s);
    for (size_t i = 0; i < h->set_count; i++)
        owner_set_unref(h->sets[i]);
}

/* Returns owned. */
static char *render(const struct view *view, size_t width, bool colour)
{
    const struct table_style style = {.width = width, .colour = colour};
    struct buf out;
    size_t length;
    char *text;

    buf_init(&out);
    table_listeners(view, &style, &out);
    text = buf_take(&out, &length);
    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    return text;
}

static void assert_table(const struct view *view, size_t width, const char *expected)
{
    char *text = render(view, width, false);

    assert_string_equal(text, expected);
    free(text);
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;

    for (size_t length; *text; text += length + 1) {
        length = strcspn(text, "\n");
        assert_int_equal(text[length], '\n');
        longest = length > longest ? length : longest;
    }
    return longest;
}

static bool is_word_of_heading(const char *table, const char *heading)
{
    const char *end = table + strcspn(table, "\n"), *found = strstr(table, heading);

    return found && found < end && (found == table || found[-1] == ' ') &&
           strchr(" \n", found[strlen(heading)]);
}

/* What an ordinary server has. */
static void ordinary_host(struct host *h)
{
    static const char resolved[] = "101:systemd-resolve:systemd-resolved.service";
    static const char resolver[] = "612:systemd-resolve:systemd-resolve:systemd-resolved.service";

    host_init(h);
    scene_expect(&h->s, "mysql", PROTOCOL_TCP, "3306", WANT_PUBLIC);
    add_tcp(h, "0.0.0.0:22", "0/128", "0:root:ssh.service", "733:sshd:root:ssh.service");
    add_tcp(h, "[::]:22", "0/128", "0:root:ssh.service", "733:sshd:root:ssh.service");
    add_tcp(h, "127.0.0.53%2:53", "0/4096", resolved, resolver);
    add_udp(h, "udp/127.0.0.53%2:53", 0, resolved, resolver);
    add_tcp(h, "*:80", "3/511", "0:root:nginx.service",
            "900:nginx:root:nginx.service,901:nginx:www-data:nginx.service,902:nginx:www-data:nginx.service");
    add_tcp(h, "127.0.0.1:3306", "1/80", "106:mysql:mariadb.service", "812:mariadbd:mysql:mariadb.service");
    add_tcp(h, "[::1]:6379", "0/511", "107:redis:redis-server.service", "");
    add_udp(h, "udp/192.168.122.45:123", 12345, "0:root:chrony.service",
            "4194304:chronyd:_chrony:chrony.service");
    scene_count(&h->s, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1234);
    scene_count(&h->s, PROTOCOL_UDP, 53, STATE_ESTABLISHED, 0);
    scene_seal(&h->s);
}

static void every_column_of_an_ordinary_host(void **state)
{
    static const uint64_t restarts[] = {2, 0, VIEW_UNKNOWN, 0, 0, 12, 0, 0};
    struct host h;

    (void)state;
    ordinary_host(&h);
    h.s.view.restarts = restarts;
    assert_table(&h.s.view, 0,
                 "PROTO  ADDRESS:PORT        SCOPE     CLASS       SERVICE   QUEUE  DROPS  CONNS  RESTARTS  "
                 "OWNER                 USER             UNIT                      RULES\n"
                 "tcp    0.0.0.0:22          any       well-known  ssh       0/128      0      0         2  "
                 "sshd[733]             root             ssh.service\n"
                 "tcp    [::]:22             any       well-known  ssh       0/128      0      0         0  "
                 "sshd[733]             root             ssh.service\n"
                 "tcp    127.0.0.53%if2:53   loopback  well-known  domain   0/4096      0      0         -  "
                 "systemd-resolve[612]  systemd-resolve  systemd-resolved.service\n"
                 "tcp    *:80                any       well-known  http      3/511      0   1234         0  "
                 "nginx[900]+2          root,www-data    nginx.service\n"
                 "tcp    127.0.0.1:3306      loopback  registered  mysql      1/80      0      0         0  "
                 "mariadbd[812]         mysql            mariadb.service           LoopbackOnly\n"
                 "tcp    [::1]:6379          loopback  registered  redis     0/511      0      0        12  "
                 "(redis)               redis            redis-server.service\n"
                 "udp    127.0.0.53%if2:53   loopback  well-known  domain       0B      0      0         0  "
                 "systemd-resolve[612]  systemd-resolve  systemd-resolved.service\n"
                 "udp    192.168.122.45:123  address   well-known  ntp      12345B      0      0         0  "
                 "chronyd[4194304]      _chrony          chrony.service\n");
    host_done(&h);
}

static void an_ordinary_host_at_80(void **state)
{
    struct host h;

    (void)state;
    ordinary_host(&h);
    assert_table(&h.s.view, 80,
                 "PROTO ADDRESS:PORT       SCOPE     QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   0.0.0.0:22         any       0/128     0        - sshd[733]\n"
                 "tcp   [::]:22            any       0/128     0        - sshd[733]\n"
                 "tcp   127.0.0.53%if2:53  loopback 0/4096     0        - systemd-resolve[612]\n"
                 "tcp   *:80               any       3/511  1234        - nginx[900]+2\n"
                 "tcp   127.0.0.1:3306     loopback   1/80     0        - mariadbd[812]\n"
                 "      ! LoopbackOnly\n"
                 "tcp   [::1]:6379         loopback  0/511     0        - (redis)\n"
                 "udp   127.0.0.53%if2:53  loopback     0B     0        - systemd-resolve[612]\n"
                 "udp   192.168.122.45:123 address  12345B     0        - chronyd[4194304]\n");
    host_done(&h);
}

static void no_line_is_longer_than_the_terminal(void **state)
{
    struct host h;
    size_t natural;
    char *text;

    (void)state;
    ordinary_host(&h);
    text = render(&h.s.view, 0, false);
    natural = longest_line(text);
    free(text);
    for (size_t width = 80; width <= 200; width++) {
        text = render(&h.s.view, width, false);
        assert_in_range(longest_line(text), 60, width < natural ? width : natural);
        assert_non_null(strstr(text, " 127.0.0.53%if2:53 "));
        assert_non_null(strstr(text, " 192.168.122.45:123 "));
        assert_non_null(strstr(text, " LoopbackOnly\n"));
        free(text);
    }
    host_done(&h);
}

/* The first width, from wide to narrow, at which the heading is not there. */
static size_t width_without(const struct view *view, const char *heading)
{
    for (size_t width = 300; width > 0; width--) {
        char *text = render(view, width, false);
        bool is_there = is_word_of_heading(text, heading);

        free(text);
        if (!is_there)
            return width;
    }
    return 0;
}

static void columns_go_the_least_important_first(void **state)
{
    static const char *const order[] = {"UNIT", "DROPS", "CLASS", "RULES", "USER", "SERVICE"};
    static const char *const stay[] = {"PROTO", "ADDRESS:PORT", "SCOPE", "QUEUE",
                                       "CONNS", "RESTARTS",     "OWNER"};
    size_t before = 300;
    struct host h;

    (void)state;
    ordinary_host(&h);
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        size_t width = width_without(&h.s.view, order[i]);

        assert_in_range(width, 60, before - 1);
        before = width;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(stay); i++)
        assert_int_equal(width_without(&h.s.view, stay[i]), 0);
    host_done(&h);
}

static void what_is_not_known_is_a_dash(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:9000", NULL);
    scene_listen(&s, "raw/0.0.0.0:1", NULL);
    scene_seal(&s);
    assert_table(
        &s.view, 0,
        "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE  QUEUE  DROPS  CONNS  RESTARTS  OWNER  USER  UNIT\n"
        "tcp    0.0.0.0:9000  any    registered  -            -      -      -         -  -      -     -\n"
        "raw    0.0.0.0:1     any    -           icmp         -      -      -         -  -      -     -\n");
    scene_done(&s);
}

static void restarts_are_the_daemons_to_know(void **state)
{
    static const uint64_t restarts[] = {7, VIEW_UNKNOWN};
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:22", "0/128");
    scene_listen(&s, "0.0.0.0:23", "0/128");
    scene_seal(&s);
    s.view.restarts = restarts;
    assert_table(&s.view, 60,
                 "PROTO ADDRESS:PORT SCOPE SERVICE QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   0.0.0.0:22   any   ssh     0/128     -        7 -\n"
                 "tcp   0.0.0.0:23   any   telnet  0/128     -        - -\n");
    s.view.has_history = true;
    s.view.restarts = NULL;
    assert_table(&s.view, 60,
                 "PROTO ADDRESS:PORT SCOPE SERVICE QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   0.0.0.0:22   any   ssh     0/128     -        0 -\n"
                 "tcp   0.0.0.0:23   any   telnet  0/128     -        0 -\n");
    scene_done(&s);
}

static void an_address_that_the_host_lacks_is_absent(void **state)
{
    struct listener_row row = row_of("192.0.2.77:80");
    struct host h;

    (void)state;
    host_init(&h);
    row.presence = PRESENCE_ABSENT;
    (void)add(&h, row, "0:root:", "");
    scene_seal(&h.s);
    assert_table(&h.s.view, 60,
                 "PROTO  ADDRESS:PORT   SCOPE   QUEUE  CONNS  RESTARTS  OWNER\n"
                 "tcp    192.0.2.77:80  absent      -      -         -  (root)\n");
    host_done(&h);
}

/* Checks the owner and the user of the only listener. */
static void assert_owner(struct host *h, const char *owner, const char *user)
{
    char *text, *line, *rest = NULL, expected[128];

    scene_seal(&h->s);
    text = render(&h->s.view, 0, false);
    (void)strtok_r(text, "\n", &rest);
    line = strtok_r(NULL, "\n", &rest);
    assert_non_null(line);
    (void)snprintf(expected, sizeof expected, "  -  %s  %s ", owner, user);
    if (!strstr(line, expected))
        fail_msg("no \"%s\" in \"%s\"", expected, line);
    assert_null(strtok_r(NULL, "\n", &rest));
    free(text);
    host_done(h);
}

static void many_holders_are_the_first_and_a_number(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:80", "0/511", "0:root:", "101:nginx:www-data:,100:nginx:root:,102:nginx:www-data:");
    add_tcp(&h, "*:80", "0/511", "0:root:", "100:nginx:root:,101:nginx:www-data:,200:nginx:www-data:");
    assert_owner(&h, "nginx[100]+3", "root,www-data");
}

static void an_activator_comes_after_others(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:ssh.socket", "1:systemd:root:init.scope,733:sshd:root:ssh.service");
    assert_owner(&h, "sshd[733]+1", "root");
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:ssh.socket", "1:systemd:root:init.scope");
    assert_owner(&h, "systemd[1]", "root");
}

static void a_process_may_have_no_name(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:", "733::root:");
    assert_owner(&h, "-[733]", "root");
}

static void a_socket_without_a_process_has_a_user(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:3306", "0/80", "106:mysql:mariadb.service", "");
    assert_owner(&h, "(mysql)", "mysql");
}

static void users_who_share_an_address_are_all_named(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_udp(&h, "udp/0.0.0.0:5353", 0, "108:avahi:avahi-daemon.service", "500:avahi-daemon:avahi:");
    add_udp(&h, "udp/0.0.0.0:5353", 512, "1000:alice:", "2000:chromium:alice:");
    assert_owner(&h, "avahi-daemon[500]+1", "alice,avahi");
    host_init(&h);
    add_udp(&h, "udp/0.0.0.0:5353", 0, "108:avahi:avahi-daemon.service", "");
    add_udp(&h, "udp/0.0.0.0:5353", 512, "1000:alice:", "");
    assert_owner(&h, "(alice,avahi)", "alice,avahi");
    host_init(&h);
    add_udp(&h, "udp/0.0.0.0:5353", 0, "108:avahi:avahi-daemon.service", "");
    add_udp(&h, "udp/0.0.0.0:5353", 512, "1000:alice:", "2000:chromium:alice:");
    assert_owner(&h, "chromium[2000]", "alice,avahi");
}

static void names_beyond_ascii_keep_the_columns(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:ssh.service", "733:sshd:root:ssh.service");
    add_tcp(&h, "*:8080", "0/5", "1000:jürgen:größe☃-http.service", "7:日本𐍈:jürgen:größe☃-http.service");
    scene_seal(&h.s);
    assert_table(&h.s.view, 0,
                 "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE   QUEUE  DROPS  CONNS  RESTARTS  OWNER     "
                 " USER    UNIT\n"
                 "tcp    *:22          any    well-known  ssh       0/128      0      -         -  sshd[733] "
                 " root    ssh.service\n"
                 "tcp    *:8080        any    registered  http-alt    0/5      0      -         -  ???[7]    "
                 " j?rgen  gr??e?-http.service\n");
    host_done(&h);
}

static void a_port_that_the_kernel_chose_is_marked(void **state)
{
    struct listener_row row = row_of("udp/0.0.0.0:52922");
    struct host h;

    (void)state;
    host_init(&h);
    h.s.policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    add_tcp(&h, "0.0.0.0:4444", "0/16", "0:root:", "64:intruder:root:");
    row.auto_port = true;
    row.receive_queue.known = true;
    (void)add(&h, row, "0:root:", "63:client:root:");
    scene_seal(&h.s);
    assert_table(&h.s.view, 0,
                 "PROTO  ADDRESS:PORT   SCOPE  CLASS       SERVICE  QUEUE  DROPS  CONNS  RESTARTS  OWNER     "
                 "    USER  UNIT  NOTES\n"
                 "tcp    0.0.0.0:4444   any    registered  -         0/16      0      -         -  "
                 "intruder[64]  root  -     UnexpectedListener\n"
                 "udp    0.0.0.0:52922  any    dynamic     -           0B      -      -         -  "
                 "client[63]    root  -     kernel-chosen port\n");
    assert_table(&h.s.view, 80,
                 "PROTO  ADDRESS:PORT   SCOPE  SERVICE  QUEUE  CONNS  RESTARTS  OWNER         USER\n"
                 "tcp    0.0.0.0:4444   any    -         0/16      -         -  intruder[64]  root\n"
                 "       ! UnexpectedListener\n"
                 "udp    0.0.0.0:52922  any    -           0B      -         -  client[63]    root\n"
                 "       kernel-chosen port\n");
    host_done(&h);
}

static void rules_go_on_below_each_other(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "0.0.0.0:4444", "0/16", "0:root:", "64:intruder:root:");
    scene_seal(&h.s);
    for (int rule = 0; rule < 5; rule++)
        h.s.verdict->listeners[0].rules |= 1u << rule;
    assert_table(&h.s.view, 65,
                 "PROTO  ADDRESS:PORT  SCOPE  QUEUE  CONNS  RESTARTS  OWNER\n"
                 "tcp    0.0.0.0:4444  any     0/16      -         -  intruder[64]\n"
                 "       ! NotListening, LoopbackOnly, Exposed, WrongAddress,\n"
                 "         Flapping\n");
    host_done(&h);
}

static void a_long_address_has_a_line_of_its_own(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    h.s.policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    add_tcp(&h, "192.168.122.123:8080", "0/4096", "0:root:", "1000001:docker-proxy-rs:root:");
    add_udp(&h, "udp/[fe80::5054:ff:fe12:3456%2]:546", 0, "0:root:", "700:dhclient:root:");
    scene_seal(&h.s);
    assert_table(&h.s.view, 80,
                 "PROTO ADDRESS:PORT         SCOPE       QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   192.168.122.123:8080 address    0/4096     -        - docker-p...[1000001]\n"
                 "      ! UnexpectedListener\n"
                 "udp   [fe80::5054:ff:fe12:3456%if2]:546\n"
                 "                           link-local     0B     -        - dhclient[700]\n"
                 "      ! UnexpectedListener\n");
    host_done(&h);
}

static void an_owner_is_cut_but_for_its_pid(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "192.168.122.123:8080", "0/4096",
            "0:root:", "1000001:docker-proxy-rs:root:,1000002:docker-proxy-rs:root:");
    add_tcp(&h, "192.168.122.123:8081", "0/4096", "5:systemd-coredump-and-more:", "");
    scene_seal(&h.s);
    assert_table(&h.s.view, 76,
                 "PROTO ADDRESS:PORT         SCOPE    QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   192.168.122.123:8080 address 0/4096     -        - docke...[1000001]+1\n"
                 "tcp   192.168.122.123:8081 address 0/4096     -        - (systemd-coredu...)\n");
    host_done(&h);
}

static void a_program_is_told_and_one_without_a_file_stands_out(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:", "733:sshd:root:ssh.service:/usr/sbin/sshd");
    add_tcp(&h, "*:80", "0/16", "0:root:", "900:nginx:root::/usr/sbin/nginx (deleted)");
    add_tcp(&h, "*:81", "0/16", "0:root:", "901:web:root::!/usr/sbin/web");
    add_tcp(&h, "*:4444", "0/1", "1000:bob:", "4444:kworker:bob::!/memfd-x (deleted)");
    add_tcp(&h, "*:4445", "0/1", "1000:bob:", "");
    scene_seal(&h.s);
    assert_table(&h.s.view, 0,
                 "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE  QUEUE  DROPS  CONNS  RESTARTS  OWNER      "
                 "              USER  UNIT         EXE\n"
                 "tcp    *:22          any    well-known  ssh      0/128      0      -         -  sshd[733]  "
                 "              root  ssh.service  /usr/sbin/sshd\n"
                 "tcp    *:80          any    well-known  http      0/16      0      -         -  (deleted) "
                 "nginx[900]     root  -            /usr/sbin/nginx\n"
                 "tcp    *:81          any    well-known  -         0/16      0      -         -  web[901]   "
                 "              root  -            /usr/sbin/web (not the host's)\n"
                 "tcp    *:4444        any    registered  -          0/1      0      -         -  (deleted) "
                 "kworker[4444]  bob   -            /memfd-x (not the host's)\n"
                 "tcp    *:4445        any    registered  -          0/1      0      -         -  (bob)      "
                 "              bob   -            -\n");
    assert_table(&h.s.view, 70,
                 "PROTO ADDRESS:PORT SCOPE QUEUE CONNS RESTARTS OWNER\n"
                 "tcp   *:22         any   0/128     -        - sshd[733]\n"
                 "tcp   *:80         any    0/16     -        - (deleted) nginx[900]\n"
                 "tcp   *:81         any    0/16     -        - web[901]\n"
                 "tcp   *:4444       any     0/1     -        - (deleted) kworker[4444]\n"
                 "tcp   *:4445       any     0/1     -        - (bob)\n");
    host_done(&h);
}

static void an_owner_is_not_cut_in_the_middle_of_an_escape(void **state)
{
    static const char *const wanted[] = {"abcde\\x1b...[4711]", "abcdef......[4711]", "abcdefg.....[4711]",
                                         "abcdefgh....[4711]", "abcdefghi...[4711]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        char holder[64];
        struct host h;
        char *text;

        (void)snprintf(holder, sizeof holder, "4711:%.*s\\x1bxxxxxxxx:root:", (int)(5 + i), "abcdefghi");
        host_init(&h);
        add_tcp(&h, "192.168.122.123:8080", "0/4096", "0:root:", holder);
        scene_seal(&h.s);
        text = render(&h.s.view, 75, false);
        if (!strstr(text, wanted[i]))
            fail_msg("%s\n%s", wanted[i], text);
        free(text);
        host_done(&h);
    }
}

static void a_user_whose_name_is_unknown_is_a_number(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "0.0.0.0:9000", "0/1", "4242::", "");
    scene_seal(&h.s);
    assert_table(
        &h.s.view, 0,
        "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE  QUEUE  DROPS  CONNS  RESTARTS  OWNER   USER  UNIT\n"
        "tcp    0.0.0.0:9000  any    registered  -          0/1      0      -         -  (4242)  4242  -\n");
    host_done(&h);
}

static void a_host_without_listeners_is_a_heading(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    assert_table(
        &s.view, 0,
        "PROTO  ADDRESS:PORT  SCOPE  CLASS  SERVICE  QUEUE  DROPS  CONNS  RESTARTS  OWNER  USER  UNIT\n");
    scene_done(&s);
}

static void remove_colours(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from == '\033')
            from = strchr(from, 'm');
        else
            *to++ = *from;
    }
    *to = '\0';
}

static void colours_are_never_the_only_sign(void **state)
{
    static const size_t widths[] = {0, 60, 80, 120};
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    for (size_t i = 0; i < ARRAY_LENGTH(widths); i++) {
        char *plain = render(&s.view, widths[i], false), *colourful = render(&s.view, widths[i], true);

        assert_null(strchr(plain, '\033'));
        assert_non_null(strstr(colourful, "\033[1mPROTO"));
        remove_colours(colourful);
        assert_string_equal(colourful, plain);
        free(colourful);
        free(plain);
    }
    scene_done(&s);
}

static void critical_rules_are_red_and_others_yellow(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_of_a_mixed_host(&s);
    text = render(&s.view, 0, true);
    assert_non_null(strstr(text, "\033[31mLoopbackOnly\033[0m\n"));
    assert_non_null(strstr(text, "\033[33mUnexpectedListener\033[0m\n"));
    assert_null(strstr(text, "\033[31mUnexpectedListener"));
    free(text);
    text = render(&s.view, 80, true);
    assert_non_null(strstr(text, "\033[31m! LoopbackOnly\033[0m\n"));
    assert_non_null(strstr(text, "\033[33m! UnexpectedListener\033[0m\n"));
    free(text);
    for (size_t i = 0; i < 9; i++)
        s.verdict->listeners[i].severities[RULE_UNEXPECTED_LISTENER] = SEVERITY_CRITICAL;
    text = render(&s.view, 0, true);
    assert_null(strstr(text, "\033[33m"));
    assert_non_null(strstr(text, "\033[31mUnexpectedListener\033[0m\n"));
    free(text);
    scene_done(&s);
}

static void one_critical_rule_among_warnings_makes_them_red(void **state)
{
    struct listener_verdict *v;
    struct host h;
    char *text;

    (void)state;
    host_init(&h);
    add_tcp(&h, "0.0.0.0:4444", "0/16", "0:root:", "64:intruder:root:");
    scene_seal(&h.s);
    v = &h.s.verdict->listeners[0];
    v->rules = 1u << RULE_WRONG_OWNER | 1u << RULE_BLIND;
    text = render(&h.s.view, 0, true);
    assert_non_null(strstr(text, "\033[33mWrongOwner, Blind\033[0m\n"));
    free(text);
    v->severities[RULE_BLIND] = SEVERITY_CRITICAL;
    text = render(&h.s.view, 0, true);
    assert_non_null(strstr(text, "\033[31mWrongOwner, Blind\033[0m\n"));
    free(text);
    host_done(&h);
}

/* As many listeners as one in ten of which may be longer than usual. */
static void add_usual(struct host *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char socket[32];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%u", 1000 + i);
        add_tcp(h, socket, "0/128", "0:root:a.service", "900:web:root:a.service");
    }
}

static void one_long_row_costs_no_column(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_usual(&h, 2);
    add_tcp(&h, "0.0.0.0:2000", "0/128", "0:root:",
            "12345:a-long-process-name-of-one:root:a-unit-that-somebody-has-given-a-very-long-name.service");
    scene_seal(&h.s);
    assert_table(
        &h.s.view, 102,
        "PROTO ADDRESS:PORT SCOPE CLASS      SERVICE QUEUE DROPS CONNS RESTARTS OWNER         USER UNIT\n"
        "tcp   0.0.0.0:1000 any   well-known -       0/128     0     -        - web[900]      root "
        "a.service\n"
        "tcp   0.0.0.0:1001 any   well-known -       0/128     0     -        - web[900]      root "
        "a.service\n"
        "tcp   0.0.0.0:2000 any   registered -       0/128     0     -        - a-l...[12345] root "
        "a-unit-th...\n");
    host_done(&h);
}

static void one_long_address_costs_no_column(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_usual(&h, 2);
    add_tcp(&h, "[fe80::5054:ff:fe12:3456%2]:2000", "0/128", "0:root:a.service", "900:web:root:a.service");
    scene_seal(&h.s);
    assert_table(
        &h.s.view, 100,
        "PROTO ADDRESS:PORT  SCOPE      CLASS      SERVICE QUEUE DROPS CONNS RESTARTS OWNER    USER UNIT\n"
        "tcp   0.0.0.0:1000  any        well-known -       0/128     0     -        - web[900] root "
        "a.service\n"
        "tcp   0.0.0.0:1001  any        well-known -       0/128     0     -        - web[900] root "
        "a.service\n"
        "tcp   [fe80::5054:ff:fe12:3456%if2]:2000\n"
        "                    link-local registered -       0/128     0     -        - web[900] root "
        "a.service\n");
    host_done(&h);
}

/* What many rows have is no exception, and is not cut while a column can go. */
static void many_long_rows_cost_one(void **state)
{
    struct host h;
    char *text;

    (void)state;
    host_init(&h);
    add_usual(&h, 2);
    for (unsigned i = 0; i < 2; i++)
        add_tcp(&h, i == 0 ? "0.0.0.0:2000" : "0.0.0.0:2001", "0/128",
                "0:root:", "12345:web:root:a-unit-that-somebody-has-given-a-very-long-name.service");
    scene_seal(&h.s);
    text = render(&h.s.view, 100, false);
    assert_false(is_word_of_heading(text, "UNIT"));
    assert_null(strstr(text, "..."));
    free(text);
    host_done(&h);
}

static void the_sockets_of_a_group_are_counted(void **state)
{
    struct host h;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:80", "0/511", "0:root:", "100:nginx:root:");
    add_tcp(&h, "*:80", "0/511", "0:root:", "101:nginx:root:");
    add_udp(&h, "udp/0.0.0.0:5353", 0, "108:avahi:", "");
    add_udp(&h, "udp/0.0.0.0:5353", 0, "1000:alice:", "");
    add_tcp(&h, "*:22", "0/128", "0:root:", "7:sshd:root:");
    scene_seal(&h.s);
    assert_table(&h.s.view, 0,
                 "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE   QUEUE  DROPS  CONNS  RESTARTS  OWNER     "
                 "     USER         UNIT  NOTES\n"
                 "tcp    *:22          any    well-known  ssh       0/128      0      -         -  sshd[7]   "
                 "     root         -\n"
                 "tcp    *:80          any    well-known  http     0/1022      0      -         -  "
                 "nginx[100]+1   root         -     2 sockets\n"
                 "udp    0.0.0.0:5353  any    registered  mdns         0B      0      -         -  "
                 "(alice,avahi)  alice,avahi  -     2 sockets of several users\n");
    host_done(&h);
}

static void a_service_of_another_name_is_a_guess(void **state)
{
    struct host h;
    char *text;

    (void)state;
    host_init(&h);
    add_tcp(&h, "*:22", "0/128", "0:root:", "7:sshd:root:");
    add_tcp(&h, "*:80", "0/511", "0:root:", "100:mariadbd:root:");
    scene_seal(&h.s);
    text = render(&h.s.view, 0, false);
    assert_non_null(strstr(text, "  ssh  "));
    assert_non_null(strstr(text, "  http?  "));
    free(text);
    host_done(&h);
}

static void filters_leave_rows_out(void **state)
{
    static const struct port_range port = {53, 53};
    struct view_filter filter = {.ports = &port, .port_count = 1};
    struct host h;
    char *text;

    (void)state;
    ordinary_host(&h);
    h.s.view.filter = &filter;
    text = render(&h.s.view, 0, false);
    assert_non_null(strstr(text, "\ntcp    127.0.0.53"));
    assert_non_null(strstr(text, "\nudp    127.0.0.53"));
    assert_null(strstr(text, ":22"));
    free(text);
    filter.one_protocol = true;
    text = render(&h.s.view, 0, false);
    assert_non_null(strstr(text, "\ntcp    127.0.0.53"));
    assert_null(strstr(text, "\nudp"));
    free(text);
    filter = (struct view_filter){.problems = true};
    text = render(&h.s.view, 0, false);
    assert_non_null(strstr(text, "127.0.0.1:3306"));
    assert_null(strstr(text, ":22"));
    free(text);
    host_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_of_an_ordinary_host),
        cmocka_unit_test(an_ordinary_host_at_80),
        cmocka_unit_test(no_line_is_longer_than_the_terminal),
        cmocka_unit_test(columns_go_the_least_important_first),
        cmocka_unit_test(what_is_not_known_is_a_dash),
        cmocka_unit_test(restarts_are_the_daemons_to_know),
        cmocka_unit_test(an_address_that_the_host_lacks_is_absent),
        cmocka_unit_test(many_holders_are_the_first_and_a_number),
        cmocka_unit_test(an_activator_comes_after_others),
        cmocka_unit_test(a_process_may_have_no_name),
        cmocka_unit_test(a_socket_without_a_process_has_a_user),
        cmocka_unit_test(users_who_share_an_address_are_all_named),
        cmocka_unit_test(names_beyond_ascii_keep_the_columns),
        cmocka_unit_test(a_port_that_the_kernel_chose_is_marked),
        cmocka_unit_test(rules_go_on_below_each_other),
        cmocka_unit_test(a_long_address_has_a_line_of_its_own),
        cmocka_unit_test(an_owner_is_cut_but_for_its_pid),
        cmocka_unit_test(a_program_is_told_and_one_without_a_file_stands_out),
        cmocka_unit_test(an_owner_is_not_cut_in_the_middle_of_an_escape),
        cmocka_unit_test(a_user_whose_name_is_unknown_is_a_number),
        cmocka_unit_test(a_host_without_listeners_is_a_heading),
        cmocka_unit_test(colours_are_never_the_only_sign),
        cmocka_unit_test(critical_rules_are_red_and_others_yellow),
        cmocka_unit_test(one_critical_rule_among_warnings_makes_them_red),
        cmocka_unit_test(one_long_row_costs_no_column),
        cmocka_unit_test(one_long_address_costs_no_column),
        cmocka_unit_test(many_long_rows_cost_one),
        cmocka_unit_test(the_sockets_of_a_group_are_counted),
        cmocka_unit_test(a_service_of_another_name_is_a_guess),
        cmocka_unit_test(filters_leave_rows_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
