#include "collectors/collectors.h"
#include "collectors/source.h"
#include "collectors/told.h"
#include "core/choice.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What is known of addresses and interfaces is asked for anew after this time,
 * also where no change was told. */
#define HOST_BELIEVED_MS INT64_C(60000)

/* So long a poll looks at all sockets; what is left then is looked at between
 * the polls. */
#define LOOK_US INT64_C(250000)

/* So long in any case at those of one class, whatever the others took. */
#define LOOK_LEAST_US INT64_C(25000)

/* So long a poll that finds something new looks for owners itself. */
#define OWNERS_AT_ONCE_US INT64_C(2000)

/* And so long it waits for what their users are called, if that is asked for and
 * was answered as soon as that the last time. */
#define NAMES_AT_ONCE_US INT64_C(3000)

/* Owners are looked for of so many sockets for each listener that may be shown. */
enum { OWNERS_PER_LISTENER = 2 };

static const struct source_type registry[] = {
    {"tcp", &listener_source, POLL_LISTENERS, PROTOCOL_TCP},
    {"udp", &listener_source, POLL_LISTENERS, PROTOCOL_UDP},
    {"udplite", &listener_source, POLL_LISTENERS, PROTOCOL_UDPLITE},
    {"sctp", &listener_source, POLL_LISTENERS, PROTOCOL_SCTP},
    {"raw", &listener_source, POLL_LISTENERS, PROTOCOL_RAW},
    {"unix", &listener_source, POLL_LISTENERS, PROTOCOL_UNIX},
    {"packet", &listener_source, POLL_LISTENERS, PROTOCOL_PACKET},
    {.name = "owners", .ops = &owner_source, .fills = POLL_LISTENERS},
    {.name = "host_counters", .ops = &host_counter_source, .fills = POLL_CONNECTIONS},
    {.name = "connections", .ops = &connection_source, .fills = POLL_CONNECTIONS},
};

#define SOURCE_COUNT (sizeof registry / sizeof registry[0])

_Static_assert(SOURCE_COUNT < COLLECTOR_RUNS_MAX, "a status must have room for every source, and for probes");

struct collectors {
    struct source_shared shared;
    struct unix_files unix_files; /* of shared */
    struct source sources[SOURCE_COUNT];
    struct source *owners;      /* of sources */
    struct host_watch *watch;   /* NULL: the kernel does not tell */
    int64_t host_until_ms;      /* when to ask about addresses anew */
    uint64_t owners_version;    /* of the last inventory */
    struct inventory inventory; /* of the last poll that found something new */
    struct told told;           /* what of it was told before */
    bool stale;                 /* the next poll tells all in any case */
    size_t turn;                /* whose it is to be stepped next */
};

/* Everything is asked for anew where the kernel does not tell what changes. */
static int open_shared(struct collectors *c)
{
    uint64_t secret[2];

    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return -EIO; /* which the kernel does not do for so few bytes */
    c->shared.unix_files = &c->unix_files;
    c->shared.builder = listener_builder_new(secret);
    c->shared.counter = conn_counter_new();
    c->shared.ports = ephemeral_counter_new(secret);
    c->shared.local = local_addresses_new();
    if (!c->shared.builder || !c->shared.counter || !c->shared.ports || !c->shared.local)
        return -ENOMEM;
    conn_counter_set_ports(c->shared.counter, c->shared.ports);
    if (host_watch_open(&c->watch) < 0)
        c->watch = NULL;
    return sock_diag_open(&c->shared.diag);
}

static int open_sources(struct collectors *c)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < SOURCE_COUNT; i++) {
        struct source *s = &c->sources[i];

        s->type = &registry[i];
        s->shared = &c->shared;
        s->run = (struct collector_run){.name = s->type->name, .poll = s->type->fills};
        if (s->type->ops == &owner_source)
            c->owners = s;
        r = s->type->ops->open(s);
    }
    return r;
}

int collectors_open(struct collectors **ret)
{
    struct collectors *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return -ENOMEM;
    c->stale = true;
    r = open_shared(c);
    if (r == 0)
        r = open_sources(c);
    if (r < 0)
        collectors_close(c);
    else
        *ret = c;
    return r;
}

void collectors_close(struct collectors *c)
{
    if (!c)
        return;
    for (size_t i = SOURCE_COUNT; i-- > 0;)
        if (c->sources[i].type)
            c->sources[i].type->ops->close(&c->sources[i]);
    told_done(&c->told);
    sock_diag_close(c->shared.diag);
    host_watch_close(c->watch);
    local_addresses_free(c->shared.local);
    conn_counter_free(c->shared.counter);
    ephemeral_counter_free(c->shared.ports);
    listener_builder_free(c->shared.builder);
    free(c);
}

