/* How the parts of owners work together. For owners*.c only.
 *
 * Everything turns around moments: a number that counts events. A socket is due
 * since a moment; a process that was looked through since then need not be
 * looked through for it again, and because a look at a process looks up every
 * socket, all that wait are looked for in one walk. A process that was first
 * listed after a socket's own listing does not hold up its conclusion.
 *
 *   owners_gather.c   which processes come into question: those near (who had
 *                     the socket, the cgroup that made it), or all
 *   owners_plan.c     in which order, and what the looks so far conclude
 *   owners_scan.c     looking through them
 *   owners_upkeep.c   what to do when nothing waits
 *   owners_known.c    who has what, and its publication */
#ifndef SOCKWATCH_COLLECTORS_OWNERS_INTERNAL_H
#define SOCKWATCH_COLLECTORS_OWNERS_INTERNAL_H

#include "collectors/cgroup.h"
#include "collectors/owners.h"
#include "collectors/owners_sockets.h"
#include "collectors/proc_scan.h"
#include "collectors/process_table.h"
#include "collectors/share.h"

#include <stddef.h>

/* So much is done between two looks at the clock. */
enum { DESCRIPTORS_AT_ONCE = 8, PIDS_AT_ONCE = 8, DIRECTORIES_AT_ONCE = 16 };

/* Everything is looked through anew at most so often. */
#define OWNERS_COMPLETE_MS INT64_C(60000)

/* Why a process is to be looked through; the most urgent first. */
enum level {
    LEVEL_NEAR_URGENT, /* near a socket that nobody was found for, or its holder changed */
    LEVEL_URGENT,      /* somebody must have such a socket */
    LEVEL_NEAR,        /* near one that somebody was found for */
    LEVEL_ASKED,       /* a process is new or has other descriptors */
    LEVEL_REST,        /* somebody may have a socket, too */
    LEVEL_NONE,
};

struct job {
    uint32_t pid;
    enum level level;
    int64_t key; /* within a level, the least first */
};

/* A process that is being looked through. */
struct scan {
    bool open, described;
    struct job job;
    uint64_t started;
    uint32_t descriptors;
    struct proc_descriptors in;
};

/* A cgroup whose members are to be read. */
struct group {
    uint64_t id;
    uint64_t due; /* of its latest socket that is due; 0: only new members are asked for */
    bool urgent;
};

enum stage { STAGE_NONE, STAGE_TREE, STAGE_GROUPS, STAGE_LISTING };

/* What the sockets need, as counted last. */
struct needs {
    bool nearby, nearby_urgent;    /* some have to begin with the processes near */
    bool listing, listing_urgent;  /* some wait for a list of all processes */
    uint64_t urgent_due, rest_due; /* of those that wait for all listed processes */
    bool holdable;                 /* some can be held by a process at all */
    bool unfound;                  /* for some that is due nobody was found */
    bool lost;                     /* some have lost one of their holders */
    int64_t refresh_ms;            /* when the first refresh is due */
    size_t dirty, dirty_first;     /* sets that are not up to date; the first holder is not told */
};

/* When a holder is to be looked at again. */
struct look {
    uint32_t pid;
    int64_t at_ms;
};

struct owners {
    struct sockets sockets;
    struct process_table processes;
    struct cgroups *cgroups;
    struct users *users;
    uint64_t moment, round, version;
    struct needs needs;
    bool needs_stale, plan_stale;
    int64_t now_ms;   /* of the step under way */
    int64_t pause_ms; /* after an error nothing is done until then */
    int64_t publish_ms;
    struct share search_share, look_share;
    struct {
        enum stage stage;
        struct group *groups; /* owned */
        size_t group_count, group_capacity, group_next;
        struct cgroup_members members; /* of the last group */
        struct proc_pids pids;
        uint64_t began, listed;          /* the listing under way, and the last one */
        bool new_wanted, changed_wanted; /* the next listing asks for such processes */
        bool ask_new, ask_changed;       /* the listing under way does */
        int64_t owed_us;                 /* gathering took more time than scanning since */
        int64_t tree_us, tree_ms;        /* the last walk's time; when there may be another one */
    } gather;
    struct {
        struct job *jobs; /* owned */
        size_t count, capacity, next;
        struct scan scans[2]; /* the second overtakes the first where that takes long */
    } plan;
    struct {
        struct look *looks; /* owned; by time */
        size_t next, count, capacity;
        int64_t lost_ms;       /* when processes may be listed again because one has gone */
        int64_t complete_ms;   /* when everything is looked through anew */
        uint64_t complete_due; /* that is under way; 0 not */
        int64_t complete_us;   /* what it took so far */
    } upkeep;
};

/* owners_known.c */

const char *owners_path(const struct owners *o, const struct watched *w);

/* Notes that a process has a socket.
 *
 * who   the process; NULL when that was told before
 *
 * Returns 0 or -ENOMEM. */
int owners_gain(struct owners *o, struct process *p, const struct held *held, const struct holder *who);

/* Drops what the finished scan of a process did not see. */
void owners_drop_unseen(struct owners *o, struct process *p);

/* Drops all that a process had, before it is removed. */
void owners_drop_all(struct owners *o, struct process *p);
void owners_forget_process(struct owners *o, uint32_t pid);

/* Lets a socket be looked for from the beginning. */
void owners_make_due(struct owners *o, struct watched *w);
void owners_set_sight(struct owners *o, struct watched *w, enum sight sight);
int owners_publish_one(struct owners *o, struct watched *w);

/* Publishes what is due to be. Returns 0 or -ENOMEM. */
int owners_publish(struct owners *o, bool at_rest);

/* owners_gather.c: each returns 0 or a negative error, after which the stage is
 * given up. */

int owners_gather_nearby(struct owners *o);
int owners_list_all(struct owners *o);
int owners_gather_step(struct owners *o);
void owners_gather_stop(struct owners *o);

/* owners_plan.c */

/* Counts what the sockets need. */
void owners_measure(struct owners *o);

/* Concludes what can be concluded, and puts what is left into order. Returns 0
 * or -ENOMEM. */
int owners_plan(struct owners *o);
enum level owners_level(const struct owners *o, const struct process *p);

/* owners_scan.c */

/* The level of what would be scanned next, LEVEL_NONE for nothing. */
enum level owners_scan_level(const struct owners *o);
int owners_scan_step(struct owners *o);
void owners_scan_stop(struct owners *o);

/* owners_upkeep.c */

/* Lets a holder be looked at in a while. Returns 0 or -ENOMEM. */
int owners_queue_look(struct owners *o, struct process *p);
int owners_look_step(struct owners *o);

/* INT64_MAX when nobody is known. */
int64_t owners_look_ms(const struct owners *o);
int64_t owners_upkeep_ms(const struct owners *o);
void owners_upkeep_step(struct owners *o);

/* Plans the next refresh of a socket, later each time. */
void owners_schedule(const struct owners *o, struct watched *w);

#endif
