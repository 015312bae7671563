#include "collectors/collectors.h"
#include "collectors/cgroup.h"
#include "collectors/proc_counters.h"
#include "collectors/local_ports.h"
#include "collectors/source.h"
#include "core/err.h"
#include "tests/unit/policies.h"
#include "tests/unit/refuse.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

#define MASK(state) (1u << (state))

/* The kernel of these tests. A script says what each dump of a family and
 * protocol answers, call by call; the last answer is repeated, and without a
 * script there are no sockets. Dumps of ports that the kernel chose have scripts
 * of their own. */
/* How often a class is asked before it has failed. */
enum { ATTEMPTS = 3 };

enum { SPANS_MAX = 6, ANSWERS_MAX = 6, SCRIPTS_MAX = 8, CALLS_MAX = 256, RAW_MAX = 4, PROC_MAX = 8 };

/* So many sockets alike, but for their cookies. */
struct span {
    struct listener_row row; /* its cookie is the first one's */
    size_t count;
    uint8_t state;
    uint8_t broken_family; /* not 0: what the messages say instead of their family */
    bool too_short;        /* messages shorter than their header */
};

struct answer {
    struct span spans[SPANS_MAX];
    size_t span_count;
    int result; /* when all of it was handed over */
};

struct script {
    uint8_t family, protocol;
    bool auto_ports;
    struct answer answers[ANSWERS_MAX];
    size_t answer_count, asked;
};

struct proc_name {
    const char *name;
    int result;
};

static struct kernel {
    struct script scripts[SCRIPTS_MAX];
    size_t script_count;
    struct inet_diag_query calls[CALLS_MAX];
    size_t call_count;
    bool no_ipv6;
    struct proc_name proc[PROC_MAX]; /* what is not named there, the kernel has */
    size_t proc_count;
    struct proc_raw_row raw[RAW_MAX];
    size_t raw_count, raw_asked;
    int raw_result;
    int open_result;
    struct local_ports local_ports;
    bool no_local, no_owners, no_watch, no_one_walk;
    int no_choice; /* not 0: what it says to whoever asks who chose a port */
    size_t open_sockets, open_tables, forgotten, looked;
    uint32_t unix_inode;      /* of the file at any path */
    bool host_changes;        /* the next time it is asked */
    struct owner_set *owners; /* of every socket; NULL: none is found */
    int owners_result;
    size_t attached, attached_rows, calls_before_attach, owners_refreshed, holders;
    struct member attached_row;               /* the first of them */
    struct owner_set *owners_found;           /* what a step finds, from then on of every socket */
    int64_t owners_began_us, owners_until_us; /* the last step */
    uint64_t owners_version;
    size_t names_awaited;
    size_t owners_wanted, owners_stepped; /* so many steps are due; were made */
    int64_t now_us;                       /* its clock, a microsecond later each time it is read */
    size_t messages_per_step;             /* 0: all */
    struct {
        const char *text; /* NULL: there is none */
        int result;
    } counters[PROC_COUNTERS_FILE_COUNT];
    size_t counters_read;
    const char *unit_path;         /* of the cgroup 7, once the tree was walked */
    size_t walks, walk_steps_left; /* begun so far; of the one under way */
    bool is_walked;
    int64_t us_per_message; /* besides what reading the clock takes */
} kernel;

/* A dump under way: which of the scripts' messages is next. */
struct sock_diag {
    bool dumping;
    struct inet_diag_query query;
    const struct answer *answers[2]; /* of one family, or of both in one walk */
    size_t answer, span;
    uint64_t message;
};

struct local_addresses {
    int unused;
};

struct owners {
    int unused;
};

struct host_watch {
    int unused;
};

static struct local_addresses the_addresses;
static struct owners the_owners;
static struct host_watch the_watch;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return kernel.now_us++;
}

static struct budget budget_until(int64_t until_us)
{
    return (struct budget){.now_us = read_clock, .until_us = until_us};
}

static struct budget no_end(void)
{
    return budget_until(BUDGET_NO_END);
}

int sock_diag_open(struct sock_diag **ret)
{
    struct sock_diag *d;

    if (kernel.open_result < 0)
        return kernel.open_result;
    d = calloc(1, sizeof *d);
    assert_non_null(d);
    kernel.open_sockets++;
    *ret = d;
    return 0;
}

void sock_diag_close(struct sock_diag *d)
{
    kernel.open_sockets -= d != NULL;
    free(d);
}

/* One reply, as the kernel writes it. */
struct message {
    struct nlmsghdr header;
    struct inet_diag_msg body;
    uint8_t attributes[64];
};

static void put_attribute(struct message *m, uint16_t type, const void *payload, size_t length)
{
    const struct nlattr attribute = {.nla_len = (uint16_t)(sizeof attribute + length), .nla_type = type};
    char *end = (char *)m + m->header.nlmsg_len;

    assert_in_range(m->header.nlmsg_len + NLMSG_ALIGN(attribute.nla_len), 0, sizeof *m);
    memcpy(end, &attribute, sizeof attribute);
    memcpy(end + sizeof attribute, payload, length);
    m->header.nlmsg_len += NLMSG_ALIGN(attribute.nla_len);
}

static struct message message_of(const struct span *span, uint64_t cookie, bool with_memory)
{
    bool is_ipv6 = span->row.address.version == 6;
    const uint8_t v6only = span->row.v6only;
    uint32_t memory[SK_MEMINFO_VARS] = {[SK_MEMINFO_DROPS] = span->row.drops.count};
    struct message m = {
        .header.nlmsg_len = NLMSG_HDRLEN + sizeof m.body,
        .header.nlmsg_type = SOCK_DIAG_BY_FAMILY,
        .body.idiag_family = is_ipv6 ? AF_INET6 : AF_INET,
        .body.idiag_state = span->state,
        .body.id.idiag_sport = htons(span->row.port),
        .body.id.idiag_dport = span->state == STATE_LISTEN ? 0 : htons(span->row.port),
        .body.id.idiag_if = span->row.ifindex,
        .body.id.idiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)},
        .body.idiag_rqueue = span->row.queue.length,
        .body.idiag_wqueue = span->row.queue.limit,
        .body.idiag_uid = span->row.uid,
        .body.idiag_inode = span->row.inode,
    };

    _Static_assert(offsetof(struct message, attributes) == NLMSG_HDRLEN + sizeof m.body, "no holes");
    memcpy(m.body.id.idiag_src, span->row.address.bytes, is_ipv6 ? 16 : 4);
    if (span->broken_family != 0)
        m.body.idiag_family = span->broken_family;
    if (is_ipv6)
        put_attribute(&m, INET_DIAG_SKV6ONLY, &v6only, sizeof v6only);
    if (span->row.cgroup_id != 0)
        put_attribute(&m, INET_DIAG_CGROUP_ID, &span->row.cgroup_id, sizeof span->row.cgroup_id);
    if (with_memory && span->row.drops.known)
        put_attribute(&m, INET_DIAG_SKMEMINFO, memory, sizeof memory);
    if (span->too_short)
        m.header.nlmsg_len = NLMSG_HDRLEN + sizeof m.body - 1;
    return m;
}

/* Of a socket at a path. */
struct unix_message {
    struct nlmsghdr header;
    struct unix_diag_msg body;
    struct nlattr file_head;
    struct unix_diag_vfs file;
    struct nlattr name;
    char path[64];
};

static struct unix_message unix_message_of(const struct span *span, uint64_t cookie)
{
    size_t length = strlen(span->row.path) + 1;
    struct unix_message m = {
        .header.nlmsg_len = (uint32_t)(offsetof(struct unix_message, path) + length),
        .header.nlmsg_type = SOCK_DIAG_BY_FAMILY,
        .body.udiag_family = AF_UNIX,
        .body.udiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)},
        .file_head = {.nla_len = sizeof m.file_head + sizeof m.file, .nla_type = UNIX_DIAG_VFS},
        .file = {.udiag_vfs_ino = span->row.inode},
        .name = {.nla_len = (uint16_t)(sizeof m.name + length), .nla_type = UNIX_DIAG_NAME},
    };

    assert_in_range(length, 2, sizeof m.path);
    memcpy(m.path, span->row.path, length);
    return m;
}

static struct script *script_of(uint8_t family, uint8_t protocol, bool auto_ports)
{
    for (size_t i = 0; i < kernel.script_count; i++)
        if (kernel.scripts[i].family == family && kernel.scripts[i].protocol == protocol &&
            kernel.scripts[i].auto_ports == auto_ports)
            return &kernel.scripts[i];
    return NULL;
}

static const struct answer *next_answer(const struct inet_diag_query *query, uint8_t family)
{
    static const struct answer nothing;
    struct script *script = script_of(family, query->protocol, query->ports == PORTS_AUTO);
    const struct answer *answer;

    if (!script)
        return &nothing;
    answer = &script->answers[script->asked];
    if (script->asked + 1 < script->answer_count)
        script->asked++;
    return answer;
}

/* What the kernel refuses it says in its first message. */
static int refuses(const struct inet_diag_query *query)
{
    if (query->family == AF_UNSPEC && kernel.no_one_walk)
        return -EINVAL;
    if (query->ports != PORTS_ALL && kernel.no_choice != 0)
        return kernel.no_choice;
    return kernel.no_ipv6 && query->family == AF_INET6 ? ERR_UNSUPPORTED : 0;
}

int sock_diag_begin(struct sock_diag *d, const struct inet_diag_query *query)
{
    bool both = query->family == AF_UNSPEC;

    assert_in_range(kernel.call_count, 0, CALLS_MAX - 1);
    kernel.calls[kernel.call_count++] = *query;
    *d = (struct sock_diag){.dumping = true, .query = *query};
    if (refuses(query) != 0)
        return 0;
    if (query->family != AF_INET6)
        d->answers[0] = next_answer(query, AF_INET);
    if (query->family == AF_INET6 || (both && !kernel.no_ipv6))
        d->answers[1] = next_answer(query, AF_INET6);
    return 0;
}

int sock_diag_begin_unix(struct sock_diag *d, uint32_t states)
{
    const struct inet_diag_query query = {.family = AF_UNIX, .states = states};

    assert_in_range(kernel.call_count, 0, CALLS_MAX - 1);
    kernel.calls[kernel.call_count++] = query;
    *d = (struct sock_diag){.dumping = true, .query = query};
    d->answers[0] = next_answer(&query, AF_UNIX);
    return 0;
}

int sock_diag_begin_packet(struct sock_diag *d)
{
    const struct inet_diag_query query = {.family = AF_PACKET};

    assert_in_range(kernel.call_count, 0, CALLS_MAX - 1);
    kernel.calls[kernel.call_count++] = query;
    *d = (struct sock_diag){.dumping = true, .query = query};
    d->answers[0] = next_answer(&query, AF_PACKET);
    return 0;
}

static bool passes(const struct inet_diag_query *query, uint16_t port)
{
    return query->range_count == 0 || port_ranges_contain(query->ranges, query->range_count, port);
}

/* Hands over one of a span, with that cookie. */
static int hand_over(const struct sock_diag *d, const struct span *span, uint64_t cookie,
                     inet_diag_message_fn *on_message, void *arg, uint64_t *ret_malformed)
{
    if (span->row.path) {
        const struct unix_message m = unix_message_of(span, cookie);

        return inet_diag_walk(&m, NLMSG_ALIGN(m.header.nlmsg_len), 0, 0, on_message, arg, ret_malformed);
    }
    const struct message m = message_of(span, cookie, d->query.with_memory);

    return inet_diag_walk(&m, NLMSG_ALIGN(m.header.nlmsg_len), 0, 0, on_message, arg, ret_malformed);
}

/* Hands over one message. Returns 1 when there are more, 0 or an error at the end. */
static int one_message(struct sock_diag *d, inet_diag_message_fn *on_message, void *arg,
                       uint64_t *ret_malformed)
{
    for (; d->answer < 2; d->answer++, d->span = 0) {
        const struct answer *answer = d->answers[d->answer];

        for (; answer && d->span < answer->span_count; d->span++, d->message = 0) {
            const struct span *span = &answer->spans[d->span];
            int r;

            if (d->message == span->count || !passes(&d->query, span->row.port))
                continue;
            kernel.now_us += kernel.us_per_message;
            r = hand_over(d, span, span->row.cookie + d->message++, on_message, arg, ret_malformed);
            return r < 0 ? r : 1;
        }
        if (answer && answer->result < 0)
            return answer->result;
    }
    return 0;
}

int sock_diag_step(struct sock_diag *d, const struct budget *budget, inet_diag_message_fn *on_message,
                   void *arg, uint64_t *ret_malformed)
{
    int r = refuses(&d->query);
    size_t messages = 0;

    assert_true(d->dumping);
    while (r == 0) {
        r = one_message(d, on_message, arg, ret_malformed);
        if (r <= 0)
            break;
        r = 0;
        if (++messages == kernel.messages_per_step || budget_is_spent(budget))
            return 1;
    }
    d->dumping = false;
    return r;
}

int proc_raw_begin(struct proc_raw *r)
{
    kernel.raw_asked++;
    r->fd = 3;
    return 0;
}

void proc_raw_end(struct proc_raw *r)
{
    r->fd = -1;
}

