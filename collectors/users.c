#include "collectors/users.h"
#include "core/owner.h"
#include "core/text.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_SIZE = 256 };

struct users {
    size_t count, next; /* the oldest answer makes room */
    struct {
        uint32_t uid;
        char name[USER_TEXT_MAX];
    } cache[CACHE_SIZE];
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
}

const char *users_name(struct users *u, uint32_t uid)
{
    const struct passwd *user;
    char *name;

    for (size_t i = 0; i < u->count; i++)
        if (u->cache[i].uid == uid)
            return u->cache[i].name;
    user = getpwuid(uid);
    u->cache[u->next].uid = uid;
    name = u->cache[u->next].name;
    if (user && *user->pw_name)
        text_escape(user->pw_name, strlen(user->pw_name), name, USER_TEXT_MAX);
    else
        (void)snprintf(name, USER_TEXT_MAX, "%u", uid);
    u->next = (u->next + 1) % CACHE_SIZE;
    if (u->count < CACHE_SIZE)
        u->count++;
    return name;
}
