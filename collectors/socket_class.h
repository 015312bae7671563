/* How the kernel knows each class of sockets, and what it was found not to
 * have. One thread. */
#ifndef SOCKWATCH_COLLECTORS_SOCKET_CLASS_H
#define SOCKWATCH_COLLECTORS_SOCKET_CLASS_H

#include "core/listener_table.h"

struct socket_class {
    uint8_t family;      /* where there is but one: AF_UNIX, AF_PACKET; otherwise 0 */
    uint8_t ip_protocol; /* otherwise */
    uint32_t listener_states;
    bool has_accept_queue;
    bool tells_choice;          /* it can be asked for ports that the kernel chose, and for the others */
    bool in_one_walk;           /* one dump can have both families */
    uint32_t connection_states; /* 0: not counted */
    const char *proc_name;      /* in /proc/net/protocols */
    const char *proc_name_v6;   /* likewise */
};

/* Static. */
const struct socket_class *socket_class_of(enum protocol protocol);

/* Asking for what the kernel lacks makes it look for a module each time, so a
 * no is believed for a while. Begins as {0}; times are CLOCK_MONOTONIC. */
struct kernel_lacks {
    struct {
        int64_t until_ms; /* 0: not known to be unsupported */
        enum visibility as;
        int64_t no_ipv6_until_ms; /* likewise, for IPv6 alone */
    } classes[PROTOCOL_COUNT];
    int64_t no_raw_diag_until_ms; /* /proc answers for raw sockets */
    int64_t no_one_walk_until_ms;
    int64_t no_choice_until_ms; /* it does not tell who chose a port */
};

/* Whether the no is to be believed still. */
bool kernel_lacks_until(int64_t until_ms, int64_t now_ms);

/* Until when a no that was heard now is believed. */
int64_t kernel_lacks_from(int64_t now_ms);

/* Notes that a class is not supported, and finds out what that means: a
 * protocol that the kernel does not have hides nothing, one that it has but
 * cannot list does. */
void kernel_lacks_class(struct kernel_lacks *lacks, enum protocol protocol, int64_t now_ms);

#endif
