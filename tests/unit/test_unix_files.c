#include "collectors/unix_files.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

/* The file system of these tests: one file, at one path, in one folder. */
static struct {
    const char *path;
    int error; /* of whoever asks for it */
    bool no_folder;
    long type;
    size_t asked;
} disk;

static const struct unix_file there = {254u << 20 | 3, 12};

int statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict ret)
{
    disk.asked++;
    assert_int_equal(directory, AT_FDCWD);
    assert_true(flags & AT_STATX_DONT_SYNC);
    assert_int_equal(mask, STATX_INO);
    errno = disk.error ? disk.error : ENOENT;
    if (disk.error || strcmp(path, disk.path) != 0)
        return -1;
    *ret = (struct statx){.stx_dev_major = 254, .stx_dev_minor = 3, .stx_ino = UINT64_C(1) << 32 | 12};
    return 0;
}

int stat(const char *restrict path, struct stat *restrict ret)
{
    (void)path;
    (void)ret;
    errno = ENOENT;
    return disk.no_folder ? -1 : 0;
}

int statfs(const char *path, struct statfs *ret)
{
    (void)path;
    *ret = (struct statfs){.f_type = disk.type};
    return 0;
}

static int set_up(void **state)
{
    static struct unix_files files;

    disk.path = "/run/a/b.sock";
    disk.error = 0;
    disk.no_folder = false;
    disk.type = TMPFS_MAGIC;
    disk.asked = 0;
    unix_files_begin(&files);
    *state = &files;
    return 0;
}

static void a_file_is_known_by_its_device_and_number(void **state)
{
    const struct unix_file other = {there.device, 13}, elsewhere = {there.device + 1, 12};

    assert_int_equal(unix_files_look(*state, disk.path, &there), PRESENCE_PRESENT);
    assert_int_equal(unix_files_look(*state, disk.path, &other), PRESENCE_ABSENT);
    assert_int_equal(unix_files_look(*state, disk.path, &elsewhere), PRESENCE_ABSENT);
    assert_int_equal(unix_files_look(*state, "/run/a/c.sock", &there), PRESENCE_ABSENT);
}

/* However many sockets say that they are bound there. */
static void a_path_is_asked_for_once_in_a_look(void **state)
{
    for (int i = 0; i < 1000; i++)
        (void)unix_files_look(*state, disk.path, &there);
    assert_int_equal(disk.asked, 1);
    unix_files_begin(*state);
    (void)unix_files_look(*state, disk.path, &there);
    assert_int_equal(disk.asked, 2);
}

static void paths_that_share_a_place_are_told_apart(void **state)
{
    for (int i = 0; i < 1000; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/run/a/%d", i);
        assert_int_equal(unix_files_look(*state, path, &there), PRESENCE_ABSENT);
        assert_int_equal(unix_files_look(*state, disk.path, &there), PRESENCE_PRESENT);
    }
}

static void what_cannot_be_told_is_unknown(void **state)
{
    const struct unix_file other = {there.device, 13};

    assert_int_equal(unix_files_look(*state, "@bus", &there), PRESENCE_UNKNOWN);
    assert_int_equal(unix_files_look(*state, "/tmp/b.sock", &there), PRESENCE_UNKNOWN);
    disk.no_folder = true; /* as in a container */
    assert_int_equal(unix_files_look(*state, "/run/c/d.sock", &there), PRESENCE_UNKNOWN);
    disk.type = OVERLAYFS_SUPER_MAGIC;
    assert_int_equal(unix_files_look(*state, disk.path, &other), PRESENCE_UNKNOWN);
    assert_int_equal(unix_files_look(*state, disk.path, &there), PRESENCE_PRESENT);
    disk.error = EACCES;
    unix_files_begin(*state);
    assert_int_equal(unix_files_look(*state, disk.path, &there), PRESENCE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_is_known_by_its_device_and_number, set_up),
        cmocka_unit_test_setup(a_path_is_asked_for_once_in_a_look, set_up),
        cmocka_unit_test_setup(paths_that_share_a_place_are_told_apart, set_up),
        cmocka_unit_test_setup(what_cannot_be_told_is_unknown, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
