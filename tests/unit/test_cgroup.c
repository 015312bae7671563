#include "collectors/cgroup.h"
#include "collectors/mounts.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The tree of the machine that runs the tests, as far as it has one. */

static bool take_mount(void *arg, const struct mount_line *m)
{
    char *mount = arg;

    if (strcmp(m->type, "cgroup2") != 0 || strcmp(m->root, "/") != 0)
        return true;
    memcpy(mount, m->point, sizeof m->point);
    return false;
}

static int set_up(void **state)
{
    *state = cgroups_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    cgroups_free(*state);
    return 0;
}

/* Our place in it. */
static bool own_path(char *ret_path, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;

    while (file && !found && fgets(ret_path, (int)size, file))
        found = strncmp(ret_path, "0::", 3) == 0;
    if (file)
        assert_int_equal(fclose(file), 0);
    if (found) {
        memmove(ret_path, ret_path + 3, strlen(ret_path + 3) + 1);
        ret_path[strcspn(ret_path, "\n")] = '\0';
    }
    return found;
}

static void mounts_are_told_until_it_is_enough(void **state)
{
    char mount[sizeof((struct mount_line *)0)->point] = "";

    (void)state;
    assert_int_equal(mounts_each(take_mount, mount), 0);
    if (*mount)
        assert_int_equal(access(mount, F_OK), 0);
}

/* By then every path that is known has the id it is known by. */
static void a_walk_finds_the_directories_by_their_inodes(void **state)
{
    char mount[sizeof((struct mount_line *)0)->point] = "", path[4096], name[8192];
    size_t steps = 0;
    struct stat s;
    int r;

    assert_int_equal(mounts_each(take_mount, mount), 0);
    r = cgroups_walk_begin(*state);
    if (!*mount) {
        assert_int_equal(r, -ENOENT);
        return;
    }
    assert_int_equal(r, 0);
    do
        r = cgroups_walk_step(*state);
    while (r > 0 && ++steps);
    assert_int_equal(r, 0);
    assert_true(steps > 0);
    assert_null(cgroups_path(*state, 0));
    if (!own_path(path, sizeof path) || strcmp(path, "/") == 0)
        return; /* where no id tells */
    (void)snprintf(name, sizeof name, "%s%s", mount, path);
    if (stat(name, &s) == 0)
        assert_string_equal(cgroups_path(*state, s.st_ino), path);
}

static void a_walk_may_be_given_up_and_begun_anew(void **state)
{
    int r = cgroups_walk_begin(*state);

    if (r == -ENOENT)
        skip(); /* no cgroup2 here */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cgroups_walk_begin(*state), 0);
        assert_int_equal(cgroups_walk_step(*state), 1);
    }
}

static void we_are_among_the_members_of_our_cgroup(void **state)
{
    struct cgroup_members m;
    char path[4096];
    uint32_t pid;
    bool found = false;
    int r;

    if (!own_path(path, sizeof path) || cgroup_members_open(&m, *state, path) < 0)
        skip(); /* no cgroup2 here, or our place in it is not to be seen */
    while ((r = cgroup_members_next(&m, &pid)) > 0)
        found |= pid == (uint32_t)getpid();
    cgroup_members_close(&m);
    assert_int_equal(r, 0);
    assert_true(found);
}

static void a_cgroup_that_is_gone_has_no_members(void **state)
{
    struct cgroup_members m;

    assert_int_equal(cgroup_members_open(&m, *state, "/no such cgroup"), -ENOENT);
    assert_int_equal(m.fd, -1);
    cgroup_members_close(&m);
}

/* However a read cuts them. */
static void members_are_read_whole(void **state)
{
    char path[] = "/tmp/members-XXXXXX";
    struct cgroup_members m = {.fd = mkstemp(path)};
    uint32_t pid, next = 1;

    (void)state;
    assert_true(m.fd >= 0);
    assert_int_equal(unlink(path), 0);
    for (uint32_t i = 1; i < 5000; i++)
        assert_true(dprintf(m.fd, i % 7 == 0 ? "0\n%u\n" : "%u\n", i) > 0);
    assert_int_equal(lseek(m.fd, 0, SEEK_SET), 0);
    while (cgroup_members_next(&m, &pid) > 0)
        assert_int_equal(pid, next++);
    assert_int_equal(next, 5000);
    cgroup_members_close(&m);
}

#define on_tree(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_are_told_until_it_is_enough),
        on_tree(a_walk_finds_the_directories_by_their_inodes),
        on_tree(a_walk_may_be_given_up_and_begun_anew),
        on_tree(we_are_among_the_members_of_our_cgroup),
        on_tree(a_cgroup_that_is_gone_has_no_members),
        cmocka_unit_test(members_are_read_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