int proc_raw_step(struct proc_raw *raw, const struct budget *budget, proc_raw_row_fn *on_row, void *arg,
                  uint64_t *ret_malformed)
{
    assert_non_null(budget);
    assert_int_equal(raw->fd, 3);
    raw->fd = -1;
    for (size_t i = 0; i < kernel.raw_count; i++) {
        int r = on_row(arg, &kernel.raw[i]);

        if (r == -EBADMSG)
            ++*ret_malformed;
        else if (r < 0)
            return r;
    }
    return kernel.raw_result;
}

int proc_has_protocol(const char *name)
{
    for (size_t i = 0; i < kernel.proc_count; i++)
        if (strcmp(kernel.proc[i].name, name) == 0)
            return kernel.proc[i].result;
    return 1;
}

struct cgroups {
    int unused;
};

static struct cgroups the_cgroups;

struct cgroups *cgroups_new(void)
{
    kernel.open_tables++;
    return &the_cgroups;
}

void cgroups_free(struct cgroups *c)
{
    kernel.open_tables -= c != NULL;
}

const char *cgroups_path(const struct cgroups *c, uint64_t id)
{
    assert_ptr_equal(c, &the_cgroups);
    return kernel.is_walked && id == 7 ? kernel.unit_path : NULL;
}

int cgroups_walk_begin(struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    kernel.walks++;
    kernel.walk_steps_left = 50;
    return 0;
}

int cgroups_walk_step(struct cgroups *c)
{
    assert_ptr_equal(c, &the_cgroups);
    assert_true(kernel.walk_steps_left > 0);
    kernel.is_walked = --kernel.walk_steps_left == 0;
    return !kernel.is_walked;
}

int proc_counters_read(enum proc_counters_file file, char ret_text[static PROC_COUNTERS_BYTES_MAX],
                       size_t *ret_length)
{
    const char *text = kernel.counters[file].text;

    kernel.counters_read++;
    if (kernel.counters[file].result < 0 || !text)
        return text ? kernel.counters[file].result : -ENOENT;
    *ret_length = strlen(text);
    memcpy(ret_text, text, *ret_length);
    return 0;
}

void local_ports_read(struct local_ports *ret)
{
    *ret = kernel.local_ports;
}

void interfaces_name(struct interfaces *i, uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX])
{
    assert_non_null(i);
    (void)snprintf(ret_name, INTERFACE_NAME_MAX, "eth%u", ifindex);
}

void unix_files_begin(struct unix_files *files)
{
    assert_non_null(files);
}

/* There is the file that the kernel has the number of; its devices do not matter. */
enum presence unix_files_look(struct unix_files *files, const char *path, const struct unix_file *file)
{
    assert_non_null(files);
    assert_int_equal(*path, '/');
    return file->inode == kernel.unix_inode ? PRESENCE_PRESENT : PRESENCE_ABSENT;
}

struct local_addresses *local_addresses_new(void)
{
    if (kernel.no_local)
        return NULL;
    kernel.open_tables++;
    return &the_addresses;
}

void local_addresses_free(struct local_addresses *a)
{
    kernel.open_tables -= a != NULL;
}

void interfaces_forget(struct interfaces *i)
{
    assert_non_null(i);
}

void local_addresses_forget(struct local_addresses *a)
{
    assert_ptr_equal(a, &the_addresses);
    kernel.forgotten++;
}

void local_addresses_begin(struct local_addresses *a)
{
    assert_ptr_equal(a, &the_addresses);
}

int host_watch_open(struct host_watch **ret)
{
    if (kernel.no_watch)
        return -EPERM;
    kernel.open_tables++;
    *ret = &the_watch;
    return 0;
}

void host_watch_close(struct host_watch *w)
{
    kernel.open_tables -= w != NULL;
}

int host_watch_fd(const struct host_watch *w)
{
    assert_ptr_equal(w, &the_watch);
    return 5;
}

bool host_watch_changed(struct host_watch *w)
{
    bool changed = kernel.host_changes;

    assert_ptr_equal(w, &the_watch);
    kernel.host_changes = false;
    return changed;
}

/* Has only addresses that end in 1; of one that ends in 13 it talks nonsense. */
enum presence local_addresses_look(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex,
                                   uint64_t *ret_malformed)
{
    assert_ptr_equal(a, &the_addresses);
    kernel.looked++;
    if (address->bytes[address->version == 4 ? 3 : 15] == 13) {
        ++*ret_malformed;
        return PRESENCE_UNKNOWN;
    }
    if (ifindex != 0)
        return PRESENCE_UNKNOWN;
    return address->bytes[address->version == 4 ? 3 : 15] == 1 ? PRESENCE_PRESENT : PRESENCE_ABSENT;
}

struct owners *owners_new(void)
{
    if (kernel.no_owners)
        return NULL;
    kernel.open_tables++;
    return &the_owners;
}

void owners_free(struct owners *o)
{
    kernel.open_tables -= o != NULL;
}

void owners_set_limit(struct owners *o, size_t holders)
{
    assert_ptr_equal(o, &the_owners);
    kernel.holders = holders;
}

int owners_attach(struct owners *o, const struct inventory *inv, size_t limit, int64_t now_ms)
{
    assert_ptr_equal(o, &the_owners);
    assert_in_range(now_ms, 0, kernel.now_us / 1000);
    assert_in_range(limit, 1, 1000000);
    kernel.attached++;
    kernel.attached_rows = 0;
    kernel.calls_before_attach = kernel.call_count;
    for (size_t p = 0; p < PROTOCOL_COUNT * INVENTORY_PARTS; p++) {
        const struct inventory_part *part = &inv->parts[p / INVENTORY_PARTS][p % INVENTORY_PARTS];
        struct member *m = part->members;

        for (size_t i = 0; i < part->count; i++) {
            for (uint32_t k = 0; k < part->listeners[i].followed; k++, m++) {
                if (kernel.attached_rows++ == 0)
                    kernel.attached_row = *m;
                if (kernel.owners_result == 0)
                    m->owners = kernel.owners;
            }
        }
    }
    return kernel.owners_result;
}

int64_t owners_due_ms(const struct owners *o, int64_t now_ms)
{
    assert_ptr_equal(o, &the_owners);
    return kernel.owners_wanted > 0 ? now_ms : INT64_MAX;
}

int owners_step(struct owners *o, const struct budget *budget)
{
    assert_ptr_equal(o, &the_owners);
    kernel.owners_began_us = kernel.now_us;
    kernel.owners_until_us = budget->until_us;
    if (kernel.owners_found) {
        kernel.owners = kernel.owners_found;
        kernel.owners_found = NULL;
        kernel.owners_version++;
    }
    if (!budget_has_end(budget))
        kernel.owners_wanted = 0;
    kernel.owners_wanted -= kernel.owners_wanted > 0;
    kernel.owners_stepped++;
    return kernel.owners_wanted > 0;
}

int owners_await_names(struct owners *o, const struct budget *budget)
{
    assert_ptr_equal(o, &the_owners);
    assert_true(kernel.owners_stepped > 0);
    assert_in_range(budget->until_us - kernel.now_us, 1, 5000); /* nor must this */
    kernel.names_awaited++;
    return 0;
}

uint64_t owners_version(const struct owners *o)
{
    assert_ptr_equal(o, &the_owners);
    return kernel.owners_version;
}

void owners_refresh(struct owners *o)
{
    assert_ptr_equal(o, &the_owners);
    kernel.owners_refreshed++;
}

/* Writing the script. */

static void forget_script(void)
{
    memset(kernel.scripts, 0, sizeof kernel.scripts);
    kernel.script_count = kernel.call_count = 0;
}

static struct answer *answers_about(uint8_t family, uint8_t protocol, bool auto_ports, int result)
{
    struct script *script = script_of(family, protocol, auto_ports);

    if (!script) {
        assert_in_range(kernel.script_count, 0, SCRIPTS_MAX - 1);
        script = &kernel.scripts[kernel.script_count++];
        script->family = family;
        script->protocol = protocol;
        script->auto_ports = auto_ports;
    }
    assert_in_range(script->answer_count, 0, ANSWERS_MAX - 1);
    script->answers[script->answer_count].result = result;
    return &script->answers[script->answer_count++];
}

static struct answer *answers(uint8_t family, uint8_t protocol, int result)
{
    return answers_about(family, protocol, false, result);
}

/* Adds sockets written as row_of() reads them, with cookies from one on. */
static struct span *with(struct answer *answer, const char *socket, uint64_t cookie, size_t count)
{
    struct span *span = &answer->spans[answer->span_count++];

    assert_in_range(answer->span_count, 1, SPANS_MAX);
    *span = (struct span){.row = row_of(socket), .count = count, .state = STATE_LISTEN};
    span->row.cookie = cookie;
    return span;
}

/* Likewise at a path. */
static void with_path(struct answer *answer, const char *path, uint64_t cookie, size_t count)
{
    struct span *span = &answer->spans[answer->span_count++];

    assert_in_range(answer->span_count, 1, SPANS_MAX);
    *span = (struct span){.row.path = path, .row.cookie = cookie, .count = count, .state = STATE_LISTEN};
}

static struct span *with_state(struct answer *answer, const char *socket, enum sock_state state, size_t count)
{
    struct span *span = with(answer, socket, 1, count);

    span->state = (uint8_t)state;
    return span;
}

static void proc_says(const char *name, int result)
{
    assert_in_range(kernel.proc_count, 0, PROC_MAX - 1);
    kernel.proc[kernel.proc_count++] = (struct proc_name){name, result};
}

static struct proc_raw_row *proc_raw_has(const char *address, uint16_t protocol, enum sock_state state,
                                         uint64_t inode)
{
    struct proc_raw_row *row = &kernel.raw[kernel.raw_count++];

    assert_in_range(kernel.raw_count, 1, RAW_MAX);
    *row = (struct proc_raw_row){.address = address_of(address),
                                 .protocol = protocol,
                                 .state = (uint8_t)state,
                                 .uid = 7,
                                 .inode = inode};
    return row;
}

/* Polling, and what came of it. */

static const struct policy no_policy;

static struct limits usual_limits;

/* Returns owned, or NULL when nothing has changed. */
static const struct listener_table *poll_as(struct collectors *c, const struct listener_poll *how)
{
    const struct inventory *inv = NULL;
    const struct listener_table *table;
    const struct budget clock = no_end();

    assert_int_equal(collectors_poll_listeners(c, how, &clock, &inv), 0);
    if (!inv)
        return NULL;
    table = listener_table_cut(inv);
    assert_non_null(table);
    return table;
}

static struct listener_poll usual_poll(void)
{
    usual_limits = limits_of(100);
    usual_limits.members = 100000;
    return (struct listener_poll){.limits = &usual_limits, .policy = &no_policy};
}

/* Takes previous, and returns it again when nothing has changed. */
static const struct listener_table *poll_again(struct collectors *c, const struct listener_table *previous)
{
    const struct listener_poll how = usual_poll();
    const struct listener_table *table = poll_as(c, &how);

    if (!table)
        return previous;
    listener_table_unref(previous);
    return table;
}

/* Polls with collectors that have never polled before. */
static const struct listener_table *poll_fresh(void **state, const struct listener_poll *how)
{
    const struct listener_table *table;
    struct collectors *c;

    collectors_close(*state);
    assert_int_equal(collectors_open(&c), 0);
    *state = c;
    table = poll_as(c, how);
    assert_non_null(table);
    return table;
}

static const struct listener_table *poll_first(void **state)
{
    const struct listener_poll how = usual_poll();

    return poll_fresh(state, &how);
}

static const struct listener_table *poll_with_auto_ports(void **state)
{
    struct listener_poll how = usual_poll();

    how.auto_ports = true;
    return poll_fresh(state, &how);
}

static const struct listener_table *poll_usual(struct collectors *c)
{
    const struct listener_poll how = usual_poll();

    return poll_as(c, &how);
}

/* Steps until nothing is due. */
static void work(struct collectors *c)
{
    const struct budget endless = no_end();

    while (collectors_due_ms(c, 0) <= 0)
        collectors_step(c, &endless);
}

static const struct conn_table *poll_connections(struct collectors *c)
{
    const struct conn_table *table = NULL;

    collectors_begin_connections(c, false, 0);
    work(c);
    assert_int_equal(collectors_take_connections(c, NULL, &table), 1);
    assert_non_null(table);
    return table;
}

/* Counts those towards a remote port, which here is the local one, too, on whose local
 * port nobody listens. */
static uint32_t client_count(const struct conn_table *t, enum protocol protocol, uint16_t port,
                             enum sock_state state)
{
    size_t count;
    const struct conn_row *rows = conn_table_rows(t, protocol, DIRECTION_OUTBOUND, &count);

    for (size_t i = 0; i < count; i++)
        if (rows[i].port == port)
            return rows[i].states[state];
    return 0;
}

/* "tcp/0.0.0.0:80x3": each listener with the number of its sockets. */
static void assert_listeners(const struct listener_table *t, const char *wanted)
{
    char have[1024];

    describe_listeners(t, true, have, sizeof have);
    assert_string_equal(have, wanted);
}

static void assert_class(const struct listener_table *t, enum protocol protocol, enum visibility visibility,
                         int error)
{
    assert_int_equal(listener_table_class(t, protocol)->visibility, visibility);
    assert_int_equal(listener_table_class(t, protocol)->error, error);
}

/* All classes but one were read. */
static void assert_others_are_fine(const struct listener_table *t, enum protocol but)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (i != (int)but)
            assert_class(t, (enum protocol)i, VISIBILITY_OK, 0);
}

