#include "daemon/running.h"
#include "exporters/http_client.h"
#include "exporters/json_read.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MS = 1000, URL_MAX = ENDPOINT_TEXT_MAX + 32 };

static bool is_listening(const struct listener_table *table, const struct ip_port *address)
{
    size_t count;
    const struct listener *l = listener_table_port(table, PROTOCOL_TCP, address->port, &count);

    for (size_t i = 0; i < count; i++)
        if (ip_addr_compare(&l[i].address, &address->address) == 0)
            return true;
    return false;
}

/* A wildcard is reached over loopback. */
static struct ip_port reachable(const struct ip_port *address)
{
    static const struct ip_addr loopback4 = {.version = 4, .bytes = {127, 0, 0, 1}},
                                loopback6 = {.version = 6, .bytes = {[15] = 1}};
    struct ip_port to = *address;

    if (ip_addr_is_any(address->address))
        to.address = address->address.version == 4 ? loopback4 : loopback6;
    return to;
}

static int ask(const struct config *config, const struct listener_table *table, struct buf *out)
{
    char endpoint[ENDPOINT_TEXT_MAX], url[URL_MAX];
    int r = -1;

    for (size_t i = 0; r < 0 && i < config->listen.count; i++) {
        const struct ip_port to = reachable(&config->listen.items[i]);

        if (!is_listening(table, &config->listen.items[i]))
            continue;
        buf_truncate(out, 0);
        ip_port_format(&to, endpoint);
        (void)snprintf(url, sizeof url, "http://%s/api/v1/listeners", endpoint);
        r = http_client_get(url, ANSWER_MS, JSON_READ_MAX_BYTES, out);
    }
    return out->failed ? -1 : r;
}

uint64_t *running_restarts(const struct config *config, const struct listener_table *table)
{
    uint64_t *restarts;
    size_t count;
    struct buf body;

    (void)listener_table_all(table, &count); /* only their number matters */
    restarts = calloc(count + 1, sizeof *restarts);
    buf_init(&body);
    if (restarts && (ask(config, table, &body) < 0 ||
                     json_read_restarts(buf_text(&body), body.len, table, restarts) < 0)) {
        free(restarts);
        restarts = NULL;
    }
    buf_done(&body);
    return restarts;
}
