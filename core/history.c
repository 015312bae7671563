#include "core/history.h"
#include "core/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A service, present or not. */
struct record {
    struct listener_key key;
    struct generation generation;
    uint64_t seen; /* number of the last feed that had it */
    bool expected;
    bool there; /* it was, when its class was last read to the end */
    struct {
        bool now; /* its queue, when it was last seen */
        uint64_t from_ms, ms;
    } full;
};

struct history {
    uint64_t feeds;
    struct record *records; /* by key */
    size_t count;
    struct trace
        *traces; /* of all records, in their order; of each those that are there, then those that went */
    size_t trace_count;
    uint64_t forgotten;
    uint64_t watched_ms[PROTOCOL_COUNT];
    struct turnover turnover[PROTOCOL_COUNT];
};

/* The next state of a history, while it is made. */
struct draft {
    struct record *records;
    size_t count;
    struct trace *traces;
    size_t trace_count;
    uint64_t feed;
    uint64_t forgotten;         /* now, because of the limit */
    const uint64_t *watched_ms; /* borrowed; by class */
    struct turnover_look looks[PROTOCOL_COUNT];
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
    *d = (struct draft){.feed = h->feeds + 1, .watched_ms = h->watched_ms};
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
    follow_full(d, r, false);
    follow_presence(d, r, false);
    r->expected = policy_expects_port(policy, before->key.protocol, before->key.port);
    r->generation.sockets = add_traces(d, g->sockets, g->count);
    r->generation.departed = add_traces(d, g->departed, g->departed_count);
}

/* The last that went first; of those that went together in their order. */
static int compare_away(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;

    if (x->seen != y->seen)
        return x->seen > y->seen ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Marks those to be forgotten of one kind: 0 in seen. */
static int forget_kind(struct draft *d, bool expected, size_t limit)
{
    struct record **away;
    size_t count = 0;

    for (size_t i = 0; i < d->count; i++)
        count += d->records[i].seen != d->feed && d->records[i].expected == expected;
    if (count <= limit)
        return 0;
    away = calloc(count, sizeof(struct record *));
    if (!away)
        return -ENOMEM;
    count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].seen != d->feed && d->records[i].expected == expected)
            away[count++] = &d->records[i];
    qsort(away, count, sizeof(struct record *), compare_away);
    for (size_t i = limit; i < count; i++)
        away[i]->seen = 0;
    d->forgotten += count - limit;
    free(away);
    return 0;
}

/* How many sockets that went are remembered of services of one kind, where of
 * each so many are at most. */
static uint64_t count_departed(const struct draft *d, bool expected, uint32_t each)
{
    uint64_t count = 0;

    for (size_t i = 0; i < d->count; i++) {
        uint32_t departed = d->records[i].generation.departed_count;

        if (d->records[i].expected == expected)
            count += departed < each ? departed : each;
    }
    return count;
}

/* The share of each service, of which some need less, if so many may be
 * remembered in all, of fewer than there are. */
static uint32_t departed_share(const struct draft *d, bool expected, size_t limit)
{
    uint32_t low = 0, high = 0;

    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].generation.departed_count > high)
            high = d->records[i].generation.departed_count;
    while (low < high) {
        uint32_t middle = high - (high - low) / 2;

        if (count_departed(d, expected, middle) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Forgets sockets that went, of one kind of services: of those that have most,
 * so that none loses more than its share by what another does. */
static void forget_departed(struct draft *d, bool expected, size_t limit)
{
    uint64_t all = count_departed(d, expected, UINT32_MAX);
    uint32_t share;

    if (all <= limit)
        return;
    share = departed_share(d, expected, limit);
    for (size_t i = 0; i < d->count; i++)
        if (d->records[i].expected == expected)
            generation_forget(&d->records[i].generation, share);
    d->forgotten += all - count_departed(d, expected, share);
}

static int forget_oldest(struct draft *d, size_t limit)
{
    size_t kept = 0;
    int r = forget_kind(d, false, limit);

    if (r == 0)
        r = forget_kind(d, true, HISTORY_EXPECTED_MAX);
    if (r < 0)
        return r;
    for (size_t i = 0; i < d->count; i++) {
        const struct record *record = &d->records[i];

        if (record->seen != 0)
            d->records[kept++] = *record;
        else if (record->there) /* for all that is known: its class was not read */
            d->turnover[record->key.protocol].whole = false;
    }
    d->count = kept;
    forget_departed(d, false, HISTORY_DEPARTED * limit);
    forget_departed(d, true, (size_t)HISTORY_DEPARTED * HISTORY_EXPECTED_MAX);
    return 0;
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

/* Tells the listeners their totals. None of those that are there is forgotten,
 * so that they are met in their order. */
static void tell_totals(const struct draft *d, const struct inventory *inv)
{
    struct inventory_cursor cursor = {0};

    for (size_t i = 0; i < d->count; i++) {
        const struct record *r = &d->records[i];
        struct listener *l;

        if (r->seen != d->feed)
            continue;
        l = inventory_next_chosen(inv, &cursor);
        l->drops.count = r->generation.drops;
        l->restarts = r->generation.restarts;
        l->queue.full_ms = r->full.ms;
        l->queue.full_from_ms = r->full.from_ms;
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
    h->forgotten += d->forgotten;
    memcpy(h->turnover, d->turnover, sizeof h->turnover);
}

int history_follow(struct history *h, const struct inventory *inv, const struct history_rules *rules)
{
    struct draft d;
    int r = draft_init(&d, h, inv);

    if (r == 0) {
        draft_fill(&d, h, inv, rules);
        r = forget_oldest(&d, rules->services);
    }
    if (r < 0) {
        draft_done(&d);
        return r;
    }
    tell_totals(&d, inv);
    adopt(h, &d);
    return 0;
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
