#include "exporters/baseline_plan.h"
#include "core/array.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries about any port that the kernel chose, those that are there already among
 * them: likewise. */
enum { CHOSEN_MAX = 50 };

/* Entries of allow that name several addresses of one port: each listener there is
 * compared with all of them, and a configuration with too many is refused. */
enum { LISTED_MAX = 32 };

/* Listeners of one protocol and port that are bound to one address, or to none of
 * their own. */
struct part {
    const struct listener *const *items;
    size_t count;
    bool on_loopback, beyond; /* some of them are */
    struct owner_draft owner;
};

struct planner {
    struct baseline_plan *plan;
    bool with_process;
    const struct listener **items; /* owned; those of the port at hand, room for all */
    const struct listener **open;  /* owned; likewise, those of them without an address of their own */
    struct part *parts;            /* owned; of the port at hand, room for all */
    size_t open_count, part_count;
};

static bool is_loopback(const struct listener *l)
{
    return l->scope == SCOPE_LOOPBACK;
}

/* Whoever has a port that the kernel chose is not what that is known for. */
static const char *service_of(const struct listener *l)
{
    return l->protocol != PROTOCOL_RAW && !l->auto_port ? l->service_name : "";
}

static struct baseline_entry *add_entry(struct planner *p, const struct part *part)
{
    struct baseline_plan *plan = p->plan;
    const struct listener *first = part->items[0];
    struct baseline_entry *e = array_grow(plan->entries, &plan->capacity, plan->count + 1, sizeof *e);

    if (!e)
        return NULL;
    plan->entries = e;
    e += plan->count++;
    *e = (struct baseline_entry){
        .service = service_of(first),
        .protocols = 1u << first->protocol,
        .port = first->port,
        .kernel_chosen = first->auto_port,
        .scope = WANT_LOOPBACK,
        .owner = part->owner,
    };
    return e;
}

static void add_listeners(struct baseline_entry *e, const struct part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        if (e->listener_count < BASELINE_NAMED)
            e->named[e->listener_count] = part->items[i];
        e->listener_count++;
        if (!is_loopback(part->items[i]))
            e->scope = WANT_PUBLIC;
    }
}

static int add_address(struct baseline_entry *e, const struct ip_addr *address)
{
    struct ip_addr *addresses =
        array_grow(e->addresses, &e->address_capacity, e->address_count + 1, sizeof *addresses);

    if (!addresses)
        return -ENOMEM;
    e->addresses = addresses;
    addresses[e->address_count++] = *address;
    return 0;
}

static int compare_by_address(const void *a, const void *b)
{
    const struct listener *x = *(const struct listener *const *)a, *y = *(const struct listener *const *)b;
    int r = ip_addr_compare(&x->address, &y->address);

    return r != 0 ? r : (x->index > y->index) - (x->index < y->index);
}

static int compare_by_owner(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int r = owner_draft_compare(&x->owner, &y->owner);

    return r != 0 ? r : ip_addr_compare(&x->items[0]->address, &y->items[0]->address);
}

static struct part part_of(const struct planner *p, const struct listener *const *items, size_t count)
{
    struct part part = {
        .items = items, .count = count, .owner = owner_draft_of(items, count, p->with_process)};

    for (size_t i = 0; i < count; i++) {
        part.on_loopback |= is_loopback(items[i]);
        part.beyond |= !is_loopback(items[i]);
    }
    return part;
}

/* Whether an entry can ask for the address that listeners share. One that is only
 * bound on the loopback device is not served there to anybody else. */
static bool has_own_address(const struct part *part)
{
    const struct ip_addr address = part->items[0]->address;

    return !ip_addr_is_any(address) && (part->beyond || ip_addr_is_loopback(address));
}

/* Divides the listeners of a port by their addresses. */
static void divide(struct planner *p, size_t count)
{
    qsort(p->items, count, sizeof(const struct listener *), compare_by_address);
    p->open_count = p->part_count = 0;
    for (size_t i = 0, end; i < count; i = end) {
        struct part part;

        for (end = i; end < count && ip_addr_compare(&p->items[end]->address, &p->items[i]->address) == 0;)
            end++;
        part = part_of(p, &p->items[i], end - i);
        if (has_own_address(&part)) {
            p->parts[p->part_count++] = part;
        } else {
            memcpy(&p->open[p->open_count], part.items, part.count * sizeof(const struct listener *));
            p->open_count += part.count;
        }
    }
}

/* Whether an entry without an address answers for listeners at one. Of allow, one
 * for those beyond loopback is not about those on it. */
static bool is_answered_for(const struct baseline_entry *open, const struct part *part)
{
    bool fits = open->scope == WANT_LOOPBACK ? !part->beyond : *open->service || !part->on_loopback;

    return fits && owner_draft_compare(&open->owner, &part->owner) == 0;
}

