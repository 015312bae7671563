#include "exporters/json.h"
#include "exporters/json_read.h"
#include "tests/unit/scene.h"

enum { MANY = 4000 };

#define UNTOUCHED UINT64_C(12345678901234567)

/* An entry as in interface.md, with ' for ". */
#define WITH_RESTARTS(restarts)                                                                   \
    "{'protocol': 'tcp', 'family': 'ipv4', 'address': '0.0.0.0', 'port': 22, 'interface': null, " \
    "'netns': null, 'kernel_chosen_port': false, 'restarts': " restarts "}"
#define WITH_OWN(own)                                                                             \
    "{'protocol': 'tcp', 'family': 'ipv4', 'address': '0.0.0.0', 'port': 22, 'interface': null, " \
    "'netns': null, 'kernel_chosen_port': false, 'restarts': 0, 'own': " own "}"
#define DOCUMENT(entries) "{'listeners': [" entries "], 'collectors': {}}"

/* Counted, to see how much is compared. */
int __real_listener_key_compare(const struct listener_key *a, const struct listener_key *b);
int __wrap_listener_key_compare(const struct listener_key *a, const struct listener_key *b);

static size_t comparisons;

int __wrap_listener_key_compare(const struct listener_key *a, const struct listener_key *b)
{
    comparisons++;
    return __real_listener_key_compare(a, b);
}

/* Returns owned: a copy exactly as long as the text, in which ' is ". */
static char *quoted(const char *text, size_t *ret_length)
{
    size_t length = strlen(text);
    char *copy = malloc(length + (length == 0));

    assert_non_null(copy);
    for (size_t i = 0; i < length; i++)
        copy[i] = text[i];
    for (size_t i = 0; i < length; i++)
        if (copy[i] == '\'')
            copy[i] = '"';
    *ret_length = length;
    return copy;
}

static int read_quoted(const struct listener_table *table, const char *text, uint64_t *ret_restarts)
{
    size_t length;
    char *copy = quoted(text, &length);
    int r = json_read_restarts(copy, length, table, ret_restarts);

    free(copy);
    return r;
}

/* A host with one listener, 0.0.0.0:22. */
static const struct listener_table *table_of_one(struct scene *s)
{
    scene_init(s);
    scene_listen(s, "0.0.0.0:22", "0/1");
    scene_seal(s);
    return snapshot_host(s->snapshot)->listeners;
}

static void assert_one(const struct listener_table *table, const char *text, uint64_t expected)
{
    uint64_t restarts = UNTOUCHED;

    assert_int_equal(read_quoted(table, text, &restarts), 0);
    assert_int_equal(restarts, expected);
}

static void assert_refused(const struct listener_table *table, const char *text)
{
    uint64_t restarts = UNTOUCHED;

    if (read_quoted(table, text, &restarts) != -EBADMSG)
        fail_msg("taken: %s", text);
    assert_int_equal(restarts, UNTOUCHED);
}

