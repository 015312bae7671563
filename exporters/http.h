/* The HTTP server, and the only file that knows libmicrohttpd.
 *
 * It serves bodies that were rendered before: the main thread publishes them,
 * libmicrohttpd's threads hand them out, and a body lives as long as somebody
 * still receives it. One lock is held for the exchange of two pointers, so a
 * slow client never delays a poll and a slow poll never delays an answer.
 *
 * All functions are for the main thread. */
#ifndef SOCKWATCH_EXPORTERS_HTTP_H
#define SOCKWATCH_EXPORTERS_HTTP_H

#include "config/config.h"
#include "core/rules.h"

struct http_server;

enum http_body { HTTP_METRICS, HTTP_PAGE, HTTP_BODY_COUNT };

/* Returns owned, or NULL when memory runs out. Signals that the main thread
 * handles must be blocked by now, since the threads inherit the mask. */
struct http_server *http_server_new(void);

/* Stops listening and waits for the threads. */
void http_server_free(struct http_server *s);

/* Makes the server listen on exactly these addresses; those it has already
 * stay open untouched. Where IPv6 is missing altogether, "[::]" becomes
 * "0.0.0.0" and "[::1]" is left out as long as another address remains.
 *
 * messages   a line for each address that was not used as written, and one for
 *            the address that could not be had, with the reason
 *
 * Returns 0, or -errno: nothing has changed then, unless an address given up
 * for a new one could not be had back, which messages says. */
int http_server_listen(struct http_server *s, const struct ip_ports *addresses, struct buf *messages);

/* The sockets it listens on, with the ports the kernel chose. Borrowed until
 * the next http_server_listen(). */
struct ip_ports http_server_sockets(const struct http_server *s);

/* Publishes a body. Takes data (from malloc). Returns 0 or -ENOMEM: the body
 * published before stays. */
int http_server_publish(struct http_server *s, enum http_body body, char *data, size_t length);

/* Until when, on CLOCK_MONOTONIC, /-/ready says that polls are fresh. */
void http_server_set_ready(struct http_server *s, int64_t until_mono_ms);

#endif
