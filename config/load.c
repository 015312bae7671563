#include "config/config.h"
#include "config/read_file.h"
#include "config/scan.h"
#include "config/schema.h"
#include "core/duration.h"
#include "core/err.h"

#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INCLUDE_DEPTH_MAX = 10, /* libconfig's own */
    ERRORS_MAX = 100,
    KEY_PATH_MAX = 128,
    WHAT_MAX = 1024,
    MISREAD_MAX = 16,
    MISREAD_KEY_MAX = 32,
};

/* A setting whose number libconfig reads as another one. */
struct misread {
    unsigned line;
    char key[MISREAD_KEY_MAX];
};

struct loader {
    const char *path;
    char *directory; /* of path; included files are found there */
    struct config *config;
    struct buf *errors;
    unsigned error_count;
    bool partial;    /* the parser gave up: what is missing may stand further on */
    bool unparsable; /* the parser would end the process, or say nothing */
    unsigned depth;
    struct misread misread[MISREAD_MAX]; /* in the main file */
    unsigned misread_count;
};

__attribute__((format(printf, 5, 6))) static void report(struct loader *l, const char *file, unsigned line,
                                                         const char *key, const char *format, ...)
{
    char what[WHAT_MAX];
    va_list args;

    if (l->error_count++ >= ERRORS_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    buf_fmt(l->errors, "%s:", file ? file : l->path);
    if (line > 0)
        buf_fmt(l->errors, "%u:", line);
    buf_fmt(l->errors, " %s%s%s\n", key, *key ? ": " : "", what);
}

static const char *type_text(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: return "a number";
    case CONFIG_TYPE_FLOAT: return "a number with a fraction";
    case CONFIG_TYPE_STRING: return "a string";
    case CONFIG_TYPE_BOOL: return "true or false";
    case CONFIG_TYPE_ARRAY: return "an array [...]";
    case CONFIG_TYPE_LIST: return "a list (...)";
    case CONFIG_TYPE_GROUP: return "a group {...}";
    default: return "nothing";
    }
}