static size_t count_calls(uint8_t family, uint8_t protocol)
{
    size_t count = 0;

    for (size_t i = 0; i < kernel.call_count; i++)
        count += kernel.calls[i].family == family && kernel.calls[i].protocol == protocol;
    return count;
}

/* How often listeners of a protocol on ports that programs chose were looked at,
 * as far as one dump tells: of TCP it has both families. */
static size_t count_looks(uint8_t protocol)
{
    size_t count = 0;

    for (size_t i = 0; i < kernel.call_count; i++)
        count += kernel.calls[i].protocol == protocol && kernel.calls[i].family != AF_INET6 &&
                 kernel.calls[i].ports != PORTS_AUTO && !(kernel.calls[i].states & MASK(STATE_ESTABLISHED));
    return count;
}

static size_t run_index(const struct collectors *c, const char *name)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX];
    size_t count = collectors_runs(c, runs);

    for (size_t i = 0; i < count; i++)
        if (strcmp(runs[i].name, name) == 0)
            return i;
    fail_msg("no collector: %s", name);
    return 0;
}

static void assert_run(const struct collectors *c, const char *name, bool ran, bool up, int error)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX], *run = &runs[run_index(c, name)];

    (void)collectors_runs(c, runs); /* their number is known */
    assert_int_equal(run->ran, ran);
    assert_int_equal(run->up, up);
    assert_int_equal(run->error, error);
    assert_true(run->duration_seconds >= 0);
}

static uint64_t malformed(const struct collectors *c, const char *name)
{
    struct collector_run runs[COLLECTOR_RUNS_MAX];

    (void)collectors_runs(c, runs); /* their number is known */
    return runs[run_index(c, name)].malformed;
}

static int set_up(void **state)
{
    struct collectors *c;

    memset(&kernel, 0, sizeof kernel);
    if (collectors_open(&c) < 0)
        return -1;
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    bool kept = kernel.owners && atomic_load(&kernel.owners->ref.count) != 1;

    collectors_close(*state);
    owner_set_unref(kernel.owners);
    return kernel.open_sockets == 0 && kernel.open_tables == 0 && !kept ? 0 : -1;
}

/* Looking twice */

/* The kernel resumes a dump by position: 30 sockets closed in between made 30
 * live ones be passed over. */
static void a_listener_that_one_dump_passed_over_stays(void **state)
{
    const struct listener_table *t;
    struct answer *gap;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 200);
    t = poll_first(state);
    assert_listeners(t, "tcp/0.0.0.0:80x200");

    forget_script();
    gap = answers(AF_INET, IPPROTO_TCP, 0);
    with(gap, "0.0.0.0:80", 31, 70);  /* 1 to 30 were closed, */
    with(gap, "0.0.0.0:80", 131, 70); /* so that 101 to 130 slipped through */
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 31, 170);
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:80x170");
    assert_int_equal(count_looks(IPPROTO_TCP), 2);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 1); /* nothing was missing there */
    listener_table_unref(t);
}

static void a_service_that_one_dump_passed_over_stays(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:80", 2, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    t = poll_first(state);
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_int_equal(kernel.scripts[0].asked, 3);
    listener_table_unref(t);
}

static void a_listener_missing_in_both_dumps_is_gone(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:80", 2, 1);
    *answers(AF_INET, IPPROTO_TCP, 0) = *a;
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    t = poll_first(state);
    kernel.call_count = 0;
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:22x1");
    assert_int_equal(count_looks(IPPROTO_TCP), 2);

    kernel.call_count = 0; /* it is not looked for forever */
    t = poll_again(*state, t);
    assert_int_equal(count_looks(IPPROTO_TCP), 1);
    listener_table_unref(t);
}

static void the_first_poll_always_looks_twice(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_RAW};
    const struct listener_table *t;

    with(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:53", 1, 1);
    with(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:67", 2, 1);
    t = poll_first(state);
    assert_listeners(t, "udp/[::]:53x1 udp/[::]:67x1");
    assert_others_are_fine(t, PROTOCOL_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        assert_int_equal(count_looks(protocols[i]), 2);
        assert_int_equal(count_calls(AF_INET6, protocols[i]), i == 0 ? 0 : 2);
    }
    listener_table_unref(t);
}

static void nothing_missing_is_one_look(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_RAW};
    const struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 3);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 4, 1);
    t = poll_first(state);
    with(&kernel.scripts[0].answers[0], "0.0.0.0:80", 5, 1); /* a new one is no reason either */
    kernel.call_count = 0;
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:22x3 tcp/0.0.0.0:80x1 udp/0.0.0.0:53x1");
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        assert_int_equal(count_looks(protocols[i]), 1);
        assert_int_equal(count_calls(AF_INET6, protocols[i]), i == 0 ? 0 : 1);
    }
    assert_int_equal(count_calls(AF_UNIX, 0), 1);
    assert_int_equal(count_calls(AF_PACKET, 0), 1);
    assert_int_equal(kernel.call_count, 2 * ARRAY_LENGTH(protocols) + 2); /* of TCP one for each choice */
    listener_table_unref(t);
}

/* What a failed poll says nothing about cannot be compared with. */
static void after_a_failed_poll_it_looks_twice(void **state)
{
    const struct listener_table *t;

    for (int i = 0; i < ATTEMPTS; i++)
        (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 2, 1);
    t = poll_first(state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_FAILED, -EIO);
    kernel.call_count = 0;
    t = poll_again(*state, t);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_int_equal(count_looks(IPPROTO_TCP), 2);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 1);
    listener_table_unref(t);
}

static void a_socket_counts_once_however_often_it_is_dumped(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "0.0.0.0:80", 1, 3);
    with(a, "0.0.0.0:80", 2, 1); /* again in one dump */
    a = answers(AF_INET, IPPROTO_TCP, 0);
    with(a, "0.0.0.0:80", 3, 2); /* once more in the second look, beside a new one */
    with(a, "0.0.0.0:80", 4, 1);
    t = poll_first(state);
    assert_listeners(t, "tcp/0.0.0.0:80x4");
    listener_table_unref(t);
}

/* limits.listeners is about services, not about their sockets, nor about how
 * often a look repeats them. */
static void one_service_of_many_sockets_is_never_cut(void **state)
{
    static const struct {
        size_t sockets;
    } cases[] = {{100}, {4100}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct listener_table *t;
        struct answer *a;
        char wanted[64];

        forget_script();
        a = answers(AF_INET, IPPROTO_TCP, 0);
        with(a, "0.0.0.0:80", UINT64_C(1) << 32, cases[i].sockets);
        with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 1, 1);
        t = poll_first(state);
        (void)snprintf(wanted, sizeof wanted, "tcp/0.0.0.0:80x%zu", cases[i].sockets);
        assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->unread, 0);
        assert_int_equal(count_looks(IPPROTO_TCP), 2);

        with(a, "127.0.0.1:80", 7, 1); /* comes last, when a flood would have used up the room */
        a->spans[0].row.cookie++;      /* one is gone: the second look repeats all others */
        a->spans[0].count--;
        t = poll_again(*state, t);
        assert_int_equal(listener_table_class(t, PROTOCOL_TCP)->unread, 0);
        assert_int_equal(count_looks(IPPROTO_TCP), 4);
        (void)snprintf(wanted, sizeof wanted, "tcp/0.0.0.0:80x%zu tcp/127.0.0.1:80x1 udp/0.0.0.0:53x1",
                       cases[i].sockets - 1);
        assert_listeners(t, wanted);
        listener_table_unref(t);
    }
}

/* Failures */

static void a_dump_that_fails_once_is_repeated(void **state)
{
    const struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, -ENOBUFS), "0.0.0.0:99", 1, 5); /* half of it, and wrong */
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    t = poll_first(state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:80x2");
    assert_run(*state, "tcp", true, true, 0);
    assert_int_equal(count_looks(IPPROTO_TCP), 3);
    listener_table_unref(t);
}

static void a_second_look_that_fails_is_repeated_from_the_start(void **state)
{
    const struct listener_table *t;

    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 1, 3);
    with(answers(AF_INET6, IPPROTO_TCP, ERR_TRUNCATED), "[::]:80", 1, 1);
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 2, 2); /* 1 was closed meanwhile */
    t = poll_first(state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/[::]:80x2");
    listener_table_unref(t);
}

static void a_dump_that_fails_every_time_fails_its_class_only(void **state)
{
    static const int errors[] = {-EIO, -ENOMEM, ERR_TRUNCATED, ERR_SEQUENCE, ERR_INTERRUPTED};

    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        const struct listener_table *t;

        forget_script();
        with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
        with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 2, 1); /* dropped for the other half's sake */
        with(answers(AF_INET6, IPPROTO_UDP, errors[i]), "[::]:53", 3, 2);
        with(answers(AF_INET, IPPROTO_SCTP, 0), "0.0.0.0:80", 5, 1);
        t = poll_first(state);
        assert_class(t, PROTOCOL_UDP, VISIBILITY_FAILED, errors[i]);
        assert_others_are_fine(t, PROTOCOL_UDP);
        assert_listeners(t, "tcp/0.0.0.0:22x1 sctp/0.0.0.0:80x1");
        assert_run(*state, "udp", true, false, errors[i]);
        assert_run(*state, "tcp", true, true, 0);
        assert_run(*state, "udplite", true, true, 0);
        assert_run(*state, "sctp", true, true, 0);
        assert_run(*state, "raw", true, true, 0);
        listener_table_unref(t);
    }
}

static void a_failed_class_is_asked_again_at_the_next_poll(void **state)
{
    const struct listener_table *t;

    for (int i = 0; i < ATTEMPTS; i++)
        (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:22", 1, 1);
    t = poll_first(state);
    assert_run(*state, "tcp", true, false, -EIO);
    t = poll_again(*state, t);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1");
    assert_run(*state, "tcp", true, true, 0);
    listener_table_unref(t);
}

/* What the kernel lacks */

static void what_the_kernel_does_not_list_is_absent_or_unsupported(void **state)
{
    static const struct {
        int in_proc;
        enum visibility visibility;
    } cases[] = {{0, VISIBILITY_ABSENT}, {1, VISIBILITY_UNSUPPORTED}, {-EACCES, VISIBILITY_UNSUPPORTED}};

    proc_says("SCTP", 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct listener_table *t;

        kernel.proc[0].result = cases[i].in_proc;
        forget_script();
        (void)answers(AF_INET, IPPROTO_SCTP, ERR_UNSUPPORTED);
        with(answers(AF_INET, IPPROTO_SCTP, 0), "0.0.0.0:80", 1, 1);
        collectors_refresh(*state);
        t = poll_first(state);
        assert_class(t, PROTOCOL_SCTP, cases[i].visibility, 0);
        assert_others_are_fine(t, PROTOCOL_SCTP);
        assert_run(*state, "sctp", false, true, 0);
        assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 1);

        /* Each question would make the kernel look for a module. */
        for (int times = 0; times < 3; times++) {
            t = poll_again(*state, t);
            assert_class(t, PROTOCOL_SCTP, cases[i].visibility, 0);
            assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 1);
            assert_run(*state, "sctp", false, true, 0);
        }

        collectors_refresh(*state);
        t = poll_again(*state, t);
        assert_class(t, PROTOCOL_SCTP, VISIBILITY_OK, 0);
        assert_listeners(t, "sctp/0.0.0.0:80x1");
        assert_run(*state, "sctp", true, true, 0);
        listener_table_unref(t);
    }
}

static void what_is_unsupported_is_not_asked_for_connections_either(void **state)
{
    const struct conn_table *connections;

    (void)answers(AF_INET, IPPROTO_UDPLITE, ERR_UNSUPPORTED);
    listener_table_unref(poll_first(state));
    kernel.call_count = 0;
    connections = poll_connections(*state);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDPLITE), 0);
    assert_false(conn_table_complete(connections, PROTOCOL_UDPLITE));
    assert_true(conn_table_complete(connections, PROTOCOL_UDP));
    assert_run(*state, "connections", true, true, 0);
    conn_table_unref(connections);
}

static void a_kernel_without_ipv6_hides_nothing(void **state)
{
    static const char *const names[] = {"TCPv6", "UDPv6", "UDPLITEv6", "SCTPv6", "RAWv6"};
    const struct conn_table *connections;
    const struct listener_table *t;

    kernel.no_ipv6 = true;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        proc_says(names[i], 0);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 3, 1);
    t = poll_first(state);
    assert_others_are_fine(t, PROTOCOL_COUNT);
    assert_listeners(t, "tcp/0.0.0.0:80x2 udp/0.0.0.0:53x1");
    assert_run(*state, "tcp", true, true, 0);
    connections = poll_connections(*state);
    assert_true(conn_table_complete(connections, PROTOCOL_TCP));
    assert_true(conn_table_complete(connections, PROTOCOL_UDP));
    conn_table_unref(connections);

    kernel.call_count = 0;
    t = poll_again(*state, t);
    assert_others_are_fine(t, PROTOCOL_COUNT);
    for (size_t i = 0; i < kernel.call_count; i++)
        assert_true(kernel.calls[i].family != AF_INET6);

    kernel.no_ipv6 = false; /* its module was loaded */
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", 4, 1);
    collectors_refresh(*state);
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:80x2 tcp/[::]:80x1 udp/0.0.0.0:53x1");
    listener_table_unref(t);
}

/* IPv6 sockets that cannot be listed may be there: half a class is none. What a
 * walk through all of TCP has, no family is missing in. */
