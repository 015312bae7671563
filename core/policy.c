#include "core/policy.h"
#include "core/ref.h"

#include <assert.h>
#include <stdlib.h>

static void matcher_done(const struct matcher *match)
{
    free(match->ports);
    free(ref_unseal(match->owner.process));
    free(ref_unseal(match->owner.user));
    free(ref_unseal(match->owner.unit));
}

void policy_done(struct policy *policy)
{
    policy_unseal(policy);
    for (size_t i = 0; i < policy->expect_count; i++)
        matcher_done(&policy->expects[i].match);
    for (size_t i = 0; i < policy->allow_count; i++)
        matcher_done(&policy->allows[i].match);
    free(policy->expects);
    free(policy->allows);
    *policy = (struct policy){0};
}

static int add_matcher(struct port_index *index, const struct matcher *match)
{
    return port_index_add(index, match->protocol, match->ports, match->port_count);
}

int policy_seal(struct policy *policy)
{
    int r = 0;

    policy_unseal(policy);
    for (size_t i = 0; r == 0 && i < policy->expect_count; i++)
        r = add_matcher(&policy->by_port.expects, &policy->expects[i].match);
    for (size_t i = 0; r == 0 && i < policy->allow_count; i++)
        r = add_matcher(&policy->by_port.allows, &policy->allows[i].match);
    if (r < 0) {
        policy_unseal(policy);
        return r;
    }
    port_index_seal(&policy->by_port.expects);
    port_index_seal(&policy->by_port.allows);
    return 0;
}

void policy_unseal(struct policy *policy)
{
    port_index_done(&policy->by_port.expects);
    port_index_done(&policy->by_port.allows);
}

bool policy_is_sealed(const struct policy *policy)
{
    return policy->by_port.expects.entries == policy->expect_count &&
           policy->by_port.allows.entries == policy->allow_count;
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

void policy_walk_expects(const struct policy *policy, enum protocol protocol, uint16_t port,
                         struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.expects, protocol, port);
}

void policy_walk_allows(const struct policy *policy, enum protocol protocol, uint16_t port,
                        struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.allows, protocol, port);
}

const struct expect *policy_next_expect(const struct policy *policy, struct port_walk *walk)
{
    size_t entry;

    return port_walk_next(walk, &policy->by_port.expects, &entry) ? &policy->expects[entry] : NULL;
}

const struct allow *policy_next_allow(const struct policy *policy, struct port_walk *walk)
{
    size_t entry;

    return port_walk_next(walk, &policy->by_port.allows, &entry) ? &policy->allows[entry] : NULL;
}

bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port)
{
    struct port_walk walk;

    policy_walk_expects(policy, protocol, port, &walk);
    return policy_next_expect(policy, &walk) != NULL;
}

/* Joins ranges that are no further apart than gap. Returns how many there are,
 * which may be more than there is room for. */
static size_t join_ranges(const struct port_index *index, enum protocol protocol, uint32_t gap,
                          struct port_range *ret, size_t max)
{
    struct port_range *last = NULL;
    size_t count = 0;

    for (size_t i = 0; i < index->count; i++) {
        const struct port_span *span = &index->spans[i];
        uint16_t first = (uint16_t)span->first, end = (uint16_t)span->last;

        if (span->first >> 16 != (uint32_t)protocol)
            continue;
        if (last && first <= last->last + gap) {
            last->last = end > last->last ? end : last->last;
            continue;
        }
        if (count++ == max)
            return count;
        last = &ret[count - 1];
        *last = (struct port_range){first, end};
    }
    return count;
}

size_t policy_expected_ranges(const struct policy *policy, enum protocol protocol, struct port_range *ret,
                              size_t max)
{
    uint32_t gap = 1;
    size_t count;

    assert(policy_is_sealed(policy) && max > 0);
    while ((count = join_ranges(&policy->by_port.expects, protocol, gap, ret, max)) > max)
        gap *= 2;
    return count;
}

enum want_scope matcher_scope(const struct matcher *match)
{
    return match->has_address && ip_addr_is_loopback(match->address) ? WANT_LOOPBACK : match->scope;
}
