#include "collectors/proc_exe.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Real programs are run: copies of this test, which with an argument waits for
 * its end. */
static char own_path[PATH_MAX], directory[] = "/tmp/sockwatch-exe-XXXXXX";

static void path_in(const char *name, char ret_path[static PATH_MAX])
{
    assert_true(snprintf(ret_path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX);
}

static void copy_to(int to)
{
    int from = open(own_path, O_RDONLY | O_CLOEXEC);
    char bytes[65536];
    ssize_t n;

    assert_true(from >= 0);
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(to, bytes, (size_t)n), n);
    assert_int_equal(n, 0);
    (void)close(from);
}

static void copy_program(const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

    assert_true(to >= 0);
    copy_to(to);
    assert_int_equal(close(to), 0);
}

/* A process that is ready, and a descriptor of its directory. */
struct running {
    pid_t pid;
    int process;
};

/* prepare   is called in the child before it becomes the program; returns whether
 *           it worked */
static bool run(const char *path, int fd, bool (*prepare)(const char *path), struct running *ret)
{
    static char argument[] = "wait";
    char *arguments[] = {own_path, argument, NULL}, *environment[] = {NULL}, name[64], ready = '\0';
    int pipes[2];
    ssize_t n;

    assert_int_equal(pipe(pipes), 0);
    ret->pid = fork();
    assert_true(ret->pid >= 0);
    if (ret->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (dup2(pipes[1], STDOUT_FILENO) < 0 || (prepare && !prepare(path)))
            _exit(1);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        if (fd >= 0)
            (void)fexecve(fd, arguments, environment);
        else
            (void)execve(path, arguments, environment);
        _exit(1);
    }
    (void)close(pipes[1]);
    n = read(pipes[0], &ready, 1); /* or its end */
    (void)close(pipes[0]);
    (void)snprintf(name, sizeof name, "/proc/%d", (int)ret->pid);
    ret->process = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(ret->process >= 0);
    return n == 1;
}

static void end(const struct running *r)
{
    (void)close(r->process);
    (void)kill(r->pid, SIGKILL);
    assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
}

static void assert_program(const struct running *r, const char *path, enum program_standing standing,
                           bool deleted)
{
    const struct program *program;

    assert_int_equal(proc_exe_look(r->process, &program), 0);
    assert_non_null(program);
    assert_string_equal(program->path, path);
    assert_int_equal(program->standing, standing);
    assert_int_equal(program->deleted, deleted);
    assert_true(proc_exe_is_same(r->process, program));
    program_unref(program);
}

static void assert_standing(const struct running *r, enum program_standing standing)
{
    const struct program *program;

    assert_int_equal(proc_exe_look(r->process, &program), 0);
    assert_non_null(program);
    assert_int_equal(program->standing, standing);
    program_unref(program);
}

static void a_program_is_told_by_the_path_of_its_file(void **state)
{
    char path[PATH_MAX];
    struct running r;

    (void)state;
    path_in("web", path);
    copy_program(path);
    assert_true(run(path, -1, NULL, &r));
    assert_program(&r, path, PROGRAM_VERIFIED, false);
    end(&r);
    assert_int_equal(unlink(path), 0);
}

/* As by an upgrade: the old one goes on, and is known for what it was. */
static void a_file_that_was_replaced_is_told_to_be_deleted(void **state)
{
    const struct program *before;
    char path[PATH_MAX], next[PATH_MAX];
    struct running r;

    (void)state;
    path_in("web", path);
    path_in("web.new", next);
    copy_program(path);
    assert_true(run(path, -1, NULL, &r));
    assert_int_equal(proc_exe_look(r.process, &before), 0);
    copy_program(next);
    assert_int_equal(rename(next, path), 0);
    assert_false(proc_exe_is_same(r.process, before));
    assert_program(&r, path, PROGRAM_VERIFIED, true);
    assert_int_equal(unlink(path), 0);
    assert_program(&r, path, PROGRAM_VERIFIED, true);
    program_unref(before);
    end(&r);
}

static void a_file_may_be_called_deleted(void **state)
{
    char path[PATH_MAX];
    struct running r;

    (void)state;
    path_in("web (deleted)", path);
    copy_program(path);
    assert_true(run(path, -1, NULL, &r));
    assert_program(&r, path, PROGRAM_VERIFIED, false);
    assert_int_equal(unlink(path), 0);
    assert_program(&r, path, PROGRAM_VERIFIED, true);
    end(&r);
}

static void strange_names_are_escaped(void **state)
{
    char path[PATH_MAX], shown[PATH_MAX];
    struct running r;

    (void)state;
    path_in("a\nb\x1b[31m", path);
    path_in("a\\x0ab\\x1b[31m", shown);
    copy_program(path);
    assert_true(run(path, -1, NULL, &r));
    assert_program(&r, shown, PROGRAM_VERIFIED, false);
    end(&r);
    assert_int_equal(unlink(path), 0);
}

