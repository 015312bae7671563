#include "collectors/owners.h"
#include "collectors/cgroup.h"
#include "collectors/proc_scan.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

/* The machine of these tests: its processes, its cgroups and its clock, and
 * what was done to find out about them, in order:
 *
 *   tree           the cgroup tree was walked
 *   /web           the PIDs of that cgroup were read
 *   10             the descriptors of a process were looked through
 *   all            those of all processes
 *   10?            one descriptor of a process was looked at again
 */
enum { PROCESSES_MAX = 16, HELD_MAX = 4, CGROUPS_MAX = 4, ROWS_MAX = 16 };

struct process {
    uint32_t pid;
    const char *name, *user, *unit;
    uint64_t cgroup_id;
    uint32_t sockets[HELD_MAX]; /* their inodes, each as the descriptor of its place; 0 for none */
};

static struct machine {
    int64_t now_ms;
    struct process processes[PROCESSES_MAX];
    size_t process_count;
    struct {
        uint64_t id;
        const char *path;
    } cgroups[CGROUPS_MAX];
    size_t cgroup_count, known_cgroups; /* known from the last walk */
    bool denied, hides;                 /* some process does not let us look; /proc does not show all */
    int scan_result, all_result;
    int64_t walk_takes_ms, tree_takes_ms, process_takes_ms;
    int64_t spent_ms; /* walking */
    size_t walks, trees, rechecks, forgotten;
    bool no_cgroups, no_users;
    size_t open;
    char did[1024];
} machine;

struct cgroups {
    int unused;
};

struct users {
    char name[USER_TEXT_MAX];
};

static struct cgroups the_cgroups;
static struct users the_users;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    ret->tv_sec = machine.now_ms / 1000;
    ret->tv_nsec = machine.now_ms % 1000 * 1000000;
    return 0;
}

/* Notes in a list that is long enough for what a test looks at; the rest of a
 * longer run is counted only. */
static void note(const char *what)
{
    size_t length = strlen(machine.did);

    (void)snprintf(machine.did + length, sizeof machine.did - length, "%s%s", length > 0 ? " " : "", what);
}

static void note_process(uint32_t pid, const char *mark)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%u%s", pid, mark);
    note(text);
}

struct cgroups *cgroups_new(void)
{
    if (machine.no_cgroups)
        return NULL;
    machine.open++;
    return &the_cgroups;
}

void cgroups_free(struct cgroups *c)
{
    machine.open -= c != NULL;
}

const char *cgroups_path(const struct cgroups *c, uint64_t id)
{
    assert_ptr_equal(c, &the_cgroups);
    for (size_t i = 0; i < machine.known_cgroups; i++)
        if (machine.cgroups[i].id == id)
            return machine.cgroups[i].path;
    return NULL;
}

int cgroups_walk(struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    note("tree");
    machine.trees++;
    machine.now_ms += machine.tree_takes_ms;
    machine.spent_ms += machine.tree_takes_ms;
    machine.known_cgroups = machine.cgroup_count;
    return machine.cgroup_count > 0 ? 0 : -ENOENT;
}

int cgroups_pids(const struct cgroups *c, const char *path, uint32_t **ret_pids, size_t *ret_count)
{
    uint32_t *pids = calloc(PROCESSES_MAX, sizeof *pids);
    size_t count = 0;

    assert_ptr_equal(c, &the_cgroups);
    assert_non_null(pids);
    note(path);
    for (size_t i = 0; i < machine.cgroup_count; i++)
        for (size_t k = 0; strcmp(machine.cgroups[i].path, path) == 0 && k < machine.process_count; k++)
            if (machine.processes[k].cgroup_id == machine.cgroups[i].id)
                pids[count++] = machine.processes[k].pid;
    *ret_pids = pids;
    *ret_count = count;
    return 0;
}

struct users *users_new(void)
{
    if (machine.no_users)
        return NULL;
    machine.open++;
    return &the_users;
}

void users_free(struct users *u)
{
    machine.open -= u != NULL;
}

const char *users_name(struct users *u, uint32_t uid)
{
    assert_ptr_equal(u, &the_users);
    (void)snprintf(u->name, sizeof u->name, "user%u", uid);
    return u->name;
}

void users_forget(struct users *u)
{
    assert_ptr_equal(u, &the_users);
    machine.forgotten++;
}

static const struct process *find_process(uint32_t pid)
{
    for (size_t i = 0; i < machine.process_count; i++)
        if (machine.processes[i].pid == pid)
            return &machine.processes[i];
    return NULL;
}

