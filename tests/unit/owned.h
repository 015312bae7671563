/* Sockets with their owners as text, and the table of them. */
#ifndef SOCKWATCH_TESTS_UNIT_OWNED_H
#define SOCKWATCH_TESTS_UNIT_OWNED_H

#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

/* A socket, who made it and who holds it, as rows.h reads both; holders NULL:
 * nobody could be seen, not_yet: nobody was by now, late: nobody was in time.
 * maker NULL: nobody looks; a uid with "?" behind it: the name is asked for. */
struct owned {
    const char *socket, *maker, *holders;
};

static const char not_yet[] = "not yet", late[] = "late";

static inline struct owner_set *owned_set(const struct owned *o)
{
    struct owner_set *set;

    if (!o->maker)
        return NULL;
    if (o->holders == not_yet || o->holders == late) {
        set = owners_of(o->maker, "");
        set->sight = o->holders == late ? SIGHT_LATE : SIGHT_NOT_YET;
        return set;
    }
    set = owners_of(o->maker, o->holders ? o->holders : "");
    if (!o->holders)
        set->sight = SIGHT_HIDDEN;
    set->user_awaited = strstr(o->maker, "?:") != NULL;
    return set;
}

/* Of so many sockets, or of those before the first without a name. All classes
 * are seen; of SCTP it is not told who chose the ports, as the kernel is. */
static inline const struct listener_table *owned_table(const struct owned *sockets, size_t most)
{
    struct owner_set **sets = calloc(most + 1, sizeof(struct owner_set *)); /* rows only borrow them */
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *t;

    assert_non_null(b);
    assert_non_null(sets);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (size_t i = 0; i < most && sockets[i].socket; i++) {
        struct listener_row row = row_of(sockets[i].socket);

        row.cookie = i + 1;
        row.choice_untold = row.protocol == PROTOCOL_SCTP;
        row.owners = sets[i] = owned_set(&sockets[i]);
        row.uid = sets[i] ? sets[i]->uid : 0;
        assert_int_equal(listener_builder_add(b, &row), 0);
    }
    t = seal_all(b);
    listener_builder_free(b);
    assert_non_null(t);
    for (size_t i = 0; i < most; i++)
        owner_set_unref(sets[i]);
    free(sets);
    return t;
}

#endif