static bool is_number(const config_setting_t *setting)
{
    int type = config_setting_type(setting);

    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static bool has_type(const config_setting_t *setting, enum schema_type type)
{
    int have = config_setting_type(setting);

    switch (type) {
    case SCHEMA_BOOL: return have == CONFIG_TYPE_BOOL;
    case SCHEMA_INT: return is_number(setting);
    case SCHEMA_REAL: return is_number(setting) || have == CONFIG_TYPE_FLOAT;
    case SCHEMA_DURATION:
    case SCHEMA_TEXT: return have == CONFIG_TYPE_STRING;
    case SCHEMA_TEXTS: return have == CONFIG_TYPE_ARRAY || have == CONFIG_TYPE_LIST;
    case SCHEMA_GROUP: return have == CONFIG_TYPE_GROUP;
    case SCHEMA_LIST: return have == CONFIG_TYPE_LIST;
    case SCHEMA_INCLUDE: break; /* no key has it */
    }
    return false;
}

/* A setting, the key it is for, and its path as the user would write it. */
struct place {
    config_setting_t *setting;
    const struct schema_key *key;
    char path[KEY_PATH_MAX];
};

#define report_at(l, place, ...)                                                                          \
    report(l, config_setting_source_file((place)->setting), config_setting_source_line((place)->setting), \
           (place)->path, __VA_ARGS__)

static void report_value(struct loader *l, const struct place *place, const char *value, int error)
{
    char expected[SCHEMA_EXPECTED_MAX];

    schema_expected(place->key, expected);
    if (error == -ENOMEM)
        report_at(l, place, "%s", err_str(error));
    else
        report_at(l, place, "%s %s, expected %s", value,
                  error == -ERANGE   ? "is out of range"
                  : error == -EEXIST ? "is given twice"
                                     : "is not valid",
                  expected);
}

static bool is_misread(const struct loader *l, const config_setting_t *setting)
{
    for (unsigned i = 0; i < l->misread_count; i++)
        if (!config_setting_source_file(setting) &&
            config_setting_source_line(setting) == l->misread[i].line &&
            strcmp(config_setting_name(setting), l->misread[i].key) == 0)
            return true;
    return false;
}

static void load_int(struct loader *l, const struct place *place, void *field)
{
    int64_t value = config_setting_get_int64(place->setting);
    char text[32];
    int r = 0;

    if (value < place->key->min || value > place->key->max)
        r = -ERANGE;
    else if (place->key->store)
        r = place->key->store(field, value);
    else
        *(int64_t *)field = value;
    if (r == 0)
        return;
    if (is_misread(l, place->setting))
        return; /* which was said, and this is not the number that the user wrote */
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    report_value(l, place, text, r);
}

static void load_real(struct loader *l, const struct place *place, void *field)
{
    bool is_whole = is_number(place->setting);
    double value = is_whole ? (double)config_setting_get_int64(place->setting)
                            : config_setting_get_float(place->setting);
    char text[32];

    if (value * 1000 >= (double)place->key->min && value * 1000 <= (double)place->key->max) {
        *(double *)field = value;
        return;
    }
    if (is_misread(l, place->setting))
        return; /* which was said */
    (void)snprintf(text, sizeof text, "%g", value);
    report_value(l, place, text, -ERANGE);
}

static void load_string(struct loader *l, const struct place *place, const char *value, void *field)
{
    int64_t ms;
    char quoted[128];
    int r;

    if (place->key->type == SCHEMA_DURATION) {
        r = duration_parse(value, &ms);
        if (r == 0 && (ms < place->key->min || ms > place->key->max))
            r = -ERANGE;
        if (r == 0)
            *(int64_t *)field = ms;
    } else {
        r = place->key->parse(field, value);
    }
    if (r == 0)
        return;
    (void)snprintf(quoted, sizeof quoted, "\"%.100s\"", value);
    for (char *p = quoted; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?'; /* an error is one line */
    report_value(l, place, quoted, r);
}

static void load_strings(struct loader *l, const struct place *place, void *field)
{
    int count = config_setting_length(place->setting);
    char expected[SCHEMA_EXPECTED_MAX];

    schema_expected(place->key, expected);
    place->key->clear(field);
    for (int i = 0; i < count; i++) {
        struct place element = {config_setting_get_elem(place->setting, (unsigned)i), place->key, ""};

        (void)snprintf(element.path, sizeof element.path, "%.100s[%d]", place->path, i);
        if (config_setting_type(element.setting) != CONFIG_TYPE_STRING)
            report_at(l, &element, "is %s, expected a string: %s", type_text(element.setting), expected);
        else
            load_string(l, &element, config_setting_get_string(element.setting), field);
    }
}

static void load_keys(struct loader *l, const struct schema_key *keys, config_setting_t *group,
                      const char *path, void *base);

struct check_context {
    struct loader *loader;
    const struct place *place;
};

__attribute__((format(printf, 3, 4))) static void report_check(void *arg, const char *name,
                                                               const char *format, ...)
{
    const struct check_context *context = arg;
    config_setting_t *setting = config_setting_get_member(context->place->setting, name);
    struct place place = {setting ? setting : context->place->setting, NULL, ""};
    char what[WHAT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    (void)snprintf(place.path, sizeof place.path, "%.80s.%.40s", context->place->path, name);
    report_at(context->loader, &place, "%s", what);
}

static void load_list(struct loader *l, const struct place *place, void *base)
{
    int count = config_setting_length(place->setting);

    for (int i = 0; i < count; i++) {
        struct place element = {config_setting_get_elem(place->setting, (unsigned)i), place->key, ""};
        struct check_context context = {l, &element};
        void *item;

        (void)snprintf(element.path, sizeof element.path, "%.100s[%d]", place->path, i);
        if (!config_setting_is_group(element.setting)) {
            report_at(l, &element, "is %s, expected a group {...}", type_text(element.setting));
            continue;
        }
        item = schema_append(place->key, base);
        if (!item) {
            report_at(l, &element, "%s", err_str(-ENOMEM));
            return;
        }
        schema_set_defaults(place->key->children, item);
        load_keys(l, place->key->children, element.setting, element.path, item);
        place->key->check(base, item, report_check, &context);
    }
}

static void load_value(struct loader *l, const struct place *place, void *base)
{
    void *field = schema_field(place->key, base);
    char expected[SCHEMA_EXPECTED_MAX];

    if (!has_type(place->setting, place->key->type)) {
        schema_expected(place->key, expected);
        if (!l->partial || config_setting_type(place->setting) != CONFIG_TYPE_NONE)
            report_at(l, place, "is %s, expected %s", type_text(place->setting), expected);
        return;
    }
    switch (place->key->type) {
    case SCHEMA_BOOL: *(bool *)field = config_setting_get_bool(place->setting); break;
    case SCHEMA_INT: load_int(l, place, field); break;
    case SCHEMA_REAL: load_real(l, place, field); break;
    case SCHEMA_DURATION:
    case SCHEMA_TEXT: load_string(l, place, config_setting_get_string(place->setting), field); break;
    case SCHEMA_TEXTS: load_strings(l, place, field); break;
    case SCHEMA_GROUP:
        if (place->key->enabled_offset != 0)
            *(bool *)((char *)base + place->key->enabled_offset) = true;
        load_keys(l, place->key->children, place->setting, place->path, field);
        break;
    case SCHEMA_LIST: load_list(l, place, base); break;
    case SCHEMA_INCLUDE: break;
    }
}

static void report_missing(struct loader *l, const struct schema_key *keys, config_setting_t *group,
                           const char *path)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        struct place place = {group, key, ""};
        bool has_other = key->required && *key->required && config_setting_get_member(group, key->required);
        char expected[SCHEMA_EXPECTED_MAX];

        if (key->type == SCHEMA_INCLUDE)
            report_missing(l, key->children, group, path);
        if (!key->required || has_other || config_setting_get_member(group, key->name))
            continue;
        (void)snprintf(place.path, sizeof place.path, "%.80s.%.40s", path, key->name);
        schema_expected(key, expected);
        report_at(l, &place, "is missing, expected %s", expected);
    }
}

static void load_keys(struct loader *l, const struct schema_key *keys, config_setting_t *group,
                      const char *path, void *base)
{
    int count = config_setting_length(group);

    for (int i = 0; i < count; i++) {
        config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting);
        void *key_base = base;
        struct place place = {setting, schema_find(keys, name, &key_base), ""};
        struct buf names;

        (void)snprintf(place.path, sizeof place.path, "%.80s%s%.40s", path, *path ? "." : "", name);
        if (place.key) {
            load_value(l, &place, key_base);
            continue;
        }
        buf_init(&names);
        schema_names(keys, &names);
        report_at(l, &place, "is not a known key, expected one of: %s", buf_text(&names));
        buf_done(&names);
    }
    if (!l->partial)
        report_missing(l, keys, group, path);
}

