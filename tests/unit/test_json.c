#include "exporters/json.h"
#include "tests/unit/scene.h"

#include <jansson.h>
#include <time.h>

enum { ALERTS_MAX = 16 };

/* JSON written with ' for ". Returns owned. */
static json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    json_error_t error;
    json_t *value;

    assert_non_null(copy);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    value = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg("%s: %s", error.text, copy);
    free(copy);
    return value;
}

static void assert_json(const json_t *value, const char *expected_text)
{
    json_t *expected = json_of(expected_text);

    if (!json_equal(value, expected)) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        print_error("is:     %s\nshould: %s\n", text ? text : "nothing", expected_text);
        free(text);
        fail();
    }
    json_decref(expected);
}

/* Takes what was rendered and parses it. Returns owned. */
static json_t *parse(struct buf *out)
{
    size_t length;
    char *text = buf_take(out, &length);
    json_error_t error;
    json_t *root;

    assert_non_null(text);
    assert_true(length > 0 && text[length - 1] == '\n');
    root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("line %d: %s", error.line, error.text);
    free(text);
    return root;
}

static json_t *listeners_of(const struct scene *s)
{
    struct buf out;

    buf_init(&out);
    json_listeners(&s->view, &out);
    return parse(&out);
}

/* A policy that knows none of the services. */
static const struct policy none;

static json_t *alerts_of(const struct scene *s)
{
    const struct alert *order[ALERTS_MAX];
    struct buf out;

    assert_in_range(s->list->count, 0, ALERTS_MAX);
    for (size_t i = 0; i < s->list->count; i++)
        order[i] = &s->list->items[i];
    buf_init(&out);
    json_alerts(&s->policy, order, s->list->count, &out);
    return parse(&out);
}

/* The listener of an address and port, or NULL. Borrowed from root. */
static json_t *find_listener(const json_t *root, const char *address, int port)
{
    json_t *listener;
    size_t i;

    json_array_foreach(
        json_object_get(root, "listeners"), i,
        listener) if (strcmp(json_string_value(json_object_get(listener, "address")), address) == 0 &&
                      json_integer_value(json_object_get(listener, "port")) == port) return listener;
    return NULL;
}

static void a_listener_has_the_shape_of_the_contract(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    assert_int_equal(json_object_size(root), 4);
    assert_int_equal(json_array_size(json_object_get(root, "listeners")), 9);
    assert_json(find_listener(root, "0.0.0.0", 22),
                "{'protocol': 'tcp', 'family': 'ipv4', 'address': '0.0.0.0', 'address_present': null, "
                "'port': 22, 'path': null, 'ethertype': null, 'interface': null, "
                "'netns': null, 'scope': 'any', 'port_class': 'well-known', 'service_name': 'ssh', "
                "'sockets': 1, 'accept_queue': {'length': 0, 'limit': 128, 'saturation_ratio': 0.0}, "
                "'receive_queue_bytes': null, 'drops': null, 'restarts': 0, "
                "'connections': {'established': 3, 'close-wait': 1, 'listen': 2, 'not_accepted': 0}, "
                "'owners': [{'pid': 1, 'process': 'systemd', "
                "'exe': '/usr/lib/systemd/systemd', 'exe_deleted': false, 'exe_verified': true, 'user': "
                "'root', 'unit': 'init.scope'}, "
                "{'pid': 700, 'process': 'sshd', "
                "'exe': '/usr/sbin/sshd', 'exe_deleted': true, 'exe_verified': true, 'user': 'root', 'unit': "
                "'ssh.service'}], "
                "'owners_left_out': 0, 'uid': 0, 'unit': 'ssh.service', 'socket_unit': 'ssh.socket', "
                "'shared_by': null, "
                "'kernel_chosen_port': false, 'own': false, 'rules': []}");
    assert_json(
        find_listener(root, "::", 80),
        "{'protocol': 'tcp', 'family': 'dual', 'address': '::', 'address_present': null, 'port': 80, 'path': "
        "null, 'ethertype': null, "
        "'interface': null, "
        "'netns': null, 'scope': 'any', 'port_class': 'well-known', 'service_name': 'http', "
        "'sockets': 2, 'accept_queue': {'length': 384, 'limit': 1022, 'saturation_ratio': 0.75}, "
        "'receive_queue_bytes': null, 'drops': 18, 'restarts': 0, "
        "'connections': {'established': 10, 'time-wait': 5, 'not_accepted': 2}, "
        "'owners': [{'pid': 800, 'process': 'nginx', "
        "'exe': null, 'exe_deleted': null, 'exe_verified': null, 'user': 'root', 'unit': 'nginx.service'}, "
        "{'pid': 801, 'process': 'nginx', "
        "'exe': null, 'exe_deleted': null, 'exe_verified': null, 'user': 'www-data', 'unit': "
        "'nginx.service'}], "
        "'owners_left_out': 0, 'uid': 0, 'unit': 'nginx.service', 'socket_unit': null, 'shared_by': "
        "'one-user', "
        "'kernel_chosen_port': false, 'own': false, 'rules': []}");
    json_decref(root);
    scene_done(&s);
}

