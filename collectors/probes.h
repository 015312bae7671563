/* Makes the probes that the policy asks for: TCP connects, closed as soon as they
 * stand. Nothing is sent, and nothing that comes is read.
 *
 * It never waits: it is stepped when its descriptor is readable and when it is due,
 * and a step is bounded. What this host cannot do (no descriptor, no port, no memory,
 * no IPv6) is no result but a failure of the collector "probes"; that it may not or
 * cannot get there by its own routes or firewall is a result, "unreachable". Nothing
 * here logs or reads a clock. One thread. */
#ifndef SOCKWATCH_COLLECTORS_PROBES_H
#define SOCKWATCH_COLLECTORS_PROBES_H

#include "core/budget.h"
#include "core/policy.h"
#include "core/status.h"

struct probes;

/* once   each probe is made once and at once, for who looks once
 * ret    returns owned; filled on success only
 *
 * Returns 0 or -errno. */
int probes_open(bool once, struct probes **ret);

/* What is under way is given up. */
void probes_close(struct probes *p);

/* Takes over a policy's probes; nothing of the policy is kept. Returns 0, or -ENOMEM:
 * those of the policy before go on then. */
int probes_set(struct probes *p, const struct policy *policy, int64_t now_ms);

/* Readable when probes_step() is wanted; valid as long as p. */
int probes_fd(const struct probes *p);

/* When probes_step() is wanted in any case, on CLOCK_MONOTONIC; INT64_MAX for never. */
int64_t probes_due_ms(const struct probes *p);

/* Whether any is under way, or due. */
bool probes_are_under_way(const struct probes *p, int64_t now_ms);

/* Ends those that have ended, and begins those that are due, until the budget is
 * spent. */
void probes_step(struct probes *p, const struct budget *budget);

/* Notes what an entry's service is like, as probe_schedule_note() does. */
void probes_note(struct probes *p, size_t expect, uint8_t reach, bool renewed, int64_t now_ms);

/* Whether something came of a probe since results were told that may change what is
 * judged. */
bool probes_have_news(const struct probes *p);

/* Tells all results if there are new ones.
 *
 * ret            returns owned (a reference); filled when 1 is returned
 * ret_to_rules   likewise: whether they may change what is judged
 *
 * Returns 1, 0 when there is nothing new, or -ENOMEM: they are new still. */
int probes_take(struct probes *p, struct instant now, const struct probe_results **ret, bool *ret_to_rules);

/* How it goes: up where none of the probes could not be made the last time. */
struct collector_run probes_run(const struct probes *p);

/* Probes that were left out because there was no room for them, since the start. */
uint64_t probes_left_out(const struct probes *p);

#endif
