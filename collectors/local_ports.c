#include "collectors/local_ports.h"
#include "collectors/local_ports_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DIRECTORY "/proc/sys/net/ipv4/"

/* The longest list of ports has every second one: "1,3,5,...". */
enum { USUAL_BYTES = 4096, MOST_BYTES = 256 << 10 };

/* Reads a setting, of which the kernel gives only what one read asks for.
 * Returns 0, -ENOBUFS when there may be more of it, or -errno. */
static int read_setting(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r;
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = read(fd, text, size - 1);
    while (n < 0 && errno == EINTR);
    r = n < 0 ? -errno : (size_t)n == size - 1 ? -ENOBUFS : 0;
    (void)close(fd); /* it was only read */
    text[n < 0 ? 0 : n] = '\0';
    return r;
}

int local_ports_read_range(struct port_range *ret)
{
    char text[64];
    int r = read_setting(DIRECTORY "ip_local_port_range", text, sizeof text);

    return r < 0 ? r : local_ports_parse_range(text, ret);
}

/* Takes the reserved ports out of a set. Returns 0 or a negative error. */
static int reserve(struct port_set *set)
{
    const char *path = DIRECTORY "ip_local_reserved_ports";
    char usual[USUAL_BYTES], *text = usual;
    int r = read_setting(path, text, USUAL_BYTES);

    if (r == -ENOBUFS) {
        text = malloc(MOST_BYTES);
        r = text ? read_setting(path, text, MOST_BYTES) : -ENOMEM;
    }
    if (r == 0)
        r = local_ports_parse_reserved(text, set);
    if (text != usual)
        free(text);
    return r;
}

void local_ports_read(struct local_ports *ret)
{
    *ret = (struct local_ports){.known = false};
    if (local_ports_read_range(&ret->range) < 0)
        return;
    for (unsigned port = ret->range.first; port <= ret->range.last; port++)
        port_set_put(&ret->free, (uint16_t)port);
    ret->known = reserve(&ret->free) == 0;
}
