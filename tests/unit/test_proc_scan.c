#include "collectors/proc_scan.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* These tests look into themselves and into their children. */
enum { SOCKETS = 300 };

/* What users are called nobody asks here. */
struct users {
    bool awaited;
};

static const char *name_of(uint32_t uid)
{
    static char name[USER_TEXT_MAX];

    (void)snprintf(name, sizeof name, "name%u", uid);
    return name;
}

bool users_name(struct users *u, uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    (void)snprintf(ret_name, USER_TEXT_MAX, "%s", name_of(uid));
    return u->awaited;
}

static uint32_t inode_of(int fd)
{
    struct stat s;

    assert_int_equal(fstat(fd, &s), 0);
    return (uint32_t)s.st_ino;
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static uint32_t own_pid(void)
{
    return (uint32_t)getpid();
}

/* A child that does nothing until it is ended. */
static pid_t start_child(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    while (pid == 0)
        (void)pause();
    return pid;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool is_listed(uint32_t wanted)
{
    struct proc_pids pids;
    uint32_t pid, last = 0;
    bool found = false;
    int r;

    assert_int_equal(proc_pids_open(&pids), 0);
    while ((r = proc_pids_next(&pids, &pid)) > 0) {
        assert_true(pid > last);
        last = pid;
        found |= pid == wanted;
    }
    assert_int_equal(r, 0);
    proc_pids_close(&pids);
    return found;
}

static void processes_are_listed_while_they_live(void **state)
{
    pid_t child = start_child();

    (void)state;
    assert_true(is_listed(own_pid()));
    assert_true(is_listed((uint32_t)child));
    end_child(child);
    assert_false(is_listed((uint32_t)child));
}

static void every_socket_is_found_once_under_its_descriptor(void **state)
{
    struct proc_descriptors d;
    size_t found = 0, steps = 0;
    int sockets[SOCKETS], r;
    uint32_t fd, inode;

    (void)state;
    for (size_t i = 0; i < SOCKETS; i++)
        sockets[i] = open_socket();
    assert_int_equal(proc_descriptors_open(&d, own_pid()), 0);
    for (; (r = proc_descriptors_next(&d, &fd, &inode)) > 0; steps++) {
        bool is_ours = false;

        for (size_t i = 0; i < SOCKETS; i++)
            is_ours |= sockets[i] == (int)fd;
        if (is_ours)
            assert_int_equal(inode, inode_of((int)fd));
        found += is_ours;
    }
    assert_int_equal(r, 0);
    assert_int_equal(found, SOCKETS);
    assert_true(steps > SOCKETS); /* the standard streams, and what is used to look */
    proc_descriptors_close(&d);
    for (size_t i = 0; i < SOCKETS; i++)
        assert_int_equal(close(sockets[i]), 0);
}

static void other_files_are_no_sockets(void **state)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC), r;
    struct proc_descriptors d;
    uint32_t fd, inode;
    bool seen = false;

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(proc_descriptors_open(&d, own_pid()), 0);
    while ((r = proc_descriptors_next(&d, &fd, &inode)) > 0) {
        seen |= (int)fd == file;
        assert_true((int)fd != file || inode == 0);
    }
    assert_true(seen);
    proc_descriptors_close(&d);
    assert_int_equal(close(file), 0);
}

static void descriptors_are_counted_where_the_kernel_does(void **state)
{
    uint32_t before = proc_descriptor_count(own_pid());
    int fd = open_socket();

    (void)state;
    if (before == 0)
        skip(); /* before Linux 6.2 */
    assert_int_equal(proc_descriptor_count(own_pid()), before + 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(proc_descriptor_count(own_pid()), before);
}

static void a_process_that_has_gone_is_said_to_have_gone(void **state)
{
    pid_t child = start_child();
    struct proc_descriptors d;
    struct users users = {.awaited = true};
    struct holder who;
    uint32_t fd, inode;
    int r;

    (void)state;
    assert_int_equal(proc_descriptors_open(&d, (uint32_t)child), 0);
    end_child(child);
    do
        r = proc_descriptors_next(&d, &fd, &inode);
    while (r > 0);
    assert_true(r == 0 || r == -ENOENT || r == -ESRCH);
    r = proc_descriptors_describe(&d, &users, &who);
    assert_true(r == -ENOENT || r == -ESRCH);
    proc_descriptors_close(&d);
    assert_int_equal(proc_descriptors_open(&d, (uint32_t)child), -ENOENT);
    assert_int_equal(proc_descriptor_count((uint32_t)child), 0);
    proc_descriptors_close(&d); /* it may be closed all the same */
}

static void a_process_is_told_by_its_name_and_user(void **state)
{
    struct users users = {.awaited = true};
    struct proc_descriptors d;
    struct holder who;

    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "a\nname", 0, 0, 0), 0);
    assert_int_equal(proc_descriptors_open(&d, own_pid()), 0);
    assert_int_equal(proc_descriptors_describe(&d, &users, &who), 0);
    assert_int_equal(who.pid, own_pid());
    assert_string_equal(who.process, "a\\x0aname");
    assert_string_equal(who.user, name_of((uint32_t)geteuid()));
    assert_true(who.user_awaited);
    assert_true(who.unit_known);
    assert_non_null(who.program);
    assert_int_equal(who.program->standing, PROGRAM_VERIFIED);
    assert_non_null(strstr(who.program->path, "/test_proc_scan"));
    program_unref(who.program);
    proc_descriptors_close(&d);
}

