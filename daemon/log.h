/* Log lines on standard error, one each: to a terminal with the program's
 * name, to the journal with the priority in its own notation. Only daemon/
 * logs; everything below returns errors. Any thread. */
#ifndef SOCKWATCH_DAEMON_LOG_H
#define SOCKWATCH_DAEMON_LOG_H

#include <syslog.h>

/* With the NUL; what is longer is cut. */
#define LOG_LINE_MAX 1024

/* priority   LOG_ERR, LOG_WARNING, LOG_NOTICE or LOG_INFO of syslog.h */
__attribute__((format(printf, 2, 3))) void log_write(int priority, const char *format, ...);

/* Logs each line of a text by itself. */
void log_lines(int priority, const char *text);

#endif
