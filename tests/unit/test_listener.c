#include "core/listener.h"
#include "tests/unit/rows.h"
#include "tests/unit/unit.h"

enum { MEMBERS_MAX = 8 };

struct service {
    struct listener l; /* its members are those below */
    struct member members[MEMBERS_MAX];
};

/* Adds a socket, which takes the owners. */
static void add_member(struct service *s, struct owner_set *owners)
{
    assert_in_range(s->l.sockets, 0, MEMBERS_MAX - 1);
    s->members[s->l.sockets++].owners = owners;
    s->l.followed = s->l.sockets;
    s->l.members = s->members;
}

static void service_done(struct service *s)
{
    for (uint32_t i = 0; i < s->l.sockets; i++)
        owner_set_unref(s->members[i].owners);
}

#define UNTELLING "0:root:"
#define MARIADB   "7:mariadbd:mysql:mariadb.service"
#define NGINX     "8:nginx:www-data:nginx.service"
#define SYSTEMD   "1:systemd:root:init.scope"

/* The names, one after the other and as they are written, must be these. */
static void assert_names(const struct listener *l, enum owner_name which, const char *each,
                         const char *written)
{
    const char *name = NULL;
    struct buf have;

    buf_init(&have);
    while ((name = listener_next_name(l, which, name)))
        buf_fmt(&have, "%s%s", have.len > 0 ? " " : "", name);
    assert_string_equal(buf_text(&have), each);
    buf_truncate(&have, 0);
    listener_names(l, which, &have);
    assert_string_equal(buf_text(&have), written);
    buf_done(&have);
}

static void assert_queue(struct queue have, struct queue wanted)
{
    assert_int_equal(have.length, wanted.length);
    assert_int_equal(have.limit, wanted.limit);
}

/* A queue holds one connection more than its limit. */
static void the_fuller_queue_is_the_one_with_less_room_for_its_size(void **state)
{
    static const struct queue by_fullness[] = {{0, 0},     {0, 1},       {0, UINT32_MAX}, {1, 999},
                                               {11, 1000}, {1, 1},       {3, 5},          {1, 0},
                                               {11, 10},   {1001, 1000}, {12, 10},        {UINT32_MAX, 0}};

    (void)state;
    assert_true(queue_saturation((struct queue){0, 0}) == 0);
    assert_true(queue_saturation((struct queue){3, 11}) == 0.25);
    assert_true(queue_saturation((struct queue){UINT32_MAX, UINT32_MAX}) < 1);
    for (size_t i = 0; i < ARRAY_LENGTH(by_fullness); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(by_fullness); k++)
            assert_queue(queue_fuller(by_fullness[i], by_fullness[k]), by_fullness[i > k ? i : k]);
}