static void what_is_not_known_is_null(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    assert_json(
        find_listener(root, "2001:db8::12:3456", 51820),
        "{'protocol': 'udp', 'family': 'ipv6', 'address': '2001:db8::12:3456', 'address_present': "
        "null, 'port': 51820, 'path': null, 'ethertype': null, "
        "'interface': null, 'netns': null, 'scope': 'address', 'port_class': 'dynamic', "
        "'service_name': 'wireguard', 'sockets': 1, 'accept_queue': null, "
        "'receive_queue_bytes': 768, 'drops': null, 'restarts': 0, "
        "'connections': {'established': 0}, 'owners': null, 'owners_left_out': 0, 'uid': 0, 'unit': null, "
        "'socket_unit': null, 'shared_by': null, 'kernel_chosen_port': false, 'own': false, "
        "'rules': ['UnexpectedListener']}");
    assert_json(
        find_listener(root, "0.0.0.0", 1),
        "{'protocol': 'raw', 'family': 'ipv4', 'address': '0.0.0.0', 'address_present': null, "
        "'port': 1, 'path': null, 'ethertype': null, 'interface': null, "
        "'netns': null, 'scope': 'any', 'port_class': null, 'service_name': 'icmp', 'sockets': 1, "
        "'accept_queue': null, 'receive_queue_bytes': null, 'drops': null, 'restarts': 0, "
        "'connections': null, 'owners': null, 'owners_left_out': 0, 'uid': 0, 'unit': null, "
        "'socket_unit': null, "
        "'shared_by': null, 'kernel_chosen_port': false, 'own': false, 'rules': ['UnexpectedListener']}");
    json_decref(root);
    scene_done(&s);
}

static void a_service_nobody_names_and_an_owner_that_is_not_one_are_null(void **state)
{
    struct listener_row row = row_of("0.0.0.0:12345");
    struct scene s;
    json_t *root, *listener;

    (void)state;
    scene_init(&s);
    for (uint32_t i = 1; i <= 2; i++) {
        row.uid = i;
        row.cookie = i;
        assert_int_equal(listener_builder_add(s.builder, &row), 0);
    }
    scene_seal(&s);
    root = listeners_of(&s);
    listener = find_listener(root, "0.0.0.0", 12345);
    assert_int_equal(json_integer_value(json_object_get(listener, "sockets")), 2);
    assert_true(json_is_null(json_object_get(listener, "service_name")));
    assert_true(json_is_null(json_object_get(listener, "uid")));
    json_decref(root);
    scene_done(&s);
}

static void our_own_sockets_are_told(void **state)
{
    uint64_t cookie = 1; /* of the first socket */
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    s.own = (struct own_sockets){&cookie, 1};
    scene_listen(&s, "0.0.0.0:10066", "0/1");
    scene_listen(&s, "[::]:10066", "0/1");
    scene_seal(&s);
    root = listeners_of(&s);
    assert_json(json_object_get(find_listener(root, "0.0.0.0", 10066), "own"), "true");
    assert_json(json_object_get(find_listener(root, "::", 10066), "own"), "false");
    json_decref(root);
    scene_done(&s);
}

static void every_listener_has_every_key(void **state)
{
    static const char *const keys[] = {"protocol",   "family",       "address",   "address_present",
                                       "port",       "interface",    "netns",     "scope",
                                       "port_class", "service_name", "sockets",   "accept_queue",
                                       "drops",      "connections",  "owners",    "owners_left_out",
                                       "uid",        "unit",         "rules",     "receive_queue_bytes",
                                       "restarts",   "socket_unit",  "shared_by", "kernel_chosen_port",
                                       "own",        "path",         "ethertype"};
    struct scene s;
    json_t *root, *listener;
    size_t i;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    json_array_foreach(json_object_get(root, "listeners"), i, listener)
    {
        assert_int_equal(json_object_size(listener), ARRAY_LENGTH(keys));
        for (size_t k = 0; k < ARRAY_LENGTH(keys); k++)
            assert_non_null(json_object_get(listener, keys[k]));
    }
    json_decref(root);
    scene_done(&s);
}

