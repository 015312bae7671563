/* Guests: the clients that are connected, in the order in which they were last
 * active, and who has to go when there are too many.
 *
 * Connections cost whoever opens them nothing, so there must always be room for
 * one more: it is made by whoever was idle for the longest time. What counts as
 * activity is the caller's matter. It knows no HTTP and touches no socket. Any
 * thread, but for guests_new() and guests_free(). */
#ifndef SOCKWATCH_EXPORTERS_GUESTS_H
#define SOCKWATCH_EXPORTERS_GUESTS_H

#include <stddef.h>

struct guests;
struct guest;

/* Makes the connection end soon, whatever its client does. The descriptor is
 * open during the call. Must not call any function of this file. */
typedef void guest_dismiss_fn(int fd);

/* max   more than so many are never there, but for those that were dismissed
 *       and have not left yet
 *
 * Returns owned, or NULL when memory runs out. */
struct guests *guests_new(size_t max, guest_dismiss_fn *dismiss);

/* All must have left. */
void guests_free(struct guests *g);

/* Somebody has connected; who was idle for the longest time is dismissed if
 * there are too many now.
 *
 * fd   open until guest_leave()
 *
 * Returns owned, for guest_leave(), or NULL when memory runs out. */
struct guest *guests_add(struct guests *g, int fd);

/* The guest has just done something. NULL, for one that could not be noted, is
 * nobody. */
void guest_is_active(struct guest *guest);

/* Its connection is about to be closed; NULL likewise. */
void guest_leave(struct guest *guest);

#endif
