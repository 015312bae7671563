/* A source: one thing of the kernel's that is read in steps.
 *
 * Each keeps its own state behind one small interface. What it fills is begun
 * anew with each poll of that kind, and is stepped between the polls; one of
 * listeners is over within its poll, mostly. One thread. */
#ifndef SOCKWATCH_COLLECTORS_SOURCE_H
#define SOCKWATCH_COLLECTORS_SOURCE_H

#include "collectors/class_reader.h"
#include "collectors/host_watch.h"
#include "collectors/interfaces.h"
#include "collectors/local_address.h"
#include "collectors/owners.h"
#include "collectors/unix_files.h"
#include "core/conn_table.h"
#include "core/host_counters.h"
#include "core/listener_builder.h"
#include "core/status.h"
#include "core/unit_counts.h"

struct source;

/* What a source does. */
struct source_ops {
    /* Makes the state; source->state is freed by close, also of a source that
     * could not be opened. Returns 0 or a negative error. */
    int (*open)(struct source *s);
    void (*close)(struct source *s);

    /* Begins anew; what is under way is given up. Returns 0, or a negative
     * error: there is nothing to step then. */
    int (*begin)(struct source *s, int64_t now_ms);

    /* Goes on until the budget is spent. Returns 1 when there is more, 0 when
     * all is there, ERR_UNSUPPORTED when the kernel has nothing of the kind, or
     * the error it ended with. */
    int (*step)(struct source *s, const struct budget *budget);
};

struct source_type {
    const char *name;
    const struct source_ops *ops;
    enum poll_kind fills;
    enum protocol protocol; /* of a source of listeners */
};

/* What sources share; borrowed from the collectors. */
struct source_shared {
    struct kernel_lacks lacks;
    struct sock_diag *diag; /* of the short ones, which run one after the other */
    struct local_addresses *local;
    struct interfaces interfaces;
    struct unix_files *unix_files;
    struct owners *owners;
    const struct policy *policy;              /* of the last poll */
    struct listener_builder *builder;         /* filled by the listeners' */
    struct inventory *inventory;              /* what they found; only while a poll goes on */
    struct port_set listened[PROTOCOL_COUNT]; /* of each protocol: where somebody did at the last poll */
    size_t owners_wanted;                     /* of so many sockets at most */
    bool auto_ports;                          /* also datagram sockets whose port the kernel chose, and unix
                                           listeners that no entry expects */
    struct conn_counter *counter;             /* filled by the connections' */
    struct ephemeral_counter *ports;          /* of that one, likewise */
    bool counted;                             /* and it is whole */
    struct host_counters host_counters;       /* as they were read last */
    bool by_unit;                             /* connections are to be counted by unit, too */
    const struct unit_table *units;           /* a reference: that count; NULL: none */
};

struct source {
    const struct source_type *type;
    struct source_shared *shared;
    void *state;
    bool is_under_way;
    double worked_seconds; /* since it was begun */
    struct collector_run run;
    /* Of a source of listeners: */
    bool has_ended;   /* between two polls; what it found was not told yet */
    int64_t begun_us; /* the look under way, or the last one */
    int64_t due_ms;   /* when the next one may begin: those that take long leave time for others */
};

/* Looks at the expected ports of a source of listeners, to the end, while its look
 * at all is under way or not due. How that went the class tells. */
void listener_source_look_quickly(struct source *s, const struct budget *endless);

/* Notes on which ports somebody listens, for connections that are counted between the
 * polls. A datagram socket whose port the kernel chose is a client's, unless an entry
 * expects it. */
void connection_source_note(struct source_shared *shared, const struct inventory *inv);

extern const struct source_ops listener_source, owner_source, host_counter_source, connection_source;

#endif
