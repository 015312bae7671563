#include "tests/unit/keys.h"

#include <stdio.h>

static void assert_key_is_complete(const struct schema_key *key)
{
    bool is_tree = key->type == SCHEMA_GROUP || key->type == SCHEMA_LIST || key->type == SCHEMA_INCLUDE;
    bool is_text = key->type == SCHEMA_TEXT || key->type == SCHEMA_TEXTS,
         is_pairs = key->type == SCHEMA_PAIRS;

    assert_int_equal(key->children != NULL, is_tree);
    assert_int_equal(key->expected != NULL, !is_tree);
    assert_int_equal(key->parse != NULL, is_text);
    assert_int_equal(key->put != NULL, is_pairs);
    assert_int_equal(key->print != NULL, is_text || is_pairs || key->store || key->store_real);
    assert_int_equal(key->clear != NULL, key->type == SCHEMA_TEXTS || key->type == SCHEMA_INTS);
    assert_int_equal(key->check != NULL, key->type == SCHEMA_LIST);
    assert_int_equal(key->list.size > 0, key->type == SCHEMA_LIST);
    assert_int_equal(key->list.count > 0 && key->list.capacity > 0, key->type == SCHEMA_LIST);
    assert_true(key->min <= key->max);
    /* Zeroed memory would mean a poll without pause, or a limit of nothing, unless it is
     * known for no value. */
    if (key->type == SCHEMA_DURATION || key->type == SCHEMA_BOOL ||
        (key->type == SCHEMA_INT && !key->store && !key->required && !key->is_set))
        assert_non_null(key->initial);
}

static void every_key_says_all_about_itself(void **state)
{
    (void)state;
    each_key(schema_root(), assert_key_is_complete);
}

/* part   keys, or a table that they include
 *
 * The first key of a name is found, so that one of each name is there when each
 * finds itself. */
static void assert_names_differ(const struct schema_key *keys, const struct schema_key *part)
{
    for (const struct schema_key *a = part; a->name; a++) {
        for (const struct schema_key *b = part; b < a; b++)
            assert_string_not_equal(a->name, b->name);
        if (a->type == SCHEMA_INCLUDE) {
            assert_names_differ(keys, a->children);
            continue;
        }
        assert_ptr_equal(key_in(keys, a->name), a);
        if (a->children)
            assert_names_differ(a->children, a->children);
    }
}

static void no_name_is_there_twice(void **state)
{
    (void)state;
    assert_names_differ(schema_root(), schema_root());
}

static void assert_required_exists(const struct schema_key *keys)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        if (key->required && *key->required)
            (void)key_in(keys, key->required); /* which fails when it is not there */
        if (key->children)
            assert_required_exists(key->children);
    }
}

static void a_key_that_replaces_another_exists(void **state)
{
    (void)state;
    assert_required_exists(schema_root());
}

