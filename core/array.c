#include "core/array.h"

#include <stdlib.h>

enum { CAPACITY_FIRST = 16 };

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