static void ipv6_that_cannot_be_listed_makes_the_class_unsupported(void **state)
{
    static const int in_proc[] = {1, -EIO};

    kernel.no_ipv6 = kernel.no_one_walk = true;
    proc_says("UDPv6", 0);
    proc_says("UDPLITEv6", 0);
    proc_says("SCTPv6", 0);
    proc_says("RAWv6", 0);
    proc_says("TCPv6", 0);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 3, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(in_proc); i++) {
        const struct listener_table *t;

        kernel.proc[4].result = in_proc[i];
        collectors_refresh(*state);
        t = poll_first(state);
        assert_class(t, PROTOCOL_TCP, VISIBILITY_UNSUPPORTED, 0);
        assert_others_are_fine(t, PROTOCOL_TCP);
        assert_listeners(t, "udp/0.0.0.0:53x1");
        assert_run(*state, "tcp", false, true, 0);
        listener_table_unref(t);
    }
}

/* Raw sockets */

static void raw_sockets_come_from_proc_where_netlink_has_no_handler(void **state)
{
    const struct conn_table *connections;
    const struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    with(answers(AF_INET, IPPROTO_RAW, 0), "0.0.0.0:89", 1, 1)->state = STATE_CLOSE;
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    (void)proc_raw_has("::", 58, STATE_CLOSE, 101);
    (void)proc_raw_has("127.0.0.1", 1, STATE_ESTABLISHED, 102); /* connected: no listener */
    t = poll_first(state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_OK, 0);
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");
    assert_int_equal(listener_table_all(t, &(size_t){0})[0].uid, 7);
    assert_run(*state, "raw", true, true, 0);
    assert_int_equal(kernel.raw_asked, 2);

    t = poll_again(*state, t);
    assert_int_equal(kernel.raw_asked, 3);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1); /* netlink was not asked again */
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");

    connections = poll_connections(*state);
    assert_true(conn_table_complete(connections, PROTOCOL_RAW));
    assert_int_equal(conn_table_totals(connections, PROTOCOL_RAW)[STATE_CLOSE], 2);
    assert_int_equal(conn_table_totals(connections, PROTOCOL_RAW)[STATE_ESTABLISHED], 1);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1);
    conn_table_unref(connections);

    collectors_refresh(*state);
    t = poll_again(*state, t);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 2);
    assert_listeners(t, "raw/0.0.0.0:1x1 raw/[::]:58x1");
    collectors_refresh(*state); /* raw_diag was loaded */
    t = poll_again(*state, t);
    assert_listeners(t, "raw/0.0.0.0:89x1");
    listener_table_unref(t);
}

static void raw_sockets_that_proc_does_not_list_either_are_unsupported(void **state)
{
    const struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    kernel.raw_result = ERR_UNSUPPORTED;
    t = poll_first(state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_UNSUPPORTED, 0);
    assert_others_are_fine(t, PROTOCOL_RAW);
    assert_run(*state, "raw", false, true, 0);
    t = poll_again(*state, t);
    assert_int_equal(kernel.raw_asked, 1);
    assert_int_equal(count_calls(AF_INET, IPPROTO_RAW), 1);
    listener_table_unref(t);
}

static void raw_sockets_that_proc_fails_to_list_fail(void **state)
{
    const struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    kernel.raw_result = -EMFILE;
    t = poll_first(state);
    assert_class(t, PROTOCOL_RAW, VISIBILITY_FAILED, -EMFILE);
    assert_others_are_fine(t, PROTOCOL_RAW);
    assert_listeners(t, "");
    assert_run(*state, "raw", true, false, -EMFILE);
    assert_int_equal(kernel.raw_asked, ATTEMPTS);
    listener_table_unref(t);
}

/* Malformed messages */

static void a_malformed_message_is_counted_and_the_rest_survives(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "0.0.0.0:22", 1, 1);
    with(a, "0.0.0.0:23", 2, 3)->too_short = true;
    with(a, "0.0.0.0:24", 5, 1)->broken_family = AF_UNIX;
    with(a, "0.0.0.0:80", 6, 1);
    a = answers(AF_INET, IPPROTO_TCP, 0);
    with(a, "0.0.0.0:22", 1, 1);
    t = poll_first(state);
    assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
    assert_listeners(t, "tcp/0.0.0.0:22x1 tcp/0.0.0.0:80x1");
    assert_run(*state, "tcp", true, true, 0);
    assert_int_equal(malformed(*state, "tcp"), 4);
    assert_int_equal(malformed(*state, "udp"), 0);
    assert_int_equal(malformed(*state, "connections"), 0);
    kernel.scripts[0].asked = 0; /* once more: they add up */
    listener_table_unref(poll_again(*state, t));
    assert_int_equal(malformed(*state, "tcp"), 8);
}

static void a_malformed_answer_about_an_address_is_counted(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "10.0.0.1:22", 1, 1);
    with(a, "10.0.0.13:80", 2, 1);
    t = poll_first(state);
    assert_listeners(t, "tcp/10.0.0.1:22x1 tcp/10.0.0.13:80x1");
    assert_int_equal(malformed(*state, "tcp"), kernel.looked / 2);
    assert_int_equal(malformed(*state, "udp"), 0);
    listener_table_unref(t);
}

/* State 13 is BOUND_INACTIVE, of newer kernels. */
static void a_connection_in_an_unknown_state_is_counted_as_malformed(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct conn_table *t;

    with_state(a, "127.0.0.1:80", STATE_ESTABLISHED, 2);
    with(a, "127.0.0.1:80", 3, 4)->state = 13;
    with(a, "127.0.0.1:80", 3, 1)->state = 0;
    with(a, "127.0.0.1:80", 3, 1)->too_short = true;
    with_state(a, "127.0.0.1:80", STATE_TIME_WAIT, 1);
    t = poll_connections(*state);
    assert_true(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 2);
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_TIME_WAIT), 1);
    assert_run(*state, "connections", true, true, 0);
    assert_int_equal(malformed(*state, "connections"), 6);
    assert_int_equal(malformed(*state, "tcp"), 0);
    conn_table_unref(t);
}

/* What is asked for */

static void listeners_are_asked_for_by_their_state(void **state)
{
    static const struct {
        uint8_t protocol;
        uint32_t states;
        enum port_choice first, second; /* of the two dumps of a look */
    } wanted[] = {
        {IPPROTO_TCP, MASK(STATE_LISTEN), PORTS_AUTO, PORTS_BOUND},
        {IPPROTO_UDP, MASK(STATE_CLOSE), PORTS_BOUND, PORTS_BOUND},
        {IPPROTO_UDPLITE, MASK(STATE_CLOSE), PORTS_BOUND, PORTS_BOUND},
        {IPPROTO_SCTP, MASK(STATE_LISTEN), PORTS_ALL, PORTS_ALL},
        {IPPROTO_RAW, MASK(STATE_CLOSE), PORTS_ALL, PORTS_ALL},
    };
    size_t checked = 0;

    listener_table_unref(poll_first(state));
    for (size_t i = 0; i < kernel.call_count; i++) {
        if (kernel.calls[i].family == AF_UNIX)
            assert_int_equal(kernel.calls[i].states, MASK(STATE_LISTEN));
        for (size_t k = 0; k < ARRAY_LENGTH(wanted); k++) {
            if (kernel.calls[i].protocol != wanted[k].protocol)
                continue;
            assert_int_equal(kernel.calls[i].states, wanted[k].states);
            assert_int_equal(kernel.calls[i].ports, i % 2 == 0 ? wanted[k].first : wanted[k].second);
            assert_int_equal(kernel.calls[i].family, k == 0 ? AF_UNSPEC : i % 2 == 0 ? AF_INET : AF_INET6);
            assert_true(kernel.calls[i].with_memory);
            checked++;
        }
    }
    assert_int_equal(checked, 4 * ARRAY_LENGTH(wanted));
    assert_int_equal(kernel.call_count, checked + 4);
}

/* A mask of all bits would take in states that newer kernels invent, and
 * closed TCP sockets have no connection. */
static void connections_are_asked_for_by_explicit_states(void **state)
{
    const uint32_t known = MASK(STATE_COUNT) - MASK(STATE_ESTABLISHED);
    size_t tcp = 0, others = 0;

    conn_table_unref(poll_connections(*state));
    for (size_t i = 0; i < kernel.call_count; i++) {
        const struct inet_diag_query *query = &kernel.calls[i];

        assert_int_equal(query->states & ~known, 0);
        assert_int_equal(query->states & MASK(13), 0);
        assert_int_equal(query->ports, PORTS_ALL);
        assert_false(query->with_memory); /* of use to nobody there */
        assert_true(query->protocol != IPPROTO_SCTP);
        if (query->protocol == IPPROTO_TCP) {
            assert_int_equal(query->states, known & ~MASK(STATE_CLOSE));
            assert_int_equal(query->family, AF_UNSPEC);
            tcp++;
        } else {
            assert_int_equal(query->states, MASK(STATE_ESTABLISHED) | MASK(STATE_CLOSE));
            others++;
        }
    }
    assert_int_equal(tcp, 1);    /* both families in one walk */
    assert_int_equal(others, 6); /* UDP, UDP-Lite and raw */
}

/* Connections */

static void a_connection_dump_that_fails_leaves_the_others_complete(void **state)
{
    const struct conn_table *t;

    with_state(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", STATE_ESTABLISHED, 5);
    with_state(answers(AF_INET6, IPPROTO_TCP, -ENOBUFS), "[::]:80", STATE_ESTABLISHED, 2);
    with_state(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:80", STATE_ESTABLISHED, 3);
    with_state(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", STATE_CLOSE, 1);
    with_state(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:53", STATE_CLOSE, 1);
    t = poll_connections(*state);
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    assert_int_equal(conn_table_totals(t, PROTOCOL_TCP)[STATE_ESTABLISHED], 0);
    assert_true(conn_table_complete(t, PROTOCOL_UDP));
    assert_int_equal(client_count(t, PROTOCOL_UDP, 53, STATE_CLOSE), 2);
    assert_true(conn_table_complete(t, PROTOCOL_UDPLITE));
    assert_true(conn_table_complete(t, PROTOCOL_RAW));
    assert_false(conn_table_complete(t, PROTOCOL_SCTP)); /* never counted */
    assert_run(*state, "connections", true, false, -ENOBUFS);
    conn_table_unref(t);

    t = poll_connections(*state); /* and nothing of the failed one is left */
    assert_true(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 8);
    assert_int_equal(client_count(t, PROTOCOL_UDP, 53, STATE_CLOSE), 2);
    assert_run(*state, "connections", true, true, 0);
    conn_table_unref(t);
}

static void a_poll_touches_the_runs_of_its_kind_only(void **state)
{
    const struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_TCP, -EIO);
    assert_run(*state, "tcp", false, false, 0);
    assert_run(*state, "connections", false, false, 0);
    t = poll_first(state);
    assert_run(*state, "tcp", true, false, -EIO);
    assert_run(*state, "connections", false, false, 0);
    conn_table_unref(poll_connections(*state));
    assert_run(*state, "tcp", true, false, -EIO);
    assert_run(*state, "connections", true, false, -EIO);
    listener_table_unref(t);
}

/* Rows */

static void a_listener_is_told_with_all_that_its_class_has(void **state)
{
    static const struct {
        uint8_t protocol;
        bool has_queue, has_receive_queue;
    } cases[] = {
        {IPPROTO_TCP, true, false},  {IPPROTO_UDP, false, true},  {IPPROTO_UDPLITE, false, true},
        {IPPROTO_SCTP, true, false}, {IPPROTO_RAW, false, false},
    };
    const struct listener_table *t;
    size_t count;
    const struct listener *l;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct span *span =
            with(answers(AF_INET6, cases[i].protocol, 0), "[::ffff:0.0.0.0%3]:80!7", 1 + i, 1);

        span->row.uid = 33;
        span->row.queue.length = 3;
        span->row.queue.limit = 5;
    }
    t = poll_first(state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, ARRAY_LENGTH(cases));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(l[i].family, FAMILY_IPV4);
        assert_int_equal(l[i].address.version, 4);
        assert_int_equal(l[i].ifindex, 3);
        assert_string_equal(l[i].interface, "eth3");
        assert_int_equal(l[i].uid, 33);
        assert_false(l[i].auto_port);
        assert_int_equal(l[i].queue.known, cases[i].has_queue);
        assert_int_equal(l[i].queue.length, cases[i].has_queue ? 3 : 0);
        assert_int_equal(l[i].queue.limit, cases[i].has_queue ? 5 : 0);
        assert_int_equal(l[i].receive_queue.known, cases[i].has_receive_queue);
        assert_int_equal(l[i].receive_queue.bytes, cases[i].has_receive_queue ? 3 : 0);
        assert_int_equal(l[i].sockets, 1);
        assert_true(l[i].members[0].drops.known);
        assert_int_equal(l[i].members[0].drops.count, 7);
    }
    listener_table_unref(t);
}

/* An old kernel, or one that sends fewer of the numbers. */
static void drops_that_are_not_told_are_not_0(void **state)
{
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 1);
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    proc_raw_has("0.0.0.0", 2, STATE_CLOSE, 101)->drops.known = true;
    proc_raw_has("0.0.0.0", 3, STATE_CLOSE, 102)->drops.known = true;
    kernel.raw[2].drops.count = 27;
    t = poll_first(state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, 4);
    assert_false(l[0].drops.known);
    assert_false(l[1].drops.known);
    assert_true(l[2].drops.known);
    assert_int_equal(l[2].members[0].drops.count, 0);
    assert_true(l[3].drops.known);
    assert_int_equal(l[3].members[0].drops.count, 27);
    listener_table_unref(t);
}

