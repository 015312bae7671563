/* The families of probes: one of each name. No limit cuts what the operator asked for. */
#include "exporters/prom_parts.h"

/* What a family says of a probe, of which the result is known. */
typedef void probe_fn(struct prom *p, const char *name, const struct probe_told *told);

static void each_probe(struct prom *p, probe_fn *sample)
{
    const struct probe_results *results = snapshot_host(p->view->snapshot)->probes;

    for (size_t i = 0; results && i < results->count; i++)
        if (results->items[i].known)
            sample(p, p->view->policy->expects[results->items[i].expect].name, &results->items[i]);
}

static void begin_sample(struct prom *p, const char *name)
{
    exposition_begin_essential(&p->x);
    exposition_label(&p->x, "name", name);
}

static void sample_success(struct prom *p, const char *name, const struct probe_told *told)
{
    begin_sample(p, name);
    exposition_count(&p->x, told->result == PROBE_OK);
}

void prom_render_probe_success(struct prom *p)
{
    each_probe(p, sample_success);
}

static void sample_result(struct prom *p, const char *name, const struct probe_told *told)
{
    for (int result = 0; result < PROBE_RESULT_COUNT; result++) {
        begin_sample(p, name);
        exposition_label(&p->x, "result", probe_result_name((enum probe_result)result));
        exposition_count(&p->x, result == (int)told->result);
    }
}

void prom_render_probe_result(struct prom *p)
{
    each_probe(p, sample_result);
}

static void sample_duration(struct prom *p, const char *name, const struct probe_told *told)
{
    begin_sample(p, name);
    exposition_real(&p->x, (double)told->duration_us / 1e6);
}

void prom_render_probe_duration(struct prom *p)
{
    each_probe(p, sample_duration);
}
