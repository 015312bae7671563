/* How the Prometheus text format is written: headings, samples, labels and
 * their escaping, values, and the limit on the number of series. What there is
 * to tell is its caller's matter (exporters/prom.c).
 *
 * A writer belongs to one rendering. It never fails: what cannot be written
 * marks the buffer as failed.
 * Source: Prometheus exposition formats, text format 0.0.4. */
#ifndef SOCKWATCH_EXPORTERS_EXPOSITION_H
#define SOCKWATCH_EXPORTERS_EXPOSITION_H

#include "core/buf.h"

/* All static. */
struct exposition_family {
    const char *name;
    const char *type;
    const char *help;
};

struct exposition {
    struct buf *out;    /* borrowed */
    size_t series_left; /* before the limit cuts */
    size_t reserved;    /* of these, for exposition_begin_reserved() only */
    size_t bytes_max;   /* when out is this long, the limit cuts all that it may */
    const char *name;   /* of the family that was begun last */
    size_t name_length;
    uint64_t *cut;   /* borrowed; its samples that were cut */
    bool has_labels; /* the sample being written has some already */
};

/* Begins a family with its HELP and TYPE.
 *
 * cut   counts up for each of the family's samples that is cut; kept until the
 *       next family begins */
void exposition_family(struct exposition *x, const struct exposition_family *family, uint64_t *cut);

/* A series may be this long on average, with its name and labels: those that
 * are longer use up more of the limit than one. */
#define EXPOSITION_SERIES_BYTES 256

/* Begins a sample, to be followed by its labels and one value. Returns false,
 * having counted it, when the limit is used up. */
bool exposition_begin(struct exposition *x);

/* Likewise one that room was reserved for, by counting it before. */
bool exposition_begin_reserved(struct exposition *x);

/* Likewise one that no limit cuts, though it uses the limit up. */
void exposition_begin_essential(struct exposition *x);

/* The value is escaped. */
void exposition_label(struct exposition *x, const char *name, const char *value);
void exposition_label_number(struct exposition *x, const char *name, uint64_t number);

/* Labels that were written before, by these two, into another buffer: the first
 * labels of a sample. */
void exposition_labels(struct exposition *x, const char *text, size_t length);

/* One of these ends a sample. A real number has nine significant digits, a time
 * is in seconds. */
void exposition_count(struct exposition *x, uint64_t value);
void exposition_real(struct exposition *x, double value);
void exposition_time(struct exposition *x, int64_t ms);

#endif
