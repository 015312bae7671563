/* Log lines on standard error, one each: to a terminal with the program's
 * name, to the journal with the priority in its own notation. Only daemon/
 * logs; everything below returns errors. Any thread, but for the level. */
#ifndef SOCKWATCH_DAEMON_LOG_H
#define SOCKWATCH_DAEMON_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* With the NUL; what is longer is cut. */
#define LOG_LINE_MAX 1024

/* Lets lines of LOG_DEBUG be written as well, which they are not without it.
 * Before there are other threads. */
void log_debug_on(void);

/* Whether lines of the priority are written. */
bool log_wants(int priority);

/* priority   LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO or LOG_DEBUG of syslog.h */
__attribute__((format(printf, 2, 3))) void log_write(int priority, const char *format, ...);

/* Logs each line of a text by itself. */
void log_lines(int priority, const char *text);

#endif
