#include "collectors/owners_internal.h"

/* Searching may take one part in so many of the time; after a rest so much at
 * once, and so much more in advance while nobody was found for some socket:
 * looking through a million descriptors takes seconds. Looking at known holders
 * has a share of its own, so that a long search does not blind it. */
#define SEARCH_PARTS   INT64_C(10)
#define SEARCH_REST_US INT64_C(5000000)
#define SEARCH_DEBT_US INT64_C(5000000)
#define LOOK_PARTS     INT64_C(50)
#define LOOK_REST_US   INT64_C(100000)

/* Looking at threads, which any user can make many of, may take so much of what
 * searching may: a socket on its way between processes is held by none for ever. */
#define THREADS_PARTS   INT64_C(50)
#define THREADS_REST_US INT64_C(250000)

/* The cgroup tree may be walked for one part in so many of the time, which
 * leaves most of the share of searching to what else is needed. */
#define TREE_PARTS INT64_C(30)

enum task {
    TASK_NONE,
    TASK_GO_ON, /* with what is being read */
    TASK_NEARBY,
    TASK_LIST,
    TASK_SCAN,
    TASK_THREADS,
    TASK_UPKEEP,
    TASK_LOOK,
};

struct choice {
    enum task task;
    int64_t at_us; /* when its share of the time allows it */
};

void owners_work_init(struct owners *o)
{
    o->search_share = share_of(SEARCH_PARTS, SEARCH_REST_US);
    o->look_share = share_of(LOOK_PARTS, LOOK_REST_US);
    o->threads.share = share_of(THREADS_PARTS, THREADS_REST_US);
}

/* What the search needs next. A new socket comes first, but what it needs to
 * have read is not read over and over while processes wait to be looked into. */
static enum task search_task(const struct owners *o, enum level level, bool *ret_urgent)
{
    const struct needs *n = &o->needs;
    bool scan_first = level <= LEVEL_URGENT && o->gather.owed_us > 0;

    *ret_urgent = n->unfound > 0;
    if (o->gather.stage != STAGE_NONE)
        return TASK_GO_ON;
    if (n->nearby_urgent && !scan_first)
        return TASK_NEARBY;
    *ret_urgent = n->unfound > 0 || level == LEVEL_NEAR_URGENT;
    if (level == LEVEL_NEAR_URGENT)
        return TASK_SCAN;
    if (n->listing_urgent && !scan_first)
        return TASK_LIST;
    *ret_urgent = level == LEVEL_URGENT;
    if (level == LEVEL_URGENT)
        return TASK_SCAN;
    if (n->nearby)
        return TASK_NEARBY;
    if (level == LEVEL_NEAR)
        return TASK_SCAN;
    if (n->listing)
        return TASK_LIST;
    return level == LEVEL_NONE ? TASK_NONE : TASK_SCAN;
}

static struct choice choose_upkeep(const struct owners *o, struct choice search, int64_t now_us)
{
    int64_t at_us = share_ready_us(&o->search_share, 0, now_us), upkeep_ms = owners_upkeep_ms(o);

    if (upkeep_ms == INT64_MAX)
        return search;
    if (upkeep_ms > at_us / 1000)
        at_us = upkeep_ms * 1000;
    return at_us < search.at_us ? (struct choice){TASK_UPKEEP, at_us} : search;
}

/* Threads come first, since their share is small. */
static struct choice choose_threads(const struct owners *o, struct choice other, int64_t now_us)
{
    int64_t at_us = share_ready_us(&o->search_share, SEARCH_DEBT_US, now_us);
    int64_t ready_us = share_ready_us(&o->threads.share, 0, now_us);

    if (!owners_threads_are_wanted(o))
        return other;
    at_us = at_us > ready_us ? at_us : ready_us;
    return at_us <= now_us || at_us < other.at_us ? (struct choice){TASK_THREADS, at_us} : other;
}

