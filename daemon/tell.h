/* What the daemon tells of itself and of what it finds: log lines, and the
 * status that systemd shows. What goes on is told once. Main thread only. */
#ifndef SOCKWATCH_DAEMON_TELL_H
#define SOCKWATCH_DAEMON_TELL_H

#include "daemon/cycle.h"

/* What was told last; begins as {0}. */
struct told {
    char status[160];
    enum visibility visibility[PROTOCOL_COUNT];
    bool cut[PROTOCOL_COUNT]; /* there was no room for all of the class */
    bool route_localnet;
};

/* One line for each transition; a subscriber, with no argument. */
void tell_transition(void *arg, const struct transition *t);

/* Says once what of a class cannot be read, and once that it can again. */
void tell_visibility(struct told *told, const struct cycle *cycle);

/* Tells systemd in one line how things stand. */
void tell_status(struct told *told, const struct cycle *cycle, size_t expected);

#endif
