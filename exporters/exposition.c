#include "exporters/exposition.h"

#include <string.h>

static void heading(struct buf *out, const char *keyword, const char *name, const char *text)
{
    buf_str(out, keyword);
    buf_str(out, name);
    buf_char(out, ' ');
    buf_str(out, text);
    buf_char(out, '\n');
}

void exposition_family(struct exposition *x, const struct exposition_family *family, uint64_t *cut)
{
    x->name = family->name;
    x->name_length = strlen(family->name);
    x->cut = cut;
    heading(x->out, "# HELP ", family->name, family->help);
    heading(x->out, "# TYPE ", family->name, family->type);
}

void exposition_begin_essential(struct exposition *x)
{
    if (x->series_left > 0)
        x->series_left--;
    buf_add(x->out, x->name, x->name_length);
    x->has_labels = false;
}

/* Begins it if that leaves room for so many others. */
static bool begin_beside(struct exposition *x, size_t others)
{
    if (x->series_left <= others || x->out->len + others * EXPOSITION_SERIES_BYTES >= x->bytes_max) {
        (*x->cut)++;
        return false;
    }
    exposition_begin_essential(x);
    return true;
}

bool exposition_begin(struct exposition *x)
{
    return begin_beside(x, x->reserved);
}

bool exposition_begin_reserved(struct exposition *x)
{
    if (x->reserved > 0)
        x->reserved--;
    return begin_beside(x, 0);
}

static void begin_label(struct exposition *x, const char *name)
{
    buf_char(x->out, x->has_labels ? ',' : '{');
    buf_str(x->out, name);
    buf_add(x->out, "=\"", 2);
    x->has_labels = true;
}

/* As an escape sequence, or NULL for a character that stands for itself. */
static const char *escape_of(char c)
{
    switch (c) {
    case '\n': return "\\n";
    case '\\': return "\\\\";
    case '"': return "\\\"";
    default: return NULL;
    }
}

void exposition_label(struct exposition *x, const char *name, const char *value)
{
    const char *run = value;

    begin_label(x, name);
    for (; *value; value++) {
        const char *escape = escape_of(*value);

        if (!escape)
            continue;
        buf_add(x->out, run, (size_t)(value - run));
        buf_str(x->out, escape);
        run = value + 1;
    }
    buf_add(x->out, run, (size_t)(value - run));
    buf_char(x->out, '"');
}

void exposition_label_number(struct exposition *x, const char *name, uint64_t number)
{
    begin_label(x, name);
    buf_u64(x->out, number);
    buf_char(x->out, '"');
}

void exposition_labels(struct exposition *x, const char *text, size_t length)
{
    buf_add(x->out, text, length);
    x->has_labels = true;
}

static void end_labels(struct exposition *x)
{
    if (x->has_labels)
        buf_char(x->out, '}');
    buf_char(x->out, ' ');
}

void exposition_count(struct exposition *x, uint64_t value)
{
    end_labels(x);
    buf_u64(x->out, value);
    buf_char(x->out, '\n');
}

void exposition_real(struct exposition *x, double value)
{
    end_labels(x);
    buf_real(x->out, value);
    buf_char(x->out, '\n');
}

void exposition_time(struct exposition *x, int64_t ms)
{
    end_labels(x);
    buf_fmt(x->out, "%lld.%03lld\n", (long long)(ms / 1000), (long long)(ms % 1000));
}
