/* Reads one class of sockets from the kernel, in steps: over netlink one dump
 * after the other, or raw sockets in /proc where netlink does not list them.
 * One thread. */
#ifndef SOCKWATCH_COLLECTORS_CLASS_READER_H
#define SOCKWATCH_COLLECTORS_CLASS_READER_H

#include "collectors/proc_net.h"
#include "collectors/sock_diag.h"
#include "collectors/socket_class.h"

/* What to do with what is read. */
struct class_handlers {
    inet_diag_message_fn *on_message;
    proc_raw_row_fn *on_raw;
    void (*forget)(void *arg); /* what came so far comes again */
};

/* What to read. */
struct class_query {
    enum protocol protocol;
    uint32_t states; /* mask of 1 << enum sock_state */
    bool with_memory;
    bool in_one_walk;                /* both families, where that is possible */
    bool split_ports;                /* ports that a program chose apart from those that the kernel chose */
    bool auto_ports;                 /* the latter, too, if they are split */
    bool unsplit_will_do;            /* all at once, where the kernel does not tell them apart */
    const struct port_range *ranges; /* only local ports of these; must outlive the reading */
    size_t range_count;              /* 0: all */
};

struct class_reader {
    struct sock_diag *diag;     /* borrowed; nobody else uses it meanwhile */
    struct kernel_lacks *lacks; /* borrowed */
    const struct class_handlers *handlers;
    void *arg;              /* theirs */
    uint64_t *malformed;    /* borrowed; what made no sense is added */
    enum port_choice ports; /* of what is being read; for the handlers */
    /* The rest is its own; begins as {0}, but for raw. */
    struct class_query query;
    size_t part;         /* which of the dumps */
    bool one_walk;       /* the dumps have both families each */
    bool is_split;       /* and either ports that a program chose or those that the kernel chose */
    bool is_dumping;     /* one was begun */
    struct proc_raw raw; /* PROC_RAW_NONE to begin with */
};

/* Begins to read; what is under way is given up. */
void class_reader_begin(struct class_reader *r, const struct class_query *query);

/* Goes on until the budget is spent.
 *
 * Returns 1 when there is more, 0 when all was read; ERR_UNSUPPORTED, or what
 * sock_diag_step(), proc_raw_step() and the handlers return. */
int class_reader_step(struct class_reader *r, const struct budget *budget);

/* Gives up what is under way, if anything. */
void class_reader_end(struct class_reader *r);

#endif
