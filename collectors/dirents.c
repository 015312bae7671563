#include "collectors/dirents.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int dirents_open(struct dirents *d, int parent, const char *name)
{
    d->at = d->length = 0;
    d->fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return d->fd < 0 ? -errno : 0;
}

int dirents_next(struct dirents *d, const struct dirent64 **ret)
{
    const struct dirent64 *entry;
    const void *record;

    if (d->at == d->length) {
        ssize_t n = getdents64(d->fd, d->buffer, sizeof d->buffer);

        if (n <= 0)
            return n < 0 ? -errno : 0;
        d->at = 0;
        d->length = (size_t)n;
    }
    /* Aligned: the kernel pads every record to 8 bytes. */
    record = d->buffer + d->at;
    entry = record;
    d->at += entry->d_reclen;
    *ret = entry;
    return 1;
}

void dirents_close(struct dirents *d)
{
    if (d->fd >= 0)
        (void)close(d->fd); /* it was only read */
    d->fd = -1;
}
