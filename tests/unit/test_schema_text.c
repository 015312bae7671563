#include "config/entry_checks.h"
#include "core/duration.h"
#include "tests/unit/keys.h"

#include <stdio.h>

#define MANUAL_PATH  "config/sockwatch.conf.5"
#define SHIPPED_PATH "config/sockwatch.conf"

/* That what is said of a key, in messages and in the manual, and what is done
 * with it cannot disagree. */

typedef void field_fn(const struct schema_key *key, void *field);

/* Calls the function for each key of the whole tree that has a field, with the
 * field: of one element for those of a list. base is a struct config. */
static void each_field(const struct schema_key *keys, void *base, field_fn *fn)
{
    for (const struct schema_key *key = keys; key->name; key++) {
        void *field = schema_field(key, base);

        if (key->type == SCHEMA_LIST) {
            field = schema_append(key, base);
            assert_non_null(field);
            schema_set_defaults(key->children, field);
        }
        if (key->children)
            each_field(key->children, field, fn);
        else
            fn(key, field);
    }
}

static void format_number(const struct schema_key *key, int64_t number,
                          char ret_text[static DURATION_TEXT_MAX])
{
    if (key->type == SCHEMA_DURATION)
        duration_format(number, ret_text);
    else if (key->type == SCHEMA_REAL)
        (void)snprintf(ret_text, DURATION_TEXT_MAX, "%g", (double)number / 1000);
    else
        (void)snprintf(ret_text, DURATION_TEXT_MAX, "%lld", (long long)number);
}

/* Writes "1-65535", with what separates them. */
static void format_bounds(const struct schema_key *key, const char *separator, char *ret_text, size_t size)
{
    char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

    format_number(key, key->min, min);
    format_number(key, key->max, max);
    (void)snprintf(ret_text, size, "%s%s%s", min, separator, max);
}

static bool has_number_bounds(const struct schema_key *key)
{
    return key->type == SCHEMA_INT || key->type == SCHEMA_REAL || key->type == SCHEMA_DURATION;
}

static void assert_expects_its_bounds(const struct schema_key *key)
{
    char text[SCHEMA_EXPECTED_MAX], bounds[64];
    size_t length;

    if (key->type == SCHEMA_INCLUDE)
        return;
    schema_expected(key, text);
    assert_true(*text);
    assert_null(strstr(text, SCHEMA_RANGE));
    if (has_number_bounds(key))
        assert_true(key->min < key->max);
    if (key->max == 0)
        return;
    assert_non_null(strstr(key->expected, SCHEMA_RANGE));
    format_bounds(key, "-", bounds, sizeof bounds);
    length = (size_t)(strstr(key->expected, SCHEMA_RANGE) - key->expected);
    assert_memory_equal(text, key->expected, length);
    assert_memory_equal(text + length, bounds, strlen(bounds));
    assert_string_equal(text + length + strlen(bounds), key->expected + length + strlen(SCHEMA_RANGE));
}

static void what_is_expected_names_the_bounds(void **state)
{
    (void)state;
    each_key(schema_root(), assert_expects_its_bounds);
}

static void what_is_expected_reads_well(void **state)
{
    static const struct {
        const char *group, *name, *expected;
    } cases[] = {
        {"", "poll", "a group {...}"},
        {"", "allow", "a list of groups ( {...}, ... )"},
        {"poll", "listeners", "a duration 20ms-1h such as \"1s\""},
        {"poll", "connections", "a duration 100ms-1h such as \"10s\""},
        {"expect", "name", "a name of 1-64 bytes of UTF-8 without control characters"},
        {"expect", "port", "a port 1-65535"},
        {"allow", "ports", "ports 1-65535 such as \"22\", \"8000-8100\" or \"80,443\""},
        {"expect", "for", "a duration 0s-30d such as \"10s\""},
        {"expect", "accept_queue", "a ratio 0-1 such as 0.8; 0 for any"},
        {"expect", "close_wait_max", "a number of connections 1-1000000000"},
        {"unexpected", "for", "a duration 0s-30d such as \"10s\""},
        {"unexpected", "ignore_loopback", "true or false"},
        {"ephemeral", "max_used", "a ratio 0.001-1 such as 0.8"},
        {"limits", "listeners", "a number 1-65536"},
        {"limits", "series", "a number 0-1000000"},
    };
    char text[SCHEMA_EXPECTED_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        schema_expected(key_at(cases[i].group, cases[i].name), text);
        assert_string_equal(text, cases[i].expected);
    }
}

