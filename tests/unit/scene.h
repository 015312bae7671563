/* A scene: a policy, the sockets of a host and what the rules make of both, as
 * the view that an exporter renders. Built step by step:
 *
 *     scene_init(&s);  scene_expect(...);  scene_listen(...);  scene_count(...);
 *     scene_seal(&s);  scene_raise_alerts(&s, ...);
 *     prom_render(&s.view, ...);
 *     scene_done(&s); */
#ifndef SOCKWATCH_TESTS_UNIT_SCENE_H
#define SOCKWATCH_TESTS_UNIT_SCENE_H

#include "core/alerts.h"
#include "exporters/view.h"
#include "tests/unit/judged.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"
#include "tests/unit/counted.h"

#include <stdio.h>

/* 2023-11-14 22:13:20.123 UTC */
#define SCENE_WALL_MS INT64_C(1700000000123)

enum { SCENE_EXPECTS_MAX = 8, SCENE_SETS_MAX = 16, SCENE_LISTENERS_LIMIT = 100 };

struct scene {
    struct policy policy;
    struct listener_builder *builder; /* until sealed */
    struct conn_counter *counter;     /* until sealed */
    struct unit_counter *units;       /* until sealed; NULL: nobody asks for them */
    struct ephemeral_counter *ports;  /* likewise */
    uint64_t next_cookie;
    struct owner_set *sets[SCENE_SETS_MAX]; /* until the scene is done */
    size_t set_count;
    struct owner_set *owners; /* of the sockets that are added next */
    uint32_t drops;           /* likewise; 0: not told */
    struct caveats caveats;   /* of the host, until sealed */
    struct host_counters counters;
    struct own_sockets own; /* likewise; borrowed */
    const struct snapshot *snapshot;
    const struct verdict *verdict;
    struct alerts alerts;          /* may be changed, then sealed anew */
    const struct alert_list *list; /* of them, as sealed last */
    struct status status;
    struct view view;
};

/* TCP, UDP and raw sockets are read; UDP-Lite is absent; SCTP cannot be read. */
static inline void scene_init(struct scene *s)
{
    *s = (struct scene){.next_cookie = 1};
    s->policy.expects = calloc(SCENE_EXPECTS_MAX, sizeof *s->policy.expects);
    s->builder = new_builder(1000);
    s->counter = conn_counter_new();
    s->ports = ephemeral_counter_new(NULL);
    assert_non_null(s->policy.expects);
    assert_non_null(s->builder);
    assert_non_null(s->counter);
    assert_non_null(s->ports);
    conn_counter_set_ports(s->counter, s->ports);
    listener_builder_end(s->builder, PROTOCOL_TCP, PART_ALL, VISIBILITY_OK, 0);
    listener_builder_end(s->builder, PROTOCOL_UDP, PART_ALL, VISIBILITY_OK, 0);
    listener_builder_end(s->builder, PROTOCOL_UDPLITE, PART_ALL, VISIBILITY_ABSENT, 0);
    listener_builder_end(s->builder, PROTOCOL_SCTP, PART_ALL, VISIBILITY_UNSUPPORTED, 0);
    listener_builder_end(s->builder, PROTOCOL_RAW, PART_ALL, VISIBILITY_OK, 0);
    s->status.last_reload_successful = true;
    s->status.last_reload_success_ms = SCENE_WALL_MS;
    s->view = (struct view){
        .policy = &s->policy,
        .status = &s->status,
        .limits = {.series = 20000, .page_rows = 500},
        .version = "0.1.0",
        .revision = "0123abc",
    };
}

/* Returns the entry, critical and without delay, for changes before sealing. */
static inline struct expect *scene_expect(struct scene *s, const char *name, enum protocol protocol,
                                          const char *ports, enum want_scope scope)
{
    struct expect *e = &s->policy.expects[s->policy.expect_count++];

    assert_in_range(s->policy.expect_count, 1, SCENE_EXPECTS_MAX);
    *e = (struct expect){.match = {.protocols = 1u << protocol, .scope = scope},
                         .severity = SEVERITY_CRITICAL};
    (void)snprintf(e->name, sizeof e->name, "%s", name);
    assert_int_equal(port_ranges_parse(ports, &e->match.ports, &e->match.port_count), 0);
    return e;
}

