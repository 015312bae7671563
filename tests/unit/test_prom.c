#include "exporters/prom.h"
#include "exporters/prom_host.h"
#include "tests/unit/scene.h"

/* Read from the root of the source tree. UPDATE_GOLDEN=1 writes it anew. */
#define GOLDEN_PATH "tests/unit/golden/metrics.txt"

enum { LINES_MAX = 512, FAMILY_COUNT = PROM_FAMILY_COUNT + PROM_HOST_FAMILY_COUNT };

/* An exposition, taken apart. */
struct parsed {
    char *text;                       /* owned; its newlines are overwritten */
    char *copy;                       /* owned; as it was rendered */
    char *comments[2 * FAMILY_COUNT]; /* "# HELP ..." and "# TYPE ..." */
    char *samples[LINES_MAX];
    size_t comment_count, sample_count;
};

/* Adds what was cut to dropped, as whoever serves expositions does. */
static struct parsed render_and_count(const struct scene *s, struct prom_dropped *dropped)
{
    struct parsed e = {0};
    struct prom_dropped cut;
    char *rest = NULL;
    struct buf out;
    size_t length;

    buf_init(&out);
    prom_render(&s->view, dropped, &out, &cut);
    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++)
        dropped->series[i] += cut.series[i];
    e.text = buf_take(&out, &length);
    assert_non_null(e.text);
    assert_int_equal(strlen(e.text), length);
    assert_int_equal(e.text[length - 1], '\n');
    e.copy = strdup(e.text);
    assert_non_null(e.copy);
    for (char *line = strtok_r(e.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (*line == '#') {
            assert_in_range(e.comment_count, 0, ARRAY_LENGTH(e.comments) - 1);
            e.comments[e.comment_count++] = line;
        } else {
            assert_in_range(e.sample_count, 0, LINES_MAX - 1);
            e.samples[e.sample_count++] = line;
        }
    }
    return e;
}

static struct parsed render(const struct scene *s)
{
    struct prom_dropped dropped = {{0}};

    return render_and_count(s, &dropped);
}

static void parsed_done(struct parsed *e)
{
    free(e->text);
    free(e->copy);
}

/* How many samples begin like that. */
static size_t count_samples(const struct parsed *e, const char *beginning)
{
    size_t count = 0;

    for (size_t i = 0; i < e->sample_count; i++)
        count += strncmp(e->samples[i], beginning, strlen(beginning)) == 0;
    return count;
}

static bool has_sample(const struct parsed *e, const char *sample)
{
    for (size_t i = 0; i < e->sample_count; i++)
        if (strcmp(e->samples[i], sample) == 0)
            return true;
    return false;
}

static void assert_sample(const struct parsed *e, const char *sample)
{
    if (!has_sample(e, sample))
        fail_msg("missing: %s", sample);
}

/* The length of name and labels; a value has no space in it, a label may. */
static size_t series_length(const char *sample)
{
    const char *space = strrchr(sample, ' ');

    assert_non_null(space);
    return (size_t)(space - sample);
}

static void assert_no_series_twice(const struct parsed *e)
{
    for (size_t i = 0; i < e->sample_count; i++) {
        for (size_t k = i + 1; k < e->sample_count; k++) {
            size_t length = series_length(e->samples[i]);

            if (length == series_length(e->samples[k]) && memcmp(e->samples[i], e->samples[k], length) == 0)
                fail_msg("twice: %s", e->samples[i]);
        }
    }
}

static uint64_t sum_dropped(const struct prom_dropped *dropped)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < PROM_FAMILY_COUNT; i++)
        sum += dropped->series[i];
    return sum;
}

/* Returns owned; NULL when there is no such file. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t n;

    if (!file)
        return NULL;
    n = getdelim(&text, &capacity, '\0', file);
    (void)fclose(file); /* it was only read */
    if (n >= 0)
        return text;
    free(text);
    return NULL;
}

