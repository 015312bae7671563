#include "exporters/json.h"
#include "core/err.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

/* Takes value, which may be NULL when memory ran out: the key is then missing. */
static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

/* Likewise for an array. */
static void append(json_t *array, json_t *value)
{
    (void)json_array_append_new(array, value);
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *address_json(const struct ip_addr *address)
{
    char text[IP_ADDR_TEXT_MAX];

    ip_addr_format(address, text);
    return json_string(text);
}

static json_t *connections_json(const struct view *view, const struct listener *l)
{
    const uint32_t *counts = snapshot_connections(view->snapshot, l->protocol, l->port);
    json_t *object;

    if (!counts)
        return json_null();
    object = json_object();
    for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++)
        if (state == STATE_ESTABLISHED || counts[state] > 0)
            set(object, state_name((enum sock_state)state, l->protocol), json_integer(counts[state]));
    return object;
}

static json_t *queue_json(const struct listener *l)
{
    json_t *object;

    if (!l->queue.known)
        return json_null();
    object = json_object();
    set(object, "length", json_integer((json_int_t)l->queue.length));
    set(object, "limit", json_integer((json_int_t)l->queue.limit));
    set(object, "saturation_ratio", json_real(l->queue.saturation_ratio));
    return object;
}

static json_t *rules_json(uint32_t mask)
{
    json_t *array = json_array();

    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (mask & 1u << rule)
            append(array, json_string(rule_name((enum rule)rule)));
    return array;
}

static json_t *holder_json(const struct holder *h)
{
    json_t *object = json_object();

    set(object, "pid", json_integer(h->pid));
    set(object, "process", text_or_null(h->process));
    set(object, "user", text_or_null(h->user));
    set(object, "unit", text_or_null(h->unit));
    return object;
}

/* Whether an earlier socket of the service has the same holder. */
static bool is_listed(const struct listener *l, uint32_t before, uint32_t pid)
{
    for (uint32_t i = 0; i < before; i++)
        for (size_t k = 0; l->members[i].owners && k < l->members[i].owners->count; k++)
            if (l->members[i].owners->holders[k].pid == pid)
                return true;
    return false;
}

/* null where nobody was seen and somebody may be there unseen; [] where nobody is. */
static json_t *owners_json(const struct listener *l)
{
    json_t *array = json_array();
    bool none = listener_sight(l) >= SIGHT_NONE;

    for (uint32_t i = 0; i < l->sockets; i++) {
        const struct owner_set *owners = l->members[i].owners;

        for (size_t k = 0; owners && k < owners->count; k++)
            if (!is_listed(l, i, owners->holders[k].pid))
                append(array, holder_json(&owners->holders[k]));
    }
    if (json_array_size(array) > 0 || none)
        return array;
    json_decref(array);
    return json_null();
}

static json_t *names_json(const struct listener *l, enum owner_name which)
{
    struct buf names;
    json_t *text;

    buf_init(&names);
    listener_names(l, which, &names);
    text = text_or_null(buf_text(&names));
    buf_done(&names);
    return text;
}

/* The unit that made the socket, which for socket activation is another one
 * than its holder's. */
static json_t *socket_unit_json(const struct listener *l)
{
    const struct owner_set *owners = l->sockets > 0 ? l->members[0].owners : NULL;

    return owners ? text_or_null(owners->unit) : json_null();
}

static json_t *sharing_json(const struct listener *l)
{
    switch (listener_sharing(l)) {
    case SHARING_ONE_USER: return json_string("one-user");
    case SHARING_USERS: return json_string("several-users");
    case SHARING_NONE: break;
    }
    return json_null();
}

static json_t *count_or_null(bool known, uint64_t count)
{
    return known ? json_integer((json_int_t)count) : json_null();
}

static json_t *port_class_json(const struct listener *l)
{
    return listener_has_port_class(l) ? json_string(port_class_name(port_class_of(l->port))) : json_null();
}

