/* One cycle: collect, judge. It holds everything that lives from one poll to
 * the next: the collectors, the history, the newest snapshot and verdict, the
 * alerts, the status. The daemon turns it forever, the other subcommands once.
 * Main thread only. */
#ifndef SOCKWATCH_DAEMON_CYCLE_H
#define SOCKWATCH_DAEMON_CYCLE_H

#include "collectors/collectors.h"
#include "collectors/probes.h"
#include "config/config.h"
#include "core/alerts.h"
#include "core/transition.h"
#include "core/windows.h"
#include "exporters/view.h"

struct cycle {
    struct collectors *collectors;
    struct probes *probes;
    struct services *services;
    struct history *history;
    struct windows *windows;         /* NULL where polls do not follow one another */
    const struct inventory *look;    /* what the last poll found, where it found something new; borrowed */
    int64_t passed_ms;               /* until when history knows that time has passed; 0 for never */
    bool seen[PROTOCOL_COUNT];       /* classes that the last poll could read */
    struct space host;               /* the newest tables; references */
    const struct snapshot *snapshot; /* of them; NULL before the first judging */
    const struct verdict *verdict;   /* of the snapshot */
    struct alerts alerts;
    const struct alert_list *alert_list; /* the alerts as they are; NULL before the first judging */
    uint64_t listed_changes;             /* of the alerts, when they were listed */
    uint64_t left_out;                   /* findings that bounds cut, since the start */
    struct status status;
    bool has_new_tables;           /* since the last judging */
    bool has_new_listeners;        /* likewise: what was looked at is to be judged */
    bool has_unjudged_connections; /* the verdict is of older counts than the snapshot's */
};

/* goes_on   polls will follow one another, so that rules can count over time
 *
 * Returns 0, or a negative error for err_str(). */
int cycle_open(struct cycle *c, bool goes_on);

/* Frees everything, in reverse order. */
void cycle_close(struct cycle *c);

/* Takes over the probes of a configuration, from which results are told by the
 * entries of that one: the next poll is to be of it, too.
 *
 * Returns 0, or -ENOMEM: those of the configuration before go on. */
int cycle_set_probes(struct cycle *c, const struct config *config);

/* How a poll of listeners goes beyond the usual. */
struct cycle_poll {
    bool auto_ports;      /* also datagram sockets whose port the kernel chose */
    bool wait_for_owners; /* look for all owners first */
};

/* Polls the listeners. Returns 0, or -ENOMEM: what is known stays. */
int cycle_poll_listeners(struct cycle *c, const struct config *config, const struct cycle_poll *how);

/* Begins to count connections, unless that is under way. */
void cycle_begin_connections(struct cycle *c, const struct config *config);

/* When cycle_step() is wanted next, as collectors_due_ms() tells. */
int64_t cycle_due_ms(const struct cycle *c);

/* Goes on with what takes long for as long as the budget allows.
 *
 * Returns 1 when connections are newly counted, 0 when not, or -ENOMEM: what
 * is known stays. */
int cycle_step(struct cycle *c, const struct config *config, const struct budget *budget);

/* Whether a poll now would show something that was found out since the last: what
 * rules say to connections, they say to the listeners of the same moment. */
bool cycle_has_news(const struct cycle *c, const struct config *config);

/* Lets the next poll tell all, also what is not new, and have it judged: the
 * configuration is another one. */
void cycle_judge_anew(struct cycle *c);

/* Judges what is new, and moves the alerts on.
 *
 * ignore_for   conditions fire at once
 * to           who is told of transitions; may be NULL
 *
 * Returns 1 when snapshot, verdict or alerts are others than before, 0 when
 * nothing changed and nothing was allocated, or -ENOMEM: what was judged before
 * stays, and is judged anew next time. */
int cycle_judge(struct cycle *c, const struct config *config, const struct own_sockets *own, bool ignore_for,
                const struct subscribers *to);

/* What a one-shot command shows; borrows from both. It has no history. */
struct view cycle_view(const struct cycle *c, const struct config *config);

/* Whether sock_diag listed any class of listeners in the last poll. */
bool cycle_sees_anything(const struct cycle *c);

#define CYCLE_ROUTE_LOCALNET_TEXT \
    "route_localnet is set on an interface: listeners on 127.0.0.0/8 may be reachable from outside"

/* A line when the class cannot be read, or only in part, and why. */
void cycle_describe_class(const struct cycle *c, enum protocol protocol, struct buf *out);

/* Such a line for each class that may hold sockets unseen, and one for each
 * caveat of the host. */
void cycle_describe_blindness(const struct cycle *c, struct buf *out);

#endif
