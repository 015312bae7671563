/* What the HTTP server answers on which path, and which path a request is about.
 * Constants and pure functions; any thread. */
#ifndef SOCKWATCH_EXPORTERS_HTTP_ROUTES_H
#define SOCKWATCH_EXPORTERS_HTTP_ROUTES_H

#include "exporters/bodies.h"

/* The answers that never change. */
enum http_fixed {
    HTTP_HEALTHY,
    HTTP_READY,
    HTTP_NOT_READY,
    HTTP_NO_MEMORY,
    HTTP_BAD_REQUEST,
    HTTP_NOT_FOUND,
    HTTP_METHOD_NOT_ALLOWED,
    HTTP_TOO_LARGE,
    HTTP_FIXED_COUNT
};

struct http_fixed_answer {
    unsigned status; /* of HTTP */
    const char *text;
};

#define HTTP_FIXED_CONTENT_TYPE "text/plain; charset=utf-8"

enum http_route_kind {
    ROUTE_BODY,  /* a body of what is newest */
    ROUTE_FIXED, /* always the same */
    ROUTE_READY, /* HTTP_READY while polls are fresh, or HTTP_NOT_READY */
};

struct http_route {
    const char *path; /* as sent: an escaped one is another path */
    enum http_route_kind kind;
    enum body_format body;    /* of ROUTE_BODY */
    const char *content_type; /* likewise */
    enum http_fixed fixed;    /* of ROUTE_FIXED */
    bool may_be_public;       /* it tells nothing about the host */
};

/* The path in a request's target, which is without its query by now. That is
 * the target itself; but of one in absolute form, as a client sends it to a
 * proxy and a server must accept it, what follows the authority, "/" where
 * nothing does. Whose name the authority has does not matter: we are only one
 * site.
 *
 * Borrowed from the target, or static. NULL when the target is empty, or has an
 * authority that is malformed, or names a user, which no client should send.
 * Source: RFC 9112 3.2, RFC 9110 4.2, RFC 3986 3.2. */
const char *http_target_path(const char *target);

/* NULL when there is no such path. Static. */
const struct http_route *http_route_find(const char *path);

/* Static. */
const struct http_fixed_answer *http_fixed_answer(enum http_fixed fixed);

#endif
