#include "exporters/http_routes.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static const char *const paths[] = {"/", "/metrics", "/api/v1/listeners", "/-/healthy", "/-/ready"};

static void every_body_has_its_path_and_type(void **state)
{
    (void)state;
    assert_int_equal(http_route_find("/metrics")->body, BODY_METRICS);
    assert_string_equal(http_route_find("/metrics")->content_type,
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_int_equal(http_route_find("/")->body, BODY_PAGE);
    assert_string_equal(http_route_find("/")->content_type, "text/html; charset=utf-8");
    assert_int_equal(http_route_find("/api/v1/listeners")->body, BODY_LISTENERS);
    assert_string_equal(http_route_find("/api/v1/listeners")->content_type, "application/json");
}

static void health_and_readiness_are_no_bodies(void **state)
{
    (void)state;
    assert_int_equal(http_route_find("/-/healthy")->kind, ROUTE_FIXED);
    assert_int_equal(http_route_find("/-/healthy")->fixed, HTTP_HEALTHY);
    assert_int_equal(http_route_find("/-/ready")->kind, ROUTE_READY);
}

static void only_what_tells_nothing_about_the_host_may_be_public(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        const struct http_route *route = http_route_find(paths[i]);

        assert_non_null(route);
        assert_int_equal(route->may_be_public, route->kind != ROUTE_BODY);
    }
}

static void a_path_that_is_almost_one_is_none(void **state)
{
    static const char *const others[] = {
        "",
        "*",
        "//",
        "metrics",
        "/metrics/",
        "/Metrics",
        "/metrics%00",
        "/-/",
        "/-/healthyy",
        "/api/v1/listeners/",
        "/api/v2/listeners",
        "/api",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_null(http_route_find(others[i]));
}

static void the_path_of_a_target_in_origin_form_is_all_of_it(void **state)
{
    static const char *const targets[] = {"/",   "/metrics", "//metrics",     "/http://x/metrics",
                                          "*",   "metrics",  "http:/metrics", "ftp://x/metrics",
                                          "x:80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++)
        assert_ptr_equal(http_target_path(targets[i]), targets[i]);
    assert_null(http_target_path(""));
}

static void the_path_of_one_in_absolute_form_follows_the_authority(void **state)
{
    static const char *const authorities[] = {
        "127.0.0.1",         "127.0.0.1:10066",   "localhost",     "localhost:", "LOCALHOST:0",
        "a:65535",           "a:000080",          "[::1]",         "[::1]:80",   "[2001:db8::1.2.3.4]:",
        "host_a-b.example.", "b%c3%bcro.example", "a!$&'()*+,;=~", "1.2.3.4.5"};
    static const char *const schemes[] = {"http", "https", "HTTP", "Https"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(authorities); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(schemes); k++) {
            char target[128];
            int length = snprintf(target, sizeof target, "%s://%s", schemes[k], authorities[i]);

            assert_string_equal(http_target_path(target), "/");
            (void)snprintf(target + length, sizeof target - (size_t)length, "/-/ready");
            assert_ptr_equal(http_target_path(target), target + length);
            (void)snprintf(target + length, sizeof target - (size_t)length, "//[x]:a@b");
            assert_ptr_equal(http_target_path(target), target + length);
        }
}

static void a_malformed_authority_has_no_path(void **state)
{
    static const char *const authorities[] = {"",
                                              ":",
                                              ":80",
                                              "a:b",
                                              "a:65536",
                                              "a:80:80",
                                              "a:-1",
                                              "a:99999999999999999999",
                                              "a:80 ",
                                              "a b",
                                              "user@a",
                                              "u:p@a:80",
                                              "@a",
                                              "a%",
                                              "a%4",
                                              "a%zz",
                                              "a#b",
                                              "a\\b",
                                              "<a>",
                                              "\"a\"",
                                              "a\tb",
                                              "a\xc3\xa4",
                                              "::1",
                                              "[",
                                              "[]",
                                              "[::1",
                                              "[::1]a",
                                              "[::1]80",
                                              "[a]",
                                              "[127.0.0.1]",
                                              "[::1%25lo]",
                                              "[::1]:x",
                                              "[:::]",
                                              "x[::1]",
                                              "[v1.a]",
                                              "]",
                                              "[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(authorities); i++) {
        char target[128];

        (void)snprintf(target, sizeof target, "http://%s/metrics", authorities[i]);
        assert_null(http_target_path(target));
        (void)snprintf(target, sizeof target, "https://%s", authorities[i]);
        assert_null(http_target_path(target));
    }
}

static void every_fixed_answer_has_a_status_and_a_line(void **state)
{
    (void)state;
    for (int i = 0; i < HTTP_FIXED_COUNT; i++) {
        const struct http_fixed_answer *answer = http_fixed_answer((enum http_fixed)i);

        assert_in_range(answer->status, 200, 599);
        assert_int_equal(strchr(answer->text, '\n') - answer->text, strlen(answer->text) - 1);
    }
    assert_int_equal(http_fixed_answer(HTTP_NOT_READY)->status, 503);
    assert_int_equal(http_fixed_answer(HTTP_NO_MEMORY)->status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_has_its_path_and_type),
        cmocka_unit_test(health_and_readiness_are_no_bodies),
        cmocka_unit_test(only_what_tells_nothing_about_the_host_may_be_public),
        cmocka_unit_test(a_path_that_is_almost_one_is_none),
        cmocka_unit_test(the_path_of_a_target_in_origin_form_is_all_of_it),
        cmocka_unit_test(the_path_of_one_in_absolute_form_follows_the_authority),
        cmocka_unit_test(a_malformed_authority_has_no_path),
        cmocka_unit_test(every_fixed_answer_has_a_status_and_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
