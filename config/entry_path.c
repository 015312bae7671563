#include "config/entry_path.h"
#include "config/entry_matcher.h"
#include "core/ref.h"
#include "core/unix_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int entry_path_parse(void *field, const char *text)
{
    struct matcher *match = field;
    struct port_range port;

    if (!unix_path_is_plain(text))
        return -EINVAL;
    free(ref_unseal(match->path));
    match->path = strdup(text);
    if (!match->path)
        return -ENOMEM;
    port.first = port.last = unix_path_port(text);
    return entry_ports_add(match, &port, 1);
}

void entry_path_print(const void *field, struct buf *out)
{
    schema_quote(out, ((const struct matcher *)field)->path);
}

bool entry_path_is_set(const void *field)
{
    return ((const struct matcher *)field)->path;
}

bool entry_path_concerns(const struct matcher *match)
{
    return match->path || matcher_has_protocol(match, PROTOCOL_UNIX);
}

/* Nobody tells how a path is reached, but for who may open it. */
static void check_place(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    static const char none[] = "contradicts path, expected none: a unix socket has only that";

    if (e->match.port_count > 1)
        to->report(to->arg, index, "port", "%s", none);
    if (e->match.scope != WANT_ANY)
        to->report(to->arg, index, "scope", "%s", none);
    if (e->match.address_count > 0)
        to->report(to->arg, index, "address", "%s", none);
    if (e->families[0] || e->families[1])
        to->report(to->arg, index, "families", "%s", none);
}

void entry_path_check(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    if (!e->match.path) {
        to->report(to->arg, index, "protocol", "is \"unix\", expected path with it, and no port");
        return;
    }
    if (matcher_protocols(&e->match) != 1u << PROTOCOL_UNIX)
        to->report(to->arg, index, "path", "contradicts protocol, expected protocol \"unix\" alone");
    check_place(e, index, to);
    if (e->connections_limited || e->close_wait_max > 0)
        to->report(to->arg, index, e->connections_limited ? "connections" : "close_wait_max",
                   "cannot be counted of unix sockets, expected none");
    if (e->drops_limited)
        to->report(to->arg, index, "drops",
                   "cannot be told of unix sockets, whose clients wait or are refused, expected none");
}
