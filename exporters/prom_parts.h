/* Inside of the exposition: what the families about alerts, about listeners and
 * all others share. Only exporters/prom*.c include this. */
#ifndef SOCKWATCH_EXPORTERS_PROM_PARTS_H
#define SOCKWATCH_EXPORTERS_PROM_PARTS_H

#include "exporters/exposition.h"
#include "exporters/prom.h"

/* The labels that say which listener it is, of all of them, one after the
 * other. */
struct listener_labels {
    struct buf text;
    size_t *begins; /* owned; one more than there are listeners */
};

/* A rendering under way. */
struct prom {
    const struct view *view;
    struct exposition x;
    const struct prom_dropped *before;
    struct prom_dropped *cut;
    const struct listener *listeners;
    size_t listener_count;
    struct listener_labels labels;
    struct buf names; /* of the owners of one listener; used again for the next */
};

/* Writes the sample of one listener, or none where its value is not known.
 *
 * index   of the listener in the table */
typedef void prom_listener_fn(struct prom *p, const struct listener *l, size_t index);

/* Makes p->labels. Returns 0 or -ENOMEM. */
int prom_label_listeners(struct prom *p);
void prom_render_listeners(struct prom *p, prom_listener_fn *sample);

/* Likewise, but for listeners on expected ports only. */
void prom_render_expected_listeners(struct prom *p, prom_listener_fn *sample);

/* Begins the sample of a listener with its labels. Returns false where the
 * limit cuts it: those on expected ports last. */
bool prom_begin_listener(struct prom *p, size_t index);

/* Writes such a sample whole. */
void prom_listener_count(struct prom *p, size_t index, uint64_t value);

void prom_render_totals(struct prom *p);

/* The families of connections. */
void prom_render_connections(struct prom *p);
void prom_render_not_accepted(struct prom *p);
void prom_render_outbound(struct prom *p);
void prom_render_units(struct prom *p);
void prom_render_ephemeral(struct prom *p);

void prom_render_alert_firing(struct prom *p);
void prom_render_alerts(struct prom *p);
void prom_render_alerts_fired(struct prom *p);

/* The families of expected services. */
void prom_render_expected(struct prom *p);
void prom_render_interruptions(struct prom *p);
void prom_render_expected_info(struct prom *p);

/* The families of their probes. */
void prom_render_probe_success(struct prom *p);
void prom_render_probe_result(struct prom *p);
void prom_render_probe_duration(struct prom *p);

#endif
