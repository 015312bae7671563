#include "collectors/owners.h"
#include "collectors/cgroup.h"
#include "collectors/proc_scan.h"
#include "core/array.h"
#include "tests/unit/unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* The machine of these tests: its processes, its cgroups and its clock, and
 * what was done to find out about them, in order:
 *
 *   tree           the cgroup tree was walked
 *   /web           the PIDs of that cgroup were read
 *   list           those of all processes were
 *   10             the descriptors of a process were looked through
 *   10?            one descriptor of a process was looked at again
 *   10!            a process was described anew, without being looked through
 *   10+            the threads of a process were listed
 *
 * A process has descriptors that are no sockets first, and then its sockets. */
enum { PROCESSES_MAX = 31000, HELD_MAX = 4, CGROUPS_MAX = 1010, ROWS_MAX = 60000 };

struct process {
    uint32_t pid;
    const char *name, *unit;
    uint32_t uid;
    uint64_t cgroup_id;
    uint32_t others;            /* descriptors that are no sockets */
    uint32_t sockets[HELD_MAX]; /* their inodes, each as the descriptor of its place; 0 for none */
    int error;                  /* what looking into it fails with */
    uint32_t many, many_first;  /* sockets besides, by their first inode */
    uint32_t sharing;           /* the PID whose table of descriptors it shares; 0 for its own */
    uint32_t thread_of;         /* the PID of its process; 0 for a process */
};

struct name {
    uint32_t uid;
    char text[USER_TEXT_MAX]; /* "" not known */
    bool awaited;
};

static struct machine {
    int64_t now_us;
    struct name names[8]; /* of users; the others are called by their numbers, "user33" */
    size_t name_count, asked, waits;
    uint64_t names_version;
    int64_t names_due_ms;
    const struct name *answer; /* that comes when it is waited for */
    struct process processes[PROCESSES_MAX];
    size_t process_count;
    struct {
        uint64_t id;
        const char *path;
    } cgroups[CGROUPS_MAX];
    size_t cgroup_count, known_cgroups; /* known from the last walk */
    bool hides;                         /* /proc does not show all */
    bool uncounted;                     /* nor how many descriptors there are */
    int list_error, describe_error;
    int64_t clock_takes_us, descriptor_takes_us, listed_takes_us, tree_takes_us, look_takes_us;
    int64_t spent_us; /* on all of that but the clock */
    size_t lists, trees, threads, rechecks, scans, forgotten, described, comparisons, opened_cgroups;
    bool many_cgroups, is_sorted; /* is_sorted: processes stand by PID */
    int compare_error;
    uint32_t next_fork; /* a PID: with every process looked through come two new ones */
    bool no_cgroups, no_users;
    bool memory_ends;
    size_t memory_left; /* so often it is given */
    size_t open, files;
    char did[4096];
} machine;

struct cgroups {
    int unused;
};

struct users {
    int unused;
};

/* Where memory ends it grows by as little as possible, so that there are many
 * steps at which that may be. */
void *array_grow(void *items, size_t *capacity, size_t wanted, size_t size)
{
    void *moved;

    if (wanted <= *capacity)
        return items;
    if (machine.memory_ends && machine.memory_left == 0)
        return NULL;
    machine.memory_left -= machine.memory_ends;
    if (!machine.memory_ends)
        wanted *= 2;
    moved = reallocarray(items, wanted, size);
    if (moved)
        *capacity = wanted;
    return moved;
}

/* Keeps no more than there is. */
void *array_shrink(void *items, size_t *capacity, size_t count, size_t size)
{
    void *moved = count > 0 && 4 * count < *capacity ? reallocarray(items, count, size) : NULL;

    if (count == 0)
        free(items);
    if (count == 0 || moved)
        *capacity = count;
    return count == 0 ? NULL : moved ? moved : items;
}

static struct cgroups the_cgroups;
static struct users the_users;

static void take(int64_t us)
{
    machine.now_us += us;
    machine.spent_us += us;
}

/* Notes in a list that is long enough for what a test looks at; the rest of a
 * longer run is counted only. */
