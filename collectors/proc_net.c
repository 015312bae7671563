#include "collectors/proc_net.h"
#include "core/err.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_table(const char *path, uint8_t version, proc_raw_row_fn *on_row, void *arg,
                      uint64_t *ret_malformed)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    int r = 0;

    if (!file)
        return -errno;
    /* Without sockets the heading is still there; without it this is no such
     * file, which must not pass for "no sockets". */
    if (getline(&line, &capacity, file) <= 0 || !strstr(line, "local_address"))
        r = -EBADMSG;
    while (r == 0 && getline(&line, &capacity, file) > 0) {
        struct proc_raw_row row;

        r = proc_raw_parse_line(line, version, &row);
        if (r == 0)
            r = on_row(arg, &row);
        if (r == -EBADMSG) {
            ++*ret_malformed;
            r = 0;
        }
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    free(line);
    (void)fclose(file); /* it was only read */
    return r;
}

int proc_raw_read(proc_raw_row_fn *on_row, void *arg, uint64_t *ret_malformed)
{
    int r = read_table("/proc/thread-self/net/raw", 4, on_row, arg, ret_malformed);

    if (r == -ENOENT)
        return ERR_UNSUPPORTED;
    if (r < 0)
        return r;
    r = read_table("/proc/thread-self/net/raw6", 6, on_row, arg, ret_malformed);
    return r == -ENOENT ? 0 : r;
}

int proc_has_protocol(const char *name)
{
    FILE *file = fopen("/proc/thread-self/net/protocols", "re");
    char line[512], word[32];
    int found = 0;

    if (!file)
        return -errno;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "%31s", word) == 1 && strcmp(word, name) == 0;
    if (!found && ferror(file))
        found = -EIO;
    (void)fclose(file); /* it was only read */
    return found;
}

void proc_interface_name(uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX])
{
    /* The kernel lets a name hold nearly any byte. */
    if (!if_indextoname(ifindex, ret_name) || !name_is_plain(ret_name))
        (void)snprintf(ret_name, INTERFACE_NAME_MAX, "if%u", ifindex);
}
