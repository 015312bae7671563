#include "core/owner.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

enum { PATTERN_TEXT_MAX = 512 };

/* "PROCESS:USER:UNIT:EXE", of which any may be left out.
 *
 * copy   keeps what the pattern borrows */
static struct owner_pattern pattern_of(const char *text, char copy[static PATTERN_TEXT_MAX])
{
    char *part[4];

    assert_true(strlen(text) < PATTERN_TEXT_MAX);
    (void)snprintf(copy, PATTERN_TEXT_MAX, "%s", text);
    split_parts(copy, part, 4);
    return (struct owner_pattern){.process = part[0], .user = part[1], .unit = part[2], .exe = part[3]};
}

struct match_case {
    const char *pattern, *socket, *holders;
    enum owner_match match;
};

static void assert_match(const struct match_case *c)
{
    struct owner_set *set = owners_of(c->socket, c->holders);
    char copy[PATTERN_TEXT_MAX];
    const struct owner_pattern pattern = pattern_of(c->pattern, copy);
    enum owner_match match = owner_match(&pattern, set);

    owner_set_unref(set);
    if (match != c->match)
        fail_msg("%s with socket %s and holders %s: %d, not %d", c->pattern, c->socket, c->holders, match,
                 c->match);
}

static void assert_matches(const struct match_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_match(&cases[i]);
}

/* A socket that tells nothing: root's, made nobody knows where. */
#define UNTELLING "0:root:"
#define MARIADB   "7:mariadbd:mysql:mariadb.service"
#define NGINX     "8:nginx:www-data:nginx.service"
#define SYSTEMD   "1:systemd:root:init.scope"

/* A user's own systemd. */
#define USER_MANAGER "812:systemd:alice:user@1000.service/init.scope"