static void one_socket_shares_with_nobody(void **state)
{
    static const struct {
        uint32_t sockets;
        bool uid_known;
        enum sharing sharing;
    } cases[] = {
        {1, true, SHARING_NONE},     {1, false, SHARING_NONE},  {2, true, SHARING_ONE_USER},
        {9, true, SHARING_ONE_USER}, {2, false, SHARING_USERS}, {9, false, SHARING_USERS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct listener l = {.sockets = cases[i].sockets, .uid_known = cases[i].uid_known};

        assert_int_equal(listener_sharing(&l), cases[i].sharing);
    }
}

static void names_are_those_of_all_sockets(void **state)
{
    struct service s = {0};

    (void)state;
    add_member(&s, owners_of(UNTELLING, NGINX ",9:php:www-data:php.service"));
    add_member(&s, owners_of(UNTELLING, MARIADB));
    add_member(&s, owners_of(UNTELLING, "3:nginx:nobody:nginx.service," NGINX));
    assert_names(&s.l, OWNER_PROCESS, "mariadbd nginx php", "mariadbd,nginx,php");
    assert_names(&s.l, OWNER_USER, "mysql nobody www-data", "mysql,nobody,www-data");
    assert_names(&s.l, OWNER_UNIT, "mariadb.service nginx.service php.service",
                 "mariadb.service,nginx.service,php.service");
    service_done(&s);
}

static void three_names_are_written_at_most(void **state)
{
    struct service s = {0};

    (void)state;
    add_member(&s, owners_of(UNTELLING, "4:b:u:,5:a:u:"));
    assert_names(&s.l, OWNER_PROCESS, "a b", "a,b");
    add_member(&s, owners_of(UNTELLING, "6:c:u:"));
    assert_names(&s.l, OWNER_PROCESS, "a b c", "a,b,c");
    add_member(&s, owners_of(UNTELLING, "7:d:u:,4:b:u:"));
    assert_names(&s.l, OWNER_PROCESS, "a b c d", "a,b,c,...");
    add_member(&s, owners_of(UNTELLING, "3:0:u:"));
    assert_names(&s.l, OWNER_PROCESS, "0 a b c d", "0,a,b,...");
    assert_names(&s.l, OWNER_USER, "u", "u");
    service_done(&s);
}

/* Owners with units of so many bytes each, which begin with "a", "b" and so on
 * and end with a character of two bytes. */
static struct owner_set *owners_of_long_units(const size_t *lengths, size_t count)
{
    struct owner_set *set = owner_set_new(count);

    assert_non_null(set);
    set->sight = SIGHT_SEEN;
    for (size_t i = 0; i < count; i++) {
        struct holder h = {.pid = (uint32_t)(i + 2), .unit_known = true};

        assert_in_range(lengths[i], 3, sizeof h.unit - 1);
        memset(h.unit, '.', lengths[i]);
        h.unit[0] = (char)('a' + i);
        memcpy(h.unit + lengths[i] - 2, "\xc3\xa4", 2);
        set->holders[i] = holder_new(&h);
        assert_non_null(set->holders[i]);
    }
    return set;
}

static void names_that_do_not_fit_are_left_out_whole(void **state)
{
    static const struct {
        size_t lengths[4], count;
        size_t written; /* names */
    } cases[] = {
        {{255}, 1, 1},         {{255, 3}, 2, 1},          {{100, 151}, 2, 2},
        {{100, 152}, 2, 1},    {{100, 100, 50}, 3, 3},    {{100, 100, 51}, 3, 2},
        {{100, 200, 3}, 3, 1}, {{80, 80, 80, 255}, 4, 3}, {{100, 100, 51, 3}, 4, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct service s = {0};
        struct owner_set *set = owners_of_long_units(cases[i].lengths, cases[i].count);
        struct buf want, have;

        add_member(&s, set);
        buf_init(&want);
        buf_init(&have);
        for (size_t k = 0; k < cases[i].written; k++)
            buf_fmt(&want, "%s%s", k > 0 ? "," : "", set->holders[k]->unit);
        if (cases[i].written < cases[i].count)
            buf_str(&want, ",...");
        buf_str(&have, "units: ");
        listener_names(&s.l, OWNER_UNIT, &have);
        assert_string_equal(buf_text(&have) + strlen("units: "), buf_text(&want));
        assert_true(want.len <= 256 || cases[i].written == 1);
        buf_done(&want);
        buf_done(&have);
        service_done(&s);
    }
}

static void names_follow_what_was_written_before(void **state)
{
    struct service s = {0};
    struct buf out;

    (void)state;
    add_member(&s, owners_of(UNTELLING, MARIADB));
    buf_init(&out);
    buf_str(&out, "held by ");
    listener_names(&s.l, OWNER_PROCESS, &out);
    assert_string_equal(buf_text(&out), "held by mariadbd");
    buf_done(&out);
    service_done(&s);
}

/* Socket by socket: one may still wait for its service. */
static void activators_are_left_out_where_others_hold_the_socket(void **state)
{
    struct service s = {0};

    (void)state;
    add_member(&s, owners_of(UNTELLING, SYSTEMD "," MARIADB));
    assert_names(&s.l, OWNER_PROCESS, "mariadbd", "mariadbd");
    assert_names(&s.l, OWNER_USER, "mysql", "mysql");
    add_member(&s, owners_of(UNTELLING, SYSTEMD));
    assert_names(&s.l, OWNER_PROCESS, "mariadbd systemd", "mariadbd,systemd");
    assert_names(&s.l, OWNER_UNIT, "init.scope mariadb.service", "init.scope,mariadb.service");
    service_done(&s);
}

static void a_socket_without_holders_adds_its_own_names(void **state)
{
    struct service s = {0};

    (void)state;
    add_member(&s, owners_of("101:mysql:mariadb.service", ""));
    assert_names(&s.l, OWNER_PROCESS, "", "");
    assert_names(&s.l, OWNER_USER, "mysql", "mysql");
    assert_names(&s.l, OWNER_UNIT, "mariadb.service", "mariadb.service");
    add_member(&s, owners_of(UNTELLING, NGINX));
    assert_names(&s.l, OWNER_PROCESS, "nginx", "nginx");
    assert_names(&s.l, OWNER_USER, "mysql www-data", "mysql,www-data");
    service_done(&s);
}

static void a_socket_whose_owners_are_unknown_adds_no_name(void **state)
{
    struct service s = {0};

    (void)state;
    assert_names(&s.l, OWNER_USER, "", "");
    add_member(&s, NULL);
    assert_names(&s.l, OWNER_PROCESS, "", "");
    assert_names(&s.l, OWNER_USER, "", "");
    assert_names(&s.l, OWNER_UNIT, "", "");
    add_member(&s, owners_of(UNTELLING, MARIADB));
    assert_names(&s.l, OWNER_PROCESS, "mariadbd", "mariadbd");
    service_done(&s);
}

static void the_sight_is_that_of_the_worst_socket(void **state)
{
    static const struct {
        enum sight sights[3];
        enum sight worst;
    } cases[] = {
        {{SIGHT_SEEN, SIGHT_SEEN, SIGHT_SEEN}, SIGHT_SEEN},
        {{SIGHT_SEEN, SIGHT_NONE, SIGHT_SEEN}, SIGHT_NONE},
        {{SIGHT_HIDDEN, SIGHT_NONE, SIGHT_SEEN}, SIGHT_HIDDEN},
        {{SIGHT_NONE, SIGHT_HIDDEN, SIGHT_SEEN}, SIGHT_HIDDEN},
        {{SIGHT_HIDDEN, SIGHT_SEEN, SIGHT_NOT_YET}, SIGHT_NOT_YET},
        {{SIGHT_LATE, SIGHT_HIDDEN, SIGHT_SEEN}, SIGHT_LATE},
        {{SIGHT_NONE, SIGHT_NOT_YET, SIGHT_LATE}, SIGHT_NOT_YET},
        {{SIGHT_NOT_YET, SIGHT_SEEN, SIGHT_SEEN}, SIGHT_NOT_YET},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct service s = {0};

        for (size_t k = 0; k < ARRAY_LENGTH(cases[i].sights); k++) {
            struct owner_set *owners = owners_of(UNTELLING, "");

            owners->sight = cases[i].sights[k];
            add_member(&s, owners);
        }
        assert_int_equal(listener_sight(&s.l), cases[i].worst);
        service_done(&s);
    }
}

static void a_socket_without_owners_was_not_looked_for(void **state)
{
    struct service s = {0};

    (void)state;
    add_member(&s, owners_of(UNTELLING, MARIADB));
    assert_int_equal(listener_sight(&s.l), SIGHT_SEEN);
    add_member(&s, NULL);
    assert_int_equal(listener_sight(&s.l), SIGHT_LEFT_OUT);
    service_done(&s);
}

/* The PIDs of those who hold it must be these. */
static void assert_holders(const struct listener *l, struct holder_list *list, const char *pids)
{
    struct buf have;

    buf_init(&have);
    assert_int_equal(listener_holders(l, list), 0);
    for (size_t i = 0; i < list->count; i++)
        buf_fmt(&have, "%s%u", i > 0 ? " " : "", list->items[i]->pid);
    assert_string_equal(buf_text(&have), pids);
    buf_done(&have);
}

static void holders_of_all_sockets_are_told_once_each_by_pid(void **state)
{
    struct service s = {0}, other = {0};
    struct holder_list list = {0};

    (void)state;
    assert_holders(&s.l, &list, "");
    add_member(&s, NULL);
    add_member(&s, owners_of(UNTELLING, ""));
    assert_holders(&s.l, &list, "");
    add_member(&s, owners_of(UNTELLING, "5:a:u:,7:b:u:"));
    assert_holders(&s.l, &list, "5 7");
    add_member(&s, owners_of(UNTELLING, "7:b:u:,9:c:u:"));
    assert_holders(&s.l, &list, "5 7 9");
    add_member(&s, owners_of(UNTELLING, SYSTEMD ",6:d:u:,9:c:u:,4294967295:e:u:"));
    assert_holders(&s.l, &list, "1 5 6 7 9 4294967295");
    assert_string_equal(list.items[5]->process, "e");
    add_member(&other, owners_of(UNTELLING, MARIADB));
    assert_holders(&other.l, &list, "7"); /* nothing is left of those before */
    holder_list_done(&list);
    holder_list_done(&list);
    service_done(&other);
    service_done(&s);
}

/* Who has several of the sockets is one holder, whichever of them list it. */
static void holders_that_are_not_listed_are_counted_once(void **state)
{
    struct owner_set *few = owners_of(UNTELLING, "5:a:u:,7:b:u:");
    struct owner_set *many = owners_of(UNTELLING, "7:b:u:,9:c:u:");
    struct holder_list list = {0};
    struct service s = {0};

    (void)state;
    assert_false(listener_holders_are_cut(&s.l));
    assert_int_equal(listener_holders_unlisted(&s.l, &list), 0);
    add_member(&s, NULL);
    add_member(&s, few);
    add_member(&s, many);
    assert_false(listener_holders_are_cut(&s.l));
    few->unlisted = 298;
    many->unlisted = 298;
    assert_true(listener_holders_are_cut(&s.l));
    assert_int_equal(listener_holders(&s.l, &list), 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(listener_holders_unlisted(&s.l, &list), 297);
    few->unlisted = 0;
    many->unlisted = UINT64_C(5000000000);
    assert_int_equal(listener_holders_unlisted(&s.l, &list), UINT64_C(4999999999));
    many->unlisted = 1; /* of three that have it all are listed */
    assert_int_equal(listener_holders_unlisted(&s.l, &list), 0);
    holder_list_done(&list);
    service_done(&s);
}

static void only_what_has_ports_has_a_port_class(void **state)
{
    (void)state;
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        const struct listener l = {.protocol = (enum protocol)i};

        assert_int_equal(listener_has_port_class(&l), i < PROTOCOL_RAW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fuller_queue_is_the_one_with_less_room_for_its_size),
        cmocka_unit_test(one_socket_shares_with_nobody),
        cmocka_unit_test(names_are_those_of_all_sockets),
        cmocka_unit_test(three_names_are_written_at_most),
        cmocka_unit_test(names_that_do_not_fit_are_left_out_whole),
        cmocka_unit_test(names_follow_what_was_written_before),
        cmocka_unit_test(activators_are_left_out_where_others_hold_the_socket),
        cmocka_unit_test(a_socket_without_holders_adds_its_own_names),
        cmocka_unit_test(a_socket_whose_owners_are_unknown_adds_no_name),
        cmocka_unit_test(the_sight_is_that_of_the_worst_socket),
        cmocka_unit_test(a_socket_without_owners_was_not_looked_for),
        cmocka_unit_test(holders_of_all_sockets_are_told_once_each_by_pid),
        cmocka_unit_test(holders_that_are_not_listed_are_counted_once),
        cmocka_unit_test(only_what_has_ports_has_a_port_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
