#include "collectors/users.h"
#include "core/owner.h"
#include "core/text.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_SIZE = 256, NAMELESS_BITS = 16 };

struct users {
    size_t count, next;         /* the oldest answer makes room */
    char number[USER_TEXT_MAX]; /* as told last */
    struct {
        uint32_t uid;
        char name[USER_TEXT_MAX];
    } cache[CACHE_SIZE];
    /* Numbers without a name, each in the one place where it can stand. Any user
     * may have been given tens of thousands (subuid(5)). */
    uint32_t nameless[1 << NAMELESS_BITS]; /* plus 1; 0 for none */
};

struct users *users_new(void)
{
    return calloc(1, sizeof(struct users));
}

void users_free(struct users *u)
{
    free(u);
}

void users_forget(struct users *u)
{
    u->count = u->next = 0;
    memset(u->nameless, 0, sizeof u->nameless);
}

static uint32_t *nameless_place(struct users *u, uint32_t uid)
{
    return &u->nameless[uid * UINT32_C(2654435761) >> (32 - NAMELESS_BITS)];
}

/* Where the oldest name makes room. */
static char *take_place(struct users *u, uint32_t uid)
{
    char *name = u->cache[u->next].name;

    u->cache[u->next].uid = uid;
    u->next = (u->next + 1) % CACHE_SIZE;
    if (u->count < CACHE_SIZE)
        u->count++;
    return name;
}

const char *users_name(struct users *u, uint32_t uid)
{
    uint32_t *nameless = nameless_place(u, uid);
    const struct passwd *user;
    char *name;

    if (*nameless == uid + 1 && *nameless != 0) {
        (void)snprintf(u->number, sizeof u->number, "%u", uid);
        return u->number;
    }
    for (size_t i = 0; i < u->count; i++)
        if (u->cache[i].uid == uid)
            return u->cache[i].name;
    user = getpwuid(uid);
    if (!user || !*user->pw_name) {
        *nameless = uid + 1;
        (void)snprintf(u->number, sizeof u->number, "%u", uid);
        return u->number;
    }
    name = take_place(u, uid);
    text_escape(user->pw_name, strlen(user->pw_name), name, USER_TEXT_MAX);
    return name;
}
