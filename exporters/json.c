#include "exporters/json.h"
#include "core/err.h"
#include "exporters/expected.h"
#include "exporters/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What the owners of all listeners may take together, in equal parts: one
 * listener can have a thousand, and they have the longest names. */
enum { OWNERS_BYTES = 8 << 20 };

/* What all expected services may take: tens of thousands can be expected. */
enum { EXPECTED_BYTES = 8 << 20 };

/* A document of listeners under way. */
struct document {
    struct json_writer w;
    const struct view *view;
    size_t owners_bytes;        /* of each listener, beside one owner that is always told */
    struct buf names;           /* of the owners of one listener; used again for the next */
    struct holder_list holders; /* likewise */
};

static void write_address(struct json_writer *w, const struct ip_addr *address)
{
    char text[IP_ADDR_TEXT_MAX];

    ip_addr_format(address, text);
    json_write_text(w, "address", text);
}

static void write_presence(struct json_writer *w, const struct listener *l)
{
    switch (l->presence) {
    case PRESENCE_PRESENT: json_write_bool(w, "address_present", true); break;
    case PRESENCE_ABSENT: json_write_bool(w, "address_present", false); break;
    case PRESENCE_UNKNOWN: json_write_null(w, "address_present"); break;
    }
}

/* Where a listener is bound: what is no address of an IP protocol has none. */
static void write_place(struct json_writer *w, const struct listener *l)
{
    bool is_ip = protocol_is_ip(l->protocol);

    json_write_text_or_null(w, "family", is_ip ? family_name(l->family) : "");
    if (is_ip)
        write_address(w, &l->address);
    else
        json_write_null(w, "address");
    write_presence(w, l);
    json_write_count_or_null(w, "port", is_ip, l->port);
    json_write_text_or_null(w, "path", l->protocol == PROTOCOL_UNIX ? l->path : "");
    json_write_count_or_null(w, "ethertype", l->protocol == PROTOCOL_PACKET, l->port);
}

static void write_connections(struct json_writer *w, const struct view *view, const struct listener *l)
{
    const uint32_t *counts = space_connections(snapshot_host(view->snapshot), l->protocol, l->port);

    if (!counts) {
        json_write_null(w, "connections");
        return;
    }
    json_write_object(w, "connections");
    for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++)
        if (state == STATE_ESTABLISHED || counts[state] > 0)
            json_write_count(w, state_name((enum sock_state)state, l->protocol), counts[state]);
    if (protocol_accepts(l->protocol))
        json_write_count(w, "not_accepted",
                         space_not_accepted(snapshot_host(view->snapshot), l->protocol, l->port));
    json_write_object_end(w);
}

static void write_queue(struct json_writer *w, const struct listener *l)
{
    if (!l->queue.known) {
        json_write_null(w, "accept_queue");
        return;
    }
    json_write_object(w, "accept_queue");
    json_write_count(w, "length", l->queue.length);
    json_write_count(w, "limit", l->queue.limit);
    json_write_real(w, "saturation_ratio", queue_saturation(l->queue.fullest));
    json_write_object_end(w);
}

static void write_rules(struct json_writer *w, uint32_t mask)
{
    json_write_array(w, "rules");
    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (mask & 1u << rule)
            json_write_text(w, NULL, rule_name((enum rule)rule));
    json_write_array_end(w);
}

static void write_program(struct json_writer *w, const struct program *program)
{
    json_write_text_or_null(w, "exe", program ? program->path : "");
    if (!program) {
        json_write_null(w, "exe_deleted");
        json_write_null(w, "exe_verified");
        return;
    }
    json_write_bool(w, "exe_deleted", program->deleted);
    if (program->standing == PROGRAM_UNVERIFIED)
        json_write_null(w, "exe_verified");
    else
        json_write_bool(w, "exe_verified", program->standing == PROGRAM_VERIFIED);
}

static void write_holder(struct json_writer *w, const struct holder *h)
{
    json_write_object(w, NULL);
    json_write_count(w, "pid", h->pid);
    json_write_text_or_null(w, "process", h->process);
    write_program(w, h->program);
    json_write_text_or_null(w, "user", h->user);
    json_write_text_or_null(w, "unit", h->unit);
    json_write_object_end(w);
}

/* Writes those that fit. Returns how many do not. */
static size_t write_holders(struct document *d)
{
    size_t begin = d->w.out->len, i = 0;

    json_write_array(&d->w, "owners");
    for (; i < d->holders.count && d->w.out->len - begin < d->owners_bytes; i++)
        write_holder(&d->w, d->holders.items[i]);
    json_write_array_end(&d->w);
    return d->holders.count - i;
}

