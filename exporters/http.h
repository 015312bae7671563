/* The HTTP server, and the only file that knows libmicrohttpd.
 *
 * Its threads answer from what is newest on the board, which is rendered when
 * somebody asks for it; a body lives as long as somebody still receives it. So
 * a slow client or many of them never delay a poll, and a slow poll never
 * delays an answer. Which path answers what is told in http_routes.h.
 *
 * All functions are for the main thread. */
#ifndef SOCKWATCH_EXPORTERS_HTTP_H
#define SOCKWATCH_EXPORTERS_HTTP_H

#include "exporters/board.h"
#include "exporters/http_listen.h"

struct http_server;

/* b            kept: the board must outlive the server
 * neighbours   copied
 *
 * Returns owned, or NULL when memory runs out. Signals that the main thread
 * handles must be blocked by now, since the threads inherit the mask. */
struct http_server *http_server_new(struct board *b, const struct http_neighbours *neighbours);

/* Stops listening and waits for the threads. */
void http_server_free(struct http_server *s);

/* Makes the server listen on exactly these addresses, as http_listen_set(). */
int http_server_listen(struct http_server *s, const struct ip_ports *addresses, struct buf *messages);

/* The sockets it listens on, with the ports the kernel chose. Borrowed until
 * the next http_server_listen(). */
struct ip_ports http_server_sockets(const struct http_server *s);

/* The same for the rules, as http_listen_own(). */
struct own_sockets http_server_own(const struct http_server *s);

#endif
