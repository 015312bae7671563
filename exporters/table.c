#include "exporters/table.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column {
    COLUMN_PROTO,
    COLUMN_ADDRESS,
    COLUMN_SCOPE,
    COLUMN_CLASS,
    COLUMN_SERVICE,
    COLUMN_QUEUE,
    COLUMN_DROPS,
    COLUMN_CONNS,
    COLUMN_RESTARTS,
    COLUMN_OWNER,
    COLUMN_USER,
    COLUMN_UNIT,
    COLUMN_EXE,   /* only where some can be told */
    COLUMN_RULES, /* only where some row has any */
    COLUMN_COUNT
};

static const struct {
    const char *heading;
    bool right_aligned;
} columns[COLUMN_COUNT] = {
    [COLUMN_PROTO] = {"PROTO", false},      [COLUMN_ADDRESS] = {"ADDRESS:PORT", false},
    [COLUMN_SCOPE] = {"SCOPE", false},      [COLUMN_CLASS] = {"CLASS", false},
    [COLUMN_SERVICE] = {"SERVICE", false},  [COLUMN_QUEUE] = {"QUEUE", true},
    [COLUMN_DROPS] = {"DROPS", true},       [COLUMN_CONNS] = {"CONNS", true},
    [COLUMN_RESTARTS] = {"RESTARTS", true}, [COLUMN_OWNER] = {"OWNER", false},
    [COLUMN_USER] = {"USER", false},        [COLUMN_UNIT] = {"UNIT", false},
    [COLUMN_EXE] = {"EXE", false},          [COLUMN_RULES] = {"RULES", false},
};

/* What is left out where not all fits, the first of these first; the rules are
 * not lost then, but go below their rows. */
static const enum column expendable[] = {COLUMN_EXE,   COLUMN_UNIT, COLUMN_DROPS,  COLUMN_CLASS,
                                         COLUMN_RULES, COLUMN_USER, COLUMN_SERVICE};

/* An owner is cut down to this before addresses have to give way. */
enum { OWNER_WIDTH_MIN = 16 };

enum { GAP_MAX = 2 };

#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

struct table {
    const struct view *view;
    const struct table_style *style;
    const struct listener *listeners;
    size_t count;
    struct buf text;               /* of all cells, each with its NUL */
    size_t (*cells)[COLUMN_COUNT]; /* owned; where each begins in text; the heading is row 0 */
    struct holder_list holders;    /* of one listener */
    size_t widths[COLUMN_COUNT];
    bool left_out[COLUMN_COUNT];
    size_t gap; /* spaces between columns */
};

/* Of those who hold a listener, which are then in t->holders, who uses it rather
 * than only keeps it for others; NULL where nobody is known. */
static const struct holder *first_holder(struct table *t, const struct listener *l)
{
    const struct holder_list *holders = &t->holders;

    t->text.failed |= listener_holders(l, &t->holders) < 0; /* which leaves none */
    for (size_t i = 0; i < holders->count; i++)
        if (!holder_is_activator(holders->items[i]))
            return holders->items[i];
    return holders->count > 0 ? holders->items[0] : NULL;
}

/* Whether something is known of the one user whose sockets these are. */
static bool has_user(const struct listener *l)
{
    return l->uid_known && l->followed > 0 && l->members[0].owners;
}

/* The number stands for a name that is unknown. */
static void write_users(const struct listener *l, struct buf *cell)
{
    if (listener_next_name(l, OWNER_USER, NULL))
        listener_names(l, OWNER_USER, cell);
    else if (has_user(l))
        buf_fmt(cell, "%u", l->uid);
}

/* One whose file has gone stands out. */
static const char deleted[] = "(deleted) ";

/* "mariadbd[812]", "nginx[100]+4", or the user in parentheses where no process
 * can be seen. */