/* null where nobody was seen and somebody may be there unseen; [] where nobody is. */
static void write_owners(struct document *d, const struct listener *l)
{
    uint64_t left_out;

    if (listener_holders(l, &d->holders) < 0)
        d->w.out->failed = true;
    left_out = listener_holders_unlisted(l, &d->holders);
    if (d->holders.count == 0 && listener_sight(l) < SIGHT_NONE)
        json_write_null(&d->w, "owners");
    else
        left_out += write_holders(d);
    json_write_count(&d->w, "owners_left_out", left_out);
}

static void write_unit(struct document *d, const struct listener *l)
{
    buf_truncate(&d->names, 0);
    listener_names(l, OWNER_UNIT, &d->names);
    json_write_text_or_null(&d->w, "unit", buf_text(&d->names));
}

/* The unit that made the socket, which for socket activation is another one
 * than its holder's. */
static void write_socket_unit(struct json_writer *w, const struct listener *l)
{
    const struct owner_set *owners = l->sockets > 0 ? l->members[0].owners : NULL;

    json_write_text_or_null(w, "socket_unit", owners ? owners->unit : "");
}

static void write_choice(struct json_writer *w, const struct listener *l)
{
    if (l->choice_untold || !protocol_is_ip(l->protocol))
        json_write_null(w, "kernel_chosen_port");
    else
        json_write_bool(w, "kernel_chosen_port", l->auto_port);
}

static void write_sharing(struct json_writer *w, const struct listener *l)
{
    switch (listener_sharing(l)) {
    case SHARING_ONE_USER: json_write_text(w, "shared_by", "one-user"); break;
    case SHARING_USERS: json_write_text(w, "shared_by", "several-users"); break;
    case SHARING_NONE: json_write_null(w, "shared_by"); break;
    }
}

static void write_listener(struct document *d, size_t index, const struct listener *l)
{
    uint64_t restarts = view_restarts(d->view, index);
    struct json_writer *w = &d->w;

    json_write_object(w, NULL);
    json_write_text(w, "protocol", protocol_name(l->protocol));
    write_place(w, l);
    json_write_text_or_null(w, "interface", l->interface);
    json_write_null(w, "netns");
    json_write_text_or_null(w, "scope", protocol_is_ip(l->protocol) ? scope_name(l->scope) : "");
    json_write_text_or_null(w, "port_class",
                            listener_has_port_class(l) ? port_class_name(port_class_of(l->port)) : "");
    json_write_text_or_null(w, "service_name", l->service_name);
    json_write_count(w, "sockets", l->sockets);
    write_queue(w, l);
    json_write_count_or_null(w, "receive_queue_bytes", l->receive_queue.known, l->receive_queue.bytes);
    json_write_count_or_null(w, "drops", l->drops.known, l->drops.count);
    json_write_count_or_null(w, "restarts", restarts != VIEW_UNKNOWN, restarts);
    write_connections(w, d->view, l);
    write_owners(d, l);
    json_write_count_or_null(w, "uid", l->uid_known, l->uid);
    write_unit(d, l);
    write_socket_unit(w, l);
    write_sharing(w, l);
    write_choice(w, l);
    json_write_bool(w, "own", d->view->verdict->listeners[index].own);
    write_rules(w, d->view->verdict->listeners[index].rules);
    json_write_object_end(w);
}

static void write_collector(struct json_writer *w, const struct collector_run *run)
{
    int error = !run->ran ? ERR_UNSUPPORTED : run->up ? 0 : run->error;

    json_write_object(w, run->name);
    if (run->ran) {
        json_write_bool(w, "up", run->up);
        json_write_real(w, "duration_seconds", run->duration_seconds);
    } else {
        json_write_null(w, "up");
        json_write_null(w, "duration_seconds");
    }
    json_write_text_or_null(w, "error", error ? err_str(error) : "");
    json_write_object_end(w);
}

static void write_time(struct json_writer *w, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[40], whole[32];
    struct tm parts;

    if (!gmtime_r(&seconds, &parts) || strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        json_write_null(w, "since");
        return;
    }
    (void)snprintf(text, sizeof text, "%s.%03dZ", whole, (int)(wall_ms % 1000));
    json_write_text(w, "since", text);
}

/* What its probe says, as of its last end; null for none. */
static void write_probe(struct json_writer *w, const struct expected *e)
{
    char target[ENDPOINT_TEXT_MAX];

    if (!e->probed) {
        json_write_null(w, "probe");
        return;
    }
    ip_port_format(&e->entry->probe.target, target);
    json_write_object(w, "probe");
    json_write_text(w, "target", target);
    if (e->probe && e->probe->known) {
        json_write_text(w, "result", probe_result_name(e->probe->result));
        json_write_real(w, "duration_seconds", (double)e->probe->duration_us / 1e6);
        write_time(w, e->probe->since_ms);
    } else {
        json_write_null(w, "result");
        json_write_null(w, "duration_seconds");
        json_write_null(w, "since");
    }
    json_write_object_end(w);
}

