/* The families of expected services. No limit cuts what the operator asked for. */
#include "exporters/prom_parts.h"

#include <stdio.h>

static const struct expect *begin_sample(struct prom *p, const struct service_verdict *service)
{
    const struct expect *e = &p->view->policy->expects[service->expect];

    exposition_begin_essential(&p->x);
    exposition_label(&p->x, "name", e->name);
    exposition_label(&p->x, "protocol", protocol_name(service->protocol));
    if (e->match.path)
        exposition_label(&p->x, "path", e->match.path);
    else
        exposition_label_number(&p->x, "port", service->port);
    return e;
}

void prom_render_expected(struct prom *p)
{
    const struct verdict *v = p->view->verdict;

    for (size_t i = 0; i < v->service_count; i++) {
        if (!v->services[i].seen)
            continue;
        (void)begin_sample(p, &v->services[i]);
        exposition_count(&p->x, v->services[i].found > 0);
    }
}

void prom_render_interruptions(struct prom *p)
{
    const struct verdict *v = p->view->verdict;

    for (size_t i = 0; p->view->has_history && i < v->service_count; i++) {
        (void)begin_sample(p, &v->services[i]);
        exposition_count(&p->x, v->services[i].past.interruptions);
    }
}

void prom_render_expected_info(struct prom *p)
{
    const struct verdict *v = p->view->verdict;

    for (size_t i = 0; i < v->service_count; i++) {
        const struct expect *e = begin_sample(p, &v->services[i]);

        for (size_t k = 0; k < e->label_count; k++) {
            char name[sizeof "label_" + ENTRY_LABEL_NAME_MAX];

            (void)snprintf(name, sizeof name, "label_%s", e->labels[k].name); /* it fits */
            exposition_label(&p->x, name, e->labels[k].value);
        }
        exposition_count(&p->x, 1);
    }
}
