#include "daemon/commands.h"
#include "core/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int load_config(struct options *options, struct config **ret)
{
    struct buf errors;
    int r;

    buf_init(&errors);
    r = options_load_config(options, ret, &errors);
    (void)fputs(buf_text(&errors), stderr); /* nowhere to say that it failed */
    buf_done(&errors);
    return r;
}

static void ignore_transition(void *arg, const struct alert *alert, bool was_firing)
{
    (void)arg;
    (void)alert;
    (void)was_firing;
}

int look_once(const struct config *config, unsigned what, struct cycle *ret)
{
    struct buf why;
    int r;

    buf_init(&why);
    r = cycle_open(ret);
    if (r < 0) {
        (void)fprintf(stderr, "sockwatch: cannot ask the kernel for its sockets (netlink sock_diag): %s\n",
                      err_str(r));
        goto out;
    }
    r = cycle_collect(ret, config, what);
    if (r == 0)
        r = cycle_judge(ret, config, &config->listen, true, ignore_transition, NULL);
    if (r < 0) {
        (void)fprintf(stderr, "sockwatch: %s\n", err_str(r));
        goto out;
    }
    if (!cycle_sees_anything(ret)) {
        r = ERR_UNSUPPORTED;
        cycle_describe_blindness(ret, &why);
        (void)fprintf(stderr, "sockwatch: the kernel answers no sock_diag request (CONFIG_INET_DIAG):\n%s",
                      buf_text(&why));
    }
out:
    buf_done(&why);
    return r;
}

int print_out(struct buf *out)
{
    int error = 0;

    if (out->failed)
        error = ENOMEM;
    else if (fwrite(buf_text(out), 1, out->len, stdout) != out->len || fflush(stdout) != 0)
        error = errno;
    buf_done(out);
    if (error == 0)
        return EXIT_OK;
    (void)fprintf(stderr, "sockwatch: standard output: %s\n", strerror(error));
    return EXIT_ERROR;
}
