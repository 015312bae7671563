#include "daemon/one_shot.h"
#include "exporters/json.h"

#include <stdio.h>
#include <stdlib.h>

/* The statuses of Nagios-style plugins. */
enum { CHECK_OK = 0, CHECK_WARNING = 1, CHECK_CRITICAL = 2, CHECK_UNKNOWN = 3 };

/* The worst first; equally bad ones in the order of their rules and names. */
static int compare_badness(const void *a, const void *b)
{
    const struct alert *x = *(const struct alert *const *)a, *y = *(const struct alert *const *)b;

    if (x->severity != y->severity)
        return (int)y->severity - (int)x->severity;
    return x < y ? -1 : x > y;
}

/* Something critical that was seen outweighs that something was not seen; that
 * outweighs a warning. What is only for information is no reason to alarm. */
static int status_of(const struct alert *const *sorted, size_t count)
{
    int status = CHECK_OK;
    bool blind = false;

    for (size_t i = 0; i < count; i++) {
        if (sorted[i]->key.rule == RULE_BLIND)
            blind = true;
        else if (sorted[i]->severity == SEVERITY_CRITICAL)
            return CHECK_CRITICAL;
        else if (sorted[i]->severity == SEVERITY_WARNING)
            status = CHECK_WARNING;
    }
    return blind ? CHECK_UNKNOWN : status;
}

static void print_findings(const struct alert *const *sorted, size_t count, const struct cycle *cycle,
                           const struct config *config, struct buf *out)
{
    unsigned long long listeners = listener_table_total(cycle->host.listeners);

    for (size_t i = 0; i < count; i++)
        buf_fmt(out, "%s %s: %s\n", severity_name(sorted[i]->severity), rule_name(sorted[i]->key.rule),
                sorted[i]->summary);
    if (count == 0)
        buf_fmt(out, "ok: %zu expected service%s, %llu listener%s, nothing wrong\n",
                config->policy.expect_count, config->policy.expect_count == 1 ? "" : "s", listeners,
                listeners == 1 ? "" : "s");
}

static bool is_served(const struct config *config, const struct alert_key *key)
{
    for (size_t i = 0; i < config->listen.count; i++)
        if (own_stands_at(&config->listen.items[i], &key->address, key->port))
            return true;
    return false;
}

/* Names those who listen where sockwatch is to serve, and may be anybody. */
static void note_strangers(const struct alert_list *list, const struct config *config)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct alert_key *key = &list->items[i].key;
        char text[ENDPOINT_TEXT_MAX];

        if (!key->has_endpoint || key->protocol != PROTOCOL_TCP || *key->interface || !is_served(config, key))
            continue;
        endpoint_format(&key->address, key->family, key->port, "", text);
        (void)fprintf(stderr, "%s is in web.listen, but it cannot be told that sockwatch listens there\n",
                      text); /* nowhere to say that it failed */
    }
}

static int report(struct one_shot *o)
{
    size_t count = o->cycle.alert_list->count;
    const struct alert **sorted = calloc(count + 1, sizeof(const struct alert *));
    int status;

    if (!sorted)
        return CHECK_UNKNOWN;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &o->cycle.alert_list->items[i];
    qsort(sorted, count, sizeof(const struct alert *), compare_badness);
    if (o->options.json)
        json_alerts(&o->config->policy, sorted, count, &o->out);
    else
        print_findings(sorted, count, &o->cycle, o->config, &o->out);
    if (o->cycle.verdict->left_out > 0)
        (void)fprintf(stderr, "findings about other listeners that are not shown (limits.alerts): %llu\n",
                      (unsigned long long)o->cycle.verdict->left_out); /* nowhere to say that it failed */
    note_strangers(o->cycle.alert_list, o->config);
    status = status_of(sorted, count);
    if (print_out(&o->out) != EXIT_OK)
        status = CHECK_UNKNOWN;
    free(sorted);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, report);
}

const struct command command_check = {
    .name = "check",
    .arguments = "[--json] [--config FILE]",
    .summary = "Look at the kernel once and judge it by the configuration",
    .help = "  --json         print JSON instead of lines\n"
            "  --config FILE  (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help         print this help\n\n"
            "One line a finding, the worst first. \"for\" is ignored: what is wrong now counts.\n"
            "Each probe is made once, and waited for as long as its probe_timeout.\n\n"
            "Exit status: 0 nothing wrong (or only for information), 1 a warning, 2 something\n"
            "critical, 3 could not look (also for a usage error or a wrong configuration).\n",
    .takes_json = true,
    .takes_config = true,
    .makes_probes = true,
    .usage_status = CHECK_UNKNOWN,
    .failure_status = CHECK_UNKNOWN,
    .run = run,
};
