#include "collectors/dirents.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 700 }; /* more than one read brings */

static char directory[] = "/tmp/dirents-XXXXXX";

static void name_of(int i, char ret_name[64])
{
    (void)snprintf(ret_name, 64, "%s/%d-%.*s", directory, i, i % 20, "abcdefghijklmnopqrstuvwxyz");
}

static int set_up(void **state)
{
    char name[64];

    (void)state;
    if (!mkdtemp(directory))
        return -1;
    for (int i = 0; i < FILES; i++) {
        int fd;

        name_of(i, name);
        fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || close(fd) < 0)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i < FILES; i++) {
        name_of(i, name);
        (void)unlink(name);
    }
    return rmdir(directory);
}

static void every_entry_comes_once(void **state)
{
    const struct dirent64 *entry;
    bool seen[FILES] = {false};
    struct dirents d;
    size_t others = 0;
    int r;

    (void)state;
    assert_int_equal(dirents_open(&d, AT_FDCWD, directory), 0);
    while ((r = dirents_next(&d, &entry)) > 0) {
        unsigned long i = strtoul(entry->d_name, NULL, 10);

        if (entry->d_name[0] == '.') {
            others++;
            continue;
        }
        assert_in_range(i, 0, FILES - 1);
        assert_false(seen[i]);
        seen[i] = true;
    }
    assert_int_equal(r, 0);
    assert_int_equal(others, 2);
    for (size_t i = 0; i < FILES; i++)
        assert_true(seen[i]);
    dirents_close(&d);
    assert_int_equal(d.fd, -1);
    dirents_close(&d); /* once is enough, twice is no harm */
}

static void what_is_no_directory_is_refused(void **state)
{
    struct dirents d;

    (void)state;
    assert_int_equal(dirents_open(&d, AT_FDCWD, "/no such directory"), -ENOENT);
    assert_int_equal(d.fd, -1);
    assert_int_equal(dirents_open(&d, AT_FDCWD, "/dev/null"), -ENOTDIR);
    assert_true(dirents_open(&d, AT_FDCWD, "/proc/self/cwd") < 0); /* a link elsewhere */
    dirents_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_comes_once),
        cmocka_unit_test(what_is_no_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