static struct holder holder_of(const struct process *process)
{
    struct holder holder = {.pid = process->pid, .unit_known = true};

    (void)snprintf(holder.process, sizeof holder.process, "%s", process->name);
    (void)snprintf(holder.user, sizeof holder.user, "%s", process->user);
    (void)snprintf(holder.unit, sizeof holder.unit, "%s", process->unit);
    return holder;
}

static void add_hit(struct wanted *w, const struct process *process, uint32_t fd)
{
    for (size_t i = 0; i < w->hit_count; i++)
        if (w->hits[i].holder.pid == process->pid)
            return;
    w->hits = reallocarray(w->hits, w->hit_count + 1, sizeof *w->hits);
    assert_non_null(w->hits);
    w->hits[w->hit_count++] = (struct hit){.holder = holder_of(process), .fd = fd};
}

static void look_into(struct proc_scan *s, const struct process *process)
{
    for (uint32_t fd = 0; fd < HELD_MAX; fd++)
        for (size_t i = 0; process->sockets[fd] != 0 && i < s->wanted_count; i++)
            if (s->wanted[i].inode == process->sockets[fd])
                add_hit(&s->wanted[i], process, fd);
}

/* What is looked for must be in order, each once. */
static void assert_wanted(const struct proc_scan *s)
{
    assert_ptr_equal(s->users, &the_users);
    for (size_t i = 1; i < s->wanted_count; i++)
        assert_true(s->wanted[i].inode > s->wanted[i - 1].inode);
}

int proc_scan_process(struct proc_scan *s, uint32_t pid)
{
    const struct process *process = find_process(pid);

    assert_wanted(s);
    note_process(pid, "");
    machine.now_ms += machine.process_takes_ms;
    if (process)
        look_into(s, process);
    s->denied = true; /* what one process denies is of no interest when all are looked at */
    return machine.scan_result;
}

int proc_scan_all(struct proc_scan *s)
{
    assert_wanted(s);
    note("all");
    machine.walks++;
    machine.now_ms += machine.walk_takes_ms;
    machine.spent_ms += machine.walk_takes_ms;
    for (size_t i = 0; machine.all_result == 0 && i < machine.process_count; i++)
        look_into(s, &machine.processes[i]);
    s->denied |= machine.denied;
    return machine.all_result;
}

bool proc_scan_sees_all(void)
{
    return !machine.hides;
}

bool proc_scan_recheck(const struct holder *holder, uint32_t fd, uint32_t inode)
{
    const struct process *process = find_process(holder->pid);

    note_process(holder->pid, "?");
    machine.rechecks++;
    assert_in_range(fd, 0, HELD_MAX - 1);
    return process && process->sockets[fd] == inode && strcmp(process->name, holder->process) == 0;
}

/* Making the machine. Its clock begins late enough for 0 to be long ago. */

#define WEB_ID    UINT64_C(7)
#define WEB       "/system.slice/web.service"
#define MAIL_ID   UINT64_C(8)
#define MAIL      "/system.slice/mail.service"
#define INIT_ID   UINT64_C(9)
#define INIT      "/init.scope"
#define ELSEWHERE UINT64_C(1) /* the root of the tree, which tells nothing */
#define START_MS  INT64_C(1000000)

static struct process *start(uint32_t pid, const char *name, uint64_t cgroup_id, uint32_t inode)
{
    struct process *process = &machine.processes[machine.process_count++];

    assert_in_range(machine.process_count, 1, PROCESSES_MAX);
    *process = (struct process){.pid = pid,
                                .name = name,
                                .user = "www-data",
                                .unit = "",
                                .cgroup_id = cgroup_id,
                                .sockets[3] = inode};
    return process;
}

static void stop(uint32_t pid)
{
    for (size_t i = 0; i < machine.process_count; i++) {
        if (machine.processes[i].pid == pid) {
            machine.processes[i] = machine.processes[--machine.process_count];
            return;
        }
    }
    fail_msg("no process %u", pid);
}

static void add_cgroup(uint64_t id, const char *path)
{
    machine.cgroups[machine.cgroup_count].id = id;
    machine.cgroups[machine.cgroup_count++].path = path;
    assert_in_range(machine.cgroup_count, 1, CGROUPS_MAX);
}

/* Sockets have equal cookies and inodes here, unless a test says otherwise. */
static struct listener_row socket_of(uint32_t inode, uint64_t cgroup_id)
{
    return (struct listener_row){.cookie = inode, .inode = inode, .cgroup_id = cgroup_id, .uid = 33};
}

