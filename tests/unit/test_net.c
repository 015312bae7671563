#include "core/net.h"
#include "tests/unit/unit.h"

static struct ip_addr address_of(const char *text)
{
    struct ip_addr address = {0};

    assert_int_equal(ip_addr_parse(text, &address), 0);
    return address;
}

static void protocol_names_parse_back(void **state)
{
    static const char *const names[PROTOCOL_COUNT] = {"tcp", "udp",  "udplite", "sctp",
                                                      "raw", "unix", "packet"};

    (void)state;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        enum protocol protocol = PROTOCOL_COUNT;

        assert_string_equal(protocol_name((enum protocol)i), names[i]);
        assert_int_equal(protocol_parse(names[i], &protocol), 0);
        assert_int_equal(protocol, i);
    }
}

static void refuses_what_is_no_protocol(void **state)
{
    static const char *const cases[] = {"", "TCP", "tc", "tcp ", " tcp", "tcp6", "icmp", "6", "dccp"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum protocol protocol = PROTOCOL_SCTP;

        assert_int_equal(protocol_parse(cases[i], &protocol), -EINVAL);
        assert_int_equal(protocol, PROTOCOL_SCTP);
    }
}

static void families_serve_their_ip_versions(void **state)
{
    (void)state;
    assert_string_equal(family_name(FAMILY_IPV4), "ipv4");
    assert_string_equal(family_name(FAMILY_IPV6), "ipv6");
    assert_string_equal(family_name(FAMILY_DUAL), "dual");
    assert_true(family_serves(FAMILY_IPV4, 4));
    assert_false(family_serves(FAMILY_IPV4, 6));
    assert_false(family_serves(FAMILY_IPV6, 4));
    assert_true(family_serves(FAMILY_IPV6, 6));
    assert_true(family_serves(FAMILY_DUAL, 4));
    assert_true(family_serves(FAMILY_DUAL, 6));
}

/* The numbers are the kernel's: a collector passes them on unchanged. */
static void states_have_the_numbers_and_names_of_the_kernel(void **state)
{
    static const char *const names[STATE_COUNT] = {NULL,         "established", "syn-sent",  "syn-recv",
                                                   "fin-wait-1", "fin-wait-2",  "time-wait", NULL,
                                                   "close-wait", "last-ack",    "listen",    "closing"};

    (void)state;
    assert_int_equal(STATE_COUNT, 12);
    for (size_t i = 1; i < STATE_COUNT; i++)
        if (names[i])
            assert_string_equal(state_name((enum sock_state)i, PROTOCOL_TCP), names[i]);
    assert_int_equal(STATE_CLOSE, 7);
    assert_string_equal(state_name(STATE_CLOSE, PROTOCOL_UDP), "unconn");
    assert_string_equal(state_name(STATE_CLOSE, PROTOCOL_UDPLITE), "unconn");
    assert_string_equal(state_name(STATE_CLOSE, PROTOCOL_RAW), "unconn");
    assert_string_equal(state_name(STATE_ESTABLISHED, PROTOCOL_UDP), "established");
}

static void scope_names_are_as_users_see_them(void **state)
{
    (void)state;
    assert_string_equal(scope_name(SCOPE_ANY), "any");
    assert_string_equal(scope_name(SCOPE_ADDRESS), "address");
    assert_string_equal(scope_name(SCOPE_LINK_LOCAL), "link-local");
    assert_string_equal(scope_name(SCOPE_LOOPBACK), "loopback");
}

