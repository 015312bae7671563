/* A netlink socket of the sock_diag family: sends one dump request at a time
 * and hands every message of the answer to a callback, as many at a time as a
 * budget allows. Needs no privilege. One thread. */
#ifndef SOCKWATCH_COLLECTORS_SOCK_DIAG_H
#define SOCKWATCH_COLLECTORS_SOCK_DIAG_H

#include "collectors/inet_diag_parse.h"
#include "core/budget.h"

struct sock_diag;

/* ret   returns owned; filled on success only
 *
 * Returns 0, or -errno when the kernel gives no such socket. */
int sock_diag_open(struct sock_diag **ret);
void sock_diag_close(struct sock_diag *d);

/* Asks for a dump; one that is still under way is given up. Returns 0 or
 * -errno. */
int sock_diag_begin(struct sock_diag *d, const struct inet_diag_query *query);

/* Likewise for unix sockets.
 *
 * states   mask of 1 << enum sock_state */
int sock_diag_begin_unix(struct sock_diag *d, uint32_t states);

/* Likewise for packet sockets, which have no states. */
int sock_diag_begin_packet(struct sock_diag *d);

/* Goes on with the dump until the budget is spent; at least one message of the
 * kernel's, of 32 KiB at most, is taken.
 *
 * ret_malformed   is increased by the messages that made no sense
 *
 * Returns 1 when there is more, 0 when the answer was complete;
 * ERR_UNSUPPORTED, ERR_TRUNCATED, ERR_SEQUENCE, ERR_INTERRUPTED, or -errno.
 * After any failure the socket is replaced before the next dump, since an
 * abandoned answer may still be in it. */
int sock_diag_step(struct sock_diag *d, const struct budget *budget, inet_diag_message_fn *on_message,
                   void *arg, uint64_t *ret_malformed);

#endif
