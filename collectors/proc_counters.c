#include "collectors/proc_counters.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const paths[PROC_COUNTERS_FILE_COUNT] = {
    [PROC_NETSTAT] = "/proc/thread-self/net/netstat",
    [PROC_SNMP] = "/proc/thread-self/net/snmp",
    [PROC_SNMP6] = "/proc/thread-self/net/snmp6",
    [PROC_SOCKSTAT] = "/proc/thread-self/net/sockstat",
};

/* Returns 0 at the end, or -errno. */
static int read_all(int fd, char *text, size_t *ret_length)
{
    size_t length = 0;

    while (length < PROC_COUNTERS_BYTES_MAX) {
        ssize_t n = read(fd, text + length, PROC_COUNTERS_BYTES_MAX - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *ret_length = length;
            return n < 0 ? -errno : 0;
        }
        length += (size_t)n;
    }
    return -EFBIG;
}

int proc_counters_read(enum proc_counters_file file, char ret_text[static PROC_COUNTERS_BYTES_MAX],
                       size_t *ret_length)
{
    int fd = open(paths[file], O_RDONLY | O_CLOEXEC), r;
    size_t length;

    if (fd < 0)
        return -errno;
    r = read_all(fd, ret_text, &length);
    (void)close(fd); /* it was only read */
    if (r == 0)
        *ret_length = length;
    return r;
}