/* Notes how a run ended. A source of what the kernel lacks has not run. */
static void end_run(struct source *s, int result)
{
    s->run.ran = result != ERR_UNSUPPORTED;
    s->run.up = result == 0 || result == ERR_UNSUPPORTED;
    s->run.error = s->run.up ? 0 : result;
    s->run.duration_seconds = s->worked_seconds;
    s->worked_seconds = 0;
    s->is_under_way = false;
}

/* Returns whether it could be begun. */
static bool begin_source(struct source *s, int64_t now_ms)
{
    int r = s->type->ops->begin(s, now_ms);

    s->worked_seconds = 0;
    s->is_under_way = true;
    if (r < 0)
        end_run(s, r);
    return r == 0;
}

static void step_source(struct source *s, const struct budget *budget)
{
    int64_t started_us = budget_now_us(budget);
    int r = s->type->ops->step(s, budget);

    s->worked_seconds += (double)(budget_now_us(budget) - started_us) / 1e6;
    if (r <= 0)
        end_run(s, r);
}

static void believe_host(struct collectors *c, int64_t now_ms)
{
    if (c->watch && now_ms < c->host_until_ms)
        return;
    local_addresses_forget(c->shared.local);
    interfaces_forget(&c->shared.interfaces);
    c->host_until_ms = now_ms + HOST_BELIEVED_MS;
}

/* When the look at all that has just ended may be made again: one that took longer
 * than a poll has leaves as much time to others as it took. */
static void note_end(struct source *s, int64_t now_us)
{
    int64_t took_us = now_us - s->begun_us;

    s->due_ms = took_us > LOOK_US ? (now_us + took_us) / 1000 : 0;
}

/* Looks at a class. Where that takes longer than the budget, or is not due, the
 * expected ports are looked at alone. Of unix and packet sockets the kernel can only
 * be asked for all: they stay as they were told before. */
static void look_at(struct source *s, const struct budget *of_all, const struct budget *endless)
{
    int64_t now_us = budget_now_us(of_all);
    struct budget own = *of_all;
    const struct budget *budget = &own;

    if (own.until_us < now_us + LOOK_LEAST_US)
        own.until_us = now_us + LOOK_LEAST_US;
    if (!s->is_under_way && !s->has_ended && now_us / 1000 >= s->due_ms) {
        s->begun_us = now_us;
        (void)begin_source(s, now_us / 1000); /* else it has ended */
        while (s->is_under_way && !budget_is_spent(budget))
            step_source(s, budget);
        if (!s->is_under_way) {
            note_end(s, budget_now_us(budget));
            return;
        }
    }
    s->has_ended = false;
    if (protocol_is_ip(s->type->protocol))
        listener_source_look_quickly(s, endless);
}

static bool is_of_listeners(const struct source *s)
{
    return s->type->ops == &listener_source;
}

static void read_listeners(struct collectors *c, const struct listener_poll *how,
                           const struct budget *endless)
{
    struct budget budget = *endless;

    if (!how->wait_for_owners)
        budget.until_us = budget_now_us(endless) + LOOK_US;
    listener_builder_set(c->shared.builder, (size_t)how->limits->members, how->policy);
    local_addresses_begin(c->shared.local);
    c->shared.policy = how->policy;
    c->shared.auto_ports = how->auto_ports;
    believe_host(c, budget_now_ms(endless));
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (is_of_listeners(&c->sources[i]))
            look_at(&c->sources[i], &budget, endless);
}

/* Gives the rows their owners, with what a short look finds of those that are
 * not known: most are found in it. Returns whether all have what is known. */
static bool read_owners(struct collectors *c, bool wait, const struct budget *endless)
{
    int64_t now_us = budget_now_us(endless), now_ms = now_us / 1000;
    struct budget at_once = *endless;

    at_once.until_us = now_us + OWNERS_AT_ONCE_US;
    if (!begin_source(c->owners, now_ms))
        return false;
    if (wait) {
        while (c->owners->is_under_way)
            step_source(c->owners, endless);
    } else if (owners_due_ms(c->shared.owners, now_ms) <= now_ms) {
        step_source(c->owners, &at_once);
        at_once.until_us = budget_now_us(endless) + NAMES_AT_ONCE_US;
        (void)owners_await_names(c->shared.owners, &at_once); /* the run says how looking for them went */
    } else {
        return true;
    }
    return begin_source(c->owners, now_ms); /* the rows get what was found */
}

/* Ends the look, and chooses what is shown of it. Returns 0 or -ENOMEM. */
static int take_stock(struct collectors *c, const struct listener_poll *how)
{
    struct inventory *inv = &c->inventory;
    int r = listener_builder_finish(c->shared.builder, inv);

    if (r == 0)
        r = told_keep(&c->told, inv, how->previous, how->policy);
    if (r == 0)
        r = choice_make(inv, how->policy, how->limits, how->history);
    if (r == 0)
        inventory_name(inv, how->services);
    if (r == 0)
        connection_source_note(&c->shared, inv);
    c->shared.inventory = inv;
    c->shared.owners_wanted = OWNERS_PER_LISTENER * (size_t)how->limits->listeners;
    return r;
}

