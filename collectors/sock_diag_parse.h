/* What the families of sock_diag have in common: how a dump is asked for, and some of
 * what is told of a socket. Pure; any thread.
 * Source: sock_diag(7), linux/sock_diag.h. */
#ifndef SOCKWATCH_COLLECTORS_SOCK_DIAG_PARSE_H
#define SOCKWATCH_COLLECTORS_SOCK_DIAG_PARSE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

/* The header of a request for a dump.
 *
 * length   of the whole request */
struct nlmsghdr sock_diag_dump_header(uint32_t length, uint32_t sequence);

/* Reads an attribute that is a number, such as a user's. Returns false, without
 * filling *ret, where it has another length. */
bool sock_diag_number(const struct nlattr *attribute, uint32_t *ret);

/* Reads how much a socket has dropped from the array that tells of its memory, to
 * which kernels have added at its end. Returns false, without filling *ret, where it
 * is too short for that. */
bool sock_diag_drops(const struct nlattr *attribute, uint32_t *ret);

#endif
