#include "exporters/table.h"
#include "tests/unit/scene.h"

static void user_name(uint32_t uid, char *ret_name, size_t size)
{
    (void)snprintf(ret_name, size, "%s", uid == 0 ? "root" : "www-data");
}

static void assert_table(const struct scene *s, const char *expected)
{
    struct buf out;

    buf_init(&out);
    table_listeners(&s->view, user_name, &out);
    assert_false(out.failed);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void a_mixed_host_as_a_table(void **state)
{
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    assert_table(
        &s,
        "PROTO  ADDRESS:PORT               SCOPE       CLASS       SERVICE       QUEUE  CONNS  OWNER  RULES\n"
        "tcp    0.0.0.0:22                 any         well-known  ssh           0/128      3  root\n"
        "tcp    [::]:22                    any         well-known  ssh           0/128      3  root\n"
        "tcp    *:80                       any         well-known  http       384/1022     10  root\n"
        "tcp    127.0.0.1:3306             loopback    registered  mysql          1/80      0  root   "
        "LoopbackOnly\n"
        "tcp    192.0.2.10%eth0:8080       address     registered  http-alt        0/0      0  root   "
        "UnexpectedListener\n"
        "tcp    [fe80::1%eth0]:8080        link-local  registered  http-alt        0/5      0  root   "
        "UnexpectedListener\n"
        "udp    127.0.0.1:53               loopback    well-known  domain            -      0  root\n"
        "udp    [2001:db8::12:3456]:51820  address     dynamic     wireguard         -      0  root   "
        "UnexpectedListener\n"
        "raw    0.0.0.0:1                  any         -           icmp              -      -  root   "
        "UnexpectedListener\n");
    scene_done(&s);
}

static void rules_have_a_column_only_where_one_is_broken(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "ssh", PROTOCOL_TCP, "22", WANT_ANY);
    scene_listen(&s, "0.0.0.0:22", "0/128");
    scene_listen_on(&s, "[::]:12345", "eth0", "0/4096");
    scene_count(&s, PROTOCOL_TCP, 22, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    assert_table(&s, "PROTO  ADDRESS:PORT     SCOPE  CLASS       SERVICE   QUEUE  CONNS  OWNER\n"
                     "tcp    0.0.0.0:22       any    well-known  ssh       0/128      1  root\n"
                     "tcp    [::%eth0]:12345  any    registered  -        0/4096      0  root\n");
    scene_done(&s);
}

static void all_broken_rules_of_a_listener_are_named(void **state)
{
    struct scene s;
    struct expect *e;

    (void)state;
    scene_init(&s);
    e = scene_expect(&s, "redis", PROTOCOL_TCP, "6379", WANT_LOOPBACK);
    e->families[1] = true;
    scene_listen(&s, "0.0.0.0:6379", "0/511");
    scene_seal(&s);
    assert_table(&s, "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE  QUEUE  CONNS  OWNER  RULES\n"
                     "tcp    0.0.0.0:6379  any    registered  redis    0/511      -  root   "
                     "Exposed,WrongAddress\n");
    scene_done(&s);
}

static void an_owner_that_is_not_one_is_a_dash(void **state)
{
    struct listener_row row = row_of("0.0.0.0:9000");
    struct scene s;

    (void)state;
    scene_init(&s);
    for (uint32_t uid = 33; uid < 35; uid++) {
        row.uid = uid;
        row.cookie = uid;
        assert_int_equal(listener_builder_add(s.builder, &row), 0);
    }
    scene_seal(&s);
    assert_table(&s, "PROTO  ADDRESS:PORT  SCOPE  CLASS       SERVICE  QUEUE  CONNS  OWNER\n"
                     "tcp    0.0.0.0:9000  any    registered  -            -      -  -\n");
    scene_done(&s);
}

static void a_host_without_listeners_is_a_heading(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    assert_table(&s, "PROTO  ADDRESS:PORT  SCOPE  CLASS  SERVICE  QUEUE  CONNS  OWNER\n");
    scene_done(&s);
}

static void ordinary_rows_fit_80_columns(void **state)
{
    static const char *const sockets[] = {"0.0.0.0:22",     "[::]:22",    "*:80",   "*:443",
                                          "127.0.0.1:3306", "[::1]:6379", "*:8080", "[::1]:5432"};
    struct scene s;
    struct buf out;
    char *text, *rest = NULL;
    size_t length;

    (void)state;
    scene_init(&s);
    for (size_t i = 0; i < ARRAY_LENGTH(sockets); i++) {
        struct listener_row row = row_of(sockets[i]);

        row.uid = 33;
        row.has_queue = true;
        row.queue_limit = 4096;
        row.cookie = i + 1;
        assert_int_equal(listener_builder_add(s.builder, &row), 0);
    }
    scene_listen(&s, "udp/0.0.0.0:68", NULL);
    scene_count(&s, PROTOCOL_TCP, 443, STATE_ESTABLISHED, 10000);
    scene_seal(&s);
    buf_init(&out);
    table_listeners(&s.view, user_name, &out);
    text = buf_take(&out, &length);
    assert_non_null(text);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        assert_in_range(strlen(line), 1, 80);
    free(text);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_host_as_a_table),
        cmocka_unit_test(rules_have_a_column_only_where_one_is_broken),
        cmocka_unit_test(all_broken_rules_of_a_listener_are_named),
        cmocka_unit_test(an_owner_that_is_not_one_is_a_dash),
        cmocka_unit_test(a_host_without_listeners_is_a_heading),
        cmocka_unit_test(ordinary_rows_fit_80_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
