#include "exporters/http_routes.h"
#include "exporters/json.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PORT_MAX = 65535 };

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

/* Behind "http://" or "https://"; NULL for a target that begins with neither. */
static const char *skip_scheme(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
            return target + strlen(schemes[i]);
    return NULL;
}

/* "[ADDRESS]" */
static bool is_ip_literal(const char *host, size_t length)
{
    char text[IP_ADDR_TEXT_MAX];
    struct ip_addr address;

    if (length < 2 || length - 2 >= sizeof text || host[length - 1] != ']')
        return false;
    memcpy(text, host + 1, length - 2);
    text[length - 2] = '\0';
    return ip_addr_parse(text, &address) == 0 && address.version == 6;
}

/* A name or an IPv4 address: unreserved characters, those that delimit parts of
 * a name, and bytes as %HH. */
static bool is_registered_name(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (isalnum((unsigned char)host[i]) || strchr("-._~!$&'()*+,;=", host[i]))
            continue;
        if (host[i] != '%' || length - i < 3 || !isxdigit((unsigned char)host[i + 1]) ||
            !isxdigit((unsigned char)host[i + 2]))
            return false;
        i += 2;
    }
    return length > 0;
}

/* ":PORT", ":" or nothing. */
static bool is_port(const char *text, size_t length)
{
    unsigned port = 0;

    if (length > 0 && *text != ':')
        return false;
    for (size_t i = 1; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > PORT_MAX)
            return false;
    }
    return true;
}

static bool is_authority(const char *text, size_t length)
{
    size_t host = *text == '[' ? strcspn(text, "]/") + 1 : strcspn(text, ":/");

    return host <= length && (*text == '[' ? is_ip_literal(text, host) : is_registered_name(text, host)) &&
           is_port(text + host, length - host);
}

const char *http_target_path(const char *target)
{
    const char *authority = skip_scheme(target), *path;

    if (!authority)
        return *target ? target : NULL;
    path = authority + strcspn(authority, "/");
    if (!is_authority(authority, (size_t)(path - authority)))
        return NULL;
    return *path ? path : "/";
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
