/* Asks other HTTP servers, and the only file that knows libcurl. Blocks: never
 * for the thread that polls. One thread at a time. */
#ifndef SOCKWATCH_EXPORTERS_HTTP_CLIENT_H
#define SOCKWATCH_EXPORTERS_HTTP_CLIENT_H

#include "core/buf.h"

/* Fetches a document, directly: no proxy, no redirection.
 *
 * timeout_ms   for the whole of it
 * max_bytes    a longer one is refused, as soon as it has come that far
 * out          receives the body; only to be used on success
 *
 * Returns 0; -ECONNREFUSED when nobody answers there, -ETIMEDOUT, -EPROTO for
 * an answer that is no success, -EMSGSIZE, or -ENOMEM. */
int http_client_get(const char *url, long timeout_ms, size_t max_bytes, struct buf *out);

#endif
