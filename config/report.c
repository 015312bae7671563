#include "config/report.h"
#include "core/err.h"
#include "core/text.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>

enum { KEY_PATH_MAX = 128, WHAT_MAX = 1024 };

bool report_wants(struct loader *l)
{
    return error_list_wants(&l->errors, l->rank);
}

/* As the user would write it. */
static void write_path(const struct place *place, char ret_path[static KEY_PATH_MAX])
{
    char upper[KEY_PATH_MAX] = "";

    if (place->parent)
        write_path(place->parent, upper);
    if (place->name)
        (void)snprintf(ret_path, KEY_PATH_MAX, "%.80s%s%.40s", upper, *upper ? "." : "", place->name);
    else
        (void)snprintf(ret_path, KEY_PATH_MAX, "%.100s[%d]", upper, place->index);
}

void report_at(struct loader *l, const struct place *place, const char *format, ...)
{
    const char *file = config_setting_source_file(place->setting);
    char what[WHAT_MAX], path[KEY_PATH_MAX];
    va_list args;

    if (!report_wants(l))
        return;
    va_start(args, format);
    text_vformat(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    write_path(place, path);
    error_list_add(&l->errors, l->rank, file ? file : l->scan.path,
                   config_setting_source_line(place->setting), path, "%s", what);
}

void report_value(struct loader *l, const struct place *place, const char *value, int error)
{
    char expected[SCHEMA_EXPECTED_MAX];

    if (!report_wants(l))
        return;
    schema_expected(place->key, expected);
    if (error == -ENOMEM)
        report_at(l, place, "%s", err_str(error));
    else
        report_at(l, place, "%s %s, expected %s", value,
                  error == -ERANGE   ? "is out of range"
                  : error == -EEXIST ? "is given twice"
                  : error == -E2BIG  ? "is one too many"
                                     : "is not valid",
                  expected);
}
