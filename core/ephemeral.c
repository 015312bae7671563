#include "core/ephemeral.h"
#include "core/array.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Both addresses of a tuple, as IPv6 writes them, each in two words. */
enum { WORDS = 4 };

struct tuple {
    uint64_t addresses[WORDS]; /* the source, then the destination; network byte order */
    uint16_t port;
    uint16_t used; /* local ports, at least */
};

/* Where a tuple is. */
struct slot {
    uint32_t number : 15; /* of the tuple + 1; 0: the slot is empty */
    uint32_t print : 17;  /* bits of its hash that the place of the slot does not tell */
};

_Static_assert(EPHEMERAL_TUPLES < 1 << 15, "the number of each tuple fits into its slot");

struct ephemeral_counter {
    uint64_t secret[2];
    bool known; /* which ports there are */
    struct port_range range;
    struct port_set open; /* ports that connect() may choose: free ones that nobody listens on */
    struct tuple *tuples; /* owned */
    size_t count, capacity;
    struct slot *slots; /* owned; hash by addresses and port, at most half full */
    size_t slot_count;
    uint32_t lost;       /* ports that each tuple may have beyond what is told of it */
    struct tuple record; /* the fullest that ever was when tuples were forgotten */
    uint64_t forgotten;
};

struct ephemeral_counter *ephemeral_counter_new(const uint64_t *secret)
{
    struct ephemeral_counter *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->secret[0] = secret ? secret[0] : UINT64_C(0x9e3779b97f4a7c15);
    c->secret[1] = secret ? secret[1] : UINT64_C(0xbf58476d1ce4e5b9);
    return c;
}

static void free_tuples(struct ephemeral_counter *c)
{
    free(c->tuples);
    free(c->slots);
    c->tuples = NULL;
    c->slots = NULL;
    c->count = c->capacity = c->slot_count = 0;
}

void ephemeral_counter_free(struct ephemeral_counter *c)
{
    if (!c)
        return;
    free_tuples(c);
    free(c);
}

/* Arrays for so many tuples are kept, however few there are. */
enum { TUPLES_KEPT = 1024 };

void ephemeral_counter_reset(struct ephemeral_counter *c)
{
    if (c->count > 0 && c->capacity > TUPLES_KEPT && c->capacity > 4 * c->count)
        free_tuples(c);
    if (c->slots)
        memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->count = 0;
    c->lost = 0;
    c->forgotten = 0;
    c->record = (struct tuple){.used = 0};
}

void ephemeral_counter_begin(struct ephemeral_counter *c, const struct local_ports *ports)
{
    c->known = ports->known;
    c->range = ports->range;
    c->open = ports->known ? ports->free : (struct port_set){{0}};
    ephemeral_counter_reset(c);
}

/* A product's upper half hangs on all bits of its factors, its lower one on few: they
 * change places, and there is another product after each word. */
static uint64_t mix(uint64_t hash, uint64_t word, const uint64_t secret[static 2])
{
    hash = (hash ^ word ^ secret[0]) * (secret[1] | 1);
    return hash >> 32 | hash << 32;
}

static uint64_t hash_of(const struct tuple *t, const uint64_t secret[static 2])
{
    const uint64_t *words = t->addresses;
    uint64_t hash = t->port;

    if (words[0] | words[2]) /* neither of IPv4's */
        hash = mix(mix(hash, words[0], secret), words[2], secret);
    return mix(mix(mix(hash, words[1], secret), words[3], secret), 0, secret);
}

static bool same_tuple(const struct tuple *a, const struct tuple *b)
{
    uint64_t differs = (uint64_t)(a->port ^ b->port);

    for (size_t i = 0; i < WORDS; i++)
        differs |= a->addresses[i] ^ b->addresses[i];
    return differs == 0;
}

static struct slot slot_of(uint64_t hash, size_t number)
{
    return (struct slot){.number = (uint32_t)number & 0x7fff, .print = (uint32_t)(hash >> 15) & 0x1ffff};
}

/* The slot that the tuple is in, or the empty one where it belongs. */
static struct slot *find(const struct ephemeral_counter *c, const struct tuple *t, uint64_t hash)
{
    uint32_t print = slot_of(hash, 0).print;
    size_t at = hash & (c->slot_count - 1);

    assert(c->slots);
    while (c->slots[at].number != 0 &&
           (c->slots[at].print != print || !same_tuple(&c->tuples[c->slots[at].number - 1], t)))
        at = (at + 1) & (c->slot_count - 1);
    return &c->slots[at];
}

static void fill_slots(struct ephemeral_counter *c)
{
    for (size_t i = 0; i < c->count; i++) {
        uint64_t hash = hash_of(&c->tuples[i], c->secret);
        size_t at = hash & (c->slot_count - 1);

        while (c->slots[at].number != 0)
            at = (at + 1) & (c->slot_count - 1);
        c->slots[at] = slot_of(hash, i + 1);
    }
}

