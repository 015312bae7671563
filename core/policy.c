#include "core/policy.h"
#include "core/ref.h"
#include "core/unix_path.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void matcher_done(const struct matcher *match)
{
    free(match->ports);
    free(ref_unseal(match->path));
    free(match->addresses);
    free(ref_unseal(match->owner.process));
    free(ref_unseal(match->owner.exe));
    free(ref_unseal(match->owner.user));
    free(ref_unseal(match->owner.unit));
}

static void labels_done(const struct expect *e)
{
    for (size_t i = 0; i < e->label_count; i++) {
        free(ref_unseal(e->labels[i].name));
        free(ref_unseal(e->labels[i].value));
    }
    free(e->labels);
}

void policy_done(struct policy *policy)
{
    policy_unseal(policy);
    for (size_t i = 0; i < policy->expect_count; i++) {
        matcher_done(&policy->expects[i].match);
        labels_done(&policy->expects[i]);
    }
    for (size_t i = 0; i < policy->allow_count; i++)
        matcher_done(&policy->allows[i].match);
    for (size_t i = 0; i < policy->deny_count; i++)
        matcher_done(&policy->denies[i].match);
    free(policy->expects);
    free(policy->allows);
    free(policy->denies);
    *policy = (struct policy){0};
}

static int compare_addresses(const void *a, const void *b)
{
    return ip_addr_compare(a, b);
}

/* Collects the addresses of which allow entries ask for one alone, each once. */
static int sort_addresses(struct policy *policy)
{
    struct ip_addr *addresses = calloc(policy->allow_count + 1, sizeof *addresses);
    size_t count = 0, kept = 0;

    if (!addresses)
        return -ENOMEM;
    for (size_t i = 0; i < policy->allow_count; i++)
        if (policy->allows[i].match.address_count == 1)
            addresses[count++] = policy->allows[i].match.addresses[0];
    if (count > 0)
        qsort(addresses, count, sizeof *addresses, compare_addresses);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || ip_addr_compare(&addresses[i], &addresses[kept - 1]) != 0)
            addresses[kept++] = addresses[i];
    policy->allow_addresses = addresses;
    policy->allow_address_count = kept;
    return 0;
}

static const struct ip_addr *find_address(const struct ip_addr *addresses, size_t count,
                                          const struct ip_addr *address)
{
    return count > 0 ? bsearch(address, addresses, count, sizeof *addresses, compare_addresses) : NULL;
}

/* The spaces of allow entries: of each kind one, but one for each address. */
enum { SPACE_OPEN, SPACE_LISTED, SPACE_ADDRESSED, SPACE_OF_ADDRESS };

/* UINT32_MAX where no entry asks for that address alone. */
static uint32_t space_of(const struct policy *policy, enum allow_kind kind, const struct ip_addr *address)
{
    const struct ip_addr *found;

    switch (kind) {
    case ALLOW_OPEN: return SPACE_OPEN;
    case ALLOW_LISTED: return SPACE_LISTED;
    case ALLOW_ADDRESSED: return SPACE_ADDRESSED;
    case ALLOW_OF: break;
    }
    found = find_address(policy->allow_addresses, policy->allow_address_count, address);
    return found ? (uint32_t)(found - policy->allow_addresses) + SPACE_OF_ADDRESS : UINT32_MAX;
}

static int add_entry(struct port_index *index, uint32_t space, const struct matcher *match)
{
    size_t count;
    const struct port_range *ports = matcher_ports(match, &count);

    return port_index_add(index, space, matcher_protocols(match), ports, count);
}

static int add_allow(struct policy *policy, const struct matcher *match)
{
    struct port_index *index = &policy->by_port.allows;
    enum allow_kind kind = match->address_count == 0   ? ALLOW_OPEN
                           : match->address_count == 1 ? ALLOW_OF
                                                       : ALLOW_LISTED;
    size_t count;
    const struct port_range *ports = matcher_ports(match, &count);
    int r = add_entry(index, space_of(policy, kind, match->addresses), match);

    if (r == 0 && kind != ALLOW_OPEN)
        r = port_index_extend(index, SPACE_ADDRESSED, matcher_protocols(match), ports, count);
    return r;
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

static bool counts_connections(const struct expect *e)
{
    bool counts = false;

    for (int p = -1; !counts && (p = matcher_next_protocol(&e->match, p)) < PROTOCOL_COUNT;)
        counts = expect_counts_connections(e, (enum protocol)p);
    return counts;
}

int policy_seal(struct policy *policy)
{
    int r;

    policy_unseal(policy);
    r = sort_addresses(policy);
    for (size_t i = 0; r == 0 && i < policy->expect_count; i++)
        r = add_entry(&policy->by_port.expects, 0, &policy->expects[i].match);
    for (size_t i = 0; r == 0 && i < policy->allow_count; i++)
        r = add_allow(policy, &policy->allows[i].match);
    for (size_t i = 0; r == 0 && i < policy->deny_count; i++)
        r = add_entry(&policy->by_port.denies, 0, &policy->denies[i].match);
    if (r == 0)
        r = sort_names(policy);
    if (r < 0) {
        policy_unseal(policy);
        return r;
    }
    policy->counts_connections = false;
    for (size_t i = 0; i < policy->expect_count; i++)
        policy->counts_connections |= counts_connections(&policy->expects[i]);
    port_index_seal(&policy->by_port.expects);
    port_index_seal(&policy->by_port.allows);
    port_index_seal(&policy->by_port.denies);
    return 0;
}

void policy_unseal(struct policy *policy)
{
    port_index_done(&policy->by_port.expects);
    port_index_done(&policy->by_port.allows);
    port_index_done(&policy->by_port.denies);
    free(policy->allow_addresses);
    policy->allow_addresses = NULL;
    policy->allow_address_count = 0;
    free(policy->by_name);
    policy->by_name = NULL;
}

bool policy_is_sealed(const struct policy *policy)
{
    return policy->by_port.expects.entries == policy->expect_count &&
           policy->by_port.allows.entries == policy->allow_count &&
           policy->by_port.denies.entries == policy->deny_count;
}

bool policy_uses_ephemeral(const struct policy *policy)
{
    return policy->ephemeral.enabled;
}

const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_INFO: return "info";
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

const struct expect *policy_service(const struct policy *policy, const char *name, enum protocol protocol,
                                    uint16_t port)
{
    const struct expect *e;

    for (size_t i = 0; (e = policy_named(policy, name, i)); i++)
        if (matcher_has_protocol(&e->match, protocol) &&
            port_ranges_contain(e->match.ports, e->match.port_count, port))
            return e;
    return NULL;
}

void policy_walk_expects(const struct policy *policy, enum protocol protocol, uint16_t port,
                         struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.expects, 0, protocol, port);
}

