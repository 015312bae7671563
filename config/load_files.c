#include "config/config.h"
#include "config/drop_ins.h"
#include "config/load.h"
#include "config/read_file.h"
#include "config/syntax.h"
#include "core/err.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file as libconfig has parsed it, there until all is checked. */
struct parsed_file {
    struct parsed_file *next;
    char *path; /* owned */
    config_t tree;
};

struct loading {
    struct loader loader;
    struct parsed_file *files; /* owned, the last one first */
    bool alone;                /* without the files of include_dir */
    const char *left_out;      /* the path of one of them that is not read; NULL for none */
};

/* path   takes */
static struct parsed_file *add_file(struct loading *loading, char *path)
{
    struct parsed_file *file = path ? malloc(sizeof *file) : NULL;

    if (!file) {
        free(path);
        return NULL;
    }
    file->path = path;
    file->next = loading->files;
    config_init(&file->tree);
    config_set_include_dir(&file->tree, loading->loader.scan.directory);
    loading->files = file;
    return file;
}

static void free_files(struct loading *loading)
{
    struct parsed_file *next;

    for (struct parsed_file *file = loading->files; file; file = next) {
        next = file->next;
        config_destroy(&file->tree);
        free(file->path);
        free(file);
    }
}

/* libconfig tells an included file by the name that it was included by. */
static ssize_t read_refused(const struct loader *l, const char *file, char **ret_text)
{
    char *path = NULL;
    ssize_t length;

    if (*file == '/' || asprintf(&path, "%s/%s", l->scan.directory, file) < 0)
        return read_file_at(AT_FDCWD, file, ret_text);
    length = read_file_at(AT_FDCWD, path, ret_text);
    free(path);
    return length;
}

/* What libconfig did not take, as far as it can be said better than it says it. */
static void report_syntax(struct loader *l, const char *text, config_t *tree)
{
    const char *why = config_error_text(tree), *file = config_error_file(tree);
    unsigned line = (unsigned)config_error_line(tree);
    struct slip slip;
    char *included = NULL;
    ssize_t length = file ? read_refused(l, file, &included) : (ssize_t)strlen(text);

    if (length >= 0 && !strstr(why, "mismatched") &&
        syntax_find_slip(included ? included : text, (size_t)length, line, &slip)) {
        l->unread_from = slip.unread_from;
        l->unread_path = file;
        error_list_add(&l->errors, l->rank, file ? file : l->path, slip.line, "", "%s, expected %s",
                       slip.what, slip.expected);
    } else {
        error_list_add(&l->errors, l->rank, file ? file : l->path, line, "", "%s, expected %s", why,
                       strstr(why, "mismatched")  ? "values of one kind in [...]"
                       : strstr(why, "duplicate") ? "each key once"
                                                  : "KEY = VALUE;");
    }
    free(included);
}

static void parse(struct loader *l, const char *text, config_t *tree)
{
    struct place root = {.name = ""};

    if (config_read_string(tree, text) != CONFIG_TRUE) {
        l->partial = true;
        if (!strstr(config_error_text(tree), "include file") &&
            !l->scan.shape.open_comment) /* which was said */
            report_syntax(l, text, tree);
    }
    root.setting = config_root_setting(tree);
    load_keys(l, schema_root(), &root, l->config);
}

/* Returns whether there may be more. */
static bool load_drop_in(struct loading *loading, const char *path, const char *text, size_t length)
{
    struct loader *l = &loading->loader;
    struct parsed_file *file = add_file(loading, strdup(path));

    if (!file) {
        error_list_add(&l->errors, l->rank, path, 0, "", "%s", err_str(-ENOMEM));
        return false;
    }
    l->path = file->path;
    l->partial = false;
    l->unread_from = 0;
    l->in_drop_in = true;
    if (!file_scan_drop_in(&l->scan, file->path, l->rank, text, length))
        return false;
    if (!l->scan.unparsable)
        parse(l, text, &file->tree);
    return true;
}

/* One that went after it was listed is not there. */
static bool read_drop_in(struct loading *loading, const char *directory, const struct drop_ins *list,
                         const char *name)
{
    struct loader *l = &loading->loader;
    char shown[4 * NAME_MAX + 1], path[PATH_MAX], *text;
    ssize_t length = read_file_at(list->directory, name, &text);
    bool goes_on;

    if (length == -ENOENT)
        return true;
    text_escape(name, strlen(name), shown, sizeof shown);
    (void)snprintf(path, sizeof path, "%s/%s", directory, shown); /* to be told, not opened */
    if (length < 0) {
        error_list_add(&l->errors, l->rank, path, 0, "",
                       "cannot be read (%s), expected a regular file that user %u, whom sockwatch runs as, "
                       "can read",
                       err_str((int)length), (unsigned)geteuid());
        return true;
    }
    goes_on = load_drop_in(loading, path, text, (size_t)length);
    free(text);
    return goes_on;
}

