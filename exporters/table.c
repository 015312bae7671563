#include "exporters/table.h"
#include "exporters/grid.h"
#include "exporters/service_hint.h"

#include <stdio.h>

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
    COLUMN_NOTES, /* only where some row has any */
    COLUMN_COUNT
};

static const struct grid_column columns[COLUMN_COUNT] = {
    [COLUMN_PROTO] = {.heading = "PROTO"},
    [COLUMN_ADDRESS] = {.heading = "ADDRESS:PORT", .may_be_cut = true},
    [COLUMN_SCOPE] = {.heading = "SCOPE"},
    [COLUMN_CLASS] = {.heading = "CLASS"},
    [COLUMN_SERVICE] = {.heading = "SERVICE", .may_be_cut = true},
    [COLUMN_QUEUE] = {.heading = "QUEUE", .right_aligned = true},
    [COLUMN_DROPS] = {.heading = "DROPS", .right_aligned = true},
    [COLUMN_CONNS] = {.heading = "CONNS", .right_aligned = true},
    [COLUMN_RESTARTS] = {.heading = "RESTARTS", .right_aligned = true},
    [COLUMN_OWNER] = {.heading = "OWNER", .may_be_cut = true},
    [COLUMN_USER] = {.heading = "USER", .may_be_cut = true},
    [COLUMN_UNIT] = {.heading = "UNIT", .may_be_cut = true},
    [COLUMN_EXE] = {.heading = "EXE", .may_be_cut = true},
    [COLUMN_NOTES] = {.heading = "RULES", .is_coloured = true},
};

/* What a listener breaks is not lost where it is left out, but goes below. */
static const size_t expendable[] = {COLUMN_EXE,   COLUMN_UNIT, COLUMN_DROPS,  COLUMN_CLASS,
                                    COLUMN_NOTES, COLUMN_USER, COLUMN_SERVICE};

static const struct grid_shape shape = {
    .columns = columns,
    .count = COLUMN_COUNT,
    .expendable = expendable,
    .expendable_count = sizeof expendable / sizeof expendable[0],
    .whole = COLUMN_ADDRESS,
    .elastic = COLUMN_OWNER,
    .notes = COLUMN_NOTES,
};

/* The rows under way. */
struct rows {
    const struct view *view;
    struct grid grid;
    const struct listener *listeners;
    struct holder_list holders; /* of one listener */
    bool has_note, has_exe;
};