/* Lets the sockets that are added from now on be owned, as owners_of() reads it. */
static inline void scene_own(struct scene *s, const char *socket, const char *holders)
{
    assert_in_range(s->set_count, 0, SCENE_SETS_MAX - 1);
    s->owners = s->sets[s->set_count++] = owners_of(socket, holders);
}

/* Adds a socket, written as row_of() reads it, of uid 0, or of its owner's.
 *
 * interface   the name of the interface it is bound to, "" for none; its index
 *             is 2
 * queue       "LENGTH/LIMIT", or NULL for no accept queue */
static inline void scene_listen_on(struct scene *s, const char *socket, const char *interface,
                                   const char *queue)
{
    struct listener_row row = row_of(socket);

    row.cookie = s->next_cookie++;
    row.ifindex = *interface ? 2 : 0;
    (void)snprintf(row.interface, sizeof row.interface, "%s", interface);
    row.owners = s->owners;
    row.uid = s->owners ? s->owners->uid : 0;
    row.drops.known = s->drops > 0;
    row.drops.count = s->drops;
    row.receive_queue.known = row.protocol == PROTOCOL_UDP;
    row.receive_queue.bytes = row.receive_queue.known ? 768 : 0;
    row.queue.known = queue;
    if (queue)
        assert_int_equal(sscanf(queue, "%u/%u", &row.queue.length, &row.queue.limit), 2);
    assert_int_equal(listener_builder_add(s->builder, &row), 0);
}

static inline void scene_listen(struct scene *s, const char *socket, const char *queue)
{
    scene_listen_on(s, socket, "", queue);
}

/* Counts sockets of a local port, and the protocol as read to the end. */
static inline void scene_count(struct scene *s, enum protocol protocol, uint16_t port, enum sock_state state,
                               unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(count_socket(s->counter, protocol, port, (uint8_t)state), 0);
    conn_counter_complete(s->counter, protocol);
}

/* Counts a TCP socket of a local port on which nobody listens. */
static inline void scene_connect(struct scene *s, uint16_t local, uint16_t remote, enum sock_state state)
{
    const struct connection connection = {
        .local_port = local, .remote_port = remote, .state = (uint8_t)state};

    assert_int_equal(conn_counter_add(s->counter, PROTOCOL_TCP, &connection), 0);
}

/* Counts established ones of a local TCP port that nobody has accepted. */
static inline void scene_count_waiting(struct scene *s, uint16_t port, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(count_nobodys(s->counter, PROTOCOL_TCP, port, STATE_ESTABLISHED), 0);
}

static inline void scene_host_counter(struct scene *s, enum host_counter counter, uint64_t value)
{
    s->counters.known[counter] = true;
    s->counters.values[counter] = value;
}

static inline bool name_scene_unit(void *arg, uint64_t cgroup_id, char ret_unit[static UNIT_TEXT_MAX])
{
    (void)arg;
    (void)snprintf(ret_unit, UNIT_TEXT_MAX, "%s", cgroup_id == 2 ? "ssh.service" : "a \\x20\"b\".service");
    return true;
}

/* Counts TCP sockets of a cgroup: 0 is nobody's. */
static inline void scene_count_unit(struct scene *s, uint64_t cgroup_id, enum direction direction,
                                    enum sock_state state, unsigned count)
{
    const struct connection connection = {.state = (uint8_t)state, .cgroup_id = cgroup_id};

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(unit_counter_add(s->units, direction, &connection), 0);
}

/* Counts sockets from local ports of which so many are there to choose from, and
 * those of TCP as read to the end. */
static inline void scene_use_ports(struct scene *s, unsigned used, unsigned available)
{
    struct local_ports ports = {.known = true, .range = {61000, (uint16_t)(60999 + available)}};

    for (unsigned i = 0; i < available; i++)
        port_set_put(&ports.free, (uint16_t)(61000 + i));
    ephemeral_counter_begin(s->ports, &ports);
    for (unsigned i = 0; i < used; i++)
        scene_connect(s, (uint16_t)(61000 + i), 3306, STATE_ESTABLISHED);
    conn_counter_complete(s->counter, PROTOCOL_TCP);
}

/* Shows the snapshot that joins these tables. */
static inline void scene_show(struct scene *s, const struct space *host)
{
    const struct snapshot *snapshot = snapshot_new(host, 1);

    assert_non_null(snapshot);
    snapshot_unref(s->snapshot);
    s->snapshot = snapshot;
    s->view.snapshot = snapshot;
}