static void write_owner(struct table *t, const struct listener *l)
{
    const struct holder *first = first_holder(t, l);

    if (first) {
        unsigned long long others = t->holders.count - 1 + listener_holders_unlisted(l, &t->holders);

        if (first->program && first->program->deleted)
            buf_str(&t->text, deleted);
        buf_fmt(&t->text, "%s[%u]", *first->process ? first->process : "-", first->pid);
        if (others > 0)
            buf_fmt(&t->text, "+%llu", others);
    } else if (has_user(l) || listener_next_name(l, OWNER_USER, NULL)) {
        buf_char(&t->text, '(');
        write_users(l, &t->text);
        buf_char(&t->text, ')');
    }
}

/* The file of the same holder. */
static void write_exe(struct table *t, const struct listener *l)
{
    const struct holder *first = first_holder(t, l);
    const struct program *program = first ? first->program : NULL;

    if (!program)
        return;
    buf_str(&t->text, program->path);
    if (program->standing == PROGRAM_FOREIGN)
        buf_str(&t->text, " (not the host's)");
}

static void write_queue(const struct listener *l, struct buf *cell)
{
    if (l->queue.known)
        buf_fmt(cell, "%llu/%llu", (unsigned long long)l->queue.length, (unsigned long long)l->queue.limit);
    else if (l->receive_queue.known)
        buf_fmt(cell, "%lluB", (unsigned long long)l->receive_queue.bytes);
}

static void write_rules(const struct listener *l, uint32_t mask, struct buf *cell)
{
    bool first = true;

    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (!(mask & 1u << rule))
            continue;
        buf_fmt(cell, "%s%s", first ? "" : ", ", rule_name((enum rule)rule));
        first = false;
    }
    if (l->auto_port)
        buf_fmt(cell, "%skernel-chosen port", first ? "" : ", ");
}

/* Writes what stands in the cell; nothing where it is not known. */
static void write_value(struct table *t, size_t index, enum column column)
{
    const struct listener *l = &t->listeners[index];
    const uint32_t *counts = space_connections(snapshot_host(t->view->snapshot), l->protocol, l->port);
    uint64_t restarts = view_restarts(t->view, index);
    char endpoint[ENDPOINT_TEXT_MAX];
    struct buf *cell = &t->text;

    switch (column) {
    case COLUMN_PROTO: buf_str(cell, protocol_name(l->protocol)); break;
    case COLUMN_ADDRESS:
        endpoint_format(&l->address, l->family, l->port, l->interface, endpoint);
        buf_str(cell, endpoint);
        break;
    case COLUMN_SCOPE: buf_str(cell, l->presence == PRESENCE_ABSENT ? "absent" : scope_name(l->scope)); break;
    case COLUMN_CLASS:
        if (listener_has_port_class(l))
            buf_str(cell, port_class_name(port_class_of(l->port)));
        break;
    case COLUMN_SERVICE: buf_str(cell, l->service_name); break;
    case COLUMN_QUEUE: write_queue(l, cell); break;
    case COLUMN_DROPS:
        if (l->drops.known)
            buf_fmt(cell, "%llu", (unsigned long long)l->drops.count);
        break;
    case COLUMN_CONNS:
        if (counts)
            buf_fmt(cell, "%u", counts[STATE_ESTABLISHED]);
        break;
    case COLUMN_RESTARTS:
        if (restarts != VIEW_UNKNOWN)
            buf_fmt(cell, "%llu", (unsigned long long)restarts);
        break;
    case COLUMN_OWNER: write_owner(t, l); break;
    case COLUMN_USER: write_users(l, cell); break;
    case COLUMN_UNIT: listener_names(l, OWNER_UNIT, cell); break;
    case COLUMN_EXE: write_exe(t, l); break;
    case COLUMN_RULES: write_rules(l, t->view->verdict->listeners[index].rules, cell); break;
    case COLUMN_COUNT: break;
    }
}