static void every_part_of_a_pattern_must_be_met(void **state)
{
    static const struct match_case cases[] = {
        {"mariadbd", UNTELLING, MARIADB, OWNER_MATCHES},
        {"nginx", UNTELLING, MARIADB, OWNER_DIFFERS},
        {":mysql", UNTELLING, MARIADB, OWNER_MATCHES},
        {":www-data", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"::mariadb.service", UNTELLING, MARIADB, OWNER_MATCHES},
        {"::nginx.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service", UNTELLING, MARIADB, OWNER_MATCHES},
        {"nginx:mysql:mariadb.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"mariadbd:www-data:mariadb.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"mariadbd:mysql:nginx.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"mariadbd:mysql", UNTELLING, MARIADB, OWNER_MATCHES},
        {"mariadbd::nginx.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {":mysql:nginx.service", UNTELLING, MARIADB, OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void an_empty_pattern_matches_everybody(void **state)
{
    static const struct owner_pattern anybody;
    static const struct match_case cases[] = {
        {"", UNTELLING, "", OWNER_MATCHES},
        {"", "33:www-data:nginx.service", "", OWNER_MATCHES},
        {"", UNTELLING, MARIADB, OWNER_MATCHES},
        {"", UNTELLING, "7:::?", OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
    assert_int_equal(owner_match(&anybody, NULL), OWNER_MATCHES);
}

static void nobody_looked_is_untold(void **state)
{
    static const char *const patterns[] = {"mariadbd", ":mysql", "::mariadb.service", "*:*:*"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        char copy[PATTERN_TEXT_MAX];
        const struct owner_pattern pattern = pattern_of(patterns[i], copy);

        assert_int_equal(owner_match(&pattern, NULL), OWNER_UNTOLD);
    }
}

static void patterns_are_those_of_a_shell(void **state)
{
    static const struct match_case cases[] = {
        {"maria*", UNTELLING, MARIADB, OWNER_MATCHES},
        {"maria", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"ariadbd", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"*", UNTELLING, MARIADB, OWNER_MATCHES},
        {"m?riadbd", UNTELLING, MARIADB, OWNER_MATCHES},
        {"mariadbd?", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"[lm]ariadb[a-e]", UNTELLING, MARIADB, OWNER_MATCHES},
        {"[!m]ariadbd", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"Mariadbd", UNTELLING, MARIADB, OWNER_DIFFERS},
        {":my*", UNTELLING, MARIADB, OWNER_MATCHES},
        {":www*", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"::mariadb*.service", UNTELLING, "7:mariadbd:mysql:mariadb@main.service", OWNER_MATCHES},
        {"::mariadb@*.service", UNTELLING, MARIADB, OWNER_DIFFERS},
        {"*", UNTELLING, "7:.hidden::", OWNER_MATCHES},
        {"a*c", UNTELLING, "7:a/b/c::", OWNER_MATCHES},
        {"a[1]", UNTELLING, "7:a[1]::", OWNER_MATCHES}, /* a name matches itself */
        {"a[1]", UNTELLING, "7:a1::", OWNER_MATCHES},
        {"a[1", UNTELLING, "7:a[1::", OWNER_MATCHES},
        {"mariadb?:*sql:m*.*", UNTELLING, MARIADB, OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* Systemd escapes with backslashes, which are therefore nothing special. */
static void backslashes_are_ordinary(void **state)
{
    static const struct match_case cases[] = {
        {"::dev-disk-by\\x2duuid.mount", UNTELLING, "7:a:b:dev-disk-by\\x2duuid.mount", OWNER_MATCHES},
        {"::dev-disk-by\\x2d*.mount", UNTELLING, "7:a:b:dev-disk-by\\x2duuid.mount", OWNER_MATCHES},
        {"::dev-disk-by-*.mount", UNTELLING, "7:a:b:dev-disk-by\\x2duuid.mount", OWNER_DIFFERS},
        {"::dev-disk-byx2d*.mount", UNTELLING, "7:a:b:dev-disk-by\\x2duuid.mount", OWNER_DIFFERS},
        {"a\\*", UNTELLING, "7:a\\b::", OWNER_MATCHES},
        {"a\\*", UNTELLING, "7:a*::", OWNER_DIFFERS},
        {"caf\\xe9", UNTELLING, "7:caf\\xe9::", OWNER_MATCHES}, /* an escaped name */
        {"caf\\xe?", UNTELLING, "7:caf\\xe9::", OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void of_a_long_process_name_15_bytes_count(void **state)
{
    static const struct match_case cases[] = {
        {"systemd-resolved", UNTELLING, "7:systemd-resolve::", OWNER_MATCHES},
        {"systemd-resolve", UNTELLING, "7:systemd-resolve::", OWNER_MATCHES},
        {"systemd-resolve-or-not", UNTELLING, "7:systemd-resolve::", OWNER_MATCHES},
        {"systemd-resolvXY", UNTELLING, "7:systemd-resolve::", OWNER_DIFFERS},
        {"systemd-resolved", UNTELLING, "7:systemd-resolv::", OWNER_DIFFERS}, /* not the kernel's cut */
        {"systemd-resolv", UNTELLING, "7:systemd-resolve::", OWNER_DIFFERS},
        {"systemd-r*", UNTELLING, "7:systemd-resolve::", OWNER_MATCHES},
        {"systemd-resolve?", UNTELLING, "7:systemd-resolve::", OWNER_DIFFERS}, /* a glob sees what was kept */
        {"systemd-resolved*", UNTELLING, "7:systemd-resolve::", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* Users and units are never cut. */
static void of_a_long_user_or_unit_every_byte_counts(void **state)
{
    static const struct match_case cases[] = {
        {":systemd-resolved", UNTELLING, "7::systemd-resolve:", OWNER_DIFFERS},
        {":systemd-resolve", UNTELLING, "7::systemd-resolve:", OWNER_MATCHES},
        {"::systemd-resolved.service", UNTELLING, "7:::systemd-resolve", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* An escaped name may have more than 15 characters; it is written in a pattern
 * as it was shown. */
static void an_escaped_process_name_may_be_longer(void **state)
{
    static const struct match_case cases[] = {
        {"\\xff\\xff\\xff\\xff\\xff", UNTELLING, "7:\\xff\\xff\\xff\\xff\\xff::", OWNER_MATCHES},
        {"\\xff\\xff\\xff\\xff\\xff", UNTELLING, "7:\\xff\\xff\\xff\\xff\\xfe::", OWNER_DIFFERS},
        {"\\xff\\xff*", UNTELLING, "7:\\xff\\xff\\xff\\xff\\xff::", OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void a_long_process_name_may_be_cut_within_a_character(void **state)
{
    static const struct match_case cases[] = {
        {"1234567890123\xe2\x82\xac", UNTELLING, "7:1234567890123\\xe2\\x82::", OWNER_MATCHES},
        {"12345678901234\xc3\xa4-server", UNTELLING, "7:12345678901234\\xc3::", OWNER_MATCHES},
        {"1234567890123\xc3\xa4-server", UNTELLING, "7:1234567890123\xc3\xa4::", OWNER_MATCHES},
        {"12345678901234\xc3\xa4", UNTELLING, "7:12345678901234\\xc4::", OWNER_DIFFERS},
        {"12345678901234\xc3\xa4", UNTELLING, "7:12345678901234::", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void any_one_of_several_holders_suffices(void **state)
{
    static const struct match_case cases[] = {
        {"nginx", UNTELLING, MARIADB "," NGINX, OWNER_MATCHES},
        {"mariadbd", UNTELLING, MARIADB "," NGINX, OWNER_MATCHES},
        {"redis-server", UNTELLING, MARIADB "," NGINX, OWNER_DIFFERS},
        {":www-data", UNTELLING, MARIADB "," NGINX ",9:sshd:root:ssh.service", OWNER_MATCHES},
        {"::ssh.service", UNTELLING, MARIADB "," NGINX ",9:sshd:root:ssh.service", OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void one_holder_must_meet_the_whole_pattern(void **state)
{
    static const struct match_case cases[] = {
        {"nginx:mysql", UNTELLING, MARIADB "," NGINX, OWNER_DIFFERS},
        {"mariadbd::nginx.service", UNTELLING, MARIADB "," NGINX, OWNER_DIFFERS},
        {":mysql:nginx.service", UNTELLING, MARIADB "," NGINX, OWNER_DIFFERS},
        {"nginx:www-data", UNTELLING, MARIADB "," NGINX, OWNER_MATCHES},
        {"mariadbd:mysql:mariadb.service", UNTELLING, "5:mariadbd:root:,6:sh:mysql:," MARIADB, OWNER_MATCHES},
        {"mariadbd:mysql:mariadb.service", UNTELLING, "5:mariadbd:root:,6:sh:mysql:mariadb.service",
         OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* A program may have given up its first user, or run in another unit. */
static void the_sockets_own_user_and_unit_will_do(void **state)
{
    static const struct match_case cases[] = {
        {":mysql", "101:mysql:", "7:mariadbd:nobody:a.scope", OWNER_MATCHES},
        {":nobody", "101:mysql:", "7:mariadbd:nobody:a.scope", OWNER_MATCHES},
        {":my*", "101:mysql:", "7:mariadbd:nobody:a.scope", OWNER_MATCHES},
        {":root", "101:mysql:", "7:mariadbd:nobody:a.scope", OWNER_DIFFERS},
        {"::mariadb.service", "0:root:mariadb.service", "7:mariadbd:mysql:a.scope", OWNER_MATCHES},
        {"::a.scope", "0:root:mariadb.service", "7:mariadbd:mysql:a.scope", OWNER_MATCHES},
        {"::b.scope", "0:root:mariadb.service", "7:mariadbd:mysql:a.scope", OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service", "101:mysql:mariadb.service", "7:mariadbd:nobody:a.scope",
         OWNER_MATCHES},
        {"nginx:mysql:mariadb.service", "101:mysql:mariadb.service", "7:mariadbd:nobody:a.scope",
         OWNER_DIFFERS}, /* but a socket has no process of its own */
        {":mysql", "101:mysql:", "7:mariadbd::?", OWNER_MATCHES},
        {"::mariadb.service", "0:root:mariadb.service", "7:mariadbd::?", OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void a_socket_unit_stands_for_its_service(void **state)
{
    static const struct match_case cases[] = {
        {"::foo.service", "0:root:foo.socket", "7:foo:foo:a.scope", OWNER_MATCHES},
        {"::foo.service", "0:root:foo.socket", "", OWNER_MATCHES},
        {"::foo*.service", "0:root:foo.socket", "", OWNER_MATCHES},
        {"::foo.socket", "0:root:foo.socket", "", OWNER_MATCHES},
        {"::foo@*.service", "0:root:foo@3.socket", "", OWNER_MATCHES},
        {"::a\\x2db.service", "0:root:a\\x2db.socket", "", OWNER_MATCHES},
        {"::bar.service", "0:root:foo.socket", "", OWNER_DIFFERS},
        {"::bar.service", "0:root:foo.socket", "7:foo:foo:a.scope", OWNER_DIFFERS},
        {"::foo", "0:root:foo.socket", "", OWNER_DIFFERS},
        {"::foo.socket", "0:root:foo.service", "", OWNER_DIFFERS}, /* not the other way round */
        {"::foo.service", "0:root:foo.socketx", "", OWNER_DIFFERS},
        {"::foo.service", "0:root:foo.socket.scope", "", OWNER_DIFFERS},
        {"::.service", "0:root:.socket", "", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void the_longest_socket_unit_has_room(void **state)
{
    struct owner_pattern pattern = {.unit = "x*x.service"};
    struct owner_set *set = owners_of("0:root:", "");

    (void)state;
    memset(set->unit, 'x', sizeof set->unit);
    memcpy(set->unit + sizeof set->unit - sizeof ".socket", ".socket", sizeof ".socket");
    assert_int_equal(owner_match(&pattern, set), OWNER_MATCHES);
    pattern.unit = "x*y.service";
    assert_int_equal(owner_match(&pattern, set), OWNER_DIFFERS);
    owner_set_unref(set);
}

static void what_a_holder_does_not_tell_is_untold(void **state)
{
    static const struct match_case cases[] = {
        {"mariadbd", UNTELLING, "7::mysql:mariadb.service", OWNER_UNTOLD},
        {":mysql", UNTELLING, "7:mariadbd::mariadb.service", OWNER_UNTOLD},
        {"::mariadb.service", UNTELLING, "7:mariadbd:mysql:?", OWNER_UNTOLD},
        {"*:*:*", UNTELLING, "7:::?", OWNER_UNTOLD}, /* "*" is somebody, not nobody knows who */
        {"mariadbd:mysql:mariadb.service", UNTELLING, "7:mariadbd:mysql:?", OWNER_UNTOLD},
        {"::mariadb.service", UNTELLING, "7:mariadbd:mysql:", OWNER_DIFFERS}, /* it is known to have none */
        {"::*", UNTELLING, "7:mariadbd:mysql:", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void what_is_known_to_differ_outweighs_what_is_not_told(void **state)
{
    static const struct match_case cases[] = {
        {"mariadbd:mysql", UNTELLING, "7::www-data:?", OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service", UNTELLING, "7:nginx::?", OWNER_DIFFERS},
        {"::mariadb.service", UNTELLING, "7:nginx::?", OWNER_UNTOLD}, /* its process was not asked for */
        {"mariadbd", UNTELLING, NGINX ",9:::?", OWNER_UNTOLD},        /* the other may be who is wanted */
        {"mariadbd", UNTELLING, "9:::?," NGINX, OWNER_UNTOLD},
        {"mariadbd", UNTELLING, "9:::?," MARIADB, OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void an_activator_alone_holds_it_for_others(void **state)
{
    static const struct match_case cases[] = {
        {"sshd:sshd:ssh.service", "0:root:ssh.socket", SYSTEMD, OWNER_MATCHES},
        {"mariadbd:mysql:mariadb.service", UNTELLING, SYSTEMD, OWNER_MATCHES},
        {"mariadbd:mysql:mariadb.service", "0:root:init.scope", SYSTEMD, OWNER_MATCHES},
        {"mariadbd", UNTELLING, "1:systemd::?", OWNER_MATCHES},
        {"web:alice", "1000:alice:user@1000.service", USER_MANAGER, OWNER_MATCHES},
        {"mariadbd", UNTELLING, "813:systemd-socket-:root:session-1.scope", OWNER_MATCHES},
        {"mariadbd", UNTELLING, SYSTEMD ",813:systemd-socket-:root:session-1.scope", OWNER_MATCHES},
        {"systemd", UNTELLING, SYSTEMD, OWNER_MATCHES},
        {"mariadbd", UNTELLING, "2:systemd:root:a.scope", OWNER_DIFFERS}, /* that name on another PID */
        {"mariadbd", UNTELLING, "1:init:root:", OWNER_DIFFERS},           /* another init makes its own */
        {"mariadbd", UNTELLING, "7:systemd-socket:root:a.scope", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* Anybody can listen in the name of his own manager, or by root's leave in that
 * of the system: whose the socket is, and where it was made, tells all the same. */
static void of_an_activated_socket_its_own_user_and_unit_tell(void **state)
{
    static const struct match_case cases[] = {
        {":mysql", "4242:mallory:user@4242.service", USER_MANAGER, OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service", "4242:mallory:", SYSTEMD, OWNER_DIFFERS},
        {"::mariadb.service", "4242:mallory:user@4242.service", USER_MANAGER, OWNER_DIFFERS},
        {"::mariadb.service", "0:root:cups.socket", SYSTEMD, OWNER_DIFFERS},
        {":mysql", "4242::", USER_MANAGER, OWNER_UNTOLD}, /* nobody knows yet what he is called */
        {":mysql", "0::", SYSTEMD, OWNER_MATCHES},
        {"::mariadb.service", "0:root:session-1.scope", "9:systemd-socket-:root:session-1.scope",
         OWNER_DIFFERS},
        {":root", "0:root:ssh.socket", SYSTEMD, OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void nobody_is_an_activator_by_calling_himself_so(void **state)
{
    static const struct match_case cases[] = {
        {"mariadbd:mysql:mariadb.service", "4242:mallory:session-1.scope",
         "813:systemd-socket-:mallory:session-1.scope", OWNER_DIFFERS},
        {"mariadbd", "4242:mallory:", "813:systemd-socket-:mallory:", OWNER_DIFFERS},
        {"mariadbd", "4242:mallory:", "813:systemd-socket-::?", OWNER_DIFFERS}, /* nobody knows whose */
        {"mariadbd", "4242:mallory:", "813:systemd:mallory:", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void an_activator_excuses_nobody_else(void **state)
{
    static const struct match_case cases[] = {
        {"mariadbd", UNTELLING, SYSTEMD "," NGINX, OWNER_DIFFERS},
        {"mariadbd", UNTELLING, NGINX ",813:systemd-socket-:root:a.scope", OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service", UNTELLING, SYSTEMD "," NGINX, OWNER_DIFFERS},
        {"mariadbd", UNTELLING, SYSTEMD ",9:::?", OWNER_UNTOLD},
        {"mariadbd", UNTELLING, SYSTEMD "," MARIADB, OWNER_MATCHES},
        {"mariadbd:mysql:mariadb.service", UNTELLING, SYSTEMD "," NGINX "," MARIADB, OWNER_MATCHES},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* A socket of root's may have been passed on, and its program may have become
 * another user; one of another user tells. */
static void without_holders_the_socket_tells_what_it_can(void **state)
{
    static const struct match_case cases[] = {
        {":mysql", "101:mysql:", "", OWNER_MATCHES},
        {":my*", "101:mysql:", "", OWNER_MATCHES},
        {":mysql", "33:www-data:", "", OWNER_DIFFERS},
        {":mysql", "0:root:", "", OWNER_UNTOLD},
        {":root", "0:root:", "", OWNER_MATCHES},
        {":101", "101:101:", "", OWNER_MATCHES}, /* a user without a name */
        {"::mariadb.service", "0:root:mariadb.service", "", OWNER_MATCHES},
        {"::mariadb.service", "0:root:nginx.service", "", OWNER_DIFFERS},
        {"::mariadb.service", "0:root:", "", OWNER_UNTOLD},
        {"::mariadb.service", "0:root:init.scope", "", OWNER_UNTOLD},
        {"::init.scope", "0:root:init.scope", "", OWNER_MATCHES},
        {"mariadbd", "101:mysql:mariadb.service", "", OWNER_UNTOLD},
        {"*", "101:mysql:mariadb.service", "", OWNER_UNTOLD},
        {"mariadbd:mysql:mariadb.service", "101:mysql:mariadb.service", "", OWNER_UNTOLD},
        {"mariadbd:mysql", "33:www-data:", "", OWNER_DIFFERS},
        {"mariadbd::mariadb.service", "101:mysql:nginx.service", "", OWNER_DIFFERS},
        {":mysql:mariadb.service", "101:mysql:mariadb.service", "", OWNER_MATCHES},
        {":mysql:mariadb.service", "101:mysql:", "", OWNER_UNTOLD},
        {":mysql:mariadb.service", "0:root:nginx.service", "", OWNER_DIFFERS},
        {":mysql:mariadb.service", "33:www-data:mariadb.service", "", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

/* Whether nobody has it or nobody may be seen to have it: the socket alone
 * tells the same. */
static void what_the_socket_tells_does_not_hang_on_the_sight(void **state)
{
    static const enum sight sights[] = {SIGHT_NOT_YET, SIGHT_HIDDEN, SIGHT_NONE};
    static const struct owner_pattern user = {.user = "mysql"}, process = {.process = "mariadbd"},
                                      unit = {.unit = "nginx.service"};
    struct owner_set *set = owners_of("101:mysql:mariadb.service", "");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sights); i++) {
        set->sight = sights[i];
        assert_int_equal(owner_match(&user, set), OWNER_MATCHES);
        assert_int_equal(owner_match(&process, set), OWNER_UNTOLD);
        assert_int_equal(owner_match(&unit, set), OWNER_DIFFERS);
    }
    owner_set_unref(set);
}

/* The database of users may not have answered yet, or not be there: who it would
 * name may be who is wanted. */
static void a_user_whose_name_is_unknown_is_untold(void **state)
{
    static const struct match_case cases[] = {
        {":mysql", "101::", "", OWNER_UNTOLD},
        {":*", "101::", "", OWNER_UNTOLD},
        {":1*", "101::", "", OWNER_UNTOLD}, /* its number is no name */
        {":mysql:nginx.service", "101::mariadb.service", "", OWNER_DIFFERS},
        {":mysql", "101::", "7:mariadbd::", OWNER_UNTOLD},
        {":mysql", "101::", "7:mariadbd:mysql:", OWNER_MATCHES},
        {":mysql", "101::", "7:mariadbd:nobody:", OWNER_UNTOLD}, /* the socket may be of who is wanted */
        {":mysql", "101:nobody:", "7:mariadbd::", OWNER_UNTOLD},
        {"nginx:mysql", "101::", "7:mariadbd::", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void a_number_asks_for_that_user_whatever_its_name(void **state)
{
    static const struct match_case cases[] = {
        {":101", "101::", "", OWNER_MATCHES},      {":101", "101:101:", "", OWNER_MATCHES},
        {":101", "101:mysql:", "", OWNER_MATCHES}, {":102", "101:mysql:", "", OWNER_DIFFERS},
        {":102", "101::", "", OWNER_UNTOLD},       {":0101", "101:mysql:", "", OWNER_DIFFERS},
        {":10?", "101:mysql:", "", OWNER_DIFFERS},
    };
    static const struct owner_pattern number = {.user = "4294967295"};
    struct holder holder = {.pid = 7, .user = "mysql", .uid_known = true, .uid = UINT32_MAX};
    struct owner_set *set = owner_set_new(1);

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
    assert_non_null(set);
    (void)snprintf(set->user, sizeof set->user, "root");
    set->holders[0] = holder_new(&holder);
    assert_non_null(set->holders[0]);
    assert_int_equal(owner_match(&number, set), OWNER_MATCHES);
    holder_unref(set->holders[0]);
    holder.uid_known = false;
    set->holders[0] = holder_new(&holder);
    assert_non_null(set->holders[0]);
    assert_int_equal(owner_match(&number, set), OWNER_DIFFERS);
    owner_set_unref(set);
}

static void names_are_awaited_of_the_socket_and_of_its_holders(void **state)
{
    struct owner_set *set = owners_of(UNTELLING, "");
    struct holder holder = {.pid = 7, .user_awaited = true};

    (void)state;
    assert_false(owner_set_awaits_name(set));
    set->user_awaited = true;
    assert_true(owner_set_awaits_name(set));
    owner_set_unref(set);
    set = owner_set_new(1);
    assert_non_null(set);
    set->holders[0] = holder_new(&holder);
    assert_non_null(set->holders[0]);
    assert_true(owner_set_awaits_name(set));
    owner_set_unref(set);
}

static void activators_are_known_by_what_they_cannot_choose(void **state)
{
    static const struct {
        struct holder holder;
        bool is_activator;
    } cases[] = {
        {{.pid = 1, .process = "systemd"}, true},
        {{.pid = 2, .process = "systemd"}, false},
        {{.pid = 1, .process = "runit"}, false},
        {{.pid = 1}, false},
        {{.pid = 900, .process = "(sd-pam)", .in_manager = true}, true},
        {{.pid = 900, .process = "systemd", .unit_known = true, .unit = "session-1.scope"}, false},
        {{.pid = 900, .process = "systemd-socket-", .uid_known = true}, true},
        {{.pid = 900, .process = "systemd-socket-", .uid_known = true, .uid = 4242}, false},
        {{.pid = 900, .process = "systemd-socket-"}, false}, /* whose it is is not known */
        {{.pid = 900, .process = "systemd-socket", .uid_known = true}, false},
        {{.pid = 900, .process = "systemd-socket-p", .uid_known = true}, false},
        {{.pid = 900, .uid_known = true}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(holder_is_activator(&cases[i].holder), cases[i].is_activator);
}

static void a_program_is_known_by_its_path_where_the_host_has_it(void **state)
{
    static const struct match_case cases[] = {
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_MATCHES},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":/usr/sbin/mariadbd (deleted)", OWNER_MATCHES},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":/tmp/mariadbd", OWNER_DIFFERS},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":!/usr/sbin/mariadbd", OWNER_DIFFERS},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":!/usr/sbin/mariadbd (deleted)", OWNER_DIFFERS},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":?/usr/sbin/mariadbd", OWNER_UNTOLD},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB ":?/tmp/mariadbd", OWNER_DIFFERS},
        {":::/usr/sbin/mariadbd", UNTELLING, MARIADB, OWNER_UNTOLD}, /* which may not be read */
        {":::/usr/sbin/mariadbd", UNTELLING, "", OWNER_UNTOLD},
        {":::/usr/sbin/mariadbd", "0:root:mariadb.socket", SYSTEMD ":/usr/lib/systemd/systemd",
         OWNER_MATCHES},
        {"nginx:::/usr/sbin/mariadbd", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
        {"mariadbd:mysql:mariadb.service:/usr/sbin/mariadbd", UNTELLING, MARIADB ":/usr/sbin/mariadbd",
         OWNER_MATCHES},
        {":mysql::/usr/sbin/mariadbd", "4242:mallory:", "", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void a_pattern_of_a_path_matches_part_by_part(void **state)
{
    static const struct match_case cases[] = {
        {":::/usr/lib/postgresql/*/bin/postgres", UNTELLING, "7:::?:/usr/lib/postgresql/15/bin/postgres",
         OWNER_MATCHES},
        {":::/usr/sbin/*", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_MATCHES},
        {":::/usr/*", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
        {":::/usr*", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
        {":::/usr?sbin/mariadbd", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
        {":::*", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
        {":::/opt/a[1]", UNTELLING, MARIADB ":/opt/a[1]", OWNER_MATCHES}, /* a path matches itself */
        {":::/opt/.hidden", UNTELLING, MARIADB ":/opt/.hidden", OWNER_MATCHES},
        {":::/opt/*", UNTELLING, MARIADB ":/opt/.hidden", OWNER_MATCHES},
        {":::/usr/sbin/mariadb", UNTELLING, MARIADB ":/usr/sbin/mariadbd", OWNER_DIFFERS},
    };

    (void)state;
    assert_matches(cases, ARRAY_LENGTH(cases));
}

static void a_pattern_says_what_it_asks_for(void **state)
{
    static const struct {
        const char *pattern, *text;
    } cases[] = {
        {"", ""},
        {"mariadbd", "process mariadbd"},
        {":mysql", "user mysql"},
        {"::maria*.service", "unit maria*.service"},
        {":::/usr/sbin/mariadbd", "exe /usr/sbin/mariadbd"},
        {"mariadbd:mysql", "user mysql, process mariadbd"},
        {":mysql:mariadb.service", "unit mariadb.service, user mysql"},
        {"mariadbd::mariadb.service", "unit mariadb.service, process mariadbd"},
        {"mariadbd:mysql:mariadb.service:/usr/sbin/*",
         "unit mariadb.service, user mysql, exe /usr/sbin/*, process mariadbd"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char copy[PATTERN_TEXT_MAX];
        const struct owner_pattern pattern = pattern_of(cases[i].pattern, copy);
        struct buf out;

        buf_init(&out);
        owner_pattern_describe(&pattern, &out);
        assert_string_equal(buf_text(&out), cases[i].text);
        assert_int_equal(owner_pattern_is_set(&pattern), *cases[i].text != '\0');
        buf_done(&out);
    }
}

/* The names must be exactly these, in this order. */
static void assert_names(const struct owner_set *set, enum owner_name which, const char *wanted)
{
    const char *name = NULL;
    struct buf have;

    buf_init(&have);
    while ((name = owner_next_name(set, which, name)))
        buf_fmt(&have, "%s%s", have.len > 0 ? " " : "", name);
    assert_string_equal(buf_text(&have), wanted);
    buf_done(&have);
}

struct names_case {
    const char *socket, *holders, *processes, *users, *units;
};

static void assert_names_cases(const struct names_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct owner_set *set = owners_of(cases[i].socket, cases[i].holders);

        assert_names(set, OWNER_PROCESS, cases[i].processes);
        assert_names(set, OWNER_USER, cases[i].users);
        assert_names(set, OWNER_UNIT, cases[i].units);
        owner_set_unref(set);
    }
}

static void names_come_once_and_in_order(void **state)
{
    static const struct names_case cases[] = {
        {UNTELLING, MARIADB, "mariadbd", "mysql", "mariadb.service"},
        {UNTELLING, NGINX "," MARIADB, "mariadbd nginx", "mysql www-data", "mariadb.service nginx.service"},
        {UNTELLING, "7:nginx:root:nginx.service," NGINX ",9:nginx:www-data:nginx.service", "nginx",
         "root www-data", "nginx.service"},
        {UNTELLING, "4:d::,5:b::,6:c::,7:a::,8:b::,9:d::", "a b c d", "", ""},
        {UNTELLING, "4:a::,5:aa::,6:A::,7:\xc3\xa4::,8:z::", "A a aa z \xc3\xa4", "", ""},
    };

    (void)state;
    assert_names_cases(cases, ARRAY_LENGTH(cases));
}

static void what_is_unknown_has_no_name(void **state)
{
    static const struct names_case cases[] = {
        {UNTELLING, "7:mariadbd::?", "mariadbd", "", ""},
        {UNTELLING, "7:::?,8:nginx:www-data:", "nginx", "www-data", ""},
        {"101:mysql:mariadb.service", "7:mariadbd::?", "mariadbd", "", ""}, /* the holder's only */
    };

    (void)state;
    assert_names_cases(cases, ARRAY_LENGTH(cases));
}

static void activators_are_named_only_where_nobody_else_is(void **state)
{
    static const struct names_case cases[] = {
        {UNTELLING, SYSTEMD, "systemd", "root", "init.scope"},
        {UNTELLING, SYSTEMD "," MARIADB, "mariadbd", "mysql", "mariadb.service"},
        {UNTELLING, SYSTEMD ",9:systemd-socket-:root:a.scope", "systemd systemd-socket-", "root",
         "a.scope init.scope"},
        {UNTELLING, SYSTEMD ",9:systemd-socket-:root:a.scope," MARIADB "," NGINX, "mariadbd nginx",
         "mysql www-data", "mariadb.service nginx.service"},
        {UNTELLING, SYSTEMD ",9:::?", "", "", ""}, /* somebody else, whoever that is */
    };

    (void)state;
    assert_names_cases(cases, ARRAY_LENGTH(cases));
}

static void without_holders_the_sockets_own_names_are_told(void **state)
{
    static const struct names_case cases[] = {
        {"101:mysql:mariadb.service", "", "", "mysql", "mariadb.service"},
        {"0:root:", "", "", "root", ""},
        {"0::", "", "", "", ""},
    };

    (void)state;
    assert_names_cases(cases, ARRAY_LENGTH(cases));
    assert_names(NULL, OWNER_PROCESS, "");
    assert_names(NULL, OWNER_USER, "");
    assert_names(NULL, OWNER_UNIT, "");
}

static void a_new_set_knows_nothing(void **state)
{
    struct owner_set *set = owner_set_new(2);

    (void)state;
    assert_non_null(set);
    assert_int_equal(set->ref.count, 1);
    assert_int_equal(set->sight, SIGHT_NOT_YET);
    assert_int_equal(set->count, 2);
    assert_string_equal(set->user, "");
    assert_string_equal(set->unit, "");
    assert_int_equal(set->unlisted, 0);
    for (size_t i = 0; i < set->count; i++)
        assert_null(set->holders[i]);
    owner_set_unref(set);
}

static void a_set_lives_until_its_last_reference(void **state)
{
    struct owner_set *set = owners_of(UNTELLING, MARIADB);

    (void)state;
    assert_ptr_equal(owner_set_ref(set), set);
    assert_ptr_equal(owner_set_ref(set), set);
    owner_set_unref(set);
    owner_set_unref(set);
    assert_names(set, OWNER_PROCESS, "mariadbd");
    owner_set_unref(set);
    owner_set_unref(NULL);
}

static void whoever_is_not_listed_may_be_the_one_asked_for(void **state)
{
    static const struct {
        const char *pattern, *holders;
        enum owner_match match;
    } cases[] = {
        {"mariadbd", MARIADB, OWNER_MATCHES},        {"nginx", MARIADB, OWNER_UNTOLD},
        {":www-data", MARIADB, OWNER_UNTOLD},        {"::nginx.service", MARIADB, OWNER_UNTOLD},
        {"nginx", MARIADB "," NGINX, OWNER_MATCHES}, {"nginx", SYSTEMD, OWNER_UNTOLD},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct owner_set *set = owners_of(UNTELLING, cases[i].holders);
        char copy[PATTERN_TEXT_MAX];
        const struct owner_pattern pattern = pattern_of(cases[i].pattern, copy);

        set->unlisted = 1;
        assert_int_equal(owner_match(&pattern, set), cases[i].match);
        assert_false(owner_set_is_only_activated(set)); /* somebody may use it */
        assert_non_null(owner_next_name(set, OWNER_PROCESS, NULL));
        owner_set_unref(set);
    }
}

static void a_holder_lives_as_long_as_a_set_names_it(void **state)
{
    const struct holder *holder = holder_new(&(struct holder){.pid = 7, .process = "web"});
    struct owner_set *sets[] = {owner_set_new(1), owner_set_new(1)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        sets[i]->holders[0] = holder_ref(holder);
    holder_unref(holder);
    owner_set_unref(sets[0]);
    assert_string_equal(sets[1]->holders[0]->process, "web");
    assert_int_equal(atomic_load(ref_count(&sets[1]->holders[0]->ref)), 1);
    owner_set_unref(sets[1]);
    holder_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_pattern_must_be_met),
        cmocka_unit_test(an_empty_pattern_matches_everybody),
        cmocka_unit_test(nobody_looked_is_untold),
        cmocka_unit_test(patterns_are_those_of_a_shell),
        cmocka_unit_test(backslashes_are_ordinary),
        cmocka_unit_test(of_a_long_process_name_15_bytes_count),
        cmocka_unit_test(of_a_long_user_or_unit_every_byte_counts),
        cmocka_unit_test(an_escaped_process_name_may_be_longer),
        cmocka_unit_test(a_long_process_name_may_be_cut_within_a_character),
        cmocka_unit_test(any_one_of_several_holders_suffices),
        cmocka_unit_test(one_holder_must_meet_the_whole_pattern),
        cmocka_unit_test(the_sockets_own_user_and_unit_will_do),
        cmocka_unit_test(a_socket_unit_stands_for_its_service),
        cmocka_unit_test(the_longest_socket_unit_has_room),
        cmocka_unit_test(what_a_holder_does_not_tell_is_untold),
        cmocka_unit_test(a_user_whose_name_is_unknown_is_untold),
        cmocka_unit_test(a_number_asks_for_that_user_whatever_its_name),
        cmocka_unit_test(names_are_awaited_of_the_socket_and_of_its_holders),
        cmocka_unit_test(what_is_known_to_differ_outweighs_what_is_not_told),
        cmocka_unit_test(an_activator_alone_holds_it_for_others),
        cmocka_unit_test(of_an_activated_socket_its_own_user_and_unit_tell),
        cmocka_unit_test(nobody_is_an_activator_by_calling_himself_so),
        cmocka_unit_test(an_activator_excuses_nobody_else),
        cmocka_unit_test(without_holders_the_socket_tells_what_it_can),
        cmocka_unit_test(what_the_socket_tells_does_not_hang_on_the_sight),
        cmocka_unit_test(activators_are_known_by_what_they_cannot_choose),
        cmocka_unit_test(a_program_is_known_by_its_path_where_the_host_has_it),
        cmocka_unit_test(a_pattern_of_a_path_matches_part_by_part),
        cmocka_unit_test(a_pattern_says_what_it_asks_for),
        cmocka_unit_test(names_come_once_and_in_order),
        cmocka_unit_test(what_is_unknown_has_no_name),
        cmocka_unit_test(activators_are_named_only_where_nobody_else_is),
        cmocka_unit_test(without_holders_the_sockets_own_names_are_told),
        cmocka_unit_test(a_new_set_knows_nothing),
        cmocka_unit_test(a_set_lives_until_its_last_reference),
        cmocka_unit_test(whoever_is_not_listed_may_be_the_one_asked_for),
        cmocka_unit_test(a_holder_lives_as_long_as_a_set_names_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
