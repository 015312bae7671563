/* Arrays that grow. Any thread, as far as the array is one thread's. */
#ifndef SOCKWATCH_CORE_ARRAY_H
#define SOCKWATCH_CORE_ARRAY_H

#include <stddef.h>

/* Makes room for more elements.
 *
 * items      from malloc, or NULL while there are none
 * capacity   how many fit; updated
 * wanted     how many shall fit, at least 1
 * size       of one element, in bytes
 *
 * Returns the array, which may have moved, or NULL when memory runs out: items
 * and capacity are then as before. */
void *array_grow(void *items, size_t *capacity, size_t wanted, size_t size);

#endif