static void a_mixed_host_is_exposed_as_in_the_golden_file(void **state)
{
    struct parsed e;
    struct scene s;
    char *golden;

    (void)state;
    scene_of_a_mixed_host(&s);
    e = render(&s);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *file = fopen(GOLDEN_PATH, "we");

        assert_non_null(file);
        assert_true(fputs(e.copy, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    golden = read_file(GOLDEN_PATH);
    assert_non_null(golden);
    assert_string_equal(e.copy, golden);
    free(golden);
    parsed_done(&e);
    scene_done(&s);
}

static void no_series_is_there_twice(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    e = render(&s);
    assert_no_series_twice(&e);
    parsed_done(&e);
    scene_done(&s);
}

/* Whatever the labels say, and whether or not the service is there. */
static void the_labels_of_an_entry_are_told(void **state)
{
    static const struct entry_label labels[] = {{"runbook", "https://wiki/\"db\"\\"}, {"team", "db"}};
    struct expect *e;
    struct parsed parsed;
    struct scene s;

    (void)state;
    scene_init(&s);
    e = scene_expect(&s, "db", PROTOCOL_TCP, "3306", WANT_ANY);
    e->label_count = ARRAY_LENGTH(labels);
    e->labels = calloc(e->label_count, sizeof *e->labels);
    assert_non_null(e->labels);
    for (size_t i = 0; i < e->label_count; i++)
        e->labels[i] = (struct entry_label){strdup(labels[i].name), strdup(labels[i].value)};
    scene_seal(&s);
    scene_raise_alerts(&s);
    parsed = render(&s);
    assert_sample(&parsed, "sockwatch_expected_info{name=\"db\",protocol=\"tcp\",port=\"3306\","
                           "label_runbook=\"https://wiki/\\\"db\\\"\\\\\",label_team=\"db\"} 1");
    parsed_done(&parsed);
    scene_done(&s);
}

/* Two entries may share a port when their addresses differ. */
static void entries_that_share_a_port_give_no_series_twice(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    for (size_t i = 0; i < 2; i++) {
        struct expect *expect = scene_expect(&s, i ? "b" : "a", PROTOCOL_TCP, "80,81-82", WANT_ANY);

        expect->match.address_count = 1;
        expect->match.addresses = calloc(1, sizeof *expect->match.addresses);
        assert_non_null(expect->match.addresses);
        expect->match.addresses[0] = address_of(i ? "192.0.2.2" : "192.0.2.1");
    }
    scene_listen(&s, "192.0.2.1:80", "0/5");
    scene_count(&s, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    scene_raise_alerts(&s);
    e = render(&s);
    assert_no_series_twice(&e);
    assert_sample(&e, "sockwatch_expected_listening{name=\"a\",protocol=\"tcp\",port=\"80\"} 1");
    assert_sample(&e, "sockwatch_expected_listening{name=\"b\",protocol=\"tcp\",port=\"80\"} 0");
    assert_int_equal(count_samples(&e, "sockwatch_connections{protocol=\"tcp\",port=\"80\""), 1);
    parsed_done(&e);
    scene_done(&s);
}

/* HELP and TYPE once, in this order, before the samples, which stand together. */
static void each_family_is_declared_once_and_stands_together(void **state)
{
    char seen[FAMILY_COUNT][80], name[80] = "", type[16], word[80];
    size_t families = 0;
    struct scene s;
    struct parsed e;
    char *line, *rest = NULL;

    (void)state;
    scene_of_a_mixed_host(&s);
    e = render(&s);
    assert_int_equal(e.comment_count, 2 * (size_t)FAMILY_COUNT);
    for (line = strtok_r(e.copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "# HELP %79s", name) == 1) {
            for (size_t i = 0; i < families; i++)
                assert_string_not_equal(seen[i], name);
            assert_in_range(families, 0, FAMILY_COUNT - 1);
            (void)snprintf(seen[families++], sizeof seen[0], "%s", name);
            line = strtok_r(NULL, "\n", &rest);
            assert_non_null(line);
            assert_int_equal(sscanf(line, "# TYPE %79s %15s", word, type), 2);
            assert_string_equal(word, name);
            assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0);
            assert_int_equal(strcmp(type, "counter") == 0, strstr(name, "_total") != NULL);
        } else {
            assert_int_equal(sscanf(line, "%79[a-z_]", word), 1);
            assert_string_equal(word, name);
        }
    }
    assert_int_equal(families, FAMILY_COUNT);
    parsed_done(&e);
    scene_done(&s);
}

static void label_values_are_escaped(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "a\\b\"c\nd", PROTOCOL_TCP, "80", WANT_ANY);
    scene_seal(&s);
    s.view.version = "\"";
    s.view.revision = "\\n\n";
    e = render(&s);
    assert_sample(&e,
                  "sockwatch_expected_listening{name=\"a\\\\b\\\"c\\nd\",protocol=\"tcp\",port=\"80\"} 0");
    assert_sample(&e, "sockwatch_build_info{version=\"\\\"\",revision=\"\\\\n\\n\"} 1");
    parsed_done(&e);
    scene_done(&s);
}

static void alerts_about_several_listeners_of_a_port_share_a_series(void **state)
{
    static const char beginning[] =
        "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\",protocol=\"tcp\",port=\"8080\",";
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    s.policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    scene_listen(&s, "192.0.2.1:8080", "0/5");
    scene_listen(&s, "192.0.2.2:8080", "0/5");
    scene_seal(&s);
    scene_raise_alerts(&s);
    for (unsigned firing = 0; firing < 4; firing++) {
        size_t about_listeners = 0;

        for (size_t i = 0; i < s.alerts.count; i++)
            if (s.alerts.items[i].key.rule == RULE_UNEXPECTED_LISTENER)
                s.alerts.items[i].state = firing & 1u << about_listeners++ ? ALERT_FIRING : ALERT_PENDING;
        assert_int_equal(about_listeners, 2);
        scene_seal_alerts(&s);
        e = render(&s);
        assert_no_series_twice(&e);
        assert_int_equal(count_samples(&e, beginning), 1);
        assert_sample(&e, firing ? "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\","
                                   "protocol=\"tcp\",port=\"8080\",severity=\"warning\"} 1"
                                 : "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\","
                                   "protocol=\"tcp\",port=\"8080\",severity=\"warning\"} 0");
        parsed_done(&e);
    }
    scene_done(&s);
}