static void what_is_written_is_read_again(void **state)
{
    static const uint64_t counted[] = {0, 3, VIEW_UNKNOWN, INT64_MAX, 7, 1, 0, 5, 9, 4};
    uint64_t restarts[ARRAY_LENGTH(counted)];
    struct scene s;
    struct buf out;
    size_t count;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:22", "0/1");
    scene_listen(&s, "[::]:22", "0/1");
    scene_listen(&s, "*:80", "0/1");
    scene_listen(&s, "127.0.0.1:80", "0/1");
    scene_listen_on(&s, "127.0.0.1:80", "eth0", "0/1");
    scene_listen_on(&s, "[fe80::1]:80", "eth0", "0/1");
    scene_listen(&s, "udp/0.0.0.0:80", NULL);
    scene_listen(&s, "udp/0.0.0.0:80~", NULL);
    scene_listen(&s, "udplite/0.0.0.0:80", NULL);
    scene_listen(&s, "raw/0.0.0.0:80", NULL);
    scene_seal(&s);
    (void)view_listeners(&s.view, &count);
    assert_int_equal(count, ARRAY_LENGTH(counted));
    s.view.restarts = counted;
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_false(out.failed);
    assert_int_equal(json_read_restarts(out.data, out.len, snapshot_host(s.snapshot)->listeners, restarts),
                     0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(restarts[i], counted[i]);
    buf_done(&out);
    scene_done(&s);
}

static int own_by(const struct listener *l, const char *text)
{
    size_t length;
    char *copy = quoted(text, &length);
    int r = json_read_own(copy, length, l);

    free(copy);
    return r;
}

/* Nothing but a plain yes about this very listener is one. */
static void what_the_daemon_says_to_be_its_own_is_read(void **state)
{
    static const struct {
        const char *text;
        int own;
    } cases[] = {
        {DOCUMENT(WITH_OWN("true")), 1},
        {DOCUMENT(WITH_OWN("false")), 0},
        {DOCUMENT(WITH_OWN("null")), 0},
        {DOCUMENT(WITH_OWN("1")), 0},
        {DOCUMENT(WITH_OWN("'true'")), 0},
        {DOCUMENT(WITH_RESTARTS("3")), 0},
        {DOCUMENT(""), 0},
        {DOCUMENT(WITH_OWN("true") "," WITH_OWN("true")), 1},
        {DOCUMENT(WITH_OWN("true") "," WITH_OWN("false")), 0},
        {DOCUMENT(WITH_OWN("true") "," WITH_RESTARTS("0")), 0},
        {"{'own': true}", -EBADMSG},
        {"true", -EBADMSG},
        {"", -EBADMSG},
    };
    struct scene s;
    size_t count;
    const struct listener *l = listener_table_all(table_of_one(&s), &count);
    struct listener other = *l;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(own_by(l, cases[i].text), cases[i].own);
    other.port = 23;
    assert_int_equal(own_by(&other, DOCUMENT(WITH_OWN("true"))), 0);
    other = *l;
    other.family = FAMILY_IPV6;
    assert_int_equal(own_by(&other, DOCUMENT(WITH_OWN("true"))), 0);
    scene_done(&s);
}

static void our_own_socket_is_read_again(void **state)
{
    uint64_t cookie = 2; /* of the second socket */
    struct scene s;
    const struct listener *l;
    struct buf out;
    size_t count;

    (void)state;
    scene_init(&s);
    s.own = (struct own_sockets){&cookie, 1};
    scene_listen(&s, "0.0.0.0:10066", "0/1");
    scene_listen(&s, "[::]:10066", "0/1");
    scene_seal(&s);
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_false(out.failed);
    l = view_listeners(&s.view, &count);
    assert_int_equal(count, 2);
    assert_int_equal(json_read_own(out.data, out.len, &l[0]), 0);
    assert_int_equal(json_read_own(out.data, out.len, &l[1]), 1);
    buf_done(&out);
    scene_done(&s);
}

static void what_the_document_lacks_is_unknown(void **state)
{
    static const char *const others[] = {
        "'protocol': 'udp'", "'family': 'ipv6'",    "'address': '0.0.0.1'", "'address': '::'",
        "'port': 23",        "'interface': 'eth0'", "'netns': 'guest'",
    };
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    assert_one(table, DOCUMENT(""), VIEW_UNKNOWN);
    assert_one(table, DOCUMENT(WITH_RESTARTS("3")), 3);
    assert_one(table, DOCUMENT(WITH_RESTARTS("null")), VIEW_UNKNOWN);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        char text[512] = DOCUMENT(WITH_RESTARTS("3"));
        size_t key = strcspn(others[i] + 1, "'") + 2;
        char *found, *end, rest[512];

        (void)snprintf(rest, sizeof rest, "%.*s", (int)key, others[i]);
        found = strstr(text, rest);
        assert_non_null(found);
        end = found + strcspn(found, ",");
        (void)snprintf(rest, sizeof rest, "%s", end);
        (void)snprintf(found, sizeof text - (size_t)(found - text), "%s%s", others[i], rest);
        assert_one(table, text, VIEW_UNKNOWN);
    }
    scene_done(&s);
}

/* A service is the same whoever chose its port, if it is known at all; a client
 * beside it is another. */
static void who_chose_the_port_tells_clients_only_apart(void **state)
{
    static const char *const choices[] = {"false", "true", "null"};

    (void)state;
    for (int protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UDP; protocol++) {
        const char *name = protocol_name((enum protocol)protocol);
        const struct listener_table *table;
        char text[512];
        struct scene s;

        scene_init(&s);
        (void)snprintf(text, sizeof text, "%s/0.0.0.0:22", name);
        scene_listen(&s, text, "0/1");
        scene_seal(&s);
        table = snapshot_host(s.view.snapshot)->listeners;
        for (size_t i = 0; i < ARRAY_LENGTH(choices); i++) {
            bool is_client = protocol == PROTOCOL_UDP && i == 1;

            (void)snprintf(text, sizeof text,
                           DOCUMENT("{'protocol': '%s', 'family': 'ipv4', 'address': '0.0.0.0', 'port': 22, "
                                    "'interface': null, 'netns': null, 'kernel_chosen_port': %s, "
                                    "'restarts': 3}"),
                           name, choices[i]);
            assert_one(table, text, is_client ? VIEW_UNKNOWN : 3);
        }
        scene_done(&s);
    }
}

