#include "daemon/running.h"
#include "exporters/http_client.h"
#include "exporters/prom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        (void)snprintf(url, sizeof url, "http://%s/metrics", endpoint);
        r = http_client_get(url, ANSWER_MS, out);
    }
    return out->failed ? -1 : r;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Splits a text into its lines that begin so, sorted. Returns owned. */
static const char **find_lines(char *text, const char *prefix, size_t *ret_count)
{
    size_t count = 0, capacity = 1;
    const char **lines;
    char *rest = NULL;

    for (const char *p = text; (p = strchr(p, '\n')); p++)
        capacity++;
    lines = calloc(capacity, sizeof(const char *));
    if (!lines)
        return NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, prefix, strlen(prefix)) == 0)
            lines[count++] = line;
    qsort(lines, count, sizeof(const char *), compare_lines);
    *ret_count = count;
    return lines;
}

/* The value of the series, which is the one line that begins with it. */
static uint64_t value_of(const char *const *lines, size_t count, const char *series)
{
    size_t low = 0, high = count, length = strlen(series);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(lines[middle], series) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || strncmp(lines[low], series, length) != 0 || lines[low][length] != ' ')
        return VIEW_UNKNOWN;
    return strtoull(lines[low] + length + 1, NULL, 10);
}

static void fill(const struct listener_table *table, const char *const *lines, size_t line_count,
                 uint64_t *restarts)
{
    size_t count;
    const struct listener *listeners = listener_table_all(table, &count);

    for (size_t i = 0; i < count; i++) {
        struct buf series;

        buf_init(&series);
        prom_listener_series(PROM_LISTENER_RESTARTS_TOTAL, &listeners[i], &series);
        restarts[i] = value_of(lines, line_count, buf_text(&series));
        buf_done(&series);
    }
}

uint64_t *running_restarts(const struct config *config, const struct listener_table *table)
{
    uint64_t *restarts = NULL;
    const char **lines = NULL;
    size_t length, count;
    char *text = NULL;
    struct buf body;

    (void)listener_table_all(table, &count); /* only their number matters */
    buf_init(&body);
    if (ask(config, table, &body) == 0)
        text = buf_take(&body, &length);
    if (text)
        restarts = calloc(count + 1, sizeof *restarts);
    if (restarts)
        lines = find_lines(text, "sockwatch_listener_restarts_total{", &length);
    if (lines) {
        fill(table, lines, length, restarts);
    } else {
        free(restarts);
        restarts = NULL;
    }
    free(lines);
    free(text);
    buf_done(&body);
    return restarts;
}