/* After the severity in the policy has changed, an alert that cannot be told
 * anew keeps its own. */
static void alerts_of_two_severities_on_a_port_have_two_series(void **state)
{
    struct parsed e;
    struct scene s;
    bool changed = false;

    (void)state;
    scene_init(&s);
    s.policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    scene_listen(&s, "192.0.2.1:8080", "0/5");
    scene_listen(&s, "192.0.2.2:8080", "0/5");
    scene_listen(&s, "192.0.2.3:8080", "0/5");
    scene_seal(&s);
    scene_raise_alerts(&s);
    for (size_t i = 0; i < s.alerts.count; i++) {
        struct alert *a = &s.alerts.items[i];
        struct ip_addr second = address_of("192.0.2.2");

        if (a->key.rule != RULE_UNEXPECTED_LISTENER || ip_addr_compare(&a->key.address, &second) != 0)
            continue;
        a->severity = SEVERITY_CRITICAL;
        a->state = ALERT_PENDING;
        changed = true;
    }
    assert_true(changed);
    scene_seal_alerts(&s);
    e = render(&s);
    assert_no_series_twice(&e);
    assert_int_equal(count_samples(&e, "sockwatch_alert_firing{rule=\"UnexpectedListener\""), 2);
    assert_sample(&e, "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\",protocol=\"tcp\","
                      "port=\"8080\",severity=\"warning\"} 1");
    assert_sample(&e, "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\",protocol=\"tcp\","
                      "port=\"8080\",severity=\"critical\"} 0");
    parsed_done(&e);
    scene_done(&s);
}

/* Applies a verdict that was made of a scene, or one of nothing. */
static void judge_again(struct scene *s, const struct verdict *verdict, int64_t mono_ms)
{
    const struct instant now = {.mono_ms = mono_ms, .wall_ms = SCENE_WALL_MS};

    assert_int_equal(alerts_update(&s->alerts, verdict, now, false, NULL), 0);
    scene_seal_alerts(s);
}

static void what_ended_is_0_for_five_minutes(void **state)
{
    static const char of_port[] =
        "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\",protocol=\"tcp\",port=\"8080\"";
    struct verdict nothing = {.count = 0};
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    s.policy.unexpected = (struct unexpected){.enabled = true, .severity = SEVERITY_WARNING};
    scene_listen(&s, "192.0.2.1:8080", "0/5");
    scene_seal(&s);
    memcpy(nothing.classes, s.verdict->classes, sizeof nothing.classes);
    judge_again(&s, s.verdict, 1000);
    judge_again(&s, &nothing, 2000);
    for (int64_t now = 3000; now < 2000 + ALERT_SERIES_ENDED_MS; now += 60000) {
        judge_again(&s, &nothing, now);
        e = render(&s);
        assert_no_series_twice(&e);
        assert_int_equal(count_samples(&e, of_port), 1);
        assert_sample(&e, "sockwatch_alert_firing{rule=\"UnexpectedListener\",name=\"\",protocol=\"tcp\","
                          "port=\"8080\",severity=\"warning\"} 0");
        parsed_done(&e);
    }
    judge_again(&s, &nothing, 2000 + ALERT_SERIES_ENDED_MS);
    e = render(&s);
    assert_int_equal(count_samples(&e, of_port), 0);
    parsed_done(&e);
    scene_done(&s);
}

/* The series of an entry under the severity that it has now, and under the one
 * that it had. */
static void a_severity_that_changed_leaves_a_0(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY)->severity = SEVERITY_WARNING;
    scene_seal(&s);
    judge_again(&s, s.verdict, 1000);
    s.policy.expects[0].severity = SEVERITY_CRITICAL;
    verdict_unref(s.verdict);
    s.verdict = judge_space(snapshot_host(s.snapshot), &s.policy, &s.own);
    s.view.verdict = s.verdict;
    judge_again(&s, s.verdict, 2000);
    e = render(&s);
    assert_no_series_twice(&e);
    assert_sample(&e,
                  "sockwatch_alert_firing{rule=\"NotListening\",name=\"web\",protocol=\"tcp\",port=\"80\","
                  "severity=\"warning\"} 0");
    assert_sample(&e,
                  "sockwatch_alert_firing{rule=\"NotListening\",name=\"web\",protocol=\"tcp\",port=\"80\","
                  "severity=\"critical\"} 1");
    parsed_done(&e);
    scene_done(&s);
}

