/* What the probe of a service says, beside what is known of its listeners: one cause,
 * one alert. Where a listener is missing, or bound where it should not be, or a queue
 * is full, that is why nobody gets through, and its alert names the probe. Where all
 * that is as it should be it is Unreachable. */
#include "core/duration.h"
#include "core/judge.h"

#include <errno.h>

uint32_t judge_probe_rules(const struct expect *e, enum protocol protocol, uint16_t port)
{
    if (!expect_probes(e, protocol, port))
        return 0;
    return 1u << (e->probe.want == PROBE_WANT_FAIL ? RULE_EXPOSED : RULE_UNREACHABLE);
}

static bool has_full_queue(const struct site *site, const struct listener *l)
{
    return site->notes[l->index].role >= ROLE_SERVES && l->queue.known && queue_is_full(l->queue.fullest);
}

static uint8_t reach_of(const struct site *site)
{
    unsigned reach = 0;

    if (site->found > 0)
        reach |= REACH_LISTENS;
    if (site->found > 0 && site->loopback == site->found)
        reach |= REACH_LOOPBACK_ONLY;
    if (site->missing != 0)
        reach |= REACH_MISSES_ADDRESS;
    for (size_t i = 0; i < site->count; i++)
        if (has_full_queue(site, site->listeners[i]))
            reach |= REACH_QUEUE_FULL;
    return (uint8_t)reach;
}

void judge_look_at_probe(struct evaluation *ev, struct site *site)
{
    struct service_verdict *service = ev->service;
    const struct probe_told *told;

    site->probed = service->probed = expect_probes(site->entry, site->protocol, site->port);
    if (!site->probed)
        return;
    service->reach = reach_of(site);
    told = probe_results_of(ev->probes, service->expect);
    ev->unprobed += told && told->unmade;
    if (told && told->known &&
        (told->reach == REACH_UNTOLD || (told->reach == service->reach && !service->renewed)))
        site->probe = told;
}

static bool must_fail(const struct site *site)
{
    return site->entry->probe.want == PROBE_WANT_FAIL;
}

bool judge_probe_ended(const struct site *site, enum probe_result result)
{
    return site->probe && !must_fail(site) && site->probe->result == result;
}

/* "192.0.2.10:3306" */
static void name_target(struct evaluation *ev, const struct site *site)
{
    char text[ENDPOINT_TEXT_MAX];

    ip_port_format(&site->entry->probe.target, text);
    buf_str(&ev->text, text);
}

static void name_timeout(struct evaluation *ev, const struct site *site)
{
    char text[DURATION_TEXT_MAX];

    duration_format(probe_timeout_ms(&site->entry->probe), text);
    buf_str(&ev->text, " within ");
    buf_str(&ev->text, text);
}

void judge_name_probe(struct evaluation *ev, const struct site *site)
{
    struct buf *out = &ev->text;

    if (!site->probe || must_fail(site) || (site->probe->result == PROBE_OK && site->found > 0))
        return;
    buf_str(out, site->probe->result == PROBE_OK ? "; something answers at " : "; the probe of ");
    name_target(ev, site);
    switch (site->probe->result) {
    case PROBE_REFUSED: buf_str(out, " was refused"); break;
    case PROBE_TIMEOUT:
        buf_str(out, " got no answer");
        name_timeout(ev, site);
        break;
    case PROBE_UNREACHABLE: buf_str(out, " found no way there"); break;
    case PROBE_OK:
    case PROBE_RESULT_COUNT: break;
    }
}

bool judge_answers(const struct site *site)
{
    return site->probe && must_fail(site) && site->probe->result == PROBE_OK;
}

void judge_name_answer(struct evaluation *ev, const struct site *site, const char *before)
{
    buf_str(&ev->text, before);
    name_target(ev, site);
    buf_str(&ev->text, " answers, expected closed by a firewall");
}

/* Nothing is known yet, or not any more. */
static int find_untold(struct evaluation *ev, const struct site *site, enum rule rule)
{
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "was not probed at ");
    name_target(ev, site);
    return judge_add_of_site(ev, site, rule, true);
}

static void mark_all(struct evaluation *ev, const struct site *site, enum rule rule)
{
    for (size_t i = 0; i < site->count; i++)
        if (site->notes[site->listeners[i]->index].role != ROLE_NONE)
            judge_mark(ev, site->listeners[i], rule, site->entry->severity);
}

int judge_closed(struct evaluation *ev, const struct site *site)
{
    if (!site->probed || !must_fail(site))
        return 0;
    if (!site->probe)
        return find_untold(ev, site, RULE_EXPOSED);
    if (!judge_answers(site))
        return 0;
    buf_truncate(&ev->text, 0);
    buf_str(&ev->text, site->entry->name);
    judge_name_answer(ev, site, ": ");
    mark_all(ev, site, RULE_EXPOSED);
    return judge_add_of_site(ev, site, RULE_EXPOSED, false);
}