static int set_up(void **state)
{
    machine = (struct machine){.now_ms = START_MS, .walk_takes_ms = 20, .tree_takes_ms = 1};
    add_cgroup(WEB_ID, WEB);
    add_cgroup(MAIL_ID, MAIL);
    add_cgroup(INIT_ID, INIT);
    *state = owners_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    owners_free(*state);
    return machine.open == 0 ? 0 : -1;
}

/* Looking. */

static void attach_many(struct owners *o, struct listener_row *rows, size_t count)
{
    *machine.did = '\0';
    for (size_t i = 0; i < count; i++)
        rows[i].owners = NULL; /* rows are new at every poll */
    assert_int_equal(owners_attach(o, rows, count), 0);
    for (size_t i = 0; i < count; i++)
        assert_non_null(rows[i].owners);
}

static void attach(struct owners *o, struct listener_row *row)
{
    attach_many(o, row, 1);
}

static void pass_ms(int64_t ms)
{
    machine.now_ms += ms;
}

static void assert_did(const char *wanted)
{
    assert_string_equal(machine.did, wanted);
}

/* "10 11": the PIDs of a socket's holders. */
static void assert_holders(const struct listener_row *row, const char *wanted)
{
    const struct owner_set *set = row->owners;
    char have[64] = "";

    for (size_t i = 0; i < set->count; i++)
        (void)snprintf(have + strlen(have), sizeof have - strlen(have), "%s%u", i > 0 ? " " : "",
                       set->holders[i].pid);
    assert_string_equal(have, wanted);
    assert_int_equal(set->sight == SIGHT_SEEN, set->count > 0);
}

static void assert_nobody(const struct listener_row *row, enum sight sight)
{
    assert_int_equal(row->owners->count, 0);
    assert_int_equal(row->owners->sight, sight);
}

/* A new socket */

static void a_new_socket_is_looked_for_in_its_cgroup(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);
    const struct holder *holder;

    start(10, "web", WEB_ID, 100)->unit = "web.service";
    start(11, "web-cache", WEB_ID, 0);
    start(20, "mail", MAIL_ID, 200);
    attach(*state, &row);
    assert_did("tree " WEB " 10 11");
    assert_holders(&row, "10");
    assert_int_equal(row.owners->uid, 33);
    assert_string_equal(row.owners->user, "user33");
    assert_string_equal(row.owners->unit, "web.service");
    holder = &row.owners->holders[0];
    assert_string_equal(holder->process, "web");
    assert_string_equal(holder->user, "www-data");
    assert_string_equal(holder->unit, "web.service");
    assert_true(holder->unit_known);
}

static void what_its_cgroup_does_not_hold_is_looked_for_everywhere(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 0);
    start(30, "adopter", ELSEWHERE, 100);
    start(12, "also", MAIL_ID, 100);
    attach(*state, &row);
    assert_did("tree " WEB " 10 all");
    assert_holders(&row, "12 30"); /* by PID */
    assert_string_equal(row.owners->unit, "web.service");
}

static void without_a_cgroup_it_is_looked_for_everywhere(void **state)
{
    static const uint64_t ids[] = {0, ELSEWHERE};

    start(10, "web", ELSEWHERE, 100);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct listener_row row = socket_of(100, ids[i]);

        row.cookie = i;
        pass_ms(1000);
        attach(*state, &row);
        assert_did("all"); /* and the tree is not asked about these */
        assert_holders(&row, "10");
        assert_string_equal(row.owners->unit, "");
    }
}

/* One look for all of them. */
static void many_new_sockets_are_one_look(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(500, ELSEWHERE),
                                  socket_of(101, WEB_ID), socket_of(200, MAIL_ID),
                                  socket_of(102, WEB_ID), socket_of(501, ELSEWHERE)};
    struct process *web = start(10, "web", WEB_ID, 102);

    web->sockets[0] = 100;
    web->sockets[1] = 101;
    start(11, "web-worker", WEB_ID, 101);
    start(20, "mail", MAIL_ID, 200);
    start(50, "old", ELSEWHERE, 500);
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    assert_did("tree " WEB " " MAIL " 10 11 20 all");
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "50");
    assert_holders(&rows[2], "10 11");
    assert_holders(&rows[3], "20");
    assert_holders(&rows[4], "10");
    assert_nobody(&rows[5], SIGHT_NONE);
}

