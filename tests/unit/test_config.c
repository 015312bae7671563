#include "config/config.h"
#include "core/err.h"
#include "tests/unit/config_files.h"

struct refused {
    const char *text, *wanted;
};

static void assert_refuses_all(struct fixture *f, const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refuses(f, cases[i].text, cases[i].wanted);
}

/* What a file says must be what is shown after it was loaded. */
static void assert_shows(struct fixture *f, const char *text, const char *const *wanted, size_t count)
{
    struct buf shown;

    assert_loads(f, text);
    buf_init(&shown);
    config_show(f->config, &shown);
    for (size_t i = 0; i < count; i++)
        if (!strstr(buf_text(&shown), wanted[i]))
            fail_msg("no \"%s\" in:\n%s", wanted[i], buf_text(&shown));
    buf_done(&shown);
}

static void assert_is_default(const struct config *config)
{
    char text[ENDPOINT_TEXT_MAX];

    assert_int_equal(config->poll_listeners_ms, 1000);
    assert_int_equal(config->poll_connections_ms, 10000);
    assert_int_equal(config->limits.listeners, 4096);
    assert_int_equal(config->limits.series, 20000);
    assert_int_equal(config->listen.count, 2);
    ip_port_format(&config->listen.items[0], text);
    assert_string_equal(text, "127.0.0.1:10066");
    ip_port_format(&config->listen.items[1], text);
    assert_string_equal(text, "[::1]:10066");
    assert_int_equal(config->policy.expect_count, 0);
    assert_int_equal(config->policy.allow_count, 0);
    assert_false(config->policy.unexpected.enabled);
}

static void no_file_means_the_defaults(void **state)
{
    struct config *config = config_new();

    (void)state;
    assert_non_null(config);
    assert_is_default(config);
    config_unref(config);
    config_unref(NULL);
}

static void a_configuration_lives_as_long_as_somebody_has_it(void **state)
{
    struct config *config = config_new();
    const struct config *reader;

    (void)state;
    assert_non_null(config);
    reader = config_ref(config);
    assert_ptr_equal(reader, config);
    config_unref(config); /* by a reload */
    assert_is_default(reader);
    config_unref(reader);
}

static void an_empty_file_means_the_defaults(void **state)
{
    static const char *const cases[] = {"",
                                        "\n\n",
                                        "# nothing\n",
                                        "poll: { };",
                                        "web: { };",
                                        "limits: { };",
                                        "poll: { }; web: { }; expect = ( ); allow = ( ); limits: { };"};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fixture *f = *state;

        assert_loads(f, cases[i]);
        assert_is_default(f->config);
    }
}

static void every_key_is_read(void **state)
{
    struct fixture *f = *state;
    const struct policy *policy;
    const struct expect *e;
    const struct allow *a;
    struct ip_addr address;

    assert_loads(
        f, "poll: { listeners = \"250ms\"; connections = \"1m\"; };\n"
           "web: { listen = [ \"0.0.0.0:80\", \"[::]:81\", \"192.0.2.1:65535\" ]; };\n"
           "expect = (\n"
           "  { name = \"db\"; port = 3306; protocol = \"udp\";\n"
           "    address = \"127.0.0.2\"; families = [ \"ipv4\" ]; for = \"10s\"; severity = \"warning\"; },\n"
           "  { name = \"web\"; ports = \"80,8000-8100\"; scope = \"public\"; families = [ \"ipv4\", "
           "\"ipv6\" ]; }\n"
           ");\n"
           "allow = ( { ports = \"22\"; kernel_chosen = false; },\n"
           "          { port = 1; protocol = \"raw\"; scope = \"any\"; address = \"2001:db8::1\"; },\n"
           "          { kernel_chosen = true; }, { protocol = \"udp\"; port = 5; kernel_chosen = true; } );\n"
           "unexpected: { severity = \"critical\"; for = \"2m\"; ignore_loopback = true;\n"
           "  ignore_kernel_chosen = true; };\n"
           "limits: { listeners = 1; series = 0; };\n");
    assert_int_equal(f->config->poll_listeners_ms, 250);
    assert_int_equal(f->config->poll_connections_ms, 60000);
    assert_int_equal(f->config->listen.count, 3);
    assert_int_equal(f->config->listen.items[0].port, 80);
    assert_int_equal(f->config->listen.items[1].address.version, 6);
    assert_int_equal(f->config->listen.items[2].port, 65535);
    assert_int_equal(f->config->limits.listeners, 1);
    assert_int_equal(f->config->limits.series, 0);
    policy = &f->config->policy;
    assert_int_equal(policy->expect_count, 2);
    e = &policy->expects[0];
    assert_string_equal(e->name, "db");
    assert_int_equal(e->match.protocols, 1 << PROTOCOL_UDP);
    assert_int_equal(e->match.port_count, 1);
    assert_int_equal(e->match.ports[0].first, 3306);
    assert_int_equal(e->match.ports[0].last, 3306);
    assert_int_equal(e->match.scope, WANT_ANY);
    assert_int_equal(ip_addr_parse("127.0.0.2", &address), 0);
    assert_int_equal(e->match.address_count, 1);
    assert_int_equal(ip_addr_compare(&e->match.addresses[0], &address), 0);
    assert_true(e->families[0]);
    assert_false(e->families[1]);
    assert_int_equal(e->for_ms, 10000);
    assert_int_equal(e->severity, SEVERITY_WARNING);
    e = &policy->expects[1];
    assert_string_equal(e->name, "web");
    assert_int_equal(e->match.protocols, 1 << PROTOCOL_TCP);
    assert_int_equal(e->match.port_count, 2);
    assert_int_equal(e->match.ports[1].first, 8000);
    assert_int_equal(e->match.ports[1].last, 8100);
    assert_int_equal(e->match.scope, WANT_PUBLIC);
    assert_int_equal(e->match.address_count, 0);
    assert_true(e->families[0] && e->families[1]);
    assert_int_equal(e->for_ms, 0);
    assert_int_equal(e->severity, SEVERITY_CRITICAL);
    assert_int_equal(policy->allow_count, 4);
    a = &policy->allows[0];
    assert_int_equal(a->match.protocols, 1 << PROTOCOL_TCP);
    assert_false(a->kernel_chosen);
    assert_int_equal(a->match.ports[0].first, 22);
    assert_int_equal(a->match.scope, WANT_ANY);
    assert_int_equal(a->match.address_count, 0);
    a = &policy->allows[1];
    assert_int_equal(a->match.protocols, 1 << PROTOCOL_RAW);
    assert_int_equal(a->match.addresses[0].version, 6);
    a = &policy->allows[2];
    assert_true(a->kernel_chosen);
    assert_int_equal(a->match.port_count, 0);
    a = &policy->allows[3];
    assert_true(a->kernel_chosen);
    assert_int_equal(a->match.port_count, 1);
    assert_true(policy->unexpected.enabled);
    assert_int_equal(policy->unexpected.severity, SEVERITY_CRITICAL);
    assert_int_equal(policy->unexpected.for_ms, 120000);
    assert_true(policy->unexpected.ignore_loopback);
    assert_true(policy->unexpected.ignore_kernel_chosen);
}

static void owners_and_queues_are_read(void **state)
{
    struct fixture *f = *state;
    const struct policy *policy;

    assert_loads(
        f, "expect = ( { name = \"a\"; port = 1; process = \"mariadbd\"; user = \"my*\";\n"
           "  unit = \"dev-disk\\\\x2dby.service\"; accept_queue = 0.8; },\n"
           "  { name = \"b\"; port = 2; accept_queue = 1; },\n"
           "  { name = \"c\"; port = 3; protocol = \"sctp\"; accept_queue = 0.001; } );\n"
           "allow = ( { port = 1; process = \"python*\"; user = \"1000\"; unit = \"*\"; }, { port = 2; } );");
    policy = &f->config->policy;
    assert_string_equal(policy->expects[0].match.owner.process, "mariadbd");
    assert_string_equal(policy->expects[0].match.owner.user, "my*");
    assert_string_equal(policy->expects[0].match.owner.unit, "dev-disk\\x2dby.service");
    assert_true(policy->expects[0].accept_queue == 0.8);
    assert_true(policy->expects[1].accept_queue == 1);
    assert_false(owner_pattern_is_set(&policy->expects[1].match.owner));
    assert_true(policy->expects[2].accept_queue == 0.001);
    assert_string_equal(policy->allows[0].match.owner.process, "python*");
    assert_string_equal(policy->allows[0].match.owner.user, "1000");
    assert_string_equal(policy->allows[0].match.owner.unit, "*");
    assert_false(owner_pattern_is_set(&policy->allows[1].match.owner));
}

