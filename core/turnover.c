#include "core/turnover.h"

static bool is_read(const struct class_view *class)
{
    if (class->visibility == VISIBILITY_ABSENT)
        return true; /* a kernel without the protocol has no service of it */
    return class->visibility == VISIBILITY_OK && class->others == VISIBILITY_OK && class->unread == 0;
}

/* Of a class whose other ports are told as before, those that a limit left out
 * then are not in the inventory. */
void turnover_look(const struct inventory *inv, const struct turnover before[static PROTOCOL_COUNT],
                   struct turnover_look ret[static PROTOCOL_COUNT])
{
    struct inventory_cursor cursor = {0};
    const struct listener *l;

    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        ret[i] = (struct turnover_look){.known = is_read(&inv->classes[i]),
                                        .whole = !inv->behind[i] || before[i].whole};
    while ((l = inventory_next(inv, &cursor))) {
        ret[l->protocol].services++;
        ret[l->protocol].whole &= l->chosen;
    }
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (inv->behind[i] && !before[i].whole)
            ret[i].services = before[i].services;
}

void turnover_follow(struct turnover *t, const struct turnover_look *look)
{
    if (!look->known)
        return;
    if (t->known && t->whole && look->whole) {
        t->appeared += look->came;
        t->disappeared += look->went;
    } else if (t->known && look->services > t->services) {
        t->appeared += look->services - t->services;
    } else if (t->known) {
        t->disappeared += t->services - look->services;
    }
    t->known = true;
    t->whole = look->whole;
    t->services = look->services;
}
