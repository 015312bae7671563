#include "exporters/http_routes.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <string.h>

static const struct http_route routes[] = {
    {.path = "/", .kind = ROUTE_BODY, .body = BODY_PAGE, .content_type = PAGE_CONTENT_TYPE},
    {.path = "/metrics", .kind = ROUTE_BODY, .body = BODY_METRICS, .content_type = PROM_CONTENT_TYPE},
    {.path = "/api/v1/listeners",
     .kind = ROUTE_BODY,
     .body = BODY_LISTENERS,
     .content_type = "application/json"},
    {.path = "/-/healthy", .kind = ROUTE_FIXED, .fixed = HTTP_HEALTHY, .may_be_public = true},
    {.path = "/-/ready", .kind = ROUTE_READY, .may_be_public = true},
};

const struct http_route *http_route_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

static const struct http_fixed_answer fixed_answers[HTTP_FIXED_COUNT] = {
    [HTTP_HEALTHY] = {200, "healthy\n"},
    [HTTP_READY] = {200, "ready\n"},
    [HTTP_NOT_READY] = {503, "not ready: no recent poll has completed\n"},
    [HTTP_NO_MEMORY] = {503, "out of memory: try again\n"},
    [HTTP_BAD_REQUEST] = {400, "bad request\n"},
    [HTTP_NOT_FOUND] = {404, "not found: try / for what there is\n"},
    [HTTP_TOO_LARGE] = {431, "request too large: at most 8 KiB\n"},
    [HTTP_METHOD_NOT_ALLOWED] = {405, "method not allowed: use GET or HEAD\n"},
};

const struct http_fixed_answer *http_fixed_answer(enum http_fixed fixed)
{
    return &fixed_answers[fixed];
}
