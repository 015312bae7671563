/* Addresses, sockets and sealed tables from a few words, for tests of what
 * reads them. */
#ifndef SOCKWATCH_TESTS_UNIT_ROWS_H
#define SOCKWATCH_TESTS_UNIT_ROWS_H

#include "core/listener_table.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static inline struct ip_addr address_of(const char *text)
{
    struct ip_addr address = {0};

    assert_int_equal(ip_addr_parse(text, &address), 0);
    return address;
}

/* A socket as "10.0.0.1:80", "[::1]:80" (V6ONLY) or "*:80" (dual-stack); with
 * "udp/" before it for a protocol other than TCP and "%2" behind the address
 * for an interface. The cookie is 0, unknown. */
static inline struct listener_row row_of(const char *text)
{
    struct listener_row row = {.v6only = true};
    char host[64], *zone;
    const char *slash = strchr(text, '/'), *colon;
    int length;

    if (slash) {
        (void)snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
        assert_int_equal(protocol_parse(host, &row.protocol), 0);
        text = slash + 1;
    }
    colon = strrchr(text, ':');
    assert_non_null(colon);
    row.port = (uint16_t)strtoul(colon + 1, NULL, 10);
    length = (int)(colon - text);
    if (*text == '[') {
        text++;
        length -= 2;
    }
    (void)snprintf(host, sizeof host, "%.*s", length, text);
    zone = strchr(host, '%');
    if (zone) {
        *zone++ = '\0';
        row.ifindex = (uint32_t)strtoul(zone, NULL, 10);
        (void)snprintf(row.interface, sizeof row.interface, "if%u", row.ifindex);
    }
    row.v6only = strcmp(host, "*") != 0;
    row.address = address_of(row.v6only ? host : "::");
    return row;
}

/* Adds sockets, separated by spaces, each with a cookie of its own from
 * first_cookie on. */
static inline void add_rows(struct listener_builder *b, const char *sockets, uint64_t first_cookie)
{
    char copy[512], *rest = NULL;

    assert_true(strlen(sockets) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", sockets);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest)) {
        struct listener_row row = row_of(text);

        row.cookie = first_cookie++;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Writes a table's listeners in their order, "tcp/0.0.0.0:80 udp/[::1]:53";
 * with_sockets appends the number of their sockets, "x1". */
static inline void describe_listeners(const struct listener_table *t, bool with_sockets, char *ret_text,
                                      size_t size)
{
    size_t count, length = 0;
    const struct listener *listeners = listener_table_all(t, &count);

    *ret_text = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct listener *l = &listeners[i];
        char text[ENDPOINT_TEXT_MAX];

        endpoint_format(&l->address, l->family, l->port, l->interface, text);
        length += (size_t)snprintf(ret_text + length, size - length, "%s%s/%s", i > 0 ? " " : "",
                                   protocol_name(l->protocol), text);
        assert_true(length < size);
        if (with_sockets)
            length += (size_t)snprintf(ret_text + length, size - length, "x%u", l->sockets);
        assert_true(length < size);
    }
}

#endif
