#include "core/history_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct history {
    uint64_t feeds;
    bool settled;           /* what the last one told as new was judged */
    struct record *records; /* by key */
    size_t count;
    struct trace
        *traces; /* of all records, in their order; of each those that are there, then those that went */
    size_t trace_count;
    uint64_t forgotten;
    uint64_t watched_ms[PROTOCOL_COUNT];
    struct turnover turnover[PROTOCOL_COUNT];
};

struct history *history_new(void)
{
    return calloc(1, sizeof(struct history));
}

void history_free(struct history *h)
{
    if (!h)
        return;
    free(h->records);
    free(h->traces);
    free(h);
}

static int draft_init(struct draft *d, const struct history *h, const struct inventory *inv)
{
    size_t sockets = h->trace_count; /* of which none is kept twice */
    struct inventory_cursor cursor = {0};
    const struct listener *l;
    size_t count = 0;

    for (; (l = inventory_next_chosen(inv, &cursor)); count++)
        sockets += l->followed;
    *d = (struct draft){.feed = h->feeds + 1, .settled = h->settled, .watched_ms = h->watched_ms};
    memcpy(d->turnover, h->turnover, sizeof d->turnover);
    turnover_look(inv, h->turnover, d->looks);
    d->records = calloc(h->count + count + 1, sizeof *d->records);
    d->traces = calloc(sockets + 1, sizeof *d->traces);
    return d->records && d->traces ? 0 : -ENOMEM;
}

static void draft_done(struct draft *d)
{
    free(d->records);
    free(d->traces);
}

/* So many sockets that went are remembered of a service that is there: as many
 * as would be there if all came back that may, as far as they were followed. */
static uint32_t departed_limit(const struct generation *g, size_t members)
{
    uint64_t seats = (uint64_t)g->count + g->owed;

    return (uint32_t)(seats < members ? seats : members);
}

/* A queue that was full when it was last seen was so until now. */
static void follow_full(const struct draft *d, struct record *r, bool is_full)
{
    uint64_t now_ms = d->watched_ms[r->key.protocol];

    if (r->full.now)
        r->full.ms += now_ms - r->full.from_ms;
    r->full.now = is_full;
    r->full.from_ms = now_ms;
}

/* A service comes and goes only before those who can see it. */
static void follow_presence(struct draft *d, struct record *r, bool there)
{
    struct turnover_look *look = &d->looks[r->key.protocol];

    if (!look->known)
        return;
    look->came += there && !r->there;
    look->went += !there && r->there;
    r->there = there;
}

/* Whether it can be told that a service has come: not where a limit may have left
 * it out before. */
static bool has_come(const struct draft *d, const struct record *before, enum protocol protocol)
{
    const struct turnover *last = &d->turnover[protocol];
    const struct turnover_look *look = &d->looks[protocol];

    return look->known && look->whole && last->known && last->whole && !(before && before->there);
}

/* What was told as new before and was not judged. */
static struct fresh unjudged(const struct draft *d, const struct record *before)
{
    return before && !d->settled ? before->fresh : (struct fresh){.drops = 0};
}

/* What is new about a service that is there. What it dropped before it was first
 * seen may be old. */
static void find_fresh(const struct draft *d, struct record *r, const struct record *before)
{
    struct fresh fresh = unjudged(d, before);
    uint64_t drops = fresh.drops;

    if (before)
        drops += r->generation.drops - before->generation.drops;
    fresh.renewed |= r->generation.renewed || has_come(d, before, r->key.protocol);
    fresh.drops = drops < UINT32_MAX ? (uint32_t)drops : UINT32_MAX;
    r->fresh = fresh;
}

/* Adds a service that is there now. */
static void add_present(struct draft *d, const struct listener *l, const struct record *before,
                        const struct history_rules *rules)
{
    struct record *r = &d->records[d->count++];

    if (before)
        *r = *before;
    r->key = listener_key_of(l);
    r->seen = d->feed;
    follow_full(d, r, l->queue.known && queue_is_full(l->queue.fullest));
    follow_presence(d, r, true);
    r->expected = policy_expects_port(rules->policy, r->key.protocol, r->key.port);
    r->generation.sockets = &d->traces[d->trace_count];
    r->generation.count = l->followed;
    r->generation.in_part = l->followed < l->sockets;
    for (uint32_t i = 0; i < l->followed; i++) {
        struct trace *trace = &d->traces[d->trace_count++];

        trace->cookie = l->members[i].cookie;
        trace->drops.known = l->members[i].drops.known;
        trace->drops.count = l->members[i].drops.count;
    }
    r->generation.departed = &d->traces[d->trace_count];
    generation_follow(&r->generation, before ? &before->generation : NULL);
    generation_forget(&r->generation, departed_limit(&r->generation, rules->members));
    d->trace_count += r->generation.departed_count;
    find_fresh(d, r, before);
}