static const json_t *owners_told(struct scene *s, json_t **ret_root)
{
    *ret_root = listeners_of(s);
    return json_object_get(find_listener(*ret_root, "0.0.0.0", 12345), "owners");
}

static void nobody_holding_it_is_not_the_same_as_nobody_seen(void **state)
{
    static const enum sight sights[] = {SIGHT_NOT_YET, SIGHT_HIDDEN, SIGHT_NONE};
    static const bool is_told[] = {false, false, true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sights); i++) {
        struct scene s;
        const json_t *owners;
        json_t *root;

        scene_init(&s);
        scene_own(&s, "1000:bob:demo.service", "");
        s.owners->sight = sights[i];
        scene_listen(&s, "0.0.0.0:12345", "0/1");
        scene_seal(&s);
        owners = owners_told(&s, &root);
        assert_int_equal(json_is_array(owners), is_told[i]);
        assert_int_equal(json_is_null(owners), !is_told[i]);
        assert_string_equal(json_string_value(json_object_get(find_listener(root, "0.0.0.0", 12345), "unit")),
                            "demo.service");
        json_decref(root);
        scene_done(&s);
    }
}

static void a_holder_of_several_sockets_is_one_owner(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    scene_own(&s, "0:root:", "5:a:root::?/a,7:b:root:?:!/tmp/b (deleted)");
    scene_listen(&s, "0.0.0.0:12345", "0/1");
    scene_own(&s, "1000:bob:", "7:b:root:?:!/tmp/b (deleted),9:c::");
    scene_listen(&s, "0.0.0.0:12345", "0/1");
    scene_seal(&s);
    assert_json(owners_told(&s, &root),
                "[{'pid': 5, 'process': 'a', "
                "'exe': '/a', 'exe_deleted': false, 'exe_verified': null, 'user': 'root', 'unit': null}, "
                "{'pid': 7, 'process': 'b', "
                "'exe': '/tmp/b', 'exe_deleted': true, 'exe_verified': false, 'user': 'root', 'unit': null}, "
                "{'pid': 9, 'process': 'c', "
                "'exe': null, 'exe_deleted': null, 'exe_verified': null, 'user': null, 'unit': null}]");
    assert_string_equal(
        json_string_value(json_object_get(find_listener(root, "0.0.0.0", 12345), "shared_by")),
        "several-users");
    json_decref(root);
    scene_done(&s);
}

/* One process for each socket of a port, as many as a listener can have. */
static void owners_that_do_not_fit_are_counted(void **state)
{
    enum { HOLDERS = 60000 };
    struct owner_set *set = owner_set_new(HOLDERS);
    json_int_t left_out;
    struct scene s;
    json_t *root;
    size_t told;

    (void)state;
    assert_non_null(set);
    set->sight = SIGHT_SEEN;
    set->unlisted = 7;
    for (uint32_t i = 0; i < HOLDERS; i++) {
        const struct holder described = {.pid = i + 1};

        set->holders[i] = holder_new(&described);
        assert_non_null(set->holders[i]);
    }
    scene_init(&s);
    s.owners = s.sets[s.set_count++] = set;
    scene_listen(&s, "0.0.0.0:12345", "0/1");
    scene_own(&s, "0:root:", "5:a:root:,7:b:root:?");
    scene_listen(&s, "0.0.0.0:80", "0/1");
    scene_seal(&s);
    told = json_array_size(owners_told(&s, &root));
    left_out = json_integer_value(json_object_get(find_listener(root, "0.0.0.0", 12345), "owners_left_out"));
    assert_in_range(told, 10000, HOLDERS - 1);
    assert_int_equal(told + (size_t)left_out, HOLDERS + 7);
    left_out = json_integer_value(json_object_get(find_listener(root, "0.0.0.0", 80), "owners_left_out"));
    assert_int_equal(left_out, 0);
    json_decref(root);
    scene_done(&s);
}

