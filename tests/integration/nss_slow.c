/* A name service for tests, "slow" in nsswitch.conf: users as a file tells them,
 * and as slowly. The file, named by SOCKWATCH_NSS_FILE, is read for each question:
 *
 *   5           seconds that each answer takes
 *   4242 mysql  a user and its name; "!" where the directory cannot be asked
 *
 * Source: nss(5), the GNU C library's manual, "NSS Module Function Internals". */
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

enum nss_status _nss_slow_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size,
                                     int *ret_errno);

/* Returns whether the user is there, and waits as long as the file says. */
static int find(uid_t uid, char *ret_name)
{
    const char *path = getenv("SOCKWATCH_NSS_FILE");
    FILE *file = path ? fopen(path, "re") : NULL;
    unsigned seconds = 0, number;
    int found = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%u", &seconds) == 1)
        while (!found && fscanf(file, "%u %63s", &number, ret_name) == 2)
            found = number == uid;
    (void)fclose(file); /* it was only read */
    (void)sleep(seconds);
    return found;
}

enum nss_status _nss_slow_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size, int *ret_errno)
{
    char name[NAME_SIZE];

    if (!find(uid, name))
        return NSS_STATUS_NOTFOUND;
    if (strcmp(name, "!") == 0) {
        *ret_errno = EIO;
        return NSS_STATUS_UNAVAIL;
    }
    if (size < NAME_SIZE + 1) {
        *ret_errno = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    (void)snprintf(buffer, NAME_SIZE, "%s", name);
    buffer[NAME_SIZE] = '\0';
    *ret = (struct passwd){.pw_name = buffer, .pw_uid = uid, .pw_gid = uid};
    ret->pw_passwd = ret->pw_gecos = ret->pw_dir = ret->pw_shell = buffer + NAME_SIZE;
    return NSS_STATUS_SUCCESS;
}