/* A resumed dump may repeat a socket, which is told apart later. */
static void a_socket_that_was_dumped_twice_has_its_owner_twice(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(100, WEB_ID)};

    start(10, "web", WEB_ID, 100);
    for (size_t i = 0; i < 3; i++) {
        attach_many(*state, rows, 2 - i % 2);
        assert_holders(&rows[0], "10");
        if (i % 2 == 0)
            assert_holders(&rows[1], "10");
    }
    attach_many(*state, rows, 2);
    assert_did(""); /* it was no new one */
}

static void a_socket_without_inode_has_no_holder_and_costs_no_walk(void **state)
{
    struct listener_row rows[] = {socket_of(0, ELSEWHERE), socket_of(0, ELSEWHERE)};

    rows[0].cookie = 5;
    rows[1].cookie = 6;
    machine.denied = machine.hides = true;
    start(10, "web", ELSEWHERE, 100);
    attach_many(*state, rows, 2);
    assert_did("");
    assert_nobody(&rows[0], SIGHT_NONE);
    assert_nobody(&rows[1], SIGHT_NONE);
    assert_string_equal(rows[0].owners->user, "user33");
    for (int i = 0; i < 100; i++, pass_ms(1000))
        attach_many(*state, rows, 2);
    assert_int_equal(machine.walks, 0);
}

/* Nothing new */

static void nothing_new_is_no_look(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    for (int i = 0; i < 9; i++) {
        pass_ms(100);
        attach(*state, &row);
        assert_did("");
        assert_holders(&row, "10");
    }
}

/* Polled ten times a second for five minutes: rechecks once a second, refreshes
 * after 1, 2, 4 ... seconds, at last once a minute. */
static void it_is_looked_for_ever_more_seldom(void **state)
{
    static const int64_t looks_ms[] = {1000, 3000, 7000, 15000, 31000, 63000, 123000, 183000, 243000};
    struct listener_row row = socket_of(100, WEB_ID);
    size_t look = 0;

    start(10, "web", WEB_ID, 100);
    machine.tree_takes_ms = 0;
    attach(*state, &row);
    for (int64_t ms = 100; ms <= 300000; ms += 100) {
        pass_ms(100);
        attach(*state, &row);
        if (look < ARRAY_LENGTH(looks_ms) && ms == looks_ms[look]) {
            assert_did("10? " WEB " 10");
            look++;
        } else {
            assert_did(ms % 1000 == 0 ? "10?" : "");
        }
    }
    assert_int_equal(look, ARRAY_LENGTH(looks_ms));
    assert_int_equal(machine.rechecks, 300);
    assert_int_equal(machine.trees, 1);
    assert_int_equal(machine.walks, 0);
}

/* Where no cgroup tells who joined, a refresh is a walk. */
static void without_a_cgroup_a_refresh_looks_everywhere(void **state)
{
    struct listener_row row = socket_of(100, ELSEWHERE);

    start(10, "web", ELSEWHERE, 100);
    attach(*state, &row);
    assert_did("all");
    start(11, "web-worker", ELSEWHERE, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? 10 all");
    assert_holders(&row, "10 11");
}

static void a_refresh_finds_who_joined_the_cgroup(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    start(11, "web-worker", WEB_ID, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? " WEB " 10 11");
    assert_holders(&row, "10 11");
    assert_int_equal(machine.walks, 0);
}

static void only_what_is_due_is_looked_for(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID)};

    start(10, "web", WEB_ID, 100);
    start(20, "mail", MAIL_ID, 200);
    attach(*state, &rows[0]);
    pass_ms(500);
    attach_many(*state, rows, 2);
    assert_did(MAIL " 20");
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "20");
    pass_ms(500);
    attach_many(*state, rows, 2);
    assert_did("10? " WEB " 10");
}

/* Holders that change */

static void some_holders_gone_is_a_look_nearby(void **state)
{
    static const uint64_t ids[] = {WEB_ID, ELSEWHERE};

    machine.walk_takes_ms = machine.tree_takes_ms = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct listener_row row = socket_of(100 + (uint32_t)i, ids[i]);

        start(10, "web", ids[i], row.inode);
        start(11, "web-worker", ids[i], row.inode);
        pass_ms(100000);
        attach(*state, &row);
        pass_ms(1000);
        attach(*state, &row);
        pass_ms(1000); /* at 2 s no refresh is due */
        stop(11);
        attach(*state, &row);
        assert_did(ids[i] == WEB_ID ? "10? 11? " WEB " 10 11" : "10? 11? 10 11");
        assert_holders(&row, "10");

        pass_ms(999);
        attach(*state, &row);
        assert_did("");
        pass_ms(1); /* the refresh comes as if nothing had happened */
        attach(*state, &row);
        assert_did(ids[i] == WEB_ID ? "10? " WEB " 10" : "10? 10 all");
        stop(10);
    }
}

