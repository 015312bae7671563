/* What is known about processes: how much looking through each costs, when that
 * was done, and which of the watched sockets it was seen to have. Knows no
 * /proc. A process that has none of them costs some tens of bytes. Pure; one
 * thread.
 *
 * Moments are numbers that count events, not times. */
#ifndef SOCKWATCH_COLLECTORS_PROCESS_TABLE_H
#define SOCKWATCH_COLLECTORS_PROCESS_TABLE_H

#include "core/owner.h"

/* A socket that a process has, and one of the descriptors it has it as. */
struct held {
    uint32_t inode, fd;
    bool seen; /* by the look under way */
};

/* Who a process is that has some, and which. */
struct holding {
    struct holder who;
    struct held *items; /* owned; by inode */
    size_t count, capacity;
    size_t next; /* to be looked at again, modulo count */
};

struct process {
    uint32_t pid;
    uint32_t descriptors; /* when it was listed last; 0 unknown */
    uint32_t scanned_descriptors;
    bool scanned;            /* looked through at least once */
    bool denied;             /* it did not let us look */
    bool listed;             /* by the listing under way */
    bool suspect;            /* a descriptor was not what it had been */
    bool asked;              /* somebody new, or changed */
    bool near_urgent;        /* near_due is of a socket that nobody was found for */
    uint64_t served;         /* sockets due up to this moment need not be looked for here */
    uint64_t near_due;       /* sockets due up to this moment are probably here */
    int64_t look_ms;         /* when it is looked at again; 0 never */
    int64_t since_ms[2];     /* since when it waits to be looked through: urgently, at leisure; 0 not */
    struct holding *holding; /* owned; NULL: it has none */
};

struct process_table {
    struct process *items; /* by PID */
    size_t count, capacity;
};

void process_table_done(struct process_table *t);

/* Returns NULL when it is not known; valid until one is added or removed. */
struct process *process_find(const struct process_table *t, uint32_t pid);

/* Returns it, new and zeroed but for the PID if it was not known; NULL when
 * memory runs out. */
struct process *process_add(struct process_table *t, uint32_t pid);

void process_remove(struct process_table *t, struct process *p);

/* Removes all that were not listed. */
void process_table_keep_listed(struct process_table *t);

/* How many descriptors it has is unknown, or is not what it was. */
bool process_has_changed(const struct process *p);

/* Notes that a process has a socket; the descriptor last noted counts. Where
 * it is the first one, p->holding->who is to be filled in. Returns 0 or -ENOMEM. */
int process_hold(struct process *p, uint32_t inode, uint32_t fd);

/* Frees the holding when it is empty. */
void process_trim(struct process *p);

#endif
