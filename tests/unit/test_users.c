#include "collectors/user_database.h"
#include "collectors/user_worker.h"
#include "collectors/users.h"
#include "core/array.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

/* The user database of these tests, and the thread that asks it, in a time that
 * tests let pass. Users below 1000 with even numbers have names, but for what a
 * test says. */
enum { SAID_MAX = 8, IN_USE_MAX = 70000 };

struct user_worker {
    uint32_t queue[USER_WORKER_MAX];
    size_t count;
    bool asks;
    uint32_t asked;
    int64_t until_ms; /* when that is answered */
    struct user_answer answers[USER_WORKER_MAX];
    size_t answer_count;
};

static struct database {
    int64_t now_ms;
    int64_t takes_ms, named_takes_ms; /* per answer */
    struct said {
        uint32_t uid;
        int result;
        const char *name;
    } said[SAID_MAX];
    size_t said_count;
    int error; /* of all that have no name */
    int hand_error;
    size_t asks, steps, changes, waits;
    uint32_t last_asked;
    uint32_t in_use[IN_USE_MAX];
    size_t in_use_count;
    uint64_t version; /* as heeded */
    int64_t heed_ms;  /* where they are many they are not asked for all the time */
    size_t open;
} db;

static struct user_worker the_worker;

static const struct said *find_said(uint32_t uid)
{
    for (size_t i = 0; i < db.said_count; i++)
        if (db.said[i].uid == uid)
            return &db.said[i];
    return NULL;
}

int user_database_ask(uint32_t uid, char ret_name[USER_TEXT_MAX])
{
    const struct said *said = find_said(uid);
    bool named = said ? said->result > 0 : uid < 1000 && uid % 2 == 0;

    db.asks++;
    db.last_asked = uid;
    if (said && said->result > 0)
        (void)snprintf(ret_name, USER_TEXT_MAX, "%s", said->name);
    else
        (void)snprintf(ret_name, USER_TEXT_MAX, "name%u", uid);
    return said ? said->result : named ? 1 : db.error;
}

struct user_worker *user_worker_new(user_ask_fn *ask)
{
    assert_ptr_equal(ask, user_database_ask);
    the_worker = (struct user_worker){.count = 0};
    db.open++;
    return &the_worker;
}

void user_worker_free(struct user_worker *w)
{
    db.open -= w != NULL;
}

int user_worker_hand(struct user_worker *w, const uint32_t *uids, size_t count)
{
    w->count = 0;
    if (db.hand_error < 0)
        return db.hand_error;
    assert_in_range(count, 0, USER_WORKER_MAX);
    for (size_t i = 0; i < count; i++)
        if (!w->asks || w->asked != uids[i])
            w->queue[w->count++] = uids[i];
    return 0;
}

/* Lets the thread do what it does until now. */
static void let_work(struct user_worker *w)
{
    int64_t at_ms = db.now_ms;

    while (w->asks || w->count > 0) {
        if (!w->asks) {
            w->asks = true;
            w->asked = w->queue[0];
            memmove(w->queue, w->queue + 1, --w->count * sizeof *w->queue);
            w->until_ms = at_ms + (w->asked < 1000 && db.named_takes_ms ? db.named_takes_ms : db.takes_ms);
        }
        if (w->until_ms > db.now_ms)
            return;
        at_ms = w->until_ms;
        w->asks = false;
        w->answers[w->answer_count].uid = w->asked;
        w->answers[w->answer_count].result = user_database_ask(w->asked, w->answers[w->answer_count].name);
        w->answer_count++;
    }
}

size_t user_worker_take(struct user_worker *w, struct user_answer *ret_answers)
{
    size_t count;

    let_work(w);
    count = w->answer_count;
    memcpy(ret_answers, w->answers, count * sizeof *ret_answers);
    w->answer_count = 0;
    return count;
}

bool user_worker_is_busy(struct user_worker *w)
{
    return w->asks || w->count > 0 || w->answer_count > 0;
}

bool user_worker_await(struct user_worker *w, int64_t us)
{
    db.waits++;
    let_work(w);
    if (w->answer_count == 0 && w->asks && w->until_ms - db.now_ms <= us / 1000) {
        db.now_ms = w->until_ms;
        let_work(w);
    }
    return w->answer_count > 0;
}

