/* How the parts of owners work together. For owners*.c only.
 *
 * Everything turns around moments: a number that counts events. A socket is due
 * since a moment; a process that was looked through since then need not be
 * looked through for it again, and because a look at a process looks up every
 * socket, all that wait are looked for in one walk. A process that was first
 * listed after a socket's own listing does not hold up its conclusion.
 *
 *   owners_work.c     what is done next, and how much of the time it may take
 *   owners_gather.c   which processes come into question: those near (who had
 *                     the socket, the cgroup that made it), or all
 *   owners_plan.c     in which order, and what the looks so far conclude
 *   owners_scan.c     looking through them
 *   owners_threads.c  looking through threads that have a table of their own
 *   owners_tables.c   whose table of descriptors was looked through already
 *   owners_upkeep.c   what to do when nothing waits
 *   owners_known.c    who has what
 *   owners_names.c    what the users are called by now
 *   owners_publish.c  who of them is listed, and when that is told */
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
enum { DESCRIPTORS_AT_ONCE = 8, PIDS_AT_ONCE = 8, DIRECTORIES_AT_ONCE = 16, SOCKETS_AT_ONCE = 256 };

/* And so much is published by one step. */
enum { SETS_AT_ONCE = 512, TOLD_AT_ONCE = 8192, DESCRIBED_AT_ONCE = 16 };

/* So many processes are listed of a socket, unless another limit is set. */
enum { LISTED_FIRST = 16 };

/* Everything is looked through anew at most so often. */
#define OWNERS_COMPLETE_MS INT64_C(60000)

/* So long nothing need be known of a socket without its being said. */
#define OWNERS_LATE_MS INT64_C(10000)

/* Why a process is to be looked through; the most urgent first. */
enum level {
    LEVEL_NEAR_URGENT, /* near a socket that nobody was found for, or its holder changed */
    LEVEL_URGENT,      /* somebody must have such a socket */
    LEVEL_NEAR,        /* near one that somebody was found for */
    LEVEL_ASKED,       /* a process is new or has other descriptors */
    LEVEL_REST,        /* somebody may have a socket, too */
    LEVEL_COUNT,       /* of those that are only counted, others share its table now */
    LEVEL_NONE,
};

struct job {
    uint32_t pid;
    enum level level;
    int64_t key; /* within a level, the least first */
};

/* A process that is being looked through. */
struct scan {
    bool open;
    const struct holder *who; /* a reference; NULL: not described yet */
    struct job job;
    uint64_t started;
    uint32_t descriptors;
    size_t processes; /* that share its table, when it was begun */
    bool counts;      /* it saw sockets that do not list it */
    struct proc_descriptors in;
};

/* Processes or threads with different tables of descriptors. */
struct tables {
    uint32_t *pids; /* owned; in the kernel's order of the tables */
    size_t count, capacity;
};

/* A cgroup of sockets, and whether its members are to be read. */
struct group {
    uint64_t id;
    uint64_t due; /* of its latest socket that is due; 0: only new members are asked for */
    bool placed;  /* its directory is known */
    bool wanted, urgent;
};

enum stage {
    STAGE_NONE,
    STAGE_ASKING, /* whether the tree is to be walked */
    STAGE_TREE,
    STAGE_UNITS,  /* telling those that have become known */
    STAGE_TAKING, /* up what sockets need */
    STAGE_GROUPS,
    STAGE_LISTING,
};

