/* Alerts as a test sees them: a list of them, the verdict it gets next, and what
 * it told since the last step. */
#ifndef SOCKWATCH_TESTS_UNIT_ALERTING_H
#define SOCKWATCH_TESTS_UNIT_ALERTING_H

#include "core/alerts.h"
#include "core/transition.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum { TRANSITIONS_MAX = 256 };

/* A transition, as it was told. */
struct told {
    struct alert alert;
    enum alert_state before;
    struct instant at;
    enum rule from; /* RULE_COUNT for none */
    bool is_handed_over;
};

/* An alert list, the verdict it gets next, and what it reported since the last
 * step. */
struct world {
    struct alerts alerts;
    struct finding findings[TRANSITIONS_MAX];
    struct verdict verdict;
    bool ignore_for;
    struct told transitions[TRANSITIONS_MAX];
    size_t transition_count;
    struct subscribers subscribers; /* this world itself */
};

static inline void record(void *arg, const struct transition *t)
{
    struct world *w = arg;

    assert_true(w->transition_count < TRANSITIONS_MAX);
    w->transitions[w->transition_count++] =
        (struct told){*t->alert, t->before, t->at, t->from ? t->from->rule : RULE_COUNT, t->is_handed_over};
}

/* Sees all of a class of sockets, or nothing of it. */
static inline void see(struct world *w, enum protocol protocol, bool seen)
{
    w->verdict.classes[protocol].seen = w->verdict.classes[protocol].complete = seen;
}

static inline void see_all(struct world *w, bool seen)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        see(w, (enum protocol)i, seen);
}

static inline int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    w->verdict.findings = w->findings;
    see_all(w, true);
    subscribers_add(&w->subscribers, record, w);
    *state = w;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *w = *state;

    alerts_done(&w->alerts);
    free(w);
    return 0;
}

static inline struct finding *find(struct world *w, enum rule rule, const char *name, int64_t for_ms)
{
    struct finding *f = &w->findings[w->verdict.count++];

    assert_true(w->verdict.count <= TRANSITIONS_MAX);
    *f = (struct finding){.key = {.rule = rule}, .severity = SEVERITY_CRITICAL, .for_ms = for_ms};
    (void)snprintf(f->key.name, sizeof f->key.name, "%s", name);
    (void)snprintf(f->summary, sizeof f->summary, "%s is so", name);
    return f;
}

/* An UnexpectedListener about 0.0.0.0:port. */
static inline struct finding *find_listener(struct world *w, uint16_t port)
{
    struct finding *f = find(w, RULE_UNEXPECTED_LISTENER, "", 0);

    f->key.has_port = f->key.has_endpoint = true;
    f->key.port = port;
    f->key.address.version = 4;
    return f;
}

static inline struct instant at(int64_t mono_ms)
{
    return (struct instant){mono_ms, mono_ms + 1000000};
}

/* Applies the verdict; the next one begins empty. */
static inline void step(struct world *w, int64_t mono_ms)
{
    w->transition_count = 0;
    assert_int_equal(alerts_update(&w->alerts, &w->verdict, at(mono_ms), w->ignore_for, &w->subscribers), 0);
    w->verdict.count = 0;
}

static inline void assert_transition(const struct world *w, size_t i, enum alert_state alert_state,
                                     enum alert_state before)
{
    assert_true(i < w->transition_count);
    assert_int_equal(w->transitions[i].alert.state, alert_state);
    assert_int_equal(w->transitions[i].before, before);
}

#endif
