#include "config/load.h"
#include "core/err.h"

#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void parse(struct loader *l, const char *text, config_t *parsed)
{
    struct place root = {.name = ""};

    config_set_include_dir(parsed, l->scan.directory);
    if (config_read_string(parsed, text) != CONFIG_TRUE) {
        const char *why = config_error_text(parsed), *file = config_error_file(parsed);

        l->partial = true;
        if (!strstr(why, "include file")) /* the scan has said it better */
            error_list_add(&l->errors, l->rank, file ? file : l->path, (unsigned)config_error_line(parsed),
                           "", "%s, expected %s", why,
                           strstr(why, "duplicate") ? "each key once" : "KEY = VALUE;");
    }
    root.setting = config_root_setting(parsed);
    load_keys(l, schema_root(), &root, l->config);
}

static void check_lists(struct loader *l)
{
    for (const struct schema_key *key = schema_root(); key->name; key++)
        if (key->type == SCHEMA_LIST)
            report_checks(l, key);
}

/* Reads the file into a configuration that has the defaults. */
static int load(struct loader *l)
{
    config_t parsed;
    char *text;
    int r = file_scan_all(&l->scan, &text);

    if (r < 0)
        return r;
    config_init(&parsed);
    if (!l->scan.unparsable)
        parse(l, text, &parsed);
    free(text);
    check_lists(l);
    config_destroy(&parsed);
    (void)malloc_trim(0); /* libconfig's tree is many times as large as what is kept, and lies between that */
    return l->errors.count > 0 ? ERR_CONFIG : policy_seal(&l->config->policy);
}

int config_load(const char *path, struct config **ret, struct buf *errors)
{
    struct loader *l = calloc(1, sizeof *l);
    char *copy = strdup(path);
    int r = -ENOMEM;

    if (!l || !copy)
        goto out;
    l->path = path;
    l->scan.path = path;
    l->scan.directory = dirname(copy);
    l->scan.errors = &l->errors;
    l->config = config_new();
    if (!l->config)
        goto out;
    r = load(l);
    if (r < 0 && r != ERR_CONFIG)
        buf_fmt(errors, "%s: cannot be read: %s, expected a configuration file\n", path, err_str(r));
    error_list_print(&l->errors, path, errors);
    if (r == 0)
        *ret = l->config;
    else
        config_unref(l->config);
out:
    if (l) {
        report_done(l);
        error_list_done(&l->errors);
    }
    free(l);
    free(copy);
    return r;
}
