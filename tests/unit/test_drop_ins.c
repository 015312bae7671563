#include "config/drop_ins.h"
#include "config/read_file.h"
#include "tests/unit/config_files.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* A main file that includes a directory, with files in it. */

#define MAIN "include_dir = \"conf.d\";\n"

static void write_drop_in(struct fixture *f, const char *name, const char *text)
{
    char path[PATH_TEXT_MAX / 2];

    if (access(new_path(f, "conf.d"), F_OK) < 0)
        assert_int_equal(mkdir(new_path(f, "conf.d"), 0755), 0);
    (void)snprintf(path, sizeof path, "conf.d/%s", name);
    write_file(f, path, text, strlen(text));
}

/* The names of what is expected, in their order. */
static void assert_names(const struct fixture *f, const char *wanted)
{
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < f->config->policy.expect_count; i++)
        buf_fmt(&names, "%s ", f->config->policy.expects[i].name);
    assert_string_equal(buf_text(&names), wanted);
    buf_done(&names);
}

/* These errors and no others, each behind the directory of the main file, in
 * their order; each is the beginning of its line. */
static void assert_errors(struct fixture *f, const char *text, const char *const *wanted, size_t count)
{
    const char *errors;

    assert_int_equal(load(f, text), ERR_CONFIG);
    errors = buf_text(&f->errors);
    for (size_t i = 0; i < count; i++) {
        char line[512];

        (void)snprintf(line, sizeof line, "%s/%s", f->directory, wanted[i]);
        if (strncmp(errors, line, strlen(line)) != 0)
            fail_msg("expected \"%s\", not:\n%s", line, errors);
        errors += strcspn(errors, "\n") + 1;
    }
    assert_string_equal(errors, "");
}

static void assert_error(struct fixture *f, const char *text, const char *wanted)
{
    assert_errors(f, text, &wanted, 1);
}

static void entries_follow_those_of_the_main_file_in_order(void **state)
{
    struct fixture *f = *state;

    write_drop_in(f, "b.conf", "expect = ( { name = \"b\"; port = 2; } );");
    write_drop_in(f, "a.conf", "allow = ( { port = 7; } ); expect = ( { name = \"a\"; port = 3; } );");
    write_drop_in(f, "Z.conf", "expect = ( { name = \"Z\"; port = 4; }, { name = \"Y\"; port = 5; } )");
    write_drop_in(f, "10.conf", "# nothing");
    assert_loads(f, "include_dir = \"conf.d\"; expect = ( { name = \"main\"; port = 1; } );\n"
                    "allow = ( { port = 6; } );");
    assert_names(f, "main Z Y a b ");
    assert_int_equal(f->config->policy.allow_count, 2);
    assert_int_equal(f->config->policy.allows[0].match.ports[0].first, 6);
    assert_int_equal(f->config->policy.allows[1].match.ports[0].first, 7);
}

static void other_files_are_left_alone(void **state)
{
    static const char *const names[] = {".hidden.conf", ".conf",       "a.conf~",        "a.conf.dpkg-new",
                                        "#a.conf#",     "a.conf.orig", "README",         "aconf",
                                        ".a.conf.swp",  "a.CONF",      "a.conf.dpkg-old"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        write_drop_in(f, names[i], "{{ nonsense");
    write_drop_in(f, "a.conf", "expect = ( { name = \"a\"; port = 1; } );");
    assert_loads(f, MAIN);
    assert_names(f, "a ");
}

static void a_directory_that_is_not_there_is_fine(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, MAIN);
    assert_loads(f, "include_dir = \"no/such/directory\";");
    assert_string_equal(f->config->include_dir, "no/such/directory");
    assert_loads(f, "poll: { };");
    assert_null(f->config->include_dir);
}

static void an_absolute_directory_is_taken_as_it_is(void **state)
{
    struct fixture *f = *state;
    char text[2 * PATH_TEXT_MAX];

    write_drop_in(f, "a.conf", "expect = ( { name = \"a\"; port = 1; } );");
    (void)snprintf(text, sizeof text, "include_dir = \"%s/conf.d\";", f->directory);
    assert_loads(f, text);
    assert_names(f, "a ");
}

