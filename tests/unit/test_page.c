#include "exporters/page.h"
#include "tests/unit/scene.h"

enum { DEPTH_MAX = 32, TAG_NAME_MAX = 16 };

/* Returns owned. */
static char *render(const struct scene *s)
{
    struct buf out;
    size_t length;
    char *text;

    buf_init(&out);
    page_render(&s->view, &out);
    text = buf_take(&out, &length);
    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    return text;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("missing: %s", part);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("should not be there: %s", part);
}

/* Whether every element is closed, in the reverse order of opening, and every
 * "&" begins one of the entities that the page uses. */
static void assert_well_nested(const char *text)
{
    char open[DEPTH_MAX][TAG_NAME_MAX];
    size_t depth = 0;

    for (const char *p = strchr(text, '<'); p; p = strchr(p + 1, '<')) {
        char name[TAG_NAME_MAX];

        assert_non_null(strchr(p, '>'));
        if (sscanf(p, "</%15[a-z0-9]>", name) == 1) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (strncmp(p, "<!DOCTYPE html>", 15) == 0) {
            assert_ptr_equal(p, text);
        } else {
            assert_int_equal(sscanf(p, "<%15[a-z0-9]", name), 1);
            if (strcmp(name, "meta") == 0) /* has no end */
                continue;
            assert_in_range(depth, 0, DEPTH_MAX - 1);
            memcpy(open[depth++], name, sizeof name);
        }
    }
    assert_int_equal(depth, 0);
    for (const char *p = strchr(text, '&'); p; p = strchr(p + 1, '&'))
        assert_true(strncmp(p, "&amp;", 5) == 0 || strncmp(p, "&lt;", 4) == 0 || strncmp(p, "&gt;", 4) == 0 ||
                    strncmp(p, "&quot;", 6) == 0);
}

static void a_mixed_host_is_a_well_nested_page(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_of_a_mixed_host(&s);
    text = render(&s);
    assert_well_nested(text);
    assert_contains(text, "Version 0.1.0. 4 expected services.");
    assert_contains(text, "<tr><td>tcp</td><td>6</td></tr>");
    assert_contains(text, "<tr><td>udp</td><td>2</td></tr>");
    assert_contains(text, "<tr><td>raw</td><td>1</td></tr>");
    assert_contains(text,
                    "<tr><td>firing</td><td>critical</td><td>LoopbackOnly</td><td>mysql: tcp port 3306 is "
                    "bound only to loopback (127.0.0.1:3306), expected beyond it</td></tr>");
    assert_contains(text, "<h2>Expected services</h2>\n");
    assert_true(strstr(text, "<h2>Expected services</h2>") < strstr(text, "<h2>Alerts</h2>"));
    assert_contains(text, "<tr><td>wrong</td><td>mysql</td><td>tcp</td><td>3306</td>"
                          "<td>2023-11-14 22:13:20 UTC</td><td>LoopbackOnly</td></tr>");
    assert_contains(text, "<tr><td>ok</td><td>ssh</td><td>tcp</td><td>22</td><td></td><td></td></tr>");
    assert_contains(text, "<a href=\"/metrics\">");
    assert_contains(text, "<a href=\"/api/v1/listeners\">");
    assert_lacks(text, "<script");
    free(text);
    scene_done(&s);
}

static void a_name_cannot_become_markup(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "<script>alert(\"&\")</script>", PROTOCOL_TCP, "80", WANT_ANY);
    scene_seal(&s);
    scene_raise_alerts(&s);
    s.view.version = "1<2>&\"3\"";
    text = render(&s);
    assert_well_nested(text);
    assert_lacks(text, "<script");
    assert_contains(text, "<td>&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;: tcp port 80 has no "
                          "listener</td>");
    assert_contains(text, "Version 1&lt;2&gt;&amp;&quot;3&quot;.");
    free(text);
    scene_done(&s);
}

static void a_class_that_was_not_seen_has_no_number(void **state)
{
    static const enum visibility unseen[] = {VISIBILITY_UNSUPPORTED, VISIBILITY_FAILED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++) {
        struct scene s;
        char *text;

        scene_init(&s);
        listener_builder_end(s.builder, PROTOCOL_TCP, PART_ALL, unseen[i], -EPERM);
        scene_seal(&s);
        text = render(&s);
        assert_well_nested(text);
        assert_contains(text, "<tr><td>tcp</td><td>cannot be read on this host</td></tr>");
        assert_contains(text, "<tr><td>udp</td><td>0</td></tr>");
        free(text);
        scene_done(&s);
    }
}

