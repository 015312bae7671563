#include "config/report.h"
#include "core/array.h"
#include "core/err.h"
#include "core/text.h"

#include <assert.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool is_unread(const struct loader *l, const struct config_setting_t *setting)
{
    const char *file = config_setting_source_file(setting);
    bool same_file = file && l->unread_path ? strcmp(file, l->unread_path) == 0 : file == l->unread_path;

    return l->unread_from > 0 && same_file && config_setting_source_line(setting) >= l->unread_from;
}

void report_at(struct loader *l, const struct place *place, const char *format, ...)
{
    const char *file = config_setting_source_file(place->setting);
    char what[WHAT_MAX], path[KEY_PATH_MAX];
    va_list args;

    if (is_unread(l, place->setting) || !report_wants(l))
        return;
    va_start(args, format);
    text_vformat(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    write_path(place, path);
    error_list_add(&l->errors, l->rank, file ? file : l->path, config_setting_source_line(place->setting),
                   path, "%s", what);
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

static struct origins *find_origins(struct loader *l, const struct schema_key *list)
{
    struct origins *origins = l->lists;

    while (origins->list && origins->list != list) {
        origins++;
        assert(origins < l->lists + REPORT_LISTS_MAX); /* the schema is ours */
    }
    origins->list = list;
    return origins;
}

int report_remember(struct loader *l, const struct place *element)
{
    struct origins *origins = find_origins(l, element->key);
    struct origin *items = array_grow(origins->items, &origins->capacity, origins->count + 1, sizeof *items);

    if (!items)
        return -ENOMEM;
    origins->items = items;
    items[origins->count++] = (struct origin){element->setting, l->path, l->rank, element->index};
    return 0;
}

/* What a check is told of. */
struct checked {
    struct loader *loader;
    struct origins *origins;
};

/* A key of an element, or of a group in it ("drops.max"), or the element where it
 * has no such key. */
static struct config_setting_t *key_or_element(const struct origin *origin, const char *name)
{
    struct config_setting_t *member = config_setting_lookup(origin->setting, name);

    return member ? member : origin->setting;
}

__attribute__((format(printf, 4, 5))) static void report_check(void *arg, size_t item, const char *name,
                                                               const char *format, ...)
{
    struct checked *checked = arg;
    struct loader *l = checked->loader;
    const struct origin *origin = &checked->origins->items[item];
    const struct place list = {.name = checked->origins->list->name};
    const struct place element = {.setting = origin->setting, .parent = &list, .index = origin->index};
    const struct place place = {key_or_element(origin, name), NULL, &element, name, 0};
    char what[WHAT_MAX];
    va_list args;

    va_start(args, format);
    text_vformat(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    l->rank = origin->rank;
    l->path = origin->path;
    report_at(l, &place, "%s", what);
}

static void tell_where(void *arg, const char *list, size_t item, const char *name,
                       char ret_text[static SCHEMA_STANDS_MAX])
{
    const struct checked *checked = arg;
    const struct origins *origins = checked->loader->lists;
    const struct config_setting_t *setting;
    const char *file;

    while (strcmp(origins->list->name, list) != 0)
        origins++;
    setting = key_or_element(&origins->items[item], name);
    file = config_setting_source_file(setting);
    (void)snprintf(ret_text, SCHEMA_STANDS_MAX, "%.400s:%u", file ? file : origins->items[item].path,
                   (unsigned)config_setting_source_line(setting));
}

void report_checks(struct loader *l, const struct schema_key *list)
{
    struct checked checked = {l, find_origins(l, list)};
    const struct schema_reporter reporter = {report_check, tell_where, &checked};

    if (list->check(l->config, &reporter) < 0)
        error_list_add(&l->errors, l->rank, l->path, 0, list->name, "%s", err_str(-ENOMEM));
}

void report_done(struct loader *l)
{
    for (size_t i = 0; i < REPORT_LISTS_MAX; i++)
        free(l->lists[i].items);
}
