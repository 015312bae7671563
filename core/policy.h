/* What the operator expects, as the rules read it. Plain data: the
 * configuration loader fills it and seals it, nobody changes it afterwards; any
 * thread may read it then. */
#ifndef SOCKWATCH_CORE_POLICY_H
#define SOCKWATCH_CORE_POLICY_H

#include "core/net.h"
#include "core/owner.h"
#include "core/port_index.h"
#include "core/probe.h"

/* With the NUL. */
#define EXPECT_NAME_MAX 65

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };

enum want_scope { WANT_ANY, WANT_PUBLIC, WANT_LOOPBACK };

/* Which sockets an entry is about; shared by expect, allow and deny. */
struct matcher {
    unsigned protocols;       /* mask of 1 << protocol; 0 stands for tcp alone */
    struct port_range *ports; /* owned */
    size_t port_count;
    const char *path; /* owned; of unix sockets, for which ports are the one that stands for it; NULL: none */
    enum want_scope scope;
    struct ip_addr *addresses; /* owned; each once, in order; none: any */
    size_t address_count;
    struct owner_pattern owner; /* its texts are owned */
};

/* Of each label of an entry, in bytes. */
enum { ENTRY_LABEL_NAME_MAX = 64, ENTRY_LABEL_VALUE_MAX = 255 };

/* What an entry's alerts carry, as people and routers of alerts use it. */
struct entry_label {
    const char *name, *value; /* both owned */
};

/* How often something may happen within a time. */
struct allowed_rate {
    int64_t max;
    int64_t window_ms;
};

/* How many there may be at a time. */
struct allowed_count {
    int64_t min, max;
};

/* Addresses of one entry. */
enum { MATCHER_ADDRESSES_MAX = 64 };

/* A service that must be there, on every one of its ports. */
struct expect {
    char name[EXPECT_NAME_MAX];
    struct matcher match;
    bool families[2]; /* [0] IPv4, [1] IPv6: each of these must be served */
    int64_t for_ms;
    enum severity severity;
    bool accept_queue_given;
    double accept_queue;          /* if given; see expect_accept_queue() */
    struct allowed_rate flapping; /* interruptions; max 0: as many as they like */
    bool drops_limited;
    struct allowed_rate drops; /* connection attempts or datagrams, if limited */
    bool connections_limited;
    struct allowed_count connections; /* established ones, if limited */
    int64_t close_wait_max;           /* connections in CLOSE_WAIT; 0: any number */
    struct entry_label *labels;       /* owned; in the order of their names */
    size_t label_count;
    struct probe_order probe; /* of its service by tcp; see expect_probes() */
};

/* Listeners that are fine but not required. */
struct allow {
    struct matcher match; /* without ports it is about all of them */
    bool kernel_chosen;   /* only those whose port the kernel chose */
};

/* Listeners that are never wanted, whatever else says so. */
struct deny {
    struct matcher match;
    enum severity severity;
};

struct unexpected {
    bool enabled;
    unsigned protocols; /* mask of 1 << protocol; 0: those over IP */
    enum severity severity;
    int64_t for_ms;
    bool ignore_loopback;
    bool ignore_kernel_chosen;
};

/* How much of the local ports towards one destination may be in use. */
struct ephemeral_limit {
    bool enabled;
    double max_used; /* share of those that are available; at it is too much */
    int64_t for_ms;
    enum severity severity;
};

struct policy {
    struct expect *expects; /* owned */
    size_t expect_count, expect_capacity;
    struct allow *allows; /* owned */
    size_t allow_count, allow_capacity;
    struct deny *denies; /* owned */
    size_t deny_count, deny_capacity;
    struct unexpected unexpected;
    struct ephemeral_limit ephemeral;
    struct {
        struct port_index expects, allows, denies;
    } by_port;                       /* owned; of all entries once sealed */
    struct ip_addr *allow_addresses; /* owned; those of which allow entries ask for one alone, in order, once
                                        sealed */
    size_t allow_address_count;
    uint32_t *by_name;       /* owned; of all expect entries once sealed, in the order of their names */
    bool counts_connections; /* some rule of an expect entry is about connections; once sealed */
};

/* Frees the entries and all that they own. */
void policy_done(struct policy *policy);

/* Indexes the entries by port, once all are there; a policy with entries is
 * used only after this. It may be done again when entries have changed.
 *
 * Returns 0, or -ENOMEM: the policy is not sealed then. */
int policy_seal(struct policy *policy);

