#include "config/config.h"
#include "config/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct config *config_new(void)
{
    static const struct listen_address defaults[] = {
        {.address = {.version = 4, .bytes = {127, 0, 0, 1}}, .port = CONFIG_DEFAULT_PORT},
        {.address = {.version = 6, .bytes = {[15] = 1}}, .port = CONFIG_DEFAULT_PORT},
    };
    struct config *config = calloc(1, sizeof *config);

    if (!config)
        return NULL;
    schema_set_defaults(schema_root(), config);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (listen_addresses_add(&config->listen, &defaults[i]) < 0) {
            config_free(config);
            return NULL;
        }
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    free(config->listen.items);
    policy_done(&config->policy);
    free(config);
}

int listen_address_parse(const char *text, struct listen_address *ret)
{
    struct listen_address parsed;
    char host[IP_ADDR_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t length;
    char *end;
    unsigned long port;
    bool bracketed;

    if (!colon || colon[1] < '0' || colon[1] > '9')
        return -EINVAL;
    errno = 0;
    port = strtoul(colon + 1, &end, 10);
    if (errno || *end || port > UINT16_MAX)
        return -EINVAL;
    length = (size_t)(colon - text);
    bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length >= sizeof host)
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    /* An IPv6 address without brackets would be ambiguous. */
    if (ip_addr_parse(host, &parsed.address) < 0 || bracketed != (parsed.address.version == 6))
        return -EINVAL;
    parsed.port = (uint16_t)port;
    *ret = parsed;
    return 0;
}

void listen_address_format(const struct listen_address *address, char ret_text[static ENDPOINT_TEXT_MAX])
{
    endpoint_format(&address->address, address->address.version == 4 ? FAMILY_IPV4 : FAMILY_IPV6,
                    address->port, NULL, ret_text);
}

int listen_addresses_add(struct listen_addresses *list, const struct listen_address *address)
{
    struct listen_address *items = reallocarray(list->items, list->count + 1, sizeof *items);

    if (!items)
        return -ENOMEM;
    list->items = items;
    list->items[list->count++] = *address;
    return 0;
}
