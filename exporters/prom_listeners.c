#include "exporters/prom_parts.h"

#include <errno.h>
#include <stdlib.h>

static void label_listener(struct exposition *x, const struct listener *l)
{
    char address[IP_ADDR_TEXT_MAX];

    exposition_label(x, "protocol", protocol_name(l->protocol));
    if (protocol_is_ip(l->protocol)) {
        ip_addr_format(&l->address, address);
        exposition_label(x, "family", family_name(l->family));
        exposition_label(x, "address", address);
        exposition_label_number(x, "port", l->port);
    }
    if (l->protocol == PROTOCOL_UNIX)
        exposition_label(x, "path", l->path);
    if (l->protocol == PROTOCOL_PACKET) {
        ethertype_format(l->port, address);
        exposition_label(x, "ethertype", address);
    }
    if (*l->interface)
        exposition_label(x, "interface", l->interface);
}

int prom_label_listeners(struct prom *p)
{
    struct exposition x = {.out = &p->labels.text};

    p->labels.begins = calloc(p->listener_count + 1, sizeof *p->labels.begins);
    if (!p->labels.begins)
        return -ENOMEM;
    for (size_t i = 0; i < p->listener_count; i++) {
        x.has_labels = false;
        label_listener(&x, &p->listeners[i]);
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

static void total_sample(struct prom *p, enum protocol protocol, const char *scope, uint64_t count)
{
    exposition_begin_essential(&p->x);
    exposition_label(&p->x, "protocol", protocol_name(protocol));
    if (*scope)
        exposition_label(&p->x, "scope", scope);
    exposition_count(&p->x, count);
}

/* What has no IP address has no scope either. */
static void protocol_totals(struct prom *p, enum protocol protocol, const uint64_t scopes[static SCOPE_COUNT])
{
    uint64_t all = 0;

    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        all += scopes[scope];
        if (protocol_is_ip(protocol))
            total_sample(p, protocol, scope_name((enum scope)scope), scopes[scope]);
    }
    if (!protocol_is_ip(protocol))
        total_sample(p, protocol, "", all);
}

void prom_render_totals(struct prom *p)
{
    const struct listener_totals *totals = view_totals(p->view);

    for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
        if (totals->known[protocol])
            protocol_totals(p, (enum protocol)protocol, totals->scopes[protocol]);
}