struct scan_context {
    struct loader *loader;
    const char *file; /* NULL for the main file */
};

static void scan_problem(void *arg, unsigned line, const char *key, const char *what, const char *expected)
{
    struct scan_context *context = arg;

    struct loader *l = context->loader;

    report(l, context->file, line, key, "%s, expected %s", what, expected);
    if (context->file || !*key || l->misread_count == MISREAD_MAX)
        return;
    l->misread[l->misread_count].line = line;
    (void)snprintf(l->misread[l->misread_count++].key, MISREAD_KEY_MAX, "%s", key); /* ours are shorter */
}

static void scan_include(void *arg, unsigned line, const char *name)
{
    struct scan_context *context = arg;
    struct loader *l = context->loader;
    struct scan_context inner = {l, name};
    const struct scan_callbacks callbacks = {scan_problem, scan_include, &inner};
    char *path = NULL, *text = NULL;
    ssize_t length;

    if (l->depth > 0 && l->unparsable)
        return; /* files that include each other have no end */
    if (l->depth >= INCLUDE_DEPTH_MAX) {
        report(l, context->file, line, "@include",
               "\"%s\" is included by too many files, expected at most %d", name, INCLUDE_DEPTH_MAX);
        l->unparsable = true;
        return;
    }
    if (asprintf(&path, "%s/%s", l->directory, name) < 0)
        return;
    length = read_file(path, &text);
    if (length < 0) {
        l->unparsable |= length != -ENOENT; /* libconfig exits when a read fails, as of a directory */
        report(l, context->file, line, "@include", "\"%s\" cannot be read (%s), expected a file beside %s",
               name, err_str((int)length), l->path);
    } else {
        l->depth++;
        scan_text(text, (size_t)length, &callbacks);
        l->depth--;
    }
    free(text);
    free(path);
}

static void parse(struct loader *l, const char *text)
{
    config_t parsed;

    config_init(&parsed);
    config_set_include_dir(&parsed, l->directory);
    if (config_read_string(&parsed, text) != CONFIG_TRUE) {
        const char *why = config_error_text(&parsed);

        l->partial = true;
        if (!strstr(why, "include file")) /* the scan has said it better */
            report(l, config_error_file(&parsed), (unsigned)config_error_line(&parsed), "", "%s, expected %s",
                   why, strstr(why, "duplicate") ? "each key once" : "KEY = VALUE;");
    }
    load_keys(l, schema_root(), config_root_setting(&parsed), "", l->config);
    config_destroy(&parsed);
}

int config_load(const char *path, struct config **ret, struct buf *errors)
{
    struct loader l = {.path = path, .errors = errors};
    struct scan_context context = {&l, NULL};
    const struct scan_callbacks callbacks = {scan_problem, scan_include, &context};
    char *text = NULL, *copy = strdup(path);
    ssize_t length;
    int r = -ENOMEM;

    l.config = config_new();
    if (!l.config || !copy)
        goto out;
    l.directory = dirname(copy);
    length = read_file(path, &text);
    if (length < 0) {
        r = (int)length;
        buf_fmt(errors, "%s: cannot be read: %s, expected a configuration file\n", path, err_str(r));
        goto out;
    }
    scan_text(text, (size_t)length, &callbacks);
    if (!l.unparsable)
        parse(&l, text);
    if (l.error_count > ERRORS_MAX)
        buf_fmt(errors, "%s: %u more errors\n", path, l.error_count - ERRORS_MAX);
    r = l.error_count > 0 ? ERR_CONFIG : policy_seal(&l.config->policy);
out:
    if (r == 0)
        *ret = l.config;
    else
        config_unref(l.config);
    free(text);
    free(copy);
    return r;
}
