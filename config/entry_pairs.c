#include "config/entry_pairs.h"
#include "config/entry_checks.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ports that an entry claims for its name or for its address, as points: which
 * name or address it is, the protocol, the port. */
struct claim {
    uint64_t first, last;
    uint32_t entry;
};

/* What ports are claimed for: the name of an entry, or one of its addresses. */
struct claimer {
    uint32_t entry;
    uint32_t address; /* index; 0 also where the entry has none */
};

struct finder {
    const struct policy *policy;
    struct claimer *claimers; /* room for all addresses of all entries */
    size_t claimer_count;
    struct claim *claims; /* room for all that they claim */
    size_t claim_count;
    struct entry_pair *pairs;
    size_t pair_count, pair_capacity;
};

typedef int compare_fn(const struct expect *expects, struct claimer a, struct claimer b);

static int compare_names(const struct expect *expects, struct claimer a, struct claimer b)
{
    return strcmp(expects[a.entry].name, expects[b.entry].name);
}

static int compare_addresses(const struct expect *expects, struct claimer a, struct claimer b)
{
    const struct matcher *x = &expects[a.entry].match, *y = &expects[b.entry].match;

    if (x->address_count == 0 || y->address_count == 0)
        return (x->address_count > 0) - (y->address_count > 0);
    return ip_addr_compare(&x->addresses[a.address], &y->addresses[b.address]);
}

struct sorting {
    const struct expect *expects;
    compare_fn *compare;
};

static int compare_claimers(const void *a, const void *b, void *arg)
{
    const struct sorting *sorting = arg;

    return sorting->compare(sorting->expects, *(const struct claimer *)a, *(const struct claimer *)b);
}

