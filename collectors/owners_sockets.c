#include "collectors/owners_sockets.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64 };

static void watched_done(struct watched *w)
{
    owner_set_unref(w->set);
    free(w->holdings);
}

void sockets_done(struct sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        watched_done(&s->items[i]);
    free(s->items);
    free(s->slots);
    *s = (struct sockets){.items = NULL};
}

/* Where a socket belongs. Those without an inode are told by their cookies. The
 * number of slots is a power of two. */
static size_t home_of(const struct sockets *s, uint64_t cookie, uint32_t inode)
{
    uint32_t key = inode ? inode : (uint32_t)cookie;

    return (key * UINT32_C(2654435761) >> 7) & (s->slot_count - 1);
}

/* The next socket in the slots from home on, where others may be, too. */
static struct watched *next_from(const struct sockets *s, size_t home, size_t *cursor)
{
    uint32_t slot = s->slots[(home + (*cursor)++) & (s->slot_count - 1)];

    return slot ? &s->items[slot - 1] : NULL;
}

struct watched *sockets_of_inode(const struct sockets *s, uint32_t inode, size_t *cursor)
{
    struct watched *w = NULL;

    if (s->slot_count > 0 && inode != 0)
        while ((w = next_from(s, home_of(s, 0, inode), cursor)))
            if (w->inode == inode)
                break;
    return w;
}

struct watched *sockets_find(const struct sockets *s, uint64_t cookie, uint32_t inode)
{
    struct watched *w = NULL;
    size_t cursor = 0;

    if (s->slot_count > 0)
        while ((w = next_from(s, home_of(s, cookie, inode), &cursor)))
            if (w->inode == inode && w->cookie == cookie)
                break;
    return w;
}

static void enter(struct sockets *s, size_t index)
{
    size_t at = home_of(s, s->items[index].cookie, s->items[index].inode);

    while (s->slots[at] != 0)
        at = (at + 1) & (s->slot_count - 1);
    s->slots[at] = (uint32_t)index + 1;
}

static void enter_all(struct sockets *s)
{
    memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++)
        enter(s, i);
}

/* Keeps at least half of the slots free. */
static int make_slots(struct sockets *s, size_t count)
{
    size_t slot_count = s->slot_count ? s->slot_count : SLOTS_FIRST;
    uint32_t *slots;

    while (slot_count < 2 * count)
        slot_count *= 2;
    if (slot_count == s->slot_count)
        return 0;
    slots = reallocarray(s->slots, slot_count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    s->slots = slots;
    s->slot_count = slot_count;
    enter_all(s);
    return 0;
}

struct watched *sockets_add(struct sockets *s, uint64_t cookie, uint32_t inode)
{
    struct watched *items = array_grow(s->items, &s->capacity, s->count + 1, sizeof *items);

    if (!items)
        return NULL;
    s->items = items;
    if (make_slots(s, s->count + 1) < 0)
        return NULL;
    items[s->count] = (struct watched){.cookie = cookie, .inode = inode};
    enter(s, s->count);
    return &items[s->count++];
}

/* And enters what is left. */
static void shrink(struct sockets *s)
{
    size_t slot_count = s->slot_count;
    uint32_t *slots;

    s->items = array_shrink(s->items, &s->capacity, s->count, sizeof *s->items);
    while (slot_count > SLOTS_FIRST && slot_count > 8 * s->count)
        slot_count /= 2;
    slots = slot_count < s->slot_count ? reallocarray(s->slots, slot_count, sizeof *slots) : NULL;
    if (slots) {
        s->slots = slots;
        s->slot_count = slot_count;
    }
    enter_all(s);
}

bool sockets_keep(struct sockets *s, uint64_t round)
{
    size_t kept = 0, before = s->count;

    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].round == round)
            s->items[kept++] = s->items[i];
        else
            watched_done(&s->items[i]);
    }
    s->count = kept;
    if (kept < before)
        shrink(s);
    return kept < before;
}

/* There are few, so they take no more room than they need. */
int watched_add(struct watched *w, struct holding *h)
{
    struct holding **holdings = reallocarray(w->holdings, w->holding_count + 1, sizeof(struct holding *));

    if (!holdings)
        return -ENOMEM;
    w->holdings = holdings;
    holdings[w->holding_count++] = h;
    return 0;
}

static size_t place_of(const struct watched *w, const struct holding *h)
{
    size_t i = 0;

    while (i < w->holding_count && w->holdings[i] != h)
        i++;
    return i;
}

bool watched_has(const struct watched *w, const struct holding *h)
{
    return place_of(w, h) < w->holding_count;
}

bool watched_remove(struct watched *w, const struct holding *h)
{
    size_t i = place_of(w, h);

    if (i == w->holding_count)
        return false;
    w->holdings[i] = w->holdings[--w->holding_count];
    return true;
}
