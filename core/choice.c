#include "core/choice.h"

#include <errno.h>
#include <stdlib.h>

/* Within a share, the first first. */
enum rank {
    RANK_SHOWN,
    RANK_WILDCARD,
    RANK_EXPECTED,
    RANK_BEYOND,
    RANK_LOOPBACK,
    RANK_COUNT,
    RANK_FIRST,
    RANK_NONE
};

/* The share of one user. */
struct share {
    uint32_t uid; /* of the listeners; that of a group of several users is nobody's */
    bool used, has_one_more;
    uint32_t counts[RANK_COUNT]; /* those that would like to be shown, later those that may */
};

/* The choice under way. */
struct choice {
    struct inventory *inv;
    const struct limits *limits;
    uint8_t *ranks;       /* owned; one per listener */
    size_t first;         /* listeners that are chosen before all shares */
    size_t wanted;        /* others */
    struct share *shares; /* owned; hash by uid */
    size_t share_count, slot_count;
};

enum { SHARE_SLOTS_FIRST = 64 };

static struct share *find_share(const struct choice *c, uint32_t uid)
{
    size_t at = (uid * UINT32_C(2654435761) >> 7) & (c->slot_count - 1);

    while (c->shares[at].used && c->shares[at].uid != uid)
        at = (at + 1) & (c->slot_count - 1);
    return &c->shares[at];
}

/* Keeps at least half of the slots free. */
static int make_slots(struct choice *c)
{
    struct share *old = c->shares;
    size_t old_count = c->slot_count;

    if (2 * (c->share_count + 1) <= c->slot_count)
        return 0;
    c->slot_count = old_count ? old_count * 2 : SHARE_SLOTS_FIRST;
    c->shares = calloc(c->slot_count, sizeof *c->shares);
    if (!c->shares) {
        c->shares = old;
        c->slot_count = old_count;
        return -ENOMEM;
    }
    for (size_t i = 0; i < old_count; i++)
        if (old[i].used)
            *find_share(c, old[i].uid) = old[i];
    free(old);
    return 0;
}

static int count_wish(struct choice *c, uint32_t uid, enum rank rank)
{
    struct share *share;

    if (rank == RANK_NONE)
        return 0;
    if (rank == RANK_FIRST) {
        c->first++;
        return 0;
    }
    if (make_slots(c) < 0)
        return -ENOMEM;
    share = find_share(c, uid);
    c->share_count += !share->used;
    share->used = true;
    share->uid = uid;
    share->counts[rank]++;
    c->wanted++;
    return 0;
}

static enum rank rank_of(const struct listener *l, bool was_shown, bool expected)
{
    if (was_shown)
        return RANK_SHOWN;
    if (expected)
        return l->scope == SCOPE_ANY ? RANK_WILDCARD : RANK_EXPECTED;
    return l->scope == SCOPE_LOOPBACK ? RANK_LOOPBACK : RANK_BEYOND;
}

/* The best of some ranks, of several the first one. */
static size_t best_of(const uint8_t *ranks, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        if (ranks[i] < ranks[best])
            best = i;
    return best;
}

/* Lets so many of some listeners that share a port go on, the best of them. */
static void cut_port(uint8_t *ranks, size_t count, size_t limit)
{
    size_t left = limit;

    for (int rank = 0; rank < RANK_COUNT; rank++) {
        for (size_t i = 0; i < count; i++) {
            if (ranks[i] != rank)
                continue;
            if (left > 0)
                left--;
            else
                ranks[i] = RANK_NONE;
        }
    }
}

/* Ranks the listeners on one port. */
static void rank_port(struct choice *c, const struct listener *l, size_t count, bool expected,
                      const struct history *history, struct history_cursor *cursor)
{
    uint8_t *ranks = &c->ranks[l->index];

    for (size_t i = 0; i < count; i++)
        ranks[i] = (uint8_t)rank_of(&l[i], history && history_remembers(history, cursor, &l[i]), expected);
    if (!expected)
        return;
    if (count > (size_t)c->limits->port_listeners)
        cut_port(ranks, count, (size_t)c->limits->port_listeners);
    ranks[best_of(ranks, count)] = RANK_FIRST;
}

