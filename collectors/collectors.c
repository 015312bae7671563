#include "collectors/collectors.h"
#include "collectors/source.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is known of addresses and interfaces is asked for anew after this time,
 * also where no change was told. */
#define HOST_BELIEVED_MS INT64_C(60000)

/* So long a poll that finds something new looks for owners itself. */
#define OWNERS_AT_ONCE_US INT64_C(2000)

static const struct source_type registry[] = {
    {"tcp", POLL_LISTENERS, false, &listener_source, PROTOCOL_TCP},
    {"udp", POLL_LISTENERS, false, &listener_source, PROTOCOL_UDP},
    {"udplite", POLL_LISTENERS, false, &listener_source, PROTOCOL_UDPLITE},
    {"sctp", POLL_LISTENERS, false, &listener_source, PROTOCOL_SCTP},
    {"raw", POLL_LISTENERS, false, &listener_source, PROTOCOL_RAW},
    {.name = "owners", .fills = POLL_LISTENERS, .is_long = true, .ops = &owner_source},
    {.name = "connections", .fills = POLL_CONNECTIONS, .is_long = true, .ops = &connection_source},
};

#define SOURCE_COUNT (sizeof registry / sizeof registry[0])

_Static_assert(SOURCE_COUNT <= COLLECTOR_RUNS_MAX, "a status must have room for every source");

struct collectors {
    struct source_shared shared;
    struct source sources[SOURCE_COUNT];
    struct source *owners, *connections; /* of sources: those that are long */
    struct host_watch *watch;            /* NULL: the kernel does not tell */
    int64_t host_until_ms;               /* when to ask about addresses anew */
    uint64_t owners_version;             /* of the last table */
    bool stale;                          /* the next poll yields a table in any case */
    bool owners_turn;                    /* of the long ones that are due */
};

/* Everything is asked for anew where the kernel does not tell what changes. */
static int open_shared(struct collectors *c)
{
    static const struct policy no_policy;

    c->shared.builder = listener_builder_new(0, &no_policy);
    c->shared.counter = conn_counter_new();
    c->shared.local = local_addresses_new();
    if (!c->shared.builder || !c->shared.counter || !c->shared.local)
        return -ENOMEM;
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
        if (s->type->ops == &connection_source)
            c->connections = s;
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
    sock_diag_close(c->shared.diag);
    host_watch_close(c->watch);
    local_addresses_free(c->shared.local);
    conn_counter_free(c->shared.counter);
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

static void run_to_end(struct source *s, const struct budget *endless)
{
    (void)begin_source(s, budget_now_ms(endless)); /* else it has ended */
    while (s->is_under_way)
        step_source(s, endless);
}

static void believe_host(struct collectors *c, int64_t now_ms)
{
    if (c->watch && now_ms < c->host_until_ms)
        return;
    local_addresses_forget(c->shared.local);
    interfaces_forget(&c->shared.interfaces);
    c->host_until_ms = now_ms + HOST_BELIEVED_MS;
}

static void read_listeners(struct collectors *c, const struct listener_poll *how,
                           const struct budget *endless)
{
    listener_builder_begin(c->shared.builder, how->limit, how->policy);
    c->shared.auto_ports = how->auto_ports;
    believe_host(c, budget_now_ms(endless));
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (c->sources[i].type->fills == POLL_LISTENERS && !c->sources[i].type->is_long)
            run_to_end(&c->sources[i], endless);
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
    } else {
        return true;
    }
    return begin_source(c->owners, now_ms); /* the rows get what was found */
}

int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              const struct budget *clock, const struct listener_table **ret)
{
    const struct budget endless = {.now_us = clock->now_us, .arg = clock->arg, .until_us = BUDGET_NO_END};
    const struct listener_table *table;
    bool have_owners;

    read_listeners(c, how, &endless);
    if (!c->stale && owners_version(c->shared.owners) == c->owners_version &&
        listener_builder_is_same(c->shared.builder)) {
        *ret = NULL;
        return 0;
    }
    owners_set_limit(c->shared.owners, how->holders);
    have_owners = read_owners(c, how->wait_for_owners, &endless);
    c->owners_version = owners_version(c->shared.owners);
    table = listener_table_seal(c->shared.builder, how->services, how->history);
    c->stale = !table || !have_owners;
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 0;
}

bool collectors_have_news(const struct collectors *c)
{
    return owners_version(c->shared.owners) != c->owners_version;
}

bool collectors_saw_anything(const struct collectors *c)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        const struct source *s = &c->sources[i];

        /* Raw sockets do not count: /proc may have told them. */
        if (s->type->fills == POLL_LISTENERS && !s->type->is_long && s->type->protocol != PROTOCOL_RAW &&
            s->run.ran && s->run.up)
            return true;
    }
    return false;
}

void collectors_begin_connections(struct collectors *c, int64_t now_ms)
{
    if (!c->connections->is_under_way)
        (void)begin_source(c->connections, now_ms); /* its run says why not */
}

int64_t collectors_due_ms(const struct collectors *c, int64_t now_ms)
{
    return c->connections->is_under_way ? now_ms : owners_due_ms(c->shared.owners, now_ms);
}

void collectors_step(struct collectors *c, const struct budget *budget)
{
    int64_t now_ms = budget_now_ms(budget);
    bool owners = owners_due_ms(c->shared.owners, now_ms) <= now_ms;

    if (c->connections->is_under_way && !(owners && c->owners_turn))
        step_source(c->connections, budget);
    else if (owners)
        step_source(c->owners, budget);
    c->owners_turn = !c->owners_turn;
}

int collectors_take_connections(struct collectors *c, const struct conn_table **ret)
{
    const struct conn_table *table;

    if (!c->shared.counted)
        return 0;
    c->shared.counted = false;
    table = conn_counter_seal(c->shared.counter);
    if (!table)
        return -ENOMEM;
    *ret = table;
    return 1;
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