static void names_of_directories_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_error(f, "include_dir = \"\";",
                 "main.conf:1: include_dir: \"\" is not valid, expected a directory");
    assert_error(f, "\ninclude_dir = 7;", "main.conf:2: include_dir: is a number, expected a directory");
    assert_error(f, "include_dir = \"a\\nb\";", "main.conf:1: include_dir: \"a?b\" is not valid");
    assert_error(
        f, "include_dir = \"main.conf\";",
        "main.conf:1: include_dir: \"main.conf\" cannot be read (Not a directory), expected a directory");
}

static void a_directory_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("loop", new_path(f, "loop")), 0);
    assert_error(
        f, "poll: { };\ninclude_dir = \"loop\";",
        "main.conf:2: include_dir: \"loop\" cannot be read (Too many levels of symbolic links), expected");
    assert_int_equal(symlink("nowhere", new_path(f, "dangling")), 0);
    assert_error(
        f, "include_dir = \"dangling\";",
        "main.conf:1: include_dir: \"dangling\" cannot be read (it is a link that leads nowhere), expected");
    assert_int_equal(mkfifo(new_path(f, "fifo"), 0600), 0);
    assert_error(f, "include_dir = \"fifo\";",
                 "main.conf:1: include_dir: \"fifo\" cannot be read (Not a directory), expected");
}

static void errors_of_every_file_are_told_in_order(void **state)
{
    static const char *const wanted[] = {
        "main.conf:2: pol: is not a known key, expected one of: poll, connections, web",
        "main.conf:3: expect[0].port: 0 is out of range",
        "conf.d/a.conf:2: expect[0].port: 70000 is out of range",
        "conf.d/a.conf:3: color: is not a known key, expected one of: expect, allow, deny",
        ("conf.d/b.conf:1: limits: may not stand in a file of include_dir, expected one of: expect, allow, "
         "deny"),
        "conf.d/c.conf:2: port: 4294967297 does not fit in 32 bits",
        "conf.d/d.conf:1: expect[0].name: is missing",
    };
    struct fixture *f = *state;

    write_drop_in(f, "a.conf", "\nexpect = ( { name = \"a\"; port = 70000; } );\ncolor = 1;");
    write_drop_in(f, "b.conf", "limits: { series = -7; };");
    write_drop_in(f, "c.conf", "\nallow = ( { port = 4294967297; } );");
    write_drop_in(f, "d.conf", "expect = ( { port = 1; } );");
    assert_errors(f, MAIN "pol = 1;\nexpect = ( { name = \"m\"; port = 0; } );", wanted,
                  ARRAY_LENGTH(wanted));
}

static void only_entries_may_stand_there(void **state)
{
    static const char *const keys[] = {"poll: { };", "web: { };", "unexpected: { };", "limits: { };",
                                       "include_dir = \"conf.d\";"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        char wanted[256];

        write_drop_in(f, "a.conf", keys[i]);
        (void)snprintf(wanted, sizeof wanted,
                       "conf.d/a.conf:1: %.*s: may not stand in a file of include_dir, "
                       "expected one of: expect, allow, deny\n",
                       (int)strcspn(keys[i], ": "), keys[i]);
        assert_error(f, MAIN, wanted);
    }
    write_drop_in(f, "a.conf", "@include \"b.conf\"\n");
    assert_error(f, MAIN, "conf.d/a.conf:1: @include: may not stand in a file of include_dir, expected");
}

static void the_main_file_is_no_drop_in_of_itself(void **state)
{
    assert_error(*state, "include_dir = \".\";",
                 "./main.conf:1: include_dir: may not stand in a file of include_dir");
}

