#include "exporters/prom_parts.h"

#include <errno.h>
#include <stdlib.h>

int prom_label_listeners(struct prom *p)
{
    struct exposition x = {.out = &p->labels.text};

    p->labels.begins = calloc(p->listener_count + 1, sizeof *p->labels.begins);
    if (!p->labels.begins)
        return -ENOMEM;
    for (size_t i = 0; i < p->listener_count; i++) {
        const struct listener *l = &p->listeners[i];
        char address[IP_ADDR_TEXT_MAX];

        x.has_labels = false;
        ip_addr_format(&l->address, address);
        exposition_label(&x, "protocol", protocol_name(l->protocol));
        exposition_label(&x, "family", family_name(l->family));
        exposition_label(&x, "address", address);
        exposition_label_number(&x, "port", l->port);
        if (*l->interface)
            exposition_label(&x, "interface", l->interface);
        p->labels.begins[i + 1] = p->labels.text.len;
    }
    return p->labels.text.failed ? -ENOMEM : 0;
}

void prom_render_listeners(struct prom *p, prom_listener_fn *sample)
{
    for (size_t i = 0; i < p->listener_count; i++)
        sample(p, &p->listeners[i], i);
}

void prom_render_expected_listeners(struct prom *p, prom_listener_fn *sample)
{
    for (size_t i = 0; i < p->listener_count; i++)
        if (p->view->verdict->listeners[i].expected)
            sample(p, &p->listeners[i], i);
}

bool prom_begin_listener(struct prom *p, size_t index)
{
    size_t begins = p->labels.begins[index], ends = p->labels.begins[index + 1];
    bool expected = p->view->verdict->listeners[index].expected;

    if (!(expected ? exposition_begin_reserved : exposition_begin)(&p->x))
        return false;
    exposition_labels(&p->x, p->labels.text.data + begins, ends - begins);
    return true;
}

void prom_listener_count(struct prom *p, size_t index, uint64_t value)
{
    if (prom_begin_listener(p, index))
        exposition_count(&p->x, value);
}
