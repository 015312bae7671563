/* What is known about processes: how much looking through each costs, when that
 * was done, and which of the watched sockets it was seen to have. Processes that
 * share a table of descriptors share what was found in it. Knows no /proc. A
 * process that has none of them costs some tens of bytes. A thread that has some
 * in a table of its own is one more of them. Pure; one thread.
 *
 * Moments are numbers that count events, not times. */
#ifndef SOCKWATCH_COLLECTORS_PROCESS_TABLE_H
#define SOCKWATCH_COLLECTORS_PROCESS_TABLE_H

#include "core/owner.h"

/* A socket that is in a table of descriptors, and one of those it is there as. */
struct held {
    uint32_t inode, fd;
    bool seen; /* by the look under way */
};

/* What was found in a table of descriptors, and the processes that have it: one,
 * or several that share it (CLONE_FILES). */
struct holding {
    struct held *items; /* owned; by inode */
    size_t count, capacity;
    size_t next;      /* to be looked at again, modulo count */
    size_t processes; /* that have it */
    struct {
        uint32_t pid;           /* the process as which it was looked through then; 0: nowhere */
        uint64_t at;            /* the moment of that look */
        size_t processes;       /* so many were counted */
        int64_t again_ms;       /* when others may be */
    } counted;                  /* where it is not listed, and by which look */
    bool of_thread;             /* it is one thread's, which is told as its process */
    const struct holder **whos; /* owned, a reference each: some of these, described */
    size_t who_count;
    uint64_t near_due; /* as of a process; any one of them will do */
    bool near_urgent;
    bool dirty, again; /* who has it is not what was told of its sockets; has changed since that was begun */
    size_t told;       /* so far */
    bool more;         /* others of these are to be described first */
};

struct process {
    uint32_t pid;
    uint32_t leader;      /* a thread is told as this process; 0: it is a process itself */
    uint32_t descriptors; /* when it was listed last; 0 unknown */
    uint32_t scanned_descriptors;
    bool scanned;            /* looked through at least once */
    bool denied;             /* it did not let us look */
    bool listed;             /* by the listing under way */
    bool gone;               /* its place is free: nobody finds it any more */
    bool suspect;            /* a descriptor was not what it had been */
    bool asked;              /* somebody new, or changed */
    bool counted;            /* by the last look, at sockets that do not list it */
    bool near_urgent;        /* near_due is of a socket that nobody was found for */
    uint64_t served;         /* sockets due up to this moment need not be looked for here */
    uint64_t near_due;       /* sockets due up to this moment are probably here */
    int64_t look_ms;         /* when it is looked at again; 0 never */
    uint32_t looks;          /* how often that was done */
    int64_t since_ms[2];     /* since when it waits to be looked through: urgently, at leisure; 0 not */
    struct holding *holding; /* the last that has it frees it; NULL: it has none */
};

struct process_table {
    struct process *items; /* by PID */
    size_t count, capacity;
    size_t gone; /* so many of them are */
};

void process_table_done(struct process_table *t);

/* Returns NULL when it is not known; valid until one is added or removed. */
struct process *process_find(const struct process_table *t, uint32_t pid);

/* The one with the least PID above this; NULL when there is none. */
struct process *process_next(const struct process_table *t, uint32_t pid);

/* As which process it is told. */
uint32_t process_told_as(const struct process *p);

/* Returns it, new and zeroed but for the PID if it was not known; NULL when
 * memory runs out. */
struct process *process_add(struct process_table *t, uint32_t pid);

/* Its place stays until process_table_tidy(), so that many that end cost a pass
 * together, not each. What it held must have been left. */
void process_remove(struct process_table *t, struct process *p);

/* Frees the places of those that were removed. */
void process_table_tidy(struct process_table *t);

/* How many descriptors it has is unknown, or is not what it was. */
bool process_has_changed(const struct process *p);

/* Notes that a process has a socket; the descriptor last noted counts. Returns 0
 * or -ENOMEM. */
int process_hold(struct process *p, uint32_t inode, uint32_t fd);

/* Lets a process that has no holding share another's. */
void process_share(struct process *p, struct holding *h);

/* Gives a process that has no holding an empty one. Returns 0 or -ENOMEM. */
int process_hold_nothing(struct process *p);

/* Lets go of the holding, which is freed with the last that has it. */
void process_leave(struct process *p);

/* Frees the holding when it is empty and nobody shares it. */
void process_trim(struct process *p);

/* NULL when that one is not described. */
const struct holder *holding_who(const struct holding *h, uint32_t pid);

/* Describes one of the processes, or describes it anew. Takes a reference.
 * Returns 0 or -ENOMEM. */
int holding_describe(struct holding *h, const struct holder *who);

/* Returns whether it was described. */
bool holding_forget_who(struct holding *h, uint32_t pid);

/* NULL when the socket is not in it. */
struct held *holding_find(const struct holding *h, uint32_t inode);
void holding_drop(struct holding *h, uint32_t inode);

#endif
