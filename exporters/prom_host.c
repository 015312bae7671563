#include "exporters/prom_host.h"

enum { SAMPLES_MAX = 3 };

/* label   of the family, which each of its samples has a value of; NULL: it has
 *         one sample without any */
static const struct host_family {
    struct exposition_family as;
    const char *label;
    struct {
        enum host_counter counter;
        const char *value;
    } samples[SAMPLES_MAX];
    size_t count;
} families[] = {
    {{"sockwatch_tcp_listen_overflows_total", "counter",
      "Connection attempts dropped because an accept queue was full, of all listeners together."},
     .samples = {{HOST_TCP_LISTEN_OVERFLOWS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_listen_drops_total", "counter",
      "Connection attempts that listeners dropped for any reason, overflows among them."},
     .samples = {{HOST_TCP_LISTEN_DROPS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_request_queue_full_drops_total", "counter",
      "Connection requests dropped because a listener had too many that were not completed."},
     .samples = {{HOST_TCP_REQUEST_QUEUE_FULL_DROPS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_request_queue_full_cookies_total", "counter",
      "Connection requests answered by SYN cookies because a listener had too many that were not completed."},
     .samples = {{HOST_TCP_REQUEST_QUEUE_FULL_COOKIES, NULL}},
     .count = 1},
    {{"sockwatch_tcp_syncookies_total", "counter",
      "SYN cookies sent, received back, and received that were not valid (failed)."},
     .label = "result",
     .samples = {{HOST_TCP_SYNCOOKIES_SENT, "sent"},
                 {HOST_TCP_SYNCOOKIES_RECEIVED, "received"},
                 {HOST_TCP_SYNCOOKIES_FAILED, "failed"}},
     .count = 3},
    {{"sockwatch_tcp_backlog_drops_total", "counter",
      "Segments dropped because too many waited for a socket that was in use."},
     .samples = {{HOST_TCP_BACKLOG_DROPS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_aborts_on_memory_total", "counter",
      "Connections aborted because TCP was out of memory or there were too many orphans."},
     .samples = {{HOST_TCP_ABORTS_ON_MEMORY, NULL}},
     .count = 1},
    {{"sockwatch_tcp_time_wait_overflows_total", "counter",
      "Connections closed without TIME_WAIT because there were too many of these."},
     .samples = {{HOST_TCP_TIME_WAIT_OVERFLOWS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_embryonic_resets_total", "counter",
      "Connection requests that ended by a reset before they were completed."},
     .samples = {{HOST_TCP_EMBRYONIC_RESETS, NULL}},
     .count = 1},
    {{"sockwatch_udp_receive_buffer_errors_total", "counter",
      "Datagrams dropped because a socket's receive buffer was full."},
     .label = "family",
     .samples = {{HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV4, "ipv4"},
                 {HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV6, "ipv6"}},
     .count = 2},
    {{"sockwatch_udp_in_errors_total", "counter",
      "Datagrams that came and were not delivered, for any reason but that nobody had the port."},
     .label = "family",
     .samples = {{HOST_UDP_IN_ERRORS_IPV4, "ipv4"}, {HOST_UDP_IN_ERRORS_IPV6, "ipv6"}},
     .count = 2},
    {{"sockwatch_udp_no_ports_total", "counter", "Datagrams to ports that nobody had."},
     .label = "family",
     .samples = {{HOST_UDP_NO_PORTS_IPV4, "ipv4"}, {HOST_UDP_NO_PORTS_IPV6, "ipv6"}},
     .count = 2},
    {{"sockwatch_tcp_orphans", "gauge",
      "TCP sockets that no process has any more, of all network namespaces together."},
     .samples = {{HOST_TCP_ORPHANS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_time_wait_sockets", "gauge", "TCP connections in TIME_WAIT, as the kernel counts them."},
     .samples = {{HOST_TCP_TIME_WAIT_SOCKETS, NULL}},
     .count = 1},
    {{"sockwatch_tcp_memory_bytes", "gauge",
      "Memory that TCP holds for data that waits, of all network namespaces together."},
     .samples = {{HOST_TCP_MEMORY_BYTES, NULL}},
     .count = 1},
};

_Static_assert(sizeof families / sizeof families[0] == PROM_HOST_FAMILY_COUNT, "as the header says");

static void render_family(struct prom *p, const struct host_family *family)
{
    const struct host_counters *counters = &snapshot_host(p->view->snapshot)->counters;

    for (size_t i = 0; i < family->count; i++) {
        enum host_counter counter = family->samples[i].counter;

        if (!counters->known[counter])
            continue;
        exposition_begin_essential(&p->x);
        if (family->label)
            exposition_label(&p->x, family->label, family->samples[i].value);
        exposition_count(&p->x, counters->values[counter]);
    }
}

void prom_render_host(struct prom *p)
{
    uint64_t cut = 0;

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        exposition_family(&p->x, &families[i].as, &cut);
        render_family(p, &families[i]);
    }
    p->x.cut = NULL; /* the last family is over */
}
