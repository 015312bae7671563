/* The sockets whose owners are wanted, found by inode, and what is known of
 * each. Pure; one thread. */
#ifndef SOCKWATCH_COLLECTORS_OWNERS_SOCKETS_H
#define SOCKWATCH_COLLECTORS_OWNERS_SOCKETS_H

#include "core/owner.h"

struct holding; /* collectors/process_table.h */

/* How far the search for a socket's holders is. */
enum phase {
    PHASE_NEW,        /* nothing was done yet */
    PHASE_NEARBY,     /* it is known which processes are near; they are looked through */
    PHASE_EVERYWHERE, /* all others are */
    PHASE_THREADS,    /* none has it: what has a table of its own besides is */
    PHASE_DONE,
};

struct watched {
    uint64_t cookie;
    uint32_t inode;
    uint32_t uid;
    uint64_t cgroup_id;
    uint64_t round; /* of rows in which it was last */
    enum phase phase;
    bool placed;  /* it is known where its cgroup is; as taken up last */
    bool used;    /* somebody has it who is no activator */
    bool lost;    /* one of several holders has gone */
    bool joining; /* who joined its holders is to be found */
    bool dirty;   /* set is not up to date */
    enum sight sight;
    int64_t unseen_ms;         /* since when nothing is known of it, where that is its sight */
    uint64_t due;              /* whoever was looked through before does not count */
    struct holding **holdings; /* owned, each borrowed: who has it, as far as they are listed */
    size_t holding_count;
    struct {
        uint64_t since;          /* the first look at a process since then counts */
        uint32_t found, told;    /* by these looks, and by all before */
        uint64_t looks[2];       /* that counted last: a look may see a socket more than once */
    } unlisted;                  /* who has it besides */
    const struct owner_set *set; /* a reference; as published */
    int64_t refresh_ms;          /* when to look for who joined */
    int64_t interval_ms;         /* between the last two refreshes */
};

struct sockets {
    struct watched *items; /* owned */
    size_t count, capacity;
    uint32_t *slots; /* owned; hash by inode: index + 1, or 0 */
    size_t slot_count;
};

void sockets_done(struct sockets *s);

/* Valid until one is added or removed; NULL when it is not known. */
struct watched *sockets_find(const struct sockets *s, uint64_t cookie, uint32_t inode);

/* Goes over the sockets of one inode, mostly one: an inode is used again, and
 * the old socket may not have been missed yet.
 *
 * cursor   0 to begin with
 *
 * Returns NULL after the last. */
struct watched *sockets_of_inode(const struct sockets *s, uint32_t inode, size_t *cursor);

/* Adds one that is not known. Returns it, zeroed but for its name, or NULL when
 * memory runs out. */
struct watched *sockets_add(struct sockets *s, uint64_t cookie, uint32_t inode);

/* Forgets those that were not in this round of rows. Returns whether any was
 * forgotten. */
bool sockets_keep(struct sockets *s, uint64_t round);

/* Lists one that is not among the socket's. Returns 0 or -ENOMEM. */
int watched_add(struct watched *w, struct holding *h);
bool watched_has(const struct watched *w, const struct holding *h);

/* Returns whether it was among them. */
bool watched_remove(struct watched *w, const struct holding *h);

#endif