static void restarts_are_told_where_somebody_has_counted(void **state)
{
    static const uint64_t counted[] = {3, VIEW_UNKNOWN};
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:1", "0/1");
    scene_listen(&s, "0.0.0.0:2", "0/1");
    scene_seal(&s);
    s.view.has_history = false;
    root = listeners_of(&s);
    assert_true(json_is_null(json_object_get(find_listener(root, "0.0.0.0", 1), "restarts")));
    json_decref(root);
    s.view.restarts = counted;
    root = listeners_of(&s);
    assert_int_equal(json_integer_value(json_object_get(find_listener(root, "0.0.0.0", 1), "restarts")), 3);
    assert_true(json_is_null(json_object_get(find_listener(root, "0.0.0.0", 2), "restarts")));
    json_decref(root);
    scene_done(&s);
}

static void an_interface_is_told_beside_the_address(void **state)
{
    struct scene s;
    json_t *root, *listener;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    listener = find_listener(root, "fe80::1", 8080);
    assert_string_equal(json_string_value(json_object_get(listener, "scope")), "link-local");
    assert_string_equal(json_string_value(json_object_get(listener, "interface")), "eth0");
    json_decref(root);
    scene_done(&s);
}

static void connections_not_read_are_null(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:22", "0/128");
    scene_seal(&s);
    root = listeners_of(&s);
    assert_true(json_is_null(json_object_get(find_listener(root, "0.0.0.0", 22), "connections")));
    json_decref(root);
    scene_forget_connections(&s);
    root = listeners_of(&s);
    assert_true(json_is_null(json_object_get(find_listener(root, "0.0.0.0", 22), "connections")));
    json_decref(root);
    scene_done(&s);
}

static void a_collector_that_did_not_run_has_nulls_and_a_reason(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    assert_json(json_object_get(root, "collectors"),
                "{'tcp': {'up': true, 'duration_seconds': 0.000125, 'error': null}, "
                "'sctp': {'up': null, 'duration_seconds': null, "
                "'error': 'the kernel has no handler for this class of sockets'}, "
                "'connections': {'up': false, 'duration_seconds': 0.5, "
                "'error': 'No buffer space available'}}");
    json_decref(root);
    scene_done(&s);
}

static void no_listeners_are_an_empty_array(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    root = listeners_of(&s);
    assert_json(root, "{'expected': [], 'expected_left_out': 0, 'listeners': [], 'collectors': {}}");
    json_decref(root);
    scene_done(&s);
}

static void what_a_probe_says_is_told_of_its_service(void **state)
{
    struct probe_told told = {.expect = 0,
                              .known = true,
                              .result = PROBE_TIMEOUT,
                              .duration_us = 3000250,
                              .since_ms = SCENE_WALL_MS};
    struct scene s;
    json_t *root;

    (void)state;
    scene_of_a_mixed_host(&s);
    s.policy.expects[0].probe =
        (struct probe_order){.is_set = true, .target = {address_of("192.0.2.10"), 3306}};
    scene_probe(&s, &told);
    root = listeners_of(&s);
    assert_json(json_object_get(json_array_get(json_object_get(root, "expected"), 1), "probe"),
                "{'target': '192.0.2.10:3306', 'result': 'timeout', 'duration_seconds': 3.00025, 'since': "
                "'2023-11-14T22:13:20.123Z'}");
    json_decref(root);
    told.known = false;
    scene_probe(&s, &told);
    root = listeners_of(&s);
    assert_json(json_object_get(json_array_get(json_object_get(root, "expected"), 1), "probe"),
                "{'target': '192.0.2.10:3306', 'result': null, 'duration_seconds': null, 'since': null}");
    json_decref(root);
    scene_done(&s);
}

static void an_expected_service_has_the_shape_of_the_contract(void **state)
{
    struct scene s;
    json_t *root, *expected;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = listeners_of(&s);
    expected = json_object_get(root, "expected");
    assert_int_equal(json_array_size(expected), 5);
    assert_json(json_array_get(expected, 0),
                "{'name': 'web \\\"A\\\\B\\\" <b>&', 'protocol': 'tcp', 'port': 81, 'path': null, 'status': "
                "'missing', "
                "'rules': ['NotListening'], 'since': '2023-11-14T22:13:20.123Z', 'probe': null}");
    assert_json(json_array_get(expected, 1),
                "{'name': 'mysql', 'protocol': 'tcp', 'port': 3306, 'path': null, 'status': 'wrong', "
                "'rules': ['LoopbackOnly'], 'since': '2023-11-14T22:13:20.123Z', 'probe': null}");
    assert_json(json_array_get(expected, 3), "{'name': 'ssh', 'protocol': 'tcp', 'port': 22, 'path': null, "
                                             "'status': 'ok', 'rules': [], 'since': null, "
                                             "'probe': null}");
    assert_int_equal(json_integer_value(json_object_get(root, "expected_left_out")), 0);
    json_decref(root);
    s.view.has_history = false;
    root = listeners_of(&s);
    expected = json_object_get(root, "expected");
    assert_true(json_is_null(json_object_get(json_array_get(expected, 0), "since")));
    json_decref(root);
    scene_done(&s);
}