/* Ends the cell that begins at start, in ASCII. */
static void end_cell(struct table *t, size_t row, enum column column, size_t start)
{
    size_t kept = start;

    for (size_t i = start; i < t->text.len; i++) {
        unsigned char byte = (unsigned char)t->text.data[i];

        if ((byte & 0xc0) == 0x80)
            continue; /* it belongs to the character before */
        if (byte & 0x80)
            t->text.data[i] = '?';
        t->text.data[kept++] = t->text.data[i];
    }
    buf_truncate(&t->text, kept);
    if (kept == start && column != COLUMN_RULES)
        buf_char(&t->text, '-');
    buf_char(&t->text, '\0');
    t->cells[row][column] = start;
}

static const char *cell_text(const struct table *t, size_t row, size_t column)
{
    return t->text.data + t->cells[row][column];
}

static void fill_cells(struct table *t)
{
    bool has_note = false, has_exe = false;

    for (size_t i = 0; i < t->count; i++) {
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
            size_t start = t->text.len;

            write_value(t, i, (enum column)c);
            has_exe |= c == COLUMN_EXE && t->text.len > start;
            end_cell(t, i + 1, (enum column)c, start);
        }
        has_note |= t->listeners[i].auto_port;
    }
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        size_t start = t->text.len;

        buf_str(&t->text, c == COLUMN_RULES && has_note ? "NOTES" : columns[c].heading);
        end_cell(t, 0, (enum column)c, start);
    }
    t->left_out[COLUMN_EXE] = !has_exe;
}

/* Whether all that a listener breaks is no worse than a warning. */
static bool breaks_only_warnings(const struct listener_verdict *v)
{
    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (v->rules & 1u << rule && v->severities[rule] > SEVERITY_WARNING)
            return false;
    return true;
}

/* A heading alone makes no column of rules. */
static void measure(struct table *t)
{
    for (size_t row = t->count + 1; row-- > 0;) {
        if (row == 0)
            t->left_out[COLUMN_RULES] = t->widths[COLUMN_RULES] == 0;
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
            size_t length = strlen(cell_text(t, row, c));

            if (length > t->widths[c])
                t->widths[c] = length;
        }
    }
}

static size_t table_width(const struct table *t)
{
    size_t width = 0;

    for (size_t c = 0; c < COLUMN_COUNT; c++)
        if (!t->left_out[c])
            width += t->widths[c] + (c > 0 ? t->gap : 0);
    return width;
}

static size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Cuts the owners or, where that does not do, makes the column of addresses as
 * narrow as leaves enough for the owners: longer ones get lines of their own. */
static void squeeze(struct table *t)
{
    size_t owner_min = minimum(t->widths[COLUMN_OWNER], OWNER_WIDTH_MIN), address = 0;
    size_t others = table_width(t) - t->widths[COLUMN_ADDRESS] - t->widths[COLUMN_OWNER];
    size_t room = t->style->width > others ? t->style->width - others : 0;

    for (size_t row = 0; row <= t->count; row++) {
        size_t length = strlen(cell_text(t, row, COLUMN_ADDRESS));

        if (length > address && (row == 0 || length + owner_min <= room))
            address = length;
    }
    t->widths[COLUMN_ADDRESS] = address;
    if (room < address + owner_min)
        t->widths[COLUMN_OWNER] = owner_min;
    else
        t->widths[COLUMN_OWNER] = minimum(t->widths[COLUMN_OWNER], room - address);
}

/* Takes the widest gap with which all fits, or else the narrowest. Returns
 * whether it fits. */
static bool fit_gap(struct table *t)
{
    for (t->gap = GAP_MAX; table_width(t) > t->style->width; t->gap--)
        if (t->gap == 1)
            return false;
    return true;
}

static void lay_out(struct table *t)
{
    measure(t);
    t->gap = GAP_MAX;
    if (t->style->width == 0 || fit_gap(t))
        return;
    for (size_t i = 0; i < sizeof expendable / sizeof expendable[0]; i++) {
        t->left_out[expendable[i]] = true;
        if (fit_gap(t))
            return;
    }
    squeeze(t);
    (void)fit_gap(t); /* what does not fit now is too wide */
}

