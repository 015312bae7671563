#include "tests/unit/config_files.h"

#include <time.h>

/* Configurations that are as large, or as wrong, as they come. */

/* What is told of entries together stands where the later one does. */
static void errors_stand_in_the_order_of_the_entries(void **state)
{
    static const char text[] =
        "expect = (\n"
        "  { name = \"a\"; port = 80; },\n"
        "  7,\n"
        "  { name = \"a\"; port = 80; for = \"x\"; accept_queue = 0.5; protocol = \"tcp\"; },\n"
        "  { name = \"b\"; ports = \"1-3000\"; color = 1; },\n"
        "  { name = \"c\"; port = 0; });\n"
        "colour = 1;\n";
    static const struct {
        const char *line, *key;
    } wanted[] = {{"3", "expect[1]: is"},
                  {"4", "expect[2].for: \"x\""},
                  {"4", "expect[2].name: \"a\""},
                  {"5", "expect[3].color: is"},
                  {"5", "expect[3].ports: name"},
                  {"5", "expect[3].name: the port is expected before as \"a\""},
                  {"5", "expect[3].name: the port"},
                  {"6", "expect[4].port: 0"},
                  {"7", "colour: is not"}};
    struct fixture *f = *state;
    const char *errors;

    assert_int_equal(load(f, text), ERR_CONFIG);
    errors = buf_text(&f->errors);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        char line[256];

        (void)snprintf(line, sizeof line, "%s:%s: %s", f->path, wanted[i].line, wanted[i].key);
        if (strncmp(errors, line, strlen(line)) != 0)
            fail_msg("expected \"%s\", not:\n%s", line, errors);
        errors += strcspn(errors, "\n") + 1;
    }
    assert_string_equal(errors, "");
}

/* The n-th group of a list. */
typedef void group_fn(struct buf *text, size_t n);

static void distinct_port(struct buf *text, size_t n)
{
    buf_fmt(text, "{ name = \"a\"; port = %zu; protocol = \"%s\"; }", n % 32768 + 1,
            n < 32768 ? "tcp" : "udp");
}

static void own_address(struct buf *text, size_t n)
{
    buf_fmt(text, "{ name = \"%zu\"; port = 1; address = \"10.%zu.%zu.%zu\"; }", n, n >> 16, n >> 8 & 255,
            n & 255);
}

static void same_entry(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "{ name = \"a\"; port = 1; }");
}

static void wide_entry(struct buf *text, size_t n)
{
    buf_fmt(text, "{ name = \"%zu\"; ports = \"1-1000\"; }", n);
}

static void one_listen(struct buf *text, size_t n)
{
    buf_fmt(text, "\"10.%zu.%zu.%zu:1\"", n >> 16, n >> 8 & 255, n & 255);
}

static void one_key(struct buf *text, size_t n)
{
    buf_fmt(text, "key%zu = 1", n);
}

static void one_number(struct buf *text, size_t n)
{
    (void)n;
    buf_char(text, '1');
}

static void add_groups(struct buf *text, size_t count, group_fn *group, const char *separator)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_str(text, separator);
        group(text, i);
    }
}

static int load_groups(struct fixture *f, const char *head, size_t count, group_fn *group,
                       const char *separator, const char *tail)
{
    struct buf text;
    int r;

    buf_init(&text);
    buf_str(&text, head);
    add_groups(&text, count, group, separator);
    buf_str(&text, tail);
    assert_false(text.failed);
    assert_true(text.len <= 1 << 20);
    r = load_bytes(f, buf_text(&text), text.len);
    buf_done(&text);
    return r;
}

static int load_entries(struct fixture *f, size_t count, group_fn *group)
{
    return load_groups(f, "expect = (", count, group, ",\n", ");\n");
}

/* CPU seconds, the least of three. */
static double loading_takes(struct fixture *f, size_t count, group_fn *group)
{
    double least = 1e9;

    for (int i = 0; i < 3; i++) {
        clock_t before = clock();
        double took;

        (void)load_entries(f, count, group);
        took = (double)(clock() - before) / CLOCKS_PER_SEC;
        least = took < least ? took : least;
    }
    return least;
}

/* Eight times as many take eight times as long or not much more; each compared
 * with all before it, 64 times. */
static void many_entries_take_no_longer_each_than_few(void **state)
{
    static group_fn *const groups[] = {distinct_port, own_address, same_entry, wide_entry};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        double few = loading_takes(f, 2000, groups[i]), many = loading_takes(f, 16000, groups[i]);

        if (many > few * 28)
            fail_msg("shape %zu: %g s for 2000 entries, %g s for 16000", i, few, many);
    }
}

static void the_most_entries_of_a_file_load(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_groups(f, "expect=(", 20000, distinct_port, ",", ");"), 0);
    assert_int_equal(f->config->policy.expect_count, 20000);
    assert_int_equal(load_entries(f, 19000, own_address), 0);
    assert_int_equal(f->config->policy.expect_count, 19000);
}

static void errors_of_entries_that_are_all_the_same_have_an_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_entries(f, 30000, same_entry), ERR_CONFIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 101);
    assert_non_null(strstr(buf_text(&f->errors), ":2: expect[1].name: \"a\" is used before"));
}