int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              const struct budget *clock, const struct inventory **ret)
{
    const struct budget endless = {.now_us = clock->now_us, .arg = clock->arg, .until_us = BUDGET_NO_END};
    int r;

    read_listeners(c, how, &endless);
    if (!how->anew && !c->stale && owners_version(c->shared.owners) == c->owners_version &&
        listener_builder_is_same(c->shared.builder)) {
        *ret = NULL;
        return 0;
    }
    owners_set_limit(c->shared.owners, (size_t)how->limits->holders);
    r = take_stock(c, how);
    c->stale = r < 0 || !read_owners(c, how->wait_for_owners, &endless);
    c->owners_version = owners_version(c->shared.owners);
    if (r == 0)
        *ret = &c->inventory;
    return r;
}

bool collectors_have_news(const struct collectors *c)
{
    bool has_ended = false;

    for (size_t i = 0; i < SOURCE_COUNT; i++)
        has_ended |= c->sources[i].has_ended;
    return has_ended || owners_version(c->shared.owners) != c->owners_version;
}

/* Raw sockets do not count: /proc may have told them; nor do those that are not over
 * IP. A look that goes on is one that the kernel answers. */
static bool is_answered(const struct source *s)
{
    return is_of_listeners(s) && s->type->protocol != PROTOCOL_RAW && protocol_is_ip(s->type->protocol) &&
           (s->is_under_way || (s->run.ran && s->run.up));
}

bool collectors_saw_anything(const struct collectors *c)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (is_answered(&c->sources[i]))
            return true;
    return false;
}

static bool is_of_connections(const struct source *s)
{
    return s->type->fills == POLL_CONNECTIONS;
}

static bool are_connections_under_way(const struct collectors *c)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (is_of_connections(&c->sources[i]) && c->sources[i].is_under_way)
            return true;
    return false;
}

void collectors_begin_connections(struct collectors *c, bool by_unit, int64_t now_ms)
{
    if (are_connections_under_way(c))
        return;
    c->shared.by_unit = by_unit;
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (is_of_connections(&c->sources[i]))
            (void)begin_source(&c->sources[i], now_ms); /* its run says why not */
}

/* Whether there is something to be done about a source between the polls. */
static bool wants_step(const struct collectors *c, const struct source *s, int64_t now_ms)
{
    return s == c->owners ? owners_due_ms(c->shared.owners, now_ms) <= now_ms : s->is_under_way;
}

int64_t collectors_due_ms(const struct collectors *c, int64_t now_ms)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (wants_step(c, &c->sources[i], now_ms))
            return now_ms;
    return owners_due_ms(c->shared.owners, now_ms);
}

void collectors_step(struct collectors *c, const struct budget *budget)
{
    int64_t now_ms = budget_now_ms(budget);

    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        struct source *s = &c->sources[c->turn++ % SOURCE_COUNT];

        if (!wants_step(c, s, now_ms))
            continue;
        step_source(s, budget);
        s->has_ended = is_of_listeners(s) && !s->is_under_way;
        if (s->has_ended)
            note_end(s, budget_now_us(budget));
        return;
    }
}

int collectors_take_connections(struct collectors *c, const struct conn_choice *choice,
                                const struct conn_table **ret)
{
    const struct conn_table *table;

    if (!c->shared.counted || are_connections_under_way(c))
        return 0;
    c->shared.counted = false;
    table = conn_counter_seal(c->shared.counter, choice);
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 1;
}

const struct unit_table *collectors_take_units(struct collectors *c)
{
    const struct unit_table *table = c->shared.units;

    c->shared.units = NULL;
    return table;
}

const struct host_counters *collectors_host_counters(const struct collectors *c)
{
    return &c->shared.host_counters;
}

size_t collectors_runs(const struct collectors *c, struct collector_run *ret_runs)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        ret_runs[i] = c->sources[i].run;
    return SOURCE_COUNT;
}

void collectors_refresh(struct collectors *c)
{
    c->shared.lacks = (struct kernel_lacks){0};
    owners_refresh(c->shared.owners);
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        struct source *s = &c->sources[i];

        /* Which ports are expected may be another matter now. */
        s->is_under_way &= !is_of_listeners(s);
        s->has_ended = false;
        s->due_ms = 0;
    }
    c->stale = true;
}

int collectors_host_fd(const struct collectors *c)
{
    return c->watch ? host_watch_fd(c->watch) : -1;
}

void collectors_note_host(struct collectors *c)
{
    if (c->watch && host_watch_changed(c->watch))
        c->host_until_ms = 0;
}