static void refuses_owners_that_no_listener_can_have(void **state)
{
    static const struct refused cases[] = {
        {"allow = ( { port = 1; process = \"/usr/sbin/mariadbd\"; } );",
         "1: allow[0].process: \"/usr/sbin/mariadbd\" is not valid, expected the name of a process such "
         "as \"mariadbd\" or \"python*\", not its path: that is exe"},
        {"allow = ( { port = 1; exe = \"mariadbd\"; } );",
         "1: allow[0].exe: \"mariadbd\" is not valid, expected the path of a program's file such as "
         "\"/usr/sbin/mariadbd\""},
        {"allow = ( { port = 1; exe = \"\"; } );", "1: allow[0].exe: \"\" is not valid"},
        {"expect = ( { name = \"a\"; port = 1; exe = 5; } );", "1: expect[0].exe: is a number"},
        {"allow = ( { port = 1; process = \"\"; } );", "1: allow[0].process: \"\" is not valid"},
        {"allow = ( { port = 1; process = 5; } );",
         "1: allow[0].process: is a number, expected the name of a process"},
        {"allow = ( { port = 1; process = \"a\\nb\"; } );", "1: allow[0].process: \"a?b\" is not valid"},
        {"allow = ( { port = 1; process = "
         "\"0123456789012345678901234567890123456789012345678901234567890123\"; } );",
         "1: allow[0].process: "},
        {"allow = ( { port = 1; user = \"\"; } );",
         "1: allow[0].user: \"\" is not valid, expected the name of a user"},
        {"allow = ( { port = 1; user = \"caf\\xe9\"; } );", "1: allow[0].user: "},
        {"allow = ( { port = 1; unit = \"mariadb\"; } );",
         "1: allow[0].unit: \"mariadb\" is not valid, expected a systemd unit with its suffix"},
        {"expect = ( { name = \"a\"; port = 1; unit = \"\"; } );", "1: expect[0].unit: \"\" is not valid"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_ratios_that_are_none(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; accept_queue = 1.5; } );",
         "1: expect[0].accept_queue: 1.5 is out of range, expected a ratio 0-1 such as 0.8"},
        {"expect = ( { name = \"a\"; port = 1; accept_queue = 80; } );",
         "1: expect[0].accept_queue: 80 is out of range"},
        {"expect = ( { name = \"a\"; port = 1; accept_queue = -0.8; } );",
         "1: expect[0].accept_queue: -0.8 is out of range"},
        {"expect = ( { name = \"a\"; port = 1; accept_queue = 1e400; } );",
         "1: expect[0].accept_queue: inf is out of range"},
        {"expect = ( { name = \"a\"; port = 1; accept_queue = 4294967297; } );",
         "1: accept_queue: 4294967297 does not fit"},
        {"expect = ( { name = \"a\"; port = 1; accept_queue = \"80%\"; } );",
         "1: expect[0].accept_queue: is a string, expected a ratio"},
        {"expect = ( { name = \"a\"; port = 1; protocol = \"udp\"; accept_queue = 0.5; } );",
         "1: expect[0].accept_queue: contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none"},
        {"allow = ( { port = 1; accept_queue = 0.5; } );", "1: allow[0].accept_queue: is not a known key"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void settings_are_shown_without_the_lists(void **state)
{
    struct fixture *f = *state;
    struct buf shown;

    assert_loads(f, "expect = ( { name = \"a\"; port = 1; } ); allow = ( { port = 2; } );\n"
                    "poll: { listeners = \"2s\"; }; unexpected: { };");
    buf_init(&shown);
    config_show_settings(f->config, &shown);
    assert_non_null(strstr(buf_text(&shown), "listeners = \"2s\";"));
    assert_non_null(strstr(buf_text(&shown), "unexpected: {"));
    assert_null(strstr(buf_text(&shown), "expect ="));
    assert_null(strstr(buf_text(&shown), "allow ="));
    buf_done(&shown);
}

static void an_empty_unexpected_group_turns_it_on(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "unexpected: { };");
    assert_true(f->config->policy.unexpected.enabled);
    assert_int_equal(f->config->policy.unexpected.severity, SEVERITY_WARNING);
    assert_int_equal(f->config->policy.unexpected.for_ms, 0);
    assert_false(f->config->policy.unexpected.ignore_loopback);
}

static void listen_may_be_empty(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "web: { listen = [ ]; };");
    assert_int_equal(f->config->listen.count, 0);
}

