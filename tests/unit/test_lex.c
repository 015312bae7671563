#include "config/lex.h"
#include "core/buf.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* The tokens of a text in memory that ends where it does, each as the letter of its
 * kind, its line and itself. */
static void assert_tokens(const char *text, const char *wanted)
{
    size_t length = strlen(text);
    char *exact = malloc(length > 0 ? length : 1);
    struct buf tokens;
    struct lexer lexer;

    assert_non_null(exact);
    memcpy(exact, text, length);
    buf_init(&tokens);
    lex_init(&lexer, exact, length);
    for (;;) {
        struct lex_token token = lex_next(&lexer);

        assert_true(token.last_line >= token.line);
        if (token.kind == LEX_END)
            break;
        buf_fmt(&tokens, "%c%u:%.*s ", "-nvbs=;,()?"[token.kind], token.line, (int)token.length, token.text);
    }
    assert_int_equal(lex_next(&lexer).kind, LEX_END);
    assert_string_equal(buf_text(&tokens), wanted);
    buf_done(&tokens);
    free(exact);
}

static void tells_tokens_apart(void **state)
{
    (void)state;
    assert_tokens("", "");
    assert_tokens("a = 1; b : \"x\",", "n1:a =1:= v1:1 ;1:; n1:b =1:: s1:\"x\" ,1:, ");
    assert_tokens("([{}])", "(1:( (1:[ (1:{ )1:} )1:] )1:) ");
    assert_tokens("true FALSE truely tru -t", "b1:true b1:FALSE n1:truely n1:tru ?1:- n1:t ");
    assert_tokens("*a-b_c* _", "n1:*a-b_c* ?1:_ ");
    assert_tokens("' \xe2\x80\x9c \xff", "?1:' ?1:\xe2\x80\x9c ?1:\xff ");
}

static void reads_numbers_as_libconfig_does(void **state)
{
    (void)state;
    assert_tokens("1 -2 +3L 4LL 0x1fL .5 5. . 1e3 -1.5E-2",
                  "v1:1 v1:-2 v1:+3L v1:4LL v1:0x1fL v1:.5 v1:5. v1:. "
                  "v1:1e3 v1:-1.5E-2 ");
    assert_tokens("10s", "v1:10 n1:s ");
    assert_tokens("192.0.2.10", "v1:192.0 v1:.2 v1:.10 ");
    assert_tokens("0x -0x1 1e 1.5e", "v1:0 n1:x v1:-0 n1:x1 v1:1 n1:e v1:1.5 n1:e ");
}

static void counts_lines(void **state)
{
    (void)state;
    assert_tokens("a\n\n b # c\n// d\n/* e\n f */ g \"h\ni\" j", "n1:a n3:b n6:g s6:\"h\ni\" n7:j ");
    assert_tokens("/* a */ b /* c", "n1:b ");
    assert_tokens("/*/ a */ b", "n1:b ");
}

static void included_files_are_no_tokens(void **state)
{
    (void)state;
    assert_tokens("  @include \"a\"\nb", "n2:b ");
    assert_tokens("b @include", "n1:b ?1:@ n1:include ");
}

static void strings_end_at_a_quote_of_their_own(void **state)
{
    struct lexer lexer;

    (void)state;
    assert_tokens("\"a\\\"b\" \"\\\\\" c", "s1:\"a\\\"b\" s1:\"\\\\\" n1:c ");
    lex_init(&lexer, "\"a\\", 3);
    assert_true(lex_next(&lexer).unclosed);
    lex_init(&lexer, "\"a\"", 3);
    assert_false(lex_next(&lexer).unclosed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_tokens_apart),
        cmocka_unit_test(reads_numbers_as_libconfig_does),
        cmocka_unit_test(counts_lines),
        cmocka_unit_test(included_files_are_no_tokens),
        cmocka_unit_test(strings_end_at_a_quote_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