/* Each that began is counted, whoever looked meanwhile. */
static void alerts_are_counted_as_they_begin_to_fire(void **state)
{
    struct verdict nothing = {.count = 0};
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    s.view.has_history = true;
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
    scene_seal(&s);
    memcpy(nothing.classes, s.verdict->classes, sizeof nothing.classes);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_alerts_fired_total{"), RULE_COUNT * SEVERITY_COUNT);
    assert_sample(&e, "sockwatch_alerts_fired_total{rule=\"NotListening\",severity=\"critical\"} 0");
    parsed_done(&e);
    for (int64_t i = 0; i < 5; i++) {
        judge_again(&s, s.verdict, 1000 * i);
        judge_again(&s, &nothing, 1000 * i + 500);
    }
    e = render(&s);
    assert_sample(&e, "sockwatch_alerts_fired_total{rule=\"NotListening\",severity=\"critical\"} 5");
    assert_sample(&e, "sockwatch_alerts_fired_total{rule=\"NotListening\",severity=\"warning\"} 0");
    parsed_done(&e);
    scene_done(&s);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whatever the order of entries and ports is in the configuration. */
static void series_of_a_service_come_by_name_and_port(void **state)
{
    static const char beginning[] = "sockwatch_alert_firing{rule=\"NotListening\"";
    const char *in_order[8];
    struct parsed e;
    struct scene s;
    size_t count = 0;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "b", PROTOCOL_TCP, "82,80-81", WANT_ANY);
    scene_expect(&s, "c", PROTOCOL_UDP, "53", WANT_ANY);
    scene_expect(&s, "a", PROTOCOL_UDP, "54,53", WANT_ANY);
    scene_expect(&s, "a", PROTOCOL_TCP, "99", WANT_ANY);
    scene_count(&s, PROTOCOL_TCP, 80, STATE_ESTABLISHED, 1);
    scene_count(&s, PROTOCOL_UDP, 53, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    scene_raise_alerts(&s);
    e = render(&s);
    for (size_t i = 0; i < e.sample_count; i++)
        if (strncmp(e.samples[i], beginning, strlen(beginning)) == 0 && count < ARRAY_LENGTH(in_order))
            in_order[count++] = e.samples[i];
    assert_int_equal(count, 7);
    qsort(in_order, count, sizeof(const char *), compare_texts); /* the ports are of equal length */
    count = 0;
    for (size_t i = 0; i < e.sample_count; i++)
        if (strncmp(e.samples[i], beginning, strlen(beginning)) == 0)
            assert_string_equal(e.samples[i], in_order[count++]);
    assert_int_equal(count_samples(&e, "sockwatch_connections{"), 6); /* 53 is named twice */
    parsed_done(&e);
    scene_done(&s);
}

/* Its alert keeps its series, since nothing can be said about it anew. */
static void a_probe_is_told_once_it_has_ended(void **state)
{
    struct probe_told told = {
        .expect = 3, .known = true, .result = PROBE_REFUSED, .duration_us = 250, .since_ms = SCENE_WALL_MS};
    struct parsed e;
    struct scene s;

    (void)state;
    scene_of_a_mixed_host(&s);
    scene_probe(&s, &told);
    e = render(&s);
    assert_sample(&e, "sockwatch_probe_success{name=\"ssh\"} 0");
    assert_sample(&e, "sockwatch_probe_result{name=\"ssh\",result=\"ok\"} 0");
    assert_sample(&e, "sockwatch_probe_result{name=\"ssh\",result=\"refused\"} 1");
    assert_sample(&e, "sockwatch_probe_result{name=\"ssh\",result=\"timeout\"} 0");
    assert_sample(&e, "sockwatch_probe_result{name=\"ssh\",result=\"unreachable\"} 0");
    assert_sample(&e, "sockwatch_probe_duration_seconds{name=\"ssh\"} 0.00025");
    parsed_done(&e);
    told.known = false;
    scene_probe(&s, &told);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_probe_"), 0);
    parsed_done(&e);
    scene_done(&s);
}

static void a_class_not_seen_has_neither_listeners_nor_expectations(void **state)
{
    static const enum visibility unseen[] = {VISIBILITY_ABSENT, VISIBILITY_UNSUPPORTED, VISIBILITY_FAILED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++) {
        struct parsed e;
        struct scene s;

        scene_init(&s);
        scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
        scene_expect(&s, "dns", PROTOCOL_UDP, "53", WANT_ANY);
        listener_builder_end(s.builder, PROTOCOL_TCP, PART_ALL, unseen[i], -EPERM);
        scene_listen(&s, "udp/0.0.0.0:53", NULL);
        scene_seal(&s);
        e = render(&s);
        assert_sample(&e, "sockwatch_socket_class_visible{class=\"tcp\"} 0");
        assert_int_equal(count_samples(&e, "sockwatch_listeners{protocol=\"tcp\""), 0);
        assert_int_equal(count_samples(&e, "sockwatch_listeners{protocol=\"udp\""), SCOPE_COUNT);
        assert_int_equal(count_samples(&e, "sockwatch_expected_listening{name=\"web\""), 0);
        assert_int_equal(count_samples(&e, "sockwatch_expected_listening{name=\"dns\""), 1);
        assert_int_equal(count_samples(&e, "sockwatch_listener_"), 3); /* info, sockets and queue of 53 */
        assert_sample(&e, "sockwatch_alert_firing{rule=\"NotListening\",name=\"web\",protocol=\"tcp\","
                          "port=\"80\",severity=\"critical\"} 0");
        parsed_done(&e);
        scene_done(&s);
    }
}

static void a_class_not_asked_for_yet_is_not_called_invisible(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    listener_builder_end(s.builder, PROTOCOL_TCP, PART_ALL, VISIBILITY_UNKNOWN, 0);
    scene_seal(&s);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_socket_class_visible{class=\"tcp\"}"), 0);
    parsed_done(&e);
    scene_done(&s);
}

static void connections_not_read_have_no_series(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
    scene_expect(&s, "dns", PROTOCOL_UDP, "53", WANT_ANY);
    scene_listen(&s, "*:80", "0/5");
    scene_count(&s, PROTOCOL_UDP, 53, STATE_CLOSE, 1); /* TCP is not complete */
    scene_seal(&s);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_connections{protocol=\"tcp\""), 0);
    assert_int_equal(count_samples(&e, "sockwatch_sockets{protocol=\"tcp\""), 0);
    assert_int_equal(count_samples(&e, "sockwatch_connections{protocol=\"udp\""), 2);
    assert_int_equal(count_samples(&e, "sockwatch_sockets{protocol=\"udp\""), 2);
    parsed_done(&e);
    scene_forget_connections(&s);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_connections"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_sockets"), 0);
    parsed_done(&e);
    scene_done(&s);
}