static void the_keys_of_the_contract_are_there(void **state)
{
    static const struct {
        const char *group, *name;
        enum schema_type type;
    } keys[] = {
        {"", "poll", SCHEMA_GROUP},
        {"poll", "listeners", SCHEMA_DURATION},
        {"poll", "connections", SCHEMA_DURATION},
        {"", "connections", SCHEMA_GROUP},
        {"connections", "outbound_ports", SCHEMA_INTS},
        {"connections", "outbound_top", SCHEMA_INT},
        {"connections", "by_unit", SCHEMA_BOOL},
        {"", "web", SCHEMA_GROUP},
        {"web", "listen", SCHEMA_TEXTS},
        {"", "expect", SCHEMA_LIST},
        {"expect", "name", SCHEMA_TEXT},
        {"expect", "port", SCHEMA_INT},
        {"expect", "protocol", SCHEMA_TEXTS},
        {"expect", "scope", SCHEMA_TEXT},
        {"expect", "address", SCHEMA_TEXTS},
        {"expect", "families", SCHEMA_TEXTS},
        {"expect", "for", SCHEMA_DURATION},
        {"expect", "severity", SCHEMA_TEXT},
        {"expect", "process", SCHEMA_TEXT},
        {"expect", "user", SCHEMA_TEXT},
        {"expect", "unit", SCHEMA_TEXT},
        {"expect", "accept_queue", SCHEMA_REAL},
        {"allow", "process", SCHEMA_TEXT},
        {"allow", "user", SCHEMA_TEXT},
        {"allow", "unit", SCHEMA_TEXT},
        {"", "allow", SCHEMA_LIST},
        {"allow", "ports", SCHEMA_TEXT},
        {"allow", "protocol", SCHEMA_TEXTS},
        {"allow", "scope", SCHEMA_TEXT},
        {"", "unexpected", SCHEMA_GROUP},
        {"unexpected", "severity", SCHEMA_TEXT},
        {"unexpected", "for", SCHEMA_DURATION},
        {"", "ephemeral", SCHEMA_GROUP},
        {"ephemeral", "max_used", SCHEMA_REAL},
        {"ephemeral", "for", SCHEMA_DURATION},
        {"ephemeral", "severity", SCHEMA_TEXT},
        {"allow", "kernel_chosen", SCHEMA_BOOL},
        {"unexpected", "ignore_loopback", SCHEMA_BOOL},
        {"unexpected", "ignore_kernel_chosen", SCHEMA_BOOL},
        {"", "limits", SCHEMA_GROUP},
        {"limits", "listeners", SCHEMA_INT},
        {"limits", "series", SCHEMA_INT},
        {"expect", "ports", SCHEMA_TEXT},
        {"allow", "port", SCHEMA_INT},
        {"allow", "address", SCHEMA_TEXTS},
        {"expect", "flapping", SCHEMA_GROUP},
        {"expect", "drops", SCHEMA_GROUP},
        {"expect", "connections", SCHEMA_GROUP},
        {"expect", "close_wait_max", SCHEMA_INT},
        {"expect", "labels", SCHEMA_PAIRS},
        {"", "deny", SCHEMA_LIST},
        {"deny", "ports", SCHEMA_TEXT},
        {"deny", "exe", SCHEMA_TEXT},
        {"deny", "severity", SCHEMA_TEXT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        assert_int_equal(key_at(keys[i].group, keys[i].name)->type, keys[i].type);
}

static void unknown_names_are_not_found(void **state)
{
    static const char *const names[] = {"", "Poll", "pol", "polls", "poll ", "listeners"};
    struct config config;
    void *base = &config;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_null(schema_find(schema_root(), names[i], &base));
    assert_ptr_equal(base, &config);
}

/* What is included has no name that a configuration could use. */
static void an_included_table_is_no_key(void **state)
{
    static const char *const lists[] = {"expect", "allow"};
    struct expect entry;
    void *base = &entry;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct schema_key *keys = key_at("", lists[i])->children, *key = keys;

        while (key->name && key->type != SCHEMA_INCLUDE)
            key++;
        assert_non_null(key->name);
        assert_null(schema_find(keys, key->name, &base));
        assert_ptr_equal(base, &entry);
    }
}

/* Expect and allow entries have the same keys of a matcher, each in its own. */
static void an_included_key_is_a_field_of_the_struct_it_is_included_for(void **state)
{
    struct expect expect;
    struct allow allow;
    void *of_expect = &expect, *of_allow = &allow;
    const struct schema_key *key = schema_find(key_at("", "expect")->children, "scope", &of_expect);

    (void)state;
    assert_non_null(key);
    assert_ptr_equal(schema_find(key_at("", "allow")->children, "scope", &of_allow), key);
    assert_ptr_equal(schema_field(key, of_expect), &expect.match.scope);
    assert_ptr_equal(schema_field(key, of_allow), &allow.match.scope);
}

static void names_are_listed_for_error_messages(void **state)
{
    struct buf names;

    (void)state;
    buf_init(&names);
    schema_names(key_at("", "poll")->children, &names);
    assert_string_equal(buf_text(&names), "listeners, connections");
    buf_truncate(&names, 0);
    schema_names(schema_root(), &names);
    assert_string_equal(
        buf_text(&names),
        "poll, connections, web, expect, allow, deny, unexpected, ephemeral, include_dir, limits");
    buf_truncate(&names, 0);
    schema_drop_in_names(&names);
    assert_string_equal(buf_text(&names), "expect, allow, deny");
    buf_truncate(&names, 0);
    schema_names(key_at("", "expect")->children, &names);
    assert_string_equal(
        buf_text(&names),
        "name, port, ports, protocol, scope, address, unit, user, exe, process, "
        "path, families, for, severity, accept_queue, flapping, drops, connections, close_wait_max, labels, "
        "probe, probe_interval, probe_timeout, probe_expect");
    buf_truncate(&names, 0);
    schema_names(key_at("", "allow")->children, &names);
    assert_string_equal(buf_text(&names),
                        "port, ports, protocol, scope, address, unit, user, exe, process, kernel_chosen");
    buf_done(&names);
}

static void defaults_are_as_in_the_contract(void **state)
{
    struct config config = {0};

    (void)state;
    schema_set_defaults(schema_root(), &config);
    assert_int_equal(config.poll_listeners_ms, 1000);
    assert_int_equal(config.poll_connections_ms, 10000);
    assert_int_equal(config.limits.listeners, 4096);
    assert_int_equal(config.limits.series, 20000);
    assert_false(config.policy.unexpected.enabled);
    assert_int_equal(config.policy.unexpected.severity, SEVERITY_WARNING);
    assert_int_equal(config.policy.unexpected.for_ms, 0);
    assert_false(config.policy.unexpected.ignore_loopback);
    assert_false(config.policy.unexpected.ignore_kernel_chosen);
    assert_false(policy_uses_ephemeral(&config.policy));
    assert_true(config.policy.ephemeral.max_used == 0.8);
    assert_int_equal(config.policy.ephemeral.for_ms, 60000);
    assert_int_equal(config.policy.ephemeral.severity, SEVERITY_WARNING);
    assert_int_equal(config.policy.expect_count, 0);
    assert_int_equal(config.policy.allow_count, 0);
}

static void defaults_of_an_entry_are_as_in_the_contract(void **state)
{
    const struct schema_key *expect = key_at("", "expect"), *allow = key_at("", "allow");
    struct config config = {0};
    const struct expect *e;
    const struct allow *a;

    (void)state;
    schema_set_defaults(expect->children, schema_append(expect, &config));
    schema_set_defaults(allow->children, schema_append(allow, &config));
    e = schema_at(expect, &config, 0);
    a = schema_at(allow, &config, 0);
    assert_int_equal(e->match.protocols, 1 << PROTOCOL_TCP);
    assert_int_equal(e->match.scope, WANT_ANY);
    assert_int_equal(e->match.address_count, 0);
    assert_int_equal(e->match.port_count, 0);
    assert_false(e->families[0] || e->families[1]);
    assert_int_equal(e->for_ms, 0);
    assert_int_equal(e->severity, SEVERITY_CRITICAL);
    assert_int_equal(a->match.protocols, 1 << PROTOCOL_TCP);
    assert_int_equal(a->match.scope, WANT_ANY);
    assert_null(schema_at(expect, &config, 1));
    assert_null(schema_at(allow, &config, 1));
    policy_done(&config.policy);
}

/* What an entry had before must not show in the next one. */
static void appended_entries_begin_empty(void **state)
{
    const struct schema_key *expect = key_at("", "expect");
    struct config config = {0};

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        struct expect *e = schema_append(expect, &config);

        assert_non_null(e);
        assert_int_equal(config.policy.expect_count, i + 1);
        assert_ptr_equal(schema_at(expect, &config, i), e);
        assert_null(schema_at(expect, &config, i + 1));
        assert_string_equal(e->name, "");
        assert_null(e->match.ports);
        memset(e->name, 'x', sizeof e->name - 1);
        e->for_ms = 42;
    }
    policy_done(&config.policy);
}