/* NULL: no entry. */
static void write_path(struct json_writer *w, const struct expect *e)
{
    json_write_text_or_null(w, "path", e && e->match.path ? e->match.path : "");
}

static void write_expected_one(struct json_writer *w, const struct expected *e)
{
    json_write_object(w, NULL);
    json_write_text(w, "name", e->entry->name);
    json_write_text(w, "protocol", protocol_name(e->protocol));
    json_write_count_or_null(w, "port", !e->entry->match.path, e->port);
    write_path(w, e->entry);
    json_write_text(w, "status", expected_status_name(e->status));
    write_rules(w, e->broken);
    if (e->since_ms == VIEW_SINCE_UNKNOWN)
        json_write_null(w, "since");
    else
        write_time(w, e->since_ms);
    write_probe(w, e);
    json_write_object_end(w);
}

/* The worst come first, so that it is good news that does not fit. */
static void write_expected(struct document *d)
{
    size_t begin = d->w.out->len, *indexes, count, i = 0;

    if (expected_sort(d->view, &indexes, &count) < 0) {
        d->w.out->failed = true;
        return;
    }
    json_write_array(&d->w, "expected");
    for (; i < count && d->w.out->len - begin < EXPECTED_BYTES; i++) {
        struct expected e = expected_at(d->view, indexes[i]);

        write_expected_one(&d->w, &e);
    }
    json_write_array_end(&d->w);
    json_write_count(&d->w, "expected_left_out", count - i);
    free(indexes);
}

void json_listeners(const struct view *view, struct buf *out)
{
    struct document d = {.w = {.out = out}, .view = view};
    size_t count;
    const struct listener *listeners = view_listeners(view, &count);

    d.owners_bytes = OWNERS_BYTES / (count + 1);
    json_write_object(&d.w, NULL);
    write_expected(&d);
    json_write_array(&d.w, "listeners");
    for (size_t i = 0; i < count; i++)
        if (view_takes_listener(view, i))
            write_listener(&d, i, &listeners[i]);
    json_write_array_end(&d.w);
    json_write_object(&d.w, "collectors");
    for (size_t i = 0; i < view->status->run_count; i++)
        write_collector(&d.w, &view->status->runs[i]);
    json_write_object_end(&d.w);
    json_write_object_end(&d.w);
    buf_char(out, '\n');
    out->failed |= d.names.failed;
    holder_list_done(&d.holders);
    buf_done(&d.names);
}

/* No label of an entry has a name that alerts have anyway. */
static void write_labels(struct json_writer *w, const struct expect *e, const struct alert *a)
{
    struct alert_labels labels;

    alert_labels(a, &labels);
    json_write_object(w, "labels");
    for (size_t i = 0; i < labels.count; i++)
        json_write_text(w, labels.items[i].name, labels.items[i].value);
    for (size_t i = 0; e && i < e->label_count; i++)
        json_write_text(w, e->labels[i].name, e->labels[i].value);
    json_write_object_end(w);
}

static void write_alert(struct json_writer *w, const struct policy *policy, const struct alert *a)
{
    const struct expect *e =
        *a->key.name ? policy_service(policy, a->key.name, a->key.protocol, a->key.port) : NULL;

    json_write_object(w, NULL);
    json_write_text(w, "rule", rule_name(a->key.rule));
    json_write_text_or_null(w, "name", a->key.name);
    json_write_text(w, "severity", severity_name(a->severity));
    json_write_text(w, "state", alert_state_name(a->state));
    write_time(w, a->since.wall_ms);
    json_write_text(w, "protocol", protocol_name(a->key.protocol));
    if (a->key.has_endpoint && protocol_is_ip(a->key.protocol))
        write_address(w, &a->key.address);
    else
        json_write_null(w, "address");
    json_write_count_or_null(w, "port", a->key.has_port, a->key.port);
    write_path(w, e);
    json_write_text(w, "summary", a->summary);
    write_labels(w, e, a);
    json_write_object_end(w);
}

void json_alerts(const struct policy *policy, const struct alert *const *alerts, size_t count,
                 struct buf *out)
{
    struct json_writer w = {.out = out};

    json_write_object(&w, NULL);
    json_write_array(&w, "alerts");
    for (size_t i = 0; i < count; i++)
        write_alert(&w, policy, alerts[i]);
    json_write_array_end(&w);
    json_write_object_end(&w);
    buf_char(out, '\n');
}
