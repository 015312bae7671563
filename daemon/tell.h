/* What the daemon tells of itself and of what it finds: log lines, and the
 * status that systemd shows. What goes on is told once. Each rule has an
 * allowance of lines, and since anybody can make listeners that no expect entry
 * is about, lines about these have others than those about expected services:
 * nobody's flood silences what it is not about. Main thread only. */
#ifndef SOCKWATCH_DAEMON_TELL_H
#define SOCKWATCH_DAEMON_TELL_H

#include "core/allowance.h"
#include "daemon/cycle.h"

enum told_kind {
    TOLD_OTHERS, /* alerts about listeners that no expect entry is about */
    TOLD_OWN,    /* all else */
    TOLD_KIND_COUNT
};

/* Of lines about no alert. */
#define TOLD_NO_RULE RULE_COUNT

/* How much may be told of one kind. */
struct told_lines {
    struct allowance rules[RULE_COUNT + 1]; /* by rule, or TOLD_NO_RULE */
    struct allowance bytes;                 /* of all of them; of lines it has any number */
};

/* What was told last; begins as {0}. */
struct told {
    struct told_lines kinds[TOLD_KIND_COUNT];
    int64_t lines_max; /* limits.log_lines */
    uint64_t left_out; /* lines, since the start */
    char status[160];
    enum visibility visibility[PROTOCOL_COUNT];
    bool cut[PROTOCOL_COUNT]; /* there was no room for all of the class */
    bool route_localnet;
    int last_error;  /* of polling and judging */
    int probe_error; /* why some probe cannot be made; 0 if all can */
    struct {
        uint64_t count;   /* what was left out up to now */
        int64_t until_ms; /* it goes on to be left out: so long nothing is said */
    } dropped[DROPPED_COUNT];
};

/* Lets so many lines of each allowance be written a minute from now on. */
void tell_limit(struct told *told, const struct limits *limits);

/* Tells, for each rule, how many lines more there were in a minute that is over.
 * Returns how many were left out since the start. */
uint64_t tell_left_out(struct told *told, int64_t now_ms);

/* One line for each transition, where a condition gave way to another for both;
 * what did not fire is for who debugs. A subscriber, whose argument is the told. */
void tell_transition(void *arg, const struct transition *t);

/* Says once what of a class cannot be read, and once that it can again. */
void tell_visibility(struct told *told, const struct cycle *cycle);

/* Says once that polling or judging failed; 0 for that it did not. */
void tell_failure(struct told *told, int error);

/* Says once that some probe cannot be made, and once that all can again. */
void tell_probes(struct told *told, const struct cycle *cycle);

/* Says that a limit cuts, once for as long as it goes on doing so.
 *
 * dropped   what was left out since the start */
void tell_dropped(struct told *told, const uint64_t dropped[static DROPPED_COUNT], int64_t now_ms);

/* Tells systemd in one line how things stand. */
void tell_status(struct told *told, const struct cycle *cycle, size_t expected);

#endif