/* Seals the alerts as they are now. */
static inline void scene_seal_alerts(struct scene *s)
{
    alert_list_unref(s->list);
    s->list = alerts_seal(&s->alerts);
    assert_non_null(s->list);
    s->view.alerts = s->list;
}

static inline const struct unit_table *scene_seal_units(struct scene *s)
{
    const struct unit_table *t;

    if (!s->units)
        return NULL;
    while (unit_counter_name_next(s->units, name_scene_unit, NULL) > 0)
        ;
    t = unit_counter_seal(s->units);
    assert_non_null(t);
    unit_counter_free(s->units);
    s->units = NULL;
    return t;
}

/* Ends the building: the snapshot and the verdict about it are there, and no
 * alerts yet. */
static inline void scene_seal(struct scene *s)
{
    struct space host = {.name = "", .caveats = s->caveats, .counters = s->counters};

    assert_int_equal(policy_seal(&s->policy), 0);
    host.listeners = seal_all(s->builder);
    assert_non_null(host.listeners);
    host.units = scene_seal_units(s);
    host.connections = conn_counter_seal(s->counter, NULL);
    assert_non_null(host.connections);
    scene_show(s, &host);
    listener_table_unref(host.listeners);
    conn_table_unref(host.connections);
    unit_table_unref(host.units);
    listener_builder_free(s->builder);
    s->builder = NULL;
    conn_counter_free(s->counter);
    s->counter = NULL;
    ephemeral_counter_free(s->ports);
    s->ports = NULL;
    s->verdict = judge_space(snapshot_host(s->snapshot), &s->policy, &s->own);
    assert_non_null(s->verdict);
    s->view.verdict = s->verdict;
    scene_seal_alerts(s);
}

/* Makes an alert of each finding: pending where the condition has to last,
 * firing otherwise. */
static inline void scene_raise_alerts(struct scene *s)
{
    const struct instant now = {.mono_ms = 1000, .wall_ms = SCENE_WALL_MS};

    assert_int_equal(alerts_update(&s->alerts, s->verdict, now, false, NULL), 0);
    scene_seal_alerts(s);
}

/* From now on the connections were not read at all. */
static inline void scene_forget_connections(struct scene *s)
{
    struct space without = *snapshot_host(s->snapshot);

    without.connections = NULL;
    scene_show(s, &without);
}

/* From now on this is known of the probe of an entry, which has one; of others nothing. */
static inline void scene_probe(struct scene *s, const struct probe_told *told)
{
    struct space with = *snapshot_host(s->snapshot);
    struct probe_results *results = probe_results_new(1);

    assert_non_null(results);
    results->items[0] = *told;
    with.probes = results;
    scene_show(s, &with);
    probe_results_unref(results);
}

static inline void scene_done(struct scene *s)
{
    listener_builder_free(s->builder);
    conn_counter_free(s->counter);
    unit_counter_free(s->units);
    ephemeral_counter_free(s->ports);
    for (size_t i = 0; i < s->set_count; i++)
        owner_set_unref(s->sets[i]);
    snapshot_unref(s->snapshot);
    verdict_unref(s->verdict);
    alert_list_unref(s->list);
    alerts_done(&s->alerts);
    policy_done(&s->policy);
}

/* A host with something of everything: dual-stack and single-stack sockets, a
 * SO_REUSEPORT pair, interfaces, services that are fine, bound to the wrong
 * address, missing and unexpected, and a name that every format must escape. */