static void rank_part(struct choice *c, const struct inventory_part *part, const struct policy *policy,
                      const struct history *history)
{
    struct history_cursor cursor = {0};
    size_t end;

    for (size_t first = 0; first < part->count; first = end) {
        const struct listener *l = &part->listeners[first];

        end = inventory_port_end(part, first);
        rank_port(c, l, end - first, policy_expects_port(policy, l->protocol, l->port), history, &cursor);
    }
}

static void rank_all(struct choice *c, const struct policy *policy, const struct history *history)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < INVENTORY_PARTS; k++)
            rank_part(c, &c->inv->parts[i][k], policy, history);
}

static int count_all(struct choice *c)
{
    struct inventory_cursor cursor = {0};
    const struct listener *l;
    int r = 0;

    while (r == 0 && (l = inventory_next(c->inv, &cursor)))
        r = count_wish(c, listener_user(l), (enum rank)c->ranks[l->index]);
    return r;
}

static size_t share_total(const struct share *share)
{
    size_t total = 0;

    for (size_t rank = 0; rank < RANK_COUNT; rank++)
        total += share->counts[rank];
    return total;
}

/* How many each user may show at most, so that all together show no more than
 * there are places. */
static size_t fair_share(const struct choice *c, size_t places)
{
    size_t low = 0, high = places;

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2, sum = 0;

        for (size_t i = 0; i < c->slot_count; i++) {
            size_t total = share_total(&c->shares[i]);

            sum += total < middle ? total : middle;
        }
        if (sum <= places)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Gives what equal shares leave to some of those who would take it, one each:
 * first to those who were shown before. */
static void give_rest(struct choice *c, size_t share, size_t places)
{
    size_t left = places;

    for (size_t i = 0; i < c->slot_count; i++) {
        size_t total = share_total(&c->shares[i]);

        left -= total < share ? total : share;
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; left > 0 && i < c->slot_count; i++) {
            struct share *s = &c->shares[i];

            if (s->has_one_more || share_total(s) <= share || (round == 0 && s->counts[RANK_SHOWN] <= share))
                continue;
            s->has_one_more = true;
            left--;
        }
    }
}

/* Leaves of a user's wishes so many, the best first. */
static void grant(struct share *share, size_t places)
{
    for (size_t rank = 0; rank < RANK_COUNT; rank++) {
        if (share->counts[rank] > places)
            share->counts[rank] = (uint32_t)places;
        places -= share->counts[rank];
    }
}

static bool takes_place(struct choice *c, const struct listener *l)
{
    enum rank rank = (enum rank)c->ranks[l->index];
    struct share *share;

    if (rank == RANK_NONE)
        return false;
    if (rank == RANK_FIRST)
        return c->first > 0 && c->first--;
    if (c->slot_count == 0)
        return false;
    share = find_share(c, listener_user(l));
    return share->counts[rank] > 0 && share->counts[rank]--;
}

static void mark(struct choice *c)
{
    size_t limit = (size_t)c->limits->listeners, places;
    struct inventory_cursor cursor = {0};
    struct listener *l;

    if (c->first > limit)
        c->first = limit;
    places = limit - c->first;
    if (c->wanted > places) {
        size_t share = fair_share(c, places);

        give_rest(c, share, places);
        for (size_t i = 0; i < c->slot_count; i++)
            grant(&c->shares[i], share + c->shares[i].has_one_more);
    }
    while ((l = inventory_next(c->inv, &cursor)))
        l->chosen = takes_place(c, l);
}

static void mark_none(struct inventory *inv)
{
    struct inventory_cursor cursor = {0};
    struct listener *l;

    while ((l = inventory_next(inv, &cursor)))
        l->chosen = false;
}

int choice_make(struct inventory *inv, const struct policy *policy, const struct limits *limits,
                const struct history *history)
{
    struct choice c = {.inv = inv, .limits = limits, .ranks = calloc(inv->total + 1, 1)};
    int r = -ENOMEM;

    if (c.ranks) {
        rank_all(&c, policy, history);
        r = count_all(&c);
    }
    if (r == 0)
        mark(&c);
    else
        mark_none(inv);
    free(c.shares);
    free(c.ranks);
    return r;
}
