#include "collectors/users.h"
#include "collectors/user_database.h"
#include "collectors/user_worker.h"
#include "core/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All are known who are in use, which other limits bound. Where they are many
 * with those who were, one who was not of late goes for each that comes, if there
 * is one among so many. */
enum { MANY = 32768, TRIED = 64 };

/* How soon an answer is asked for again. */
#define NAMED_MS    INT64_C(30000)
#define NAMELESS_MS INT64_C(3000)

/* In all, so much time is between two questions that were not answered by a name
 * the last time; where many wait for that, some are asked together. */
#define NAMELESS_EACH_MS     INT64_C(50)
#define NAMELESS_TOGETHER_MS INT64_C(500)

/* So long a first answer is awaited. */
#define AWAITED_MS INT64_C(10000)

/* It is asked who is in use every so often; who was not for some times is
 * forgotten. */
#define ROUND_MS INT64_C(20000)
enum { ROUNDS_KEPT = 2 };

/* A neighbourhood of numbers, of which that many are told apart. Each of its
 * numbers that has no name lets the others wait, as seen beside other questions,
 * so much longer: more than the slowest answer takes. */
enum { RANGE_BITS = 16, RANGES = 1024 };
#define RANGE_MS INT64_C(60000)

/* Looks for answers come ever more seldom while there are none. */
#define LOOK_LAST_MS INT64_C(250)

/* A plan takes a millisecond for a hundred thousand, or less; it is made for some
 * hundredths of the time at most. */
enum { PLANNED_PER_MS = 4000, SLOTS_FIRST = 64 };

struct user {
    uint32_t uid;
    uint32_t next;    /* in its slot: index + 1, or 0 */
    uint32_t round;   /* in which it was in use last */
    bool answered;    /* at least once */
    bool failed;      /* the last time, or there is no such user */
    bool late;        /* it was awaited for long enough */
    char *name;       /* owned; NULL for none */
    int64_t ask_ms;   /* when to ask again */
    int64_t since_ms; /* when it was wanted first */
};

struct users {
    struct user_worker *worker;
    struct user *items; /* owned */
    size_t count, capacity;
    size_t hand;     /* where somebody who is not in use is looked for next */
    uint32_t *slots; /* owned; hash by uid: index + 1, or 0 */
    size_t slot_count;
    uint32_t ranges[RANGES]; /* numbers without a name in each */
    uint64_t version;
    uint32_t round;
    int64_t now_ms;           /* of the last step */
    int64_t round_ms;         /* when the next round begins */
    int64_t plan_ms, rest_ms; /* when it is decided what to ask; not before */
    int64_t nameless_ms;      /* when another one without a name may be asked for */
    int64_t look_ms, wait_ms; /* when to look for answers, and how long that is since the last look */
    bool awaits;              /* there will be some */
    bool is_slow;             /* it was waited for in vain, and has not answered since */
    bool gave_up;
};

struct users *users_new(void)
{
    struct users *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->worker = user_worker_new(user_database_ask);
    u->slots = calloc(SLOTS_FIRST, sizeof *u->slots);
    u->slot_count = SLOTS_FIRST;
    u->plan_ms = u->look_ms = INT64_MAX;
    if (u->worker && u->slots)
        return u;
    users_free(u);
    return NULL;
}

void users_free(struct users *u)
{
    if (!u)
        return;
    user_worker_free(u->worker);
    for (size_t i = 0; i < u->count; i++)
        free(u->items[i].name);
    free(u->items);
    free(u->slots);
    free(u);
}

static uint32_t hash(uint32_t number)
{
    return number * UINT32_C(2654435761) >> 7;
}

static uint32_t *slot_of(const struct users *u, uint32_t uid)
{
    return &u->slots[hash(uid) & (u->slot_count - 1)];
}

static uint32_t *range_of(struct users *u, uint32_t uid)
{
    return &u->ranges[hash(uid >> RANGE_BITS) & (RANGES - 1)];
}

static struct user *find(const struct users *u, uint32_t uid)
{
    uint32_t i = *slot_of(u, uid);

    while (i != 0 && u->items[i - 1].uid != uid)
        i = u->items[i - 1].next;
    return i != 0 ? &u->items[i - 1] : NULL;
}

static void enter(struct users *u, size_t index)
{
    uint32_t *slot = slot_of(u, u->items[index].uid);

    u->items[index].next = *slot;
    *slot = (uint32_t)index + 1;
}

static void leave(struct users *u, size_t index)
{
    uint32_t *link = slot_of(u, u->items[index].uid);

    while (*link != index + 1)
        link = &u->items[*link - 1].next;
    *link = u->items[index].next;
}

