/* How large outputs become at the limits that are default, when every name is
 * as long as it can be and has to be escaped. */
#include "config/config.h"
#include "core/alerts.h"
#include "exporters/bodies.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum { OUTPUT_MAX_BYTES = 6000000, FIRST_PORT = 20000, MEMBERS = 4, HOLDERS = 16 };

/* A host that somebody has filled. */
struct crowd {
    struct config *config;
    struct owner_set *owners[MEMBERS];
    const struct snapshot *snapshot;
    const struct verdict *verdict;
    const struct alert_list *alerts;
    struct status status;
    struct view view;
};

/* Fills a name up, from its second character on. */
static void fill(char *name, size_t size, char first, const char *with)
{
    size_t length = 1;

    name[0] = first;
    for (; length + strlen(with) < size; length += strlen(with))
        memcpy(name + length, with, strlen(with));
    name[length] = '\0';
}

static struct owner_set *make_owners(size_t member)
{
    struct owner_set *set = owner_set_new(HOLDERS);

    assert_non_null(set);
    set->sight = SIGHT_SEEN;
    fill(set->user, 33, 'u', "x");
    fill(set->unit, sizeof set->unit, 'u', "\"");
    for (size_t i = 0; i < HOLDERS; i++) {
        struct holder h = {.pid = (uint32_t)(4000000 + member * HOLDERS + i), .unit_known = true};
        char first = (char)('a' + i);

        fill(h.process, 1 + 14 * strlen("\\x01") + 1, first, "\\x01");
        fill(h.user, 33, first, "x");
        fill(h.unit, sizeof h.unit, first, i % 2 ? "\"" : "\\");
        set->holders[i] = holder_new(&h);
        assert_non_null(set->holders[i]);
    }
    return set;
}

static void add_listener(struct crowd *c, struct listener_builder *b, size_t index)
{
    struct listener_row row = {
        .protocol = PROTOCOL_TCP,
        .v6only = true,
        .port = (uint16_t)(FIRST_PORT + index),
        .ifindex = 2,
        .queue = {.known = true, .length = UINT32_MAX - 2, .limit = UINT32_MAX - 1},
        .drops = {.known = true, .count = UINT32_MAX},
    };

    row.address = address_of("2001:fdb8:ffff:ffff:ffff:ffff:ffff:ffff");
    fill(row.interface, sizeof row.interface, '"', "\"");
    for (size_t i = 0; i < MEMBERS; i++) {
        row.cookie = index * MEMBERS + i + 1;
        row.owners = c->owners[i];
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

static const struct listener_table *make_table(struct crowd *c)
{
    size_t count = (size_t)c->config->limits.listeners;
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *table;

    assert_non_null(b);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (size_t i = 0; i < count; i++)
        add_listener(c, b, i);
    table = seal_all(b);
    assert_non_null(table);
    listener_builder_free(b);
    return table;
}

/* As many as the limits let be there, and some of expected services; and the
 * series of as many others that ended lately. */
static const struct alert_list *make_alerts(const struct limits *limits)
{
    size_t count = (size_t)limits->alerts + 200;
    struct alerts alerts = {.items = calloc(count, sizeof(struct alert)), .count = count};
    const struct alert_list *list;

    assert_non_null(alerts.items);
    for (size_t i = 0; i < count; i++) {
        struct alert *a = &alerts.items[i];

        *a = (struct alert){.key = {.rule = RULE_UNEXPECTED_LISTENER, .has_port = true, .port = (uint16_t)i},
                            .severity = SEVERITY_WARNING,
                            .state = ALERT_FIRING};
        fill(a->summary, sizeof a->summary, '"', "\"");
    }
    assert_int_equal(ended_list_reserve(&alerts.ended, count), 0);
    for (size_t i = 0; i < count; i++) {
        const struct alert_series series = {
            .rule = RULE_UNEXPECTED_LISTENER, .name = "", .has_port = true, .port = (uint16_t)(count + i)};

        ended_list_add(&alerts.ended, &series, SEVERITY_WARNING, 0);
    }
    (void)ended_list_settle(&alerts.ended, 0, 0); /* all are new */
    list = alerts_seal(&alerts);
    assert_non_null(list);
    alerts_done(&alerts);
    return list;
}

static void set_up(struct crowd *c)
{
    static const struct own_sockets none = {.count = 0};
    struct space host = {.name = ""};

    *c = (struct crowd){.config = config_new()};
    assert_non_null(c->config);
    c->config->policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    for (size_t i = 0; i < MEMBERS; i++)
        c->owners[i] = make_owners(i);
    host.listeners = make_table(c);
    c->snapshot = snapshot_new(&host, 1);
    listener_table_unref(host.listeners);
    c->verdict = judge_space(snapshot_host(c->snapshot), &c->config->policy, &none);
    c->alerts = make_alerts(&c->config->limits);
    assert_non_null(c->verdict);
    c->view = (struct view){
        .snapshot = c->snapshot,
        .policy = &c->config->policy,
        .verdict = c->verdict,
        .alerts = c->alerts,
        .status = &c->status,
        .has_history = true,
        .limits = c->config->limits,
        .version = "1.2.3",
        .revision = "abc",
    };
}

static void tear_down(struct crowd *c)
{
    snapshot_unref(c->snapshot);
    verdict_unref(c->verdict);
    alert_list_unref(c->alerts);
    for (size_t i = 0; i < MEMBERS; i++)
        owner_set_unref(c->owners[i]);
    config_unref(c->config);
}

/* Checks and empties what was rendered. */
static void assert_size(const char *what, struct buf *out, size_t least, size_t most)
{
    print_message("%s: %zu bytes\n", what, out->len);
    assert_false(out->failed);
    assert_in_range(out->len, least, most);
    buf_done(out);
}

static void outputs_stay_small_whatever_names_are_like(void **state)
{
    static const struct prom_dropped before;
    struct prom_dropped cut;
    struct crowd c;
    struct buf out;

    (void)state;
    set_up(&c);
    buf_init(&out);
    prom_render(&c.view, &before, &out, &cut);
    assert_int_equal(cut.series[PROM_LISTENER_INFO], 0); /* long names cut what comes later */
    assert_true(cut.series[PROM_LISTENER_RESTARTS_TOTAL] > 0);
    assert_size("exposition", &out, OUTPUT_MAX_BYTES / 2, OUTPUT_MAX_BYTES - 1);
    page_render(&c.view, &out);
    assert_size("page", &out, 500 * 384 * 6, OUTPUT_MAX_BYTES - 1);
    json_listeners(&c.view, &out);
    assert_size("JSON", &out, OUTPUT_MAX_BYTES, BODIES_MAX_BYTES - 1);
    tear_down(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_stay_small_whatever_names_are_like),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