static void all_holders_gone_is_a_look_everywhere(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    stop(10);
    start(30, "heir", ELSEWHERE, 100);
    attach(*state, &row);
    assert_did("10? " WEB " 10 all");
    assert_holders(&row, "30");
}

static void a_successor_in_the_cgroup_is_found_there(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    stop(10);
    start(12, "web", WEB_ID, 100);
    attach(*state, &row);
    assert_did("10? " WEB " 10 12");
    assert_holders(&row, "12");
    assert_int_equal(machine.walks, 0);
}

/* exec(2): the same process, the same descriptor, another name. */
static void a_holder_with_another_name_is_looked_at_again(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);
    struct process *process = start(10, "sh", WEB_ID, 100);

    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    process->name = "web";
    attach(*state, &row);
    assert_did("10? " WEB " 10");
    assert_holders(&row, "10");
    assert_string_equal(row.owners->holders[0].process, "web");
}

/* dup(2) and close(2): it may have the socket under another descriptor. */
static void a_holder_with_another_descriptor_stays(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);
    struct process *web = start(10, "web", WEB_ID, 100);

    attach(*state, &row);
    pass_ms(1000);
    web->sockets[1] = 100;
    web->sockets[3] = 0;
    attach(*state, &row);
    assert_holders(&row, "10");
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10?"); /* under the other one now */
}

static void a_socket_that_nobody_has_any_more_is_nobodys(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    stop(10);
    pass_ms(1000);
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    assert_string_equal(row.owners->unit, "web.service");
}

/* fchown(2) */
static void a_socket_of_another_user_is_looked_for_at_once(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(100);
    row.uid = 34;
    attach(*state, &row);
    assert_did(WEB " 10");
    assert_int_equal(row.owners->uid, 34);
    assert_string_equal(row.owners->user, "user34");
    assert_holders(&row, "10");
    pass_ms(100);
    attach(*state, &row);
    assert_did("");
}

/* Whoever only keeps a socket for a service that may have got it meanwhile */