static void say(uint32_t uid, int result, const char *name)
{
    struct said said = {uid, result, name};

    for (size_t i = 0; i < db.said_count; i++) {
        if (db.said[i].uid == uid) {
            db.said[i] = said;
            return;
        }
    }
    assert_in_range(db.said_count, 0, SAID_MAX - 1);
    db.said[db.said_count++] = said;
}

static int set_up(void **state)
{
    db = (struct database){.now_ms = 1000000};
    *state = users_new();
    if (!*state)
        return -1;
    users_step(*state, db.now_ms);
    return 0;
}

static int tear_down(void **state)
{
    users_free(*state);
    return db.open == 0 ? 0 : -1;
}

/* Whoever uses names: all that are in use are asked for when that is asked for. */

static void use(struct users *u, uint32_t uid)
{
    char name[USER_TEXT_MAX];

    assert_in_range(db.in_use_count, 0, IN_USE_MAX - 1);
    db.in_use[db.in_use_count++] = uid;
    (void)users_name(u, uid, name);
}

static void heed(struct users *u)
{
    char name[USER_TEXT_MAX];

    if (users_version(u) == db.version || db.now_ms < db.heed_ms)
        return;
    db.version = users_version(u);
    db.heed_ms = db.now_ms + (int64_t)db.in_use_count / 20;
    db.changes++;
    for (size_t i = 0; i < db.in_use_count; i++)
        (void)users_name(u, db.in_use[i], name);
}

static void step(struct users *u)
{
    db.steps++;
    users_step(u, db.now_ms);
    heed(u);
}

/* Lets time pass, in which steps come when they are due. */
static void run(struct users *u, int64_t ms)
{
    int64_t end_ms = db.now_ms + ms;

    while (users_due_ms(u) <= end_ms) {
        if (users_due_ms(u) > db.now_ms)
            db.now_ms = users_due_ms(u);
        step(u);
    }
    db.now_ms = end_ms;
}

static void assert_name(struct users *u, uint32_t uid, const char *wanted, bool awaited)
{
    char name[USER_TEXT_MAX];

    assert_int_equal(users_name(u, uid, name), awaited);
    assert_string_equal(name, wanted);
}

/* How long it takes until the user is called so. */
static int64_t ms_until(struct users *u, uint32_t uid, const char *wanted)
{
    int64_t began_ms = db.now_ms;
    char name[USER_TEXT_MAX];

    for (;;) {
        (void)users_name(u, uid, name);
        if (strcmp(name, wanted) == 0)
            return db.now_ms - began_ms;
        assert_true(db.now_ms - began_ms < 3600000);
        run(u, 100);
    }
}

static void nobody_asks_before_somebody_is_in_use(void **state)
{
    assert_int_equal(users_due_ms(*state), INT64_MAX);
    step(*state);
    assert_int_equal(users_due_ms(*state), INT64_MAX);
    assert_int_equal(db.asks, 0);
}

static void a_name_is_there_after_it_was_asked_for(void **state)
{
    uint64_t version = users_version(*state);

    step(*state);
    use(*state, 10);
    use(*state, 11);
    assert_name(*state, 10, "", true);
    assert_name(*state, 11, "", true);
    assert_int_equal(db.asks, 0); /* not by whoever wants to know */
    assert_true(users_due_ms(*state) <= db.now_ms);
    run(*state, 2);
    assert_name(*state, 10, "name10", false);
    assert_name(*state, 11, "11", false); /* it has none */
    assert_true(users_version(*state) != version);
}

static void what_did_not_change_changes_nothing(void **state)
{
    use(*state, 10);
    run(*state, 100);
    db.changes = db.steps = db.asks = 0;
    run(*state, 600000);
    assert_in_range(db.asks, 20, 21);    /* each half minute */
    assert_in_range(db.changes, 28, 31); /* only who is in use is asked */
    assert_in_range(db.steps, 20, 100);
}

static void a_user_that_is_given_another_name_is_called_by_it_within_a_minute(void **state)
{
    use(*state, 10);
    run(*state, 100);
    for (int i = 0; i < 40; i++) {
        static const char *const names[] = {"one", "two"};

        say(10, 1, names[i % 2]);
        assert_in_range(ms_until(*state, 10, names[i % 2]), 0, 31000);
        run(*state, i * 777);
    }
}

static void a_user_that_gets_a_name_is_called_by_it_within_seconds(void **state)
{
    use(*state, 61184);
    run(*state, 7000);
    assert_name(*state, 61184, "61184", false);
    say(61184, 1, "dynamic");
    assert_in_range(ms_until(*state, 61184, "dynamic"), 0, 4000);
    say(61184, 0, NULL);
    assert_in_range(ms_until(*state, 61184, "61184"), 0, 31000);
}

