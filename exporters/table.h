/* What is expected and what listens, as tables for a terminal. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_TABLE_H
#define SOCKWATCH_EXPORTERS_TABLE_H

#include "exporters/view.h"

struct table_style {
    size_t width;   /* of the terminal, in characters; 0: as wide as the table needs */
    bool colour;    /* with escape sequences, which say nothing that the text does not say, too */
    int64_t now_ms; /* wall clock, for how long something has lasted */
};

/* Both tables leave out what the view's filter does. Where one is wider than the
 * terminal, the space between columns shrinks; then the few cells that are much
 * longer than the others of their column are cut; then columns are left out, the
 * least important first, rules and other notes going below their row; and at last
 * the names of owners, or services, are cut.
 *
 * An address is never cut: one that is too long for its column has a line of
 * its own. A terminal that is too narrow even for that gets longer lines.
 *
 * All is ASCII: how wide a terminal shows any other character nobody knows, so
 * each becomes one '?'. */

/* Appends a heading and a row for each expected service, on each of its ports,
 * the worst first; nothing where there are none. Returns how many there are. */
size_t table_expected(const struct view *view, const struct table_style *style, struct buf *out);

/* Appends a heading and a row a listener. */
void table_listeners(const struct view *view, const struct table_style *style, struct buf *out);

#endif
