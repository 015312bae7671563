#include "collectors/user_database.h"
#include "core/text.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* What stands about one user beside the name may be long, but not any length. */
enum { ENTRY_FIRST = 1024, ENTRY_MAX = 1 << 20 };

/* Of all errors glibc says ERANGE only where the entry does not fit. */
static int ask(uint32_t uid, char *entry, size_t size, char *ret_name)
{
    struct passwd user, *found;
    int r = getpwuid_r(uid, &user, entry, size, &found);

    if (r != 0)
        return -r;
    if (!found || !*user.pw_name)
        return 0;
    text_escape(user.pw_name, strlen(user.pw_name), ret_name, USER_TEXT_MAX);
    return 1;
}

int user_database_ask(uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    int r = -ERANGE;

    for (size_t size = ENTRY_FIRST; r == -ERANGE && size <= ENTRY_MAX; size *= 4) {
        char *entry = malloc(size);

        if (!entry)
            return -ENOMEM;
        r = ask(uid, entry, size, ret_name);
        free(entry);
    }
    return r;
}