static void filters_narrow_both_parts(void **state)
{
    const struct port_range port = {22, 22};
    struct view_filter filter = {.ports = &port, .port_count = 1};
    struct scene s;
    json_t *root;

    (void)state;
    scene_of_a_mixed_host(&s);
    s.view.filter = &filter;
    root = listeners_of(&s);
    assert_int_equal(json_array_size(json_object_get(root, "expected")), 1);
    assert_int_equal(json_array_size(json_object_get(root, "listeners")), 2);
    json_decref(root);
    filter = (struct view_filter){.problems = true};
    root = listeners_of(&s);
    assert_int_equal(json_array_size(json_object_get(root, "expected")), 2);
    assert_null(find_listener(root, "0.0.0.0", 22));
    assert_non_null(find_listener(root, "127.0.0.1", 3306));
    json_decref(root);
    scene_done(&s);
}

static void expected_services_that_do_not_fit_are_counted(void **state)
{
    json_int_t left_out;
    struct scene s;
    json_t *root;
    size_t told;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "all", PROTOCOL_TCP, "1-65535", WANT_ANY);
    scene_listen(&s, "0.0.0.0:1", "0/1");
    scene_seal(&s);
    root = listeners_of(&s);
    told = json_array_size(json_object_get(root, "expected"));
    left_out = json_integer_value(json_object_get(root, "expected_left_out"));
    assert_in_range(told, 30000, 65534);
    assert_int_equal(told + (size_t)left_out, 65535);
    json_decref(root);
    scene_done(&s);
}

static void no_alerts_are_an_empty_array(void **state)
{
    struct scene s;
    json_t *root;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    root = alerts_of(&s);
    assert_json(root, "{'alerts': []}");
    json_decref(root);
    scene_done(&s);
}

static void an_alert_has_the_shape_of_the_contract(void **state)
{
    struct scene s;
    json_t *root, *alerts;

    (void)state;
    scene_of_a_mixed_host(&s);
    root = alerts_of(&s);
    alerts = json_object_get(root, "alerts");
    assert_int_equal(json_object_size(root), 1);
    assert_int_equal(json_array_size(alerts), 7);
    assert_json(
        json_array_get(alerts, 1),
        "{'rule': 'LoopbackOnly', 'name': 'mysql', 'severity': 'critical', 'state': 'firing', "
        "'since': '2023-11-14T22:13:20.123Z', 'protocol': 'tcp', 'address': null, 'port': 3306, 'path': "
        "null, "
        "'summary': 'mysql: tcp port 3306 is bound only to loopback (127.0.0.1:3306), expected beyond "
        "it', 'labels': {'rule': 'LoopbackOnly', 'name': 'mysql', 'protocol': 'tcp', "
        "'severity': 'critical', 'port': '3306'}}");
    assert_json(json_array_get(alerts, 3),
                "{'rule': 'UnexpectedListener', 'name': null, 'severity': 'warning', 'state': 'firing', "
                "'since': '2023-11-14T22:13:20.123Z', 'protocol': 'tcp', 'address': 'fe80::1', "
                "'port': 8080, 'path': null, "
                "'summary': 'tcp [fe80::1%eth0]:8080 (http-alt) listens, but is neither expected nor "
                "allowed (a \\\"b\\\\c\\\" <d>&[4711], user bob)', 'labels': {'rule': 'UnexpectedListener', "
                "'name': '', 'protocol': 'tcp', "
                "'severity': 'warning', 'port': '8080', 'family': 'ipv6', 'address': 'fe80::1', "
                "'interface': 'eth0'}}");
    assert_json(json_array_get(alerts, 6),
                "{'rule': 'Blind', 'name': null, 'severity': 'warning', 'state': 'firing', "
                "'since': '2023-11-14T22:13:20.123Z', 'protocol': 'sctp', 'address': null, 'port': null, "
                "'path': null, "
                "'summary': 'sctp sockets cannot be read: the kernel has no handler for this class of "
                "sockets', 'labels': {'rule': 'Blind', 'name': '', 'protocol': 'sctp', "
                "'severity': 'warning'}}");
    json_decref(root);
    scene_done(&s);
}

