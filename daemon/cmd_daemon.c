#include "daemon/commands.h"
#include "core/err.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "exporters/http.h"
#include "exporters/page.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_MAX = 160, POLLS_UNTIL_STALE = 3 };

#define STALE_MIN_MS INT64_C(5000)

struct daemon {
    struct options options;
    struct config *config;
    struct cycle cycle;
    struct http_server *http;
    struct loop *loop;
    struct loop_timer *listener_timer;
    struct loop_timer *connection_timer;
    char status[STATUS_MAX];                    /* last told to systemd */
    enum visibility visibility[PROTOCOL_COUNT]; /* last logged */
    bool cut[PROTOCOL_COUNT];                   /* last logged: limits.listeners cut the class */
    bool route_localnet;                        /* last logged */
    int last_error;                             /* of cycle and publishing, last logged */
};

static void log_transition(void *arg, const struct alert *alert, bool was_firing)
{
    const char *rule = rule_name(alert->key.rule), *severity = severity_name(alert->severity);

    (void)arg;
    switch (alert->state) {
    case ALERT_PENDING:
        log_write(LOG_INFO, "alert %s pending, %s: %s", rule, severity, alert->summary);
        break;
    case ALERT_FIRING:
        log_write(alert->severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING, "alert %s firing, %s: %s",
                  rule, severity, alert->summary);
        break;
    case ALERT_RESOLVED:
        log_write(LOG_NOTICE, "alert %s resolved%s, %s, was: %s", rule, was_firing ? "" : " before it fired",
                  severity, alert->summary);
        break;
    }
}

/* Says once what of a class cannot be read, and once that it can again. */
static void log_class(struct daemon *d, enum protocol protocol)
{
    const struct class_view *now = listener_table_class(d->cycle.snapshot.listeners, protocol);
    enum visibility before = d->visibility[protocol];
    bool newly_cut = now->cut > 0 && !d->cut[protocol];
    struct buf text;

    d->visibility[protocol] = now->visibility;
    d->cut[protocol] = now->cut > 0;
    if (now->visibility == before && !newly_cut)
        return;
    if (now->visibility == VISIBILITY_OK && before != VISIBILITY_OK && before != VISIBILITY_UNKNOWN)
        log_write(LOG_NOTICE, "%s: sockets can be read again", protocol_name(protocol));
    buf_init(&text);
    cycle_describe_class(&d->cycle, protocol, &text);
    log_lines(now->visibility == VISIBILITY_ABSENT ? LOG_NOTICE : LOG_WARNING, buf_text(&text));
    buf_done(&text);
}

static void log_visibility(struct daemon *d)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        log_class(d, (enum protocol)i);
    if (d->cycle.snapshot.caveats.route_localnet && !d->route_localnet)
        log_write(LOG_WARNING, "%s", CYCLE_ROUTE_LOCALNET_TEXT);
    d->route_localnet = d->cycle.snapshot.caveats.route_localnet;
}

static void tell_status(struct daemon *d)
{
    char status[STATUS_MAX];
    size_t listeners, firing = 0;

    (void)listener_table_all(d->cycle.snapshot.listeners, &listeners); /* only their number matters */
    for (size_t i = 0; i < d->cycle.alerts.count; i++)
        firing += d->cycle.alerts.items[i].state == ALERT_FIRING;
    (void)snprintf(status, sizeof status, "%zu listeners, %zu expected services, %zu alerts firing",
                   listeners, d->config->policy.expect_count, firing);
    if (strcmp(status, d->status) == 0)
        return;
    memcpy(d->status, status, sizeof d->status);
    notify_status(status);
}

static int publish(struct daemon *d, enum http_body body, struct buf *text)
{
    size_t length;
    char *data = buf_take(text, &length);

    buf_done(text);
    return data ? http_server_publish(d->http, body, data, length) : -ENOMEM;
}

static int render(struct daemon *d)
{
    struct view view = cycle_view(&d->cycle, d->config, true);
    struct buf text;
    int r;

    buf_init(&text);
    prom_render(&view, &d->cycle.dropped, &text);
    r = publish(d, HTTP_METRICS, &text);
    if (r < 0)
        return r;
    buf_init(&text);
    page_render(&view, &text);
    return publish(d, HTTP_PAGE, &text);
}

/* After a listener poll that read something, the readiness lasts for a few
 * polls more. */
static void extend_readiness(struct daemon *d)
{
    int64_t polled_ms = d->cycle.snapshot.polled[POLL_LISTENERS].mono_ms;
    int64_t lasts_ms = d->config->poll_listeners_ms * POLLS_UNTIL_STALE;

    if (polled_ms != 0)
        http_server_set_ready(d->http, polled_ms + (lasts_ms > STALE_MIN_MS ? lasts_ms : STALE_MIN_MS));
}

/* Collects, judges, renders, publishes. What fails is logged once, and tried
 * again with the next poll; what was published before stays. */