static void contradictions_between_files_name_both(void **state)
{
    struct fixture *f = *state;
    char wanted[2][3 * PATH_TEXT_MAX];
    const char *const lines[] = {wanted[0], wanted[1]};

    write_drop_in(f, "a.conf", "expect = (\n { name = \"a\"; port = 9; },\n { name = \"a\"; port = 80; } );");
    write_drop_in(f, "b.conf", "expect = ( { name = \"b\";\n ports = \"1-10\"; } );");
    (void)snprintf(
        wanted[0], sizeof wanted[0],
        "conf.d/a.conf:3: expect[1].name: the port is expected before as \"web\" (%s:3), expected an address",
        f->path);
    (void)snprintf(wanted[1], sizeof wanted[1],
                   "conf.d/b.conf:1: expect[0].name: the port is expected before as \"a\" "
                   "(%s/conf.d/a.conf:2), expected",
                   f->directory);
    assert_errors(f, MAIN "expect = (\n { name = \"web\"; port = 80; } );", lines, 2);
}

static void what_one_file_leaves_open_ends_with_it(void **state)
{
    struct fixture *f = *state;

    write_drop_in(f, "a.conf", "expect = ( { name = \"a\";");
    write_drop_in(f, "b.conf", "expect = ( { name = \"b\"; port = 0; } );");
    assert_int_equal(load(f, MAIN), ERR_CONFIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 2);
    assert_non_null(strstr(buf_text(&f->errors), "conf.d/a.conf:1: \"{\" is not closed, expected "));
    assert_non_null(strstr(buf_text(&f->errors), "conf.d/b.conf:1: expect[0].port: 0 is out of range"));
}

static void assert_no_file(struct fixture *f, const char *why)
{
    char wanted[256];

    (void)snprintf(wanted, sizeof wanted,
                   "conf.d/x.conf: cannot be read (%s), expected a regular file that user %u", why,
                   (unsigned)geteuid());
    assert_error(f, MAIN, wanted);
    assert_int_equal(remove(new_path(f, "conf.d/x.conf")), 0);
}

