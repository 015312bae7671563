/* The landing page for people: the expected services and how they are, the
 * alerts, what sockwatch sees in a few numbers, and where the rest is. HTML without scripts.
 * Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_PAGE_H
#define SOCKWATCH_EXPORTERS_PAGE_H

#include "exporters/view.h"

#define PAGE_CONTENT_TYPE "text/html; charset=utf-8"

/* How many alerts and expected services a page does not show because of
 * limits.page_rows, which each of these tables has. */
size_t page_rows_cut(const struct alert_list *alerts, const struct verdict *verdict,
                     const struct limits *limits);

/* Appends the page, with the worst services and alerts first. out is marked failed when
 * memory runs out. */
void page_render(const struct view *view, struct buf *out);

#endif
