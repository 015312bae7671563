/* Unix sockets as each output tells them. */
#include "exporters/json.h"
#include "exporters/json_read.h"
#include "exporters/page.h"
#include "exporters/prom.h"
#include "exporters/table.h"
#include "tests/unit/scene.h"

#define PATH "/run/a\"<b>.sock"

/* A path that every format must escape, expected, and a name that is not there. */
static void scene_of_paths(struct scene *s)
{
    const char *const paths[] = {PATH, "@gone"};

    scene_init(s);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct expect *e = scene_expect(s, i == 0 ? "here" : "gone", PROTOCOL_UNIX, "1", WANT_ANY);

        e->match.ports[0].first = e->match.ports[0].last = unix_path_port(paths[i]);
        e->match.path = strdup(paths[i]);
        assert_non_null(e->match.path);
    }
    assert_int_equal(policy_seal(&s->policy), 0);
    listener_builder_set(s->builder, 1000, &s->policy);
    listener_builder_begin(s->builder, PROTOCOL_UNIX, PART_ALL);
    {
        const struct listener_row row = {.protocol = PROTOCOL_UNIX,
                                         .path = PATH,
                                         .port = unix_path_port(PATH),
                                         .address = unix_path_address(PATH),
                                         .cookie = 7,
                                         .queue = {.known = true, .length = 3, .limit = 80}};

        assert_int_equal(listener_builder_add(s->builder, &row), 0);
    }
    listener_builder_count(s->builder, PROTOCOL_UNIX, PART_ALL);
    listener_builder_end(s->builder, PROTOCOL_UNIX, PART_ALL, VISIBILITY_OK, 0);
    scene_seal(s);
    scene_raise_alerts(s);
}

static void assert_has(const struct buf *out, const char *wanted)
{
    if (!strstr(buf_text(out), wanted))
        fail_msg("no %s in:\n%s", wanted, buf_text(out));
}

/* Takes the spaces and ends of lines away that make JSON readable. */
static void squeeze(struct buf *out)
{
    size_t left = 0;

    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] != ' ' && out->data[i] != '\n')
            out->data[left++] = out->data[i];
    buf_truncate(out, left);
}

static void metrics_have_the_path_instead_of_address_and_port(void **state)
{
    struct prom_dropped before = {{0}}, cut;
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_paths(&s);
    buf_init(&out);
    prom_render(&s.view, &before, &out, &cut);
    assert_has(
        &out,
        "\nsockwatch_expected_listening{name=\"here\",protocol=\"unix\",path=\"/run/a\\\"<b>.sock\"} 1\n");
    assert_has(&out, "\nsockwatch_expected_listening{name=\"gone\",protocol=\"unix\",path=\"@gone\"} 0\n");
    assert_has(&out,
               "\nsockwatch_listener_accept_queue_length{protocol=\"unix\",path=\"/run/a\\\"<b>.sock\"} 3\n");
    assert_has(&out, "\nsockwatch_listeners{protocol=\"unix\"} 2\n");
    assert_has(&out,
               "\nsockwatch_alert_firing{rule=\"NotListening\",name=\"gone\",protocol=\"unix\",port=\"\","
               "severity=\"critical\"} 1\n");
    assert_null(strstr(buf_text(&out), "sockwatch_connections{protocol=\"unix\""));
    buf_done(&out);
    scene_done(&s);
}

static void json_has_the_path_and_null_for_what_does_not_apply(void **state)
{
    const struct alert *alert;
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_paths(&s);
    buf_init(&out);
    json_listeners(&s.view, &out);
    squeeze(&out);
    assert_has(&out, "\"protocol\":\"unix\",\"family\":null,\"address\":null,\"address_present\":null,"
                     "\"port\":null,\"path\":\"/run/a\\\"<b>.sock\"");
    assert_has(
        &out,
        "\"name\":\"gone\",\"protocol\":\"unix\",\"port\":null,\"path\":\"@gone\",\"status\":\"missing\"");
    assert_has(&out, "\"kernel_chosen_port\":null");
    buf_truncate(&out, 0);
    alert = &s.list->items[0];
    json_alerts(&s.policy, &alert, 1, &out);
    squeeze(&out);
    assert_has(&out, "\"address\":null,\"port\":null,\"path\":\"@gone\"");
    assert_null(strstr(buf_text(&out), "\"port\":\""));
    buf_done(&out);
    scene_done(&s);
}

/* What the daemon says of a path is found again, whatever stands for its port. */
static void what_the_json_says_is_read_back(void **state)
{
    uint64_t restarts = 42;
    int64_t since[2] = {1, 1};
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_paths(&s);
    s.view.has_history = true;
    buf_init(&out);
    json_listeners(&s.view, &out);
    assert_int_equal(json_read_restarts(out.data, out.len, snapshot_host(s.snapshot)->listeners, &restarts),
                     0);
    assert_int_equal(restarts, 0);
    assert_int_equal(json_read_since(out.data, out.len, &s.policy, s.verdict, since), 0);
    assert_true(since[0] == VIEW_SINCE_UNKNOWN);
    assert_true(since[1] == SCENE_WALL_MS);
    buf_done(&out);
    scene_done(&s);
}

static void tables_and_the_page_show_the_path(void **state)
{
    const struct port_range port = {1, UINT16_MAX};
    const struct view_filter ports = {.ports = &port, .port_count = 1};
    const struct table_style style = {.now_ms = SCENE_WALL_MS};
    struct scene s;
    struct buf out;

    (void)state;
    scene_of_paths(&s);
    buf_init(&out);
    assert_int_equal(table_expected(&s.view, &style, &out), 2);
    assert_has(&out, PATH);
    assert_has(&out, "@gone");
    buf_truncate(&out, 0);
    table_listeners(&s.view, &style, &out);
    assert_has(&out, "unix   " PATH "  -      -      -         3/80");
    buf_truncate(&out, 0);
    s.view.filter = &ports;
    assert_int_equal(table_expected(&s.view, &style, &out), 0); /* none of them is on a port */
    s.view.filter = NULL;
    page_render(&s.view, &out);
    assert_has(&out, "<td>unix</td><td>/run/a&quot;&lt;b&gt;.sock</td>");
    buf_done(&out);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_have_the_path_instead_of_address_and_port),
        cmocka_unit_test(json_has_the_path_and_null_for_what_does_not_apply),
        cmocka_unit_test(what_the_json_says_is_read_back),
        cmocka_unit_test(tables_and_the_page_show_the_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