static void only_addresses_that_can_be_absent_are_looked_up(void **state)
{
    static const enum presence wanted[] = {PRESENCE_UNKNOWN, PRESENCE_UNKNOWN, PRESENCE_PRESENT,
                                           PRESENCE_ABSENT, PRESENCE_PRESENT};
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;
    size_t count;
    const struct listener *l;

    with(a, "0.0.0.0:1", 1, 1);
    with(a, "127.0.0.1:2", 2, 1);
    with(a, "192.0.2.1:3", 3, 1);
    with(a, "192.0.2.2:4", 4, 1);
    with(answers(AF_INET6, IPPROTO_TCP, 0), "[fe80::1]:5", 5, 1);
    t = poll_first(state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(l[i].presence, wanted[i]);
    assert_int_equal(kernel.forgotten, 1);
    assert_int_equal(kernel.looked, 3 * 2); /* in each of the two looks */
    listener_table_unref(t);
}

/* The cookie is 64 bits wide. */
static void sockets_are_told_apart_by_the_whole_cookie(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;

    with(a, "0.0.0.0:80", 1, 1);
    with(a, "0.0.0.0:80", (UINT64_C(1) << 32) + 1, 1);
    t = poll_first(state);
    assert_listeners(t, "tcp/0.0.0.0:80x2");
    listener_table_unref(t);
}

/* Ports that the kernel chose */

static size_t count_choices(uint8_t protocol, enum port_choice ports)
{
    size_t count = 0;

    for (size_t i = 0; i < kernel.call_count; i++) {
        if (kernel.calls[i].protocol != protocol || kernel.calls[i].ports != ports)
            continue;
        assert_true(kernel.calls[i].with_memory);
        count++;
    }
    return count;
}

/* Where a program waits for connections, it does so whoever chose the port. */
static void ports_that_the_kernel_chose_are_asked_for_when_wanted(void **state)
{
    static const struct {
        uint8_t protocol;
        size_t all, chosen, wanted; /* calls of two looks; when those of clients are wanted */
    } cases[] = {
        {IPPROTO_TCP, 0, 2, 2},  {IPPROTO_UDP, 0, 0, 4}, {IPPROTO_UDPLITE, 0, 0, 4},
        {IPPROTO_SCTP, 4, 0, 0}, {IPPROTO_RAW, 4, 0, 0},
    };

    with(answers_about(AF_INET, IPPROTO_UDP, true, 0), "0.0.0.0:40000", 1, 1);
    for (int wanted = 0; wanted < 2; wanted++) {
        kernel.call_count = 0;
        listener_table_unref(wanted ? poll_with_auto_ports(state) : poll_first(state));
        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
            assert_int_equal(count_choices(cases[i].protocol, PORTS_ALL), cases[i].all);
            assert_int_equal(count_choices(cases[i].protocol, PORTS_AUTO),
                             wanted ? cases[i].wanted : cases[i].chosen);
        }
    }
}

static void only_sockets_with_such_a_port_are_marked(void **state)
{
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:40000", 1, 1);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 2, 1);
    with(answers_about(AF_INET6, IPPROTO_TCP, true, 0), "[::]:40000", 8, 3);
    with(answers_about(AF_INET, IPPROTO_UDP, true, 0), "127.0.0.1:40000!7", 3, 2);
    with(answers_about(AF_INET6, IPPROTO_UDP, true, 0), "[::]:40001", 5, 1);
    with(answers_about(AF_INET6, IPPROTO_UDPLITE, true, 0), "[::]:40002", 6, 1);
    t = poll_with_auto_ports(state);
    assert_listeners(t, "tcp/0.0.0.0:40000x1 tcp/[::]:40000x3 udp/0.0.0.0:53x1 udp/127.0.0.1:40000x2 "
                        "udp/[::]:40001x1 udplite/[::]:40002x1");
    l = listener_table_all(t, &count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(l[i].auto_port, i == 1 || i >= 3);
        assert_false(l[i].choice_untold);
    }
    assert_true(l[3].receive_queue.known);
    assert_int_equal(l[3].members[1].drops.count, 7);
    listener_table_unref(t);

    t = poll_first(state); /* and clients are no more, when not wanted */
    assert_listeners(t, "tcp/0.0.0.0:40000x1 tcp/[::]:40000x3 udp/0.0.0.0:53x1");
    listener_table_unref(t);
}

/* Those of one service may have been asked for by their number, and may not. */
static void a_port_that_some_program_chose_is_not_the_kernels(void **state)
{
    const struct listener_table *t;
    struct listener_poll how = usual_poll();
    const struct listener *l;
    size_t count;

    with(answers_about(AF_INET, IPPROTO_TCP, true, 0), "0.0.0.0:40000", 1, 2);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:40000", 3, 1);
    for (usual_limits.members = 1; usual_limits.members < 4; usual_limits.members++) {
        t = poll_fresh(state, &how);
        assert_listeners(t, "tcp/0.0.0.0:40000x3");
        l = listener_table_all(t, &count);
        assert_false(l->auto_port);
        assert_false(l->choice_untold);
        listener_table_unref(t);
    }
}

/* A socket may go from the one to the other between the two dumps, never back: the
 * one that it may come from is first. */
static void a_listener_that_takes_a_port_of_its_choice_is_never_missed(void **state)
{
    const struct listener_table *t;

    with(answers_about(AF_INET, IPPROTO_TCP, true, 0), "0.0.0.0:40000", 1, 1);
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 1);
    t = poll_first(state);
    assert_listeners(t, "tcp/0.0.0.0:80x1 tcp/0.0.0.0:40000x1");
    kernel.scripts[0].answers[0].span_count = 0;
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:80x1");
    listener_table_unref(t);
}

/* What it does not tell is not guessed, and the listeners are there all the same. */
static void a_kernel_that_does_not_tell_who_chose_a_port_is_believed(void **state)
{
    static const int refusals[] = {-EINVAL, -EOPNOTSUPP};

    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        const struct listener_table *t;
        const struct listener *l;
        size_t count;

        forget_script();
        kernel.no_choice = refusals[i];
        with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:40000", 1, 1);
        with(answers(AF_INET6, IPPROTO_TCP, 0), "[::]:40001", 2, 2);
        with(answers(AF_INET, IPPROTO_SCTP, 0), "0.0.0.0:9", 4, 1);
        (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
        (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 200 + i);
        t = poll_first(state);
        assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
        assert_class(t, PROTOCOL_UDP, VISIBILITY_FAILED, refusals[i]); /* clients are no listeners */
        l = listener_table_all(t, &count);
        assert_int_equal(count, 4);
        for (size_t k = 0; k < count; k++) {
            assert_false(l[k].auto_port);
            assert_int_equal(l[k].choice_untold, l[k].protocol != PROTOCOL_RAW);
        }
        assert_in_range(count_choices(IPPROTO_TCP, PORTS_AUTO), 1, 2);
        t = poll_again(*state, t); /* it is not asked again at once */
        assert_in_range(count_choices(IPPROTO_TCP, PORTS_AUTO), 1, 2);
        listener_table_unref(t);

        kernel.no_choice = 0;
        kernel.now_us += INT64_C(300) * 1000 * 1000;
        t = poll_usual(*state);
        assert_non_null(t);
        l = listener_table_all(t, &count);
        assert_false(l[0].choice_untold);
        listener_table_unref(t);
    }
}

/* Half a class is none, also here. */
static void a_dump_of_such_ports_that_fails_fails_its_class(void **state)
{
    const struct listener_table *t;

    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 1, 1);
    with(answers(AF_INET, IPPROTO_UDPLITE, 0), "0.0.0.0:54", 2, 1);
    with(answers_about(AF_INET6, IPPROTO_UDP, true, -EIO), "[::]:40000", 3, 1);
    with(answers_about(AF_INET6, IPPROTO_UDPLITE, true, -EIO), "[::]:40000", 4, 1);
    with(answers_about(AF_INET6, IPPROTO_UDPLITE, true, 0), "[::]:40000", 4, 1);
    t = poll_with_auto_ports(state);
    assert_class(t, PROTOCOL_UDP, VISIBILITY_FAILED, -EIO);
    assert_others_are_fine(t, PROTOCOL_UDP);
    assert_listeners(t, "udplite/0.0.0.0:54x1 udplite/[::]:40000x1"); /* it was asked once more */
    listener_table_unref(t);
}

static void such_a_port_that_one_dump_passed_over_stays(void **state)
{
    const struct listener_table *first, *second;
    struct listener_poll how = usual_poll();

    with(answers_about(AF_INET, IPPROTO_UDP, true, 0), "0.0.0.0:40000", 1, 2);
    first = poll_with_auto_ports(state);
    forget_script();
    with(answers_about(AF_INET, IPPROTO_UDP, true, 0), "0.0.0.0:40000", 1, 1);
    with(answers_about(AF_INET, IPPROTO_UDP, true, 0), "0.0.0.0:40000", 1, 2);
    how.auto_ports = true;
    second = poll_as(*state, &how);
    assert_null(second); /* nothing has changed */
    assert_listeners(first, "udp/0.0.0.0:40000x2");
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 4);
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDPLITE), 2); /* nothing was missing there */
    listener_table_unref(first);
}

/* Owners */

static void sockets_of_all_classes_get_their_owners(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP};
    const struct listener_table *t;
    const struct listener *l;
    size_t count, sockets = 0;

    kernel.owners = owners_of("33:www-data:web.service", "10:nginx:root:web.service");
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++)
        with(answers(AF_INET, protocols[i], 0), "0.0.0.0:80", 1 + 10 * i, 2);
    with(answers_about(AF_INET6, IPPROTO_UDP, true, 0), "[::]:40000", 100, 3);
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 200);
    t = poll_with_auto_ports(state);
    l = listener_table_all(t, &count);
    assert_int_equal(count, ARRAY_LENGTH(protocols) + 2);
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < l[i].sockets; k++, sockets++)
            assert_ptr_equal(l[i].members[k].owners, kernel.owners);
    assert_int_equal(sockets, 2 * ARRAY_LENGTH(protocols) + 3 + 1);
    assert_run(*state, "owners", false, false, 0); /* there was only time to take what is known */
    kernel.owners_wanted = 1;
    work(*state);
    assert_run(*state, "owners", true, true, 0);
    assert_int_equal(kernel.owners_stepped, 1);

    /* Once, when all sockets were read */
    assert_int_equal(kernel.attached, 1);
    assert_int_equal(kernel.attached_rows, sockets);
    assert_int_equal(kernel.calls_before_attach, kernel.call_count);
    listener_table_unref(t);
}

static void owners_are_looked_for_by_what_the_kernel_says(void **state)
{
    struct span *span = with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", UINT64_C(5) << 32 | 1, 1);

    span->row.uid = 33;
    span->row.inode = 4000000000u;
    span->row.cgroup_id = UINT64_C(7) << 32 | 9;
    listener_table_unref(poll_first(state));
    assert_int_equal(kernel.attached_row.cookie, UINT64_C(5) << 32 | 1);
    assert_int_equal(kernel.attached_row.uid, 33);
    assert_int_equal(kernel.attached_row.inode, 4000000000u);
    assert_int_equal(kernel.attached_row.cgroup_id, UINT64_C(7) << 32 | 9);

    span->row.cgroup_id = 0; /* an old kernel */
    listener_table_unref(poll_first(state));
    assert_int_equal(kernel.attached_row.cgroup_id, 0);

    forget_script();
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 4000000000u);
    listener_table_unref(poll_first(state));
    assert_int_equal(kernel.attached_row.cookie, 4000000000u);
    assert_int_equal(kernel.attached_row.uid, 7);
    assert_int_equal(kernel.attached_row.inode, 4000000000u);
    assert_int_equal(kernel.attached_row.cgroup_id, 0);
}

static void what_failed_to_be_read_has_no_owners_to_look_for(void **state)
{
    with(answers(AF_INET, IPPROTO_TCP, -EIO), "0.0.0.0:80", 1, 5);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 10, 2);
    listener_table_unref(poll_first(state));
    assert_int_equal(kernel.attached, 1);
    assert_int_equal(kernel.attached_rows, 2);
}

static void without_their_owners_the_listeners_are_still_told(void **state)
{
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    kernel.owners_result = -ENOMEM;
    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 2);
    with(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", 3, 1);
    t = poll_first(state);
    assert_listeners(t, "tcp/0.0.0.0:80x2 udp/0.0.0.0:53x1");
    assert_others_are_fine(t, PROTOCOL_COUNT);
    l = listener_table_all(t, &count);
    assert_null(l[0].members[0].owners);
    assert_int_equal(listener_sight(&l[0]), SIGHT_LEFT_OUT);
    assert_run(*state, "owners", true, false, -ENOMEM);
    assert_run(*state, "tcp", true, true, 0);
    assert_run(*state, "udp", true, true, 0);

    kernel.owners_result = 0; /* as if nothing had happened */
    kernel.owners = owners_of("33:www-data:web.service", "10:nginx:root:web.service");
    t = poll_again(*state, t);
    l = listener_table_all(t, &count);
    assert_ptr_equal(l[0].members[0].owners, kernel.owners);
    kernel.owners_wanted = 1;
    work(*state);
    assert_run(*state, "owners", true, true, 0);
    listener_table_unref(t);
}

