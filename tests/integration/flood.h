/* What the parts of the flood share: the processes that it is made of. All of
 * them are children of the first one, which kills and awaits them at its end;
 * should it be killed itself, the kernel kills them. One thread. */
#ifndef SOCKWATCH_TESTS_INTEGRATION_FLOOD_H
#define SOCKWATCH_TESTS_INTEGRATION_FLOOD_H

#include "tests/bench/bench.h"

#include <stdbool.h>

struct flood {
    pid_t *children; /* owned; 0: has been ended */
    size_t count, capacity;
    unsigned descriptors; /* that a process may hold, with some to spare */
    size_t doing;         /* children that will tell when they have done all */
    int told[2];          /* a pipe: a byte from each child that is ready or has done all */
    int every_ms;         /* how often turn is called; 0: never */
    void (*turn)(struct flood *f, unsigned round);
    void (*clear)(struct flood *f); /* after the last child has ended; may be NULL */
};

/* Both say on standard error what is wrong, and end the flood. */
unsigned flood_number(const char *text);
void flood_children_ready(const struct flood *f, size_t count);

/* Like fork(); the child ends with its parent.
 *
 * cgroup   a directory to be born in, or -1 */
pid_t flood_fork(struct flood *f, int cgroup);

/* Children without memory of their own, which hold nothing but what CLONE_FILES
 * in flags lets them share. They do nothing. Where no more are allowed there are
 * fewer, which standard error tells. */
void flood_clone(struct flood *f, unsigned count, int flags);

/* Kills the children from this one on, and awaits them. */
void flood_end_children(struct flood *f, size_t first);

/* By a child: it is ready, or has done all. */
void flood_tell(const struct flood *f);
_Noreturn void flood_rest(void);

void flood_sleep_ms(unsigned ms);

/* What can be flooded; the arguments are those after the name. */
void flood_listeners(struct flood *f, char **arguments);
void flood_wildcard(struct flood *f, char **arguments);
void flood_freebind(struct flood *f, char **arguments);
void flood_udp(struct flood *f, char **arguments);
void flood_reuseport(struct flood *f, char **arguments);
void flood_shared(struct flood *f, char **arguments);
void flood_held(struct flood *f, char **arguments);
void flood_names(struct flood *f, char **arguments);
void flood_processes(struct flood *f, char **arguments);
void flood_cgroups(struct flood *f, char **arguments);
void flood_alternate(struct flood *f, char **arguments);
void flood_idle(struct flood *f, char **arguments);

/* Each kind of flood has loopback addresses of its own, 127.PLANE.x.y, so that
 * all can be at once; those that change have several. */
enum {
    PLANE_LISTENERS = 1, /* to 199 */
    PLANE_REUSEPORT = 200,
    PLANE_SHARED,
    PLANE_HELD,
    PLANE_NAMES,
    PLANE_ALTERNATE,
    PLANE_CGROUPS = 210, /* to 249 */
};

/* A TCP listener of loopback. Returns its descriptor, or -1 when there is one
 * already. */
int flood_open_listener(unsigned plane, unsigned index);

#endif