static int compare_claims(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Joins what overlaps of one entry, which is no pair. Returns how many are left. */
static size_t join_claims(struct claim *claims, size_t count)
{
    size_t left = 0;

    if (count > 1)
        qsort(claims, count, sizeof *claims, compare_claims);
    for (size_t i = 0; i < count; i++) {
        if (left == 0 || claims[i].first > claims[left - 1].last)
            claims[left++] = claims[i];
        else if (claims[i].last > claims[left - 1].last)
            claims[left - 1].last = claims[i].last;
    }
    return left;
}

/* A name is for one unix socket: alerts do not tell the path. Several entries may be
 * about one, as those that ask for different owners are. */
static const struct port_range every_port = {0, UINT16_MAX};

static void add_claims(struct finder *f, uint32_t claimed_for, uint32_t entry)
{
    const struct matcher *match = &f->policy->expects[entry].match;
    struct claim *claims = f->claims + f->claim_count;
    size_t made = 0;

    for (int p = -1; (p = matcher_next_protocol(match, p)) < PROTOCOL_COUNT;) {
        uint64_t base = (uint64_t)claimed_for << 32 | (uint64_t)p << 16;

        for (size_t i = 0; i < match->port_count; i++) {
            struct port_range range = match->path ? every_port : match->ports[i];

            claims[made++] = (struct claim){base | range.first, base | range.last, entry};
        }
    }
    f->claim_count += join_claims(claims, made);
}

/* How much an entry may claim, for each of its names and addresses; one that
 * claims too much was told so, and claims nothing. */
static size_t claims_of(const struct matcher *match, size_t for_each)
{
    size_t claims = match->port_count * protocols_count(matcher_protocols(match)) * for_each;

    return claims > ENTRY_CLAIMS_MAX && for_each > 1 ? 0 : claims;
}

static size_t addresses_of(const struct matcher *match)
{
    return match->address_count > 0 ? match->address_count : 1;
}

static void collect_claimers(struct finder *f, bool of_addresses)
{
    f->claimer_count = 0;
    for (size_t i = 0; i < f->policy->expect_count; i++) {
        const struct matcher *match = &f->policy->expects[i].match;
        size_t count = of_addresses ? addresses_of(match) : 1;

        if (of_addresses && match->path)
            continue;
        for (size_t k = 0; k < count && claims_of(match, count) > 0; k++)
            f->claimers[f->claimer_count++] = (struct claimer){(uint32_t)i, (uint32_t)k};
    }
}

/* Numbers the names, or the addresses, and lets each entry claim its ports. */
static void make_claims(struct finder *f, bool of_addresses)
{
    compare_fn *compare = of_addresses ? compare_addresses : compare_names;
    struct sorting sorting = {f->policy->expects, compare};
    uint32_t claimed_for = 0;

    collect_claimers(f, of_addresses);
    qsort_r(f->claimers, f->claimer_count, sizeof *f->claimers, compare_claimers, &sorting);
    f->claim_count = 0;
    for (size_t i = 0; i < f->claimer_count; i++) {
        if (i > 0 && compare(sorting.expects, f->claimers[i - 1], f->claimers[i]) != 0)
            claimed_for++;
        add_claims(f, claimed_for, f->claimers[i].entry);
    }
    if (f->claim_count > 0)
        qsort(f->claims, f->claim_count, sizeof *f->claims, compare_claims);
}

/* An entry without a name was told so: it is no later one. */
static int add_pair(struct finder *f, uint32_t a, uint32_t b)
{
    const struct entry_pair pair = {.later = a > b ? a : b, .earlier = a > b ? b : a};
    struct entry_pair *pairs = array_grow(f->pairs, &f->pair_capacity, f->pair_count + 1, sizeof *pairs);

    if (!pairs)
        return -ENOMEM;
    f->pairs = pairs;
    if (*f->policy->expects[pair.later].name)
        f->pairs[f->pair_count++] = pair;
    return 0;
}

/* All that overlaps a claim follows it, one after the other. */
static int find_overlaps(struct finder *f)
{
    size_t looked_at = 0;
    int r = 0;

    for (size_t i = 0; i < f->claim_count; i++)
        for (size_t k = i + 1; k < f->claim_count && f->claims[k].first <= f->claims[i].last; k++) {
            if (r < 0 || looked_at++ == ENTRY_PAIRS_MAX)
                return r;
            r = add_pair(f, f->claims[i].entry, f->claims[k].entry);
        }
    return r;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct entry_pair *x = a, *y = b;

    if (x->later != y->later)
        return x->later < y->later ? -1 : 1;
    return (x->earlier > y->earlier) - (x->earlier < y->earlier);
}

static void sort_pairs(struct finder *f)
{
    size_t left = 0;

    if (f->pair_count > 0)
        qsort(f->pairs, f->pair_count, sizeof *f->pairs, compare_pairs);
    for (size_t i = 0; i < f->pair_count; i++)
        if (left == 0 || compare_pairs(&f->pairs[i], &f->pairs[left - 1]) != 0)
            f->pairs[left++] = f->pairs[i];
    f->pair_count = left;
}

static int find_all(struct finder *f)
{
    int r;

    make_claims(f, false);
    r = find_overlaps(f);
    if (r < 0)
        return r;
    make_claims(f, true);
    r = find_overlaps(f);
    sort_pairs(f);
    return r;
}

int entry_pairs_find(const struct policy *policy, struct entry_pair **ret_pairs, size_t *ret_count)
{
    struct finder f = {.policy = policy};
    size_t claimers = 0, claims = 0;
    int r = -ENOMEM;

    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct matcher *match = &policy->expects[i].match;
        size_t by_address = claims_of(match, addresses_of(match)), by_name = claims_of(match, 1);

        claimers += addresses_of(match);
        claims += by_address > by_name ? by_address : by_name;
    }
    f.claimers = calloc(claimers + 1, sizeof *f.claimers);
    f.claims = calloc(claims + 1, sizeof *f.claims);
    if (f.claimers && f.claims)
        r = find_all(&f);
    free(f.claimers);
    free(f.claims);
    if (r < 0) {
        free(f.pairs);
        return r;
    }
    *ret_pairs = f.pairs;
    *ret_count = f.pair_count;
    return 0;
}