static void one_shot_commands_wait_for_the_owners(void **state)
{
    struct listener_poll how = usual_poll();

    how.wait_for_owners = true;
    kernel.owners_wanted = 5;
    listener_table_unref(poll_fresh(state, &how));
    assert_int_equal(kernel.owners_wanted, 0);
    assert_int_equal(kernel.attached, 2); /* before the search, and with what it found */
    assert_run(*state, "owners", true, true, 0);
}

/* Most are found in the short look that a poll has time for. */
static void what_is_found_at_once_is_in_the_same_table(void **state)
{
    const struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 1);
    kernel.owners_wanted = 1;
    kernel.owners_found = owners_of("33:www-data:web.service", "10:nginx:root:web.service");
    t = poll_first(state);
    assert_ptr_equal(listener_table_all(t, &(size_t){0})[0].members[0].owners, kernel.owners);
    assert_int_equal(kernel.owners_stepped, 1);
    assert_in_range(kernel.owners_until_us - kernel.owners_began_us, 1, 5000); /* it must not take long */
    assert_int_equal(kernel.names_awaited, 1);
    assert_null(poll_usual(*state));
    assert_int_equal(kernel.owners_stepped, 1);
    assert_int_equal(kernel.names_awaited, 1);
    listener_table_unref(t);
}

static void what_is_known_of_owners_later_is_in_the_next_table(void **state)
{
    const struct listener_table *t;
    const struct listener *l;
    size_t count;

    with(answers(AF_INET, IPPROTO_TCP, 0), "0.0.0.0:80", 1, 1);
    t = poll_first(state);
    assert_false(collectors_have_news(*state));
    kernel.owners = owners_of("33:www-data:web.service", "10:nginx:root:web.service");
    kernel.owners_version++;
    assert_true(collectors_have_news(*state));
    t = poll_again(*state, t);
    l = listener_table_all(t, &count);
    assert_ptr_equal(l[0].members[0].owners, kernel.owners);
    assert_false(collectors_have_news(*state));
    listener_table_unref(t);
}

/* Nothing new */

static void a_poll_that_finds_nothing_new_yields_no_table(void **state)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);
    const struct listener_table *t;
    struct span *span = with(a, "0.0.0.0:80", 1, 2);

    t = poll_first(state);
    kernel.attached = 0;
    for (int i = 0; i < 3; i++)
        assert_null(poll_usual(*state));
    assert_int_equal(kernel.attached, 0); /* its sockets are known */

    span->row.queue.length++;
    t = poll_again(*state, t);
    assert_int_equal(listener_table_all(t, &(size_t){0})[0].queue.length, 2);
    assert_int_equal(kernel.attached, 1);
    assert_null(poll_usual(*state));

    (void)answers(AF_INET, IPPROTO_UDP, ERR_UNSUPPORTED); /* a class can be read no more */
    t = poll_again(*state, t);
    assert_class(t, PROTOCOL_UDP, VISIBILITY_UNSUPPORTED, 0);
    assert_null(poll_usual(*state));

    collectors_refresh(*state);
    t = poll_again(*state, t);
    listener_table_unref(t);
}

static void a_poll_that_finds_nothing_new_allocates_nothing(void **state)
{
    const struct listener_table *t;

    with(answers(AF_INET, IPPROTO_TCP, 0), "192.0.2.1:80", 1, 3000);
    with(answers(AF_INET6, IPPROTO_UDP, 0), "[::]:53", 5000, 20);
    (void)answers(AF_INET, IPPROTO_RAW, ERR_UNSUPPORTED);
    (void)proc_raw_has("0.0.0.0", 1, STATE_CLOSE, 100);
    t = poll_first(state);
    assert_null(poll_usual(*state)); /* its rows need room, too */
    refuse_nth(0);
    for (int i = 0; i < 10; i++)
        assert_null(poll_usual(*state));
    assert_int_equal(refuse_count(), 0);
    listener_table_unref(t);
}

/* Nothing is lost by a poll that could not be finished: the next one has all. */
static void memory_may_be_refused_to_a_poll_at_any_step(void **state)
{
    const struct listener_poll how = usual_poll();
    const struct budget clock = no_end();
    size_t refused = 0;
    const struct listener_table *t;
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);

    with(a, "0.0.0.0:80", 1, 1);
    t = poll_first(state);
    for (size_t n = 1;; n++) {
        const struct inventory *next = NULL;
        int r;

        a->spans[0].count += 50; /* something new */
        kernel.call_count = 0;
        refuse_nth(n);
        r = collectors_poll_listeners(*state, &how, &clock, &next);
        if (!refuse_stop()) {
            assert_int_equal(r, 0);
            assert_non_null(next);
            break;
        }
        refused++;
        assert_true(r == (next ? 0 : -ENOMEM)); /* of a dump that fails a second one may not */
        if (next) {
            listener_table_unref(t);
            t = listener_table_cut(next);
        }
        t = poll_again(*state, t);
        assert_class(t, PROTOCOL_TCP, VISIBILITY_OK, 0);
        assert_int_equal(listener_table_all(t, &(size_t){0})[0].sockets, a->spans[0].count);
    }
    assert_in_range(refused, 3, 100);
    listener_table_unref(t);
}

static void what_the_kernel_lacks_is_believed_for_five_minutes(void **state)
{
    const struct listener_table *t;

    (void)answers(AF_INET, IPPROTO_SCTP, ERR_UNSUPPORTED);
    t = poll_first(state);
    kernel.now_us = INT64_C(299000000);
    assert_null(poll_usual(*state));
    assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 1);
    kernel.now_us = INT64_C(301000000);
    assert_null(poll_usual(*state));
    assert_int_equal(count_calls(AF_INET, IPPROTO_SCTP), 2);
    listener_table_unref(t);
}

/* The host's addresses */

static void addresses_are_asked_for_anew_when_the_host_has_changed(void **state)
{
    const struct listener_table *t = poll_first(state);

    assert_int_equal(kernel.forgotten, 1);
    assert_int_equal(collectors_host_fd(*state), 5);
    assert_null(poll_usual(*state));
    collectors_note_host(*state); /* nothing has changed after all */
    assert_null(poll_usual(*state));
    assert_int_equal(kernel.forgotten, 1);
    kernel.host_changes = true;
    collectors_note_host(*state);
    assert_null(poll_usual(*state));
    assert_null(poll_usual(*state));
    assert_int_equal(kernel.forgotten, 2);
    kernel.now_us += INT64_C(61000000); /* a change may have been missed */
    assert_null(poll_usual(*state));
    assert_int_equal(kernel.forgotten, 3);
    listener_table_unref(t);
}

static void addresses_are_asked_for_at_each_poll_where_nobody_tells_of_changes(void **state)
{
    const struct listener_table *t;

    kernel.no_watch = true;
    t = poll_first(state);
    assert_int_equal(collectors_host_fd(*state), -1);
    collectors_note_host(*state);
    for (size_t i = 2; i < 5; i++) {
        assert_null(poll_usual(*state));
        assert_int_equal(kernel.forgotten, i);
    }
    listener_table_unref(t);
}

/* Steps */

static size_t step_until_counted(struct collectors *c, const struct conn_table **ret)
{
    size_t steps = 0;

    for (; collectors_take_connections(c, NULL, ret) == 0; steps++) {
        const struct budget budget = budget_until(kernel.now_us + 20);

        assert_in_range(steps, 0, 1000);
        assert_true(collectors_due_ms(c, 0) <= 0);
        collectors_step(c, &budget);
    }
    return steps;
}

static void connections_are_counted_in_steps(void **state)
{
    const struct conn_table *t = NULL;
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);

    with_state(a, "127.0.0.1:80", STATE_ESTABLISHED, 100);
    with_state(a, "127.0.0.1:81", STATE_TIME_WAIT, 50);
    with_state(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", STATE_CLOSE, 30);
    assert_int_equal(collectors_due_ms(*state, 7), INT64_MAX);
    assert_int_equal(collectors_take_connections(*state, NULL, &t), 0);
    collectors_begin_connections(*state, false, 0);
    assert_int_equal(collectors_due_ms(*state, 7), 7);
    assert_in_range(step_until_counted(*state, &t), 10, 100);
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 100);
    assert_int_equal(client_count(t, PROTOCOL_TCP, 81, STATE_TIME_WAIT), 50);
    assert_int_equal(client_count(t, PROTOCOL_UDP, 53, STATE_CLOSE), 30);
    assert_int_equal(count_calls(AF_UNSPEC, IPPROTO_TCP), 1); /* each dump was asked for once */
    assert_int_equal(count_calls(AF_INET, IPPROTO_UDP), 1);
    assert_int_equal(collectors_due_ms(*state, 7), INT64_MAX);
    assert_run(*state, "connections", true, true, 0);
    conn_table_unref(t);
}

static void a_count_under_way_is_not_begun_anew(void **state)
{
    const struct budget short_one = budget_until(0);
    const struct conn_table *t = NULL;

    with_state(answers(AF_INET, IPPROTO_TCP, 0), "127.0.0.1:80", STATE_ESTABLISHED, 10);
    for (int i = 0; i < 3; i++) {
        collectors_begin_connections(*state, false, 0);
        collectors_step(*state, &short_one);
    }
    assert_int_equal(count_calls(AF_UNSPEC, IPPROTO_TCP), 1);
    (void)step_until_counted(*state, &t);
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 10);
    conn_table_unref(t);
}

/* Sockets of the cgroup, of which the kernel lists the listener first. */
static void tell_cgroup(uint64_t cgroup_id)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);

    with(a, "127.0.0.1:80", 1, 1)->row.cgroup_id = cgroup_id;
    with_state(a, "127.0.0.1:80", STATE_ESTABLISHED, 4)->row.cgroup_id = cgroup_id;
    with_state(a, "127.0.0.1:81", STATE_CLOSE_WAIT, 3)->row.cgroup_id = cgroup_id;
    with_state(a, "127.0.0.1:80", STATE_TIME_WAIT, 9);
}

static void assert_units(struct collectors *c, const char *unit)
{
    const struct unit_table *t = collectors_take_units(c);
    const struct unit_row *row;
    size_t count;

    assert_non_null(t);
    row = unit_table_rows(t, &count);
    assert_int_equal(count, 1);
    assert_string_equal(row->unit, unit);
    assert_int_equal(row->states.counts[DIRECTION_INBOUND][STATE_ESTABLISHED], 4);
    assert_int_equal(row->states.counts[DIRECTION_OUTBOUND][STATE_CLOSE_WAIT], 3);
    assert_int_equal(row->states.counts[DIRECTION_INBOUND][STATE_TIME_WAIT], 0);
    unit_table_unref(t);
    assert_null(collectors_take_units(c));
}

static void connections_are_counted_by_unit_when_asked_for(void **state)
{
    const struct conn_table *t = NULL;

    kernel.unit_path = "/system.slice/web.service";
    tell_cgroup(7);
    for (int i = 0; i < 2; i++) {
        collectors_begin_connections(*state, true, 0);
        (void)step_until_counted(*state, &t);
        conn_table_unref(t);
        assert_units(*state, "web.service");
        assert_int_equal(kernel.walks, 1); /* what is known is not looked for */
    }
    conn_table_unref(poll_connections(*state));
    assert_null(collectors_take_units(*state));
}

/* A cgroup that is no unit, and one that nobody finds: for that the tree is not
 * walked all the time. */
static void cgroups_that_are_not_found_are_unknown(void **state)
{
    static const char *const paths[] = {"/docker/4711", NULL};

    tell_cgroup(7);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        kernel.unit_path = paths[i];
        for (size_t k = 0; k < 5; k++) {
            const struct conn_table *t = NULL;

            collectors_begin_connections(*state, true, 0);
            (void)step_until_counted(*state, &t);
            conn_table_unref(t);
            assert_units(*state, "unknown");
        }
        assert_int_equal(kernel.walks, 1 + i);
        kernel.now_us += 60000000;
    }
}

static void units_of_a_count_that_failed_are_not_told(void **state)
{
    const struct conn_table *t = NULL;

    with_state(answers(AF_INET, IPPROTO_TCP, -ENOBUFS), "127.0.0.1:80", STATE_ESTABLISHED, 4)->row.cgroup_id =
        7;
    collectors_begin_connections(*state, true, 0);
    (void)step_until_counted(*state, &t);
    conn_table_unref(t);
    assert_null(collectors_take_units(*state));
}

static void assert_host_counter(const struct collectors *c, enum host_counter counter, bool known,
                                uint64_t value)
{
    assert_int_equal(collectors_host_counters(c)->known[counter], known);
    assert_int_equal(collectors_host_counters(c)->values[counter], value);
}

static void counters_tell(enum proc_counters_file file, const char *text)
{
    kernel.counters[file].text = text;
}

