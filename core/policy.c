#include "core/policy.h"

#include <stdlib.h>

void policy_done(struct policy *policy)
{
    for (size_t i = 0; i < policy->expect_count; i++)
        free(policy->expects[i].match.ports);
    for (size_t i = 0; i < policy->allow_count; i++)
        free(policy->allows[i].match.ports);
    free(policy->expects);
    free(policy->allows);
    *policy = (struct policy){0};
}

const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_WARNING: return "warning";
    case SEVERITY_CRITICAL: return "critical";
    case SEVERITY_COUNT: break;
    }
    return "unknown";
}

const char *want_scope_name(enum want_scope scope)
{
    switch (scope) {
    case WANT_ANY: return "any";
    case WANT_PUBLIC: return "public";
    case WANT_LOOPBACK: return "loopback";
    }
    return "unknown";
}

bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port)
{
    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct matcher *match = &policy->expects[i].match;

        if (match->protocol == protocol && port_ranges_contain(match->ports, match->port_count, port))
            return true;
    }
    return false;
}

enum want_scope matcher_scope(const struct matcher *match)
{
    return match->has_address && ip_addr_is_loopback(match->address) ? WANT_LOOPBACK : match->scope;
}
