#include "daemon/running.h"
#include "core/array.h"
#include "exporters/http_client.h"
#include "exporters/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ANSWER_MS = 1000, URL_MAX = ENDPOINT_TEXT_MAX + 32 };

/* Asks one listener. Returns 0, or a negative error: then there is no answer, or
 * it may be another one's. */
static int ask(const struct inventory *inv, const struct listener *l, struct buf *out)
{
    char endpoint[ENDPOINT_TEXT_MAX], url[URL_MAX];
    struct ip_port to;
    int r;

    if (!own_reach(inv, l, &to))
        return -EHOSTUNREACH;
    ip_port_format(&to, endpoint);
    (void)snprintf(url, sizeof url, "http://%s/api/v1/listeners", endpoint);
    buf_truncate(out, 0);
    r = http_client_get(url, ANSWER_MS, JSON_READ_MAX_BYTES, out);
    return out->failed ? -ENOMEM : r;
}

static bool says_own(const struct inventory *inv, const struct listener *l)
{
    struct buf body;
    bool own;

    buf_init(&body);
    own = ask(inv, l, &body) == 0 && json_read_own(buf_text(&body), body.len, l) > 0;
    buf_done(&body);
    return own;
}

static bool is_own(const struct inventory *inv, const struct listener *l)
{
    switch (own_proof(l, geteuid())) {
    case OWN_NONE: return false;
    case OWN_ANSWER: return says_own(inv, l);
    case OWN_UNIT: return true;
    }
    return false;
}

/* Cookies that were found. */
struct cookie_list {
    uint64_t *cookies; /* owned */
    size_t count, capacity;
};

/* Looks at the listeners at one address. Returns 0 or -ENOMEM. */
static int find_at(const struct ip_port *served, const struct inventory *inv, struct cookie_list *found)
{
    size_t count;
    const struct listener *l = inventory_port(inv, PROTOCOL_TCP, served->port, &count);

    for (size_t i = 0; i < count; i++) {
        const struct own_sockets known = {found->cookies, found->count};
        uint64_t *grown;

        if (!own_stands_at(served, &l[i].address, l[i].port) || l[i].ifindex != 0 || own_has(&known, &l[i]) ||
            !is_own(inv, &l[i]))
            continue;
        grown = array_grow(found->cookies, &found->capacity, found->count + 1, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        found->cookies = grown;
        grown[found->count++] = l[i].members[0].cookie;
    }
    return 0;
}

int running_own(const struct config *config, const struct inventory *inv, struct own_sockets *ret)
{
    struct cookie_list found = {.cookies = NULL};
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->listen.count; i++)
        r = find_at(&config->listen.items[i], inv, &found);
    if (r < 0)
        free(found.cookies);
    else
        *ret = (struct own_sockets){found.cookies, found.count};
    return r;
}

/* Asks sockwatch's own listeners until one of them answers. */
static int ask_own(const struct listener_table *table, const struct verdict *verdict, struct buf *out)
{
    struct inventory inv;
    size_t count;
    const struct listener *l = listener_table_all(table, &count);
    int r = -ECONNREFUSED;

    listener_table_inventory(table, &inv);
    for (size_t i = 0; r < 0 && i < count; i++)
        if (verdict->listeners[i].own)
            r = ask(&inv, &l[i], out);
    return r;
}

static uint64_t *read_restarts(const struct buf *body, const struct listener_table *table)
{
    uint64_t *restarts;
    size_t count;

    (void)listener_table_all(table, &count); /* only their number matters */
    restarts = calloc(count + 1, sizeof *restarts);
    if (restarts && json_read_restarts(buf_text(body), body->len, table, restarts) < 0) {
        free(restarts);
        restarts = NULL;
    }
    return restarts;
}

static int64_t *read_since(const struct buf *body, const struct policy *policy, const struct verdict *verdict)
{
    int64_t *since = calloc(verdict->service_count + 1, sizeof *since);

    if (since && json_read_since(buf_text(body), body->len, policy, verdict, since) < 0) {
        free(since);
        since = NULL;
    }
    return since;
}

void running_ask(const struct listener_table *table, const struct policy *policy,
                 const struct verdict *verdict, struct running_answer *ret)
{
    struct buf body;

    *ret = (struct running_answer){0};
    buf_init(&body);
    if (ask_own(table, verdict, &body) == 0) {
        ret->restarts = read_restarts(&body, table);
        if (verdict->service_count > 0)
            ret->since_ms = read_since(&body, policy, verdict);
    }
    buf_done(&body);
}

void running_answer_done(struct running_answer *answer)
{
    free(answer->restarts);
    free(answer->since_ms);
}