static void bounds_are_inclusive(void **state)
{
    static const char *const cases[] = {
        "poll: { listeners = \"20ms\"; };",
        "poll: { listeners = \"1h\"; };",
        "poll: { connections = \"100ms\"; };",
        "poll: { connections = \"3600s\"; };",
        "limits: { listeners = 1; };",
        "limits: { listeners = 65536; };",
        "limits: { series = 0; };",
        "limits: { series = 1000000; };",
        "limits: { series = 0x10; };",
        "limits: { series = 1000000L; };",
        "unexpected: { for = \"0s\"; };",
        "unexpected: { for = \"30d\"; };",
        "allow = ( { port = 1; } );",
        "allow = ( { port = 65535; } );",
        "allow = ( { ports = \"1-65535\"; } );",
        "allow = ( { ports = \"255\"; protocol = \"raw\"; } );",
        "expect = ( { name = \"a\"; ports = \"1-1024\"; } );",
        "expect = ({ port=1; name=\"0123456789012345678901234567890123456789012345678901234567890123\"; });",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_loads(*state, cases[i]);
}

static void refuses_values_out_of_range(void **state)
{
    static const struct refused cases[] = {
        {"poll: { listeners = \"19ms\"; };",
         "1: poll.listeners: \"19ms\" is out of range, expected a duration 20ms-1h"},
        {"poll: { listeners = \"0s\"; };", "1: poll.listeners: \"0s\" is out of range"},
        {"poll: { listeners = \"3600001ms\"; };", "1: poll.listeners: \"3600001ms\" is out of range"},
        {"poll: { listeners = \"9223372036854775808ms\"; };",
         "1: poll.listeners: \"9223372036854775808ms\" is out of range"},
        {"poll: { connections = \"99ms\"; };",
         "1: poll.connections: \"99ms\" is out of range, expected a duration 100ms-1h"},
        {"poll: { connections = \"2h\"; };", "1: poll.connections: \"2h\" is out of range"},
        {"limits: { listeners = 0; };", "1: limits.listeners: 0 is out of range, expected a number 1-65536"},
        {"limits: { listeners = 65537; };", "1: limits.listeners: 65537 is out of range"},
        {"limits: { listeners = -1; };", "1: limits.listeners: -1 is out of range"},
        {"limits: { series = -1; };", "1: limits.series: -1 is out of range, expected a number 0-1000000"},
        {"limits: { series = 1000001; };", "1: limits.series: 1000001 is out of range"},
        {"limits: { series = 4294970602L; };", "1: limits.series: 4294970602 is out of range"},
        {"limits: { series = 99999999999999999999999L; };",
         "1: limits.series: 9223372036854775807 is out of range"},
        {"unexpected: { for = \"31d\"; };",
         "1: unexpected.for: \"31d\" is out of range, expected a duration 0s-30d"},
        {"allow = ( { port = 0; } );", "1: allow[0].port: 0 is out of range, expected a port 1-65535"},
        {"allow = ( { port = 65536; } );", "1: allow[0].port: 65536 is out of range"},
        {"allow = ( { port = 18446744073709554922L; } );",
         "1: allow[0].port: 9223372036854775807 is out of range"},
        {"allow = ( { port = -3306; } );", "1: allow[0].port: -3306 is out of range"},
        {"allow = ( { ports = \"0\"; } );",
         "1: allow[0].ports: \"0\" is out of range, expected ports 1-65535"},
        {"allow = ( { ports = \"22,65536\"; } );", "1: allow[0].ports: \"22,65536\" is out of range"},
        {"allow = ( { ports = \"4294970602\"; } );", "1: allow[0].ports: \"4294970602\" is out of range"},
        {"allow = ( { ports = \"90-80\"; } );", "1: allow[0].ports: \"90-80\" is out of range"},
        {"allow = ( { port = 1; address = \"0.0.0.0\"; } );",
         "1: allow[0].address: \"0.0.0.0\" is out of range, expected an address"},
        {"allow = ( { port = 256; protocol = \"raw\"; } );",
         "1: allow[0].port: is out of range, expected an IP protocol number 1-255"},
        {"expect = ( { name = \"a\"; ports = \"1-1025\"; } );",
         "1: expect[0].ports: name more than 1024 ports, expected fewer"},
        {"expect = ( { name = \"a\"; port = 1; for = \"31d\"; } );",
         "1: expect[0].for: \"31d\" is out of range"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

/* 4294970602 is 3306 in 32 bits: whoever reads it so watches another port. */
static void refuses_integers_that_overflow(void **state)
{
    static const struct refused cases[] = {
        {"limits: { series = 4294970602; };",
         "1: series: 4294970602 does not fit in 32 bits, expected a number from"},
        {"limits: {\n series = 0x100000CEA; };",
         "2: series: 0x100000CEA does not fit in 32 bits, expected a number from"},
        /* libconfig 1.7 finds the syntax wrong, too. */
        {"allow = ( { port = 00000000000000000000000000000000000000000000000004294970602; } );",
         "1: port: 0000"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char line[512];

        assert_int_equal(load(f, cases[i].text), ERR_CONFIG);
        (void)snprintf(line, sizeof line, "%s:%s", f->path, cases[i].wanted);
        assert_non_null(strstr(buf_text(&f->errors), line));
    }
    assert_refuses(f, "expect = (\n { name = \"db\";\n   port = 4294970602; }\n);",
                   "3: port: 4294970602 does not fit in 32 bits, expected a number from");
    assert_refuses(f, "/*/ \" */ allow = ( { port = 4294970602; } ); # \"",
                   "1: port: 4294970602 does not fit in 32 bits");
    assert_refuses(f, "allow = ( { port = 010; } );",
                   "1: port: 010 may be read as octal, expected a number without leading zeros");
}

/* The number that libconfig made of it is not reported, too; what else is wrong
 * on the line is. */
static void an_overflow_hides_no_other_error_of_its_line(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "limits: { listeners = 99999999999; series = -5; };"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&f->errors), "listeners: 99999999999 does not fit in 32 bits"));
    assert_null(strstr(buf_text(&f->errors), "limits.listeners"));
    assert_non_null(strstr(buf_text(&f->errors), "limits.series: -5 is out of range"));
    assert_int_equal(load(f, "limits: { series = -5; }; # \xff"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&f->errors), "is not valid UTF-8"));
    assert_non_null(strstr(buf_text(&f->errors), "limits.series: -5 is out of range"));
}

static void refuses_values_that_are_none(void **state)
{
    static const struct refused cases[] = {
        {"poll: { listeners = \"1\"; };", "1: poll.listeners: \"1\" is not valid, expected a duration"},
        {"poll: { listeners = \"\"; };", "1: poll.listeners: \"\" is not valid"},
        {"poll: { connections = \"-1s\"; };", "1: poll.connections: \"-1s\" is not valid"},
        {"web: { listen = [ \"localhost:80\" ]; };",
         "1: web.listen[0]: \"localhost:80\" is not valid, expected ADDRESS:PORT"},
        {"web: { listen = [ \"127.0.0.1:80\", \"127.0.0.1\" ]; };",
         "1: web.listen[1]: \"127.0.0.1\" is not valid"},
        {"web: { listen = [ \"::1:80\" ]; };", "1: web.listen[0]: \"::1:80\" is not valid"},
        {"web: { listen = [ \"127.0.0.1:0\" ]; };", "1: web.listen[0]: \"127.0.0.1:0\" is not valid"},
        {"web: { listen = [ \"127.0.0.1:65536\" ]; };", "1: web.listen[0]: \"127.0.0.1:65536\" is not valid"},
        {"web: { listen = [ \"[::1]:80\", \"[0::1]:80\" ]; };",
         "1: web.listen[1]: \"[0::1]:80\" is given twice"},
        {"expect = ( { name = \"\"; port = 1; } );",
         "1: expect[0].name: \"\" is not valid, expected a name of 1-64 bytes"},
        {"expect = ( { name = \"a\\nb\"; port = 1; } );",
         "1: expect[0].name: \"a?b\" is not valid, expected a name"},
        {"expect = ( { name = \"caf\\xe9\"; port = 1; } );", "1: expect[0].name: \"caf"},
        {"expect = ( { name = \"01234567890123456789012345678901234567890123456789012345678901234\"; port "
         "= "
         "1; } );",
         "1: expect[0].name: \"01234567890123456789012345678901234567890123456789012345678901234\" is not "
         "valid"},
        {"expect = ( { name = \"a\"; port = 1; protocol = \"TCP\"; } );",
         "1: expect[0].protocol: \"TCP\" is not valid, expected \"tcp\", \"udp\""},
        {"expect = ( { name = \"a\"; port = 1; scope = \"private\"; } );",
         "1: expect[0].scope: \"private\" is not valid, expected \"public\""},
        {"expect = ( { name = \"a\"; port = 1; severity = \"error\"; } );",
         "1: expect[0].severity: \"error\" is not valid, expected \"info\""},
        {"expect = ( { name = \"a\"; port = 1; families = [ \"ipv5\" ]; } );",
         "1: expect[0].families[0]: \"ipv5\" is not valid, expected \"ipv4\""},
        {"expect = ( { name = \"a\"; port = 1; for = \"soon\"; } );",
         "1: expect[0].for: \"soon\" is not valid, expected a duration"},
        {"expect = ( { name = \"a\"; port = 1; address = \"localhost\"; } );",
         "1: expect[0].address: \"localhost\" is not valid, expected an address"},
        {"allow = ( { ports = \"ssh\"; } );", "1: allow[0].ports: \"ssh\" is not valid, expected ports"},
        {"unexpected: { severity = \"\"; };", "1: unexpected.severity: \"\" is not valid, expected \"info\""},
        {"unexpected: { for = \"1 s\"; };", "1: unexpected.for: \"1 s\" is not valid, expected a duration"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_wrong_types(void **state)
{
    static const struct refused cases[] = {
        {"poll = 1;", "1: poll: is a number, expected a group {...}"},
        {"poll = ( );", "1: poll: is a list (...), expected a group {...}"},
        {"poll: { listeners = 1; };", "1: poll.listeners: is a number, expected a duration"},
        {"poll: { connections = 1.5; };",
         "1: poll.connections: is a number with a fraction, expected a duration"},
        {"web: { listen = \"127.0.0.1:80\"; };", "1: web.listen: is a string, expected ADDRESS:PORT"},
        {"web: { listen = [ 80 ]; };", "1: web.listen[0]: is a number, expected a string"},
        {"expect: { name = \"a\"; };", "1: expect: is a group {...}, expected a list of groups"},
        {"expect = [ ];", "1: expect: is an array [...], expected a list of groups"},
        {"expect = ( \"a\" );", "1: expect[0]: is a string, expected a group {...}"},
        {"expect = ( { name = 1; port = 1; } );", "1: expect[0].name: is a number, expected a name"},
        {"expect = ( { name = \"a\"; port = \"1\"; } );",
         "1: expect[0].port: is a string, expected a port 1-65535"},
        {"expect = ( { name = \"a\"; port = 1.0; } );",
         "1: expect[0].port: is a number with a fraction, expected a port"},
        {"expect = ( { name = \"a\"; port = true; } );",
         "1: expect[0].port: is true or false, expected a port"},
        {"expect = ( { name = \"a\"; ports = 80; } );", "1: expect[0].ports: is a number, expected ports"},
        {"expect = ( { name = \"a\"; ports = [ 80 ]; } );",
         "1: expect[0].ports: is an array [...], expected ports"},
        {"expect = ( { name = \"a\"; port = 1; protocol = 6; } );",
         "1: expect[0].protocol: is a number, expected \"tcp\""},
        {"expect = ( { name = \"a\"; port = 1; scope = true; } );",
         "1: expect[0].scope: is true or false, expected \"public\""},
        {"expect = ( { name = \"a\"; port = 1; address = [ ]; } );",
         "1: expect[0].address: is empty, expected an address"},
        {"expect = ( { name = \"a\"; port = 1; families = \"ipv4\"; } );",
         "1: expect[0].families: is a string, expected \"ipv4\""},
        {"expect = ( { name = \"a\"; port = 1; for = 10; } );",
         "1: expect[0].for: is a number, expected a duration"},
        {"expect = ( { name = \"a\"; port = 1; severity = 1; } );",
         "1: expect[0].severity: is a number, expected \"info\""},
        {"allow = \"22\";", "1: allow: is a string, expected a list of groups"},
        {"unexpected = true;", "1: unexpected: is true or false, expected a group {...}"},
        {"unexpected: { ignore_loopback = 1; };",
         "1: unexpected.ignore_loopback: is a number, expected true or false"},
        {"unexpected: { ignore_loopback = \"true\"; };",
         "1: unexpected.ignore_loopback: is a string, expected true or false"},
        {"allow = ( { kernel_chosen = \"true\"; } );",
         "1: allow[0].kernel_chosen: is a string, expected true or false"},
        {"limits: { listeners = \"1\"; };", "1: limits.listeners: is a string, expected a number"},
        {"limits: { series = 1e3; };", "1: limits.series: is a number with a fraction, expected a number"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_unknown_keys(void **state)
{
    static const struct refused cases[] = {
        {"pol: { };", "1: pol: is not a known key, expected one of: poll, connections, web, expect, allow, "
                      "deny, unexpected, ephemeral, "
                      "include_dir, limits"},
        {"Poll: { };", "1: Poll: is not a known key"},
        {"\npoll: {\n listener = \"1s\"; };",
         "3: poll.listener: is not a known key, expected one of: listeners, connections"},
        {"web: { listening = [ ]; };", "1: web.listening: is not a known key, expected one of: listen"},
        {"expect = ( { name = \"a\"; port = 1; scopes = \"any\"; } );",
         "1: expect[0].scopes: is not a known key, expected one of: name, port"},
        {"allow = ( { port = 1; severity = \"warning\"; } );",
         "1: allow[0].severity: is not a known key, expected one of: port, ports"},
        {"unexpected: { enabled = true; };",
         "1: unexpected.enabled: is not a known key, expected one of: severity, for, ignore_loopback"},
        {"limits: { sockets = 1; };",
         "1: limits.sockets: is not a known key, expected one of: listeners, listeners_per_port, members, "
         "holders, history, alerts, page_rows, log_lines, series"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

/* 33 characters of three bytes are the most of them that fit into 100. */
static void a_long_value_is_quoted_up_to_a_whole_character(void **state)
{
    char text[256] = "poll: { listeners = \"", wanted[256] = "1: poll.listeners: \"";

    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "\xe2\x82\xac");
        if (i < 33)
            (void)snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "\xe2\x82\xac");
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "\"; };");
    (void)snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "\" is not valid");
    assert_refuses(*state, text, wanted);
}

static void refuses_entries_without_their_keys(void **state)
{
    static const struct refused cases[] = {
        {"expect = (\n { port = 1; } );", "2: expect[0].name: is missing, expected a name"},
        {"expect = ( { name = \"a\"; } );", "1: expect[0].port: is missing, expected a port 1-65535"},
        {"allow = ( { port = 1; },\n { scope = \"any\"; } );",
         "2: allow[1].port: is missing, expected a port 1-65535"},
        {"allow = ( { } );", "1: allow[0].port: is missing"},
        {"allow = (\n { kernel_chosen = false; } );", "2: allow[0].port: is missing"},
        {"expect = ( { name = \"a\"; port = 1; kernel_chosen = true; } );",
         "1: expect[0].kernel_chosen: is not a known key"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_contradictions(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1;\n scope = \"loopback\"; address = \"192.0.2.1\"; } );",
         "2: expect[0].scope: contradicts address ("},
        {"expect = ( { name = \"a\"; port = 1; scope = \"loopback\";\n address = \"127.3.2.1\"; } );",
         "1: expect[0].scope: contradicts address ("},
        {"allow = ( { port = 1; scope = \"public\"; address = \"::1\"; } );",
         "1: allow[0].scope: contradicts address"},
        {"deny = ( { port = 1; scope = \"public\"; address = \"::1\"; } );",
         "1: deny[0].scope: contradicts address"},
        {"allow = ( { protocol = \"raw\";\n kernel_chosen = true; } );",
         "2: allow[0].kernel_chosen: contradicts protocol \"raw\", of which"},
        {"allow = ( { protocol = \"sctp\"; kernel_chosen = true; port = 1; } );",
         "1: allow[0].kernel_chosen: contradicts protocol \"sctp\", of which"},
        {"allow = ( { protocol = [ \"tcp\", \"raw\" ]; kernel_chosen = true; } );",
         "1: allow[0].kernel_chosen: contradicts protocol \"raw\", of which"},
        {"expect = ( { name = \"a\"; port = 1; address = \"192.0.2.1\"; families = [ \"ipv6\" ]; } );",
         "1: expect[0].families: contradict address, expected"},
        {"expect = ( { name = \"a\"; port = 1; address = \"::2\"; families = [ \"ipv6\", \"ipv4\" ]; } );",
         "1: expect[0].families: contradict address"},
        {"expect = ( { name = \"a\"; port = 22; ports = \"20-30\"; } );",
         "1: expect[0].ports: name a port twice, expected each port once"},
        {"expect = ( { name = \"a\"; ports = \"80,80\"; } );", "1: expect[0].ports: name a port twice"},
        {"expect = ( { name = \"a\"; ports = \"80-90,90-95\"; } );", "1: expect[0].ports: name a port twice"},
        {"expect = ( { name = \"a\"; port = 1; },\n { name = \"a\"; port = 1; } );",
         "2: expect[1].name: \"a\" is used before for the same port ("},
        {"expect = ( { name = \"a\"; port = 85; },\n { name = \"b\"; ports = \"80-90\"; } );",
         "2: expect[1].name: the port is expected before as \"a\" ("},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

/* The same condition would have two alerts. */
static void refuses_the_same_address_and_port_under_two_names(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; address = \"192.0.2.1\"; },\n"
         "           { name = \"b\"; port = 1; address = \"192.0.2.1\"; } );",
         "2: expect[1].name: the port is expected before as \"a\" ("},
        {"expect = ( { name = \"a\"; port = 1; address = \"192.0.2.1\"; },\n"
         "           { name = \"b\"; port = 1; address = \"::ffff:192.0.2.1\"; } );",
         "2: expect[1].name: the port is expected before as \"a\" ("},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_to_expect_what_is_denied(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 25; } );\ndeny = ( { ports = \"20-30\"; } );",
         "2: deny[0].ports: deny a port on which \"a\" is expected ("},
        {"deny = ( { port = 25; } );\nexpect = ( { name = \"a\"; ports = \"1-30\"; user = \"postfix\"; } );",
         "1: deny[0].ports: deny a port on which \"a\" is expected ("},
        {"expect = ( { name = \"a\"; port = 53; protocol = [ \"tcp\", \"udp\" ]; } );\n"
         "deny = ( { port = 1; }, { port = 53; protocol = \"udp\"; } );",
         "2: deny[1].ports: deny a port on which \"a\" is expected ("},
        {"expect = ( { name = \"a\"; port = 25; scope = \"public\"; } );\n"
         "deny = ( { port = 25; scope = \"public\"; } );",
         "2: deny[0].ports: deny"},
        {"expect = ( { name = \"a\"; port = 25; address = \"127.0.0.1\"; } );\n"
         "deny = ( { port = 25; scope = \"loopback\"; } );",
         "2: deny[0].ports: deny"},
        {"expect = ( { name = \"a\"; port = 25; address = [ \"192.0.2.1\", \"192.0.2.2\" ]; } );\n"
         "deny = ( { port = 25; scope = \"public\"; } );",
         "2: deny[0].ports: deny"},
        {"expect = ( { name = \"a\"; port = 25; address = \"192.0.2.1\"; exe = \"/usr/sbin/x\"; } );\n"
         "deny = ( { port = 25; address = [ \"192.0.2.1\", \"::1\" ]; exe = \"/usr/sbin/x\"; } );",
         "2: deny[0].ports: deny"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

/* A service may be denied elsewhere, or to others. */
static void accepts_a_denial_that_leaves_room(void **state)
{
    static const char *const cases[] = {
        "expect = ( { name = \"a\"; port = 25; } ); deny = ( { ports = \"1-24,26-65535\"; } );",
        "expect = ( { name = \"a\"; port = 25; } ); deny = ( { port = 25; protocol = \"udp\"; } );",
        "expect = ( { name = \"a\"; port = 25; } ); deny = ( { port = 25; scope = \"public\"; } );",
        ("expect = ( { name = \"a\"; port = 25; scope = \"loopback\"; } );"
         "deny = ( { port = 25; scope = \"public\"; } );"),
        ("expect = ( { name = \"a\"; port = 25; address = [ \"192.0.2.1\", \"127.0.0.1\" ]; } );"
         "deny = ( { port = 25; scope = \"public\"; }, { port = 25; address = \"192.0.2.1\"; } );"),
        ("expect = ( { name = \"a\"; port = 25; user = \"postfix\"; } );"
         "deny = ( { port = 25; user = \"nobody\"; }, { port = 25; exe = \"/usr/bin/nc*\"; } );"),
        "allow = ( { port = 25; } ); deny = ( { port = 25; } );",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_loads(*state, cases[i]);
}

static void reads_what_an_entry_may_say_more(void **state)
{
    struct fixture *f = *state;
    const struct expect *e;
    const struct deny *d;

    assert_loads(
        f,
        "expect = ( { name = \"a\"; port = 53; protocol = [ \"udp\", \"tcp\" ];\n"
        "  address = [ \"192.0.2.2\", \"192.0.2.1\" ]; severity = \"info\"; accept_queue = 0;\n"
        "  flapping: { max = 5; window = \"1h\"; }; drops: { max = 0; };\n"
        "  connections: { min = 1; max = 500; }; close_wait_max = 100;\n"
        "  labels: { team = \"db\"; runbook = \"https://wiki/mysql\"; }; },\n"
        "  { name = \"b\"; port = 1; } );\n"
        "deny = ( { ports = \"23,4444\"; }, { port = 7; exe = \"/usr/bin/nc*\"; severity = \"info\"; } );");
    e = &f->config->policy.expects[0];
    assert_int_equal(e->match.protocols, 1 << PROTOCOL_TCP | 1 << PROTOCOL_UDP);
    assert_int_equal(e->match.address_count, 2);
    assert_int_equal(e->match.addresses[0].bytes[3], 1);
    assert_int_equal(e->severity, SEVERITY_INFO);
    assert_true(expect_accept_queue(e, PROTOCOL_TCP) == 0);
    assert_int_equal(e->flapping.max, 5);
    assert_int_equal(e->flapping.window_ms, 3600000);
    assert_true(e->drops_limited);
    assert_int_equal(e->drops.max, 0);
    assert_int_equal(e->drops.window_ms, 60000);
    assert_true(e->connections_limited);
    assert_int_equal(e->connections.min, 1);
    assert_int_equal(e->connections.max, 500);
    assert_true(expect_limits_close_wait(e, PROTOCOL_TCP));
    assert_int_equal(e->close_wait_max, 100);
    assert_false(expect_limits_close_wait(e, PROTOCOL_UDP));
    assert_int_equal(e->label_count, 2);
    assert_string_equal(e->labels[0].name, "runbook");
    assert_string_equal(e->labels[1].value, "db");
    e = &f->config->policy.expects[1];
    assert_true(expect_accept_queue(e, PROTOCOL_TCP) == 0.8);
    assert_true(expect_accept_queue(e, PROTOCOL_UDP) == 0);
    assert_int_equal(e->flapping.max, 3);
    assert_int_equal(e->flapping.window_ms, 600000);
    assert_false(e->drops_limited);
    assert_false(expect_counts_connections(e, PROTOCOL_TCP));
    d = f->config->policy.denies;
    assert_int_equal(f->config->policy.deny_count, 2);
    assert_int_equal(d[0].severity, SEVERITY_CRITICAL);
    assert_int_equal(d[1].severity, SEVERITY_INFO);
    assert_string_equal(d[1].match.owner.exe, "/usr/bin/nc*");
}

static void refuses_labels_that_are_none(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; labels: { severity = \"x\"; }; } );",
         "1: expect[0].labels.severity: is not a name that a label may have, expected up to 16 labels"},
        {"expect = ( { name = \"a\"; port = 1; labels: { t-m = \"x\"; }; } );",
         "1: expect[0].labels.t-m: is not"},
        {"expect = ( { name = \"a\"; port = 1; labels: { team = 7; }; } );",
         "1: expect[0].labels.team: is a number, expected a string"},
        {"expect = ( { name = \"a\"; port = 1; labels: { team = \"\"; }; } );",
         "1: expect[0].labels.team: \"\" is not valid, expected"},
        {"expect = ( { name = \"a\"; port = 1; labels: { team = \"a\\nb\"; }; } );",
         "1: expect[0].labels.team: \"a?b\" is not valid"},
        {"expect = ( { name = \"a\"; port = 1; labels: { team = \"\\xff\"; }; } );",
         "1: expect[0].labels.team: "},
        {"expect = ( { name = \"a\"; port = 1; labels = \"x\"; } );", "1: expect[0].labels: is a string"},
        {"expect = ( { name = \"a\"; port = 1; labels: { "
         "a=\"1\";b=\"1\";c=\"1\";d=\"1\";e=\"1\";f=\"1\";g=\"1\";"
         "h=\"1\";i=\"1\";j=\"1\";k=\"1\";l=\"1\";m=\"1\";n=\"1\";o=\"1\";p=\"1\";q=\"1\"; }; } );",
         "1: expect[0].labels.q: is one too many"},
        {"allow = ( { port = 1; labels: { team = \"a\"; }; } );", "1: allow[0].labels: is not a known key"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_windows_that_are_none(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; flapping: { window = \"0s\"; }; } );",
         "1: expect[0].flapping.window: \"0s\" is out of range, expected a duration 1s-30d"},
        {"expect = ( { name = \"a\"; port = 1; drops: { max = 1; window = \"3650d\"; }; } );",
         "1: expect[0].drops.window: \"3650d\" is out of range"},
        {"expect = ( { name = \"a\"; port = 1; drops: { window = \"1m\"; }; } );",
         "1: expect[0].drops.max: is missing, expected a number of drops 0-1000000000"},
        {"expect = ( { name = \"a\"; port = 1; flapping: { max = -1; }; } );",
         "1: expect[0].flapping.max: -1 is out of range"},
        {"expect = ( { name = \"a\"; port = 1; flapping = 3; } );",
         "1: expect[0].flapping: is a number, expected a group"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void refuses_numbers_of_connections_that_are_none(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; connections: { }; } );",
         "1: expect[0].connections.min: is missing, expected a number of connections 0-1000000000, or max"},
        {"expect = ( { name = \"a\"; port = 1; connections = 5; } );",
         "1: expect[0].connections: is a number, expected a group"},
        {"expect = ( { name = \"a\"; port = 1; connections: { min = -1; }; } );",
         "1: expect[0].connections.min: -1 is out of range"},
        {"expect = ( { name = \"a\"; port = 1; connections: { max = \"5\"; }; } );",
         "1: expect[0].connections.max: is a string, expected a number of connections 0-1000000000"},
        {"expect = ( { name = \"a\"; port = 1; connections: { least = 5; max = 6; }; } );",
         "1: expect[0].connections.least: is not a known key, expected one of: min, max"},
        {"expect = ( { name = \"a\"; port = 1;\nconnections: {\nmin = 5;\nmax = 4; }; } );",
         "3: expect[0].connections.min: 5 is more than connections.max ("},
        {"expect = ( { name = \"a\"; port = 1; close_wait_max = 0; } );",
         "1: expect[0].close_wait_max: 0 is out of range, expected a number of connections 1-1000000000"},
        {"expect = ( { name = \"a\"; port = 1; protocol = \"udp\"; close_wait_max = 5; } );",
         "1: expect[0].close_wait_max: contradicts protocol, expected protocol \"tcp\", or none"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void the_least_and_the_most_may_be_the_same_or_stand_alone(void **state)
{
    struct fixture *f = *state;
    const struct expect *e;

    assert_loads(f, "expect = ( { name = \"a\"; port = 1; connections: { min = 3; max = 3; }; },\n"
                    "  { name = \"b\"; port = 2; connections: { min = 3; }; },\n"
                    "  { name = \"c\"; port = 3; connections: { max = 0; }; },\n"
                    "  { name = \"d\"; port = 4; protocol = [ \"udp\", \"tcp\" ]; close_wait_max = 1; } );");
    e = f->config->policy.expects;
    assert_int_equal(e[0].connections.min, e[0].connections.max);
    assert_int_equal(e[1].connections.max, 1000000000);
    assert_int_equal(e[2].connections.min, 0);
    assert_int_equal(e[2].connections.max, 0);
    assert_false(e[3].connections_limited);
    assert_true(f->config->policy.counts_connections);
    assert_loads(f, "expect = ( { name = \"a\"; port = 1; } );");
    assert_false(f->config->policy.counts_connections);
}

static void refuses_lists_that_say_nothing(void **state)
{
    static const struct refused cases[] = {
        {"expect = ( { name = \"a\"; port = 1; protocol = [ ]; } );",
         "1: expect[0].protocol: is empty, expected \"tcp\""},
        {"expect = ( { name = \"a\"; port = 1; protocol = [ \"tcp\", \"tcp\" ]; } );",
         "1: expect[0].protocol[1]: \"tcp\" is given twice"},
        {"expect = ( { name = \"a\"; port = 1; address = [ \"::1\", \"0:0::1\" ]; } );",
         "1: expect[0].address[1]: \"0:0::1\" is given twice"},
        {"expect = ( { name = \"a\"; port = 1; address = [ \"::1\", \"::\" ]; } );",
         "1: expect[0].address[1]: \"::\" is out of range"},
        {"expect = ( { name = \"a\"; ports = \"1-300\"; protocol = [ \"tcp\", \"udp\", \"sctp\", \"udplite\" "
         "]; } );",
         "1: expect[0].ports: name more than 1024 ports"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

static void a_contradiction_names_both_places(void **state)
{
    struct fixture *f = *state;
    char wanted[3 * PATH_TEXT_MAX];

    assert_int_equal(load(f, "expect = (\n{ name = \"a\"; port = 1; },\n{ port = 1; name = \"b\"; } );\n"),
                     ERR_CONFIG);
    (void)snprintf(wanted, sizeof wanted,
                   "%s:3: expect[1].name: the port is expected before as \"a\" (%s:2), expected an address "
                   "that tells the two apart\n",
                   f->path, f->path);
    assert_string_equal(buf_text(&f->errors), wanted);
}

static void accepts_what_only_looks_like_a_contradiction(void **state)
{
    static const char *const cases[] = {
        "expect = ( { name = \"a\"; port = 1; }, { name = \"b\"; port = 1; protocol = \"udp\"; } );",
        "expect = ( { name = \"a\"; port = 1; }, { name = \"a\"; port = 2; } );",
        ("expect = ( { name = \"a\"; port = 1; address = \"192.0.2.1\"; },"
         "           { name = \"b\"; port = 1; address = \"192.0.2.2\"; }, { name = \"c\"; port = 1; } );"),
        "expect = ( { name = \"a\"; port = 1; scope = \"any\"; address = \"127.0.0.1\"; } );",
        "expect = ( { name = \"a\"; port = 1; address = \"::ffff:192.0.2.1\"; families = [ \"ipv4\" ]; } );",
        "expect = ( { name = \"a\"; port = 1; ports = \"2,3-4\"; } );",
        "allow = ( { ports = \"22,22\"; }, { port = 22; } );",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_loads(*state, cases[i]);
}

static void reports_all_errors_not_only_the_first(void **state)
{
    static const char *const wanted[] = {
        "1: pol: is not a known key",
        "2: poll.listeners: is a number",
        "2: poll.connections: \"1ms\" is out of range",
        "4: expect[0].name: is missing",
        "4: expect[0].port: 70000 is out of range",
        "5: expect[1].scope: \"here\" is not valid",
        "6: expect[1].families[1]: \"ipv5\" is not valid",
        "6: expect[1].families[2]: \"ipv7\" is not valid",
        "7: expect[2]: is a number",
        "9: listeners: 4294967297 does not fit in 32 bits",
    };
    struct fixture *f = *state;
    int r = load(f, "pol = 1;\n"
                    "poll: { listeners = 1; connections = \"1ms\"; };\n"
                    "expect = (\n"
                    "  { port = 70000; },\n"
                    "  { name = \"b\"; port = 2; scope = \"here\";\n"
                    "    families = [ \"ipv4\", \"ipv5\", \"ipv7\" ]; },\n"
                    "  7\n"
                    ");\n"
                    "limits: { listeners = 4294967297; };\n");

    assert_reported(f, r, wanted, ARRAY_LENGTH(wanted));
}

static void a_flood_of_errors_has_an_end(void **state)
{
    struct fixture *f = *state;
    struct buf text;

    buf_init(&text);
    for (int i = 0; i < 5000; i++)
        buf_fmt(&text, "key%d = 1;\n", i);
    assert_int_equal(load(f, buf_text(&text)), ERR_CONFIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 101);
    assert_non_null(strstr(buf_text(&f->errors), ":1: key0: "));
    assert_non_null(strstr(buf_text(&f->errors), ":100: key99: "));
    assert_non_null(strstr(buf_text(&f->errors), ": 4900 more errors\n"));
    buf_done(&text);
}

/* What is said of each slip, test_syntax tells. */
static void refuses_wrong_syntax(void **state)
{
    static const struct refused cases[] = {
        {"poll;", "1: "},
        {"@include \n", "1: "},
        {"poll: { };\n/* open\n", "2: a comment begins here and does not end, expected */"},
    };

    assert_refuses_all(*state, cases, ARRAY_LENGTH(cases));
}

/* What stands before a syntax error is judged as well; what stands behind it
 * is not called missing. */
static void a_syntax_error_does_not_hide_the_others(void **state)
{
    static const char *const wanted[] = {"1: pol: is not a known key", "2: series: 4294970602 does not fit",
                                         "4: "};
    struct fixture *f = *state;
    int r = load(f, "pol = 1;\nlimits: { series = 4294970602; };\nexpect = ( { name = \"a\";\n;");

    assert_int_equal(r, ERR_CONFIG);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        char line[512];

        (void)snprintf(line, sizeof line, "%s:%s", f->path, wanted[i]);
        assert_non_null(strstr(buf_text(&f->errors), line));
    }
    assert_null(strstr(buf_text(&f->errors), "is missing"));
}

static void refuses_bytes_that_are_no_text(void **state)
{
    static const char nul[] = "limits: { series = 1; };\n# a\0b\n", mark[] = "\xef\xbb\xbf# marked\n",
                      latin[] = "\n# caf\xe9\n";
    static const char *const wanted_nul = "2: contains a NUL byte, expected UTF-8 text";
    static const char *const wanted_mark = "1: begins with a byte order mark, expected UTF-8 text";
    static const char *const wanted_latin = "2: is not valid UTF-8, expected UTF-8 text";
    struct fixture *f = *state;
    char line[512];
    int r;

    assert_int_equal(load_bytes(f, nul, sizeof nul - 1), ERR_CONFIG);
    (void)snprintf(line, sizeof line, "%s:%s", f->path, wanted_nul);
    assert_non_null(strstr(buf_text(&f->errors), line));
    assert_int_equal(load_bytes(f, mark, sizeof mark - 1), ERR_CONFIG);
    (void)snprintf(line, sizeof line, "%s:%s", f->path, wanted_mark);
    assert_non_null(strstr(buf_text(&f->errors), line));
    r = load_bytes(f, latin, sizeof latin - 1);
    assert_reported(f, r, &wanted_latin, 1);
}

static void names_a_file_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_TEXT_MAX], line[4 * PATH_TEXT_MAX];

    (void)snprintf(path, sizeof path, "%s/absent.conf", f->directory);
    assert_int_equal(config_load(path, &f->config, &f->errors), -ENOENT);
    (void)snprintf(line, sizeof line,
                   "%s: cannot be read: No such file or directory, expected a configuration file\n", path);
    assert_string_equal(buf_text(&f->errors), line);
    buf_done(&f->errors);
    assert_int_equal(config_load(f->directory, &f->config, &f->errors), -EISDIR);
    assert_int_equal(count_lines(buf_text(&f->errors)), 1);
    assert_null(f->config);
}

static void refuses_a_file_too_large_to_be_one(void **state)
{
    const size_t length = (1u << 20) + 1;
    char *text = malloc(length);
    struct fixture *f = *state;

    assert_non_null(text);
    memset(text, '\n', length);
    assert_int_equal(load_bytes(f, text, length), -EFBIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 1);
    assert_int_equal(load_bytes(f, text, length - 1), 0);
    free(text);
}

/* libconfig 1.5 itself refuses this. */
static void the_last_line_may_be_a_comment_without_an_end(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "limits: { series = 7; }; # the end");
    assert_int_equal(f->config->limits.series, 7);
}

static void includes_files_beside_the_main_one(void **state)
{
    static const char text[] = "limits: { series = 7; };\n";
    struct fixture *f = *state;

    write_file(f, "more.conf", text, strlen(text));
    assert_loads(f, "@include \"more.conf\"\npoll: { listeners = \"2s\"; };\n");
    assert_int_equal(f->config->limits.series, 7);
    assert_int_equal(f->config->poll_listeners_ms, 2000);
}

static void errors_in_an_included_file_name_it(void **state)
{
    static const char text[] = "\nlimits: { series = -7;\n listeners = 4294967297; };\n# \xff\n";
    static const char *const wanted[] = {
        "more.conf:2: limits.series: -7 is out of range, expected ",
        "more.conf:3: listeners: 4294967297 does not fit in 32 bits, expected ",
        "more.conf:4: is not valid UTF-8, expected "};
    struct fixture *f = *state;
    char main_error[PATH_TEXT_MAX + 64];

    write_file(f, "more.conf", text, strlen(text));
    assert_int_equal(load(f, "@include \"more.conf\"\npoll: { listeners = 2; };\n"), ERR_CONFIG);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        if (!strstr(buf_text(&f->errors), wanted[i]))
            fail_msg("no \"%s\" in:\n%s", wanted[i], buf_text(&f->errors));
    (void)snprintf(main_error, sizeof main_error, "%s:2: poll.listeners: is a number, expected ", f->path);
    assert_non_null(strstr(buf_text(&f->errors), main_error));
}

static void wrong_syntax_in_an_included_file_names_it(void **state)
{
    static const char text[] = "\n\nlimits: {{\n";
    struct fixture *f = *state;

    write_file(f, "more.conf", text, strlen(text));
    assert_int_equal(load(f, "@include \"more.conf\"\n"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&f->errors), "more.conf:3: "));
    assert_null(f->config);
}

static void refuses_a_missing_included_file(void **state)
{
    struct fixture *f = *state;

    assert_refuses(
        f, "poll: { };\n@include \"absent.conf\"\n",
        "2: @include: \"absent.conf\" cannot be read (No such file or directory), expected a file beside");
}

/* libconfig 1.5 ends the process when it cannot read what it could open. */
static void refuses_an_included_directory(void **state)
{
    static const char *const wanted[] = {
        "1: @include: \".\" cannot be read (Is a directory), expected a file beside",
        "2: @include: \"absent.conf\" cannot be read (No such file or directory), expected a file beside",
        "3: series: 4294970602 does not fit in 32 bits"};
    struct fixture *f = *state;
    int r = load(f, "@include \".\"\n@include \"absent.conf\"\nlimits: { series = 4294970602; };\n");

    assert_reported(f, r, wanted, ARRAY_LENGTH(wanted));
}

/* Many times each, so that following every path would take forever. */
static void refuses_files_that_include_each_other(void **state)
{
    struct fixture *f = *state;
    struct buf text;

    buf_init(&text);
    for (int i = 0; i < 20; i++)
        buf_str(&text, "@include \"main.conf\"\n");
    assert_int_equal(load(f, buf_text(&text)), ERR_CONFIG);
    buf_done(&text);
    assert_null(f->config);
    assert_non_null(strstr(buf_text(&f->errors), "main.conf:1: @include: \"main.conf\""));
    assert_non_null(strstr(buf_text(&f->errors), "is included by too many files, expected at most 10\n"));
}

/* libconfig's own limit is 10. */
static void includes_may_be_ten_deep(void **state)
{
    struct fixture *f = *state;

    for (int depth = 10; depth > 0; depth--) {
        char name[32], text[64];

        (void)snprintf(name, sizeof name, "%d.conf", depth);
        (void)snprintf(text, sizeof text, "@include \"%d.conf\"\n", depth + 1);
        if (depth == 10)
            (void)snprintf(text, sizeof text, "limits: { series = 7; };\n");
        write_file(f, name, text, strlen(text));
    }
    assert_loads(f, "@include \"1.conf\"\n");
    assert_int_equal(f->config->limits.series, 7);
    write_file(f, "10.conf", "@include \"11.conf\"\n", strlen("@include \"11.conf\"\n"));
    write_file(f, "11.conf", "\n", 1);
    assert_int_equal(load(f, "@include \"1.conf\"\n"), ERR_CONFIG);
    assert_non_null(
        strstr(buf_text(&f->errors), "10.conf:1: @include: \"11.conf\" is included by too many files"));
}

/* Shows, loads what was shown, and shows again. */
static void assert_fixed_point(struct fixture *f, const char *text)
{
    struct buf first, second;

    buf_init(&first);
    buf_init(&second);
    assert_loads(f, text);
    config_show(f->config, &first);
    assert_loads(f, buf_text(&first));
    config_show(f->config, &second);
    assert_string_equal(buf_text(&second), buf_text(&first));
    buf_done(&first);
    buf_done(&second);
}

static void what_is_shown_loads_again(void **state)
{
    static const char *const cases[] = {
        "",
        "unexpected: { };",
        "expect = ( { name = \"a\"; port = 1; connections: { min = 0; }; },\n"
        "  { name = \"b\"; port = 2; connections: { max = 0; }; close_wait_max = 1; },\n"
        "  { name = \"c\"; port = 3; connections: { min = 2; max = 1000000000; }; } );",
        "web: { listen = [ ]; };",
        "web: { listen = [ \"[::]:1\", \"[::ffff:192.0.2.1]:65535\", \"0.0.0.0:80\" ]; };",
        "poll: { listeners = \"1001ms\"; connections = \"90s\"; }; limits: { series = 0; listeners = 65536; "
        "};",
        "expect = ( { name = \"say \\\"hi\\\" \\\\ // # /* B\xc3\xbc"
        "cher\"; port = 1; } );",
        "expect = ( { name = \"@include \\\"x\\\"\"; port = 1; }, { name = \"4294970602\"; port = 2; } );",
        "expect = ( { name = \"a\"; ports = \"80, 8000-8100\"; port = 22; families = [ \"ipv6\", \"ipv4\" ]; "
        "},\n"
        "  { name = \"b\"; port = 53; protocol = \"udp\"; address = \"::ffff:192.0.2.1\"; for = \"90s\"; },\n"
        "  { name = \"c\"; port = 53; protocol = \"udp\"; address = \"2001:DB8:0::1\"; severity = "
        "\"warning\"; },\n"
        "  { name = \"d\"; port = 255; protocol = \"raw\"; scope = \"public\"; } );\n"
        "allow = ( { ports = \"22\"; }, { ports = \"8000-8100,9000\"; protocol = \"sctp\"; scope = "
        "\"loopback\"; },\n"
        "  { port = 1; protocol = \"udplite\"; address = \"127.0.0.1\"; } );\n"
        "unexpected: { severity = \"critical\"; for = \"7d\"; ignore_loopback = true; };\n",
        "allow = ( { kernel_chosen = true; user = \"a\"; }, { kernel_chosen = true; ports = \"1-9\"; },\n"
        "  { kernel_chosen = false; port = 3; } );\nunexpected: { ignore_kernel_chosen = true; };\n",
        "expect = ( { name = \"a\"; port = 1; process = \"a\\\"[*]\\\\b\"; user = \"*\"; unit = "
        "\"a\\\\x2d*\"; "
        "accept_queue = 0.8; }, { name = \"b\"; port = 2; accept_queue = 1; }, { name = \"c\"; port = 3; "
        "accept_queue = 0.3333333333333333; }, { name = \"d\"; port = 4; accept_queue = 1e-3; } );"
        "allow = ( { port = 1; process = \"B\xc3\xbc"
        "cher\"; } );",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_fixed_point(*state, cases[i]);
}

static void shows_the_defaults(void **state)
{
    static const char *const wanted[] = {"listeners = \"1s\";", "connections = \"10s\";",
                                         "listen = [ \"127.0.0.1:10066\", \"[::1]:10066\" ];",
                                         "listeners = 4096;", "series = 20000;"};
    struct fixture *f = *state;
    struct buf shown;

    assert_shows(f, "", wanted, ARRAY_LENGTH(wanted));
    buf_init(&shown);
    config_show(f->config, &shown);
    assert_null(strstr(buf_text(&shown), "unexpected")); /* absent is not the same as empty */
    buf_done(&shown);
}

static void shows_the_effective_values(void **state)
{
    static const char *const wanted[] = {"name = \"a\";",       "ports = \"22,80,8000-8100\";",
                                         "protocol = \"udp\";", "address = \"192.0.2.1\";",
                                         "scope = \"any\";",    "families = [ \"ipv4\" ];",
                                         "for = \"2m\";",       "severity = \"critical\";",
                                         "unexpected: {",       "severity = \"warning\";",
                                         "for = \"0s\";",       "ignore_loopback = false;",
                                         "ports = \"3306\";",   "scope = \"loopback\";"};

    assert_shows(*state,
                 "expect = ( { name = \"a\"; port = 22; ports = \"80,8000-8100\"; protocol = \"udp\";"
                 " address = \"192.0.2.1\"; families = [ \"ipv4\" ]; for = \"120s\"; } );\n"
                 "allow = ( { port = 3306; scope = \"loopback\"; } );\nunexpected: { };",
                 wanted, ARRAY_LENGTH(wanted));
}

static void listen_addresses_parse_and_format(void **state)
{
    static const struct {
        const char *text, *formatted;
        uint16_t port;
    } good[] = {
        {"192.0.2.1:80", "192.0.2.1:80", 80},      {"0.0.0.0:65535", "0.0.0.0:65535", 65535},
        {"127.0.0.1:0", "127.0.0.1:0", 0},         {"[::]:10066", "[::]:10066", 10066},
        {"[2001:DB8::A]:1", "[2001:db8::a]:1", 1}, {"[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80", 80},
    };
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:+1",
                                      "127.0.0.1: 1",
                                      "127.0.0.1:1 ",
                                      "127.0.0.1:80x",
                                      "127.0.0.1:4294967376",
                                      "*:80",
                                      "localhost:80",
                                      "::1:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[]:80",
                                      "[:80",
                                      "]:80",
                                      "[::1:80",
                                      "::1]:80",
                                      "[::1%lo]:80",
                                      "[[::1]]:80",
                                      " [::1]:80",
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct ip_port address;
        char text[ENDPOINT_TEXT_MAX];

        assert_int_equal(ip_port_parse(good[i].text, &address), 0);
        assert_int_equal(address.port, good[i].port);
        ip_port_format(&address, text);
        assert_string_equal(text, good[i].formatted);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct ip_port address = {.port = 42};

        assert_int_equal(ip_port_parse(bad[i], &address), -EINVAL);
        assert_int_equal(address.port, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_means_the_defaults),
        cmocka_unit_test(a_configuration_lives_as_long_as_somebody_has_it),
        WITH_FILES(an_empty_file_means_the_defaults),
        WITH_FILES(every_key_is_read),
        WITH_FILES(owners_and_queues_are_read),
        WITH_FILES(refuses_owners_that_no_listener_can_have),
        WITH_FILES(refuses_ratios_that_are_none),
        WITH_FILES(settings_are_shown_without_the_lists),
        WITH_FILES(an_empty_unexpected_group_turns_it_on),
        WITH_FILES(listen_may_be_empty),
        WITH_FILES(bounds_are_inclusive),
        WITH_FILES(refuses_values_out_of_range),
        WITH_FILES(refuses_integers_that_overflow),
        WITH_FILES(an_overflow_hides_no_other_error_of_its_line),
        WITH_FILES(refuses_values_that_are_none),
        WITH_FILES(refuses_wrong_types),
        WITH_FILES(refuses_unknown_keys),
        WITH_FILES(a_long_value_is_quoted_up_to_a_whole_character),
        WITH_FILES(refuses_entries_without_their_keys),
        WITH_FILES(refuses_contradictions),
        WITH_FILES(refuses_the_same_address_and_port_under_two_names),
        WITH_FILES(refuses_to_expect_what_is_denied),
        WITH_FILES(accepts_a_denial_that_leaves_room),
        WITH_FILES(reads_what_an_entry_may_say_more),
        WITH_FILES(refuses_labels_that_are_none),
        WITH_FILES(refuses_windows_that_are_none),
        WITH_FILES(refuses_numbers_of_connections_that_are_none),
        WITH_FILES(the_least_and_the_most_may_be_the_same_or_stand_alone),
        WITH_FILES(refuses_lists_that_say_nothing),
        WITH_FILES(a_contradiction_names_both_places),
        WITH_FILES(accepts_what_only_looks_like_a_contradiction),
        WITH_FILES(reports_all_errors_not_only_the_first),
        WITH_FILES(a_flood_of_errors_has_an_end),
        WITH_FILES(refuses_wrong_syntax),
        WITH_FILES(a_syntax_error_does_not_hide_the_others),
        WITH_FILES(refuses_bytes_that_are_no_text),
        WITH_FILES(names_a_file_that_cannot_be_read),
        WITH_FILES(refuses_a_file_too_large_to_be_one),
        WITH_FILES(the_last_line_may_be_a_comment_without_an_end),
        WITH_FILES(includes_files_beside_the_main_one),
        WITH_FILES(errors_in_an_included_file_name_it),
        WITH_FILES(wrong_syntax_in_an_included_file_names_it),
        WITH_FILES(refuses_a_missing_included_file),
        WITH_FILES(refuses_an_included_directory),
        WITH_FILES(refuses_files_that_include_each_other),
        WITH_FILES(includes_may_be_ten_deep),
        WITH_FILES(what_is_shown_loads_again),
        WITH_FILES(shows_the_defaults),
        WITH_FILES(shows_the_effective_values),
        cmocka_unit_test(listen_addresses_parse_and_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
