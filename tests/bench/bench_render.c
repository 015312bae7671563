/* What rendering costs, with few listeners and with many.
 *
 * usage: bench_render LISTENERS ROUNDS
 *
 * Makes tables of 60 and of LISTENERS listeners, each with a queue, drops,
 * restarts, connections and an owner, and measures the CPU time of one
 * rendering of the exposition, of the page and of the JSON; all is made in
 * memory, nothing is asked of the kernel. Medians are printed, and their
 * ratio to a reference of the same run: the lines of the finished exposition,
 * added one by one to a buffer that is as empty as that of a rendering. So
 * what memory costs on the machine is in both. */
#include "core/alerts.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"
#include "tests/bench/bench.h"
#include "tests/unit/judged.h"
#include "tests/unit/looks.h"
#include "tests/unit/counted.h"

enum { LISTENERS_FEW = 60, LISTENERS_MAX = 60000, FIRST_PORT = 1024, CONNECTIONS_EACH = 3 };

enum kind { KIND_REFERENCE, KIND_METRICS, KIND_PAGE, KIND_JSON, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {
    "the exposition's lines, only written",
    "exposition",
    "page",
    "JSON",
};

/* A host and what is made of it. */
struct bench {
    struct policy policy;
    const struct snapshot *snapshot;
    const struct verdict *verdict;
    const struct alert_list *alerts;
    struct status status;
    struct view view;
    struct buf metrics; /* rendered once, for the reference */
};

static struct owner_set *make_owners(size_t index)
{
    struct owner_set *set = owner_set_new(2);