/* Makes room for another tuple than there ever were. Returns 0 or -ENOMEM. */
static int grow(struct ephemeral_counter *c)
{
    struct tuple *tuples = array_grow(c->tuples, &c->capacity, c->count + 1, sizeof *tuples);
    struct slot *slots;

    if (!tuples)
        return -ENOMEM;
    c->tuples = tuples;
    slots = calloc(2 * c->capacity, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    free(c->slots);
    c->slots = slots;
    c->slot_count = 2 * c->capacity;
    fill_slots(c);
    return 0;
}

/* Steps through counts until so many tuples are behind it. Returns where that is,
 * and leaves in *rank how many of those counted there are still wanted. */
static unsigned step_to(const uint32_t counts[static 256], size_t *rank)
{
    unsigned at = 0;

    while (counts[at] < *rank)
        *rank -= counts[at++];
    return at;
}

/* How many ports those tuples use that have fewest, a quarter of all, at most. */
static uint16_t used_by_emptiest(const struct ephemeral_counter *c)
{
    uint32_t of_high[256] = {0}, of_low[256] = {0};
    size_t rank = (c->count + 3) / 4;
    unsigned high;

    for (size_t i = 0; i < c->count; i++)
        of_high[c->tuples[i].used >> 8]++;
    high = step_to(of_high, &rank);
    for (size_t i = 0; i < c->count; i++)
        if (c->tuples[i].used >> 8 == high)
            of_low[c->tuples[i].used & 0xff]++;
    return (uint16_t)(high << 8 | step_to(of_low, &rank));
}

/* Which is fuller; of two that are equally full always the same one. */
static const struct tuple *fuller(const struct tuple *a, const struct tuple *b)
{
    int r = (int)a->used - (int)b->used;

    if (r == 0)
        r = memcmp(b->addresses, a->addresses, sizeof a->addresses);
    if (r == 0)
        r = (int)b->port - (int)a->port;
    return r >= 0 ? a : b;
}

/* What was told of a tuple once holds for all time: ports only come. */
static const struct tuple *fullest(const struct ephemeral_counter *c)
{
    const struct tuple *best = &c->record;

    for (size_t i = 0; i < c->count; i++)
        best = fuller(best, &c->tuples[i]);
    return best;
}

/* Forgets the tuples that have fewest ports. What the others lose, those lost, too:
 * so there is always room for the next thousands, and no tuple takes another's. */
static void forget_emptiest(struct ephemeral_counter *c)
{
    uint16_t least = used_by_emptiest(c);
    size_t kept = 0;

    c->record = *fullest(c);
    for (size_t i = 0; i < c->count; i++) {
        if (c->tuples[i].used <= least)
            continue;
        c->tuples[kept] = c->tuples[i];
        c->tuples[kept++].used -= least;
    }
    c->forgotten += c->count - kept;
    c->lost += least;
    c->count = kept;
    memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    fill_slots(c);
}

static int add_tuple(struct ephemeral_counter *c, const struct tuple *t, uint64_t hash)
{
    int r = 0;

    if (c->count == EPHEMERAL_TUPLES)
        forget_emptiest(c);
    else if (2 * c->count == c->slot_count)
        r = grow(c);
    if (r < 0)
        return r;
    c->tuples[c->count++] = *t;
    *find(c, t, hash) = slot_of(hash, c->count);
    return 0;
}

/* Written word by word, as it is read again at once. */
static void put_address(uint64_t ret_words[static 2], const struct ip_addr *address)
{
    static const uint8_t mapped[4] = {0, 0, 0xff, 0xff};
    uint32_t halves[2];

    if (address->version == 6) {
        memcpy(ret_words, address->bytes, 16);
        return;
    }
    memcpy(&halves[0], mapped, sizeof mapped);
    memcpy(&halves[1], address->bytes, sizeof halves[1]);
    ret_words[0] = 0;
    memcpy(&ret_words[1], halves, sizeof halves);
}

static int count_port(struct ephemeral_counter *c, const struct connection *connection)
{
    struct tuple t = {.port = connection->remote_port, .used = 1};
    const struct slot *slot;
    uint64_t hash;

    put_address(t.addresses, &connection->local);
    put_address(t.addresses + 2, &connection->remote);
    hash = hash_of(&t, c->secret);
    slot = c->slots ? find(c, &t, hash) : NULL;
    if (!slot || slot->number == 0)
        return add_tuple(c, &t, hash);
    if (c->tuples[slot->number - 1].used < UINT16_MAX)
        c->tuples[slot->number - 1].used++;
    return 0;
}

void ephemeral_counter_listen(struct ephemeral_counter *c, uint16_t port)
{
    port_set_remove(&c->open, port);
}

int ephemeral_counter_add(struct ephemeral_counter *c, const struct connection *connection)
{
    return port_set_has(&c->open, connection->local_port) ? count_port(c, connection) : 0;
}

static struct ip_addr get_address(const uint64_t words[static 2])
{
    struct ip_addr address = {.version = 6};

    memcpy(address.bytes, words, 16);
    return ip_addr_unmap(address);
}

static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct ephemeral ephemeral_counter_result(const struct ephemeral_counter *c)
{
    const struct tuple *best = fullest(c);
    struct ephemeral e = {.known = c->known};
    uint32_t most = 0;

    if (!e.known)
        return e;
    for (size_t i = 0; i < c->count; i++)
        most = c->tuples[i].used > most ? c->tuples[i].used : most;
    e.range = c->range;
    e.available = port_set_count(&c->open);
    e.used = lower(best->used, e.available);
    e.unsure = lower(most + c->lost, e.available) - e.used;
    e.forgotten = c->forgotten;
    if (best->used == 0)
        return e;
    e.source = get_address(best->addresses);
    e.destination = get_address(best->addresses + 2);
    e.port = best->port;
    return e;
}

bool ephemeral_is_same(const struct ephemeral *a, const struct ephemeral *b)
{
    return a->known == b->known && a->range.first == b->range.first && a->range.last == b->range.last &&
           a->available == b->available && a->used == b->used && a->unsure == b->unsure &&
           a->port == b->port && ip_addr_compare(&a->source, &b->source) == 0 &&
           ip_addr_compare(&a->destination, &b->destination) == 0;
}

double ephemeral_ratio(const struct ephemeral *e, uint32_t used)
{
    return e->available == 0 ? 1 : (double)used / e->available;
}