/* None of which is opened, and nothing waits. */
static void what_is_no_file_is_an_error(void **state)
{
    static const char irregular[] = "it is no regular file";
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *path;

    write_drop_in(f, "a.conf", "");
    path = new_path(f, "conf.d/x.conf");
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_no_file(f, irregular);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_no_file(f, "Is a directory");
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_no_file(f, irregular);
    assert_int_equal(symlink("x.conf", path), 0);
    assert_no_file(f, "Too many levels of symbolic links");
    assert_int_equal(symlink("../nowhere", path), 0);
    assert_no_file(f, "it is a link that leads nowhere");
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(socket_fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_no_file(f, irregular);
    assert_int_equal(close(socket_fd), 0);
}

enum { NOBODY = 65534 };

static void a_file_that_may_not_be_read_is_an_error(void **state)
{
    struct fixture *f = *state;
    bool is_root = geteuid() == 0; /* who may read all */

    if (is_root) {
        assert_int_equal(chown(f->directory, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    write_drop_in(f, "x.conf", "expect = ( );");
    assert_int_equal(chmod(new_path(f, "conf.d/x.conf"), 0), 0);
    assert_no_file(f, "Permission denied");
    write_drop_in(f, "x.conf", "expect = ( );");
    assert_int_equal(chmod(new_path(f, "conf.d"), 0), 0);
    assert_error(f, MAIN,
                 "main.conf:1: include_dir: \"conf.d\" cannot be read (Permission denied), expected");
    assert_int_equal(chmod(new_path(f, "conf.d"), 0755), 0);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
}

static void links_to_files_are_files(void **state)
{
    static const char text[] = "expect = ( { name = \"a\"; port = 1; } );";
    struct fixture *f = *state;

    write_file(f, "real", text, strlen(text));
    write_drop_in(f, "b.conf", "");
    assert_int_equal(symlink("../real", new_path(f, "conf.d/a.conf")), 0);
    assert_loads(f, MAIN);
    assert_names(f, "a ");
}

/* As between the listing and the reading. */
static void what_has_gone_is_told_from_what_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;

    assert_int_equal(read_file_at(AT_FDCWD, new_path(f, "gone"), &text), -ENOENT);
    assert_null(text);
}

static void errors_are_one_line_whatever_the_name(void **state)
{
    struct fixture *f = *state;

    write_drop_in(f, "a\nb\xff.conf", "x = 1;");
    assert_error(f, MAIN, "conf.d/a\\x0ab\\xff.conf:1: x: is not a known key");
}

static void numbered_path(const struct fixture *f, size_t number, char ret_path[static PATH_TEXT_MAX])
{
    (void)snprintf(ret_path, PATH_TEXT_MAX, "%s/conf.d/%05zu.conf", f->directory, number);
}

static void write_numbered(const struct fixture *f, size_t number)
{
    char path[PATH_TEXT_MAX];
    FILE *file;

    numbered_path(f, number, path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "expect = ( { name = \"%zu\"; port = %zu; } );\n", number, number + 1) > 0);
    assert_int_equal(fclose(file), 0);
}

static void link_numbered(const struct fixture *f, size_t number)
{
    char first[PATH_TEXT_MAX], path[PATH_TEXT_MAX];

    numbered_path(f, 0, first);
    numbered_path(f, number, path);
    assert_int_equal(link(first, path), 0);
}

static void remove_numbered(const struct fixture *f, size_t number)
{
    char path[PATH_TEXT_MAX];

    numbered_path(f, number, path);
    assert_int_equal(unlink(path), 0);
}

static double cpu_seconds_of(struct fixture *f, int wanted)
{
    clock_t before = clock();

    assert_int_equal(load(f, MAIN), wanted);
    return (double)(clock() - before) / CLOCKS_PER_SEC;
}

static void a_directory_has_a_thousand_files_at_most(void **state)
{
    struct fixture *f = *state;

    write_drop_in(f, "README", "");
    for (size_t i = 0; i < 1000; i++)
        write_numbered(f, i);
    assert_true(cpu_seconds_of(f, 0) < 1);
    assert_int_equal(f->config->policy.expect_count, 1000);
    assert_string_equal(f->config->policy.expects[999].name, "999");
    for (size_t i = 1000; i < 10000; i++)
        link_numbered(f, i);
    assert_true(cpu_seconds_of(f, ERR_CONFIG) < 1);
    for (size_t i = 0; i < 10000; i++)
        remove_numbered(f, i);
    assert_int_equal(count_lines(buf_text(&f->errors)), 1);
    assert_non_null(strstr(buf_text(&f->errors), "main.conf:1: include_dir: \"conf.d\" holds too many files, "
                                                 "expected at most 1000 named *.conf\n"));
}

static void all_files_together_are_as_large_as_one_may_be(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(500000 + 1);

    assert_non_null(text);
    memset(text, '\n', 500000);
    text[500000] = '\0';
    write_drop_in(f, "a.conf", text);
    write_drop_in(f, "b.conf", text);
    assert_loads(f, MAIN);
    write_drop_in(f, "c.conf", text);
    write_drop_in(f, "d.conf", "x = 1;");
    free(text);
    assert_error(f, MAIN,
                 "conf.d/c.conf: makes the configuration too large, expected at most 1048576 bytes, all "
                 "files of include_dir together");
}

static void keys_are_counted_for_each_file(void **state)
{
    struct fixture *f = *state;
    struct buf keys;

    buf_init(&keys);
    for (int i = 0; i < 3000; i++)
        buf_fmt(&keys, "k%d=1;", i);
    write_drop_in(f, "a.conf", buf_text(&keys));
    write_drop_in(f, "b.conf", buf_text(&keys));
    buf_done(&keys);
    assert_int_equal(load(f, MAIN), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&f->errors), "5900 more errors"));
    assert_null(strstr(buf_text(&f->errors), "is one key too many"));
}