static void note(const char *what)
{
    size_t length = strlen(machine.did);

    if (length + 64 < sizeof machine.did)
        (void)snprintf(machine.did + length, sizeof machine.did - length, "%s%s", length > 0 ? " " : "",
                       what);
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

bool cgroups_are_many(const struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    return machine.many_cgroups;
}

int cgroups_walk_begin(struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    note("tree");
    machine.trees++;
    return machine.cgroup_count > 0 ? 0 : -ENOENT;
}

int cgroups_walk_step(struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    take(machine.tree_takes_us);
    machine.known_cgroups = machine.cgroup_count;
    return 0;
}

int cgroup_members_open(struct cgroup_members *m, const struct cgroups *c, const char *path)
{
    assert_ptr_equal(c, &the_cgroups);
    note(path);
    machine.opened_cgroups++;
    *m = (struct cgroup_members){.fd = -1};
    for (size_t i = 0; i < machine.cgroup_count; i++) {
        if (strcmp(machine.cgroups[i].path, path) == 0) {
            m->fd = (int)i;
            machine.files++;
            return 0;
        }
    }
    return -ENOENT;
}

int cgroup_members_next(struct cgroup_members *m, uint32_t *ret_pid)
{
    while (m->at < machine.process_count) {
        const struct process *process = &machine.processes[m->at++];

        if (process->cgroup_id == machine.cgroups[m->fd].id && process->thread_of == 0) {
            take(machine.listed_takes_us);
            *ret_pid = process->pid;
            return 1;
        }
    }
    return 0;
}

void cgroup_members_close(struct cgroup_members *m)
{
    machine.files -= m->fd >= 0;
    m->fd = -1;
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

/* What the database says of a user, and how: "" not yet. */
static struct name *find_name(uint32_t uid)
{
    for (size_t i = 0; i < machine.name_count; i++)
        if (machine.names[i].uid == uid)
            return &machine.names[i];
    return NULL;
}

/* From now on. */
static void call_user(uint32_t uid, const char *text)
{
    struct name *name = find_name(uid);

    if (!name)
        name = &machine.names[machine.name_count++];
    assert_in_range(machine.name_count, 1, ARRAY_LENGTH(machine.names));
    *name = (struct name){.uid = uid, .awaited = *text == '\0'};
    (void)snprintf(name->text, sizeof name->text, "%s", text);
    machine.names_version++;
}

bool users_name(struct users *u, uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    const struct name *name = find_name(uid);

    assert_ptr_equal(u, &the_users);
    machine.asked++;
    if (name)
        (void)snprintf(ret_name, USER_TEXT_MAX, "%s", name->text);
    else
        (void)snprintf(ret_name, USER_TEXT_MAX, "user%u", uid);
    return name && name->awaited;
}

void users_step(struct users *u, int64_t now_ms)
{
    assert_ptr_equal(u, &the_users);
    assert_int_equal(now_ms, machine.now_us / 1000);
}

int64_t users_due_ms(const struct users *u)
{
    assert_ptr_equal(u, &the_users);
    return machine.names_due_ms;
}

uint64_t users_version(const struct users *u)
{
    assert_ptr_equal(u, &the_users);
    return machine.names_version;
}

/* The answer comes with the wait. */
bool users_await(struct users *u, int64_t us)
{
    assert_ptr_equal(u, &the_users);
    assert_true(us > 0);
    machine.waits++;
    if (!machine.answer)
        return false;
    call_user(machine.answer->uid, machine.answer->text);
    machine.answer = NULL;
    return true;
}

void users_give_up(struct users *u)
{
    assert_ptr_equal(u, &the_users);
    for (size_t i = 0; i < machine.name_count; i++)
        machine.names[i].awaited = false;
    machine.names_version++;
}

void users_refresh(struct users *u)
{
    assert_ptr_equal(u, &the_users);
    machine.forgotten++;
}

static int compare_pids(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct process *find_process(uint32_t pid)
{
    const struct process key = {.pid = pid};

    if (machine.is_sorted)
        return bsearch(&key, machine.processes, machine.process_count, sizeof key, compare_pids);
    for (size_t i = 0; i < machine.process_count; i++)
        if (machine.processes[i].pid == pid)
            return &machine.processes[i];
    return NULL;
}

/* Whose descriptors a process has. */
static const struct process *table_of(const struct process *process)
{
    return process && process->sharing ? find_process(process->sharing) : process;
}

int proc_pids_open(struct proc_pids *p)
{
    p->entries.fd = -1;
    note("list");
    machine.lists++;
    if (machine.list_error < 0)
        return machine.list_error;
    p->entries.fd = 0;
    p->entries.at = 0;
    machine.files++;
    return 0;
}

int proc_pids_next(struct proc_pids *p, uint32_t *ret_pid)
{
    assert_int_equal(p->entries.fd, 0);
    take(machine.listed_takes_us);
    while (p->entries.at < machine.process_count && machine.processes[p->entries.at].thread_of != 0)
        p->entries.at++;
    if (p->entries.at == machine.process_count)
        return 0;
    *ret_pid = machine.processes[p->entries.at++].pid;
    return 1;
}

/* The next thread of a process from a place on; 0 for none. */
static uint32_t next_thread(uint32_t pid, size_t *at)
{
    while (*at < machine.process_count) {
        const struct process *process = &machine.processes[(*at)++];

        if (process->thread_of == pid)
            return process->pid;
    }
    return 0;
}

int proc_threads_open(struct proc_threads *t, uint32_t pid)
{
    size_t at = 0;

    *t = (struct proc_threads){.pid = pid, .entries.fd = -1};
    if (!find_process(pid))
        return -ENOENT;
    if (next_thread(pid, &at) == 0)
        return 0;
    note_process(pid, "+");
    machine.threads++;
    t->entries.fd = 0;
    machine.files++;
    return 1;
}

int proc_threads_next(struct proc_threads *t, uint32_t *ret_tid)
{
    assert_int_equal(t->entries.fd, 0);
    take(machine.listed_takes_us);
    *ret_tid = next_thread(t->pid, &t->entries.at);
    return *ret_tid != 0;
}

void proc_threads_close(struct proc_threads *t)
{
    machine.files -= t->entries.fd >= 0;
    t->entries.fd = -1;
}

void proc_pids_close(struct proc_pids *p)
{
    machine.files -= p->entries.fd >= 0;
    p->entries.fd = -1;
}

static uint32_t count_of(const struct process *process)
{
    uint32_t count = process->others + process->many;

    for (size_t i = 0; i < HELD_MAX; i++)
        count += process->sockets[i] != 0;
    return count;
}

uint32_t proc_descriptor_count(uint32_t pid)
{
    const struct process *process = table_of(find_process(pid));

    return process && !machine.uncounted ? count_of(process) : 0;
}

static struct process *start(uint32_t pid, const char *name, uint64_t cgroup_id, uint32_t inode);

int proc_descriptors_open(struct proc_descriptors *d, uint32_t pid)
{
    const struct process *process = find_process(pid);

    *d = (struct proc_descriptors){.pid = pid, .process = -1, .entries.fd = -1};
    note_process(pid, "");
    machine.scans++;
    for (int i = 0; machine.next_fork != 0 && i < 2; i++)
        (void)start(machine.next_fork++, "brief", 1, 0);
    if (!process)
        return -ENOENT;
    if (process->error < 0)
        return process->error;
    d->process = 0;
    machine.files++;
    return 0;
}

/* Descriptors are counted in entries.at: sockets have their places, others and
 * many come behind. */
int proc_descriptors_next(struct proc_descriptors *d, uint32_t *ret_fd, uint32_t *ret_inode)
{
    const struct process *process = table_of(find_process(d->pid));
    size_t i;

    assert_int_equal(d->process, 0);
    take(machine.descriptor_takes_us);
    if (!process)
        return -ENOENT;
    while (d->entries.at >= process->others && d->entries.at < process->others + HELD_MAX &&
           process->sockets[d->entries.at - process->others] == 0)
        d->entries.at++;
    i = d->entries.at++;
    if (i >= process->others + HELD_MAX + process->many)
        return 0;
    *ret_fd = (uint32_t)(i < process->others ? HELD_MAX + i : i - process->others);
    *ret_inode = 0;
    if (i >= process->others + HELD_MAX)
        *ret_inode = process->many_first + (uint32_t)(i - process->others - HELD_MAX);
    else if (i >= process->others)
        *ret_inode = process->sockets[i - process->others];
    return 1;
}

static int describe(uint32_t pid, struct users *users, struct holder *ret)
{
    const struct process *process = find_process(pid);

    if (process && process->thread_of != 0)
        process = find_process(process->thread_of);
    assert_ptr_equal(users, &the_users);
    machine.described++;
    if (!process)
        return -ENOENT;
    if (machine.describe_error < 0)
        return machine.describe_error;
    *ret = (struct holder){.pid = process->pid, .uid_known = true, .uid = process->uid, .unit_known = true};
    (void)snprintf(ret->process, sizeof ret->process, "%s", process->name);
    ret->user_awaited = users_name(users, process->uid, ret->user);
    (void)snprintf(ret->unit, sizeof ret->unit, "%s", process->unit);
    return 0;
}

int proc_descriptors_describe(const struct proc_descriptors *d, struct users *users, struct holder *ret)
{
    return describe(d->pid, users, ret);
}

static bool has_socket(const struct process *process, uint32_t fd, uint32_t inode)
{
    if (fd < HELD_MAX)
        return process->sockets[fd] == inode;
    return fd - HELD_MAX < process->many && inode == process->many_first + fd - HELD_MAX;
}

int proc_describe(uint32_t pid, uint32_t fd, uint32_t inode, struct users *users, struct holder *ret)
{
    const struct process *process = find_process(pid);

    note_process(pid, "!");
    take(machine.look_takes_us);
    if (!process || process->error < 0)
        return process ? process->error : -ENOENT;
    if (!has_socket(table_of(process), fd, inode))
        return -ESTALE;
    return describe(pid, users, ret);
}

/* In the order of the PIDs that stand for the tables. */
int proc_compare_tables(uint32_t a, uint32_t b, int *ret_order)
{
    const struct process *x = table_of(find_process(a)), *y = table_of(find_process(b));

    machine.comparisons++;
    if (machine.compare_error < 0)
        return machine.compare_error;
    if (!x || !y)
        return -ESRCH;
    *ret_order = x->pid == y->pid ? 0 : x->pid < y->pid ? -1 : 1;
    return 0;
}

void proc_descriptors_close(struct proc_descriptors *d)
{
    machine.files -= d->process >= 0;
    d->process = -1;
}

bool proc_scan_sees_all(void)
{
    return !machine.hides;
}

enum recheck proc_scan_recheck(const struct holder *holder, uint32_t tid, uint32_t fd, uint32_t inode,
                               bool whole)
{
    const struct process *process = find_process(holder->pid);

    note_process(tid, "?");
    machine.rechecks++;
    take(machine.look_takes_us);
    if (!process || !find_process(tid) || !has_socket(table_of(find_process(tid)), fd, inode))
        return RECHECK_LOST;
    if (strcmp(process->name, holder->process) != 0)
        return RECHECK_CHANGED;
    return whole && process->uid != holder->uid ? RECHECK_CHANGED : RECHECK_SAME;
}

/* Making the machine. Its clock begins late enough for 0 to be long ago. */

#define WEB_ID    UINT64_C(7)
#define WEB       "/system.slice/web.service"
#define MAIL_ID   UINT64_C(8)
#define MAIL      "/system.slice/mail.service"
#define INIT_ID   UINT64_C(9)
#define INIT      "/init.scope"
#define ELSEWHERE UINT64_C(1) /* the root of the tree, which tells nothing */
#define START_US  INT64_C(1000000000)
#define WWW_DATA  80

static struct process *start(uint32_t pid, const char *name, uint64_t cgroup_id, uint32_t inode)
{
    struct process *process = &machine.processes[machine.process_count++];

    assert_in_range(machine.process_count, 1, PROCESSES_MAX);
    *process = (struct process){
        .pid = pid, .name = name, .uid = WWW_DATA, .unit = "", .cgroup_id = cgroup_id, .sockets[3] = inode};
    return process;
}

/* A thread of a process, with a table of its own. */
static struct process *start_thread(uint32_t tid, uint32_t pid, uint32_t inode)
{
    struct process *thread = start(tid, "thread", ELSEWHERE, inode);

    thread->thread_of = pid;
    return thread;
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
static struct member socket_of(uint32_t inode, uint64_t cgroup_id)
{
    return (struct member){.cookie = inode, .inode = inode, .cgroup_id = cgroup_id, .uid = 33};
}

static int set_up(void **state)
{
    machine = (struct machine){.now_us = START_US, .names_due_ms = INT64_MAX};
    call_user(WWW_DATA, "www-data");
    add_cgroup(WEB_ID, WEB);
    add_cgroup(MAIL_ID, MAIL);
    add_cgroup(INIT_ID, INIT);
    *state = owners_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    owners_free(*state);
    return machine.open == 0 && machine.files == 0 ? 0 : -1;
}

/* Looking. */

static int64_t now_ms(void)
{
    return machine.now_us / 1000;
}

static int64_t clock_us(void *arg)
{
    (void)arg;
    machine.now_us += machine.clock_takes_us;
    return machine.now_us;
}

#define STEP_US 1000

static struct budget a_millisecond(void)
{
    return (struct budget){.now_us = clock_us, .until_us = machine.now_us + STEP_US};
}

static const struct budget to_the_end = {.now_us = clock_us, .until_us = BUDGET_NO_END};

static int step(struct owners *o)
{
    struct budget budget = a_millisecond();

    return owners_step(o, &budget);
}

static bool is_due(const struct owners *o)
{
    return owners_due_ms(o, now_ms()) <= now_ms();
}

/* Each of them is a listener of its own. */
static int attach_all(struct owners *o, struct member *rows, size_t count)
{
    struct listener *listeners = calloc(count + 1, sizeof *listeners);
    struct inventory inv = {.total = count};
    int r;

    assert_non_null(listeners);
    inv.parts[PROTOCOL_UDP][1] = (struct inventory_part){listeners, count, rows};
    for (size_t i = 0; i < count; i++)
        listeners[i] = (struct listener){.sockets = 1, .followed = 1, .chosen = true, .members = &rows[i]};
    r = owners_attach(o, &inv, SIZE_MAX, now_ms());
    free(listeners);
    return r;
}

static void poll(struct owners *o, struct member *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rows[i].owners = NULL; /* rows are new at every poll */
    assert_int_equal(attach_all(o, rows, count), 0);
    for (size_t i = 0; i < count; i++)
        assert_non_null(rows[i].owners);
}

/* Steps as long as something is due, which each step must bring nearer. */
static void settle(struct owners *o)
{
    int r = 0;

    for (int i = 0; is_due(o); i++) {
        assert_in_range(i, 0, 100000);
        r = step(o);
        assert_true(r >= 0);
    }
    assert_int_equal(r, 0); /* the last one knew that nothing was left */
}

/* Lets time pass, in which steps come when they are due. */
static void run(struct owners *o, int64_t ms)
{
    int64_t end_ms = now_ms() + ms;

    while (owners_due_ms(o, now_ms()) <= end_ms) {
        if (owners_due_ms(o, now_ms()) > now_ms())
            machine.now_us = owners_due_ms(o, now_ms()) * 1000;
        if (now_ms() > end_ms)
            return;
        assert_true(step(o) >= 0);
    }
    if (end_ms > now_ms())
        machine.now_us = end_ms * 1000;
}

/* A poll, what it gives rise to, and what the next one is told of it. */
static void attach_many(struct owners *o, struct member *rows, size_t count)
{
    *machine.did = '\0';
    poll(o, rows, count);
    settle(o);
    poll(o, rows, count);
    assert_false(is_due(o));
}

static void attach(struct owners *o, struct member *row)
{
    attach_many(o, row, 1);
}

static void pass_ms(int64_t ms)
{
    machine.now_us += ms * 1000;
}

static void assert_did(const char *wanted)
{
    assert_string_equal(machine.did, wanted);
}

/* "10 11": the PIDs of a socket's holders. */
static void assert_holders(const struct member *row, const char *wanted)
{
    const struct owner_set *set = row->owners;
    char have[64] = "";

    for (size_t i = 0; i < set->count; i++)
        (void)snprintf(have + strlen(have), sizeof have - strlen(have), "%s%u", i > 0 ? " " : "",
                       set->holders[i]->pid);
    assert_string_equal(have, wanted);
    assert_int_equal(set->sight == SIGHT_SEEN, set->count > 0);
}

static void assert_nobody(const struct member *row, enum sight sight)
{
    assert_int_equal(row->owners->count, 0);
    assert_int_equal(row->owners->sight, sight);
}

/* A new socket */

static void a_new_socket_is_looked_for_in_its_cgroup(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    const struct holder *holder;

    start(10, "web", WEB_ID, 100)->unit = "web.service";
    start(11, "web-cache", WEB_ID, 0);
    start(20, "mail", MAIL_ID, 200);
    attach(*state, &row);
    assert_did("tree " WEB " 11 10"); /* the cheapest first */
    assert_holders(&row, "10");
    assert_int_equal(row.owners->uid, 33);
    assert_string_equal(row.owners->user, "user33");
    assert_string_equal(row.owners->unit, "web.service");
    holder = row.owners->holders[0];
    assert_string_equal(holder->process, "web");
    assert_string_equal(holder->user, "www-data");
    assert_string_equal(holder->unit, "web.service");
    assert_true(holder->unit_known);
}

static void what_its_cgroup_does_not_hold_is_looked_for_everywhere(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 0);
    start(30, "adopter", ELSEWHERE, 100);
    start(12, "also", MAIL_ID, 100);
    attach(*state, &row);
    assert_did("tree " WEB " 10 list 12 30");
    assert_holders(&row, "12 30"); /* by PID */
    assert_string_equal(row.owners->unit, "web.service");
}

static void without_a_cgroup_it_is_looked_for_everywhere(void **state)
{
    static const uint64_t ids[] = {0, ELSEWHERE};

    start(10, "web", ELSEWHERE, 100);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct member row = socket_of(100, ids[i]);

        row.cookie = i;
        pass_ms(1000);
        attach(*state, &row);
        assert_did("list 10"); /* and the tree is not asked about these */
        assert_holders(&row, "10");
        assert_string_equal(row.owners->unit, "");
    }
}

/* One look for all of them. */
static void many_new_sockets_are_one_look(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID),  socket_of(500, ELSEWHERE), socket_of(101, WEB_ID),
                            socket_of(200, MAIL_ID), socket_of(102, WEB_ID),    socket_of(501, ELSEWHERE)};
    struct process *web = start(10, "web", WEB_ID, 102);

    web->sockets[0] = 100;
    web->sockets[1] = 101;
    start(11, "web-worker", WEB_ID, 101);
    start(20, "mail", MAIL_ID, 200);
    start(50, "old", ELSEWHERE, 500);
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    assert_did("tree " WEB " " MAIL " 11 20 10 list 50"); /* the cheapest first */
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
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(100, WEB_ID)};

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
    struct member rows[] = {socket_of(0, ELSEWHERE), socket_of(0, ELSEWHERE)};

    rows[0].cookie = 5;
    rows[1].cookie = 6;
    machine.hides = true;
    start(10, "web", ELSEWHERE, 100)->error = -EACCES;
    attach_many(*state, rows, 2);
    assert_did("");
    assert_nobody(&rows[0], SIGHT_NONE);
    assert_nobody(&rows[1], SIGHT_NONE);
    assert_string_equal(rows[0].owners->user, "user33");
    for (int i = 0; i < 100; i++, pass_ms(1000))
        attach_many(*state, rows, 2);
    assert_int_equal(machine.lists, 0);
}

