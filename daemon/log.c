#include "daemon/log.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int log_level = LOG_INFO;

void log_debug_on(void)
{
    log_level = LOG_DEBUG;
}

bool log_wants(int priority)
{
    return priority <= log_level;
}

void log_write(int priority, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (!log_wants(priority))
        return;
    va_start(args, format);
    text_vformat(line, sizeof line, format, args); /* cut on purpose */
    va_end(args);
    /* systemd sets JOURNAL_STREAM when standard error goes to the journal. */
    if (getenv("JOURNAL_STREAM"))
        (void)fprintf(stderr, "<%d>%s\n", priority, line); /* nowhere to say that it failed */
    else
        (void)fprintf(stderr, "sockwatch: %s\n", line);
}

void log_lines(int priority, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");

        log_write(priority, "%.*s", length, text);
        text += length + (text[length] == '\n');
    }
}