static void an_expected_port_without_listener_has_0_established(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
    scene_count(&s, PROTOCOL_TCP, 0, STATE_ESTABLISHED, 0);
    scene_seal(&s);
    e = render(&s);
    assert_sample(&e, "sockwatch_connections{protocol=\"tcp\",port=\"80\",state=\"established\"} 0");
    assert_int_equal(count_samples(&e, "sockwatch_connections{"), 1);
    parsed_done(&e);
    scene_done(&s);
}

/* Of an expected port always, where anybody accepts; of others while there are any. */
static void what_is_not_accepted_has_a_series(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "web", PROTOCOL_TCP, "80", WANT_ANY);
    scene_expect(&s, "dns", PROTOCOL_UDP, "53", WANT_ANY);
    scene_listen(&s, "*:80", "0/5");
    scene_listen(&s, "*:81", "0/5");
    scene_listen(&s, "*:82", "3/5");
    scene_count(&s, PROTOCOL_TCP, 81, STATE_ESTABLISHED, 2);
    scene_count_waiting(&s, 82, 3);
    scene_count(&s, PROTOCOL_UDP, 53, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    e = render(&s);
    assert_sample(&e, "sockwatch_connections_not_accepted{protocol=\"tcp\",port=\"80\"} 0");
    assert_sample(&e, "sockwatch_connections_not_accepted{protocol=\"tcp\",port=\"82\"} 3");
    assert_int_equal(count_samples(&e, "sockwatch_connections_not_accepted{"), 2);
    assert_sample(&e, "sockwatch_connections{protocol=\"tcp\",port=\"82\",state=\"established\"} 3");
    parsed_done(&e);
    scene_done(&s);
}

static void local_ports_are_told_where_they_are_known(void **state)
{
    static const struct {
        unsigned used, available;
        const char *sample;
    } cases[] = {{0, 64, "0"}, {16, 64, "0.25"}, {64, 64, "1"}, {1, 1, "1"}, {0, 0, "1"}};

    (void)state;
    for (size_t i = 0; i <= ARRAY_LENGTH(cases); i++) {
        char sample[128];
        struct parsed e;
        struct scene s;

        scene_init(&s);
        if (i < ARRAY_LENGTH(cases))
            scene_use_ports(&s, cases[i].used, cases[i].available);
        else
            scene_count(&s, PROTOCOL_TCP, 61000, STATE_ESTABLISHED, 1); /* the ports are not known */
        scene_seal(&s);
        if (i < ARRAY_LENGTH(cases)) {
            e = render(&s);
            (void)snprintf(sample, sizeof sample, "sockwatch_ephemeral_ports_used_ratio %s", cases[i].sample);
            assert_sample(&e, sample);
            parsed_done(&e);
            scene_forget_connections(&s);
        }
        e = render(&s);
        assert_int_equal(count_samples(&e, "sockwatch_ephemeral_ports_used_ratio"), 0);
        parsed_done(&e);
        scene_done(&s);
    }
}

