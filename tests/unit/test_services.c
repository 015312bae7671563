#include "core/services.h"
#include "tests/unit/unit.h"

static void the_builtin_table_answers_without_a_database(void **state)
{
    static const struct {
        enum protocol protocol;
        uint16_t port;
        const char *name;
    } cases[] = {{PROTOCOL_TCP, 22, "ssh"},      {PROTOCOL_TCP, 443, "https"},
                 {PROTOCOL_TCP, 3306, "mysql"},  {PROTOCOL_TCP, 6379, "redis"},
                 {PROTOCOL_UDP, 53, "domain"},   {PROTOCOL_UDP, 51820, "wireguard"},
                 {PROTOCOL_RAW, 58, "ipv6-icmp"}};
    struct services *empty = services_new();

    (void)state;
    assert_non_null(empty);
    services_seal(empty);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_string_equal(services_name(NULL, cases[i].protocol, cases[i].port), cases[i].name);
        assert_string_equal(services_name(empty, cases[i].protocol, cases[i].port), cases[i].name);
    }
    services_free(empty);
}

static void nobody_knows_a_name(void **state)
{
    (void)state;
    assert_null(services_name(NULL, PROTOCOL_TCP, 0));
    assert_null(services_name(NULL, PROTOCOL_TCP, 65535));
    assert_null(services_name(NULL, PROTOCOL_UDP, 22));
    assert_null(services_name(NULL, PROTOCOL_SCTP, 80));
    assert_null(services_name(NULL, PROTOCOL_UDPLITE, 53));
}

static void the_database_goes_before_the_builtin_table(void **state)
{
    struct services *s = services_new();

    (void)state;
    assert_int_equal(services_add(s, PROTOCOL_TCP, 22, "mosh"), 0);
    assert_int_equal(services_add(s, PROTOCOL_SCTP, 36412, "s1-control"), 0);
    services_seal(s);
    assert_string_equal(services_name(s, PROTOCOL_TCP, 22), "mosh");
    assert_string_equal(services_name(s, PROTOCOL_SCTP, 36412), "s1-control");
    assert_string_equal(services_name(s, PROTOCOL_TCP, 80), "http");
    assert_null(services_name(s, PROTOCOL_TCP, 36412));
    services_free(s);
}

static void the_first_of_several_names_is_kept(void **state)
{
    struct services *s = services_new();

    (void)state;
    for (unsigned port = 1000; port > 0; port--) {
        assert_int_equal(services_add(s, PROTOCOL_TCP, (uint16_t)port, "first"), 0);
        assert_int_equal(services_add(s, PROTOCOL_TCP, (uint16_t)port, "second"), 0);
        assert_int_equal(services_add(s, PROTOCOL_UDP, (uint16_t)port, "other"), 0);
    }
    services_seal(s);
    for (unsigned port = 1; port <= 1000; port++) {
        assert_string_equal(services_name(s, PROTOCOL_TCP, (uint16_t)port), "first");
        assert_string_equal(services_name(s, PROTOCOL_UDP, (uint16_t)port), "other");
    }
    services_free(s);
}

static void finds_the_first_and_the_last_port_of_each_protocol(void **state)
{
    struct services *s = services_new();

    (void)state;
    for (int i = PROTOCOL_COUNT - 1; i >= 0; i--) {
        assert_int_equal(services_add(s, (enum protocol)i, 65535, protocol_name((enum protocol)i)), 0);
        assert_int_equal(services_add(s, (enum protocol)i, 0, protocol_name((enum protocol)i)), 0);
    }
    services_seal(s);
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        assert_string_equal(services_name(s, (enum protocol)i, 0), protocol_name((enum protocol)i));
        assert_string_equal(services_name(s, (enum protocol)i, 65535), protocol_name((enum protocol)i));
    }
    services_free(s);
}

static void a_long_name_is_cut(void **state)
{
    struct services *s = services_new();
    const char *name = "a-name-that-is-longer-than-anything-iana-would-allow";

    (void)state;
    assert_int_equal(services_add(s, PROTOCOL_TCP, 4000, name), 0);
    services_seal(s);
    assert_int_equal(strlen(services_name(s, PROTOCOL_TCP, 4000)), SERVICE_NAME_MAX - 1);
    assert_memory_equal(services_name(s, PROTOCOL_TCP, 4000), name, SERVICE_NAME_MAX - 1);
    services_free(s);
    services_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_builtin_table_answers_without_a_database),
        cmocka_unit_test(nobody_knows_a_name),
        cmocka_unit_test(the_database_goes_before_the_builtin_table),
        cmocka_unit_test(the_first_of_several_names_is_kept),
        cmocka_unit_test(finds_the_first_and_the_last_port_of_each_protocol),
        cmocka_unit_test(a_long_name_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
