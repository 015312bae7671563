/* A preload that lets some of what a program sends and receives over netlink
 * fail, as it does where memory is short for a moment: SOCKWATCH_FAIL_NETLINK of
 * a thousand, chosen in an order that looks random and is the same each time.
 * With SOCKWATCH_NETLINK_LENGTH nothing fails, but the first message of what is
 * received says that it has that length. One thread may use netlink. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef ssize_t sendto_fn(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
typedef ssize_t recvmsg_fn(int, struct msghdr *, int);

static uint32_t next_random(void)
{
    static uint32_t state = 2463534242u;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static bool is_netlink(int fd)
{
    int domain;
    socklen_t length = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK;
}

static bool is_chosen(int fd)
{
    const char *failing = getenv("SOCKWATCH_FAIL_NETLINK");

    return failing && is_netlink(fd) && next_random() % 1000 < strtoul(failing, NULL, 10);
}

/* Finds the function of libc, and says whether it is to be called. */
static bool passes(int fd, const char *name, void *ret_function, size_t size)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (!symbol || (!getenv("SOCKWATCH_NETLINK_LENGTH") && is_chosen(fd))) {
        errno = ENOBUFS;
        return false;
    }
    memcpy(ret_function, &symbol, size); /* ISO C knows no conversion */
    return true;
}

/* length   of what was received into the message, or -1 */
static void spoil(int fd, const struct msghdr *message, ssize_t length)
{
    const char *wanted = getenv("SOCKWATCH_NETLINK_LENGTH");
    uint32_t value;

    if (!wanted || length < (ssize_t)sizeof value || !is_chosen(fd))
        return;
    value = (uint32_t)strtoul(wanted, NULL, 0);
    memcpy(message->msg_iov[0].iov_base, &value, sizeof value); /* nlmsg_len */
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to,
               socklen_t to_length)
{
    sendto_fn *function;

    return passes(fd, "sendto", &function, sizeof function) ? function(fd, data, length, flags, to, to_length)
                                                            : -1;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    recvmsg_fn *function;
    ssize_t length;

    if (!passes(fd, "recvmsg", &function, sizeof function))
        return -1;
    length = function(fd, message, flags);
    spoil(fd, message, length);
    return length;
}
