#include "exporters/grid.h"

#include <string.h>

enum { GAP_MAX = 2 };

/* A cell is not cut to less than this, nor to gain less than that. */
enum { CUT_WIDTH_MIN = 12, CUT_GAIN_MIN = 4 };

/* The elastic column stays so wide where others may still give way. */
enum { ELASTIC_WIDTH_MIN = 16 };

/* Of so many rows one may be wider than usual; longer cells are as long as this
 * one to whoever asks how many there are. */
enum { ROWS_PER_OUTLIER = 10, MEASURED_MAX = 255 };

static size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t maximum(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How wide a column is where the few longest of its cells do not count. */
static size_t usual_width(const size_t lengths[static MEASURED_MAX + 1], size_t rows)
{
    size_t allowed = rows > 1 ? maximum(rows / ROWS_PER_OUTLIER, 1) : 0, wider = 0, width = MEASURED_MAX;

    while (width > 0 && wider + lengths[width] <= allowed)
        wider += lengths[width--];
    return width;
}

static void measure_column(const struct grid *g, size_t column, struct grid_width *ret)
{
    size_t lengths[MEASURED_MAX + 1] = {0}, heading = strlen(grid_cell_text(g, 0, column)), floor;

    *ret = (struct grid_width){0};
    for (size_t row = 1; row < g->row_count; row++) {
        size_t length = strlen(grid_cell_text(g, row, column));

        ret->natural = maximum(ret->natural, length);
        lengths[minimum(length, MEASURED_MAX)]++;
    }
    if (ret->natural > 0 || column != g->shape->notes) /* a heading alone makes no column of notes */
        ret->natural = maximum(ret->natural, heading);
    floor = maximum(heading, column == g->shape->whole ? 0 : minimum(ret->natural, CUT_WIDTH_MIN));
    ret->usual = maximum(usual_width(lengths, g->row_count - 1), floor);
    if (!g->shape->columns[column].may_be_cut || ret->natural < ret->usual + CUT_GAIN_MIN)
        ret->usual = ret->natural;
}

static void measure(struct grid *g)
{
    for (size_t c = 0; c < g->shape->count; c++)
        measure_column(g, c, &g->widths[c]);
    g->left_out[g->shape->notes] |= g->widths[g->shape->notes].natural == 0;
}

static size_t grid_width(const struct grid *g)
{
    size_t width = 0;

    for (size_t c = 0; c < g->shape->count; c++)
        if (!g->left_out[c])
            width += g->widths[c].is + (c > 0 ? g->gap : 0);
    return width;
}

/* Takes the widest gap with which all fits, or else the narrowest. Returns
 * whether it fits. */
static bool fit_gap(struct grid *g)
{
    for (g->gap = GAP_MAX; grid_width(g) > g->width; g->gap--)
        if (g->gap == 1)
            return false;
    return true;
}

static void widen_all(struct grid *g)
{
    for (size_t c = 0; c < g->shape->count; c++)
        g->widths[c].is = g->widths[c].natural;
}

/* The column that has the most that may be cut, or NULL. */
static struct grid_width *most_to_cut(struct grid *g)
{
    struct grid_width *most = NULL;

    for (size_t c = 0; c < g->shape->count; c++) {
        struct grid_width *w = &g->widths[c];

        if (!g->left_out[c] && w->is > w->usual && (!most || w->is - w->usual > most->is - most->usual))
            most = w;
    }
    return most;
}

/* Makes columns as narrow as fits, but not narrower than usual, the one with the
 * longest outlier first. Returns whether it fits. */
static bool fit_outliers(struct grid *g)
{
    struct grid_width *w;

    widen_all(g);
    while (!fit_gap(g) && (w = most_to_cut(g))) {
        size_t too_wide = grid_width(g) - g->width;

        w->is -= minimum(w->is - w->usual, too_wide);
    }
    return fit_gap(g);
}

/* Cuts the elastic column or, where that does not do, makes the one whose cells
 * stay whole as narrow as leaves enough for it. */
static void squeeze(struct grid *g)
{
    struct grid_width none = {0}, *elastic = &g->widths[g->shape->elastic];
    struct grid_width *whole = g->shape->whole == GRID_NO_COLUMN ? &none : &g->widths[g->shape->whole];
    size_t least = minimum(elastic->natural, ELASTIC_WIDTH_MIN), fits = 0, others, room;

    widen_all(g);
    others = grid_width(g) - whole->is - elastic->is;
    room = g->width > others ? g->width - others : 0;
    for (size_t row = 0; whole != &none && row < g->row_count; row++) {
        size_t length = strlen(grid_cell_text(g, row, g->shape->whole));

        if (length > fits && (row == 0 || length + least <= room))
            fits = length;
    }
    whole->is = fits;
    elastic->is = room < fits + least ? least : minimum(elastic->natural, room - fits);
}

void grid_fit(struct grid *g)
{
    measure(g);
    widen_all(g);
    g->gap = GAP_MAX;
    if (g->width == 0 || fit_outliers(g))
        return;
    for (size_t i = 0; i < g->shape->expendable_count; i++) {
        g->left_out[g->shape->expendable[i]] = true;
        if (fit_outliers(g))
            return;
    }
    squeeze(g);
    (void)fit_gap(g); /* what does not fit now is too wide */
}
