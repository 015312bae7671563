#include "core/rules.h"
#include "tests/unit/addresses.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

enum { FINDINGS_TEXT_MAX = 4096 };

static struct port_range port_80[] = {{80, 80}};
static struct port_range ports_80_to_82[] = {{80, 82}};
static struct port_range port_53[] = {{53, 53}};

static const struct own_sockets no_own;

static struct matcher on_ports(struct port_range *ports, enum want_scope scope, const char *address)
{
    struct matcher match = {.ports = ports, .port_count = 1, .scope = scope};

    if (address) {
        match.address_count = 1;
        match.addresses = kept_address(ip_addr_unmap(address_of(address)));
    }
    return match;
}

static struct expect expect_of(const char *name, const struct matcher *match)
{
    struct expect e = {.match = *match, .severity = SEVERITY_CRITICAL};

    (void)snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

static struct listener_builder *builder(const char *sockets)
{
    struct listener_builder *b = new_builder(1000);

    assert_non_null(b);
    add_rows(b, sockets, 1);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    return b;
}

/* Takes b. The policy is sealed for as long as it takes. */
static const struct verdict *judge(struct listener_builder *b, struct policy *policy,
                                   const struct own_sockets *own)
{
    struct space space = {.name = ""};
    const struct verdict *v;

    assert_int_equal(policy_seal(policy), 0);
    space.listeners = seal_all(b);
    listener_builder_free(b);
    assert_non_null(space.listeners);
    v = judge_space(&space, policy, own);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    policy_unseal(policy);
    return v;
}

/* "NotListening(web:80) UnexpectedListener(tcp/0.0.0.0:81) Blind(udp)" */
static void findings_text(const struct verdict *v, char ret_text[static FINDINGS_TEXT_MAX])
{
    size_t length = 0;

    *ret_text = '\0';
    for (size_t i = 0; i < v->count; i++) {
        const struct alert_key *key = &v->findings[i].key;
        char endpoint[ENDPOINT_TEXT_MAX] = "", about[ENDPOINT_TEXT_MAX + EXPECT_NAME_MAX + 16];

        if (key->has_endpoint)
            endpoint_format(&key->address, key->family, key->port, key->interface, endpoint);
        if (*key->name)
            (void)snprintf(about, sizeof about, "%s:%u", key->name, key->port);
        else
            (void)snprintf(about, sizeof about, "%s%s%s", protocol_name(key->protocol), *endpoint ? "/" : "",
                           endpoint);
        length += (size_t)snprintf(ret_text + length, FINDINGS_TEXT_MAX - length, "%s%s(%s)",
                                   i > 0 ? " " : "", rule_name(key->rule), about);
        assert_true(length < FINDINGS_TEXT_MAX);
    }
}

/* Takes b. */
static void assert_judged(struct listener_builder *b, struct policy *policy, const struct own_sockets *own,
                          const char *wanted)
{
    const struct verdict *v = judge(b, policy, own);
    char have[FINDINGS_TEXT_MAX];

    findings_text(v, have);
    assert_string_equal(have, wanted);
    verdict_unref(v);
}

static void assert_findings(const char *sockets, struct policy *policy, const char *wanted)
{
    assert_judged(builder(sockets), policy, &no_own, wanted);
}

struct expect_case {
    const char *sockets;
    enum want_scope scope;
    const char *address; /* NULL for none */
    const char *families;
    const char *findings;
};

static void assert_expect_cases(const struct expect_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct matcher match = on_ports(port_80, cases[i].scope, cases[i].address);
        struct expect e = expect_of("web", &match);
        struct policy policy = {.expects = &e, .expect_count = 1};

        e.families[0] = strchr(cases[i].families, '4') != NULL;
        e.families[1] = strchr(cases[i].families, '6') != NULL;
        assert_findings(cases[i].sockets, &policy, cases[i].findings);
    }
}