static void a_client_is_told_by_the_port_it_is_connected_to(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:22", "0/5");
    scene_count(&s, PROTOCOL_TCP, 22, STATE_ESTABLISHED, 1);
    scene_connect(&s, 40000, 3306, STATE_ESTABLISHED);
    scene_seal(&s);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_connections{"), 1);
    assert_sample(&e,
                  "sockwatch_outbound_connections{protocol=\"tcp\",port=\"3306\",state=\"established\"} 1");
    assert_sample(&e,
                  "sockwatch_outbound_connections{protocol=\"tcp\",port=\"other\",state=\"established\"} 0");
    assert_int_equal(count_samples(&e, "sockwatch_outbound_connections"), 2);
    assert_sample(&e, "sockwatch_sockets{protocol=\"tcp\",state=\"established\"} 2");
    parsed_done(&e);
    scene_done(&s);
}

static void what_has_not_happened_yet_has_no_time(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_seal(&s);
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_last_poll_timestamp_seconds"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_route_localnet"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_collector_"), 0);
    parsed_done(&e);
    scene_done(&s);
}

/* The expectations, their standing alerts and their connections. */
static void assert_expected_series(const struct parsed *e)
{
    assert_int_equal(count_samples(e, "sockwatch_expected_listening{"), 5);
    assert_int_equal(count_samples(e, "sockwatch_alert_firing{rule=\"NotListening\""), 5);
    assert_int_equal(count_samples(e, "sockwatch_alert_firing{rule=\"LoopbackOnly\""), 1);
    assert_int_equal(count_samples(e, "sockwatch_alert_firing{rule=\"WrongAddress\""), 1);
    assert_int_equal(count_samples(e, "sockwatch_alert_firing{rule=\"Blind\""), 4);
    assert_sample(e, "sockwatch_connections{protocol=\"tcp\",port=\"22\",state=\"established\"} 3");
    assert_sample(e, "sockwatch_connections{protocol=\"tcp\",port=\"80\",state=\"established\"} 10");
    assert_sample(e, "sockwatch_connections{protocol=\"tcp\",port=\"81\",state=\"established\"} 0");
    assert_sample(e, "sockwatch_connections{protocol=\"tcp\",port=\"3306\",state=\"established\"} 0");
    assert_sample(e, "sockwatch_connections{protocol=\"udp\",port=\"53\",state=\"established\"} 0");
}

static void a_limit_cuts_counts_and_spares_what_is_expected(void **state)
{
    struct parsed e;
    struct scene s;
    size_t all;

    (void)state;
    scene_of_a_mixed_host(&s);
    e = render(&s);
    all = e.sample_count;
    parsed_done(&e);
    for (size_t limit = 0; limit <= all + 1; limit++) {
        struct prom_dropped dropped = {{0}};

        s.view.limits.series = (int64_t)limit;
        e = render_and_count(&s, &dropped);
        assert_int_equal(e.sample_count + sum_dropped(&dropped), all);
        assert_true(e.sample_count >= limit || limit > all);
        assert_expected_series(&e);
        assert_no_series_twice(&e);
        parsed_done(&e);
    }
    scene_done(&s);
}

static void what_was_cut_is_counted_over_all_renderings(void **state)
{
    struct prom_dropped dropped = {{0}};
    struct parsed e;
    struct scene s;
    uint64_t once;
    char sample[120];

    (void)state;
    scene_of_a_mixed_host(&s);
    s.view.limits.series = 0;
    e = render_and_count(&s, &dropped);
    once = dropped.series[PROM_LISTENER_INFO];
    assert_true(once > 0);
    for (uint64_t times = 1; times <= 3; times++) {
        (void)snprintf(sample, sizeof sample,
                       "sockwatch_series_dropped_total{family=\"sockwatch_listener_info\"} %llu",
                       (unsigned long long)(times * once));
        assert_sample(&e, sample);
        parsed_done(&e);
        e = render_and_count(&s, &dropped);
    }
    parsed_done(&e);
    s.view.limits.series = 20000;
    e = render_and_count(&s, &dropped);
    assert_int_equal(dropped.series[PROM_LISTENER_INFO], 4 * once);
    parsed_done(&e);
    scene_done(&s);
}

/* Listeners nobody expects must not push out an expected port's connections. */
static void expected_ports_come_before_others_where_a_limit_cuts(void **state)
{
    struct prom_dropped dropped = {{0}};
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "late", PROTOCOL_TCP, "60000", WANT_ANY);
    for (unsigned port = 1; port <= 60; port++) {
        char socket[24];

        (void)snprintf(socket, sizeof socket, "0.0.0.0:%u", port);
        scene_listen(&s, socket, "0/5");
    }
    scene_count(&s, PROTOCOL_TCP, 60000, STATE_ESTABLISHED, 1);
    scene_count(&s, PROTOCOL_TCP, 60000, STATE_TIME_WAIT, 1);
    scene_seal(&s);
    s.view.limits.series = 50;
    e = render_and_count(&s, &dropped);
    assert_true(dropped.series[PROM_CONNECTIONS] > 0);
    assert_sample(&e, "sockwatch_connections{protocol=\"tcp\",port=\"60000\",state=\"established\"} 1");
    assert_sample(&e, "sockwatch_connections{protocol=\"tcp\",port=\"60000\",state=\"time-wait\"} 1");
    parsed_done(&e);
    scene_done(&s);
}