/* Takes the seal back, of a policy whose entries are not its own to free. */
void policy_unseal(struct policy *policy);

/* Whether the entries are indexed, as many as there are now. */
bool policy_is_sealed(const struct policy *policy);

/* Whether it is judged how many local ports are in use. */
bool policy_uses_ephemeral(const struct policy *policy);

const char *severity_name(enum severity severity);
const char *want_scope_name(enum want_scope scope);

/* Whether some expect entry names this port. */
bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port);

/* The port that stands for a path where some expect entry is about it, otherwise 0:
 * whoever makes sockets chooses their paths, and finds others with the same port. */
uint16_t policy_port_of_path(const struct policy *policy, const char *path);

/* The expected ports of a protocol as ranges, of which there is room for max. Where
 * there are more, those that are nearest to each other are joined, with what is
 * between them. Returns their number. */
size_t policy_expected_ranges(const struct policy *policy, enum protocol protocol, struct port_range *ret,
                              size_t max);

/* The expect entries of a name.
 *
 * index   0 for the first of them, and so on
 *
 * Returns NULL after the last; otherwise valid as long as the policy. */
const struct expect *policy_named(const struct policy *policy, const char *name, size_t index);

/* Which of the allow entries on a port. */
enum allow_kind {
    ALLOW_OPEN,      /* those that ask for no address */
    ALLOW_LISTED,    /* those that ask for several */
    ALLOW_OF,        /* those that ask for one, which is given */
    ALLOW_ADDRESSED, /* those that ask for one or several */
};

/* The expect entry of a service, by its name and one of its ports. NULL where
 * there is none; otherwise valid as long as the policy. */
const struct expect *policy_service(const struct policy *policy, const char *name, enum protocol protocol,
                                    uint16_t port);

/* Begin a walk over the entries that are about a port, each once, in no
 * particular order.
 *
 * address   of ALLOW_OF; otherwise not looked at */
void policy_walk_expects(const struct policy *policy, enum protocol protocol, uint16_t port,
                         struct port_walk *ret_walk);
void policy_walk_allows(const struct policy *policy, enum protocol protocol, uint16_t port,
                        enum allow_kind kind, const struct ip_addr *address, struct port_walk *ret_walk);
void policy_walk_denies(const struct policy *policy, enum protocol protocol, uint16_t port,
                        struct port_walk *ret_walk);

/* Steps on. NULL at the end; otherwise valid as long as the policy. */
const struct expect *policy_next_expect(const struct policy *policy, struct port_walk *walk);
const struct allow *policy_next_allow(const struct policy *policy, struct port_walk *walk);
const struct deny *policy_next_deny(const struct policy *policy, struct port_walk *walk);

/* The ports of an entry; of one that names none all of them. */
const struct port_range *matcher_ports(const struct matcher *match, size_t *ret_count);

/* The scope the entry really asks for: loopback addresses ask for loopback. */
enum want_scope matcher_scope(const struct matcher *match);

/* Which protocols it is about, as a mask that is never 0. */
unsigned matcher_protocols(const struct matcher *match);
bool matcher_has_protocol(const struct matcher *match, enum protocol protocol);

/* Whether it asks for this address, among others or alone. */
bool matcher_asks_for(const struct matcher *match, const struct ip_addr *address);

/* Steps through its protocols: the first is that after -1. Returns PROTOCOL_COUNT
 * after the last. */
int matcher_next_protocol(const struct matcher *match, int before);

/* Which protocols an unexpected listener may be of, as a mask; 0 where none may be. */
unsigned policy_unexpected(const struct policy *policy);

/* Whether a listener of the protocol that no entry expects may be an unexpected one, or
 * is denied: otherwise only their number matters. */
bool policy_minds(const struct policy *policy, enum protocol protocol);

/* The saturation ratio of an accept queue that is too much; 0: any is fine. Of
 * tcp and unix that is ACCEPT_QUEUE_DEFAULT, unless the entry says otherwise. */
#define ACCEPT_QUEUE_DEFAULT 0.8
double expect_accept_queue(const struct expect *e, enum protocol protocol);

/* Whether a rule of the entry is about how many connections it has, of one state,
 * by a protocol. */
bool expect_limits_close_wait(const struct expect *e, enum protocol protocol);
bool expect_counts_connections(const struct expect *e, enum protocol protocol);

/* Whether the entry's probe is about its service on one of its ports: that of the
 * target or, where the target has another one, the first. */
bool expect_probes(const struct expect *e, enum protocol protocol, uint16_t port);

#endif