static void not_listening_means_no_listener_at_all(void **state)
{
    static const struct expect_case cases[] = {
        {"", WANT_ANY, NULL, "", "NotListening(web:80)"},
        {"", WANT_PUBLIC, NULL, "46", "NotListening(web:80)"},
        {"", WANT_LOOPBACK, NULL, "", "NotListening(web:80)"},
        {"", WANT_ANY, "192.0.2.1", "", "NotListening(web:80)"},
        {"0.0.0.0:79 0.0.0.0:81", WANT_ANY, NULL, "", "NotListening(web:80)"},
        {"udp/0.0.0.0:80 sctp/0.0.0.0:80", WANT_ANY, NULL, "", "NotListening(web:80)"},
        {"0.0.0.0:80", WANT_ANY, NULL, "", ""},
        {"127.0.0.1:80", WANT_ANY, NULL, "", ""},
        {"[fe80::1%2]:80", WANT_ANY, NULL, "", ""},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void loopback_only_means_that_nothing_is_bound_beyond_it(void **state)
{
    static const struct expect_case cases[] = {
        {"127.0.0.1:80", WANT_PUBLIC, NULL, "", "LoopbackOnly(web:80)"},
        {"127.0.0.1:80 127.0.0.2:80 [::1]:80", WANT_PUBLIC, NULL, "", "LoopbackOnly(web:80)"},
        {"[::ffff:127.0.0.1]:80", WANT_PUBLIC, NULL, "", "LoopbackOnly(web:80)"},
        {"0.0.0.0%1:80", WANT_PUBLIC, NULL, "", "LoopbackOnly(web:80)"},
        {"0.0.0.0:80", WANT_PUBLIC, NULL, "", ""},
        {"*:80", WANT_PUBLIC, NULL, "", ""},
        {"[::]:80", WANT_PUBLIC, NULL, "", ""},
        {"10.1.1.1:80", WANT_PUBLIC, NULL, "", ""},
        {"169.254.1.1:80", WANT_PUBLIC, NULL, "", ""},
        {"127.0.0.1:80 192.0.2.1:80", WANT_PUBLIC, NULL, "", ""},
        {"127.0.0.1:80 192.0.2.1:81 udp/0.0.0.0:80", WANT_PUBLIC, NULL, "", "LoopbackOnly(web:80)"},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void exposed_means_that_something_is_bound_beyond_loopback(void **state)
{
    static const struct expect_case cases[] = {
        {"0.0.0.0:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"*:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"[::ffff:0.0.0.0]:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"127.0.0.1:80 10.1.1.1:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"127.0.0.1:80 [fe80::1%2]:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"10.1.1.1:80 10.1.1.2:80", WANT_LOOPBACK, NULL, "", "Exposed(web:80)"},
        {"127.0.0.1:80 [::1]:80", WANT_LOOPBACK, NULL, "", ""},
        {"127.8.8.8:80", WANT_LOOPBACK, NULL, "", ""},
        {"0.0.0.0%1:80", WANT_LOOPBACK, NULL, "", ""},
        {"0.0.0.0:80", WANT_LOOPBACK, "127.0.0.1", "", "Exposed(web:80)"},
        {"0.0.0.0:80", WANT_ANY, "127.0.0.1", "", "Exposed(web:80)"},
        {"127.0.0.1:80", WANT_ANY, "127.0.0.1", "", ""},
        {"0.0.0.0:80", WANT_ANY, NULL, "", ""},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void wrong_address_means_that_the_address_is_not_served(void **state)
{
    static const struct expect_case cases[] = {
        {"192.0.2.10:80", WANT_ANY, "192.0.2.10", "", ""},
        {"[::ffff:192.0.2.10]:80", WANT_ANY, "192.0.2.10", "", ""},
        {"192.0.2.10:80", WANT_ANY, "::ffff:192.0.2.10", "", ""},
        {"0.0.0.0:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"*:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.11:80 0.0.0.0:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.11:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80)"},
        {"127.0.0.1:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80)"},
        {"[::]:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80) Exposed(web:80)"},
        {"0.0.0.0%1:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80)"},
        {"*:80", WANT_ANY, "2001:db8::1", "", "Exposed(web:80)"},
        {"[::]:80", WANT_ANY, "2001:db8::1", "", "Exposed(web:80)"},
        {"0.0.0.0:80", WANT_ANY, "2001:db8::1", "", "WrongAddress(web:80) Exposed(web:80)"},
        {"[2001:db8::2]:80", WANT_ANY, "2001:db8::1", "", "WrongAddress(web:80)"},
        {"127.0.0.2:80", WANT_ANY, "127.0.0.1", "", "WrongAddress(web:80)"},
        {"[::1]:80", WANT_ANY, "127.0.0.1", "", "WrongAddress(web:80)"},
        {"0.0.0.0%1:80", WANT_ANY, "127.0.0.1", "", ""},
        {"10.1.1.1:80", WANT_ANY, "127.0.0.1", "", "WrongAddress(web:80) Exposed(web:80)"},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void wrong_address_also_means_that_a_family_is_not_served(void **state)
{
    static const struct expect_case cases[] = {
        {"0.0.0.0:80", WANT_ANY, NULL, "4", ""},
        {"*:80", WANT_ANY, NULL, "4", ""},
        {"[::]:80", WANT_ANY, NULL, "4", "WrongAddress(web:80)"},
        {"0.0.0.0:80", WANT_ANY, NULL, "6", "WrongAddress(web:80)"},
        {"*:80", WANT_ANY, NULL, "46", ""},
        {"0.0.0.0:80 [::]:80", WANT_ANY, NULL, "46", ""},
        {"127.0.0.1:80 [2001:db8::1]:80", WANT_ANY, NULL, "46", ""},
        {"0.0.0.0:80", WANT_ANY, NULL, "46", "WrongAddress(web:80)"},
        {"[::ffff:0.0.0.0]:80", WANT_ANY, NULL, "6", "WrongAddress(web:80)"},

        /* Where the outside is meant, a family on loopback serves nobody. */
        {"0.0.0.0:80 [::1]:80", WANT_PUBLIC, NULL, "46", "WrongAddress(web:80)"},
        {"0.0.0.0:80 [::1]:80", WANT_ANY, NULL, "46", ""},
        {"127.0.0.1:80 [::1]:80", WANT_PUBLIC, NULL, "46", "LoopbackOnly(web:80)"},
        {"127.0.0.1:80", WANT_PUBLIC, NULL, "46", "LoopbackOnly(web:80) WrongAddress(web:80)"},
        {"127.0.0.1:80", WANT_LOOPBACK, NULL, "46", "WrongAddress(web:80)"},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

/* That nothing is bound beyond loopback says already that the address is not. */
/* There and nowhere else. */
static void an_address_is_where_the_service_is_bound_and_nowhere_else(void **state)
{
    static const struct expect_case cases[] = {
        {"192.0.2.10:80 192.0.2.11:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.10:80 0.0.0.0:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.10:80 [::]:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.10:80 [fe80::1%2]:80", WANT_ANY, "192.0.2.10", "", "Exposed(web:80)"},
        {"192.0.2.10:80 127.0.0.1:80", WANT_ANY, "192.0.2.10", "", ""},
        {"192.0.2.10:80 0.0.0.0%1:80", WANT_ANY, "192.0.2.10", "", ""},
        {"192.0.2.10:80 0.0.0.0:81", WANT_ANY, "192.0.2.10", "", ""},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void every_port_of_an_entry_must_listen(void **state)
{
    const struct matcher match = on_ports(ports_80_to_82, WANT_PUBLIC, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_findings("0.0.0.0:80 0.0.0.0:81 0.0.0.0:82", &policy, "");
    assert_findings("0.0.0.0:80 127.0.0.1:82 0.0.0.0:83", &policy,
                    "NotListening(web:81) LoopbackOnly(web:82)");
    assert_findings("", &policy, "NotListening(web:80) NotListening(web:81) NotListening(web:82)");
}

static void the_highest_port_ends_a_range(void **state)
{
    struct port_range ports[] = {{65534, 65535}};
    const struct matcher match = on_ports(ports, WANT_ANY, NULL);
    struct expect e = expect_of("top", &match);
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    assert_findings("0.0.0.0:65534", &policy, "NotListening(top:65535)");
}

static void two_entries_share_a_port_by_their_addresses(void **state)
{
    const struct matcher inner = on_ports(port_80, WANT_ANY, "127.0.0.1");
    const struct matcher outer = on_ports(port_80, WANT_ANY, "192.0.2.10");
    struct expect expects[] = {expect_of("inner", &inner), expect_of("outer", &outer)};
    struct policy policy = {.expects = expects, .expect_count = 2, .unexpected.enabled = true};

    (void)state;
    assert_findings("127.0.0.1:80 192.0.2.10:80", &policy, "");
    assert_findings("127.0.0.1:80", &policy, "NotListening(outer:80)");
    assert_findings("192.0.2.10:80", &policy, "NotListening(inner:80)");
    assert_findings("", &policy, "NotListening(inner:80) NotListening(outer:80)");
    /* One wildcard serves both, which exposes both. */
    assert_findings("0.0.0.0:80", &policy, "Exposed(inner:80) Exposed(outer:80)");
}

static void an_entry_with_an_address_leaves_the_others_to_one_without(void **state)
{
    const struct matcher admin = on_ports(port_80, WANT_ANY, "192.0.2.10");
    const struct matcher site = on_ports(port_80, WANT_ANY, NULL);
    struct expect expects[] = {expect_of("admin", &admin), expect_of("site", &site)};
    struct policy policy = {.expects = expects, .expect_count = 2};

    (void)state;
    assert_findings("192.0.2.10:80", &policy, "NotListening(site:80)");
    assert_findings("192.0.2.10:80 127.0.0.1:80", &policy, "");
}

/* A public service that listens on loopback only is just that, also where
 * another entry wants the loopback listener. */
static void a_claimed_loopback_listener_makes_a_public_service_loopback_only(void **state)
{
    const struct matcher pub = on_ports(port_80, WANT_PUBLIC, NULL);
    const struct matcher loc = on_ports(port_80, WANT_ANY, "127.0.0.1");
    struct expect expects[] = {expect_of("pub", &pub), expect_of("loc", &loc)};
    struct policy policy = {.expects = expects, .expect_count = 2, .unexpected.enabled = true};

    (void)state;
    assert_findings("127.0.0.1:80", &policy, "LoopbackOnly(pub:80)");
    assert_findings("127.0.0.1:80 [::1]:80", &policy, "LoopbackOnly(pub:80)");
    /* As both should be: the public listener does not expose the other entry. */
    assert_findings("127.0.0.1:80 192.0.2.1:80", &policy, "");
    assert_findings("", &policy, "NotListening(pub:80) NotListening(loc:80)");
    expects[0].match.scope = WANT_ANY; /* then the loopback listener is the other's alone */
    assert_findings("127.0.0.1:80", &policy, "NotListening(pub:80)");
}

/* Nobody reaches the address there, but the machine itself. */
static void an_address_on_the_loopback_device_is_not_served(void **state)
{
    static const struct expect_case cases[] = {
        {"192.0.2.10%1:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80)"},
        {"192.0.2.10%1:80 192.0.2.11:80", WANT_ANY, "192.0.2.10", "", "WrongAddress(web:80)"},
        {"[2001:db8::1%1]:80", WANT_ANY, "2001:db8::1", "", "WrongAddress(web:80)"},
        {"192.0.2.10%1:80 192.0.2.10:80", WANT_ANY, "192.0.2.10", "", ""},
        {"192.0.2.10%2:80", WANT_ANY, "192.0.2.10", "", ""},
        {"127.0.0.1%1:80", WANT_ANY, "127.0.0.1", "", ""},
        {"[::1%1]:80", WANT_ANY, "::1", "", ""},
        {"*%1:80", WANT_ANY, "::1", "", ""},
    };

    (void)state;
    assert_expect_cases(cases, ARRAY_LENGTH(cases));
}

static void a_listener_not_declared_is_unexpected(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_ANY, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_findings("0.0.0.0:80 [::]:80", &policy, "");
    assert_findings("0.0.0.0:80 0.0.0.0:81 udp/0.0.0.0:80 [::1]:22 raw/0.0.0.0:1", &policy,
                    "UnexpectedListener(tcp/[::1]:22) UnexpectedListener(tcp/0.0.0.0:81) "
                    "UnexpectedListener(udp/0.0.0.0:80) UnexpectedListener(raw/0.0.0.0:1)");
    policy.unexpected.enabled = false;
    assert_findings("0.0.0.0:80 0.0.0.0:81", &policy, "");
}

static void ignore_loopback_ignores_no_more_than_loopback(void **state)
{
    struct policy policy = {.unexpected = {.enabled = true, .ignore_loopback = true}};

    (void)state;
    assert_findings("127.0.0.1:80 127.9.9.9:81 [::1]:82 0.0.0.0%1:83 [::ffff:127.0.0.1]:84", &policy, "");
    assert_findings("10.1.1.1:80 [fe80::1%2]:80 0.0.0.0%2:80", &policy,
                    "UnexpectedListener(tcp/0.0.0.0%if2:80) UnexpectedListener(tcp/10.1.1.1:80) "
                    "UnexpectedListener(tcp/[fe80::1%if2]:80)");
}

/* A program that asked for any port is not what clients look for there. A client is
 * no listener at all. */
static void a_port_that_the_kernel_chose_is_nobodys_service(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_PUBLIC, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_findings("0.0.0.0:80~ 0.0.0.0:81~ udp/0.0.0.0:80~ udplite/0.0.0.0:81~", &policy,
                    "NotListening(web:80) UnexpectedListener(tcp/0.0.0.0:80) "
                    "UnexpectedListener(tcp/0.0.0.0:81)");
    assert_findings("127.0.0.1:80 [::]:80~", &policy, "LoopbackOnly(web:80) UnexpectedListener(tcp/[::]:80)");
    assert_findings("0.0.0.0:80~ 0.0.0.0:80", &policy, ""); /* sockets of one service */
}

static void an_expected_address_does_not_cover_another_one(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_ANY, "192.0.2.10");
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};

    (void)state;
    assert_findings("192.0.2.10:80 127.0.0.1:80", &policy, "UnexpectedListener(tcp/127.0.0.1:80)");
    assert_findings("192.0.2.10:80 127.0.0.1:80 192.0.2.11:80", &policy,
                    "Exposed(web:80) UnexpectedListener(tcp/127.0.0.1:80)");
}

static void one_condition_never_has_two_alerts(void **state)
{
    static const struct {
        const char *sockets;
        enum want_scope scope;
        const char *address, *findings;
    } cases[] = {
        {"127.0.0.1:80", WANT_PUBLIC, NULL, "LoopbackOnly(web:80)"},
        {"0.0.0.0:80", WANT_LOOPBACK, NULL, "Exposed(web:80)"},
        {"127.0.0.1:80 10.0.0.1:80", WANT_LOOPBACK, NULL, "Exposed(web:80)"},
        {"127.0.0.1:80 10.0.0.1:80", WANT_ANY, "127.0.0.1", "Exposed(web:80)"},
        {"127.0.0.1:80 10.0.0.1:80", WANT_LOOPBACK, "127.0.0.1", "Exposed(web:80)"},
        {"192.0.2.11:80", WANT_ANY, "192.0.2.10", "WrongAddress(web:80)"},
        {"127.0.0.1:80", WANT_ANY, "192.0.2.10", "WrongAddress(web:80)"},
        {"0.0.0.0:80", WANT_ANY, "192.0.2.10", "Exposed(web:80)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct matcher match = on_ports(port_80, cases[i].scope, cases[i].address);
        struct expect e = expect_of("web", &match);
        struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};

        assert_findings(cases[i].sockets, &policy, cases[i].findings);
    }
}

struct allow_case {
    const char *sockets;
    enum want_scope scope;
    const char *address; /* NULL for none */
    const char *findings;
};

static void allowed_listeners_are_fine_within_their_scope(void **state)
{
    static const struct allow_case cases[] = {
        {"", WANT_ANY, NULL, ""},
        {"0.0.0.0:80 [::1]:81 [fe80::1%2]:82", WANT_ANY, NULL, ""},
        {"0.0.0.0:79 0.0.0.0:83 udp/0.0.0.0:80", WANT_ANY, NULL,
         "UnexpectedListener(tcp/0.0.0.0:79) UnexpectedListener(tcp/0.0.0.0:83) "
         "UnexpectedListener(udp/0.0.0.0:80)"},
        {"127.0.0.1:80 [::1]:81 0.0.0.0%1:82", WANT_LOOPBACK, NULL, ""},
        {"0.0.0.0:80 10.1.1.1:81", WANT_LOOPBACK, NULL, "Exposed(tcp/0.0.0.0:80) Exposed(tcp/10.1.1.1:81)"},
        {"0.0.0.0:80 10.1.1.1:81", WANT_PUBLIC, NULL, ""},
        {"127.0.0.1:80", WANT_PUBLIC, NULL, "UnexpectedListener(tcp/127.0.0.1:80)"},
        {"10.1.1.1:80 [::ffff:10.1.1.1]:81", WANT_ANY, "10.1.1.1", ""},
        {"10.1.1.2:80 0.0.0.0:81", WANT_ANY, "10.1.1.1",
         "UnexpectedListener(tcp/10.1.1.2:80) Exposed(tcp/0.0.0.0:81)"},
        {"0.0.0.0:83 0.0.0.0%1:81", WANT_ANY, "10.1.1.1",
         "UnexpectedListener(tcp/0.0.0.0%if1:81) UnexpectedListener(tcp/0.0.0.0:83)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct allow a = {.match = on_ports(ports_80_to_82, cases[i].scope, cases[i].address)};
        struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

        assert_findings(cases[i].sockets, &policy, cases[i].findings);
    }
}

/* Without ports it is about all of them, with ports both must hold. */
static void ports_that_the_kernel_chose_are_allowed_as_such(void **state)
{
    static const struct {
        size_t ports;
        enum want_scope scope;
        const char *sockets, *findings;
    } cases[] = {
        {0, WANT_ANY, "0.0.0.0:1~ [::]:40000~ 10.1.1.1:65535~", ""},
        {0, WANT_ANY, "0.0.0.0:40000 0.0.0.0:40001~", "UnexpectedListener(tcp/0.0.0.0:40000)"},
        {0, WANT_ANY, "0.0.0.0:40000~ 0.0.0.0:40000", "UnexpectedListener(tcp/0.0.0.0:40000)"},
        {0, WANT_ANY, "sctp/0.0.0.0:40000~", "UnexpectedListener(sctp/0.0.0.0:40000)"},
        {0, WANT_LOOPBACK, "127.0.0.1:40000~ 0.0.0.0:40001~ 0.0.0.0:40002",
         "Exposed(tcp/0.0.0.0:40001) UnexpectedListener(tcp/0.0.0.0:40002)"},
        {1, WANT_ANY, "0.0.0.0:80~ 0.0.0.0:81 0.0.0.0:83~",
         "UnexpectedListener(tcp/0.0.0.0:81) UnexpectedListener(tcp/0.0.0.0:83)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct allow a = {.match = on_ports(ports_80_to_82, cases[i].scope, NULL), .kernel_chosen = true};
        struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

        a.match.port_count = cases[i].ports;
        assert_findings(cases[i].sockets, &policy, cases[i].findings);
    }
}

static void ignore_kernel_chosen_ignores_no_more_than_that(void **state)
{
    struct allow a = {.match = on_ports(ports_80_to_82, WANT_LOOPBACK, NULL)};
    struct deny d = {.match = on_ports(port_80, WANT_ANY, NULL)};
    struct policy policy = {
        .allows = &a, .allow_count = 1, .unexpected = {.enabled = true, .ignore_kernel_chosen = true}};

    (void)state;
    assert_findings("0.0.0.0:1~ [::]:40000~ 127.0.0.1:81~ 0.0.0.0:82~", &policy, "");
    assert_findings("0.0.0.0:80~ 0.0.0.0:80 0.0.0.0:83 udp/0.0.0.0:83 raw/0.0.0.0:1", &policy,
                    "Exposed(tcp/0.0.0.0:80) UnexpectedListener(tcp/0.0.0.0:83) "
                    "UnexpectedListener(udp/0.0.0.0:83) UnexpectedListener(raw/0.0.0.0:1)");
    policy.denies = &d;
    policy.deny_count = 1;
    assert_findings("0.0.0.0:80~ 0.0.0.0:81~ udp/0.0.0.0:80~", &policy, "UnexpectedListener(tcp/0.0.0.0:80)");
}

/* A wildcard on a port that a program chose is beyond nothing that is allowed. */
static void ports_that_the_kernel_chose_are_allowed_at_an_address(void **state)
{
    struct allow a = {.match = on_ports(port_80, WANT_ANY, "10.1.1.1"), .kernel_chosen = true};
    struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};

    (void)state;
    a.match.port_count = 0;
    assert_findings(
        "10.1.1.1:1~ 10.1.1.2:2~ 0.0.0.0:3~ 0.0.0.0:4 10.1.1.1:5", &policy,
        "UnexpectedListener(tcp/10.1.1.2:2) Exposed(tcp/0.0.0.0:3) UnexpectedListener(tcp/0.0.0.0:4) "
        "UnexpectedListener(tcp/10.1.1.1:5)");
}

static void an_allowed_scope_is_judged_without_unexpected(void **state)
{
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1};

    (void)state;
    assert_findings("0.0.0.0:80 0.0.0.0:81", &policy, "Exposed(tcp/0.0.0.0:80)");
}

static void the_most_generous_allow_entry_counts(void **state)
{
    struct allow allows[] = {{.match = on_ports(port_80, WANT_LOOPBACK, NULL)},
                             {.match = on_ports(port_80, WANT_ANY, "10.1.1.1")},
                             {.match = on_ports(port_80, WANT_LOOPBACK, NULL)}};
    struct policy policy = {.allows = allows, .allow_count = 3, .unexpected.enabled = true};

    (void)state;
    assert_findings("10.1.1.1:80 127.0.0.1:80", &policy, "");
    assert_findings("10.1.1.2:80", &policy, "Exposed(tcp/10.1.1.2:80)");
}

/* By their cookies: whoever serves our address beside us is judged, and so is
 * whoever took it when we were not there. */
static void our_own_sockets_are_always_allowed(void **state)
{
    static const struct {
        const char *sockets, *findings;
    } cases[] = {
        {"127.0.0.1:80#100 [::1]:80#101", ""},
        {"0.0.0.0:80#100", ""},
        {"0.0.0.0:80#100 [::]:80#7", "UnexpectedListener(tcp/[::]:80)"},
        {"0.0.0.0:80#7 [::]:80#101", "UnexpectedListener(tcp/0.0.0.0:80)"},
        {"127.0.0.1:80#7", "UnexpectedListener(tcp/127.0.0.1:80)"},
        {"127.0.0.1:81#100 127.0.0.1:80#7", "UnexpectedListener(tcp/127.0.0.1:80)"},
        {"udp/127.0.0.1:80#100", "UnexpectedListener(udp/127.0.0.1:80)"},
        {"127.0.0.1:80#100 127.0.0.1:80#101", ""},
        {"127.0.0.1:80#100 127.0.0.1:80#7", "UnexpectedListener(tcp/127.0.0.1:80)"},
    };
    uint64_t cookies[] = {101, 100};
    const struct own_sockets own = {cookies, ARRAY_LENGTH(cookies)};
    struct policy policy = {.unexpected.enabled = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_judged(builder(cases[i].sockets), &policy, &own, cases[i].findings);
}

static void our_own_sockets_need_not_stay_on_loopback(void **state)
{
    uint64_t cookie = 100;
    const struct own_sockets own = {&cookie, 1};
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1};

    (void)state;
    assert_judged(builder("10.1.1.1:80#100"), &policy, &own, "");
    assert_judged(builder("10.1.1.1:80#7"), &policy, &own, "Exposed(tcp/10.1.1.1:80)");
}

/* Members that are not followed may be anybody's. */
static void a_group_that_is_not_followed_whole_is_not_ours(void **state)
{
    uint64_t cookie = 1;
    const struct own_sockets own = {&cookie, 1};
    struct listener_builder *b = new_builder(1);
    struct policy policy = {.unexpected.enabled = true};

    (void)state;
    assert_non_null(b);
    add_rows(b, "127.0.0.1:80 127.0.0.1:80", 1);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    assert_judged(b, &policy, &own, "UnexpectedListener(tcp/127.0.0.1:80)");
}

static void a_class_that_was_not_read_yields_no_findings_but_blind(void **state)
{
    static const struct {
        enum visibility visibility;
        const char *findings;
    } cases[] = {
        {VISIBILITY_OK, "NotListening(dns:53) UnexpectedListener(udp/0.0.0.0:54)"},
        {VISIBILITY_UNKNOWN, ""},
        {VISIBILITY_FAILED, "Blind(udp)"},
        {VISIBILITY_UNSUPPORTED, "Blind(udp)"},
        {VISIBILITY_ABSENT, "Blind(udp)"}, /* for the sake of the expected service */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct matcher match = on_ports(port_53, WANT_ANY, NULL);
        struct expect e = expect_of("dns", &match);
        struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};
        struct listener_builder *b;

        e.match.protocols = 1u << PROTOCOL_UDP;
        b = builder("udp/0.0.0.0:54");
        listener_builder_end(b, PROTOCOL_UDP, PART_ALL, cases[i].visibility, -EIO);
        assert_judged(b, &policy, &no_own, cases[i].findings);
    }
}

static void blindness_is_reported_only_where_a_rule_needs_to_see(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_ANY, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1};
    struct listener_builder *b = builder("0.0.0.0:80");

    (void)state;
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != PROTOCOL_TCP)
            listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_FAILED, -EIO);
    assert_judged(b, &policy, &no_own, "");
}

static void an_absent_protocol_hides_no_unexpected_listener(void **state)
{
    struct policy policy = {.unexpected.enabled = true};
    struct listener_builder *b = builder("");

    (void)state;
    listener_builder_end(b, PROTOCOL_SCTP, PART_ALL, VISIBILITY_ABSENT, 0);
    listener_builder_end(b, PROTOCOL_UDPLITE, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
    assert_judged(b, &policy, &no_own, "Blind(udplite)");
}

/* A read that failed may succeed at once; what the kernel does not list stays so. */
static void only_a_failed_read_is_looked_at_again_before_blind_fires(void **state)
{
    static const struct {
        enum visibility visibility;
        bool confirm;
    } cases[] = {{VISIBILITY_FAILED, true}, {VISIBILITY_UNSUPPORTED, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct policy policy = {.unexpected.enabled = true};
        struct listener_builder *b = builder("");
        const struct verdict *v;

        listener_builder_end(b, PROTOCOL_TCP, PART_ALL, cases[i].visibility, -EIO);
        v = judge(b, &policy, &no_own);
        assert_int_equal(v->count, 1);
        assert_int_equal(v->findings[0].key.rule, RULE_BLIND);
        assert_int_equal(v->findings[0].confirm, cases[i].confirm);
        verdict_unref(v);
    }
}

/* What could not be read of other ports only is complained of where a rule is about them. */
static void the_other_ports_of_a_class_may_be_blind_alone(void **state)
{
    struct expect e = expect_of("web", &(struct matcher){.ports = port_80, .port_count = 1});
    struct policy policy = {.expects = &e, .expect_count = 1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct listener_builder *b = builder("0.0.0.0:80 0.0.0.0:81");

        listener_builder_end(b, PROTOCOL_TCP, PART_OTHERS, VISIBILITY_FAILED, -EIO);
        policy.unexpected.enabled = i;
        assert_judged(b, &policy, &no_own, i ? "Blind(tcp)" : "");
    }
}

/* There was no room for all TCP sockets. */
static const struct verdict *judge_unread(const char *sockets, struct policy *policy)
{
    struct listener_builder *b = builder(sockets);
    const struct listener_table *t = seal_all(b);
    struct inventory inv;
    const struct verdict *v;

    assert_non_null(t);
    assert_int_equal(policy_seal(policy), 0);
    listener_table_inventory(t, &inv);
    inv.classes[PROTOCOL_TCP].unread = 5;
    v = judge_inventory(&inv, policy, &no_own, NULL);
    assert_non_null(v);
    listener_table_unref(t);
    listener_builder_free(b);
    policy_unseal(policy);
    return v;
}

static void assert_unread(const char *sockets, struct policy *policy, const char *wanted)
{
    const struct verdict *v = judge_unread(sockets, policy);
    char have[FINDINGS_TEXT_MAX];

    findings_text(v, have);
    assert_string_equal(have, wanted);
    verdict_unref(v);
}

/* What was seen is judged; what was not may be anything. */
static void a_class_that_was_not_read_whole_is_blind_where_that_matters(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_ANY, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};
    const struct verdict *v;

    (void)state;
    assert_unread("0.0.0.0:1 0.0.0.0:80", &policy, "UnexpectedListener(tcp/0.0.0.0:1) Blind(tcp)");
    policy.unexpected.enabled = false;
    assert_unread("0.0.0.0:1 0.0.0.0:80", &policy, "");

    v = judge_unread("0.0.0.0:1", &policy); /* it may be there or not */
    assert_int_equal(v->count, 2);
    assert_int_equal(v->findings[0].key.rule, RULE_NOT_LISTENING);
    assert_true(v->findings[0].undetermined);
    assert_int_equal(v->findings[1].key.rule, RULE_BLIND);
    assert_string_equal(v->findings[1].summary,
                        "5 tcp sockets are more than can be held, and are not judged");
    assert_false(v->services[0].seen);
    assert_true(v->classes[PROTOCOL_TCP].seen);
    assert_false(v->classes[PROTOCOL_TCP].complete);
    assert_true(v->classes[PROTOCOL_UDP].complete);
    verdict_unref(v);
}

/* An Exposed that an allow entry may find needs every listener, too. */
static void a_class_that_was_not_read_whole_is_blind_for_allowed_scopes(void **state)
{
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1};

    (void)state;
    assert_unread("0.0.0.0:1 127.0.0.1:80", &policy, "Blind(tcp)");
}

static struct listener_row row_by(const char *socket, uint32_t uid, uint64_t cookie)
{
    struct listener_row row = row_of(socket);

    row.uid = uid;
    row.cookie = cookie;
    return row;
}

static bool on_port_1007(const void *arg, const struct alert_key *key)
{
    (void)arg;
    return key->port == 1007;
}

/* Whoever opens many listeners must not hide those of others, nor keep what was
 * told about one from ending. */
static void findings_about_listeners_are_bounded_for_each_user(void **state)
{
    const struct judge_bounds bounds = {.findings = 8, .was_true = on_port_1007};
    struct policy policy = {.unexpected.enabled = true};
    struct listener_builder *b = builder("");
    size_t of_user = 0, of_others = 0;
    struct inventory inv;
    const struct verdict *v;
    struct limits limits = limits_of(1);

    (void)state;
    for (uint16_t port = 1000; port < 1020; port++) {
        struct listener_row row = row_by("0.0.0.0:1", 4242, port);

        row.port = port;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    for (uint16_t port = 60000; port < 60003; port++) {
        struct listener_row row = row_by("0.0.0.0:1", 0, port);

        row.port = port;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    assert_int_equal(policy_seal(&policy), 0);
    assert_int_equal(finish_look(b, &limits, &policy, NULL, NULL, &inv), 0);
    v = judge_inventory(&inv, &policy, &no_own, &bounds);
    assert_non_null(v);
    for (size_t i = 0; i < v->count; i++) {
        of_user += v->findings[i].key.port < 2000;
        of_others += v->findings[i].key.port >= 60000;
    }
    assert_int_equal(of_user, 4 + 1); /* half, and the one that was told before */
    assert_int_equal(of_others, 3);
    assert_int_equal(v->left_out, 15);
    for (size_t i = 0; i < inv.total; i++)
        assert_int_equal(v->listeners[i].rules, 1u << RULE_UNEXPECTED_LISTENER);
    verdict_unref(v);
    listener_builder_free(b);
    policy_unseal(&policy);
}

static void a_verdict_says_which_classes_were_seen(void **state)
{
    struct policy policy = {0};
    struct listener_builder *b = builder("");
    const struct verdict *v;

    (void)state;
    listener_builder_end(b, PROTOCOL_UDP, PART_ALL, VISIBILITY_FAILED, -EIO);
    listener_builder_end(b, PROTOCOL_UDPLITE, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
    listener_builder_end(b, PROTOCOL_SCTP, PART_ALL, VISIBILITY_ABSENT, 0);
    listener_builder_end(b, PROTOCOL_RAW, PART_ALL, VISIBILITY_UNKNOWN, 0);
    listener_builder_end(b, PROTOCOL_UNIX, PART_ALL, VISIBILITY_UNKNOWN, 0);
    listener_builder_end(b, PROTOCOL_PACKET, PART_ALL, VISIBILITY_UNKNOWN, 0);
    v = judge(b, &policy, &no_own);
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        assert_int_equal(v->classes[i].seen, i == PROTOCOL_TCP);
        assert_int_equal(v->classes[i].complete, i == PROTOCOL_TCP);
    }
    verdict_unref(v);
}

static void findings_carry_severity_and_for_of_their_entry(void **state)
{
    const struct matcher web = on_ports(port_80, WANT_ANY, NULL), dns = on_ports(port_53, WANT_ANY, NULL);
    struct expect expects[] = {expect_of("web", &web), expect_of("dns", &dns)};
    struct allow a = {.match = on_ports(ports_80_to_82, WANT_LOOPBACK, NULL)};
    struct policy policy = {.expects = expects,
                            .expect_count = 2,
                            .allows = &a,
                            .allow_count = 1,
                            .unexpected = {.enabled = true, .severity = SEVERITY_CRITICAL, .for_ms = 3000}};
    static const struct {
        enum rule rule;
        enum severity severity;
        int64_t for_ms;
    } wanted[] = {{RULE_NOT_LISTENING, SEVERITY_CRITICAL, 1000},
                  {RULE_NOT_LISTENING, SEVERITY_WARNING, 2000},
                  {RULE_UNEXPECTED_LISTENER, SEVERITY_CRITICAL, 3000},
                  {RULE_EXPOSED, SEVERITY_CRITICAL, 3000}};
    const struct verdict *v;

    (void)state;
    expects[0].for_ms = 1000;
    expects[1].for_ms = 2000;
    expects[1].severity = SEVERITY_WARNING;
    v = judge(builder("0.0.0.0:22 0.0.0.0:81"), &policy, &no_own);
    assert_int_equal(v->count, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < v->count; i++) {
        assert_int_equal(v->findings[i].key.rule, wanted[i].rule);
        assert_int_equal(v->findings[i].severity, wanted[i].severity);
        assert_int_equal(v->findings[i].for_ms, wanted[i].for_ms);
    }
    verdict_unref(v);
}

static void keys_say_what_a_finding_is_about(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_ANY, NULL);
    struct expect e = expect_of("web", &match);
    struct policy policy = {.expects = &e, .expect_count = 1, .unexpected.enabled = true};
    struct listener_builder *b = builder("udp/[fe80::1%2]:53");
    struct ip_addr address = address_of("fe80::1");
    const struct alert_key *key;
    const struct verdict *v;

    (void)state;
    listener_builder_end(b, PROTOCOL_SCTP, PART_ALL, VISIBILITY_FAILED, -EIO);
    v = judge(b, &policy, &no_own);
    assert_int_equal(v->count, 3);
    key = &v->findings[0].key;
    assert_int_equal(key->rule, RULE_NOT_LISTENING);
    assert_string_equal(key->name, "web");
    assert_true(key->has_port);
    assert_int_equal(key->port, 80);
    assert_false(key->has_endpoint);
    key = &v->findings[1].key;
    assert_int_equal(key->rule, RULE_UNEXPECTED_LISTENER);
    assert_string_equal(key->name, "");
    assert_int_equal(key->protocol, PROTOCOL_UDP);
    assert_true(key->has_port);
    assert_int_equal(key->port, 53);
    assert_true(key->has_endpoint);
    assert_int_equal(key->family, FAMILY_IPV6);
    assert_int_equal(ip_addr_compare(&key->address, &address), 0);
    assert_string_equal(key->interface, "if2");
    key = &v->findings[2].key;
    assert_int_equal(key->rule, RULE_BLIND);
    assert_int_equal(key->protocol, PROTOCOL_SCTP);
    assert_false(key->has_port);
    assert_false(key->has_endpoint);
    verdict_unref(v);
}

static void assert_summary(struct listener_builder *b, struct policy *policy, const char *wanted)
{
    const struct verdict *v = judge(b, policy, &no_own);

    assert_int_equal(v->count, 1);
    assert_string_equal(v->findings[0].summary, wanted);
    verdict_unref(v);
}

static void summaries_say_it_in_one_line(void **state)
{
    static const struct {
        const char *sockets;
        enum want_scope scope;
        const char *address, *families, *summary;
    } cases[] = {
        {"", WANT_ANY, NULL, "", "web: tcp port 80 has no listener"},
        {"127.0.0.1:80 [::1]:80", WANT_PUBLIC, NULL, "",
         "web: tcp port 80 is bound only to loopback (127.0.0.1:80, [::1]:80), expected beyond it"},
        {"127.0.0.1:80 *%2:80", WANT_LOOPBACK, NULL, "",
         "web: tcp port 80 is bound beyond loopback (*%if2:80), expected only on loopback"},
        {"10.0.0.1:80", WANT_ANY, "10.0.0.2", "",
         "web: tcp port 80 is not served on 10.0.0.2, bound to 10.0.0.1:80"},
        {"0.0.0.0:80", WANT_ANY, NULL, "46", "web: tcp port 80 is not served on IPv6, bound to 0.0.0.0:80"},
        {"10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.4:80", WANT_LOOPBACK, NULL, "",
         "web: tcp port 80 is bound beyond loopback (10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80, 10.0.0.4:80), "
         "expected only on loopback"},
        {"10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.4:80 10.0.0.5:80 10.0.0.6:80", WANT_LOOPBACK, NULL, "",
         "web: tcp port 80 is bound beyond loopback (10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80, 10.0.0.4:80 and "
         "2 "
         "more), expected only on loopback"},
    };
    struct policy policy = {.expect_count = 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct matcher match = on_ports(port_80, cases[i].scope, cases[i].address);
        struct expect e = expect_of("web", &match);

        e.families[0] = strchr(cases[i].families, '4') != NULL;
        e.families[1] = strchr(cases[i].families, '6') != NULL;
        policy.expects = &e;
        assert_summary(builder(cases[i].sockets), &policy, cases[i].summary);
    }
}

static void summaries_about_one_listener_name_it(void **state)
{
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1, .unexpected.enabled = true};
    struct listener_builder *b = builder("");

    (void)state;
    assert_summary(builder("0.0.0.0:22"), &policy,
                   "tcp 0.0.0.0:22 (ssh) listens, but is neither expected nor allowed");
    assert_summary(builder("udp/[::1]:4000"), &policy,
                   "udp [::1]:4000 listens, but is neither expected nor allowed");
    assert_summary(builder("*:80"), &policy,
                   "tcp *:80 (http) is bound beyond loopback, allowed only on loopback");
    listener_builder_end(b, PROTOCOL_RAW, PART_ALL, VISIBILITY_FAILED, -EACCES);
    assert_summary(b, &policy, "raw sockets cannot be read: Permission denied");
}

static void a_long_summary_is_cut(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_LOOPBACK, NULL);
    char name[EXPECT_NAME_MAX], sockets[512] = "";
    struct policy policy = {.expect_count = 1};
    struct expect e;
    const struct verdict *v;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    e = expect_of(name, &match);
    policy.expects = &e;
    for (int i = 1; i <= 6; i++) {
        size_t length = strlen(sockets);

        (void)snprintf(sockets + length, sizeof sockets - length,
                       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff%d%%200000000%d]:80 ", i, i);
    }
    v = judge(builder(sockets), &policy, &no_own);
    assert_int_equal(v->count, 1);
    assert_in_range(strlen(v->findings[0].summary), 300, SUMMARY_MAX - 1);
    verdict_unref(v);
}

static void listeners_carry_the_rules_that_concern_them(void **state)
{
    const struct matcher match = on_ports(port_80, WANT_LOOPBACK, NULL);
    struct expect e = expect_of("web", &match);
    struct allow a = {.match = on_ports(ports_80_to_82, WANT_LOOPBACK, NULL)};
    struct policy policy = {
        .expects = &e, .expect_count = 1, .allows = &a, .allow_count = 1, .unexpected.enabled = true};
    const struct verdict *v =
        judge(builder("0.0.0.0:22 10.0.0.1:80 127.0.0.1:80 0.0.0.0:81"), &policy, &no_own);
    static const uint32_t masks[] = {1u << RULE_UNEXPECTED_LISTENER, 1u << RULE_EXPOSED, 0,
                                     1u << RULE_EXPOSED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(masks); i++)
        assert_int_equal(v->listeners[i].rules, masks[i]);
    verdict_unref(v);
}

static void rules_are_named_as_in_the_contract(void **state)
{
    (void)state;
    assert_string_equal(rule_name(RULE_NOT_LISTENING), "NotListening");
    assert_string_equal(rule_name(RULE_LOOPBACK_ONLY), "LoopbackOnly");
    assert_string_equal(rule_name(RULE_EXPOSED), "Exposed");
    assert_string_equal(rule_name(RULE_WRONG_ADDRESS), "WrongAddress");
    assert_string_equal(rule_name(RULE_UNEXPECTED_LISTENER), "UnexpectedListener");
    assert_string_equal(rule_name(RULE_BLIND), "Blind");
}

static void an_entry_uses_the_rules_that_can_fire_for_it(void **state)
{
    static const struct {
        enum want_scope scope;
        const char *address;
        bool ipv4, ipv6;
        uint32_t used;
    } cases[] = {
        {WANT_ANY, NULL, false, false, 0},
        {WANT_PUBLIC, NULL, false, false, 1u << RULE_LOOPBACK_ONLY},
        {WANT_LOOPBACK, NULL, false, false, 1u << RULE_EXPOSED},
        {WANT_ANY, NULL, true, false, 1u << RULE_WRONG_ADDRESS},
        {WANT_ANY, NULL, false, true, 1u << RULE_WRONG_ADDRESS},
        {WANT_ANY, "192.0.2.1", false, false, 1u << RULE_WRONG_ADDRESS | 1u << RULE_EXPOSED},
        {WANT_ANY, "127.0.0.1", false, false, 1u << RULE_WRONG_ADDRESS | 1u << RULE_EXPOSED},
        {WANT_PUBLIC, NULL, true, false, 1u << RULE_WRONG_ADDRESS | 1u << RULE_LOOPBACK_ONLY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct matcher match = on_ports(port_80, cases[i].scope, cases[i].address);
        struct expect e = expect_of("web", &match);
        struct policy policy = {.expects = &e, .expect_count = 1};
        const struct verdict *v;

        e.families[0] = cases[i].ipv4;
        e.families[1] = cases[i].ipv6;
        v = judge(builder(""), &policy, &no_own);
        assert_int_equal(v->service_count, 1);
        assert_int_equal(v->services[0].used,
                         cases[i].used | 1u << RULE_NOT_LISTENING | 1u << RULE_ACCEPT_QUEUE_SATURATED);
        verdict_unref(v);
    }
}

struct need_case {
    enum protocol protocol;
    enum visibility visibility;
    bool needed;
    enum severity severity;
};

static void assert_needs(struct policy *policy, const struct need_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct listener_builder *b = builder("");
        const struct class_verdict *class;
        const struct verdict *v;

        listener_builder_end(b, cases[i].protocol, PART_ALL, cases[i].visibility, -EIO);
        v = judge(b, policy, &no_own);
        class = &v->classes[cases[i].protocol];
        assert_int_equal(class->needed, cases[i].needed);
        if (class->needed)
            assert_int_equal(class->severity, cases[i].severity);
        verdict_unref(v);
    }
}

static void an_expected_service_needs_its_class_only(void **state)
{
    static const struct need_case cases[] = {
        {PROTOCOL_TCP, VISIBILITY_UNSUPPORTED, true, SEVERITY_CRITICAL},
        {PROTOCOL_TCP, VISIBILITY_ABSENT, true, SEVERITY_CRITICAL},
        {PROTOCOL_UDP, VISIBILITY_UNSUPPORTED, true, SEVERITY_WARNING},
        {PROTOCOL_UDP, VISIBILITY_FAILED, true, SEVERITY_WARNING},
        {PROTOCOL_UDPLITE, VISIBILITY_UNSUPPORTED, false, SEVERITY_WARNING},
    };
    const struct matcher match = on_ports(port_80, WANT_ANY, NULL);
    struct expect expects[] = {expect_of("a", &match), expect_of("b", &match), expect_of("c", &match),
                               expect_of("d", &match)};
    struct policy policy = {.expects = expects, .expect_count = 4};

    (void)state;
    expects[0].severity = SEVERITY_WARNING;
    expects[2].severity = SEVERITY_WARNING;
    expects[3].severity = SEVERITY_WARNING;
    expects[3].match.protocols = 1u << PROTOCOL_UDP;
    assert_needs(&policy, cases, ARRAY_LENGTH(cases));
}

static void unexpected_needs_every_class_that_the_kernel_has(void **state)
{
    static const struct need_case cases[] = {
        {PROTOCOL_TCP, VISIBILITY_FAILED, true, SEVERITY_CRITICAL},
        {PROTOCOL_UDP, VISIBILITY_UNSUPPORTED, true, SEVERITY_CRITICAL},
        {PROTOCOL_SCTP, VISIBILITY_ABSENT, false, SEVERITY_CRITICAL},
    };
    struct policy policy = {.unexpected = {.enabled = true, .severity = SEVERITY_CRITICAL}};
    static const struct need_case unneeded[] = {{PROTOCOL_TCP, VISIBILITY_FAILED, false, SEVERITY_CRITICAL}};
    struct policy none = {.unexpected = {.severity = SEVERITY_CRITICAL}};

    (void)state;
    assert_needs(&policy, cases, ARRAY_LENGTH(cases));
    assert_needs(&none, unneeded, ARRAY_LENGTH(unneeded));
}

static void an_allowed_scope_needs_its_class(void **state)
{
    static const struct need_case loopback[] = {
        {PROTOCOL_TCP, VISIBILITY_FAILED, true, SEVERITY_WARNING},
        {PROTOCOL_TCP, VISIBILITY_UNSUPPORTED, true, SEVERITY_WARNING},
        {PROTOCOL_TCP, VISIBILITY_ABSENT, false, SEVERITY_WARNING},
        {PROTOCOL_UDP, VISIBILITY_FAILED, false, SEVERITY_WARNING},
    };
    static const struct need_case any[] = {{PROTOCOL_TCP, VISIBILITY_FAILED, false, SEVERITY_WARNING}};
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1};

    (void)state;
    assert_needs(&policy, loopback, ARRAY_LENGTH(loopback));
    a.match.scope = WANT_ANY;
    assert_needs(&policy, any, ARRAY_LENGTH(any));
}

static struct alert_key key_of(enum rule rule, const char *name, enum protocol protocol, uint16_t port)
{
    struct alert_key key = {.rule = rule, .protocol = protocol, .has_port = true, .port = port};

    (void)snprintf(key.name, sizeof key.name, "%s", name);
    key.has_endpoint = *name == '\0';
    return key;
}

static void a_policy_can_produce_what_its_entries_use(void **state)
{
    static const struct {
        enum rule rule;
        const char *name;
        enum protocol protocol;
        uint16_t port;
        bool possible;
    } cases[] = {
        {RULE_NOT_LISTENING, "web", PROTOCOL_TCP, 80, true},
        {RULE_NOT_LISTENING, "web", PROTOCOL_TCP, 82, true},
        {RULE_LOOPBACK_ONLY, "web", PROTOCOL_TCP, 80, true},
        {RULE_EXPOSED, "web", PROTOCOL_TCP, 80, false},
        {RULE_WRONG_ADDRESS, "web", PROTOCOL_TCP, 80, false},
        {RULE_NOT_LISTENING, "web", PROTOCOL_TCP, 79, false},
        {RULE_NOT_LISTENING, "web", PROTOCOL_TCP, 83, false},
        {RULE_NOT_LISTENING, "web", PROTOCOL_UDP, 80, false},
        {RULE_NOT_LISTENING, "we", PROTOCOL_TCP, 80, false},
        {RULE_NOT_LISTENING, "dns", PROTOCOL_UDP, 53, true},
        {RULE_EXPOSED, "dns", PROTOCOL_UDP, 53, true},
        {RULE_WRONG_ADDRESS, "dns", PROTOCOL_UDP, 53, true},
        {RULE_LOOPBACK_ONLY, "dns", PROTOCOL_UDP, 53, false},
        {RULE_NOT_LISTENING, "dns", PROTOCOL_TCP, 53, false},
        {RULE_UNEXPECTED_LISTENER, "", PROTOCOL_TCP, 22, false},
        {RULE_EXPOSED, "", PROTOCOL_TCP, 22, false},
    };
    const struct matcher web = on_ports(ports_80_to_82, WANT_PUBLIC, NULL);
    const struct matcher dns = on_ports(port_53, WANT_ANY, "127.0.0.1");
    struct expect expects[] = {expect_of("web", &web), expect_of("dns", &dns)};
    struct policy policy = {.expects = expects, .expect_count = 2};
    static const struct policy empty;

    (void)state;
    expects[1].match.protocols = 1u << PROTOCOL_UDP;
    assert_int_equal(policy_seal(&policy), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct alert_key key = key_of(cases[i].rule, cases[i].name, cases[i].protocol, cases[i].port);

        assert_int_equal(rules_can_produce(&policy, &key), cases[i].possible);
        assert_false(rules_can_produce(&empty, &key));
    }
    policy_unseal(&policy);
}

static void a_policy_can_produce_what_it_says_about_other_ports(void **state)
{
    struct port_range port_8080[] = {{8080, 8080}};
    const struct alert_key unexpected = key_of(RULE_UNEXPECTED_LISTENER, "", PROTOCOL_TCP, 8080);
    const struct alert_key exposed = key_of(RULE_EXPOSED, "", PROTOCOL_TCP, 80);
    const struct alert_key exposed_udp = key_of(RULE_EXPOSED, "", PROTOCOL_UDP, 80);
    struct allow a = {.match = on_ports(port_80, WANT_LOOPBACK, NULL)};
    struct policy policy = {.allows = &a, .allow_count = 1};

    (void)state;
    assert_int_equal(policy_seal(&policy), 0);
    assert_false(rules_can_produce(&policy, &unexpected));
    assert_true(rules_can_produce(&policy, &exposed));
    assert_false(rules_can_produce(&policy, &exposed_udp));
    a.match.scope = WANT_ANY;
    assert_false(rules_can_produce(&policy, &exposed));
    policy.unexpected.enabled = true;
    assert_true(rules_can_produce(&policy, &unexpected));
    assert_false(rules_can_produce(&policy, &exposed)); /* nor is it unexpected: it is allowed */
    a.match.ports = port_8080;
    assert_int_equal(policy_seal(&policy), 0);
    assert_false(rules_can_produce(&policy, &unexpected));
    a.kernel_chosen = true; /* who chose its port an alert does not say */
    assert_true(rules_can_produce(&policy, &unexpected));
    assert_false(rules_can_produce(&policy, &exposed));
    a.match.port_count = 0;
    a.match.scope = WANT_LOOPBACK;
    assert_int_equal(policy_seal(&policy), 0);
    assert_true(rules_can_produce(&policy, &exposed));
    policy_unseal(&policy);
}

/* Blindness is about what was seen just now, whatever the policy was. */
static void blind_is_left_to_the_next_verdict(void **state)
{
    static const struct policy empty;
    const struct alert_key key = {.rule = RULE_BLIND, .protocol = PROTOCOL_RAW};

    (void)state;
    assert_true(rules_can_produce(&empty, &key));
}

/* What a verdict contains, its policy can produce. */
static void every_finding_can_be_produced(void **state)
{
    static const char *const sockets[] = {"", "127.0.0.1:80", "0.0.0.0:80 127.0.0.1:53",
                                          "192.0.2.2:80 10.0.0.1:53 0.0.0.0:54 udp/0.0.0.0:53"};
    const struct matcher web = on_ports(port_80, WANT_PUBLIC, NULL);
    const struct matcher dns = on_ports(port_53, WANT_LOOPBACK, NULL);
    const struct matcher alone = on_ports(port_80, WANT_ANY, "192.0.2.1");
    struct expect expects[] = {expect_of("web", &web), expect_of("dns", &dns), expect_of("alone", &alone)};
    struct port_range port_54[] = {{54, 54}};
    struct allow a = {.match = on_ports(port_54, WANT_LOOPBACK, NULL)};
    struct policy policy = {
        .expects = expects, .expect_count = 3, .allows = &a, .allow_count = 1, .unexpected.enabled = true};
    uint32_t rules = 0;

    (void)state;
    expects[0].families[1] = true;
    for (size_t i = 0; i < ARRAY_LENGTH(sockets); i++) {
        struct listener_builder *b = builder(sockets[i]);
        const struct verdict *v;

        listener_builder_end(b, PROTOCOL_RAW, PART_ALL, VISIBILITY_FAILED, -EIO);
        v = judge(b, &policy, &no_own);
        assert_int_equal(policy_seal(&policy), 0);
        for (size_t k = 0; k < v->count; k++) {
            assert_true(rules_can_produce(&policy, &v->findings[k].key));
            rules |= 1u << v->findings[k].key.rule;
        }
        policy_unseal(&policy);
        verdict_unref(v);
    }
    /* all of them were there, but for those of other files */
    assert_int_equal(rules, ((1u << RULE_COUNT) - 1) &
                                ~(1u << RULE_WRONG_OWNER | 1u << RULE_ACCEPT_QUEUE_SATURATED |
                                  1u << RULE_FLAPPING | 1u << RULE_DROPPING |
                                  1u << RULE_CONNECTIONS_OUT_OF_RANGE | 1u << RULE_STUCK_CONNECTIONS |
                                  1u << RULE_EPHEMERAL_PORTS_EXHAUSTED | 1u << RULE_UNREACHABLE));
}

static void a_service_is_found_or_not_listening(void **state)
{
    static const char *const sockets[] = {"",           "127.0.0.1:80", "192.0.2.10:80", "10.0.0.1:80",
                                          "0.0.0.0:80", "0.0.0.0:81",   "udp/0.0.0.0:80"};
    static const char *const texts[] = {"NotListening(inner:80)", "NotListening(outer:80)"};
    const struct matcher inner = on_ports(port_80, WANT_ANY, "127.0.0.1");
    const struct matcher outer = on_ports(port_80, WANT_ANY, "192.0.2.10");
    struct expect expects[] = {expect_of("inner", &inner), expect_of("outer", &outer)};
    struct policy policy = {.expects = expects, .expect_count = 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sockets); i++) {
        const struct verdict *v = judge(builder(sockets[i]), &policy, &no_own);
        char text[FINDINGS_TEXT_MAX];

        findings_text(v, text);
        assert_int_equal(v->service_count, 2);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(v->services[k].found > 0, strstr(text, texts[k]) == NULL);
            assert_int_equal(v->services[k].found == 0,
                             (v->services[k].broken & 1u << RULE_NOT_LISTENING) != 0);
        }
        verdict_unref(v);
    }
}

static void no_policy_finds_nothing(void **state)
{
    struct policy policy = {0};
    struct listener_builder *b = builder("0.0.0.0:80 *:22 udp/0.0.0.0:53");

    (void)state;
    listener_builder_end(b, PROTOCOL_RAW, PART_ALL, VISIBILITY_FAILED, -EIO);
    assert_judged(b, &policy, &no_own, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_listening_means_no_listener_at_all),
        cmocka_unit_test(loopback_only_means_that_nothing_is_bound_beyond_it),
        cmocka_unit_test(exposed_means_that_something_is_bound_beyond_loopback),
        cmocka_unit_test(wrong_address_means_that_the_address_is_not_served),
        cmocka_unit_test(wrong_address_also_means_that_a_family_is_not_served),
        cmocka_unit_test(an_address_is_where_the_service_is_bound_and_nowhere_else),
        cmocka_unit_test(every_port_of_an_entry_must_listen),
        cmocka_unit_test(the_highest_port_ends_a_range),
        cmocka_unit_test(two_entries_share_a_port_by_their_addresses),
        cmocka_unit_test(an_entry_with_an_address_leaves_the_others_to_one_without),
        cmocka_unit_test(a_claimed_loopback_listener_makes_a_public_service_loopback_only),
        cmocka_unit_test(an_address_on_the_loopback_device_is_not_served),
        cmocka_unit_test(a_listener_not_declared_is_unexpected),
        cmocka_unit_test(ignore_loopback_ignores_no_more_than_loopback),
        cmocka_unit_test(ports_that_the_kernel_chose_are_allowed_as_such),
        cmocka_unit_test(ignore_kernel_chosen_ignores_no_more_than_that),
        cmocka_unit_test(ports_that_the_kernel_chose_are_allowed_at_an_address),
        cmocka_unit_test(a_port_that_the_kernel_chose_is_nobodys_service),
        cmocka_unit_test(an_expected_address_does_not_cover_another_one),
        cmocka_unit_test(one_condition_never_has_two_alerts),
        cmocka_unit_test(allowed_listeners_are_fine_within_their_scope),
        cmocka_unit_test(an_allowed_scope_is_judged_without_unexpected),
        cmocka_unit_test(the_most_generous_allow_entry_counts),
        cmocka_unit_test(our_own_sockets_are_always_allowed),
        cmocka_unit_test(our_own_sockets_need_not_stay_on_loopback),
        cmocka_unit_test(a_group_that_is_not_followed_whole_is_not_ours),
        cmocka_unit_test(a_class_that_was_not_read_yields_no_findings_but_blind),
        cmocka_unit_test(blindness_is_reported_only_where_a_rule_needs_to_see),
        cmocka_unit_test(an_absent_protocol_hides_no_unexpected_listener),
        cmocka_unit_test(only_a_failed_read_is_looked_at_again_before_blind_fires),
        cmocka_unit_test(the_other_ports_of_a_class_may_be_blind_alone),
        cmocka_unit_test(a_class_that_was_not_read_whole_is_blind_where_that_matters),
        cmocka_unit_test(a_class_that_was_not_read_whole_is_blind_for_allowed_scopes),
        cmocka_unit_test(findings_about_listeners_are_bounded_for_each_user),
        cmocka_unit_test(a_verdict_says_which_classes_were_seen),
        cmocka_unit_test(findings_carry_severity_and_for_of_their_entry),
        cmocka_unit_test(keys_say_what_a_finding_is_about),
        cmocka_unit_test(summaries_say_it_in_one_line),
        cmocka_unit_test(summaries_about_one_listener_name_it),
        cmocka_unit_test(a_long_summary_is_cut),
        cmocka_unit_test(listeners_carry_the_rules_that_concern_them),
        cmocka_unit_test(rules_are_named_as_in_the_contract),
        cmocka_unit_test(an_entry_uses_the_rules_that_can_fire_for_it),
        cmocka_unit_test(an_expected_service_needs_its_class_only),
        cmocka_unit_test(unexpected_needs_every_class_that_the_kernel_has),
        cmocka_unit_test(an_allowed_scope_needs_its_class),
        cmocka_unit_test(a_policy_can_produce_what_its_entries_use),
        cmocka_unit_test(a_policy_can_produce_what_it_says_about_other_ports),
        cmocka_unit_test(blind_is_left_to_the_next_verdict),
        cmocka_unit_test(every_finding_can_be_produced),
        cmocka_unit_test(a_service_is_found_or_not_listening),
        cmocka_unit_test(no_policy_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
