/* Configuration files in a directory of their own for each test, and what loading
 * them says. */
#ifndef SOCKWATCH_TESTS_UNIT_CONFIG_FILES_H
#define SOCKWATCH_TESTS_UNIT_CONFIG_FILES_H

#include "config/config.h"
#include "core/err.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 128, FILES_MAX = 32 };

/* A directory of its own for each test. */
struct fixture {
    char directory[64];
    char path[PATH_TEXT_MAX];             /* the main file */
    char paths[FILES_MAX][PATH_TEXT_MAX]; /* all files written */
    size_t path_count;
    struct config *config; /* NULL unless the last load succeeded */
    struct buf errors;     /* of the last load */
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/sockwatch-test-XXXXXX");
    if (!mkdtemp(f->directory)) {
        free(f);
        return -1;
    }
    (void)snprintf(f->path, sizeof f->path, "%s/main.conf", f->directory);
    *state = f;
    return 0;
}

/* The last ones first, so that a directory is empty. */
static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    int r;

    for (size_t i = f->path_count; i > 0; i--)
        (void)remove(f->paths[i - 1]);
    r = rmdir(f->directory);
    config_unref(f->config);
    buf_done(&f->errors);
    free(f);
    return r;
}

/* Returns the path of what the caller makes below the directory; it is removed
 * in the end. */
static inline const char *new_path(struct fixture *f, const char *name)
{
    char path[PATH_TEXT_MAX];
    size_t i = 0;

    (void)snprintf(path, sizeof path, "%s/%s", f->directory, name);
    while (i < f->path_count && strcmp(f->paths[i], path) != 0)
        i++;
    if (i == f->path_count) {
        assert_true(f->path_count < FILES_MAX);
        memcpy(f->paths[f->path_count++], path, sizeof path);
    }
    return f->paths[i];
}

static inline void write_file(struct fixture *f, const char *name, const char *text, size_t length)
{
    FILE *file = fopen(new_path(f, name), "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline int load_bytes(struct fixture *f, const char *text, size_t length)
{
    write_file(f, "main.conf", text, length);
    config_unref(f->config);
    f->config = NULL;
    buf_done(&f->errors);
    return config_load(f->path, &f->config, &f->errors);
}

static inline int load(struct fixture *f, const char *text)
{
    return load_bytes(f, text, strlen(text));
}

static inline void assert_loads(struct fixture *f, const char *text)
{
    int r = load(f, text);

    assert_string_equal(buf_text(&f->errors), "");
    assert_int_equal(r, 0);
    assert_non_null(f->config);
}

static inline size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* The last load must have failed with exactly these errors, one a line, in any
 * order. Each is wanted as the beginning of what follows "FILE:". */
static inline void assert_reported(const struct fixture *f, int r, const char *const *wanted, size_t count)
{
    const char *errors = buf_text(&f->errors);

    assert_int_equal(r, ERR_CONFIG);
    assert_null(f->config);
    for (size_t i = 0; i < count; i++) {
        char line[512];

        (void)snprintf(line, sizeof line, "%s:%s", f->path, wanted[i]);
        if (!strstr(errors, line))
            fail_msg("no error \"%s\" in:\n%s", line, errors);
    }
    if (count_lines(errors) != count)
        fail_msg("expected %zu errors:\n%s", count, errors);
    while (*errors) {
        size_t length = strcspn(errors, "\n");

        assert_non_null(memmem(errors, length, ", expected ", strlen(", expected ")));
        errors += length + 1;
    }
}

static inline void assert_refuses(struct fixture *f, const char *text, const char *wanted)
{
    int r = load(f, text);

    assert_reported(f, r, &wanted, 1);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
