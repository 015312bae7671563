#include "core/probe_schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a new schedule is made of, until all of it is there. */
struct draft {
    struct probe_item *items;
    int64_t *due_ms;
    size_t count, fresh;
};

static bool is_same(const struct probe_item *item, const struct expect *e)
{
    return strcmp(item->name, e->name) == 0 && item->target.port == e->probe.target.port &&
           ip_addr_compare(&item->target.address, &e->probe.target.address) == 0;
}

/* The entries stand in the same order mostly.
 *
 * hint   where the last one was found */
static size_t find_same(const struct probe_schedule *s, const struct expect *e, size_t hint)
{
    for (size_t i = 0; i < s->count; i++)
        if (is_same(&s->items[(hint + i) % s->count], e))
            return (hint + i) % s->count;
    return s->count;
}

static void begin_item(struct probe_item *item, const struct expect *e)
{
    *item = (struct probe_item){
        .target = e->probe.target, .reach = REACH_UNTOLD, .now = {.slot = -1, .begun_ms = -PROBE_AGAIN_MS}};
    memcpy(item->name, e->name, sizeof item->name);
}

static void add_item(struct draft *d, const struct probe_schedule *s, const struct expect *e, size_t index,
                     size_t *hint)
{
    struct probe_item *item = &d->items[d->count];
    size_t before = find_same(s, e, *hint);

    d->due_ms[d->count++] = before < s->count ? s->due_ms[before] : INT64_MIN;
    if (before < s->count) {
        *item = s->items[before];
        *hint = before + 1;
    } else {
        begin_item(item, e);
        d->fresh++;
    }
    item->expect = (uint32_t)index;
    item->interval_ms = probe_interval_ms(&e->probe);
    item->timeout_ms = probe_timeout_ms(&e->probe);
}

/* Spreads those that have not been made before over their intervals, and lets none
 * wait longer than one of the interval that it has now. */
static void spread(struct draft *d, bool once, int64_t now_ms)
{
    int64_t nth = 0;

    for (size_t i = 0; i < d->count; i++) {
        struct probe_item *item = &d->items[i];
        int64_t share_ms = once ? 0 : item->interval_ms * nth / (int64_t)(d->fresh + (d->fresh == 0));

        if (d->due_ms[i] == INT64_MIN) {
            d->due_ms[i] = now_ms + share_ms;
            item->waited_ms = d->due_ms[i];
            nth++;
        } else if (d->due_ms[i] != INT64_MAX && d->due_ms[i] > now_ms + item->interval_ms) {
            d->due_ms[i] = now_ms + item->interval_ms;
        }
    }
}

int probe_schedule_set(struct probe_schedule *s, const struct policy *policy, int64_t now_ms)
{
    struct draft d = {.count = 0};
    size_t wanted = 0, hint = 0;

    for (size_t i = 0; i < policy->expect_count; i++)
        wanted += policy->expects[i].probe.is_set;
    d.items = calloc(wanted + 1, sizeof *d.items);
    d.due_ms = calloc(wanted + 1, sizeof *d.due_ms);
    if (!d.items || !d.due_ms) {
        free(d.items);
        free(d.due_ms);
        return -ENOMEM;
    }
    for (size_t i = 0; i < policy->expect_count; i++)
        if (policy->expects[i].probe.is_set)
            add_item(&d, s, &policy->expects[i], i, &hint);
    spread(&d, s->bounds.once, now_ms);
    probe_schedule_done(s);
    s->items = d.items;
    s->due_ms = d.due_ms;
    s->count = d.count;
    for (size_t i = 0; i < s->count; i++)
        s->under_way += s->items[i].now.slot >= 0;
    s->is_new = s->is_new_to_rules = true;
    return 0;
}

void probe_schedule_done(struct probe_schedule *s)
{
    free(s->items);
    free(s->due_ms);
    s->items = NULL;
    s->due_ms = NULL;
    s->count = s->under_way = 0;
}

/* The one that has waited longest; s->count where none waits. */
static size_t find_first(const struct probe_schedule *s)
{
    size_t first = s->count;

    for (size_t i = 0; i < s->count; i++)
        if (s->due_ms[i] != INT64_MAX && (first == s->count || s->due_ms[i] < s->due_ms[first]))
            first = i;
    return first;
}

int64_t probe_schedule_due_ms(const struct probe_schedule *s)
{
    size_t first = s->under_way < s->bounds.at_a_time ? find_first(s) : s->count;

    if (first == s->count)
        return INT64_MAX;
    return s->due_ms[first] > s->next_ms ? s->due_ms[first] : s->next_ms;
}

struct probe_item *probe_schedule_begin(struct probe_schedule *s, int slot, int64_t now_ms)
{
    size_t first = s->under_way < s->bounds.at_a_time ? find_first(s) : s->count;
    struct probe_item *item;

    if (first == s->count || s->due_ms[first] > now_ms || s->next_ms > now_ms)
        return NULL;
    item = &s->items[first];
    item->now.slot = slot;
    item->now.planned_ms = s->due_ms[first];
    item->now.begun_ms = now_ms;
    item->now.reach = item->reach;
    item->now.again = false;
    s->due_ms[first] = INT64_MAX;
    s->next_ms = now_ms + s->bounds.apart_ms;
    s->under_way++;
    return item;
}

