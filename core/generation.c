#include "core/generation.h"

/* Counts what a socket dropped since before. The kernel counts in 32 bits, so
 * the difference is right across a wrap. */
static void add_drops(struct generation *now, const struct trace *socket, const struct trace *before)
{
    if (socket->drops.known)
        now->drops += before && before->drops.known ? (uint32_t)(socket->drops.count - before->drops.count)
                                                    : socket->drops.count;
}

void generation_follow(struct generation *now, const struct generation *before)
{
    bool in_part = before && (now->in_part || before->in_part);
    uint32_t known = before ? before->count : 0, i = 0, fresh = 0, gone = 0;

    now->drops = before ? before->drops : 0;
    now->restarts = before ? before->restarts : 0;
    now->owed = before ? before->owed : 0;
    for (uint32_t k = 0; k < now->count; k++) {
        const struct trace *socket = &now->sockets[k];
        bool is_known;

        for (; i < known && before->sockets[i].cookie < socket->cookie; i++)
            gone++;
        is_known = i < known && before->sockets[i].cookie == socket->cookie;
        if (is_known || !in_part) /* else it may have been there before, unfollowed */
            add_drops(now, socket, is_known ? &before->sockets[i] : NULL);
        i += is_known;
        fresh += !is_known;
    }
    if (in_part)
        return;
    gone += known - i;
    now->owed += gone;
    now->restarts += fresh > 0 && now->owed > 0;
    now->owed -= fresh < now->owed ? fresh : now->owed;
}