static void an_entry_that_comes_twice_counts_if_it_says_the_same(void **state)
{
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    assert_one(table, DOCUMENT(WITH_RESTARTS("3") "," WITH_RESTARTS("3")), 3);
    assert_one(table, DOCUMENT(WITH_RESTARTS("3") "," WITH_RESTARTS("4")), VIEW_UNKNOWN);
    assert_one(table, DOCUMENT(WITH_RESTARTS("3") "," WITH_RESTARTS("4") "," WITH_RESTARTS("3")),
               VIEW_UNKNOWN);
    assert_one(table, DOCUMENT(WITH_RESTARTS("null") "," WITH_RESTARTS("4")), VIEW_UNKNOWN);
    assert_refused(table, "{'listeners': [], 'listeners': []}");
    assert_refused(table, DOCUMENT("{'port': 22, "
                                   "'port': 22}"));
    scene_done(&s);
}

static void numbers_are_checked_for_their_range(void **state)
{
    static const char *const wrong[] = {
        "-1",
        "1.0",
        "1e3",
        "'3'",
        "true",
        "[]",
        "{}",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e999",
        "01",
        "0x1",
        "99999999999999999999999999999999999999999999",
    };
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    assert_one(table, DOCUMENT(WITH_RESTARTS("0")), 0);
    assert_one(table, DOCUMENT(WITH_RESTARTS("9223372036854775807")), INT64_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        char text[512];

        (void)snprintf(text, sizeof text, DOCUMENT(WITH_RESTARTS("%s")), wrong[i]);
        assert_refused(table, text);
    }
    scene_done(&s);
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "true",
        "1",
        "'listeners'",
        "[]",
        "{}",
        "{'collectors': {}}",
        "{'listeners': null}",
        "{'listeners': {}}",
        "{'listeners': 'none'}",
        "{'listeners': [null]}",
        "{'listeners': [[]]}",
        "{'listeners': [{}]}",
        "{'listeners': []} {}",
        "{'listeners': []",
        "# HELP sockwatch_build_info\n",
        "<!DOCTYPE html>",
        "\xff\xfe",
        "{'listeners': [\xff]}",
        "{'l\\u0000': 1, 'listeners': []}",
        "{'listeners': ['\xc3']}",
        "{'listeners': [1], 'listeners\xed\xa0\x80': 1}",
    };
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_refused(table, texts[i]);
    scene_done(&s);
}

static void a_value_of_another_kind_is_refused(void **state)
{
    static const struct {
        const char *key, *values[8];
    } cases[] = {
        {"'protocol': ", {"null", "6", "'TCP'", "''", "'quic'", "['tcp']"}},
        {"'family': ", {"null", "4", "'IPv4'", "''", "'inet'", "true"}},
        {"'address': ", {"null", "0", "'0.0.0'", "''", "'0.0.0.0:22'", "'localhost'", "'[::]'", "'::%1'"}},
        {"'port': ", {"null", "-1", "65536", "'22'", "22.0", "4294967318", "18446744073709551638"}},
        {"'interface': ", {"0", "false", "[]", "{}"}},
        {"'netns': ", {"0", "false", "[]", "{}"}},
        {"'kernel_chosen_port': ", {"{}", "0", "'false'", "[]"}},
    };
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *text = DOCUMENT(WITH_RESTARTS("3"));
        const char *found = strstr(text, cases[i].key), *value, *end;
        char changed[512];

        assert_non_null(found);
        value = found + strlen(cases[i].key);
        end = value + strcspn(value, ",");
        for (size_t k = 0; k < ARRAY_LENGTH(cases[i].values) && cases[i].values[k]; k++) {
            (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(value - text), text, cases[i].values[k],
                           end);
            assert_refused(table, changed);
        }
        (void)snprintf(changed, sizeof changed, "%.*s%s", (int)(found - text), text, end + 2);
        assert_refused(table, changed); /* without the key */
    }
    scene_done(&s);
}

