/* The landing page for people: what sockwatch sees in a few numbers, the
 * alerts, and where the rest is. HTML without scripts.
 * Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_PAGE_H
#define SOCKWATCH_EXPORTERS_PAGE_H

#include "exporters/view.h"

#define PAGE_CONTENT_TYPE "text/html; charset=utf-8"

/* How many alerts a page does not show because of limits.page_rows. */
size_t page_rows_cut(const struct alert_list *alerts, const struct limits *limits);

/* Appends the page, with the worst alerts first. out is marked failed when
 * memory runs out. */
void page_render(const struct view *view, struct buf *out);

#endif