/* Adds an entry without an address, and to it those parts for which it answers. */
static int plan_open(struct planner *p, const struct listener *const *items, size_t count)
{
    struct baseline_entry *e;
    struct part part;
    size_t kept = 0;

    if (count == 0)
        return 0;
    part = part_of(p, items, count);
    e = add_entry(p, &part);
    if (!e)
        return -ENOMEM;
    add_listeners(e, &part);
    for (size_t i = 0; i < p->part_count; i++) {
        if (is_answered_for(e, &p->parts[i]))
            add_listeners(e, &p->parts[i]);
        else
            p->parts[kept++] = p->parts[i];
    }
    p->part_count = kept;
    return 0;
}

/* There can be one expect entry without an address on a port, and of allow entries
 * one for listeners on loopback and one for those beyond. */
static int plan_opens(struct planner *p)
{
    size_t beyond = 0;
    int r;

    if (p->open_count == 0 || *service_of(p->open[0]))
        return plan_open(p, p->open, p->open_count);
    for (size_t i = 0; i < p->open_count; i++) {
        const struct listener *l = p->open[i];

        if (is_loopback(l))
            continue;
        p->open[i] = p->open[beyond];
        p->open[beyond++] = l;
    }
    r = plan_open(p, p->open, beyond);
    return r < 0 ? r : plan_open(p, p->open + beyond, p->open_count - beyond);
}

/* Adds an entry for all addresses of each owner. */
static int plan_addresses(struct planner *p)
{
    bool is_crowded = p->part_count > LISTED_MAX && !*service_of(p->parts[0].items[0]);
    size_t most = is_crowded ? 1 : MATCHER_ADDRESSES_MAX;
    struct baseline_entry *e = NULL;

    if (p->part_count > 0)
        qsort(p->parts, p->part_count, sizeof *p->parts, compare_by_owner);
    for (size_t i = 0; i < p->part_count; i++) {
        const struct part *part = &p->parts[i];

        if (!e || e->address_count == most || owner_draft_compare(&e->owner, &part->owner) != 0)
            e = add_entry(p, part);
        if (!e || add_address(e, &part->items[0]->address) < 0)
            return -ENOMEM;
        add_listeners(e, part);
    }
    return 0;
}

static int plan_port(struct planner *p, size_t count)
{
    int r;

    divide(p, count);
    r = plan_opens(p);
    return r < 0 ? r : plan_addresses(p);
}

/* The port will be another one the next time, unless nobody knows whose it is. */
static int plan_chosen(struct planner *p, const struct listener *const *item)
{
    const struct part part = part_of(p, item, 1);
    struct baseline_entry *e = add_entry(p, &part);

    if (!e)
        return -ENOMEM;
    e->on_any_port = !owner_draft_is_open(&e->owner);
    add_listeners(e, &part);
    return 0;
}

static bool is_on_port(const struct listener *l, const struct listener *other)
{
    return l->protocol == other->protocol && l->port == other->port;
}

static int plan_all(struct planner *p, const struct listener *const *listeners, size_t count)
{
    int r = 0;

    for (size_t i = 0, end; r == 0 && i < count; i = end) {
        size_t gathered = 0;

        for (end = i; r == 0 && end < count && is_on_port(listeners[end], listeners[i]); end++) {
            if (listeners[end]->port == 0)
                continue; /* which no entry can be about */
            if (listeners[end]->auto_port)
                r = plan_chosen(p, &listeners[end]);
            else
                p->items[gathered++] = listeners[end];
        }
        if (r == 0 && gathered > 0)
            r = plan_port(p, gathered);
    }
    return r;
}

static int compare_numbers(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int compare_services(const struct baseline_entry *a, const struct baseline_entry *b)
{
    int r = compare_numbers(a->on_any_port, b->on_any_port);

    if (r == 0)
        r = compare_numbers(a->protocols == 1u << PROTOCOL_RAW, b->protocols == 1u << PROTOCOL_RAW);
    if (r == 0 && !a->on_any_port)
        r = compare_numbers(a->port, b->port);
    if (r == 0)
        r = compare_numbers(a->kernel_chosen, b->kernel_chosen);
    return r != 0 ? r : strcmp(a->service, b->service);
}

static int compare_places(const struct baseline_entry *a, const struct baseline_entry *b)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->address_count && i < b->address_count; i++)
        r = ip_addr_compare(&a->addresses[i], &b->addresses[i]);
    if (r == 0)
        r = compare_numbers(a->address_count, b->address_count);
    return r != 0 || a->address_count > 0 ? r : compare_numbers(a->scope, b->scope);
}

/* All but the protocol. */
static int compare_meanings(const struct baseline_entry *a, const struct baseline_entry *b)
{
    int r = compare_services(a, b);

    if (r == 0)
        r = compare_places(a, b);
    return r != 0 ? r : owner_draft_compare(&a->owner, &b->owner);
}

