#include "core/array.h"

#include <stdlib.h>

enum { CAPACITY_FIRST = 16, SMALL = 64 };

void *array_grow(void *items, size_t *capacity, size_t wanted, size_t size)
{
    size_t larger = *capacity ? *capacity * 2 : CAPACITY_FIRST;
    void *moved;

    if (wanted <= *capacity)
        return items;
    if (larger < wanted)
        larger = wanted;
    moved = reallocarray(items, larger, size);
    if (moved)
        *capacity = larger;
    return moved;
}

/* It keeps as much room again as is used: what grows and shrinks by turns is
 * not moved each time. */
void *array_shrink(void *items, size_t *capacity, size_t count, size_t size)
{
    size_t smaller = 2 * count;
    void *moved;

    if (*capacity <= SMALL || *capacity <= 4 * count)
        return items;
    if (count == 0) {
        free(items);
        *capacity = 0;
        return NULL;
    }
    moved = reallocarray(items, smaller, size);
    if (!moved)
        return items;
    *capacity = smaller;
    return moved;
}
