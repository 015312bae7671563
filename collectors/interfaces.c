#include "collectors/interfaces.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

void interfaces_name(struct interfaces *i, uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX])
{
    size_t slot = ifindex % INTERFACE_SLOTS;
    char *name = i->slots[slot].name;

    if (i->slots[slot].ifindex != ifindex) {
        /* The kernel lets a name hold nearly any byte. */
        if (!if_indextoname(ifindex, name) || !name_is_plain(name))
            (void)snprintf(name, INTERFACE_NAME_MAX, "if%u", ifindex);
        i->slots[slot].ifindex = ifindex;
    }
    memcpy(ret_name, name, INTERFACE_NAME_MAX);
}

void interfaces_forget(struct interfaces *i)
{
    for (size_t slot = 0; slot < INTERFACE_SLOTS; slot++)
        i->slots[slot].ifindex = 0;
}
