/* The source of what the kernel counts for the whole network namespace: one file
 * after the other. */
#include "collectors/proc_counters.h"
#include "collectors/source.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct reading {
    enum proc_counters_file file; /* whose turn it is */
    struct host_counters found;   /* so far */
    bool has_any;                 /* some file was there */
    int error;                    /* the last of any file */
    uint64_t page_bytes;
    char text[PROC_COUNTERS_BYTES_MAX];
};

static int open_counters(struct source *s)
{
    struct reading *r = calloc(1, sizeof *r);

    s->state = r;
    if (!r)
        return -ENOMEM;
    r->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE); /* which there is */
    return 0;
}

static void close_counters(struct source *s)
{
    free(s->state);
}

static int begin_counters(struct source *s, int64_t now_ms)
{
    struct reading *r = s->state;

    (void)now_ms;
    r->file = (enum proc_counters_file)0;
    r->found = (struct host_counters){.known = {false}};
    r->has_any = false;
    r->error = 0;
    return 0;
}

/* A file that is not there tells nothing, and neither does one that fails. */
static void read_file(struct source *s, struct reading *r)
{
    size_t length;
    int result = proc_counters_read(r->file, r->text, &length);

    r->has_any |= result != -ENOENT;
    if (result == 0)
        s->run.malformed += proc_counters_parse(r->file, r->text, length, r->page_bytes, &r->found);
    else if (result != -ENOENT)
        r->error = result;
}

static int step_counters(struct source *s, const struct budget *budget)
{
    struct reading *r = s->state;

    do {
        read_file(s, r);
        r->file = (enum proc_counters_file)(r->file + 1);
    } while (r->file < PROC_COUNTERS_FILE_COUNT && !budget_is_spent(budget));
    if (r->file < PROC_COUNTERS_FILE_COUNT)
        return 1;
    s->shared->host_counters = r->found;
    return r->has_any ? r->error : ERR_UNSUPPORTED;
}

const struct source_ops host_counter_source = {
    .open = open_counters,
    .close = close_counters,
    .begin = begin_counters,
    .step = step_counters,
};