static void spaces(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_char(out, ' ');
}

static void set_colour(const struct table *t, const char *sequence, struct buf *out)
{
    if (t->style->colour)
        buf_str(out, sequence);
}

static const char *rules_colour(const struct table *t, size_t row)
{
    const struct listener_verdict *v = row > 0 ? &t->view->verdict->listeners[row - 1] : NULL;

    if (!v || v->rules == 0)
        return "";
    return breaks_only_warnings(v) ? YELLOW : RED;
}

/* Writes an owner cut to the width. The end stays: the PID, or a parenthesis. */
static void write_cut(const char *text, size_t width, struct buf *out)
{
    static const char dots[] = "...";
    const char *end = strrchr(text, '[');
    size_t kept, length;

    if (!end)
        end = strrchr(text, ')');
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

static void write_cell(const struct table *t, size_t row, size_t column, bool last, struct buf *out)
{
    const char *text = cell_text(t, row, column);
    size_t width = t->widths[column], length = strlen(text);
    size_t padding = length < width ? width - length : 0;

    if (columns[column].right_aligned)
        spaces(out, padding);
    if (length <= width) {
        buf_str(out, text);
    } else if (column == COLUMN_ADDRESS) {
        buf_fmt(out, "%s\n", text);
        spaces(out, t->widths[COLUMN_PROTO] + t->gap + width);
    } else {
        write_cut(text, width, out);
    }
    if (!columns[column].right_aligned && !last)
        spaces(out, padding);
    if (!last)
        spaces(out, t->gap);
}

/* Writes the rules below their row, one after the other as far as the width
 * goes. */
static void write_below(const struct table *t, size_t row, struct buf *out)
{
    const char *text = cell_text(t, row, COLUMN_RULES), *colour = rules_colour(t, row);
    size_t indent = t->widths[COLUMN_PROTO] + t->gap, used;

    spaces(out, indent);
    set_colour(t, colour, out);
    if (*colour)
        buf_str(out, "! ");
    indent += *colour ? 2 : 0;
    used = indent;
    while (*text) {
        size_t length = strcspn(text, ",");

        length += text[length] == ',';
        if (used > indent && used + 1 + length > t->style->width) {
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
    set_colour(t, PLAIN, out);
    buf_char(out, '\n');
}

static void write_row(const struct table *t, size_t row, struct buf *out)
{
    bool has_rules = *cell_text(t, row, COLUMN_RULES), is_below = t->left_out[COLUMN_RULES];
    size_t last = COLUMN_RULES;

    while (t->left_out[last] || !*cell_text(t, row, last))
        last--;
    if (row == 0)
        set_colour(t, BOLD, out);
    for (size_t c = 0; c <= last; c++) {
        if (t->left_out[c])
            continue;
        if (c == COLUMN_RULES)
            set_colour(t, rules_colour(t, row), out);
        write_cell(t, row, c, c == last, out);
    }
    if (row == 0 || last == COLUMN_RULES)
        set_colour(t, PLAIN, out);
    buf_char(out, '\n');
    if (row > 0 && has_rules && is_below)
        write_below(t, row, out);
}

void table_listeners(const struct view *view, const struct table_style *style, struct buf *out)
{
    struct table t = {.view = view, .style = style};

    buf_init(&t.text);
    t.listeners = view_listeners(view, &t.count);
    t.cells = calloc(t.count + 1, sizeof *t.cells);
    t.text.failed = !t.cells;
    if (!t.text.failed)
        fill_cells(&t);
    if (!t.text.failed) {
        lay_out(&t);
        for (size_t row = 0; row <= t.count; row++)
            write_row(&t, row, out);
    }
    out->failed |= t.text.failed;
    holder_list_done(&t.holders);
    free(t.cells);
    buf_done(&t.text);
}
