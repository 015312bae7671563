/* Which entries of a list are about a port of a protocol.
 *
 * The entries are added one after the other, each with its ranges of ports;
 * sealing sorts them. Entries of different spaces, which are numbers, have
 * nothing to do with each other. A walk then yields the entries about one port, each once,
 * without looking at the others: at most as many steps as the tree over n
 * ranges is deep, for each entry that it yields and once besides. A sealed index
 * may be read by any thread. */
#ifndef SOCKWATCH_CORE_PORT_INDEX_H
#define SOCKWATCH_CORE_PORT_INDEX_H

#include "core/net.h"

/* Points are space << 24 | protocol << 16 | port. The spans stand in the order of an implicit
 * balanced tree: the middle one of some is the root of those on both sides. */
struct port_span {
    uint64_t first, last;
    uint64_t reach; /* the highest last of the tree below, itself included */
    uint32_t entry;
};

struct port_index {
    struct port_span *spans; /* owned */
    size_t count, capacity;
    size_t entries; /* how many were added */
};

/* Adds the next entry; entries are numbered from 0.
 *
 * protocols   mask of 1 << protocol
 *
 * Returns 0, or -ENOMEM: the index is then as before. */
int port_index_add(struct port_index *index, uint32_t space, unsigned protocols,
                   const struct port_range *ranges, size_t count);

/* Adds to the last entry what it is about in another space. Likewise. */
int port_index_extend(struct port_index *index, uint32_t space, unsigned protocols,
                      const struct port_range *ranges, size_t count);

/* To be called once, after the last entry. */
void port_index_seal(struct port_index *index);
void port_index_done(struct port_index *index);

/* Whether more entries than limit are about one port.
 *
 * ret_entry   one of those that are too many; filled when there are
 *
 * Returns 1, 0, or -ENOMEM. */
int port_index_crowd(const struct port_index *index, size_t limit, size_t *ret_entry);

/* More than a tree over any array is deep. */
enum { PORT_WALK_DEPTH_MAX = 40 };

/* Where a walk is: the parts of the tree that it has yet to look at. */
struct port_walk {
    uint64_t point;
    unsigned depth;
    struct {
        uint32_t from, to;
    } parts[PORT_WALK_DEPTH_MAX];
};

void port_walk_begin(struct port_walk *walk, const struct port_index *index, uint32_t space,
                     enum protocol protocol, uint16_t port);

/* Steps to the next entry, in no particular order. Returns false, without
 * filling *ret_entry, at the end. */
bool port_walk_next(struct port_walk *walk, const struct port_index *index, size_t *ret_entry);

#endif