static void assert_prints(const struct schema_key *key, const void *field, const char *wanted)
{
    struct buf out;

    buf_init(&out);
    key->print(field, &out);
    assert_string_equal(buf_text(&out), wanted);
    buf_done(&out);
}

static void names_are_quoted_and_bounded(void **state)
{
    const struct schema_key *key = key_at("expect", "name");
    char longest[EXPECT_NAME_MAX] = "", too_long[EXPECT_NAME_MAX + 1] = "", field[EXPECT_NAME_MAX] = "kept";
    static const char *const bad[] = {"", "a\nb", "\t", "a\x7f", "\x1b[31m"};

    (void)state;
    memset(longest, 'n', sizeof longest - 1);
    memset(too_long, 'n', sizeof too_long - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(key->parse(field, bad[i]), -EINVAL);
    assert_int_equal(key->parse(field, too_long), -EINVAL);
    assert_string_equal(field, "kept");
    assert_int_equal(key->parse(field, longest), 0);
    assert_string_equal(field, longest);
    assert_int_equal(key->parse(field, "say \"hi\" \\ B\xc3\xbc"
                                       "cher"),
                     0);
    assert_prints(key, field,
                  "\"say \\\"hi\\\" \\\\ B\xc3\xbc"
                  "cher\"");
}

/* A label value in the exposition must be UTF-8. */
static void names_must_be_utf8(void **state)
{
    const struct schema_key *key = key_at("expect", "name");
    static const char *const bad[] = {"caf\xe9", "\xc0\x80", "\xed\xa0\x80", "\xff"};
    char field[EXPECT_NAME_MAX] = "";

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(key->parse(field, bad[i]), -EINVAL);
}

static void ports_add_up_and_print_as_one_text(void **state)
{
    const struct schema_key *port = key_at("expect", "port"), *ports = key_at("expect", "ports");
    struct matcher match = {0};

    (void)state;
    assert_int_equal(port->store(&match, 65535), 0);
    assert_int_equal(ports->parse(&match, "22, 8000-8100"), 0);
    assert_prints(ports, &match, "\"65535,22,8000-8100\"");
    assert_int_equal(ports->parse(&match, "0"), -ERANGE);
    assert_int_equal(ports->parse(&match, "80,0-5"), -ERANGE);
    assert_int_equal(ports->parse(&match, "65536"), -ERANGE);
    assert_int_equal(ports->parse(&match, "http"), -EINVAL);
    assert_int_equal(match.port_count, 3);
    free(match.ports);
}

static void addresses_are_told_one_by_one(void **state)
{
    const struct schema_key *key = key_at("expect", "address");
    static const char *const any[] = {"0.0.0.0", "::", "::ffff:0.0.0.0"};
    static const char *const bad[] = {"", "*", "localhost", "[::1]", "192.0.2.0/24", "fe80::1%eth0"};
    struct matcher match = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(any); i++)
        assert_int_equal(key->parse(&match, any[i]), -ERANGE);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(key->parse(&match, bad[i]), -EINVAL);
    assert_int_equal(match.address_count, 0);
    assert_false(key->is_set(&match));
    assert_int_equal(key->parse(&match, "::ffff:192.0.2.1"), 0);
    assert_true(key->is_set(&match));
    assert_int_equal(match.addresses[0].version, 4);
    assert_prints(key, &match, "\"192.0.2.1\"");
    assert_int_equal(key->parse(&match, "192.0.2.1"), -EEXIST);
    assert_int_equal(key->parse(&match, "10.0.0.1"), 0);
    assert_prints(key, &match, "[ \"10.0.0.1\", \"192.0.2.1\" ]");
    key->clear(&match);
    for (unsigned i = 0; i <= MATCHER_ADDRESSES_MAX; i++) {
        char text[IP_ADDR_TEXT_MAX];

        (void)snprintf(text, sizeof text, "10.0.0.%u", i);
        assert_int_equal(key->parse(&match, text), i < MATCHER_ADDRESSES_MAX ? 0 : -E2BIG);
    }
    key->clear(&match);
    assert_int_equal(match.address_count, 0);
}

