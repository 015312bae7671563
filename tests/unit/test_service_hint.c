#include "exporters/service_hint.h"
#include "tests/unit/scene.h"

/* Whether the service of the only listener is a guess. */
static bool is_doubtful(const char *socket, const char *made, const char *holders)
{
    struct holder_list list = {0};
    const struct listener *l;
    struct scene s;
    size_t count;
    bool doubtful;

    scene_init(&s);
    scene_own(&s, made, holders);
    scene_listen(&s, socket, NULL);
    scene_seal(&s);
    l = view_listeners(&s.view, &count);
    assert_int_equal(count, 1);
    assert_int_equal(listener_holders(l, &list), 0);
    doubtful = service_hint_is_doubtful(l, &list);
    holder_list_done(&list);
    scene_done(&s);
    return doubtful;
}

static void a_program_that_is_called_so_leaves_no_doubt(void **state)
{
    (void)state;
    assert_false(is_doubtful("*:22", "0:root:", "7:sshd:root:"));
    assert_false(is_doubtful("*:80", "0:root:", "7:nginx:root:nginx.service"));
    assert_false(is_doubtful("*:80", "0:root:", "7:Apache2:root:"));
    assert_false(is_doubtful("*:8080", "0:root:", "7:java:root:tomcat9.service"));
    assert_false(is_doubtful("*:3306", "0:root:", "7:mariadbd:mysql:"));
    assert_false(is_doubtful("*:3306", "0:root:", "7:x:mysql::/usr/sbin/mysqld"));
    assert_false(is_doubtful("*:5432", "0:root:", "7:postgres:postgres:"));
    assert_false(is_doubtful("udp/0.0.0.0:53", "0:root:", "7:systemd-resolve:a:"));
}

static void any_of_several_holders_may_be(void **state)
{
    (void)state;
    assert_false(is_doubtful("*:80", "0:root:", "7:wrapper:root:,8:nginx:root:"));
}

static void another_program_is_one(void **state)
{
    (void)state;
    assert_true(is_doubtful("*:80", "0:root:", "7:sshd:root:ssh.service"));
    assert_true(is_doubtful("*:3306", "0:root:", "7:nginx:root:nginx.service:/usr/sbin/nginx"));
    assert_true(is_doubtful("*:22", "0:root:", "7:nc:bob:"));
    assert_true(is_doubtful("*:22", "0:root:", "7:s:bob:")); /* a short name is in many others */
    assert_true(is_doubtful("*:80", "0:root:backup.service", ""));
}

static void nobody_known_is_no_doubt(void **state)
{
    (void)state;
    assert_false(is_doubtful("*:80", "0:root:", ""));
    assert_false(is_doubtful("*:80", "0:root:", "7::root:"));
    assert_false(is_doubtful("*:80", "0:root:session-3.scope", ""));
    assert_false(is_doubtful("*:80", "1000:bob:user@1000.service", ""));
    assert_false(is_doubtful("*:80", "0:root:docker-0123.scope", ""));
    assert_false(is_doubtful("*:80", "0:root:init.scope", "1:systemd:root:init.scope"));
}

static void what_has_no_name_needs_none(void **state)
{
    (void)state;
    assert_false(is_doubtful("*:9000", "0:root:", "7:nginx:root:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_is_called_so_leaves_no_doubt),
        cmocka_unit_test(any_of_several_holders_may_be),
        cmocka_unit_test(another_program_is_one),
        cmocka_unit_test(nobody_known_is_no_doubt),
        cmocka_unit_test(what_has_no_name_needs_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