/* Nothing new */

static void nothing_new_is_no_look(void **state)
{
    struct member row = socket_of(100, WEB_ID);

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
 * after 1, 2, 4 ... seconds, at last once a minute, and everything once a
 * minute. */
static void it_is_looked_for_ever_more_seldom(void **state)
{
    static const int64_t looks_ms[] = {1000, 3000, 7000, 15000, 31000, 63000, 123000, 183000, 243000};
    struct member row = socket_of(100, WEB_ID);
    size_t look = 0;

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    for (int64_t ms = 100; ms <= 300000; ms += 100) {
        pass_ms(100);
        attach(*state, &row);
        if (look < ARRAY_LENGTH(looks_ms) && ms == looks_ms[look]) {
            assert_did("10? " WEB);
            look++;
        } else if (ms % 60000 == 0) {
            assert_did("10? list 10"); /* a complete look, also at processes that were there before */
        } else {
            assert_did(ms % 1000 == 0 ? "10?" : "");
        }
    }
    assert_int_equal(look, ARRAY_LENGTH(looks_ms));
    assert_int_equal(machine.rechecks, 300);
    assert_int_equal(machine.trees, 1);
    assert_int_equal(machine.lists, 5);
}

/* Where no cgroup tells who joined, a refresh is a list of all. */
static void without_a_cgroup_a_refresh_looks_everywhere(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    start(10, "web", ELSEWHERE, 100);
    attach(*state, &row);
    assert_did("list 10");
    start(11, "web-worker", ELSEWHERE, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? list 11"); /* who is known is not looked into again */
    assert_holders(&row, "10 11");
}

static void a_refresh_finds_who_joined_the_cgroup(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    start(11, "web-worker", WEB_ID, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? " WEB " 11");
    assert_holders(&row, "10 11");
    assert_int_equal(machine.lists, 0);
}

static void only_what_is_due_is_looked_for(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID)};

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
    assert_did("10? " WEB);
}

/* Holders that change */

static void some_holders_gone_is_a_look_nearby(void **state)
{
    static const uint64_t ids[] = {WEB_ID, ELSEWHERE};

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct member row = socket_of(100 + (uint32_t)i, ids[i]);

        start(10, "web", ids[i], row.inode);
        start(11, "web-worker", ids[i], row.inode);
        pass_ms(100000);
        attach(*state, &row);
        pass_ms(1000);
        attach(*state, &row);
        pass_ms(1000); /* at 2 s no refresh is due */
        stop(11);
        attach(*state, &row);
        assert_did(ids[i] == WEB_ID ? "10? 11? 11 " WEB : "11? 10? 11 list");
        assert_holders(&row, "10");

        pass_ms(999);
        attach(*state, &row);
        assert_did("");
        pass_ms(1); /* the refresh comes as if nothing had happened */
        attach(*state, &row);
        assert_did(ids[i] == WEB_ID ? "10? " WEB : "10? list");
        stop(10);
    }
}

static void all_holders_gone_is_a_look_everywhere(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    stop(10);
    start(30, "heir", ELSEWHERE, 100);
    attach(*state, &row);
    assert_did("10? 10 " WEB " list 30");
    assert_holders(&row, "30");
}

static void a_successor_in_the_cgroup_is_found_there(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    stop(10);
    start(12, "web", WEB_ID, 100);
    attach(*state, &row);
    assert_did("10? 10 " WEB " 12");
    assert_holders(&row, "12");
    assert_int_equal(machine.lists, 0);
}

/* exec(2): the same process, the same descriptor, another name. */
static void a_holder_with_another_name_is_looked_at_again(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    struct process *process = start(10, "sh", WEB_ID, 100);

    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    process->name = "web";
    attach(*state, &row);
    assert_did("10? 10!");
    assert_holders(&row, "10");
    assert_string_equal(row.owners->holders[0]->process, "web");
}

/* It listened as root, and then became another user. */
static void a_holder_that_becomes_another_user_is_told_so(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    struct process *process = start(10, "web", WEB_ID, 100);

    process->uid = 0;
    attach(*state, &row);
    assert_int_equal(row.owners->holders[0]->uid, 0);
    process->uid = WWW_DATA;
    pass_ms(1000);
    attach(*state, &row);
    assert_int_equal(row.owners->holders[0]->uid, WWW_DATA);
    for (int seconds = 0; seconds < 32; seconds++) { /* later that is looked at less often */
        if (seconds == 16)
            process->uid = 4242;
        pass_ms(1000);
        attach(*state, &row);
    }
    assert_int_equal(row.owners->holders[0]->uid, 4242);
}

/* dup(2) and close(2): it may have the socket under another descriptor. */
static void a_holder_with_another_descriptor_stays(void **state)
{
    struct member row = socket_of(100, WEB_ID);
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
    struct member row = socket_of(100, WEB_ID);

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
    struct member row = socket_of(100, WEB_ID);

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
    struct member row = socket_of(100, INIT_ID);

    start(1, "systemd", INIT_ID, 100)->unit = "init.scope";
    attach(*state, &row);
    assert_did("tree " INIT " 1 list");
    assert_holders(&row, "1");
    assert_string_equal(row.owners->unit, "init.scope");

    start(10, "web", WEB_ID, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("1? " INIT " list 10");
    assert_holders(&row, "1 10");

    pass_ms(2000); /* now the service is known, and nobody else is looked for */
    attach(*state, &row);
    assert_did("1? 10? " INIT);
    assert_holders(&row, "1 10");

    stop(10);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("1? 10? 10 " INIT " 1 list");
    assert_holders(&row, "1");
}

/* Share of time */

/* A machine on which looking through everything takes so long. */
static void start_many(uint32_t first, uint32_t count, uint32_t descriptors)
{
    machine.descriptor_takes_us = 5;
    machine.listed_takes_us = 2;
    for (uint32_t i = 0; i < count; i++)
        start(first + i, "idle", ELSEWHERE, 0)->others = descriptors;
}

/* A search through everything, from rest, is done in one go: steps follow each
 * other without a pause. */
static void after_a_rest_a_long_search_runs_through(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    int64_t before_us;

    start_many(1000, 50, 20000);
    before_us = machine.now_us;
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    assert_int_equal(machine.scans, 50);
    assert_true(machine.spent_us > 50 * 20000 * 5);
    assert_int_equal(machine.now_us - before_us, machine.spent_us); /* it never waited */
}

/* For a socket that nobody was found for, time is spent in advance, but not
 * without end. What it owes it makes good before the next one. */
static void a_search_goes_into_debt_and_makes_it_good(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};
    int64_t began_us = machine.now_us;

    start_many(1000, 50, 20000);
    attach(*state, &rows[0]);
    for (int i = 0; i < 5; i++) {
        rows[1].cookie++; /* new each time */
        poll(*state, rows, 2);
        run(*state, 1000);
    }
    settle(*state);
    poll(*state, rows, 2);
    assert_nobody(&rows[1], SIGHT_NOT_YET); /* it waits */
    assert_in_range(owners_due_ms(*state, now_ms()), now_ms() + 1, now_ms() + 1000);
    run(*state, 300000);
    poll(*state, rows, 2);
    assert_nobody(&rows[1], SIGHT_NONE);
    /* Ten seconds at once at most, and a tenth of the time. */
    assert_true(machine.spent_us <= 10100000 + (machine.now_us - began_us) / 10);
}

/* However many new sockets there are, that is a tenth of the time. */
static void looking_takes_at_most_a_tenth_of_the_time(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    int64_t began_us = machine.now_us, end_us = began_us + INT64_C(1000000000);

    start_many(1000, 20, 2500);
    machine.tree_takes_us = 70000;
    for (uint32_t i = 0; machine.now_us < end_us; i++) {
        row.cookie = row.inode = 1000 + i;
        row.cgroup_id = 1000 + i; /* of a cgroup that is gone already */
        poll(*state, &row, 1);
        run(*state, 100);
    }
    assert_true(machine.scans > 1000);
    assert_true(machine.trees > 100);
    assert_true(machine.spent_us <= 10100000 + (machine.now_us - began_us) / 10);
}

/* Who has it, too, is found without debt. */
static void completing_does_not_go_into_debt(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    int64_t began_us = machine.now_us;

    start_many(1000, 100, 20000);
    start(10, "web", ELSEWHERE, 100);
    attach(*state, &row); /* until nothing may be done for now */
    assert_holders(&row, "10");
    assert_true(machine.spent_us < 5100000 + (machine.now_us - began_us) / 10);
    assert_true(machine.scans < 100);
    run(*state, 53000); /* not yet a minute: no complete look */
    assert_int_equal(machine.scans, 101);
}

/* A postponed look says nothing new, so what the last one said stays. */
static void until_the_next_walk_what_the_last_one_said_stays(void **state)
{
    static const enum sight sights[] = {SIGHT_NONE, SIGHT_HIDDEN};

    start_many(1000, 20, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(sights); i++) {
        struct member row = socket_of(100 + (uint32_t)i, WEB_ID);
        size_t scans;

        machine.processes[0].error = sights[i] == SIGHT_HIDDEN ? -EPERM : 0;
        pass_ms(100000);
        attach(*state, &row);
        assert_nobody(&row, sights[i]);
        owners_refresh(*state);
        scans = machine.scans;
        while (is_due(*state)) {
            poll(*state, &row, 1);
            assert_nobody(&row, sights[i]);
            assert_true(step(*state) >= 0);
        }
        assert_int_equal(machine.scans, scans + 20);
        poll(*state, &row, 1);
        assert_nobody(&row, sights[i]);
    }
}

/* One that was held may have been passed on: that is not to be told yet. */
static void until_the_next_walk_a_holder_that_has_gone_leaves_it_open(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};
    bool was_open = false;

    start_many(1000, 20, 1000);
    start(10, "web", WEB_ID, 100);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10");
    stop(10);
    start(30, "heir", ELSEWHERE, 100)->others = 2000;
    start_many(2000, 2, 1500);
    pass_ms(1000);
    while (rows[0].owners->count == 0 || rows[0].owners->holders[0]->pid == 10) {
        assert_true(is_due(*state));
        assert_true(step(*state) >= 0);
        poll(*state, rows, 2);
        if (rows[0].owners->count == 0) {
            assert_nobody(&rows[0], SIGHT_NOT_YET);
            was_open = true;
        }
    }
    assert_true(was_open);
    assert_holders(&rows[0], "30");
}

