/* Floods of processes, names, cgroups and connections. */
#include "tests/integration/flood.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { CGROUPS_PLANES = 40 };

/* The cgroups that exist; one flood a process, so there is one of these. */
static struct {
    const char *parent;
    unsigned count, round;
} groups;

static _Noreturn void change_names(const struct flood *f, unsigned index, unsigned ms)
{
    char name[16];

    if (flood_open_listener(PLANE_NAMES, index) < 0)
        die("listener");
    flood_tell(f);
    for (unsigned round = 0;; round++) {
        (void)snprintf(name, sizeof name, "n%u-%u", index % 100000, round % 100000);
        if (prctl(PR_SET_NAME, name) < 0)
            die("name");
        flood_sleep_ms(ms);
    }
}

void flood_names(struct flood *f, char **arguments)
{
    unsigned processes = flood_number(arguments[0]), ms = flood_number(arguments[1]);

    for (unsigned i = 0; i < processes; i++)
        if (flood_fork(f, -1) == 0)
            change_names(f, i, ms);
    flood_children_ready(f, processes);
}

void flood_processes(struct flood *f, char **arguments)
{
    flood_clone(f, flood_number(arguments[0]), 0);
}

/* Cgroups */

static void cgroup_name(char ret_path[static PATH_MAX], unsigned round, unsigned index)
{
    int length = snprintf(ret_path, PATH_MAX, "%s/flood-%u-%u", groups.parent, round, index);

    if (length < 0 || length >= PATH_MAX)
        die("name of a cgroup");
}

/* Returns a descriptor of the directory. */
static int cgroup_make(unsigned round, unsigned index)
{
    char path[PATH_MAX];
    int fd;

    cgroup_name(path, round, index);
    if (mkdir(path, 0755) < 0)
        die("cgroup");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        die("cgroup");
    return fd;
}

/* One that still has members is left to the harness, which says so. */
static void cgroups_remove(struct flood *f)
{
    char path[PATH_MAX];

    (void)f;
    for (unsigned i = 0; i < groups.count; i++) {
        cgroup_name(path, groups.round, i);
        (void)rmdir(path);
    }
}

static void cgroups_make(struct flood *f, unsigned round)
{
    groups.round = round;
    for (unsigned i = 0; i < groups.count; i++) {
        int cgroup = cgroup_make(round, i);

        if (flood_fork(f, cgroup) == 0) {
            (void)flood_open_listener(PLANE_CGROUPS + round % CGROUPS_PLANES, i);
            flood_tell(f);
            flood_rest();
        }
        (void)close(cgroup);
    }
    flood_children_ready(f, groups.count);
}

static void cgroups_renew(struct flood *f, unsigned round)
{
    flood_end_children(f, 0);
    cgroups_remove(f);
    cgroups_make(f, round);
}

void flood_cgroups(struct flood *f, char **arguments)
{
    groups.parent = arguments[0];
    groups.count = flood_number(arguments[1]);
    f->every_ms = (int)flood_number(arguments[2]);
    f->turn = cgroups_renew;
    f->clear = cgroups_remove;
    cgroups_make(f, 0);
}

/* A process of each cgroup opens every second listener of all. */
static void hold_alternate(const struct flood *f, unsigned first, unsigned count)
{
    for (unsigned i = first; i < count; i += 2)
        (void)flood_open_listener(PLANE_ALTERNATE, i);
    flood_tell(f);
    flood_rest();
}

void flood_alternate(struct flood *f, char **arguments)
{
    unsigned count = flood_number(arguments[1]), processes = flood_number(arguments[2]);

    groups.parent = arguments[0];
    groups.count = 2;
    f->clear = cgroups_remove;
    for (unsigned group = 0; group < 2; group++) {
        int cgroup = cgroup_make(0, group);

        if (flood_fork(f, cgroup) == 0)
            hold_alternate(f, group, count);
        for (unsigned i = 1; i < processes; i++)
            if (flood_fork(f, cgroup) == 0)
                flood_rest();
        (void)close(cgroup);
    }
    flood_children_ready(f, 2);
}

/* Connections that the server closes stay closed. */
void flood_idle(struct flood *f, char **arguments)
{
    unsigned count = flood_number(arguments[0]);
    const struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)flood_number(arguments[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    (void)f;
    for (unsigned i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) < 0)
            die("connection");
    }
}