static void enter_all(struct users *u)
{
    memset(u->slots, 0, u->slot_count * sizeof *u->slots);
    for (size_t i = 0; i < u->count; i++)
        enter(u, i);
}

/* As many slots as there is room for users, or more. */
static void resize_slots(struct users *u)
{
    size_t slot_count = SLOTS_FIRST;
    uint32_t *slots;

    while (slot_count < u->capacity)
        slot_count *= 2;
    slots = slot_count != u->slot_count ? calloc(slot_count, sizeof *slots) : NULL;
    if (!slots)
        return; /* they are longer searched */
    free(u->slots);
    u->slots = slots;
    u->slot_count = slot_count;
    enter_all(u);
}

/* Numbers that are without a name, as far as anybody knows. */
static bool is_nameless(const struct user *user)
{
    return user->failed && !user->name;
}

static void forget(struct users *u, struct user *user)
{
    *range_of(u, user->uid) -= is_nameless(user);
    free(user->name);
    user->name = NULL;
}

/* Whoever was not in use of late goes, all of them in one pass. */
static void forget_unused(struct users *u)
{
    size_t kept = 0, before = u->count;

    for (size_t i = 0; i < u->count; i++) {
        if (u->round - u->items[i].round > ROUNDS_KEPT)
            forget(u, &u->items[i]);
        else
            u->items[kept++] = u->items[i];
    }
    if (kept == before)
        return;
    u->count = kept;
    u->items = array_shrink(u->items, &u->capacity, u->count, sizeof *u->items);
    resize_slots(u);
    enter_all(u);
}

/* A place for one more. Returns NULL when memory runs out. */
static struct user *make_room(struct users *u)
{
    struct user *items;

    for (int i = 0; u->count >= MANY && i < TRIED; i++) {
        size_t index = u->hand++ % u->count;

        if (u->round - u->items[index].round > 1) {
            leave(u, index);
            forget(u, &u->items[index]);
            return &u->items[index];
        }
    }
    items = array_grow(u->items, &u->capacity, u->count + 1, sizeof *items);
    if (!items)
        return NULL;
    u->items = items;
    resize_slots(u);
    return &items[u->count++];
}

static void want_plan(struct users *u, int64_t at_ms)
{
    if (at_ms < u->rest_ms)
        at_ms = u->rest_ms;
    if (at_ms < u->plan_ms)
        u->plan_ms = at_ms;
}

static struct user *add(struct users *u, uint32_t uid)
{
    struct user *user = make_room(u);

    if (!user)
        return NULL;
    if (u->count == 1)
        u->round_ms = u->now_ms + ROUND_MS;
    *user = (struct user){.uid = uid,
                          .round = u->round,
                          .late = u->gave_up,
                          .ask_ms = u->now_ms - NAMED_MS,
                          .since_ms = u->now_ms};
    enter(u, (size_t)(user - u->items));
    want_plan(u, u->now_ms);
    return user;
}

bool users_name(struct users *u, uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    struct user *user = find(u, uid);

    if (!user)
        user = add(u, uid);
    *ret_name = '\0';
    if (!user)
        return false;
    user->round = u->round;
    if (user->name)
        (void)snprintf(ret_name, USER_TEXT_MAX, "%s", user->name);
    else if (user->answered)
        (void)snprintf(ret_name, USER_TEXT_MAX, "%u", uid);
    return !user->answered && !user->late;
}

/* Takes a name, or that there is none, NULL. Returns 0 or -ENOMEM, and then all
 * is as it was. */
static int take_name(struct users *u, struct user *user, const char *name)
{
    char *copy;

    if (user->answered && (name ? user->name && strcmp(name, user->name) == 0 : !user->name))
        return 0;
    copy = name ? strdup(name) : NULL;
    if (name && !copy)
        return -ENOMEM;
    free(user->name);
    user->name = copy;
    user->answered = true;
    u->version++;
    return 0;
}

static void take_answer(struct users *u, const struct user_answer *answer)
{
    struct user *user = find(u, answer->uid);
    int r = answer->result;

    if (!user)
        return; /* nobody uses it any more */
    if (user->failed)
        u->nameless_ms += NAMELESS_EACH_MS;
    *range_of(u, user->uid) -= is_nameless(user);
    if (r >= 0 && take_name(u, user, r > 0 ? answer->name : NULL) < 0)
        r = -ENOMEM;
    user->failed = r <= 0;
    *range_of(u, user->uid) += is_nameless(user);
    user->ask_ms = u->now_ms + (user->failed ? NAMELESS_MS : NAMED_MS);
}

/* What is to be asked next, the first first. */
struct plan {
    struct question {
        uint32_t uid;
        bool failed;
        int64_t key;
    } questions[USER_WORKER_MAX];
    size_t count;
};

