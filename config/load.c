#include "config/load.h"
#include "core/duration.h"
#include "core/err.h"
#include "core/text.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHAT_MAX = 1024, QUOTED_MAX = 100, QUOTED_TEXT_MAX = QUOTED_MAX + sizeof "\"\"" };

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

static bool has_type(const config_setting_t *setting, const struct schema_key *key)
{
    int have = config_setting_type(setting);

    switch (key->type) {
    case SCHEMA_BOOL: return have == CONFIG_TYPE_BOOL;
    case SCHEMA_INT: return is_number(setting);
    case SCHEMA_REAL: return is_number(setting) || have == CONFIG_TYPE_FLOAT;
    case SCHEMA_DURATION:
    case SCHEMA_TEXT: return have == CONFIG_TYPE_STRING;
    case SCHEMA_TEXTS:
        return have == CONFIG_TYPE_ARRAY || have == CONFIG_TYPE_LIST ||
               (key->one_will_do && have == CONFIG_TYPE_STRING);
    case SCHEMA_INTS: return have == CONFIG_TYPE_ARRAY || have == CONFIG_TYPE_LIST;
    case SCHEMA_PAIRS:
    case SCHEMA_GROUP: return have == CONFIG_TYPE_GROUP;
    case SCHEMA_LIST: return have == CONFIG_TYPE_LIST;
    case SCHEMA_INCLUDE: break; /* no key has it */
    }
    return false;
}

static bool is_misread(const struct loader *l, const config_setting_t *setting)
{
    return !config_setting_source_file(setting) &&
           file_scan_is_misread(&l->scan, config_setting_source_line(setting), config_setting_name(setting));
}

static bool is_joined(const struct loader *l, const config_setting_t *setting)
{
    return !config_setting_source_file(setting) &&
           file_scan_is_joined(&l->scan, config_setting_source_line(setting));
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
        if (place->key->store_real)
            place->key->store_real(field, value);
        else
            *(double *)field = value;
        return;
    }
    if (is_misread(l, place->setting))
        return; /* which was said */
    (void)snprintf(text, sizeof text, "%g", value);
    report_value(l, place, text, -ERANGE);
}

