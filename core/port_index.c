#include "core/port_index.h"
#include "core/array.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static uint64_t point_of(uint32_t space, enum protocol protocol, uint16_t port)
{
    return (uint64_t)space << 24 | (uint64_t)protocol << 16 | port;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_spans(const void *a, const void *b)
{
    const struct port_span *x = a, *y = b;
    int r = compare_numbers(x->first, y->first);

    return r != 0 ? r : compare_numbers(x->entry, y->entry);
}

/* Joins what overlaps, so that no port is named twice. Returns how many are left. */
static size_t join_spans(struct port_span *spans, size_t count)
{
    size_t left = 0;

    qsort(spans, count, sizeof *spans, compare_spans);
    for (size_t i = 0; i < count; i++) {
        if (left == 0 || spans[i].first > spans[left - 1].last)
            spans[left++] = spans[i];
        else if (spans[i].last > spans[left - 1].last)
            spans[left - 1].last = spans[i].last;
    }
    return left;
}

/* Adds the spans of the entry with that number. Returns 0 or -ENOMEM. */
static int add_spans(struct port_index *index, size_t entry, uint32_t space, unsigned protocols,
                     const struct port_range *ranges, size_t count)
{
    size_t most = count * protocols_count(protocols), made = 0;
    struct port_span *spans =
        array_grow(index->spans, &index->capacity, index->count + most + 1, sizeof *spans);

    if (!spans)
        return -ENOMEM;
    index->spans = spans;
    spans += index->count;
    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        for (size_t i = 0; protocols & 1u << protocol && i < count; i++)
            spans[made++] = (struct port_span){
                .first = point_of(space, (enum protocol)protocol, ranges[i].first),
                .last = point_of(space, (enum protocol)protocol, ranges[i].last),
                .entry = (uint32_t)entry,
            };
    index->count += join_spans(spans, made);
    return 0;
}

int port_index_add(struct port_index *index, uint32_t space, unsigned protocols,
                   const struct port_range *ranges, size_t count)
{
    int r = add_spans(index, index->entries, space, protocols, ranges, count);

    index->entries += r == 0;
    return r;
}

int port_index_extend(struct port_index *index, uint32_t space, unsigned protocols,
                      const struct port_range *ranges, size_t count)
{
    assert(index->entries > 0);
    return add_spans(index, index->entries - 1, space, protocols, ranges, count);
}

static uint32_t middle_of(uint32_t from, uint32_t to)
{
    return from + (to - from) / 2;
}

/* Fills in the reach of a tree, which it returns; 0 for none. As deep as the
 * tree, which is balanced. */
static uint64_t fill_reach(struct port_span *spans, uint32_t from, uint32_t to)
{
    uint32_t middle = middle_of(from, to);
    uint64_t left, right, reach;

    if (from == to)
        return 0;
    left = fill_reach(spans, from, middle);
    right = fill_reach(spans, middle + 1, to);
    reach = left > right ? left : right;
    if (spans[middle].last > reach)
        reach = spans[middle].last;
    spans[middle].reach = reach;
    return reach;
}

void port_index_seal(struct port_index *index)
{
    assert(index->count <= UINT32_MAX / 2);
    if (index->count > 0)
        qsort(index->spans, index->count, sizeof *index->spans, compare_spans);
    (void)fill_reach(index->spans, 0, (uint32_t)index->count); /* of the whole: nobody asks */
}

void port_index_done(struct port_index *index)
{
    free(index->spans);
    *index = (struct port_index){0};
}

static void leave_for_later(struct port_walk *walk, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    assert(walk->depth < PORT_WALK_DEPTH_MAX);
    walk->parts[walk->depth].from = from;
    walk->parts[walk->depth++].to = to;
}

void port_walk_begin(struct port_walk *walk, const struct port_index *index, uint32_t space,
                     enum protocol protocol, uint16_t port)
{
    walk->point = point_of(space, protocol, port);
    walk->depth = 0;
    leave_for_later(walk, 0, (uint32_t)index->count);
}

bool port_walk_next(struct port_walk *walk, const struct port_index *index, size_t *ret_entry)
{
    while (walk->depth > 0) {
        uint32_t from = walk->parts[--walk->depth].from, to = walk->parts[walk->depth].to;
        uint32_t middle = middle_of(from, to);
        const struct port_span *span = &index->spans[middle];

        if (span->reach < walk->point)
            continue; /* nor does any below */
        leave_for_later(walk, from, middle);
        if (span->first > walk->point)
            continue; /* as all on the right */
        leave_for_later(walk, middle + 1, to);
        if (span->last >= walk->point) {
            *ret_entry = span->entry;
            return true;
        }
    }
    return false;
}

static int compare_points(const void *a, const void *b)
{
    return compare_numbers(*(const uint64_t *)a, *(const uint64_t *)b);
}

int port_index_crowd(const struct port_index *index, size_t limit, size_t *ret_entry)
{
    uint64_t *lasts = calloc(index->count + 1, sizeof *lasts);
    size_t ended = 0;
    int r = 0;

    if (!lasts)
        return -ENOMEM;
    for (size_t i = 0; i < index->count; i++)
        lasts[i] = index->spans[i].last;
    if (index->count > 0)
        qsort(lasts, index->count, sizeof *lasts, compare_points);
    for (size_t i = 0; r == 0 && i < index->count; i++) {
        while (lasts[ended] < index->spans[i].first)
            ended++;
        r = i + 1 - ended > limit;
        if (r > 0)
            *ret_entry = index->spans[i].entry;
    }
    free(lasts);
    return r;
}
