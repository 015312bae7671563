/* Inside of the rules: what the judges of expected services and of all other
 * listeners share. Only core/rules.c and core/judge_*.c include this. */
#ifndef SOCKWATCH_CORE_JUDGE_H
#define SOCKWATCH_CORE_JUDGE_H

#include "core/buf.h"
#include "core/rules.h"

/* A summary names this many listeners, then how many more there are. */
enum { JUDGE_ENDPOINTS = 4 };

struct evaluation {
    const struct listener_table *table;
    const struct listener *listeners;
    size_t listener_count;
    const struct policy *policy;
    const struct ip_ports *own;
    struct verdict *verdict;
    bool *covered; /* per listener: an expect entry answers for it */
};

/* Judges all ports of an expected service. */
int judge_expect(struct evaluation *ev, const struct expect *e);

/* Whether a listener on the entry's port counts as the entry's service. */
bool judge_is_candidate(const struct policy *policy, const struct expect *e, const struct listener *l);

/* Judges a listener that no expect entry may answer for. */
int judge_other(struct evaluation *ev, const struct listener *l);

/* What is wrong with it by the allow entries: Exposed, UnexpectedListener, or
 * RULE_COUNT for nothing. *ret_untold: it hangs on an owner that is not seen. */
enum rule judge_by_allows(const struct policy *policy, const struct listener *l, bool *ret_untold);

/* Whether a rule is about listeners on ports that no entry expects. */
bool judge_needs_others(const struct policy *policy, enum protocol protocol);

/* Judges what could not be seen of a class, after all its listeners. */
int judge_class(struct evaluation *ev, enum protocol protocol);

/* Adds a finding. Takes summary's text. Returns 0 or -ENOMEM. */
int judge_add(struct verdict *v, const struct finding *finding, struct buf *summary);

/* Notes that a rule would need to see who holds the listener. While nobody has
 * looked for that there is nothing to complain of yet. */
void judge_note_untold(struct evaluation *ev, const struct listener *l);

/* "127.0.0.1:80" and "nginx[812], user www-data, unit nginx.service". */
void judge_describe(struct buf *out, const struct listener *l);
void judge_describe_owner(struct buf *out, const struct owner_set *owners);

#endif
