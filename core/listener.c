#include "core/listener.h"

#include <string.h>

/* So many processes, users or units are named of one listener. */
enum { NAMES_MAX = 3 };

bool listener_has_port_class(const struct listener *l)
{
    return l->protocol != PROTOCOL_RAW;
}

enum sharing listener_sharing(const struct listener *l)
{
    if (l->sockets < 2)
        return SHARING_NONE;
    return l->uid_known ? SHARING_ONE_USER : SHARING_USERS;
}

const char *listener_next_name(const struct listener *l, enum owner_name which, const char *previous)
{
    const char *best = NULL;

    for (uint32_t i = 0; i < l->sockets; i++) {
        const char *name = owner_next_name(l->members[i].owners, which, previous);

        if (name && (!best || strcmp(name, best) < 0))
            best = name;
    }
    return best;
}

void listener_names(const struct listener *l, enum owner_name which, struct buf *out)
{
    const char *name = NULL;
    size_t count = 0;

    while ((name = listener_next_name(l, which, name)) && count < NAMES_MAX)
        buf_fmt(out, "%s%s", count++ > 0 ? "," : "", name);
    if (name)
        buf_str(out, ",...");
}

enum sight listener_sight(const struct listener *l)
{
    enum sight worst = SIGHT_SEEN;

    for (uint32_t i = 0; i < l->sockets; i++) {
        const struct owner_set *owners = l->members[i].owners;
        enum sight sight = owners ? owners->sight : SIGHT_NOT_YET;

        if (sight < worst)
            worst = sight;
    }
    return worst;
}
