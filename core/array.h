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

/* Gives back what an array has much too much room for: more than four times of
 * what is in it. Cheap where nothing is to be given back.
 *
 * items      from array_grow(); may be NULL
 * capacity   how many fit; updated
 * count      how many are there
 * size       of one element, in bytes
 *
 * Returns the array, which may have moved; NULL where nothing is in it and it
 * was freed. Never fails: at worst all stays as it is. */
void *array_shrink(void *items, size_t *capacity, size_t count, size_t size);

#endif