static void says_how_many_errors_there_are(void **state)
{
    struct fixture *f = *state;

    /* Each entry with each before it: 15 * 14 / 2. */
    assert_int_equal(load_entries(f, 15, same_entry), ERR_CONFIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 101);
    assert_non_null(strstr(buf_text(&f->errors), ": 5 more errors\n"));
}

static void refuses_what_libconfig_would_take_too_long_for(void **state)
{
    struct fixture *f = *state;
    const char *wanted;
    int r;

    r = load_groups(f, "", 60000, one_key, ";\n", ";");
    wanted = "5001: key5000: is one key too many, expected at most 5000 in a group";
    assert_reported(f, r, &wanted, 1);
    r = load_groups(f, "", 5000, one_key, ";\n", ";");
    assert_int_equal(r, ERR_CONFIG);
    assert_non_null(strstr(buf_text(&f->errors), ": 4900 more errors\n"));
    r = load_groups(f, "web = { listen = (\n", 500000, one_number, ",", "); };");
    wanted = "2: has too many settings, expected at most 400000 of them";
    assert_reported(f, r, &wanted, 1);
}

static void one_include(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "@include \"part.conf\"\n");
}

static void includes_a_thousand_files_at_most(void **state)
{
    const char *wanted = "1001: @include: is one too many, expected at most 1000";
    struct fixture *f = *state;

    write_file(f, "part.conf", "", 0);
    assert_int_equal(load_groups(f, "", 1000, one_include, "", ""), 0);
    assert_reported(f, load_groups(f, "", 40000, one_include, "", ""), &wanted, 1);
}

static void all_files_together_have_a_size(void **state)
{
    const char *wanted =
        "3: @include: \"part.conf\" makes the configuration too large, expected at most 2097152 bytes";
    const size_t length = 700000;
    char *text = malloc(length);
    struct fixture *f = *state;

    assert_non_null(text);
    memset(text, '\n', length);
    write_file(f, "part.conf", text, length);
    free(text);
    assert_int_equal(load_groups(f, "", 2, one_include, "", ""), 0);
    assert_reported(f, load_groups(f, "", 3, one_include, "", ""), &wanted, 1);
}

/* libconfig would read them again for every block of 8 KiB. */
static void texts_of_included_files_are_not_endless(void **state)
{
    static const struct {
        const char *head;
        char byte;
        const char *tail;
    } cases[] = {{"", ' ', ""}, {"#", 'x', "\n"}, {"a = \"", 'x', "\";"}, {"", 'x', " = 1;"}};
    const char *wanted = "part.conf:1: a text, comment or blank that ends here is too long";
    char *text = malloc(1 << 20);
    struct fixture *f = *state;

    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t head = strlen(cases[i].head), tail = strlen(cases[i].tail);

        for (size_t length = 65000; length <= 66000; length += 1000) {
            memset(text, cases[i].byte, head + length);
            memcpy(text, cases[i].head, head);
            memcpy(text + head + length, cases[i].tail, tail);
            write_file(f, "part.conf", text, head + length + tail);
            (void)load(f, "@include \"part.conf\"\n");
            assert_int_equal(strstr(buf_text(&f->errors), wanted) != NULL, length > 65536);
        }
    }
    free(text);
}

/* They all stand in one group. */
static void keys_of_included_files_are_counted_together(void **state)
{
    const char *wanted = "1: key0: is one key too many, expected at most 5000 in a group";
    struct fixture *f = *state;
    char path[PATH_TEXT_MAX];
    struct buf part;
    int r;

    buf_init(&part);
    add_groups(&part, 2500, one_key, ";\n");
    write_file(f, "part.conf", buf_text(&part), part.len);
    buf_done(&part);
    r = load_groups(f, "", 3, one_include, "", "");
    assert_int_equal(r, ERR_CONFIG);
    (void)snprintf(path, sizeof path, "part.conf:%s", wanted);
    if (!strstr(buf_text(&f->errors), path))
        fail_msg("no \"%s\" in:\n%s", path, buf_text(&f->errors));
}

static void serves_on_no_more_addresses_than_each_listener_can_be_compared_with(void **state)
{
    const char *wanted = "2: web.listen[64]: \"10.0.0.64:1\" is one too many, expected ADDRESS:PORT";
    struct fixture *f = *state;
    int r = load_groups(f, "web = { listen = [\n", CONFIG_LISTEN_MAX, one_listen, ",", "]; };");

    assert_int_equal(r, 0);
    r = load_groups(f, "web = { listen = [\n", CONFIG_LISTEN_MAX + 1, one_listen, ",", "]; };");
    assert_reported(f, r, &wanted, 1);
}

static void shown_again(struct fixture *f, struct buf *ret)
{
    buf_init(ret);
    config_show(f->config, ret);
    assert_int_equal(load_bytes(f, buf_text(ret), ret->len), 0);
}