static void where_only_an_activator_has_it_it_is_looked_for_everywhere(void **state)
{
    struct listener_row row = socket_of(100, INIT_ID);

    start(1, "systemd", INIT_ID, 100)->unit = "init.scope";
    attach(*state, &row);
    assert_did("tree " INIT " 1 all");
    assert_holders(&row, "1");
    assert_string_equal(row.owners->unit, "init.scope");

    start(10, "web", WEB_ID, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("1? " INIT " 1 all");
    assert_holders(&row, "1 10");

    pass_ms(2000); /* now the service is known, and looked into as well */
    attach(*state, &row);
    assert_did("1? 10? " INIT " 1 10");
    assert_holders(&row, "1 10");

    stop(10);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("1? 10? " INIT " 1 10 all");
    assert_holders(&row, "1");
}

/* Walks */

static void a_walk_waits_ten_times_as_long_as_the_last_one_took(void **state)
{
    struct listener_row rows[] = {socket_of(100, ELSEWHERE), socket_of(200, MAIL_ID), socket_of(300, WEB_ID)};

    machine.walk_takes_ms = 500;
    machine.tree_takes_ms = 0;
    start(10, "web", ELSEWHERE, 100);
    start(20, "mail", ELSEWHERE, 200);
    start(30, "web", WEB_ID, 300);
    attach(*state, &rows[0]);
    assert_did("all");
    attach_many(*state, rows, 2);
    assert_did("tree " MAIL);
    for (int64_t ms = 100; ms < 5000; ms += 100) {
        pass_ms(100);
        attach_many(*state, rows, 2);
        assert_null(strstr(machine.did, "all"));
        assert_null(strstr(machine.did, MAIL)); /* nor is it looked for nearby until then */
        assert_holders(&rows[0], "10");         /* what is known stays */
        assert_nobody(&rows[1], SIGHT_NOT_YET);
    }
    attach_many(*state, rows, 3); /* nearby may be looked at any time */
    assert_did(WEB " 30");
    assert_holders(&rows[2], "30");
    pass_ms(100);
    attach_many(*state, rows, 3);
    assert_non_null(strstr(machine.did, MAIL " 10 all"));
    assert_holders(&rows[1], "20");
}

/* However many new sockets there are, that is a tenth of the time. */
static void walks_take_at_most_a_tenth_of_the_time(void **state)
{
    struct listener_row row = socket_of(100, ELSEWHERE);

    machine.walk_takes_ms = 300;
    machine.tree_takes_ms = 70;
    for (uint32_t i = 0; i < 6000; i++, pass_ms(100)) {
        row.cookie = row.inode = 1000 + i;
        row.cgroup_id = 1000 + i; /* of a cgroup that is gone already */
        attach(*state, &row);
    }
    assert_true(machine.walks > 100);
    assert_true(machine.trees > 100);
    /* The two are held down each by itself. */
    assert_true(machine.walks * 300 * 10 <= (uint64_t)(machine.now_ms - START_MS));
    assert_true(machine.trees * 70 * 10 <= (uint64_t)(machine.now_ms - START_MS));
}

/* A postponed look says nothing new, so what the last one said stays. */
static void until_the_next_walk_what_the_last_one_said_stays(void **state)
{
    static const enum sight sights[] = {SIGHT_NONE, SIGHT_HIDDEN};

    machine.walk_takes_ms = 500;
    for (size_t i = 0; i < ARRAY_LENGTH(sights); i++) {
        struct listener_row row = socket_of(100 + (uint32_t)i, WEB_ID);

        machine.denied = sights[i] == SIGHT_HIDDEN;
        pass_ms(100000);
        attach(*state, &row);
        assert_nobody(&row, sights[i]);
        for (int k = 0; k < 300; k++, pass_ms(100)) {
            attach(*state, &row);
            assert_nobody(&row, sights[i]);
        }
        owners_refresh(*state);
        attach(*state, &row);
        assert_nobody(&row, sights[i]);
    }
}

/* One that was held may have been passed on: that is not to be told yet. */
static void until_the_next_walk_a_holder_that_has_gone_leaves_it_open(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};

    machine.walk_takes_ms = 500;
    start(10, "web", WEB_ID, 100);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10");
    stop(10);
    start(30, "heir", ELSEWHERE, 100);
    for (int k = 0; k < 49; k++) {
        pass_ms(100);
        attach_many(*state, rows, 2);
        if (machine.now_ms - START_MS > 2000)
            assert_nobody(&rows[0], SIGHT_NOT_YET);
    }
    assert_int_equal(machine.walks, 1);
    pass_ms(200);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "30");
}

static void who_was_not_found_may_be_hidden(void **state)
{
    static const struct {
        bool denied, hides;
        enum sight sight;
    } cases[] = {
        {false, false, SIGHT_NONE},
        {true, false, SIGHT_HIDDEN},
        {false, true, SIGHT_HIDDEN},
        {true, true, SIGHT_HIDDEN},
    };

    start(10, "web", WEB_ID, 0);
    start(20, "mail", MAIL_ID, 200);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};

        rows[0].cookie = 100 + i; /* new each time */
        machine.denied = cases[i].denied;
        machine.hides = cases[i].hides;
        pass_ms(10000);
        attach_many(*state, rows, 2);
        assert_nobody(&rows[0], cases[i].sight);
        assert_string_equal(rows[0].owners->user, "user33");
        assert_string_equal(rows[0].owners->unit, "web.service");
        assert_holders(&rows[1], "20"); /* whoever is seen, is seen */
    }
}

static void without_proc_nothing_is_told(void **state)
{
    struct listener_row row = socket_of(100, ELSEWHERE);

    machine.all_result = -ENOENT;
    attach(*state, &row);
    assert_did("all");
    assert_nobody(&row, SIGHT_NOT_YET);
    assert_string_equal(row.owners->user, "user33");

    machine.all_result = 0;
    start(10, "web", ELSEWHERE, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "10");
}

/* Cgroups */

static void the_tree_is_walked_when_a_cgroup_is_not_known(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID), socket_of(300, 50)};

    attach(*state, &rows[0]);
    assert_int_equal(machine.trees, 1);
    attach_many(*state, rows, 2); /* it is known from the same walk */
    assert_int_equal(machine.trees, 1);
    pass_ms(1000);
    attach_many(*state, rows, 3); /* a new service */
    assert_int_equal(machine.trees, 2);
    assert_string_equal(rows[1].owners->unit, "mail.service");
    assert_string_equal(rows[2].owners->unit, "");
}

