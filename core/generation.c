#include "core/generation.h"

#include <string.h>

/* Who came and who went between two polls, by age. */
struct census {
    uint32_t gone[GENERATION_AGES];
    uint32_t spare[GENERATION_AGES]; /* that are there */
    uint32_t fresh;
};

/* Mostly there are few ages, and all the others need not be touched. */
static void census_begin(struct census *c, uint32_t ages)
{
    memset(c->gone, 0, (ages + 1) * sizeof *c->gone);
    memset(c->spare, 0, (ages + 1) * sizeof *c->spare);
    c->fresh = 0;
}

/* Counts what a socket dropped since before, or NULL: since it was made. The
 * kernel counts in 32 bits, so the difference is right across a wrap. Without a
 * cookie, a count that is lower is another socket's. */
static void add_drops(struct generation *now, const struct trace *socket, const struct trace *before)
{
    if (!socket->drops.known)
        return;
    if (before && before->drops.known && (socket->cookie != 0 || socket->drops.count >= before->drops.count))
        now->drops += (uint32_t)(socket->drops.count - before->drops.count);
    else
        now->drops += socket->drops.count;
}

/* One that was there before, be it at the last poll. */
static void meet_again(struct generation *now, struct trace *socket, const struct trace *before)
{
    add_drops(now, socket, before);
    socket->age = before->age;
    socket->spare = before->spare;
}

/* Keeps one that is away. Those without a cookie cannot be told apart, so none
 * of them could come back. */
static void remember(struct generation *now, const struct trace *away, uint32_t left)
{
    if (away->cookie == 0)
        return;
    now->departed[now->departed_count] = *away;
    now->departed[now->departed_count++].left = left;
}

/* Returns the first of some traces if it has the cookie, and goes on to the next. */
static struct trace *take(struct trace **at, const struct trace *end, uint64_t cookie)
{
    return *at < end && (*at)->cookie == cookie ? (*at)++ : NULL;
}

static uint64_t lower_cookie(uint64_t cookie, const struct trace *at, const struct trace *end)
{
    return at < end && at->cookie < cookie ? at->cookie : cookie;
}

/* One that was not known. In a group that is followed in part it may have been
 * there before, unfollowed. */
static void meet(struct generation *now, struct trace *socket, bool is_whole, struct census *census)
{
    if (is_whole)
        add_drops(now, socket, NULL);
    socket->age = (uint8_t)now->ages;
    socket->spare = is_whole;
    census->fresh++;
}

/* Walks through those that are there, were there and went before, all by
 * cookie. One that comes back takes a place that is free, and where another has
 * its place none: that one would have to be a spare one again, and would stand
 * for it each time it goes.
 *
 * is_whole   all sockets are followed, now and before */
static void compare(struct generation *now, const struct generation *before, bool is_whole,
                    struct census *census)
{
    struct trace *is = now->sockets, *was = before->sockets, *went = before->departed;
    const struct trace *is_end = is + now->count, *was_end = was + before->count;
    const struct trace *went_end = went + before->departed_count;

    while (is < is_end || was < was_end || went < went_end) {
        uint64_t cookie = lower_cookie(UINT64_MAX, is, is_end);
        struct trace *here, *there, *away;

        cookie = lower_cookie(lower_cookie(cookie, was, was_end), went, went_end);
        here = take(&is, is_end, cookie);
        there = take(&was, was_end, cookie);
        away = take(&went, went_end, cookie);
        if (here && (there || away)) {
            meet_again(now, here, there ? there : away);
            now->owed -= !there && is_whole && now->owed > 0;
        } else if (here) {
            meet(now, here, is_whole, census);
        } else if (there) {
            census->gone[there->age]++;
            remember(now, there, now->polls);
        } else if (away) {
            remember(now, away, away->left);
        }
    }
}

/* Lets spare sockets stand for those that went: each for one that came earlier,
 * the oldest first, so that the others can stand for as many as possible. */
