/* The sockets that the HTTP server listens on: which of them to open, to keep
 * and to close when the addresses change, and what a host without IPv6 can do
 * without. It speaks no HTTP: whoever does is handed each socket.
 *
 * All functions are for the main thread. */
#ifndef SOCKWATCH_EXPORTERS_HTTP_LISTEN_H
#define SOCKWATCH_EXPORTERS_HTTP_LISTEN_H

#include "core/buf.h"
#include "core/net.h"
#include "core/own.h"

/* Who knows of other sockets on this host. */
struct http_neighbours {
    /* Appends who has an address that is in use, as text that goes on behind
     * "Address already in use", or nothing. NULL: nobody knows. */
    void (*describe)(void *arg, const struct ip_port *wanted, struct buf *out);
    void *arg;
};

/* Who serves the sockets. */
struct http_service {
    /* Begins to serve a listening socket. Takes fd, also on error. Returns
     * what end() takes, or NULL when memory runs out. */
    void *(*begin)(void *arg, int fd);
    /* Ends that, closes the socket and waits for what still uses it. */
    void (*end)(void *served);
    void *arg;
    struct http_neighbours neighbours;
};

struct http_listen;

/* service   copied
 *
 * Returns owned, or NULL when memory runs out. */
struct http_listen *http_listen_new(const struct http_service *service);

/* Ends all that is served. */
void http_listen_free(struct http_listen *l);

/* Makes it listen on exactly these addresses; those it has already stay open
 * untouched. Where IPv6 is missing altogether, "[::]" becomes "0.0.0.0" and
 * "[::1]" is left out as long as another address remains.
 *
 * messages   a line for each address that was not used as written, and one for
 *            the address that could not be had, with the reason and, where it is
 *            in use, who has it
 *
 * Returns 0, or -errno: nothing has changed then, unless an address given up
 * for a new one could not be had back, which messages says. */
int http_listen_set(struct http_listen *l, const struct ip_ports *addresses, struct buf *messages);

/* The sockets, with the ports the kernel chose; port 0 for an address that the
 * host can do without. Borrowed until the next http_listen_set(). */
struct ip_ports http_listen_sockets(const struct http_listen *l);

/* The same as the kernel knows them: those that are open and, of those that were
 * closed, the last 64, which a look that takes long may still find. Borrowed until
 * the next http_listen_set(). */
struct own_sockets http_listen_own(const struct http_listen *l);

#endif