static void alerts_come_in_the_order_given_with_their_state(void **state)
{
    static const enum alert_state states[] = {ALERT_RESOLVED, ALERT_PENDING, ALERT_FIRING};
    static const char *const names[] = {"resolved", "pending", "firing"};
    struct alert alerts[ARRAY_LENGTH(states)];
    const struct alert *order[ARRAY_LENGTH(states)];
    struct buf out;
    json_t *root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        alerts[i] = (struct alert){.state = states[i], .key.has_port = true, .key.port = (uint16_t)i};
        order[i] = &alerts[i];
    }
    buf_init(&out);
    json_alerts(&none, order, ARRAY_LENGTH(states), &out);
    root = parse(&out);
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        const json_t *alert = json_array_get(json_object_get(root, "alerts"), i);

        assert_string_equal(json_string_value(json_object_get(alert, "state")), names[i]);
        assert_int_equal(json_integer_value(json_object_get(alert, "port")), i);
    }
    json_decref(root);
}

static void a_name_comes_through_unchanged_whatever_is_in_it(void **state)
{
    static const char name[] = "q\"b\\n\nt\tc\x01 </script> \xc3\xa4\xe2\x82\xac";
    struct alert alert = {.state = ALERT_FIRING};
    const struct alert *order[] = {&alert};
    const json_t *parsed;
    struct buf out;
    json_t *root;

    (void)state;
    memcpy(alert.key.name, name, sizeof name);
    memcpy(alert.summary, name, sizeof name);
    buf_init(&out);
    json_alerts(&none, order, 1, &out);
    root = parse(&out);
    parsed = json_array_get(json_object_get(root, "alerts"), 0);
    assert_string_equal(json_string_value(json_object_get(parsed, "name")), name);
    assert_string_equal(json_string_value(json_object_get(parsed, "summary")), name);
    assert_string_equal(json_string_value(json_object_get(json_object_get(parsed, "labels"), "name")), name);
    json_decref(root);
}

/* Whatever is written, a library that has read it writes the same. */
static void the_text_is_laid_out_as_a_library_does(void **state)
{
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    for (unsigned i = 0; i < 2; i++) {
        json_t *root = i == 0 ? listeners_of(&s) : alerts_of(&s);
        char *again = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        const struct alert *order[ALERTS_MAX];
        struct buf out;

        assert_non_null(again);
        for (size_t k = 0; k < s.list->count; k++)
            order[k] = &s.list->items[k];
        buf_init(&out);
        if (i == 0)
            json_listeners(&s.view, &out);
        else
            json_alerts(&s.policy, order, s.list->count, &out);
        buf_truncate(&out, out.len - 1); /* the final newline is ours */
        assert_string_equal(buf_text(&out), again);
        buf_done(&out);
        free(again);
        json_decref(root);
    }
    scene_done(&s);
}

static void a_duration_is_a_real_number_whatever_its_size(void **state)
{
    static const double durations[] = {0, 1, 1.5e-7, 0.25, 12345, 12345678901.0, 1e300};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(durations); i++) {
        const json_t *duration;
        struct scene s;
        json_t *root;

        scene_of_a_mixed_host(&s);
        s.status.runs[0].duration_seconds = durations[i];
        root = listeners_of(&s);
        duration =
            json_object_get(json_object_get(json_object_get(root, "collectors"), "tcp"), "duration_seconds");
        assert_true(json_is_real(duration));
        assert_true(json_real_value(duration) >= durations[i] * (1 - 1e-8));
        assert_true(json_real_value(duration) <= durations[i] * (1 + 1e-8));
        json_decref(root);
        scene_done(&s);
    }
}

/* No summary is like that; whatever it is, the document can be read. */
static void bytes_that_are_no_utf8_are_shown_as_such(void **state)
{
    struct alert alert = {.state = ALERT_FIRING, .summary = "a\xe2\x82 \xff\xc3\xa4\xc3"};
    const struct alert *order[] = {&alert};
    struct buf out;
    json_t *root;

    (void)state;
    buf_init(&out);
    json_alerts(&none, order, 1, &out);
    root = parse(&out);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(root, "alerts"), 0), "summary")),
        "a\\xe2\\x82 \\xff\xc3\xa4\\xc3");
    json_decref(root);
}