static void report_directory(struct loader *l, const struct place *place, int error)
{
    if (error == -E2BIG)
        report_at(l, place, "\"%s\" holds too many files, expected at most %d named *.conf",
                  l->config->include_dir, DROP_INS_MAX);
    else if (error == -EOVERFLOW)
        report_at(l, place, "\"%s\" holds too many files, expected at most %d of any name",
                  l->config->include_dir, DROP_INS_NAMES_MAX);
    else
        report_at(l, place,
                  "\"%s\" cannot be read (%s), expected a directory that user %u, whom sockwatch runs as, "
                  "can read",
                  l->config->include_dir, err_str(error), (unsigned)geteuid());
}

/* directory   of the main file; NULL when memory runs out */
static char *include_path(const struct config *config, const char *directory)
{
    char *path;

    if (*config->include_dir == '/')
        return strdup(config->include_dir);
    return asprintf(&path, "%s/%s", directory, config->include_dir) < 0 ? NULL : path;
}

static void read_drop_ins(struct loading *loading, const char *path, const struct drop_ins *list)
{
    const char *left_out = loading->left_out ? drop_ins_name_in(path, loading->left_out) : NULL;

    for (size_t i = 0; i < list->count; i++)
        if ((!left_out || strcmp(list->names[i], left_out) != 0) &&
            !read_drop_in(loading, path, list, list->names[i]))
            break;
}

/* place   of the key that names the directory */
static void load_directory(struct loading *loading, const struct place *place)
{
    struct loader *l = &loading->loader;
    struct drop_ins list;
    char *path = include_path(l->config, l->scan.directory);
    int r = -ENOMEM;

    list = (struct drop_ins){.directory = -1};
    if (path)
        r = drop_ins_list(path, &list);
    if (r < 0)
        report_directory(l, place, r);
    else
        read_drop_ins(loading, path, &list);
    drop_ins_done(&list);
    free(path);
}

static void check_lists(struct loader *l)
{
    for (const struct schema_key *key = schema_root(); key->name; key++)
        if (key->type == SCHEMA_LIST)
            report_checks(l, key);
}

/* The entries of the main file come first, then those of include_dir. */
static int load_all(struct loading *loading)
{
    struct loader *l = &loading->loader;
    struct parsed_file *file = add_file(loading, strdup(l->path));
    const struct place root = {.name = ""};
    struct place place = {.parent = &root, .name = "include_dir"};
    char *text;
    int r = file ? file_scan_all(&l->scan, &text) : -ENOMEM;

    if (r < 0)
        return r;
    if (!l->scan.unparsable)
        parse(l, text, &file->tree);
    free(text);
    place.setting = config_lookup(&file->tree, place.name);
    if (place.setting && l->config->include_dir && !loading->alone)
        load_directory(loading, &place);
    check_lists(l);
    return l->errors.count > 0 ? ERR_CONFIG : policy_seal(&l->config->policy);
}

static int load(struct loading *loading)
{
    int r = load_all(loading);

    free_files(loading);
    report_done(&loading->loader);
    (void)malloc_trim(0); /* libconfig's tree is many times as large as what is kept, and lies between that */
    return r;
}

static int load_into(struct loading *loading, struct config **ret, struct buf *errors)
{
    struct loader *l = &loading->loader;
    const char *path = l->path;
    int r;

    l->scan.path = path;
    l->scan.errors = &l->errors;
    l->config = config_new();
    if (!l->config)
        return -ENOMEM;
    r = load(loading);
    if (r < 0 && r != ERR_CONFIG)
        buf_fmt(errors, "%s: cannot be read: %s, expected a configuration file\n", path, err_str(r));
    error_list_print(&l->errors, path, errors);
    if (r == 0)
        *ret = l->config;
    else
        config_unref(l->config);
    error_list_done(&l->errors);
    return r;
}

static int load_file(const char *path, bool alone, const char *left_out, struct config **ret,
                     struct buf *errors)
{
    struct loading *loading = calloc(1, sizeof *loading);
    char *copy = strdup(path);
    int r = -ENOMEM;

    if (loading && copy) {
        loading->alone = alone;
        loading->left_out = left_out;
        loading->loader.path = path;
        loading->loader.scan.directory = dirname(copy);
        r = load_into(loading, ret, errors);
    }
    free(loading);
    free(copy);
    return r;
}

int config_load(const char *path, struct config **ret, struct buf *errors)
{
    return load_file(path, false, NULL, ret, errors);
}

int config_load_without(const char *path, const char *drop_in, struct config **ret, struct buf *errors)
{
    return load_file(path, false, drop_in, ret, errors);
}

int config_load_alone(const char *path, struct config **ret, struct buf *errors)
{
    return load_file(path, true, NULL, ret, errors);
}

int config_find_drop_in(const struct config *config, const char *path, const char *file)
{
    char *copy, *directory;
    const char *name;
    int r = -ENOMEM;

    if (!config->include_dir)
        return 0;
    copy = strdup(path);
    directory = copy ? include_path(config, dirname(copy)) : NULL;
    if (directory) {
        name = drop_ins_name_in(directory, file);
        r = !name ? 0 : drop_ins_have_name(name) ? 1 : -EINVAL;
    }
    free(directory);
    free(copy);
    return r;
}
