#include "exporters/grid.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

void grid_init(struct grid *g, const struct grid_shape *shape, size_t row_max)
{
    *g = (struct grid){.shape = shape};
    buf_init(&g->text);
    g->rows = calloc(row_max + 1, sizeof *g->rows);
    g->text.failed = !g->rows;
    if (!g->rows)
        return;
    g->row_count = 1;
    for (size_t c = 0; c < shape->count; c++)
        grid_head(g, c, shape->columns[c].heading);
}

void grid_done(struct grid *g)
{
    free(g->rows);
    buf_done(&g->text);
}

void grid_begin_row(struct grid *g, enum grid_tint tint)
{
    g->rows[g->row_count++].tint = tint;
    g->start = g->text.len;
}

static bool end_cell(struct grid *g, size_t row, size_t column)
{
    size_t kept = g->start;

    for (size_t i = g->start; i < g->text.len; i++) {
        unsigned char byte = (unsigned char)g->text.data[i];

        if ((byte & 0xc0) == 0x80)
            continue; /* it belongs to the character before */
        if (byte & 0x80)
            g->text.data[i] = '?';
        g->text.data[kept++] = g->text.data[i];
    }
    buf_truncate(&g->text, kept);
    if (kept == g->start && column != g->shape->notes)
        buf_char(&g->text, '-');
    buf_char(&g->text, '\0');
    g->rows[row].cells[column] = g->start;
    kept -= g->start;
    g->start = g->text.len;
    return kept > 0;
}

bool grid_end_cell(struct grid *g, size_t column)
{
    return end_cell(g, g->row_count - 1, column);
}

void grid_head(struct grid *g, size_t column, const char *heading)
{
    g->start = g->text.len;
    buf_str(&g->text, heading);
    (void)end_cell(g, 0, column); /* it has a text */
}

const char *grid_cell_text(const struct grid *g, size_t row, size_t column)
{
    return g->text.data + g->rows[row].cells[column];
}

static void spaces(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_char(out, ' ');
}

static void set_colour(const struct grid *g, const char *sequence, struct buf *out)
{
    if (g->colour)
        buf_str(out, sequence);
}

static const char *sequence_of(enum grid_tint tint)
{
    switch (tint) {
    case GRID_PLAIN: return "";
    case GRID_YELLOW: return YELLOW;
    case GRID_RED: return RED;
    }
    return "";
}

/* What stays of a text that is cut: a PID, a parenthesis, a doubt. */
static const char *end_of(const char *text)
{
    const char *end = strrchr(text, '[');

    if (!end)
        end = strrchr(text, ')');
    if (!end && *text && text[strlen(text) - 1] == '?')
        end = text + strlen(text) - 1;
    return end;
}

static void write_cut(const char *text, size_t width, struct buf *out)
{
    static const char dots[] = "...";
    const char *end = end_of(text);
    size_t kept, length;

    kept = sizeof dots - 1 + (end ? strlen(end) : 0);
    if (kept >= width) {
        end = NULL;
        kept = sizeof dots - 1;
    }
    length = text_cut(text, width - kept);
    buf_add(out, text, length);
    for (; length < width - kept; length++)
        buf_char(out, '.');
    buf_fmt(out, "%s%s", dots, end ? end : "");
}

static void write_text(const struct grid *g, size_t column, const char *text, struct buf *out)
{
    size_t width = g->widths[column].is;

    if (strlen(text) <= width) {
        buf_str(out, text);
    } else if (column == g->shape->whole) { /* the row goes on below */
        buf_fmt(out, "%s\n", text);
        for (size_t c = 0; c < column; c++)
            spaces(out, g->left_out[c] ? 0 : g->widths[c].is + g->gap);
        spaces(out, width);
    } else {
        write_cut(text, width, out);
    }
}

static void write_cell(const struct grid *g, size_t row, size_t column, bool last, struct buf *out)
{
    const struct grid_column *shape = &g->shape->columns[column];
    const char *text = grid_cell_text(g, row, column);
    size_t width = g->widths[column].is, length = strlen(text);
    size_t padding = length < width ? width - length : 0;
    const char *sequence = shape->is_coloured ? sequence_of(g->rows[row].tint) : "";

    if (shape->right_aligned)
        spaces(out, padding);
    set_colour(g, sequence, out);
    write_text(g, column, text, out);
    if (*sequence)
        set_colour(g, PLAIN, out);
    if (!shape->right_aligned && !last)
        spaces(out, padding);
    if (!last)
        spaces(out, g->gap);
}

/* Writes the notes below their row, one after the other as far as the width
 * goes. */
static void write_below(const struct grid *g, size_t row, struct buf *out)
{
    const char *text = grid_cell_text(g, row, g->shape->notes), *sequence = sequence_of(g->rows[row].tint);
    size_t indent = g->widths[0].is + g->gap, used;

    spaces(out, indent);
    set_colour(g, sequence, out);
    if (*sequence)
        buf_str(out, "! ");
    indent += *sequence ? 2 : 0;
    used = indent;
    while (*text) {
        size_t length = strcspn(text, ",");

        length += text[length] == ',';
        if (used > indent && used + 1 + length > g->width) {
            buf_char(out, '\n');
            spaces(out, indent);
            used = indent;
        } else if (used > indent) {
            buf_char(out, ' ');
            used++;
        }
        buf_add(out, text, length);
        used += length;
        text += length;
        text += strspn(text, " ");
    }
    set_colour(g, PLAIN, out);
    buf_char(out, '\n');
}

static void write_row(const struct grid *g, size_t row, struct buf *out)
{
    size_t last = g->shape->notes;

    while (g->left_out[last] || !*grid_cell_text(g, row, last))
        last--;
    if (row == 0)
        set_colour(g, BOLD, out);
    for (size_t c = 0; c <= last; c++)
        if (!g->left_out[c])
            write_cell(g, row, c, c == last, out);
    if (row == 0)
        set_colour(g, PLAIN, out);
    buf_char(out, '\n');
    if (row > 0 && g->left_out[g->shape->notes] && *grid_cell_text(g, row, g->shape->notes))
        write_below(g, row, out);
}

void grid_write(struct grid *g, struct buf *out)
{
    out->failed |= g->text.failed;
    if (g->text.failed)
        return;
    grid_fit(g);
    for (size_t row = 0; row < g->row_count; row++)
        write_row(g, row, out);
}