    if (!set)
        die("memory");
    set->sight = SIGHT_SEEN;
    set->uid = 1000;
    (void)snprintf(set->user, sizeof set->user, "service-%zu", index);
    for (size_t i = 0; i < set->count; i++) {
        struct holder h = {.pid = (uint32_t)(1000 + 10 * index + i), .unit_known = true};

        (void)snprintf(h.process, sizeof h.process, "worker-%zu", index);
        (void)snprintf(h.user, sizeof h.user, "service-%zu", index);
        (void)snprintf(h.unit, sizeof h.unit, "worker-%zu.service", index);
        set->holders[i] = holder_new(&h);
        if (!set->holders[i])
            die("memory");
    }
    return set;
}

static void add_listener(struct listener_builder *b, size_t index)
{
    struct owner_set *owners = make_owners(index);
    struct listener_row row = {
        .protocol = PROTOCOL_TCP,
        .address = {.version = 4, .bytes = {192, 0, 2, (uint8_t)(index % 250)}},
        .port = (uint16_t)(FIRST_PORT + index),
        .cookie = index + 1,
        .uid = 1000,
        .queue = {.known = true, .length = (uint32_t)(index % 7), .limit = 4096},
        .drops = {.known = true, .count = (uint32_t)index},
        .owners = owners,
    };

    if (listener_builder_add(b, &row) < 0)
        die("listener");
}

static const struct listener_table *make_table(size_t count)
{
    struct listener_builder *b = new_builder(1000);
    const struct listener_table *table;
    size_t left;

    if (!b)
        die("memory");
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    for (size_t i = 0; i < count; i++)
        add_listener(b, i);
    table = seal_all(b);
    if (!table)
        die("memory");
    for (const struct listener *l = listener_table_all(table, &left); left > 0; l++, left--)
        owner_set_unref(l->members[0].owners); /* the table has its own references */
    listener_builder_free(b);
    return table;
}

static const struct conn_table *make_connections(size_t listeners)
{
    struct conn_counter *counter = conn_counter_new();
    const struct conn_table *table;

    if (!counter)
        die("memory");
    for (size_t i = 0; i < listeners * CONNECTIONS_EACH; i++)
        if (count_socket(counter, PROTOCOL_TCP, (uint16_t)(FIRST_PORT + i / CONNECTIONS_EACH),
                         STATE_ESTABLISHED) < 0)
            die("connection");
    conn_counter_complete(counter, PROTOCOL_TCP);
    table = conn_counter_seal(counter, NULL);
    if (!table)
        die("memory");
    conn_counter_free(counter);
    return table;
}

/* Makes the snapshot, and the verdict about it. */
static void look(struct bench *b, size_t listeners)
{
    static const struct own_sockets none;
    const struct alerts no_alerts = {0};
    struct space host = {.name = ""};

    host.listeners = make_table(listeners);
    host.connections = make_connections(listeners);
    b->snapshot = snapshot_new(&host, 1);
    listener_table_unref(host.listeners);
    conn_table_unref(host.connections);
    if (!b->snapshot)
        die("memory");
    b->verdict = judge_space(snapshot_host(b->snapshot), &b->policy, &none);
    b->alerts = alerts_seal(&no_alerts);
    if (!b->verdict || !b->alerts)
        die("memory");
}

static void bench_init(struct bench *b, size_t listeners)
{
    static const struct prom_dropped nothing;
    struct prom_dropped cut;

    *b = (struct bench){0};
    if (policy_seal(&b->policy) < 0)
        die("policy");
    look(b, listeners);
    b->view = (struct view){
        .snapshot = b->snapshot,
        .policy = &b->policy,
        .verdict = b->verdict,
        .alerts = b->alerts,
        .status = &b->status,
        .has_history = true,
        .limits = {.series = 20000, .page_rows = 500},
        .version = "",
        .revision = "",
    };
    prom_render(&b->view, &nothing, &b->metrics, &cut);
    if (b->metrics.failed)
        die("exposition");
}

static void bench_done(struct bench *b)
{
    snapshot_unref(b->snapshot);
    verdict_unref(b->verdict);
    alert_list_unref(b->alerts);
    policy_done(&b->policy);
    buf_done(&b->metrics);
}

static void write_lines(const struct buf *text, struct buf *out)
{
    const char *end = text->data + text->len;

    for (const char *line = text->data, *next; line < end; line = next) {
        next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        buf_add(out, line, (size_t)(next - line));
    }
}

static void render(const struct bench *b, enum kind kind, struct buf *out)
{
    static const struct prom_dropped nothing;
    struct prom_dropped cut;

    switch (kind) {
    case KIND_REFERENCE: write_lines(&b->metrics, out); break;
    case KIND_METRICS: prom_render(&b->view, &nothing, out, &cut); break;
    case KIND_PAGE: page_render(&b->view, out); break;
    case KIND_JSON: json_listeners(&b->view, out); break;
    case KIND_COUNT: break;
    }
}

static double measure(const struct bench *b, enum kind kind, size_t *ret_length)
{
    struct buf out;
    double before;

    buf_init(&out);
    before = own_cpu();
    render(b, kind, &out);
    before = own_cpu() - before;
    if (out.failed)
        die(kind_names[kind]);
    *ret_length = out.len;
    buf_done(&out);
    return before;
}

static void run(size_t listeners, size_t rounds)
{
    double *values[KIND_COUNT], medians[KIND_COUNT];
    size_t lengths[KIND_COUNT];
    struct bench b;

    bench_init(&b, listeners);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (!(values[kind] = calloc(rounds, sizeof(double))))
            die("memory");
    for (size_t i = 0; i < rounds; i++)
        for (int kind = 0; kind < KIND_COUNT; kind++)
            values[kind][i] = measure(&b, (enum kind)kind, &lengths[kind]);
    (void)printf("CPU time, median of %zu rounds, %zu listeners %17s       bytes   ratio\n", rounds,
                 listeners, "");
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        medians[kind] = median(values[kind], rounds);
        (void)printf("%-47s %8.3f ms %11zu %7.2f\n", kind_names[kind], medians[kind] * 1e3, lengths[kind],
                     medians[kind] / medians[KIND_REFERENCE]);
        free(values[kind]);
    }
    bench_done(&b);
}

int main(int argc, char **argv)
{
    size_t listeners = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (listeners == 0 || listeners > LISTENERS_MAX || rounds == 0) {
        (void)fprintf(stderr, "usage: bench_render LISTENERS ROUNDS\n");
        return 2;
    }
    run(LISTENERS_FEW, rounds);
    run(listeners, rounds);
    return 0;
}
