#include "collectors/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int mounts_each(mount_fn *on_mount, void *arg)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    struct mount_line m;
    char *line = NULL;
    size_t capacity = 0;
    bool more = true;

    if (!file)
        return -errno;
    while (more && getline(&line, &capacity, file) > 0)
        if (proc_pid_parse_mount(line, &m) == 0)
            more = on_mount(arg, &m);
    free(line);
    (void)fclose(file); /* it was only read */
    return 0;
}
