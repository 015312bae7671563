/* The rules: what of a snapshot is not as the policy expects.
 *
 * Pure: the same snapshot and policy always give the same verdict; time,
 * pending and firing are the alert module's matter. A verdict is sealed, and
 * any thread may read it. A rule judges only classes of sockets that were read:
 * about the others the verdict says that they were not seen, and Blind is true
 * for those that a rule needs. Judging takes time that grows with the entries
 * and the listeners, not with their product, unless they share a port. */
#ifndef SOCKWATCH_CORE_RULES_H
#define SOCKWATCH_CORE_RULES_H

#include "core/conn_table.h"
#include "core/inventory.h"
#include "core/own.h"
#include "core/policy.h"
#include "core/probe.h"
#include "core/ref.h"

enum rule {
    RULE_NOT_LISTENING,
    RULE_LOOPBACK_ONLY,
    RULE_EXPOSED,
    RULE_WRONG_ADDRESS,
    RULE_FLAPPING,
    RULE_DROPPING,
    RULE_WRONG_OWNER,
    RULE_UNEXPECTED_LISTENER,
    RULE_ACCEPT_QUEUE_SATURATED,
    RULE_CONNECTIONS_OUT_OF_RANGE,
    RULE_STUCK_CONNECTIONS,
    RULE_UNREACHABLE,
    RULE_EPHEMERAL_PORTS_EXHAUSTED,
    RULE_BLIND,
    RULE_COUNT
};

/* With the NUL; a longer summary is cut behind a whole character. */
#define SUMMARY_MAX 384

/* What an alert is about; two findings with one key are the same alert. */
struct alert_key {
    enum rule rule;
    char name[EXPECT_NAME_MAX]; /* of the expected service, "" for none */
    enum protocol protocol;
    bool has_port; /* that the port is one, and not what stands for the path of the service */
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
    bool confirm;   /* it must be true at the next poll, too */
    char summary[SUMMARY_MAX];
};

/* What befell an expected service before, as core/windows.h counts. */
struct service_past {
    uint64_t interruptions; /* since the start */
    uint64_t interrupted;   /* times within the window of its entry's flapping */
    uint64_t dropped;       /* connection attempts or datagrams, likewise of its drops */
};

/* What was found of an expected service on one of its ports, by one of its protocols. */
struct service_verdict {
    size_t expect; /* index of the policy's entry */
    enum protocol protocol;
    uint16_t port;
    bool seen;                /* its class of sockets was read; the next four are told only then */
    bool renewed;             /* none of its sockets was there when it was judged before */
    uint64_t dropped;         /* connection attempts or datagrams, since then */
    uint32_t found;           /* how many listeners are the service; 0: NotListening */
    uint32_t broken;          /* mask of 1 << rule: those that are true */
    uint32_t untold;          /* likewise: those of which it cannot be told now */
    uint32_t used;            /* mask of 1 << rule: those that the entry uses */
    bool probed;              /* the entry's probe is about it, and it was judged */
    uint8_t reach;            /* then: mask of REACH_ (core/probe.h) */
    struct service_past past; /* once it was added */
};

/* What was found about one listener. */
struct listener_verdict {
    bool expected;                  /* some entry expects its port */
    bool own;                       /* it is sockwatch's own, which is always allowed */
    uint32_t rules;                 /* mask of 1 << rule: those that it breaks */
    uint8_t severities[RULE_COUNT]; /* enum severity, the worst, of each of them */
};

/* What was found about a class of sockets. */
struct class_verdict {
    bool seen;              /* it was read to the end */
    bool complete;          /* and no limit cut its listeners */
    bool needed;            /* some rule needs it */
    enum severity severity; /* of its Blind, if needed */
};

struct verdict {
    struct ref ref;
    struct finding *findings; /* owned */
    size_t count, capacity;
    struct service_verdict *services; /* owned; in the order of entries, protocols and ports */
    size_t service_count;
    struct listener_verdict *listeners; /* owned; one per listener, by its index */
    struct class_verdict classes[PROTOCOL_COUNT];
    uint64_t left_out; /* findings about listeners that bounds cut */
};

/* How many findings there may be about listeners that no entry is about: whoever
 * makes them can make many. Those that are chosen come first, and no user gets
 * more than half. */
struct judge_bounds {
    size_t findings;
    /* Whether a condition was true before: such a finding is never cut, so that
     * its end is seen. May be NULL. */
    bool (*was_true)(const void *arg, const struct alert_key *key);
    const void *arg;
};

/* "NotListening", ... Static. */
const char *rule_name(enum rule rule);

/* What is known of a network namespace when it is judged; all borrowed. */
struct observed {
    const struct inventory *inventory;    /* all its listeners, whatever limits will cut */
    const struct own_sockets *own;        /* sockwatch's own listening sockets, which are always allowed */
    const struct conn_table *connections; /* NULL: not counted yet */
    const struct probe_results *probes;   /* by the entries of the policy; NULL: none was told of yet */
};

/* Judges a network namespace.
 *
 * policy   sealed
 * bounds   NULL for none
 *
 * Returns owned (a reference), or NULL when memory runs out. */
const struct verdict *rules_judge(const struct observed *observed, const struct policy *policy,
                                  const struct judge_bounds *bounds);

/* Adds what the rules say that count over time, which use what befell each service
 * of the verdict, in their order: without this no entry uses them. Takes the
 * verdict, of which nobody else has a reference yet, and returns it, or NULL when
 * memory runs out. */
const struct verdict *verdict_add_past(const struct verdict *v, const struct policy *policy,
                                       const struct service_past *past);

/* The verdict without those about listeners that are not chosen, about the
 * others in the order in which inventory_next_chosen() gives them. Takes the
 * verdict, of which nobody else has a reference yet, and returns it. */
const struct verdict *verdict_cut(const struct verdict *v, const struct inventory *inv);
const struct verdict *verdict_ref(const struct verdict *v);
void verdict_unref(const struct verdict *v);

/* Whether a verdict by this policy, which is sealed, could contain a finding with the key. */
bool rules_can_produce(const struct policy *policy, const struct alert_key *key);

#endif
