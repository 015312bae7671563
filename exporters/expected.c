#include "exporters/expected.h"

#include <errno.h>
#include <stdlib.h>

const char *expected_status_name(enum expected_status status)
{
    switch (status) {
    case EXPECTED_MISSING: return "missing";
    case EXPECTED_WRONG: return "wrong";
    case EXPECTED_UNKNOWN: return "unknown";
    case EXPECTED_OK: return "ok";
    case EXPECTED_STATUS_COUNT: break;
    }
    return "unknown";
}

void expected_write_place(const struct expected *e, struct buf *out)
{
    if (e->entry->match.path)
        buf_str(out, e->entry->match.path);
    else
        buf_u64(out, e->port);
}

static enum expected_status status_of(const struct service_verdict *s)
{
    if (!s->seen)
        return EXPECTED_UNKNOWN;
    if (s->broken & 1u << RULE_NOT_LISTENING)
        return EXPECTED_MISSING;
    if (s->broken)
        return EXPECTED_WRONG;
    return s->untold ? EXPECTED_UNKNOWN : EXPECTED_OK;
}

static int compare_series(const void *wanted, const void *item)
{
    const struct alert_series other = alert_series_of(&((const struct alert *)item)->key);

    return alert_series_compare(wanted, &other);
}

/* When the first of the rules that are broken was seen to be, by the alerts. */
static int64_t alerted_since(const struct alert_list *alerts, const struct expected *e)
{
    int64_t since_ms = VIEW_SINCE_UNKNOWN;

    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const struct alert_series wanted =
            alert_series_of_service((enum rule)rule, e->entry->name, e->protocol, e->port);
        const struct alert *a;

        if (!(e->broken & 1u << rule))
            continue;
        a = bsearch(&wanted, alerts->items, alerts->count, sizeof *a, compare_series);
        if (a && (since_ms == VIEW_SINCE_UNKNOWN || a->since.wall_ms < since_ms))
            since_ms = a->since.wall_ms;
    }
    return since_ms;
}

/* All but since when. */
static struct expected judged_at(const struct view *view, size_t index)
{
    const struct service_verdict *s = &view->verdict->services[index];
    struct expected e = {
        .entry = &view->policy->expects[s->expect],
        .protocol = s->protocol,
        .port = s->port,
        .status = status_of(s),
        .broken = s->broken,
        .untold = s->untold,
        .since_ms = VIEW_SINCE_UNKNOWN,
    };

    e.probed = expect_probes(e.entry, e.protocol, e.port);
    if (e.probed)
        e.probe = probe_results_of(snapshot_host(view->snapshot)->probes, s->expect);
    return e;
}

struct expected expected_at(const struct view *view, size_t index)
{
    struct expected e = judged_at(view, index);

    if (e.status != EXPECTED_MISSING && e.status != EXPECTED_WRONG)
        return e;
    if (view->has_history)
        e.since_ms = alerted_since(view->alerts, &e);
    else if (view->since_ms)
        e.since_ms = view->since_ms[index];
    return e;
}

/* The smaller, the further up it is told. Of what is wrong the most severe is the
 * worst, whether or not it is there. */
static unsigned rank_of(const struct expected *e)
{
    unsigned mildness = SEVERITY_COUNT - 1 - (unsigned)e->entry->severity;

    if (e->status == EXPECTED_MISSING || e->status == EXPECTED_WRONG)
        return mildness * 2 + (e->status == EXPECTED_WRONG);
    return (unsigned)e->status * SEVERITY_COUNT + mildness;
}

enum { RANK_COUNT = EXPECTED_STATUS_COUNT * SEVERITY_COUNT, RANK_NONE = RANK_COUNT };

static unsigned rank_at(const struct view *view, size_t index)
{
    struct expected e = judged_at(view, index);

    return view_takes(view, e.protocol, e.port, e.status != EXPECTED_OK) ? rank_of(&e) : RANK_NONE;
}

int expected_sort(const struct view *view, size_t **ret_indexes, size_t *ret_count)
{
    size_t count = view->verdict->service_count, next[RANK_COUNT + 1] = {0}, begin = 0;
    size_t *indexes = calloc(count + 1, sizeof *indexes);

    if (!indexes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        next[rank_at(view, i)]++;
    *ret_count = count - next[RANK_NONE];
    for (size_t rank = 0; rank <= RANK_COUNT; rank++) {
        size_t of_rank = next[rank];

        next[rank] = begin;
        begin += of_rank;
    }
    for (size_t i = 0; i < count; i++)
        indexes[next[rank_at(view, i)]++] = i;
    *ret_indexes = indexes;
    return 0;
}
