#include "exporters/prom_parts.h"

/* Of what is told of the fullest tuple, which is not too much. */
void prom_render_ephemeral(struct prom *p)
{
    const struct conn_table *connections = snapshot_host(p->view->snapshot)->connections;
    const struct ephemeral *e = connections ? conn_table_ephemeral(connections) : NULL;

    if (!e || !e->known)
        return;
    exposition_begin_essential(&p->x);
    exposition_real(&p->x, ephemeral_ratio(e, e->used));
}