/* Adds one listener for each port from first on; nobody expects them. */
static void listen_on_ports(struct scene *s, const char *protocol, unsigned first, unsigned count)
{
    for (unsigned port = first; port < first + count; port++) {
        char socket[32];

        (void)snprintf(socket, sizeof socket, "%s/0.0.0.0:%u", protocol, port);
        scene_listen(s, socket, NULL);
    }
}

/* How many series no limit cuts, as far as they are written before those of
 * listeners. */
static size_t count_essential(struct scene *s)
{
    struct prom_dropped dropped = {{0}};
    struct parsed e;
    size_t count;

    s->view.limits.series = 0;
    e = render_and_count(s, &dropped);
    count = e.sample_count - count_samples(&e, "sockwatch_series_dropped_total{") -
            count_samples(&e, "sockwatch_dropped_total{");
    parsed_done(&e);
    return count;
}

/* Any local user may listen on an expected port, so that not even these are
 * beyond the limit; but they come before all others, in every family. */
static void listeners_on_expected_ports_are_cut_last(void **state)
{
    static const char *const families[] = {
        "info", "sockets", "accept_queue_length", "accept_queue_limit", "accept_queue_saturation_ratio",
    };
    static const char *const services[] = {
        "family=\"ipv4\",address=\"0.0.0.0\",port=\"60000\"",
        "family=\"ipv6\",address=\"::1\",port=\"60000\"",
    };
    const size_t all = ARRAY_LENGTH(families) * ARRAY_LENGTH(services);
    struct scene s;
    size_t essential;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "late", PROTOCOL_TCP, "60000", WANT_ANY);
    listen_on_ports(&s, "tcp", 1, 20);
    listen_on_ports(&s, "udp", 60000, 1); /* the same port of another protocol is not expected */
    scene_listen(&s, "0.0.0.0:60000", "0/5");
    scene_listen(&s, "[::1]:60000", "2/5");
    scene_seal(&s);
    essential = count_essential(&s);
    for (size_t others = 0; others < 3; others++) {
        struct prom_dropped dropped = {{0}};
        struct parsed e;

        s.view.limits.series = (int64_t)(essential + all + others);
        e = render_and_count(&s, &dropped);
        for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
            for (size_t k = 0; k < ARRAY_LENGTH(services); k++) {
                char beginning[160];

                (void)snprintf(beginning, sizeof beginning, "sockwatch_listener_%s{protocol=\"tcp\",%s",
                               families[i], services[k]);
                assert_int_equal(count_samples(&e, beginning), 1);
            }
        }
        assert_int_equal(count_samples(&e, "sockwatch_listener_"), all + others);
        assert_int_equal(dropped.series[PROM_LISTENER_INFO], 21 - others);
        assert_int_equal(dropped.series[PROM_LISTENER_SOCKETS], 21);
        assert_int_equal(dropped.series[PROM_LISTENER_ACCEPT_QUEUE_LENGTH], 0);
        parsed_done(&e);
    }
    scene_done(&s);
}

static void what_no_limit_cuts_is_about_the_entry_itself(void **state)
{
    struct prom_dropped dropped = {{0}};
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_expect(&s, "late", PROTOCOL_TCP, "60000", WANT_ANY);
    scene_listen(&s, "0.0.0.0:60000", "0/5");
    scene_count(&s, PROTOCOL_TCP, 60000, STATE_ESTABLISHED, 1);
    scene_seal(&s);
    s.view.limits.series = 0;
    e = render_and_count(&s, &dropped);
    assert_sample(&e, "sockwatch_expected_listening{name=\"late\",protocol=\"tcp\",port=\"60000\"} 1");
    assert_sample(&e, "sockwatch_connections{protocol=\"tcp\",port=\"60000\",state=\"established\"} 1");
    assert_sample(&e, "sockwatch_alert_firing{rule=\"NotListening\",name=\"late\",protocol=\"tcp\","
                      "port=\"60000\",severity=\"critical\"} 0");
    assert_int_equal(count_samples(&e, "sockwatch_listener_"), 0);
    assert_int_equal(dropped.series[PROM_LISTENER_INFO], 1);
    parsed_done(&e);
    scene_done(&s);
}

