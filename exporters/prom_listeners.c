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

/* established always, the other states while there are any. */
static void port_samples(struct prom *p, enum protocol protocol, uint16_t port, bool essential)
{
    const uint32_t *counts = space_connections(snapshot_host(p->view->snapshot), protocol, port);

    for (int state = STATE_ESTABLISHED; counts && state < STATE_COUNT; state++) {
        if (state != STATE_ESTABLISHED && counts[state] == 0)
            continue;
        if (essential)
            exposition_begin_essential(&p->x);
        else if (!exposition_begin(&p->x))
            continue;
        exposition_label(&p->x, "protocol", protocol_name(protocol));
        exposition_label_number(&p->x, "port", port);
        exposition_label(&p->x, "state", state_name((enum sock_state)state, protocol));
        exposition_count(&p->x, counts[state]);
    }
}

/* A set of ports; a walk finds them in order, each once. */
struct port_set {
    uint64_t words[PROTOCOL_COUNT][(UINT16_MAX + 1) / 64];
};

static void expected_samples(struct prom *p, const struct port_set *ports)
{
    for (size_t protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
        for (size_t i = 0; i < sizeof ports->words[0] / sizeof ports->words[0][0]; i++) {
            for (uint64_t left = ports->words[protocol][i]; left; left &= left - 1) {
                size_t port = i * 64 + (size_t)__builtin_ctzll(left);

                port_samples(p, (enum protocol)protocol, (uint16_t)port, true);
            }
        }
    }
}

/* Expected ports first, so that the limit cuts others. */
void prom_render_connections(struct prom *p)
{
    const struct verdict *v = p->view->verdict;
    struct port_set *expected = calloc(1, sizeof *expected);

    if (!expected) {
        p->x.out->failed = true;
        return;
    }
    for (size_t i = 0; i < v->service_count; i++) {
        uint16_t port = v->services[i].port;

        expected->words[v->services[i].protocol][port / 64] |= UINT64_C(1) << port % 64;
    }
    expected_samples(p, expected);
    free(expected);
    for (size_t i = 0; i < p->listener_count; i++) {
        const struct listener *l = &p->listeners[i];
        bool is_first = i == 0 || l[-1].protocol != l->protocol || l[-1].port != l->port;

        if (is_first && !v->listeners[i].expected)
            port_samples(p, l->protocol, l->port, false);
    }
}
