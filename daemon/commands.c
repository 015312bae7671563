#include "daemon/commands.h"

#include <errno.h>
#include <stdio.h>
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