static void a_document_cut_at_any_length_is_refused(void **state)
{
    struct scene s;
    const struct listener_table *table = table_of_one(&s);
    uint64_t restarts = UNTOUCHED;
    struct buf out;

    (void)state;
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_false(out.failed);
    assert_int_equal(json_read_restarts(out.data, out.len, table, &restarts), 0);
    restarts = UNTOUCHED;
    for (size_t length = 0; length < out.len - 1; length++) { /* the last byte is a newline */
        char *copy = malloc(length + (length == 0));

        assert_non_null(copy);
        memcpy(copy, out.data, length);
        assert_int_equal(json_read_restarts(copy, length, table, &restarts), -EBADMSG);
        assert_int_equal(restarts, UNTOUCHED);
        free(copy);
    }
    buf_done(&out);
    scene_done(&s);
}

static void any_byte_may_be_another(void **state)
{
    static const char bytes[] = {'\0', '"', '\\', '{', '}', '[', ']', ',', ':', '-', '9', 'e', '\xff'};
    struct scene s;
    const struct listener_table *table = table_of_one(&s);
    size_t length, refused = 0, taken = 0;
    char *text = quoted(DOCUMENT(WITH_RESTARTS("3")), &length);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        char before = text[i];

        for (size_t k = 0; k < ARRAY_LENGTH(bytes); k++) {
            uint64_t restarts = UNTOUCHED;
            int r;

            text[i] = bytes[k];
            r = json_read_restarts(text, length, table, &restarts);
            assert_true(r == 0 || r == -EBADMSG);
            assert_int_equal(restarts == UNTOUCHED, r != 0);
            refused += r != 0;
            taken += r == 0;
        }
        text[i] = before;
    }
    assert_true(refused > length && taken > 0);
    free(text);
    scene_done(&s);
}

static void nesting_without_end_is_refused(void **state)
{
    const size_t length = 1u << 20;
    char *text = malloc(length);
    uint64_t restarts = UNTOUCHED;
    struct scene s;
    const struct listener_table *table = table_of_one(&s);

    (void)state;
    assert_non_null(text);
    memset(text, '[', length);
    assert_int_equal(json_read_restarts(text, length, table, &restarts), -EBADMSG);
    assert_int_equal(json_read_restarts(text, JSON_READ_MAX_BYTES + 1, table, &restarts), -EBADMSG);
    assert_int_equal(restarts, UNTOUCHED);
    free(text);
    scene_done(&s);
}

/* Of so many listeners, each on a port of its own, in reverse. */
static const struct listener_table *table_of_many(void)
{
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *table;

    assert_non_null(b);
    for (unsigned i = MANY; i > 0; i--) {
        char socket[32];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%u", i);
        add_rows(b, socket, i);
    }
    table = seal_all(b);
    assert_non_null(table);
    listener_builder_free(b);
    return table;
}

/* In an order that is neither theirs nor its reverse. */
static void write_many(struct buf *out)
{
    buf_str(out, "{\"listeners\": [");
    for (unsigned i = 0; i < MANY; i++) {
        unsigned port = 1 + (i * 1777) % MANY;

        buf_fmt(out,
                "%s{\"protocol\": \"tcp\", \"family\": \"ipv4\", \"address\": \"0.0.0.0\", \"port\": %u, "
                "\"interface\": null, \"netns\": null, \"kernel_chosen_port\": false, \"restarts\": %u}",
                i > 0 ? "," : "", port, port * 3);
    }
    buf_str(out, "]}");
}

static void many_listeners_are_not_each_compared_with_all(void **state)
{
    const struct listener_table *table = table_of_many();
    static uint64_t restarts[MANY];
    size_t count;
    const struct listener *listeners = listener_table_all(table, &count);
    struct buf out;

    (void)state;
    assert_int_equal(count, MANY);
    buf_init(&out);
    write_many(&out);
    comparisons = 0;
    assert_int_equal(json_read_restarts(out.data, out.len, table, restarts), 0);
    assert_in_range(comparisons, MANY, 40 * MANY); /* a sort and a search of 12 steps each, and once more */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(restarts[i], 3u * listeners[i].port);
    buf_done(&out);
    listener_table_unref(table);
}

#define SERVICE(name, port, status, since)                                                            \
    "{'name': '" name "', 'protocol': 'tcp', 'port': " port ", 'status': '" status "', 'rules': [], " \
    "'since': " since "}"
#define SERVICES(entries) "{'expected': [" entries "], 'listeners': []}"

