/* What unix listeners are known by: the path, or the abstract name, that they
 * are bound to. It is whatever its maker chose, so there is a text of it that fits every
 * output; and since all else finds listeners by port and address, numbers made of
 * that text stand for both. Pure; any thread.
 * Source: unix(7). */
#ifndef SOCKWATCH_CORE_UNIX_PATH_H
#define SOCKWATCH_CORE_UNIX_PATH_H

#include "core/net.h"

/* As many bytes has the name of a socket; a path that somebody else can bind to
 * or connect to has one less, for its NUL. */
enum { UNIX_PATH_BYTES = 108, UNIX_PATH_EXPECTED_MAX = UNIX_PATH_BYTES - 1 };

/* With the NUL: each byte may become \xHH, behind a mark. */
enum { UNIX_PATH_TEXT_MAX = 4 * UNIX_PATH_BYTES + 3 };

/* Writes a name as the kernel tells it: a path as it is, an abstract name, which
 * begins with a NUL, as "@name". What is no text becomes \xHH; a path that would
 * look like an abstract name begins with "./". Names longer than UNIX_PATH_BYTES
 * are cut. */
void unix_path_format(const char *bytes, size_t length, char ret_text[static UNIX_PATH_TEXT_MAX]);

/* Whether an operator may expect this text: that of an absolute path or an
 * abstract name that nothing had to be done about. No other name has the same. */
bool unix_path_is_plain(const char *text);

/* What stands for the port of a socket that is expected at this path; never 0,
 * which is that of all others. Several paths may have the same one. */
uint16_t unix_path_port(const char *text);

/* What stands for its address, of version 0: so many bits that no two paths that
 * somebody listens on have the same, unless he means them to. */
struct ip_addr unix_path_address(const char *text);

#endif