/* A directory that is down knows nothing, which is not the same as nobody. */
static void a_failure_takes_no_name_away_and_is_not_kept(void **state)
{
    use(*state, 10);
    use(*state, 12);
    say(12, -EIO, NULL);
    run(*state, 100);
    assert_name(*state, 10, "name10", false);
    assert_name(*state, 12, "", true);
    say(10, -EIO, NULL);
    run(*state, 600000);
    assert_name(*state, 10, "name10", false);
    assert_name(*state, 12, "", false); /* but it is not awaited any more */
    say(10, 1, "other");
    say(12, 1, "late");
    assert_in_range(ms_until(*state, 12, "late"), 0, 4000);
    assert_name(*state, 10, "other", false);
}

static void a_first_answer_is_awaited_for_ten_seconds(void **state)
{
    db.takes_ms = 60000;
    use(*state, 10);
    run(*state, 9000);
    assert_name(*state, 10, "", true);
    db.changes = 0;
    run(*state, 1500);
    assert_name(*state, 10, "", false);
    assert_int_equal(db.changes, 1);
    run(*state, 50000);
    assert_name(*state, 10, "name10", false);
}

/* Each takes five seconds. */
static void the_old_name_stays_while_it_is_asked_for_again(void **state)
{
    db.takes_ms = 5000;
    use(*state, 10);
    run(*state, 6000);
    for (int i = 0; i < 200; i++) {
        assert_name(*state, 10, "name10", false);
        run(*state, 500);
    }
    say(10, 1, "other");
    assert_in_range(ms_until(*state, 10, "other"), 0, 60000);
    db.steps = 0;
    run(*state, 60000);
    assert_in_range(db.steps, 0, 120);
}

/* As many as any user may have been given, on a directory that takes five
 * seconds for each. */
static void numbers_without_a_name_do_not_let_names_wait(void **state)
{
    db.takes_ms = 5000;
    for (uint32_t uid = 0; uid < 10000; uid++)
        use(*state, 100000 + uid);
    run(*state, 60000);
    use(*state, 10);
    assert_in_range(ms_until(*state, 10, "name10"), 0, 11000);
    use(*state, 1900000001); /* of a directory, whose numbers are larger */
    say(1900000001, 1, "somebody");
    assert_in_range(ms_until(*state, 1900000001, "somebody"), 0, 11000);
    run(*state, 300000);
    say(10, 1, "other");
    assert_in_range(ms_until(*state, 10, "other"), 0, 60000);
}

/* More than are kept where they are not in use. */
static void whoever_is_in_use_is_known_however_many(void **state)
{
    for (uint32_t uid = 0; uid < 40000; uid++)
        use(*state, 100000 + uid);
    run(*state, 60000);
    use(*state, 10);
    assert_in_range(ms_until(*state, 10, "name10"), 0, 2000);
    for (uint32_t round = 1; round < 4; round++) {
        for (uint32_t i = 0; i < 40000; i++)
            db.in_use[i] += 100000;
        run(*state, 30000);
    }
    assert_name(*state, 10, "name10", false);
    assert_name(*state, 400000, "400000", false);
    assert_name(*state, 439999, "439999", false);
}

static void numbers_without_a_name_cost_little(void **state)
{
    for (uint32_t uid = 0; uid < 8192; uid++)
        use(*state, 100000 + uid);
    run(*state, 20000);
    for (uint32_t uid = 0; uid < 8192; uid++) {
        char number[16];

        (void)snprintf(number, sizeof number, "%u", 100000 + uid);
        assert_name(*state, 100000 + uid, number, false); /* all were asked for once */
    }
    db.asks = db.steps = 0;
    run(*state, 60000);
    assert_in_range(db.asks, 600, 1400);
    assert_in_range(db.steps, 0, 3000);
    use(*state, 11);
    run(*state, 1000);
    say(11, 1, "eleven"); /* the only one of its neighbourhood */
    assert_in_range(ms_until(*state, 11, "eleven"), 0, 4000);
}