static void who_was_not_found_may_be_hidden(void **state)
{
    static const struct {
        int error;
        bool hides;
        enum sight sight;
    } cases[] = {
        {0, false, SIGHT_NONE},         {-EACCES, false, SIGHT_HIDDEN}, {-EPERM, false, SIGHT_HIDDEN},
        {-EMFILE, false, SIGHT_HIDDEN}, {-ENFILE, false, SIGHT_HIDDEN}, {0, true, SIGHT_HIDDEN},
        {-EACCES, true, SIGHT_HIDDEN},  {-ENOENT, false, SIGHT_NONE},   {-ESRCH, false, SIGHT_NONE},
    };

    struct process *other = start(30, "other", ELSEWHERE, 0);

    start(10, "web", WEB_ID, 0);
    start(20, "mail", MAIL_ID, 200);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};

        rows[0].cookie = 100 + i; /* new each time */
        other->error = cases[i].error;
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
    struct member row = socket_of(100, ELSEWHERE);

    machine.list_error = -ENOENT;
    poll(*state, &row, 1);
    assert_int_equal(step(*state), -ENOENT);
    assert_false(is_due(*state)); /* it is tried again, but not at once */
    assert_int_equal(owners_due_ms(*state, now_ms()), now_ms() + 1000);
    assert_int_equal(step(*state), 0);
    assert_int_equal(machine.lists, 1);
    poll(*state, &row, 1);
    assert_nobody(&row, SIGHT_NOT_YET);
    assert_string_equal(row.owners->user, "user33");

    machine.list_error = 0;
    start(10, "web", ELSEWHERE, 100);
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "10");
}

/* Cgroups */

static void the_tree_is_walked_when_a_cgroup_is_not_known(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID), socket_of(300, 50)};

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
    struct member row = socket_of(100, 50);

    start(10, "late", 50, 100);
    attach(*state, &row);
    assert_did("tree list 10");
    assert_string_equal(row.owners->unit, "");
    add_cgroup(50, "/system.slice/late.service");
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? tree /system.slice/late.service");
    assert_string_equal(row.owners->unit, "late.service");
    pass_ms(2000);
    attach(*state, &row);
    assert_did("10? /system.slice/late.service"); /* which tells from now on */
}

/* Its last process has gone, and the socket was passed on. */
static void the_unit_of_a_cgroup_that_is_gone_stays(void **state)
{
    struct member row = socket_of(100, WEB_ID);

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
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, MAIL_ID)};

    start(10, "web", WEB_ID, 100);
    start(20, "mail", MAIL_ID, 200);
    attach_many(*state, rows, 2);
    pass_ms(100);
    attach(*state, &rows[1]);
    assert_did("");
    pass_ms(900); /* it is not looked at any more either */
    attach(*state, &rows[1]);
    assert_did("20? " MAIL);
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
    struct member row = socket_of(100, WEB_ID);

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
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(500, MAIL_ID)};

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
    struct member row = socket_of(100, WEB_ID);
    const struct owner_set *kept;

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    kept = owner_set_ref(row.owners);
    stop(10);
    pass_ms(1000);
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    attach_many(*state, &row, 0);
    assert_int_equal(atomic_load(ref_count(&kept->ref)), 1);
    assert_int_equal(kept->holders[0]->pid, 10);
    owner_set_unref(kept);
}

static void a_refresh_lets_everything_be_looked_for_anew(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};

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
    assert_non_null(strstr(machine.did, WEB " 11 10 20 list 21"));
    assert_holders(&rows[0], "10 11");
    assert_holders(&rows[1], "20 21");
    start(12, "web-worker", WEB_ID, 100); /* and the programs count as young again */
    pass_ms(1100);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10 11 12");
}

/* Steps */

/* A process with many descriptors is looked through in many steps, once. */
static void a_step_keeps_to_its_budget_and_the_next_goes_on_there(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    size_t steps = 0;

    machine.clock_takes_us = 1;
    machine.descriptor_takes_us = 5;
    start(10, "web", WEB_ID, 100)->others = 100000;
    poll(*state, &row, 1);
    for (; is_due(*state); steps++) {
        int64_t began_us = machine.now_us;

        assert_true(step(*state) >= 0);
        assert_true(machine.now_us - began_us < STEP_US * 11 / 10);
    }
    assert_int_equal(machine.scans, 1);
    assert_true(steps >= 100000 * 5 / STEP_US);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
}

static void a_list_of_many_processes_is_read_in_steps(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    machine.clock_takes_us = 1;
    machine.descriptor_takes_us = machine.listed_takes_us = 20;
    for (uint32_t pid = 10; pid < 3000; pid++)
        start(pid, "idle", ELSEWHERE, 0);
    start(3000, "web", ELSEWHERE, 100);
    poll(*state, &row, 1);
    while (is_due(*state)) {
        int64_t began_us = machine.now_us;

        assert_true(step(*state) >= 0);
        assert_true(machine.now_us - began_us < STEP_US * 12 / 10);
    }
    assert_int_equal(machine.lists, 1);
    assert_int_equal(machine.scans, 2991);
    poll(*state, &row, 1);
    assert_holders(&row, "3000");
}

static void a_step_whose_budget_is_spent_already_does_nothing(void **state)
{
    const struct budget spent = {.now_us = clock_us, .until_us = START_US};
    struct member row = socket_of(100, ELSEWHERE);

    poll(*state, &row, 1);
    assert_int_equal(owners_step(*state, &spent), 1);
    assert_did("");
    assert_true(is_due(*state));
}

static void without_sockets_nothing_is_ever_due(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    assert_true(owners_due_ms(*state, now_ms()) == INT64_MAX);
    assert_int_equal(step(*state), 0);
    start(10, "web", ELSEWHERE, 100);
    attach(*state, &row);
    attach_many(*state, &row, 0);
    assert_true(owners_due_ms(*state, now_ms()) == INT64_MAX);
    assert_int_equal(step(*state), 0);
    assert_did("");
    assert_int_equal(machine.files, 0);
}

static void what_is_due_next_is_known_to_the_millisecond(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    assert_int_equal(owners_due_ms(*state, now_ms()), now_ms() + 1000);
    pass_ms(400);
    assert_int_equal(owners_due_ms(*state, now_ms()), now_ms() + 600);
    pass_ms(600);
    assert_true(is_due(*state));
    attach(*state, &row);
    assert_int_equal(owners_due_ms(*state, now_ms()), now_ms() + 1000);
}

/* A minute of an idle machine: steps come when something is due and at no other
 * time, and each does something. */
static void no_step_is_in_vain(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE), socket_of(300, ELSEWHERE)};
    int64_t end_us;
    size_t steps = 0;

    machine.descriptor_takes_us = machine.listed_takes_us = machine.look_takes_us = 3;
    start(10, "web", WEB_ID, 100);
    start(20, "mail", ELSEWHERE, 200);
    attach_many(*state, rows, 3);
    end_us = machine.now_us + 60000000;
    while (owners_due_ms(*state, now_ms()) * 1000 < end_us) {
        int64_t due_us = owners_due_ms(*state, now_ms()) * 1000, spent_us = machine.spent_us;

        machine.now_us = due_us > machine.now_us ? due_us : machine.now_us;
        assert_true(step(*state) >= 0);
        assert_true(machine.spent_us > spent_us);
        steps++;
    }
    assert_in_range(steps, 60, 3 * 60);
}

/* Sockets that come while others are looked for */

/* One is found at once although a process with many descriptors is just being
 * looked through for another, and that goes on where it was. */
static void a_new_socket_does_not_wait_for_a_long_look(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};

    machine.descriptor_takes_us = 5;
    start(10, "crowd", ELSEWHERE, 100)->others = 100000;
    poll(*state, rows, 1);
    for (int i = 0; i < 50; i++)
        assert_int_equal(step(*state), 1);
    assert_did("list 10");
    start(20, "web", ELSEWHERE, 200);
    poll(*state, rows, 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(step(*state), 1);
    assert_did("list 10 list 20");
    poll(*state, rows, 2);
    assert_holders(&rows[1], "20");
    assert_nobody(&rows[0], SIGHT_NOT_YET);
    settle(*state);
    poll(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_did("list 10 list 20 10"); /* the last for the second socket, which it may have, too */
}

/* Many that come one after the other in the middle of a search cost one more
 * walk, not one each. */
static void sockets_that_come_in_the_middle_share_the_next_walk(void **state)
{
    struct member rows[40];

    start_many(1000, 100, 200);
    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++)
        rows[i] = socket_of(100 + i, ELSEWHERE);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        poll(*state, rows, i + 1);
        assert_int_equal(step(*state), 1);
    }
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_nobody(&rows[i], SIGHT_NONE);
    assert_true(machine.scans <= 3 * 100);
}

static void the_first_holder_is_told_before_the_search_ends(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    uint64_t version;

    start_many(1000, 10, 1000);
    start(10, "web", ELSEWHERE, 100);
    start(20, "web-worker", ELSEWHERE, 100)->others = 2000;
    poll(*state, &row, 1);
    version = owners_version(*state);
    while (owners_version(*state) == version)
        assert_int_equal(step(*state), 1);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
    assert_true(machine.scans < 10);
    version = owners_version(*state);
    settle(*state);
    assert_true(owners_version(*state) > version);
    poll(*state, &row, 1);
    assert_holders(&row, "10 20"); /* and it may grow */
}

static void the_cheapest_are_looked_through_first(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    start(10, "a", ELSEWHERE, 0)->others = 1000;
    start(11, "b", ELSEWHERE, 0)->others = 10;
    start(12, "c", ELSEWHERE, 0)->others = 100;
    start(13, "d", ELSEWHERE, 0)->others = 1;
    attach(*state, &row);
    assert_did("list 13 11 12 10");
}

static void where_the_number_is_unknown_they_go_by_pid(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    machine.uncounted = true;
    start(10, "a", ELSEWHERE, 0)->others = 1000;
    start(11, "b", ELSEWHERE, 0)->others = 10;
    attach(*state, &row);
    assert_did("list 10 11");
}

/* Whoever has a new listener has one descriptor more. */
static void whoever_has_changed_is_looked_through_first(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};
    struct process *web;

    start(10, "a", ELSEWHERE, 100)->others = 2;
    start(11, "b", ELSEWHERE, 0)->others = 4;
    web = start(12, "web", ELSEWHERE, 0);
    web->others = 5000;
    attach_many(*state, rows, 1);
    assert_did("list 10 11 12");
    web->sockets[0] = 200;
    pass_ms(100);
    attach_many(*state, rows, 2);
    assert_did("list 12 10 11");
    assert_holders(&rows[1], "12");
}

/* New sockets that nobody has keep coming; the holder of the first one is the
 * most expensive process. */
static void whoever_keeps_asking_does_not_keep_others_waiting_for_ever(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};

    start_many(1000, 20, 100);
    start(10, "crowd", ELSEWHERE, 100)->others = 3000;
    for (int polls = 0; rows[0].owners == NULL || rows[0].owners->count == 0; polls++) {
        assert_in_range(polls, 0, 1000);
        rows[1].cookie++;
        rows[1].inode++;
        poll(*state, rows, 2);
        run(*state, 10);
        poll(*state, rows, 2);
    }
    assert_holders(&rows[0], "10");
}

/* With every process that is looked into come two new ones. */
static void a_search_ends_although_processes_come_faster_than_they_are_read(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    for (uint32_t pid = 10; pid < 20; pid++)
        start(pid, "idle", ELSEWHERE, 0);
    machine.next_fork = 100;
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    assert_int_equal(machine.scans, 10);
    assert_int_equal(machine.lists, 1);
}

/* Upkeep */

/* Of a known process one descriptor a second is looked at, however many it has,
 * and however many of them listen. */
