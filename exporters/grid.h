/* Text in columns, laid out for a terminal: a heading, rows of cells, and what
 * gives way where not all fits. What stands in the cells is the matter of
 * exporters/table.h. Pure; any thread.
 *
 * One row that is longer than the others must not cost all of them a column: of
 * each column it is known how wide nearly all of its cells are, and before a
 * column is left out those few that are wider are cut. */
#ifndef SOCKWATCH_EXPORTERS_GRID_H
#define SOCKWATCH_EXPORTERS_GRID_H

#include "core/buf.h"

#include <stdbool.h>

enum { GRID_COLUMNS_MAX = 16, GRID_NO_COLUMN = GRID_COLUMNS_MAX };

struct grid_column {
    const char *heading;
    bool right_aligned;
    bool may_be_cut;
    bool is_coloured; /* its cells have the colour of their row */
};

/* Columns and what is special about them; static. */
struct grid_shape {
    const struct grid_column *columns;
    size_t count;
    const size_t *expendable; /* columns that are left out where not all fits, the first of these first */
    size_t expendable_count;
    size_t whole;   /* of what is too long here nothing is cut: the row goes on below; or GRID_NO_COLUMN */
    size_t elastic; /* is cut where all that was left out does not do */
    size_t notes;   /* the last column: where it is left out, notes go below their rows */
};

enum grid_tint { GRID_PLAIN, GRID_YELLOW, GRID_RED };

/* A heading is row 0. */
struct grid_row {
    size_t cells[GRID_COLUMNS_MAX]; /* where each begins in the text */
    enum grid_tint tint;
};

/* How wide the cells of a column are. */
struct grid_width {
    size_t natural; /* the longest */
    size_t usual;   /* but for a few; as wide as natural where no cell may be cut */
    size_t is;      /* what the column has */
};

struct grid {
    const struct grid_shape *shape; /* borrowed */
    size_t width;                   /* of the terminal, in characters; 0: as wide as it needs */
    bool colour;                    /* with escape sequences */
    struct buf text;                /* of all cells, each with its NUL */
    struct grid_row *rows;          /* owned */
    size_t row_count;               /* with the heading */
    size_t start;                   /* of the cell under way */
    struct grid_width widths[GRID_COLUMNS_MAX];
    bool left_out[GRID_COLUMNS_MAX];
    size_t gap; /* spaces between columns */
};

/* Makes room for a heading and so many rows. Where memory runs out the text is
 * marked as failed, and the grid is to be done only. */
void grid_init(struct grid *g, const struct grid_shape *shape, size_t row_max);
void grid_done(struct grid *g);

/* Begins the next row; each of its cells is to be ended, in any order. */
void grid_begin_row(struct grid *g, enum grid_tint tint);

/* Ends the cell whose text was appended to g->text, in ASCII: how wide a terminal
 * shows any other character nobody knows, so each becomes one '?'. An empty one
 * becomes "-", but not among the notes. Returns whether it has a text. */
bool grid_end_cell(struct grid *g, size_t column);

/* Gives a column another heading. */
void grid_head(struct grid *g, size_t column, const char *heading);

/* Lays out, and appends all rows. */
void grid_write(struct grid *g, struct buf *out);

/* These are for exporters/grid*.c only. */
const char *grid_cell_text(const struct grid *g, size_t row, size_t column);
void grid_fit(struct grid *g);

#endif
