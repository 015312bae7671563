#include "core/hand_over.h"

#include <stdlib.h>
#include <string.h>

/* Each rule is named, so that a new one is decided about. */
static bool rule_hands_over(enum rule rule)
{
    switch (rule) {
    case RULE_NOT_LISTENING:
    case RULE_LOOPBACK_ONLY:
    case RULE_EXPOSED:
    case RULE_WRONG_ADDRESS:
    case RULE_WRONG_OWNER:
    case RULE_ACCEPT_QUEUE_SATURATED:
    case RULE_CONNECTIONS_OUT_OF_RANGE:
    case RULE_STUCK_CONNECTIONS:
    case RULE_UNREACHABLE: return true;
    case RULE_FLAPPING: /* which is of a time gone by, as the next one is */
    case RULE_DROPPING:
    case RULE_UNEXPECTED_LISTENER:
    case RULE_EPHEMERAL_PORTS_EXHAUSTED: /* which is about no service */
    case RULE_BLIND:
    case RULE_COUNT: break;
    }
    return false;
}

bool hand_over_concerns(const struct alert_key *key)
{
    return *key->name && rule_hands_over(key->rule);
}

void hand_over_add(struct hand_over *h, const struct legacy *legacy)
{
    h->items[h->count++] = *legacy;
}

static int compare_services(const struct alert_key *a, const struct alert_key *b)
{
    int r = strcmp(a->name, b->name);

    if (r == 0)
        r = (int)a->protocol - (int)b->protocol;
    return r != 0 ? r : (int)a->port - (int)b->port;
}

static int compare_legacies(const void *a, const void *b)
{
    const struct legacy *x = a, *y = b;
    int r = compare_services(&x->key, &y->key);

    return r != 0 ? r : (int)x->key.rule - (int)y->key.rule;
}

void hand_over_sort(struct hand_over *h)
{
    if (h->count > 0)
        qsort(h->items, h->count, sizeof *h->items, compare_legacies);
}

/* The first legacy that is not before the service. */
static size_t lower_bound(const struct hand_over *h, const struct alert_key *key)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_services(&h->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What fired is named before what did not, then what is older. */
static bool is_better(const struct legacy *l, const struct legacy *than)
{
    if (!than || l->fired != than->fired)
        return !than || l->fired;
    return l->since.mono_ms < than->since.mono_ms;
}

/* One that waits does so for what could not be told: whatever else begins now
 * does not take its place. */
static bool may_take(const struct legacy *l, const struct finding *finding)
{
    if (l->waited && !(l->awaited & 1u << finding->key.rule))
        return false;
    return finding->severity >= l->severity;
}

static void take(struct legacy *l, struct estate *estate)
{
    if (!estate->any || l->since.mono_ms < estate->since.mono_ms)
        estate->since = l->since;
    estate->any = true;
    if (l->is_lent)
        return;
    l->taken = true;
    estate->fired |= l->fired;
    if (is_better(l, estate->from))
        estate->from = l;
}

struct estate hand_over_take(struct hand_over *h, const struct finding *finding)
{
    struct estate estate = {.any = false};

    if (h->count == 0 || !hand_over_concerns(&finding->key))
        return estate;
    for (size_t i = lower_bound(h, &finding->key);
         i < h->count && compare_services(&h->items[i].key, &finding->key) == 0; i++) {
        struct legacy *l = &h->items[i];

        if (finding->undetermined)
            l->untold |= 1u << finding->key.rule;
        else if (may_take(l, finding))
            take(l, &estate);
    }
    return estate;
}

void hand_over_end(struct hand_over *h, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->count; i++) {
        struct legacy *l = &h->items[i];

        if (l->is_lent || l->taken || l->untold == 0 || now_ms - l->ended_ms >= HAND_OVER_WAIT_MS)
            continue;
        l->waited = true;
        l->awaited = l->untold;
        l->untold = 0;
        h->items[kept++] = *l;
    }
    h->count = kept;
}

void hand_over_done(struct hand_over *h)
{
    free(h->items);
    *h = (struct hand_over){0};
}
