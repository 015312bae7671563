#include "daemon/commands.h"
#include "core/err.h"
#include "daemon/clock.h"
#include "daemon/cycle.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/memory.h"
#include "daemon/notify.h"
#include "daemon/taken.h"
#include "daemon/tell.h"
#include "exporters/http.h"
#include "exporters/page.h"
#include "version.h"

#include <errno.h>
#include <signal.h>

enum { POLLS_UNTIL_STALE = 3 };

/* A single answer of the kernel's takes seconds where whoever has a great many
 * sockets on one address opens or closes them. */
#define STALE_MIN_MS INT64_C(10000)

/* What takes long is done in steps of this length, so that nothing waits. */
#define STEP_US INT64_C(1000)

/* What was found out between two polls that are further apart than this is
 * shown by a poll of its own. */
#define NEWS_MS INT64_C(1000)

struct daemon {
    struct options options;
    const struct config *config;
    struct cycle cycle;
    struct board *board;
    struct http_server *http;
    struct subscribers subscribers;
    struct loop *loop;
    struct loop_timer *listener_timer;
    struct loop_timer *connection_timer;
    struct loop_alarm *alarm; /* when something long is to go on */
    struct loop_idle *idle;   /* while something long goes on */
    struct told told;
    struct memory memory;
    int64_t polled_ms; /* when listeners were polled last, whatever came of it */
};

/* Shows what was judged. */
static void post(struct daemon *d)
{
    const struct posting posting = {
        .snapshot = d->cycle.snapshot,
        .verdict = d->cycle.verdict,
        .alerts = d->cycle.alert_list,
        .config = d->config,
    };

    board_post(d->board, &posting);
    d->cycle.status.dropped[DROPPED_PAGE_ROWS] +=
        page_rows_cut(posting.alerts, posting.verdict, &d->config->limits);
    tell_status(&d->told, &d->cycle, d->config->policy.expect_count);
}

/* After a listener poll that read something, the readiness lasts for a few
 * polls more. */
static int64_t ready_until_ms(const struct daemon *d)
{
    int64_t polled_ms = d->cycle.status.polled[POLL_LISTENERS].mono_ms;
    int64_t lasts_ms = d->config->poll_listeners_ms * POLLS_UNTIL_STALE;

    return polled_ms == 0 ? 0 : polled_ms + (lasts_ms > STALE_MIN_MS ? lasts_ms : STALE_MIN_MS);
}

/* Judges what is new and shows it. r is how collecting it went. What fails is
 * logged once, and tried again with the next poll; what was shown before stays. */
static int publish(struct daemon *d, int r)
{
    const struct own_sockets own = http_server_own(d->http);

    if (r >= 0)
        r = cycle_judge(&d->cycle, d->config, &own, false, &d->subscribers);
    if (r > 0) {
        tell_visibility(&d->told, &d->cycle);
        post(d);
    }
    tell_failure(&d->told, r < 0 ? r : 0);
    tell_probes(&d->told, &d->cycle);
    tell_dropped(&d->told, d->cycle.status.dropped, clock_now().mono_ms);
    d->cycle.status.dropped[DROPPED_LOG_LINES] = tell_left_out(&d->told, clock_now().mono_ms);
    if (r >= 0)
        board_note(d->board, &d->cycle.status, ready_until_ms(d));
    return r < 0 ? r : 0;
}

/* When what was found out since the last poll is to be shown by another one:
 * polls that come often show it anyway. */
static int64_t news_due_ms(const struct daemon *d)
{
    if (d->config->poll_listeners_ms <= NEWS_MS || !cycle_has_news(&d->cycle, d->config))
        return INT64_MAX;
    return d->polled_ms + NEWS_MS;
}

/* Sees to it that what takes long goes on when it is to. */
static void arm(struct daemon *d)
{
    int64_t now_ms = clock_now().mono_ms, due_ms = cycle_due_ms(&d->cycle), news_ms = news_due_ms(d);
    int r = loop_idle_switch(d->idle, due_ms <= now_ms);

    if (due_ms <= now_ms || news_ms < due_ms)
        due_ms = news_ms;
    if (r == 0)
        r = loop_alarm_set(d->alarm, due_ms);
    if (r < 0) /* which sd-event says of no source that is its own */
        log_write(LOG_ERR, "cannot go on between polls: %s", err_str(r));
}

static int poll_listeners(struct daemon *d)
{
    const struct cycle_poll usual = {.auto_ports = false};
    int64_t read_ms = d->cycle.status.polled[POLL_LISTENERS].mono_ms;
    int r;

    d->polled_ms = clock_now().mono_ms;
    r = publish(d, cycle_poll_listeners(&d->cycle, d->config, &usual));
    /* A poll that read nothing is no progress: if it goes on, a fresh start may help. */
    if (r == 0 && d->cycle.status.polled[POLL_LISTENERS].mono_ms != read_ms)
        notify_progress();
    arm(d);
    return r;
}

static void on_listener_timer(void *arg)
{
    struct daemon *d = arg;

    (void)poll_listeners(d); /* logged, and tried again next time */
    memory_give_back(&d->memory, d->polled_ms);
}