static void one_descriptor_is_looked_at_again(void **state)
{
    struct users users = {.awaited = false};
    struct holder who, other;
    int fd = open_socket();
    uint32_t inode = inode_of(fd);

    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "before", 0, 0, 0), 0);
    assert_int_equal(proc_describe(own_pid(), (uint32_t)fd, inode, &users, &who), 0);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode, false), RECHECK_SAME);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode + 1, false), RECHECK_LOST);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd + SOCKETS, inode, false), RECHECK_LOST);
    assert_int_equal(prctl(PR_SET_NAME, "after", 0, 0, 0), 0);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode, false), RECHECK_CHANGED);
    assert_int_equal(prctl(PR_SET_NAME, "before", 0, 0, 0), 0);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode, true), RECHECK_SAME);
    other = who;
    other.uid++;
    assert_int_equal(proc_scan_recheck(&other, own_pid(), (uint32_t)fd, inode, false), RECHECK_SAME);
    assert_int_equal(proc_scan_recheck(&other, own_pid(), (uint32_t)fd, inode, true), RECHECK_CHANGED);
    other = who;
    (void)snprintf(other.unit, sizeof other.unit, "other.service");
    assert_int_equal(proc_scan_recheck(&other, own_pid(), (uint32_t)fd, inode, true), RECHECK_CHANGED);
    other = who;
    other.program = NULL; /* now it can be read */
    assert_int_equal(proc_scan_recheck(&other, own_pid(), (uint32_t)fd, inode, false), RECHECK_CHANGED);
    assert_int_equal(close(fd), 0);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode, false), RECHECK_LOST);
    assert_int_equal(prctl(PR_SET_NAME, "before", 0, 0, 0), 0);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)fd, inode, false), RECHECK_LOST);
    program_unref(who.program);
}

static void who_has_a_socket_is_described_as_long_as_it_has(void **state)
{
    struct users users = {.awaited = true};
    int fd = open_socket();
    uint32_t inode = inode_of(fd);
    pid_t child = start_child();
    struct holder who;

    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "somebody", 0, 0, 0), 0);
    assert_int_equal(proc_describe(own_pid(), (uint32_t)fd, inode, &users, &who), 0);
    assert_int_equal(who.pid, own_pid());
    assert_string_equal(who.process, "somebody");
    assert_string_equal(who.user, name_of((uint32_t)geteuid()));
    program_unref(who.program);
    assert_int_equal(proc_describe(own_pid(), (uint32_t)fd, inode + 1, &users, &who), -ESTALE);
    assert_int_equal(close(fd), 0);
    assert_int_equal(proc_describe(own_pid(), (uint32_t)fd, inode, &users, &who), -ESTALE);
    end_child(child);
    assert_int_equal(proc_describe((uint32_t)child, (uint32_t)fd, inode, &users, &who), -ENOENT);
}

/* A child that shares our table of descriptors. */
static pid_t start_sharer(void)
{
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

    assert_true(pid >= 0);
    while (pid == 0)
        (void)pause();
    return (pid_t)pid;
}

static void tables_of_descriptors_are_compared(void **state)
{
    uint32_t own = own_pid();
    int order, back;
    int r = proc_compare_tables(own, own, &order);
    pid_t sharer, other;

    (void)state;
    if (r == -EPERM || r == -ENOSYS) {
        print_message("kcmp(2): %s\n", strerror(-r));
        skip();
    }
    assert_int_equal(r, 0);
    assert_int_equal(order, 0);
    sharer = start_sharer();
    other = start_child();
    assert_int_equal(proc_compare_tables(own, (uint32_t)sharer, &order), 0);
    assert_int_equal(order, 0);
    assert_int_equal(proc_compare_tables((uint32_t)sharer, (uint32_t)other, &order), 0);
    assert_int_equal(proc_compare_tables((uint32_t)other, own, &back), 0);
    assert_true(order != 0 && order == -back);
    end_child(sharer);
    end_child(other);
    assert_int_equal(proc_compare_tables(own, (uint32_t)other, &order), -ESRCH);
}