static void what_never_was_on_a_disk_is_no_file_of_the_hosts(void **state)
{
    int fd = memfd_create("usr", MFD_CLOEXEC);
    struct running r;

    (void)state;
    assert_true(fd >= 0);
    copy_to(fd);
    assert_true(run(own_path, fd, NULL, &r));
    assert_program(&r, "/memfd:usr", PROGRAM_FOREIGN, true);
    end(&r);
    (void)close(fd);
}

/* Looking for it must not take long. */
static void a_program_that_is_a_hundred_deep_is_not_looked_for(void **state)
{
    char path[PATH_MAX], program[PATH_MAX];
    struct running r;

    (void)state;
    path_in("", path);
    for (int i = 0; i < 100; i++) {
        (void)strcat(path, "/d");
        assert_int_equal(mkdir(path, 0700), 0);
    }
    (void)snprintf(program, sizeof program, "%.*s/web", PATH_MAX - 8, path);
    copy_program(program);
    assert_true(run(program, -1, NULL, &r));
    assert_int_equal(unlink(program), 0);
    assert_standing(&r, PROGRAM_UNVERIFIED);
    end(&r);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rmdir(path), 0);
        path[strlen(path) - 2] = '\0';
    }
}

static char forged[PATH_MAX];

/* Puts the program where another one is, for nobody but itself. */
static bool cover(const char *path)
{
    char source[PATH_MAX];

    (void)snprintf(source, sizeof source, "%s", path);
    return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(source, forged, NULL, MS_BIND, NULL) == 0 &&
           execv(forged, (char *[]){source, source, NULL}) == 0;
}

static void another_mount_namespaces_file_is_not_the_hosts(void **state)
{
    char path[PATH_MAX];
    struct running r;
    bool runs;

    (void)state;
    path_in("evil", path);
    path_in("good", forged);
    copy_program(path);
    copy_program(forged);
    runs = run(path, -1, cover, &r);
    if (runs)
        assert_program(&r, forged, PROGRAM_FOREIGN, false);
    end(&r);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(forged), 0);
    if (!runs) {
        print_message("no mount namespace may be made here\n");
        skip();
    }
}

static void whoever_runs_another_file_is_not_the_same(void **state)
{
    const struct program *one, *other;
    char path[PATH_MAX], copy[PATH_MAX];
    struct running a, b;

    (void)state;
    path_in("web", path);
    path_in("copy", copy);
    copy_program(path);
    copy_program(copy);
    assert_true(run(path, -1, NULL, &a));
    assert_true(run(copy, -1, NULL, &b));
    assert_int_equal(proc_exe_look(a.process, &one), 0);
    assert_int_equal(proc_exe_look(b.process, &other), 0);
    assert_true(proc_exe_is_same(a.process, one));
    assert_false(proc_exe_is_same(a.process, other));
    assert_false(proc_exe_is_same(a.process, NULL));
    assert_false(program_is_same(one, other));
    assert_true(program_is_same(one, one));
    assert_false(program_is_same(one, NULL));
    assert_true(program_is_same(NULL, NULL));
    end(&a);
    end(&b);
    program_unref(one);
    program_unref(other);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(copy), 0);
}

static void what_may_not_be_read_is_not_known(void **state)
{
    int nothing = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct program *program;

    (void)state;
    assert_int_equal(proc_exe_look(nothing, &program), 0);
    assert_null(program);
    assert_true(proc_exe_is_same(nothing, NULL));
    (void)close(nothing);
}

/* Of a path that had to be cut it is not known what it is. */
static void a_path_that_is_too_long_counts_for_nothing(void **state)
{
    char path[2 * PROGRAM_PATH_MAX];
    struct program *program;

    (void)state;
    memset(path, 'a', sizeof path);
    program = program_new(path, sizeof path, PROGRAM_VERIFIED, false);
    assert_non_null(program);
    assert_int_equal(program->standing, PROGRAM_UNVERIFIED);
    assert_int_equal(strlen(program->path), PROGRAM_PATH_MAX - 1);
    program_unref(program);
    program = program_new(path, PROGRAM_PATH_MAX / 2, PROGRAM_VERIFIED, false);
    assert_non_null(program);
    assert_int_equal(program->standing, PROGRAM_VERIFIED);
    program_unref(program);
}

static int make_directory(void **state)
{
    ssize_t length = readlink("/proc/self/exe", own_path, sizeof own_path - 1);

    (void)state;
    return length > 0 && mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_told_by_the_path_of_its_file),
        cmocka_unit_test(a_file_that_was_replaced_is_told_to_be_deleted),
        cmocka_unit_test(a_file_may_be_called_deleted),
        cmocka_unit_test(strange_names_are_escaped),
        cmocka_unit_test(what_never_was_on_a_disk_is_no_file_of_the_hosts),
        cmocka_unit_test(a_program_that_is_a_hundred_deep_is_not_looked_for),
        cmocka_unit_test(another_mount_namespaces_file_is_not_the_hosts),
        cmocka_unit_test(whoever_runs_another_file_is_not_the_same),
        cmocka_unit_test(what_may_not_be_read_is_not_known),
        cmocka_unit_test(a_path_that_is_too_long_counts_for_nothing),
    };

    (void)argv;
    if (argc > 1) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        while (write(STDOUT_FILENO, "r", 1) == 1)
            (void)pause();
    }
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
