/* Names of interfaces, asked of the kernel once each. One thread. */
#ifndef SOCKWATCH_COLLECTORS_INTERFACES_H
#define SOCKWATCH_COLLECTORS_INTERFACES_H

#include "core/net.h"

enum { INTERFACE_SLOTS = 64 };

/* Names by index; one that falls into the slot of another takes its place. */
struct interfaces {
    struct {
        uint32_t ifindex; /* 0 for none */
        char name[INTERFACE_NAME_MAX];
    } slots[INTERFACE_SLOTS];
};

/* The interface's name; "if" and its number when it has gone meanwhile or is
 * not printable ASCII. */
void interfaces_name(struct interfaces *i, uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX]);

/* Forgets all names: some interface may have another one now. */
void interfaces_forget(struct interfaces *i);

#endif
