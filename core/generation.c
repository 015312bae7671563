#include "core/generation.h"

/* Counts what a member dropped since before. The kernel counts in 32 bits, so
 * the difference is right across a wrap. */
static void add_drops(struct listener *now, const struct member *m, const struct member *before)
{
    if (m->drops.known)
        now->drops.count +=
            before && before->drops.known ? (uint32_t)(m->drops.count - before->drops.count) : m->drops.count;
}

void generation_follow(struct listener *now, const struct listener *before)
{
    uint32_t known = before ? before->sockets : 0, i = 0, fresh = 0, gone = 0;

    if (before) {
        now->drops.count = before->drops.count;
        now->restarts = before->restarts;
        now->owed = before->owed;
    }
    for (uint32_t k = 0; k < now->sockets; k++) {
        const struct member *m = &now->members[k];
        bool is_known;

        for (; i < known && before->members[i].cookie < m->cookie; i++)
            gone++;
        is_known = i < known && before->members[i].cookie == m->cookie;
        add_drops(now, m, is_known ? &before->members[i] : NULL);
        i += is_known;
        fresh += !is_known;
    }
    gone += known - i;
    now->owed += gone;
    now->restarts += fresh > 0 && now->owed > 0;
    now->owed -= fresh < now->owed ? fresh : now->owed;
}
