#include "collectors/cgroup.h"
#include "collectors/mounts.h"
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tree that somebody fills with all that fits: here it is made of ordinary
 * directories with long names, below one that was delegated. */
enum { NAME_LENGTH = 250, CHAIN = 14, FLOOD = 1500 };

static char mount[] = "/tmp/cgroups-XXXXXX";

int mounts_each(bool (*take)(void *arg, const struct mount_line *m), void *arg)
{
    struct mount_line m = {.root = "/", .type = "cgroup2"};

    (void)snprintf(m.point, sizeof m.point, "%s", mount);
    (void)take(arg, &m);
    return 0;
}

static uint64_t make(const char *path)
{
    struct stat s;

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(stat(path, &s), 0);
    return s.st_ino;
}

/* Deep, so that few have long paths: a chain, and the rest at its end. */
static void place_of(size_t i, char *ret_path, size_t size)
{
    size_t depth = i < CHAIN ? i + 1 : CHAIN;
    int length = snprintf(ret_path, size, "%s/user.slice", mount);

    for (size_t k = 0; k < depth; k++)
        length += snprintf(ret_path + length, size - (size_t)length, "/%0*d", NAME_LENGTH, 0);
    if (i >= CHAIN)
        length += snprintf(ret_path + length, size - (size_t)length, "/%0*zu", NAME_LENGTH, i);
    assert_in_range(length, 1, size - 1);
}

static void make_flood(void)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < FLOOD; i++) {
        place_of(i, path, sizeof path);
        (void)make(path);
    }
}

static void remove_flood(void)
{
    char path[PATH_MAX];

    for (size_t i = FLOOD; i-- > 0;) {
        place_of(i, path, sizeof path);
        assert_int_equal(rmdir(path), 0);
    }
}

static void walk(struct cgroups *c)
{
    int r = cgroups_walk_begin(c);

    while (r >= 0 && (r = cgroups_walk_step(c)) > 0)
        ;
    assert_int_equal(r, 0);
}

static void the_memory_is_bounded_and_services_are_found(void **state)
{
    struct cgroups *c = cgroups_new();
    char path[PATH_MAX];
    size_t found = 0;
    struct stat s;
    uint64_t id;

    (void)state;
    assert_non_null(c);
    (void)snprintf(path, sizeof path, "%s/user.slice", mount);
    (void)make(path);
    (void)snprintf(path, sizeof path, "%s/system.slice", mount);
    (void)make(path);
    (void)snprintf(path, sizeof path, "%s/system.slice/web.service", mount);
    id = make(path);
    walk(c);
    assert_string_equal(cgroups_path(c, id), "/system.slice/web.service");
    assert_false(cgroups_are_many(c));
    make_flood();
    walk(c);
    assert_true(cgroups_are_many(c));
    for (size_t i = 0; i < FLOOD; i++) {
        place_of(i, path, sizeof path);
        assert_int_equal(stat(path, &s), 0);
        found += cgroups_path(c, s.st_ino) != NULL;
    }
    assert_in_range(found, 1024, FLOOD - 300); /* of about 3.7 KB each */
    remove_flood();
    walk(c);
    assert_false(cgroups_are_many(c));
    assert_string_equal(cgroups_path(c, id), "/system.slice/web.service");
    cgroups_free(c);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(mount) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[256];
    static const char *const made[] = {"/system.slice/web.service", "/system.slice", "/user.slice", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
        (void)snprintf(path, sizeof path, "%s%s", mount, made[i]);
        (void)rmdir(path); /* a test that failed may have left it full */
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_memory_is_bounded_and_services_are_found, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
