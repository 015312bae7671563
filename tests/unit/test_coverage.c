#include "core/coverage.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SOCKETS "0.0.0.0:22 127.0.0.1:80 0.0.0.0:81 192.0.2.1:82 0.0.0.0:83~ udp/0.0.0.0:84~"

static const struct own_sockets no_own;

static struct matcher on_port(struct port_range *port, unsigned protocols)
{
    return (struct matcher){.protocols = protocols, .ports = port, .port_count = 1};
}

/* Those that the policy leaves open, as "tcp/22 ". */
static void assert_open(const struct policy *policy, const struct own_sockets *own, const char *wanted)
{
    struct listener_builder *b = new_builder(100);
    const struct listener_table *t;
    const struct listener **open;
    struct buf text;
    size_t count;

    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    add_rows(b, SOCKETS, 1);
    t = seal_all(b);
    listener_builder_free(b);
    assert_int_equal(coverage_find_open(t, policy, own, &open, &count), 0);
    buf_init(&text);
    for (size_t i = 0; i < count; i++)
        buf_fmt(&text, "%s/%u ", protocol_name(open[i]->protocol), open[i]->port);
    assert_string_equal(buf_text(&text), wanted);
    buf_done(&text);
    free(open);
    listener_table_unref(t);
}

static void without_entries_all_but_clients_and_own_are_open(void **state)
{
    uint64_t cookie = 3;
    const struct own_sockets own = {&cookie, 1};
    const struct policy policy = {.expects = NULL};

    (void)state;
    assert_open(&policy, &no_own, "tcp/22 tcp/80 tcp/81 tcp/82 tcp/83 ");
    assert_open(&policy, &own, "tcp/22 tcp/80 tcp/82 tcp/83 ");
}

static void what_an_entry_is_about_is_not_open_whatever_it_says(void **state)
{
    static struct port_range ports[] = {{22, 22}, {80, 80}, {81, 81}, {82, 82}};
    struct expect expects[] = {{.name = "gone", .match = on_port(&ports[0], 1u << PROTOCOL_UDP)},
                               {.name = "web", .match = on_port(&ports[1], 0)}};
    struct allow allows[] = {{.match = on_port(&ports[2], 0)}};
    struct deny denies[] = {{.match = on_port(&ports[3], 0)}};
    struct policy policy = {.expects = expects,
                            .expect_count = ARRAY_LENGTH(expects),
                            .allows = allows,
                            .allow_count = ARRAY_LENGTH(allows),
                            .denies = denies,
                            .deny_count = ARRAY_LENGTH(denies)};

    (void)state;
    expects[1].match.scope = WANT_PUBLIC;
    allows[0].match.scope = WANT_LOOPBACK;
    assert_open(&policy, &no_own, "tcp/22 tcp/83 ");
    policy.unexpected.ignore_kernel_chosen = true;
    assert_open(&policy, &no_own, "tcp/22 ");
}

/* Who would need to be seen is not known, and is not let in by another entry. */
static void what_hangs_on_an_owner_that_is_hidden_is_not_open(void **state)
{
    static struct port_range port = {22, 22};
    struct allow allow = {.match = on_port(&port, 0)};
    const struct policy policy = {.allows = &allow, .allow_count = 1};

    (void)state;
    allow.match.owner.process = "sshd";
    assert_open(&policy, &no_own, "tcp/80 tcp/81 tcp/82 tcp/83 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_entries_all_but_clients_and_own_are_open),
        cmocka_unit_test(what_an_entry_is_about_is_not_open_whatever_it_says),
        cmocka_unit_test(what_hangs_on_an_owner_that_is_hidden_is_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