static void replace(struct generation *now, struct census *census)
{
    uint32_t open = 0, replaced = 0;

    for (uint32_t i = 0; i < now->count; i++)
        census->spare[now->sockets[i].age] += now->sockets[i].spare;
    for (uint32_t age = 0; age <= now->ages; age++) {
        uint32_t *spare = &census->spare[age], taken;

        if (age == now->ages)
            open += now->owed; /* which only the new can stand for */
        taken = open < *spare ? open : *spare;
        *spare -= taken;
        replaced += taken;
        open -= taken;
        open += census->gone[age];
    }
    now->owed = open;
    now->restarts += replaced > 0;
    for (uint32_t i = 0; i < now->count; i++) {
        struct trace *socket = &now->sockets[i];

        socket->spare = socket->spare && census->spare[socket->age] > 0;
        census->spare[socket->age] -= socket->spare;
    }
}

static void mark_ages(bool used[static GENERATION_AGES], const struct trace *traces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        used[traces[i].age] = true;
}

static void change_ages(struct trace *traces, uint32_t count, const uint8_t ages[static GENERATION_AGES])
{
    for (uint32_t i = 0; i < count; i++)
        traces[i].age = ages[traces[i].age];
}

/* Numbers the ages anew, without those that nobody has any more, so that there
 * is one for those that come next. If all are in use, the two oldest become one. */
static void renumber(struct generation *g)
{
    bool used[GENERATION_AGES] = {false};
    uint8_t ages[GENERATION_AGES];
    uint32_t next = 0;

    mark_ages(used, g->sockets, g->count);
    mark_ages(used, g->departed, g->departed_count);
    for (uint32_t age = 0; age < GENERATION_AGES; age++) {
        ages[age] = (uint8_t)next;
        next += used[age];
    }
    if (next == GENERATION_AGES) {
        for (uint32_t age = 1; age < GENERATION_AGES; age++)
            ages[age]--;
        next--;
    }
    change_ages(g->sockets, g->count, ages);
    change_ages(g->departed, g->departed_count, ages);
    g->ages = next;
}

/* One that is seen for the first time. */
static void begin(struct generation *now)
{
    now->ages = 1;
    for (uint32_t i = 0; i < now->count; i++) {
        add_drops(now, &now->sockets[i], NULL);
        now->sockets[i].age = 0;
        now->sockets[i].spare = false;
    }
}

void generation_follow(struct generation *now, const struct generation *before)
{
    struct census census;
    bool is_whole = before && !now->in_part && !before->in_part;

    now->departed_count = 0;
    now->polls = before ? before->polls + 1 : 0;
    now->ages = before ? before->ages : 0;
    now->owed = before ? before->owed : 0;
    now->drops = before ? before->drops : 0;
    now->restarts = before ? before->restarts : 0;
    now->renewed = false;
    if (!before) {
        begin(now);
        return;
    }
    census_begin(&census, now->ages);
    compare(now, before, is_whole, &census);
    if (is_whole)
        replace(now, &census);
    now->renewed = is_whole && now->count > 0 && census.fresh == now->count;
    now->ages += census.fresh > 0;
    if (now->ages == GENERATION_AGES)
        renumber(now);
}

/* How many polls ago the first went of those that are remembered. */
static uint32_t longest_away(const struct generation *g)
{
    uint32_t longest = 0;

    for (uint32_t i = 0; i < g->departed_count; i++)
        if (g->polls - g->departed[i].left > longest)
            longest = g->polls - g->departed[i].left;
    return longest;
}

/* How many of them went less than so many polls ago. */
static uint32_t count_lately(const struct generation *g, uint32_t polls)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < g->departed_count; i++)
        count += g->polls - g->departed[i].left < polls;
    return count;
}

/* The most polls within which no more went than are kept, where not all are. */
static uint32_t kept_polls(const struct generation *g, uint32_t keep)
{
    uint32_t low = 0, high = longest_away(g); /* mostly a few */

    while (low < high) {
        uint32_t middle = high - (high - low) / 2;

        if (count_lately(g, middle) <= keep)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void generation_forget(struct generation *g, uint32_t keep)
{
    uint32_t polls, together, kept = 0;

    if (g->departed_count <= keep)
        return;
    polls = kept_polls(g, keep);
    together = keep - count_lately(g, polls); /* of those that went just before, there is room for so many */
    for (uint32_t i = 0; i < g->departed_count; i++) {
        uint32_t ago = g->polls - g->departed[i].left;

        if (ago > polls || (ago == polls && together == 0))
            continue;
        together -= ago == polls;
        g->departed[kept++] = g->departed[i];
    }
    g->departed_count = kept;
}
