/* The families of what the kernel counts for the host as a whole. Each is
 * declared once, in the table that stands in prom_host.c. Any thread. */
#ifndef SOCKWATCH_EXPORTERS_PROM_HOST_H
#define SOCKWATCH_EXPORTERS_PROM_HOST_H

#include "exporters/prom_parts.h"

#define PROM_HOST_FAMILY_COUNT 15

/* Writes them all, headings included. Their number is fixed, so no limit cuts them. */
void prom_render_host(struct prom *p);

#endif