/* As much of a text as an error shows, in one line. */
static void quote(const char *value, char ret_quoted[static QUOTED_TEXT_MAX])
{
    size_t length = strlen(value);

    length = length > QUOTED_MAX ? text_cut(value, QUOTED_MAX) : length;
    (void)snprintf(ret_quoted, QUOTED_TEXT_MAX, "\"%.*s\"", (int)length, value);
    for (char *p = ret_quoted; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static void load_string(struct loader *l, const struct place *place, const char *value, void *field)
{
    char quoted[QUOTED_TEXT_MAX];
    int64_t ms;
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
    quote(value, quoted);
    if (r == -EINVAL && is_joined(l, place->setting))
        report_at(l, place, "%s was written as several strings, which are one, expected \",\" between them",
                  quoted);
    else
        report_value(l, place, quoted, r);
}

static struct place element_of(const struct place *list, int index)
{
    return (struct place){
        .setting = config_setting_get_elem(list->setting, (unsigned)index),
        .key = list->key,
        .parent = list,
        .index = index,
    };
}

static void load_strings(struct loader *l, const struct place *place, void *field)
{
    int count = config_setting_length(place->setting);
    char expected[SCHEMA_EXPECTED_MAX];

    schema_expected(place->key, expected);
    place->key->clear(field);
    if (config_setting_type(place->setting) == CONFIG_TYPE_STRING) {
        load_string(l, place, config_setting_get_string(place->setting), field);
        return;
    }
    if (count == 0 && place->key->one_will_do)
        report_at(l, place, "is empty, expected %s", expected);
    for (int i = 0; i < count; i++) {
        const struct place element = element_of(place, i);

        if (config_setting_type(element.setting) != CONFIG_TYPE_STRING)
            report_at(l, &element, "is %s, expected a string: %s", type_text(element.setting), expected);
        else
            load_string(l, &element, config_setting_get_string(element.setting), field);
    }
}

static void load_ints(struct loader *l, const struct place *place, void *field)
{
    int count = config_setting_length(place->setting);
    char expected[SCHEMA_EXPECTED_MAX];

    schema_expected(place->key, expected);
    place->key->clear(field);
    for (int i = 0; i < count; i++) {
        const struct place element = element_of(place, i);

        if (is_number(element.setting))
            load_int(l, &element, field);
        else
            report_at(l, &element, "is %s, expected a number: %s", type_text(element.setting), expected);
    }
}

/* A pair may have any name that its put() takes. */
static void load_pair(struct loader *l, const struct place *pair, void *field)
{
    const char *value = config_setting_get_string(pair->setting);
    char quoted[QUOTED_TEXT_MAX];
    int r;

    if (!value) {
        report_at(l, pair, "is %s, expected a string", type_text(pair->setting));
        return;
    }
    r = pair->key->put(field, pair->name, value);
    if (r == 0)
        return;
    quote(value, quoted);
    if (r == -ENOMEM)
        report_at(l, pair, "%s", err_str(r));
    else
        report_at(l, pair, "%s%s, expected %s", r == -EINVAL ? quoted : "",
                  r == -EINVAL  ? " is not valid"
                  : r == -E2BIG ? "is one too many"
                                : "is not a name that a label may have",
                  pair->key->expected);
}

static void load_pairs(struct loader *l, const struct place *place, void *field)
{
    int count = config_setting_length(place->setting);

    for (int i = 0; i < count; i++) {
        config_setting_t *setting = config_setting_get_elem(place->setting, (unsigned)i);
        const struct place pair = {setting, place->key, place, config_setting_name(setting), i};

        load_pair(l, &pair, field);
    }
}

/* Returns false when there is no memory for more. */
static bool load_element(struct loader *l, const struct place *element, void *base)
{
    void *item;

    if (!config_setting_is_group(element->setting)) {
        report_at(l, element, "is %s, expected a group {...}", type_text(element->setting));
        return true;
    }
    item = report_remember(l, element) == 0 ? schema_append(element->key, base) : NULL;
    if (!item) {
        report_at(l, element, "%s", err_str(-ENOMEM));
        return false;
    }
    schema_set_defaults(element->key->children, item);
    load_keys(l, element->key->children, element, item);
    return true;
}

/* No list stands in another, so that the ranks of elements are in a row. What
 * contradicts in them is found later: the list may go on in another file. */
static void load_list(struct loader *l, const struct place *place, void *base)
{
    int count = config_setting_length(place->setting);
    size_t rank = l->rank + 1;

    for (int i = 0; i < count; i++) {
        const struct place element = element_of(place, i);

        l->rank++;
        if (!load_element(l, &element, base))
            break;
    }
    l->rank = rank + (size_t)count;
}

static void load_value(struct loader *l, const struct place *place, void *base)
{
    void *field = schema_field(place->key, base);
    char expected[SCHEMA_EXPECTED_MAX];

    if (!has_type(place->setting, place->key)) {
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
    case SCHEMA_INTS: load_ints(l, place, field); break;
    case SCHEMA_PAIRS: load_pairs(l, place, field); break;
    case SCHEMA_GROUP:
        if (place->key->enabled_offset != 0)
            *(bool *)((char *)base + place->key->enabled_offset) = true;
        load_keys(l, place->key->children, place, field);
        break;
    case SCHEMA_LIST: load_list(l, place, base); break;
    case SCHEMA_INCLUDE: break;
    }
}

/* Whether a key is there with a text, "key=text". */
static bool has_text(const config_setting_t *group, const char *condition)
{
    const char *text = strchr(condition, '=') + 1, *have;
    char name[32];

    (void)snprintf(name, sizeof name, "%.*s", (int)(text - 1 - condition), condition);
    return config_setting_lookup_string(group, name, &have) && strcmp(have, text) == 0;
}

/* Whether a key is there, and not as false. */
static bool is_given(const config_setting_t *group, const char *name)
{
    const config_setting_t *setting = name ? config_setting_get_member(group, name) : NULL;

    if (name && strchr(name, '='))
        return has_text(group, name);
    return setting && (config_setting_type(setting) != CONFIG_TYPE_BOOL || config_setting_get_bool(setting));
}

/* Whether the key need not be there, or is. */
static bool is_excused(const struct schema_key *key, const config_setting_t *group)
{
    return !key->required || config_setting_get_member(group, key->name) ||
           (*key->required && config_setting_get_member(group, key->required)) ||
           is_given(group, key->unless[0]) || is_given(group, key->unless[1]) ||
           is_given(group, key->unless[2]);
}

static void report_missing(struct loader *l, const struct schema_key *keys, const struct place *group)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        const struct place place = {group->setting, key, group, key->name, 0};
        char expected[SCHEMA_EXPECTED_MAX];

        if (key->type == SCHEMA_INCLUDE)
            report_missing(l, key->children, group);
        if (is_excused(key, group->setting) || !report_wants(l))
            continue;
        schema_expected(key, expected);
        report_at(l, &place, "is missing, expected %s", expected);
    }
}

static void report_unknown(struct loader *l, const struct schema_key *keys, const struct place *place)
{
    struct buf names;

    if (!report_wants(l))
        return;
    buf_init(&names);
    if (l->in_drop_in && !place->parent->parent)
        schema_drop_in_names(&names);
    else
        schema_names(keys, &names);
    report_at(l, place, "%s, expected one of: %s",
              place->key ? "may not stand in a file of include_dir" : "is not a known key", buf_text(&names));
    buf_done(&names);
}

void load_keys(struct loader *l, const struct schema_key *keys, const struct place *group, void *base)
{
    int count = config_setting_length(group->setting);

    for (int i = 0; i < count; i++) {
        config_setting_t *setting = config_setting_get_elem(group->setting, (unsigned)i);
        const char *name = config_setting_name(setting);
        void *key_base = base;
        const struct place place = {setting, schema_find(keys, name, &key_base), group, name, 0};

        if (!place.key || (l->in_drop_in && !group->parent && !place.key->in_drop_ins))
            report_unknown(l, keys, &place);
        else
            load_value(l, &place, key_base);
    }
    if (!l->partial)
        report_missing(l, keys, group);
}