/* The listener that connections to the target reach; NULL for none that is known. */
static const struct listener *find_target(const struct site *site)
{
    const struct ip_port *target = &site->entry->probe.target;

    for (size_t i = 0; target->port == site->port && i < site->count; i++)
        if (site->notes[site->listeners[i]->index].role != ROLE_NONE &&
            judge_serves(site->listeners[i], &target->address))
            return site->listeners[i];
    return NULL;
}

static void name_full_queue(struct evaluation *ev, const struct listener *l)
{
    struct queue queue = l->queue.fullest;

    buf_str(&ev->text, ": its accept queue is full (");
    judge_describe(&ev->text, l);
    buf_fmt(&ev->text, ": %u waiting, limit %u)", queue.length, queue.limit);
}

/* Of a listener that connections to the target should reach. What is not known to be
 * an address of this host may be that of another one, which nobody here sees. */
static const char *likely_cause(const struct probe_told *probe)
{
    switch (probe->result) {
    case PROBE_REFUSED:
        return probe->own ? "probably a firewall rejects it"
                          : "probably a firewall rejects it, or that is another host, where nothing listens";
    case PROBE_TIMEOUT:
        return probe->own ? "probably a firewall drops the packets"
                          : "probably a firewall drops the packets, or that is another host, which is down";
    case PROBE_UNREACHABLE: return "there is no route, or a firewall or a router forbids it";
    case PROBE_OK:
    case PROBE_RESULT_COUNT: break;
    }
    return "";
}

static void name_cause(struct evaluation *ev, const struct site *site)
{
    const struct listener *l = find_target(site);
    struct buf *out = &ev->text;

    if (l && site->probe->result == PROBE_TIMEOUT && has_full_queue(site, l)) {
        name_full_queue(ev, l);
        mark_all(ev, site, RULE_UNREACHABLE);
        return;
    }
    if (l)
        buf_str(out, ", though it listens (");
    else
        buf_str(out, site->loopback == site->found ? ": it listens on loopback only ("
                                                   : ": here it listens elsewhere (");
    judge_name_listeners(ev, site, false, RULE_UNREACHABLE);
    buf_char(out, ')');
    if (l || site->probe->result == PROBE_UNREACHABLE) {
        buf_str(out, ": ");
        buf_str(out, likely_cause(site->probe));
    }
}

static int find_unreachable(struct evaluation *ev, const struct site *site)
{
    judge_begin_summary(ev, site);
    switch (site->probe->result) {
    case PROBE_REFUSED: buf_str(&ev->text, "refused the probe of "); break;
    case PROBE_TIMEOUT: buf_str(&ev->text, "gave no answer to the probe of "); break;
    case PROBE_UNREACHABLE: buf_str(&ev->text, "cannot be reached by the probe of "); break;
    case PROBE_OK:
    case PROBE_RESULT_COUNT: return 0;
    }
    name_target(ev, site);
    if (site->probe->result == PROBE_TIMEOUT)
        name_timeout(ev, site);
    name_cause(ev, site);
    return judge_add_of_site(ev, site, RULE_UNREACHABLE, false);
}

/* Rules that say why nobody gets through. */
#define CAUSES \
    (1u << RULE_NOT_LISTENING | 1u << RULE_LOOPBACK_ONLY | 1u << RULE_WRONG_ADDRESS | 1u << RULE_WRONG_OWNER)

int judge_unreachable(struct evaluation *ev, const struct site *site)
{
    uint32_t broken = ev->service->broken;

    if (!site->probed || must_fail(site) || broken & CAUSES)
        return 0;
    if (!site->probe || site->found == 0) /* of which it cannot be told whether it listens */
        return find_untold(ev, site, RULE_UNREACHABLE);
    if (broken & 1u << RULE_ACCEPT_QUEUE_SATURATED && site->probe->result == PROBE_TIMEOUT)
        return 0;
    return find_unreachable(ev, site);
}

int judge_class_probes(struct evaluation *ev, enum protocol protocol)
{
    struct finding *f;

    if (protocol != PROTOCOL_TCP || ev->unprobed == 0)
        return 0;
    buf_truncate(&ev->text, 0);
    buf_fmt(&ev->text,
            "%zu expected service%s could not be probed for too long; see what the collector \"probes\" says",
            ev->unprobed, ev->unprobed == 1 ? "" : "s");
    f = judge_add(ev);
    if (!f)
        return -ENOMEM;
    f->key = (struct alert_key){.rule = RULE_BLIND, .protocol = protocol};
    f->severity = ev->verdict->classes[protocol].severity;
    return 0;
}