/* A thread that got a table of its own, and opened a socket in it. */
struct own_table {
    pthread_barrier_t begun, done;
    uint32_t tid;
    int result, fd;
};

static void *get_own_table(void *arg)
{
    struct own_table *t = arg;

    t->tid = (uint32_t)syscall(SYS_gettid);
    t->result = unshare(CLONE_FILES);
    t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)prctl(PR_SET_NAME, "thread", 0, 0, 0);
    (void)pthread_barrier_wait(&t->begun);
    (void)pthread_barrier_wait(&t->done);
    return NULL;
}

/* The inode of the socket under a descriptor of a thread's; 0 for none. */
static uint32_t socket_of(uint32_t tid, int wanted)
{
    struct proc_descriptors d;
    uint32_t fd, inode, found = 0;

    assert_int_equal(proc_descriptors_open(&d, tid), 0);
    while (proc_descriptors_next(&d, &fd, &inode) > 0)
        if (fd == (uint32_t)wanted)
            found = inode;
    proc_descriptors_close(&d);
    return found;
}

static void assert_thread_is_told_as_its_process(const struct own_table *t)
{
    struct users users = {.awaited = false};
    uint32_t inode = socket_of(t->tid, t->fd);
    struct holder who;

    assert_int_not_equal(inode, 0);
    assert_int_not_equal(socket_of(own_pid(), t->fd), inode);
    assert_int_equal(proc_describe(t->tid, (uint32_t)t->fd, inode, &users, &who), 0);
    assert_int_equal(who.pid, own_pid());
    assert_string_equal(who.process, "process");
    assert_string_equal(who.user, name_of((uint32_t)geteuid()));
    assert_int_equal(proc_scan_recheck(&who, t->tid, (uint32_t)t->fd, inode, true), RECHECK_SAME);
    assert_int_equal(proc_scan_recheck(&who, own_pid(), (uint32_t)t->fd, inode, true), RECHECK_LOST);
    program_unref(who.program);
}

static void a_thread_may_have_descriptors_of_its_own(void **state)
{
    struct own_table t;
    struct proc_threads list;
    uint32_t tid;
    pthread_t thread;

    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "process", 0, 0, 0), 0);
    assert_int_equal(pthread_barrier_init(&t.begun, NULL, 2), 0);
    assert_int_equal(pthread_barrier_init(&t.done, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, get_own_table, &t), 0);
    (void)pthread_barrier_wait(&t.begun);
    assert_int_equal(t.result, 0);
    assert_int_equal(proc_threads_open(&list, own_pid()), 1);
    assert_int_equal(proc_threads_next(&list, &tid), 1);
    assert_int_equal(tid, t.tid);
    assert_int_equal(proc_threads_next(&list, &tid), 0);
    proc_threads_close(&list);
    assert_thread_is_told_as_its_process(&t);
    (void)pthread_barrier_wait(&t.done);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void who_has_one_thread_has_none_to_be_listed(void **state)
{
    pid_t child = start_child();
    struct proc_threads list;

    (void)state;
    assert_int_equal(proc_threads_open(&list, (uint32_t)child), 0);
    end_child(child);
    assert_int_equal(proc_threads_open(&list, (uint32_t)child), -ENOENT);
    proc_threads_close(&list);
}

/* That says nothing about the process, and nothing stays open. */
static void running_out_of_descriptors_is_told_apart(void **state)
{
    struct rlimit before, none;
    struct proc_descriptors d;
    struct proc_pids pids;
    uint32_t count = proc_descriptor_count(own_pid());

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    for (none.rlim_cur = 0; none.rlim_cur < 8; none.rlim_cur++) {
        int r;

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = proc_descriptors_open(&d, own_pid());
        assert_true(r == -EMFILE || r == 0);
        if (none.rlim_cur == 0) {
            assert_int_equal(r, -EMFILE);
            assert_int_equal(proc_pids_open(&pids), -EMFILE);
        }
        proc_descriptors_close(&d);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(proc_descriptor_count(own_pid()), count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_are_listed_while_they_live),
        cmocka_unit_test(every_socket_is_found_once_under_its_descriptor),
        cmocka_unit_test(other_files_are_no_sockets),
        cmocka_unit_test(descriptors_are_counted_where_the_kernel_does),
        cmocka_unit_test(a_process_that_has_gone_is_said_to_have_gone),
        cmocka_unit_test(a_process_is_told_by_its_name_and_user),
        cmocka_unit_test(one_descriptor_is_looked_at_again),
        cmocka_unit_test(who_has_a_socket_is_described_as_long_as_it_has),
        cmocka_unit_test(tables_of_descriptors_are_compared),
        cmocka_unit_test(a_thread_may_have_descriptors_of_its_own),
        cmocka_unit_test(who_has_one_thread_has_none_to_be_listed),
        cmocka_unit_test(running_out_of_descriptors_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
