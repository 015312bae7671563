/* Listeners as a table for a terminal. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_TABLE_H
#define SOCKWATCH_EXPORTERS_TABLE_H

#include "exporters/view.h"

struct table_style {
    size_t width; /* of the terminal, in characters; 0: as wide as the table needs */
    bool colour;  /* with escape sequences, which say nothing that the text does not say, too */
};

/* Appends a heading and a row a listener.
 *
 * Where that is wider than the terminal, the space between columns shrinks,
 * then columns are left out, the least important first, then the rules that a
 * listener breaks go below its row, and at last the names of owners are cut.
 * An address is never cut: one that is too long for its column has a line of
 * its own. A terminal that is too narrow even for that gets longer lines.
 *
 * All is ASCII: how wide a terminal shows any other character nobody knows, so
 * each becomes one '?'. */
void table_listeners(const struct view *view, const struct table_style *style, struct buf *out);

#endif