static void port_classes_begin_and_end_where_iana_says(void **state)
{
    static const struct {
        uint16_t port;
        enum port_class port_class;
        const char *name;
    } cases[] = {
        {0, PORT_WELL_KNOWN, "well-known"},    {1023, PORT_WELL_KNOWN, "well-known"},
        {1024, PORT_REGISTERED, "registered"}, {49151, PORT_REGISTERED, "registered"},
        {49152, PORT_DYNAMIC, "dynamic"},      {65535, PORT_DYNAMIC, "dynamic"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(port_class_of(cases[i].port), cases[i].port_class);
        assert_string_equal(port_class_name(cases[i].port_class), cases[i].name);
    }
}

static void addresses_format_as_the_system_does(void **state)
{
    static const struct {
        const char *text, *formatted;
        uint8_t version;
    } cases[] = {
        {"0.0.0.0", "0.0.0.0", 4},
        {"192.0.2.255", "192.0.2.255", 4},
        {"::", "::", 6},
        {"::1", "::1", 6},
        {"2001:DB8:0:0:0:0:0:A", "2001:db8::a", 6},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", 6},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct ip_addr address = address_of(cases[i].text);
        char text[IP_ADDR_TEXT_MAX];

        assert_int_equal(address.version, cases[i].version);
        ip_addr_format(&address, text);
        assert_string_equal(text, cases[i].formatted);
    }
}

static void an_ipv4_address_leaves_the_other_bytes_zero(void **state)
{
    struct ip_addr address;

    (void)state;
    memset(&address, 0xff, sizeof address);
    assert_int_equal(ip_addr_parse("192.0.2.1", &address), 0);
    assert_memory_equal(address.bytes, "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void refuses_what_is_no_address(void **state)
{
    static const char *const cases[] = {
        "",          "*",    "localhost",     "127.1",        "1.2.3",      "1.2.3.4.5", "256.0.0.1",
        "1.2.3.4 ",  " ::1", "01.2.3.4",      "0x7f000001",   "2130706433", "[::1]",     "::1%lo",
        "fe80::1%2", ":::",  "1:2:3:4:5:6:7", "::ffff:1.2.3", "::12345",    "1.2.3.4/8", "::1/128"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct ip_addr address = {.version = 9};

        assert_int_equal(ip_addr_parse(cases[i], &address), -EINVAL);
        assert_int_equal(address.version, 9);
    }
}

static void addresses_sort_by_version_then_bytes(void **state)
{
    static const char *const sorted[] = {"0.0.0.0", "9.255.255.255", "10.0.0.0", "10.0.0.1", "200.0.0.1",
                                         "::",      "::1",           "::a00:1",  "fe80::1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sorted); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(sorted); k++) {
            struct ip_addr a = address_of(sorted[i]), b = address_of(sorted[k]);
            int r = ip_addr_compare(&a, &b);

            assert_int_equal((r > 0) - (r < 0), (i > k) - (i < k));
        }
    }
}

static void unmaps_only_ipv4_mapped_addresses(void **state)
{
    static const struct {
        const char *text, *unmapped;
    } cases[] = {
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:0.0.0.0", "0.0.0.0"},
        {"192.0.2.1", "192.0.2.1"},
        {"::192.0.2.1", "::192.0.2.1"},
        {"::fffe:192.0.2.1", "::fffe:192.0.2.1"},
        {"1::ffff:192.0.2.1", "1::ffff:192.0.2.1"},
        {"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct ip_addr unmapped = ip_addr_unmap(address_of(cases[i].text));
        struct ip_addr wanted = address_of(cases[i].unmapped);

        assert_int_equal(ip_addr_compare(&unmapped, &wanted), 0);
    }
}

static void classifies_the_scope_of_a_bind(void **state)
{
    static const struct {
        const char *address;
        uint32_t ifindex;
        enum scope scope;
    } cases[] = {
        {"0.0.0.0", 0, SCOPE_ANY},
        {"::", 0, SCOPE_ANY},
        {"::ffff:0.0.0.0", 0, SCOPE_ANY},
        {"0.0.0.0", 2, SCOPE_ANY},
        {"::", 7, SCOPE_ANY},

        /* All of 127/8 and ::1, nothing that only looks like it. */
        {"127.0.0.1", 0, SCOPE_LOOPBACK},
        {"127.0.0.0", 0, SCOPE_LOOPBACK},
        {"127.0.0.53", 0, SCOPE_LOOPBACK},
        {"127.255.255.255", 0, SCOPE_LOOPBACK},
        {"::1", 0, SCOPE_LOOPBACK},
        {"::ffff:127.0.0.1", 0, SCOPE_LOOPBACK},
        {"::ffff:127.1.2.3", 0, SCOPE_LOOPBACK},
        {"126.255.255.255", 0, SCOPE_ADDRESS},
        {"128.0.0.0", 0, SCOPE_ADDRESS},
        {"0.0.0.127", 0, SCOPE_ADDRESS},
        {"::2", 0, SCOPE_ADDRESS},
        {"::127.0.0.1", 0, SCOPE_ADDRESS},
        {"7f00::1", 0, SCOPE_ADDRESS},
        {"1::1", 0, SCOPE_ADDRESS},
        {"127.0.0.1", 2, SCOPE_LOOPBACK},

        /* Bound to the loopback device, whatever the address. */
        {"0.0.0.0", 1, SCOPE_LOOPBACK},
        {"::", 1, SCOPE_LOOPBACK},
        {"192.0.2.1", 1, SCOPE_LOOPBACK},
        {"fe80::1", 1, SCOPE_LOOPBACK},

        /* An address configured on lo is reachable from outside. */
        {"10.1.1.1", 0, SCOPE_ADDRESS},
        {"172.17.0.1", 0, SCOPE_ADDRESS},
        {"192.0.2.1", 0, SCOPE_ADDRESS},
        {"2001:db8::1", 0, SCOPE_ADDRESS},
        {"::ffff:192.0.2.1", 0, SCOPE_ADDRESS},
        {"192.0.2.1", 2, SCOPE_ADDRESS},
        {"fd00::1", 0, SCOPE_ADDRESS},

        {"169.254.0.0", 0, SCOPE_LINK_LOCAL},
        {"169.254.255.255", 0, SCOPE_LINK_LOCAL},
        {"169.253.255.255", 0, SCOPE_ADDRESS},
        {"169.255.0.0", 0, SCOPE_ADDRESS},
        {"::ffff:169.254.1.1", 0, SCOPE_LINK_LOCAL},
        {"fe80::1", 2, SCOPE_LINK_LOCAL},
        {"fe80::1", 0, SCOPE_LINK_LOCAL},
        {"febf::1", 2, SCOPE_LINK_LOCAL},
        {"fe7f::1", 2, SCOPE_ADDRESS},
        {"fec0::1", 2, SCOPE_ADDRESS},

        /* Multicast and broadcast are addresses like others. */
        {"224.0.0.251", 0, SCOPE_ADDRESS},
        {"239.255.255.250", 0, SCOPE_ADDRESS},
        {"255.255.255.255", 0, SCOPE_ADDRESS},
        {"ff02::fb", 2, SCOPE_ADDRESS},
        {"ff01::1", 0, SCOPE_ADDRESS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum scope scope = scope_of(address_of(cases[i].address), cases[i].ifindex);

        if (scope != cases[i].scope)
            fail_msg("%s on interface %u is \"%s\"", cases[i].address, cases[i].ifindex, scope_name(scope));
    }
}

static void the_kinds_of_an_address_exclude_each_other(void **state)
{
    static const char *const cases[] = {"0.0.0.0",     "::",      "::ffff:0.0.0.0", "127.0.0.1",
                                        "::1",         "fe80::1", "169.254.1.1",    "::ffff:127.0.0.1",
                                        "2001:db8::1", "0.0.0.1", "::ffff:0.0.0.1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct ip_addr address = address_of(cases[i]);

        assert_true(ip_addr_is_any(address) + ip_addr_is_loopback(address) + ip_addr_is_link_local(address) <=
                    1);
    }
    assert_false(ip_addr_is_any(address_of("0.0.0.1")));
    assert_false(ip_addr_is_any(address_of("::ffff:0.0.0.1")));
}

static void endpoints_read_like_those_of_ss(void **state)
{
    static const struct {
        const char *address;
        enum family family;
        uint16_t port;
        const char *interface, *text;
    } cases[] = {
        {"192.0.2.1", FAMILY_IPV4, 80, NULL, "192.0.2.1:80"},
        {"0.0.0.0", FAMILY_IPV4, 0, "", "0.0.0.0:0"},
        {"0.0.0.0", FAMILY_IPV4, 65535, "eth0", "0.0.0.0%eth0:65535"},
        {"::1", FAMILY_IPV6, 80, NULL, "[::1]:80"},
        {"::", FAMILY_IPV6, 80, "", "[::]:80"},
        {"fe80::1", FAMILY_IPV6, 80, "eth0", "[fe80::1%eth0]:80"},
        {"::", FAMILY_DUAL, 80, NULL, "*:80"},
        {"::", FAMILY_DUAL, 80, "eth0", "*%eth0:80"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct ip_addr address = address_of(cases[i].address);
        char text[ENDPOINT_TEXT_MAX];

        endpoint_format(&address, cases[i].family, cases[i].port, cases[i].interface, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void the_longest_endpoint_fits(void **state)
{
    struct ip_addr address = address_of("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
    char text[ENDPOINT_TEXT_MAX];

    (void)state;
    endpoint_format(&address, FAMILY_IPV6, 65535, "fifteen-letters", text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%fifteen-letters]:65535");
}

static void parses_ports_and_ranges(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        struct port_range ranges[3];
    } cases[] = {
        {"22", 1, {{22, 22}}},
        {"0", 1, {{0, 0}}},
        {"65535", 1, {{65535, 65535}}},
        {"8000-8100", 1, {{8000, 8100}}},
        {"0-65535", 1, {{0, 65535}}},
        {"80-80", 1, {{80, 80}}},
        {"443,80", 2, {{443, 443}, {80, 80}}},
        {"22,80,8000-8100", 3, {{22, 22}, {80, 80}, {8000, 8100}}},
        {" 22 , 80 ", 2, {{22, 22}, {80, 80}}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct port_range *ranges = NULL;
        size_t count = 0;

        assert_int_equal(port_ranges_parse(cases[i].text, &ranges, &count), 0);
        assert_int_equal(count, cases[i].count);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(ranges[k].first, cases[i].ranges[k].first);
            assert_int_equal(ranges[k].last, cases[i].ranges[k].last);
        }
        free(ranges);
    }
}

static void refuses_what_is_no_port_range(void **state)
{
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {"", -EINVAL},         {" ", -EINVAL},
        {",", -EINVAL},        {"22,", -EINVAL},
        {",22", -EINVAL},      {"22,,80", -EINVAL},
        {"22 80", -EINVAL},    {"22;80", -EINVAL},
        {"ssh", -EINVAL},      {"22x", -EINVAL},
        {"0x16", -EINVAL},     {"-1", -EINVAL},
        {"+22", -EINVAL},      {"22-", -EINVAL},
        {"-22", -EINVAL},      {"22--80", -EINVAL},
        {"22-80-90", -EINVAL}, {"22- 80", -EINVAL},
        {"22\n", -EINVAL},     {"1.5", -EINVAL},
        {"65536", -ERANGE},    {"22,65536", -ERANGE},
        {"22-65536", -ERANGE}, {"4294967318", -ERANGE},
        {"80-79", -ERANGE},    {"18446744073709551638", -ERANGE},
        {"22,80-79", -ERANGE}, {"99999999999999999999999999", -ERANGE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct port_range *ranges = NULL;
        size_t count = 42;

        assert_int_equal(port_ranges_parse(cases[i].text, &ranges, &count), cases[i].error);
        assert_null(ranges);
        assert_int_equal(count, 42);
    }
}

static void ranges_contain_both_their_ends(void **state)
{
    static const struct port_range ranges[] = {{0, 0}, {22, 22}, {8000, 8100}, {65535, 65535}};
    static const uint16_t inside[] = {0, 22, 8000, 8050, 8100, 65535};
    static const uint16_t outside[] = {1, 21, 23, 7999, 8101, 65534};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inside); i++)
        assert_true(port_ranges_contain(ranges, ARRAY_LENGTH(ranges), inside[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(outside); i++)
        assert_false(port_ranges_contain(ranges, ARRAY_LENGTH(ranges), outside[i]));
    assert_false(port_ranges_contain(NULL, 0, 22));
}

static void a_walk_visits_every_port_once_and_ends(void **state)
{
    static const struct port_range ranges[] = {{22, 22}, {65534, 65535}, {0, 1}};
    static const uint16_t wanted[] = {22, 65534, 65535, 0, 1};
    struct port_cursor cursor = {0};
    uint16_t port = 7;

    (void)state;
    assert_int_equal(port_ranges_total(ranges, ARRAY_LENGTH(ranges)), ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        assert_true(port_ranges_next(ranges, ARRAY_LENGTH(ranges), &cursor, &port));
        assert_int_equal(port, wanted[i]);
    }
    assert_false(port_ranges_next(ranges, ARRAY_LENGTH(ranges), &cursor, &port));
    assert_int_equal(port, 1);
    assert_int_equal(port_ranges_total(NULL, 0), 0);
    cursor = (struct port_cursor){0};
    assert_false(port_ranges_next(NULL, 0, &cursor, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocol_names_parse_back),
        cmocka_unit_test(refuses_what_is_no_protocol),
        cmocka_unit_test(families_serve_their_ip_versions),
        cmocka_unit_test(states_have_the_numbers_and_names_of_the_kernel),
        cmocka_unit_test(scope_names_are_as_users_see_them),
        cmocka_unit_test(port_classes_begin_and_end_where_iana_says),
        cmocka_unit_test(addresses_format_as_the_system_does),
        cmocka_unit_test(an_ipv4_address_leaves_the_other_bytes_zero),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(addresses_sort_by_version_then_bytes),
        cmocka_unit_test(unmaps_only_ipv4_mapped_addresses),
        cmocka_unit_test(classifies_the_scope_of_a_bind),
        cmocka_unit_test(the_kinds_of_an_address_exclude_each_other),
        cmocka_unit_test(endpoints_read_like_those_of_ss),
        cmocka_unit_test(the_longest_endpoint_fits),
        cmocka_unit_test(parses_ports_and_ranges),
        cmocka_unit_test(refuses_what_is_no_port_range),
        cmocka_unit_test(ranges_contain_both_their_ends),
        cmocka_unit_test(a_walk_visits_every_port_once_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
