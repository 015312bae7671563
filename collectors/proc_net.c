#include "collectors/proc_net.h"
#include "core/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void proc_raw_end(struct proc_raw *r)
{
    if (r->fd >= 0)
        (void)close(r->fd); /* it was only read */
    r->fd = -1;
}

static int open_table(struct proc_raw *r, uint8_t version)
{
    const char *path = version == 4 ? "/proc/thread-self/net/raw" : "/proc/thread-self/net/raw6";

    proc_raw_end(r);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    r->version = version;
    r->has_heading = false;
    r->length = 0;
    return r->fd < 0 ? -errno : 0;
}

int proc_raw_begin(struct proc_raw *r)
{
    int result = open_table(r, 4);

    return result == -ENOENT ? ERR_UNSUPPORTED : result;
}

/* Without sockets the heading is still there; without it this is no such file,
 * which must not pass for "no sockets". */
static int take_line(struct proc_raw *r, const char *line, proc_raw_row_fn *on_row, void *arg,
                     uint64_t *ret_malformed)
{
    struct proc_raw_row row;
    int result;

    if (!r->has_heading) {
        r->has_heading = strstr(line, "local_address");
        return r->has_heading ? 0 : -EBADMSG;
    }
    result = proc_raw_parse_line(line, r->version, &row);
    if (result == 0)
        result = on_row(arg, &row);
    if (result != -EBADMSG)
        return result;
    ++*ret_malformed;
    return 0;
}

/* Takes all whole lines of the buffer and keeps the rest for the next read. */
static int take_lines(struct proc_raw *r, proc_raw_row_fn *on_row, void *arg, uint64_t *ret_malformed)
{
    char *line = r->buffer, *end;
    int result = 0;

    while (result == 0 && (end = memchr(line, '\n', r->length - (size_t)(line - r->buffer)))) {
        *end = '\0';
        result = take_line(r, line, on_row, arg, ret_malformed);
        line = end + 1;
    }
    r->length -= (size_t)(line - r->buffer);
    memmove(r->buffer, line, r->length);
    return result < 0 || r->length < sizeof r->buffer ? result : -EBADMSG; /* that is no line */
}

/* At the end of raw comes raw6, if there is one. */
static int next_table(struct proc_raw *r)
{
    int result = -EBADMSG;

    if (r->has_heading && r->version == 4)
        result = open_table(r, 6);
    else if (r->has_heading)
        result = -ENOENT;
    return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

/* Reads once. Returns as proc_raw_step(). */
static int read_once(struct proc_raw *r, proc_raw_row_fn *on_row, void *arg, uint64_t *ret_malformed)
{
    ssize_t n = read(r->fd, r->buffer + r->length, sizeof r->buffer - r->length);
    int result;

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    if (n == 0)
        return next_table(r);
    r->length += (size_t)n;
    result = take_lines(r, on_row, arg, ret_malformed);
    return result < 0 ? result : 1;
}

int proc_raw_step(struct proc_raw *r, const struct budget *budget, proc_raw_row_fn *on_row, void *arg,
                  uint64_t *ret_malformed)
{
    int result;

    do
        result = read_once(r, on_row, arg, ret_malformed);
    while (result > 0 && !budget_is_spent(budget));
    if (result <= 0)
        proc_raw_end(r);
    return result;
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
