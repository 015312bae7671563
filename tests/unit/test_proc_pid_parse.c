#include "collectors/proc_pid_parse.h"
#include "tests/unit/fixtures/proc_pid.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* A copy that has not one byte more than it should, so that a sanitizer sees
 * every read beyond it. Returns owned. */
static char *copy_of(const char *text, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    return copy;
}

/* The same with a NUL behind it. Returns owned. */
static char *string_of(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

/* Descriptors */

static uint32_t socket_of(const char *link, size_t length)
{
    char *copy = copy_of(link, length);
    uint32_t inode = proc_pid_parse_socket(copy, length);

    free(copy);
    return inode;
}

static void a_socket_is_known_by_its_inode(void **state)
{
    static const struct {
        const char *link;
        uint32_t inode;
    } cases[] = {
        {"socket:[1]", 1},
        {"socket:[12345]", 12345},
        {"socket:[0000012345]", 12345},
        {"socket:[4294967295]", UINT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(socket_of(cases[i].link, strlen(cases[i].link)), cases[i].inode);
}

static void another_kind_of_file_is_no_socket(void **state)
{
    static const char *const links[] = {
        "",
        "/dev/null",
        "/tmp/socket:[1]",
        "pipe:[1]",
        "net:[4026531840]",
        "anon_inode:[eventpoll]",
        "anon_inode:inotify",
        "/memfd:socket (deleted)",
        "socket:",
        "socket:[",
        "socket:[]",
        "socket:1",
        "socket:[1",
        "socket:1]",
        "socket:(1)",
        "socket:[0]",
        "socket:[ 1]",
        "socket:[1 ]",
        "socket:[+1]",
        "socket:[-1]",
        "socket:[0x1]",
        "socket:[1a]",
        "socket:[1]]",
        "socket:[1] ",
        "socket:[1]\n",
        "Socket:[1]",
        " socket:[1]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++)
        assert_int_equal(socket_of(links[i], strlen(links[i])), 0);
}

static void an_inode_too_large_is_none(void **state)
{
    static const char *const links[] = {
        "socket:[4294967296]",
        "socket:[18446744073709551615]",
        "socket:[18446744073709551617]", /* 1, for who lets it wrap */
        "socket:[99999999999999999999999999999999999999]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++)
        assert_int_equal(socket_of(links[i], strlen(links[i])), 0);
}

static void a_cut_link_is_no_socket(void **state)
{
    static const char link[] = "socket:[12345]";

    (void)state;
    for (size_t cut = 0; cut < strlen(link); cut++)
        assert_int_equal(socket_of(link, cut), 0);
}

/* Users */

static int uid_of(const char *status, size_t length, uint32_t *ret_uid)
{
    char *copy = string_of(status, length);
    int r = proc_pid_parse_uid(copy, ret_uid);

    free(copy);
    return r;
}

static void a_thread_tells_its_process(void **state)
{
    static const char *const wrong[] = {"", "Name:\tTgid:\t7\n", "Name:\ta\nTgid:\t\n",
                                        "Name:\ta\nTgid:\t0\n", "Name:\ta\nNgid:\t7\n"};
    uint32_t pid = 0;

    (void)state;
    assert_int_equal(proc_pid_parse_process("Name:\ta\\nTgid:\t9\nTgid:\t812\nNgid:\t0\nPid:\t813\n", &pid),
                     0);
    assert_int_equal(pid, 812);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_int_equal(proc_pid_parse_process(wrong[i], &pid), -EBADMSG);
    assert_int_equal(pid, 812);
}

static void the_effective_user_counts(void **state)
{
    static const struct {
        const char *status;
        uint32_t uid;
    } cases[] = {
        {"Name:\tnginx\nUid:\t0\t33\t0\t33\nGid:\t0\t0\t0\t0\n", 33},
        {"Name:\tnginx\nUid:\t33\t0\t0\t0\n", 0},
        {"Name:\tx\nUid:\t4294967295\t4294967295\t0\t0\n", UINT32_MAX},
        {"Name:\tUid:\t7\t7\nUid:\t33\t33\t33\t33\n", 33},
        {"Name:\tUid: 7 7\nUmask:\t0022\nUid:\t33\t33\t33\t33\n", 33},
        {proc_status_forged, 33},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint32_t uid = 1;

        assert_int_equal(uid_of(cases[i].status, strlen(cases[i].status), &uid), 0);
        assert_int_equal(uid, cases[i].uid);
    }
}

static void a_status_without_a_user_is_malformed(void **state)
{
    static const char *const statuses[] = {
        "",
        "\n",
        "Name:\tx\n",
        "Name:\tUid:\t0\t0\n",
        "Name:\tx\nuid:\t0\t0\t0\t0\n",
        "Name:\tx\n Uid:\t0\t0\t0\t0\n",
        "Name:\tx\nFsuid:\t0\t0\t0\t0\n",
        "Name:\tx\nUid:\n",
        "Name:\tx\nUid:\nGid:\t0\t0\t0\t0\n",
        "Name:\tx\nUid:\t0\nGid:\t0\t0\t0\t0\n",
        "Name:\tx\nUid:\troot\troot\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        uint32_t uid = 42;

        assert_int_equal(uid_of(statuses[i], strlen(statuses[i]), &uid), -EBADMSG);
        assert_int_equal(uid, 42);
    }
}

/* Nothing tells a cut number from a shorter one. */
static void a_cut_status_has_a_user_from_the_first_digit_of_it(void **state)
{
    const char *effective = strstr(proc_status_forged, "\t33");

    (void)state;
    assert_non_null(effective);
    for (size_t cut = 0; cut < strlen(proc_status_forged); cut++) {
        size_t digits = (size_t)(effective + 1 - proc_status_forged);
        uint32_t uid = 42;
        int r = uid_of(proc_status_forged, cut, &uid);

        assert_int_equal(r, cut > digits ? 0 : -EBADMSG);
        assert_int_equal(uid, cut > digits + 1 ? 33 : cut > digits ? 3 : 42);
    }
}

/* Names */

static void assert_comm(const char *comm, size_t length, const char *wanted)
{
    char *copy = copy_of(comm, length);
    char name[PROCESS_TEXT_MAX];

    memset(name, 'x', sizeof name);
    proc_pid_parse_comm(copy, length, name);
    assert_string_equal(name, wanted);
    free(copy);
}

static void a_process_name_is_one_line_of_utf8(void **state)
{
    static const struct {
        const char *comm, *wanted;
    } cases[] = {
        {"nginx\n", "nginx"},
        {"nginx", "nginx"},
        {"systemd-socket-\n", "systemd-socket-"},
        {"a b  c \n", "a b  c "},
        {"(sd-pam)\n", "(sd-pam)"},
        {"a\nb\n", "a\\x0ab"},
        {"a\n\n", "a\\x0a"},
        {"\n\n", "\\x0a"},
        {proc_comm_forged, "a\\x0aUid:\\x090\\x090"},
        {"\x1b[31mred\x7f\n", "\\x1b[31mred\\x7f"},
        {"\x01\x1f \n", "\\x01\\x1f "},
        {"b\xc3\xa4r\n", "b\xc3\xa4r"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80\n", "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xc2\x85"
         "b\n",
         "a\\xc2\\x85b"}, /* next line, of C1 */
        {"\xff\xfe\n", "\\xff\\xfe"},
        {"\x80"
         "a\n",
         "\\x80"
         "a"},
        {"\xc0\xaf\n", "\\xc0\\xaf"},                                  /* overlong */
        {"\xed\xa0\x80\n", "\\xed\\xa0\\x80"},                         /* a surrogate */
        {"quote\"\\\n", "quote\"\\"},                                  /* each output escapes its own */
        {"aaaaaaaaaaaaaa\xc3\n", "aaaaaaaaaaaaaa\\xc3"},               /* the kernel cut an umlaut */
        {"aaaaaaaaaaaaa\xe2\x82\n", "aaaaaaaaaaaaa\\xe2\\x82"},        /* and a euro sign */
        {"aaaaaaaaaaaa\xf0\x9f\x98\n", "aaaaaaaaaaaa\\xf0\\x9f\\x98"}, /* and a face */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_comm(cases[i].comm, strlen(cases[i].comm), cases[i].wanted);
    assert_comm("a\0b\n", 4, "a\\x00b");
}

/* Of the 15 bytes that the kernel keeps each may have to be escaped. */
static void a_name_as_long_as_names_get_fits(void **state)
{
    static const char bytes[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n";
    char wanted[PROCESS_TEXT_MAX] = "";

    (void)state;
    assert_int_equal(sizeof bytes - 2, PROCESS_BYTES_MAX);
    for (size_t i = 0; i < PROCESS_BYTES_MAX; i++)
        (void)strcat(wanted, "\\xff");
    assert_comm(bytes, sizeof bytes - 1, wanted);
}

static void a_name_that_is_too_long_is_cut_at_a_character(void **state)
{
    char comm[256], wanted[PROCESS_TEXT_MAX];

    (void)state;
    memset(comm, 'a', sizeof comm);
    memset(wanted, 'a', sizeof wanted);
    wanted[sizeof wanted - 1] = '\0';
    assert_comm(comm, sizeof comm, wanted);
    comm[PROCESS_TEXT_MAX - 2] = '\xc3';
    comm[PROCESS_TEXT_MAX - 1] = '\xa4';
    wanted[PROCESS_TEXT_MAX - 2] = '\0';
    assert_comm(comm, sizeof comm, wanted);
}

static void a_cut_name_is_the_beginning_of_the_whole(void **state)
{
    char whole[PROCESS_TEXT_MAX];

    (void)state;
    proc_pid_parse_comm(proc_comm_forged, sizeof proc_comm_forged - 1, whole);
    for (size_t cut = 1; cut < sizeof proc_comm_forged - 1; cut++) {
        char *copy = copy_of(proc_comm_forged, cut);
        char name[PROCESS_TEXT_MAX];

        proc_pid_parse_comm(copy, cut, name);
        assert_int_equal(strncmp(whole, name, strlen(name)), 0);
        free(copy);
    }
}

/* It is not the same as a process that could not be looked at. */
static void an_empty_name_is_said_to_be_none(void **state)
{
    (void)state;
    assert_comm("\n", 1, "(unnamed)");
    assert_comm("", 0, "(unnamed)");
}

/* Cgroups */

static void assert_cgroup(const char *text, const char *wanted)
{
    char *copy = string_of(text, strlen(text));
    char unit[UNIT_TEXT_MAX] = "dirty";

    (void)proc_pid_parse_cgroup(copy, unit);
    assert_string_equal(unit, wanted);
    free(copy);
}

static void a_managers_own_cgroup_is_told(void **state)
{
    static const struct {
        const char *text;
        bool wanted;
    } cases[] = {
        {"0::/init.scope\n", true},
        {"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", true},
        {"1:name=systemd:/init.scope\n0::/\n", true},
        {"1:name=systemd:/\n0::/init.scope\n", true},
        {"1:name=systemd:/system.slice/a.service\n0::/init.scope\n", false},
        {"0::/system.slice/a.service/init.scope\n", false}, /* its unit may make what it likes below */
        {"0::/user.slice/user-1000.slice/session-1.scope/init.scope\n", false},
        {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/xinit.scope\n", false},
        {"0::/user.slice/user-1000.slice/user@1000.service/init.scope/a\n", false},
        {"0::/xinit.scope\n", false},
        {"0::init.scope\n", false},
        {"0::/\n", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *copy = string_of(cases[i].text, strlen(cases[i].text));
        char unit[UNIT_TEXT_MAX];

        assert_int_equal(proc_pid_parse_cgroup(copy, unit), cases[i].wanted);
        free(copy);
    }
}

static void the_cgroup_is_that_of_systemds_hierarchy_or_of_cgroup2(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        /* cgroup2 only */
        {"0::/system.slice/nginx.service\n", "nginx.service"},
        {"0::/system.slice/nginx.service", "nginx.service"},
        {"0::/\n", ""},
        {"0::/a:b::c\n", ""},
        /* hybrid */
        {"9:name=systemd:/system.slice/a.service\n8:pids:/\n7:blkio:/\n0::/system.slice/b.service\n",
         "a.service"},
        {"0::/system.slice/b.service\n9:name=systemd:/system.slice/a.service\n", "a.service"},
        {"12:memory:/docker/4\n4:cpu,cpuacct:/docker/4\n0::/docker/4\n", ""},
        {"12:memory:/docker/4\n0::/init.scope\n1:pids:/docker/4\n", "init.scope"},
        {"1:name=systemd:/\n0::/system.slice/b.service\n", "b.service"}, /* a container */
        {"0::/system.slice/b.service\n1:name=systemd:/docker/4\n", "b.service"},
        /* cgroup v1 only */
        {"11:cpuset:/\n10:pids:/system.slice/a.service\n1:name=systemd:/system.slice/a.service\n",
         "a.service"},
        {"2:cpu:/a.service\n1:name=systemd:/\n", ""},
        {"2:cpu:/a.service\n1:name=elogind:/b.service\n", ""},
        {"2:cpu,name=systemd:/a.service\n", ""},
        {"2:xname=systemd:/a.service\n", ""},
        /* No cgroups, or none that we know */
        {"", ""},
        {"\n", ""},
        {"\n\n0::/x\n", ""},
        {"garbage\n", ""},
        {"0\n", ""},
        {"0:\n", ""},
        {"0:/a.service\n", ""},
        {"0::", ""},
        {"0:x:/a.service\n", ""},
        {"10::/a.service\n", ""},
        {"1:name=systemd\n", ""},
        {":::\n", ""},
        {"::\n", ""},
        {":name=systemd:\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_cgroup(cases[i].text, cases[i].wanted);
}

/* A path of one line never goes on in the next. */
static void a_cut_cgroup_file_yields_what_it_has(void **state)
{
    static const char text[] =
        "9:name=systemd:/system.slice/a.service\n8:pids:/\n0::/system.slice/b.service\n";

    (void)state;
    for (size_t cut = 0; cut < strlen(text); cut++) {
        char *copy = string_of(text, cut);
        bool is_whole = cut >= (size_t)(strchr(text, '\n') - text);

        assert_cgroup(copy, is_whole ? "a.service" : "");
        free(copy);
    }
}

/* Units */

static void assert_unit(const char *path, const char *wanted)
{
    size_t length = strlen(path);
    char *copy = copy_of(path, length);
    char unit[UNIT_TEXT_MAX];

    memset(unit, 'x', sizeof unit);
    proc_pid_parse_unit(copy, length, unit);
    assert_string_equal(unit, wanted);
    free(copy);
}

static void the_unit_is_the_first_that_is_no_slice(void **state)
{
    static const struct {
        const char *path, *unit;
    } cases[] = {
        {"/system.slice/nginx.service", "nginx.service"},
        {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
        {"/init.scope", "init.scope"},
        {"/system.slice/nginx.service/worker", "nginx.service"},
        {"/system.slice/nginx.service/sub.service", "nginx.service"},
        {"/system.slice/docker-4c3e.scope", "docker-4c3e.scope"},
        {"/system.slice/cups.socket", "cups.socket"},
        {"/system.slice/srv-data.mount", "srv-data.mount"},
        {"/machine.slice/libpod-4c3e.scope/container", "libpod-4c3e.scope"},
        {"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
         "machine-qemu\\x2d1\\x2dvm.scope"},
        {"/system.slice/dev-disk-by\\x2duuid-1.swap", "dev-disk-by\\x2duuid-1.swap"},
        {"/kubepods.slice/kubepods-burstable.slice/cri-containerd-4c.scope", "cri-containerd-4c.scope"},
        {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-web.service", "user@1000.service"},
        {"/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service"},
        {"/nginx.service", "nginx.service"},
        {"system.slice/nginx.service", "nginx.service"},
        {"//system.slice///nginx.service//", "nginx.service"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_unit(cases[i].path, cases[i].unit);
}

/* systemd puts "_" before names that the kernel uses itself, and before those
 * that begin with it. */
static void an_escaped_name_is_unescaped(void **state)
{
    static const struct {
        const char *path, *unit;
    } cases[] = {
        {"/system.slice/_cpu.service", "cpu.service"},
        {"/system.slice/__x.service", "_x.service"},
        {"/_memory.slice/x.service", "x.service"},
        {"/_memory.slice/_cpu.service/y.service", "cpu.service"},
        {"/_", ""},
        {"/_.service", ""},
        {"/a_b.service", "a_b.service"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_unit(cases[i].path, cases[i].unit);
}

static void what_systemd_did_not_make_is_no_unit(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "///",
        "/system.slice",
        "/user.slice/user-1000.slice/",
        "/docker/4c3e",
        "/docker/4c3e/system.slice/nginx.service", /* a unit of the container's own systemd */
        "/kubepods/burstable/pod1/4c3e",
        "/lxc.payload.web/init.scope",
        "/../nginx.service", /* outside of our cgroup namespace */
        "/.service",
        "/.slice/x.service",
        "/service",
        "/nginx.services",
        "/nginx.service (deleted)",
        "/nginx.target",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
        assert_unit(paths[i], "");
}

static void a_unit_name_is_fit_for_every_output(void **state)
{
    (void)state;
    assert_unit("/system.slice/a\x1b.service", "a\\x1b.service");
    assert_unit("/system.slice/\xff.service", "\\xff.service");
    assert_unit("/system.slice/b\xc3\xa4r.service", "b\xc3\xa4r.service");
}

/* No directory's name has more than 255 bytes, but escaping makes it longer. */
static void a_unit_name_as_long_as_it_gets_fits_and_a_longer_one_is_cut(void **state)
{
    static const char suffix[] = ".service";
    char path[512], wanted[UNIT_TEXT_MAX];

    (void)state;
    for (size_t length = UNIT_TEXT_MAX - 3; length < UNIT_TEXT_MAX + 40; length++) {
        memset(path, 'a', sizeof path);
        path[0] = '/';
        memcpy(path + 1 + length - strlen(suffix), suffix, sizeof suffix);
        memcpy(wanted, path + 1, sizeof wanted);
        wanted[sizeof wanted - 1] = '\0';
        assert_unit(path, wanted);
    }
    memset(path, '\xff', 256);
    memcpy(path, "/", 1);
    memcpy(path + 256 - strlen(suffix), suffix, sizeof suffix);
    *wanted = '\0';
    while (strlen(wanted) + 4 < sizeof wanted)
        (void)strcat(wanted, "\\xff");
    assert_unit(path, wanted);
}

static void a_cut_path_has_no_unit_or_the_same(void **state)
{
    static const char path[] = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
    const size_t end = (size_t)(strstr(path, "/app") - path);

    (void)state;
    for (size_t cut = 0; cut < strlen(path); cut++) {
        char *copy = copy_of(path, cut);
        char unit[UNIT_TEXT_MAX];

        proc_pid_parse_unit(copy, cut, unit);
        assert_string_equal(unit, cut < end ? "" : "user@1000.service");
        free(copy);
    }
}

/* Mounts */

static int mount_of(const char *line, size_t length, struct mount_line *ret)
{
    char *copy = string_of(line, length);
    int r = proc_pid_parse_mount(copy, ret);

    free(copy);
    return r;
}

static void assert_mount(const char *line, const char *root, const char *point, const char *type, bool hides)
{
    struct mount_line m;

    memset(&m, 'x', sizeof m);
    assert_int_equal(mount_of(line, strlen(line), &m), 0);
    assert_string_equal(m.root, root);
    assert_string_equal(m.point, point);
    assert_string_equal(m.type, type);
    assert_int_equal(m.hides_processes, hides);
}

/* What each captured line is about, in their order. */
static const struct mount_case {
    const char *root, *point, *type;
    bool hides;
} mounts[] = {
    {"/", "/mnt", "tmpfs", false},
    {"/", "/mnt/p0", "proc", false},
    {"/", "/mnt/p1", "proc", true},
    {"/", "/mnt/p2", "proc", true},
    {"/", "/mnt/p4", "proc", true},
    {"/", "/mnt/ps", "proc", true},
    {"/", "/mnt/with space", "tmpfs", false},
    {"/", "/mnt/back\\slash", "tmpfs", false},
    {"/", "/mnt/hash#tag", "tmpfs", false},
    {"/in ner", "/mnt/bind", "tmpfs", false},
    {"/", "/mnt/cg", "cgroup2", false},
    {"/", "/mnt/e", "proc", false}, /* its source is "" */
};

_Static_assert(ARRAY_LENGTH(mounts) == ARRAY_LENGTH(proc_mounts), "one expectation a line");

static void each_mount_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(mounts); i++) {
        const struct mount_case *m = &mounts[i];
        char line[256];

        assert_mount(proc_mounts[i], m->root, m->point, m->type, m->hides);
        (void)snprintf(line, sizeof line, "%s\n", proc_mounts[i]);
        assert_mount(line, m->root, m->point, m->type, m->hides);
    }
}

/* Up to its type a line is none; behind it only the options may have gone. */
static void a_cut_mount_is_none_up_to_its_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(mounts); i++) {
        const char *line = proc_mounts[i];
        size_t type = (size_t)(strstr(line, " - ") + 3 - line);

        for (size_t cut = 0; cut < strlen(line); cut++) {
            struct mount_line m;
            int r = mount_of(line, cut, &m);

            assert_int_equal(r, cut > type ? 0 : -EBADMSG);
            if (r < 0)
                continue;
            assert_string_equal(m.root, mounts[i].root);
            assert_string_equal(m.point, mounts[i].point);
            assert_int_equal(strncmp(m.type, mounts[i].type, cut - type), 0);
            assert_true(mounts[i].hides || !m.hides_processes);
        }
    }
}

static void optional_fields_are_passed_over(void **state)
{
    (void)state;
    assert_mount("23 28 0:21 / /proc rw - proc proc rw", "/", "/proc", "proc", false);
    assert_mount("23 28 0:21 / /proc rw shared:1 - proc proc rw,hidepid=2", "/", "/proc", "proc", true);
    assert_mount("23 28 0:21 / /proc rw shared:1 master:2 propagate_from:3 unbindable - proc proc rw", "/",
                 "/proc", "proc", false);
    assert_mount("31 23 0:26 /../.. /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
                 "/../..", "/sys/fs/cgroup", "cgroup2", false);
}

/* As numbers before Linux 5.8, as words since. */
static void processes_are_hidden_by_hidepid_and_subset(void **state)
{
    static const struct {
        const char *options;
        bool hides;
    } cases[] = {
        {"rw", false},
        {"rw,gid=4", false},
        {"rw,hidepid=0", false},
        {"rw,hidepid=off", false},
        {"rw,hidepid=1", true},
        {"rw,hidepid=2", true},
        {"rw,hidepid=4", true},
        {"rw,hidepid=noaccess", true},
        {"rw,hidepid=invisible", true},
        {"rw,hidepid=ptraceable", true},
        {"rw,gid=4,hidepid=invisible", true},
        {"hidepid=invisible,rw", true},
        {"rw,subset=pid", true},
        {"rw,hidepid=off,subset=pid", true},
    };
    char line[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(line, sizeof line, "23 28 0:21 / /proc rw shared:1 - proc proc %s\n",
                       cases[i].options);
        assert_mount(line, "/", "/proc", "proc", cases[i].hides);
        (void)snprintf(line, sizeof line, "23 28 0:21 / /proc rw - tmpfs proc %s\n", cases[i].options);
        assert_mount(line, "/", "/proc", "tmpfs", false);
    }
    /* What the mount point and the mount's own options are called does not count. */
    assert_mount("23 28 0:21 / /hidepid=2 rw,hidepid=2 - proc hidepid=2 rw", "/", "/hidepid=2", "proc",
                 false);
}

static void octal_escapes_are_undone(void **state)
{
    static const struct {
        const char *escaped, *wanted;
    } cases[] = {
        {"/a\\040b\\011c\\012d\\134e\\043f", "/a b\tc\nd\\e#f"},
        {"/\\303\\244", "/\xc3\xa4"},
        {"/\\134040", "/\\040"},
        {"/\\134\\040", "/\\ "},
        /* None, which the kernel does not write */
        {"/a\\", "/a\\"},
        {"/a\\0", "/a\\0"},
        {"/a\\04", "/a\\04"},
        {"/a\\9ab", "/a\\9ab"},
        {"/a\\0x0", "/a\\0x0"},
        {"/a\\/../b", "/a\\/../b"},
        {"/\\\\040", "/\\ "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char line[128];

        (void)snprintf(line, sizeof line, "1 2 0:3 %s / rw - tmpfs x rw", cases[i].escaped);
        assert_mount(line, cases[i].wanted, "/", "tmpfs", false);
        (void)snprintf(line, sizeof line, "1 2 0:3 / %s rw - tmpfs x rw", cases[i].escaped);
        assert_mount(line, "/", cases[i].wanted, "tmpfs", false);
    }
}

static void a_line_that_is_no_mount_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        " - ",
        " - proc proc rw",
        "1 - proc proc rw",
        "1 2 3 - proc proc rw",
        "1 2 0:3 / - proc proc rw",
        "1 2 0:3 / /proc rw proc proc rw",
        "1 2 0:3 / /proc rw -proc proc rw",
        "1 2 0:3 / /proc rw - ",
        "1 2 0:3 / /proc rw - \n",
        "1 2 0:3 / /proc rw -  proc rw",
        "1 2 0:3 / /proc rw - a-file-system-of-thirty-two-bytes proc rw",
        "1\t2\t0:3\t/\t/proc\trw\t-\tproc\tproc\trw",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct mount_line m = {.type = "kept"};

        assert_int_equal(mount_of(lines[i], strlen(lines[i]), &m), -EBADMSG);
        assert_string_equal(m.type, "kept");
    }
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    const size_t most = sizeof((struct mount_line *)0)->point - 1;

    (void)state;
    for (size_t length = most - 1; length < most + 3; length++) {
        char path[512], line[640];
        struct mount_line m;

        memset(path, 'a', sizeof path);
        path[0] = '/';
        path[length] = '\0';
        (void)snprintf(line, sizeof line, "1 2 0:3 / %s rw - tmpfs x rw", path);
        assert_int_equal(mount_of(line, strlen(line), &m), length <= most ? 0 : -EBADMSG);
        (void)snprintf(line, sizeof line, "1 2 0:3 %s / rw - tmpfs x rw", path);
        assert_int_equal(mount_of(line, strlen(line), &m), length <= most ? 0 : -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_known_by_its_inode),
        cmocka_unit_test(another_kind_of_file_is_no_socket),
        cmocka_unit_test(an_inode_too_large_is_none),
        cmocka_unit_test(a_cut_link_is_no_socket),
        cmocka_unit_test(a_thread_tells_its_process),
        cmocka_unit_test(the_effective_user_counts),
        cmocka_unit_test(a_status_without_a_user_is_malformed),
        cmocka_unit_test(a_cut_status_has_a_user_from_the_first_digit_of_it),
        cmocka_unit_test(a_process_name_is_one_line_of_utf8),
        cmocka_unit_test(a_name_as_long_as_names_get_fits),
        cmocka_unit_test(a_name_that_is_too_long_is_cut_at_a_character),
        cmocka_unit_test(a_cut_name_is_the_beginning_of_the_whole),
        cmocka_unit_test(an_empty_name_is_said_to_be_none),
        cmocka_unit_test(a_managers_own_cgroup_is_told),
        cmocka_unit_test(the_cgroup_is_that_of_systemds_hierarchy_or_of_cgroup2),
        cmocka_unit_test(a_cut_cgroup_file_yields_what_it_has),
        cmocka_unit_test(the_unit_is_the_first_that_is_no_slice),
        cmocka_unit_test(an_escaped_name_is_unescaped),
        cmocka_unit_test(what_systemd_did_not_make_is_no_unit),
        cmocka_unit_test(a_unit_name_is_fit_for_every_output),
        cmocka_unit_test(a_unit_name_as_long_as_it_gets_fits_and_a_longer_one_is_cut),
        cmocka_unit_test(a_cut_path_has_no_unit_or_the_same),
        cmocka_unit_test(each_mount_is_told),
        cmocka_unit_test(a_cut_mount_is_none_up_to_its_type),
        cmocka_unit_test(optional_fields_are_passed_over),
        cmocka_unit_test(processes_are_hidden_by_hidepid_and_subset),
        cmocka_unit_test(octal_escapes_are_undone),
        cmocka_unit_test(a_line_that_is_no_mount_is_refused),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
