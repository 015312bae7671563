/* What the operator expects, as the rules read it. Plain data: the
 * configuration loader fills it and seals it, nobody changes it afterwards; any
 * thread may read it then. */
#ifndef SOCKWATCH_CORE_POLICY_H
#define SOCKWATCH_CORE_POLICY_H

#include "core/net.h"
#include "core/owner.h"
#include "core/port_index.h"

/* With the NUL. */
#define EXPECT_NAME_MAX 65

enum severity { SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };

enum want_scope { WANT_ANY, WANT_PUBLIC, WANT_LOOPBACK };

/* Which sockets an entry is about; shared by expect and allow. */
struct matcher {
    enum protocol protocol;
    struct port_range *ports; /* owned */
    size_t port_count;
    enum want_scope scope;
    bool has_address;
    struct ip_addr address;
    struct owner_pattern owner; /* its texts are owned */
};

/* A service that must be there, on every one of its ports. */
struct expect {
    char name[EXPECT_NAME_MAX];
    struct matcher match;
    bool families[2]; /* [0] IPv4, [1] IPv6: each of these must be served */
    int64_t for_ms;
    enum severity severity;
    double accept_queue; /* saturation ratio that is too much; 0 for any is fine */
};

/* Listeners that are fine but not required. */
struct allow {
    struct matcher match;
};

struct unexpected {
    bool enabled;
    enum severity severity;
    int64_t for_ms;
    bool ignore_loopback;
};

struct policy {
    struct expect *expects; /* owned */
    size_t expect_count, expect_capacity;
    struct allow *allows; /* owned */
    size_t allow_count, allow_capacity;
    struct unexpected unexpected;
    struct {
        struct port_index expects, allows;
    } by_port;                       /* owned; of all entries once sealed */
    struct ip_addr *allow_addresses; /* owned; those that allow entries ask for, in order, once sealed */
    size_t allow_address_count;
    uint32_t *by_name; /* owned; of all expect entries once sealed, in the order of their names */
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

const char *severity_name(enum severity severity);
const char *want_scope_name(enum want_scope scope);

/* Whether some expect entry names this port. */
bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port);

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

/* Begin a walk over the entries that are about a port, each once, in no
 * particular order.
 *
 * address   of allow entries those that ask for it; NULL: those that ask for none */
void policy_walk_expects(const struct policy *policy, enum protocol protocol, uint16_t port,
                         struct port_walk *ret_walk);
void policy_walk_allows(const struct policy *policy, enum protocol protocol, uint16_t port,
                        const struct ip_addr *address, struct port_walk *ret_walk);

/* Steps on. NULL at the end; otherwise valid as long as the policy. */
const struct expect *policy_next_expect(const struct policy *policy, struct port_walk *walk);
const struct allow *policy_next_allow(const struct policy *policy, struct port_walk *walk);

/* The scope the entry really asks for: a loopback address asks for loopback. */
enum want_scope matcher_scope(const struct matcher *match);

#endif
