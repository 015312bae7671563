/* Error codes.
 *
 * A function that can fail returns 0 or a negative number: -errno, or one of
 * our own codes below -1000. This module only names them; it neither logs nor
 * keeps a "last error". Any thread may call it. */
#ifndef SOCKWATCH_CORE_ERR_H
#define SOCKWATCH_CORE_ERR_H

enum err {
    ERR_UNSUPPORTED = -1001, /* the kernel has no handler for what was asked */
    ERR_TRUNCATED = -1002,   /* a message was larger than the receive buffer */
    ERR_SEQUENCE = -1003,    /* an answer belongs to another request */
    ERR_INTERRUPTED = -1004, /* the kernel says that its dump is inconsistent */
    ERR_CONFIG = -1005,      /* the configuration is wrong; the reasons were reported */
    ERR_IRREGULAR = -1006,   /* something that is no regular file has the name of one */
    ERR_DANGLING = -1007,    /* a link leads nowhere */
};

/* Text for an error code, without a final period. Never NULL; static. */
const char *err_str(int code);

#endif