/* Of those who hold a listener, which are then in t->holders, who is told. */
static const struct holder *first_holder(struct rows *t, const struct listener *l)
{
    t->grid.text.failed |= listener_holders(l, &t->holders) < 0; /* which leaves none */
    return holder_list_first(&t->holders);
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
static void write_owner(struct rows *t, const struct listener *l)
{
    const struct holder *first = first_holder(t, l);

    if (first) {
        unsigned long long others = t->holders.count - 1 + listener_holders_unlisted(l, &t->holders);

        if (first->program && first->program->deleted)
            buf_str(&t->grid.text, deleted);
        buf_fmt(&t->grid.text, "%s[%u]", *first->process ? first->process : "-", first->pid);
        if (others > 0)
            buf_fmt(&t->grid.text, "+%llu", others);
    } else if (has_user(l) || listener_next_name(l, OWNER_USER, NULL)) {
        buf_char(&t->grid.text, '(');
        write_users(l, &t->grid.text);
        buf_char(&t->grid.text, ')');
    }
}

/* The file of the same holder. */
static void write_exe(struct rows *t, const struct listener *l)
{
    const struct holder *first = first_holder(t, l);
    const struct program *program = first ? first->program : NULL;

    if (!program)
        return;
    buf_str(&t->grid.text, program->path);
    if (program->standing == PROGRAM_FOREIGN)
        buf_str(&t->grid.text, " (not the host's)");
}

static void write_queue(const struct listener *l, struct buf *cell)
{
    if (l->queue.known)
        buf_fmt(cell, "%llu/%llu", (unsigned long long)l->queue.length, (unsigned long long)l->queue.limit);
    else if (l->receive_queue.known)
        buf_fmt(cell, "%lluB", (unsigned long long)l->receive_queue.bytes);
}

/* What has no column: some rows have it, and it stands behind the rules. */
static void write_note(bool *first, const char *note, struct buf *cell)
{
    buf_fmt(cell, "%s%s", *first ? "" : ", ", note);
    *first = false;
}

static void write_notes(struct rows *t, const struct listener *l, uint32_t mask)
{
    struct buf *cell = &t->grid.text;
    char sockets[64];
    bool first = true;

    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (mask & 1u << rule)
            write_note(&first, rule_name((enum rule)rule), cell);
    if (l->auto_port)
        write_note(&first, "kernel-chosen port", cell);
    if (l->sockets > 1) {
        (void)snprintf(sockets, sizeof sockets, "%u sockets%s", l->sockets,
                       listener_sharing(l) == SHARING_USERS ? " of several users" : "");
        write_note(&first, sockets, cell);
    }
    t->has_note |= l->auto_port || l->sockets > 1;
}

/* The name of a port is a guess where those who hold it are called otherwise. */
static void write_service(struct rows *t, const struct listener *l)
{
    t->grid.text.failed |= listener_holders(l, &t->holders) < 0;
    buf_str(&t->grid.text, l->service_name);
    if (service_hint_is_doubtful(l, &t->holders))
        buf_char(&t->grid.text, '?');
}

static void write_address(const struct listener *l, struct buf *cell)
{
    char place[LISTENER_PLACE_MAX];

    listener_place(l, place);
    buf_str(cell, place);
}

static void write_scope(const struct listener *l, struct buf *cell)
{
    if (l->presence == PRESENCE_ABSENT)
        buf_str(cell, "absent");
    else if (protocol_is_ip(l->protocol))
        buf_str(cell, scope_name(l->scope));
}

static void write_count(bool known, uint64_t count, struct buf *cell)
{
    if (known)
        buf_fmt(cell, "%llu", (unsigned long long)count);
}

static void write_connections(const struct rows *t, const struct listener *l, struct buf *cell)
{
    const uint32_t *counts = space_connections(snapshot_host(t->view->snapshot), l->protocol, l->port);

    if (counts)
        buf_fmt(cell, "%u", counts[STATE_ESTABLISHED]);
}

/* Writes what stands in the cell; nothing where it is not known. */
static void write_value(struct rows *t, size_t index, enum column column)
{
    const struct listener *l = &t->listeners[index];
    uint64_t restarts = view_restarts(t->view, index);
    struct buf *cell = &t->grid.text;

    switch (column) {
    case COLUMN_PROTO: buf_str(cell, protocol_name(l->protocol)); break;
    case COLUMN_ADDRESS: write_address(l, cell); break;
    case COLUMN_SCOPE: write_scope(l, cell); break;
    case COLUMN_CLASS:
        if (listener_has_port_class(l))
            buf_str(cell, port_class_name(port_class_of(l->port)));
        break;
    case COLUMN_SERVICE: write_service(t, l); break;
    case COLUMN_QUEUE: write_queue(l, cell); break;
    case COLUMN_DROPS: write_count(l->drops.known, l->drops.count, cell); break;
    case COLUMN_CONNS: write_connections(t, l, cell); break;
    case COLUMN_RESTARTS: write_count(restarts != VIEW_UNKNOWN, restarts, cell); break;
    case COLUMN_OWNER: write_owner(t, l); break;
    case COLUMN_USER: write_users(l, cell); break;
    case COLUMN_UNIT: listener_names(l, OWNER_UNIT, cell); break;
    case COLUMN_EXE: write_exe(t, l); break;
    case COLUMN_NOTES: write_notes(t, l, t->view->verdict->listeners[index].rules); break;
    case COLUMN_COUNT: break;
    }
}

/* As bad as the worst rule that is broken. */
static enum grid_tint tint_of(const struct listener_verdict *v)
{
    if (v->rules == 0)
        return GRID_PLAIN;
    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (v->rules & 1u << rule && v->severities[rule] == SEVERITY_CRITICAL)
            return GRID_RED;
    return GRID_YELLOW;
}

static void add_row(struct rows *t, size_t index)
{
    grid_begin_row(&t->grid, tint_of(&t->view->verdict->listeners[index]));
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        write_value(t, index, (enum column)c);
        t->has_exe |= grid_end_cell(&t->grid, c) && c == COLUMN_EXE;
    }
}

void table_listeners(const struct view *view, const struct table_style *style, struct buf *out)
{
    struct rows t = {.view = view};
    size_t count;

    t.listeners = view_listeners(view, &count);
    grid_init(&t.grid, &shape, count);
    t.grid.width = style->width;
    t.grid.colour = style->colour;
    for (size_t i = 0; !t.grid.text.failed && i < count; i++)
        if (view_takes_listener(view, i))
            add_row(&t, i);
    if (t.has_note)
        grid_head(&t.grid, COLUMN_NOTES, "NOTES");
    t.grid.left_out[COLUMN_EXE] = !t.has_exe;
    grid_write(&t.grid, out);
    holder_list_done(&t.holders);
    grid_done(&t.grid);
}
