#include "core/alert_series.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct alert_series alert_series_of_service(enum rule rule, const char *name, enum protocol protocol,
                                            uint16_t port)
{
    return (struct alert_series){rule, name, protocol, protocol_is_ip(protocol), port};
}

struct alert_series alert_series_of(const struct alert_key *key)
{
    return (struct alert_series){key->rule, key->name, key->protocol, key->has_port, key->port};
}

struct alert_series alert_series_of_ended(const struct ended_series *item)
{
    return (struct alert_series){item->rule, item->name, item->protocol, item->has_port, item->port};
}

int alert_series_compare(const struct alert_series *a, const struct alert_series *b)
{
    int r = (int)a->rule - (int)b->rule;

    if (r == 0)
        r = strcmp(a->name, b->name);
    if (r == 0)
        r = (int)a->protocol - (int)b->protocol;
    if (r == 0)
        r = (int)a->has_port - (int)b->has_port;
    return r != 0 ? r : (int)a->port - (int)b->port;
}

int ended_list_reserve(struct ended_list *list, size_t more)
{
    struct ended_series *items;

    if (more == 0)
        return 0;
    items = array_grow(list->items, &list->capacity, list->count + more, sizeof *items);
    if (!items)
        return -ENOMEM;
    list->items = items;
    return 0;
}

void ended_list_add(struct ended_list *list, const struct alert_series *series, enum severity severity,
                    int64_t now_ms)
{
    struct ended_series *item = &list->items[list->count++];

    *item = (struct ended_series){
        .rule = series->rule,
        .protocol = series->protocol,
        .severity = severity,
        .has_port = series->has_port,
        .port = series->port,
        .until_ms = now_ms + ALERT_SERIES_ENDED_MS,
    };
    memcpy(item->name, series->name, strlen(series->name));
}

static int compare_items(const struct ended_series *x, const struct ended_series *y)
{
    const struct alert_series a = alert_series_of_ended(x), b = alert_series_of_ended(y);
    int r = alert_series_compare(&a, &b);

    return r != 0 ? r : (int)x->severity - (int)y->severity;
}

/* Of one series the one that stays for the longest time comes first. */
static int compare(const void *a, const void *b)
{
    const struct ended_series *x = a, *y = b;
    int r = compare_items(x, y);

    return r != 0 ? r : (x->until_ms < y->until_ms) - (x->until_ms > y->until_ms);
}

/* Anybody can make those that a limit is for. */
static bool is_about_others(const struct ended_series *item)
{
    return !*item->name && item->rule != RULE_BLIND;
}

/* Those that are not cut come first, then those that stay for the longest time. */
static int compare_worth(const void *a, const void *b)
{
    const struct ended_series *x = a, *y = b;
    int r = (int)is_about_others(x) - (int)is_about_others(y);

    if (r == 0)
        r = (x->until_ms < y->until_ms) - (x->until_ms > y->until_ms);
    return r != 0 ? r : compare_items(x, y);
}

static void sort(struct ended_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare);
}

/* Leaves each series once, of a list in order, and only while its time lasts. */
static void thin_out(struct ended_list *list, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].until_ms > now_ms &&
            (kept == 0 || compare_items(&list->items[kept - 1], &list->items[i]) != 0))
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static void cut(struct ended_list *list, size_t limit)
{
    size_t others = 0;

    for (size_t i = 0; i < list->count; i++)
        others += is_about_others(&list->items[i]);
    if (limit == 0 || others <= limit)
        return;
    qsort(list->items, list->count, sizeof *list->items, compare_worth);
    list->cut += others - limit;
    list->count -= others - limit;
    sort(list);
}

bool ended_list_settle(struct ended_list *list, size_t limit, int64_t now_ms)
{
    size_t before = list->settled;
    bool has_new = list->count > before;

    if (!has_new && now_ms < ended_list_due_ms(list))
        return false;
    sort(list);
    thin_out(list, now_ms);
    cut(list, limit);
    list->items = array_shrink(list->items, &list->capacity, list->count, sizeof *list->items);
    list->settled = list->count;
    list->next_ms = INT64_MAX;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].until_ms < list->next_ms)
            list->next_ms = list->items[i].until_ms;
    return has_new || list->count != before;
}

int64_t ended_list_due_ms(const struct ended_list *list)
{
    return list->count > 0 ? list->next_ms : INT64_MAX;
}

void ended_list_done(struct ended_list *list)
{
    free(list->items);
    *list = (struct ended_list){0};
}