static void words_parse_back_from_what_is_printed(void **state)
{
    static const struct {
        const char *name, *words[5];
    } cases[] = {
        {"scope", {"any", "public", "loopback"}},
        {"severity", {"info", "warning", "critical"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct schema_key *key = key_at("expect", cases[i].name);

        for (size_t k = 0; k < ARRAY_LENGTH(cases[i].words) && cases[i].words[k]; k++) {
            char quoted[32];
            int field = -1;

            assert_int_equal(key->parse(&field, cases[i].words[k]), 0);
            assert_int_equal(field, k);
            (void)snprintf(quoted, sizeof quoted, "\"%s\"", cases[i].words[k]);
            assert_prints(key, &field, quoted);
            assert_int_equal(key->parse(&field, quoted), -EINVAL);
            assert_int_equal(field, k);
        }
    }
}

static void protocols_are_a_set(void **state)
{
    static const char *const names[] = {"tcp", "udp", "udplite", "sctp", "raw"};
    const struct schema_key *key = key_at("expect", "protocol");
    unsigned mask = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char quoted[16];

        key->clear(&mask);
        assert_int_equal(key->parse(&mask, names[i]), 0);
        assert_int_equal(mask, 1u << i);
        assert_int_equal(key->parse(&mask, names[i]), -EEXIST);
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", names[i]);
        assert_prints(key, &mask, quoted);
    }
    assert_int_equal(key->parse(&mask, "tcp"), 0);
    assert_int_equal(key->parse(&mask, "TCP"), -EINVAL);
    assert_prints(key, &mask, "[ \"tcp\", \"raw\" ]");
}

static void families_are_a_set(void **state)
{
    const struct schema_key *key = key_at("expect", "families");
    bool families[2] = {true, true};

    (void)state;
    key->clear(families);
    assert_false(key->is_set(families));
    assert_int_equal(key->parse(families, "dual"), -EINVAL);
    assert_int_equal(key->parse(families, "IPv4"), -EINVAL);
    assert_false(key->is_set(families));
    assert_int_equal(key->parse(families, "ipv6"), 0);
    assert_prints(key, families, "[ \"ipv6\" ]");
    assert_int_equal(key->parse(families, "ipv4"), 0);
    assert_prints(key, families, "[ \"ipv4\", \"ipv6\" ]");
}

static void listen_addresses_are_given_once_each(void **state)
{
    const struct schema_key *key = key_at("web", "listen");
    struct ip_ports list = {0};

    (void)state;
    assert_prints(key, &list, "[ ]");
    assert_int_equal(key->parse(&list, "127.0.0.1:80"), 0);
    assert_int_equal(key->parse(&list, "[::1]:80"), 0);
    assert_int_equal(key->parse(&list, "127.0.0.1:81"), 0);
    assert_int_equal(key->parse(&list, "[0:0::1]:80"), -EEXIST);
    assert_int_equal(key->parse(&list, "127.0.0.1:0"), -EINVAL);
    assert_int_equal(list.count, 3);
    assert_prints(key, &list, "[ \"127.0.0.1:80\", \"[::1]:80\", \"127.0.0.1:81\" ]");
    key->clear(&list);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_says_all_about_itself),
        cmocka_unit_test(no_name_is_there_twice),
        cmocka_unit_test(a_key_that_replaces_another_exists),
        cmocka_unit_test(the_keys_of_the_contract_are_there),
        cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(an_included_table_is_no_key),
        cmocka_unit_test(an_included_key_is_a_field_of_the_struct_it_is_included_for),
        cmocka_unit_test(names_are_listed_for_error_messages),
        cmocka_unit_test(defaults_are_as_in_the_contract),
        cmocka_unit_test(defaults_of_an_entry_are_as_in_the_contract),
        cmocka_unit_test(appended_entries_begin_empty),
        cmocka_unit_test(names_are_quoted_and_bounded),
        cmocka_unit_test(names_must_be_utf8),
        cmocka_unit_test(ports_add_up_and_print_as_one_text),
        cmocka_unit_test(addresses_are_told_one_by_one),
        cmocka_unit_test(words_parse_back_from_what_is_printed),
        cmocka_unit_test(protocols_are_a_set),
        cmocka_unit_test(families_are_a_set),
        cmocka_unit_test(listen_addresses_are_given_once_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
