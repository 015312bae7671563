#include "exporters/expected.h"
#include "exporters/grid.h"
#include "exporters/table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum column {
    COLUMN_STATUS,
    COLUMN_NAME,
    COLUMN_PROTO,
    COLUMN_PORT,
    COLUMN_FOR,   /* only where it is known of some */
    COLUMN_RULES, /* only where some row has any */
    COLUMN_COUNT
};

static const struct grid_column columns[COLUMN_COUNT] = {
    [COLUMN_STATUS] = {.heading = "STATUS", .is_coloured = true},
    [COLUMN_NAME] = {.heading = "EXPECTED", .may_be_cut = true},
    [COLUMN_PROTO] = {.heading = "PROTO"},
    [COLUMN_PORT] = {.heading = "PORT", .right_aligned = true},
    [COLUMN_FOR] = {.heading = "FOR", .right_aligned = true},
    [COLUMN_RULES] = {.heading = "RULES", .is_coloured = true},
};

static const size_t expendable[] = {COLUMN_RULES};

static const struct grid_shape shape = {
    .columns = columns,
    .count = COLUMN_COUNT,
    .expendable = expendable,
    .expendable_count = sizeof expendable / sizeof expendable[0],
    .whole = GRID_NO_COLUMN,
    .elastic = COLUMN_NAME,
    .notes = COLUMN_RULES,
};

enum { SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 60 * MINUTE_S, DAY_S = 24 * HOUR_S };

/* The two largest units, as "45s", "12m30s", "3h5m", "40d6h": nobody needs it
 * more exactly. */
static void write_length(int64_t ms, struct buf *cell)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{DAY_S, 'd'}, {HOUR_S, 'h'}, {MINUTE_S, 'm'}, {1, 's'}};
    int64_t seconds = ms / SECOND_MS;
    size_t i = 0;

    while (units[i].seconds > seconds && units[i].seconds > 1)
        i++;
    buf_fmt(cell, "%lld%c", (long long)(seconds / units[i].seconds), units[i].unit);
    seconds %= units[i].seconds;
    if (seconds > 0 && seconds / units[i + 1].seconds > 0)
        buf_fmt(cell, "%lld%c", (long long)(seconds / units[i + 1].seconds), units[i + 1].unit);
}

/* A clock that was set back makes nothing begin later than now. */
static void write_for(const struct expected *e, int64_t now_ms, struct buf *cell)
{
    if (e->since_ms != VIEW_SINCE_UNKNOWN)
        write_length(e->since_ms < now_ms ? now_ms - e->since_ms : 0, cell);
}

/* Those that are broken, then those of which it cannot be told, each with a "?". */
static void write_rules(const struct expected *e, struct buf *cell)
{
    const uint32_t masks[] = {e->broken, e->untold & ~e->broken};
    static const char *const marks[] = {"", "?"};
    bool first = true;

    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        for (int rule = 0; rule < RULE_COUNT; rule++) {
            if (!(masks[i] & 1u << rule))
                continue;
            buf_fmt(cell, "%s%s%s", first ? "" : ", ", rule_name((enum rule)rule), marks[i]);
            first = false;
        }
    }
}

static void write_status(enum expected_status status, struct buf *cell)
{
    for (const char *c = expected_status_name(status); *c; c++)
        buf_char(cell, (char)toupper((unsigned char)*c));
}

static enum grid_tint tint_of(const struct expected *e)
{
    switch (e->status) {
    case EXPECTED_MISSING:
    case EXPECTED_WRONG: return e->entry->severity == SEVERITY_CRITICAL ? GRID_RED : GRID_YELLOW;
    case EXPECTED_UNKNOWN: return GRID_YELLOW;
    case EXPECTED_OK:
    case EXPECTED_STATUS_COUNT: break;
    }
    return GRID_PLAIN;
}

/* Returns whether it is known for how long. */
static bool add_row(struct grid *g, const struct expected *e, int64_t now_ms)
{
    bool has_length;

    grid_begin_row(g, tint_of(e));
    write_status(e->status, &g->text);
    (void)grid_end_cell(g, COLUMN_STATUS); /* of all these it is clear whether they have a text */
    buf_str(&g->text, e->entry->name);
    (void)grid_end_cell(g, COLUMN_NAME);
    buf_str(&g->text, protocol_name(e->protocol));
    (void)grid_end_cell(g, COLUMN_PROTO);
    expected_write_place(e, &g->text);
    (void)grid_end_cell(g, COLUMN_PORT);
    write_for(e, now_ms, &g->text);
    has_length = grid_end_cell(g, COLUMN_FOR);
    write_rules(e, &g->text);
    (void)grid_end_cell(g, COLUMN_RULES);
    return has_length;
}

size_t table_expected(const struct view *view, const struct table_style *style, struct buf *out)
{
    bool has_length = false;
    size_t *indexes, count;
    struct grid g;

    if (expected_sort(view, &indexes, &count) < 0) {
        out->failed = true;
        return 0;
    }
    grid_init(&g, &shape, count);
    g.width = style->width;
    g.colour = style->colour;
    for (size_t i = 0; !g.text.failed && i < count; i++) {
        struct expected e = expected_at(view, indexes[i]);

        has_length |= add_row(&g, &e, style->now_ms);
    }
    g.left_out[COLUMN_FOR] = !has_length;
    if (count > 0)
        grid_write(&g, out);
    grid_done(&g);
    free(indexes);
    return count;
}
