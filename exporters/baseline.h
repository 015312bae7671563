/* What listens now as a configuration: services with a name become expect
 * entries, the rest allow entries, each with its addresses and with whom it
 * belongs to as far as its sockets tell. Main thread only. */
#ifndef SOCKWATCH_EXPORTERS_BASELINE_H
#define SOCKWATCH_EXPORTERS_BASELINE_H

#include "config/config.h"
#include "core/listener_table.h"
#include "core/own.h"

/* What a baseline is made of; all borrowed. */
struct baseline {
    const struct listener_table *table;
    const struct own_sockets *own; /* sockwatch's own sockets, which need no entry */
    struct port_range local_ports; /* those that the kernel chooses from */
    const struct config *config;   /* in use; what its entries are about needs no other */
    const struct config *kept;     /* what of it is written again; NULL: nothing, as into a file beside it */
    bool beside_drop_ins; /* its include_dir is kept, too, since kept is without the entries of that */
    bool with_process;    /* entries name processes, too */
};

/* Appends a configuration by which nothing is wrong with the table but what is by
 * the entries that were there before. */
void baseline_render(const struct baseline *b, struct buf *out);

#endif