static int turn(struct daemon *d, unsigned what)
{
    struct ip_ports own = http_server_sockets(d->http);
    int64_t polled_ms = d->cycle.snapshot.polled[POLL_LISTENERS].mono_ms;
    int r = cycle_collect(&d->cycle, d->config, what);

    if (d->cycle.snapshot.listeners && r == 0) {
        log_visibility(d);
        r = cycle_judge(&d->cycle, d->config, &own, false, log_transition, d);
    }
    if (r == 0)
        r = render(d);
    if (r == 0) {
        extend_readiness(d);
        tell_status(d);
    }
    if (r < 0 && r != d->last_error)
        log_write(LOG_ERR, "poll failed: %s; showing what was known before", err_str(r));
    d->last_error = r;
    /* A poll that read nothing is no progress: if it goes on, a fresh start may help. */
    if (r == 0 && d->cycle.snapshot.polled[POLL_LISTENERS].mono_ms != polled_ms)
        notify_progress();
    return r;
}

static void on_listener_timer(void *arg)
{
    (void)turn(arg, CYCLE_LISTENERS); /* logged, and tried again next time */
}

static void on_connection_timer(void *arg)
{
    (void)turn(arg, CYCLE_CONNECTIONS); /* logged, and tried again next time */
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
 * stays in force. */
static int reload(struct daemon *d)
{
    struct config *next = NULL;
    int r = load(d, &next);

    if (r == 0)
        r = listen_on(d, next);
    if (r < 0) {
        config_free(next);
        return r;
    }
    config_free(d->config);
    d->config = next;
    alerts_forget(&d->cycle.alerts, &d->config->policy, log_transition, d);
    d->cycle.config_loaded = instant_now();
    collectors_refresh(d->cycle.collectors);
    return apply_intervals(d);
}

static void on_hangup(void *arg)
{
    struct daemon *d = arg;
    int r;

    notify_reloading();
    r = reload(d);
    d->cycle.last_reload_successful = r == 0;
    if (r < 0)
        log_write(LOG_ERR, "reload failed: %s; the old configuration stays in force", err_str(r));
    else
        log_write(LOG_NOTICE, "configuration reloaded");
    (void)turn(d, CYCLE_LISTENERS | CYCLE_CONNECTIONS); /* logged, and tried again with the next poll */
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
    int r = cycle_open(&d->cycle);

    if (r < 0)
        log_write(LOG_ERR, "cannot ask the kernel for its sockets (netlink sock_diag): %s", err_str(r));
    return r;
}

static int first_turn(struct daemon *d)
{
    int r = turn(d, CYCLE_LISTENERS | CYCLE_CONNECTIONS);

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
    if (r < 0)
        log_write(LOG_ERR, "cannot start the timers: %s", err_str(r));
    notify_watchdog_for(d->config->poll_listeners_ms);
    return r;
}

static void announce(const struct daemon *d)
{
    struct ip_ports own = http_server_sockets(d->http);

    if (own.count == 0)
        log_write(LOG_WARNING, "web.listen is empty: serving nothing, alerts are only logged");
    for (size_t i = 0; i < own.count; i++) {
        const struct ip_port address = {own.items[i].address, own.items[i].port};
        char text[ENDPOINT_TEXT_MAX];

        if (address.port == 0)
            continue; /* the host can do without it, as was said */
        ip_port_format(&address, text);
        log_write(LOG_NOTICE, "serving http://%s/metrics", text);
    }
}

static int start(struct daemon *d)
{
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
    d->http = http_server_new();
    if (!d->http)
        return -ENOMEM;
    r = listen_on(d, d->config);
    if (r == 0)
        r = first_turn(d);
    if (r == 0)
        r = add_timers(d);
    if (r == 0)
        announce(d);
    return r;
}

static void stop(struct daemon *d)
{
    loop_timer_free(d->connection_timer);
    loop_timer_free(d->listener_timer);
    http_server_free(d->http);
    cycle_close(&d->cycle);
    loop_free(d->loop);
    config_free(d->config);
    options_done(&d->options);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct daemon d = {0};
    int status, r;

    if (!options_parse(command, argc, argv, &d.options, &status))
        return status;
    r = load(&d, &d.config);
    if (r == 0)
        r = start(&d);
    if (r == 0) {
        notify_ready();
        r = loop_run(d.loop);
        if (r < 0)
            log_write(LOG_ERR, "event loop: %s", err_str(r));
    }
    stop(&d);
    return r < 0 ? EXIT_ERROR : EXIT_OK;
}

const struct command command_daemon = {
    .name = "daemon",
    .arguments = "[--config FILE] [--listen ADDRESS:PORT]...",
    .summary = "Run in the foreground: poll, alert, serve metrics",
    .help = "  --config FILE          (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --listen ADDRESS:PORT  serve HTTP here instead of web.listen; may be repeated\n"
            "  --help                 print this help\n\n"
            "SIGHUP reloads the configuration; if it is wrong, the old one stays in force.\n"
            "SIGTERM and SIGINT stop the daemon.\n\n"
            "Exit status: 0 stopped by a signal, 1 cannot start, 2 usage error.\n",
    .takes_listen = true,
    .takes_config = true,
    .usage_status = EXIT_USAGE,
    .run = run,
};
