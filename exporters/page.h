/* The landing page for people: what sockwatch sees in a few numbers, the
 * alerts, and where the rest is. HTML without scripts.
 * Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_PAGE_H
#define SOCKWATCH_EXPORTERS_PAGE_H

#include "exporters/view.h"

#define PAGE_CONTENT_TYPE "text/html; charset=utf-8"

/* Appends the page. out is marked failed when memory runs out. */
void page_render(const struct view *view, struct buf *out);

#endif
