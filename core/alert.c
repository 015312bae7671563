#include "core/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *alert_state_name(enum alert_state state)
{
    switch (state) {
    case ALERT_PENDING: return "pending";
    case ALERT_FIRING: return "firing";
    case ALERT_RESOLVED: return "resolved";
    }
    return "unknown";
}

int alert_key_compare(const struct alert_key *a, const struct alert_key *b)
{
    const struct alert_series x = alert_series_of(a), y = alert_series_of(b);
    int r = alert_series_compare(&x, &y);

    if (r == 0)
        r = (int)a->has_endpoint - (int)b->has_endpoint;
    if (r == 0)
        r = (int)a->family - (int)b->family;
    if (r == 0)
        r = ip_addr_compare(&a->address, &b->address);
    return r != 0 ? r : strcmp(a->interface, b->interface);
}

const struct alert_list *alert_list_ref(const struct alert_list *list)
{
    ref_take(&list->ref);
    return list;
}

void alert_list_unref(const struct alert_list *list)
{
    if (list && ref_drop(&list->ref))
        free(ref_unseal(list));
}

static char *add_label(struct alert_labels *labels, const char *name)
{
    struct alert_label *label = &labels->items[labels->count++];

    label->name = name;
    return label->value;
}

static void add_text(struct alert_labels *labels, const char *name, const char *value)
{
    (void)snprintf(add_label(labels, name), sizeof labels->items[0].value, "%s", value); /* it fits */
}

void alert_labels(const struct alert *a, struct alert_labels *ret)
{
    ret->count = 0;
    add_text(ret, "rule", rule_name(a->key.rule));
    add_text(ret, "name", a->key.name);
    add_text(ret, "protocol", protocol_name(a->key.protocol));
    add_text(ret, "severity", severity_name(a->severity));
    if (a->key.has_port)
        (void)snprintf(add_label(ret, "port"), sizeof ret->items[0].value, "%u", a->key.port);
    if (a->key.has_endpoint && protocol_is_ip(a->key.protocol)) {
        add_text(ret, "family", family_name(a->key.family));
        ip_addr_format(&a->key.address, add_label(ret, "address"));
    }
    if (*a->key.interface)
        add_text(ret, "interface", a->key.interface);
}
