#include "config/probe_keys.h"
#include "core/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MIN_MS INT64_C(1000)
#define INTERVAL_MAX_MS (3600 * INT64_C(1000))
#define TIMEOUT_MIN_MS  INT64_C(100)
#define TIMEOUT_MAX_MS  (60 * INT64_C(1000))

/* Nobody is at a wildcard, and a link-local address means nothing without the
 * interface. */
static int parse_target(void *field, const char *text)
{
    struct probe_order *order = field;
    struct ip_port target;
    int r = ip_port_parse(text, &target);

    if (r < 0)
        return r;
    target.address = ip_addr_unmap(target.address);
    if (target.port == 0 || ip_addr_is_any(target.address) ||
        (target.address.version == 6 && ip_addr_is_link_local(target.address)))
        return -EINVAL;
    order->target = target;
    order->is_set = true;
    return 0;
}

static void print_target(const void *field, struct buf *out)
{
    const struct probe_order *order = field;
    char text[ENDPOINT_TEXT_MAX];

    ip_port_format(&order->target, text);
    schema_quote(out, text);
}

/* Returns as parse() of a key. 0 milliseconds stand for what was not given. */
static int parse_time(int64_t *field, const char *text, int64_t min_ms, int64_t max_ms)
{
    int64_t ms;
    int r = duration_parse(text, &ms);

    if (r == 0 && (ms < min_ms || ms > max_ms))
        r = -ERANGE;
    if (r == 0)
        *field = ms;
    return r;
}

static int parse_interval(void *field, const char *text)
{
    struct probe_order *order = field;

    return parse_time(&order->interval_ms, text, INTERVAL_MIN_MS, INTERVAL_MAX_MS);
}

static int parse_timeout(void *field, const char *text)
{
    struct probe_order *order = field;

    return parse_time(&order->timeout_ms, text, TIMEOUT_MIN_MS, TIMEOUT_MAX_MS);
}

static void print_time(int64_t ms, struct buf *out)
{
    char text[DURATION_TEXT_MAX];

    duration_format(ms, text);
    schema_quote(out, text);
}

static void print_interval(const void *field, struct buf *out)
{
    print_time(probe_interval_ms(field), out);
}

static void print_timeout(const void *field, struct buf *out)
{
    print_time(probe_timeout_ms(field), out);
}

static int parse_want(void *field, const char *text)
{
    struct probe_order *order = field;

    for (enum probe_want want = PROBE_WANT_CONNECT; want <= PROBE_WANT_FAIL; want++) {
        if (strcmp(text, probe_want_name(want)) == 0) {
            order->want = want;
            return 0;
        }
    }
    return -EINVAL;
}

static void print_want(const void *field, struct buf *out)
{
    schema_quote(out, probe_want_name(((const struct probe_order *)field)->want));
}

static bool is_set(const void *field)
{
    return ((const struct probe_order *)field)->is_set;
}

/* Times are texts, so that it is known whether they were given. */
const struct schema_key probe_keys[] = {
    {.name = "probe",
     .type = SCHEMA_TEXT,
     .expected = "ADDRESS:PORT such as \"192.0.2.10:3306\", which is not a wildcard or link-local",
     .parse = parse_target,
     .print = print_target,
     .is_set = is_set},
    {.name = "probe_interval",
     .type = SCHEMA_TEXT,
     .expected = "a duration 1s-1h such as \"30s\"",
     .parse = parse_interval,
     .print = print_interval,
     .is_set = is_set},
    {.name = "probe_timeout",
     .type = SCHEMA_TEXT,
     .expected = "a duration 100ms-1m such as \"3s\"",
     .parse = parse_timeout,
     .print = print_timeout,
     .is_set = is_set},
    {.name = "probe_expect",
     .type = SCHEMA_TEXT,
     .expected = "\"connect\" or \"fail\"",
     .parse = parse_want,
     .print = print_want,
     .is_set = is_set},
    {0},
};

static void check_alone(const struct probe_order *order, size_t index, const struct schema_reporter *to)
{
    static const char what[] = "is given without probe, expected that, too, or neither";

    if (order->interval_ms > 0)
        to->report(to->arg, index, "probe_interval", what);
    if (order->timeout_ms > 0)
        to->report(to->arg, index, "probe_timeout", what);
    if (order->want != PROBE_WANT_UNSAID)
        to->report(to->arg, index, "probe_expect", what);
}

static void check_entry(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    char interval[DURATION_TEXT_MAX];

    if (!e->probe.is_set) {
        check_alone(&e->probe, index, to);
        return;
    }
    if (!matcher_has_protocol(&e->match, PROTOCOL_TCP))
        to->report(to->arg, index, "probe", "contradicts protocol, expected protocol \"tcp\", or no probe");
    if (probe_timeout_ms(&e->probe) <= probe_interval_ms(&e->probe))
        return;
    duration_format(probe_interval_ms(&e->probe), interval);
    to->report(to->arg, index, "probe_timeout", "is longer than probe_interval, expected \"%s\" at most",
               interval);
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const struct expect *expects = arg;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int r = strcmp(expects[i].name, expects[k].name);

    return r != 0 ? r : (i > k) - (i < k);
}

/* Metrics of probes are told apart by the name alone.
 *
 * sorted   entries that have a probe, by their names */
static void check_names(const struct policy *policy, const size_t *sorted, size_t count,
                        const struct schema_reporter *to)
{
    const struct expect *expects = policy->expects;
    char where[SCHEMA_STANDS_MAX];

    for (size_t i = 1; i < count; i++) {
        if (!*expects[sorted[i]].name || strcmp(expects[sorted[i]].name, expects[sorted[i - 1]].name) != 0)
            continue;
        to->stands(to->arg, "expect", sorted[i - 1], "probe", where);
        to->report(to->arg, sorted[i], "probe",
                   "is another one of \"%s\" (%s), expected one of each name, or another name",
                   expects[sorted[i]].name, where);
    }
}

int probe_keys_check(const struct policy *policy, const struct schema_reporter *to)
{
    size_t *sorted = calloc(policy->expect_count + 1, sizeof *sorted), count = 0;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < policy->expect_count; i++) {
        check_entry(&policy->expects[i], i, to);
        if (policy->expects[i].probe.is_set)
            sorted[count++] = i;
    }
    if (count > PROBES_MAX)
        to->report(to->arg, sorted[PROBES_MAX], "probe", "is one more than %d, expected fewer", PROBES_MAX);
    qsort_r(sorted, count, sizeof *sorted, compare_names, policy->expects);
    check_names(policy, sorted, count, to);
    free(sorted);
    return 0;
}