static void upkeep_of_a_process_costs_the_same_whatever_it_has(void **state)
{
    static struct member rows[ROWS_MAX];
    struct process *process = start(10, "web", WEB_ID, 0);
    size_t scans, rechecks;

    for (uint32_t i = 0; i < ROWS_MAX; i++)
        rows[i] = socket_of(1000 + i, WEB_ID);
    process->others = 100000;
    process->many = ROWS_MAX;
    process->many_first = 1000;
    attach_many(*state, rows, ROWS_MAX);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[ROWS_MAX - 1], "10");
    scans = machine.scans;
    rechecks = machine.rechecks;
    machine.look_takes_us = machine.descriptor_takes_us = machine.listed_takes_us = 10;
    run(*state, 50000);
    assert_int_equal(machine.scans, scans);
    assert_in_range(machine.rechecks - rechecks, 49, 50);
    assert_true(machine.spent_us < 100 * 10);
}

/* Sockets that came at different times are refreshed together in the end. */
static void one_list_of_processes_serves_many_sockets(void **state)
{
    struct member rows[200];
    size_t lists;

    start(10, "web", ELSEWHERE, 0);
    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        rows[i] = socket_of(100 + i, ELSEWHERE);
        poll(*state, rows, i + 1);
        run(*state, 700);
    }
    run(*state, 300000);
    lists = machine.lists;
    run(*state, 600000);
    assert_in_range(machine.lists - lists, 10, 10 + 600 / 15); /* and not 200 a minute */
}

/* The next descriptor each time: in the end none is passed over. */
static void each_look_is_at_another_descriptor(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(101, WEB_ID), socket_of(102, WEB_ID)};
    struct process *process = start(10, "web", WEB_ID, 100);

    process->sockets[0] = 101;
    process->sockets[1] = 102;
    attach_many(*state, rows, 3);
    for (size_t i = 0; i < HELD_MAX; i++)
        if (process->sockets[i] == 102)
            process->sockets[i] = 0;
    start(11, "heir", WEB_ID, 102);
    run(*state, 3000);
    poll(*state, rows, 3);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "10");
    assert_holders(&rows[2], "11");
}

static void of_thousands_of_holders_the_looks_are_spread(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    int64_t began_us;

    owners_set_limit(*state, 3000);
    for (uint32_t pid = 10; pid < 3010; pid++)
        start(pid, "web", WEB_ID, 100);
    attach(*state, &row);
    machine.look_takes_us = 100;
    began_us = machine.now_us;
    machine.spent_us = 0;
    run(*state, 50000);
    assert_true(machine.rechecks > 3000);
    assert_true(machine.spent_us < 110000 + (machine.now_us - began_us) / 50);
}

/* A process that was there before and got the descriptor later, without having
 * more of them than it had. */
static void a_descriptor_passed_on_is_found_by_a_complete_look(void **state)
{
    struct member row = socket_of(100, WEB_ID);
    struct process *heir;

    start(10, "web", WEB_ID, 100);
    heir = start(20, "heir", WEB_ID, 0);
    heir->others = 5;
    attach(*state, &row);
    heir->others = 4;
    heir->sockets[0] = 100;
    run(*state, 59000);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
    run(*state, 2000);
    poll(*state, &row, 1);
    assert_holders(&row, "10 20");
}

static void complete_looks_take_at_most_a_hundredth_of_the_time(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    int64_t began_us;

    start_many(1000, 10, 50000);
    start(10, "web", ELSEWHERE, 100);
    attach(*state, &row);
    run(*state, 100000);
    began_us = machine.now_us;
    machine.spent_us = 0;
    machine.scans = 0;
    run(*state, 3600000);
    assert_in_range(machine.scans, 5 * 11, 20 * 11);
    assert_true(machine.spent_us < (machine.now_us - began_us) * 12 / 1000);
}

/* A socket on its way between two processes (SCM_RIGHTS) arrives in one that is
 * known: it has one descriptor more. */
static void one_that_arrives_somewhere_is_found_by_the_number_of_descriptors(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    struct process *process = start(10, "web", ELSEWHERE, 0);

    start(20, "idle", ELSEWHERE, 0)->others = 7;
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
    process->sockets[0] = 100;
    pass_ms(1000);
    attach(*state, &row);
    assert_did("list 10");
    assert_holders(&row, "10");
}

/* As when our own descriptors have run out: that tells nothing of the process. */
static void who_cannot_be_looked_into_now_keeps_what_is_known(void **state)
{
    static const int errors[] = {-EMFILE, -ENFILE, -EIO};
    struct member row = socket_of(100, WEB_ID);
    struct process *process = start(10, "web", WEB_ID, 100);

    attach(*state, &row);
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        process->error = errors[i];
        process->name = "other";
        pass_ms(1000);
        attach(*state, &row);
        assert_non_null(strstr(machine.did, "10? 10! 10"));
        assert_holders(&row, "10");
        assert_string_equal(row.owners->holders[0]->process, "web");
        owners_refresh(*state);
        attach(*state, &row);
        assert_holders(&row, "10");
        process->error = 0;
        owners_refresh(*state);
        attach(*state, &row);
        assert_string_equal(row.owners->holders[0]->process, process->name);
        process->name = "web";
        owners_refresh(*state);
        attach(*state, &row);
    }
}

static void what_is_told_changes_only_when_something_else_is_known(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE)};
    struct process *web = start(10, "web", WEB_ID, 100);
    uint64_t version;

    start(20, "mail", ELSEWHERE, 200);
    attach_many(*state, rows, 2);
    version = owners_version(*state);
    run(*state, 300000);
    assert_true(owners_version(*state) == version);
    web->name = "other";
    run(*state, 2000);
    assert_true(owners_version(*state) > version);
}

/* Ten processes that hold a lot, as one table or each for itself. */
static void start_crowd(uint32_t first, uint32_t count, uint32_t sockets, bool shared)
{
    for (uint32_t i = 0; i < count; i++) {
        struct process *process = start(first + i, "crowd", ELSEWHERE, 0);

        process->many = sockets;
        process->many_first = 100000;
        process->sharing = shared && i > 0 ? first : 0;
    }
}

static void assert_listed(const struct member *row, size_t listed, uint64_t unlisted)
{
    assert_int_equal(row->owners->sight, SIGHT_SEEN);
    assert_int_equal(row->owners->count, listed);
    assert_int_equal(row->owners->unlisted, unlisted);
    for (size_t i = 1; i < listed; i++)
        assert_true(row->owners->holders[i]->pid > row->owners->holders[i - 1]->pid);
}

/* One-shot commands */

static void to_the_end_everything_is_looked_for_whatever_it_takes(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE), socket_of(300, WEB_ID)};

    start_many(1000, 100, 50000);
    start(10, "web", ELSEWHERE, 100);
    start(11, "web-worker", ELSEWHERE, 100)->others = 60000;
    start(30, "web", WEB_ID, 300);
    poll(*state, rows, 3);
    assert_int_equal(owners_step(*state, &to_the_end), 0);
    poll(*state, rows, 3);
    assert_holders(&rows[0], "10 11");
    assert_nobody(&rows[1], SIGHT_NONE);
    assert_holders(&rows[2], "30");
    assert_int_equal(machine.scans, 103);
    assert_int_equal(machine.rechecks, 0);
    pass_ms(100000);
    assert_int_equal(owners_step(*state, &to_the_end), 0); /* nothing is new, and upkeep is not its task */
    assert_int_equal(machine.scans, 103);
    assert_int_equal(machine.rechecks, 0);
}

static void to_the_end_without_proc_ends_with_the_reason(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    machine.list_error = -ENOENT;
    poll(*state, &row, 1);
    assert_int_equal(owners_step(*state, &to_the_end), -ENOENT);
    poll(*state, &row, 1);
    assert_nobody(&row, SIGHT_LATE); /* nobody will look any more */
}

static void to_the_end_all_who_share_a_table_are_listed(void **state)
{
    struct member row = socket_of(100000, ELSEWHERE);

    owners_set_limit(*state, 1024);
    start_crowd(1000, 300, 100, true);
    poll(*state, &row, 1);
    assert_int_equal(owners_step(*state, &to_the_end), 0);
    poll(*state, &row, 1);
    assert_listed(&row, 300, 0);
}

/* Too late */

static void without_proc_owners_are_late_after_ten_seconds(void **state)
{
    static struct member rows[1000];
    int64_t began_ms = now_ms();
    uint64_t version;

    machine.list_error = -ENOENT;
    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++)
        rows[i] = socket_of(100 + i, ELSEWHERE);
    poll(*state, rows, ARRAY_LENGTH(rows));
    version = owners_version(*state);
    while (owners_due_ms(*state, now_ms()) < began_ms + 10000) {
        if (owners_due_ms(*state, now_ms()) > now_ms())
            machine.now_us = owners_due_ms(*state, now_ms()) * 1000;
        (void)step(*state);
        assert_true(owners_version(*state) == version);
    }
    machine.now_us = (began_ms + 10000) * 1000;
    for (int i = 0; is_due(*state); i++) {
        assert_in_range(i, 0, 4);
        (void)step(*state);
    }
    assert_true(owners_version(*state) > version);
    poll(*state, rows, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_nobody(&rows[i], SIGHT_LATE);
    assert_false(is_due(*state));

    machine.list_error = 0;
    start(10, "web", ELSEWHERE, 100);
    pass_ms(1000);
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    assert_holders(&rows[0], "10");
    assert_nobody(&rows[1], SIGHT_NONE);
}

/* Each has ten seconds of its own. */
static void a_search_that_takes_longer_is_late_and_ends_all_the_same(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};
    int64_t began_ms = now_ms();

    start_many(1000, 100, 40000); /* twenty seconds to look through */
    poll(*state, rows, 1);
    run(*state, 5000);
    poll(*state, rows, 2);
    run(*state, began_ms + 9990 - now_ms());
    poll(*state, rows, 2);
    assert_nobody(&rows[0], SIGHT_NOT_YET);
    run(*state, began_ms + 10010 - now_ms());
    poll(*state, rows, 2);
    assert_nobody(&rows[0], SIGHT_LATE);
    assert_nobody(&rows[1], SIGHT_NOT_YET);
    run(*state, 5010);
    poll(*state, rows, 2);
    assert_nobody(&rows[1], SIGHT_LATE);
    run(*state, 600000);
    poll(*state, rows, 2);
    assert_nobody(&rows[0], SIGHT_NONE);
    assert_nobody(&rows[1], SIGHT_NONE);
}

/* Steps as they are due, whatever comes of it. */
static void fail_for(struct owners *o, int64_t ms)
{
    int64_t end_ms = now_ms() + ms;

    for (; now_ms() < end_ms; pass_ms(100))
        (void)step(o);
}

/* What is known stays known. */
static void what_was_found_is_never_late(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};

    start(10, "web", ELSEWHERE, 100);
    attach_many(*state, rows, 2);
    machine.list_error = -ENOENT;
    owners_refresh(*state);
    fail_for(*state, 20000);
    poll(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_nobody(&rows[1], SIGHT_NONE);
}

/* From when its holder was found to have gone. */
static void a_holder_that_has_gone_leaves_ten_seconds(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    pass_ms(5000);
    attach(*state, &row);
    machine.list_error = -ENOENT;
    stop(10);
    fail_for(*state, 9000);
    poll(*state, &row, 1);
    assert_nobody(&row, SIGHT_NOT_YET);
    fail_for(*state, 5000);
    poll(*state, &row, 1);
    assert_nobody(&row, SIGHT_LATE);
}

/* Floods */

/* So many sockets, in so many cgroups by turns. */
static struct member *flood(uint32_t count, uint32_t cgroups)
{
    static struct member rows[ROWS_MAX];

    assert_in_range(count, 1, ROWS_MAX);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = socket_of(100000 + i, 1000 + i % cgroups);
    return rows;
}