/* When the next one is due after one that was planned. One that was late is not made
 * up for. */
static int64_t next_due_ms(struct probe_schedule *s, const struct probe_item *item, int64_t now_ms)
{
    int64_t next_ms = item->now.planned_ms + item->interval_ms;

    if (s->bounds.once)
        return INT64_MAX;
    if (item->now.again || item->now.reach != item->reach) {
        next_ms = item->now.begun_ms + PROBE_AGAIN_MS;
        return next_ms > now_ms ? next_ms : now_ms;
    }
    if (next_ms < now_ms) {
        int64_t missed = (now_ms - next_ms) / item->interval_ms + 1;

        s->left_out += (uint64_t)missed;
        next_ms += missed * item->interval_ms;
    }
    return next_ms;
}

static void end_item(struct probe_schedule *s, struct probe_item *item, int64_t now_ms)
{
    s->due_ms[item - s->items] = next_due_ms(s, item, now_ms);
    item->now.slot = -1;
    s->under_way--;
    s->is_new = true;
}

void probe_schedule_end(struct probe_schedule *s, struct probe_item *item, enum probe_result result, bool own,
                        int64_t duration_us, int64_t now_ms)
{
    const struct probe_told *before = &item->result;
    bool is_as_before =
        item->was_known && before->result == result && before->reach == item->now.reach && before->own == own;

    if (!item->has_result || before->result != result) {
        item->first_ms = now_ms;
        item->first_told = false;
    }
    item->has_result = !item->now.again;
    item->result = (struct probe_told){.own = own,
                                       .reach = item->now.reach,
                                       .result = result,
                                       .duration_us = duration_us,
                                       .since_ms = before->since_ms};
    item->waited_ms = now_ms;
    item->error = 0;
    s->is_new_to_rules |= !is_as_before;
    end_item(s, item, now_ms);
}

void probe_schedule_fail(struct probe_schedule *s, struct probe_item *item, int error, int64_t now_ms)
{
    item->error = error;
    end_item(s, item, now_ms);
}

/* Lets another one be made soon, if none is under way: that is looked at when it ends. */
static void hurry(struct probe_schedule *s, struct probe_item *item, int64_t now_ms)
{
    int64_t soon_ms = item->now.begun_ms + PROBE_AGAIN_MS, *due_ms = &s->due_ms[item - s->items];

    if (soon_ms < now_ms)
        soon_ms = now_ms;
    if (*due_ms != INT64_MAX && *due_ms > soon_ms)
        *due_ms = soon_ms;
}

static struct probe_item *find_item(const struct probe_schedule *s, size_t expect)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->items[middle].expect == expect)
            return &s->items[middle];
        if (s->items[middle].expect < expect)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void probe_schedule_note(struct probe_schedule *s, size_t expect, uint8_t reach, bool renewed, int64_t now_ms)
{
    struct probe_item *item = find_item(s, expect);

    if (!item || (item->reach == reach && !renewed))
        return;
    if (renewed && item->has_result) {
        item->has_result = false;
        s->is_new = s->is_new_to_rules = true;
    }
    item->now.again |= renewed && item->now.slot >= 0;
    if (item->reach != REACH_UNTOLD)
        hurry(s, item, now_ms);
    item->reach = reach;
}

static bool is_old(const struct probe_item *item, int64_t now_ms)
{
    return now_ms - item->waited_ms > item->interval_ms * PROBE_BELIEVED_INTERVALS + item->timeout_ms;
}

static bool is_known(const struct probe_schedule *s, const struct probe_item *item, int64_t now_ms)
{
    return item->has_result && (s->bounds.once || !is_old(item, now_ms));
}

/* One that is made once either has a result or never will. */
static bool is_unmade(const struct probe_schedule *s, const struct probe_item *item, int64_t now_ms)
{
    return !item->has_result ? s->bounds.once || is_old(item, now_ms) : !is_known(s, item, now_ms);
}

void probe_schedule_age(struct probe_schedule *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct probe_item *item = &s->items[i];

        if (is_known(s, item, now_ms) != item->was_known || is_unmade(s, item, now_ms) != item->was_unmade)
            s->is_new = s->is_new_to_rules = true;
    }
}

size_t probe_schedule_failed(const struct probe_schedule *s, int *ret_error)
{
    size_t failed = 0;

    *ret_error = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].error < 0)
            *ret_error = s->items[i].error;
        failed += s->items[i].error < 0;
    }
    return failed;
}

const struct probe_results *probe_schedule_tell(struct probe_schedule *s, struct instant now)
{
    struct probe_results *results = probe_results_new(s->count);

    if (!results)
        return NULL;
    for (size_t i = 0; i < s->count; i++) {
        struct probe_item *item = &s->items[i];
        struct probe_told *told = &results->items[i];

        item->was_known = is_known(s, item, now.mono_ms);
        item->was_unmade = is_unmade(s, item, now.mono_ms);
        if (!item->first_told)
            item->result.since_ms = now.wall_ms - (now.mono_ms - item->first_ms);
        item->first_told = true;
        if (item->was_known)
            *told = item->result;
        told->known = item->was_known;
        told->unmade = item->was_unmade;
        told->expect = item->expect;
    }
    s->is_new = s->is_new_to_rules = false;
    return results;
}
