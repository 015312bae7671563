/* Which listeners concern which expect entries. */
#include "core/array.h"
#include "core/judge.h"

#include <errno.h>

/* On a port that more entries than this share, an entry with an address looks
 * at the listeners that concern it, and only at so many others: all looking at
 * all would take time that grows with the product. */
enum { CROWD = 64, CROWD_LOOKED_AT = 8 };

/* Where listeners on one port begin that are bound to an address, in one family.
 * They stand in the order of families and addresses. */
static size_t find_address(const struct listener *l, size_t count, enum family family,
                           const struct ip_addr *address)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = (int)l[middle].family - (int)family;

        if (r == 0)
            r = ip_addr_compare(&l[middle].address, address);
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef void bound_fn(struct evaluation *ev, const struct listener *l);

/* Does something for each of the listeners on one port that are bound to an
 * address, without looking at the others. */
static void each_bound(struct evaluation *ev, const struct listener *l, size_t count,
                       const struct ip_addr *address, bound_fn *fn)
{
    int first = address->version == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
    int last = address->version == 4 ? FAMILY_IPV4 : ip_addr_is_any(*address) ? FAMILY_DUAL : FAMILY_IPV6;

    for (int family = first; family <= last; family++)
        for (size_t i = find_address(l, count, (enum family)family, address); i < count; i++) {
            if (l[i].family != (enum family)family || ip_addr_compare(&l[i].address, address) != 0)
                break;
            fn(ev, &l[i]);
        }
}

static void note_asker(struct evaluation *ev, const struct listener *l)
{
    ev->notes[l->index].askers++;
}

/* Notes what the entries on a port are to the listeners there, and which of those
 * are sockwatch's own. */
static void survey_port(struct evaluation *ev, const struct listener *l, size_t count)
{
    const struct expect *e;
    struct port_walk walk;
    uint32_t entries = 0;
    bool has_open = false;

    policy_walk_expects(ev->policy, l->protocol, l->port, &walk);
    for (; (e = policy_next_expect(ev->policy, &walk)); entries++) {
        for (size_t i = 0; i < e->match.address_count; i++)
            each_bound(ev, l, count, &e->match.addresses[i], note_asker);
        has_open |= e->match.address_count == 0;
    }
    for (size_t i = 0; i < count; i++)
        ev->verdict->listeners[l[i].index].own = own_has(ev->own, &l[i]);
    for (size_t i = 0; entries > 0 && i < count; i++) {
        ev->notes[l[i].index].has_open = has_open;
        ev->notes[l[i].index].crowded = entries > CROWD;
        ev->verdict->listeners[l[i].index].expected = true;
    }
}

static void survey_part(struct evaluation *ev, const struct inventory_part *part)
{
    const struct listener *l = part->listeners;
    size_t end;

    for (size_t first = 0; first < part->count; first = end) {
        end = inventory_port_end(part, first);
        survey_port(ev, &l[first], end - first);
    }
}

void judge_survey(struct evaluation *ev)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        for (size_t k = 0; k < INVENTORY_PARTS; k++)
            survey_part(ev, &ev->inv->parts[i][k]);
}

static void add_to_site(struct evaluation *ev, const struct listener *l)
{
    ev->site[ev->site_count++] = l;
}

static void add_unless_first(struct evaluation *ev, const struct listener *l)
{
    if (l->index >= ev->site_first + CROWD_LOOKED_AT)
        add_to_site(ev, l);
}

/* There is room for all. */
static void gather(struct evaluation *ev, const struct expect *e, const struct listener *l, size_t count)
{
    static const struct ip_addr any4 = {.version = 4}, any6 = {.version = 6};
    bool all = count <= CROWD || e->match.address_count == 0 || !ev->notes[l->index].crowded;

    ev->site_count = 0;
    ev->site_first = l->index;
    for (size_t i = 0; i < (all ? count : CROWD_LOOKED_AT); i++)
        add_to_site(ev, &l[i]);
    if (all)
        return;
    each_bound(ev, l, count, &any4, add_unless_first);
    each_bound(ev, l, count, &any6, add_unless_first);
    for (size_t i = 0; i < e->match.address_count; i++)
        if (!ip_addr_is_any(e->match.addresses[i]))
            each_bound(ev, l, count, &e->match.addresses[i], add_unless_first);
}

static int make_room_for_site(struct evaluation *ev, size_t count)
{
    const struct listener **site =
        array_grow(ev->site, &ev->site_capacity, count, sizeof(const struct listener *));

    if (!site)
        return -ENOMEM;
    ev->site = site;
    return 0;
}

int judge_gather(struct evaluation *ev, const struct expect *e, const struct listener *l, size_t count)
{
    if (make_room_for_site(ev, count) < 0)
        return -ENOMEM;
    gather(ev, e, l, count);
    return 0;
}