/* With all defaults it would be eight times as large. */
static void a_large_configuration_is_shown_so_that_it_loads_again(void **state)
{
    static const char head[] =
        "limits: { series = 7; }; unexpected: {};\n"
        "allow = ({ port = 22; address = \"192.0.2.1\"; process = \"a b\\\\\"; });\n"
        "expect = ({ name = \"x \\\"y\"; ports = \"1,3-5\"; protocol = \"sctp\"; for = \"5s\"; "
        "families = [ \"ipv4\", \"ipv6\" ]; accept_queue = 0.5; connections: { min = 0; }; },\n";
    struct fixture *f = *state;
    struct buf first, second;
    const struct expect *e;

    assert_int_equal(load_groups(f, head, 20000, distinct_port, ",", ");"), 0);
    shown_again(f, &first);
    e = f->config->policy.expects;
    assert_int_equal(f->config->policy.expect_count, 20001);
    assert_string_equal(e[0].name, "x \"y");
    assert_int_equal(e[0].match.port_count, 2);
    assert_true(e[0].families[0] && e[0].families[1]);
    assert_int_equal(e[0].for_ms, 5000);
    assert_true(e[0].connections_limited && !e[1].connections_limited);
    assert_int_equal(e[20000].match.ports[0].first, 20000);
    assert_int_equal(e[20000].severity, SEVERITY_CRITICAL);
    assert_string_equal(f->config->policy.allows[0].match.owner.process, "a b\\");
    assert_int_equal(f->config->limits.series, 7);
    assert_int_equal(f->config->limits.listeners, 4096);
    assert_true(f->config->policy.unexpected.enabled);
    shown_again(f, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    buf_done(&first);
    buf_done(&second);
}

/* To the last byte: the shortest file that says so. */
static void shortest_entry(struct buf *text, size_t n)
{
    buf_fmt(text, "{port=%zu}", 10000 + n % 50000);
}

static void the_shortest_file_is_shown_no_longer(void **state)
{
    const size_t count = ((1u << 20) - strlen("allow=()")) / strlen(",{port=10000}");
    struct fixture *f = *state;
    struct buf shown;

    assert_int_equal(load_groups(f, "allow=(", count, shortest_entry, ",", ")"), 0);
    shown_again(f, &shown);
    assert_int_equal(f->config->policy.allow_count, count);
    buf_done(&shown);
}

static void entry_of_range(struct buf *text, size_t n)
{
    buf_fmt(text, "{ports=\"%zu-2000\"}", 1000 + n);
}

static void entry_of_address(struct buf *text, size_t n)
{
    buf_fmt(text, "{port=53;address=\"10.0.%zu.%zu\"}", n / 250, 1 + n % 250);
}

static void entry_of_addresses(struct buf *text, size_t n)
{
    buf_fmt(text, "{port=53;address=[\"10.0.%zu.%zu\",\"::1\"]}", n / 250, 1 + n % 250);
}

static void entry_of_every_port(struct buf *text, size_t n)
{
    buf_fmt(text, "{kernel_chosen=true;user=\"u%zu\"}", n);
}

/* Each listener is compared with all entries about its port, but for those of
 * one other address. */
static void few_allow_entries_without_an_address_share_a_port(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_groups(f, "allow=(", 100, entry_of_range, ",", ");"), 0);
    assert_int_equal(load_groups(f, "allow=(", 20000, entry_of_address, ",", ");"), 0);
    assert_int_equal(load_groups(f, "allow=(", 100, entry_of_addresses, ",", ");"), 0);
    assert_int_equal(load_groups(f, "allow=(", 101, entry_of_addresses, ",", ");"), ERR_CONFIG);
    assert_int_equal(load_groups(f, "deny=(", 101, entry_of_address, ",", ");"), ERR_CONFIG);
    assert_int_equal(load_groups(f, "allow=(", 100, entry_of_every_port, ",", ");"), 0);
    assert_int_equal(load_groups(f, "allow=(", 101, entry_of_every_port, ",", ");"), ERR_CONFIG);
    assert_int_equal(load_groups(f, "allow=(", 101, entry_of_range, ",", ");"), ERR_CONFIG);
    assert_non_null(strstr(
        buf_text(&f->errors),
        "ports: are those of more than 100 entries without an address, or with several, expected fewer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(errors_stand_in_the_order_of_the_entries),
        WITH_FILES(many_entries_take_no_longer_each_than_few),
        WITH_FILES(the_most_entries_of_a_file_load),
        WITH_FILES(errors_of_entries_that_are_all_the_same_have_an_end),
        WITH_FILES(says_how_many_errors_there_are),
        WITH_FILES(refuses_what_libconfig_would_take_too_long_for),
        WITH_FILES(includes_a_thousand_files_at_most),
        WITH_FILES(all_files_together_have_a_size),
        WITH_FILES(texts_of_included_files_are_not_endless),
        WITH_FILES(keys_of_included_files_are_counted_together),
        WITH_FILES(serves_on_no_more_addresses_than_each_listener_can_be_compared_with),
        WITH_FILES(a_large_configuration_is_shown_so_that_it_loads_again),
        WITH_FILES(the_shortest_file_is_shown_no_longer),
        WITH_FILES(few_allow_entries_without_an_address_share_a_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