static void since_is_in_utc_whatever_the_time_zone(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {4102444800007, "2100-01-01T00:00:00.007Z"},
    };

    (void)state;
    assert_int_equal(setenv("TZ", "EST5", 1), 0);
    tzset();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct alert alert = {.since.wall_ms = cases[i].wall_ms};
        const struct alert *order[] = {&alert};
        const json_t *parsed;
        struct buf out;
        json_t *root;

        buf_init(&out);
        json_alerts(&none, order, 1, &out);
        root = parse(&out);
        parsed = json_array_get(json_object_get(root, "alerts"), 0);
        assert_string_equal(json_string_value(json_object_get(parsed, "since")), cases[i].text);
        json_decref(root);
    }
}

/* For routing: those of the entry, beside those that every alert has. */
static void an_alert_carries_the_labels_of_its_entry(void **state)
{
    struct entry_label labels[] = {{"runbook", "https://wiki/\"db\""}, {"team", "db"}};
    struct port_range ports[] = {{3306, 3310}};
    struct expect e = {
        .name = "db", .match = {.ports = ports, .port_count = 1}, .labels = labels, .label_count = 2};
    struct policy policy = {.expects = &e, .expect_count = 1};
    const struct alert alerts[] = {
        {.key = {.rule = RULE_NOT_LISTENING, .name = "db", .has_port = true, .port = 3307}},
        {.key = {.rule = RULE_NOT_LISTENING, .name = "db", .has_port = true, .port = 3311}},
        {.key = {.rule = RULE_BLIND}},
    };
    static const char *const runbooks[] = {"https://wiki/\"db\"", NULL, NULL};

    (void)state;
    assert_int_equal(policy_seal(&policy), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(alerts); i++) {
        const struct alert *order[] = {&alerts[i]};
        struct buf out;
        json_t *root, *have;

        buf_init(&out);
        json_alerts(&policy, order, 1, &out);
        root = parse(&out);
        have = json_object_get(json_array_get(json_object_get(root, "alerts"), 0), "labels");
        assert_non_null(json_object_get(have, "rule"));
        if (runbooks[i])
            assert_string_equal(json_string_value(json_object_get(have, "runbook")), runbooks[i]);
        else
            assert_null(json_object_get(have, "runbook"));
        json_decref(root);
    }
    policy_unseal(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_carries_the_labels_of_its_entry),
        cmocka_unit_test(a_listener_has_the_shape_of_the_contract),
        cmocka_unit_test(our_own_sockets_are_told),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(a_service_nobody_names_and_an_owner_that_is_not_one_are_null),
        cmocka_unit_test(every_listener_has_every_key),
        cmocka_unit_test(nobody_holding_it_is_not_the_same_as_nobody_seen),
        cmocka_unit_test(a_holder_of_several_sockets_is_one_owner),
        cmocka_unit_test(owners_that_do_not_fit_are_counted),
        cmocka_unit_test(restarts_are_told_where_somebody_has_counted),
        cmocka_unit_test(an_interface_is_told_beside_the_address),
        cmocka_unit_test(connections_not_read_are_null),
        cmocka_unit_test(a_collector_that_did_not_run_has_nulls_and_a_reason),
        cmocka_unit_test(no_listeners_are_an_empty_array),
        cmocka_unit_test(what_a_probe_says_is_told_of_its_service),
        cmocka_unit_test(an_expected_service_has_the_shape_of_the_contract),
        cmocka_unit_test(filters_narrow_both_parts),
        cmocka_unit_test(expected_services_that_do_not_fit_are_counted),
        cmocka_unit_test(no_alerts_are_an_empty_array),
        cmocka_unit_test(an_alert_has_the_shape_of_the_contract),
        cmocka_unit_test(alerts_come_in_the_order_given_with_their_state),
        cmocka_unit_test(a_name_comes_through_unchanged_whatever_is_in_it),
        cmocka_unit_test(the_text_is_laid_out_as_a_library_does),
        cmocka_unit_test(a_duration_is_a_real_number_whatever_its_size),
        cmocka_unit_test(bytes_that_are_no_utf8_are_shown_as_such),
        cmocka_unit_test(since_is_in_utc_whatever_the_time_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