static void a_protocol_that_the_kernel_lacks_is_not_mentioned(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    text = render(&s);
    assert_lacks(text, "udplite");
    assert_contains(text, "<td>sctp</td>");
    free(text);
    scene_done(&s);
}

static void without_alerts_the_page_says_so(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "ssh", PROTOCOL_TCP, "22", WANT_ANY);
    scene_listen(&s, "*:22", "0/5");
    scene_seal(&s);
    text = render(&s);
    assert_well_nested(text);
    assert_contains(text, "<h2>Alerts</h2>\n<p>None.</p>");
    assert_contains(text, " 1 expected service.");
    free(text);
    scene_done(&s);
}

/* An alert that says what it is: "firing critical mysql". */
static void add_alert(struct scene *s, enum alert_state state, enum severity severity, const char *name)
{
    struct alert *a;

    s->alerts.items = realloc(s->alerts.items, (s->alerts.count + 1) * sizeof *s->alerts.items);
    assert_non_null(s->alerts.items);
    a = &s->alerts.items[s->alerts.count++];
    *a = (struct alert){.state = state, .severity = severity};
    (void)snprintf(a->key.name, sizeof a->key.name, "%s", name);
    (void)snprintf(a->summary, sizeof a->summary, "%s %s %s", alert_state_name(state),
                   severity_name(severity), name);
}

static void the_worst_come_first_and_the_limit_cuts_the_others(void **state)
{
    static const char *const order[] = {
        "firing critical mysql",  "firing critical ",      "firing warning ",
        "pending critical mysql", "pending warning mysql", "pending warning ",
    };
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    add_alert(&s, ALERT_PENDING, SEVERITY_WARNING, "");
    add_alert(&s, ALERT_FIRING, SEVERITY_CRITICAL, "");
    add_alert(&s, ALERT_FIRING, SEVERITY_WARNING, "");
    add_alert(&s, ALERT_PENDING, SEVERITY_WARNING, "mysql");
    add_alert(&s, ALERT_FIRING, SEVERITY_CRITICAL, "mysql");
    add_alert(&s, ALERT_PENDING, SEVERITY_CRITICAL, "mysql");
    scene_seal_alerts(&s);
    for (size_t rows = 1; rows <= ARRAY_LENGTH(order); rows++) {
        const char *from;
        char *text, cut[80];

        s.view.limits.page_rows = (int64_t)rows;
        assert_int_equal(page_rows_cut(s.list, s.verdict, &s.view.limits), ARRAY_LENGTH(order) - rows);
        from = text = render(&s);
        assert_well_nested(text);
        for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
            char wanted[80];

            (void)snprintf(wanted, sizeof wanted, "<td>%s</td></tr>", order[i]);
            if (i >= rows) {
                assert_lacks(text, wanted);
                continue;
            }
            from = strstr(from, wanted);
            assert_non_null(from);
        }
        (void)snprintf(cut, sizeof cut, "<p>%zu more are not shown (limits.page_rows = %zu).</p>",
                       ARRAY_LENGTH(order) - rows, rows);
        (rows < ARRAY_LENGTH(order) ? assert_contains : assert_lacks)(text, cut);
        free(text);
    }
    assert_int_equal(page_rows_cut(s.list, s.verdict, &(const struct limits){.page_rows = 500}), 0);
    scene_done(&s);
}

static void the_limit_cuts_services_too(void **state)
{
    struct scene s;
    char *text;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80-89", WANT_ANY);
    scene_listen(&s, "0.0.0.0:80", "0/1");
    scene_seal(&s);
    s.view.limits.page_rows = 4;
    assert_int_equal(page_rows_cut(s.list, s.verdict, &s.view.limits), 6);
    text = render(&s);
    assert_contains(text, "<td>84</td>");
    assert_lacks(text, "<td>85</td>");
    assert_lacks(text, "<td>80</td>");
    assert_contains(text, "<p>6 more are not shown (limits.page_rows = 4).</p>");
    free(text);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_host_is_a_well_nested_page),
        cmocka_unit_test(a_name_cannot_become_markup),
        cmocka_unit_test(a_class_that_was_not_seen_has_no_number),
        cmocka_unit_test(a_protocol_that_the_kernel_lacks_is_not_mentioned),
        cmocka_unit_test(without_alerts_the_page_says_so),
        cmocka_unit_test(the_worst_come_first_and_the_limit_cuts_the_others),
        cmocka_unit_test(the_limit_cuts_services_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