static void who_is_not_in_use_is_forgotten_and_not_asked_for(void **state)
{
    for (uint32_t uid = 0; uid < 1000; uid++)
        use(*state, uid);
    run(*state, 10000);
    db.in_use_count = 0;
    run(*state, 100000);
    db.asks = 0;
    run(*state, 600000);
    assert_int_equal(db.asks, 0);
    assert_int_equal(users_due_ms(*state), INT64_MAX);
    assert_name(*state, 10, "", true);
    run(*state, 10);
    assert_name(*state, 10, "name10", false);
}

static void a_refresh_asks_for_all_names_anew(void **state)
{
    use(*state, 10);
    use(*state, 12);
    run(*state, 1000);
    say(10, 1, "other");
    users_refresh(*state);
    assert_name(*state, 10, "name10", false);
    run(*state, 10);
    assert_name(*state, 10, "other", false);
}

/* Most databases answer within the poll that asks. */
static void a_quick_database_is_waited_for_and_a_slow_one_is_not(void **state)
{
    use(*state, 10);
    assert_false(users_await(*state, 2000)); /* nobody was asked */
    db.takes_ms = 1;
    step(*state);
    assert_true(users_await(*state, 2000));
    step(*state);
    assert_name(*state, 10, "name10", false);
    assert_false(users_await(*state, 2000));
    db.takes_ms = 5000;
    db.waits = 0;
    for (uint32_t uid = 12; uid < 30; uid += 2) {
        use(*state, uid);
        step(*state);
        assert_false(users_await(*state, 2000));
        db.now_ms += 100;
    }
    assert_int_equal(db.waits, 1);
    run(*state, 5000);
    db.takes_ms = 1;
    run(*state, 5000);
    use(*state, 40);
    step(*state);
    assert_true(users_await(*state, 2000)); /* it answers again */
}

static void who_gives_up_awaits_nothing_any_more(void **state)
{
    uint64_t version;

    db.takes_ms = 5000;
    use(*state, 10);
    step(*state);
    version = users_version(*state);
    users_give_up(*state);
    assert_true(users_version(*state) != version);
    assert_name(*state, 10, "", false);
    assert_name(*state, 12, "", false);
}

static void without_a_thread_names_are_unknown_and_wanted_again(void **state)
{
    db.hand_error = -EAGAIN;
    use(*state, 10);
    run(*state, 60000);
    assert_name(*state, 10, "", false);
    assert_int_equal(db.asks, 0);
    assert_in_range(db.steps, 10, 100);
    db.hand_error = 0;
    assert_in_range(ms_until(*state, 10, "name10"), 0, 4000);
}

/* Whoever goes through numbers makes no more room be taken than there is. */
static void what_comes_and_goes_leaves_nothing_behind(void **state)
{
    for (uint32_t round = 0; round < 5; round++) {
        db.in_use_count = 0;
        for (uint32_t uid = 0; uid < 5000; uid++)
            use(*state, uid * 7 + round);
        run(*state, 30000);
        for (uint32_t uid = 0; uid < 143; uid++) {
            char name[USER_TEXT_MAX];
            uint32_t number = uid * 7 + round;

            assert_false(users_name(*state, number, name));
            assert_int_equal(strncmp(name, "name", 4) == 0, number < 1000 && number % 2 == 0);
        }
    }
    db.in_use_count = 0;
    run(*state, 200000);
    assert_int_equal(users_due_ms(*state), INT64_MAX);
}

#define on_database(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_database(nobody_asks_before_somebody_is_in_use),
        on_database(a_name_is_there_after_it_was_asked_for),
        on_database(what_did_not_change_changes_nothing),
        on_database(a_user_that_is_given_another_name_is_called_by_it_within_a_minute),
        on_database(a_user_that_gets_a_name_is_called_by_it_within_seconds),
        on_database(a_failure_takes_no_name_away_and_is_not_kept),
        on_database(a_first_answer_is_awaited_for_ten_seconds),
        on_database(the_old_name_stays_while_it_is_asked_for_again),
        on_database(numbers_without_a_name_do_not_let_names_wait),
        on_database(whoever_is_in_use_is_known_however_many),
        on_database(numbers_without_a_name_cost_little),
        on_database(who_is_not_in_use_is_forgotten_and_not_asked_for),
        on_database(a_refresh_asks_for_all_names_anew),
        on_database(a_quick_database_is_waited_for_and_a_slow_one_is_not),
        on_database(who_gives_up_awaits_nothing_any_more),
        on_database(without_a_thread_names_are_unknown_and_wanted_again),
        on_database(what_comes_and_goes_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