static void a_cgroup_that_becomes_known_names_the_unit(void **state)
{
    struct listener_row row = socket_of(100, 50);

    start(10, "late", 50, 100);
    machine.tree_takes_ms = 0;
    attach(*state, &row);
    assert_did("tree all");
    assert_string_equal(row.owners->unit, "");
    add_cgroup(50, "/system.slice/late.service");
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? tree /system.slice/late.service 10 all");
    assert_string_equal(row.owners->unit, "late.service");
    pass_ms(2000);
    attach(*state, &row);
    assert_did("10? /system.slice/late.service 10"); /* which tells from now on */
}

/* Its last process has gone, and the socket was passed on. */
static void the_unit_of_a_cgroup_that_is_gone_stays(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    start(30, "heir", ELSEWHERE, 100);
    attach(*state, &row);
    stop(10);
    machine.cgroup_count = machine.known_cgroups = 0;
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "30");
    assert_string_equal(row.owners->unit, "web.service");
}

/* Coming and going */

static void a_socket_that_vanished_is_forgotten(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID)};

    start(10, "web", WEB_ID, 100);
    start(20, "mail", MAIL_ID, 200);
    attach_many(*state, rows, 2);
    pass_ms(100);
    attach(*state, &rows[1]);
    assert_did("");
    pass_ms(900); /* it is not looked at any more either */
    attach(*state, &rows[1]);
    assert_did("20? " MAIL " 20");
    pass_ms(100);
    attach_many(*state, rows, 2); /* it is another one that comes now */
    assert_did(WEB " 10");
    attach_many(*state, rows, 0);
    assert_did("");
    attach_many(*state, rows, 2);
    assert_non_null(strstr(machine.did, WEB));
    assert_non_null(strstr(machine.did, MAIL));
}

/* The kernel uses inodes again, but no cookie. */
static void an_inode_used_again_is_a_new_socket(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    stop(10);
    start(11, "thief", WEB_ID, 100);
    pass_ms(100);
    row.cookie++;
    attach(*state, &row);
    assert_did(WEB " 11");
    assert_holders(&row, "11");
}

/* Sockets that are read in /proc have their inode for a cookie. */
static void equal_cookies_of_different_inodes_are_two_sockets(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(500, MAIL_ID)};

    rows[1].cookie = 100;
    start(10, "web", WEB_ID, 100);
    start(20, "mail", MAIL_ID, 500);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "20");
    attach_many(*state, rows, 2);
    assert_did("");
}

static void what_a_table_keeps_stays_as_it_was(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);
    struct owner_set *kept;

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    kept = owner_set_ref(row.owners);
    stop(10);
    pass_ms(1000);
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    attach_many(*state, &row, 0);
    assert_int_equal(kept->references, 1);
    assert_int_equal(kept->holders[0].pid, 10);
    owner_set_unref(kept);
}

static void a_refresh_lets_everything_be_looked_for_anew(void **state)
{
    struct listener_row rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};

    start(10, "web", WEB_ID, 100);
    start(20, "mail", ELSEWHERE, 200);
    for (int i = 0; i < 1000; i++, pass_ms(100))
        attach_many(*state, rows, 2);
    attach_many(*state, rows, 2);
    pass_ms(100);
    start(11, "web-worker", WEB_ID, 100);
    start(21, "mail-worker", ELSEWHERE, 200);
    owners_refresh(*state);
    assert_int_equal(machine.forgotten, 1);
    attach_many(*state, rows, 2);
    assert_non_null(strstr(machine.did, "10 11 20 all"));
    assert_holders(&rows[0], "10 11");
    assert_holders(&rows[1], "20 21");
    start(12, "web-worker", WEB_ID, 100); /* and the programs count as young again */
    pass_ms(1100);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10 11 12");
}

/* Errors */

static void a_cgroup_of_many_processes_is_looked_through_in_its_share_of_time(void **state)
{
    struct listener_row rows[2] = {socket_of(100, WEB_ID), socket_of(101, WEB_ID)};

    start(10, "web", WEB_ID, 100);
    start(11, "web", WEB_ID, 101);
    machine.process_takes_ms = 50;
    attach(*state, rows);
    assert_did("tree " WEB " 10 11");
    pass_ms(999);
    attach_many(*state, rows, 2); /* the new one has to wait */
    assert_did("10?");
    assert_int_equal(rows[1].owners->sight, SIGHT_NOT_YET);
    assert_string_equal(rows[1].owners->user, "user33");
    assert_holders(&rows[0], "10");
    pass_ms(1);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "11");
}