/* The bounds of a text are held by its parser. */
static void texts_hold_the_bounds_of_their_row(void **state)
{
    const struct schema_key *name = key_at("expect", "name"), *ports = key_at("allow", "ports");
    char text[EXPECT_NAME_MAX + 1] = "", field[EXPECT_NAME_MAX];
    struct matcher match = {0};

    (void)state;
    assert_true(name->min > 0 && name->max == EXPECT_NAME_MAX - 1);
    memset(text, 'n', (size_t)name->max + 1);
    assert_int_equal(name->parse(field, text), -EINVAL);
    assert_int_equal(name->parse(field, text + 1), 0);
    assert_int_equal(name->parse(field, text + name->max + 1 - name->min), 0);
    assert_int_equal(name->parse(field, text + name->max + 2 - name->min), -EINVAL);

    for (int64_t number = ports->min - 1; number <= ports->max + 1; number++) {
        int r = number < ports->min || number > ports->max ? -ERANGE : 0;

        (void)snprintf(text, sizeof text, "%lld", (long long)number);
        assert_int_equal(ports->parse(&match, text), r);
    }
    assert_int_equal(match.port_count, ports->max - ports->min + 1);
    free(match.ports);
    assert_int_equal(key_at("expect", "port")->min, ports->min);
    assert_int_equal(key_at("expect", "port")->max, ports->max);
}

static void assert_in_bounds(const struct schema_key *key, void *field)
{
    if (key->store || !has_number_bounds(key) || !key->initial)
        return;
    if (key->type == SCHEMA_REAL)
        assert_true(*(double *)field * 1000 >= (double)key->min &&
                    *(double *)field * 1000 <= (double)key->max);
    else
        assert_true(*(int64_t *)field >= key->min && *(int64_t *)field <= key->max);
}

static void empty_config(struct config *config)
{
    free(config->listen.items);
    policy_done(&config->policy);
    free(ref_unseal(config->include_dir));
}

static void defaults_are_within_the_bounds(void **state)
{
    struct config config = {0};

    (void)state;
    schema_set_defaults(schema_root(), &config);
    each_field(schema_root(), &config, assert_in_bounds);
    empty_config(&config);
}

static void assert_example_is_valid(const struct schema_key *key, void *field, const char *example)
{
    int64_t ms;

    if (key->put)
        return; /* which begins with a name */
    if (key->clear)
        key->clear(field);
    if (key->type != SCHEMA_DURATION) {
        if (key->parse(field, example) != 0)
            fail_msg("%s: \"%s\" is no valid example", key->name, example);
        return;
    }
    assert_int_equal(duration_parse(example, &ms), 0);
    assert_true(ms >= key->min && ms <= key->max);
}

/* What is in quotes in what is expected. */
static void assert_examples_are_valid(const struct schema_key *key, void *field)
{
    char text[SCHEMA_EXPECTED_MAX], *rest = text, *example;

    schema_expected(key, text);
    for (int part = 0; (example = strsep(&rest, "\"")); part++) {
        if (part % 2 == 0)
            continue;
        assert_non_null(rest); /* a quote that begins ends */
        assert_example_is_valid(key, field, example);
    }
}

static void examples_are_valid(void **state)
{
    struct config config = {0};

    (void)state;
    each_field(schema_root(), &config, assert_examples_are_valid);
    empty_config(&config);
}

/* The manual. Returns owned. */
static char *read_text(const char *path)
{
    enum { BYTES_MAX = 1 << 16 };
    FILE *file = fopen(path, "re");
    char *text = calloc(1, BYTES_MAX);
    size_t length;

    assert_non_null(file);
    assert_non_null(text);
    length = fread(text, 1, BYTES_MAX - 1, file);
    assert_in_range(length, 1, BYTES_MAX - 2);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* The manual from begin to the next such macro, or its next section. Returns
 * owned. */
static char *cut_manual(const char *begin, const char *macro)
{
    const char *end = strstr(begin + 1, macro), *section = strstr(begin + 1, "\n.S");
    char *text;

    if (!end || (section && section < end))
        end = section;
    text = end ? strndup(begin, (size_t)(end - begin)) : strdup(begin);
    assert_non_null(text);
    return text;
}

/* Whether the line names the key: ".It Ic port , ports" or ".It Ic for No = ...". */
static bool item_is_about(const char *item, const char *name)
{
    char line[128], *rest = line, *word;

    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(item, "\n"), item);
    while ((word = strsep(&rest, " ,")) && strcmp(word, "No") != 0)
        if (strcmp(word, name) == 0)
            return true;
    return false;
}