/* What the sockets need, as counted last. */
struct needs {
    bool nearby, nearby_urgent;    /* some have to begin with the processes near */
    bool listing, listing_urgent;  /* some wait for a list of all processes */
    uint64_t urgent_due, rest_due; /* of those that wait for all listed processes */
    bool holdable;                 /* some can be held by a process at all */
    size_t unfound;                /* for so many that are due nobody was found */
    bool threads;                  /* some that nobody has wait for the threads to be looked through */
    bool lost;                     /* some have lost one of their holders */
    int64_t refresh_ms;            /* when the first refresh is due */
    int64_t late_ms;               /* when the first socket of which nothing is known is late */
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
    size_t limit;                 /* processes listed of a socket */
    const struct holder **chosen; /* owned; room for as many, each borrowed */
    bool holdings_dirty;          /* some are */
    struct tables tables;         /* those that were looked through */
    struct cgroups *cgroups;
    struct users *users;
    struct {
        uint64_t version; /* of the users', as told */
        int64_t at_ms;    /* when another one may be told */
    } names;
    uint64_t moment, round, version;
    struct needs needs;
    bool needs_stale, plan_stale;
    int64_t now_ms;   /* of the step under way */
    int64_t pause_ms; /* after an error nothing is done until then */
    struct {
        int64_t at_ms;       /* when those that have a holder already are told again */
        bool under_way, all; /* a pass over the sockets, which may take several steps */
        bool changed;        /* by this pass */
        bool described;      /* somebody who shares a table, when that was tried last */
        size_t at;
    } publish;
    struct share search_share, look_share;
    struct {
        enum stage stage;
        size_t at;            /* the next socket, in stages that go over them */
        bool tree_wanted;     /* some stand in a cgroup that is not known */
        struct group *groups; /* owned; by id */
        size_t group_count, group_capacity, group_next;
        struct cgroup_members members; /* of the last group */
        struct proc_pids pids;
        uint64_t began, listed;          /* the listing under way, and the last one */
        bool new_wanted, changed_wanted; /* the next listing asks for such processes */
        bool ask_new, ask_changed;       /* the listing under way does */
        int64_t owed_us;                 /* gathering took more time than scanning since */
        int64_t tree_us, tree_ms;        /* the last walk's time; when there may be another one */
        int64_t walked_ms;               /* when it began */
    } gather;
    struct {
        struct job *jobs; /* owned; of one level, as a heap: the first is before all others */
        size_t count, capacity;
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
    struct {
        bool wanted;            /* all are to be looked through anew */
        bool unsure;            /* some could not be, in the walk under way or the last one */
        uint64_t began, walked; /* the walk under way, 0 for none; and the last one */
        uint32_t pid;           /* the process whose threads are next, or were last */
        bool listing;           /* them */
        struct proc_threads list;
        struct tables tables; /* of its threads, and its own */
        uint32_t last;        /* of them that was looked through; 0 for none */
        struct scan scan;     /* of one */
        struct share share;
    } threads;
};

/* owners_work.c */

/* Gives each kind of work its share of the time. */
void owners_work_init(struct owners *o);

/* Works until nothing is left that may be done now, or the budget is spent.
 *
 * ret_next_us   when there is more to be done, INT64_MAX for never
 *
 * Returns 0 or a negative error. */
int owners_work(struct owners *o, const struct budget *budget, int64_t *ret_next_us);

/* When that is, as it is now. */
int64_t owners_work_us(const struct owners *o, int64_t now_us);

/* owners_known.c */

const char *owners_path(const struct owners *o, const struct watched *w);

/* Who a process is by now. Where that one is known by another name it is told.
 *
 * described   by what /proc says
 *
 * Returns owned (a reference), or NULL when memory runs out. */
const struct holder *owners_describe(struct owners *o, struct process *p, const struct holder *described);

/* Notes that the process of a scan, which has been described, has a socket.
 * Returns 0 or -ENOMEM. */
int owners_gain(struct owners *o, struct scan *s, struct process *p, const struct held *held);

/* Drops what the finished scan of a process did not see. */
void owners_drop_unseen(struct owners *o, struct process *p);

/* Drops all that a process had. */
void owners_leave(struct owners *o, struct process *p);

/* Lets it share what another one has, NULL for nothing, in place of what it had. */
void owners_share(struct owners *o, struct process *p, struct holding *h);
void owners_forget_process(struct owners *o, uint32_t pid);

/* Whether a socket may be held by some thread. */
bool owners_wants_threads(const struct watched *w);

/* Whether the holding is listed at any socket with this inode. */
bool owners_lists(const struct owners *o, const struct holding *h, uint32_t inode);

/* Lets a socket be looked for from the beginning. */
void owners_make_due(struct owners *o, struct watched *w);
void owners_make_dirty(struct owners *o, struct watched *w);
void owners_set_sight(struct owners *o, struct watched *w, enum sight sight);

/* Notes which sockets are not up to date because of whoever shares a holding. */
void owners_tell_holdings(struct owners *o);

/* owners_names.c */

/* When there is something to be done about names. */
int64_t owners_names_ms(const struct owners *o);

/* Takes what is known of them by now: who was told by another name is told anew.
 * Returns 0 or -ENOMEM. */
int owners_names_step(struct owners *o);

/* Waits for those that are asked for, so long at most, and does the same. */
int owners_names_await(struct owners *o, const struct budget *budget, int64_t until_us);

/* Likewise, some seconds at most; what is unknown then stays so. */
int owners_names_end(struct owners *o, const struct budget *budget);

/* owners_publish.c */

/* Whether there is room for one more at a socket; it may be made by letting one
 * go that is of less interest. */
bool owners_make_room(struct owners *o, struct watched *w, const struct holder *who);

/* Those that are not listed: a process has the socket, for which there is no
 * room; from some moment on all are counted anew; that is done, for all or for
 * those nearby. */
void owners_count(struct owners *o, struct watched *w, const struct process *p, struct scan *s);
void owners_count_anew(struct watched *w, uint64_t since);
void owners_counted(struct owners *o, struct watched *w, bool all);

/* Notes of which sockets nothing has been known for too long; of all, where they
 * are not looked for any more. Returns whether there are any. */
bool owners_note_late(struct owners *o, bool all);

int owners_publish_one(struct owners *o, struct watched *w);

/* Publishes some of what is due to be. Returns 0 or -ENOMEM. */
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

/* Whether it is looked for and nobody was found who uses it. */
bool owners_is_unfound(const struct watched *w);

/* Whether something is probably in the process that it was not looked through for. */
bool owners_is_near(const struct process *p);

/* The job that is before all others, NULL for none; and takes it. */
const struct job *owners_next_job(const struct owners *o);
struct job owners_take_job(struct owners *o);
bool owners_job_is_before(const struct job *a, const struct job *b);

/* owners_tables.c */

/* Whether the table of a process was looked through as another's, so that
 * nothing is left to be done. Otherwise the next look at the process is one for
 * all that share its table. */
bool owners_was_looked_through(struct owners *o, struct process *p);

/* Whether a process has the same table as others still that have its holding. */
bool owners_shares_still(const struct process *p);

/* Notes whom the finished look at a process has counted. */
void owners_note_count(const struct owners *o, struct process *p, const struct scan *s);

/* Notes that a process was looked through to its end. */
void owners_note_table(struct owners *o, const struct process *p);

/* Forgets those that have gone. */
void owners_tidy_tables(struct owners *o);

/* Notes a process or thread among some with different tables. Returns 1, 0 when
 * one with the same is there already, or -errno: it cannot be told, or memory ran
 * out. */
int owners_add_table(struct tables *t, uint32_t pid);

/* owners_threads.c: when a walk through all processes has found nobody, their
 * threads are looked at. */

bool owners_threads_are_wanted(const struct owners *o);

/* Goes on with the walk through them, or begins one. Returns 0 or -ENOMEM. */
int owners_threads_step(struct owners *o);
void owners_threads_stop(struct owners *o);

/* owners_scan.c */

/* The level of what would be scanned next, LEVEL_NONE for nothing. */
enum level owners_scan_level(const struct owners *o);
int owners_scan_step(struct owners *o);

/* Ends a look, however far it came. */
void owners_close_scan(struct scan *s);

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