static void on_connection_timer(void *arg)
{
    struct daemon *d = arg;

    cycle_begin_connections(&d->cycle, d->config);
    arm(d);
}

static void on_alarm(void *arg)
{
    struct daemon *d = arg;

    if (news_due_ms(d) <= clock_now().mono_ms)
        (void)poll_listeners(d); /* logged, and tried again next time */
    else
        arm(d);
}

static void on_idle(void *arg)
{
    struct daemon *d = arg;
    const struct budget budget = clock_budget_us(STEP_US);
    int r = cycle_step(&d->cycle, d->config, &budget);

    if (r != 0)
        (void)publish(d, r); /* logged */
    arm(d);
}

static void on_probe(void *arg)
{
    struct daemon *d = arg;
    const struct budget budget = clock_budget_us(STEP_US);

    probes_step(d->cycle.probes, &budget);
    arm(d);
}

static void on_host(void *arg)
{
    struct daemon *d = arg;

    collectors_note_host(d->cycle.collectors);
}

static void on_terminate(void *arg)
{
    struct daemon *d = arg;

    notify_stopping();
    loop_stop(d->loop);
}

/* The addresses of the command line, or else of the configuration. */
static const struct ip_ports *wanted_addresses(const struct daemon *d, const struct config *config)
{
    return d->options.listen.count > 0 ? &d->options.listen : &config->listen;
}

static int listen_on(struct daemon *d, const struct config *config)
{
    struct buf messages;
    int r;

    buf_init(&messages);
    r = http_server_listen(d->http, wanted_addresses(d, config), &messages);
    log_lines(r < 0 ? LOG_ERR : LOG_WARNING, buf_text(&messages));
    buf_done(&messages);
    return r;
}

static int apply_intervals(struct daemon *d)
{
    int r = loop_timer_set_interval(d->listener_timer, d->config->poll_listeners_ms);

    if (r == 0)
        r = loop_timer_set_interval(d->connection_timer, d->config->poll_connections_ms);
    notify_watchdog_for(d->config->poll_listeners_ms);
    return r;
}

static int load(struct daemon *d, struct config **ret)
{
    struct buf errors;
    int r;

    buf_init(&errors);
    r = options_load_config(&d->options, ret, &errors);
    log_lines(LOG_ERR, buf_text(&errors));
    buf_done(&errors);
    return r;
}

/* All or nothing: whatever is wrong with the new configuration, the old one
 * stays in force. What is under way goes on: it depends on no configuration. */
static int reload(struct daemon *d)
{
    struct config *next = NULL;
    int r = load(d, &next);

    if (r == 0)
        r = listen_on(d, next);
    if (r == 0)
        r = cycle_set_probes(&d->cycle, next);
    if (r < 0) {
        config_unref(next);
        return r;
    }
    config_unref(d->config);
    d->config = next;
    tell_limit(&d->told, &next->limits);
    cycle_judge_anew(&d->cycle);
    alerts_forget(&d->cycle.alerts, &d->config->policy, clock_now(), &d->subscribers);
    d->cycle.status.last_reload_success_ms = clock_now().wall_ms;
    collectors_refresh(d->cycle.collectors);
    return apply_intervals(d);
}

static void on_hangup(void *arg)
{
    struct daemon *d = arg;
    int r;

    notify_reloading();
    r = reload(d);
    d->cycle.status.last_reload_successful = r == 0;
    if (r < 0)
        log_write(LOG_ERR, "reload failed: %s; the old configuration stays in force", err_str(r));
    else
        log_write(LOG_NOTICE, "configuration reloaded");
    cycle_begin_connections(&d->cycle, d->config);
    (void)poll_listeners(d); /* logged, and tried again with the next poll */
    notify_ready();
}

static int add_signals(struct daemon *d)
{
    int r = loop_add_signal(d->loop, SIGTERM, on_terminate, d);

    if (r == 0)
        r = loop_add_signal(d->loop, SIGINT, on_terminate, d);
    if (r == 0)
        r = loop_add_signal(d->loop, SIGHUP, on_hangup, d);
    if (r < 0)
        log_write(LOG_ERR, "cannot handle signals: %s", err_str(r));
    return r;
}

static int open_cycle(struct daemon *d)
{
    int r = cycle_open(&d->cycle, true);

    if (r < 0)
        log_write(LOG_ERR, "cannot ask the kernel for its sockets (netlink sock_diag): %s", err_str(r));
    return r == 0 ? cycle_set_probes(&d->cycle, d->config) : r;
}

static int first_poll(struct daemon *d)
{
    int r;

    cycle_begin_connections(&d->cycle, d->config);
    r = poll_listeners(d);
    if (r < 0)
        return r;
    if (!cycle_sees_anything(&d->cycle)) { /* which was logged, class by class */
        log_write(LOG_ERR,
                  "the kernel answers no sock_diag request (CONFIG_INET_DIAG), nothing can be watched");
        r = ERR_UNSUPPORTED;
    }
    return r;
}