static const char *item_in(const char *section, const char *name)
{
    const char *item = section;

    while ((item = strstr(item, "\n.It Ic "))) {
        item++;
        if (item_is_about(item, name))
            return item;
    }
    fail_msg("the manual has no item about %s in:\n%s", name, section);
    return NULL;
}

static void assert_item_tells(const char *item, const struct schema_key *key)
{
    char bounds[64], initial[64];

    format_bounds(key, " to ", bounds, sizeof bounds);
    if (key->max > 0 && !strstr(item, bounds))
        fail_msg("no \"%s\" in the manual:\n%s", bounds, item);
    if (!key->initial || (key->type == SCHEMA_TEXTS && !key->one_will_do))
        return; /* macros of their own stand in an array */
    (void)snprintf(initial, sizeof initial, " No = %s%s\n",
                   key->type == SCHEMA_INT || key->type == SCHEMA_REAL || key->type == SCHEMA_BOOL ? ""
                                                                                                   : "Qq ",
                   key->initial);
    if (!strstr(item, initial))
        fail_msg("no \"%s\" in the manual:\n%s", initial, item);
}

#define EXPECT_SECTION "\n.Ss expect\n"

/* The keys that allow and deny entries share with expect entries are told about
 * those. */
static size_t assert_manual_tells(const char *section, const struct schema_key *keys)
{
    size_t count = 0;

    for (const struct schema_key *key = keys; key->name; key++) {
        char *item;

        if (key->type == SCHEMA_INCLUDE) {
            if (strncmp(section, EXPECT_SECTION, strlen(EXPECT_SECTION)) == 0)
                count += assert_manual_tells(section, key->children);
            continue;
        }
        if (key->type == SCHEMA_GROUP)
            count += assert_manual_tells(item_in(section, key->name), key->children);
        item = cut_manual(item_in(section, key->name), "\n.It ");
        assert_item_tells(item, key);
        free(item);
        count++;
    }
    return count;
}

static void the_manual_tells_every_key_with_its_bounds_and_default(void **state)
{
    char *manual = read_text(MANUAL_PATH), ports[64];
    size_t count = 0;

    (void)state;
    for (const struct schema_key *key = schema_root(); key->name; key++) {
        char heading[32], *section;
        const char *begin;

        (void)snprintf(heading, sizeof heading, "\n.Ss %s\n", key->name);
        begin = strstr(manual, heading);
        assert_non_null(begin);
        if (!key->children)
            continue;
        section = cut_manual(begin, "\n.Ss ");
        count += assert_manual_tells(section, key->children);
        free(section);
    }
    assert_true(count > 0);
    (void)snprintf(ports, sizeof ports, "one entry names %d at most", ENTRY_PORTS_MAX);
    assert_non_null(strstr(manual, ports));
    (void)snprintf(ports, sizeof ports, "serve HTTP, %d at most", CONFIG_LISTEN_MAX);
    assert_non_null(strstr(manual, ports));
    free(manual);
}

/* As comments, with their defaults. */
static void the_shipped_file_shows_all_limits(void **state)
{
    char *shipped = read_text(SHIPPED_PATH);

    (void)state;
    for (const struct schema_key *key = key_at("", "limits")->children; key->name; key++) {
        char line[64];

        (void)snprintf(line, sizeof line, "\n#  %s = %s;", key->name, key->initial);
        if (!strstr(shipped, line))
            fail_msg("no \"%s\" in " SHIPPED_PATH, line + 1);
    }
    free(shipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_names_the_bounds),
        cmocka_unit_test(what_is_expected_reads_well),
        cmocka_unit_test(texts_hold_the_bounds_of_their_row),
        cmocka_unit_test(defaults_are_within_the_bounds),
        cmocka_unit_test(examples_are_valid),
        cmocka_unit_test(the_manual_tells_every_key_with_its_bounds_and_default),
        cmocka_unit_test(the_shipped_file_shows_all_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