static json_t *listener_json(const struct view *view, size_t index, const struct listener *l)
{
    uint64_t restarts = view_restarts(view, index);
    json_t *object = json_object();

    set(object, "protocol", json_string(protocol_name(l->protocol)));
    set(object, "family", json_string(family_name(l->family)));
    set(object, "address", address_json(&l->address));
    set(object, "address_present",
        l->presence == PRESENCE_UNKNOWN ? json_null() : json_boolean(l->presence == PRESENCE_PRESENT));
    set(object, "port", json_integer(l->port));
    set(object, "interface", text_or_null(l->interface));
    set(object, "netns", json_null());
    set(object, "scope", json_string(scope_name(l->scope)));
    set(object, "port_class", port_class_json(l));
    set(object, "service_name", text_or_null(l->service_name));
    set(object, "sockets", json_integer(l->sockets));
    set(object, "accept_queue", queue_json(l));
    set(object, "receive_queue_bytes", count_or_null(l->receive_queue.known, l->receive_queue.bytes));
    set(object, "drops", count_or_null(l->drops.known, l->drops.count));
    set(object, "restarts", count_or_null(restarts != VIEW_UNKNOWN, restarts));
    set(object, "connections", connections_json(view, l));
    set(object, "owners", owners_json(l));
    set(object, "uid", l->uid_known ? json_integer(l->uid) : json_null());
    set(object, "unit", names_json(l, OWNER_UNIT));
    set(object, "socket_unit", socket_unit_json(l));
    set(object, "shared_by", sharing_json(l));
    set(object, "kernel_chosen_port", json_boolean(l->auto_port));
    set(object, "rules", rules_json(view->verdict->listener_rules[index]));
    return object;
}

static json_t *collectors_json(const struct view *view)
{
    json_t *object = json_object();

    for (size_t i = 0; i < view->snapshot->run_count; i++) {
        const struct collector_run *run = &view->snapshot->runs[i];
        int error = !run->ran ? ERR_UNSUPPORTED : run->up ? 0 : run->error;
        json_t *collector = json_object();

        set(collector, "up", run->ran ? json_boolean(run->up) : json_null());
        set(collector, "duration_seconds", run->ran ? json_real(run->duration_seconds) : json_null());
        set(collector, "error", error ? json_string(err_str(error)) : json_null());
        set(object, run->name, collector);
    }
    return object;
}

/* Takes root. */
static void dump(json_t *root, struct buf *out)
{
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;

    json_decref(root);
    if (!text) {
        out->failed = true;
        return;
    }
    buf_str(out, text);
    buf_char(out, '\n');
    free(text);
}

void json_listeners(const struct view *view, struct buf *out)
{
    size_t count;
    const struct listener *listeners = listener_table_all(view->snapshot->listeners, &count);
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        append(array, listener_json(view, i, &listeners[i]));
    dump(json_pack("{s:o, s:o}", "listeners", array, "collectors", collectors_json(view)), out);
}

static json_t *time_json(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[40], whole[32];
    struct tm parts;

    if (!gmtime_r(&seconds, &parts) || strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        return json_null();
    (void)snprintf(text, sizeof text, "%s.%03dZ", whole, (int)(wall_ms % 1000));
    return json_string(text);
}

/* The labels of sockwatch_alert_firing, and those of the listener if any. */
static json_t *labels_json(const struct alert *a)
{
    json_t *labels = json_object();

    set(labels, "rule", json_string(rule_name(a->key.rule)));
    set(labels, "name", json_string(a->key.name));
    set(labels, "protocol", json_string(protocol_name(a->key.protocol)));
    set(labels, "severity", json_string(severity_name(a->severity)));
    if (a->key.has_port)
        set(labels, "port", json_sprintf("%u", (unsigned)a->key.port));
    if (a->key.has_endpoint) {
        set(labels, "family", json_string(family_name(a->key.family)));
        set(labels, "address", address_json(&a->key.address));
    }
    if (*a->key.interface)
        set(labels, "interface", json_string(a->key.interface));
    return labels;
}

static json_t *alert_json(const struct alert *a)
{
    json_t *object = json_object();

    set(object, "rule", json_string(rule_name(a->key.rule)));
    set(object, "name", text_or_null(a->key.name));
    set(object, "severity", json_string(severity_name(a->severity)));
    set(object, "state", json_string(alert_state_name(a->state)));
    set(object, "since", time_json(a->since.wall_ms));
    set(object, "protocol", json_string(protocol_name(a->key.protocol)));
    set(object, "address", a->key.has_endpoint ? address_json(&a->key.address) : json_null());
    set(object, "port", a->key.has_port ? json_integer(a->key.port) : json_null());
    set(object, "summary", json_string(a->summary));
    set(object, "labels", labels_json(a));
    return object;
}

void json_alerts(const struct alert *const *alerts, size_t count, struct buf *out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        append(array, alert_json(alerts[i]));
    dump(json_pack("{s:o}", "alerts", array), out);
}
