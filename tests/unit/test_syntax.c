#include "config/syntax.h"
#include "tests/unit/config_files.h"

/* Wrong files, and what is said of each: one slip in an otherwise good file. */

#define HEAD  "poll: { listeners = \"1s\"; };\n"
#define REDIS "  { name = \"redis\"; port = 6379; }\n"

/* libconfig 1.5 forgets the string that it has read when what follows it is wrong. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

struct wrong {
    const char *text, *said; /* behind "FILE:" */
};

static void assert_says(struct fixture *f, const struct wrong *wrong)
{
    char line[512];

    assert_int_equal(load(f, wrong->text), ERR_CONFIG);
    (void)snprintf(line, sizeof line, "%s:%s\n", f->path, wrong->said);
    if (strcmp(buf_text(&f->errors), line) != 0)
        fail_msg("of\n%s\nexpected \"%s\", not:\n%s", wrong->text, line, buf_text(&f->errors));
}

static void assert_says_all(struct fixture *f, const struct wrong *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_says(f, &cases[i]);
}

static void commas(void **state)
{
    static const struct wrong cases[] = {
        {HEAD "expect = (\n  { name = \"a\"; port = 1; }\n" REDIS ");\n",
         "3: a comma is missing behind \"}\", expected \",\" before \"{\""},
        {"web: { listen = [ \"[::]:1\"; \"[::]:2\" ]; };",
         "1: \";\" stands behind an element, expected \",\" between two elements, and none behind the last"},
        {"expect = (\n" REDIS ");\nallow = ( { port = 1; } { port = 2; } );",
         "4: a comma is missing behind \"}\", expected \",\" before \"{\""},
        {"allow = (\n  { port = 1; },,\n  { port = 2; } );",
         "2: \",\" stands where an element is missing, expected one \",\" between two elements"},
        {"allow = ( , { port = 1; } );",
         "1: \",\" stands where an element is missing, expected one \",\" between two elements"},
        {"allow = (\n  { port = 1; };\n  { port = 2; }\n);",
         "2: \";\" stands behind an element, expected \",\" between two elements, and none behind the last"},
        {HEAD "limits: { series = 1,, };", "2: \",\" ends nothing, expected KEY = VALUE;"},
        {"expect = ( { name = \"a\"; ports = 80,443; } );",
         "1: \"443\" has no key, expected several values in brackets, [ A, B ], or in one string, \"A,B\""},
        {"web: { listen = [ \"[::]:1\"\n \"[::]:2\" ]; };",
         "2: web.listen[0]: \"[::]:1[::]:2\" was written as several strings, which are one, expected \",\" "
         "between "
         "them"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

/* libconfig 1.7 takes it. */
static void a_comma_behind_the_last_element(void **state)
{
    static const struct wrong wrong = {
        "allow = (\n  { port = 1; },\n  { port = 2; },\n\n);\n",
        "3: \",\" stands behind the last element, expected \")\" there, or another element"};
    struct fixture *f = *state;

    if (load(f, wrong.text) != 0)
        assert_says(f, &wrong);
}

static void quotes(void **state)
{
    static const struct wrong cases[] = {
        {"expect = (\n  { name = 'my sql'; port = 1; } );",
         "2: 'my sql' stands in single quotes, expected double ones: \"my sql\""},
        {"expect = ( { name = \xe2\x80\x9cmysql\xe2\x80\x9d; port = 1; } );",
         "1: \xe2\x80\x9cmysql\xe2\x80\x9d stands in typographic quotes, expected double ones: \"mysql\""},
        {"expect = ( { name = `mysql; port = 1; } );",
         "1: `mysql` stands in backward quotes, expected double ones: \"mysql\""},
        {"expect = ( { name = mysql; port = 1; } );", "1: mysql is not quoted, expected a string: \"mysql\""},
        {"expect = ( { name = mysql\"; port = 1; },\n" REDIS ");",
         "1: mysql is not quoted, expected a string: \"mysql\""},
        {HEAD "web: { listen = [\n  127.0.0.1:10066 ]; };",
         "3: 127.0.0.1:10066 is not quoted, expected a string: \"127.0.0.1:10066\""},
        {"expect = ( { name = \"a\"; port = 1;\n for = 10s;\n severity = \"warning\"; } );",
         "2: 10s is not quoted, expected a string: \"10s\""},
        {"allow = ( { ports = 80-90; } );", "1: 80-90 is not quoted, expected a string: \"80-90\""},
        {"allow = ( { port = 1; exe = /usr/sbin/x; } );",
         "1: /usr/sbin/x is not quoted, expected a string: \"/usr/sbin/x\""},
        {"allow = ( { port = 1; user = https://wiki/a; } );",
         "1: https://wiki/a is not quoted, expected a string: \"https://wiki/a\""},
        {"unexpected: { ignore_loopback = yes; };",
         "1: yes is not quoted, expected true or false, or a string: \"yes\""},
        {"{ }", "1: \"{\" has no key before it, expected KEY = { ... };"},
        {"\"poll\": { };", "1: \"poll\" is a key in quotes, expected it without them: poll"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

/* On the line of the string, wherever the quotes behind it have turned. */
static void strings_without_an_end(void **state)
{
    static const struct wrong cases[] = {
        {"expect = (\n  { name = \"mysql; port = 1; },\n" REDIS ");",
         "2: the string \"mysql; port = 1; }, is not closed, expected a \" at its end"},
        {"expect = (\n" REDIS ",\n  { name = \"mysql; port = 1; }\n);",
         "4: the string \"mysql; port = 1; } is not closed, expected a \" at its end"},
        {"poll: { listeners = \"1s; connections = \"2s\"; };",
         "1: the string \"1s; connections = \" is followed by text, expected a \" only at both ends of each "
         "string, or \\\" within"},
        {"expect = ( { name = \"my\"sql\"; port = 1; },\n" REDIS ");",
         "1: the string \"my\" is followed by text, expected a \" only at both ends of each string, or \\\" "
         "within"},
        {"expect = ( { name = \"a\"; port = 1; scope = \"public; } );",
         "1: the string \"public; } ); is not closed, expected a \" at its end"},
        {"include_dir = \"conf.d;\n" HEAD HEAD,
         "1: the string \"conf.d; is not closed, expected a \" at its end"},
        {"allow = ( { port = 1; user = \"0123456789012345678901234567890123456789; } );",
         "1: the string \"012345678901234567890123456789012345678... is not closed, expected a \" at its "
         "end"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

static void brackets(void **state)
{
    static const struct wrong cases[] = {
        {HEAD "expect = [\n" REDIS "];",
         "2: \"[\" begins an array, in which no \"{\" may stand, expected a list: "
         "( ... )"},
        {"expect = (\n" REDIS "\n\nallow = ( { port = 1; } );",
         "1: \"(\" is not closed, expected \")\" before \"allow\" in line 5"},
        {"expect = (\n" REDIS ";\nallow = ( { port = 1; } );",
         "1: \"(\" is not closed, expected \")\" before \";\" in line 3"},
        {HEAD "expect = (\n  { name = \"a\";\n    port = 1;\n" REDIS ");",
         "3: \"{\" is not closed, expected \"}\" before \"{\" in line 5"},
        {"expect = (\n  { name = \"a\"; port = 1;,\n" REDIS ");",
         "2: \"{\" is not closed, expected \"}\" before \",\" in line 2"},
        {"\npoll: { listeners = \"1s\";\nweb: { };\n",
         "2: \"{\" is not closed, expected \"}\" before the end of the file"},
        {"web: { listen = [ \"[::]:1\" };", "1: \"[\" is not closed, expected \"]\" before \"}\" in line 1"},
        {"web: { listen = [ \"[::]:1\" ); };", "1: \")\" does not close the \"[\" of line 1, expected \"]\""},
        {"expect = (\n" REDIS "};\npoll: { };",
         "3: \"}\" does not close the \"(\" of line 1, expected \")\""},
        {HEAD "};\n", "2: \"}\" closes nothing, expected as many brackets closed as opened"},
        {"allow = ( { port = 1; } ));",
         "1: \")\" closes nothing, expected as many brackets closed as opened"},
        {"allow = ( port = 1; );",
         "1: \"port\" is a key without a group around it, expected braces: ( { port = ...; } )"},
        {"allow = ( { port = 1; /* } );", "1: a comment begins here and does not end, expected */"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

static void keys_and_values(void **state)
{
    static const struct wrong cases[] = {
        {HEAD "limits { series = 1; };", "2: \"=\" is missing behind \"limits\", expected limits: { ... };"},
        {"limits: { series 1; };", "1: \"=\" is missing behind \"series\", expected series = VALUE;"},
        {"limits series;", "1: \"=\" is missing behind \"limits\", expected limits = VALUE;"},
        {"limits: {\n series = ; };", "2: \"series\" has no value, expected series = VALUE;"},
        {"limits: {\n series =\n};", "2: \"series\" has no value, expected series = VALUE;"},
        {"limits: {\n series =\n listeners = 1; };", "2: \"series\" has no value, expected series = VALUE;"},
        {"\npoll", "2: \"poll\" has no value, expected poll = VALUE;"},
        {"limits: { series == 1; };", "1: \"==\" stands behind \"series\", expected one \"=\""},
        {"limits: { series => 1; };", "1: \"=>\" stands behind \"series\", expected one \"=\""},
        {"limits.series = 1;",
         "1: \"limits.series\" is no key, expected a group: limits: { series = ...; };"},
        {"= 1;", "1: \"=\" has no key before it, expected KEY = VALUE;"},
        {HEAD "$x = 1;", "2: \"$\" is out of place, expected KEY = VALUE;"},
        {HEAD HEAD, "2: \"poll\" is given before in line 1, expected each key once in a group"},
        {"poll: { listeners = \"1s\";\nlisteners = \"2s\"; };",
         "2: \"listeners\" is given before in line 1, expected each key once in a group"},
        {"expect = (\n" REDIS ",\n { name = \"a\"; port = 1;\n port = 2; } );",
         "5: \"port\" is given before in line 4, expected each key once in a group"},
        {"web: { listen = [ \"[::]:1\", 80 ]; };",
         "1: mismatched element type in array, expected values of one kind in [...]"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

static void other_languages(void **state)
{
    static const struct wrong cases[] = {
        {HEAD "web:\n  listen: [ \"[::]:1\" ]\n",
         "2: \"web:\" begins no group, expected braces around its keys: web: { "
         "... };"},
        {"expect:\n  - name: mysql\n    port: 3306\n",
         "2: \"-\" begins no element of a list, expected a list in parentheses: KEY = ( { ... }, { ... } );"},
        {"[poll]\nlisteners = 1s\n",
         "1: \"[poll\" begins no group, expected braces around its keys: poll: { ... };"},
        {"{\n  \"poll\": { }\n}\n", "1: \"{\" has no key before it, expected KEY = { ... };"},
    };

    assert_says_all(*state, cases, ARRAY_LENGTH(cases));
}

/* What stands before is judged as well, and what the parser took for something
 * else is not. */
static void errors_before_it_are_told_and_none_that_follow_from_it(void **state)
{
    static const char *const wanted[] = {"1: pol: is not a known key", "3: expect[0].port: 0 is out of range",
                                         "4: 10s is not quoted, expected a string: \"10s\""};
    struct fixture *f = *state;
    int r = load(
        f,
        "pol = 1;\nexpect = (\n { name = \"a\"; port = 0; },\n { name = \"b\"; port = 1; for = 10s;\n } );");

    assert_reported(f, r, wanted, ARRAY_LENGTH(wanted));
}

static void elements_of_a_list_that_is_not_closed_are_judged(void **state)
{
    static const char *const wanted[] = {"2: expect[0].port: 0 is out of range",
                                         "1: \"(\" is not closed, expected \")\" before \"allow\" in line 3"};
    struct fixture *f = *state;
    int r = load(f, "expect = (\n { name = \"a\"; port = 0; }\nallow = ( { port = 1; } );");

    assert_reported(f, r, wanted, ARRAY_LENGTH(wanted));
}

static void slips_in_included_files_are_told_there(void **state)
{
    static const char text[] = "\nlimits: { series = 'x'; };\n";
    struct fixture *f = *state;

    write_file(f, "more.conf", text, strlen(text));
    assert_int_equal(load(f, "\n@include \"more.conf\"\n"), ERR_CONFIG);
    assert_int_equal(count_lines(buf_text(&f->errors)), 1);
    if (!strstr(buf_text(&f->errors), "more.conf:2: 'x' stands in single quotes, expected "))
        fail_msg("%s", buf_text(&f->errors));
}

static const char sample[] = "# A sample.\n"
                             "poll: { listeners = \"1s\"; connections = \"10s\"; };\n"
                             "web: { listen = [ \"127.0.0.1:10066\", \"[::1]:10066\" ]; };\n"
                             "\n"
                             "expect = (\n"
                             "  {\n"
                             "    name = \"say \\\"x\\\"\";\n"
                             "    port = 3306\n"
                             "    scope = \"pub\" \"lic\"; // one string\n"
                             "    families = [ \"ipv4\", \"ipv6\" ];\n"
                             "    accept_queue = 0.8; /* full:\n { [ ' */\n"
                             "    for: \"10s\",\n"
                             "  },\n"
                             "  { name = \"redis\"; port = 0x18eb; scope = \"loopback\"; },\n"
                             "  { name = \"dns\", ports = \"53,5353\", protocol = \"udp\" }\n"
                             ");\n"
                             "allow = ( { ports = \"22\"; }, { port = 123, protocol = \"udp\" } )\n"
                             "unexpected: { severity = \"warning\"; ignore_loopback = FALSE; };\n"
                             "limits: { listeners = 4096L; series = +20000; };\n";

static unsigned lines_of(const char *text)
{
    return (unsigned)count_lines(text) + 1;
}

static void a_valid_file_has_no_slip(void **state)
{
    static const char *const cases[] = {
        sample,
        "",
        "a = ( ); b = [ ]; c = { }; d : 1",
        "a = ( 1, \"x\", ( [ 1, 2 ], { b = 1 } ) ) b = 1e3 c = .5 d = 0x1 e = 5L *x_-1 = 1;",
        "@include \"x\"\na = 1;",
        "a = \"several\nlines\"; b = 1;",
    };
    struct slip slip;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (unsigned line = 1; line <= lines_of(cases[i]); line++)
            if (syntax_find_slip(cases[i], strlen(cases[i]), line, &slip))
                fail_msg("%s: %s, expected %s", cases[i], slip.what, slip.expected);
    assert_loads(*state, sample);
}

/* Whatever the file, it loads, or each error names a line that it has, and none is
 * what libconfig itself says. */
static void assert_loads_or_says_where(struct fixture *f, const char *text)
{
    const char *line;

    if (load(f, text) == 0)
        return;
    line = buf_text(&f->errors);
    assert_int_not_equal(*line, '\0');
    while (*line) {
        unsigned number = 0;

        assert_memory_equal(line, f->path, strlen(f->path));
        (void)sscanf(line + strlen(f->path), ":%u: ", &number);
        if (number < 1 || number > lines_of(text) || strncmp(strchr(line, ' '), " syntax error", 13) == 0)
            fail_msg("of\n%s\nis said: %s", text, line);
        line += strcspn(line, "\n") + 1;
    }
}

static void any_character_may_be_missing(void **state)
{
    for (size_t i = 0; i < strlen(sample); i++) {
        char text[sizeof sample];

        memcpy(text, sample, i);
        memcpy(text + i, sample + i + 1, sizeof sample - i - 1);
        assert_loads_or_says_where(*state, text);
    }
}

static void any_character_may_be_another_or_be_there_twice(void **state)
{
    static const char others[] = "\"'{}()[],;=:@#-.a7\n\xe2";

    for (size_t i = 0; i < strlen(sample); i++) {
        char text[sizeof sample + 1];

        memcpy(text, sample, sizeof sample);
        text[i] = others[i % strlen(others)];
        assert_loads_or_says_where(*state, text);
        memmove(text + i + 1, sample + i, sizeof sample - i);
        assert_loads_or_says_where(*state, text);
    }
}

/* In memory that ends where the text does. */
static void a_file_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t length = 1; length < sizeof sample; length++) {
        char *text = malloc(length);
        struct slip slip = {.line = 1};

        assert_non_null(text);
        memcpy(text, sample, length);
        for (unsigned line = 1; line <= lines_of(sample); line++) {
            (void)syntax_find_slip(text, length, line, &slip);
            assert_in_range(slip.line, 1, line);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(commas),
        WITH_FILES(a_comma_behind_the_last_element),
        WITH_FILES(quotes),
        WITH_FILES(strings_without_an_end),
        WITH_FILES(brackets),
        WITH_FILES(keys_and_values),
        WITH_FILES(other_languages),
        WITH_FILES(errors_before_it_are_told_and_none_that_follow_from_it),
        WITH_FILES(elements_of_a_list_that_is_not_closed_are_judged),
        WITH_FILES(slips_in_included_files_are_told_there),
        WITH_FILES(a_valid_file_has_no_slip),
        WITH_FILES(any_character_may_be_missing),
        WITH_FILES(any_character_may_be_another_or_be_there_twice),
        cmocka_unit_test(a_file_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
