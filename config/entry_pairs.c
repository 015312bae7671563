#include "config/entry_pairs.h"
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

struct finder {
    const struct policy *policy;
    uint32_t *order;      /* the entries, by what they claim ports for */
    struct claim *claims; /* room for all ranges of all entries */
    size_t claim_count;
    struct entry_pair *pairs;
    size_t pair_count, pair_capacity;
};

typedef int compare_fn(const struct expect *a, const struct expect *b);

static int compare_names(const struct expect *a, const struct expect *b)
{
    return strcmp(a->name, b->name);
}

static int compare_addresses(const struct expect *a, const struct expect *b)
{
    if (a->match.has_address != b->match.has_address)
        return a->match.has_address ? 1 : -1;
    return ip_addr_compare(&a->match.address, &b->match.address);
}

struct sorting {
    const struct expect *expects;
    compare_fn *compare;
};

static int compare_entries(const void *a, const void *b, void *arg)
{
    const struct sorting *sorting = arg;

    return sorting->compare(&sorting->expects[*(const uint32_t *)a], &sorting->expects[*(const uint32_t *)b]);
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

static void add_claims(struct finder *f, uint32_t claimed_for, uint32_t entry)
{
    const struct matcher *match = &f->policy->expects[entry].match;
    uint64_t base = (uint64_t)claimed_for << 32 | (uint64_t)match->protocol << 16;
    struct claim *claims = f->claims + f->claim_count;

    for (size_t i = 0; i < match->port_count; i++)
        claims[i] = (struct claim){base | match->ports[i].first, base | match->ports[i].last, entry};
    f->claim_count += join_claims(claims, match->port_count);
}

/* Numbers the names, or the addresses, and lets each entry claim its ports. */
static void make_claims(struct finder *f, compare_fn *compare)
{
    const struct expect *expects = f->policy->expects;
    struct sorting sorting = {expects, compare};
    uint32_t claimed_for = 0;

    qsort_r(f->order, f->policy->expect_count, sizeof *f->order, compare_entries, &sorting);
    f->claim_count = 0;
    for (size_t i = 0; i < f->policy->expect_count; i++) {
        if (i > 0 && compare(&expects[f->order[i - 1]], &expects[f->order[i]]) != 0)
            claimed_for++;
        add_claims(f, claimed_for, f->order[i]);
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

    for (uint32_t i = 0; i < f->policy->expect_count; i++)
        f->order[i] = i;
    make_claims(f, compare_names);
    r = find_overlaps(f);
    if (r < 0)
        return r;
    make_claims(f, compare_addresses);
    r = find_overlaps(f);
    sort_pairs(f);
    return r;
}

int entry_pairs_find(const struct policy *policy, struct entry_pair **ret_pairs, size_t *ret_count)
{
    struct finder f = {.policy = policy};
    size_t ranges = 0;
    int r = -ENOMEM;

    for (size_t i = 0; i < policy->expect_count; i++)
        ranges += policy->expects[i].match.port_count;
    f.order = calloc(policy->expect_count + 1, sizeof *f.order);
    f.claims = calloc(ranges + 1, sizeof *f.claims);
    if (f.order && f.claims)
        r = find_all(&f);
    free(f.order);
    free(f.claims);
    if (r < 0) {
        free(f.pairs);
        return r;
    }
    *ret_pairs = f.pairs;
    *ret_count = f.pair_count;
    return 0;
}