static void what_an_owner_is_not_known_for_has_no_label(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_own(&s, "0:root:", "5:a:root:,6:b:bob:x.service,7:c:carol:,8:d:root:");
    scene_listen(&s, "0.0.0.0:1", "0/1");
    scene_own(&s, "1000:bob:", "");
    scene_listen(&s, "0.0.0.0:2", "0/1");
    s.owners = NULL;
    scene_listen(&s, "0.0.0.0:30000", "0/1");
    scene_seal(&s);
    e = render(&s);
    assert_sample(&e,
                  "sockwatch_listener_info{protocol=\"tcp\",family=\"ipv4\",address=\"0.0.0.0\",port=\"1\","
                  "scope=\"any\",port_class=\"well-known\",process=\"a,b,c,...\",user=\"bob,carol,root\","
                  "unit=\"x.service\"} 1");
    assert_sample(&e,
                  "sockwatch_listener_info{protocol=\"tcp\",family=\"ipv4\",address=\"0.0.0.0\",port=\"2\","
                  "scope=\"any\",port_class=\"well-known\",user=\"bob\"} 1");
    assert_sample(
        &e, "sockwatch_listener_info{protocol=\"tcp\",family=\"ipv4\",address=\"0.0.0.0\",port=\"30000\","
            "scope=\"any\",port_class=\"registered\"} 1");
    assert_sample(&e, "sockwatch_listeners_owner_unseen{protocol=\"tcp\"} 1");
    parsed_done(&e);
    scene_done(&s);
}

/* A table that is told by several polls: the time since goes on in the status. */
static void a_full_queue_counts_the_seconds_of_the_polls_since(void **state)
{
    static const char name[] = "sockwatch_listener_accept_queue_saturated_seconds_total"
                               "{protocol=\"tcp\",family=\"ipv4\",address=\"0.0.0.0\",port=\"%d\"} %s";
    static const char *const seconds[][2] = {{"0.000", "0.000"}, {"61.250", "0.000"}};
    struct parsed e;
    struct scene s;
    char sample[200];

    (void)state;
    scene_init(&s);
    scene_listen(&s, "0.0.0.0:1", "2/1");
    scene_listen(&s, "0.0.0.0:2", "1/1");
    scene_listen(&s, "udp/0.0.0.0:1", NULL);
    scene_seal(&s);
    s.view.has_history = true;
    for (int i = 0; i < 2; i++) {
        s.status.watched_ms[PROTOCOL_TCP] = i ? 61250 : 0;
        e = render(&s);
        for (int port = 1; port <= 2; port++) {
            (void)snprintf(sample, sizeof sample, name, port, seconds[i][port - 1]);
            assert_sample(&e, sample);
        }
        assert_int_equal(count_samples(&e, "sockwatch_listener_accept_queue_saturated_seconds_total"), 2);
        parsed_done(&e);
    }
    scene_done(&s);
}

static void one_look_has_counted_no_restarts(void **state)
{
    struct parsed e;
    struct scene s;

    (void)state;
    scene_init(&s);
    s.drops = 7;
    scene_listen(&s, "0.0.0.0:1", "0/1");
    scene_seal(&s);
    s.view.has_history = false;
    e = render(&s);
    assert_int_equal(count_samples(&e, "sockwatch_listener_restarts_total"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_listener_accept_queue_saturated"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_listeners_appeared_total"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_listeners_disappeared_total"), 0);
    assert_int_equal(count_samples(&e, "sockwatch_listener_drops_total"), 1);
    parsed_done(&e);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_host_is_exposed_as_in_the_golden_file),
        cmocka_unit_test(no_series_is_there_twice),
        cmocka_unit_test(the_labels_of_an_entry_are_told),
        cmocka_unit_test(entries_that_share_a_port_give_no_series_twice),
        cmocka_unit_test(each_family_is_declared_once_and_stands_together),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(alerts_about_several_listeners_of_a_port_share_a_series),
        cmocka_unit_test(alerts_of_two_severities_on_a_port_have_two_series),
        cmocka_unit_test(what_ended_is_0_for_five_minutes),
        cmocka_unit_test(a_severity_that_changed_leaves_a_0),
        cmocka_unit_test(alerts_are_counted_as_they_begin_to_fire),
        cmocka_unit_test(series_of_a_service_come_by_name_and_port),
        cmocka_unit_test(a_probe_is_told_once_it_has_ended),
        cmocka_unit_test(a_class_not_seen_has_neither_listeners_nor_expectations),
        cmocka_unit_test(a_class_not_asked_for_yet_is_not_called_invisible),
        cmocka_unit_test(connections_not_read_have_no_series),
        cmocka_unit_test(an_expected_port_without_listener_has_0_established),
        cmocka_unit_test(what_is_not_accepted_has_a_series),
        cmocka_unit_test(a_client_is_told_by_the_port_it_is_connected_to),
        cmocka_unit_test(local_ports_are_told_where_they_are_known),
        cmocka_unit_test(what_has_not_happened_yet_has_no_time),
        cmocka_unit_test(a_limit_cuts_counts_and_spares_what_is_expected),
        cmocka_unit_test(what_was_cut_is_counted_over_all_renderings),
        cmocka_unit_test(expected_ports_come_before_others_where_a_limit_cuts),
        cmocka_unit_test(listeners_on_expected_ports_are_cut_last),
        cmocka_unit_test(what_no_limit_cuts_is_about_the_entry_itself),
        cmocka_unit_test(what_an_owner_is_not_known_for_has_no_label),
        cmocka_unit_test(a_full_queue_counts_the_seconds_of_the_polls_since),
        cmocka_unit_test(one_look_has_counted_no_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
