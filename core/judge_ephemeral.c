/* Whether the local ports towards some destination run out. */
#include "core/judge.h"

#include <errno.h>

/* By tenths, and never up: what is not full does not read 100 %. */
static void describe_percent(struct buf *out, double ratio)
{
    unsigned tenths = (unsigned)(ratio * 1000 + 1e-9);

    buf_fmt(out, tenths % 10 ? "%u.%u %%" : "%u %%", tenths / 10, tenths % 10);
}

static void describe_tuple(struct buf *out, const struct ephemeral *e)
{
    char source[IP_ADDR_TEXT_MAX], destination[ENDPOINT_TEXT_MAX];

    ip_addr_format(&e->source, source);
    endpoint_format(&e->destination, e->destination.version == 4 ? FAMILY_IPV4 : FAMILY_IPV6, e->port, NULL,
                    destination);
    buf_fmt(out, " from %s to %s", source, destination);
}

static void describe_use(struct buf *out, const struct ephemeral *e, double max_used)
{
    if (e->available == 0) {
        buf_fmt(out,
                "none of the local ports %u-%u is available, since all are reserved or listened on; new "
                "connections fail with EADDRNOTAVAIL",
                e->range.first, e->range.last);
        return;
    }
    buf_fmt(out, "%u of %u local ports are in use", e->used, e->available);
    if (e->used > 0)
        describe_tuple(out, e);
    buf_str(out, " (");
    describe_percent(out, ephemeral_ratio(e, e->used));
    buf_str(out, "), expected less than ");
    describe_percent(out, max_used);
    buf_str(out, e->used < e->available ? "; when none is left, new connections will fail with EADDRNOTAVAIL"
                                        : "; new connections fail with EADDRNOTAVAIL");
}

int judge_ephemeral(struct evaluation *ev)
{
    static const struct ephemeral unknown;
    const struct ephemeral_limit *limit = &ev->policy->ephemeral;
    const struct ephemeral *e = ev->connections ? conn_table_ephemeral(ev->connections) : &unknown;
    struct finding *f;

    if (!policy_uses_ephemeral(ev->policy) ||
        (e->known && ephemeral_ratio(e, e->used + e->unsure) < limit->max_used))
        return 0;
    buf_truncate(&ev->text, 0);
    if (e->known)
        describe_use(&ev->text, e, limit->max_used);
    else
        buf_str(&ev->text, "how many local ports are in use cannot be told");
    f = judge_add(ev);
    if (!f)
        return -ENOMEM;
    f->key = (struct alert_key){.rule = RULE_EPHEMERAL_PORTS_EXHAUSTED, .protocol = PROTOCOL_TCP};
    f->undetermined = !e->known || ephemeral_ratio(e, e->used) < limit->max_used;
    f->severity = limit->severity;
    f->for_ms = limit->for_ms;
    return 0;
}
