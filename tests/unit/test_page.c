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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_host_is_a_well_nested_page),
        cmocka_unit_test(a_name_cannot_become_markup),
        cmocka_unit_test(a_class_that_was_not_seen_has_no_number),
        cmocka_unit_test(a_protocol_that_the_kernel_lacks_is_not_mentioned),
        cmocka_unit_test(without_alerts_the_page_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
