/* Addresses, sockets, their owners and sealed tables from a few words, for
 * tests of what reads them. */
#ifndef SOCKWATCH_TESTS_UNIT_ROWS_H
#define SOCKWATCH_TESTS_UNIT_ROWS_H

#include "core/listener_builder.h"
#include "core/listener_table.h"
#include "core/owner.h"
#include "tests/unit/looks.h"
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
 * for an interface. Behind the port, in this order, "~" for one that the kernel
 * chose, "#5" for a cookie (otherwise 0, unknown) and "!7" for drops. */
static inline struct listener_row row_of(const char *text)
{
    struct listener_row row = {.v6only = true};
    char host[64], *zone;
    const char *slash = strchr(text, '/'), *colon;
    char *rest;
    int length;

    if (slash) {
        (void)snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
        assert_int_equal(protocol_parse(host, &row.protocol), 0);
        text = slash + 1;
    }
    colon = strrchr(text, ':');
    assert_non_null(colon);
    row.port = (uint16_t)strtoul(colon + 1, &rest, 10);
    row.auto_port = *rest == '~';
    rest += row.auto_port;
    if (*rest == '#')
        row.cookie = strtoull(rest + 1, &rest, 10);
    row.drops.known = *rest == '!';
    if (row.drops.known)
        row.drops.count = (uint32_t)strtoul(rest + 1, &rest, 10);
    assert_string_equal(rest, "");
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
 * first_cookie on where it names none. */
static inline void add_rows(struct listener_builder *b, const char *sockets, uint64_t first_cookie)
{
    char copy[512], *rest = NULL;

    assert_true(strlen(sockets) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", sockets);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest)) {
        struct listener_row row = row_of(text);

        if (row.cookie == 0)
            row.cookie = first_cookie++;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
}

/* Cuts text at its colons. A part that is missing is "". */
static inline void split_parts(char *text, char **ret_parts, size_t count)
{
    char *end = text + strlen(text);

    for (size_t i = 0; i < count; i++)
        ret_parts[i] = text ? strsep(&text, ":") : end;
    assert_null(text);
}

/* "/path" that the host has, "?/path" of which nobody knows, or "!/path" that it
 * has not; with " (deleted)" behind it; "" where it may not be read. With one
 * reference. */
static inline const struct program *program_of(const char *text)
{
    enum program_standing standing = *text == '?'   ? PROGRAM_UNVERIFIED
                                     : *text == '!' ? PROGRAM_FOREIGN
                                                    : PROGRAM_VERIFIED;
    const char *suffix = strstr(text, " (deleted)");
    const struct program *program;

    if (!*text)
        return NULL;
    text += *text == '?' || *text == '!';
    program = program_new(text, suffix ? (size_t)(suffix - text) : strlen(text), standing, suffix != NULL);
    assert_non_null(program);
    return program;
}

/* The owners of a socket, with one reference.
 *
 * socket    "UID:USER:UNIT", where it was made
 * holders   "PID:PROCESS:USER:UNIT:EXE", separated by commas; a unit "?" could not
 *           be read, and of "UNIT/init.scope" a service manager keeps that for
 *           itself. "" for no holders, who were then looked for and not found */
static inline struct owner_set *owners_of(const char *socket, const char *holders)
{
    struct owner_set *set;
    char copy[2048], *rest = NULL, *part[5];
    size_t count = *holders != '\0', i = 0;

    for (const char *p = holders; *p; p++)
        count += *p == ',';
    set = owner_set_new(count);
    assert_non_null(set);
    assert_true(strlen(socket) < sizeof copy && strlen(holders) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", socket);
    split_parts(copy, part, 3);
    set->uid = (uint32_t)strtoul(part[0], NULL, 10);
    (void)snprintf(set->user, sizeof set->user, "%s", part[1]);
    (void)snprintf(set->unit, sizeof set->unit, "%s", part[2]);
    set->sight = count > 0 ? SIGHT_SEEN : SIGHT_NONE;
    (void)snprintf(copy, sizeof copy, "%s", holders);
    for (char *text = strtok_r(copy, ",", &rest); text; text = strtok_r(NULL, ",", &rest)) {
        struct holder h = {.unit_known = true};

        split_parts(text, part, 5);
        h.pid = (uint32_t)strtoul(part[0], NULL, 10);
        (void)snprintf(h.process, sizeof h.process, "%s", part[1]);
        (void)snprintf(h.user, sizeof h.user, "%s", part[2]);
        h.uid_known = *h.user != '\0';
        h.uid = strcmp(h.user, "root") == 0 ? 0 : 1000;
        h.unit_known = strcmp(part[3], "?") != 0;
        h.in_manager = strcmp(part[3], "init.scope") == 0 || strchr(part[3], '/');
        (void)snprintf(h.unit, sizeof h.unit, "%.*s", (int)strcspn(part[3], "/?"), part[3]);
        h.program = program_of(part[4]);
        set->holders[i] = holder_new(&h);
        program_unref(h.program);
        assert_non_null(set->holders[i++]);
    }
    assert_int_equal(i, count);
    return set;
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
        char text[LISTENER_PLACE_MAX];

        listener_place(l, text);
        length += (size_t)snprintf(ret_text + length, size - length, "%s%s/%s", i > 0 ? " " : "",
                                   protocol_name(l->protocol), text);
        assert_true(length < size);
        if (with_sockets)
            length += (size_t)snprintf(ret_text + length, size - length, "x%u", l->sockets);
        assert_true(length < size);
    }
}

#endif
