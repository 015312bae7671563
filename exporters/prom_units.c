#include "exporters/prom_parts.h"

static const char *const directions[DIRECTION_COUNT] = {
    [DIRECTION_INBOUND] = "inbound",
    [DIRECTION_OUTBOUND] = "outbound",
};

/* The states that there are any of. */
static void unit_samples(struct prom *p, const struct unit_row *row)
{
    for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
        for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++) {
            uint32_t count = row->states.counts[direction][state];

            if (count == 0 || !exposition_begin(&p->x))
                continue;
            exposition_label(&p->x, "unit", row->unit);
            exposition_label(&p->x, "direction", directions[direction]);
            exposition_label(&p->x, "state", state_name((enum sock_state)state, PROTOCOL_TCP));
            exposition_count(&p->x, count);
        }
    }
}

void prom_render_units(struct prom *p)
{
    const struct unit_table *units = snapshot_host(p->view->snapshot)->units;
    const struct unit_row *rows;
    size_t count;

    if (!units)
        return;
    rows = unit_table_rows(units, &count);
    for (size_t i = 0; i < count; i++)
        unit_samples(p, &rows[i]);
}