/* Neither for each socket, nor in each step of the search. */
static void a_cgroup_is_read_once_however_its_sockets_come(void **state)
{
    static const uint32_t cgroups[] = {2, 1000};
    char paths[1000][40];

    for (size_t k = 0; k < ARRAY_LENGTH(cgroups); k++) {
        machine.cgroup_count = machine.known_cgroups = 0;
        for (uint32_t i = 0; i < cgroups[k]; i++) {
            (void)snprintf(paths[i], sizeof paths[i], "/system.slice/flood%u.service", i);
            add_cgroup(1000 + i, paths[i]);
        }
        pass_ms(100000);
        machine.opened_cgroups = machine.trees = 0;
        attach_many(*state, flood(20000, cgroups[k]), 20000);
        assert_int_equal(machine.opened_cgroups, cgroups[k]);
        assert_in_range(machine.trees, 1, 2);
        machine.opened_cgroups = 0;
        pass_ms(1000); /* a refresh */
        attach_many(*state, flood(20000, cgroups[k]), 20000);
        assert_in_range(machine.opened_cgroups, 0, cgroups[k]);
        attach_many(*state, flood(1, 1), 0);
    }
}

/* A thousand, all of them others each second. */
static void cgroups_that_come_and_go_cost_a_bounded_time(void **state)
{
    struct member *rows = flood(1000, 1000);
    int64_t began_us = machine.now_us;

    machine.tree_takes_us = 20000;
    for (int second = 0; second < 200; second++) {
        for (uint32_t i = 0; i < 1000; i++) {
            rows[i].cgroup_id += 1000;
            rows[i].cookie += 1000;
        }
        poll(*state, rows, 1000);
        run(*state, 1000);
    }
    assert_in_range(machine.trees, 2, 210);
    assert_true(machine.spent_us <= 10100000 + (machine.now_us - began_us) / 10);
}

static void a_table_that_processes_share_is_looked_through_once(void **state)
{
    struct member *rows = flood(19000, 1);

    for (uint32_t i = 0; i < 19000; i++)
        rows[i].cgroup_id = ELSEWHERE;
    start_crowd(1000, 300, 19000, true);
    attach_many(*state, rows, 19000);
    assert_int_equal(machine.scans, 1);
    assert_true(machine.comparisons < 300 * 16);
    run(*state, 1000); /* whoever shares it is described bit by bit */
    poll(*state, rows, 19000);
    assert_listed(&rows[0], 16, 284);
    assert_listed(&rows[18999], 16, 284);

    machine.scans = 0;
    run(*state, 150000); /* looks through everything as well */
    assert_in_range(machine.scans, 1, 4);
    poll(*state, rows, 19000);
    assert_listed(&rows[0], 16, 284);
}

/* One process alone would be looked through in a tenth of a second. */
static void a_shared_table_does_not_delay_other_sockets(void **state)
{
    struct member *rows = flood(19000, 1);

    for (uint32_t i = 0; i < 19000; i++)
        rows[i].cgroup_id = ELSEWHERE;
    machine.descriptor_takes_us = 5;
    machine.listed_takes_us = 2;
    start_crowd(1000, 300, 19000, true);
    start(10, "web", ELSEWHERE, 200000);
    rows[19000] = socket_of(200000, ELSEWHERE);
    poll(*state, rows, 19001);
    for (int i = 0; i < 20; i++)
        assert_true(step(*state) >= 0);
    poll(*state, rows, 19001);
    assert_holders(&rows[19000], "10");
    settle(*state);
    assert_true(machine.spent_us < 2 * 19000 * 5);
    machine.spent_us = 0;
    start(11, "web", ELSEWHERE, 200001);
    rows[19001] = socket_of(200001, ELSEWHERE);
    pass_ms(500);
    attach_many(*state, rows, 19002);
    assert_holders(&rows[19001], "11");
    assert_true(machine.spent_us < 2 * 19000 * 5);
}

/* Which of them was looked through does not matter, nor whether it is there. */
static void whoever_shares_a_table_may_end_or_get_one_of_its_own(void **state)
{
    struct member *rows = flood(100, 1);
    struct process *other;

    for (uint32_t i = 0; i < 100; i++)
        rows[i].cgroup_id = ELSEWHERE;
    start_crowd(1000, 4, 100, true);
    attach_many(*state, rows, 100);
    run(*state, 2000);
    poll(*state, rows, 100);
    assert_holders(&rows[7], "1000 1001 1002 1003");

    other = find_process(1002);
    other->sharing = 0; /* exec(2): it has nothing any more */
    other->many = 0;
    other->others = 100;
    run(*state, 3000);
    poll(*state, rows, 100);
    assert_holders(&rows[7], "1000 1001 1003");
    assert_holders(&rows[99], "1000 1001 1003");

    for (uint32_t pid = 1001; pid <= 1003; pid += 2) { /* the table is the second's now */
        find_process(pid)->sharing = pid == 1001 ? 0 : 1001;
        find_process(pid)->many = 100;
        find_process(pid)->many_first = 100000;
    }
    stop(1000);
    run(*state, 3000);
    poll(*state, rows, 100);
    assert_holders(&rows[7], "1001 1003");
    stop(1003);
    stop(1001);
    run(*state, 3000);
    poll(*state, rows, 100);
    assert_nobody(&rows[7], SIGHT_NONE);
}

/* As where kcmp(2) is not allowed. */
static void tables_that_cannot_be_compared_are_looked_through_each(void **state)
{
    static const int errors[] = {-EPERM, -ENOSYS};

    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        struct member *rows = flood(100, 1);

        for (uint32_t k = 0; k < 100; k++)
            rows[k].cookie += i;
        machine.process_count = machine.scans = 0;
        machine.compare_error = errors[i];
        start_crowd(1000 + 100 * (uint32_t)i, 4, 100, true);
        pass_ms(1000);
        attach_many(*state, rows, 100);
        assert_int_equal(machine.scans, 4);
        assert_holders(&rows[50], i == 0 ? "1000 1001 1002 1003" : "1100 1101 1102 1103");
    }
}

/* In whatever order the table is come upon that is not listed. */
static void who_shares_a_table_that_is_not_listed_is_counted(void **state)
{
    static const uint32_t firsts[] = {100, 5000};
    struct member *rows = flood(200, 1);

    for (size_t i = 0; i < ARRAY_LENGTH(firsts); i++) {
        for (uint32_t k = 0; k < 200; k++) {
            rows[k].cgroup_id = ELSEWHERE;
            rows[k].cookie += 1000;
        }
        machine.process_count = 0;
        pass_ms(100000);
        start_crowd(1000, 20, 200, false);
        start_crowd(firsts[i], 300, 200, true);
        machine.processes[19].others = 100; /* of which some are looked through later */
        attach_many(*state, rows, 200);
        run(*state, 5000);
        poll(*state, rows, 200);
        assert_listed(&rows[0], 16, 304);
        assert_listed(&rows[199], 16, 304);
        machine.scans = 0;
        run(*state, 250000); /* through looks at everything */
        poll(*state, rows, 200);
        assert_listed(&rows[7], 16, 304);
        assert_in_range(machine.scans, 4 * 21, 5 * 22);
        for (uint32_t pid = firsts[i] + 200; pid < firsts[i] + 300; pid++)
            stop(pid);
        run(*state, 130000);
        poll(*state, rows, 200);
        assert_listed(&rows[7], 16, 204);
        stop(firsts[i] + 3);
        stop(1003);
        run(*state, 130000);
        poll(*state, rows, 200);
        assert_int_equal(rows[7].owners->count + rows[7].owners->unlisted, 218);
    }
}

static void to_the_end_those_that_share_a_table_are_counted(void **state)
{
    static const size_t limits[] = {1, 16, 1024};
    struct member *rows = flood(200, 1);

    start_crowd(1000, 20, 200, false);
    start_crowd(2000, 300, 200, true);
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        for (uint32_t k = 0; k < 200; k++) {
            rows[k].cgroup_id = ELSEWHERE;
            rows[k].cookie += 1000;
        }
        owners_set_limit(*state, limits[i]);
        poll(*state, rows, 200);
        assert_int_equal(owners_step(*state, &to_the_end), 0);
        poll(*state, rows, 200);
        for (size_t k = 0; k < 200; k += 199)
            assert_listed(&rows[k], limits[i] < 320 ? limits[i] : 320, limits[i] < 320 ? 320 - limits[i] : 0);
    }
}

/* As when our own descriptors have run out. */
static void a_count_that_fails_is_not_tried_for_ever(void **state)
{
    struct member *rows = flood(200, 1);

    for (uint32_t k = 0; k < 200; k++)
        rows[k].cgroup_id = ELSEWHERE;
    start_crowd(1000, 20, 200, false);
    start_crowd(2000, 300, 200, true);
    poll(*state, rows, 200);
    while (machine.scans < 21)
        assert_true(step(*state) >= 0);
    for (uint32_t pid = 2000; pid < 2300; pid++)
        find_process(pid)->error = -EMFILE;
    assert_int_equal(owners_step(*state, &to_the_end), 0);
    assert_in_range(machine.scans, 21, 340);
}

static void of_many_holders_so_many_are_listed_and_all_are_counted(void **state)
{
    struct member *rows = flood(10000, 1);
    const struct holder *some[64];
    size_t count = 0;

    for (uint32_t i = 0; i < 10000; i++)
        rows[i].cgroup_id = ELSEWHERE;
    start_crowd(1000, 40, 10000, false);
    attach_many(*state, rows, 10000);
    for (size_t i = 0; i < 10000; i++)
        assert_listed(&rows[i], 16, 24);
    for (size_t i = 0; i < 10000; i++) { /* each is described once, for all sockets */
        for (size_t k = 0; k < 16; k++) {
            size_t n = 0;

            while (n < count && some[n] != rows[i].owners->holders[k])
                n++;
            assert_in_range(n, 0, 39);
            some[n] = rows[i].owners->holders[k];
            count += n == count;
        }
    }
    run(*state, 130000); /* and nobody is counted twice */
    poll(*state, rows, 10000);
    for (size_t i = 0; i < 10000; i++)
        assert_listed(&rows[i], 16, 24);
}

/* A socket that a process has twice is held by one process. */
static void who_is_not_listed_is_counted_by_whoever_comes_and_goes(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    owners_set_limit(*state, 2);
    for (uint32_t pid = 10; pid < 20; pid++)
        start(pid, "web", ELSEWHERE, 100)->sockets[1] = 100;
    attach(*state, &row);
    assert_listed(&row, 2, 8);
    start(20, "web", ELSEWHERE, 100);
    run(*state, 5000);
    poll(*state, &row, 1);
    assert_listed(&row, 2, 9);
    for (uint32_t pid = 15; pid <= 20; pid++)
        stop(pid);
    run(*state, 130000); /* by then everything was looked through */
    poll(*state, &row, 1);
    assert_listed(&row, 2, 3);
    owners_refresh(*state); /* and while it is looked for anew nobody is said to have gone */
    poll(*state, &row, 1);
    assert_int_equal(step(*state), 0);
    poll(*state, &row, 1);
    assert_listed(&row, 2, 3);
    stop(row.owners->holders[0]->pid);
    run(*state, 130000);
    poll(*state, &row, 1);
    assert_listed(&row, 2, 2);
    owners_set_limit(*state, 3);
    run(*state, 5000);
    poll(*state, &row, 1);
    assert_listed(&row, 3, 1);
}