static int compare_entries(const void *a, const void *b)
{
    const struct baseline_entry *x = a, *y = b;
    int r = compare_meanings(x, y);

    return r != 0 ? r : compare_numbers(x->protocols, y->protocols);
}

static void join(struct baseline_entry *e, struct baseline_entry *other)
{
    e->protocols |= other->protocols;
    for (size_t i = 0; i < other->listener_count && i < BASELINE_NAMED; i++)
        if (e->listener_count + i < BASELINE_NAMED)
            e->named[e->listener_count + i] = other->named[i];
    e->listener_count += other->listener_count;
    free(other->addresses);
}

/* Those that are about the same come one after the other. */
static void sort(struct baseline_plan *plan)
{
    if (plan->count > 0)
        qsort(plan->entries, plan->count, sizeof *plan->entries, compare_entries);
}

/* Whoever comes after a great many others gets the ports that he has. */
static void bound_chosen(struct baseline_plan *plan, const struct policy *policy)
{
    const struct baseline_entry *before = NULL;
    size_t different = 0;

    for (size_t i = 0; i < policy->allow_count; i++)
        different += policy->allows[i].match.port_count == 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct baseline_entry *e = &plan->entries[i];

        if (!e->on_any_port)
            continue;
        different += !before || compare_meanings(before, e) != 0;
        before = e;
        e->on_any_port = different <= CHOSEN_MAX;
    }
}

/* Makes one of those that differ in their protocol only. */
static void join_alike(struct baseline_plan *plan)
{
    size_t left = 0;

    for (size_t i = 0; i < plan->count; i++) {
        if (left > 0 && compare_meanings(&plan->entries[left - 1], &plan->entries[i]) == 0)
            join(&plan->entries[left - 1], &plan->entries[i]);
        else
            plan->entries[left++] = plan->entries[i];
    }
    plan->count = left;
}

static bool is_taken(const struct policy *policy, const struct baseline_entry *e)
{
    for (int p = 0; p < PROTOCOL_COUNT; p++)
        if (e->protocols >> p & 1 && policy_service(policy, e->name, (enum protocol)p, e->port))
            return true;
    return false;
}

/* plain   no other entry of the plan is called so */
static void name_entry(struct baseline_entry *e, const struct policy *policy, bool plain)
{
    char address[IP_ADDR_TEXT_MAX] = "any";

    if (e->address_count > 0)
        ip_addr_format(&e->addresses[0], address);
    (void)snprintf(e->name, sizeof e->name, "%s", e->service);
    if (plain && !is_taken(policy, e))
        return;
    (void)snprintf(e->name, sizeof e->name, "%.18s-%s", e->service, address);
    for (unsigned i = 2; is_taken(policy, e); i++)
        (void)snprintf(e->name, sizeof e->name, "%.8s-%s-%u", e->service, address, i);
}

/* Of several entries for a service only one without an address is called as it is. */
static void name_service(struct baseline_entry *entries, size_t count, const struct policy *policy)
{
    size_t uses[PROTOCOL_COUNT] = {0};

    for (size_t i = 0; i < count; i++)
        for (int p = 0; p < PROTOCOL_COUNT; p++)
            uses[p] += entries[i].protocols >> p & 1;
    for (size_t i = 0; i < count; i++) {
        bool plain = true;

        for (int p = 0; entries[i].address_count > 0 && p < PROTOCOL_COUNT; p++)
            plain &= !(entries[i].protocols >> p & 1) || uses[p] == 1;
        name_entry(&entries[i], policy, plain);
    }
}

static void name_all(struct baseline_plan *plan, const struct policy *policy)
{
    for (size_t i = 0, end; i < plan->count; i = end) {
        for (end = i; end < plan->count && compare_services(&plan->entries[i], &plan->entries[end]) == 0;)
            end++;
        if (*plan->entries[i].service)
            name_service(&plan->entries[i], end - i, policy);
    }
}

int baseline_plan_make(const struct listener *const *listeners, size_t count, const struct policy *policy,
                       bool with_process, struct baseline_plan *ret)
{
    struct planner p = {
        .plan = ret,
        .with_process = with_process,
        .items = calloc(count + 1, sizeof(const struct listener *)),
        .open = calloc(count + 1, sizeof(const struct listener *)),
        .parts = calloc(count + 1, sizeof *p.parts),
    };
    int r = -ENOMEM;

    *ret = (struct baseline_plan){.count = 0};
    if (p.items && p.open && p.parts)
        r = plan_all(&p, listeners, count);
    free(p.items);
    free(p.open);
    free(p.parts);
    if (r < 0)
        return r;
    sort(ret);
    bound_chosen(ret, policy);
    sort(ret);
    join_alike(ret);
    name_all(ret, policy);
    return 0;
}

void baseline_plan_done(struct baseline_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->entries[i].addresses);
    free(plan->entries);
}
