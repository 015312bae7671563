#include "collectors/process_table.h"
#include "core/array.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget_whos(struct holding *h)
{
    for (size_t i = 0; i < h->who_count; i++)
        holder_unref(h->whos[i]);
    free(h->whos);
    h->whos = NULL;
    h->who_count = 0;
}

void process_leave(struct process *p)
{
    struct holding *h = p->holding;

    p->holding = NULL;
    if (!h || --h->processes > 0)
        return;
    forget_whos(h);
    free(h->items);
    free(h);
}

void process_table_done(struct process_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        process_leave(&t->items[i]);
    free(t->items);
    *t = (struct process_table){.items = NULL};
}

/* Where the process is, or belongs. PIDs come in order, mostly. */
static size_t place_of(const struct process_table *t, uint32_t pid)
{
    size_t low = 0, high = t->count;

    if (high > 0 && t->items[high - 1].pid < pid)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->items[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct process *process_find(const struct process_table *t, uint32_t pid)
{
    size_t i = place_of(t, pid);

    return i < t->count && t->items[i].pid == pid && !t->items[i].gone ? &t->items[i] : NULL;
}

struct process *process_next(const struct process_table *t, uint32_t pid)
{
    size_t i = place_of(t, pid);

    while (i < t->count && (t->items[i].pid <= pid || t->items[i].gone))
        i++;
    return i < t->count ? &t->items[i] : NULL;
}

uint32_t process_told_as(const struct process *p)
{
    return p->leader ? p->leader : p->pid;
}

struct process *process_add(struct process_table *t, uint32_t pid)
{
    size_t i = place_of(t, pid);
    struct process *items;

    if (i < t->count && t->items[i].pid == pid) {
        if (t->items[i].gone) {
            t->items[i] = (struct process){.pid = pid};
            t->gone--;
        }
        return &t->items[i];
    }
    items = array_grow(t->items, &t->capacity, t->count + 1, sizeof *items);
    if (!items)
        return NULL;
    t->items = items;
    memmove(items + i + 1, items + i, (t->count - i) * sizeof *items);
    t->count++;
    items[i] = (struct process){.pid = pid};
    return &items[i];
}

void process_remove(struct process_table *t, struct process *p)
{
    assert(!p->holding && !p->gone);
    p->gone = true;
    t->gone++;
}

void process_table_tidy(struct process_table *t)
{
    size_t kept = 0;

    if (t->gone == 0)
        return;
    for (size_t i = 0; i < t->count; i++)
        if (!t->items[i].gone)
            t->items[kept++] = t->items[i];
    t->count = kept;
    t->gone = 0;
    t->items = array_shrink(t->items, &t->capacity, t->count, sizeof *t->items);
}

bool process_has_changed(const struct process *p)
{
    return !p->scanned || p->descriptors == 0 || p->descriptors != p->scanned_descriptors;
}

static size_t place_of_held(const struct holding *h, uint32_t inode)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (h->items[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int process_hold_nothing(struct process *p)
{
    struct holding *h = calloc(1, sizeof *h);

    if (!h)
        return -ENOMEM;
    process_share(p, h);
    return 0;
}

int process_hold(struct process *p, uint32_t inode, uint32_t fd)
{
    struct holding *h;
    struct held *items;
    size_t i;

    if (!p->holding && process_hold_nothing(p) < 0)
        return -ENOMEM;
    h = p->holding;
    i = place_of_held(h, inode);
    if (i >= h->count || h->items[i].inode != inode) {
        items = array_grow(h->items, &h->capacity, h->count + 1, sizeof *items);
        if (!items)
            return -ENOMEM;
        h->items = items;
        memmove(items + i + 1, items + i, (h->count - i) * sizeof *items);
        h->count++;
    }
    h->items[i] = (struct held){.inode = inode, .fd = fd, .seen = true};
    return 0;
}

void process_share(struct process *p, struct holding *h)
{
    assert(!p->holding);
    p->holding = h;
    h->processes++;
}

void process_trim(struct process *p)
{
    struct holding *h = p->holding;

    if (!h)
        return;
    if (h->count == 0)
        forget_whos(h);
    if (h->count == 0 && h->processes == 1)
        process_leave(p);
}

static size_t place_of_who(const struct holding *h, uint32_t pid)
{
    size_t i = 0;

    while (i < h->who_count && h->whos[i]->pid != pid)
        i++;
    return i;
}

const struct holder *holding_who(const struct holding *h, uint32_t pid)
{
    size_t i = place_of_who(h, pid);

    return i < h->who_count ? h->whos[i] : NULL;
}

int holding_describe(struct holding *h, const struct holder *who)
{
    size_t i = place_of_who(h, who->pid);
    const struct holder **whos;

    if (i < h->who_count) {
        holder_unref(h->whos[i]);
        h->whos[i] = holder_ref(who);
        return 0;
    }
    /* One, mostly; and never many. */
    whos = reallocarray(h->whos, h->who_count + 1, sizeof(const struct holder *));
    if (!whos)
        return -ENOMEM;
    h->whos = whos;
    whos[h->who_count++] = holder_ref(who);
    return 0;
}

bool holding_forget_who(struct holding *h, uint32_t pid)
{
    size_t i = place_of_who(h, pid);

    if (i == h->who_count)
        return false;
    holder_unref(h->whos[i]);
    h->whos[i] = h->whos[--h->who_count];
    return true;
}

struct held *holding_find(const struct holding *h, uint32_t inode)
{
    size_t i = place_of_held(h, inode);

    return i < h->count && h->items[i].inode == inode ? &h->items[i] : NULL;
}

void holding_drop(struct holding *h, uint32_t inode)
{
    size_t i = place_of_held(h, inode);

    if (i == h->count || h->items[i].inode != inode)
        return;
    memmove(h->items + i, h->items + i + 1, (h->count - i - 1) * sizeof *h->items);
    h->count--;
}