void policy_walk_allows(const struct policy *policy, enum protocol protocol, uint16_t port,
                        enum allow_kind kind, const struct ip_addr *address, struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.allows, space_of(policy, kind, address), protocol, port);
}

void policy_walk_denies(const struct policy *policy, enum protocol protocol, uint16_t port,
                        struct port_walk *ret_walk)
{
    assert(policy_is_sealed(policy));
    port_walk_begin(ret_walk, &policy->by_port.denies, 0, protocol, port);
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

const struct deny *policy_next_deny(const struct policy *policy, struct port_walk *walk)
{
    size_t entry;

    return port_walk_next(walk, &policy->by_port.denies, &entry) ? &policy->denies[entry] : NULL;
}

bool policy_expects_port(const struct policy *policy, enum protocol protocol, uint16_t port)
{
    struct port_walk walk;

    policy_walk_expects(policy, protocol, port, &walk);
    return policy_next_expect(policy, &walk) != NULL;
}

uint16_t policy_port_of_path(const struct policy *policy, const char *path)
{
    uint16_t port = unix_path_port(path);
    const struct expect *e;
    struct port_walk walk;

    policy_walk_expects(policy, PROTOCOL_UNIX, port, &walk);
    while ((e = policy_next_expect(policy, &walk)))
        if (strcmp(e->match.path, path) == 0)
            return port;
    return 0;
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

const struct port_range *matcher_ports(const struct matcher *match, size_t *ret_count)
{
    static const struct port_range all = {0, UINT16_MAX};

    *ret_count = match->port_count > 0 ? match->port_count : 1;
    return match->port_count > 0 ? match->ports : &all;
}

enum want_scope matcher_scope(const struct matcher *match)
{
    for (size_t i = 0; i < match->address_count; i++)
        if (!ip_addr_is_loopback(match->addresses[i]))
            return match->scope;
    return match->address_count > 0 ? WANT_LOOPBACK : match->scope;
}

unsigned matcher_protocols(const struct matcher *match)
{
    return match->protocols ? match->protocols : 1u << PROTOCOL_TCP;
}

bool matcher_has_protocol(const struct matcher *match, enum protocol protocol)
{
    return matcher_protocols(match) >> protocol & 1;
}

bool matcher_asks_for(const struct matcher *match, const struct ip_addr *address)
{
    return find_address(match->addresses, match->address_count, address);
}

int matcher_next_protocol(const struct matcher *match, int before)
{
    int protocol = before + 1;

    while (protocol < PROTOCOL_COUNT && !matcher_has_protocol(match, (enum protocol)protocol))
        protocol++;
    return protocol;
}

unsigned policy_unexpected(const struct policy *policy)
{
    const struct unexpected *u = &policy->unexpected;

    if (!u->enabled)
        return 0;
    return u->protocols ? u->protocols : protocols_of_ip();
}

bool policy_minds(const struct policy *policy, enum protocol protocol)
{
    unsigned mask = policy_unexpected(policy);

    for (size_t i = 0; i < policy->deny_count; i++)
        mask |= matcher_protocols(&policy->denies[i].match);
    return mask >> protocol & 1;
}

double expect_accept_queue(const struct expect *e, enum protocol protocol)
{
    if (!protocol_accepts(protocol))
        return 0;
    if (e->accept_queue_given)
        return e->accept_queue;
    return protocol != PROTOCOL_SCTP ? ACCEPT_QUEUE_DEFAULT : 0;
}

bool expect_limits_close_wait(const struct expect *e, enum protocol protocol)
{
    return protocol == PROTOCOL_TCP && e->close_wait_max > 0;
}

bool expect_counts_connections(const struct expect *e, enum protocol protocol)
{
    return e->connections_limited || expect_limits_close_wait(e, protocol);
}

bool expect_probes(const struct expect *e, enum protocol protocol, uint16_t port)
{
    const struct matcher *match = &e->match;
    uint16_t wanted = e->probe.target.port;

    if (!e->probe.is_set || protocol != PROTOCOL_TCP || match->port_count == 0)
        return false;
    if (!port_ranges_contain(match->ports, match->port_count, wanted))
        wanted = match->ports[0].first;
    return port == wanted;
}