static int add_timers(struct daemon *d)
{
    int r = loop_add_timer(d->loop, d->config->poll_listeners_ms, on_listener_timer, d, &d->listener_timer);

    if (r == 0)
        r = loop_add_timer(d->loop, d->config->poll_connections_ms, on_connection_timer, d,
                           &d->connection_timer);
    if (r == 0)
        r = loop_add_alarm(d->loop, on_alarm, d, &d->alarm);
    if (r == 0)
        r = loop_add_idle(d->loop, on_idle, d, &d->idle);
    if (r == 0)
        r = loop_add_descriptor(d->loop, probes_fd(d->cycle.probes), on_probe, d);
    if (r == 0 && collectors_host_fd(d->cycle.collectors) >= 0)
        r = loop_add_descriptor(d->loop, collectors_host_fd(d->cycle.collectors), on_host, d);
    if (r < 0)
        log_write(LOG_ERR, "cannot start the timers: %s", err_str(r));
    notify_watchdog_for(d->config->poll_listeners_ms);
    return r;
}

static void announce(const struct daemon *d)
{
    struct ip_ports served = http_server_sockets(d->http);

    if (served.count == 0)
        log_write(LOG_WARNING, "web.listen is empty: serving nothing, alerts are only logged");
    for (size_t i = 0; i < served.count; i++) {
        char text[ENDPOINT_TEXT_MAX];

        if (served.items[i].port == 0)
            continue; /* the host can do without it, as was said */
        ip_port_format(&served.items[i], text);
        log_write(LOG_NOTICE, "serving http://%s/metrics", text);
    }
}

static void on_taken(void *arg, const struct ip_port *wanted, struct buf *out)
{
    struct daemon *d = arg;

    taken_describe(&d->cycle, wanted, out);
}

static int start(struct daemon *d)
{
    const struct http_neighbours neighbours = {.describe = on_taken, .arg = d};
    int r = loop_new(&d->loop);

    if (r < 0) {
        log_write(LOG_ERR, "cannot make an event loop: %s", err_str(r));
        return r;
    }
    /* The signals come first: threads inherit what is blocked. */
    r = add_signals(d);
    if (r == 0)
        r = open_cycle(d);
    if (r < 0)
        return r;
    tell_limit(&d->told, &d->config->limits);
    subscribers_add(&d->subscribers, tell_transition, &d->told);
    d->board = board_new(SOCKWATCH_VERSION, SOCKWATCH_REVISION);
    if (d->board)
        d->http = http_server_new(d->board, &neighbours);
    if (!d->http)
        return -ENOMEM;
    r = listen_on(d, d->config);
    if (r == 0)
        r = add_timers(d);
    if (r == 0)
        r = first_poll(d);
    if (r == 0)
        announce(d);
    return r;
}

static void stop(struct daemon *d)
{
    loop_idle_free(d->idle);
    loop_alarm_free(d->alarm);
    loop_timer_free(d->connection_timer);
    loop_timer_free(d->listener_timer);
    http_server_free(d->http);
    board_free(d->board);
    cycle_close(&d->cycle);
    loop_free(d->loop);
    config_unref(d->config);
    options_done(&d->options);
}

/* Starts, and goes on until it is told to stop. Returns the exit status. */
static int serve(struct daemon *d)
{
    int r = start(d);

    if (r == 0) {
        notify_ready();
        r = loop_run(d->loop);
        if (r < 0)
            log_write(LOG_ERR, "event loop: %s", err_str(r));
    }
    return r < 0 ? EXIT_ERROR : EXIT_OK;
}

/* A configuration that is wrong, or is not there, is as wrong at the next start:
 * systemd is not to try. */
static int run(const struct command *command, int argc, char **argv)
{
    struct config *config = NULL;
    struct daemon d = {0};
    int status, r;

    if (!options_parse(command, argc, argv, &d.options, &status))
        return status;
    if (d.options.debug)
        log_debug_on();
    memory_prepare(&d.memory);
    r = load(&d, &config);
    d.config = config;
    if (r == 0)
        status = serve(&d);
    else
        status = r == -ENOMEM ? EXIT_ERROR : EXIT_WRONG_CONFIG;
    stop(&d);
    return status;
}

const struct command command_daemon = {
    .name = "daemon",
    .arguments = "[--config FILE] [--listen ADDRESS:PORT]... [--debug]",
    .summary = "Run in the foreground: poll, alert, serve metrics",
    .help = "  --config FILE          (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --listen ADDRESS:PORT  serve HTTP here instead of web.listen; may be repeated\n"
            "  --debug                also log what is pending, and what ends before it fired\n"
            "  --help                 print this help\n\n"
            "SIGHUP reloads the configuration; if it is wrong, the old one stays in force.\n"
            "SIGTERM and SIGINT stop the daemon.\n\n"
            "Exit status: 0 stopped by a signal, 1 cannot start, 2 usage error, 78 wrong or missing\n"
            "configuration, with which another start would end likewise.\n",
    .takes_listen = true,
    .takes_config = true,
    .takes_debug = true,
    .usage_status = EXIT_USAGE,
    .run = run,
};