static void who_is_of_the_sockets_own_user_is_listed_before_others(void **state)
{
    struct member row = socket_of(100, INIT_ID);

    owners_set_limit(*state, 2);
    start(1, "systemd", INIT_ID, 100)->unit = "init.scope";
    start(10, "a", INIT_ID, 100);
    start(11, "b", INIT_ID, 100);
    start(12, "own", INIT_ID, 100)->uid = 33;
    start(13, "own", INIT_ID, 100)->uid = 33;
    attach(*state, &row);
    assert_holders(&row, "12 13");
    assert_int_equal(row.owners->unlisted, 3);
}

/* Two thousand, each second. */
static void another_name_is_no_reason_to_look_through_a_process(void **state)
{
    static const char *const called[] = {"one", "two"};
    static struct member rows[2000];
    size_t scans;

    for (uint32_t i = 0; i < 2000; i++) {
        rows[i] = socket_of(100000 + i, WEB_ID);
        start(1000 + i, "zero", WEB_ID, 100000 + i)->others = 100;
    }
    attach_many(*state, rows, 2000);
    scans = machine.scans;
    machine.look_takes_us = 2;
    for (int second = 0; second < 40; second++) {
        for (size_t i = 0; i < 2000; i++)
            machine.processes[i].name = called[second % 2];
        run(*state, 1000);
    }
    assert_int_equal(machine.scans, scans);
    assert_true(machine.described > 2000 * 20);
    run(*state, 3000);
    poll(*state, rows, 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_string_equal(rows[i].owners->holders[0]->process, called[1]);
}

/* Which exec(2) may have done. */
static void another_name_and_other_descriptors_are(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(101, WEB_ID)};
    struct process *process = start(10, "sh", WEB_ID, 100);

    process->sockets[0] = 101;
    start(11, "keeper", WEB_ID, 100);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10 11");
    process->name = "web";
    process->sockets[3] = 0;
    run(*state, 2000);
    poll(*state, rows, 2);
    assert_holders(&rows[0], "11");
    assert_holders(&rows[1], "10");
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void after_a_flood_the_memory_is_given_back(void **state)
{
    struct member *rows = flood(60000, 1), own = socket_of(100, WEB_ID);
    size_t before;

    start(10, "web", WEB_ID, 100);
    attach(*state, &own);
    before = allocated();
    for (uint32_t i = 0; i < 60000; i++)
        rows[i].cgroup_id = ELSEWHERE;
    rows[59999] = own;
    start_many(1000, 30000, 1);
    start_crowd(50000, 40, 20000, false);
    machine.is_sorted = true;
    attach_many(*state, rows, 60000);
    assert_listed(&rows[19999], 16, 24);
    machine.process_count = 1;
    run(*state, 1000);
    poll(*state, &own, 1);
    run(*state, 60000);
    poll(*state, &own, 1);
    assert_holders(&own, "10");
    assert_true(allocated() < before + 65536);
}

/* Threads */

/* Its main thread has ended, or it got a table of its own by unshare(2). */
static void what_no_process_has_a_thread_may_have(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 0)->unit = "web.service";
    start(20, "mail", MAIL_ID, 200);
    start_thread(11, 10, 300)->sharing = 10;
    start_thread(12, 10, 100);
    start_thread(13, 10, 100); /* and another one besides, which is the same process */
    attach(*state, &row);
    assert_did("tree " WEB " 10 list 20 10+ 12 13"); /* the first shares the process's table */
    assert_holders(&row, "10");
    assert_string_equal(row.owners->holders[0]->process, "web");
    assert_string_equal(row.owners->holders[0]->unit, "web.service");
    assert_int_equal(row.owners->unlisted, 0);

    pass_ms(1000);
    attach(*state, &row);
    assert_did("12? " WEB); /* as any other holder */
    stop(12);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("12? 12 " WEB " 10 list 20 10+ 13");
    assert_holders(&row, "10");
    stop(13);
    pass_ms(1000);
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
}

static void the_user_of_a_thread_may_get_a_name_late(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    start(10, "web", ELSEWHERE, 0);
    start_thread(11, 10, 100);
    call_user(WWW_DATA, "");
    attach(*state, &row);
    settle(*state);
    attach(*state, &row);
    assert_holders(&row, "10");
    assert_string_equal(row.owners->holders[0]->user, "");
    call_user(WWW_DATA, "www-data");
    attach(*state, &row);
    settle(*state);
    attach(*state, &row);
    assert_string_equal(row.owners->holders[0]->user, "www-data");
}

static void what_some_process_has_is_not_looked_for_among_threads(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    start(10, "web", ELSEWHERE, 100);
    start(20, "mail", ELSEWHERE, 0);
    start_thread(21, 20, 100);
    attach(*state, &row);
    run(*state, 200000);
    poll(*state, &row, 1);
    assert_int_equal(machine.threads, 0);
    assert_holders(&row, "10");
}

/* The threads that are left when the first has ended share one table. */
static void a_table_that_threads_share_is_looked_through_once(void **state)
{
    static struct member rows[100];

    start(10, "web", ELSEWHERE, 0);
    start_thread(100, 10, 0)->many_first = 1000;
    find_process(100)->many = 100;
    for (uint32_t tid = 101; tid < 1100; tid++)
        start_thread(tid, 10, 0)->sharing = 100;
    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++)
        rows[i] = socket_of(1000 + i, ELSEWHERE);
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    assert_did("list 10 10+ 100");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_holders(&rows[i], "10");
    assert_int_equal(machine.described, 1);
    run(*state, 150000); /* and nobody is told twice */
    poll(*state, rows, ARRAY_LENGTH(rows));
    assert_listed(&rows[0], 1, 0);
}

static void of_processes_whose_threads_have_it_each_is_told(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);

    for (uint32_t pid = 10; pid < 40; pid += 10) {
        start(pid, "web", ELSEWHERE, 0);
        start_thread(pid + 1, pid, 100);
        start_thread(pid + 2, pid, 100);
    }
    attach(*state, &row);
    assert_holders(&row, "10 20 30");
    stop(21);
    run(*state, 130000); /* its other thread is found with the look through everything */
    poll(*state, &row, 1);
    assert_holders(&row, "10 30");
    stop(11);
    stop(31);
    run(*state, 2000);
    poll(*state, &row, 1);
    assert_holders(&row, "10 20 30");
}

static void a_process_that_has_what_its_thread_has_is_told_once(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    struct process *web = start(10, "web", ELSEWHERE, 0);

    start_thread(11, 10, 100);
    attach(*state, &row);
    web->sockets[0] = 100;
    run(*state, 130000);
    poll(*state, &row, 1);
    assert_listed(&row, 1, 0);
    stop(11);
    run(*state, 2000);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
}

/* Their number is used for a process, and that of a process for a thread. */
static void numbers_of_threads_and_processes_are_used_again(void **state)
{
    struct member rows[] = {socket_of(100, ELSEWHERE), socket_of(200, ELSEWHERE)};

    start(10, "web", ELSEWHERE, 0);
    start_thread(11, 10, 100);
    start(20, "mail", ELSEWHERE, 200);
    attach_many(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "20");
    stop(11);
    stop(20);
    start(11, "mail", ELSEWHERE, 200);
    start_thread(20, 10, 100);
    run(*state, 3000);
    poll(*state, rows, 2);
    assert_holders(&rows[0], "10");
    assert_holders(&rows[1], "11");
    assert_string_equal(rows[0].owners->holders[0]->process, "web");
    assert_string_equal(rows[1].owners->holders[0]->process, "mail");
}

/* The process that had it passes it on and ends; another one gets its number. */
static void a_number_used_again_within_a_poll_is_no_holder(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    start(30, "heir", ELSEWHERE, 0)->others = 3;
    attach(*state, &row);
    stop(10);
    start(10, "web", WEB_ID, 0)->sockets[2] = 500;
    find_process(30)->sockets[0] = 100;
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "30");
    assert_string_equal(row.owners->holders[0]->process, "heir");
}

/* Where the process does not let us look at it, its threads do not either; the
 * number of descriptors is all there is where tables cannot be compared. */
static void where_threads_cannot_be_looked_into_somebody_may_hide(void **state)
{
    static const struct {
        int error, compare_error;
        uint32_t others; /* of the thread */
        const char *did;
        enum sight sight;
    } cases[] = {
        {0, 0, 1, "list 10 10+ 11", SIGHT_NONE},
        {-EACCES, 0, 1, "list 10 10+ 11", SIGHT_HIDDEN}, /* its first has ended, this one is ours */
        {-EACCES, -EPERM, 1, "list 10 10+", SIGHT_HIDDEN},
        {0, -ENOSYS, 1, "list 10 10+ 11", SIGHT_NONE},
        {0, -ENOSYS, 2, "list 10 10+", SIGHT_HIDDEN}, /* as many as its process */
    };
    struct process *web = start(10, "web", ELSEWHERE, 0), *thread = start_thread(11, 10, 0);

    web->others = 2;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct member row = socket_of(100, ELSEWHERE);

        row.cookie = i;
        web->error = cases[i].error;
        machine.compare_error = cases[i].compare_error;
        thread->others = cases[i].others;
        pass_ms(10000);
        attach(*state, &row);
        assert_did(cases[i].did);
        assert_nobody(&row, cases[i].sight);
    }
}

/* One user's 30,000 threads, each with a table of its own, and sockets that are on
 * their way for ever, a thousand others each second. */
static void threads_without_number_cost_a_bounded_time(void **state)
{
    static struct member rows[1001];
    int64_t began_us;

    start(10, "crowd", ELSEWHERE, 0);
    for (uint32_t i = 0; i < 30000; i++)
        start_thread(1000 + i, 10, 0)->others = 20;
    machine.is_sorted = true;
    machine.descriptor_takes_us = 5;
    machine.listed_takes_us = 2;
    began_us = machine.now_us;
    for (uint32_t second = 0; second < 300; second++) {
        for (uint32_t i = 0; i < 1000; i++) {
            rows[i] = socket_of(100000 + i, ELSEWHERE);
            rows[i].cookie += 1000 * (uint64_t)second;
        }
        poll(*state, rows, 1000);
        run(*state, 1000);
    }
    assert_true(machine.threads > 1);
    assert_true(machine.spent_us <= 1000000 + (machine.now_us - began_us) / 45);
}

/* Errors */

static void of_many_holders_each_is_looked_at_once_a_second(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    for (uint32_t pid = 10; pid < 20; pid++)
        start(pid, "web", WEB_ID, 100);
    attach(*state, &row);
    assert_holders(&row, "10 11 12 13 14 15 16 17 18 19");
    pass_ms(1000);
    attach(*state, &row);
    pass_ms(1000);
    attach(*state, &row);
    assert_did("10? 11? 12? 13? 14? 15? 16? 17? 18? 19?");
    stop(17);
    pass_ms(1000);
    attach(*state, &row);
    assert_holders(&row, "10 11 12 13 14 15 16 18 19");
}

static void a_look_without_memory_leaves_what_is_known(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100)->error = -ENOMEM;
    poll(*state, &row, 1);
    assert_int_equal(step(*state), -ENOMEM);
    poll(*state, &row, 1);
    assert_nobody(&row, SIGHT_NOT_YET);
    assert_string_equal(row.owners->user, "user33");
    machine.processes[0].error = 0;
    pass_ms(1000);
    attach(*state, &row); /* and it is still due */
    assert_holders(&row, "10");

    machine.describe_error = -ENOMEM;
    owners_refresh(*state);
    assert_int_equal(step(*state), -ENOMEM);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
    machine.describe_error = 0;
    machine.list_error = -ENOMEM;
    stop(10);
    pass_ms(1000);
    assert_int_equal(step(*state), -ENOMEM);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
    machine.list_error = 0;
    pass_ms(1000);
    attach(*state, &row);
    assert_nobody(&row, SIGHT_NONE);
}