static inline void scene_of_a_mixed_host(struct scene *s)
{
    scene_init(s);
    scene_expect(s, "mysql", PROTOCOL_TCP, "3306", WANT_PUBLIC);
    scene_expect(s, "web \"A\\B\" <b>&", PROTOCOL_TCP, "80-81", WANT_ANY)->for_ms = 10000;
    scene_expect(s, "dns", PROTOCOL_UDP, "53", WANT_ANY)->severity = SEVERITY_WARNING;
    s->policy.expects[2].families[0] = true;
    scene_expect(s, "ssh", PROTOCOL_TCP, "22", WANT_ANY)->connections_limited = true;
    s->policy.expects[3].connections.max = 100;
    s->policy.expects[3].close_wait_max = 10;
    s->policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    scene_own(s, "0:root:ssh.socket",
              "1:systemd:root:init.scope:/usr/lib/systemd/systemd,"
              "700:sshd:root:ssh.service:/usr/sbin/sshd (deleted)");
    scene_listen(s, "0.0.0.0:22", "0/128");
    scene_listen(s, "[::]:22", "0/128");
    scene_own(s, "0:root:", "800:nginx:root:nginx.service,801:nginx:www-data:nginx.service");
    s->drops = 6;
    scene_listen(s, "*:80", "0/511");
    s->drops = 12;
    scene_listen(s, "*:80", "384/511");
    s->drops = 0;
    scene_own(s, "112:mysql:", ""); /* whoever holds it is hidden */
    s->owners->sight = SIGHT_HIDDEN;
    scene_listen(s, "127.0.0.1:3306", "1/80");
    scene_own(s, "1000:bob:", "4711:a \"b\\c\" <d>&:bob:");
    scene_listen_on(s, "192.0.2.10:8080", "eth0", "0/0");
    scene_listen_on(s, "[fe80::1]:8080", "eth0", "0/5");
    s->owners = NULL; /* nobody has looked for them */
    scene_listen(s, "udp/127.0.0.1:53", NULL);
    scene_listen(s, "udp/[2001:db8::12:3456]:51820", NULL);
    scene_listen(s, "raw/0.0.0.0:1", NULL);
    scene_count(s, PROTOCOL_TCP, 22, STATE_LISTEN, 2);
    scene_count(s, PROTOCOL_TCP, 22, STATE_ESTABLISHED, 3);
    scene_count(s, PROTOCOL_TCP, 22, STATE_CLOSE_WAIT, 1);
    scene_count(s, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 8);
    scene_count_waiting(s, 80, 2);
    scene_count(s, PROTOCOL_TCP, 80, STATE_TIME_WAIT, 5);
    scene_connect(s, 40000, 3306, STATE_ESTABLISHED);
    scene_connect(s, 40001, 3306, STATE_ESTABLISHED);
    scene_count(s, PROTOCOL_UDP, 53, STATE_CLOSE, 1);
    s->units = unit_counter_new(1);
    assert_non_null(s->units);
    scene_count_unit(s, 2, DIRECTION_INBOUND, STATE_ESTABLISHED, 3);
    scene_count_unit(s, 2, DIRECTION_INBOUND, STATE_CLOSE_WAIT, 1);
    scene_count_unit(s, 3, DIRECTION_OUTBOUND, STATE_ESTABLISHED, 2);
    scene_count_unit(s, 0, DIRECTION_INBOUND, STATE_ESTABLISHED, 10);
    scene_use_ports(s, 3, 8);
    s->caveats = (struct caveats){.route_localnet_known = true};
    for (int i = 0; i < HOST_COUNTER_COUNT; i++)
        if (i != HOST_TCP_REQUEST_QUEUE_FULL_COOKIES && i != HOST_UDP_NO_PORTS_IPV6)
            scene_host_counter(s, (enum host_counter)i, (uint64_t)i * 1000 + 1);
    scene_seal(s);
    scene_raise_alerts(s);
    s->view.has_history = true;
    s->status.polled[POLL_LISTENERS] = (struct instant){.mono_ms = 1000, .wall_ms = SCENE_WALL_MS};
    s->status.polled[POLL_CONNECTIONS] = (struct instant){.mono_ms = 900, .wall_ms = SCENE_WALL_MS - 100};
    s->status.polls[POLL_LISTENERS][RESULT_SUCCESS] = 12;
    s->status.polls[POLL_CONNECTIONS][RESULT_FAILURE] = 1;
    s->status.turnover[PROTOCOL_TCP] = (struct turnover){.appeared = 5, .disappeared = 4};
    s->status.run_count = 3;
    s->status.runs[0] = (struct collector_run){.name = "tcp",
                                               .poll = POLL_LISTENERS,
                                               .ran = true,
                                               .up = true,
                                               .duration_seconds = 0.000125,
                                               .malformed = 7};
    s->status.runs[1] = (struct collector_run){.name = "sctp", .poll = POLL_LISTENERS, .up = true};
    s->status.runs[2] = (struct collector_run){.name = "connections",
                                               .poll = POLL_CONNECTIONS,
                                               .ran = true,
                                               .error = -ENOBUFS,
                                               .duration_seconds = 0.5};
}

#endif
