/* The rules: what of a snapshot is not as the policy expects.
 *
 * Pure: the same snapshot and policy always give the same verdict; time,
 * pending and firing are the alert module's matter. A rule judges only classes
 * of sockets that were read: about the others the verdict says that they were
 * not seen, and Blind is true for those that a rule needs. */
#ifndef SOCKWATCH_CORE_RULES_H
#define SOCKWATCH_CORE_RULES_H

#include "core/policy.h"
#include "core/snapshot.h"

enum rule {
    RULE_NOT_LISTENING,
    RULE_LOOPBACK_ONLY,
    RULE_EXPOSED,
    RULE_WRONG_ADDRESS,
    RULE_WRONG_OWNER,
    RULE_UNEXPECTED_LISTENER,
    RULE_ACCEPT_QUEUE_SATURATED,
    RULE_BLIND,
    RULE_COUNT
};

/* With the NUL; a longer summary is cut. */
#define SUMMARY_MAX 384

/* What an alert is about; two findings with one key are the same alert. */
struct alert_key {
    enum rule rule;
    char name[EXPECT_NAME_MAX]; /* of the expected service, "" for none */
    enum protocol protocol;
    bool has_port;
    uint16_t port;
    bool has_endpoint; /* about one listener: the three below say which */
    enum family family;
    struct ip_addr address;
    char interface[INTERFACE_NAME_MAX];
};

/* A condition that is true now, or of which it cannot be told now. */
struct finding {
    struct alert_key key;
    bool undetermined; /* the latter: whatever was true before stays */
    enum severity severity;
    int64_t for_ms; /* how long it must stay true before it fires */
    char summary[SUMMARY_MAX];
};

struct verdict {
    struct finding *findings; /* owned */
    size_t count, capacity;
    uint32_t *listener_rules;      /* owned; per listener of the table a mask of 1 << rule */
    bool seen[PROTOCOL_COUNT];     /* the class was read to the end */
    bool complete[PROTOCOL_COUNT]; /* and no limit cut its listeners */
};

/* "NotListening", ... Static. */
const char *rule_name(enum rule rule);

/* Judges a snapshot.
 *
 * own   sockwatch's own listening sockets, which are always allowed; borrowed
 * ret   returns owned, for verdict_done(); filled on success only
 *
 * Returns 0 or -ENOMEM. */
int rules_evaluate(const struct snapshot *snapshot, const struct policy *policy, const struct ip_ports *own,
                   struct verdict *ret);
void verdict_done(struct verdict *verdict);

/* Whether a listener is one of sockwatch's own. */
bool rules_is_own(const struct ip_ports *own, const struct listener *l);

/* Mask of 1 << rule of the rules that an entry uses; each has a series in the
 * metrics whether it fires or not. */
uint32_t rules_used(const struct expect *expect);

/* Whether a verdict by this policy could contain a finding with the key. */
bool rules_can_produce(const struct policy *policy, const struct alert_key *key);

/* Whether some rule needs the class, given how well it can be read: a protocol
 * that the kernel does not have cannot hide an unexpected listener.
 *
 * ret_severity   the worst severity among those rules; filled when true */
bool rules_need(const struct policy *policy, enum protocol protocol, enum visibility visibility,
                enum severity *ret_severity);

/* Whether any listener of the expected service was seen on the port (the
 * opposite of NotListening). Only meaningful when its class was read. */
bool rules_is_listening(const struct listener_table *table, const struct policy *policy,
                        const struct expect *expect, uint16_t port);

#endif
