#include "collectors/process_table.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_holding(struct process *p)
{
    if (p->holding)
        free(p->holding->items);
    free(p->holding);
    p->holding = NULL;
}

void process_table_done(struct process_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free_holding(&t->items[i]);
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

    return i < t->count && t->items[i].pid == pid ? &t->items[i] : NULL;
}

struct process *process_add(struct process_table *t, uint32_t pid)
{
    size_t i = place_of(t, pid);
    struct process *items;

    if (i < t->count && t->items[i].pid == pid)
        return &t->items[i];
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
    size_t behind = (size_t)(t->items + t->count - (p + 1));

    free_holding(p);
    memmove(p, p + 1, behind * sizeof *p);
    t->count--;
}

void process_table_keep_listed(struct process_table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].listed)
            t->items[kept++] = t->items[i];
        else
            free_holding(&t->items[i]);
    }
    t->count = kept;
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

int process_hold(struct process *p, uint32_t inode, uint32_t fd)
{
    struct holding *h = p->holding ? p->holding : calloc(1, sizeof *h);
    struct held *items;
    size_t i;

    if (!h)
        return -ENOMEM;
    p->holding = h;
    i = place_of_held(h, inode);
    if (i == h->count || h->items[i].inode != inode) {
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

void process_trim(struct process *p)
{
    if (p->holding && p->holding->count == 0)
        free_holding(p);
}