static void of_many_holders_some_are_looked_at_each_time(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    for (uint32_t pid = 10; pid < 20; pid++)
        start(pid, "web", WEB_ID, 100);
    attach(*state, &row);
    assert_holders(&row, "10 11 12 13 14 15 16 17 18 19");
    for (int second = 1; second <= 3; second++) { /* until the next look is some seconds away */
        pass_ms(1001);
        attach(*state, &row);
    }
    pass_ms(1001);
    attach(*state, &row);
    assert_did("10? 11? 12? 13? 14? 15? 16? 17?");
    pass_ms(1001);
    attach(*state, &row);
    assert_did("18? 19? 10? 11? 12? 13? 14? 15?");
    stop(17);
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "10 11 12 13 14 15 16 18 19");
}

static void a_look_without_memory_leaves_what_is_known(void **state)
{
    struct listener_row row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    machine.scan_result = -ENOMEM;
    assert_int_equal(owners_attach(*state, &row, 1), -ENOMEM);
    assert_nobody(&row, SIGHT_NOT_YET);
    assert_string_equal(row.owners->user, "user33");
    machine.scan_result = 0;
    attach(*state, &row); /* and it is still due */
    assert_holders(&row, "10");

    pass_ms(1000);
    machine.scan_result = -ENOMEM;
    assert_int_equal(owners_attach(*state, &row, 1), -ENOMEM);
    assert_holders(&row, "10");
    machine.scan_result = 0;
    stop(10);
    machine.all_result = -ENOMEM;
    pass_ms(1000);
    assert_int_equal(owners_attach(*state, &row, 1), -ENOMEM);
    assert_holders(&row, "10");
}

static void what_cannot_be_made_is_reported_and_freed(void **state)
{
    (void)state;
    machine = (struct machine){.no_cgroups = true};
    assert_null(owners_new());
    machine = (struct machine){.no_users = true};
    assert_null(owners_new());
    assert_int_equal(machine.open, 0);
    owners_free(NULL);
}

#define on_machine(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_machine(a_new_socket_is_looked_for_in_its_cgroup),
        on_machine(what_its_cgroup_does_not_hold_is_looked_for_everywhere),
        on_machine(without_a_cgroup_it_is_looked_for_everywhere),
        on_machine(many_new_sockets_are_one_look),
        on_machine(a_socket_that_was_dumped_twice_has_its_owner_twice),
        on_machine(a_socket_without_inode_has_no_holder_and_costs_no_walk),
        on_machine(nothing_new_is_no_look),
        on_machine(it_is_looked_for_ever_more_seldom),
        on_machine(without_a_cgroup_a_refresh_looks_everywhere),
        on_machine(a_refresh_finds_who_joined_the_cgroup),
        on_machine(only_what_is_due_is_looked_for),
        on_machine(some_holders_gone_is_a_look_nearby),
        on_machine(all_holders_gone_is_a_look_everywhere),
        on_machine(a_successor_in_the_cgroup_is_found_there),
        on_machine(a_holder_with_another_name_is_looked_at_again),
        on_machine(a_holder_with_another_descriptor_stays),
        on_machine(a_socket_that_nobody_has_any_more_is_nobodys),
        on_machine(a_socket_of_another_user_is_looked_for_at_once),
        on_machine(where_only_an_activator_has_it_it_is_looked_for_everywhere),
        on_machine(a_walk_waits_ten_times_as_long_as_the_last_one_took),
        on_machine(walks_take_at_most_a_tenth_of_the_time),
        on_machine(until_the_next_walk_what_the_last_one_said_stays),
        on_machine(until_the_next_walk_a_holder_that_has_gone_leaves_it_open),
        on_machine(who_was_not_found_may_be_hidden),
        on_machine(without_proc_nothing_is_told),
        on_machine(the_tree_is_walked_when_a_cgroup_is_not_known),
        on_machine(a_cgroup_that_becomes_known_names_the_unit),
        on_machine(the_unit_of_a_cgroup_that_is_gone_stays),
        on_machine(a_socket_that_vanished_is_forgotten),
        on_machine(an_inode_used_again_is_a_new_socket),
        on_machine(equal_cookies_of_different_inodes_are_two_sockets),
        on_machine(what_a_table_keeps_stays_as_it_was),
        on_machine(a_refresh_lets_everything_be_looked_for_anew),
        on_machine(a_cgroup_of_many_processes_is_looked_through_in_its_share_of_time),
        on_machine(of_many_holders_some_are_looked_at_each_time),
        on_machine(a_look_without_memory_leaves_what_is_known),
        cmocka_unit_test(what_cannot_be_made_is_reported_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