static void what_the_kernel_counts_is_read_with_the_connections(void **state)
{
    counters_tell(PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt: 5\n");
    counters_tell(PROC_SNMP, "Udp: NoPorts\nUdp: x\n");
    counters_tell(PROC_SOCKSTAT, "TCP: tw 6\n");
    conn_table_unref(poll_connections(*state));
    assert_host_counter(*state, HOST_TCP_LISTEN_DROPS, true, 5);
    assert_host_counter(*state, HOST_UDP_NO_PORTS_IPV4, false, 0);
    assert_host_counter(*state, HOST_UDP_NO_PORTS_IPV6, false, 0); /* without IPv6 there is no snmp6 */
    assert_host_counter(*state, HOST_TCP_TIME_WAIT_SOCKETS, true, 6);
    assert_run(*state, "host_counters", true, true, 0);
    assert_int_equal(malformed(*state, "host_counters"), 1);
    assert_int_equal(kernel.counters_read, PROC_COUNTERS_FILE_COUNT);
}

static void connections_wait_for_what_the_kernel_counts(void **state)
{
    const struct budget short_one = budget_until(0);
    const struct conn_table *t = NULL;

    counters_tell(PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt: 5\n");
    collectors_begin_connections(*state, false, 0);
    while (collectors_take_connections(*state, NULL, &t) == 0)
        collectors_step(*state, &short_one);
    assert_int_equal(kernel.counters_read, PROC_COUNTERS_FILE_COUNT); /* one with each step */
    assert_host_counter(*state, HOST_TCP_LISTEN_DROPS, true, 5);
    conn_table_unref(t);
}

static void counters_that_cannot_be_read_are_unknown_and_a_failure(void **state)
{
    counters_tell(PROC_NETSTAT, "TcpExt: ListenDrops\nTcpExt: 5\n");
    counters_tell(PROC_SOCKSTAT, "TCP: tw 6\n");
    conn_table_unref(poll_connections(*state));
    kernel.counters[PROC_NETSTAT].result = -EACCES;
    conn_table_unref(poll_connections(*state));
    assert_host_counter(*state, HOST_TCP_LISTEN_DROPS, false, 0);
    assert_host_counter(*state, HOST_TCP_TIME_WAIT_SOCKETS, true, 6);
    assert_run(*state, "host_counters", true, false, -EACCES);
}

static void a_host_without_proc_has_no_counters(void **state)
{
    conn_table_unref(poll_connections(*state));
    assert_host_counter(*state, HOST_TCP_LISTEN_DROPS, false, 0);
    assert_run(*state, "host_counters", false, true, 0);
}

/* In the middle of a count listeners are read, over a socket of their own. */
static void listeners_are_polled_while_connections_are_counted(void **state)
{
    const struct budget short_one = budget_until(0);
    const struct conn_table *counts = NULL;
    const struct listener_table *t;
    struct answer *a = answers(AF_INET, IPPROTO_TCP, 0);

    with(a, "0.0.0.0:80", 1, 3);
    t = poll_first(state);
    collectors_begin_connections(*state, false, 0);
    collectors_step(*state, &short_one);
    assert_int_equal(collectors_take_connections(*state, NULL, &counts), 0);
    with(a, "0.0.0.0:81", 9, 1);
    t = poll_again(*state, t);
    assert_listeners(t, "tcp/0.0.0.0:80x3 tcp/0.0.0.0:81x1");
    (void)step_until_counted(*state, &counts);
    assert_int_equal(conn_table_port(counts, PROTOCOL_TCP, 80)[STATE_LISTEN], 3);
    conn_table_unref(counts);
    listener_table_unref(t);
}

/* A datagram socket whose port the kernel chose is a client's. */
static void connections_to_the_listeners_of_the_last_poll_are_inbound(void **state)
{
    const struct listener_table *listeners;
    const struct conn_table *t;
    struct answer *a = answers(AF_INET, IPPROTO_UDP, 0);

    with_state(a, "0.0.0.0:53", STATE_CLOSE, 1);
    with_state(answers_about(AF_INET, IPPROTO_UDP, true, 0), "0.0.0.0:40000", STATE_CLOSE, 1);
    listeners = poll_with_auto_ports(state);
    with_state(a, "127.0.0.1:53", STATE_ESTABLISHED, 3);
    with_state(a, "127.0.0.1:40000", STATE_ESTABLISHED, 2);
    t = poll_connections(*state);
    assert_int_equal(conn_table_port(t, PROTOCOL_UDP, 53)[STATE_ESTABLISHED], 3);
    assert_int_equal(client_count(t, PROTOCOL_UDP, 53, STATE_ESTABLISHED), 0);
    assert_null(conn_table_port(t, PROTOCOL_UDP, 40000));
    assert_int_equal(client_count(t, PROTOCOL_UDP, 40000, STATE_ESTABLISHED), 2);
    conn_table_unref(t);
    listener_table_unref(listeners);
}

static void what_fails_in_the_middle_of_a_count_is_not_complete(void **state)
{
    const struct conn_table *t = NULL;

    with_state(answers(AF_INET, IPPROTO_TCP, -ENOBUFS), "127.0.0.1:80", STATE_ESTABLISHED, 60);
    with_state(answers(AF_INET, IPPROTO_UDP, 0), "0.0.0.0:53", STATE_CLOSE, 3);
    collectors_begin_connections(*state, false, 0);
    assert_in_range(step_until_counted(*state, &t), 3, 100);
    assert_false(conn_table_complete(t, PROTOCOL_TCP));
    assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 0);
    assert_true(conn_table_complete(t, PROTOCOL_UDP));
    assert_run(*state, "connections", true, false, -ENOBUFS);
    conn_table_unref(t);
}

static void a_kernel_that_knows_no_one_walk_is_asked_for_each_family(void **state)
{
    const struct conn_table *t;

    kernel.no_one_walk = true;
    with_state(answers(AF_INET, IPPROTO_TCP, 0), "127.0.0.1:80", STATE_ESTABLISHED, 2);
    with_state(answers(AF_INET6, IPPROTO_TCP, 0), "[::1]:80", STATE_ESTABLISHED, 3);
    for (size_t i = 1; i < 4; i++) {
        t = poll_connections(*state);
        assert_true(conn_table_complete(t, PROTOCOL_TCP));
        assert_int_equal(client_count(t, PROTOCOL_TCP, 80, STATE_ESTABLISHED), 5);
        assert_int_equal(count_calls(AF_UNSPEC, IPPROTO_TCP), 1); /* its no is believed */
        assert_int_equal(count_calls(AF_INET, IPPROTO_TCP), i);
        assert_int_equal(count_calls(AF_INET6, IPPROTO_TCP), i);
        conn_table_unref(t);
    }
}

/* Of a script with a listener and two clients' sockets, each with a destination of
 * its own, in a range of 64 ports. */
static void set_local_ports(int result)
{
    struct answer *a = answers(AF_INET, IPPROTO_TCP, result);

    with_state(a, "0.0.0.0:40000", STATE_LISTEN, 1);
    with_state(a, "127.0.0.1:40000", STATE_ESTABLISHED, 2);
    with_state(a, "127.0.0.1:40001", STATE_ESTABLISHED, 1);
    with_state(a, "127.0.0.1:40002", STATE_TIME_WAIT, 1);
    kernel.local_ports = (struct local_ports){.known = true, .range = {40000, 40063}};
    for (uint16_t port = 40000; port <= 40063; port++)
        port_set_put(&kernel.local_ports.free, port);
}

static void local_ports_are_counted_beside(void **state)
{
    const struct conn_table *t;

    set_local_ports(0);
    for (int i = 0; i < 3; i++) { /* the second time the kernel refuses to walk once */
        kernel.no_one_walk = i == 1;
        t = poll_connections(*state);
        assert_true(conn_table_ephemeral(t)->known);
        assert_int_equal(conn_table_ephemeral(t)->available, 63);
        assert_int_equal(conn_table_ephemeral(t)->used, 1);
        conn_table_unref(t);
    }
    port_set_remove(&kernel.local_ports.free, 40001); /* these are reserved now */
    port_set_remove(&kernel.local_ports.free, 40002);
    t = poll_connections(*state);
    assert_int_equal(conn_table_ephemeral(t)->available, 61);
    assert_int_equal(conn_table_ephemeral(t)->used, 0);
    conn_table_unref(t);
    kernel.local_ports.known = false;
    t = poll_connections(*state);
    assert_false(conn_table_ephemeral(t)->known);
    conn_table_unref(t);
}

static void local_ports_of_half_a_dump_are_not_known(void **state)
{
    const struct conn_table *t;

    set_local_ports(-ENOBUFS);
    t = poll_connections(*state);
    assert_false(conn_table_ephemeral(t)->known);
    conn_table_unref(t);
}

/* Neither holds up the other, and what the kernel counts itself takes its steps besides. */
static void owners_and_connections_take_turns(void **state)
{
    const struct budget short_one = budget_until(0);
    const struct conn_table *t = NULL;

    with_state(answers(AF_INET, IPPROTO_TCP, 0), "127.0.0.1:80", STATE_ESTABLISHED, 50);
    kernel.owners_wanted = 10;
    collectors_begin_connections(*state, false, 0);
    for (int i = 0; i < 20 + PROC_COUNTERS_FILE_COUNT; i++)
        collectors_step(*state, &short_one);
    assert_int_equal(kernel.owners_stepped, 10);
    assert_int_equal(kernel.owners_wanted, 0);
    assert_int_equal(collectors_take_connections(*state, NULL, &t), 0);
    (void)step_until_counted(*state, &t);
    assert_int_equal(kernel.owners_stepped, 10);
    conn_table_unref(t);
}

static void nobody_is_looked_for_when_connections_are_counted(void **state)
{
    assert_run(*state, "owners", false, false, 0);
    conn_table_unref(poll_connections(*state));
    assert_int_equal(kernel.attached, 0);
    assert_run(*state, "owners", false, false, 0);
}

static void a_refresh_is_one_of_the_owners_too(void **state)
{
    listener_table_unref(poll_first(state));
    assert_int_equal(kernel.owners_refreshed, 0);
    collectors_refresh(*state);
    assert_int_equal(kernel.owners_refreshed, 1);
}

static void what_cannot_be_opened_is_reported_and_freed(void **state)
{
    struct collectors *c = NULL;

    (void)state;
    memset(&kernel, 0, sizeof kernel);
    kernel.open_result = -EPROTONOSUPPORT;
    assert_int_equal(collectors_open(&c), -EPROTONOSUPPORT);
    assert_null(c);
    kernel.open_result = 0;
    kernel.no_local = true;
    assert_int_equal(collectors_open(&c), -ENOMEM);
    assert_null(c);
    kernel.no_local = false;
    kernel.no_owners = true;
    assert_int_equal(collectors_open(&c), -ENOMEM);
    assert_null(c);
    assert_int_equal(kernel.open_sockets, 0);
    assert_int_equal(kernel.open_tables, 0);
    collectors_close(NULL);
}

/* Looks that take long */

/* A host that expects tcp/80, and shows what it has. */
struct watcher {
    struct collectors *c;
    struct policy policy;
    struct limits limits;
    const struct listener_table *table; /* as shown last */
};

static struct watcher watcher_of(void **state)
{
    struct watcher w = {.policy = policy_expecting("tcp/80"), .limits = limits_of(100)};

    collectors_close(*state);
    assert_int_equal(collectors_open(&w.c), 0);
    *state = w.c;
    return w;
}

static void watcher_done(struct watcher *w)
{
    listener_table_unref(w->table);
    policy_done(&w->policy);
}

/* Polls; returns whether anything is new. */
static bool watch(struct watcher *w)
{
    const struct listener_poll how = {.limits = &w->limits, .policy = &w->policy, .previous = w->table};
    const struct listener_table *table = poll_as(w->c, &how);

    if (!table)
        return false;
    listener_table_unref(w->table);
    w->table = table;
    return true;
}

static void pass(int64_t ms)
{
    kernel.now_us += ms * 1000;
}

/* Steps between two polls until nothing is due. */
static void work_between(struct watcher *w)
{
    while (collectors_due_ms(w->c, kernel.now_us / 1000) <= kernel.now_us / 1000) {
        const struct budget budget = budget_until(kernel.now_us + 1000);

        collectors_step(w->c, &budget);
    }
}

static void listens_on(const char *expected, const char *others, size_t count)
{
    struct answer *a;

    forget_script();
    a = answers(AF_INET, IPPROTO_TCP, 0);
    with(a, others, 100, count);
    if (expected)
        with(a, expected, 1, 1);
}

static bool asked_for_a_range(void)
{
    for (size_t i = 0; i < kernel.call_count; i++)
        if (kernel.calls[i].range_count == 1 && kernel.calls[i].ranges->first == 80)
            return true;
    return false;
}

static void a_look_that_takes_long_goes_on_between_the_polls(void **state)
{
    struct watcher w = watcher_of(state);

    listens_on("0.0.0.0:80", "0.0.0.0:9", 20);
    (void)answers(AF_INET, IPPROTO_UDPLITE, ERR_UNSUPPORTED);
    kernel.us_per_message = 50000;
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:80x1"); /* which came last */
    assert_true(collectors_saw_anything(w.c));
    assert_true(asked_for_a_range());
    assert_int_equal(listener_table_class(w.table, PROTOCOL_TCP)->visibility, VISIBILITY_OK);
    assert_int_equal(listener_table_class(w.table, PROTOCOL_TCP)->others, VISIBILITY_UNKNOWN);
    assert_false(listener_table_totals(w.table)->known[PROTOCOL_TCP]);
    assert_true(listener_table_totals(w.table)->known[PROTOCOL_UDP]);
    assert_false(watch(&w)); /* nothing new, and it is not over */
    work_between(&w);
    assert_true(collectors_have_news(w.c));
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x20 tcp/0.0.0.0:80x1");
    assert_int_equal(listener_table_class(w.table, PROTOCOL_TCP)->others, VISIBILITY_OK);
    assert_true(listener_table_totals(w.table)->known[PROTOCOL_TCP]);
    assert_false(collectors_have_news(w.c));
    assert_false(watch(&w)); /* all was told */
    watcher_done(&w);
}

static void an_expected_port_is_seen_while_a_look_takes_long(void **state)
{
    struct watcher w = watcher_of(state);

    listens_on("0.0.0.0:80", "0.0.0.0:9", 2);
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x2 tcp/0.0.0.0:80x1");
    listens_on(NULL, "0.0.0.0:9", 20);
    kernel.us_per_message = 50000;
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x2"); /* the others as they were shown */
    listens_on("127.0.0.1:80", "0.0.0.0:9", 20);
    assert_true(watch(&w)); /* the same look is under way */
    assert_listeners(w.table, "tcp/0.0.0.0:9x2 tcp/127.0.0.1:80x1");
    work_between(&w);
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x20 tcp/127.0.0.1:80x1");
    watcher_done(&w);
}

/* Who listened is known from the last poll, whatever the look has found up to now. */
static void connections_are_counted_while_a_look_takes_long(void **state)
{
    struct watcher w = watcher_of(state);
    const struct conn_table *t = NULL;

    listens_on(NULL, "0.0.0.0:9", 2);
    assert_true(watch(&w));
    listens_on(NULL, "0.0.0.0:10", 20);
    kernel.us_per_message = 50000;
    (void)watch(&w); /* a look is under way */
    with_state(answers(AF_INET6, IPPROTO_TCP, 0), "[::1]:9", STATE_ESTABLISHED, 3);
    collectors_begin_connections(w.c, false, 0);
    (void)step_until_counted(w.c, &t);
    assert_int_equal(client_count(t, PROTOCOL_TCP, 9, STATE_ESTABLISHED), 0);
    assert_int_equal(conn_table_port(t, PROTOCOL_TCP, 9)[STATE_ESTABLISHED], 3);
    conn_table_unref(t);
    watcher_done(&w);
}

/* One that took long is not begun again at once; one that did not is. */
static void a_look_that_took_long_leaves_time_to_others(void **state)
{
    struct watcher w = watcher_of(state);

    listens_on("0.0.0.0:80", "0.0.0.0:9", 20);
    kernel.us_per_message = 50000;
    assert_true(watch(&w));
    work_between(&w); /* twice twenty messages took two seconds */
    kernel.us_per_message = 0;
    assert_true(watch(&w));
    listens_on("0.0.0.0:80", "0.0.0.0:9", 3);
    assert_false(watch(&w));
    pass(500);
    assert_false(watch(&w));
    pass(3000);
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x3 tcp/0.0.0.0:80x1");
    listens_on("0.0.0.0:80", "0.0.0.0:9", 2);
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x2 tcp/0.0.0.0:80x1");
    watcher_done(&w);
}

/* Nothing that was read for another policy is told. */
static void a_refresh_gives_up_a_look_under_way(void **state)
{
    struct watcher w = watcher_of(state);

    listens_on("0.0.0.0:80", "0.0.0.0:9", 20);
    kernel.us_per_message = 50000;
    assert_true(watch(&w));
    policy_done(&w.policy);
    w.policy = policy_expecting("tcp/9");
    collectors_refresh(w.c);
    kernel.us_per_message = 0;
    assert_true(watch(&w));
    assert_listeners(w.table, "tcp/0.0.0.0:9x20 tcp/0.0.0.0:80x1");
    watcher_done(&w);
}

/* A watcher who expects a socket at "/run/a". */
static void expect_a_path(struct watcher *w, struct port_range *ret_port)
{
    static struct expect expects[1];

    ret_port->first = ret_port->last = unix_path_port("/run/a");
    expects[0] = (struct expect){
        .match = {.protocols = 1u << PROTOCOL_UNIX, .ports = ret_port, .port_count = 1, .path = "/run/a"}};
    policy_done(&w->policy);
    w->policy = (struct policy){.expects = expects, .expect_count = 1};
    assert_int_equal(policy_seal(&w->policy), 0);
}

static void forget_the_path(struct watcher *w)
{
    policy_unseal(&w->policy);
    w->policy = (struct policy){0};
}

static void listens_at(const char *expected, const char *other, size_t count)
{
    struct answer *answer;

    forget_script();
    answer = answers(AF_UNIX, 0, 0);
    if (expected)
        with_path(answer, expected, 1, 1);
    with_path(answer, other, 100, count);
}

static void unix_listeners_that_nobody_expects_are_only_counted(void **state)
{
    struct watcher w = watcher_of(state);
    const struct listener_table *all;
    struct port_range port;

    expect_a_path(&w, &port);
    listens_at("/run/a", "/run/b", 3);
    assert_true(watch(&w));
    assert_listeners(w.table, "unix//run/ax1");
    assert_int_equal(listener_table_totals(w.table)->scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 4);
    assert_int_equal(listener_table_dropped(w.table, DROPPED_LISTENERS), 0);
    assert_false(watch(&w));
    listens_at("/run/a", "/run/b", 2);
    assert_true(watch(&w));
    assert_int_equal(listener_table_totals(w.table)->scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 3);
    forget_the_path(&w);
    watcher_done(&w);
    all = poll_with_auto_ports(state);
    assert_listeners(all, "unix//run/bx2 unix//run/ax1");
    listener_table_unref(all);
}

/* One whose file was removed, or is another one's, is not what clients reach. */
static void a_unix_socket_whose_file_is_not_at_its_path_is_nobody(void **state)
{
    struct watcher w = watcher_of(state);
    struct port_range port;

    expect_a_path(&w, &port);
    listens_at("/run/a", "/run/a", 1);
    kernel.scripts[0].answers[0].spans[1].row.inode = 5;
    assert_true(watch(&w));
    assert_listeners(w.table, "unix//run/ax1");
    assert_int_equal(listener_table_all(w.table, &(size_t){0})->members[0].cookie, 1);
    kernel.unix_inode = 5;
    assert_true(watch(&w));
    assert_int_equal(listener_table_all(w.table, &(size_t){0})->members[0].cookie, 100);
    kernel.unix_inode = 6;
    assert_true(watch(&w));
    assert_listeners(w.table, "");
    assert_int_equal(listener_table_totals(w.table)->scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 2);
    forget_the_path(&w);
    watcher_done(&w);
}

/* The kernel cannot be asked for some of them only, and a poll waits for nobody. */
static void unix_listeners_stay_as_they_were_told_while_a_look_takes_long(void **state)
{
    struct watcher w = watcher_of(state);
    struct port_range port;

    expect_a_path(&w, &port);
    listens_at("/run/a", "/run/b", 2);
    assert_true(watch(&w));
    listens_at(NULL, "/run/b", 20);
    kernel.us_per_message = 50000;
    (void)watch(&w);
    assert_true(count_calls(AF_UNIX, 0) == 1);
    assert_listeners(w.table, "unix//run/ax1");
    assert_class(w.table, PROTOCOL_UNIX, VISIBILITY_OK, 0);
    assert_int_equal(listener_table_totals(w.table)->scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 3);
    work_between(&w);
    assert_true(watch(&w));
    assert_listeners(w.table, "");
    assert_int_equal(listener_table_totals(w.table)->scopes[PROTOCOL_UNIX][SCOPE_LOOPBACK], 20);
    forget_the_path(&w);
    watcher_done(&w);
}

static void one_shot_commands_look_at_all_however_long_it_takes(void **state)
{
    struct watcher w = watcher_of(state);
    const struct listener_poll how = {.limits = &w.limits, .policy = &w.policy, .wait_for_owners = true};

    listens_on("0.0.0.0:80", "0.0.0.0:9", 20);
    kernel.us_per_message = 50000;
    w.table = poll_as(w.c, &how);
    assert_listeners(w.table, "tcp/0.0.0.0:9x20 tcp/0.0.0.0:80x1");
    assert_false(asked_for_a_range());
    watcher_done(&w);
}

#define with_kernel(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kernel(a_listener_that_one_dump_passed_over_stays),
        with_kernel(a_service_that_one_dump_passed_over_stays),
        with_kernel(a_listener_missing_in_both_dumps_is_gone),
        with_kernel(the_first_poll_always_looks_twice),
        with_kernel(nothing_missing_is_one_look),
        with_kernel(after_a_failed_poll_it_looks_twice),
        with_kernel(a_socket_counts_once_however_often_it_is_dumped),
        with_kernel(one_service_of_many_sockets_is_never_cut),
        with_kernel(a_dump_that_fails_once_is_repeated),
        with_kernel(a_second_look_that_fails_is_repeated_from_the_start),
        with_kernel(a_dump_that_fails_every_time_fails_its_class_only),
        with_kernel(a_failed_class_is_asked_again_at_the_next_poll),
        with_kernel(what_the_kernel_does_not_list_is_absent_or_unsupported),
        with_kernel(what_is_unsupported_is_not_asked_for_connections_either),
        with_kernel(a_kernel_without_ipv6_hides_nothing),
        with_kernel(ipv6_that_cannot_be_listed_makes_the_class_unsupported),
        with_kernel(raw_sockets_come_from_proc_where_netlink_has_no_handler),
        with_kernel(raw_sockets_that_proc_does_not_list_either_are_unsupported),
        with_kernel(raw_sockets_that_proc_fails_to_list_fail),
        with_kernel(a_malformed_message_is_counted_and_the_rest_survives),
        with_kernel(a_malformed_answer_about_an_address_is_counted),
        with_kernel(a_connection_in_an_unknown_state_is_counted_as_malformed),
        with_kernel(listeners_are_asked_for_by_their_state),
        with_kernel(connections_are_asked_for_by_explicit_states),
        with_kernel(a_connection_dump_that_fails_leaves_the_others_complete),
        with_kernel(a_poll_touches_the_runs_of_its_kind_only),
        with_kernel(a_listener_is_told_with_all_that_its_class_has),
        with_kernel(drops_that_are_not_told_are_not_0),
        with_kernel(only_addresses_that_can_be_absent_are_looked_up),
        with_kernel(sockets_are_told_apart_by_the_whole_cookie),
        with_kernel(ports_that_the_kernel_chose_are_asked_for_when_wanted),
        with_kernel(only_sockets_with_such_a_port_are_marked),
        with_kernel(a_port_that_some_program_chose_is_not_the_kernels),
        with_kernel(a_listener_that_takes_a_port_of_its_choice_is_never_missed),
        with_kernel(a_kernel_that_does_not_tell_who_chose_a_port_is_believed),
        with_kernel(a_dump_of_such_ports_that_fails_fails_its_class),
        with_kernel(such_a_port_that_one_dump_passed_over_stays),
        with_kernel(sockets_of_all_classes_get_their_owners),
        with_kernel(owners_are_looked_for_by_what_the_kernel_says),
        with_kernel(what_failed_to_be_read_has_no_owners_to_look_for),
        with_kernel(without_their_owners_the_listeners_are_still_told),
        with_kernel(nobody_is_looked_for_when_connections_are_counted),
        with_kernel(one_shot_commands_wait_for_the_owners),
        with_kernel(what_is_found_at_once_is_in_the_same_table),
        with_kernel(what_is_known_of_owners_later_is_in_the_next_table),
        with_kernel(a_poll_that_finds_nothing_new_yields_no_table),
        with_kernel(a_poll_that_finds_nothing_new_allocates_nothing),
        with_kernel(memory_may_be_refused_to_a_poll_at_any_step),
        with_kernel(what_the_kernel_lacks_is_believed_for_five_minutes),
        with_kernel(addresses_are_asked_for_anew_when_the_host_has_changed),
        with_kernel(addresses_are_asked_for_at_each_poll_where_nobody_tells_of_changes),
        with_kernel(a_look_that_takes_long_goes_on_between_the_polls),
        with_kernel(an_expected_port_is_seen_while_a_look_takes_long),
        with_kernel(connections_are_counted_while_a_look_takes_long),
        with_kernel(a_look_that_took_long_leaves_time_to_others),
        with_kernel(a_refresh_gives_up_a_look_under_way),
        with_kernel(unix_listeners_that_nobody_expects_are_only_counted),
        with_kernel(a_unix_socket_whose_file_is_not_at_its_path_is_nobody),
        with_kernel(unix_listeners_stay_as_they_were_told_while_a_look_takes_long),
        with_kernel(one_shot_commands_look_at_all_however_long_it_takes),
        with_kernel(connections_are_counted_in_steps),
        with_kernel(a_count_under_way_is_not_begun_anew),
        with_kernel(connections_are_counted_by_unit_when_asked_for),
        with_kernel(cgroups_that_are_not_found_are_unknown),
        with_kernel(units_of_a_count_that_failed_are_not_told),
        with_kernel(what_the_kernel_counts_is_read_with_the_connections),
        with_kernel(connections_wait_for_what_the_kernel_counts),
        with_kernel(counters_that_cannot_be_read_are_unknown_and_a_failure),
        with_kernel(a_host_without_proc_has_no_counters),
        with_kernel(listeners_are_polled_while_connections_are_counted),
        with_kernel(connections_to_the_listeners_of_the_last_poll_are_inbound),
        with_kernel(what_fails_in_the_middle_of_a_count_is_not_complete),
        with_kernel(a_kernel_that_knows_no_one_walk_is_asked_for_each_family),
        with_kernel(local_ports_are_counted_beside),
        with_kernel(local_ports_of_half_a_dump_are_not_known),
        with_kernel(owners_and_connections_take_turns),
        with_kernel(a_refresh_is_one_of_the_owners_too),
        cmocka_unit_test(what_cannot_be_opened_is_reported_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
