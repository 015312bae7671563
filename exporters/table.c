#include "exporters/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_COUNT = 9, CELL_MAX = 96 };

/* The last column stands only where some listener breaks a rule. */
static const struct {
    const char *heading;
    bool right_aligned;
} columns[COLUMN_COUNT] = {
    {"PROTO", false}, {"ADDRESS:PORT", false}, {"SCOPE", false}, {"CLASS", false}, {"SERVICE", false},
    {"QUEUE", true},  {"CONNS", true},         {"OWNER", false}, {"RULES", false},
};

typedef char row_cells[COLUMN_COUNT][CELL_MAX];

static void fill_rules(uint32_t mask, char *cell)
{
    size_t used = 0;

    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (mask & 1u << rule && used < CELL_MAX)
            used += (size_t)snprintf(cell + used, CELL_MAX - used, "%s%s", used > 0 ? "," : "",
                                     rule_name((enum rule)rule));
}

static void fill_row(const struct view *view, const struct listener *l, uint32_t rules,
                     table_user_fn *user_name, row_cells cells)
{
    const uint32_t *counts = snapshot_connections(view->snapshot, l->protocol, l->port);

    (void)snprintf(cells[0], CELL_MAX, "%s", protocol_name(l->protocol));
    endpoint_format(&l->address, l->family, l->port, l->interface, cells[1]);
    (void)snprintf(cells[2], CELL_MAX, "%s",
                   l->presence == PRESENCE_ABSENT ? "absent" : scope_name(l->scope));
    (void)snprintf(cells[3], CELL_MAX, "%s",
                   listener_has_port_class(l) ? port_class_name(port_class_of(l->port)) : "-");
    (void)snprintf(cells[4], CELL_MAX, "%s", *l->service_name ? l->service_name : "-");
    if (l->has_queue)
        (void)snprintf(cells[5], CELL_MAX, "%llu/%llu", (unsigned long long)l->queue_length,
                       (unsigned long long)l->queue_limit);
    else
        (void)snprintf(cells[5], CELL_MAX, "-");
    if (counts)
        (void)snprintf(cells[6], CELL_MAX, "%u", counts[STATE_ESTABLISHED]);
    else
        (void)snprintf(cells[6], CELL_MAX, "-");
    (void)snprintf(cells[7], CELL_MAX, "-");
    if (l->uid_known)
        user_name(l->uid, cells[7], CELL_MAX);
    fill_rules(rules, cells[8]);
}

static void write_cell(const char *text, size_t column, size_t width, bool last, struct buf *out)
{
    if (columns[column].right_aligned)
        buf_fmt(out, "%*s%s", (int)width, text, last ? "" : "  ");
    else if (last)
        buf_str(out, text);
    else
        buf_fmt(out, "%-*s  ", (int)width, text);
}

_Static_assert(ENDPOINT_TEXT_MAX <= CELL_MAX, "an endpoint must fit in a cell");

void table_listeners(const struct view *view, table_user_fn *user_name, struct buf *out)
{
    size_t widths[COLUMN_COUNT] = {0}, count, shown = COLUMN_COUNT;
    const struct listener *listeners = listener_table_all(view->snapshot->listeners, &count);
    row_cells *rows = calloc(count + 1, sizeof *rows);

    if (!rows) {
        out->failed = true;
        return;
    }
    for (size_t c = 0; c < COLUMN_COUNT; c++)
        (void)snprintf(rows[0][c], CELL_MAX, "%s", columns[c].heading);
    for (size_t i = 0; i < count; i++)
        fill_row(view, &listeners[i], view->verdict->listener_rules[i], user_name, rows[i + 1]);
    for (size_t c = 0; c < COLUMN_COUNT; c++)
        for (size_t i = c == COLUMN_COUNT - 1 ? 1 : 0; i <= count; i++)
            if (strlen(rows[i][c]) > widths[c])
                widths[c] = strlen(rows[i][c]);
    if (widths[COLUMN_COUNT - 1] == 0)
        shown--;
    for (size_t i = 0; i <= count; i++) {
        size_t last = shown;

        while (!*rows[i][last - 1])
            last--;
        for (size_t c = 0; c < last; c++)
            write_cell(rows[i][c], c, widths[c], c + 1 == last, out);
        buf_char(out, '\n');
    }
    free(rows);
}
