#include "daemon/one_shot.h"
#include "core/err.h"
#include "daemon/clock.h"
#include "daemon/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <poll.h>

/* Makes all probes, and waits for them as long as their time limits. Returns 0 or
 * -ENOMEM. */
static int probe(struct one_shot *o)
{
    const struct budget endless = clock_endless();
    struct probes *probes = o->cycle.probes;
    int r = cycle_set_probes(&o->cycle, o->config);

    while (r == 0 && probes_are_under_way(probes, clock_now().mono_ms)) {
        struct pollfd fd = {.fd = probes_fd(probes), .events = POLLIN};
        int64_t left_ms = probes_due_ms(probes) - clock_now().mono_ms;

        if (left_ms > 0)
            (void)poll(&fd, 1, (int)left_ms); /* whatever came, it is looked at */
        probes_step(probes, &endless);
    }
    return r;
}

/* Reads everything, however long it takes. Returns 0 or -ENOMEM. */
static int collect(struct one_shot *o)
{
    const struct cycle_poll how = {.auto_ports = o->options.all, .wait_for_owners = true};
    const struct budget endless = clock_endless();
    int r = cycle_poll_listeners(&o->cycle, o->config, &how);

    cycle_begin_connections(&o->cycle, o->config);
    while (r == 0)
        r = cycle_step(&o->cycle, o->config, &endless);
    return r < 0 ? r : 0;
}

/* Says that nothing can be seen, and why. */
static void report_blindness(const struct cycle *cycle)
{
    struct buf why;

    buf_init(&why);
    cycle_describe_blindness(cycle, &why);
    (void)fprintf(stderr, "sockwatch: the kernel answers no sock_diag request (CONFIG_INET_DIAG):\n%s",
                  buf_text(&why));
    buf_done(&why);
}

static int look(struct one_shot *o, bool makes_probes)
{
    int r = cycle_open(&o->cycle, false);

    if (r < 0) {
        (void)fprintf(stderr, "sockwatch: cannot ask the kernel for its sockets (netlink sock_diag): %s\n",
                      err_str(r));
        return r;
    }
    if (makes_probes)
        r = probe(o);
    if (r == 0)
        r = collect(o);
    if (r == 0 && o->cycle.look)
        r = running_own(o->config, o->cycle.look, &o->own);
    if (r == 0)
        r = cycle_judge(&o->cycle, o->config, &o->own, true, NULL);
    if (r < 0) {
        (void)fprintf(stderr, "sockwatch: %s\n", err_str(r));
        return r;
    }
    if (!cycle_sees_anything(&o->cycle)) {
        report_blindness(&o->cycle);
        return ERR_UNSUPPORTED;
    }
    o->view = cycle_view(&o->cycle, o->config);
    return 0;
}

int one_shot_run(const struct command *command, int argc, char **argv, one_shot_fn *fn)
{
    struct one_shot o = {0};
    int status;

    if (!options_parse(command, argc, argv, &o.options, &status))
        return status;
    buf_init(&o.out);
    status = command->failure_status;
    if (load_config(&o.options, &o.config) == 0 && look(&o, command->makes_probes) == 0)
        status = fn(&o);
    buf_done(&o.out);
    free(o.own.cookies);
    cycle_close(&o.cycle);
    config_unref(o.config);
    options_done(&o.options);
    return status;
}
