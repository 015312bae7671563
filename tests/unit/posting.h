/* Postings for the board, each told from all others by what it contains. */
#ifndef SOCKWATCH_TESTS_UNIT_POSTING_H
#define SOCKWATCH_TESTS_UNIT_POSTING_H

#include "core/alerts.h"
#include "exporters/board.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum { POSTING_LISTENERS_MAX = 5, POSTING_FIRST_PORT = 1000 };

/* How many listeners the n-th posting has: on as many ports from
 * POSTING_FIRST_PORT on, all of them unexpected. */
static inline size_t posting_listener_count(unsigned n)
{
    return 1 + n % POSTING_LISTENERS_MAX;
}

static inline const struct snapshot *posting_snapshot(unsigned n)
{
    struct listener_builder *b = new_builder(1000);
    struct space host = {.name = ""};
    const struct snapshot *s;

    assert_non_null(b);
    for (size_t i = 0; i < posting_listener_count(n); i++) {
        char socket[32];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%zu", POSTING_FIRST_PORT + i);
        add_rows(b, socket, i + 1);
    }
    listener_builder_end(b, PROTOCOL_TCP, PART_ALL, VISIBILITY_OK, 0);
    host.listeners = seal_all(b);
    assert_non_null(host.listeners);
    s = snapshot_new(&host, 1);
    assert_non_null(s);
    listener_table_unref(host.listeners);
    listener_builder_free(b);
    return s;
}

/* The configuration of the n-th, which its limits.listeners tells. */
static inline const struct config *posting_config(unsigned n, int64_t series)
{
    struct config *config = config_new();

    assert_non_null(config);
    config->limits.listeners = n;
    config->limits.series = series;
    config->policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    assert_int_equal(policy_seal(&config->policy), 0);
    return config;
}

/* The n-th posting, with a reference to each part for posting_done(): its
 * verdict has a finding and its list an alert for each listener. */
static inline struct posting posting_of(unsigned n, int64_t series)
{
    static const struct own_sockets no_own = {.count = 0};
    struct alerts alerts = {0};
    struct posting p = {.config = posting_config(n, series)};

    p.snapshot = posting_snapshot(n);
    p.verdict = judge_space(snapshot_host(p.snapshot), &p.config->policy, &no_own);
    assert_non_null(p.verdict);
    assert_int_equal(alerts_update(&alerts, p.verdict, (struct instant){.mono_ms = 1}, false, NULL), 0);
    p.alerts = alerts_seal(&alerts);
    assert_non_null(p.alerts);
    alerts_done(&alerts);
    return p;
}

static inline void posting_done(const struct posting *p)
{
    snapshot_unref(p->snapshot);
    verdict_unref(p->verdict);
    alert_list_unref(p->alerts);
    config_unref(p->config);
}

/* Makes the n-th posting and posts it; the board is then alone to have it. */
static inline void post(struct board *b, unsigned n, int64_t series)
{
    const struct posting p = posting_of(n, series);

    board_post(b, &p);
    posting_done(&p);
}

/* The status after so many polls. */
static inline struct status status_after(uint64_t polls)
{
    struct status status = {.last_reload_successful = true};

    status.polls[POLL_LISTENERS][RESULT_SUCCESS] = polls;
    return status;
}

static inline void note(struct board *b, uint64_t polls)
{
    const struct status status = status_after(polls);

    board_note(b, &status, (int64_t)polls);
}

#endif
