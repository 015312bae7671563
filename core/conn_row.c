#include "core/conn_row.h"

#include <string.h>

static uint64_t total(const struct conn_row *row)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < STATE_COUNT; i++)
        sum += row->states[i];
    return sum;
}

/* A set of ports. */
struct port_set {
    uint64_t words[(UINT16_MAX + 1) / 64];
};

static void put(struct port_set *set, uint16_t port)
{
    set->words[port / 64] |= UINT64_C(1) << port % 64;
}

static bool has(const struct port_set *set, uint16_t port)
{
    return set->words[port / 64] >> port % 64 & 1;
}

/* Finds out which of the rows somebody asks for. */
static void find_asked(const struct conn_row *rows, size_t count, enum protocol protocol,
                       const struct conn_choice *choice, struct port_set *ret)
{
    *ret = (struct port_set){{0}};
    for (size_t i = 0; i < choice->port_count; i++)
        put(ret, choice->ports[i]);
    for (size_t i = 0; choice->asks && i < count; i++)
        if (choice->asks(choice->arg, protocol, rows[i].port))
            put(ret, rows[i].port);
}

/* The busiest so far, the least of them first. */
struct busiest {
    uint64_t totals[CONN_TOP_MAX];
    size_t count;
};

/* There are few, so that each may be moved. */
static void note_busy(struct busiest *b, size_t top, uint64_t sum)
{
    size_t place = 0;

    if (top == 0 || (b->count == top && sum <= b->totals[0]))
        return;
    if (b->count == top)
        memmove(b->totals, b->totals + 1, --b->count * sizeof b->totals[0]);
    while (place < b->count && b->totals[place] < sum)
        place++;
    memmove(b->totals + place + 1, b->totals + place, (b->count++ - place) * sizeof b->totals[0]);
    b->totals[place] = sum;
}

/* How many of the busiest have as many sockets as the least of them. */
static size_t count_least(const struct busiest *b)
{
    size_t count = 0;

    while (count < b->count && b->totals[count] == b->totals[0])
        count++;
    return count;
}

/* Whether a row is among the busiest; of those that have as many sockets as the
 * least of them, only so many are. */
static bool is_busy(const struct busiest *b, uint64_t sum, size_t *least)
{
    if (b->count == 0 || sum < b->totals[0])
        return false;
    if (sum > b->totals[0])
        return true;
    if (*least == 0)
        return false;
    --*least;
    return true;
}

size_t conn_rows_choose(struct conn_row *rows, size_t count, enum protocol protocol,
                        const struct conn_choice *choice, uint32_t other[static STATE_COUNT])
{
    struct busiest busiest = {.count = 0};
    struct port_set asked;
    size_t least, kept = 0;

    find_asked(rows, count, protocol, choice, &asked);
    for (size_t i = 0; i < count; i++)
        if (rows[i].port != 0 && !has(&asked, rows[i].port))
            note_busy(&busiest, choice->top, total(&rows[i]));
    least = count_least(&busiest);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].port != 0 && (has(&asked, rows[i].port) || is_busy(&busiest, total(&rows[i]), &least)))
            rows[kept++] = rows[i];
        else
            for (size_t s = 0; s < STATE_COUNT; s++)
                other[s] += rows[i].states[s];
    }
    return kept;
}