static struct trace *add_traces(struct draft *d, const struct trace *traces, uint32_t count)
{
    struct trace *added = &d->traces[d->trace_count];

    memcpy(added, traces, count * sizeof *added);
    d->trace_count += count;
    return added;
}

/* Keeps one that is away: it may come back, with the same sockets where they
 * were only not seen, or not listening for a while. */
static void add_away(struct draft *d, const struct record *before, const struct policy *policy)
{
    struct record *r = &d->records[d->count++];
    const struct generation *g = &before->generation;

    *r = *before;
    r->fresh = unjudged(d, before);
    follow_full(d, r, false);
    follow_presence(d, r, false);
    r->expected = policy_expects_port(policy, before->key.protocol, before->key.port);
    r->generation.sockets = add_traces(d, g->sockets, g->count);
    r->generation.departed = add_traces(d, g->departed, g->departed_count);
}

/* Walks through the services that are there and those that were, both by key. */
static void draft_fill(struct draft *d, const struct history *h, const struct inventory *inv,
                       const struct history_rules *rules)
{
    struct inventory_cursor cursor = {0};
    const struct listener *l = inventory_next_chosen(inv, &cursor);
    size_t k = 0;

    while (l || k < h->count) {
        int order = k == h->count ? -1 : 1;

        if (l && k < h->count) {
            const struct listener_key key = listener_key_of(l);

            order = listener_key_compare(&key, &h->records[k].key);
        }
        if (order > 0) {
            add_away(d, &h->records[k], rules->policy);
        } else {
            add_present(d, l, order == 0 ? &h->records[k] : NULL, rules);
            l = inventory_next_chosen(inv, &cursor);
        }
        k += order >= 0;
    }
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        turnover_follow(&d->turnover[i], &d->looks[i]);
}

/* Tells the listeners what was before them. None of those that are there is
 * forgotten, so that they are met in their order; of those that are not followed
 * nothing is known. */
static void tell_all(const struct draft *d, const struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    const struct record *r = d->records;
    struct listener *l;

    while ((l = inventory_next(inv, &cursor))) {
        l->renewed = false;
        l->drops.fresh = 0;
        if (!l->chosen)
            continue;
        while (r->seen != d->feed)
            r++;
        l->drops.count = r->generation.drops;
        l->drops.fresh = r->fresh.drops;
        l->restarts = r->generation.restarts;
        l->renewed = r->fresh.renewed;
        l->queue.full_ms = r->full.ms;
        l->queue.full_from_ms = r->full.from_ms;
        r++;
    }
}

/* Takes the draft. */
static void adopt(struct history *h, const struct draft *d)
{
    free(h->records);
    free(h->traces);
    h->records = d->records;
    h->count = d->count;
    h->traces = d->traces;
    h->trace_count = d->trace_count;
    h->feeds = d->feed;
    h->settled = false;
    h->forgotten += d->forgotten;
    memcpy(h->turnover, d->turnover, sizeof h->turnover);
}

int history_follow(struct history *h, const struct inventory *inv, const struct history_rules *rules)
{
    struct draft d;
    int r = draft_init(&d, h, inv);

    if (r == 0) {
        draft_fill(&d, h, inv, rules);
        r = history_forget(&d, rules->services);
    }
    if (r < 0) {
        draft_done(&d);
        return r;
    }
    tell_all(&d, inv);
    adopt(h, &d);
    return 0;
}

void history_settle(struct history *h)
{
    h->settled = true;
}

void history_pass(struct history *h, const bool seen[static PROTOCOL_COUNT], uint64_t ms)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        h->watched_ms[i] += seen[i] ? ms : 0;
}

uint64_t history_watched_ms(const struct history *h, enum protocol protocol)
{
    return h->watched_ms[protocol];
}

const struct turnover *history_turnover(const struct history *h, enum protocol protocol)
{
    return &h->turnover[protocol];
}

uint64_t history_forgotten(const struct history *h)
{
    return h->forgotten;
}

bool history_remembers(const struct history *h, struct history_cursor *cursor, const struct listener *l)
{
    const struct listener_key key = listener_key_of(l);
    int order = -1;

    for (; cursor->next < h->count; cursor->next++) {
        order = listener_key_compare(&h->records[cursor->next].key, &key);
        if (order >= 0)
            break;
    }
    return order == 0;
}