static void what_is_shown_is_one_file_that_says_the_same(void **state)
{
    struct fixture *f = *state;
    struct buf first, second;

    write_drop_in(f, "a.conf",
                  "expect = ( { name = \"a\"; port = 2; for = \"3s\"; } ); allow = ( { port = 3; } );");
    assert_loads(f, MAIN "expect = ( { name = \"main\"; port = 1; } ); unexpected: { };");
    buf_init(&first);
    buf_init(&second);
    config_show(f->config, &first);
    assert_loads(f, buf_text(&first));
    assert_names(f, "main a ");
    assert_int_equal(f->config->policy.expects[1].for_ms, 3000);
    assert_int_equal(f->config->policy.allow_count, 1);
    assert_null(f->config->include_dir);
    config_show(f->config, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    buf_done(&first);
    buf_done(&second);
}

/* As before it is written anew, whatever is wrong with it. */
static void one_file_may_be_left_out(void **state)
{
    struct fixture *f = *state;
    char same[PATH_TEXT_MAX * 2];

    write_drop_in(f, "a.conf", "expect = ( { name = \"a\"; port = 1; } );");
    write_drop_in(f, "b.conf", "expect = wrong");
    write_file(f, "main.conf", MAIN, strlen(MAIN));
    (void)snprintf(same, sizeof same, "%s/conf.d/../conf.d/b.conf", f->directory);
    buf_init(&f->errors);
    assert_int_equal(config_load_without(f->path, same, &f->config, &f->errors), 0);
    assert_names(f, "a ");
    config_unref(f->config);
    f->config = NULL;
    assert_int_equal(config_load_without(f->path, "b.conf", &f->config, &f->errors), ERR_CONFIG);
    assert_int_equal(config_load_without(f->path, NULL, &f->config, &f->errors), ERR_CONFIG);
    assert_int_equal(config_load_alone(f->path, &f->config, &f->errors), 0);
    assert_names(f, "");
    assert_string_equal(f->config->include_dir, "conf.d");
}

static void a_file_is_one_of_the_directory_by_its_place_and_name(void **state)
{
    static const struct {
        const char *file;
        int wanted;
    } cases[] = {{"conf.d/new.conf", 1},      {"conf.d/../conf.d/a.conf", 1}, {"conf.d/.new.conf", -EINVAL},
                 {"conf.d/new", -EINVAL},     {"conf.d/", -EINVAL},           {"new.conf", 0},
                 {"none/conf.d/new.conf", 0}, {"conf.d/a.conf/new.conf", 0}};
    struct fixture *f = *state;

    write_drop_in(f, "a.conf", "");
    assert_loads(f, MAIN);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char path[PATH_TEXT_MAX * 2];

        (void)snprintf(path, sizeof path, "%s/%s", f->directory, cases[i].file);
        assert_int_equal(config_find_drop_in(f->config, f->path, path), cases[i].wanted);
    }
    assert_int_equal(config_find_drop_in(f->config, f->path, "new.conf"), 0);
    assert_loads(f, "");
    assert_int_equal(config_find_drop_in(f->config, f->path, "conf.d/new.conf"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(entries_follow_those_of_the_main_file_in_order),
        WITH_FILES(other_files_are_left_alone),
        WITH_FILES(a_directory_that_is_not_there_is_fine),
        WITH_FILES(an_absolute_directory_is_taken_as_it_is),
        WITH_FILES(names_of_directories_that_are_none_are_refused),
        WITH_FILES(a_directory_that_cannot_be_read_is_an_error),
        WITH_FILES(errors_of_every_file_are_told_in_order),
        WITH_FILES(only_entries_may_stand_there),
        WITH_FILES(the_main_file_is_no_drop_in_of_itself),
        WITH_FILES(one_file_may_be_left_out),
        WITH_FILES(a_file_is_one_of_the_directory_by_its_place_and_name),
        WITH_FILES(contradictions_between_files_name_both),
        WITH_FILES(what_one_file_leaves_open_ends_with_it),
        WITH_FILES(what_is_no_file_is_an_error),
        WITH_FILES(a_file_that_may_not_be_read_is_an_error),
        WITH_FILES(links_to_files_are_files),
        WITH_FILES(what_has_gone_is_told_from_what_cannot_be_read),
        WITH_FILES(errors_are_one_line_whatever_the_name),
        WITH_FILES(a_directory_has_a_thousand_files_at_most),
        WITH_FILES(all_files_together_are_as_large_as_one_may_be),
        WITH_FILES(keys_are_counted_for_each_file),
        WITH_FILES(what_is_shown_is_one_file_that_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
