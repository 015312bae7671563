/* Packet sockets, from the text of the configuration to the verdict. */
#include "core/coverage.h"
#include "tests/unit/config_files.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"

#define MINDS "unexpected: { protocols = [ \"tcp\", \"packet\" ]; }; "

static const struct own_sockets no_own;

/* A host with a sniffer of eve's, on eth0, and a raw socket. */
static const struct listener_table *table_of_a_sniffer(void)
{
    struct owner_set *owners = owners_of("1000:eve:", "666:tcpdump:eve:");
    struct listener_builder *b = new_builder(1000);
    struct listener_row row = {.protocol = PROTOCOL_PACKET,
                               .port = 0x0806,
                               .ifindex = 2,
                               .interface = "eth0",
                               .cookie = 1,
                               .uid = 1000,
                               .owners = owners};
    const struct listener_table *t;

    assert_non_null(b);
    assert_int_equal(listener_builder_add(b, &row), 0);
    add_rows(b, "raw/0.0.0.0:1", 2);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    t = seal_all(b);
    assert_non_null(t);
    listener_builder_free(b);
    owner_set_unref(owners);
    return t;
}

static const struct verdict *judge(struct fixture *f, const char *config)
{
    struct space space = {.name = "", .listeners = table_of_a_sniffer()};
    const struct verdict *v;

    assert_loads(f, config);
    v = judge_space(&space, &f->config->policy, &no_own);
    assert_non_null(v);
    listener_table_unref(space.listeners);
    return v;
}

static void a_sniffer_is_unexpected_where_that_is_asked_for(void **state)
{
    static const struct {
        const char *config, *summary;
    } cases[] = {
        {"unexpected: { };", "raw 0.0.0.0:1 (icmp) listens, but is neither expected nor allowed"},
        {"unexpected: { protocols = [ \"udp\" ]; };", NULL},
        {MINDS,
         "packet 0x0806%eth0 (arp) listens, but is neither expected nor allowed (tcpdump[666], user eve)"},
        {MINDS "allow = ( { protocol = \"packet\"; user = \"eve\"; } );", NULL},
        {MINDS "allow = ( { protocol = \"packet\"; user = \"root\"; } );",
         "packet 0x0806%eth0 (arp) listens, but is neither expected nor allowed (tcpdump[666], user eve)"},
        {"deny = ( { protocol = \"packet\"; user = \"eve\"; } );",
         "packet 0x0806%eth0 (arp) listens, but is denied (tcpdump[666], user eve)"},
        {"deny = ( { protocol = \"packet\"; user = \"bob\"; } );", NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct verdict *v = judge(*state, cases[i].config);

        assert_int_equal(v->count, cases[i].summary != NULL);
        if (cases[i].summary)
            assert_string_equal(v->findings[0].summary, cases[i].summary);
        verdict_unref(v);
    }
}

static void its_alert_is_told_apart_by_what_it_sees(void **state)
{
    struct fixture *f = *state;
    const struct verdict *v = judge(f, MINDS);
    const struct alert_key key = v->findings[0].key;

    assert_false(key.has_port);
    assert_int_equal(key.port, 0x0806);
    assert_string_equal(key.interface, "eth0");
    assert_true(rules_can_produce(&f->config->policy, &key));
    verdict_unref(v);
    assert_true(policy_minds(&f->config->policy, PROTOCOL_PACKET));
    assert_loads(f, "unexpected: { }; deny = ( { port = 23; } );");
    assert_false(policy_minds(&f->config->policy, PROTOCOL_PACKET));
    assert_false(rules_can_produce(&f->config->policy, &key));
}

static void a_baseline_is_not_about_it(void **state)
{
    struct fixture *f = *state;
    const struct listener_table *t = table_of_a_sniffer();
    const struct listener **open;
    size_t count;

    assert_loads(f, "unexpected: { protocols = [ \"raw\", \"packet\" ]; };");
    assert_int_equal(coverage_find_open(t, &f->config->policy, &no_own, &open, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(open[0]->protocol, PROTOCOL_RAW);
    free(open);
    listener_table_unref(t);
}

static void which_protocols_are_looked_at_is_shown(void **state)
{
    struct fixture *f = *state;
    struct buf out;

    buf_init(&out);
    assert_loads(f, "unexpected: { };");
    config_show(f->config, &out);
    assert_non_null(
        strstr(buf_text(&out), "protocols = [ \"tcp\", \"udp\", \"udplite\", \"sctp\", \"raw\" ];"));
    assert_loads(f, buf_text(&out));
    buf_truncate(&out, 0);
    assert_loads(f, MINDS);
    config_show(f->config, &out);
    assert_non_null(strstr(buf_text(&out), "protocols = [ \"tcp\", \"packet\" ];"));
    buf_done(&out);
}

static void an_entry_about_packet_sockets_has_only_an_owner(void **state)
{
    static const struct {
        const char *config, *error;
    } cases[] = {
        {"allow = ( { protocol = \"packet\"; port = 3; } );", "1: allow[0].port: contradicts protocol"},
        {"deny = ( { protocol = \"packet\"; address = \"192.0.2.1\"; } );",
         "1: deny[0].address: contradicts protocol"},
        {"allow = ( { protocol = [ \"tcp\", \"packet\" ]; ports = \"1\"; } );", "1: allow[0]."},
        {"allow = ( { protocol = \"packet\"; kernel_chosen = true; } );", "1: allow[0].kernel_chosen: "},
        {"allow = ( { protocol = \"tcp\"; } );", "1: allow[0].port: is missing"},
        {"expect = ( { name = \"a\"; protocol = \"packet\"; } );",
         "1: expect[0].protocol: may not be \"packet\""},
        {"unexpected: { protocols = [ \"unix\" ]; };", "1: unexpected.protocols[0]: "},
        {"unexpected: { protocols = [ \"tcp\", \"tcp\" ]; };", "1: unexpected.protocols[1]: "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(load(*state, cases[i].config), ERR_CONFIG);
        if (!strstr(buf_text(&((struct fixture *)*state)->errors), cases[i].error))
            fail_msg("no %s in %s", cases[i].error, buf_text(&((struct fixture *)*state)->errors));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(a_sniffer_is_unexpected_where_that_is_asked_for),
        WITH_FILES(its_alert_is_told_apart_by_what_it_sees),
        WITH_FILES(a_baseline_is_not_about_it),
        WITH_FILES(which_protocols_are_looked_at_is_shown),
        WITH_FILES(an_entry_about_packet_sockets_has_only_an_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