/* Since when the only service, which is web on port 80, is wrong. */
static int read_web(const char *text, int64_t *ret_since)
{
    struct scene s;
    size_t length;
    char *copy = quoted(text, &length);
    int r;

    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
    scene_seal(&s);
    r = json_read_since(copy, length, &s.policy, s.verdict, ret_since);
    scene_done(&s);
    free(copy);
    return r;
}

static void assert_since(const char *text, int64_t expected)
{
    int64_t since = 1;

    assert_int_equal(read_web(text, &since), 0);
    assert_true(since == expected);
}

static void since_when_services_are_wrong_is_read_again(void **state)
{
    int64_t since[5];
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_a_mixed_host(&s);
    assert_int_equal(s.verdict->service_count, ARRAY_LENGTH(since));
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_int_equal(json_read_since(out.data, out.len, &s.policy, s.verdict, since), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(since); i++)
        assert_true(since[i] == (s.verdict->services[i].broken ? SCENE_WALL_MS : VIEW_SINCE_UNKNOWN));
    buf_done(&out);
    scene_done(&s);
}

static void since_is_known_of_what_is_wrong_only(void **state)
{
    static const char time[] = SERVICES(SERVICE("web", "80", "missing", "'2023-11-14T22:13:20.123Z'"));

    (void)state;
    assert_since(time, SCENE_WALL_MS);
    assert_since(SERVICES(SERVICE("web", "80", "wrong", "'1970-01-01T00:00:00.001Z'")), 1);
    assert_since(SERVICES(SERVICE("web", "80", "ok", "'1970-01-01T00:00:00.001Z'")), VIEW_SINCE_UNKNOWN);
    assert_since(SERVICES(SERVICE("web", "80", "unknown", "'1970-01-01T00:00:00.001Z'")), VIEW_SINCE_UNKNOWN);
    assert_since(SERVICES(SERVICE("web", "80", "missing", "null")), VIEW_SINCE_UNKNOWN);
    assert_since(SERVICES(SERVICE("web", "81", "missing", "'1970-01-01T00:00:00.001Z'")), VIEW_SINCE_UNKNOWN);
    assert_since(SERVICES(SERVICE("webb", "80", "missing", "'1970-01-01T00:00:00.001Z'")),
                 VIEW_SINCE_UNKNOWN);
    assert_since(SERVICES(SERVICE("web", "80", "missing", "'1970-01-01T00:00:00.001Z'") "," SERVICE(
                     "web", "80", "missing", "'1970-01-01T00:00:00.002Z'")),
                 VIEW_SINCE_UNKNOWN);
    assert_since(DOCUMENT(""), VIEW_SINCE_UNKNOWN); /* of a daemon that is older */
}

static void a_time_of_another_form_is_refused(void **state)
{
    static const char *const wrong[] = {
        SERVICES(SERVICE("web", "80", "missing", "7")),
        SERVICES(SERVICE("web", "80", "missing", "'yesterday'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-11-14T22:13:20Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-13-14T22:13:20.123Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-00-14T22:13:20.123Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-11-14T24:13:20.123Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-11-14 22:13:20.123Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-11-14T22:13:-1.123Z'")),
        SERVICES(SERVICE("web", "80", "missing", "'2023-11-14T22:13:20.123Z '")),
        SERVICES(SERVICE("web", "65536", "missing", "null")),
        SERVICES("{}"),
        SERVICES("7"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        int64_t since = 1;

        if (read_web(wrong[i], &since) != -EBADMSG)
            fail_msg("taken: %s", wrong[i]);
        assert_true(since == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_the_daemon_says_to_be_its_own_is_read),
        cmocka_unit_test(our_own_socket_is_read_again),
        cmocka_unit_test(what_the_document_lacks_is_unknown),
        cmocka_unit_test(who_chose_the_port_tells_clients_only_apart),
        cmocka_unit_test(an_entry_that_comes_twice_counts_if_it_says_the_same),
        cmocka_unit_test(numbers_are_checked_for_their_range),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_value_of_another_kind_is_refused),
        cmocka_unit_test(a_document_cut_at_any_length_is_refused),
        cmocka_unit_test(any_byte_may_be_another),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(since_when_services_are_wrong_is_read_again),
        cmocka_unit_test(since_is_known_of_what_is_wrong_only),
        cmocka_unit_test(a_time_of_another_form_is_refused),
        cmocka_unit_test(many_listeners_are_not_each_compared_with_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
