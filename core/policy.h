/* What the operator expects, as the rules read it. Plain data: the
 * configuration loader fills it, nobody changes it afterwards. */
#ifndef SOCKWATCH_CORE_POLICY_H
#define SOCKWATCH_CORE_POLICY_H

#include "core/net.h"
#include "core/owner.h"

/* With the NUL. */
#define EXPECT_NAME_MAX 65

enum severity { SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };

enum want_scope { WANT_ANY, WANT_PUBLIC, WANT_LOOPBACK };

/* Which sockets an entry is about; shared by expect and allow. */
struct matcher {
    enum protocol protocol;
    struct port_range *ports; /* owned */
    size_t port_count, port_capacity;
    enum want_scope scope;
    bool has_address;
    struct ip_addr address;
    struct owner_pattern owner;
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
};

void policy_done(struct policy *policy);

const char *severity_name(enum severity severity);
const char *want_scope_name(enum want_scope scope);

/* Whether some expect entry names this port. */
bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port);

/* The scope the entry really asks for: a loopback address asks for loopback. */
enum want_scope matcher_scope(const struct matcher *match);

#endif