/* Puts a question at its place, if that is among the first. */
static void consider(struct plan *plan, struct question question)
{
    size_t i = plan->count;

    if (i == USER_WORKER_MAX && question.key >= plan->questions[i - 1].key)
        return;
    if (i < USER_WORKER_MAX)
        plan->count++;
    else
        i--;
    for (; i > 0 && plan->questions[i - 1].key > question.key; i--)
        plan->questions[i] = plan->questions[i - 1];
    plan->questions[i] = question;
}

/* A first answer that is awaited for too long. */
static void note_late(struct users *u, struct user *user)
{
    if (user->answered || user->late)
        return;
    user->late = u->now_ms - user->since_ms >= AWAITED_MS;
    u->version += user->late;
    if (!user->late)
        want_plan(u, user->since_ms + AWAITED_MS);
}

static void plan_one(struct users *u, struct user *user, struct plan *plan)
{
    int64_t at_ms = user->ask_ms;

    note_late(u, user);
    if (user->failed && u->nameless_ms > u->now_ms && at_ms < u->nameless_ms + NAMELESS_TOGETHER_MS)
        at_ms = u->nameless_ms + NAMELESS_TOGETHER_MS;
    if (at_ms > u->now_ms)
        want_plan(u, at_ms);
    else
        consider(plan, (struct question){user->uid, user->failed,
                                         user->ask_ms + *range_of(u, user->uid) * RANGE_MS});
}

static void hand_over(struct users *u, const struct plan *plan)
{
    int64_t failed = 1 + (u->now_ms - u->nameless_ms) / NAMELESS_EACH_MS;
    uint32_t uids[USER_WORKER_MAX];
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        if (!plan->questions[i].failed || failed-- > 0)
            uids[count++] = plan->questions[i].uid;
    if (user_worker_hand(u->worker, uids, count) < 0)
        want_plan(u, u->now_ms + NAMELESS_MS);
}

/* Goes over all, which is not done all the time where they are many. */
static void make_plan(struct users *u)
{
    struct plan plan = {.count = 0};

    u->plan_ms = INT64_MAX;
    u->rest_ms = u->now_ms + (int64_t)(u->count / PLANNED_PER_MS);
    if (u->nameless_ms < u->now_ms - NAMELESS_MS)
        u->nameless_ms = u->now_ms - NAMELESS_MS;
    forget_unused(u);
    for (size_t i = 0; i < u->count; i++)
        plan_one(u, &u->items[i], &plan);
    hand_over(u, &plan);
}

static void begin_round(struct users *u)
{
    u->round_ms = u->now_ms + ROUND_MS;
    u->round++;
    u->version++;
    want_plan(u, u->now_ms);
}

/* Decides when to look for answers. */
static void schedule_look(struct users *u, bool anew)
{
    u->wait_ms = anew || !u->awaits ? 1 : 2 * u->wait_ms;
    if (u->wait_ms > LOOK_LAST_MS)
        u->wait_ms = LOOK_LAST_MS;
    u->awaits = user_worker_is_busy(u->worker);
    u->look_ms = u->awaits ? u->now_ms + u->wait_ms : INT64_MAX;
}

void users_step(struct users *u, int64_t now_ms)
{
    struct user_answer answers[USER_WORKER_MAX];
    size_t count = user_worker_take(u->worker, answers);

    u->now_ms = now_ms;
    for (size_t i = 0; i < count; i++)
        take_answer(u, &answers[i]);
    if (count > 0) {
        u->is_slow = false;
        want_plan(u, now_ms);
    }
    if (now_ms >= u->round_ms && u->count > 0)
        begin_round(u);
    if (now_ms >= u->plan_ms)
        make_plan(u);
    schedule_look(u, count > 0);
}

int64_t users_due_ms(const struct users *u)
{
    int64_t due_ms = u->plan_ms < u->look_ms ? u->plan_ms : u->look_ms;

    return u->count > 0 && u->round_ms < due_ms ? u->round_ms : due_ms;
}

uint64_t users_version(const struct users *u)
{
    return u->version;
}

bool users_await(struct users *u, int64_t us)
{
    if (u->is_slow || !u->awaits)
        return false;
    u->is_slow = !user_worker_await(u->worker, us);
    return !u->is_slow;
}

void users_give_up(struct users *u)
{
    u->gave_up = true;
    for (size_t i = 0; i < u->count; i++)
        u->items[i].late = true;
    u->version++;
}

void users_refresh(struct users *u)
{
    for (size_t i = 0; i < u->count; i++)
        u->items[i].ask_ms = u->now_ms - NAMED_MS;
    want_plan(u, u->now_ms);
}