/* At whatever step memory runs out: what was found is right, and when there is
 * some again the rest is. */
static void memory_may_run_out_at_any_step(void **state)
{
    size_t given = 0, failures = 0;
    int r = -ENOMEM;

    owners_free(*state);
    for (; r < 0; given++, failures += r < 0) {
        struct member rows[] = {socket_of(100, WEB_ID), socket_of(200, ELSEWHERE), socket_of(300, 50)};

        assert_int_equal(set_up(state), 0);
        start(10, "web", WEB_ID, 100);
        start(11, "web-worker", WEB_ID, 100);
        start(20, "mail", ELSEWHERE, 200);
        machine.memory_ends = true;
        machine.memory_left = given;
        r = attach_all(*state, rows, 3);
        for (int i = 0; r >= 0 && i < 5; i++, pass_ms(1000)) {
            while (r >= 0 && is_due(*state))
                r = step(*state);
            if (i == 2)
                start(12, "web-worker", WEB_ID, 100);
        }
        machine.memory_ends = false;
        if (machine.process_count == 3)
            start(12, "web-worker", WEB_ID, 100);
        run(*state, 65000); /* by then everything was looked at anew */
        attach_many(*state, rows, 3);
        assert_holders(&rows[0], "10 11 12");
        assert_holders(&rows[1], "20");
        assert_nobody(&rows[2], SIGHT_NONE);
        owners_free(*state);
        assert_int_equal(machine.files, 0);
    }
    assert_true(failures > 20);
    assert_int_equal(set_up(state), 0);
}

/* What users are called */

/* Row 0 has a holder, row 1 is held by nobody. */
static void a_name_that_changes_is_told_without_looking_for_anybody(void **state)
{
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(101, WEB_ID)};
    uint64_t version;

    start(10, "web", WEB_ID, 100);
    call_user(33, "");
    attach_many(*state, rows, 2);
    assert_true(rows[0].owners->user_awaited && rows[1].owners->user_awaited);
    assert_string_equal(rows[0].owners->user, "");
    assert_string_equal(rows[0].owners->holders[0]->user, "www-data");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"33", "one", "two"};

        version = owners_version(*state);
        call_user(33, names[i]);
        call_user(WWW_DATA, names[(i + 1) % 3]);
        assert_true(is_due(*state));
        attach_many(*state, rows, 2);
        assert_did("");
        assert_true(owners_version(*state) != version);
        assert_string_equal(rows[0].owners->user, names[i]);
        assert_string_equal(rows[1].owners->user, names[i]);
        assert_false(rows[0].owners->user_awaited);
        assert_string_equal(rows[0].owners->holders[0]->user, names[(i + 1) % 3]);
        assert_holders(&rows[0], "10");
        pass_ms(300);
    }
    version = owners_version(*state);
    machine.names_version++; /* who is in use? */
    machine.asked = 0;
    settle(*state);
    assert_int_equal(machine.asked, 3);
    assert_int_equal(owners_version(*state), version);
    pass_ms(100);
    settle(*state);
    assert_int_equal(machine.asked, 3); /* and nothing is asked while nothing changes */
}

static void a_process_that_is_being_looked_through_gets_its_name(void **state)
{
    struct member row = socket_of(100, ELSEWHERE);
    struct process *web = start(10, "web", ELSEWHERE, 0);

    call_user(WWW_DATA, "");
    web->sockets[0] = 100;
    web->others = 50;
    web->many = 100000; /* the look takes several steps */
    web->many_first = 100;
    machine.descriptor_takes_us = 1;
    poll(*state, &row, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(step(*state), 1);
    call_user(WWW_DATA, "www-data");
    run(*state, 20000);
    poll(*state, &row, 1);
    assert_holders(&row, "10");
    assert_string_equal(row.owners->holders[0]->user, "www-data");
}

static void a_name_that_comes_at_once_is_told_with_the_socket(void **state)
{
    static const struct name answer = {33, "late", false};
    struct member row = socket_of(100, WEB_ID);
    struct budget budget;

    start(10, "web", WEB_ID, 100);
    call_user(33, "");
    machine.answer = &answer;
    poll(*state, &row, 1);
    budget = a_millisecond();
    assert_true(owners_step(*state, &budget) >= 0);
    assert_int_equal(owners_await_names(*state, &budget), 0);
    poll(*state, &row, 1);
    assert_string_equal(row.owners->user, "late");
    assert_int_equal(machine.waits, 2); /* until nothing is awaited */

    machine.waits = 0;
    machine.now_us = budget.until_us; /* no time is left */
    assert_int_equal(owners_await_names(*state, &budget), 0);
    assert_int_equal(machine.waits, 0);
}

static void a_look_to_the_end_waits_for_names_and_then_gives_up(void **state)
{
    static const struct name answer = {33, "late", false};
    struct member rows[] = {socket_of(100, WEB_ID), socket_of(101, WEB_ID)};

    rows[1].uid = 34;
    call_user(33, "");
    call_user(34, "");
    machine.answer = &answer;
    poll(*state, rows, 2);
    assert_int_equal(owners_step(*state, &to_the_end), 0);
    poll(*state, rows, 2);
    assert_string_equal(rows[0].owners->user, "late");
    assert_string_equal(rows[1].owners->user, "");
    assert_false(rows[1].owners->user_awaited);
    assert_int_equal(machine.waits, 2);
}

static void what_is_due_about_names_is_due(void **state)
{
    struct member row = socket_of(100, WEB_ID);

    start(10, "web", WEB_ID, 100);
    attach(*state, &row);
    machine.names_due_ms = now_ms() + 5;
    assert_int_equal(owners_due_ms(*state, now_ms()), now_ms() + 5);
    machine.names_due_ms = INT64_MAX;
    assert_true(owners_due_ms(*state, now_ms()) > now_ms() + 5);
}

/* A pass over all is not made all the time where all are many. */
static void many_names_that_change_all_the_time_cost_little(void **state)
{
    static struct member rows[20000];

    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        rows[i] = socket_of(100000 + i, ELSEWHERE);
        rows[i].inode = 0;
        rows[i].uid = i;
    }
    attach_many(*state, rows, ARRAY_LENGTH(rows));
    machine.asked = 0;
    for (int i = 0; i < 1000; i++) {
        machine.names_version++;
        assert_true(step(*state) >= 0);
        pass_ms(1);
    }
    assert_in_range(machine.asked, 5 * ARRAY_LENGTH(rows), 20 * ARRAY_LENGTH(rows));
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
        on_machine(a_holder_that_becomes_another_user_is_told_so),
        on_machine(a_holder_with_another_descriptor_stays),
        on_machine(a_socket_that_nobody_has_any_more_is_nobodys),
        on_machine(a_socket_of_another_user_is_looked_for_at_once),
        on_machine(where_only_an_activator_has_it_it_is_looked_for_everywhere),
        on_machine(after_a_rest_a_long_search_runs_through),
        on_machine(a_search_goes_into_debt_and_makes_it_good),
        on_machine(looking_takes_at_most_a_tenth_of_the_time),
        on_machine(completing_does_not_go_into_debt),
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
        on_machine(a_step_keeps_to_its_budget_and_the_next_goes_on_there),
        on_machine(a_list_of_many_processes_is_read_in_steps),
        on_machine(a_step_whose_budget_is_spent_already_does_nothing),
        on_machine(without_sockets_nothing_is_ever_due),
        on_machine(what_is_due_next_is_known_to_the_millisecond),
        on_machine(no_step_is_in_vain),
        on_machine(a_new_socket_does_not_wait_for_a_long_look),
        on_machine(sockets_that_come_in_the_middle_share_the_next_walk),
        on_machine(the_first_holder_is_told_before_the_search_ends),
        on_machine(the_cheapest_are_looked_through_first),
        on_machine(where_the_number_is_unknown_they_go_by_pid),
        on_machine(whoever_has_changed_is_looked_through_first),
        on_machine(whoever_keeps_asking_does_not_keep_others_waiting_for_ever),
        on_machine(a_search_ends_although_processes_come_faster_than_they_are_read),
        on_machine(upkeep_of_a_process_costs_the_same_whatever_it_has),
        on_machine(one_list_of_processes_serves_many_sockets),
        on_machine(each_look_is_at_another_descriptor),
        on_machine(of_thousands_of_holders_the_looks_are_spread),
        on_machine(a_descriptor_passed_on_is_found_by_a_complete_look),
        on_machine(complete_looks_take_at_most_a_hundredth_of_the_time),
        on_machine(one_that_arrives_somewhere_is_found_by_the_number_of_descriptors),
        on_machine(who_cannot_be_looked_into_now_keeps_what_is_known),
        on_machine(what_is_told_changes_only_when_something_else_is_known),
        on_machine(to_the_end_everything_is_looked_for_whatever_it_takes),
        on_machine(to_the_end_without_proc_ends_with_the_reason),
        on_machine(to_the_end_all_who_share_a_table_are_listed),
        on_machine(without_proc_owners_are_late_after_ten_seconds),
        on_machine(a_search_that_takes_longer_is_late_and_ends_all_the_same),
        on_machine(what_was_found_is_never_late),
        on_machine(a_holder_that_has_gone_leaves_ten_seconds),
        on_machine(a_cgroup_is_read_once_however_its_sockets_come),
        on_machine(cgroups_that_come_and_go_cost_a_bounded_time),
        on_machine(a_table_that_processes_share_is_looked_through_once),
        on_machine(a_shared_table_does_not_delay_other_sockets),
        on_machine(whoever_shares_a_table_may_end_or_get_one_of_its_own),
        on_machine(tables_that_cannot_be_compared_are_looked_through_each),
        on_machine(who_shares_a_table_that_is_not_listed_is_counted),
        on_machine(to_the_end_those_that_share_a_table_are_counted),
        on_machine(a_count_that_fails_is_not_tried_for_ever),
        on_machine(of_many_holders_so_many_are_listed_and_all_are_counted),
        on_machine(who_is_not_listed_is_counted_by_whoever_comes_and_goes),
        on_machine(who_is_of_the_sockets_own_user_is_listed_before_others),
        on_machine(another_name_is_no_reason_to_look_through_a_process),
        on_machine(another_name_and_other_descriptors_are),
        on_machine(after_a_flood_the_memory_is_given_back),
        on_machine(what_no_process_has_a_thread_may_have),
        on_machine(the_user_of_a_thread_may_get_a_name_late),
        on_machine(what_some_process_has_is_not_looked_for_among_threads),
        on_machine(a_table_that_threads_share_is_looked_through_once),
        on_machine(of_processes_whose_threads_have_it_each_is_told),
        on_machine(a_process_that_has_what_its_thread_has_is_told_once),
        on_machine(numbers_of_threads_and_processes_are_used_again),
        on_machine(a_number_used_again_within_a_poll_is_no_holder),
        on_machine(where_threads_cannot_be_looked_into_somebody_may_hide),
        on_machine(threads_without_number_cost_a_bounded_time),
        on_machine(of_many_holders_each_is_looked_at_once_a_second),
        on_machine(a_look_without_memory_leaves_what_is_known),
        on_machine(memory_may_run_out_at_any_step),
        on_machine(a_name_that_changes_is_told_without_looking_for_anybody),
        on_machine(a_process_that_is_being_looked_through_gets_its_name),
        on_machine(a_name_that_comes_at_once_is_told_with_the_socket),
        on_machine(a_look_to_the_end_waits_for_names_and_then_gives_up),
        on_machine(what_is_due_about_names_is_due),
        on_machine(many_names_that_change_all_the_time_cost_little),
        cmocka_unit_test(what_cannot_be_made_is_reported_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