static struct choice choose_look(const struct owners *o, struct choice other, int64_t now_us)
{
    int64_t at_us = share_ready_us(&o->look_share, 0, now_us), look_ms = owners_look_ms(o);

    if (look_ms == INT64_MAX)
        return other;
    if (look_ms * 1000 > at_us)
        at_us = look_ms * 1000;
    return at_us <= now_us || at_us < other.at_us ? (struct choice){TASK_LOOK, at_us} : other;
}

/* What is to be done next, and when. */
static struct choice choose(const struct owners *o, int64_t now_us, bool to_the_end)
{
    enum level level = owners_scan_level(o);
    struct choice c = {.at_us = INT64_MAX};
    bool urgent;

    c.task = search_task(o, level, &urgent);
    if (c.task != TASK_NONE)
        c.at_us = to_the_end ? now_us : share_ready_us(&o->search_share, urgent ? SEARCH_DEBT_US : 0, now_us);
    if (to_the_end && c.task == TASK_NONE && owners_threads_are_wanted(o))
        return (struct choice){TASK_THREADS, now_us};
    if (to_the_end)
        return c;
    if (c.task == TASK_NONE || (c.task == TASK_SCAN && level >= LEVEL_REST) || c.at_us > now_us)
        c = choose_upkeep(o, c, now_us);
    return choose_look(o, choose_threads(o, c, now_us), now_us);
}

static int perform(struct owners *o, enum task task)
{
    switch (task) {
    case TASK_NONE: return 0;
    case TASK_GO_ON: return owners_gather_step(o);
    case TASK_NEARBY: return owners_gather_nearby(o);
    case TASK_LIST: return owners_list_all(o);
    case TASK_SCAN: return owners_scan_step(o);
    case TASK_THREADS: return owners_threads_step(o);
    case TASK_UPKEEP: owners_upkeep_step(o); return 0;
    case TASK_LOOK: return owners_look_step(o);
    }
    return 0;
}

static void account(struct owners *o, enum task task, enum stage stage, int64_t now_us, int64_t spent_us)
{
    share_spend(task == TASK_LOOK ? &o->look_share : &o->search_share, now_us, spent_us);
    if (task == TASK_SCAN)
        o->gather.owed_us = o->gather.owed_us > spent_us ? o->gather.owed_us - spent_us : 0;
    else if (task == TASK_THREADS)
        share_spend(&o->threads.share, now_us, spent_us);
    else if (task != TASK_LOOK)
        o->gather.owed_us += spent_us;
    if (stage == STAGE_TREE) {
        o->gather.tree_us += spent_us;
        o->gather.tree_ms = (now_us + TREE_PARTS * o->gather.tree_us) / 1000;
    }
    if (o->upkeep.complete_due && task != TASK_LOOK && task != TASK_THREADS)
        o->upkeep.complete_us += spent_us;
}

static int make_plan(struct owners *o)
{
    int r = o->plan_stale ? owners_plan(o) : 0;

    if (o->needs_stale)
        owners_measure(o);
    return r;
}

int owners_work(struct owners *o, const struct budget *budget, int64_t *ret_next_us)
{
    int64_t now_us = budget_now_us(budget);
    bool to_the_end = !budget_has_end(budget);
    int r;

    for (;;) {
        int64_t before_us = now_us;
        enum stage stage = o->gather.stage;
        struct choice next;

        o->now_ms = now_us / 1000;
        r = make_plan(o);
        next = choose(o, now_us, to_the_end);
        *ret_next_us = next.at_us;
        if (r < 0 || next.at_us > now_us || (budget_has_end(budget) && now_us >= budget->until_us))
            return r;
        r = perform(o, next.task);
        now_us = budget_now_us(budget);
        account(o, next.task, stage, now_us, now_us - before_us);
        if (r < 0)
            return r;
    }
}

int64_t owners_work_us(const struct owners *o, int64_t now_us)
{
    return choose(o, now_us, false).at_us;
}
