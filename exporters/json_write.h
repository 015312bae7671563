/* How JSON is written: into a buffer from front to back, indented by two
 * spaces. No tree is built, so that writing can fail in one way only, which the
 * buffer remembers. Reading is exporters/json_read.h.
 *
 * A writer belongs to one document; any thread.
 * Source: RFC 8259. */
#ifndef SOCKWATCH_EXPORTERS_JSON_WRITE_H
#define SOCKWATCH_EXPORTERS_JSON_WRITE_H

#include "core/buf.h"

struct json_writer {
    struct buf *out; /* borrowed */
    unsigned depth;
    bool has_items; /* the innermost object or array does */
};

/* In an object every value has a key, which is plain ASCII and static; in an
 * array, and at the top, it is NULL. */
void json_write_object(struct json_writer *w, const char *key);
void json_write_object_end(struct json_writer *w);
void json_write_array(struct json_writer *w, const char *key);
void json_write_array_end(struct json_writer *w);

/* Of a text that is no UTF-8, the bytes that are none become \xHH. */
void json_write_text(struct json_writer *w, const char *key, const char *text);
void json_write_text_or_null(struct json_writer *w, const char *key, const char *text); /* null for "" */
void json_write_count(struct json_writer *w, const char *key, uint64_t count);
void json_write_count_or_null(struct json_writer *w, const char *key, bool known, uint64_t count);

/* With nine significant digits, and with a point or an exponent in any case, so
 * that it is read as a real number again. Must be finite. */
void json_write_real(struct json_writer *w, const char *key, double number);
void json_write_bool(struct json_writer *w, const char *key, bool value);
void json_write_null(struct json_writer *w, const char *key);

#endif
