#include "core/policy.h"
#include "core/ref.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void matcher_done(const struct matcher *match)
{
    free(match->ports);
    free(ref_unseal(match->owner.process));
    free(ref_unseal(match->owner.exe));
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

static int compare_addresses(const void *a, const void *b)
{
    return ip_addr_compare(a, b);
}

/* Collects the addresses that allow entries ask for, each once. */
static int sort_addresses(struct policy *policy)
{
    struct ip_addr *addresses = calloc(policy->allow_count + 1, sizeof *addresses);
    size_t count = 0, kept = 0;

    if (!addresses)
        return -ENOMEM;
    for (size_t i = 0; i < policy->allow_count; i++)
        if (policy->allows[i].match.has_address)
            addresses[count++] = policy->allows[i].match.address;
    if (count > 0)
        qsort(addresses, count, sizeof *addresses, compare_addresses);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || ip_addr_compare(&addresses[i], &addresses[kept - 1]) != 0)
            addresses[kept++] = addresses[i];
    policy->allow_addresses = addresses;
    policy->allow_address_count = kept;
    return 0;
}

/* The space of the entries that ask for an address: 0 for none, UINT32_MAX where
 * no entry asks for it. */
static uint32_t space_of(const struct policy *policy, const struct ip_addr *address)
{
    const struct ip_addr *found = NULL;

    if (!address)
        return 0;
    if (policy->allow_address_count > 0)
        found = bsearch(address, policy->allow_addresses, policy->allow_address_count, sizeof *found,
                        compare_addresses);
    return found ? (uint32_t)(found - policy->allow_addresses) + 1 : UINT32_MAX;
}

static int add_expect(struct policy *policy, const struct matcher *match)
{
    return port_index_add(&policy->by_port.expects, 0, match->protocol, match->ports, match->port_count);
}

static int add_allow(struct policy *policy, const struct matcher *match)
{
    uint32_t space = space_of(policy, match->has_address ? &match->address : NULL);

    return port_index_add(&policy->by_port.allows, space, match->protocol, match->ports, match->port_count);
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const struct expect *expects = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int r = strcmp(expects[x].name, expects[y].name);

    return r != 0 ? r : (x > y) - (x < y);
}

static int sort_names(struct policy *policy)
{
    policy->by_name = calloc(policy->expect_count + 1, sizeof *policy->by_name);
    if (!policy->by_name)
        return -ENOMEM;
    for (size_t i = 0; i < policy->expect_count; i++)
        policy->by_name[i] = (uint32_t)i;
    if (policy->expect_count > 0)
        qsort_r(policy->by_name, policy->expect_count, sizeof *policy->by_name, compare_names,
                policy->expects);
    return 0;
}

int policy_seal(struct policy *policy)
{
    int r;

    policy_unseal(policy);
    r = sort_addresses(policy);
    for (size_t i = 0; r == 0 && i < policy->expect_count; i++)
        r = add_expect(policy, &policy->expects[i].match);
    for (size_t i = 0; r == 0 && i < policy->allow_count; i++)
        r = add_allow(policy, &policy->allows[i].match);
    if (r == 0)
        r = sort_names(policy);
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
    free(policy->allow_addresses);
    policy->allow_addresses = NULL;
    policy->allow_address_count = 0;
    free(policy->by_name);
    policy->by_name = NULL;
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

const struct expect *policy_named(const struct policy *policy, const char *name, size_t index)
{
    size_t low = 0, high = policy->expect_count;
    const struct expect *e;

    assert(policy_is_sealed(policy));
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(policy->expects[policy->by_name[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low + index >= policy->expect_count)
        return NULL;
    e = &policy->expects[policy->by_name[low + index]];
    return strcmp(e->name, name) == 0 ? e : NULL;
}

void policy_walk_expects(const struct policy *policy, enum protocol protocol, uint16_t port,
                         struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.expects, 0, protocol, port);
}

void policy_walk_allows(const struct policy *policy, enum protocol protocol, uint16_t port,
                        const struct ip_addr *address, struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.allows, space_of(policy, address), protocol, port);
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
